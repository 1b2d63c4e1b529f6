//! What frames that wait hold and show: references survive collections, backtraces go through.

use super::{Later, block_on, poll_once};
use selkie::{AnyRef, Caller, Config, Engine, Error, ExternRef, Linker, Module, Rooted, Store};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Objects held in the frames of two calls, one inside of the other, while the host collects.
const LIST: &str = r#"(module
    (type $node (struct (field i32) (field (ref null $node))))
    (import "host" "wait" (func $wait (param anyref i32) (result anyref)))
    (func $make (param i32) (result (ref null $node)) (local $list (ref null $node))
        (loop $again
            (local.set $list (struct.new $node (local.get 0) (local.get $list)))
            (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get $list))
    (func $sum (param $list (ref null $node)) (result i32) (local $sum i32)
        (block $done
            (loop $again
                (br_if $done (ref.is_null (local.get $list)))
                (local.set $sum
                    (i32.add (local.get $sum) (struct.get $node 0 (local.get $list))))
                (local.set $list (struct.get $node 1 (local.get $list)))
                (br $again)))
        (local.get $sum))
    (func (export "run") (param $depth i32) (result i32)
        (local $kept (ref null $node)) (local $back anyref)
        (local.set $kept (call $make (i32.const 10)))
        (local.set $back (call $wait (call $make (i32.const 5)) (local.get $depth)))
        (i32.add
            (call $sum (local.get $kept))
            (i32.add
                (call $sum (call $make (i32.const 3)))
                (call $sum (ref.cast (ref null $node) (local.get $back)))))))"#;

fn lists(engine: &Engine) -> Linker<i32> {
    let mut linker: Linker<i32> = Linker::new(engine);
    type Given = (Option<Rooted<AnyRef>>, i32);
    linker
        .func_wrap_async("host", "wait", |mut caller: Caller<'_, i32>, (list, depth): Given| {
            Box::new(async move {
                caller.gc();
                Later(1).await;
                caller.gc();
                if depth > 0 {
                    let run = caller.get_export("run").and_then(|it| it.into_func());
                    let run = run.ok_or_else(|| Error::msg("no `run`"))?;
                    let run = run.typed::<i32, i32>(&caller)?;
                    *caller.data_mut() += run.call_async(&mut caller, depth - 1).await?;
                    Later(1).await;
                    caller.gc();
                }
                Ok::<_, Error>(list)
            })
        })
        .unwrap();
    linker
}

#[test]
fn references_in_frames_survive_collections_while_the_call_waits() {
    for stress in [false, true] {
        let engine = Engine::new(Config::new().gc_stress(stress)).unwrap();
        let module = Module::new(&engine, LIST).unwrap();
        let mut store = Store::new(&engine, 0);
        let instance = lists(&engine).instantiate(&mut store, &module).unwrap();
        let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
        for depth in [0, 1, 7] {
            *store.data_mut() = 0;
            let sum = 55 + 6 + 15;
            assert_eq!(block_on(run.call_async(&mut store, depth)).unwrap(), sum);
            assert_eq!(*store.data(), depth * sum);
        }
        // What a dropped call held is garbage.
        for polls in 1..6 {
            let mut call = Box::pin(run.call_async(&mut store, 3));
            for _ in 0..polls {
                assert!(poll_once(call.as_mut()).is_pending());
            }
        }
        assert_eq!(block_on(run.call_async(&mut store, 1)).unwrap(), 76);
    }
}

#[test]
fn what_a_host_function_rooted_is_let_go_when_it_ends_or_is_dropped() {
    let engine = Engine::default();
    let mut linker: Linker<Arc<()>> = Linker::new(&engine);
    linker
        .func_wrap_async("host", "root", |mut caller: Caller<'_, Arc<()>>, (): ()| {
            Box::new(async move {
                let data = caller.data().clone();
                ExternRef::new(&mut caller, data)?;
                Later(1).await;
                Ok::<(), Error>(())
            })
        })
        .unwrap();
    let text = r#"(module (import "host" "root" (func $root)) (func (export "run") (call $root)))"#;
    let module = Module::new(&engine, text).unwrap();
    let data = Arc::new(());
    let mut store = Store::new(&engine, data.clone());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
    for polls in [1, 2] {
        let mut call = Box::pin(run.call_async(&mut store, ()));
        for _ in 0..polls {
            let _ = poll_once(call.as_mut());
        }
        drop(call);
        store.gc();
        assert_eq!(Arc::strong_count(&data), 2);
    }
}

/// A future that is pending so often and then answers; collects when it is dropped.
struct Collects<'a>(Caller<'a, usize>, Option<Rooted<AnyRef>>);

impl Future for Collects<'_> {
    type Output = Option<Rooted<AnyRef>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let pending = self.0.data_mut();
        if *pending == 0 {
            return Poll::Ready(self.1);
        }
        *pending -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Collects<'_> {
    fn drop(&mut self) {
        self.0.gc();
    }
}

#[test]
fn nothing_is_collected_between_a_future_and_who_waits_for_its_result() {
    let engine = Engine::default();
    let mut linker: Linker<usize> = Linker::new(&engine);
    type Given = (Option<Rooted<AnyRef>>,);
    linker
        .func_wrap_async("host", "same", |caller: Caller<'_, usize>, (it,): Given| {
            Box::new(Collects(caller, it))
        })
        .unwrap();
    let text = r#"(module
        (type $box (struct (field i32)))
        (import "host" "same" (func $same (param anyref) (result anyref)))
        (func (export "run") (result i32) (local $before anyref)
            ;; Garbage in front, so that collecting moves what comes after it.
            (drop (struct.new $box (i32.const 1)))
            (local.set $before (struct.new $box (i32.const 2)))
            (drop (struct.new $box (i32.const 3)))
            (struct.get $box 0 (ref.cast (ref $box)
                (call $same (struct.new $box (i32.const 42)))))))"#;
    let module = Module::new(&engine, text).unwrap();
    for pending in [0, 1, 3] {
        let mut store = Store::new(&engine, 0);
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance.get_typed_func::<(), i32>(&mut store, "run").unwrap();
        for _ in 0..10 {
            *store.data_mut() = pending;
            assert_eq!(block_on(run.call_async(&mut store, ())).unwrap(), 42);
        }
    }
}

#[test]
fn backtraces_go_through_all_calls_that_wait() {
    let text = r#"(module
        (import "host" "call" (func $call (param i32)))
        (func $inner (export "inner") (param i32)
            (if (i32.eqz (local.get 0)) (then unreachable))
            (call $relay (i32.sub (local.get 0) (i32.const 1))))
        (func $relay (param i32) (call $call (local.get 0)))
        (func $run (export "run") (call $call (i32.const 2))))"#;
    for inlining in [false, true] {
        let engine = Engine::new(Config::new().inlining(inlining)).unwrap();
        let mut linker: Linker<()> = Linker::new(&engine);
        linker
            .func_wrap_async("host", "call", |mut caller: Caller<'_, ()>, (depth,): (i32,)| {
                Box::new(async move {
                    Later(1).await;
                    let inner = caller.get_export("inner").and_then(|it| it.into_func());
                    let inner = inner.ok_or_else(|| Error::msg("no `inner`"))?;
                    inner.typed::<i32, ()>(&caller)?.call_async(&mut caller, depth).await
                })
            })
            .unwrap();
        let module = Module::new(&engine, text).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
        let error = block_on(run.call_async(&mut store, ())).unwrap_err();
        let names: Vec<_> =
            error.backtrace().unwrap().frames().iter().filter_map(|f| f.func_name()).collect();
        assert_eq!(names, ["inner", "relay", "inner", "relay", "inner", "run"]);
    }
}
