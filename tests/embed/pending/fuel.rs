//! Calls that give way when they have consumed some fuel.

use super::{Host, block_on, linker, poll_once};
use selkie::{Config, Engine, Feature, Instance, Module, Store, Trap};
use std::task::Poll;

/// Works in registers of every kind while it is interrupted.
const WORK: &str = r#"(module
    (import "host" "later" (func $later (param i64) (result i64)))
    (func (export "work") (param $n i32) (result i64 f64 i64)
        (local $a i64) (local $b i64) (local $c i64) (local $d i64) (local $e i64) (local $f i64)
        (local $x f64) (local $y f64) (local $z f64) (local $v v128)
        (local.set $x (f64.const 1)) (local.set $a (i64.const 1))
        (loop $again
            (local.set $a (i64.add (i64.mul (local.get $a) (i64.const 31)) (local.get $f)))
            (local.set $b (i64.xor (local.get $b) (local.get $a)))
            (local.set $c (i64.add (local.get $c) (local.get $b)))
            (local.set $d (i64.rotl (i64.add (local.get $d) (local.get $c)) (i64.const 7)))
            (local.set $e (i64.sub (local.get $d) (local.get $e)))
            (local.set $f (i64.add (local.get $e) (local.get $b)))
            (local.set $x (f64.add (local.get $x) (f64.const 0.25)))
            (local.set $y (f64.add (local.get $y) (local.get $x)))
            (local.set $z (f64.sub (local.get $y) (local.get $z)))
            (local.set $v (i64x2.add (local.get $v) (i64x2.splat (local.get $f))))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $f)
        (f64.add (local.get $z) (local.get $y))
        (i64x2.extract_lane 1 (local.get $v)))
    (func (export "calls") (param $n i64) (result i64) (local $sum i64)
        (loop $again
            (local.set $sum (i64.add (local.get $sum) (call $later (local.get $n))))
            (br_if $again (i64.ne (i64.const 0)
                (local.tee $n (i64.sub (local.get $n) (i64.const 1))))))
        (local.get $sum)))"#;

fn metered() -> (Store<Host>, Instance) {
    let engine = Engine::new(Config::new().consume_fuel(true)).unwrap();
    let module = Module::new(&engine, WORK).unwrap();
    let mut store = Store::new(&engine, Host::default());
    let instance = linker(&engine).instantiate(&mut store, &module).unwrap();
    (store, instance)
}

/// Runs a call to its end; how often it was pending.
fn count<R>(future: impl Future<Output = R>) -> (usize, R) {
    let mut future = Box::pin(future);
    let mut pending = 0;
    loop {
        match poll_once(future.as_mut()) {
            Poll::Ready(result) => return (pending, result),
            Poll::Pending => pending += 1,
        }
    }
}

#[test]
fn results_and_sums_do_not_depend_on_how_often_a_call_gives_way() {
    let (mut store, instance) = metered();
    let work = instance.get_typed_func::<i32, (i64, f64, i64)>(&mut store, "work").unwrap();
    store.set_fuel(1 << 40).unwrap();
    let wanted = work.call(&mut store, 1000).unwrap();
    let consumed = (1 << 40) - store.get_fuel().unwrap();
    for interval in [None, Some(1), Some(17), Some(1000), Some(consumed), Some(u64::MAX)] {
        store.fuel_async_yield_interval(interval).unwrap();
        store.set_fuel(1 << 40).unwrap();
        let (pending, result) = count(work.call_async(&mut store, 1000));
        assert_eq!(result.unwrap(), wanted);
        assert_eq!((1 << 40) - store.get_fuel().unwrap(), consumed, "{interval:?}");
        let at_most = consumed / interval.unwrap_or(u64::MAX).min(consumed);
        assert!(pending as u64 <= at_most, "{pending} of {at_most}");
        // Checks are at most a round of the loop apart.
        let rounds = interval.map_or(0, |i| consumed / i.saturating_add(80));
        assert!(pending as u64 >= rounds, "{pending} of {rounds}");
        // A call that cannot wait just goes on.
        store.set_fuel(1 << 40).unwrap();
        assert_eq!(work.call(&mut store, 1000).unwrap(), wanted);
        assert_eq!((1 << 40) - store.get_fuel().unwrap(), consumed);
    }
}

#[test]
fn a_run_with_exactly_enough_ends_and_one_with_less_traps_whatever_the_interval() {
    let (mut store, instance) = metered();
    let work = instance.get_typed_func::<i32, (i64, f64, i64)>(&mut store, "work").unwrap();
    store.set_fuel(1 << 40).unwrap();
    work.call(&mut store, 50).unwrap();
    let consumed = (1 << 40) - store.get_fuel().unwrap();
    for interval in [1, 100, consumed - 1, consumed, consumed + 1] {
        store.fuel_async_yield_interval(Some(interval)).unwrap();
        store.set_fuel(consumed).unwrap();
        block_on(work.call_async(&mut store, 50)).unwrap();
        assert_eq!(store.get_fuel().unwrap(), 0);
        store.set_fuel(consumed - 1).unwrap();
        let error = block_on(work.call_async(&mut store, 50)).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::OutOfFuel));
        assert_eq!(store.get_fuel().unwrap(), 0);
    }
}

#[test]
fn a_loop_around_a_host_function_gives_way_too() {
    let (mut store, instance) = metered();
    let calls = instance.get_typed_func::<i64, i64>(&mut store, "calls").unwrap();
    store.fuel_async_yield_interval(Some(1000)).unwrap();
    store.set_fuel(1 << 40).unwrap();
    let (pending, result) = count(calls.call_async(&mut store, 10_000));
    assert_eq!(result.unwrap(), 10_000 * 10_001 / 2 + 10_000);
    let consumed = (1 << 40) - store.get_fuel().unwrap();
    assert!(pending as u64 >= consumed / 1020, "{pending} times in {consumed}");
}

#[test]
fn a_call_that_gave_way_can_be_dropped() {
    let (mut store, instance) = metered();
    let work = instance.get_typed_func::<i32, (i64, f64, i64)>(&mut store, "work").unwrap();
    store.fuel_async_yield_interval(Some(100)).unwrap();
    for polls in 0..1000 {
        store.set_fuel(1 << 40).unwrap();
        let mut call = Box::pin(work.call_async(&mut store, 1_000_000));
        for _ in 0..polls % 7 {
            assert!(poll_once(call.as_mut()).is_pending());
        }
    }
    block_on(work.call_async(&mut store, 10)).unwrap();
}

#[test]
fn intervals_need_fuel_and_are_not_empty() {
    let mut store = Store::new(&Engine::default(), ());
    assert!(store.fuel_async_yield_interval(Some(1)).is_err());
    let (mut store, _) = metered();
    assert!(store.fuel_async_yield_interval(Some(0)).is_err());
}

/// A generator that is asked for numbers, with work on both sides.
const GENERATES: &str = r#"(module
    (type $f (func (result i64))) (type $c (cont $f))
    (tag $next (param i64))
    (func $work (param i64) (result i64) (local $i i32)
        (local.set $i (i32.const 20))
        (loop $again
            (local.set 0 (i64.add (i64.mul (local.get 0) (i64.const 31)) (i64.const 7)))
            (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
        (local.get 0))
    (func $generate (type $f) (local $i i64)
        (loop $again
            (suspend $next (call $work (local.get $i)))
            (local.set $i (i64.add (local.get $i) (i64.const 1)))
            (br_if $again (i64.lt_u (local.get $i) (i64.const 50))))
        (i64.const 0))
    (elem declare func $generate)
    (func (export "run") (result i64) (local $c (ref null $c)) (local $sum i64)
        (local.set $c (cont.new $c (ref.func $generate)))
        (loop $again
            (block $on (result i64 (ref $c))
                (resume $c (on $next $on) (local.get $c))
                (return (i64.add (local.get $sum))))
            (local.set $c)
            (local.set $sum (i64.add (local.get $sum) (call $work)))
            (br $again))
        unreachable))"#;

#[test]
fn continuations_give_way_too() {
    let mut config = Config::new();
    config.consume_fuel(true).wasm_feature(Feature::stack_switching, true);
    let engine = Engine::new(&config).unwrap();
    let module = Module::new(&engine, GENERATES).unwrap();
    let mut store = Store::new(&engine, ());
    store.set_fuel(1 << 40).unwrap();
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let run = instance.get_typed_func::<(), i64>(&mut store, "run").unwrap();
    let before = store.get_fuel().unwrap();
    let wanted = run.call(&mut store, ()).unwrap();
    let consumed = before - store.get_fuel().unwrap();
    for interval in [1, 7, 100, 1001] {
        store.fuel_async_yield_interval(Some(interval)).unwrap();
        store.set_fuel(1 << 40).unwrap();
        let (pending, result) = count(run.call_async(&mut store, ()));
        assert_eq!(result.unwrap(), wanted);
        assert_eq!((1 << 40) - store.get_fuel().unwrap(), consumed);
        assert!(pending as u64 >= consumed / (interval + 20), "{pending} for {interval}");
        for polls in 0..20 {
            let mut call = Box::pin(run.call_async(&mut store, ()));
            for _ in 0..polls {
                assert!(poll_once(call.as_mut()).is_pending());
            }
        }
    }
}
