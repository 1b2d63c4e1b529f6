//! Group 16: traps in the middle of calls, failed instantiation, many instances, refused limits.

use selkie_engine::{
    Engine, ErrorKind, Func, Instance, Linker, Module, Result, Store, StoreLimits, Trap, Val,
};

#[test]
fn after_a_trap_the_instance_can_be_called_again() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
            (memory 1)
            (global $calls (mut i32) (i32.const 0))
            (func (export "step") (param i32) (result i32)
                (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
                (drop (i32.load (local.get 0)))
                (global.get $calls)))"#,
    )?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let step = instance.get_typed_func::<i32, i32>(&mut store, "step")?;
    for round in 0..1000 {
        let trap = step.call(&mut store, 65_533).expect_err("out of bounds").trap();
        assert_eq!(trap, Some(Trap::MemoryOutOfBounds));
        assert_eq!(step.call(&mut store, 65_532)?, 2 * round + 2);
    }
    Ok(())
}

#[test]
fn a_panic_of_a_host_function_reaches_the_caller_and_leaves_the_store_usable() -> Result<()> {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let func = Func::wrap(&mut store, |x: i32| {
        assert!(x != 0, "the host's own panic");
        x
    });
    let module = Module::new(
        &engine,
        r#"(module
            (import "" "" (func $f (param i32) (result i32)))
            (func (export "run") (param i32) (result i32) (call $f (local.get 0))))"#,
    )?;
    let instance = Instance::new(&mut store, &module, &[func.into()])?;
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run")?;
    for _ in 0..10 {
        let call = std::panic::AssertUnwindSafe(|| run.call(&mut store, 0));
        let panic = std::panic::catch_unwind(call).expect_err("the panic passes through");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"the host's own panic"));
        assert_eq!(run.call(&mut store, 7)?, 7);
    }
    Ok(())
}

#[test]
fn errors_of_host_functions_keep_their_type_through_guest_frames() -> Result<()> {
    #[derive(Debug)]
    struct Told(u32);
    impl std::fmt::Display for Told {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "told {}", self.0)
        }
    }
    impl std::error::Error for Told {}

    let engine = Engine::default();
    let mut linker: Linker<()> = Linker::new(&engine);
    linker.func_wrap("", "f", || -> Result<()> { Err(Told(7).into()) })?;
    let module = Module::new(
        &engine,
        r#"(module (import "" "f" (func $f)) (func $inner call $f nop) (func (export "run") call $inner))"#,
    )?;
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module)?;
    let run = instance.get_typed_func::<(), ()>(&mut store, "run")?;
    let error = run.call(&mut store, ()).expect_err("the host refuses");
    assert_eq!(error.kind(), ErrorKind::Host);
    assert_eq!(error.downcast_ref::<Told>().map(|told| told.0), Some(7));
    let names: Vec<_> = error.backtrace().expect("guest frames").frames().iter().collect();
    assert_eq!(names.len(), 2, "inner and run: {error:?}");
    Ok(())
}

#[test]
fn what_a_failed_instantiation_wrote_before_stays() -> Result<()> {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let owner =
        Module::new(&engine, r#"(module (memory (export "m") 1) (table (export "t") 4 funcref))"#)?;
    let owner = Instance::new(&mut store, &owner, &[])?;
    let memory = owner.get_memory(&mut store, "m").expect("exported");
    let table = owner.get_table(&mut store, "t").expect("exported");
    let failing = Module::new(
        &engine,
        r#"(module
            (import "o" "m" (memory 1)) (import "o" "t" (table 4 funcref))
            (func $f (result i32) i32.const 99)
            (elem (i32.const 1) $f)
            (data (i32.const 0) "kept")
            (data (i32.const 65535) "too long"))"#,
    )?;
    let imports = [memory.into(), table.into()];
    let error = Instance::new(&mut store, &failing, &imports).expect_err("a segment is too long");
    assert_eq!(error.trap(), Some(Trap::MemoryOutOfBounds));
    let mut bytes = [0; 4];
    memory.read(&store, 0, &mut bytes)?;
    assert_eq!(&bytes, b"kept");
    // The function belongs to an instance that never became visible, and still runs.
    let Some(Val::FuncRef(Some(func))) = table.get(&mut store, 1) else {
        panic!("the element was written");
    };
    drop(failing);
    assert_eq!(func.typed::<(), i32>(&store)?.call(&mut store, ())?, 99);
    Ok(())
}

#[test]
fn a_hundred_thousand_stores_leave_nothing_behind() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
            (memory 1) (table 8 funcref) (data (i32.const 0) "x")
            (func $f (export "run") (result i32) (i32.load8_u (i32.const 0))) (elem (i32.const 0) $f))"#,
    )?;
    let linker: Linker<()> = Linker::new(&engine);
    let pre = linker.instantiate_pre(&module)?;
    let cycle = |count: usize| -> Result<()> {
        for _ in 0..count {
            let mut store = Store::new(&engine, ());
            let instance = pre.instantiate(&mut store)?;
            let run = instance.get_typed_func::<(), i32>(&mut store, "run")?;
            assert_eq!(run.call(&mut store, ())?, i32::from(b'x'));
        }
        Ok(())
    };
    cycle(1000)?;
    let (before, maps_before) = (resident_pages()?, mappings()?);
    cycle(100_000)?;
    let (after, maps_after) = (resident_pages()?, mappings()?);
    assert!(after < before + 2048, "{before} pages grew to {after}");
    assert!(maps_after <= maps_before + 8, "{maps_before} mappings grew to {maps_after}");
    Ok(())
}

fn resident_pages() -> Result<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    Ok(statm.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("the kernel writes a number"))
}

fn mappings() -> Result<usize> {
    Ok(std::fs::read_to_string("/proc/self/maps")?.lines().count())
}

#[test]
fn limits_of_a_store_are_errors_for_the_host_and_minus_one_for_the_guest() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
            (memory 1) (table 10 funcref)
            (func (export "memory") (param i32) (result i32) (memory.grow (local.get 0)))
            (func (export "table") (param i32) (result i32)
                (table.grow (ref.null func) (local.get 0))))"#,
    )?;
    let limits = StoreLimits {
        memory_bytes: 4 << 16,
        table_elements: 20,
        instances: 2,
        ..StoreLimits::default()
    };
    let mut store = Store::new(&engine, ());
    store.set_limits(limits);
    let instance = Instance::new(&mut store, &module, &[])?;
    let grow = instance.get_typed_func::<i32, i32>(&mut store, "memory")?;
    assert_eq!(grow.call(&mut store, 3)?, 1);
    assert_eq!(grow.call(&mut store, 1)?, -1);
    assert_eq!(grow.call(&mut store, -1)?, -1);
    assert_eq!(grow.call(&mut store, 0)?, 4);
    let grow = instance.get_typed_func::<i32, i32>(&mut store, "table")?;
    assert_eq!(grow.call(&mut store, 10)?, 10);
    assert_eq!(grow.call(&mut store, 1)?, -1);
    assert_eq!(grow.call(&mut store, 0)?, 20);
    Instance::new(&mut store, &module, &[])?;
    let error = Instance::new(&mut store, &module, &[]).expect_err("the third instance");
    assert_eq!(error.kind(), ErrorKind::Limit);
    let large = Module::new(&engine, "(module (memory 5))")?;
    let mut store = Store::new(&engine, ());
    store.set_limits(limits);
    let error = Instance::new(&mut store, &large, &[]).expect_err("larger than the limit");
    assert_eq!(error.kind(), ErrorKind::Limit);
    Ok(())
}

#[test]
fn handles_of_another_store_are_refused() -> Result<()> {
    let engine = Engine::default();
    let mut ours = Store::new(&engine, ());
    let mut theirs = Store::new(&engine, ());
    let func = Func::wrap(&mut theirs, || 1i32);
    let mut results = [Val::I32(0)];
    assert!(func.call(&mut ours, &[], &mut results).is_err());
    let module = Module::new(&engine, r#"(module (import "" "" (func (result i32))))"#)?;
    assert!(Instance::new(&mut ours, &module, &[func.into()]).is_err());
    Ok(())
}

#[test]
fn modules_of_another_engine_are_refused() -> Result<()> {
    let module = Module::new(&Engine::default(), "(module)")?;
    let mut store = Store::new(&Engine::default(), ());
    let error = Instance::new(&mut store, &module, &[]).expect_err("two engines");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    Ok(())
}
