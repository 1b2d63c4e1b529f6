//! Continuations seen from the host: how many there may be, what becomes of those that nobody
//! resumes, and what a host's own frames in between mean.

// What a test builds on must be there.
#![allow(clippy::unwrap_used)]

use selkie::{
    Caller, Config, Engine, Error, Instance, Linker, Module, Store, StoreLimits, Trap, Val,
};
use selkie_tests::process::{Footprint, goes_on_alone};

fn config() -> Config {
    let mut config = Config::new();
    config.wasm_stack_switching(true).compile_threads(1);
    config
}

fn start(text: &str) -> (Store<()>, Instance) {
    start_with(&config(), text)
}

fn start_with(config: &Config, text: &str) -> (Store<()>, Instance) {
    let engine = Engine::new(config).unwrap();
    let module = Module::new(&engine, text).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    (store, instance)
}

fn call(store: &mut Store<()>, instance: Instance, name: &str, value: i32) -> Result<i32, Error> {
    instance.get_typed_func::<i32, i32>(&mut *store, name)?.call(store, value)
}

/// Begins as many as it is told and lets go of each; or keeps them in a table.
const MANY: &str = r#"(module
    (type $f (func (param i32) (result i32)))
    (type $c (cont $f))
    (type $s (struct (field i32)))
    (tag $wait (param i32) (result i32))
    (table $all 0 (ref null $c))
    (func $member (type $f) (local $s (ref $s))
        (local.set $s (struct.new $s (i32.mul (i32.const 3) (local.get 0))))
        (i32.add (suspend $wait (local.get 0)) (struct.get $s 0 (local.get $s))))
    (elem declare func $member)
    (func $begin (param $n i32) (result (ref $c))
        (local $k (ref null $c))
        (block $on (result i32 (ref $c))
            (resume $c (on $wait $on) (local.get $n) (cont.new $c (ref.func $member)))
            (unreachable))
        (local.set $k)
        (drop)
        (ref.as_non_null (local.get $k)))
    (func (export "keep") (param $n i32) (result i32)
        (drop (table.grow $all (ref.null $c) (local.get $n)))
        (loop $more
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (table.set $all (local.get $n) (call $begin (local.get $n)))
            (br_if $more (local.get $n)))
        (table.size $all))
    (func (export "finish") (param $n i32) (result i32) (local $sum i32)
        (loop $more
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (local.set $sum (i32.add (local.get $sum)
                (resume $c (i32.const 1) (table.get $all (local.get $n)))))
            (br_if $more (local.get $n)))
        (local.get $sum))
    (func (export "forget") (param $n i32) (result i32)
        (loop $more
            (drop (call $begin (local.get $n)))
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if $more (local.get $n)))
        (i32.const 0))
    (func (export "unbegun") (param $n i32) (result i32)
        (loop $more
            (drop (cont.new $c (ref.func $member)))
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if $more (local.get $n)))
        (i32.const 0)))"#;

#[test]
fn ten_thousand_wait_at_once_in_little_memory() {
    if !goes_on_alone("ten_thousand_wait_at_once_in_little_memory") {
        return;
    }
    let (mut store, instance) = start(MANY);
    let before = Footprint::now().bytes;
    assert_eq!(call(&mut store, instance, "keep", 10_000).unwrap(), 10_000);
    let each = (Footprint::now().bytes - before) / 10_000;
    assert!(each < 12 << 10, "{each} bytes each");
    // The sum of 3 n + 1.
    let sum = 3 * (9_999 * 10_000 / 2) + 10_000;
    assert_eq!(call(&mut store, instance, "finish", 10_000).unwrap(), sum);
}

#[test]
fn those_that_nobody_can_reach_give_their_stacks_back() {
    if !goes_on_alone("those_that_nobody_can_reach_give_their_stacks_back") {
        return;
    }
    let (mut store, instance) = start(MANY);
    let before = Footprint::now().bytes;
    assert_eq!(call(&mut store, instance, "forget", 200_000).unwrap(), 0);
    assert_eq!(call(&mut store, instance, "unbegun", 200_000).unwrap(), 0);
    let more = Footprint::now().bytes.saturating_sub(before);
    assert!(more < 64 << 20, "{more} bytes");
}

#[test]
fn a_dropped_store_frees_what_waits_in_it() {
    if !goes_on_alone("a_dropped_store_frees_what_waits_in_it") {
        return;
    }
    let engine = Engine::new(&config()).unwrap();
    let module = Module::new(&engine, MANY).unwrap();
    let round = || {
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        assert_eq!(call(&mut store, instance, "keep", 2_000).unwrap(), 2_000);
    };
    round();
    let before = Footprint::now().bytes;
    (0..20).for_each(|_| round());
    let more = Footprint::now().bytes.saturating_sub(before);
    assert!(more < 16 << 20, "{more} bytes");
}

#[test]
fn one_more_than_the_limit_is_a_trap_and_others_go_on() {
    let (mut store, instance) = start(MANY);
    store.set_limits(StoreLimits { continuations: 100, ..StoreLimits::default() });
    let error = call(&mut store, instance, "keep", 101).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::TooManyContinuations));
    // 100 are in the table, from 1 on. What nobody can reach does not count.
    let error = call(&mut store, instance, "forget", 1).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::TooManyContinuations));
    store.set_limits(StoreLimits { continuations: 101, ..StoreLimits::default() });
    assert_eq!(call(&mut store, instance, "forget", 1000).unwrap(), 0);
}

#[test]
fn stacks_count_by_their_bytes_too() {
    let mut config = config();
    config.continuation_stack_bytes(1 << 20);
    let (mut store, instance) = start_with(&config, MANY);
    let limits = StoreLimits { continuation_bytes: 10 << 20, ..StoreLimits::default() };
    store.set_limits(limits);
    assert_eq!(call(&mut store, instance, "keep", 10).unwrap(), 10);
    let error = call(&mut store, instance, "keep", 1).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::TooManyContinuations));
}

#[test]
fn everything_lives_while_everything_is_collected_all_the_time() {
    let mut config = config();
    config.gc_stress(true);
    let (mut store, instance) = start_with(&config, MANY);
    assert_eq!(call(&mut store, instance, "keep", 60).unwrap(), 60);
    assert_eq!(call(&mut store, instance, "forget", 60).unwrap(), 0);
    assert_eq!(call(&mut store, instance, "finish", 60).unwrap(), 3 * (59 * 60 / 2) + 60);
}

/// A continuation that resumes a new one, without end; one whose function calls itself.
const ENDLESS: &str = r#"(module
    (type $f (func))
    (type $c (cont $f))
    (global $depth (export "depth") (mut i32) (i32.const 0))
    (func $nest (export "nest")
        (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
        (resume $c (cont.new $c (ref.func $nest))))
    (func $down (call $down))
    (elem declare func $nest $down)
    (func (export "overflow") (resume $c (cont.new $c (ref.func $down))))
    (func (export "both")
        (call $both (i32.const 20)))
    (func $both (param i32)
        (if (local.get 0) (then (call $both (i32.sub (local.get 0) (i32.const 1)))))
        (resume $c (cont.new $c (ref.func $down)))))"#;

#[test]
fn endless_nesting_and_endless_recursion_trap_at_one_limit_each() {
    let (mut store, instance) = start(ENDLESS);
    let limits = StoreLimits { continuations: 1000, ..StoreLimits::default() };
    store.set_limits(limits);
    let run = |store: &mut Store<()>, name: &str| {
        let func = instance.get_typed_func::<(), ()>(&mut *store, name).unwrap();
        func.call(store, ()).unwrap_err().trap().unwrap()
    };
    for _ in 0..20 {
        let depth = instance.get_global(&mut store, "depth").unwrap();
        depth.set(&mut store, Val::I32(0)).unwrap();
        assert_eq!(run(&mut store, "nest"), Trap::TooManyContinuations);
        assert_eq!(depth.get(&mut store).i32(), Some(1001));
        assert_eq!(run(&mut store, "overflow"), Trap::StackOverflow);
        assert_eq!(run(&mut store, "both"), Trap::StackOverflow);
    }
}

#[test]
fn stacks_that_are_in_use_do_not_make_the_collector_look_for_others() {
    let (mut store, instance) = start(ENDLESS);
    let nest = instance.get_typed_func::<(), ()>(&mut store, "nest").unwrap();
    let trap = nest.call(&mut store, ()).unwrap_err().trap();
    assert_eq!(trap, Some(Trap::TooManyContinuations));
    // Each time there are twice as many, and once more at the limit.
    let collections = store.gc_stats().full_collections;
    assert!(collections < 10, "{collections}");
}

#[test]
fn a_backtrace_shows_the_frames_of_all_stacks() {
    let (mut store, instance) = start(
        r#"(module
        (type $f (func (param i32) (result i32)))
        (type $c (cont $f))
        (func $innermost (type $f) (i32.div_u (i32.const 1) (local.get 0)))
        (func $inner (type $f)
            (call_ref $f (local.get 0) (ref.func $innermost)))
        (func $outer (type $f)
            (resume $c (local.get 0) (cont.new $c (ref.func $inner))))
        (elem declare func $innermost $inner $outer)
        (func $first (export "run") (param i32) (result i32)
            (resume $c (local.get 0) (cont.new $c (ref.func $outer)))))"#,
    );
    let error = call(&mut store, instance, "run", 0).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::IntegerDivideByZero));
    let frames = error.backtrace().unwrap().frames();
    let names: Vec<_> = frames.iter().filter_map(|frame| frame.func_name()).collect();
    assert_eq!(names, ["innermost", "inner", "outer", "first"]);
}

/// `run` resumes a continuation that calls the host, which may call `again`; that resumes, or
/// suspends as if the handler outside the host's frames were its own.
const BETWEEN: &str = r#"(module
    (import "host" "call" (func $host (param i32) (result i32)))
    (type $f (func (param i32) (result i32)))
    (type $c (cont $f))
    (tag $t (param i32) (result i32))
    (func $calls_host (type $f) (i32.add (i32.const 1000) (call $host (local.get 0))))
    (func $suspends (type $f) (suspend $t (local.get 0)))
    (elem declare func $calls_host $suspends)
    (func $with (param $f (ref $f)) (param $n i32) (result i32)
        (local $k (ref null $c))
        (block $on (result i32 (ref $c))
            (return (resume $c (on $t $on) (local.get $n) (cont.new $c (local.get $f)))))
        (local.set $k)
        (i32.mul (i32.const 10))
        (resume $c (local.get $k)))
    (func (export "run") (param i32) (result i32) (call $with (ref.func $calls_host) (local.get 0)))
    (func (export "resumes") (param i32) (result i32) (call $with (ref.func $suspends) (local.get 0)))
    (func (export "suspends") (param i32) (result i32) (suspend $t (local.get 0))))"#;

fn between(
    host: impl Fn(Caller<'_, ()>, i32) -> Result<i32, Error> + Send + Sync + 'static,
) -> (Store<()>, Instance) {
    let engine = Engine::new(&config()).unwrap();
    let module = Module::new(&engine, BETWEEN).unwrap();
    let mut linker = Linker::new(&engine);
    linker.func_wrap("host", "call", host).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    (store, instance)
}

fn call_again(mut caller: Caller<'_, ()>, name: &str, value: i32) -> Result<i32, Error> {
    let func = caller.get_export(name).and_then(|export| export.into_func()).unwrap();
    func.typed::<i32, i32>(&caller)?.call(&mut caller, value)
}

#[test]
fn host_functions_run_and_call_back_while_continuations_wait_for_them() {
    let (mut store, instance) = between(|_, value| Ok(value + 1));
    assert_eq!(call(&mut store, instance, "run", 5).unwrap(), 1006);
    let (mut store, instance) = between(|caller, value| call_again(caller, "resumes", value));
    assert_eq!(call(&mut store, instance, "run", 5).unwrap(), 1050);
    let (mut store, instance) = between(|caller, value| match value {
        0 => Ok(7),
        _ => call_again(caller, "run", value - 1),
    });
    assert_eq!(call(&mut store, instance, "run", 50).unwrap(), 51_007);
}

#[test]
fn a_suspension_does_not_reach_over_frames_of_the_host() {
    let (mut store, instance) = between(|caller, value| call_again(caller, "suspends", value));
    for _ in 0..100 {
        let error = call(&mut store, instance, "run", 5).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::UnhandledTag));
    }
    // The host may catch the trap; what it was called from goes on.
    let (mut store, instance) =
        between(|caller, value| Ok(call_again(caller, "suspends", value).map_or(77, |_| -1)));
    for _ in 0..100 {
        assert_eq!(call(&mut store, instance, "run", 5).unwrap(), 1077);
    }
}

#[test]
fn errors_of_the_host_end_the_continuations_that_called_it() {
    let (mut store, instance) = between(|_, _| Err(Error::msg("the host has had enough")));
    store.set_limits(StoreLimits { continuations: 3, ..StoreLimits::default() });
    for _ in 0..100 {
        let error = call(&mut store, instance, "run", 5).unwrap_err();
        assert!(error.to_string().contains("had enough"), "{error}");
    }
}

#[test]
fn recursion_through_the_host_and_continuations_ends_with_a_trap() {
    let (mut store, instance) = between(|caller, value| call_again(caller, "run", value));
    for _ in 0..3 {
        let trap = call(&mut store, instance, "run", 5).unwrap_err().trap().unwrap();
        let is_limit = matches!(trap, Trap::StackOverflow | Trap::TooManyContinuations);
        assert!(is_limit, "{trap:?}");
    }
}

/// A continuation that the host holds over calls, in a global.
const HELD: &str = r#"(module
    (type $f (func (result i32)))
    (type $c (cont $f))
    (tag $t)
    (func $count (type $f) (local $n i32)
        (loop $more
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (suspend $t)
            (br_if $more (i32.lt_u (local.get $n) (i32.const 5))))
        (local.get $n))
    (elem declare func $count)
    (global $k (export "k") (mut (ref null $c)) (ref.null $c))
    (func (export "new") (result (ref null $c)) (cont.new $c (ref.func $count)))
    (func (export "step") (param (ref null $c)) (result (ref null $c) i32)
        (block $on (result (ref $c))
            (ref.null $c)
            (resume $c (on $t $on) (local.get 0))
            (return))
        (i32.const 0)))"#;

#[test]
fn the_host_holds_continuations_and_passes_them_on() {
    let (mut store, instance) = start(HELD);
    let new = instance.get_func(&mut store, "new").unwrap();
    let step = instance.get_func(&mut store, "step").unwrap();
    let mut made = [Val::I32(0)];
    new.call(&mut store, &[], &mut made).unwrap();
    let [mut held] = made;
    for _ in 0..5 {
        let mut out = [Val::I32(0), Val::I32(0)];
        step.call(&mut store, &[held], &mut out).unwrap();
        let error = step.call(&mut store, &[held], &mut out.clone()).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::ContinuationConsumed));
        assert_eq!(out[1].i32(), Some(0));
        [held, _] = out;
    }
    let mut out = [Val::I32(0), Val::I32(0)];
    step.call(&mut store, &[held], &mut out).unwrap();
    assert!(matches!(out[0], Val::ContRef(None)));
    assert_eq!(out[1].i32(), Some(5));
}
