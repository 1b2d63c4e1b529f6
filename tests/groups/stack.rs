//! The stack of guests: however recursion goes, it ends with one trap at one limit, and what ran
//! goes on to run.

// What a test builds on must be there.
#![allow(clippy::unwrap_used)]

use selkie::{
    Caller, Config, Engine, Error, GcStats, Instance, Linker, Module, Store, StoreLimits, Trap,
    TypedFunc, Val,
};
use std::sync::Arc;

fn engine(stack_bytes: usize) -> Engine {
    let mut config = Config::new();
    config.max_wasm_stack_bytes(stack_bytes).compile_threads(1);
    Engine::new(&config).unwrap()
}

const RECURSION: &str = r#"(module
    (global $depth (export "depth") (mut i32) (i32.const 0))
    (func $down (export "down")
        global.get $depth  i32.const 1  i32.add  global.set $depth
        call $down)
    (func (export "reset") i32.const 0 global.set $depth)
    (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))"#;

fn depth(store: &mut Store<()>, instance: Instance) -> i32 {
    let global = instance.get_global(&mut *store, "depth").unwrap();
    global.get(&mut *store).i32().unwrap()
}

#[test]
fn endless_recursion_traps_and_the_instance_goes_on() {
    let engine = engine(1 << 20);
    let module = Module::new(&engine, RECURSION).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let down = instance.get_typed_func::<(), ()>(&mut store, "down").unwrap();
    let reset = instance.get_typed_func::<(), ()>(&mut store, "reset").unwrap();
    let add = instance.get_typed_func::<(i32, i32), i32>(&mut store, "add").unwrap();
    let mut depths = Vec::new();
    for _ in 0..50 {
        reset.call(&mut store, ()).unwrap();
        let error = down.call(&mut store, ()).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::StackOverflow));
        depths.push(depth(&mut store, instance));
        assert_eq!(add.call(&mut store, (40, 2)).unwrap(), 42);
    }
    assert!(depths.iter().all(|d| *d == depths[0]), "one limit, but {depths:?}");
}

#[test]
fn the_limit_is_the_configured_one() {
    let depth_at = |stack_bytes| {
        let engine = engine(stack_bytes);
        let module = Module::new(&engine, RECURSION).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let down = instance.get_func(&mut store, "down").unwrap();
        assert!(down.call(&mut store, &[], &mut []).is_err());
        f64::from(depth(&mut store, instance))
    };
    let (one, four) = (depth_at(1 << 20), depth_at(4 << 20));
    assert!((3.5..4.5).contains(&(four / one)), "{one} frames in 1 MiB, {four} in 4 MiB");
}

#[test]
fn the_default_is_at_least_eight_mebibytes() {
    // A frame holds at least its return address, so that this depth needs 8 bytes each or more.
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module (func $f (export "f") (param i64 i64 i64 i64) (result i64)
            local.get 0  i64.eqz  if (result i64)  i64.const 1  else
            local.get 0  i64.const 1  i64.sub  local.get 1  local.get 2  local.get 3  call $f
            local.get 0  i64.add  local.get 1  i64.add  local.get 2  i64.add
            local.get 3  i64.add  end))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let func = instance.get_typed_func::<(i64, i64, i64, i64), i64>(&mut store, "f").unwrap();
    // Four values and the return address live in each frame: 40 bytes.
    let frames = (8 << 20) / 64;
    let sum = func.call(&mut store, (frames, 1, 2, 3)).unwrap();
    assert_eq!(sum, frames * (frames + 1) / 2 + 6 * frames + 1);
}

/// A guest that calls a host function in this way, which calls the guest again: how often it came to
/// that in each of five attempts, all of which trap.
fn depths_through_the_host(call: &str) -> Vec<u64> {
    let engine = engine(1 << 20);
    let text = format!(
        r#"(module (import "host" "again" (func $again))
            (func (export "down") {call} $again)
            (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))"#
    );
    let module = Module::new(&engine, text).unwrap();
    let mut linker = Linker::new(&engine);
    linker
        .func_wrap("host", "again", |mut caller: Caller<'_, u64>| -> Result<(), Error> {
            *caller.data_mut() += 1;
            let instance = caller.instance().unwrap();
            let down = instance.get_typed_func::<(), ()>(&mut caller, "down")?;
            down.call(&mut caller, ())
        })
        .unwrap();
    let mut store = Store::new(&engine, 0);
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let down = instance.get_typed_func::<(), ()>(&mut store, "down").unwrap();
    let add = instance.get_typed_func::<(i32, i32), i32>(&mut store, "add").unwrap();
    let attempt = |_| {
        *store.data_mut() = 0;
        let error = down.call(&mut store, ()).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::StackOverflow), "{error:?}");
        assert_eq!(add.call(&mut store, (1, 2)).unwrap(), 3);
        *store.data()
    };
    (0..5).map(attempt).collect()
}

#[test]
fn recursion_through_the_host_traps_at_the_same_limit() {
    for call in ["call", "return_call"] {
        let depths = depths_through_the_host(call);
        // The host's own frames below the first call are not always the same.
        let is_same = depths.iter().all(|depth| depth.abs_diff(depths[0]) < 5);
        assert!(depths[0] > 10 && is_same, "{call}: {depths:?}");
    }
}

#[test]
fn a_start_function_may_not_recurse_for_ever() {
    let engine = engine(1 << 20);
    let module = Module::new(&engine, "(module (func $f call $f) (start $f))").unwrap();
    let mut store = Store::new(&engine, ());
    let error = Instance::new(&mut store, &module, &[]).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::StackOverflow));
    let module = Module::new(&engine, "(module (func $f) (start $f))").unwrap();
    Instance::new(&mut store, &module, &[]).unwrap();
}

#[test]
fn recursion_through_tables_references_and_other_instances_traps() {
    let engine = engine(1 << 20);
    for text in [
        r#"(module (table 1 funcref) (elem (i32.const 0) $f)
            (func $f (export "f") i32.const 0 call_indirect))"#,
        r#"(module (type $t (func)) (elem declare func $f)
            (func $f (export "f") ref.func $f call_ref $t))"#,
        r#"(module (func $f (export "f") (result i32) call $g i32.const 1 i32.add)
            (func $g (result i32) call $f i32.const 1 i32.add))"#,
    ] {
        let module = Module::new(&engine, text).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let func = instance.get_func(&mut store, "f").unwrap();
        let mut results = vec![Val::I32(0); func.ty(&store).results().len()];
        let error = func.call(&mut store, &[], &mut results).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::StackOverflow), "{text}");
    }
    let first = Module::new(
        &engine,
        r#"(module (table (export "t") 1 funcref)
            (func (export "f") i32.const 0 call_indirect))"#,
    );
    let second = Module::new(
        &engine,
        r#"(module (import "a" "f" (func $f)) (import "a" "t" (table 1 funcref))
            (func $g call $f) (elem (i32.const 0) $g))"#,
    );
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    let instance = linker.instantiate(&mut store, &first.unwrap()).unwrap();
    linker.instance(&mut store, "a", instance).unwrap();
    linker.instantiate(&mut store, &second.unwrap()).unwrap();
    let func = instance.get_func(&mut store, "f").unwrap();
    let error = func.call(&mut store, &[], &mut []).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::StackOverflow));
}

/// What a host that instantiates needs.
#[derive(Default)]
struct Nest {
    linker: Option<Arc<Linker<Nest>>>,
    module: Option<Module>,
    starts: u64,
}

#[test]
fn start_functions_that_start_others_trap() {
    let engine = engine(1 << 20);
    let text = r#"(module (import "host" "start" (func $start)) (func $f call $start) (start $f))"#;
    let module = Module::new(&engine, text).unwrap();
    let mut linker = Linker::new(&engine);
    linker
        .func_wrap("host", "start", |mut caller: Caller<'_, Nest>| -> Result<(), Error> {
            let nest = caller.data_mut();
            nest.starts += 1;
            let (linker, module) = (nest.linker.clone().unwrap(), nest.module.clone().unwrap());
            linker.instantiate(&mut caller, &module).map(drop)
        })
        .unwrap();
    let linker = Arc::new(linker);
    let nest = Nest { linker: Some(linker.clone()), module: Some(module.clone()), starts: 0 };
    let mut store = Store::new(&engine, nest);
    let error = linker.instantiate(&mut store, &module).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::StackOverflow), "{error:?}");
    assert!(store.data().starts > 10, "only {} starts", store.data().starts);
    let plain = Module::new(&engine, "(module (func $f) (start $f))").unwrap();
    linker.instantiate(&mut store, &plain).unwrap();
}

/// Each function recurses once more in its own way than the one before; `$n` counts entries.
const RECURSION_AMONG_EXCEPTIONS: &str = r#"(module (tag $e) (global $n (mut i32) (i32.const 0))
    (func $count (global.set $n (i32.add (global.get $n) (i32.const 1))))
    (func $guarded (export "guarded") (call $count)
        (block $caught (try_table (catch_all $caught) (call $guarded))))
    (func $throw (throw $e))
    (func $in_handler (export "in handler") (call $count)
        (block $caught (try_table (catch $e $caught) (call $throw)) (return))
        (call $in_handler))
    (func $in_clause (export "in clause") (call $count)
        try  call $throw  catch $e  call $in_clause  end)
    (func $in_rethrowing (export "in rethrowing clause") (call $count)
        try  call $throw  catch_all  call $in_rethrowing  rethrow 0  end)
    (func $with_references (export "with references") (local exnref) (call $count)
        (block $caught (result exnref)
            (try_table (catch_all_ref $caught) (call $throw)) (unreachable))
        (local.set 0) (call $with_references) (throw_ref (local.get 0)))
    (func $down (export "throw") (param i32) (call $count)
        (if (i32.eqz (local.get 0)) (then (throw $e)))
        (call $down (i32.sub (local.get 0) (i32.const 1)))
        (global.set $n (i32.const -1)))
    (func (export "catch") (param i32) (result i32)
        (block $caught (try_table (catch $e $caught) (call $down (local.get 0))))
        (global.get $n))
    (func (export "reset") (global.set $n (i32.const 0)))
    (func (export "n") (result i32) (global.get $n)))"#;

/// An instance of [`RECURSION_AMONG_EXCEPTIONS`].
struct Recursion {
    store: Store<()>,
    instance: Instance,
    reset: TypedFunc<(), ()>,
    n: TypedFunc<(), i32>,
    catch: TypedFunc<i32, i32>,
}

impl Recursion {
    fn new(stack_bytes: usize) -> Recursion {
        let engine = engine(stack_bytes);
        let module = Module::new(&engine, RECURSION_AMONG_EXCEPTIONS).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let reset = instance.get_typed_func(&mut store, "reset").unwrap();
        let n = instance.get_typed_func(&mut store, "n").unwrap();
        let catch = instance.get_typed_func(&mut store, "catch").unwrap();
        Recursion { store, instance, reset, n, catch }
    }
}

#[test]
fn recursion_among_exceptions_is_one_trap_that_nobody_catches() {
    let Recursion { mut store, instance, reset, n, catch } = Recursion::new(1 << 20);
    let names = ["guarded", "in handler", "in clause", "in rethrowing clause", "with references"];
    for name in names {
        let func = instance.get_typed_func::<(), ()>(&mut store, name).unwrap();
        let mut depths = Vec::new();
        for _ in 0..5 {
            reset.call(&mut store, ()).unwrap();
            let error = func.call(&mut store, ()).unwrap_err();
            assert_eq!(error.trap(), Some(Trap::StackOverflow), "{name}: {error:?}");
            depths.push(n.call(&mut store, ()).unwrap());
            // Exceptions go on to work.
            reset.call(&mut store, ()).unwrap();
            assert_eq!(catch.call(&mut store, 10).unwrap(), 11, "{name}");
        }
        let is_one_limit = depths[0] > 1000 && depths.iter().all(|d| *d == depths[0]);
        assert!(is_one_limit, "{name}: {depths:?}");
    }
}

#[test]
fn an_exception_thrown_at_the_deepest_point_is_caught_at_the_top() {
    let Recursion { mut store, reset, n, catch, .. } = Recursion::new(8 << 20);
    let mut attempt = |depth: i32| {
        reset.call(&mut store, ()).unwrap();
        let caught = catch.call(&mut store, depth);
        let entered = n.call(&mut store, ()).unwrap();
        (caught, entered)
    };
    let (endless, frames) = attempt(i32::MAX);
    assert_eq!(endless.unwrap_err().trap(), Some(Trap::StackOverflow));
    assert!(frames > 100_000, "only {frames} frames");
    // One frame more than there is room for, and then as many as there is room for.
    for _ in 0..3 {
        assert_eq!(attempt(frames + 1).0.unwrap_err().trap(), Some(Trap::StackOverflow));
        assert_eq!(attempt(frames - 4).0.unwrap(), frames - 3);
    }
}

#[test]
fn the_collector_walks_a_full_stack() {
    const FRAMES: i32 = 100_000;
    let text = r#"(module
        (type $cell (struct (field $n i32) (field $next (mut (ref null $cell)))))
        (type $bytes (array (mut i8)))
        (global $kept (mut anyref) (ref.null any))
        (func $garbage (param i32)
            (loop $again
                (global.set $kept (array.new_default $bytes (i32.const 100000)))
                (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
        (func $down (export "down") (param $n i32) (param $above (ref null $cell)) (result i64)
            (local $own (ref null $cell))
            (local.set $own (struct.new $cell (local.get $n) (local.get $above)))
            (if (i32.eqz (local.get $n)) (then (call $garbage (i32.const 2000)) (return (i64.const 0))))
            (i64.add
                (call $down (i32.sub (local.get $n) (i32.const 1)) (local.get $own))
                (i64.extend_i32_u (i32.sub
                    (struct.get $cell $n (local.get $own))
                    (i32.const 1)))))
        (func (export "run") (param i32) (result i64) (call $down (local.get 0) (ref.null $cell)))
        (func $endless (param (ref null $cell)) (result i32)
            (call $endless (struct.new $cell (i32.const 1) (local.get 0)))
            (i32.add (struct.get $cell $n (local.get 0))))
        (func (export "endless") (drop (call $endless (struct.new_default $cell)))))"#;
    for stress in [false, true] {
        let mut config = Config::new();
        config.compile_threads(1).gc_stress(stress);
        let engine = Engine::new(&config).unwrap();
        let module = Module::new(&engine, text).unwrap();
        let mut store = Store::new(&engine, ());
        store.set_limits(StoreLimits { gc_heap_bytes: 96 << 20, ..StoreLimits::default() });
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let run = instance.get_typed_func::<i32, i64>(&mut store, "run").unwrap();
        // Under stress every frame that makes an object has all above it walked.
        let frames = if stress { 1000 } else { FRAMES };
        let sum = i64::from(frames) * i64::from(frames - 1) / 2;
        for _ in 0..2 {
            let before = store.gc_stats();
            assert_eq!(run.call(&mut store, frames).unwrap(), sum, "stress: {stress}");
            let after = store.gc_stats();
            let collections = |stats: &GcStats| stats.minor_collections + stats.full_collections;
            assert!(collections(&after) > collections(&before), "stress: {stress}");
        }
        if !stress {
            let endless = instance.get_typed_func::<(), ()>(&mut store, "endless").unwrap();
            for _ in 0..3 {
                let error = endless.call(&mut store, ()).unwrap_err();
                assert_eq!(error.trap(), Some(Trap::StackOverflow), "{error:?}");
                assert_eq!(run.call(&mut store, 1000).unwrap(), 499_500);
            }
        }
    }
}

#[test]
fn a_frame_larger_than_any_guard_traps() {
    // Two hundred thousand bytes of locals that must outlive a call: a frame that steps over a
    // guard of any usual size.
    let count = 25_000;
    let mut text = String::from("(module (func $f (export \"f\") (param i64) (result i64)");
    text += &format!("(local {})", "i64 ".repeat(count));
    for local in 1..=count {
        text += &format!("local.get 0 i64.const {local} i64.mul local.set {local}\n");
    }
    text += "local.get 0 call $f local.set 0\n";
    text += "i64.const 0\n";
    for local in 0..=count {
        text += &format!("local.get {local} i64.add\n");
    }
    text += "))";
    let engine = engine(2 << 20);
    let module = Module::new(&engine, &text).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let func = instance.get_typed_func::<i64, i64>(&mut store, "f").unwrap();
    for _ in 0..3 {
        let error = func.call(&mut store, 3).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::StackOverflow));
    }
}

#[test]
fn endless_tail_calls_use_no_stack() {
    let engine = engine(128 << 10);
    let module = Module::new(
        &engine,
        r#"(module (table 2 funcref) (elem (i32.const 0) $odd $even)
            (func $even (export "even") (param i64) (result i32)
                local.get 0  i64.eqz  if  i32.const 1  return  end
                local.get 0  i64.const 1  i64.sub  return_call $odd)
            (func $odd (param i64) (result i32)
                local.get 0  i64.eqz  if  i32.const 0  return  end
                local.get 0  i64.const 1  i64.sub  i32.const 1
                return_call_indirect (param i64) (result i32)))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let even = instance.get_typed_func::<i64, i32>(&mut store, "even").unwrap();
    assert_eq!(even.call(&mut store, 3_000_001).unwrap(), 0);
}

#[test]
fn threads_with_small_stacks_of_their_own_can_recurse_as_deep() {
    let engine = engine(8 << 20);
    let module = Module::new(&engine, RECURSION).unwrap();
    let run = move || {
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let down = instance.get_func(&mut store, "down").unwrap();
        let error = down.call(&mut store, &[], &mut []).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::StackOverflow));
        depth(&mut store, instance)
    };
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let thread = std::thread::Builder::new().stack_size(128 << 10);
            thread.spawn(run.clone()).unwrap()
        })
        .collect();
    for thread in threads {
        assert!(thread.join().unwrap() > 100_000);
    }
}

#[test]
fn the_backtrace_of_an_overflow_is_bounded_and_named() {
    let engine = engine(1 << 20);
    let module = Module::new(&engine, RECURSION).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let down = instance.get_func(&mut store, "down").unwrap();
    let error = down.call(&mut store, &[], &mut []).unwrap_err();
    let frames = error.backtrace().unwrap().frames();
    assert!((1..=64).contains(&frames.len()), "{} frames", frames.len());
    assert_eq!(frames[0].func_name().as_deref(), Some("down"));
}
