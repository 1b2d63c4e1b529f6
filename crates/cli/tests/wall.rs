//! The second wall: on unless it is turned off, in nobody's way, and there when the first has a
//! hole.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "place/scratch.rs"]
mod place;
use place::{ADD, ECHO, Place, TRAP};
use std::io::{Read, Write};
use std::process::{Child, Stdio};

/// Opens the directory "sub", says so, waits for input, opens "file" in that directory, and ends
/// with the error number.
const OPEN_LATER: &str = r#"(module
    (import "wasi_snapshot_preview1" "path_open"
      (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read"
      (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
      (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "sub") (data (i32.const 32) "file")
    (data (i32.const 64) "\10\00\00\00\01\00\00\00")
    (func (export "_start")
      (if (call $open (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 3)
          (i32.const 2) (i64.const 0x2002) (i64.const 2) (i32.const 0) (i32.const 0))
        (then (call $exit (i32.const 100))))
      (drop (call $write (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 80)))
      (drop (call $read (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 80)))
      (call $exit (call $open (i32.load (i32.const 0)) (i32.const 0) (i32.const 32) (i32.const 4)
        (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0)))))"#;

const ERRNO_ACCES: i32 = 2;

/// Whether the kernel offers the wall; says loudly if not.
fn has_wall(place: &Place) -> bool {
    place.module("probe.wasm", ADD);
    let state = place.run(&["--dry-run", "probe.wasm"]).ok();
    let has = state.contains("wall:\n  Landlock ");
    assert!(has || state.contains("wall:\n  missing: "), "{state}");
    if !has {
        // Not by a macro that the test runner silences.
        let _ = writeln!(std::io::stderr(), "SKIPPED, no wall on this machine: {state}");
    }
    has
}

/// Starts [`OPEN_LATER`] with the folder "granted" and waits until it holds "sub".
fn start(place: &Place, options: &[&str]) -> Child {
    place.module("later.wasm", OPEN_LATER);
    let _ = std::fs::remove_dir_all(place.folder.join("elsewhere"));
    std::fs::create_dir_all(place.folder.join("granted/sub")).unwrap();
    place.file("granted/sub/file", "seal");
    let mut command = place.command(options);
    command.args(["--dir", "granted", "later.wasm"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    child
}

fn finish(mut child: Child) -> Option<i32> {
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    child.wait().unwrap().code()
}

#[test]
fn what_leaves_a_grant_is_out_of_reach_though_the_program_holds_it() {
    let place = Place::new("wall-hole");
    if !has_wall(&place) {
        return;
    }
    for (options, moves, status) in [
        (&[][..], false, 0),
        (&["-S", "wall=off"], true, 0),
        (&[], true, ERRNO_ACCES),
        (&["-S", "wall=require"], true, ERRNO_ACCES),
    ] {
        let child = start(&place, options);
        if moves {
            let elsewhere = place.folder.join("elsewhere");
            std::fs::rename(place.folder.join("granted/sub"), elsewhere).unwrap();
        }
        assert_eq!(finish(child), Some(status), "{options:?}, moved: {moves}");
    }
}

#[test]
fn the_wall_is_on_unless_it_is_turned_off() {
    let place = Place::new("wall-default");
    if !has_wall(&place) {
        return;
    }
    place.file("off.toml", "[wasi]\nwall = false\n");
    place.file("require.toml", "[wasi]\nwall = \"require\"\n");
    for (options, is_walled) in [
        (&[][..], true),
        (&["-S", "wall"], true),
        (&["-S", "wall=off"], false),
        (&["-S", "wall=off,wall=on"], true),
        (&["--config", "off.toml"], false),
        (&["--config", "require.toml"], true),
    ] {
        let child = start(&place, options);
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        assert_eq!(status.contains("NoNewPrivs:\t1"), is_walled, "{options:?}: {status}");
        // The wall is around one thread.
        assert!(status.contains("\nThreads:\t1\n"), "{options:?}: {status}");
        assert_eq!(finish(child), Some(0));
    }
}

#[test]
fn a_dry_run_tells_the_state_of_the_wall() {
    let place = Place::new("wall-dry");
    place.module("echo.wasm", ECHO);
    let state = place.run(&["--dry-run", "-S", "wall=off", "echo.wasm"]).ok();
    assert!(state.contains("wall:\n  off\n"), "{state}");
    if has_wall(&place) {
        let state = place.run(&["--dry-run", "echo.wasm"]).ok();
        assert!(state.contains("files that were not granted"), "{state}");
    }
    place.run(&["-S", "wall=maybe", "echo.wasm"]).fails(2, "nor `require`");
}

#[test]
fn runs_are_as_before_behind_the_wall() {
    let place = Place::new("wall-runs");
    place.module("echo.wasm", ECHO);
    place.module("trap.wasm", TRAP);
    place.module("add.wasm", ADD);
    // Twice: compiled and kept, then from the cache.
    for cached in [1, 3] {
        for wall in ["wall=on", "wall=off"] {
            let done = place.run(&["-S", wall, "echo.wasm", "seal"]);
            assert_eq!((done.err.as_str(), done.out.as_str()), ("", "echo.wasm\nseal\n"));
            let done = place.run(&["-S", wall, "trap.wasm"]).fails(134, "unreachable");
            assert!(done.err.contains("outer"), "{done:?}");
            let sum = place.run(&["-S", wall, "--invoke", "add", "add.wasm", "40", "2"]);
            assert_eq!(sum.ok(), "42\n");
            assert!(place.cached().len() >= cached);
        }
    }
}

#[test]
fn stacks_of_any_size_do_behind_the_wall() {
    let place = Place::new("wall-stacks");
    place.module("echo.wasm", ECHO);
    for kib in ["256", "8192", "$(ulimit -H -s)"] {
        let script = format!("ulimit -S -s {kib} && exec \"$0\" run echo.wasm seal");
        let binary = env!("CARGO_BIN_EXE_selkie");
        let mut command = std::process::Command::new("/bin/sh");
        command.args(["-c", &script, binary]).current_dir(&place.folder);
        let output = command.env("XDG_CACHE_HOME", place.folder.join("cache")).output().unwrap();
        assert_eq!(output.stdout, b"echo.wasm\nseal\n", "{kib} KiB: {output:?}");
    }
}
