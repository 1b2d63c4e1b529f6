//! Handles of one store used with another, and modules of one engine with another: refused, never
//! taken for something else.

use selkie::{
    Engine, ErrorKind, ExternRef, ExternType, Func, FuncType, Global, GlobalType, Instance, Linker,
    Module, Mutability, RefType, Store, Table, TableType, Val, ValType,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

const MODULE: &str = r#"(module (memory (export "m") 1) (table (export "t") 2 funcref)
    (table (export "e") 2 externref) (global (export "g") (mut funcref) (ref.null func))
    (func (export "f") (param funcref externref)))"#;

fn two_stores() -> (Engine, Store<()>, Store<()>, Instance, Instance) {
    let engine = Engine::default();
    let module = Module::new(&engine, MODULE).unwrap();
    let (mut a, mut b) = (Store::new(&engine, ()), Store::new(&engine, ()));
    let in_a = Instance::new(&mut a, &module, &[]).unwrap();
    let in_b = Instance::new(&mut b, &module, &[]).unwrap();
    (engine, a, b, in_a, in_b)
}

/// An error or a panic with a sentence, never a result.
fn refused<R>(what: &str, attempt: impl FnOnce() -> Result<R, selkie::Error>) {
    match catch_unwind(AssertUnwindSafe(attempt)) {
        Ok(Ok(_)) => panic!("{what} was accepted"),
        Ok(Err(error)) => assert_eq!(error.kind(), ErrorKind::Invalid, "{what}: {error}"),
        Err(payload) => {
            let text = payload.downcast_ref::<&str>().map(|s| s.to_string());
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
            assert!(text.is_some_and(|text| text.contains("it does not belong to")), "{what}");
        }
    }
}

#[test]
fn handles_of_another_store_are_refused() {
    let (_engine, mut a, mut b, in_a, in_b) = two_stores();
    let func = in_a.get_func(&mut a, "f").unwrap();
    let typed = Func::wrap(&mut a, || 1_i32).typed::<(), i32>(&a).unwrap();
    let memory = in_a.get_memory(&mut a, "m").unwrap();
    let table = in_a.get_table(&mut a, "t").unwrap();
    let global = in_a.get_global(&mut a, "g").unwrap();
    refused("a call", || func.call(&mut b, &[Val::FuncRef(None), Val::ExternRef(None)], &mut []));
    refused("a typed call", || typed.call(&mut b, ()));
    refused("a type", || Ok(func.ty(&b)));
    refused("reading memory", || memory.read(&b, 0, &mut [0]));
    refused("writing memory", || memory.write(&mut b, 0, &[0]));
    refused("memory", || Ok(memory.data(&b).len()));
    refused("growing memory", || memory.grow(&mut b, 1));
    refused("reading a table", || Ok(table.get(&mut b, 0)));
    refused("writing a table", || table.set(&mut b, 0, Val::FuncRef(None)));
    refused("growing a table", || table.grow(&mut b, 1, Val::FuncRef(None)));
    refused("reading a global", || Ok(global.get(&mut b)));
    refused("writing a global", || global.set(&mut b, Val::FuncRef(None)));
    refused("an export", || Ok(in_a.get_export(&mut b, "f")));
    assert!(in_b.get_func(&mut b, "f").is_some());
}

#[test]
fn what_answers_a_result_does_not_panic_for_another_store() {
    let (engine, mut a, mut b, in_a, _) = two_stores();
    let func = in_a.get_func(&mut a, "f").unwrap();
    let memory = in_a.get_memory(&mut a, "m").unwrap();
    let errors = [
        func.typed::<(), ()>(&b).map(drop),
        in_a.get_typed_func::<(), ()>(&mut b, "f").map(drop),
        memory.read(&b, 0, &mut [0]),
        Linker::new(&engine).instance(&mut b, "a", in_a).map(drop),
    ];
    for error in errors.map(Result::unwrap_err) {
        assert!(error.to_string().contains("it does not belong to"), "{error}");
    }
}

#[test]
fn values_of_another_store_are_refused() {
    let (_engine, mut a, mut b, in_a, in_b) = two_stores();
    let func = Val::from(in_a.get_func(&mut a, "f").unwrap());
    let data = Val::from(ExternRef::new(&mut a, 1).unwrap());
    let call = in_b.get_func(&mut b, "f").unwrap();
    refused("a function", || call.call(&mut b, &[func, Val::ExternRef(None)], &mut []));
    refused("data", || call.call(&mut b, &[Val::FuncRef(None), data], &mut []));
    let functions = in_b.get_table(&mut b, "t").unwrap();
    let datas = in_b.get_table(&mut b, "e").unwrap();
    refused("a function in a table", || functions.set(&mut b, 0, func));
    refused("data in a table", || datas.set(&mut b, 0, data));
    refused("growth with a function", || functions.grow(&mut b, 1, func));
    refused("growth with data", || datas.grow(&mut b, 1, data));
    let global = in_b.get_global(&mut b, "g").unwrap();
    refused("a function in a global", || global.set(&mut b, func));
    let ty = GlobalType::new(ValType::EXTERNREF, Mutability::Var);
    refused("a global of data", || Global::new(&mut b, ty, data));
    let ty = TableType {
        element: RefType::FUNCREF,
        limits: selkie::Limits { min: 1, max: None },
        index: selkie::IndexType::I32,
        shared: false,
    };
    refused("a table of functions", || Table::new(&mut b, ty, func));
    refused("the data", || Ok(data.extern_ref().unwrap().unwrap().data(&b)?.is_some()));
}

#[test]
fn imports_of_another_store_or_engine_are_refused() {
    let (engine, mut a, mut b, in_a, _) = two_stores();
    let importer = Module::new(&engine, r#"(module (import "x" "m" (memory 1)))"#).unwrap();
    let memory = in_a.get_memory(&mut a, "m").unwrap();
    refused("an import", || Instance::new(&mut b, &importer, &[memory.into()]));
    let mut linker = Linker::new(&engine);
    refused("a definition", || linker.define(&mut b, "x", "m", memory).map(drop));
    linker.define(&mut a, "x", "m", memory).unwrap();
    refused("an import by a linker", || linker.instantiate(&mut b, &importer));
    linker.instantiate(&mut a, &importer).unwrap();

    let other = Engine::default();
    let module = Module::new(&other, "(module)").unwrap();
    assert!(Instance::new(&mut a, &module, &[]).is_err());
    assert!(linker.instantiate_pre(&module).is_err());
    let pre = Linker::new(&other).instantiate_pre(&module).unwrap();
    assert!(pre.instantiate(&mut a).is_err());
}

#[test]
fn a_host_function_that_returns_a_foreign_value_fails() {
    let (engine, mut a, mut b, in_a, _) = two_stores();
    let foreign = in_a.get_func(&mut a, "f").unwrap();
    let ty = selkie::FuncType::new(&engine, [], [ValType::FUNCREF]);
    let module = Module::new(
        &engine,
        r#"(module (import "h" "give" (func $give (result funcref)))
            (func (export "f") (result i32) call $give ref.is_null))"#,
    )
    .unwrap();
    let give = Func::new(&mut b, ty, move |_, _, results| {
        results[0] = foreign.into();
        Ok(())
    });
    let instance = Instance::new(&mut b, &module, &[give.into()]).unwrap();
    let f = instance.get_typed_func::<(), i32>(&mut b, "f").unwrap();
    assert!(f.call(&mut b, ()).is_err());
}

#[test]
fn types_of_another_engine_match_nothing() {
    let other = Engine::default();
    let many: String =
        (0..200).map(|i| format!("(type (func {}))", "(param i32)".repeat(i))).collect();
    let text = format!("(module {many} (table (export \"t\") 1 (ref null 150)))");
    let foreign = Module::new(&other, text).unwrap();
    let Some(ExternType::Table(ty)) = foreign.get_export("t") else { panic!("no table") };
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let func = Val::from(Func::wrap(&mut store, || ()));
    let element = ValType::Ref(ty.element.clone());
    refused("a function in a table", || Table::new(&mut store, ty.clone(), func));
    refused("a function in a global", || {
        Global::new(&mut store, GlobalType::new(element.clone(), Mutability::Var), func)
    });
    refused("a type of functions", || FuncType::try_new(&engine, [element.clone()], []));
    let theirs = FuncType::new(&other, [element], []);
    refused("a function in a linker", || {
        Linker::<()>::new(&engine).func_new("h", "f", theirs.clone(), |_, _, _| Ok(())).map(drop)
    });
    refused("a function of the type", || {
        Ok(Func::new(&mut store, theirs.clone(), |_, _, _| Ok(())))
    });
}
