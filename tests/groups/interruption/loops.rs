//! Endless runs of machine code, and what tries to survive.

use super::{Guest, ends_in_time, ends_in_time_with, engine, is_interrupt, module};
use selkie::{Config, Engine, Instance, Linker, Module, Store, Trap};
use std::time::{Duration, Instant};

#[test]
fn loops_without_calls_end() {
    ends_in_time("an empty loop", &module("", "(loop $l (br $l))"));
    ends_in_time(
        "a loop that computes",
        &module(
            "(memory 1)",
            "(loop $l
                (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))
                (br_if $l (i32.const 1)))",
        ),
    );
    ends_in_time(
        "nested loops",
        &module("", "(loop $l (loop $m (br_if $m (i32.const 0))) (br $l))"),
    );
}

#[test]
fn calls_end() {
    ends_in_time(
        "a loop around inlined functions",
        &module(
            "(func $f (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))",
            "(loop $l (local.set $i (call $f (local.get $i))) (br $l))",
        ),
    );
    ends_in_time(
        "recursion",
        &module(
            "(func $fib (param i64) (result i64)
                (if (result i64) (i64.lt_u (local.get 0) (i64.const 2))
                    (then (local.get 0))
                    (else (i64.add
                        (call $fib (i64.sub (local.get 0) (i64.const 1)))
                        (call $fib (i64.sub (local.get 0) (i64.const 2)))))))",
            "(drop (call $fib (i64.const 90)))",
        ),
    );
    ends_in_time("tail calls", &module("(func $f (return_call $f))", "(call $f)"));
    ends_in_time(
        "indirect tail calls",
        &module(
            "(type $v (func)) (table 1 funcref) (elem (i32.const 0) $f)
             (func $f (return_call_indirect (type $v) (i32.const 0)))",
            "(call $f)",
        ),
    );
}

#[test]
fn long_code_without_loops_and_calls_ends() {
    // A single pass of it takes longer than anything may: divisions that wait for each other.
    let step = "(local.set $x (i64.div_u (i64.const -1) (i64.or (local.get $x) (i64.const 1))))";
    let items = format!("(func $long (local $x i64) {})", step.repeat(60_000));
    let engine = engine();
    let text = module(&items, "(loop $l (call $long) (br $l))");
    let module = Module::new(&engine, &text).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let run = instance.get_typed_func::<(), i32>(&mut store, "run").unwrap();
    // Already over: it ends at the first question, and again in the middle.
    store.set_deadline(Some(Duration::ZERO)).unwrap();
    assert!(is_interrupt(&run.call(&mut store, ()).unwrap_err()));
    let deadline = Instant::now() + super::TIME;
    store.set_deadline(Some(deadline)).unwrap();
    assert!(is_interrupt(&run.call(&mut store, ()).unwrap_err()));
}

#[test]
fn handlers_of_exceptions_do_not_keep_a_guest_alive() {
    ends_in_time(
        "catch_all around everything",
        &module("", "(loop $l (block $h (try_table (catch_all $h) (loop $m (br $m)))) (br $l))"),
    );
    ends_in_time(
        "catch_all around calls",
        &module(
            "(func $f (loop $m (br $m)))",
            "(loop $l (block $h (try_table (catch_all $h) (call $f))) (br $l))",
        ),
    );
}

#[test]
fn continuations_that_run_end() {
    ends_in_time(
        "a continuation that loops",
        &module(
            "(type $f (func)) (type $c (cont $f)) (elem declare func $spin)
             (func $spin (loop $l (br $l)))",
            "(resume $c (cont.new $c (ref.func $spin)))",
        ),
    );
    ends_in_time(
        "continuations that take turns",
        &module(
            "(type $f (func)) (type $c (cont $f)) (tag $t) (elem declare func $gen)
             (func $gen (loop $l (suspend $t) (br $l)))",
            "(local $k (ref $c))
             (local.set $k (cont.new $c (ref.func $gen)))
             (loop $l
                (block $on (result (ref $c))
                    (resume $c (on $t $on) (local.get $k))
                    (unreachable))
                (local.set $k)
                (br $l))",
        ),
    );
}

#[test]
fn garbage_does_not_keep_a_guest_alive() {
    ends_in_time(
        "a loop that allocates",
        &module(
            "(type $s (struct (field (ref null $s)) (field i64)))",
            "(local $s (ref null $s))
             (loop $l
                (local.set $s (struct.new $s (ref.null $s) (i64.const 1)))
                (local.set $s (struct.new $s (local.get $s) (i64.const 2)))
                (br $l))",
        ),
    );
}

#[test]
fn start_functions_end_too() {
    let engine = engine();
    let module = Module::new(&engine, "(module (func $f (loop $l (br $l))) (start $f))").unwrap();
    let mut store = Store::new(&engine, ());
    store.set_deadline(Some(Duration::from_millis(20))).unwrap();
    let error = Instance::new(&mut store, &module, &[]).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::Interrupt));
}

#[test]
fn epochs_and_handles_end_what_deadlines_end() {
    let engine = engine();
    let text = module("", "(loop $l (br $l))");
    let mut guest = Guest::new(&engine, &text);
    let run = guest.func("run");
    for round in 0..3 {
        guest.store.set_epoch_deadline(2).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..2 {
                    std::thread::sleep(Duration::from_millis(5));
                    engine.increment_epoch();
                }
            });
            assert!(is_interrupt(&run.call(&mut guest.store, ()).unwrap_err()), "{round}");
        });
        guest.store.set_epoch_deadline(u64::MAX).unwrap();
        assert_eq!(guest.call("again").unwrap(), 7);
        let handle = guest.store.interrupt_handle().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(5));
                handle.interrupt();
            });
            assert!(is_interrupt(&run.call(&mut guest.store, ()).unwrap_err()), "{round}");
        });
        assert_eq!(guest.call("again").unwrap(), 7);
    }
}

#[test]
fn a_request_before_a_call_ends_it_and_can_be_taken_back() {
    let engine = engine();
    let mut guest = Guest::new(&engine, &module("", ""));
    let handle = guest.store.interrupt_handle().unwrap();
    handle.interrupt();
    handle.clone().interrupt();
    assert!(is_interrupt(&guest.call("again").unwrap_err()));
    assert_eq!(guest.call("again").unwrap(), 7);
    handle.interrupt();
    assert!(guest.store.clear_interrupt());
    assert!(!guest.store.clear_interrupt());
    assert_eq!(guest.call("again").unwrap(), 7);
    // It may outlive its store.
    drop(guest);
    handle.interrupt();
}

#[test]
fn stores_have_deadlines_of_their_own() {
    let engine = engine();
    let text = module("", "(loop $l (br $l))");
    let mut others: Vec<_> = (0..20).map(|_| Guest::new(&engine, &text)).collect();
    for (i, other) in others.iter_mut().enumerate() {
        other.store.set_deadline(Some(Duration::from_secs(1000 + i as u64 % 3))).unwrap();
        other.store.set_epoch_deadline(1 + i as u64 % 3).unwrap();
    }
    ends_in_time_with("one of many", || Guest::new(&engine, &text));
    engine.increment_epoch();
    for (i, other) in others.iter_mut().enumerate() {
        let ended = other.call("again");
        assert_eq!(ended.is_err(), i % 3 == 0, "{i}");
        assert_eq!(other.store.engine().config().features(), engine.config().features());
    }
}

#[test]
fn code_that_cannot_be_interrupted_is_not_taken_for_code_that_can() {
    let plain = Engine::default();
    let artifact = plain.precompile_module(b"(module)").unwrap();
    let interrupting = Engine::new(Config::new().epoch_interruption(true)).unwrap();
    assert_ne!(plain.fingerprint(), interrupting.fingerprint());
    assert!(!artifact.is_empty());
}

#[test]
fn instances_made_of_former_ones_obey_their_own_store() {
    let engine = engine();
    let text = "(module (memory 1) (func (export \"run\") (loop $l (br $l))))";
    let module = Module::new(&engine, text).unwrap();
    let pre = Linker::new(&engine).instantiate_pre(&module).unwrap();
    let mut former = None;
    for _ in 0..5 {
        let mut store = Store::new(&engine, ());
        let instance = pre.instantiate(&mut store).unwrap();
        let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
        store.set_deadline(Some(Duration::from_millis(5))).unwrap();
        assert!(is_interrupt(&run.call(&mut store, ()).unwrap_err()));
        // That of a store that is gone.
        former = former.replace(store.interrupt_handle().unwrap());
        former.iter().for_each(selkie::InterruptHandle::interrupt);
    }
}
