//! `Linker` and `InstancePre`.

use selkie::{
    Engine, ErrorKind, FuncType, Global, GlobalType, Instance, Linker, Module, Mutability, Store,
    Val, ValType,
};

#[test]
fn a_missing_import_is_named() {
    let engine = Engine::default();
    let module = Module::new(&engine, r#"(module (import "env" "absent" (func)))"#).unwrap();
    let linker: Linker<()> = Linker::new(&engine);
    for error in [
        linker.instantiate_pre(&module).map(drop).unwrap_err(),
        linker.instantiate(Store::new(&engine, ()), &module).map(drop).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Link);
        let text = error.to_string();
        assert!(text.contains("env") && text.contains("absent"), "{text}");
    }
}

#[test]
fn an_import_of_another_type_is_refused_with_both_types() {
    let engine = Engine::default();
    let module = Module::new(&engine, r#"(module (import "h" "f" (func (param i32))))"#).unwrap();
    let mut linker: Linker<()> = Linker::new(&engine);
    linker.func_wrap("h", "f", |_: i64| 1_i32).unwrap();
    let error = linker.instantiate(Store::new(&engine, ()), &module).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Link);
    let text = error.to_string();
    assert!(text.contains("i32") && text.contains("i64"), "{text}");
}

#[test]
fn a_name_is_defined_once_unless_shadowing_is_allowed() {
    let engine = Engine::default();
    let mut linker: Linker<()> = Linker::new(&engine);
    linker.func_wrap("h", "f", || 1_i32).unwrap();
    let error = linker.func_wrap("h", "f", || 2_i32).map(drop).unwrap_err();
    assert!(error.to_string().contains('f'), "{error}");
    linker.allow_shadowing(true).func_wrap("h", "f", || 3_i32).unwrap();
    let mut store = Store::new(&engine, ());
    let func = linker.get(&mut store, "h", "f").unwrap().into_func().unwrap();
    let three = func.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap();
    assert_eq!(three, 3);
    assert!(linker.contains("h", "f") && !linker.contains("h", "g"));
}

#[test]
fn an_instance_and_an_alias_give_their_items() {
    let engine = Engine::default();
    let exporter = Module::new(
        &engine,
        r#"(module (memory (export "m") 1) (global (export "g") i32 (i32.const 9))
            (func (export "f") (result i32) i32.const 5))"#,
    )
    .unwrap();
    let importer = Module::new(
        &engine,
        r#"(module (import "other" "f" (func $f (result i32))) (import "x" "y" (memory 1))
            (import "lib" "g" (global $g i32))
            (func (export "sum") (result i32) call $f global.get $g i32.add))"#,
    )
    .unwrap();
    let mut linker = Linker::new(&engine);
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &exporter).unwrap();
    linker.instance(&mut store, "lib", instance).unwrap();
    linker.alias_module("lib", "other").unwrap();
    linker.alias("lib", "m", "x", "y").unwrap();
    assert!(linker.alias("lib", "absent", "x", "z").is_err());
    let instance = linker.instantiate(&mut store, &importer).unwrap();
    let sum = instance.get_typed_func::<(), i32>(&mut store, "sum").unwrap();
    assert_eq!(sum.call(&mut store, ()).unwrap(), 14);
}

#[test]
fn unknown_imports_trap_only_when_they_are_called() {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module (import "env" "later" (func $later (result i32)))
            (func (export "now") (result i32) i32.const 1)
            (func (export "call") (result i32) call $later))"#,
    )
    .unwrap();
    let mut linker = Linker::new(&engine);
    linker.define_unknown_imports_as_traps(&module).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let now = instance.get_typed_func::<(), i32>(&mut store, "now").unwrap();
    assert_eq!(now.call(&mut store, ()).unwrap(), 1);
    let call = instance.get_typed_func::<(), i32>(&mut store, "call").unwrap();
    let error = call.call(&mut store, ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Trap);
    assert!(error.to_string().contains("later"), "{error}");
}

#[test]
fn prepared_instances_are_independent() {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module (import "h" "base" (func $base (result i32)))
            (global $g (mut i32) (i32.const 0))
            (func (export "next") (result i32)
                global.get $g i32.const 1 i32.add global.set $g
                global.get $g call $base i32.add))"#,
    )
    .unwrap();
    let mut linker = Linker::new(&engine);
    linker.func_wrap("h", "base", |caller: selkie::Caller<'_, i32>| *caller.data()).unwrap();
    let pre = linker.instantiate_pre(&module).unwrap();
    for base in [100, 200] {
        let mut store = Store::new(&engine, base);
        for _ in 0..2 {
            let instance = pre.instantiate(&mut store).unwrap();
            let next = instance.get_typed_func::<(), i32>(&mut store, "next").unwrap();
            assert_eq!(next.call(&mut store, ()).unwrap(), base + 1);
            assert_eq!(next.call(&mut store, ()).unwrap(), base + 2);
        }
    }
}

#[test]
fn imports_are_given_by_position_without_a_linker() {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module (import "a" "g" (global $g (mut i64)))
            (func (export "set") i64.const 77 global.set $g))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, ());
    let ty = GlobalType::new(ValType::I64, Mutability::Var);
    let global = Global::new(&mut store, ty, Val::I64(1)).unwrap();
    assert!(Instance::new(&mut store, &module, &[]).is_err());
    let instance = Instance::new(&mut store, &module, &[global.into()]).unwrap();
    instance.get_typed_func::<(), ()>(&mut store, "set").unwrap().call(&mut store, ()).unwrap();
    assert_eq!(global.get(&mut store).i64(), Some(77));
}

#[test]
fn functions_of_types_known_at_run_time_are_checked_on_return() {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module (import "h" "swap" (func $swap (param i32 f64) (result f64 i32)))
            (func (export "f") (result f64 i32) i32.const 1 f64.const 2.5 call $swap))"#,
    )
    .unwrap();
    let ty = FuncType::new(&engine, [ValType::I32, ValType::F64], [ValType::F64, ValType::I32]);
    let mut linker: Linker<bool> = Linker::new(&engine);
    linker
        .func_new("h", "swap", ty, |caller, params, results| {
            let wrong = *caller.data();
            results[0] = if wrong { Val::I32(0) } else { params[1] };
            results[1] = params[0];
            Ok(())
        })
        .unwrap();
    for wrong in [false, true] {
        let mut store = Store::new(&engine, wrong);
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let f = instance.get_typed_func::<(), (f64, i32)>(&mut store, "f").unwrap();
        match f.call(&mut store, ()) {
            Ok(values) => assert_eq!((wrong, values), (false, (2.5, 1))),
            Err(error) => assert!(wrong, "{error}"),
        }
    }
}
