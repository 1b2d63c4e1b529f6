//! The stack of guests: however recursion goes, it ends with one trap at one limit, and what ran
//! goes on to run.

// What a test builds on must be there.
#![allow(clippy::unwrap_used)]

use selkie::{Caller, Config, Engine, Error, Instance, Linker, Module, Store, Trap, Val};

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

#[test]
fn recursion_through_the_host_traps_at_the_same_limit() {
    let engine = engine(1 << 20);
    let module = Module::new(
        &engine,
        r#"(module (import "host" "again" (func $again))
            (func (export "down") call $again)
            (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))"#,
    )
    .unwrap();
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
    for _ in 0..5 {
        *store.data_mut() = 0;
        let error = down.call(&mut store, ()).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::StackOverflow), "{error:?}");
        assert!(*store.data() > 10, "only {} calls", store.data());
        assert_eq!(add.call(&mut store, (1, 2)).unwrap(), 3);
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
