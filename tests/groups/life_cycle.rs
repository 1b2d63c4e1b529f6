//! From instantiation to drop, over and over: traps in between, limits, memory that runs out.

// What a test builds on must be there.
#![allow(clippy::unwrap_used)]

use selkie::{
    Caller, Config, Engine, Error, ErrorKind, Instance, InstancePre, Linker, Memory, Module, Store,
    StoreLimits, Trap,
};
use selkie_tests::process::{Footprint, goes_on_alone, is_alone, run_alone};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

const MODULE: &str = r#"(module
    (import "host" "poke" (func $poke (param i32) (result i32)))
    (memory (export "memory") 1 4) (table 10 funcref) (elem (i32.const 1) $f)
    (data (i32.const 100) "initial")
    (global $g (mut i32) (i32.const 7))
    (func $f (result i32) global.get $g)
    (func (export "trap") (param i32) (result i32)
        i32.const 100  i32.const 1  i32.store8
        global.get $g  i32.const 1  i32.add  global.set $g
        local.get 0  if  unreachable  end
        i32.const 1  call_indirect (result i32))
    (func (export "host") (param i32) (result i32) local.get 0 call $poke)
    (func (export "grow") (param i32) (result i32) local.get 0 memory.grow))"#;

fn linker(engine: &Engine) -> Linker<u32> {
    let mut linker = Linker::new(engine);
    let poke = |mut caller: Caller<'_, u32>, x: i32| -> Result<i32, Error> {
        *caller.data_mut() += 1;
        if x < 0 { Err(Error::msg("refused")) } else { Ok(x + 1) }
    };
    linker.func_wrap("host", "poke", poke).unwrap();
    linker
}

#[test]
fn after_a_trap_the_instance_goes_on_with_what_it_wrote() {
    let engine = Engine::default();
    let module = Module::new(&engine, MODULE).unwrap();
    let mut store = Store::new(&engine, 0);
    let instance = linker(&engine).instantiate(&mut store, &module).unwrap();
    let trap = instance.get_typed_func::<i32, i32>(&mut store, "trap").unwrap();
    let host = instance.get_typed_func::<i32, i32>(&mut store, "host").unwrap();
    for round in 0..100 {
        let error = trap.call(&mut store, 1).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::Unreachable));
        let error = host.call(&mut store, -1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Host);
        assert_eq!(host.call(&mut store, 1).unwrap(), 2);
        assert_eq!(trap.call(&mut store, 0).unwrap(), 7 + 2 * (round + 1));
    }
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    assert_eq!(&memory.data(&store)[100..107], b"\x01nitial");
    assert_eq!(*store.data(), 200);
}

#[test]
fn a_million_instances_leave_nothing_behind() {
    // Alone, because the footprint is the process's.
    if !goes_on_alone("a_million_instances_leave_nothing_behind") {
        return;
    }
    let engine = Engine::default();
    let module = Module::new(&engine, MODULE).unwrap();
    let pre = linker(&engine).instantiate_pre(&module).unwrap();
    let once = || {
        let mut store = Store::new(&engine, 0);
        let instance = pre.instantiate(&mut store).unwrap();
        instance
            .get_typed_func::<i32, i32>(&mut store, "host")
            .unwrap()
            .call(&mut store, 1)
            .unwrap()
    };
    leaves_nothing(1_000_000, |_| assert_eq!(once(), 2));
}

/// Does something so often, and asserts that nothing is left of it.
fn leaves_nothing(times: usize, mut once: impl FnMut(usize)) {
    (0..1000.min(times / 10)).for_each(&mut once);
    let before = Footprint::now();
    (0..times).for_each(once);
    let after = Footprint::now();
    assert!(after.bytes < before.bytes + (8 << 20), "{before:?} before, {after:?} after");
    assert!(after.mappings < before.mappings + 20, "{before:?} before, {after:?} after");
    assert!(after.files <= before.files, "{before:?} before, {after:?} after");
}

/// What makes instances, and what becomes of them: another thing for each number.
struct Fates {
    engine: Engine,
    pre: InstancePre<u32>,
}

impl Fates {
    fn new(config: &mut Config) -> Fates {
        let engine = Engine::new(config.epoch_interruption(true)).unwrap();
        let module = Module::new(&engine, MODULE).unwrap();
        let mut linker = linker(&engine);
        linker.allow_shadowing(true);
        // As `poke`, but a call with 77 waits for ever.
        linker
            .func_wrap_async("host", "poke", |_: Caller<'_, u32>, (x,): (i32,)| {
                Box::new(async move {
                    if x == 77 {
                        std::future::pending::<()>().await;
                    }
                    if x < 0 { Err(Error::msg("refused")) } else { Ok(x + 1) }
                })
            })
            .unwrap();
        let pre = linker.instantiate_pre(&module).unwrap();
        Fates { engine, pre }
    }

    /// The pre of a snapshot of an instance that has been used.
    fn snapshot(&self) -> InstancePre<u32> {
        let mut store = Store::new(&self.engine, 0);
        let instance = self.pre.instantiate(&mut store).unwrap();
        instance
            .get_typed_func::<i32, i32>(&mut store, "grow")
            .unwrap()
            .call(&mut store, 1)
            .unwrap();
        instance.snapshot(&mut store).unwrap()
    }

    fn once(&self, number: usize, pre: &InstancePre<u32>) {
        let mut store = Store::new(&self.engine, 0);
        let instance = pre.instantiate(&mut store).unwrap();
        let mut func = |name| instance.get_typed_func::<i32, i32>(&mut store, name).unwrap();
        let (trap, host, grow) = (func("trap"), func("host"), func("grow"));
        match number % 8 {
            0 => assert_eq!(trap.call(&mut store, 0).unwrap(), 8),
            1 => assert!(trap.call(&mut store, 1).is_err()),
            // An asynchronous function in a synchronous call is refused.
            2 => assert!(host.call(&mut store, -1).is_err()),
            3 => {
                let memory = instance.get_memory(&mut store, "memory").unwrap();
                assert!(grow.call(&mut store, 2).unwrap() > 0);
                memory.data_mut(&mut store)[150_000] = 1;
            }
            4 => {
                store.interrupt_handle().unwrap().interrupt();
                assert_eq!(trap.call(&mut store, 0).unwrap_err().trap(), Some(Trap::Interrupt));
            }
            // Refused by the host; pending for ever, and dropped; never begun.
            5 => assert!(matches!(
                poll(&mut pin!(host.call_async(&mut store, -1))),
                Poll::Ready(Err(_))
            )),
            6 => assert!(poll(&mut pin!(host.call_async(&mut store, 77))).is_pending()),
            _ => drop(host.call_async(&mut store, 77)),
        }
    }
}

fn poll<F: Future>(future: &mut Pin<&mut F>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn instances_that_end_in_every_way_leave_nothing_behind() {
    if !goes_on_alone("instances_that_end_in_every_way_leave_nothing_behind") {
        return;
    }
    let fates = Fates::new(&mut Config::new());
    leaves_nothing(1_000_000, |number| fates.once(number, &fates.pre));
    let snapshot = fates.snapshot();
    leaves_nothing(300_000, |number| fates.once(number, &snapshot));
}

#[test]
fn nor_do_those_that_nothing_is_kept_of() {
    if !goes_on_alone("nor_do_those_that_nothing_is_kept_of") {
        return;
    }
    for config in [
        Config::new().max_idle_instances(0),
        Config::new().max_idle_instances(0).guard_pages(false),
        Config::new().keep_resident_bytes(0),
    ] {
        let fates = Fates::new(config);
        leaves_nothing(20_000, |number| fates.once(number, &fates.pre));
        let snapshot = fates.snapshot();
        leaves_nothing(20_000, |number| fates.once(number, &snapshot));
    }
}

#[test]
fn nor_do_snapshots_and_forks() {
    if !goes_on_alone("nor_do_snapshots_and_forks") {
        return;
    }
    for config in [&mut Config::new(), Config::new().guard_pages(false)] {
        let fates = Fates::new(config);
        leaves_nothing(5_000, |number| {
            let snapshot = fates.snapshot();
            fates.once(number, &snapshot);
            let mut store = Store::new(&fates.engine, 0);
            let instance = snapshot.instantiate(&mut store).unwrap();
            let (mut copy, fork) = instance.fork(&mut store, 0).unwrap();
            drop(store);
            fork.get_memory(&mut copy, "memory").unwrap().write(&mut copy, 9, b"x").unwrap();
            drop(fork.fork(&mut copy, 0).unwrap());
        });
    }
}

#[test]
fn nor_do_those_without_room_for_guards() {
    if !goes_on_alone("nor_do_those_without_room_for_guards") {
        return;
    }
    let fates = Fates::new(&mut Config::new());
    // Others have all the room: more than half of the mappings that a process has where nobody says.
    let many =
        Module::new(&fates.engine, format!("(module {})", "(memory 1)".repeat(100))).unwrap();
    let mut crowd = Store::new(&fates.engine, ());
    for _ in 0..21 {
        Instance::new(&mut crowd, &many, &[]).unwrap();
    }
    leaves_nothing(100_000, |number| fates.once(number, &fates.pre));
    let snapshot = fates.snapshot();
    leaves_nothing(100_000, |number| fates.once(number, &snapshot));
    // With room again, those that are kept and new ones take turns.
    drop(crowd);
    let mut kept = Vec::new();
    leaves_nothing(50_000, |number| {
        fates.once(number, &fates.pre);
        if number % 100 == 0 {
            let mut store = Store::new(&fates.engine, 0);
            fates.pre.instantiate(&mut store).unwrap();
            kept.push(store);
            if kept.len() > 5 {
                kept.remove(0);
            }
        }
    });
}

#[test]
fn many_modules_leave_nothing_behind() {
    if !goes_on_alone("many_modules_leave_nothing_behind") {
        return;
    }
    let engine = Engine::default();
    let once = || {
        let module = Module::new(&engine, MODULE).unwrap();
        let mut store = Store::new(&engine, 0);
        let instance = linker(&engine).instantiate(&mut store, &module).unwrap();
        let trap = instance.get_typed_func::<i32, i32>(&mut store, "trap").unwrap();
        assert!(trap.call(&mut store, 1).is_err());
    };
    (0..100).for_each(|_| once());
    let before = Footprint::now();
    (0..3000).for_each(|_| once());
    let after = Footprint::now();
    assert!(after.bytes < before.bytes + (16 << 20), "{before:?} before, {after:?} after");
    assert!(after.mappings < before.mappings + 20, "{before:?} before, {after:?} after");
}

#[test]
fn a_new_instance_sees_nothing_of_the_one_before() {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module (memory (export "memory") 2 100) (table (export "table") 4 20 externref)
            (global (export "g") (mut i64) (i64.const 1)) (data (i32.const 70000) "start"))"#,
    )
    .unwrap();
    for _ in 0..50 {
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        assert_eq!(memory.size(&store), 2);
        let data = memory.data(&store);
        assert!(data[..70000].iter().chain(&data[70005..]).all(|byte| *byte == 0));
        assert_eq!(&data[70000..70005], b"start");
        memory.grow(&mut store, 60).unwrap();
        assert!(memory.data(&store)[2 << 16..].iter().all(|byte| *byte == 0));
        memory.data_mut(&mut store).fill(0xaa);
        let table = instance.get_table(&mut store, "table").unwrap();
        assert_eq!(table.size(&store), 4);
        let secret = selkie::ExternRef::new(&mut store, "secret").unwrap();
        for at in 0..4 {
            assert!(matches!(table.get(&mut store, at), Some(selkie::Val::ExternRef(None))));
            table.set(&mut store, at, secret.into()).unwrap();
        }
        let global = instance.get_global(&mut store, "g").unwrap();
        assert_eq!(global.get(&mut store).i64(), Some(1));
        global.set(&mut store, 99_i64.into()).unwrap();
    }
}

#[test]
fn what_is_dropped_first_does_not_matter() {
    for order in 0..3 {
        let engine = Engine::default();
        let module = Module::new(&engine, MODULE).unwrap();
        let linker = linker(&engine);
        let pre = linker.instantiate_pre(&module).unwrap();
        let mut store = Store::new(&engine, 0);
        let instance = pre.instantiate(&mut store).unwrap();
        let trap = instance.get_typed_func::<i32, i32>(&mut store, "trap").unwrap();
        match order {
            0 => drop((engine, linker, pre, module)),
            1 => drop((module, pre, linker, engine)),
            _ => drop((pre, module)),
        }
        assert_eq!(trap.call(&mut store, 0).unwrap(), 8);
        let error = trap.call(&mut store, 1).unwrap_err();
        drop(store);
        // The error outlives all that it speaks of.
        assert!(format!("{error:?}").contains("unreachable"), "{error:?}");
    }
}

#[test]
fn the_embedders_data_and_closures_are_dropped_once() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let counted = || Counted(drops.clone());
    let engine = Engine::default();
    let module = Module::new(&engine, r#"(module (import "h" "f" (func $f)) (start $f))"#).unwrap();
    {
        let mut linker: Linker<Counted> = Linker::new(&engine);
        let captured = counted();
        linker
            .func_wrap("h", "f", move || {
                let _ = &captured;
            })
            .unwrap();
        let mut store = Store::new(&engine, counted());
        selkie::ExternRef::new(&mut store, counted()).unwrap();
        linker.instantiate(&mut store, &module).unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 0);
    }
    assert_eq!(drops.load(Ordering::Relaxed), 3);
}

#[test]
fn a_failed_instantiation_leaves_the_store_usable() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, 0);
    let linker = linker(&engine);
    for (text, expected) in [
        (r#"(module (memory 1) (data (i32.const 65536) "x"))"#, Some(Trap::MemoryOutOfBounds)),
        (
            "(module (table 1 funcref) (func $f) (elem (i32.const 1) $f))",
            Some(Trap::TableOutOfBounds),
        ),
        ("(module (func $f unreachable) (start $f))", Some(Trap::Unreachable)),
        (r#"(module (import "host" "absent" (func)))"#, None),
        (r#"(module (import "host" "poke" (func)))"#, None),
    ] {
        let module = Module::new(&engine, text).unwrap();
        let error = linker.instantiate(&mut store, &module).unwrap_err();
        assert_eq!(error.trap(), expected, "{text}: {error}");
        if expected.is_none() {
            assert_eq!(error.kind(), ErrorKind::Link, "{text}: {error}");
        }
    }
    let module = Module::new(&engine, MODULE).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let host = instance.get_typed_func::<i32, i32>(&mut store, "host").unwrap();
    assert_eq!(host.call(&mut store, 1).unwrap(), 2);
}

#[test]
fn the_limits_of_a_store_hold() {
    let engine = Engine::default();
    let module = Module::new(&engine, MODULE).unwrap();
    let linker = linker(&engine);
    let mut store = Store::new(&engine, 0);
    store.set_limits(StoreLimits { memory_bytes: 2 << 16, ..StoreLimits::default() });
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let grow = instance.get_typed_func::<i32, i32>(&mut store, "grow").unwrap();
    assert_eq!(grow.call(&mut store, 1).unwrap(), 1);
    assert_eq!(grow.call(&mut store, 1).unwrap(), -1);
    assert_eq!(grow.call(&mut store, 0).unwrap(), 2);
    let limited = |limits: StoreLimits| {
        let mut store = Store::new(&engine, 0);
        store.set_limits(limits);
        linker.instantiate(&mut store, &module).map(|_| store)
    };
    for limits in [
        StoreLimits { memory_bytes: 65535, ..StoreLimits::default() },
        StoreLimits { table_elements: 9, ..StoreLimits::default() },
        StoreLimits { instances: 0, ..StoreLimits::default() },
        StoreLimits { memories: 0, ..StoreLimits::default() },
        StoreLimits { tables: 0, ..StoreLimits::default() },
    ] {
        let error = limited(limits).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit, "{limits:?}: {error}");
    }
    let one = StoreLimits { instances: 1, ..StoreLimits::default() };
    let mut store = limited(one).unwrap();
    assert!(linker.instantiate(&mut store, &module).is_err());
}

#[test]
fn address_space_that_runs_out_is_an_error() {
    if !is_alone() {
        // Address space for less than one memory, for a few, for many.
        for kib in [3_000_000, 6_000_000, 20_000_000] {
            let shell = format!("ulimit -v {kib};");
            let output = run_alone("address_space_that_runs_out_is_an_error", &shell);
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{kib} KiB: {:?} {said}", output.status);
        }
        return;
    }
    let mut config = Config::new();
    config.max_wasm_stack_bytes(1 << 20);
    let engine = Engine::new(&config).unwrap();
    let module = Module::new(&engine, r#"(module (memory (export "m") 1))"#).unwrap();
    let mut stores = Vec::new();
    let mut memories = Vec::new();
    let error = loop {
        let mut store = match Store::try_new(&engine, ()) {
            Ok(store) => store,
            Err(error) => break error,
        };
        match Instance::new(&mut store, &module, &[]) {
            Ok(instance) => {
                memories.push(instance.get_memory(&mut store, "m").unwrap());
                stores.push(store);
            }
            Err(error) => break error,
        }
        if stores.len() > 100 {
            // Without limits on address space the system gives it all.
            return;
        }
    };
    assert_eq!(error.kind(), ErrorKind::Limit, "{error:?}");
    for (store, memory) in stores.iter_mut().zip(&memories) {
        check_usable(store, *memory);
    }
}

fn check_usable(store: &mut Store<()>, memory: Memory) {
    memory.write(&mut *store, 0, b"usable").unwrap();
    assert_eq!(&memory.data(&*store)[..6], b"usable");
    // Growth needs address space of its own only where the memory moves; either answer is right.
    drop(memory.grow(&mut *store, 10));
    assert_eq!(&memory.data(&*store)[..6], b"usable");
}
