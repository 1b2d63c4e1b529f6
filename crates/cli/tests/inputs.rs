//! What people give by mistake, and text and streams in place of files.

#[path = "place/scratch.rs"]
mod place;
use place::{ADD, ECHO, Place};

/// Name, content, words of the error.
const WRONG: &[(&str, &[u8], &str)] = &[
    ("empty.wasm", b"", "is empty"),
    ("short.wasm", b"\0asm", "ends in its first bytes"),
    ("version.wasm", b"\0asm\x02\0\0\0", "version"),
    ("component.wasm", b"\0asm\x0d\0\x01\0", "is a component"),
    ("cut.wasm", b"\0asm\x01\0\0\0\x01\x7f", "unexpected end"),
    ("junk.wasm", b"\0asm\x01\0\0\0\xff\xff\xff", "error"),
    ("program", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0", "native program"),
    ("object.o", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x01\0", "object file"),
    ("other.cwasm", b"\x7fELF\x02\x01\x01\xc8\0\0\0\0\0\0\0\0\x03\0", "another engine"),
    ("lib.a", b"!<arch>\n", "archive of object files"),
    ("packed.wasm.gz", b"\x1f\x8b\x08\0", "unpack"),
    ("packed.zst", b"\x28\xb5\x2f\xfd\0", "unpack"),
    ("packed.xz", b"\xfd7zXZ\0", "unpack"),
    ("packed.zip", b"PK\x03\x04", "unpack"),
    ("code.bc", b"BC\xc0\xde", "bitcode"),
    ("windows.exe", b"MZ\x90\0", "Windows"),
    ("script.sh", b"#!/bin/sh\n", "interpreter"),
    ("page.wasm", b"\n<!DOCTYPE html><html>", "web page"),
    ("wide.wat", b"\xff\xfe(\0m\0", "UTF-16"),
    ("script.wast", b";; x\n(assert_return (invoke \"f\"))", "selkie wast"),
    ("component.wat", b"(component)", "text of a component"),
    ("notes.txt", b"Dear diary", "neither"),
    ("wrong.wat", b"(module (func (result i32)", "expected"),
    ("invalid.wat", b"(module (func (result i32)))", "type mismatch"),
    ("bytes.bin", b"\x01\x02\x03\x04", "neither"),
    ("damaged.cwasm", b"\0selkie\0\xff\xff\xff\xff", "artifact"),
    ("picture.png", b"\x89PNG\r\n\x1a\n", "picture"),
];

#[test]
fn wrong_kinds_of_file_are_named_and_never_run() {
    let place = Place::new("inputs-wrong");
    for (name, content, words) in WRONG {
        place.file(name, content);
        place.run(&[name]).fails(1, words);
    }
}

#[test]
fn every_command_refuses_them_as_calmly() {
    let place = Place::new("inputs-commands");
    for (name, content, _) in WRONG {
        place.file(name, content);
        for command in ["compile", "validate", "inspect", "disas"] {
            place.run(&[command, name]).fails(1, "");
        }
        let done = place.run(&["wast", name]);
        assert!(matches!(done.status, Some(0 | 1)), "{name}: {done:?}");
        assert!(!done.err.contains("panicked"), "{name}: {done:?}");
    }
    assert!(!place.folder.join("empty.cwasm").exists());
}

#[test]
fn scripts_are_told_from_other_kinds_of_file() {
    let place = Place::new("inputs-scripts");
    place.file("packed.gz", b"\x1f\x8b\x08\0");
    place.run(&["wast", "packed.gz"]).fails(1, "is compressed with gzip; unpack it first");
    place.module("add.wasm", ADD);
    place.run(&["wast", "add.wasm"]).fails(1, "is a module, not a script");
    place.file("zeros", [0; 64]);
    place.run(&["wast", "zeros"]).fails(1, "is no text");
}

#[test]
fn of_an_endless_stream_only_the_beginning_is_read() {
    let place = Place::new("inputs-endless");
    for words in ["run /dev/zero", "validate /dev/zero", "inspect - </dev/zero", "wast /dev/zero"] {
        let script = format!("ulimit -v 2000000 && exec \"$0\" {words}");
        let mut command = std::process::Command::new("/bin/sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_selkie")]).current_dir(&place.folder);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{words}: {output:?}");
        let error = String::from_utf8_lossy(&output.stderr);
        let named = ["is neither a WebAssembly module nor its text", "is no text"];
        assert!(named.iter().any(|words| error.contains(words)), "{words}: {error}");
    }
}

#[test]
fn files_that_cannot_be_read_are_errors() {
    let place = Place::new("inputs-unreadable");
    std::fs::create_dir(place.folder.join("folder")).unwrap();
    place.run(&["folder"]).fails(1, "is a directory");
    place.run(&["absent.wasm"]).fails(1, "cannot read `absent.wasm`");
    place.run(&["compil", "x"]).fails(1, "did you mean the command `compile`?");
    std::os::unix::fs::symlink("loop", place.folder.join("loop")).unwrap();
    place.run(&["loop"]).fails(1, "cannot read");
    place.run(&["/proc/self/mem"]).fails(1, "");
}

#[test]
fn text_is_accepted_everywhere() {
    let place = Place::new("inputs-text");
    place.file("add.wat", ADD);
    assert_eq!(place.run(&["--invoke", "add", "add.wat", "2", "40"]).ok(), "42\n");
    place.run(&["validate", "add.wat"]).ok();
    place.run(&["inspect", "add.wat"]).ok();
    place.run(&["disas", "add.wat"]).ok();
    place.run(&["compile", "add.wat"]).ok();
    assert_eq!(place.run(&["--invoke", "add", "add.cwasm", "2", "-1"]).ok(), "1\n");
}

#[test]
fn a_dash_is_standard_input() {
    let place = Place::new("inputs-dash");
    let binary = wat::parse_str(ECHO).unwrap();
    for input in [ECHO.as_bytes(), &binary] {
        assert_eq!(place.run_with_input(&["-", "a"], input).ok(), "-\na\n");
        place.run_with_input(&["validate", "-"], input).ok();
        place.run_with_input(&["inspect", "-"], input).ok();
    }
    place.run_with_input(&["compile", "-", "-o", "echo.cwasm"], &binary).ok();
    let artifact = std::fs::read(place.folder.join("echo.cwasm")).unwrap();
    let ran = place.run_with_input(&["--allow-precompiled", "-", "b"], &artifact);
    assert_eq!(ran.ok(), "-\nb\n");
    place.run_with_input(&["compile", "-"], &binary).fails(2, "--output");
    place.run_with_input(&["-"], b"").fails(1, "standard input is empty");
}

#[test]
fn missing_imports_are_explained() {
    let place = Place::new("inputs-imports");
    for (module, name, words) in [
        ("wasi_snapshot_preview1", "fd_wrote", "`fd_write`"),
        ("wasi:cli/run", "run", "WASI 0.2"),
        ("wbg", "__wbg_log", "wasm-bindgen"),
        ("gojs", "runtime.wasmExit", "GOOS=wasip1"),
        ("env", "emscripten_notify_memory_growth", "STANDALONE_WASM"),
        ("env", "thing", "-W unknown-imports-trap"),
    ] {
        let text =
            format!(r#"(module (import "{module}" "{name}" (func)) (func (export "_start")))"#);
        place.file("import.wat", text);
        place.run(&["import.wat"]).fails(1, words);
    }
    place.run(&["-W", "unknown-imports-trap", "import.wat"]).ok();
    place.file(
        "call.wat",
        r#"(module (import "env" "thing" (func $f)) (export "_start" (func $f)))"#,
    );
    let called = place.run(&["-W", "unknown-imports-trap", "call.wat"]);
    called.fails(134, "unknown import `env` `thing` was called");
    place.file(
        "memory.wat",
        r#"(module (import "env" "memory" (memory 1)) (func (export "_start")))"#,
    );
    let done = place.run(&["-W", "unknown-imports-trap", "memory.wat"]);
    let done = done.fails(1, "a host program that defines it");
    assert!(!done.err.contains("unknown-imports-trap"), "{done:?}");
}

#[test]
fn what_every_proposal_adds_runs_once_it_is_switched_on() {
    let place = Place::new("inputs-proposals");
    place.file(
        "cont.wat",
        r#"(module (type $f (func)) (type $c (cont $f))
        (func $f) (elem declare func $f)
        (func (export "_start") (resume $c (cont.new $c (ref.func $f)))))"#,
    );
    place.run(&["cont.wat"]).fails(1, "stack-switching");
    let on = ["-W", "stack-switching"];
    let run = |words: &[&str]| place.run(&[words, &on, &["cont.wat"]].concat());
    assert_eq!(run(&["validate"]).err, "");
    run(&[]).ok();
    assert!(run(&["inspect"]).ok().contains("  stack-switching\n"));
    let help = place.run(&["-W", "help"]).ok();
    let line = |name: &str| help.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
    assert!(line("stack-switching ").ends_with("(default off)"), "{help}");
    assert!(line("simd ").ends_with("(default on)"), "{help}");
}

#[test]
fn a_library_is_explained_with_what_it_exports() {
    let place = Place::new("inputs-library");
    place.file("add.wat", ADD);
    place.run(&["add.wat"]).fails(1, "--invoke: `add`");
    place.run(&["--invoke", "ad", "add.wat"]).fails(1, "did you mean `add`?");
    place.run(&["--invoke", "zzz", "add.wat"]).fails(1, "it exports `add`");
    place.file("empty.wat", "(module)");
    place.run(&["empty.wat"]).ok();
}

#[test]
fn proposals_that_are_off_are_refused_by_name() {
    let place = Place::new("inputs-proposals");
    place.file("v.wat", "(module (func (result v128) (v128.const i64x2 0 0)))");
    place.run(&["validate", "v.wat"]).ok();
    place.run(&["validate", "-W", "simd=off,relaxed-simd=off", "v.wat"]).fails(1, "-W simd");
}

#[test]
fn programs_with_strings_of_javascript_run_and_can_be_denied_them() {
    let place = Place::new("inputs-strings");
    place.file(
        "strings.wat",
        r#"(module
        (import "wasm:js-string" "length" (func $length (param externref) (result i32)))
        (import "S" "twelve units" (global $text externref))
        (func (export "length") (result i32) (call $length (global.get $text))))"#,
    );
    let named = ["-W", "string-constants=S", "--invoke", "length", "strings.wat"];
    assert_eq!(place.run(&named).ok(), "12\n");
    place.run(&["--invoke", "length", "strings.wat"]).fails(1, "twelve units");
    let off = ["-W", "js-string-builtins=off,string-constants=S", "strings.wat"];
    place.run(&off).fails(1, "wasm:js-string");
    assert!(place.run(&["inspect", "strings.wat"]).ok().contains("  js-string-builtins\n"));
}
