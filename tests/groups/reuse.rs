//! Reuse: a secret is written everywhere a guest can write, the store is dropped, and an instance made
//! of what it left behind reads only what a new one does (security group 9).

// What a test builds on must be there.
#![allow(clippy::unwrap_used)]

use selkie::{
    Config, Engine, Error, Extern, ExternRef, Instance, InstancePre, Linker, Module, Store,
    StoreLimits, Trap, Val,
};
use std::sync::Arc;

/// Everything that can be written: memories (data, zeros, what they grow by), tables of functions and
/// of references, globals of each kind, segments.
const GUEST: &str = r#"(module
    (import "host" "poke" (func $poke (param i32) (result i32)))
    (type $answer (func (result i32)))
    (memory $first (export "first") 4 8)
    (memory $second (export "second") 1)
    (table $funcs (export "funcs") 6 funcref)
    (table $refs (export "refs") 3 externref)
    (table $eager (export "eager") funcref (elem $seven $eight))
    (global $number (export "number") (mut i64) (i64.const 42))
    (global $vector (export "vector") (mut v128) (v128.const i64x2 1 2))
    (global $func (export "func") (mut funcref) (ref.func $seven))
    (global $ref (export "ref") (mut externref) (ref.null extern))
    (elem (table $funcs) (i32.const 1) func $seven $eight)
    (elem $spare func $eight $seven)
    (data (memory $first) (i32.const 70000) "initial contents")
    (data $extra "more of it")
    (func $seven (export "seven") (result i32) (i32.const 7))
    (func $eight (export "eight") (result i32) (i32.const 8))
    (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
    (func (export "fill2") (param i32 i32 i32)
        (memory.fill $second (local.get 0) (local.get 1) (local.get 2)))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "discard") (memory.copy (i32.const 0) (i32.const 70000) (i32.const 20)))
    (func (export "drop") (data.drop $extra) (elem.drop $spare))
    (func (export "extra") (memory.init $extra (i32.const 0) (i32.const 0) (i32.const 10)))
    (func (export "spare") (table.init $funcs $spare (i32.const 3) (i32.const 0) (i32.const 2)))
    (func (export "call") (param i32) (result i32)
        (call_indirect $funcs (type $answer) (local.get 0)))
    (func (export "set") (param i32 i32)
        (table.set $funcs (local.get 0) (table.get $funcs (local.get 1))))
    (func (export "trap") (param i32) (result i32)
        (global.set $number (i64.const -1))
        (i32.store (i32.const 8) (call $poke (local.get 0)))
        unreachable))"#;

struct Guest {
    engine: Engine,
    pre: InstancePre<u32>,
}

impl Guest {
    fn new(config: &Config) -> Guest {
        let engine = Engine::new(config).unwrap();
        let module = Module::new(&engine, GUEST).unwrap();
        let mut linker = Linker::new(&engine);
        let poke = |x: i32| if x < 0 { Err(Error::msg("refused")) } else { Ok(x) };
        linker.func_wrap("host", "poke", poke).unwrap();
        let pre = linker.instantiate_pre(&module).unwrap();
        Guest { engine, pre }
    }

    fn instance(&self) -> (Store<u32>, Instance) {
        let mut store = Store::new(&self.engine, 0);
        let instance = self.pre.instantiate(&mut store).unwrap();
        (store, instance)
    }
}

/// Everything that can be read of an instance, in words.
fn seen(store: &mut Store<u32>, instance: Instance) -> String {
    let mut text = String::new();
    for (name, item) in instance.exports(&mut *store) {
        let value = match item {
            Extern::Memory(memory) => {
                let bytes = memory.data(&*store).to_vec();
                let set = bytes.iter().enumerate().filter(|(_, byte)| **byte != 0);
                format!("{} bytes, {:?}", bytes.len(), set.take(40).collect::<Vec<_>>())
            }
            Extern::Table(table) => {
                let mut elements = Vec::new();
                for i in 0..table.size(&*store) {
                    let element = table.get(&mut *store, i).unwrap();
                    elements.push(what(store, &element));
                }
                format!("{elements:?}")
            }
            Extern::Global(global) => {
                let value = global.get(&mut *store);
                what(store, &value)
            }
            _ => continue,
        };
        text += &format!("{name}: {value}\n");
    }
    text
}

/// A value, functions by what they answer.
fn what(store: &mut Store<u32>, value: &Val) -> String {
    match value {
        Val::FuncRef(Some(func)) => {
            let answer = func.typed::<(), i32>(&*store).unwrap().call(&mut *store, ());
            format!("function that answers {}", answer.unwrap())
        }
        Val::FuncRef(None) | Val::ExternRef(None) => "null".into(),
        Val::ExternRef(Some(_)) => "an object".into(),
        other => format!("{other:?}"),
    }
}

type Write = fn(&mut Store<u32>, Instance);

fn call<P: selkie::WasmParams, R: selkie::WasmResults>(
    store: &mut Store<u32>,
    instance: Instance,
    name: &str,
    params: P,
) -> selkie::Result<R> {
    instance.get_typed_func::<P, R>(&mut *store, name).unwrap().call(store, params)
}

/// What guests and hosts do, each of it to an instance of its own.
const WRITES: &[(&str, Write)] = &[
    ("nothing", |_, _| {}),
    ("one byte of zeros", |s, i| call(s, i, "fill", (5, 0x5E, 1)).unwrap()),
    ("one byte of data", |s, i| call(s, i, "fill", (70_001, 0x5E, 1)).unwrap()),
    ("the whole memory", |s, i| call(s, i, "fill", (0, 0x5E, 262_144)).unwrap()),
    ("the second memory", |s, i| call(s, i, "fill2", (60_000, 0x5E, 5536)).unwrap()),
    ("what a memory grew by", |s, i| {
        assert_eq!(call::<i32, i32>(s, i, "grow", 3).unwrap(), 4);
        call(s, i, "fill", (262_000, 0x5E, 100_000)).unwrap()
    }),
    ("data moved", |s, i| call(s, i, "discard", ()).unwrap()),
    ("segments", |s, i| {
        call::<_, ()>(s, i, "extra", ()).unwrap();
        call::<_, ()>(s, i, "spare", ()).unwrap();
        call::<_, ()>(s, i, "drop", ()).unwrap();
        let error = call::<_, ()>(s, i, "extra", ()).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::MemoryOutOfBounds));
    }),
    ("slots that were lazy", |s, i| {
        assert_eq!(call::<i32, i32>(s, i, "call", 1).unwrap(), 7);
        assert_eq!(call::<i32, i32>(s, i, "call", 2).unwrap(), 8);
    }),
    ("slots", |s, i| call(s, i, "set", (5, 2)).unwrap()),
    ("tables by the host", |s, i| {
        for (name, len) in [("funcs", 6), ("eager", 2)] {
            let table = i.get_table(&mut *s, name).unwrap();
            let func = i.get_func(&mut *s, "eight").unwrap();
            table.fill(&mut *s, 0, Val::FuncRef(Some(func)), len).unwrap();
            // One of the two has a fixed length.
            assert_eq!(table.grow(&mut *s, 5, Val::FuncRef(Some(func))).is_ok(), name == "funcs");
        }
        let secret = ExternRef::new(&mut *s, "secret").unwrap();
        let refs = i.get_table(&mut *s, "refs").unwrap();
        refs.set(&mut *s, 1, Val::ExternRef(Some(secret))).unwrap();
        let global = i.get_global(&mut *s, "ref").unwrap();
        global.set(&mut *s, Val::ExternRef(Some(secret))).unwrap();
    }),
    ("functions of the host", |s, i| {
        let func = selkie::Func::wrap(&mut *s, || 99_i32);
        let table = i.get_table(&mut *s, "funcs").unwrap();
        table.set(&mut *s, 0, Val::FuncRef(Some(func))).unwrap();
        i.get_global(&mut *s, "func").unwrap().set(&mut *s, Val::FuncRef(Some(func))).unwrap();
        assert_eq!(call::<i32, i32>(s, i, "call", 0).unwrap(), 99);
    }),
    ("globals", |s, i| {
        i.get_global(&mut *s, "number").unwrap().set(&mut *s, Val::I64(9)).unwrap();
        i.get_global(&mut *s, "func").unwrap().set(&mut *s, Val::FuncRef(None)).unwrap();
    }),
    ("a trap", |s, i| {
        let error = call::<i32, i32>(s, i, "trap", 77).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::Unreachable));
    }),
    ("an error of the host", |s, i| {
        call::<i32, i32>(s, i, "trap", -1).unwrap_err();
    }),
    ("bytes through the host", |s, i| {
        let memory = i.get_memory(&mut *s, "first").unwrap();
        memory.write(&mut *s, 100_000, b"secret").unwrap();
        memory.data_mut(&mut *s)[200_000..200_006].copy_from_slice(b"secret");
        memory.range_mut(&mut *s, 9..12).unwrap().0.fill(9);
    }),
    ("a second instance in the store", |s, i| {
        let module = Module::new(
            s.engine(),
            r#"(module (import "a" "funcs" (table 6 funcref)) (import "a" "first" (memory 4 8))
                (elem (i32.const 4) $f) (data (i32.const 3) "secret")
                (func $f (result i32) (i32.const 666)))"#,
        )
        .unwrap();
        let items = ["funcs", "first"].map(|name| i.get_export(&mut *s, name).unwrap());
        Instance::new(&mut *s, &module, &items).unwrap();
        assert_eq!(call::<i32, i32>(s, i, "call", 4).unwrap(), 666);
    }),
];

fn check(config: &Config) {
    let guest = Guest::new(config);
    let (mut store, instance) = guest.instance();
    let first = seen(&mut store, instance);
    assert!(first.contains("initial") || first.contains("105"), "{first}");
    drop(store);
    // One after the other, forwards and backwards, so that each comes after several others.
    let rounds = WRITES.iter().chain(WRITES.iter().rev()).chain(WRITES);
    for (name, write) in rounds {
        let (mut store, instance) = guest.instance();
        assert_eq!(seen(&mut store, instance), first, "before {name}");
        write(&mut store, instance);
        drop(store);
        let (mut store, instance) = guest.instance();
        assert_eq!(seen(&mut store, instance), first, "after {name}");
        call::<_, ()>(&mut store, instance, "extra", ()).unwrap();
        call::<_, ()>(&mut store, instance, "spare", ()).unwrap();
    }
}

#[test]
fn a_new_instance_reads_nothing_of_a_former_one() {
    check(&Config::new());
}

#[test]
fn nor_without_guard_pages() {
    check(Config::new().guard_pages(false));
}

#[test]
fn nor_where_no_page_may_stay() {
    check(Config::new().keep_resident_bytes(0));
}

#[test]
fn nor_where_nothing_is_kept() {
    check(Config::new().max_idle_instances(0));
}

#[test]
fn nor_where_fuel_is_counted() {
    let mut config = Config::new();
    config.consume_fuel(true);
    let guest = Guest::new(&config);
    let mut left = Vec::new();
    for _ in 0..3 {
        let mut store = Store::new(&guest.engine, 0);
        assert!(guest.pre.instantiate(&mut store).is_err());
        let mut store = Store::new(&guest.engine, 0);
        store.set_fuel(1000).unwrap();
        let instance = guest.pre.instantiate(&mut store).unwrap();
        call::<i32, i32>(&mut store, instance, "call", 1).unwrap();
        left.push(store.get_fuel().unwrap());
    }
    assert!(left[0] < 1000 && left.iter().all(|fuel| *fuel == left[0]), "{left:?}");
}

#[test]
fn limits_hold_for_what_is_used_again() {
    let guest = Guest::new(&Config::new());
    for _ in 0..3 {
        drop(guest.instance());
        let tight = |limits: StoreLimits| {
            let mut store = Store::new(&guest.engine, 0);
            store.set_limits(limits);
            guest.pre.instantiate(&mut store).map(|instance| (store, instance))
        };
        let default = StoreLimits::default();
        assert!(tight(StoreLimits { memory_bytes: 262_143, ..default }).is_err());
        assert!(tight(StoreLimits { table_elements: 5, ..default }).is_err());
        assert!(tight(StoreLimits { instances: 0, ..default }).is_err());
        assert!(tight(StoreLimits { memories: 1, ..default }).is_err());
        assert!(tight(StoreLimits { tables: 2, ..default }).is_err());
        let limits = StoreLimits { memory_bytes: 5 << 16, table_elements: 7, ..default };
        let (mut store, instance) = tight(limits).unwrap();
        assert_eq!(call::<i32, i32>(&mut store, instance, "grow", 2).unwrap(), -1);
        assert_eq!(call::<i32, i32>(&mut store, instance, "grow", 1).unwrap(), 4);
        let funcs = instance.get_table(&mut store, "funcs").unwrap();
        assert!(funcs.grow(&mut store, 2, Val::FuncRef(None)).is_err());
        drop(store);
        let (mut store, instance) = guest.instance();
        assert_eq!(call::<i32, i32>(&mut store, instance, "grow", 4).unwrap(), 4);
        let funcs = instance.get_table(&mut store, "funcs").unwrap();
        assert_eq!(funcs.grow(&mut store, 2, Val::FuncRef(None)).unwrap(), 6);
    }
}

#[test]
fn stores_may_be_dropped_by_another_thread() {
    let guest = Guest::new(&Config::new());
    std::thread::scope(|scope| {
        let (send, receive) = std::sync::mpsc::sync_channel::<Store<u32>>(8);
        scope.spawn(move || receive.into_iter().for_each(drop));
        for round in 0..2000 {
            let (mut store, instance) = guest.instance();
            let memory = instance.get_memory(&mut store, "first").unwrap();
            let place = round * 131 % 262_144;
            let was = memory.data(&store)[place];
            assert!(was == 0 || (70_000..70_016).contains(&place), "{place}");
            memory.write(&mut store, place, &[1]).unwrap();
            send.send(store).unwrap();
        }
    });
}

#[test]
fn what_is_idle_can_be_counted_and_let_go() {
    let guest = Guest::new(Config::new().max_idle_instances(10));
    assert_eq!(guest.engine.idle_instances().instances, 0);
    let stores: Vec<_> = (0..20).map(|_| guest.instance()).collect();
    drop(stores);
    let idle = guest.engine.idle_instances();
    assert_eq!(idle.instances, 10);
    assert!(idle.resident_bytes > 0);
    guest.engine.trim_idle_instances();
    assert_eq!(guest.engine.idle_instances().instances, 0);
    let (mut store, instance) = guest.instance();
    assert_eq!(call::<(), i32>(&mut store, instance, "seven", ()).unwrap(), 7);
}

#[test]
fn what_the_host_gave_is_gone_with_the_instances() {
    let engine = Engine::default();
    let module = Module::new(&engine, r#"(module (import "h" "f" (func)))"#).unwrap();
    let alive = Arc::new(());
    let held = alive.clone();
    let mut linker = Linker::<()>::new(&engine);
    linker.func_wrap("h", "f", move || drop(held.clone())).unwrap();
    let pre = linker.instantiate_pre(&module).unwrap();
    drop(linker);
    let mut store = Store::new(&engine, ());
    for _ in 0..3 {
        pre.instantiate(&mut Store::new(&engine, ())).unwrap();
    }
    pre.instantiate(&mut store).unwrap();
    drop(pre);
    assert_eq!(Arc::strong_count(&alive), 2);
    drop(store);
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[test]
fn a_reference_of_a_former_store_is_refused() {
    let guest = Guest::new(&Config::new());
    let (mut store, instance) = guest.instance();
    let func = instance.get_func(&mut store, "seven").unwrap();
    let memory = instance.get_memory(&mut store, "first").unwrap();
    drop(store);
    let (mut store, _) = guest.instance();
    assert!(func.call(&mut store, &[], &mut [Val::I32(0)]).is_err());
    assert!(memory.write(&mut store, 0, b"x").is_err());
    assert!(memory.range_mut(&mut store, 0..1).is_err());
}

/// Data that no image of a memory holds, since something before it may yet end the instantiation or
/// its place is not a constant alone.
#[test]
fn data_beyond_images_is_there_again() {
    let engine = Engine::default();
    for text in [
        r#"(module (memory (export "m") 2) (table 200 funcref)
            (elem (i32.const 5) funcref (ref.null func))
            (data (i32.const 97131) "4"))"#,
        r#"(module (memory (export "m") 2) (table 200 externref)
            (elem (table 0) (i32.const 5) externref (ref.null extern))
            (data (i32.const 97131) "4"))"#,
        r#"(module (memory (export "m") 2)
            (data (i32.add (i32.const 97000) (i32.const 131)) "4"))"#,
        r#"(module (memory (export "m") 2) (global $at i32 (i32.const 97131))
            (data $passive "5") (data (global.get $at) "4"))"#,
        r#"(module (memory (export "m") 2) (table 2 funcref)
            (elem (i32.const 1) funcref (ref.null func)) (elem (i32.const 0) func 0) (func)
            (data (i32.const 97131) "x") (data (i32.const 97131) "4"))"#,
    ] {
        let module = Module::new(&engine, text).unwrap();
        let pre = Linker::new(&engine).instantiate_pre(&module).unwrap();
        for round in 0..4 {
            let mut store = Store::new(&engine, ());
            let instance = pre.instantiate(&mut store).unwrap();
            let memory = instance.get_memory(&mut store, "m").unwrap();
            let bytes = memory.data(&store);
            assert_eq!(bytes[97131], b'4', "round {round}: {text}");
            assert_eq!(bytes.iter().filter(|byte| **byte != 0).count(), 1);
            memory.write(&mut store, 97130, b"secret").unwrap();
        }
    }
}
