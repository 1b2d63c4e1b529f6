//! How calls end that waited: with results of every kind, traps, errors, exceptions, panics, and by
//! being dropped.

use super::{Counted, Host, Later, SUM, block_on, instantiate, linker, poll_once};
use selkie::{
    Caller, Engine, Error, ErrorKind, ExnRef, Func, FuncType, Instance, Linker, Module, Store, Tag,
    Trap, Val, ValType,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

type Nine = (i64, i64, i64, i64, i64, i64, i64, i64, i64);

#[test]
fn arguments_and_results_of_all_kinds_survive_the_wait() {
    let text = r#"(module
        (import "host" "mix" (func $mix
            (param i32 f64 i64 i64 i64 i64 i64 f32)
            (result i64 i64 i64 i64 i64 i64 i64 i64 i64)))
        (func (export "run") (result i64 i64 i64 i64 i64 i64 i64 i64 i64)
            (call $mix (i32.const -1) (f64.const 0.5) (i64.const 2) (i64.const 3)
                (i64.const 4) (i64.const 5) (i64.const 6) (f32.const 7)))
        (func (export "relay")
            (param i32 f64 i64 i64 i64 i64 i64 f32)
            (result i64 i64 i64 i64 i64 i64 i64 i64 i64)
            (return_call $mix (local.get 0) (local.get 1) (local.get 2) (local.get 3)
                (local.get 4) (local.get 5) (local.get 6) (local.get 7))))"#;
    type Mixed = (i32, f64, i64, i64, i64, i64, i64, f32);
    let engine = Engine::default();
    let mut linker: Linker<()> = Linker::new(&engine);
    for (name, pending) in [("ready", 0), ("later", 2)] {
        linker
            .func_wrap_async(name, "mix", move |_: Caller<'_, ()>, given: Mixed| {
                Box::new(async move {
                    let (a, b, c, d, e, f, g, h) = given;
                    Later(pending).await;
                    let b = (b * 2.0) as i64;
                    let nine: Nine = (i64::from(a), b, c, d, e, f, g, h as i64, 8);
                    nine
                })
            })
            .unwrap();
        let text = text.replace("\"host\"", &format!("\"{name}\""));
        let module = Module::new(&engine, &text).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let wanted: Nine = (-1, 1, 2, 3, 4, 5, 6, 7, 8);
        let run = instance.get_typed_func::<(), Nine>(&mut store, "run").unwrap();
        assert_eq!(block_on(run.call_async(&mut store, ())).unwrap(), wanted);
        let relay = instance.get_typed_func::<Mixed, Nine>(&mut store, "relay").unwrap();
        let given = (-1, 0.5, 2, 3, 4, 5, 6, 7.0);
        assert_eq!(block_on(relay.call_async(&mut store, given)).unwrap(), wanted);
    }
}

#[test]
fn untyped_functions_wait_too_and_their_results_are_checked() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let ty = FuncType::new(&engine, [ValType::I32, ValType::F64], [ValType::F64, ValType::I32]);
    let swap = Func::new_async(&mut store, ty.clone(), |_, params, results| {
        Box::new(async move {
            Later(2).await;
            results[0] = params[1];
            results[1] = params[0];
            Ok(())
        })
    });
    let mut results = [Val::I32(0), Val::I32(0)];
    let params = [Val::I32(7), Val::F64(0.5f64.to_bits())];
    block_on(swap.call_async(&mut store, &params, &mut results)).unwrap();
    assert_eq!((results[0].f64(), results[1].i32()), (Some(0.5), Some(7)));

    let wrong = Func::new_async(&mut store, ty, |_, _, results| {
        Box::new(async move {
            Later(1).await;
            results[0] = Val::I64(1);
            Ok(())
        })
    });
    let error = block_on(wrong.call_async(&mut store, &params, &mut results)).unwrap_err();
    assert!(error.to_string().contains("a value not of type f64"), "{error}");
    let error = block_on(wrong.call_async(&mut store, &[], &mut results)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn a_synchronous_call_that_comes_to_a_future_fails_and_the_store_lives_on() {
    let (mut store, instance) = instantiate(&Engine::default(), SUM, 0);
    let sum = instance.get_typed_func::<i64, i64>(&mut store, "sum").unwrap();
    for _ in 0..3 {
        let error = sum.call(&mut store, 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("use `call_async`"), "{error}");
        let names: Vec<_> = error.backtrace().unwrap().frames().iter().collect();
        assert_eq!(names.len(), 2);
    }
    assert_eq!(block_on(sum.call_async(&mut store, 1)).unwrap(), 2);
}

#[test]
fn traps_after_the_wait_are_traps_with_all_frames() {
    let text = r#"(module
        (import "host" "later" (func $later (param i64) (result i64)))
        (func $inner (drop (call $later (i64.const 1))) unreachable)
        (func $outer (export "run") (call $inner)))"#;
    let (mut store, instance) = instantiate(&Engine::default(), text, 1);
    let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
    for _ in 0..3 {
        let error = block_on(run.call_async(&mut store, ())).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::Unreachable));
        let names: Vec<_> =
            error.backtrace().unwrap().frames().iter().filter_map(|f| f.func_name()).collect();
        assert_eq!(names, ["inner", "outer"]);
    }
}

#[test]
fn recursion_without_end_is_a_trap_before_and_after_the_wait() {
    let text = r#"(module
        (import "host" "later" (func $later (param i64) (result i64)))
        (func $down (call $down) (call $down))
        (func (export "run") (drop (call $later (i64.const 1))) (call $down)))"#;
    let (mut store, instance) = instantiate(&Engine::default(), text, 1);
    let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
    for _ in 0..3 {
        let error = block_on(run.call_async(&mut store, ())).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::StackOverflow));
    }
}

#[test]
fn errors_of_the_host_after_the_wait_carry_the_frames() {
    let engine = Engine::default();
    let mut linker: Linker<usize> = Linker::new(&engine);
    linker
        .func_wrap_async("host", "fail", |caller: Caller<'_, usize>, (): ()| {
            Box::new(async move {
                Later(*caller.data()).await;
                Err::<(), _>(Error::msg("no such item"))
            })
        })
        .unwrap();
    let text = r#"(module (import "host" "fail" (func $fail))
        (func $asks (export "run") (call $fail)))"#;
    let module = Module::new(&engine, text).unwrap();
    for pending in [0, 2] {
        let mut store = Store::new(&engine, pending);
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
        let error = block_on(run.call_async(&mut store, ())).unwrap_err();
        assert_eq!(error.to_string(), "no such item");
        let frames = error.backtrace().unwrap().frames();
        assert_eq!(frames[0].func_name().as_deref(), Some("asks"));
    }
}

#[test]
fn an_exception_thrown_after_the_wait_is_caught_in_webassembly() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, 0usize);
    let ty = FuncType::new(&engine, [ValType::I32], []);
    let tag = Tag::new(&mut store, &ty).unwrap();
    let throw = Func::wrap_async(&mut store, move |mut caller: Caller<'_, usize>, (x,): (i32,)| {
        Box::new(async move {
            Later(*caller.data()).await;
            let exception = ExnRef::new(&mut caller, &tag, &[Val::I32(x)])?;
            caller.throw::<()>(exception)
        })
    });
    let text = r#"(module
        (import "host" "tag" (tag $tag (param i32)))
        (import "host" "throw" (func $throw (param i32)))
        (func $inner (param i32) (call $throw (local.get 0)))
        (func (export "caught") (param i32) (result i32)
            (block $caught (result i32)
                (try_table (catch $tag $caught) (call $inner (local.get 0)))
                (i32.const -1)))
        (func (export "not") (param i32) (call $inner (local.get 0))))"#;
    let module = Module::new(&engine, text).unwrap();
    let instance = Instance::new(&mut store, &module, &[tag.into(), throw.into()]).unwrap();
    let caught = instance.get_typed_func::<i32, i32>(&mut store, "caught").unwrap();
    let not = instance.get_typed_func::<i32, ()>(&mut store, "not").unwrap();
    for pending in [0, 1, 2] {
        *store.data_mut() = pending;
        assert_eq!(block_on(caught.call_async(&mut store, 42)).unwrap(), 42);
        let error = block_on(not.call_async(&mut store, 7)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exception);
        assert_eq!(error.to_string(), "wasm exception: (i32 7)");
        assert_eq!(error.backtrace().unwrap().frames().len(), 2);
    }
}

#[test]
fn a_panic_of_the_host_comes_out_of_the_poll_and_the_store_lives_on() {
    let engine = Engine::default();
    let mut linker = linker(&engine);
    linker
        .func_wrap_async("host", "panics", |caller: Caller<'_, Host>, (): ()| {
            Box::new(async move {
                let _counted = Counted::new(&caller.data().live);
                Later(caller.data().pending).await;
                if caller.data().pending < 100 {
                    panic!("the host is broken");
                }
            })
        })
        .unwrap();
    let text = r#"(module
        (import "host" "panics" (func $panics))
        (import "host" "later" (func $later (param i64) (result i64)))
        (func (export "panics") (call $panics))
        (func (export "later") (result i64) (call $later (i64.const 1))))"#;
    let module = Module::new(&engine, text).unwrap();
    for pending in [0, 2] {
        let mut store = Store::new(&engine, Host { pending, ..Host::default() });
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let panics = instance.get_typed_func::<(), ()>(&mut store, "panics").unwrap();
        let later = instance.get_typed_func::<(), i64>(&mut store, "later").unwrap();
        for _ in 0..3 {
            let result =
                catch_unwind(AssertUnwindSafe(|| block_on(panics.call_async(&mut store, ()))));
            let message = result.unwrap_err();
            assert_eq!(message.downcast_ref::<&str>(), Some(&"the host is broken"));
            assert_eq!(store.data().live.load(Ordering::Relaxed), 0);
            assert_eq!(block_on(later.call_async(&mut store, ())).unwrap(), 2);
        }
    }
}

#[test]
fn a_dropped_call_frees_everything_and_the_instance_can_be_called_again() {
    let (mut store, instance) = instantiate(&Engine::default(), SUM, 2);
    let live = store.data().live.clone();
    let sum = instance.get_typed_func::<i64, i64>(&mut store, "sum").unwrap();
    for polls in 0..6 {
        let mut call = Box::pin(sum.call_async(&mut store, 3));
        for _ in 0..polls {
            assert!(poll_once(call.as_mut()).is_pending());
        }
        assert_eq!(live.load(Ordering::Relaxed), usize::from(polls > 0));
        drop(call);
        assert_eq!(live.load(Ordering::Relaxed), 0);
        assert_eq!(block_on(sum.call_async(&mut store, 3)).unwrap(), 9);
    }
}

#[test]
fn the_future_of_the_host_is_dropped_while_the_store_can_be_used() {
    struct Leaves<'a>(Caller<'a, Vec<i32>>, i32);
    impl Drop for Leaves<'_> {
        fn drop(&mut self) {
            self.0.data_mut().push(self.1);
            // Even WebAssembly can be called: a stack is there, and nothing is in the way.
            let note = self.0.get_export("note").and_then(|it| it.into_func()).unwrap();
            note.call(&mut self.0, &[], &mut []).unwrap();
            self.0.gc();
        }
    }
    let engine = Engine::default();
    let mut linker: Linker<Vec<i32>> = Linker::new(&engine);
    linker.func_wrap("host", "note", |mut c: Caller<'_, Vec<i32>>| c.data_mut().push(0)).unwrap();
    linker
        .func_wrap_async("host", "wait", |caller: Caller<'_, Vec<i32>>, (x,): (i32,)| {
            Box::new(async move {
                let _leaves = Leaves(caller, x);
                std::future::pending::<()>().await;
            })
        })
        .unwrap();
    let text = r#"(module
        (import "host" "note" (func $note)) (import "host" "wait" (func $wait (param i32)))
        (func (export "note") (call $note))
        (func (export "run") (param i32) (call $wait (local.get 0))))"#;
    let module = Module::new(&engine, text).unwrap();
    let mut store = Store::new(&engine, Vec::new());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let run = instance.get_typed_func::<i32, ()>(&mut store, "run").unwrap();
    for x in 1..4 {
        let mut call = Box::pin(run.call_async(&mut store, x));
        assert!(poll_once(call.as_mut()).is_pending());
    }
    assert_eq!(store.data(), &[1, 0, 2, 0, 3, 0]);
}

#[test]
fn a_forgotten_call_costs_its_stack_and_no_more() {
    let (mut store, instance) = instantiate(&Engine::default(), SUM, 1);
    let sum = instance.get_typed_func::<i64, i64>(&mut store, "sum").unwrap();
    for _ in 0..10 {
        let mut call = Box::pin(sum.call_async(&mut store, 3));
        assert!(poll_once(call.as_mut()).is_pending());
        std::mem::forget(call);
        assert_eq!(block_on(sum.call_async(&mut store, 3)).unwrap(), 9);
    }
}

#[test]
fn a_hundred_thousand_dropped_calls_leave_memory_as_it_was() {
    let (mut store, instance) = instantiate(&Engine::default(), SUM, 1);
    let live: Arc<AtomicUsize> = store.data().live.clone();
    let sum = instance.get_typed_func::<i64, i64>(&mut store, "sum").unwrap();
    let mut before = (0, 0);
    for round in 0..100_000 {
        let mut call = Box::pin(sum.call_async(&mut store, 3));
        assert!(poll_once(call.as_mut()).is_pending());
        drop(call);
        if round == 1000 {
            before = pages();
        }
    }
    assert_eq!(live.load(Ordering::Relaxed), 0);
    let after = pages();
    // Other tests run in this process: they may take some, but nothing like a page for each call.
    assert!(after.1 < before.1 + 20_000, "resident pages: {before:?}, then {after:?}");
    assert_eq!(block_on(sum.call_async(&mut store, 3)).unwrap(), 9);
}

/// Pages of address space and of memory that this process has.
fn pages() -> (usize, usize) {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let mut numbers = text.split(' ').map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}
