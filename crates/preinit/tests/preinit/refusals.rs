//! What cannot be kept is refused by name, and so is what cannot be run.

use crate::guests::{binary, initialised, refusal};
use selkie_engine::{
    Config, Engine, ErrorKind, ExternRef, Func, Instance, Linker, Module, Store, StoreLimits, Trap,
};
use selkie_preinit::Preinit;

#[track_caller]
fn refused(text: &str, words: &str) {
    let why = refusal(text);
    assert!(why.contains(words), "{why}");
}

#[test]
fn state_of_others() {
    for (import, what) in [
        ("(memory 1)", "a memory"),
        ("(table 1 funcref)", "a table"),
        ("(global (mut i32))", "a global that can be written"),
    ] {
        let text =
            format!(r#"(module (import "env" "x" {import}) (func (export "wizer-initialize")))"#);
        refused(&text, &format!("the import `env` `x` is {what}: its state belongs to whoever"));
    }
}

#[test]
fn memories_shared_between_threads() {
    refused(
        r#"(module (memory 1 2 shared) (func (export "wizer-initialize")))"#,
        "memory 0 is shared between threads",
    );
}

#[test]
fn objects() {
    const OBJECT: &str = "an object of the collected heap, which no module can begin with";
    refused(
        r#"(module (type $s (struct)) (global $g (mut (ref null $s)) (ref.null $s))
        (func (export "wizer-initialize") (global.set $g (struct.new $s))))"#,
        &format!("global 0 holds {OBJECT}"),
    );
    refused(
        r#"(module (type $a (array (mut i8))) (table 3 anyref)
        (func (export "wizer-initialize")
            (table.set (i32.const 2) (array.new $a (i32.const 0) (i32.const 4)))))"#,
        &format!("table 0, element 2, holds {OBJECT}"),
    );
    // What is in it can have changed, though the reference cannot.
    for field in ["(mut i32)", "(ref null $s)"] {
        let text = format!(
            r#"(module (rec (type $s (struct (field {field}))))
            (global $g (ref $s) (struct.new_default $s)) (func (export "wizer-initialize")))"#
        );
        refused(&text, &format!("global 0 holds {OBJECT}"));
    }
    refused(
        r#"(module (type $s (struct (field (mut i32)))) (table 1 anyref)
        (elem anyref (struct.new_default $s))
        (func (export "wizer-initialize"))
        (func (table.init 0 (i32.const 0) (i32.const 0) (i32.const 1))))"#,
        &format!("element segment 0 holds {OBJECT}"),
    );
}

#[test]
fn exceptions_and_continuations() {
    refused(
        r#"(module (tag $t) (global $x (mut exnref) (ref.null exn))
        (func (export "wizer-initialize")
            (global.set $x (block $b (result exnref)
                (try_table (catch_all_ref $b) (throw $t)) unreachable))))"#,
        "global 0 holds an exception",
    );
    let mut config = Config::new();
    config.wasm_stack_switching(true);
    let engine = Engine::new(&config).unwrap();
    let wasm = binary(
        r#"(module (type $f (func)) (type $c (cont $f)) (func $g (export "g"))
        (global $k (mut (ref null $c)) (ref.null $c))
        (func (export "wizer-initialize") (global.set $k (cont.new $c (ref.func $g)))))"#,
    );
    let mut store = Store::new(&engine, ());
    let error = Preinit::new().run(&mut store, &Linker::new(&engine), &wasm).unwrap_err();
    assert!(error.to_string().contains("global 0 holds a continuation"), "{error}");
}

#[test]
fn things_of_the_hosts() {
    let engine = Engine::default();
    let wasm = binary(
        r#"(module (import "host" "data" (func $data (result externref)))
        (import "host" "func" (func $func (result funcref)))
        (global $e (mut externref) (ref.null extern)) (table 2 funcref)
        (func (export "data") (global.set $e (call $data)))
        (func (export "func") (table.set (i32.const 1) (call $func))))"#,
    );
    let mut linker = Linker::<()>::new(&engine);
    linker
        .func_wrap("host", "data", |mut caller: selkie_engine::Caller<'_, ()>| {
            ExternRef::new(&mut caller, 7u32).map(Some)
        })
        .unwrap();
    linker
        .func_wrap("host", "func", |mut caller: selkie_engine::Caller<'_, ()>| {
            Some(Func::wrap(&mut caller, || ()))
        })
        .unwrap();
    for (init, words) in [
        ("data", "global 0 holds a reference to something of the host's"),
        ("func", "table 0, element 1, holds a function of another instance or of the host"),
    ] {
        let mut preinit = Preinit::new();
        preinit.init_func(init);
        let error = preinit.run(&mut Store::new(&engine, ()), &linker, &wasm).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn functions_that_several_imports_stand_for() {
    let engine = Engine::default();
    let wasm = binary(
        r#"(module (import "a" "f" (func $f)) (import "b" "f" (func $g)) (table 1 funcref)
        (elem declare func $f $g)
        (func (export "one") (table.set (i32.const 0) (ref.func $f)))
        (func (export "none")))"#,
    );
    let mut store = Store::new(&engine, ());
    let func = Func::wrap(&mut store, || ());
    let mut linker = Linker::new(&engine);
    linker.define(&mut store, "a", "f", func).unwrap().define(&mut store, "b", "f", func).unwrap();
    let mut preinit = Preinit::new();
    let error = preinit.init_func("one").run(&mut store, &linker, &wasm).unwrap_err();
    assert!(error.to_string().contains("a function that several imports stand for"), "{error}");
    preinit.init_func("none").run(&mut store, &linker, &wasm).unwrap();
    // Each by itself is known.
    let mut linker = Linker::new(&engine);
    linker.func_wrap("a", "f", || ()).unwrap().func_wrap("b", "f", || ()).unwrap();
    preinit.init_func("one").run(&mut store, &linker, &wasm).unwrap();
}

#[test]
fn initializers_that_are_none() {
    refused("(module)", "the module exports no initializer `wizer-initialize`");
    refused(
        r#"(module (memory (export "wizer-initialize") 1))"#,
        "the export `wizer-initialize` is no function",
    );
    refused(
        r#"(module (func (export "wizer-initialize") (param i32)))"#,
        "an initializer has () -> ()",
    );
    let mut preinit = Preinit::new();
    preinit.init_func("boot");
    let error = initialised(&preinit, "(module)").unwrap_err();
    assert!(error.to_string().contains("no initializer `boot`"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Link);
}

#[test]
fn initializers_that_fail() {
    let trap =
        r#"(module (func $inner unreachable) (func (export "wizer-initialize") call $inner))"#;
    let error = initialised(&Preinit::new(), trap).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::Unreachable));
    assert!(error.backtrace().is_some_and(|trace| trace.frames().len() == 2), "{error:?}");
    let start = r#"(module (func $s unreachable) (start $s) (func (export "wizer-initialize")))"#;
    assert_eq!(initialised(&Preinit::new(), start).unwrap_err().trap(), Some(Trap::Unreachable));
    let import = r#"(module (import "env" "f" (func)) (func (export "wizer-initialize")))"#;
    assert_eq!(initialised(&Preinit::new(), import).unwrap_err().kind(), ErrorKind::Link);
}

#[test]
fn bytes_that_are_no_module() {
    let engine = Engine::default();
    let preinit = Preinit::new();
    let component = b"\0asm\x0d\0\x01\0";
    for bytes in [&b""[..], b"(module)", b"\0asm", component, b"\0asm\x01\0\0\0\x01\x7f"] {
        let error = preinit.prepare(&engine, bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
    // The place is the one in the original.
    let invalid = binary(r#"(module (func (export "wizer-initialize") (result i32)) (memory 1))"#);
    let (ours, engines) =
        (preinit.prepare(&engine, &invalid).unwrap_err(), Module::new(&engine, &invalid));
    assert_eq!(ours.to_string(), engines.unwrap_err().to_string());
}

#[test]
fn damaged_modules_are_errors_or_modules() {
    let whole = binary(
        r#"(module (memory 1) (data "a") (data (i32.const 5) "b") (table 3 funcref)
        (elem (i32.const 1) $f) (elem func $f) (global (mut i32) (i32.const 1))
        (func $f (export "wizer-initialize") (data.drop 0) (elem.drop 1)))"#,
    );
    let engine = Engine::default();
    let limits =
        StoreLimits { memory_bytes: 1 << 24, table_elements: 1 << 16, ..StoreLimits::default() };
    let attempt = |bytes: &[u8]| {
        let mut store = Store::new(&engine, ());
        store.set_limits(limits);
        if let Ok(ready) = Preinit::new().run(&mut store, &Linker::new(&engine), bytes) {
            Module::validate(&engine, &ready).unwrap();
        }
    };
    for at in 0..whole.len() {
        attempt(&whole[..at]);
        for flip in [0x01, 0x40, 0x80, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] ^= flip;
            attempt(&damaged);
        }
    }
}

#[test]
fn instances_of_other_modules() {
    let engine = Engine::default();
    let wasm = binary(r#"(module (memory 1) (func (export "wizer-initialize")))"#);
    let preinit = Preinit::new();
    let prepared = preinit.prepare(&engine, &wasm).unwrap();
    let mut store = Store::new(&engine, ());
    let other = Instance::new(&mut store, &Module::new(&engine, &wasm).unwrap(), &[]).unwrap();
    let error = prepared.finish(&mut store, other).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
