//! `Tag`, `ExnRef`, `ThrownException`: what the host throws into WebAssembly, and what comes out.

use crate::instantiate;
use selkie::{
    Caller, Config, Engine, Error, ErrorKind, ExnRef, ExternRef, FuncType, Instance, Linker,
    Module, OwnedRooted, RootScope, Store, StoreLimits, Tag, ThrownException, Trap, Val, ValType,
};

/// A tag with these parameters.
fn tag(store: &mut Store<()>, params: &[ValType]) -> Tag {
    let ty = FuncType::new(store.engine(), params.to_vec(), []);
    Tag::new(store, &ty).unwrap()
}

/// An instance of a module whose imports are in a linker.
fn link(store: &mut Store<()>, linker: &Linker<()>, text: &str) -> Instance {
    let module = Module::new(store.engine(), text).unwrap();
    linker.instantiate(store, &module).unwrap()
}

#[test]
fn an_uncaught_exception_is_an_error_that_says_what_was_thrown() {
    let (mut store, instance) = instantiate(
        r#"(module
            (tag $t (export "t") (param i32 i64 f32 f64 v128 externref funcref))
            (func $inner (throw $t (i32.const -1) (i64.const -2) (f32.const 0.5) (f64.const -0)
                (v128.const i64x2 1 0) (ref.null extern) (ref.func $inner)))
            (func $outer (export "run") (call $inner))
            (elem declare func $inner))"#,
    );
    let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
    let error = run.call(&mut store, ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exception);
    assert_eq!(error.trap(), None);
    assert_eq!(
        error.to_string(),
        "wasm exception: (i32 -1, i64 -2, f32 0.5, f64 -0, \
         v128 0x00000000000000000000000000000001, externref null, funcref not null)"
    );
    let names: Vec<_> =
        error.backtrace().unwrap().frames().iter().filter_map(|frame| frame.func_name()).collect();
    assert_eq!(names, ["inner", "outer"]);
    let exception = error.exception().unwrap();
    let t = instance.get_tag(&mut store, "t").unwrap();
    assert_eq!(exception.tag(&store).unwrap(), t);
    assert_eq!(exception.ty(&store).unwrap(), t.ty(&store));
    let fields: Vec<Val> = exception.fields(&mut store).unwrap().collect();
    assert_eq!(fields.len(), 7);
    assert_eq!(fields[1].i64(), Some(-2));
    assert_eq!(exception.field(&mut store, 0).unwrap().i32(), Some(-1));
    assert!(matches!(fields[5], Val::ExternRef(None)));
    assert!(matches!(fields[6], Val::FuncRef(Some(_))));
    assert_eq!(exception.field(&mut store, 7).unwrap_err().kind(), ErrorKind::Invalid);
    // The store lives on.
    assert_eq!(run.call(&mut store, ()).unwrap_err().kind(), ErrorKind::Exception);
}

#[test]
fn a_host_function_throws_and_webassembly_catches() {
    let mut store = Store::new(&Engine::default(), ());
    let failed = tag(&mut store, &[ValType::I32, ValType::EXTERNREF]);
    let mut linker = Linker::new(store.engine());
    linker.define(&mut store, "host", "failed", failed).unwrap();
    linker
        .func_wrap(
            "host",
            "fail",
            move |mut caller: Caller<'_, ()>, x: i32| -> Result<i32, Error> {
                let data = ExternRef::new(&mut caller, x * 10)?;
                let exception = ExnRef::new(&mut caller, &failed, &[Val::I32(x), data.into()])?;
                caller.throw(exception)
            },
        )
        .unwrap();
    let instance = link(
        &mut store,
        &linker,
        r#"(module
            (tag $failed (import "host" "failed") (param i32 externref))
            (func $fail (import "host" "fail") (param i32) (result i32))
            (func (export "run") (param i32) (result i32 externref)
                (block $caught (result i32 externref)
                    (try_table (catch $failed $caught)
                        (drop (call $fail (local.get 0))))
                    (unreachable))))"#,
    );
    let run = instance.get_func(&mut store, "run").unwrap();
    for x in 1..5 {
        let mut scope = RootScope::new(&mut store);
        let mut results = [Val::I32(0), Val::I32(0)];
        run.call(&mut scope, &[Val::I32(x)], &mut results).unwrap();
        assert_eq!(results[0].i32(), Some(x));
        let data = results[1].unwrap_extern_ref().unwrap();
        assert_eq!(data.data(&scope).unwrap().unwrap().downcast_ref(), Some(&(x * 10)));
    }
}

/// WebAssembly calls the host, which calls WebAssembly, and so on; the innermost throws.
fn layers(catching: &str) -> (Store<()>, Instance, Tag) {
    let mut store = Store::new(&Engine::default(), ());
    let failed = tag(&mut store, &[ValType::I32]);
    let mut linker = Linker::new(store.engine());
    linker.define(&mut store, "host", "failed", failed).unwrap();
    linker
        .func_wrap("host", "down", |mut caller: Caller<'_, ()>, depth: i32| -> Result<i32, Error> {
            let instance = caller.instance().unwrap();
            let run = instance.get_typed_func::<i32, i32>(&mut caller, "run")?;
            run.call(&mut caller, depth - 1).map_err(|e| e.context(format!("layer {depth}")))
        })
        .unwrap();
    let text = format!(
        r#"(module
            (tag $failed (import "host" "failed") (param i32))
            (tag $other (param i32))
            (func $down (import "host" "down") (param i32) (result i32))
            (func $run (export "run") (param i32) (result i32)
                (if (i32.eqz (local.get 0)) (then (throw $failed (i32.const 42))))
                {catching}))"#
    );
    let instance = link(&mut store, &linker, &text);
    (store, instance, failed)
}

#[test]
fn an_exception_goes_through_layers_of_host_and_webassembly_until_somebody_catches() {
    // Every layer has a handler, the third catches.
    let catching = r#"
        (block $caught (result i32)
            (block $not (result i32)
                (try_table (result i32) (catch $other $not)
                    (if (result i32) (i32.eq (local.get 0) (i32.const 3))
                        (then (try_table (result i32) (catch $failed $caught)
                            (call $down (local.get 0))))
                        (else (i32.add (call $down (local.get 0)) (i32.const 1000))))))
            (return))
        (i32.add (i32.const 1))"#;
    let (mut store, instance, _) = layers(catching);
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
    for _ in 0..3 {
        assert_eq!(run.call(&mut store, 3).unwrap(), 43);
        assert_eq!(run.call(&mut store, 5).unwrap(), 2043);
        let error = run.call(&mut store, 2).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exception);
    }
}

#[test]
fn an_exception_that_nobody_catches_keeps_its_contexts_and_its_backtrace() {
    let (mut store, instance, failed) = layers("(call $down (local.get 0))");
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
    let error = run.call(&mut store, 3).unwrap_err();
    assert_eq!(error.to_string(), "layer 3: layer 2: layer 1: wasm exception: (i32 42)");
    assert_eq!(error.backtrace().unwrap().frames().len(), 4);
    let exception = error.exception().unwrap();
    assert_eq!(exception.tag(&store).unwrap(), failed);
    assert_eq!(exception.field(&mut store, 0).unwrap().i32(), Some(42));
}

#[test]
fn a_handler_catches_exceptions_and_neither_traps_nor_other_errors() {
    let mut store = Store::new(&Engine::default(), ());
    let mut linker = Linker::new(store.engine());
    linker
        .func_wrap("host", "fail", |how: i32| -> Result<(), Error> {
            match how {
                0 => Err(Error::msg("not an exception")),
                1 => Err(Trap::Unreachable.into()),
                2 => Err(Error::new(ErrorKind::Exception, "only called so")),
                3 => panic!("a panic"),
                _ => Ok(()),
            }
        })
        .unwrap();
    let instance = link(
        &mut store,
        &linker,
        r#"(module
            (func $fail (import "host" "fail") (param i32))
            (func (export "run") (param i32) (result i32)
                (block $all
                    (try_table (catch_all $all) (call $fail (local.get 0)))
                    (return (i32.const 0)))
                (i32.const 1)))"#,
    );
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
    assert_eq!(run.call(&mut store, 0).unwrap_err().to_string(), "not an exception");
    assert_eq!(run.call(&mut store, 1).unwrap_err().trap(), Some(Trap::Unreachable));
    assert_eq!(run.call(&mut store, 2).unwrap_err().to_string(), "only called so");
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = run.call(&mut store, 3);
    }));
    assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"a panic"));
    assert_eq!(run.call(&mut store, 4).unwrap(), 0);
}

/// An error of an embedder's that wraps what a guest threw.
#[derive(Debug)]
struct Wrapped(ThrownException);

impl std::fmt::Display for Wrapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the guest failed")
    }
}

impl std::error::Error for Wrapped {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn an_exception_inside_an_error_of_the_hosts_is_still_caught() {
    let mut store = Store::new(&Engine::default(), ());
    let failed = tag(&mut store, &[ValType::I32]);
    let mut linker = Linker::new(store.engine());
    linker.define(&mut store, "host", "failed", failed).unwrap();
    linker
        .func_wrap("host", "fail", move |mut caller: Caller<'_, ()>| -> Result<(), Error> {
            let exception = ExnRef::new(&mut caller, &failed, &[Val::I32(9)])?;
            let error = caller.throw::<()>(exception).unwrap_err();
            let thrown = error.downcast_ref::<ThrownException>().unwrap().clone();
            Err(Wrapped(thrown).into())
        })
        .unwrap();
    let text = r#"(module
        (tag $failed (import "host" "failed") (param i32))
        (func $fail (import "host" "fail"))
        (func (export "fail") (call $fail))
        (func (export "run") (result i32)
            (block $caught (result i32)
                (try_table (catch $failed $caught) (call $fail))
                (i32.const 0))))"#;
    let instance = link(&mut store, &linker, text);
    let run = instance.get_typed_func::<(), i32>(&mut store, "run").unwrap();
    assert_eq!(run.call(&mut store, ()).unwrap(), 9);
    let fail = instance.get_typed_func::<(), ()>(&mut store, "fail").unwrap();
    let error = fail.call(&mut store, ()).unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Host, "the guest failed"));
    assert!(error.exception().is_some());
}

#[test]
fn what_does_not_fit_a_tag_is_refused() {
    let engine = Engine::default();
    let (mut store, mut other) = (Store::new(&engine, ()), Store::new(&engine, ()));
    let pair = tag(&mut store, &[ValType::I32, ValType::EXTERNREF]);
    let null = Val::ExternRef(None);
    let refused = |result: selkie::Result<_>| {
        let error = result.map(|_: selkie::Rooted<ExnRef>| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        error.to_string()
    };
    let too_few = refused(ExnRef::new(&mut store, &pair, &[Val::I32(1)]));
    assert_eq!(too_few, "the tag has 2 parameters, 1 were given");
    let wrong = refused(ExnRef::new(&mut store, &pair, &[Val::I64(1), null]));
    assert_eq!(wrong, "parameter 0: the value is not of type i32");
    refused(ExnRef::new(&mut other, &pair, &[Val::I32(1), null]));
    let foreign = ExternRef::new(&mut other, 1).unwrap();
    refused(ExnRef::new(&mut store, &pair, &[Val::I32(1), foreign.into()]));
    // A tag that gives something back.
    let ty = FuncType::new(&engine, [], [ValType::I32]);
    assert_eq!(Tag::new(&mut store, &ty).unwrap_err().kind(), ErrorKind::Invalid);
    // An exception is one of its store.
    let exception = ExnRef::new(&mut store, &pair, &[Val::I32(1), null]).unwrap();
    assert!(exception.tag(&other).is_err());
    assert!(exception.field(&mut other, 0).is_err());
    assert_eq!(other.throw::<()>(exception).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(store.throw::<()>(exception).unwrap_err().kind(), ErrorKind::Exception);
    // And gone with its scope.
    let gone = {
        let mut scope = RootScope::new(&mut store);
        ExnRef::new(&mut scope, &pair, &[Val::I32(1), null]).unwrap()
    };
    assert!(gone.tag(&store).is_err());
    assert_eq!(store.throw::<()>(gone).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn an_exception_of_another_store_is_an_error_and_not_thrown_on() {
    let mut other = Store::new(&Engine::default(), ());
    let tag_there = tag(&mut other, &[]);
    let mut store = Store::new(&Engine::default(), ());
    let mut linker = Linker::new(store.engine());
    let other = std::sync::Mutex::new(other);
    linker
        .func_wrap("host", "fail", move || -> Result<(), Error> {
            let mut other = other.lock().unwrap();
            let exception = ExnRef::new(&mut *other, &tag_there, &[])?;
            other.throw(exception)
        })
        .unwrap();
    let instance = link(
        &mut store,
        &linker,
        r#"(module
            (func $fail (import "host" "fail"))
            (func (export "run") (block $all (try_table (catch_all $all) (call $fail)))))"#,
    );
    let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
    let error = run.call(&mut store, ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exception);
    assert!(error.exception().unwrap().tag(&store).is_err());
}

#[test]
fn exceptions_are_kept_over_collections_by_errors_and_handles_alone() {
    let mut config = Config::new();
    config.gc_stress(true);
    let engine = Engine::new(&config).unwrap();
    let module = Module::new(
        &engine,
        r#"(module
            (tag $t (export "t") (param i32 exnref))
            (func $throw (param i32 exnref) (throw $t (local.get 0) (local.get 1)))
            (func (export "throw") (param i32 exnref)
                (call $throw (local.get 0) (local.get 1)))
            (func (export "nest") (param i32) (result exnref) (local $x exnref)
                (loop $again
                    (block $caught (result exnref)
                        (try_table (catch_all_ref $caught)
                            (call $throw (local.get 0) (local.get $x)))
                        (unreachable))
                    (local.set $x)
                    (br_if $again
                        (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
                (local.get $x)))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, ());
    store.set_limits(StoreLimits { gc_heap_bytes: 4 << 20, ..StoreLimits::default() });
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let throw = instance.get_func(&mut store, "throw").unwrap();
    let mut errors = Vec::new();
    for i in 0..50 {
        let error = throw.call(&mut store, &[Val::I32(i), Val::ExnRef(None)], &mut []).unwrap_err();
        errors.push(error);
        store.gc();
    }
    for (i, error) in errors.iter().enumerate() {
        let kept: OwnedRooted<ExnRef> = error.exception().unwrap().clone();
        assert_eq!(kept.field(&mut store, 0).unwrap().i32(), Some(i as i32));
    }
    // A chain of exceptions, each a parameter of the next.
    let nest = instance.get_func(&mut store, "nest").unwrap();
    let mut results = [Val::ExnRef(None)];
    nest.call(&mut store, &[Val::I32(100)], &mut results).unwrap();
    let mut at = results[0].unwrap_exn_ref();
    let mut seen = 0;
    while let Some(exception) = at {
        seen += 1;
        assert_eq!(exception.field(&mut store, 0).unwrap().i32(), Some(seen));
        at = exception.field(&mut store, 1).unwrap().unwrap_exn_ref();
    }
    assert_eq!(seen, 100);
}

#[test]
fn a_million_exceptions_out_of_webassembly_leave_nothing_behind() {
    let (mut store, instance) = instantiate(
        r#"(module (tag $t (param i64)) (func (export "run") (throw $t (i64.const 1))))"#,
    );
    let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
    for _ in 0..1_000_000 {
        assert_eq!(run.call(&mut store, ()).unwrap_err().kind(), ErrorKind::Exception);
    }
    store.gc();
    assert!(store.gc_stats().live_bytes < 64 << 10, "{:?}", store.gc_stats());
}

#[test]
fn a_start_function_that_throws_leaves_its_instance_with_the_store() {
    let mut store = Store::new(&Engine::default(), ());
    let (failed, mut linker) = (tag(&mut store, &[]), Linker::new(store.engine()));
    linker.define(&mut store, "host", "failed", failed).unwrap();
    let text = r#"(module
        (tag $failed (import "host" "failed"))
        (func $start (throw $failed))
        (start $start))"#;
    let module = Module::new(store.engine(), text).unwrap();
    let error = linker.instantiate(&mut store, &module).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exception);
    assert_eq!(error.to_string(), "wasm exception: ()");
    assert_eq!(error.exception().unwrap().tag(&store).unwrap(), failed);
}

#[test]
fn an_exception_for_which_the_heap_has_no_room_is_a_trap() {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
            (tag $t (param exnref i64 i64 i64 i64 i64 i64 i64 i64))
            (func $throw (param exnref)
                (throw $t (local.get 0) (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4)
                    (i64.const 5) (i64.const 6) (i64.const 7) (i64.const 8)))
            (func (export "run") (local $x exnref)
                (loop $again
                    (block $caught (result exnref)
                        (try_table (catch_all_ref $caught) (call $throw (local.get $x)))
                        (unreachable))
                    (local.set $x)
                    (br $again))))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, ());
    store.set_limits(StoreLimits { gc_heap_bytes: 2 << 20, ..StoreLimits::default() });
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
    for _ in 0..2 {
        let error = run.call(&mut store, ()).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::AllocationTooLarge));
    }
}
