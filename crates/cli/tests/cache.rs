//! The cache of compiled code, seen from outside: it is there, it is quick to mistrust, and
//! nothing that happens to it is an error.

#[path = "place/scratch.rs"]
mod place;
use place::{ECHO, Place, TRAP, WAIT, text};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

#[test]
fn a_program_is_compiled_once() {
    let place = Place::new("cache-once");
    place.module("echo.wasm", ECHO);
    place.run(&["echo.wasm"]).ok();
    let entries = place.cached();
    assert_eq!(entries.len(), 1);
    let written = std::fs::metadata(&entries[0]).unwrap().modified().unwrap();
    place.run(&["echo.wasm"]).ok();
    assert_eq!(std::fs::metadata(&entries[0]).unwrap().modified().unwrap(), written);
    // The same program under other settings is another entry.
    place.run(&["-O", "inlining=off", "echo.wasm"]).ok();
    assert_eq!(place.cached().len(), 2);
}

#[test]
fn no_cache_leaves_nothing_behind() {
    let place = Place::new("cache-off");
    place.module("echo.wasm", ECHO);
    place.run(&["--no-cache", "echo.wasm"]).ok();
    assert!(place.cached().is_empty());
}

#[test]
fn damaged_entries_are_replaced_without_a_word() {
    let place = Place::new("cache-damaged");
    place.module("echo.wasm", ECHO);
    place.run(&["echo.wasm"]).ok();
    let entry = place.cached().remove(0);
    let whole = std::fs::read(&entry).unwrap();
    let mut changed = whole.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    let foreign = wat::parse_str(ECHO).unwrap();
    for damage in [&changed[..], &whole[..whole.len() / 2], &whole[..20], b"", &foreign, b"junk"] {
        std::fs::write(&entry, damage).unwrap();
        let done = place.run(&["echo.wasm", "x"]);
        assert_eq!((done.status, done.out.as_str()), (Some(0), "echo.wasm\nx\n"), "{done:?}");
        assert_eq!(done.err, "");
        assert_eq!(std::fs::read(&entry).unwrap(), whole);
    }
}

#[test]
fn an_entry_that_is_no_file_is_left_alone() {
    let place = Place::new("cache-folder");
    place.module("echo.wasm", ECHO);
    place.run(&["echo.wasm"]).ok();
    let entry = place.cached().remove(0);
    std::fs::remove_file(&entry).unwrap();
    std::fs::create_dir(&entry).unwrap();
    place.run(&["echo.wasm"]).ok();
    assert_eq!(place.cached(), [entry], "and no unfinished file stays");
}

#[test]
fn many_at_once_do_not_disturb_each_other() {
    let place = Place::new("cache-many");
    place.module("echo.wasm", ECHO);
    for _ in 0..3 {
        let children: Vec<_> = (0..8)
            .map(|_| {
                let mut command = place.command(&["echo.wasm", "y"]);
                command.stdout(std::process::Stdio::piped());
                command.spawn().unwrap()
            })
            .collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert_eq!(output.stdout, b"echo.wasm\ny\n");
            assert_eq!(output.status.code(), Some(0));
        }
        assert_eq!(place.cached().len(), 1);
        std::fs::remove_file(&place.cached()[0]).unwrap();
    }
}

#[test]
fn a_folder_that_others_can_write_to_is_not_used() {
    let place = Place::new("cache-shared");
    place.module("echo.wasm", ECHO);
    let folder = place.folder.join("cache/selkie");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    place.run(&["echo.wasm"]).ok();
    assert!(place.cached().is_empty());
}

#[test]
fn an_entry_that_others_can_write_to_is_replaced_and_foreign_ones_stay() {
    let place = Place::new("cache-writable");
    place.module("echo.wasm", ECHO);
    place.run(&["echo.wasm"]).ok();
    let entry = place.cached().remove(0);
    let whole = std::fs::read(&entry).unwrap();
    // An artifact that would do something else, under the name of this one.
    place.module("trap.wasm", TRAP);
    place.run(&["compile", "trap.wasm", "-o", text(&entry)]).ok();
    std::fs::set_permissions(&entry, std::fs::Permissions::from_mode(0o666)).unwrap();
    let foreign = entry.with_file_name("mine.cwasm");
    std::fs::write(&foreign, "x").unwrap();
    assert_eq!(place.run(&["echo.wasm", "x"]).ok(), "echo.wasm\nx\n");
    assert_eq!(std::fs::read(&entry).unwrap(), whole);
    assert!(foreign.exists());
}

#[test]
fn nothing_of_cache_or_program_is_open_while_it_runs() {
    let place = Place::new("cache-closed");
    place.module("wait.wasm", WAIT);
    place.run(&["compile", "wait.wasm"]).ok();
    // Compiled and kept, then from the cache, then without.
    for options in [
        &["wait.wasm"][..],
        &["wait.wasm"],
        &["-S", "wall=off", "wait.wasm"],
        &["--no-cache", "wait.wasm"],
        &["wait.cwasm"],
    ] {
        let mut command = place.command(options);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let open = std::fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap();
        let open: Vec<_> = open.map(|fd| std::fs::read_link(fd.unwrap().path()).unwrap()).collect();
        let is_ours = |path: &PathBuf| path.starts_with(&place.folder);
        assert!(!open.iter().any(is_ours), "{options:?}: {open:?}");
        drop(child.stdin.take());
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    assert_eq!(place.cached().len(), 1);
}

#[test]
fn without_a_place_for_it_programs_run_all_the_same() {
    let place = Place::new("cache-nowhere");
    place.module("echo.wasm", ECHO);
    place.file("cache", "a file where the folder should be");
    place.run(&["echo.wasm"]).ok();
    let mut command = place.command(&["echo.wasm"]);
    let status = command.env_remove("HOME").env_remove("XDG_CACHE_HOME").status().unwrap();
    assert_eq!(status.code(), Some(0));
    let mut command = place.command(&["echo.wasm"]);
    let status = command.env("XDG_CACHE_HOME", "/proc/nowhere").status().unwrap();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn the_configuration_says_where_and_how_much() {
    let place = Place::new("cache-config");
    place.module("echo.wasm", ECHO);
    std::fs::create_dir_all(place.folder.join("config/selkie")).unwrap();
    let elsewhere = place.folder.join("elsewhere");
    let config = format!("[cache]\nfolder = {elsewhere:?}\n");
    place.file("config/selkie/config.toml", config);
    place.run(&["echo.wasm"]).ok();
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 1);
    place.file("off.toml", "[cache]\nenabled = false\n");
    place.run(&["--config", "off.toml", "echo.wasm", "z"]).ok();
    assert!(place.cached().is_empty());
    place.file("wrong.toml", "[cache]\nmax-size = \"much\"\n");
    place.run(&["--config", "wrong.toml", "echo.wasm"]).fails(1, "size");
    place.run(&["--config", "absent.toml", "echo.wasm"]).fails(1, "absent.toml");
}
