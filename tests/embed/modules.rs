//! `Module`.

use selkie::{Engine, ErrorKind, ExternType, FuncType, Module, ValType};

#[test]
fn text_and_binary_are_the_same_module() {
    let engine = Engine::default();
    let text = r#"(module (func (export "f") (result i32) i32.const 1))"#;
    let binary = wat::parse_str(text).unwrap();
    let (a, b) = (Module::new(&engine, text).unwrap(), Module::new(&engine, &binary).unwrap());
    assert_eq!(a.serialize().unwrap(), b.serialize().unwrap());
    assert!(Module::from_binary(&engine, text.as_bytes()).is_err());
    Module::validate(&engine, &binary).unwrap();
}

#[test]
fn imports_and_exports_are_listed_in_order_with_their_types() {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module (import "a" "f" (func (param i32) (result i64)))
            (import "a" "m" (memory 1 2)) (import "b" "g" (global (mut f32)))
            (table (export "t") 3 funcref) (export "again" (func 0))
            (func (export "") (param v128)))"#,
    )
    .unwrap();
    let imports: Vec<String> =
        module.imports().map(|i| format!("{} {} {}", i.module(), i.name(), i.ty())).collect();
    assert_eq!(imports[0], "a f func (i32) -> (i64)");
    assert!(imports[1].starts_with("a m memory 1 2"), "{}", imports[1]);
    assert_eq!(imports[2], "b g global (mut f32)");
    let names: Vec<&str> = module.exports().map(|e| e.name()).collect();
    assert_eq!(names, ["t", "again", ""]);
    let expected = FuncType::new(&engine, [ValType::I32], [ValType::I64]);
    assert_eq!(module.get_export("again"), Some(ExternType::Func(expected)));
    assert_eq!(module.get_export("absent"), None);
    assert_eq!(module.function_count(), 1);
    assert!(Engine::same(module.engine(), &engine));
}

#[test]
fn what_is_no_module_is_refused_with_a_place() {
    let engine = Engine::default();
    for (bytes, words) in [
        (&b""[..], ""),
        (b"\0asm", "unexpected end"),
        (b"\0asm\x01\0\0\0\x01", "unexpected end"),
        (b"\0asm\x0d\0\x01\0", "component"),
        (b"MZ\x90\0", ""),
        (b"\xff\xfe", ""),
        (b"(module (func (result i32)))", "type mismatch"),
        (b"(module (func local.get 0))", "unknown local"),
        (b"(module", ""),
    ] {
        match Module::new(&engine, bytes) {
            // An empty text is an empty module.
            Ok(_) => assert!(bytes.is_empty()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Invalid, "{bytes:?}: {error}");
                assert!(error.to_string().contains(words), "{bytes:?}: {error}");
            }
        }
    }
}

#[test]
fn every_prefix_of_a_module_is_refused_without_a_panic() {
    let engine = Engine::default();
    let binary = wat::parse_str(
        r#"(module (import "a" "b" (func)) (memory 1) (table 1 funcref) (elem (i32.const 0) 0)
            (data (i32.const 0) "abc") (global (mut i64) (i64.const 5))
            (func (export "f") (param i32) (result i32) local.get 0 i32.load) (start 0))"#,
    )
    .unwrap();
    for length in 0..binary.len() {
        // Some prefixes end between sections and are modules.
        if let Err(error) = Module::from_binary(&engine, &binary[..length]) {
            assert_eq!(error.kind(), ErrorKind::Invalid, "{length}: {error}");
        }
    }
}

#[test]
fn a_module_is_shared_by_threads_and_stores() {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module (global $g (mut i32) (i32.const 0))
        (func (export "next") (result i32)
            global.get $g i32.const 1 i32.add global.set $g global.get $g))"#,
    )
    .unwrap();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let module = module.clone();
            std::thread::spawn(move || {
                let mut store = selkie::Store::new(module.engine(), ());
                let instance = selkie::Instance::new(&mut store, &module, &[]).unwrap();
                let next = instance.get_typed_func::<(), i32>(&mut store, "next").unwrap();
                (0..1000).map(|_| next.call(&mut store, ()).unwrap()).last()
            })
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap() == Some(1000)));
}

#[test]
fn modules_from_files_say_which_file() {
    let engine = Engine::default();
    let error = Module::from_file(&engine, "/absent/module.wasm").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("/absent/module.wasm"), "{error}");
}
