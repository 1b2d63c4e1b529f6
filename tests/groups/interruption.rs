//! Interruption: whatever a guest does, it ends within ten milliseconds of its deadline, nobody in
//! the guest can keep it from ending, and its store goes on as if it had trapped anywhere else.
//! Interruptions that let the guest go on change nothing of what it computes.

// What a test builds on must be there.
#![allow(clippy::unwrap_used)]

#[path = "interruption/bulk.rs"]
mod bulk;
#[path = "interruption/goes_on.rs"]
mod goes_on;
#[path = "interruption/host.rs"]
mod host;
#[path = "interruption/loops.rs"]
mod loops;

use selkie::wasi::{WasiCtx, add_to_linker};
use selkie::{
    Caller, Config, Engine, Error, Instance, Linker, Module, Result, Store, Trap, TypedFunc,
};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How late a guest may end.
const ACCURACY: Duration = Duration::from_millis(10);
/// How long guests run before their deadline.
const TIME: Duration = Duration::from_millis(30);
/// How often an accuracy is measured: the median counts, as machines are never idle, and that of
/// another round, should it be a busy one. What takes longer by itself does so in all of them.
const TRIES: usize = 5;
const ROUNDS: usize = 3;

fn config() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true).compile_threads(1);
    config.wasm_stack_switching(true).wasm_memory64(true).wasm_tail_call(true);
    config
}

fn engine() -> Engine {
    Engine::new(&config()).unwrap()
}

/// A guest with WASI, and what it may import of the tests' own.
struct Guest {
    store: Store<WasiCtx>,
    instance: Instance,
}

impl Guest {
    fn new(engine: &Engine, text: &str) -> Guest {
        Guest::with(engine, text, WasiCtx::builder().build())
    }

    fn with(engine: &Engine, text: &str, context: WasiCtx) -> Guest {
        let module = Module::new(engine, text).unwrap();
        let mut linker = Linker::new(engine);
        add_to_linker(&mut linker, |context: &mut WasiCtx| context).unwrap();
        linker.func_wrap("host", "call", call_export).unwrap();
        linker.func_wrap("host", "swallow", swallow).unwrap();
        let mut store = Store::new(engine, context);
        let instance = linker.instantiate(&mut store, &module).unwrap();
        Guest { store, instance }
    }

    fn func(&mut self, name: &str) -> TypedFunc<(), i32> {
        self.instance.get_typed_func(&mut self.store, name).unwrap()
    }

    fn call(&mut self, name: &str) -> Result<i32> {
        let func = self.func(name);
        func.call(&mut self.store, ())
    }

    /// Calls `run` with a deadline, which must end it; answers how late that was.
    fn lateness(&mut self) -> Duration {
        let run = self.func("run");
        let deadline = Instant::now() + TIME;
        self.store.set_deadline(Some(deadline)).unwrap();
        let error = run.call(&mut self.store, ()).unwrap_err();
        let late = Instant::now().checked_duration_since(deadline);
        assert_eq!(error.trap(), Some(Trap::Interrupt), "{error:?}");
        late.expect("nothing ends before its time")
    }
}

/// Calls the caller's export `inner`.
fn call_export(mut caller: Caller<'_, WasiCtx>) -> Result<i32> {
    let instance = caller.instance().unwrap();
    let inner = instance.get_typed_func::<(), i32>(&mut caller, "inner")?;
    inner.call(&mut caller, ())
}

/// The same, and lets nobody know how it ended.
fn swallow(caller: Caller<'_, WasiCtx>) -> i32 {
    call_export(caller).unwrap_or(-1)
}

/// Shows that `run` of a module ends in time, and that the same instance goes on afterwards:
/// `again`, which it also has, answers 7.
fn ends_in_time(what: &str, text: &str) {
    let engine = engine();
    ends_in_time_with(what, || Guest::new(&engine, text));
}

fn ends_in_time_with(what: &str, mut guest: impl FnMut() -> Guest) {
    // One at a time: guests that run for ever take each other's time.
    static TURN: Mutex<()> = Mutex::new(());
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut late: Vec<Duration> = (0..TRIES).map(|_| one_try(what, &mut guest())).collect();
        late.sort();
        println!("{what}: late by {late:?}");
        if late[TRIES / 2] <= ACCURACY {
            return;
        }
        rounds.push(late);
    }
    panic!("{what}: late by {rounds:?}");
}

fn one_try(what: &str, guest: &mut Guest) -> Duration {
    let late = guest.lateness();
    // The time is still over.
    assert_eq!(guest.call("again").unwrap_err().trap(), Some(Trap::Interrupt), "{what}");
    guest.store.set_deadline(None::<Instant>).unwrap();
    assert_eq!(guest.call("again").unwrap(), 7, "{what}");
    late
}

/// A module with these items, and a body for `run`.
fn module(items: &str, run: &str) -> String {
    format!(
        "(module {items}
            (func (export \"run\") (result i32) (local $i i32) {run} (i32.const 0))
            (func (export \"again\") (result i32) (i32.const 7)))"
    )
}

fn is_interrupt(error: &Error) -> bool {
    error.trap() == Some(Trap::Interrupt)
}
