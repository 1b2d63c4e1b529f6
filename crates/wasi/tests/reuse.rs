//! Instances in turn, of which each lets the system write where none has written before: memory of
//! an instance that was made of a former one may be closed there until somebody writes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use selkie_engine::{Engine, InstancePre, Linker, Module, Store};
use selkie_wasi::{DirPerms, FilePerms, WasiCtx, add_to_linker};

/// `read` opens `data` in the first directory, and reads a few bytes of it to a place, in one buffer
/// or in three; `random` lets the system fill two pages.
const GUEST: &str = r#"(module
    (import "wasi_snapshot_preview1" "path_open"
        (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read"
        (func $fd_read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_pread"
        (func $fd_pread (param i32 i32 i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get"
        (func $random_get (param i32 i32) (result i32)))
    (memory (export "memory") 4)
    (data (i32.const 0) "data")
    (func (export "read") (param $at i32) (param $count i32) (result i32)
        (if (call $path_open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 0)
                (i64.const 6) (i64.const 0) (i32.const 0) (i32.const 16))
            (then unreachable))
        (i32.store (i32.const 32) (local.get $at))
        (i32.store (i32.const 36) (i32.const 3))
        (i32.store (i32.const 40) (i32.add (local.get $at) (i32.const 9000)))
        (i32.store (i32.const 44) (i32.const 2))
        (i32.store (i32.const 48) (i32.add (local.get $at) (i32.const 4094)))
        (i32.store (i32.const 52) (i32.const 4))
        (i32.or
            (call $fd_read (i32.load (i32.const 16)) (i32.const 32) (local.get $count)
                (i32.const 24))
            (call $fd_pread (i32.load (i32.const 16)) (i32.const 32) (local.get $count)
                (i64.const 0) (i32.const 24))))
    (func (export "random") (param $at i32) (result i32)
        (call $random_get (local.get $at) (i32.const 8192))))"#;

fn pre(engine: &Engine) -> InstancePre<WasiCtx> {
    let module = Module::new(engine, GUEST).unwrap();
    let mut linker = Linker::new(engine);
    add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx).unwrap();
    linker.instantiate_pre(&module).unwrap()
}

#[test]
fn the_system_writes_where_no_instance_has_written() {
    let folder = std::env::temp_dir().join(format!("selkie-reuse-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("data"), b"123456789").unwrap();
    let engine = Engine::default();
    let pre = pre(&engine);
    for round in 0..24 {
        let mut builder = WasiCtx::builder();
        builder.preopened_dir(&folder, "/", DirPerms::READ, FilePerms::READ).unwrap();
        let mut store = Store::new(&engine, builder.build());
        let instance = pre.instantiate(&mut store).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        assert!(memory.data(&store)[64..].iter().all(|byte| *byte == 0));
        let at = 8192 + round * 8192;
        let (read, random) = ("read", "random");
        if round % 3 < 2 {
            let read = instance.get_typed_func::<(i32, i32), i32>(&mut store, read).unwrap();
            let count = if round % 3 == 0 { 1 } else { 3 };
            assert_eq!(read.call(&mut store, (at, count)).unwrap(), 0, "round {round}");
            let at = at as usize;
            assert_eq!(&memory.data(&store)[at..at + 3], b"123");
            if count == 3 {
                assert_eq!(&memory.data(&store)[at + 9000..at + 9002], b"45");
                assert_eq!(&memory.data(&store)[at + 4094..at + 4098], b"6789");
            }
        } else {
            let random = instance.get_typed_func::<i32, i32>(&mut store, random).unwrap();
            assert_eq!(random.call(&mut store, at).unwrap(), 0, "round {round}");
            let at = at as usize;
            assert!(memory.data(&store)[at + 8000..at + 8192].iter().any(|byte| *byte != 0));
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}
