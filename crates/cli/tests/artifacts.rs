//! Artifacts: run where they fit, refused where they do not, written whole or not at all.

#[path = "place/scratch.rs"]
mod place;
use place::{ECHO, Place, TRAP};

#[test]
fn an_artifact_runs_like_its_module() {
    let place = Place::new("artifact-runs");
    place.module("echo.wasm", ECHO);
    place.run(&["compile", "echo.wasm"]).ok();
    assert_eq!(place.run(&["echo.cwasm", "a", "b"]).ok(), "echo.cwasm\na\nb\n");
    assert!(place.cached().is_empty(), "artifacts are not cached");
    place.module("trap.wasm", TRAP);
    place.run(&["compile", "-o", "t.cwasm", "trap.wasm"]).ok();
    let done = place.run(&["t.cwasm"]).fails(134, "unreachable");
    assert!(done.err.contains("inner"), "{done:?}");
}

#[test]
fn bytes_alone_make_no_machine_code_run() {
    let place = Place::new("artifact-named");
    place.module("echo.wasm", ECHO);
    for name in ["game.wasm", "game", "game.cwasm.wasm", "cwasm", ".cwasm", "-x"] {
        let output = format!("--output=./{name}");
        place.run(&["compile", &output, "echo.wasm"]).ok();
        let name = &format!("./{name}");
        for command in [&["run"][..], &["run", "--dry-run"], &["inspect"], &["inspect", "--json"]] {
            let plain = place.run(&[command, &[name]].concat());
            let plain = plain.fails(1, "sandbox's checks; if you trust whoever made it, name it");
            assert_eq!(plain.out, "");
            place.run(&[command, &["--allow-precompiled", name]].concat()).ok();
        }
        let ran = place.run(&["--allow-precompiled", "--argv0", "echo", name, "x"]);
        assert_eq!(ran.ok(), "echo\nx\n");
        place.run(&["inspect", "--code-size", name]).fails(1, "`selkie compile`");
        // These look at nothing but its first bytes.
        place.run(&["validate", name]).fails(1, "is an artifact");
        place.run(&["disas", name]).fails(1, "is an artifact");
        place.run(&["compile", name, "-o", "again.cwasm"]).fails(1, "compiled already");
    }
    let artifact = std::fs::read(place.folder.join("game.wasm")).unwrap();
    let refused = place.run_with_input(&["-"], &artifact);
    let refused = refused.fails(1, "standard input holds machine code");
    assert!(!refused.err.contains("cwasm"), "{refused:?}");
    place.run_with_input(&["inspect", "-"], &artifact).fails(1, "--allow-precompiled");
    // A file that has the name of an artifact and is none runs in the sandbox as ever.
    place.module("module.cwasm", ECHO);
    assert_eq!(place.run(&["module.cwasm"]).ok(), "module.cwasm\n");
    // The name is the one that was given, wherever it leads.
    std::os::unix::fs::symlink("game", place.folder.join("link.cwasm")).unwrap();
    place.run(&["link.cwasm"]).ok();
    place.file("allow.toml", "[wasm]\nallow-precompiled = true\n");
    place.run(&["--config", "allow.toml", "game.wasm"]).fails(1, "allow-precompiled");
}

#[test]
fn the_help_says_what_an_artifact_is() {
    let place = Place::new("artifact-help");
    for (words, says) in [
        (&["help", "run"][..], "An artifact (.cwasm) is machine code"),
        (&["help"], "An artifact is machine code"),
        (&["help", "compile"], ".cwasm"),
    ] {
        let help = place.run(words).ok();
        assert!(help.contains(says), "{words:?}: {help}");
    }
}

#[test]
fn flipped_bytes_and_truncation_are_refused() {
    let place = Place::new("artifact-damaged");
    place.module("echo.wasm", ECHO);
    place.run(&["compile", "echo.wasm"]).ok();
    let whole = std::fs::read(place.folder.join("echo.cwasm")).unwrap();
    let healthy = place.run(&["echo.cwasm"]).ok();
    for i in 0..24 {
        let at = i * (whole.len() - 1) / 23;
        let mut damaged = whole.clone();
        damaged[at] ^= 0x40;
        place.file("damaged.cwasm", damaged);
        let done = place.run(&["--argv0", "echo.cwasm", "damaged.cwasm"]);
        // Bytes between sections mean nothing; any other change must be found.
        let unchanged = done.status == Some(0) && done.out == healthy;
        assert!(unchanged || done.status == Some(1) && done.out.is_empty(), "{at}: {done:?}");
        place.file("cut.cwasm", &whole[..at]);
        let done = place.run(&["cut.cwasm"]);
        assert_eq!((done.status, done.out.as_str()), (Some(1), ""), "{at}: {done:?}");
        assert!(done.err.starts_with("error: "), "{done:?}");
    }
}

#[test]
fn an_artifact_made_with_other_settings_is_refused_with_the_remedy() {
    let place = Place::new("artifact-settings");
    place.module("echo.wasm", ECHO);
    place.run(&["compile", "-O", "guard-pages=off", "echo.wasm"]).ok();
    place.run(&["echo.cwasm"]).fails(1, "selkie compile");
    place.run(&["-O", "guard-pages=off", "echo.cwasm"]).ok();
}

#[test]
fn a_full_disk_is_an_error_and_leaves_no_part() {
    let place = Place::new("artifact-full");
    place.module("echo.wasm", ECHO);
    place.run(&["compile", "echo.wasm", "-o", "/dev/full"]).fails(1, "No space left");
    place.run(&["compile", "echo.wasm", "-o", "absent/echo.cwasm"]).fails(1, "cannot write");
    std::fs::create_dir(place.folder.join("folder")).unwrap();
    place.run(&["compile", "echo.wasm", "-o", "folder"]).fails(1, "cannot write");
    let names: Vec<_> =
        std::fs::read_dir(&place.folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "only the module and the folder: {names:?}");
}

#[test]
fn the_module_itself_is_never_overwritten() {
    let place = Place::new("artifact-source");
    let path = place.module("echo.wasm", ECHO);
    std::fs::hard_link(&path, place.folder.join("linked.wasm")).unwrap();
    std::os::unix::fs::symlink("echo.wasm", place.folder.join("pointer.wasm")).unwrap();
    for args in [
        &["echo.wasm", "-o", "echo.wasm"][..],
        &["./echo.wasm", "-o", place::text(&path)],
        &["echo.wasm", "-o", "linked.wasm"],
        &["echo.wasm", "-o", "pointer.wasm"],
        &["pointer.wasm", "-o", "echo.wasm"],
    ] {
        let args = [&["compile"], args].concat();
        place.run(&args).fails(2, "is the module itself; name another file");
        assert_eq!(std::fs::read(&path).unwrap(), wat::parse_str(ECHO).unwrap());
    }
    place.run(&["echo.wasm"]).ok();
}

#[test]
fn a_limit_of_file_sizes_is_an_error_and_leaves_no_part() {
    let place = Place::new("artifact-limit");
    let functions: String = (0..500).map(|i| format!("(func (export \"{i}\"))")).collect();
    place.module("many.wasm", &format!("(module {functions})"));
    let script = "ulimit -f 8 && exec \"$0\" compile many.wasm";
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_selkie")]).current_dir(&place.folder);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("File too large"), "{output:?}");
    assert_eq!(std::fs::read_dir(&place.folder).unwrap().count(), 1, "only the module");
}

#[test]
fn an_artifact_replaces_the_one_before_it() {
    let place = Place::new("artifact-replaces");
    place.module("echo.wasm", ECHO);
    place.file("echo.cwasm", "old");
    place.run(&["compile", "echo.wasm"]).ok();
    place.run(&["echo.cwasm"]).ok();
    place.run(&["compile", "echo.cwasm"]).fails(1, "compiled already");
    place.run(&["validate", "echo.cwasm"]).fails(1, "artifact");
}

#[test]
fn the_same_module_gives_the_same_artifact_whatever_the_threads() {
    let place = Place::new("artifact-same");
    let functions: String = (0..64)
        .map(|i| format!("(func (param i32) (result i32) (i32.mul (local.get 0) (i32.const {i})))"))
        .collect();
    place.module("many.wasm", &format!("(module {functions})"));
    place.run(&["compile", "-O", "threads=1", "many.wasm", "-o", "one"]).ok();
    place.run(&["compile", "-O", "threads=4", "many.wasm", "-o", "four"]).ok();
    let read = |name| std::fs::read(place.folder.join(name)).unwrap();
    assert_eq!(read("one"), read("four"));
}
