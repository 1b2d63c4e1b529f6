//! Waits, and what the host does for guests.

use super::{Guest, TIME, ends_in_time, ends_in_time_with, engine, is_interrupt, module};
use selkie::wasi::WasiCtx;
use selkie::{Caller, Instance, Linker, Module, Result, Store, Trap};
use std::net::TcpListener;
use std::time::{Duration, Instant};

#[test]
fn atomic_waits_end() {
    let wait32 = "(drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))";
    ends_in_time("atomic.wait32", &module("(memory 1 1 shared)", wait32));
    let wait64 =
        "(drop (memory.atomic.wait64 (i32.const 8) (i64.const 0) (i64.const 1000000000000)))";
    ends_in_time("atomic.wait64", &module("(memory 1 1 shared)", wait64));
}

#[test]
fn waits_end_on_request_and_by_epochs_too() {
    let engine = engine();
    let wait = "(drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))";
    let mut guest = Guest::new(&engine, &module("(memory 1 1 shared)", wait));
    let run = guest.func("run");
    let handle = guest.store.interrupt_handle().unwrap();
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(TIME);
            handle.interrupt();
        });
        assert!(is_interrupt(&run.call(&mut guest.store, ()).unwrap_err()));
        guest.store.set_epoch_deadline(1).unwrap();
        scope.spawn(|| {
            std::thread::sleep(TIME);
            engine.increment_epoch();
        });
        assert!(is_interrupt(&run.call(&mut guest.store, ()).unwrap_err()));
    });
    assert!(start.elapsed() >= 2 * TIME);
}

/// A clock and, where there is one, a descriptor to poll for.
const POLL: &str = "
    (import \"wasi_snapshot_preview1\" \"poll_oneoff\"
        (func $poll (param i32 i32 i32 i32) (result i32)))
    (import \"wasi_snapshot_preview1\" \"sock_accept\"
        (func $accept (param i32 i32 i32) (result i32)))
    (import \"wasi_snapshot_preview1\" \"random_get\" (func $random (param i32 i32) (result i32)))
    (memory (export \"memory\") 65536)
    (data (i32.const 16) \"\\01\") ;; the monotonic clock
    (data (i32.const 24) \"\\00\\00\\00\\00\\00\\00\\00\\10\") ;; a very long time
    (data (i32.const 56) \"\\01\") (data (i32.const 64) \"\\03\") ;; descriptor 3, to be read";

#[test]
fn waits_of_wasi_end() {
    let engine = engine();
    let poll = |count: u32| {
        let run = format!(
            "(drop (call $poll (i32.const 0) (i32.const 1024) (i32.const {count}) (i32.const 4096)))"
        );
        module(POLL, &run)
    };
    ends_in_time_with("a sleep", || Guest::new(&engine, &poll(1)));
    let with_socket = |text: &str| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let context = WasiCtx::builder().preopened_socket(listener).unwrap().build();
        Guest::with(&engine, text, context)
    };
    ends_in_time_with("a poll of a socket", || with_socket(&poll(2)));
    let accept = "(drop (call $accept (i32.const 3) (i32.const 0) (i32.const 4096)))";
    let accept = module(POLL, accept);
    ends_in_time_with("accepting a connection", || with_socket(&accept));
    let random = "(drop (call $random (i32.const 0) (i32.const -1)))";
    ends_in_time("random bytes for 4 GiB", &module(POLL, random));
}

#[test]
fn guests_of_guests_end() {
    let items = "(import \"host\" \"call\" (func $call (result i32)))
        (import \"host\" \"swallow\" (func $swallow (result i32)))
        (func (export \"inner\") (result i32) (loop $l (br $l)) (i32.const 0))";
    ends_in_time("a call through the host", &module(items, "(drop (call $call))"));
    // The host hides how the inner call ended: the outer one still ends.
    let run = "(drop (call $swallow)) (loop $l (br $l))";
    ends_in_time("a call that the host hides", &module(items, run));
}

#[test]
fn a_request_ends_all_calls_of_a_store() {
    let engine = engine();
    let text = module(
        "(import \"host\" \"swallow\" (func $swallow (result i32)))
         (func (export \"inner\") (result i32) (loop $l (br $l)) (i32.const 0))",
        "(loop $l (drop (call $swallow)) (br $l))",
    );
    let mut guest = Guest::new(&engine, &text);
    let run = guest.func("run");
    let handle = guest.store.interrupt_handle().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(5));
            handle.interrupt();
        });
        assert!(is_interrupt(&run.call(&mut guest.store, ()).unwrap_err()));
    });
    assert_eq!(guest.call("again").unwrap(), 7);
}

#[test]
fn host_functions_that_ask_end() {
    let engine = engine();
    let mut linker = Linker::new(&engine);
    let wait = |mut caller: Caller<'_, ()>| -> Result<()> {
        loop {
            caller.check_interrupt()?;
            assert!(!caller.interrupted());
            let left = caller.deadline().unwrap().saturating_duration_since(Instant::now());
            let patience = caller.may_block_for().unwrap();
            assert!(patience <= left);
            std::thread::sleep(patience);
        }
    };
    linker.func_wrap("host", "wait", wait).unwrap();
    let text =
        "(module (import \"host\" \"wait\" (func $wait)) (func (export \"run\") (call $wait)))";
    let module = Module::new(&engine, text).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
    store.set_deadline(Some(TIME)).unwrap();
    let error = run.call(&mut store, ()).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::Interrupt));
    assert!(error.backtrace().is_some());
}

#[test]
fn a_store_can_be_interrupted_again_and_again() {
    let engine = engine();
    let text = "(module (func (export \"run\") (loop $l (br $l))))";
    let module = Module::new(&engine, text).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
    for _ in 0..200 {
        store.set_deadline(Some(Duration::from_micros(300))).unwrap();
        assert!(is_interrupt(&run.call(&mut store, ()).unwrap_err()));
    }
}
