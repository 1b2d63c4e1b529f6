//! Grants: nothing by default, each by its flag, all of them printed by `--dry-run`.

#[path = "place/scratch.rs"]
mod place;
use place::{ECHO, Place};

/// Writes its environment, each variable in a line: the same as for arguments, which WASI hands
/// out in the same way.
fn print_env() -> String {
    ECHO.replace("args_", "environ_")
}

/// Makes the file "made" in the first directory and ends with the error number.
const MAKE_FILE: &str = r#"(module
    (import "wasi_snapshot_preview1" "path_open"
      (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1) (data (i32.const 16) "made")
    (func (export "_start")
      (call $exit (call $open (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 4)
        (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 0)))))"#;

const ERRNO_BADF: i32 = 8;
const ERRNO_ROFS: i32 = 69;

#[test]
fn there_is_no_environment_unless_it_is_given() {
    let place = Place::new("grants-env");
    place.module("env.wasm", &print_env());
    assert_eq!(place.run(&["env.wasm"]).ok(), "");
    let out = place.run(&["--env", "A=1", "--env", "B=x=y", "--env", "A=2", "env.wasm"]).ok();
    assert_eq!(out, "B=x=y\nA=2\n");
    let mut command = place.command(&["--env", "SEAL", "--env", "ABSENT", "env.wasm"]);
    assert_eq!(command.env("SEAL", "grey").output().unwrap().stdout, b"SEAL=grey\n");
    let out = place.run(&["-S", "inherit-env", "env.wasm"]).ok();
    assert!(out.contains("XDG_CACHE_HOME="), "{out}");
}

#[test]
fn directories_are_given_one_by_one() {
    let place = Place::new("grants-dir");
    place.module("make.wasm", MAKE_FILE);
    std::fs::create_dir(place.folder.join("data")).unwrap();
    let made = place.folder.join("data/made");
    assert_eq!(place.run(&["make.wasm"]).status, Some(ERRNO_BADF));
    assert_eq!(place.run(&["--dir", "data::/:ro", "make.wasm"]).status, Some(ERRNO_ROFS));
    assert!(!made.exists());
    place.run(&["--dir", "data::/", "make.wasm"]).ok();
    assert!(made.exists());
    place.run(&["--dir", "absent", "make.wasm"]).fails(1, "cannot grant `absent`");
    place.run(&["--dir", "make.wasm", "make.wasm"]).fails(1, "the directory it is in");
    place.run(&["--dir", "data:/x", "make.wasm"]).fails(1, "--dir HOST::GUEST");
    place.run(&["--dir", "data::/x::rw", "make.wasm"]).fails(2, "`::` stands there twice");
    let twice = ["--dir", "data::/x", "--dir", ".::/x/", "make.wasm"];
    place.run(&twice).fails(2, "two directories are granted as `/x/`");
}

#[test]
fn a_dry_run_prints_what_would_be_given_and_runs_nothing() {
    let place = Place::new("grants-dry");
    place.module("make.wasm", MAKE_FILE);
    let out = place.run(&["--dry-run", "make.wasm"]).ok();
    assert!(out.contains("directories:\n  none"), "{out}");
    assert!(out.contains("directories: --dir"), "{out}");
    let args = &["--dry-run", "--dir", ".::/work:ro", "--env", "A=1", "make.wasm", "-x"];
    let out = place.run(args).ok();
    for words in ["`.` as `/work`: read only", "`A` = `1`", "`-x`", "sockets:\n  none"] {
        assert!(out.contains(words), "{words} in {out}");
    }
    assert!(!place.folder.join("made").exists());
}

#[test]
fn a_dry_run_fails_where_the_run_would_not_begin() {
    let place = Place::new("grants-dry-fails");
    place.module("make.wasm", MAKE_FILE);
    place.run(&["--dry-run", "--dir", "absent", "make.wasm"]).fails(1, "cannot grant `absent`");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp-listen={}", taken.local_addr().unwrap());
    place.run(&["--dry-run", "-S", &address, "make.wasm"]).fails(1, "cannot listen");
    place.file("import.wat", r#"(module (import "env" "f" (func)) (func (export "_start")))"#);
    place.run(&["--dry-run", "import.wat"]).fails(1, "nobody provides the import `env` `f`");
    place.run(&["--dry-run", "-W", "unknown-imports-trap", "import.wat"]).ok();
}

#[test]
fn the_programs_name_is_its_files_unless_another_is_given() {
    let place = Place::new("grants-name");
    let path = place.module("echo.wasm", ECHO);
    assert_eq!(place.run(&[place::text(&path)]).ok(), "echo.wasm\n");
    assert_eq!(place.run(&["--argv0", "/bin/echo", "echo.wasm"]).ok(), "/bin/echo\n");
}

#[test]
fn streams_can_be_taken_away() {
    let place = Place::new("grants-streams");
    place.module("echo.wasm", ECHO);
    assert_eq!(place.run(&["-S", "stdout=off", "echo.wasm"]).ok(), "");
}

#[test]
fn a_socket_can_be_given_to_listen_on() {
    let place = Place::new("grants-socket");
    place.module("echo.wasm", ECHO);
    place.run(&["-S", "tcp-listen=127.0.0.1:0", "echo.wasm"]).ok();
    place.run(&["-S", "tcp-listen=nowhere", "echo.wasm"]).fails(2, "no ADDRESS:PORT");
}

#[test]
fn grants_in_a_configuration_are_refused() {
    let place = Place::new("grants-config");
    place.module("echo.wasm", ECHO);
    place.file("grants.toml", "[wasi]\ninherit-env = true\n");
    place.run(&["--config", "grants.toml", "echo.wasm"]).fails(1, "only the command line");
}

#[test]
fn limits_hold() {
    let place = Place::new("grants-limits");
    place.file(
        "grow.wat",
        r#"(module (memory 1) (func (export "grow") (result i32)
        (memory.grow (i32.const 100))))"#,
    );
    assert_eq!(place.run(&["--invoke", "grow", "grow.wat"]).ok(), "1\n");
    assert_eq!(place.run(&["-W", "max-memory=1M", "--invoke", "grow", "grow.wat"]).ok(), "-1\n");
    place.file("large.wat", r#"(module (memory 100) (func (export "_start")))"#);
    let done = place.run(&["-W", "max-memory=1M", "large.wat"]).fails(1, "-W max-memory=SIZE");
    assert!(done.err.contains("6553600 bytes exceeds the store's limit of 1048576"), "{done:?}");
    place.file("table.wat", r#"(module (table 100 funcref) (func (export "_start")))"#);
    place.run(&["-W", "max-table=99", "table.wat"]).fails(1, "-W max-table=NUMBER");
    place.file("deep.wat", r#"(module (func $f (export "_start") call $f))"#);
    place.run(&["deep.wat"]).fails(134, "call stack exhausted; -W max-stack=SIZE");
    place.run(&["-W", "max-stack=100T", "deep.wat"]).fails(1, "-W max-stack=SIZE asks for less");
}

#[test]
fn limits_of_objects_and_continuations_hold_and_name_their_options() {
    let place = Place::new("grants-objects");
    place.file(
        "list.wat",
        r#"(module (type $node (struct (field (ref null $node)) (field i64)))
        (func $fill (export "_start") (local $l (ref null $node))
            (loop $l (local.set $l (struct.new $node (local.get $l) (i64.const 1))) (br $l))))"#,
    );
    let full = place.run(&["-W", "max-gc-heap=1M", "list.wat"]);
    let full = full.fails(134, "allocation size too large; -W max-gc-heap=SIZE");
    assert!(full.err.contains("- fill"), "{full:?}");
    place.file(
        "conts.wat",
        r#"(module (type $f (func)) (type $c (cont $f)) (elem declare func $f $deep)
        (func $f) (func $deep (call $deep))
        (func (export "many") (drop (cont.new $c (ref.func $f))))
        (func (export "deep") (resume $c (cont.new $c (ref.func $deep)))))"#,
    );
    let run = |limit, export| {
        place.run(&["-W", "stack-switching", "-W", limit, "--invoke", export, "conts.wat"])
    };
    run("max-continuations=0", "many").fails(134, "-W max-continuations=NUMBER");
    run("max-continuation-bytes=1K", "many").fails(134, "-W max-continuation-bytes=SIZE");
    run("continuation-stack=64K", "deep").fails(134, "-W continuation-stack=SIZE");
}

#[test]
fn little_address_space_is_enough_and_too_little_is_explained() {
    let place = Place::new("grants-space");
    place.file("small.wat", r#"(module (memory 1) (func (export "_start")))"#);
    place.file("large.wat", r#"(module (memory 60000) (func (export "_start")))"#);
    let script = "ulimit -v 3000000 && exec \"$0\" \"$@\"";
    let run = |args: &[&str]| {
        let mut command = std::process::Command::new("/bin/sh");
        command.args(["-c", script, env!("CARGO_BIN_EXE_selkie")]).args(args);
        command.current_dir(&place.folder).output().unwrap()
    };
    // There is no room for guard pages: the memory does without.
    for args in [&["small.wat"][..], &["-O", "guard-pages=off", "small.wat"]] {
        let output = run(&[&["--no-cache"], args].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    let output = run(&["--no-cache", "large.wat"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("address space") && words.contains("ulimit -v"), "{words}");
}
