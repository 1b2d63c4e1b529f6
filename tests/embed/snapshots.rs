//! Snapshots and forks of instances.

use selkie::{
    Caller, Config, Engine, ErrorKind, Func, Instance, Linker, Module, Store, StoreLimits, Val,
};

const COUNTER: &str = r#"(module
    (import "host" "id" (func $id (result i32)))
    (type $answer (func (result i32)))
    (memory (export "memory") 1 10)
    (table $funcs (export "funcs") 2 10 funcref)
    (elem (i32.const 0) $one)
    (elem $spare func $two)
    (data $extra "extra")
    (global $count (export "count") (mut i32) (i32.const 0))
    (global $last (mut funcref) (ref.null func))
    (global $unseen (mut f64) (f64.const 0.5))
    (start $started)
    (func $started (i32.store (i32.const 60000) (i32.add (i32.load (i32.const 60000)) (i32.const 1))))
    (func $one (result i32) (i32.const 1))
    (func $two (result i32) (i32.const 2))
    (func (export "boot")
        (drop (memory.grow (i32.const 2)))
        (drop (table.grow $funcs (ref.func $two) (i32.const 3)))
        (table.set $funcs (i32.const 0) (ref.null func))
        (global.set $last (ref.func $two))
        (global.set $unseen (f64.const 6.25))
        (i32.store (i32.const 150000) (i32.const 4711))
        (data.drop $extra) (elem.drop $spare))
    (func (export "next") (result i32)
        (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (call $id)))
        (global.get $count))
    (func (export "sum") (result i32) (i32.load (i32.const 8)))
    (func (export "starts") (result i32) (i32.load (i32.const 60000)))
    (func (export "far") (result i32) (i32.load (i32.const 150000)))
    (func (export "unseen") (result f64) (global.get $unseen))
    (func (export "extra") (memory.init $extra (i32.const 0) (i32.const 0) (i32.const 1)))
    (func (export "call") (param i32) (result i32)
        (call_indirect $funcs (type $answer) (local.get 0)))
    (func (export "set") (param i32) (table.set $funcs (local.get 0) (global.get $last))))"#;

fn booted(config: &Config) -> (Engine, Store<i32>, Instance) {
    let engine = Engine::new(config).unwrap();
    let module = Module::new(&engine, COUNTER).unwrap();
    let mut linker = Linker::new(&engine);
    linker.func_wrap("host", "id", |caller: Caller<'_, i32>| *caller.data()).unwrap();
    let mut store = Store::new(&engine, 100);
    let instance = linker.instantiate(&mut store, &module).unwrap();
    instance.get_typed_func::<(), ()>(&mut store, "boot").unwrap().call(&mut store, ()).unwrap();
    (engine, store, instance)
}

fn ask(store: &mut Store<i32>, instance: Instance, name: &str) -> i32 {
    instance.get_typed_func::<(), i32>(&mut *store, name).unwrap().call(store, ()).unwrap()
}

fn element(store: &mut Store<i32>, instance: Instance, index: i32) -> Option<i32> {
    instance.get_typed_func::<i32, i32>(&mut *store, "call").unwrap().call(store, index).ok()
}

fn configs() -> [Config; 4] {
    let with = |change: fn(&mut Config) -> &mut Config| {
        let mut config = Config::new();
        change(&mut config);
        config
    };
    [
        Config::new(),
        with(|c| c.guard_pages(false)),
        with(|c| c.max_idle_instances(0)),
        with(|c| c.keep_resident_bytes(0)),
    ]
}

#[test]
fn instances_of_a_snapshot_go_on_where_it_was_taken() {
    for config in configs() {
        let (engine, mut store, instance) = booted(&config);
        assert_eq!(ask(&mut store, instance, "next"), 1);
        let snapshot = instance.snapshot(&mut store).unwrap();
        assert_eq!(ask(&mut store, instance, "next"), 2);
        for id in 1..20 {
            let mut copy = Store::new(&engine, id);
            let fork = snapshot.instantiate(&mut copy).unwrap();
            assert_eq!(ask(&mut copy, fork, "next"), 2);
            assert_eq!(ask(&mut copy, fork, "next"), 3);
            assert_eq!(ask(&mut copy, fork, "sum"), 100 + 2 * id);
            assert_eq!(ask(&mut copy, fork, "far"), 4711);
            assert_eq!(ask(&mut copy, fork, "starts"), 1);
            let unseen = fork.get_typed_func::<(), f64>(&mut copy, "unseen").unwrap();
            assert_eq!(unseen.call(&mut copy, ()).unwrap(), 6.25);
            let memory = fork.get_memory(&mut copy, "memory").unwrap();
            assert_eq!(memory.size(&copy), 3);
            assert_eq!(memory.grow(&mut copy, 7).unwrap(), 3);
            assert!(memory.grow(&mut copy, 1).is_err());
            let elements: Vec<_> = (0..6).map(|i| element(&mut copy, fork, i)).collect();
            assert_eq!(elements, [None, None, Some(2), Some(2), Some(2), None]);
            fork.get_typed_func::<i32, ()>(&mut copy, "set").unwrap().call(&mut copy, 0).unwrap();
            assert_eq!(element(&mut copy, fork, 0), Some(2));
            let extra = fork.get_typed_func::<(), ()>(&mut copy, "extra").unwrap();
            assert!(extra.call(&mut copy, ()).is_err());
        }
        assert_eq!(ask(&mut store, instance, "next"), 3);
        assert_eq!(ask(&mut store, instance, "sum"), 300);
    }
}

#[test]
fn a_fork_of_a_fork_of_one_that_is_gone_knows_everything() {
    let (_, mut store, instance) = booted(&Config::new());
    let (mut first, one) = instance.fork(&mut store, 1).unwrap();
    drop(store);
    ask(&mut first, one, "next");
    let (mut second, two) = one.fork(&mut first, 10).unwrap();
    drop(first);
    ask(&mut second, two, "next");
    assert_eq!(ask(&mut second, two, "sum"), 11);
    assert_eq!(ask(&mut second, two, "next"), 3);
    assert_eq!(second.into_data(), 10);
}

#[test]
fn threads_fork_at_once() {
    let (engine, mut store, instance) = booted(&Config::new());
    let snapshot = instance.snapshot(&mut store).unwrap();
    std::thread::scope(|scope| {
        for id in 0..4 {
            let (engine, snapshot) = (engine.clone(), snapshot.clone());
            scope.spawn(move || {
                for _ in 0..500 {
                    let mut copy = Store::new(&engine, id);
                    let fork = snapshot.instantiate(&mut copy).unwrap();
                    assert_eq!(ask(&mut copy, fork, "next"), 1);
                    assert_eq!(ask(&mut copy, fork, "sum"), id);
                }
            });
        }
    });
}

#[test]
fn a_snapshot_can_be_taken_inside_a_call() {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module (import "h" "now" (func $now)) (global $g (export "g") (mut i32) (i32.const 1))
            (func (export "run") (global.set $g (i32.const 2)) (call $now)
                (global.set $g (i32.const 3))))"#,
    )
    .unwrap();
    type Kept = Option<selkie::InstancePre<Taken>>;
    struct Taken(Kept);
    let mut linker = Linker::<Taken>::new(&engine);
    linker
        .func_wrap("h", "now", |mut caller: Caller<'_, Taken>| {
            let instance = caller.instance().unwrap();
            let snapshot = instance.snapshot(&mut caller)?;
            caller.data_mut().0 = Some(snapshot);
            Ok::<(), selkie::Error>(())
        })
        .unwrap();
    let mut store = Store::new(&engine, Taken(None));
    let instance = linker.instantiate(&mut store, &module).unwrap();
    instance.get_typed_func::<(), ()>(&mut store, "run").unwrap().call(&mut store, ()).unwrap();
    let snapshot = store.data_mut().0.take().unwrap();
    let mut copy = Store::new(&engine, Taken(None));
    let fork = snapshot.instantiate(&mut copy).unwrap();
    let global = fork.get_global(&mut copy, "g").unwrap();
    assert_eq!(global.get(&mut copy).i32(), Some(2));
}

#[test]
fn limits_hold_for_copies() {
    let (engine, mut store, instance) = booted(&Config::new());
    let snapshot = instance.snapshot(&mut store).unwrap();
    for _ in 0..2 {
        let mut tight = Store::new(&engine, 1);
        tight.set_limits(StoreLimits { memory_bytes: 2 << 16, ..StoreLimits::default() });
        let error = snapshot.instantiate(&mut tight).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
        let mut copy = Store::new(&engine, 1);
        snapshot.instantiate(&mut copy).unwrap();
    }
}

#[test]
fn what_belongs_to_a_store_is_refused_by_name() {
    let engine = Engine::default();
    let refused = |text: &str, change: fn(&mut Store<()>, Instance)| {
        let module = Module::new(&engine, text).unwrap();
        let mut store = Store::new(&engine, ());
        let mut linker = Linker::new(&engine);
        let func = Func::wrap(&mut store, || 1_i32);
        linker.define(&mut store, "s", "f", func).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        change(&mut store, instance);
        let error = instance.snapshot(&mut store).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        error.to_string()
    };
    let nothing: fn(&mut Store<()>, Instance) = |_, _| {};
    for (text, change, word) in [
        (r#"(module (import "s" "f" (func (result i32))))"#, nothing, "imports"),
        (r#"(module (memory 1 1 shared))"#, nothing, "threads"),
        (r#"(module (type $s (struct)) (func (drop (struct.new $s))))"#, nothing, "heap"),
        (
            r#"(module (table (export "t") 2 funcref))"#,
            |store, instance| {
                let func = Func::wrap(&mut *store, || 1_i32);
                let table = instance.get_table(&mut *store, "t").unwrap();
                table.set(&mut *store, 1, Val::FuncRef(Some(func))).unwrap();
            },
            "element (number 1)",
        ),
        (
            r#"(module (global (export "g") (mut funcref) (ref.null func)))"#,
            |store, instance| {
                let func = Func::wrap(&mut *store, || 1_i32);
                let global = instance.get_global(&mut *store, "g").unwrap();
                global.set(&mut *store, Val::FuncRef(Some(func))).unwrap();
            },
            "global (number 0",
        ),
    ] {
        let message = refused(text, change);
        assert!(message.contains(word), "{message}");
    }
    let (_, mut store, instance) = booted(&Config::new());
    let (mut other, _) = instance.fork(&mut store, 1).unwrap();
    assert!(instance.snapshot(&mut other).is_err());
}
