//! The host module `spectest` that scripts of the official suite import from
//! (spec: interpreter/README, "spectest host module"). Its `print` functions print nothing.

use selkie::{
    Engine, Feature, Global, GlobalType, IndexType, Limits, Linker, Memory, MemoryType, Mutability,
    RefType, Result, Store, Table, TableType, Val, ValType,
};

const MODULE: &str = "spectest";

/// A linker that knows `spectest` and nothing else.
pub(super) fn linker(engine: &Engine, store: &mut Store<()>) -> Result<Linker<()>> {
    let mut linker = Linker::new(engine);
    // A script may register a name again.
    linker.allow_shadowing(true);
    functions(&mut linker)?;
    globals(&mut linker, store)?;
    tables(&mut linker, store)?;
    let memory = memory_type(false);
    let memory = Memory::new(&mut *store, memory)?;
    linker.define(&mut *store, MODULE, "memory", memory)?;
    if engine.config().features().has(Feature::threads) {
        let memory = Memory::new(&mut *store, memory_type(true))?;
        linker.define(&mut *store, MODULE, "shared_memory", memory)?;
    }
    Ok(linker)
}

fn functions(linker: &mut Linker<()>) -> Result<()> {
    linker.func_wrap(MODULE, "print", || {})?;
    linker.func_wrap(MODULE, "print_i32", |_: i32| {})?;
    linker.func_wrap(MODULE, "print_i64", |_: i64| {})?;
    linker.func_wrap(MODULE, "print_f32", |_: f32| {})?;
    linker.func_wrap(MODULE, "print_f64", |_: f64| {})?;
    linker.func_wrap(MODULE, "print_i32_f32", |_: i32, _: f32| {})?;
    linker.func_wrap(MODULE, "print_f64_f64", |_: f64, _: f64| {})?;
    Ok(())
}

fn globals(linker: &mut Linker<()>, store: &mut Store<()>) -> Result<()> {
    let values = [
        ("global_i32", ValType::I32, Val::from(666_i32)),
        ("global_i64", ValType::I64, Val::from(666_i64)),
        ("global_f32", ValType::F32, Val::from(666.6_f32)),
        ("global_f64", ValType::F64, Val::from(666.6_f64)),
    ];
    for (name, content, value) in values {
        let ty = GlobalType::new(content, Mutability::Const);
        let global = Global::new(&mut *store, ty, value)?;
        linker.define(&mut *store, MODULE, name, global)?;
    }
    Ok(())
}

fn tables(linker: &mut Linker<()>, store: &mut Store<()>) -> Result<()> {
    for (name, index) in [("table", IndexType::I32), ("table64", IndexType::I64)] {
        let limits = Limits { min: 10, max: Some(20) };
        let ty = TableType { element: RefType::FUNCREF, limits, index, shared: false };
        let table = Table::new(&mut *store, ty, Val::FuncRef(None))?;
        linker.define(&mut *store, MODULE, name, table)?;
    }
    Ok(())
}

fn memory_type(shared: bool) -> MemoryType {
    let limits = Limits { min: 1, max: Some(2) };
    MemoryType { limits, shared, index: IndexType::I32, page_size_log2: 16 }
}
