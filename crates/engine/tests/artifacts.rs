//! Group 14: an artifact that was damaged, cut, or made for another engine is refused, never run.

use selkie_engine::{Config, Engine, ErrorKind, Instance, Module, Result, Store};

fn artifact(engine: &Engine) -> Result<Vec<u8>> {
    let module = Module::new(
        engine,
        r#"(module $named
            (memory 1) (data (i32.const 8) "some data")
            (func $helper (param i32) (result i32) (i32.load (local.get 0)))
            (func (export "run") (result i32) (call $helper (i32.const 8))))"#,
    )?;
    module.serialize()
}

#[test]
fn an_artifact_runs_like_its_module() -> Result<()> {
    let engine = Engine::default();
    let module = Module::deserialize(&engine, artifact(&engine)?)?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let run = instance.get_typed_func::<(), i32>(&mut store, "run")?;
    assert_eq!(run.call(&mut store, ())?, i32::from_le_bytes(*b"some"));
    Ok(())
}

#[test]
fn the_same_module_gives_the_same_artifact_whatever_the_threads() -> Result<()> {
    let one = artifact(&Engine::new(Config::new().compile_threads(1))?)?;
    let four = artifact(&Engine::new(Config::new().compile_threads(4))?)?;
    assert!(one == four);
    Ok(())
}

#[test]
fn every_flipped_byte_is_noticed() -> Result<()> {
    let engine = Engine::default();
    let good = artifact(&engine)?;
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        assert!(Module::deserialize(&engine, bad).is_err(), "byte {at}");
    }
    Ok(())
}

#[test]
fn bytes_behind_the_end_are_noticed() -> Result<()> {
    let engine = Engine::default();
    let mut long = artifact(&engine)?;
    long.push(0);
    assert!(Module::deserialize(&engine, long).is_err());
    Ok(())
}

#[test]
fn every_truncation_is_noticed() -> Result<()> {
    let engine = Engine::default();
    let good = artifact(&engine)?;
    for len in 0..good.len() {
        let error = Module::deserialize(&engine, &good[..len]).expect_err("it is cut short");
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
    Ok(())
}

#[test]
fn an_artifact_of_another_configuration_is_refused_with_advice() -> Result<()> {
    let plain = Engine::default();
    let other = Engine::new(Config::new().canonical_nans(true))?;
    let error = Module::deserialize(&other, artifact(&plain)?).expect_err("other settings");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("selkie compile"), "{error}");
    Ok(())
}

#[test]
fn an_artifact_is_not_a_module_and_a_module_not_an_artifact() -> Result<()> {
    let engine = Engine::default();
    let artifact = artifact(&engine)?;
    assert!(Module::is_artifact(&artifact));
    assert!(Module::new(&engine, &artifact).is_err());
    assert!(Module::deserialize(&engine, *b"\0asm\x01\0\0\0").is_err());
    Ok(())
}
