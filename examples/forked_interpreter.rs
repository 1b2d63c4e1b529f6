//! An interpreter that is booted once. Each request runs in a fork of it: an instance that begins
//! where the booted one stands, shares its memory copy-on-write, and is gone with the request.
//!
//! ```sh
//! cargo run --release -p selkie --example forked_interpreter
//! ```

use selkie::{Engine, InstancePre, Linker, Module, Result, Store};
use std::time::Instant;

/// The interpreter; the file says what its language is.
const CALCULATOR: &str = include_str!("calculator.wat");

/// Where requests are put in the guest's memory.
const REQUEST_AT: usize = 8192;

/// Boots an interpreter, and takes a snapshot of what it is then.
fn boot(engine: &Engine) -> Result<InstancePre<()>> {
    let module = Module::new(engine, CALCULATOR)?;
    let mut store = Store::new(engine, ());
    let instance = Linker::new(engine).instantiate(&mut store, &module)?;
    instance.get_typed_func::<(), ()>(&mut store, "boot")?.call(&mut store, ())?;
    instance.snapshot(&mut store)
}

/// Serves a request: a store and an instance of its own, which end here.
fn serve(booted: &InstancePre<()>, request: &str) -> Result<i64> {
    let mut store = Store::new(booted.module().engine(), ());
    let instance = booted.instantiate(&mut store)?;
    let memory = instance.get_memory(&mut store, "memory").expect("the interpreter exports it");
    memory.write(&mut store, REQUEST_AT, request.as_bytes())?;
    let end = REQUEST_AT + request.len();
    let run = instance.get_typed_func::<(u32, u32), ()>(&mut store, "run")?;
    run.call(&mut store, (REQUEST_AT as u32, end as u32))?;
    instance.get_typed_func::<(), i64>(&mut store, "pop")?.call(&mut store, ())
}

fn main() -> Result<()> {
    let engine = Engine::default();
    let start = Instant::now();
    let booted = boot(&engine)?;
    println!("compiled and booted in {:.1?}\n", start.elapsed());

    // The second request defines a word of its own. The third one does not find it, as it runs in
    // another fork, and neither does it matter that it fails.
    for request in ["12S P +", ":A 41; A 1 +", "A", "7C 1000p -"] {
        let start = Instant::now();
        let answer = serve(&booted, request);
        let took = start.elapsed();
        match answer {
            Ok(answer) => println!("{request:<14} {answer:>6}   in {took:.1?}"),
            Err(error) => println!("{request:<14} {error}   in {took:.1?}"),
        }
    }

    // From the second one on, forks are made of what the former ones left behind.
    let start = Instant::now();
    for _ in 0..10_000 {
        assert_eq!(serve(&booted, "12S P +")?, 173);
    }
    println!("\none of ten thousand requests takes {:.2?}", start.elapsed() / 10_000);
    Ok(())
}

#[test]
fn forks_know_what_was_booted_and_nothing_of_each_other() {
    let booted = boot(&Engine::default()).expect("it boots");
    assert_eq!(serve(&booted, "1000p").expect("a prime"), 7919);
    assert_eq!(serve(&booted, ":S 5; S").expect("a word"), 5);
    assert_eq!(serve(&booted, "3S").expect("the first word"), 9);
    let error = serve(&booted, ":A 41;").and_then(|_| serve(&booted, "A")).expect_err("no word");
    assert_eq!(error.trap(), Some(selkie::Trap::Unreachable));
    main().expect("requests that fail are told of");
}
