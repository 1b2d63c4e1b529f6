//! Group 4: modules that are small to write and large to compile take time and memory in
//! proportion to their size.

use selkie_engine::{Engine, Instance, Module, Result, Store};
use std::time::{Duration, Instant};

/// Generous for a busy machine and a debug build; a quadratic step takes far longer.
const PATIENCE: Duration = Duration::from_secs(120);

fn compiles(text: &str) -> Module {
    let start = Instant::now();
    let module = Module::new(&Engine::default(), text).expect("valid, if large");
    assert!(start.elapsed() < PATIENCE, "took {:?}", start.elapsed());
    module
}

#[test]
fn a_hundred_thousand_nested_blocks() {
    let depth = 100_000;
    let mut bytes = Vec::new();
    bytes.extend(b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0");
    let mut body = vec![0];
    body.extend([0x02, 0x40].repeat(depth));
    body.extend(vec![0x0b; depth + 1]);
    let mut code = vec![1];
    leb(&mut code, body.len());
    code.extend(body);
    bytes.push(10);
    leb(&mut bytes, code.len());
    bytes.extend(code);
    let start = Instant::now();
    // The validator may have a limit of its own: either answer must come soon.
    let _ = Module::new(&Engine::default(), &bytes);
    assert!(start.elapsed() < PATIENCE);
}

fn leb(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[test]
fn a_branch_table_of_a_hundred_thousand_targets() -> Result<()> {
    let mut text = String::from(r#"(module (func (export "run") (param i32) (result i32) "#);
    text.push_str("(block $a (block $b (block $c (br_table ");
    for i in 0..100_000 {
        text.push_str(["$a ", "$b ", "$c "][i % 3]);
    }
    text.push_str(
        "(local.get 0))) (return (i32.const 3))) (return (i32.const 2))) (i32.const 1)))",
    );
    let module = compiles(&text);
    let mut store = Store::new(module.engine(), ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run")?;
    for (index, expected) in [(0, 1), (1, 2), (2, 3), (99_999, 1), (-1, 1), (50_000, 3)] {
        assert_eq!(run.call(&mut store, index)?, expected, "index {index}");
    }
    Ok(())
}

#[test]
fn branch_tables_within_branch_tables() {
    let mut text = String::from("(module (func (param i32) ");
    for _ in 0..300 {
        text.push_str("(block ");
    }
    for depth in 0..300 {
        text.push_str("(block (br_table ");
        for target in 0..100 {
            text.push_str(&format!("{} ", target % (300 - depth)));
        }
        text.push_str("(local.get 0)))");
    }
    text.push_str(&")".repeat(300));
    text.push_str("))");
    compiles(&text);
}

#[test]
fn a_hundred_thousand_functions_and_types() {
    let mut text = String::from("(module ");
    for i in 0..100_000 {
        text.push_str(&format!("(func (param {}))", ["i32", "i64", "f32", "f64"][i % 4]));
    }
    text.push(')');
    assert_eq!(compiles(&text).function_count(), 100_000);
}

#[test]
fn a_recursion_group_of_ten_thousand_types() {
    let mut text = String::from("(module (rec ");
    for i in 0..10_000 {
        text.push_str(&format!("(type $t{i} (func (param (ref null $t{}))))", (i + 1) % 10_000));
    }
    text.push_str("))");
    compiles(&text);
}

#[test]
fn a_hundred_thousand_segments() -> Result<()> {
    let mut text = String::from("(module (memory 1) ");
    for i in 0..100_000 {
        text.push_str(&format!("(data (i32.const {}) \"x\")", i % 65_536));
    }
    text.push(')');
    let module = compiles(&text);
    let start = Instant::now();
    Instance::new(Store::new(module.engine(), ()), &module, &[])?;
    assert!(start.elapsed() < PATIENCE);
    Ok(())
}

#[test]
fn fifty_thousand_locals_in_a_loop() -> Result<()> {
    let mut text = String::from(r#"(module (func (export "run") (result i32) "#);
    text.push_str(&"(local i32)".repeat(50_000));
    text.push_str("(loop $l ");
    for i in 0..2000 {
        let local = i * 25;
        text.push_str(&format!("(local.set {local} (i32.add (local.get {local}) (i32.const 1)))"));
    }
    text.push_str("(br_if $l (i32.lt_u (local.get 0) (i32.const 10))))(local.get 49975)))");
    let module = compiles(&text);
    let mut store = Store::new(module.engine(), ());
    let instance = Instance::new(&mut store, &module, &[])?;
    assert_eq!(instance.get_typed_func::<(), i32>(&mut store, "run")?.call(&mut store, ())?, 10);
    Ok(())
}

#[test]
fn a_body_of_a_megabyte() -> Result<()> {
    let mut text = String::from(r#"(module (func (export "run") (param i32) (result i32) "#);
    for i in 0..200_000 {
        text.push_str(&format!("(local.set 0 (i32.xor (local.get 0) (i32.const {i})))"));
    }
    text.push_str("(local.get 0)))");
    let module = compiles(&text);
    let mut store = Store::new(module.engine(), ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let expected = (0..200_000).fold(5, |x, i| x ^ i);
    assert_eq!(
        instance.get_typed_func::<i32, i32>(&mut store, "run")?.call(&mut store, 5)?,
        expected
    );
    Ok(())
}
