//! Calls inside of each other: futures that call on, synchronous calls between, continuations.

use super::{Host, Later, block_on, instantiate, linker, poll_once};
use std::cell::Cell;
use std::rc::Rc;

use selkie::{
    Caller, Config, Engine, Error, ErrorKind, ExnRef, Feature, Func, FuncType, Instance, Linker,
    Module, Store, Tag, Trap, Val, ValType,
};

/// A function that calls itself through the host: `down` to a number of calls, all of them waiting.
const DOWN: &str = r#"(module
    (import "host" "down" (func $down (param i32) (result i32)))
    (func (export "down") (param i32) (result i32)
        (if (result i32) (i32.eqz (local.get 0))
            (then (i32.const 0))
            (else (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1))))))))"#;

/// `host` `down` calls the export `down`, before or after being pending.
fn recursive(engine: &Engine, pending: usize) -> Linker<()> {
    let mut linker: Linker<()> = Linker::new(engine);
    linker
        .func_wrap_async("host", "down", move |mut caller: Caller<'_, ()>, (n,): (i32,)| {
            Box::new(async move {
                let down = caller.get_export("down").and_then(|it| it.into_func());
                let down = down.ok_or_else(|| Error::msg("no `down`"))?;
                let down = down.typed::<i32, i32>(&caller)?;
                Later(pending).await;
                let result = down.call_async(&mut caller, n).await;
                Later(pending).await;
                result
            })
        })
        .unwrap();
    linker
}

#[test]
fn calls_wait_inside_of_each_other() {
    let engine = Engine::default();
    let module = Module::new(&engine, DOWN).unwrap();
    for pending in [0, 1] {
        let mut store = Store::new(&engine, ());
        let instance = recursive(&engine, pending).instantiate(&mut store, &module).unwrap();
        let down = instance.get_typed_func::<i32, i32>(&mut store, "down").unwrap();
        for depth in [1, 2, 100] {
            assert_eq!(block_on(down.call_async(&mut store, depth)).unwrap(), depth);
        }
    }
}

#[test]
fn recursion_through_futures_without_end_is_a_trap() {
    let engine = Engine::default();
    let module = Module::new(&engine, DOWN).unwrap();
    // Where futures are pending, a poll goes through all of them: that takes time as the square.
    for pending in [0, 1] {
        let mut store = Store::new(&engine, ());
        let instance = recursive(&engine, pending).instantiate(&mut store, &module).unwrap();
        let down = instance.get_typed_func::<i32, i32>(&mut store, "down").unwrap();
        let error = block_on(down.call_async(&mut store, i32::MAX)).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::StackOverflow));
        assert_eq!(block_on(down.call_async(&mut store, 10)).unwrap(), 10);
    }
}

#[test]
fn a_deep_pile_of_waiting_calls_is_dropped_on_a_thread_with_little_stack() {
    let engine = Engine::default();
    let mut linker: Linker<()> = recursive(&engine, 1);
    linker.allow_shadowing(true);
    let module = Module::new(&engine, DOWN).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let down = instance.get_typed_func::<i32, i32>(&mut store, "down").unwrap();
    let call = async move { down.call_async(&mut store, 900).await };
    let mut call: std::pin::Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(call);
    for _ in 0..880 {
        assert!(poll_once(call.as_mut()).is_pending());
    }
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    thread.spawn(move || drop(call)).unwrap().join().unwrap();
}

#[test]
fn a_synchronous_call_between_cannot_be_left() {
    let engine = Engine::default();
    let mut linker = linker(&engine);
    linker
        .func_wrap("host", "sync", |mut caller: Caller<'_, Host>, x: i64| {
            let inner = caller.get_export("inner").and_then(|it| it.into_func()).unwrap();
            inner.typed::<i64, i64>(&caller)?.call(&mut caller, x)
        })
        .unwrap();
    let text = r#"(module
        (import "host" "later" (func $later (param i64) (result i64)))
        (import "host" "sync" (func $sync (param i64) (result i64)))
        (func (export "inner") (param i64) (result i64)
            (if (result i64) (i64.eqz (local.get 0))
                (then (i64.const 7)) (else (call $later (local.get 0)))))
        (func (export "run") (param i64) (result i64)
            (drop (call $later (i64.const 1)))
            (drop (call $sync (i64.const 0)))
            (drop (call $later (i64.const 2)))
            (call $sync (local.get 0))))"#;
    let module = Module::new(&engine, text).unwrap();
    let mut store = Store::new(&engine, Host { pending: 1, ..Host::default() });
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let run = instance.get_typed_func::<i64, i64>(&mut store, "run").unwrap();
    for _ in 0..3 {
        let error = block_on(run.call_async(&mut store, 5)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("inside a synchronous call"), "{error}");
        assert_eq!(block_on(run.call_async(&mut store, 0)).unwrap(), 7);
    }
}

#[test]
fn a_synchronous_host_function_may_wait_for_a_call_itself() {
    let engine = Engine::default();
    let mut linker = linker(&engine);
    linker
        .func_wrap("host", "wait", |mut caller: Caller<'_, Host>| {
            let inner = caller.get_export("inner").and_then(|it| it.into_func()).unwrap();
            let inner = inner.typed::<(), i64>(&caller)?;
            block_on(inner.call_async(&mut caller, ()))
        })
        .unwrap();
    let text = r#"(module
        (import "host" "later" (func $later (param i64) (result i64)))
        (import "host" "wait" (func $wait (result i64)))
        (func (export "inner") (result i64) (call $later (i64.const 1)))
        (func (export "run") (result i64) (i64.add (call $wait) (call $wait))))"#;
    let module = Module::new(&engine, text).unwrap();
    let mut store = Store::new(&engine, Host { pending: 2, ..Host::default() });
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let run = instance.get_typed_func::<(), i64>(&mut store, "run").unwrap();
    assert_eq!(run.call(&mut store, ()).unwrap(), 4);
    assert_eq!(block_on(run.call_async(&mut store, ())).unwrap(), 4);
}

#[test]
fn a_host_function_may_give_up_a_call_that_waits_and_go_on() {
    let engine = Engine::default();
    let mut linker = linker(&engine);
    linker
        .func_wrap_async("host", "gives_up", |mut caller: Caller<'_, Host>, (polls,): (i32,)| {
            Box::new(async move {
                let inner = caller.get_export("inner").and_then(|it| it.into_func());
                let inner = inner.ok_or_else(|| Error::msg("no `inner`"))?;
                let inner = inner.typed::<(), i64>(&caller)?;
                {
                    let mut call = Box::pin(inner.call_async(&mut caller, ()));
                    for _ in 0..polls {
                        assert!(poll_once(call.as_mut()).is_pending());
                        Later(1).await;
                    }
                }
                caller.gc();
                caller.data_mut().pending = 1;
                inner.call_async(&mut caller, ()).await
            })
        })
        .unwrap();
    let text = r#"(module
        (import "host" "later" (func $later (param i64) (result i64)))
        (import "host" "gives_up" (func $gives_up (param i32) (result i64)))
        (func (export "inner") (result i64)
            (i64.add (call $later (i64.const 1)) (call $later (i64.const 10))))
        (func (export "run") (param i32) (result i64)
            (i64.add (call $gives_up (local.get 0)) (call $later (i64.const 100)))))"#;
    let module = Module::new(&engine, text).unwrap();
    let mut store = Store::new(&engine, Host::default());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let run = instance.get_typed_func::<i32, i64>(&mut store, "run").unwrap();
    for polls in 0..5 {
        store.data_mut().pending = 3;
        assert_eq!(block_on(run.call_async(&mut store, polls)).unwrap(), 13 + 101);
    }
}

#[test]
fn data_that_stays_on_its_thread_is_no_hindrance() {
    let engine = Engine::default();
    let mut linker: Linker<Rc<Cell<i32>>> = Linker::new(&engine);
    linker
        .func_wrap("host", "add", |caller: Caller<'_, Rc<Cell<i32>>>, x: i32| {
            let sum = caller.data();
            sum.set(sum.get() + x);
        })
        .unwrap();
    let text = r#"(module (import "host" "add" (func $add (param i32)))
        (func (export "run") (call $add (i32.const 3)) (call $add (i32.const 4))))"#;
    let module = Module::new(&engine, text).unwrap();
    let sum = Rc::new(Cell::new(0));
    let mut store = Store::new(&engine, sum.clone());
    let instance = block_on(linker.instantiate_async(&mut store, &module)).unwrap();
    let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
    block_on(run.call_async(&mut store, ())).unwrap();
    assert_eq!(sum.get(), 7);
}

#[test]
fn stores_wait_inside_of_each_other() {
    let engine = Engine::default();
    let (mut inner, instance) = instantiate(&engine, super::SUM, 1);
    let sum = instance.get_typed_func::<i64, i64>(&mut inner, "sum").unwrap();
    let mut linker: Linker<Store<Host>> = Linker::new(&engine);
    linker
        .func_wrap_async("host", "sum", move |mut c: Caller<'_, Store<Host>>, (n,): (i64,)| {
            Box::new(async move {
                let first = sum.call_async(c.data_mut(), n).await?;
                Later(1).await;
                Ok::<_, Error>(first + sum.call_async(c.data_mut(), n).await?)
            })
        })
        .unwrap();
    let text = r#"(module (import "host" "sum" (func $sum (param i64) (result i64)))
        (func (export "run") (result i64)
            (i64.add (call $sum (i64.const 2)) (call $sum (i64.const 4)))))"#;
    let module = Module::new(&engine, text).unwrap();
    let mut store = Store::new(&engine, inner);
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let run = instance.get_typed_func::<(), i64>(&mut store, "run").unwrap();
    for polls in 0..8 {
        let mut call = Box::pin(run.call_async(&mut store, ()));
        for _ in 0..polls {
            assert!(poll_once(call.as_mut()).is_pending());
        }
    }
    assert_eq!(block_on(run.call_async(&mut store, ())).unwrap(), 2 * (5 + 14));
}

/// How deep a function may call itself in a call that can wait, with so much stack.
fn depth(stack_bytes: usize) -> i32 {
    let engine = Engine::new(Config::new().async_stack_bytes(stack_bytes)).unwrap();
    let text = r#"(module (global $depth (export "depth") (mut i32) (i32.const 0))
        (func $down (export "run")
            (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
            (call $down) (call $down)))"#;
    let module = Module::new(&engine, text).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
    let error = block_on(run.call_async(&mut store, ())).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::StackOverflow));
    instance.get_global(&mut store, "depth").unwrap().get(&mut store).i32().unwrap()
}

#[test]
fn calls_that_can_wait_have_the_stack_that_was_configured() {
    let (small, large) = (depth(64 << 10), depth(8 << 20));
    assert!(small >= 1000 && large / small >= 100 && large / small <= 150, "{small}, {large}");
}

/// Two continuations inside of each other call the host; what they suspend with is added up.
const CONTINUATIONS: &str = r#"(module
    (type $f (func (result i64))) (type $c (cont $f))
    (type $g (func (result i64))) (type $d (cont $g))
    (import "host" "later" (func $later (param i64) (result i64)))
    (tag $tag (param i64))
    (func $inner (type $f)
        (suspend $tag (call $later (i64.const 10)))
        (call $later (i64.const 20)))
    (func $outer (type $f) (local $c (ref null $c)) (local $sum i64)
        (local.set $c (cont.new $c (ref.func $inner)))
        (loop $again
            (block $on (result i64 (ref $c))
                (resume $c (on $tag $on) (local.get $c))
                (return (i64.add (local.get $sum))))
            (local.set $c)
            (local.set $sum (i64.add (local.get $sum) (call $later)))
            (br $again))
        unreachable)
    (elem declare func $inner $outer)
    (func (export "run") (result i64) (resume $c (cont.new $c (ref.func $outer)))))"#;

#[test]
fn continuations_wait_as_they_stand() {
    let engine = Engine::new(Config::new().wasm_feature(Feature::stack_switching, true)).unwrap();
    let (mut store, instance) = instantiate(&engine, CONTINUATIONS, 2);
    let run = instance.get_typed_func::<(), i64>(&mut store, "run").unwrap();
    for _ in 0..3 {
        assert_eq!(block_on(run.call_async(&mut store, ())).unwrap(), 12 + 21);
    }
}

#[test]
fn continuations_of_a_dropped_call_are_used_again() {
    let engine = Engine::new(Config::new().wasm_feature(Feature::stack_switching, true)).unwrap();
    let (mut store, instance) = instantiate(&engine, CONTINUATIONS, 1);
    // Two at a time are all that it needs.
    store.set_limits(selkie::StoreLimits { continuations: 2, ..Default::default() });
    let run = instance.get_typed_func::<(), i64>(&mut store, "run").unwrap();
    for polls in 0..200 {
        let mut call = Box::pin(run.call_async(&mut store, ()));
        for _ in 0..polls % 4 {
            assert!(poll_once(call.as_mut()).is_pending());
        }
    }
    assert_eq!(block_on(run.call_async(&mut store, ())).unwrap(), 33);
}

/// What is thrown on a continuation's stack lands there (`here`), at who resumed it (`there`), or
/// nowhere; `traps` fails there after the wait.
const THROWS: &str = r#"(module
    (type $f (func (result i32))) (type $c (cont $f))
    (import "host" "tag" (tag $tag (param i32)))
    (import "host" "throw" (func $throw (param i32)))
    (func $bare (type $f) (call $throw (i32.const 5)) (i32.const 0))
    (func $here (type $f)
        (block $caught (result i32)
            (try_table (catch $tag $caught) (call $throw (i32.const 6)))
            (i32.const -1)))
    (func $traps (type $f)
        (block $caught (try_table (catch_all $caught) (call $throw (i32.const 7))))
        unreachable)
    (elem declare func $bare $here $traps)
    (func (export "here") (result i32) (resume $c (cont.new $c (ref.func $here))))
    (func (export "there") (result i32)
        (block $caught (result i32)
            (try_table (catch $tag $caught)
                (drop (resume $c (cont.new $c (ref.func $bare)))))
            (i32.const -1)))
    (func (export "nowhere") (result i32) (resume $c (cont.new $c (ref.func $bare))))
    (func (export "traps") (result i32) (resume $c (cont.new $c (ref.func $traps)))))"#;

#[test]
fn exceptions_after_the_wait_find_their_way_out_of_continuations() {
    for stress in [false, true] {
        let mut config = Config::new();
        config.wasm_feature(Feature::stack_switching, true).gc_stress(stress);
        let engine = Engine::new(&config).unwrap();
        let mut store = Store::new(&engine, 0usize);
        let ty = FuncType::new(&engine, [ValType::I32], []);
        let tag = Tag::new(&mut store, &ty).unwrap();
        let throw = Func::wrap_async(&mut store, move |mut c: Caller<'_, usize>, (x,): (i32,)| {
            Box::new(async move {
                Later(*c.data()).await;
                c.gc();
                let exception = ExnRef::new(&mut c, &tag, &[Val::I32(x)])?;
                c.throw::<()>(exception)
            })
        });
        let module = Module::new(&engine, THROWS).unwrap();
        let instance = Instance::new(&mut store, &module, &[tag.into(), throw.into()]).unwrap();
        for round in 0..30 {
            *store.data_mut() = round % 3;
            let mut call = |name: &str| {
                let func = instance.get_typed_func::<(), i32>(&mut store, name).unwrap();
                block_on(func.call_async(&mut store, ()))
            };
            assert_eq!(call("here").unwrap(), 6);
            assert_eq!(call("there").unwrap(), 5);
            let error = call("nowhere").unwrap_err();
            assert_eq!(error.to_string(), "wasm exception: (i32 5)");
            assert_eq!(error.backtrace().unwrap().frames().len(), 2);
            let error = call("traps").unwrap_err();
            assert_eq!(error.trap(), Some(Trap::Unreachable));
            assert_eq!(error.backtrace().unwrap().frames().len(), 2);
        }
    }
}
