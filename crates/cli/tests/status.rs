//! Exit statuses: the guest's own, 134 after a trap or an exception, 124 when its time is over, 2 for a wrong command line, 1 otherwise.

#[path = "place/scratch.rs"]
mod place;
use place::{ADD, ECHO, EXIT_WITH_LENGTH, Place, TRAP};
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn the_guests_status_passes_through() {
    let place = Place::new("status-passes");
    place.module("exit.wasm", EXIT_WITH_LENGTH);
    for len in [1_i32, 3, 41] {
        let argument = "x".repeat(len as usize);
        assert_eq!(place.run(&["exit.wasm", &argument]).status, Some(len));
    }
}

#[test]
fn a_failure_stays_a_failure_when_its_status_has_more_than_eight_bits() {
    let place = Place::new("status-large");
    let text = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const 256))))"#;
    place.module("exit.wasm", text);
    assert_eq!(place.run(&["exit.wasm"]).status, Some(255));
}

#[test]
fn a_trap_is_134_with_the_names_of_functions() {
    let place = Place::new("status-trap");
    place.module("trap.wasm", TRAP);
    let done = place.run(&["trap.wasm"]).fails(134, "wasm trap: unreachable");
    let (inner, outer) = (done.err.find("inner").unwrap(), done.err.find("outer").unwrap());
    assert!(inner < outer, "{done:?}");
}

#[test]
fn an_uncaught_exception_is_134_with_its_parameters_and_the_names_of_functions() {
    let place = Place::new("status-exception");
    let text = r#"(module (tag $t (param i32 f64))
        (func $inner (throw $t (i32.const 7) (f64.const 0.5)))
        (func $outer (export "_start") (call $inner)))"#;
    place.module("throw.wasm", text);
    let done = place.run(&["throw.wasm"]).fails(134, "wasm exception: (i32 7, f64 0.5)");
    let (inner, outer) = (done.err.find("inner").unwrap(), done.err.find("outer").unwrap());
    assert!(inner < outer, "{done:?}");
}

#[test]
fn a_program_ends_with_its_fuel() {
    let place = Place::new("status-fuel");
    place.module("endless.wasm", r#"(module (func $f (export "_start") (loop (br 0))))"#);
    let words = "all fuel consumed; -W fuel=NUMBER gives another amount";
    place.run(&["-W", "fuel=100000", "endless.wasm"]).fails(134, words);
    place.run(&["-W", "fuel=0", "endless.wasm"]).fails(134, words);
    place.module("add.wasm", ADD);
    let add = ["--invoke", "add", "add.wasm", "2", "3"];
    assert_eq!(place.run(&[&["-W", "fuel=3"], &add[..]].concat()).ok(), "5\n");
    place.run(&[&["-W", "fuel=2"], &add[..]].concat()).fails(134, words);
    // An artifact that counts nothing is not run where fuel is to be counted, and the reverse.
    place.run(&["compile", "add.wasm"]).ok();
    let artifact = ["--invoke", "add", "add.cwasm", "2", "3"];
    let refused = place.run(&[&["-W", "fuel=9"], &artifact[..]].concat());
    refused.fails(1, "another choice of counting fuel");
    place.run(&["compile", "-W", "fuel=1", "add.wasm"]).ok();
    place.run(&artifact).fails(1, "another choice of counting fuel");
    assert_eq!(place.run(&[&["-W", "fuel=9"], &artifact[..]].concat()).ok(), "5\n");
}

#[test]
fn a_program_ends_when_its_time_is_over() {
    let place = Place::new("status-timeout");
    place.module("endless.wasm", r#"(module (func $f (export "_start") (loop (br 0))))"#);
    let words = "interrupt; the time of -W timeout=TIME is over";
    let done = place.run(&["-W", "timeout=50ms", "endless.wasm"]).fails(124, words);
    assert!(done.err.contains("- f"), "{done:?}");
    place.module("add.wasm", ADD);
    let add = ["--invoke", "add", "add.wasm", "2", "3"];
    assert_eq!(place.run(&[&["-W", "timeout=1h"], &add[..]].concat()).ok(), "5\n");
    // An artifact that cannot be interrupted is not run where it is to be.
    place.run(&["compile", "endless.wasm"]).ok();
    let refused = place.run(&["-W", "timeout=1s", "endless.cwasm"]);
    refused.fails(1, "another choice of interrupting guests");
    place.run(&["compile", "-W", "timeout=1", "endless.wasm"]).ok();
    place.run(&["-W", "timeout=0.05", "endless.cwasm"]).fails(124, words);
}

#[test]
fn a_program_that_waits_for_input_ends_when_its_time_is_over() {
    let place = Place::new("status-timeout-input");
    let text = r#"(module
        (import "wasi_snapshot_preview1" "fd_read"
            (func $read (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\10\00\00\00\10\00\00\00")
        (func (export "_start")
            (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;
    place.module("read.wasm", text);
    let mut command = place.command(&["-W", "timeout=50ms", "read.wasm"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Nothing is written, and nobody says that nothing will be.
    let input = child.stdin.take();
    let start = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(124));
    assert!(start.elapsed() < Duration::from_secs(20));
    drop(input);
    // With input there is nothing to wait for.
    let done = place.run_with_input(&["-W", "timeout=1h", "read.wasm"], b"input");
    assert_eq!(done.status, Some(0), "{done:?}");
}

#[test]
fn exhausted_stack_and_a_trapping_start_function_are_traps_too() {
    let place = Place::new("status-traps");
    place.module("deep.wasm", r#"(module (func $f (export "_start") call $f))"#);
    place.run(&["-Wmax-stack=128K", "deep.wasm"]).fails(134, "call stack exhausted");
    place.module("start.wasm", "(module (func $f unreachable) (start $f))");
    place.run(&["start.wasm"]).fails(134, "unreachable");
}

#[test]
fn wrong_command_lines_are_2() {
    let place = Place::new("status-usage");
    place.module("add.wasm", ADD);
    for (args, words) in [
        (&["--unheard-of", "add.wasm"][..], "unexpected argument '--unheard-of'"),
        (&["--dirr", ".", "add.wasm"], "a similar argument exists: '--dir'"),
        (&["--dir"], "a value is required for '--dir"),
        (&["--dry-run=yes", "add.wasm"], "unexpected value 'yes' for '--dry-run'"),
        (&["-W", "simd=off", "validate", "add.wasm"], "selkie validate [OPTION]..."),
        (&[], "<FILE>"),
        (&["--no-cache"], "<FILE>"),
        (&["-W", "simdd", "add.wasm"], "did you mean `simd`?"),
        (&["-W", "simd=maybe", "add.wasm"], "neither on nor off"),
        (&["-W", "max-memory=lots", "add.wasm"], "not a number"),
        (&["-O", "threads", "add.wasm"], "needs a value"),
        (&["-O", "threads=0", "add.wasm"], "the least is 1"),
        (&["-W", "max-stack=1", "add.wasm"], "the least is 65536"),
        (&["-W", "max-memory-size=1M", "add.wasm"], "here it is `max-memory`; see"),
        (&["-W", "timeout=soon", "add.wasm"], "no time, such as 2s"),
        (&["-W", "timeout=0", "add.wasm"], "no time, such as 2s"),
        (&["-W", "epoch", "add.wasm"], "the nearest is `timeout=TIME`"),
        (&["--timeout", "1", "add.wasm"], "here it is -W timeout=TIME"),
        (&["-W", "fuel", "add.wasm"], "it needs a value"),
        (&["--fuel", "1000", "add.wasm"], "here it is -W fuel=NUMBER"),
        (&["-S", "inherit-network", "add.wasm"], "tcp-listen=ADDRESS:PORT"),
        (&["--preload", "a=b.wasm", "add.wasm"], "link them into one before"),
        (&["-C", "cache=n", "add.wasm"], "--no-cache"),
        (&["--env", "=x", "add.wasm"], "NAME[=VALUE]"),
        (&["--dir", "::x", "add.wasm"], "HOST[::GUEST][:ro]"),
        (&["compile"], "<FILE>"),
        (&["compile", "a", "b"], "unexpected argument 'b'"),
        (&["compile", "--json", "add.wasm"], "unexpected argument '--json'"),
        (&["run"], "<FILE>"),
        (&["completions", "tcsh"], "possible values: bash,"),
        (&["help", "compil"], "unrecognized subcommand 'compil'"),
        (&["--invoke", "add", "add.wasm", "1"], "(i32, i32) -> (i32)"),
        (&["--invoke", "add", "add.wasm", "1", "x"], "no i32"),
        (&["--invoke", "add", "add.wasm", "1", "4294967296"], "no i32"),
    ] {
        let done = place.run(args).fails(2, words);
        // An option must not be turned into a file's name by advice.
        assert!(!done.err.contains("as a value"), "{done:?}");
    }
}

#[test]
fn words_fit_their_number() {
    let place = Place::new("status-number");
    place.module("add.wasm", ADD);
    place.run(&["--invoke", "add", "add.wasm", "1"]).fails(2, "but 1 argument is given");
    place.run(&["--invoke", "add", "add.wasm"]).fails(2, "but 0 arguments are given");
    place.run(&["-W", "simdd", "add.wasm"]).fails(2, "did you mean `simd`? `-W help` lists all");
}

#[test]
fn long_arguments_do_not_make_long_errors() {
    let place = Place::new("status-long");
    let long = format!("--{}", "x".repeat(100_000));
    for args in [&[&*long][..], &["-W", &long], &["compile", "a", &long], &["--dry-run", &long]] {
        let done = place.run(args).fails(2, "");
        assert!(done.err.len() < 20_000, "{} bytes", done.err.len());
    }
}

#[test]
fn arguments_of_the_guest_may_begin_with_a_dash() {
    let place = Place::new("status-dash");
    place.module("echo.wasm", ECHO);
    let out = place.run(&["echo.wasm", "-h", "--dir", "x", "--", "-W"]).ok();
    assert_eq!(out, "echo.wasm\n-h\n--dir\nx\n--\n-W\n");
    assert_eq!(place.run(&["run", "--", "echo.wasm", "-h"]).ok(), "echo.wasm\n-h\n");
}

#[test]
fn help_and_version_are_no_errors() {
    let place = Place::new("status-help");
    for args in [&["-h"][..], &["--help"], &["help"], &["help", "run"], &["wast", "-h"]] {
        assert!(place.run(args).ok().contains("Usage: selkie"), "{args:?}");
    }
    assert!(place.run(&["--version"]).ok().starts_with("selkie "));
    assert!(place.run(&["-W", "help"]).ok().contains("tail-call"));
    assert!(place.run(&["-O", "help"]).ok().contains("inlining"));
    assert!(place.run(&["-S", "help"]).ok().contains("tcp-listen"));
}
