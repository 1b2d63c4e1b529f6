//! Many calls at once, and calls that change threads.

use super::{Later, SUM, instantiate, linker, poll_once};
use selkie::{Engine, Module, Store, Trap};
use std::pin::Pin;
use std::task::Poll;

type Sum = Pin<Box<dyn Future<Output = selkie::Result<i64>> + Send>>;

/// A call of `sum` that owns its store.
fn sum(engine: &Engine, module: &Module, n: i64, pending: usize) -> Sum {
    let engine = engine.clone();
    let pre = linker(&engine).instantiate_pre(module).unwrap();
    Box::pin(async move {
        let mut store = Store::new(&engine, super::Host { pending, ..Default::default() });
        let instance = pre.instantiate_async(&mut store).await?;
        Later(1).await;
        let sum = instance.get_typed_func::<i64, i64>(&mut store, "sum")?;
        sum.call_async(&mut store, n).await
    })
}

#[test]
fn a_pending_call_ends_on_another_thread() {
    let engine = Engine::default();
    let module = Module::new(&engine, SUM).unwrap();
    let mut call = sum(&engine, &module, 20, 1);
    // Each poll on a thread of its own, which has never seen WebAssembly.
    let result = loop {
        let (back, poll) = std::thread::spawn(move || {
            let poll = poll_once(call.as_mut());
            (call, poll)
        })
        .join()
        .unwrap();
        match poll {
            Poll::Ready(result) => break result,
            Poll::Pending => call = back,
        }
    };
    assert_eq!(result.unwrap(), 230);
}

#[test]
fn traps_of_a_call_that_has_moved_are_traps() {
    let text = r#"(module
        (import "host" "later" (func $later (param i64) (result i64)))
        (func $down (call $down) (call $down))
        (func (export "run") (param i32)
            (drop (call $later (i64.const 0)))
            (if (i32.eqz (local.get 0)) (then unreachable))
            (call $down)))"#;
    for (which, trap) in [(0, Trap::Unreachable), (1, Trap::StackOverflow)] {
        let (mut store, instance) = instantiate(&Engine::default(), text, 1);
        let run = instance.get_typed_func::<i32, ()>(&mut store, "run").unwrap();
        let mut call = Box::pin(async move { run.call_async(&mut store, which).await });
        assert!(poll_once(call.as_mut()).is_pending());
        let error = std::thread::spawn(move || match poll_once(call.as_mut()) {
            Poll::Ready(result) => result.unwrap_err(),
            Poll::Pending => panic!("it is pending"),
        });
        assert_eq!(error.join().unwrap().trap(), Some(trap));
    }
}

#[test]
fn ten_thousand_pending_calls_take_turns_on_two_threads() {
    let engine = Engine::default();
    let module = Module::new(&engine, SUM).unwrap();
    let calls: Vec<Sum> = (0..10_000).map(|i| sum(&engine, &module, i % 5 + 1, 1)).collect();
    let mut halves = [Vec::new(), Vec::new()];
    for (i, call) in calls.into_iter().enumerate() {
        halves[i % 2].push((i, call));
    }
    let mut done = 0;
    // Three rounds, then the threads exchange what is not finished.
    while halves.iter().any(|half| !half.is_empty()) {
        let turns = halves.map(|half| std::thread::spawn(move || turn(half)));
        let [a, b] = turns.map(|thread| thread.join().unwrap());
        done += a.0 + b.0;
        halves = [b.1, a.1];
    }
    assert_eq!(done, 10_000);
}

/// Polls all calls three times; how many have ended, and the others.
fn turn(mut calls: Vec<(usize, Sum)>) -> (usize, Vec<(usize, Sum)>) {
    let before = calls.len();
    for _ in 0..3 {
        calls.retain_mut(|(i, call)| match poll_once(call.as_mut()) {
            Poll::Pending => true,
            Poll::Ready(result) => {
                let n = *i as i64 % 5 + 1;
                assert_eq!(result.unwrap(), n * (n + 1) / 2 + n);
                false
            }
        });
    }
    (before - calls.len(), calls)
}

#[test]
fn stores_are_dropped_together_with_calls_that_wait_in_them() {
    let engine = Engine::default();
    let module = Module::new(&engine, SUM).unwrap();
    let mut calls: Vec<Sum> = (0..500).map(|_| sum(&engine, &module, 5, 3)).collect();
    for (i, call) in calls.iter_mut().enumerate() {
        for _ in 0..i % 9 {
            assert!(poll_once(call.as_mut()).is_pending());
        }
    }
    let rest = calls.split_off(250);
    std::thread::spawn(move || drop(rest)).join().unwrap();
    drop(calls);
}
