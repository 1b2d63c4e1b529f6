//! Group 5: deep recursion, through every kind of frame, is a trap at one limit; afterwards
//! everything goes on working.

use selkie_engine::{Caller, Config, Engine, Func, Instance, Linker, Module, Result, Store, Trap};

fn run(engine: &Engine, text: &str) -> Result<()> {
    let module = Module::new(engine, text)?;
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    instance.get_typed_func::<(), ()>(&mut store, "run")?.call(&mut store, ())
}

fn overflows(engine: &Engine, text: &str) {
    let error = run(engine, text).expect_err("the recursion has no end");
    assert_eq!(error.trap(), Some(Trap::StackOverflow), "{error}");
}

#[test]
fn endless_direct_recursion_traps() {
    overflows(&Engine::default(), r#"(module (func $f (export "run") call $f call $f))"#);
}

#[test]
fn endless_mutual_recursion_traps() {
    let text = r#"(module
        (func $a (export "run") call $b call $b)
        (func $b call $a call $a))"#;
    overflows(&Engine::default(), text);
}

#[test]
fn endless_indirect_recursion_traps() {
    let text = r#"(module
        (table funcref (elem $f))
        (func $f (export "run") (call_indirect (i32.const 0)) (call_indirect (i32.const 0))))"#;
    overflows(&Engine::default(), text);
}

#[test]
fn frames_larger_than_the_guard_trap() {
    // 40,000 live locals make a frame of several hundred kilobytes.
    let mut text = String::from("(module (func $f (export \"run\") (local i64) ");
    text.push_str(&"(local i64)".repeat(40_000));
    text.push_str("(drop (call $g (i32.const 1))))\n (func $g (param i32) (result i64)");
    text.push_str(&"(local i64)".repeat(40_000));
    for i in 1..40_000 {
        text.push_str(&format!("(local.set {i} (i64.extend_i32_u (local.get 0)))"));
    }
    text.push_str("(drop (call $g (local.get 0)))");
    text.push_str("(i64.const 0)");
    for i in 1..2_000 {
        text.push_str(&format!("(i64.add (local.get {i}))"));
    }
    text.push_str("))");
    overflows(&Engine::default(), &text);
}

#[test]
fn a_start_function_that_recurses_traps() {
    let text = r#"(module (func $f call $f call $f) (start $f) (func (export "run")))"#;
    overflows(&Engine::default(), text);
}

#[test]
fn recursion_through_the_host_traps_and_the_store_lives_on() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
            (import "host" "again" (func $again))
            (func (export "run") call $again)
            (func (export "answer") (result i32) i32.const 42))"#,
    )?;
    let mut linker: Linker<u64> = Linker::new(&engine);
    linker.func_wrap("host", "again", |mut caller: Caller<'_, u64>| -> Result<()> {
        *caller.data_mut() += 1;
        let run = caller.get_export("run").and_then(|e| e.into_func()).expect("exported");
        run.typed::<(), ()>(&caller)?.call(&mut caller, ())
    })?;
    let mut store = Store::new(&engine, 0);
    let instance = linker.instantiate(&mut store, &module)?;
    let run = instance.get_typed_func::<(), ()>(&mut store, "run")?;
    for _ in 0..3 {
        *store.data_mut() = 0;
        let error = run.call(&mut store, ()).expect_err("the recursion has no end");
        assert_eq!(error.trap(), Some(Trap::StackOverflow), "{error}");
        assert!(*store.data() > 10, "only {} levels", store.data());
    }
    let answer = instance.get_typed_func::<(), i32>(&mut store, "answer")?;
    assert_eq!(answer.call(&mut store, ())?, 42);
    Ok(())
}

const DEPTH: &str = r#"(module
    (func $deep (export "deep") (param i32) (result i32)
        (if (result i32) (i32.eqz (local.get 0))
            (then (i32.const 0))
            (else (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1))))))))"#;

fn depth_reached(engine: &Engine, depth: i32) -> Result<i32> {
    let module = Module::new(engine, DEPTH)?;
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    instance.get_typed_func::<i32, i32>(&mut store, "deep")?.call(&mut store, depth)
}

#[test]
fn the_default_lets_real_programs_recurse_deeply() {
    // 200,000 small frames: some eight megabytes.
    assert_eq!(depth_reached(&Engine::default(), 200_000).expect("fits"), 200_000);
}

#[test]
fn the_limit_is_the_configured_one_on_every_thread() -> Result<()> {
    let small = Engine::new(Config::new().max_wasm_stack_bytes(128 << 10))?;
    let large = Engine::new(Config::new().max_wasm_stack_bytes(256 << 20))?;
    let check = move || {
        assert!(depth_reached(&small, 100_000).is_err());
        assert_eq!(depth_reached(&small, 1_000).expect("fits"), 1_000);
        assert_eq!(depth_reached(&large, 2_000_000).expect("fits"), 2_000_000);
    };
    check();
    // A thread whose own stack is far smaller than the guest's.
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(check)?;
    thread.join().expect("no panic on the other thread");
    Ok(())
}

#[test]
fn a_host_function_runs_on_the_hosts_stack() -> Result<()> {
    let engine = Engine::new(Config::new().max_wasm_stack_bytes(128 << 10))?;
    let mut store = Store::new(&engine, ());
    let func = Func::wrap(&mut store, |x: i32| {
        // More than the guest's whole stack.
        let bytes = std::hint::black_box([1u8; 512 << 10]);
        x + i32::from(bytes[bytes.len() - 1])
    });
    let module = Module::new(
        &engine,
        r#"(module
            (import "" "" (func $f (param i32) (result i32)))
            (func (export "run") (result i32) (call $f (i32.const 1))))"#,
    )?;
    let instance = Instance::new(&mut store, &module, &[func.into()])?;
    assert_eq!(instance.get_typed_func::<(), i32>(&mut store, "run")?.call(&mut store, ())?, 2);
    Ok(())
}
