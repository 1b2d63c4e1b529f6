//! Compiled artifacts: what was damaged, cut off, or made by another engine is refused with a
//! clear error and never runs.

// What a test builds on must be there.
#![allow(clippy::unwrap_used)]
// Loading artifacts is `unsafe`, because sound ones cannot be told from forged ones.
#![allow(unsafe_code)]

use selkie::{Config, Engine, Error, ErrorKind, Instance, Module, Store};
use selkie_tests::scratch::Scratch;
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::Path;

const MODULE: &str = r#"(module $artifact
    (memory (export "memory") 1) (table 3 funcref) (elem (i32.const 0) $seven)
    (data (i32.const 8) "some data") (data $passive "more data")
    (global $g (mut i64) (i64.const 5))
    (func $seven (export "seven") (result i32) i32.const 7)
    (func (export "trap") (param i32) i32.const 1 local.get 0 i32.div_s drop unreachable)
    (func (export "call") (param i32) (result i32) local.get 0 call_indirect (result i32)))"#;

fn artifact() -> (Engine, Vec<u8>) {
    let engine = Engine::default();
    let bytes = Module::new(&engine, MODULE).unwrap().serialize().unwrap();
    (engine, bytes)
}

fn load(engine: &Engine, bytes: Vec<u8>) -> Result<Module, Error> {
    // SAFETY: the bytes were made by this process. Where a test damaged them, that they are
    // refused is what it asserts.
    unsafe { Module::deserialize(engine, bytes) }
}

fn load_file(engine: &Engine, path: &Path) -> Result<Module, Error> {
    // SAFETY: as above, and nobody else knows the file.
    unsafe { Module::deserialize_file(engine, path) }
}

fn load_open_file(engine: &Engine, file: File) -> Result<Module, Error> {
    // SAFETY: as above.
    unsafe { Module::deserialize_open_file(engine, file) }
}

fn runs(engine: &Engine, module: &Module) -> i32 {
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, module, &[]).unwrap();
    let seven = instance.get_typed_func::<(), i32>(&mut store, "seven").unwrap();
    seven.call(&mut store, ()).unwrap()
}

/// The damaged bytes must not load; a defect of ours is no answer either.
fn refused(engine: &Engine, bytes: Vec<u8>, what: &str) -> Error {
    match load(engine, bytes) {
        Ok(_) => panic!("accepted: {what}"),
        Err(error) => {
            assert_ne!(error.kind(), ErrorKind::Bug, "{what}: {error}");
            error
        }
    }
}

#[test]
fn an_artifact_runs_as_its_module_does() {
    let (engine, bytes) = artifact();
    assert!(Module::is_artifact(&bytes));
    let module = load(&engine, bytes.clone()).unwrap();
    assert_eq!(runs(&engine, &module), 7);
    // Another engine of the same configuration, and the same artifact again.
    let other = Engine::default();
    let module = load(&other, bytes.clone()).unwrap();
    assert_eq!(runs(&other, &module), 7);
    assert_eq!(module.serialize().unwrap(), bytes);
}

#[test]
fn a_loaded_artifact_keeps_its_names_and_traps() {
    let (engine, bytes) = artifact();
    let module = load(&engine, bytes).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let trap = instance.get_typed_func::<i32, ()>(&mut store, "trap").unwrap();
    let divided = trap.call(&mut store, 0).unwrap_err();
    assert_eq!(divided.trap(), Some(selkie::Trap::IntegerDivideByZero));
    let reached = trap.call(&mut store, 1).unwrap_err();
    assert_eq!(reached.trap(), Some(selkie::Trap::Unreachable));
    let frames = reached.backtrace().unwrap().frames();
    assert_eq!(frames[0].func_name().as_deref(), Some("trap"));
}

#[test]
fn a_flipped_bit_in_any_byte_is_refused() {
    let (engine, bytes) = artifact();
    for at in 0..bytes.len() {
        // Each bit in the part that says where the rest is, one bit of each byte elsewhere.
        let bits = if at < 1024 { 0..8 } else { at % 8..at % 8 + 1 };
        for bit in bits {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            refused(&engine, damaged, &format!("bit {bit} of byte {at} of {}", bytes.len()));
        }
    }
}

#[test]
fn runs_of_damaged_bytes_are_refused() {
    let (engine, bytes) = artifact();
    for start in (0..bytes.len()).step_by(97) {
        for (length, value) in [(4, 0), (8, 0xff), (64, 0), (512, 0x55)] {
            let end = (start + length).min(bytes.len());
            let mut damaged = bytes.clone();
            damaged[start..end].fill(value);
            if damaged != bytes {
                refused(&engine, damaged, &format!("{start}..{end} = {value:#x}"));
            }
        }
    }
}

#[test]
fn a_truncated_artifact_is_refused_at_any_length() {
    let (engine, bytes) = artifact();
    for length in 0..bytes.len() {
        refused(&engine, bytes[..length].to_vec(), &format!("{length} of {} bytes", bytes.len()));
    }
}

#[test]
fn bytes_of_another_kind_are_refused() {
    let (engine, bytes) = artifact();
    for other in [
        Vec::new(),
        b"\0asm\x01\0\0\0".to_vec(),
        b"\x7fELF".to_vec(),
        vec![0; 100_000],
        [&b"\0selkie\0"[..], &[0xff; 200]].concat(),
        [&b"x"[..], &bytes].concat(),
    ] {
        refused(&engine, other, "bytes of another kind");
    }
    let error = Module::new(&engine, &bytes).unwrap_err();
    assert!(error.to_string().contains("artifact"), "{error}");
}

#[test]
fn an_artifact_of_another_configuration_is_refused() {
    let (_, bytes) = artifact();
    let with = |configure: fn(&mut Config) -> &mut Config| {
        let mut config = Config::new();
        configure(&mut config);
        Engine::new(&config).unwrap()
    };
    for (name, engine) in [
        ("guard pages", with(|c| c.guard_pages(false))),
        ("memory guards", with(|c| c.memory_guard_bytes(1 << 20))),
        ("Spectre checks", with(|c| c.spectre_checks(false))),
        ("canonical NaNs", with(|c| c.canonical_nans(true))),
        ("deterministic relaxed SIMD", with(|c| c.relaxed_simd_deterministic(true))),
        ("set of proposals", with(|c| c.wasm_simd(false).wasm_relaxed_simd(false))),
    ] {
        let error = refused(&engine, bytes.clone(), name);
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{name}: {error}");
        assert!(error.to_string().contains(name), "{name}: {error}");
    }
    // What code and engine do not share does not matter, or only while compiling.
    for engine in [
        with(|c| c.max_wasm_stack_bytes(1 << 20).compile_threads(1).backtrace_frames(3)),
        with(|c| c.inlining(false).debug_info(false)),
    ] {
        assert_eq!(runs(&engine, &load(&engine, bytes.clone()).unwrap()), 7);
    }
    let plain = Engine::default();
    for engine in [with(|c| c.inlining(false)), with(|c| c.debug_info(false))] {
        assert_eq!(engine.fingerprint(), plain.fingerprint());
        assert_ne!(engine.compile_fingerprint(), plain.compile_fingerprint());
    }
}

#[test]
fn the_fingerprint_names_version_and_sources() {
    let fingerprint = Engine::default().fingerprint();
    let build = fingerprint.lines().next().unwrap();
    let (version, sources) =
        build.strip_prefix("version of Selkie: ").unwrap().split_once('+').unwrap();
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
    assert!(u64::from_str_radix(sources, 16).unwrap() > 0, "{fingerprint}");
}

#[test]
fn artifacts_in_files_are_checked_alike() {
    let (engine, bytes) = artifact();
    let scratch = Scratch::new().unwrap();
    let path = scratch.path().join("module.cwasm");
    let load = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        load_file(&engine, &path)
    };
    assert_eq!(runs(&engine, &load(&bytes).unwrap()), 7);
    for at in (0..bytes.len()).step_by(61) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        assert!(load(&damaged).is_err(), "byte {at}");
    }
    for length in (0..bytes.len()).step_by(331) {
        assert!(load(&bytes[..length]).is_err(), "{length} bytes");
    }
    let absent = load_file(&engine, &scratch.path().join("absent")).unwrap_err();
    assert_eq!(absent.kind(), ErrorKind::Io);
    assert!(absent.to_string().contains("absent"), "{absent}");
    assert!(load_file(&engine, scratch.path()).is_err());
}

#[test]
fn an_open_file_is_the_artifact_whatever_becomes_of_its_name() {
    let (engine, bytes) = artifact();
    let scratch = Scratch::new().unwrap();
    let path = scratch.path().join("module.cwasm");
    std::fs::write(&path, &bytes).unwrap();
    let mut file = File::open(&path).unwrap();
    file.seek(SeekFrom::End(0)).unwrap();
    std::fs::rename(&path, scratch.path().join("moved")).unwrap();
    std::fs::write(&path, "another").unwrap();
    let module = load_open_file(&engine, file).unwrap();
    std::fs::remove_file(scratch.path().join("moved")).unwrap();
    assert_eq!(runs(&engine, &module), 7);
    assert!(load_open_file(&engine, File::open(&path).unwrap()).is_err());
    // Nor is there anything to map in a folder, a device, or what is open for writing only.
    assert!(load_open_file(&engine, File::open(scratch.path()).unwrap()).is_err());
    assert!(load_open_file(&engine, File::open("/dev/null").unwrap()).is_err());
    std::fs::write(&path, &bytes).unwrap();
    let writing = File::options().append(true).open(&path).unwrap();
    assert!(load_open_file(&engine, writing).is_err());
}

#[test]
fn compiling_twice_gives_the_same_bytes_whatever_the_threads() {
    let mut text = String::from("(module (memory 1)");
    for index in 0..200 {
        text += &format!(
            "(func (export \"f{index}\") (param i32) (result i32) local.get 0 i32.load offset={index} \
             i32.const {index} i32.mul call {})",
            (index + 7) % 200
        );
    }
    text += ")";
    let bytes = |threads| {
        let mut config = Config::new();
        config.compile_threads(threads);
        let engine = Engine::new(&config).unwrap();
        Module::new(&engine, &text).unwrap().serialize().unwrap()
    };
    let one = bytes(1);
    for threads in [1, 2, 3, 8] {
        assert_eq!(bytes(threads), one, "{threads} threads");
    }
}
