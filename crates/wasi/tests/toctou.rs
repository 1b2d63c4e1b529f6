//! Races: a thread of the host swaps directories, files and links while the guest
//! opens, creates, renames, removes and looks at things there. Nothing outside of the
//! granted directory may be reached, whatever the timing.
//!
//! How often is set by `SELKIE_TOCTOU_ROUNDS`; the default takes a few seconds.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/ground.rs"]
mod support;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use selkie_wasi::PathWalk;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use support::*;

const SECRET: &[u8] = b"the secret outside";

fn rounds() -> u32 {
    std::env::var("SELKIE_TOCTOU_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000)
}

/// `inside` is granted, `outside` is not and must stay as it is.
fn world() -> TempDir {
    let temp = TempDir::new();
    fs::create_dir_all(temp.join("inside")).unwrap();
    fs::create_dir_all(temp.join("outside/sub")).unwrap();
    fs::write(temp.join("outside/file"), SECRET).unwrap();
    temp
}

fn assert_outside_untouched(temp: &TempDir) {
    let outside = temp.join("outside");
    assert_eq!(fs::read(outside.join("file")).unwrap(), SECRET);
    let mut names: Vec<_> =
        fs::read_dir(&outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["file", "sub"]);
    assert_eq!(fs::read_dir(outside.join("sub")).unwrap().count(), 0);
    let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1000);
    for name in ["file", "sub", "."] {
        assert!(fs::metadata(outside.join(name)).unwrap().modified().unwrap() > then);
    }
}

/// Exchanges two entries as fast as the host can, while `act` runs.
fn while_swapping(one: &Path, other: &Path, act: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for _ in 0..64 {
                    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
                }
            }
        });
        // The thread is stopped also when `act` panics, or the scope would never end.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Every operation on `path`, which may or may not succeed.
fn use_everything(guest: &mut Guest, path: &str) {
    let file = format!("{path}/file");
    let other = format!("{path}/other");
    if let Ok(data) = guest.read_file(&file) {
        assert_ne!(data, SECRET);
    }
    if let Ok((_, size, _)) = guest.stat(&file, FOLLOW) {
        assert_ne!(size, SECRET.len() as u64);
    }
    for oflags in [0, CREAT, CREAT | TRUNC, CREAT | EXCL] {
        if let Ok(fd) = guest.create(&other, oflags) {
            let _ = guest.write(fd, b"from inside");
            guest.close(fd).unwrap();
        }
    }
    let _ = guest.rename(&other, 3, "kept");
    let _ = guest.rename("kept", 3, &other);
    let _ = guest.rename(&other, 3, &format!("{path}/sibling"));
    let _ = guest.rename(&format!("{path}/sibling"), 3, &other);
    let _ = guest.link(&other, 0, 3, "kept");
    let _ = guest.link("kept", FOLLOW, 3, &format!("{path}/linked"));
    let _ = guest.symlink("x", &format!("{path}/symbolic"));
    let _ = guest.mkdir(&format!("{path}/made"));
    let _ = guest.set_times(&file, FOLLOW, 1 | 4);
    let _ = guest.set_times(&file, 0, 1 | 4);
    let _ = guest.set_times(&format!("{path}/"), 0, 1 | 4);
    let _ = guest.rmdir(&format!("{path}/made"));
    let _ = guest.rmdir(&format!("{path}/sub"));
    for name in ["other", "linked", "symbolic", "sibling"] {
        let _ = guest.unlink(&format!("{path}/{name}"));
    }
    let _ = guest.unlink("kept");
    if let Ok(dir) = guest.open_full(3, FOLLOW, path, DIRECTORY, NEUTRAL, 0) {
        let names = guest.list(dir, 4096).unwrap();
        assert!(names.iter().all(|entry| entry.0 != "sub"), "listed the outside");
        guest.close(dir).unwrap();
    }
}

fn a_directory_swapped_with_a_link(walk: PathWalk) {
    let temp = world();
    fs::create_dir(temp.join("inside/dir")).unwrap();
    fs::write(temp.join("inside/dir/file"), b"inside").unwrap();
    symlink("../outside", temp.join("inside/link")).unwrap();
    let mut guest = Guest::new(&temp.join("inside"), walk);
    let mut seen = 0;
    while_swapping(&temp.join("inside/dir"), &temp.join("inside/link"), || {
        for _ in 0..rounds() {
            use_everything(&mut guest, "dir");
            seen += u32::from(guest.read_file("dir/file").is_ok());
        }
    });
    assert_outside_untouched(&temp);
    assert!(seen > 0, "the directory was never there: the race did not take place");
}

fn a_file_swapped_with_a_link(walk: PathWalk) {
    let temp = world();
    fs::write(temp.join("inside/file"), b"inside").unwrap();
    symlink("../outside/file", temp.join("inside/link")).unwrap();
    let mut guest = Guest::new(&temp.join("inside"), walk);
    while_swapping(&temp.join("inside/file"), &temp.join("inside/link"), || {
        for _ in 0..rounds() {
            for lookup in [0, FOLLOW] {
                for oflags in [0, CREAT, CREAT | TRUNC, TRUNC] {
                    let Ok(fd) = guest.open_full(3, lookup, "file", oflags, ALL, 0) else {
                        continue;
                    };
                    assert_ne!(guest.read(fd, 100).unwrap(), SECRET);
                    guest.seek(fd, 0, 0).unwrap();
                    guest.write(fd, b"inside").unwrap();
                    guest.close(fd).unwrap();
                }
                if let Ok((filetype, size, _)) = guest.stat("file", lookup) {
                    assert!(filetype == 7 || size != SECRET.len() as u64);
                }
                let _ = guest.set_times("file", lookup, 1 | 4);
                if guest.link("file", lookup, 3, "hard").is_ok() {
                    if let Ok(data) = guest.read_file("hard") {
                        assert_ne!(data, SECRET);
                    }
                    guest.unlink("hard").unwrap();
                }
            }
        }
    });
    assert_outside_untouched(&temp);
}

fn a_directory_moved_outside_under_a_walk_upwards(walk: PathWalk) {
    let temp = world();
    fs::create_dir_all(temp.join("inside/a/b/c")).unwrap();
    // `b` of the inside and `sub` of the outside change places: a walk that has come
    // to `b/c` and goes up must not arrive beside `outside/file`.
    fs::create_dir(temp.join("outside/sub/c")).unwrap();
    let mut guest = Guest::new(&temp.join("inside"), walk);
    while_swapping(&temp.join("inside/a/b"), &temp.join("outside/sub"), || {
        for _ in 0..rounds() {
            for path in ["a/b/c/../../file", "a/b/../file", "a/b/c/../../../file"] {
                if let Ok(data) = guest.read_file(path) {
                    assert_ne!(data, SECRET);
                }
                assert!(guest.stat(path, 0).is_err());
            }
            let _ = guest.set_times("a/b/c/../..", FOLLOW, 1 | 4);
        }
    });
    // Both directories are the guest's at one time or another; only their contents
    // are no concern here.
    fs::remove_dir(temp.join("outside/sub/c")).unwrap();
    assert_outside_untouched(&temp);
}

#[test]
fn a_directory_swapped_with_a_link_leads_nowhere_by_the_kernel() {
    a_directory_swapped_with_a_link(PathWalk::Openat2);
}

#[test]
fn a_directory_swapped_with_a_link_leads_nowhere_by_hand() {
    a_directory_swapped_with_a_link(PathWalk::Manual);
}

#[test]
fn a_file_swapped_with_a_link_leads_nowhere_by_the_kernel() {
    a_file_swapped_with_a_link(PathWalk::Openat2);
}

#[test]
fn a_file_swapped_with_a_link_leads_nowhere_by_hand() {
    a_file_swapped_with_a_link(PathWalk::Manual);
}

#[test]
fn a_directory_moved_outside_does_not_take_the_walk_along_by_the_kernel() {
    a_directory_moved_outside_under_a_walk_upwards(PathWalk::Openat2);
}

#[test]
fn a_directory_moved_outside_does_not_take_the_walk_along_by_hand() {
    a_directory_moved_outside_under_a_walk_upwards(PathWalk::Manual);
}
