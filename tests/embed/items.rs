//! `Memory`, `Table`, `Global`: what hosts make and share with guests.

use crate::instantiate;
use selkie::{
    Engine, ErrorKind, Func, Global, GlobalType, IndexType, Instance, Limits, Memory, MemoryType,
    Module, Mutability, RefType, Store, StoreLimits, Table, TableType, Trap, Val, ValType,
};

fn memory_type(min: u64, max: Option<u64>) -> MemoryType {
    MemoryType {
        limits: Limits { min, max },
        shared: false,
        index: IndexType::I32,
        page_size_log2: 16,
    }
}

#[test]
fn guest_and_host_see_the_same_bytes() {
    let (mut store, instance) = instantiate(
        r#"(module (memory (export "memory") 1)
            (func (export "load") (param i32) (result i32) local.get 0 i32.load)
            (func (export "store") (param i32 i32) local.get 0 local.get 1 i32.store))"#,
    );
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    let load = instance.get_typed_func::<i32, i32>(&mut store, "load").unwrap();
    let write = instance.get_typed_func::<(i32, i32), ()>(&mut store, "store").unwrap();
    memory.write(&mut store, 100, &7_i32.to_le_bytes()).unwrap();
    assert_eq!(load.call(&mut store, 100).unwrap(), 7);
    write.call(&mut store, (200, -1)).unwrap();
    let mut bytes = [0; 5];
    memory.read(&store, 199, &mut bytes).unwrap();
    assert_eq!(bytes, [0, 0xff, 0xff, 0xff, 0xff]);
    memory.data_mut(&mut store)[300] = 9;
    assert_eq!(load.call(&mut store, 300).unwrap(), 9);
}

#[test]
fn access_of_the_host_is_bounded() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let memory = Memory::new(&mut store, memory_type(1, Some(2))).unwrap();
    for (offset, length) in [(65536, 1), (65535, 2), (usize::MAX, 1), (usize::MAX, 0), (0, 65537)] {
        let mut buffer = vec![0; length];
        assert!(memory.read(&store, offset, &mut buffer).is_err(), "{offset} {length}");
        assert!(memory.write(&mut store, offset, &buffer).is_err(), "{offset} {length}");
    }
    memory.read(&store, 65536, &mut []).unwrap();
    assert_eq!(memory.grow(&mut store, 1).unwrap(), 1);
    assert_eq!(memory.data_size(&store), 2 << 16);
    assert_eq!(memory.grow(&mut store, 1).unwrap_err().kind(), ErrorKind::Limit);
    assert_eq!(memory.grow(&mut store, u64::MAX).unwrap_err().kind(), ErrorKind::Limit);
    assert_eq!(memory.size(&store), 2);
    assert_eq!(memory.ty(&store).limits, Limits { min: 2, max: Some(2) });
}

#[test]
fn growth_by_the_host_is_seen_by_the_guest_at_once() {
    let engine = Engine::default();
    for index in [IndexType::I32, IndexType::I64] {
        let (kind, zero) = match index {
            IndexType::I32 => ("", "i32.const 70000"),
            IndexType::I64 => ("i64", "i64.const 70000"),
        };
        let text = format!(
            r#"(module (import "h" "m" (memory {kind} 1))
                (func (export "f") (result i32) {zero} i32.load8_u))"#
        );
        let module = Module::new(&engine, text).unwrap();
        let mut store = Store::new(&engine, ());
        let memory = Memory::new(&mut store, MemoryType { index, ..memory_type(1, None) }).unwrap();
        let instance = Instance::new(&mut store, &module, &[memory.into()]).unwrap();
        let f = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
        let error = f.call(&mut store, ()).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::MemoryOutOfBounds));
        memory.grow(&mut store, 1).unwrap();
        memory.write(&mut store, 70000, b"\x05").unwrap();
        assert_eq!(f.call(&mut store, ()).unwrap(), 5);
    }
}

#[test]
fn memories_that_cannot_be_are_refused() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    for ty in [
        memory_type(65537, None),
        memory_type(2, Some(1)),
        memory_type(1, Some(65537)),
        MemoryType { page_size_log2: 1, ..memory_type(1, None) },
        MemoryType { page_size_log2: 64, ..memory_type(1, None) },
        MemoryType { index: IndexType::I64, ..memory_type(u64::MAX, None) },
        MemoryType { shared: true, ..memory_type(1, None) },
    ] {
        assert!(Memory::new(&mut store, ty).is_err(), "{ty:?}");
    }
}

#[test]
fn a_table_holds_functions_and_refuses_the_rest() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let limits = Limits { min: 2, max: Some(4) };
    let ty = TableType { element: RefType::FUNCREF, limits, index: IndexType::I32, shared: false };
    let table = Table::new(&mut store, ty.clone(), Val::FuncRef(None)).unwrap();
    let func = Func::wrap(&mut store, || 3_i32);
    table.set(&mut store, 1, func.into()).unwrap();
    let back = table.get(&mut store, 1).unwrap().func_ref().unwrap().unwrap();
    assert_eq!(back.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(), 3);
    assert!(matches!(table.get(&mut store, 0), Some(Val::FuncRef(None))));
    assert!(table.get(&mut store, 2).is_none());
    assert!(table.get(&mut store, u64::MAX).is_none());
    assert!(table.set(&mut store, 2, func.into()).is_err());
    assert!(table.set(&mut store, 0, Val::ExternRef(None)).is_err());
    assert!(table.set(&mut store, 0, Val::I32(1)).is_err());
    assert_eq!(table.grow(&mut store, 2, func.into()).unwrap(), 2);
    assert!(table.get(&mut store, 3).unwrap().func_ref().unwrap().is_some());
    assert!(table.grow(&mut store, 1, Val::FuncRef(None)).is_err());
    assert!(table.grow(&mut store, u64::MAX, Val::FuncRef(None)).is_err());
    assert_eq!(table.size(&store), 4);
    assert!(Table::new(&mut store, ty, Val::I32(0)).is_err());
}

#[test]
fn a_lazily_filled_table_shows_its_functions_to_the_host() {
    let (mut store, instance) = instantiate(
        r#"(module (table (export "t") 8 funcref) (elem (i32.const 2) $a $b $a)
            (func $a (result i32) i32.const 10) (func $b (result i32) i32.const 11))"#,
    );
    let table = instance.get_table(&mut store, "t").unwrap();
    for (index, expected) in [(2, 10), (3, 11), (4, 10)] {
        let func = table.get(&mut store, index).unwrap().func_ref().unwrap().unwrap();
        let value = func.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap();
        assert_eq!(value, expected);
    }
    assert!(matches!(table.get(&mut store, 5), Some(Val::FuncRef(None))));
    table.set(&mut store, 3, Val::FuncRef(None)).unwrap();
    assert!(matches!(table.get(&mut store, 3), Some(Val::FuncRef(None))));
}

#[test]
fn globals_keep_their_types_and_their_mutability() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    use Mutability::{Const, Var};
    let ty = GlobalType::new;
    let fixed = Global::new(&mut store, ty(ValType::I32, Const), Val::I32(5)).unwrap();
    assert!(fixed.set(&mut store, Val::I32(6)).is_err());
    assert_eq!(fixed.get(&mut store).i32(), Some(5));
    let vector = selkie::V128(1 << 100);
    let mutable = Global::new(&mut store, ty(ValType::V128, Var), Val::V128(vector)).unwrap();
    assert!(mutable.set(&mut store, Val::I64(6)).is_err());
    assert_eq!(mutable.get(&mut store).v128(), Some(vector));
    mutable.set(&mut store, Val::V128(selkie::V128(7))).unwrap();
    assert_eq!(mutable.get(&mut store).v128(), Some(selkie::V128(7)));
    assert_eq!(mutable.ty(&store), ty(ValType::V128, Var));
    assert!(Global::new(&mut store, ty(ValType::I32, Var), Val::F32(0)).is_err());
}

#[test]
fn exports_are_found_by_name_and_kind() {
    let (mut store, instance) = instantiate(
        r#"(module (func (export "f")) (memory (export "m") 1) (table (export "t") 1 funcref)
            (global (export "g") i32 (i32.const 1)))"#,
    );
    assert!(instance.get_func(&mut store, "m").is_none());
    assert!(instance.get_memory(&mut store, "f").is_none());
    assert!(instance.get_table(&mut store, "t").is_some());
    assert!(instance.get_global(&mut store, "g").is_some());
    assert!(instance.get_export(&mut store, "absent").is_none());
    let names: Vec<String> =
        instance.exports(&mut store).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["f", "m", "t", "g"]);
}

#[test]
fn types_are_made_as_they_are_written_in_text() {
    let (mut store, instance) = instantiate(
        r#"(module
            (memory (export "m") 1 2) (memory (export "m64") i64 3)
            (memory (export "shared") 1 5 shared)
            (table (export "t") 4 8 externref)
            (global (export "const") i64 (i64.const 1))
            (global (export "var") (mut f32) (f32.const 1)))"#,
    );
    let mut memory = |name| instance.get_memory(&mut store, name).unwrap().ty(&store);
    assert_eq!(memory("m"), MemoryType::new(1, Some(2)));
    assert_eq!(memory("m64"), MemoryType::new64(3, None));
    assert_eq!(memory("shared"), MemoryType::shared(1, 5));
    let table = instance.get_table(&mut store, "t").unwrap().ty(&store);
    assert_eq!(table, TableType::new(RefType::EXTERNREF, 4, Some(8)));
    let mut global = |name| instance.get_global(&mut store, name).unwrap().ty(&store);
    assert_eq!(global("const"), GlobalType::new(ValType::I64, Mutability::Const));
    assert_eq!(global("var"), GlobalType::new(ValType::F32, Mutability::Var));
}

#[test]
fn values_say_their_type_and_are_read_as_it_only() {
    let bits = 0x7fa0_0001; // a signalling NaN keeps its payload
    assert_eq!(Val::F32(bits).unwrap_f32().to_bits(), bits);
    let store = Store::new(&Engine::default(), ());
    let ty = |value: Val| value.ty(&store).unwrap();
    assert_eq!((ty(Val::F32(bits)), Val::F32(bits).i32()), (ValType::F32, None));
    assert_eq!((Val::from(-1_i64).unwrap_i64(), ty(Val::from(-1_i64))), (-1, ValType::I64));
    assert_eq!(ty(Val::FuncRef(None)), ValType::NULLFUNCREF);
    assert!(Val::ExternRef(None).unwrap_extern_ref().is_none());
    let wrong = std::panic::catch_unwind(|| Val::I32(7).unwrap_f64()).unwrap_err();
    let message = wrong.downcast_ref::<String>().unwrap();
    assert_eq!(message, "expected F64, found I32(7)");
}

#[test]
fn an_instance_that_cannot_be_made_leaves_nothing_behind() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let limits =
        StoreLimits { memory_bytes: 1 << 20, memories: 2, tables: 2, ..Default::default() };
    store.set_limits(limits);
    // The tables and the first memory are made before the second memory is too large.
    let bad = Module::new(&engine, "(module (table 9 funcref) (memory 16) (memory 17))").unwrap();
    for _ in 0..100 {
        let error = Instance::new(&mut store, &bad, &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    }
    let good = Module::new(&engine, "(module (table 1 funcref) (memory 1))").unwrap();
    Instance::new(&mut store, &good, &[]).unwrap();
    Instance::new(&mut store, &good, &[]).unwrap();
    let error = Instance::new(&mut store, &good, &[]).unwrap_err();
    assert!(error.to_string().contains("limit"), "{error}");
}
