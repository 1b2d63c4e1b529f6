//! Memory accounting: guests that ask for more and more meet a limit that they are told of, and what
//! the host keeps for them stays small (security group 8).
//!
//! Each test measures a process of its own.

// What a test builds on must be there.
#![allow(clippy::unwrap_used)]

use selkie::wasi::{DirPerms, FilePerms, WasiCtx, WasiCtxBuilder, add_to_linker};
use selkie::{
    Caller, Config, Engine, Error, ErrorKind, ExternRef, Instance, JsString, Linker, Module,
    OwnedRooted, RootScope, Rooted, Store, StoreLimits, Trap,
};
use selkie_tests::process::{Footprint, goes_on_alone};
use selkie_tests::scratch::Scratch;

const MIB: u64 = 1 << 20;

/// Asserts that something took less memory than this, and gives what it answered.
fn within<R>(bytes: u64, what: impl FnOnce() -> R) -> R {
    let before = Footprint::now().bytes;
    let answer = what();
    let more = Footprint::now().bytes.saturating_sub(before);
    assert!(more < bytes, "{more} bytes more, not less than {bytes}");
    answer
}

/// WASI functions under short names, and what guests of this file do with them.
const GUEST: &str = r#"(module
    (import "wasi_snapshot_preview1" "path_open" (func $path_open
        (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_readdir" (func $fd_readdir
        (param i32 i32 i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get
        (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff
        (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write
        (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $fd_read
        (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2 65536)
    (data (i32.const 0) "file")
    (global $opened (export "opened") (mut i32) (i32.const 0))
    (global $names (export "names") (mut i32) (i32.const 0))
    ;; Opens `file` so often, or until it is refused: the error number.
    (func (export "open") (param $n i32) (result i32) (local $errno i32)
        (loop $more
            (local.set $errno (call $path_open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4)
                (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 16)))
            (if (local.get $errno) (then (return (local.get $errno))))
            (global.set $opened (i32.add (global.get $opened) (i32.const 1)))
            (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (i32.const 0))
    (func (export "close") (param $fd i32) (result i32) (call $fd_close (local.get $fd)))
    ;; Reads the whole directory in pieces of so many bytes, and counts the entries.
    (func (export "list") (param $size i32) (result i32)
        (local $errno i32) (local $cookie i64) (local $at i32) (local $end i32)
        (global.set $names (i32.const 0))
        (loop $more
            (local.set $errno (call $fd_readdir (i32.const 3) (i32.const 1024) (local.get $size)
                (local.get $cookie) (i32.const 16)))
            (if (local.get $errno) (then (return (local.get $errno))))
            (local.set $at (i32.const 1024))
            (local.set $end (i32.add (i32.const 1024) (i32.load (i32.const 16))))
            (block $cut (loop $next
                (br_if $cut (i32.gt_u (i32.add (local.get $at) (i32.const 24)) (local.get $end)))
                (local.set $errno (i32.add (i32.add (local.get $at) (i32.const 24))
                    (i32.load offset=16 (local.get $at))))
                (br_if $cut (i32.gt_u (local.get $errno) (local.get $end)))
                (global.set $names (i32.add (global.get $names) (i32.const 1)))
                (local.set $cookie (i64.load (local.get $at)))
                (local.set $at (local.get $errno))
                (br $next)))
            (br_if $more (i32.eq (i32.load (i32.const 16)) (local.get $size))))
        (i32.const 0))
    (func (export "random") (param i32 i32) (result i32)
        (call $random_get (local.get 0) (local.get 1)))
    (func (export "args") (param i32 i32) (result i32) (call $args_get (local.get 0) (local.get 1)))
    (func (export "env") (param i32 i32) (result i32)
        (call $environ_get (local.get 0) (local.get 1)))
    (func (export "arg_bytes") (result i32)
        (drop (call $args_sizes_get (i32.const 16) (i32.const 20))) (i32.load (i32.const 20)))
    ;; The memory's first zeros are subscriptions to a clock that is over, or empty buffers.
    (func (export "poll") (param $n i32) (result i32)
        (call $poll_oneoff (i32.const 1024) (i32.const 1024) (local.get $n) (i32.const 16)))
    (func (export "write") (param $n i32) (result i32)
        (call $fd_write (i32.const 1) (i32.const 1024) (local.get $n) (i32.const 16)))
    (func (export "read") (param $n i32) (result i32)
        (call $fd_read (i32.const 0) (i32.const 1024) (local.get $n) (i32.const 16)))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#;

const FAULT: i32 = 21;
const INVAL: i32 = 28;
const NFILE: i32 = 41;

fn guest(builder: &mut WasiCtxBuilder) -> (Store<WasiCtx>, Instance) {
    let engine = Engine::default();
    let module = Module::new(&engine, GUEST).unwrap();
    let mut linker = Linker::new(&engine);
    add_to_linker(&mut linker, |ctx| ctx).unwrap();
    let mut store = Store::new(&engine, builder.build());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    (store, instance)
}

fn ask(store: &mut Store<WasiCtx>, instance: Instance, name: &str, number: i32) -> i32 {
    let func = instance.get_typed_func::<i32, i32>(&mut *store, name).unwrap();
    func.call(store, number).unwrap()
}

fn ask_two(store: &mut Store<WasiCtx>, instance: Instance, name: &str, params: (i32, i32)) -> i32 {
    let func = instance.get_typed_func::<(i32, i32), i32>(&mut *store, name).unwrap();
    func.call(store, params).unwrap()
}

fn global(store: &mut Store<WasiCtx>, instance: Instance, name: &str) -> i32 {
    let global = instance.get_global(&mut *store, name).unwrap();
    global.get(store).i32().unwrap()
}

fn with_dir(scratch: &Scratch) -> WasiCtxBuilder {
    let mut builder = WasiCtx::builder();
    builder.preopened_dir(scratch.path(), "/", DirPerms::all(), FilePerms::all()).unwrap();
    builder
}

#[test]
fn a_million_files_are_not_opened() {
    if !goes_on_alone("a_million_files_are_not_opened") {
        return;
    }
    let scratch = Scratch::new().unwrap();
    std::fs::write(scratch.path().join("file"), b"x").unwrap();
    let (mut store, instance) = guest(&mut with_dir(&scratch));
    // However many this process may open: some are left for others.
    assert_eq!(within(48 * MIB, || ask(&mut store, instance, "open", 1_000_000)), NFILE);
    let others: Vec<_> =
        (0..20).map(|_| std::fs::File::open(scratch.path().join("file")).unwrap()).collect();
    assert_eq!(others.len(), 20);
    // One more when one is gone.
    assert_eq!(ask(&mut store, instance, "close", 4), 0);
    assert_eq!(ask(&mut store, instance, "open", 1), 0);
    assert_eq!(ask(&mut store, instance, "open", 1), NFILE);

    let (mut store, instance) = guest(with_dir(&scratch).descriptor_limit(100));
    assert_eq!(ask(&mut store, instance, "open", 1_000_000), NFILE);
    assert_eq!(global(&mut store, instance, "opened"), 96);
}

#[test]
fn opening_and_closing_leaves_nothing_behind() {
    if !goes_on_alone("opening_and_closing_leaves_nothing_behind") {
        return;
    }
    let scratch = Scratch::new().unwrap();
    std::fs::write(scratch.path().join("file"), b"x").unwrap();
    let (mut store, instance) = guest(&mut with_dir(&scratch));
    within(2 * MIB, || {
        for _ in 0..50_000 {
            assert_eq!(ask(&mut store, instance, "open", 1), 0);
            assert_eq!(ask(&mut store, instance, "close", 4), 0);
        }
    });
}

#[test]
fn random_bytes_for_all_of_the_address_space_take_none_of_the_host() {
    if !goes_on_alone("random_bytes_for_all_of_the_address_space_take_none_of_the_host") {
        return;
    }
    let (mut store, instance) = guest(&mut WasiCtx::builder());
    within(2 * MIB, || {
        assert_eq!(ask_two(&mut store, instance, "random", (0, -1)), FAULT);
        assert_eq!(ask_two(&mut store, instance, "random", (1, -1)), FAULT);
        assert_eq!(ask_two(&mut store, instance, "random", (-1, 2)), FAULT);
    });
    // What the guest has is filled, and nothing besides.
    assert_eq!(ask(&mut store, instance, "grow", 1022), 2);
    let filled = || ask_two(&mut store, instance, "random", (0, 64 << 20));
    assert_eq!(within(66 * MIB, filled), 0);
}

#[test]
fn a_large_directory_is_listed_in_little_memory() {
    if !goes_on_alone("a_large_directory_is_listed_in_little_memory") {
        return;
    }
    const FILES: i32 = 40_000;
    let scratch = Scratch::new().unwrap();
    let first = scratch.path().join("a file with a name that is not short, 0");
    std::fs::write(&first, b"").unwrap();
    // Names of one file are quickly made; a file has a limited number of them.
    for number in 1..FILES {
        let name = scratch.path().join(format!("a file with a name that is not short, {number}"));
        if std::fs::hard_link(&first, &name).is_err() {
            std::fs::write(name, b"").unwrap();
        }
    }
    for deterministic in [false, true] {
        let mut builder = with_dir(&scratch);
        let (mut store, instance) = guest(builder.deterministic(deterministic));
        // A deterministic guest sees entries by name: all of them are read first.
        let room = if deterministic { 16 * MIB } else { MIB };
        for size in [4096, 60_000] {
            assert_eq!(within(room, || ask(&mut store, instance, "list", size)), 0);
            assert_eq!(global(&mut store, instance, "names"), FILES + 2);
        }
    }
}

#[test]
fn long_arguments_are_kept_once_and_copied_to_where_there_is_room() {
    if !goes_on_alone("long_arguments_are_kept_once_and_copied_to_where_there_is_room") {
        return;
    }
    let long = "x".repeat(64 << 20);
    let mut builder = WasiCtx::builder();
    builder.arg(&long).env("LONG", &long);
    drop(long);
    let (mut store, instance) = guest(&mut builder);
    within(2 * MIB, || {
        let bytes = instance.get_typed_func::<(), i32>(&mut store, "arg_bytes").unwrap();
        assert_eq!(bytes.call(&mut store, ()).unwrap(), (64 << 20) + 1);
        assert_eq!(ask_two(&mut store, instance, "args", (16, 1024)), FAULT);
        assert_eq!(ask_two(&mut store, instance, "env", (16, 1024)), FAULT);
        assert_eq!(ask_two(&mut store, instance, "args", (16, -1)), FAULT);
    });
    assert_eq!(ask(&mut store, instance, "grow", 1024), 2);
    let copied = || ask_two(&mut store, instance, "args", (16, 1024));
    assert_eq!(within(66 * MIB, copied), 0);
}

#[test]
fn lists_of_buffers_and_subscriptions_are_bounded() {
    if !goes_on_alone("lists_of_buffers_and_subscriptions_are_bounded") {
        return;
    }
    let (mut store, instance) = guest(&mut WasiCtx::builder());
    assert_eq!(ask(&mut store, instance, "grow", 1022), 2);
    within(16 * MIB, || {
        for many in [1_000_000, 1 << 28, -1] {
            assert_eq!(ask(&mut store, instance, "poll", many), INVAL);
        }
        assert_eq!(ask(&mut store, instance, "poll", 60_000), 0);
        for name in ["read", "write"] {
            for (many, is_inside) in [(8_000_000, true), (1 << 28, false), (-1, false)] {
                let errno = ask(&mut store, instance, name, many);
                assert!(errno == INVAL || errno == if is_inside { 0 } else { FAULT }, "{errno}");
            }
        }
    });
}

/// Asks the host for references, and drops them or keeps them in a table.
const REFERENCES: &str = r#"(module
    (import "host" "make" (func $make (result externref)))
    (import "host" "look" (func $look (param externref)))
    (table $all 0 externref)
    (func (export "drop") (param $n i32)
        (loop $more
            (call $look (call $make))
            (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "keep") (param $n i32)
        (loop $more
            (drop (table.grow $all (call $make) (i32.const 1)))
            (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"#;

fn references(limits: StoreLimits) -> (Store<()>, Instance) {
    let engine = Engine::default();
    let mut linker = Linker::new(&engine);
    let make = |mut caller: Caller<'_, ()>| -> Result<Option<Rooted<ExternRef>>, Error> {
        Ok(Some(ExternRef::new(&mut caller, 7_u64)?))
    };
    linker.func_wrap("host", "make", make).unwrap();
    linker
        .func_wrap("host", "look", |reference: Option<Rooted<ExternRef>>| {
            assert!(reference.is_some());
        })
        .unwrap();
    let module = Module::new(&engine, REFERENCES).unwrap();
    let mut store = Store::new(&engine, ());
    store.set_limits(limits);
    let instance = linker.instantiate(&mut store, &module).unwrap();
    (store, instance)
}

fn run<T>(store: &mut Store<T>, instance: Instance, name: &str, number: i32) -> Result<(), Error> {
    let func = instance.get_typed_func::<i32, ()>(&mut *store, name).unwrap();
    func.call(store, number)
}

#[test]
fn a_million_references_of_the_host() {
    if !goes_on_alone("a_million_references_of_the_host") {
        return;
    }
    let (mut store, instance) = references(StoreLimits::default());
    within(32 * MIB, || run(&mut store, instance, "drop", 1_000_000).unwrap());
    assert_eq!(store.usage().references, 0);
    within(128 * MIB, || run(&mut store, instance, "keep", 1_000_000).unwrap());

    let gc_heap_bytes = MIB;
    let (mut store, instance) = references(StoreLimits { gc_heap_bytes, ..StoreLimits::default() });
    let error = within(32 * MIB, || run(&mut store, instance, "keep", 1_000_000)).unwrap_err();
    let is_limit = error.kind() == ErrorKind::Limit
        || error.trap().is_some_and(|trap| trap == Trap::AllocationTooLarge);
    assert!(is_limit, "{error:?}");
    assert!(store.usage().gc_heap_bytes <= gc_heap_bytes);
}

#[test]
fn a_million_roots() {
    if !goes_on_alone("a_million_roots") {
        return;
    }
    let mut store = Store::new(&Engine::default(), ());
    let reference = ExternRef::new(&mut store, 7_u64).unwrap();
    let own = |store: &mut Store<()>| reference.to_owned_rooted(store).unwrap();
    within(MIB, || (0..1_000_000).for_each(|_| drop(own(&mut store))));
    let kept: Vec<OwnedRooted<ExternRef>> =
        within(96 * MIB, || (0..1_000_000).map(|_| own(&mut store)).collect());
    assert_eq!(store.usage().references, 1_000_001);
    drop(kept);
    // What they refer to is collected now and then.
    within(4 * MIB, || {
        for _ in 0..1_000_000 {
            let mut scope = RootScope::new(&mut store);
            ExternRef::new(&mut scope, 7_u64).unwrap();
        }
    });
    store.gc();
    assert_eq!(store.usage().references, 1);
}

#[test]
fn strings_count() {
    if !goes_on_alone("strings_count") {
        return;
    }
    let mut store = Store::new(&Engine::default(), ());
    let gc_heap_bytes = 32 * MIB;
    store.set_limits(StoreLimits { gc_heap_bytes, ..StoreLimits::default() });
    let long = "long ".repeat(20_000);
    // What nobody holds makes room.
    within(48 * MIB, || {
        for _ in 0..2000 {
            let mut scope = RootScope::new(&mut store);
            JsString::new(&mut scope, &long).unwrap();
        }
    });
    let error = within(48 * MIB, || {
        loop {
            if let Err(error) = JsString::new(&mut store, &long) {
                break error;
            }
        }
    });
    assert_eq!(error.kind(), ErrorKind::Limit, "{error:?}");
    assert!(store.usage().gc_heap_bytes <= gc_heap_bytes);
}

#[test]
fn objects_count() {
    if !goes_on_alone("objects_count") {
        return;
    }
    let engine = Engine::new(Config::new().wasm_gc(true)).unwrap();
    let module = Module::new(
        &engine,
        r#"(module (type $list (struct (field (ref null $list)) (field i64)))
            (type $bytes (array (mut i8)))
            (func (export "lists") (param $n i32) (local $list (ref null $list))
                (loop $more
                    (local.set $list (struct.new $list (local.get $list) (i64.const 1)))
                    (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
            (func (export "array") (param $n i32)
                (drop (array.new_default $bytes (local.get $n)))))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, ());
    let gc_heap_bytes = 16 * MIB;
    store.set_limits(StoreLimits { gc_heap_bytes, ..StoreLimits::default() });
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    for (name, number) in [("lists", i32::MAX), ("array", i32::MAX), ("array", -1)] {
        let error = within(40 * MIB, || run(&mut store, instance, name, number)).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::AllocationTooLarge), "{name}: {error:?}");
        assert!(store.usage().gc_heap_bytes <= gc_heap_bytes);
    }
    run(&mut store, instance, "lists", 1000).unwrap();
}
