//! `preinit`: a module that begins where its initializer ended, and clear words where none can be
//! made.

// What a test builds on must be there.
#![allow(clippy::unwrap_used)]

#[path = "place/scratch.rs"]
mod place;
use place::Place;

/// Its initializer keeps what it is given: the first bytes of a file, or else of an argument.
const KEEPER: &str = r#"(module
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (global $turns (mut i32) (i32.const 0))
    (data (i32.const 100) "text")
    (func (export "wizer-initialize")
        (drop (call $args (i32.const 800) (i32.const 900)))
        (i64.store (i32.const 400) (i64.load (i32.load (i32.const 804))))
        (drop (call $open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 4) (i32.const 0)
            (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0)))
        (i32.store (i32.const 8) (i32.const 400)) (i32.store (i32.const 12) (i32.const 8))
        (drop (call $read (i32.load (i32.const 0)) (i32.const 8) (i32.const 1) (i32.const 16)))
        (global.set $turns (i32.add (global.get $turns) (i32.const 1))))
    (func (export "_start")
        (i32.store8 (i32.const 408) (i32.add (global.get $turns) (i32.const 48)))
        (i32.store8 (i32.const 409) (i32.const 10))
        (i32.store (i32.const 8) (i32.const 400)) (i32.store (i32.const 12) (i32.const 10))
        (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16)))))"#;

#[test]
fn what_is_granted_now_is_there_later() {
    let place = Place::new("preinit-grants");
    place.module("in.wasm", KEEPER);
    place.file("text", "the file");
    place.run(&["preinit", "in.wasm", "-o", "arg.wasm", "--", "argument"]).ok();
    assert_eq!(place.run(&["arg.wasm"]).ok(), "argument1\n");
    place.run(&["preinit", "--dir=.:ro", "-o", "file.wasm", "in.wasm", "--", "argument"]).ok();
    std::fs::remove_file(place.folder.join("text")).unwrap();
    assert_eq!(place.run(&["file.wasm"]).ok(), "the file1\n");
    place.run(&["validate", "file.wasm"]).ok();
    // The initializer is gone; nothing is left to run.
    place.run(&["preinit", "file.wasm", "-o", "again.wasm"]).fails(1, "no initializer");
    place.run(&["preinit", "in.wasm", "-o", "a.wasm", "--keep-init-func", "--", "argument"]).ok();
    place.run(&["preinit", "a.wasm", "-o", "b.wasm", "--", "ARGUMENT"]).ok();
    assert_eq!(place.run(&["b.wasm"]).ok(), "ARGUMENT2\n");
}

#[test]
fn text_artifacts_and_streams() {
    let place = Place::new("preinit-forms");
    place.file("in.wat", KEEPER);
    place.run(&["preinit", "in.wat", "-o", "out.cwasm", "--", "compiled"]).ok();
    assert_eq!(place.run(&["out.cwasm"]).ok(), "compiled1\n");
    let done = place.command(&["preinit", "in.wat", "-o", "-", "--", "streamed"]).output().unwrap();
    assert!(done.status.success() && done.stdout.starts_with(b"\0asm"));
    assert_eq!(place.run_with_input(&["-"], &done.stdout).ok(), "streamed1\n");
    place.run(&["preinit", "out.cwasm", "-o", "x.wasm"]).fails(1, "is an artifact");
}

#[test]
fn standard_input_is_for_the_program_later() {
    let place = Place::new("preinit-stdin");
    let reads = KEEPER.replace(
        "(i32.load (i32.const 0)) (i32.const 8) (i32.const 1)",
        "(i32.const 0) (i32.const 8) (i32.const 1)",
    );
    place.module("in.wasm", &reads);
    place
        .run_with_input(&["preinit", "in.wasm", "-o", "a.wasm", "--", "--------"], b"standard")
        .ok();
    assert_eq!(place.run(&["a.wasm"]).ok(), "--------1\n");
    place
        .run_with_input(
            &["preinit", "-S", "stdin=on", "in.wasm", "-o", "b.wasm", "--", "--------"],
            b"standard",
        )
        .ok();
    assert_eq!(place.run(&["b.wasm"]).ok(), "standard1\n");
}

#[test]
fn functions_are_renamed() {
    let place = Place::new("preinit-rename");
    let resumes = KEEPER
        .replace("\"_start\"", "\"wizer.resume\"")
        .replace("(memory (export", "(func (export \"_start\") unreachable) (memory (export");
    place.module("in.wasm", &resumes);
    let rename = "--rename-func=_start=wizer.resume";
    place.run(&["preinit", rename, "in.wasm", "-o", "out.wasm", "--", "resumed."]).ok();
    assert_eq!(place.run(&["out.wasm"]).ok(), "resumed.1\n");
    place.run(&["preinit", "--rename-func=x", "in.wasm", "-o", "o"]).fails(2, "it needs NEW=OLD");
    place.run(&["preinit", "--rename-func=x=y", "in.wasm", "-o", "o"]).fails(1, "exported as `y`");
}

#[test]
fn each_wrong_input_has_its_words() {
    let place = Place::new("preinit-wrong");
    let fails = |name: &str, text: &str, status, words: &str| {
        place.module(name, text);
        let done = place.run(&["preinit", name, "-o", "out.wasm"]).fails(status, words);
        assert!(!place.folder.join("out.wasm").exists(), "{name}");
        done
    };
    place.run(&["preinit", "none.wasm", "-o", "o"]).fails(1, "cannot read");
    place.run(&["preinit", "none.wasm"]).fails(2, "--output");
    place.file("not.wasm", b"\x7fELF\x02\x01\x01");
    place.run(&["preinit", "not.wasm", "-o", "o"]).fails(1, "not.wasm");
    place.file("component.wasm", b"\0asm\x0d\0\x01\0");
    place.run(&["preinit", "component.wasm", "-o", "o"]).fails(1, "component");
    place.file("damaged.wasm", b"\0asm\x01\0\0\0\x0a\x01\x01");
    place.run(&["preinit", "damaged.wasm", "-o", "o"]).fails(1, "damaged.wasm");
    fails(
        "library.wasm",
        r#"(module (func (export "boot")) (func (export "f") (param i32)))"#,
        1,
        "no initializer `wizer-initialize`; --init-func names another: `boot`",
    );
    fails("empty.wasm", "(module)", 1, "it exports no function that could be one");
    fails(
        "typed.wasm",
        r#"(module (func (export "wizer-initialize") (result i32) i32.const 1))"#,
        1,
        "an initializer has () -> ()",
    );
    let trap = fails(
        "trap.wasm",
        r#"(module (func $inner unreachable)
        (func $init (export "wizer-initialize") call $inner))"#,
        134,
        "unreachable",
    );
    assert!(trap.err.contains("inner") && trap.err.contains("init"), "{trap:?}");
    fails(
        "exit.wasm",
        r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (func (export "wizer-initialize") i32.const 3 call $exit))"#,
        1,
        "ended the program with status 3 instead of returning",
    );
    fails(
        "import.wasm",
        r#"(module (import "env" "f" (func $f))
        (func (export "wizer-initialize")))"#,
        1,
        "-W unknown-imports-trap runs it without",
    );
    fails(
        "memory.wasm",
        r#"(module (import "env" "memory" (memory 1))
        (func (export "wizer-initialize")))"#,
        1,
        "its state belongs to whoever provides it",
    );
    fails(
        "object.wasm",
        r#"(module (type $s (struct)) (global $g (mut (ref null $s)) (ref.null $s))
        (func (export "wizer-initialize") (global.set $g (struct.new $s))))"#,
        1,
        "global 0 holds",
    );
    place.run(&["preinit", "-W", "unknown-imports-trap", "import.wasm", "-o", "stub.wasm"]).ok();
    place.module(
        "call.wasm",
        r#"(module (import "env" "f" (func $f))
        (func (export "wizer-initialize") call $f))"#,
    );
    place
        .run(&["preinit", "-W", "unknown-imports-trap", "call.wasm", "-o", "o"])
        .fails(134, "unknown import `env` `f` was called");
    place
        .run(&["preinit", "stub.wasm", "-o", "stub.wasm", "--init-func=x"])
        .fails(2, "is the module itself");
    place.module("good.wasm", r#"(module (func (export "wizer-initialize")))"#);
    place.run(&["preinit", "good.wasm", "-o", "nowhere/o.wasm"]).fails(1, "cannot write");
    place.module("loop.wasm", r#"(module (func (export "wizer-initialize") (loop br 0)))"#);
    place.run(&["preinit", "-W", "fuel=1000", "loop.wasm", "-o", "o"]).fails(134, "fuel");
    place.run(&["preinit", "-S", "wall=off", "good.wasm", "-o", "walled.wasm"]).ok();
    assert!(place.run(&["help", "preinit"]).ok().contains("--init-func"));
}
