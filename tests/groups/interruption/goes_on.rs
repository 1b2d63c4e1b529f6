//! Guests that are interrupted and go on: nothing of what they compute changes, although whoever
//! is asked collects garbage, which moves every object that it can.

use super::{config, engine, is_interrupt};
use selkie::{
    Engine, Error, Instance, Module, Result, RootScope, Store, StoreContextMut, Trap,
    UpdateDeadline,
};
use std::time::Duration;

/// Interrupted wherever it asks, and each time all garbage is collected.
fn always_interrupted(engine: &Engine, text: &str) -> (Store<u64>, Instance) {
    let module = Module::new(engine, text).unwrap();
    let mut store = Store::new(engine, 0);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    store.set_epoch_deadline(0).unwrap();
    store.epoch_deadline_callback(|mut store: StoreContextMut<'_, u64>| {
        *store.data_mut() += 1;
        store.gc();
        Ok(UpdateDeadline::Continue(0))
    });
    (store, instance)
}

fn call(store: &mut Store<u64>, instance: Instance, name: &str, n: i32) -> Result<i32> {
    instance.get_typed_func::<i32, i32>(&mut *store, name)?.call(store, n)
}

/// Bulk instructions on references, among others in arrays and tables that are large enough to be
/// handled in pieces; `n` is how many.
const OBJECTS: &str = r#"(module
    (type $s (struct (field i32)))
    (type $a (array (mut (ref null $s))))
    (type $b (array (mut i16)))
    (table $t 0 (ref null $s))
    (elem $e (ref $s) (struct.new $s (i32.const 11)) (struct.new $s (i32.const 12)))
    (data $d "0123456789")
    (func $sum (param $a (ref $a)) (result i32) (local $i i32) (local $sum i32)
        (loop $l
            (local.set $sum (i32.add (local.get $sum)
                (struct.get $s 0 (array.get $a (local.get $a) (local.get $i)))))
            (local.set $i (i32.add (local.get $i) (i32.const 1000)))
            (br_if $l (i32.lt_u (local.get $i) (array.len (local.get $a)))))
        (local.get $sum))
    (func (export "arrays") (param $n i32) (result i32)
        (local $x (ref $s)) (local $a (ref $a)) (local $c (ref $a))
        (local.set $x (struct.new $s (i32.const 1)))
        (local.set $a (array.new $a (local.get $x) (local.get $n)))
        (local.set $c (array.new_default $a (local.get $n)))
        (array.fill $a (local.get $a) (i32.const 1) (struct.new $s (i32.const 2))
            (i32.sub (local.get $n) (i32.const 1)))
        (array.copy $a $a (local.get $c) (i32.const 0) (local.get $a) (i32.const 0) (local.get $n))
        (array.copy $a $a (local.get $c) (i32.const 1) (local.get $c) (i32.const 0)
            (i32.sub (local.get $n) (i32.const 1)))
        (array.init_elem $a $e (local.get $c) (i32.const 0) (i32.const 0) (i32.const 2))
        (i32.add (struct.get $s 0 (local.get $x))
            (i32.add (call $sum (local.get $a)) (call $sum (local.get $c)))))
    (func (export "tables") (param $n i32) (result i32) (local $x (ref $s))
        (local.set $x (struct.new $s (i32.const 5)))
        (drop (table.grow $t (local.get $x) (local.get $n)))
        (table.fill $t (i32.const 1) (struct.new $s (i32.const 6))
            (i32.sub (table.size $t) (i32.const 1)))
        (table.copy $t $t (i32.const 1) (i32.const 0) (i32.sub (table.size $t) (i32.const 1)))
        (i32.add
            (i32.mul (i32.const 100) (struct.get $s 0 (table.get $t (i32.const 1))))
            (i32.add (struct.get $s 0 (table.get $t (i32.sub (table.size $t) (i32.const 1))))
                (struct.get $s 0 (local.get $x)))))
    (func (export "numbers") (param $n i32) (result i32) (local $b (ref $b)) (local $c (ref $b))
        (local.set $b (array.new $b (i32.const 3) (local.get $n)))
        (local.set $c (array.new_data $b $d (i32.const 0) (i32.const 5)))
        (array.copy $b $b (local.get $b) (i32.const 1) (local.get $c) (i32.const 0) (i32.const 5))
        (array.copy $b $b (local.get $b) (i32.const 2) (local.get $b) (i32.const 1)
            (i32.sub (local.get $n) (i32.const 2)))
        (i32.add (array.get_u $b (local.get $b) (i32.const 2))
            (array.get_u $b (local.get $b) (i32.sub (local.get $n) (i32.const 1)))))
    ;; Registers of each kind, over questions in a loop.
    (func (export "registers") (param $n i32) (result i32)
        (local $x (ref $s)) (local $f f64) (local $g f32) (local $v v128) (local $l i64)
        (local.set $x (struct.new $s (i32.const 3)))
        (local.set $f (f64.const 0.5))
        (local.set $g (f32.const 0.25))
        (local.set $l (i64.const 7))
        (loop $again
            (local.set $x (struct.new $s
                (i32.add (struct.get $s 0 (local.get $x)) (i32.const 1))))
            (local.set $f (f64.add (local.get $f) (f64.const 1)))
            (local.set $g (f32.add (local.get $g) (f32.const 1)))
            (local.set $l (i64.add (local.get $l) (i64.const 2)))
            (local.set $v (i32x4.add (local.get $v) (v128.const i32x4 1 2 3 4)))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (i32.add (struct.get $s 0 (local.get $x))
            (i32.add (i32.trunc_f64_s (local.get $f))
                (i32.add (i32.trunc_f32_s (local.get $g))
                    (i32.add (i32.wrap_i64 (local.get $l))
                        (i32x4.extract_lane 3 (local.get $v))))))))"#;

#[test]
fn interruptions_that_collect_change_nothing() {
    let plain = Engine::default();
    for inlining in [true, false] {
        let mut config = config();
        config.inlining(inlining);
        let engine = Engine::new(&config).unwrap();
        for (name, n) in [
            ("arrays", 100),
            ("arrays", 70_000),
            ("tables", 70_000),
            ("numbers", 70_000),
            ("registers", 300),
        ] {
            let module = Module::new(&plain, OBJECTS).unwrap();
            let mut store = Store::new(&plain, 0);
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let expected = call(&mut store, instance, name, n).unwrap();
            let (mut store, instance) = always_interrupted(&engine, OBJECTS);
            assert_eq!(call(&mut store, instance, name, n).unwrap(), expected, "{name} {n}");
            assert!(*store.data() >= 3, "{name} {n}: it was hardly asked");
        }
    }
}

#[test]
fn memories_are_what_they_would_be() {
    let text = r#"(module (memory (export "memory") 64)
        (data $d "abc")
        (func (export "run") (param $n i32) (result i32)
            (memory.fill (i32.const 10) (i32.const 1) (i32.const 3000000))
            (memory.init $d (i32.const 2000000) (i32.const 0) (i32.const 3))
            (memory.copy (i32.const 1) (i32.const 10) (i32.const 3000000))
            (memory.copy (i32.const 1000) (i32.const 1) (i32.const 3000000))
            (i32.const 0)))"#;
    let (mut store, instance) = always_interrupted(&engine(), text);
    call(&mut store, instance, "run", 0).unwrap();
    let plain = Engine::default();
    let module = Module::new(&plain, text).unwrap();
    let mut other = Store::new(&plain, 0);
    let other_instance = Instance::new(&mut other, &module, &[]).unwrap();
    call(&mut other, other_instance, "run", 0).unwrap();
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    let other_memory = other_instance.get_memory(&mut other, "memory").unwrap();
    assert!(memory.data(&store) == other_memory.data(&other));
}

#[test]
fn a_callback_may_run_guests_and_fail() {
    let text = r#"(module
        (func (export "run") (param $n i32) (result i32)
            (loop $l (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (i32.const 1))
        (func (export "spin") (param $n i32) (result i32) (loop $l (br $l)) (i32.const 0)))"#;
    let engine = engine();
    let (mut store, instance) = always_interrupted(&engine, text);
    // What a callback runs ends where it is interrupted itself.
    store.epoch_deadline_callback(move |mut store| {
        let mut scope = RootScope::new(&mut store);
        let run = instance.get_typed_func::<i32, i32>(&mut scope, "run")?;
        assert!(is_interrupt(&run.call(&mut scope, 5).unwrap_err()));
        drop(scope);
        store.set_epoch_deadline(u64::MAX)?;
        assert_eq!(run.call(&mut store, 5)?, 1);
        Ok(UpdateDeadline::Continue(1))
    });
    assert_eq!(call(&mut store, instance, "run", 100).unwrap(), 1);
    engine.increment_epoch();
    store.epoch_deadline_callback(|_| Err(Error::msg("no more")));
    let error = call(&mut store, instance, "spin", 0).unwrap_err();
    assert_eq!(error.to_string(), "no more");
    assert!(error.backtrace().is_some());
    store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Interrupt));
    assert_eq!(call(&mut store, instance, "spin", 0).unwrap_err().trap(), Some(Trap::Interrupt));
    store.epoch_deadline_trap();
    assert_eq!(call(&mut store, instance, "spin", 0).unwrap_err().trap(), Some(Trap::Interrupt));
    // A panic arrives where the call was made.
    store.epoch_deadline_callback(|_| panic!("as it was told"));
    let run = std::panic::AssertUnwindSafe(|| call(&mut store, instance, "spin", 0));
    assert!(std::panic::catch_unwind(run).is_err());
    store.set_epoch_deadline(u64::MAX).unwrap();
    assert_eq!(call(&mut store, instance, "run", 1).unwrap(), 1);
}

#[test]
fn who_waits_is_woken_although_it_was_asked() {
    let engine = engine();
    let text = r#"(module (memory (export "memory") 1 1 shared)
        (func (export "wait") (param i32) (result i32)
            (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 60000000000)))
        (func (export "notify") (param i32) (result i32)
            (memory.atomic.notify (i32.const 0) (i32.const 1))))"#;
    let module = Module::new(&engine, text).unwrap();
    let (mut waiter, instance) = always_interrupted(&engine, text);
    let memory = instance.get_memory(&mut waiter, "memory").unwrap().as_shared(&waiter).unwrap();
    drop(module);
    let import = text
        .replace("(memory (export \"memory\")", "(import \"m\" \"m\" (memory")
        .replace("1 1 shared)", "1 1 shared))");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || call(&mut waiter, instance, "wait", 0).unwrap());
        let module = Module::new(&engine, &import).unwrap();
        let mut store = Store::new(&engine, 0);
        let memory = memory.memory(&mut store).unwrap();
        let instance = Instance::new(&mut store, &module, &[memory.into()]).unwrap();
        while call(&mut store, instance, "notify", 0).unwrap() == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(waiting.join().unwrap(), 0);
    });
}
