//! Terminals and pipes: nothing that a guest names steers a terminal; readers may go away.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "place/scratch.rs"]
mod place;
use place::{ADD, ECHO, Place};
use std::process::Stdio;

const ESCAPE: &str = "\\1b[2J\\1b]0;owned\\07\\c2\\9b31m\\e2\\80\\aeevil\\0a\\0d";

#[track_caller]
fn is_harmless(text: &str) {
    let steers = |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!text.contains(steers), "{text:?}");
}

#[test]
fn names_of_guests_do_not_steer_the_terminal() {
    let place = Place::new("terminal-names");
    let import =
        format!(r#"(module (import "{ESCAPE}" "{ESCAPE}" (func)) (func (export "_start")))"#);
    let export = format!(r#"(module (func (export "{ESCAPE}") unreachable))"#);
    let named = format!(r#"(module (func $"{ESCAPE}" (export "_start") unreachable))"#);
    let custom = format!(r#"(module (@custom "{ESCAPE}" "x"))"#);
    for (name, text) in
        [("import", import), ("export", export), ("named", named), ("custom", custom)]
    {
        place.file(&format!("{name}.wat"), text);
        let file = format!("{name}.wat");
        for args in [
            &[&*file][..],
            &["--invoke", "x", &file],
            &["inspect", &file],
            &["disas", &file],
            &["disas", "--walk", &file],
            &["--dry-run", &file],
        ] {
            let done = place.run(args);
            is_harmless(&done.out);
            is_harmless(&done.err);
        }
    }
}

#[test]
fn names_of_files_and_arguments_do_not_either() {
    let place = Place::new("terminal-files");
    let name = "\x1b[31m\u{202e}x.wasm";
    place.file(name, "(module (func (result i32)))");
    for args in [
        &[name][..],
        &["validate", name],
        &["compile", name],
        &["absent\x1b[2J"],
        &["--\x1b[2J"],
        &["-\u{9b}"],
        &["-W", "\x1b[2J"],
        &["--dir", "\x1b[2J", "x.wat"],
        &["completions", "\x1b[2J"],
        &["help", "\x1b[2J"],
        &["--dry-run=\x1b[2J", "x.wat"],
        &["compile", "a", "\x1b[2J"],
        &["compile", "\u{9b}", "--\u{202e}x=\x1b[2J"],
        &["--config", "\x1b[2J", "x.wat"],
    ] {
        let done = place.run(args);
        assert_ne!(done.status, Some(0), "{args:?}");
        is_harmless(&done.err);
        is_harmless(&done.out);
    }
}

#[test]
fn errors_in_text_do_not_either() {
    let place = Place::new("terminal-text");
    place.file("x.wat", "(module\n (func \x1b[2J i32.unheard-of))");
    is_harmless(&place.run(&["x.wat"]).fails(1, "x.wat").err);
    place.file("x.wast", "(module)\n(assert_return (invoke \"\x1b[2J\"))");
    is_harmless(&place.run(&["wast", "x.wast"]).fails(1, "").err);
    place.file("x.toml", "[wasm]\n\"\x1b[2J\" = 1");
    is_harmless(&place.run(&["--config", "x.toml", "x.wat"]).fails(1, "x.toml").err);
}

#[test]
fn the_guests_own_output_is_left_alone() {
    let place = Place::new("terminal-own");
    place.module("echo.wasm", ECHO);
    assert_eq!(place.run(&["echo.wasm", "\x1b[1mbold"]).ok(), "echo.wasm\n\x1b[1mbold\n");
}

/// A pipe that nobody reads any more.
fn closed_pipe() -> std::io::PipeWriter {
    let (reader, writer) = std::io::pipe().expect("pipes can be made");
    drop(reader);
    writer
}

/// What a command writes to its standard error, a terminal.
fn seen_on_terminal(place: &Place, args: &[&str]) -> String {
    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
    use std::io::Read;
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let end = ioctl_tiocgptpeer(&terminal, OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    let mut command = place.command(args);
    command.env("TERM", "xterm").stdout(Stdio::null()).stderr(end);
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut bytes = Vec::new();
    // Once nobody has the other end open, reading ends in an error.
    let _ = std::fs::File::from(terminal).read_to_end(&mut bytes);
    child.wait().unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn that_no_directory_was_given_is_said_to_people_whose_program_failed() {
    const LOOKS: &str = r#"(import "wasi_snapshot_preview1" "path_unlink_file"
        (func (param i32 i32 i32) (result i32)))"#;
    const EXIT: &str = r#"(import "wasi_snapshot_preview1" "proc_exit"
        (func $exit (param i32))) (memory (export "memory") 1)"#;
    let place = Place::new("terminal-directory");
    let program = |name: &str, imports: &str, body: &str| {
        place
            .module(name, &format!(r#"(module {imports} {EXIT} (func (export "_start") {body}))"#));
    };
    program("fails.wasm", LOOKS, "(call $exit (i32.const 7))");
    program("ends.wasm", LOOKS, "(call $exit (i32.const 0))");
    program("traps.wasm", LOOKS, "unreachable");
    program("plain.wasm", "", "(call $exit (i32.const 7))");
    let quiet = ["-S", "wall=off"];
    let seen = |args: &[&str]| seen_on_terminal(&place, &[&quiet, args].concat());
    assert!(seen(&["fails.wasm"]).contains("grant one with --dir"));
    assert_eq!(seen(&["--dir", ".", "fails.wasm"]), "");
    assert_eq!(seen(&["ends.wasm"]), "");
    assert_eq!(seen(&["plain.wasm"]), "");
    assert!(!seen(&["traps.wasm"]).contains("--dir"));
    // Scripts get what the program says and nothing else.
    let done = place.run(&["fails.wasm"]);
    assert_eq!((done.status, done.err.as_str()), (Some(7), ""));
}

#[test]
fn a_reader_that_goes_away_is_no_crash() {
    let place = Place::new("terminal-pipe");
    place.module("add.wasm", ADD);
    place.module("echo.wasm", ECHO);
    for args in [
        &["help"][..],
        &["inspect", "add.wasm"],
        &["disas", "add.wasm"],
        &["completions", "bash"],
        &["--invoke", "add", "add.wasm", "1", "2"],
        &["compile", "add.wasm", "-o", "-"],
    ] {
        let mut command = place.command(args);
        let output = command.stdout(closed_pipe()).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
    }
    // A guest is told and decides itself: this one ends with 9.
    let mut command = place.command(&["echo.wasm"]);
    assert_eq!(command.stdout(closed_pipe()).status().unwrap().code(), Some(9));
}

#[test]
fn a_full_standard_output_is_an_error() {
    let place = Place::new("terminal-full");
    place.module("add.wasm", ADD);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = place.command(&["inspect", "add.wasm"]);
    let output = command.stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("No space left"));
}

#[test]
fn bash_completes_choices_options_commands_and_files() {
    let place = Place::new("terminal-bash");
    place.file("bash", place.run(&["completions", "bash"]).ok());
    place.file("zebra.wasm", "");
    let completed = |words: &str| {
        // As readline does: the words, which of them is completed, and the two last ones again.
        let script = format!(
            "source ./bash; compopt() {{ :; }}; COMP_WORDS=(selkie {words}); \
             COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _selkie selkie \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let mut command = std::process::Command::new("bash");
        let output = command.args(["-c", &script]).current_dir(&place.folder).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words}");
        String::from_utf8(output.stdout).unwrap()
    };
    for (words, wanted) in [
        ("-W rel", "relaxed-simd\n"),
        ("-W he", "help\n"),
        ("-O inl", "inlining\n"),
        ("-S tcp", "tcp-listen\n"),
        ("--wasm tail", "tail-call\n"),
        ("--dir . -W tail", "tail-call\n"),
        ("compile -O gu", "guard-pages\n"),
        ("--inv", "--invoke\n"),
        ("insp", "inspect\n"),
        ("disas --fu", "--function\n"),
        ("completions b", "bash\n"),
        ("--config ze", "zebra.wasm\n"),
        // Nothing of ours: the shell goes on with the names of files.
        ("ze", "\n"),
        ("--dir . ze", "\n"),
    ] {
        assert!(completed(words).contains(wanted), "{words}: {:?}", completed(words));
    }
    assert!(!completed("-W inl").contains("inlining"));
}

#[test]
fn completions_are_accepted_by_their_shells() {
    let place = Place::new("terminal-completions");
    for (shell, check) in [("bash", "bash -n"), ("zsh", "zsh -n"), ("fish", "fish -n")] {
        let script = place.run(&["completions", shell]).ok();
        assert!(script.contains("selkie"));
        let file = place.file(shell, script);
        // Where a shell is installed, it reads them itself.
        let mut words = check.split(' ').chain([place::text(&file)]);
        let status = std::process::Command::new(words.next().unwrap()).args(words).status();
        assert!(status.map_or(true, |status| status.success()), "{shell}");
    }
}

#[test]
fn a_bar_shows_how_far_compiling_is_when_it_takes_long_and_then_goes_away() {
    let place = Place::new("terminal-progress");
    let module = |functions: usize| {
        let steps: String =
            (0..200).map(|i| format!("i32.load offset={} i32.const {i} i32.xor ", i * 4)).collect();
        let func = format!("(func (param i32) (result i32) local.get 0 {steps})");
        format!("(module (memory 1) {})", func.repeat(functions))
    };
    place.module("small.wasm", &module(1));
    place.module("large.wasm", &module(3000));
    let compile = |name| ["compile", "-O", "threads=1", name, "-o", "out.cwasm"];
    assert_eq!(seen_on_terminal(&place, &compile("small.wasm")), "");
    let seen = seen_on_terminal(&place, &compile("large.wasm"));
    assert!(seen.contains("compiling [") && seen.contains("/3000 functions"), "{seen:?}");
    assert!(seen.ends_with("\u{1b}[2K") || seen.ends_with("\u{1b}[K"), "{seen:?}");
    // No terminal, no bar.
    let done = place.run(&compile("large.wasm"));
    assert_eq!(done.err, "");
}
