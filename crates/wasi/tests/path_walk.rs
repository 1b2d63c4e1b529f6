//! The path walk against everything that tries to leave the granted directory, on
//! both walks, with real directories.
//!
//! The guest is given `inside`; beside it lie `secret` and `outside/`. No case may
//! read, change, create or even tell the existence of anything there.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/ground.rs"]
mod support;

use selkie_wasi::{DirPerms, Errno, FilePerms, PathWalk, WasiCtx};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use support::*;

const SECRET: &[u8] = b"the secret";

struct World {
    temp: TempDir,
    guest: Guest,
}

impl World {
    fn new(walk: PathWalk) -> World {
        let temp = TempDir::new();
        fs::write(temp.join("secret"), SECRET).unwrap();
        fs::create_dir(temp.join("outside")).unwrap();
        fs::write(temp.join("outside/file"), SECRET).unwrap();
        fs::create_dir_all(temp.join("inside/dir/nested")).unwrap();
        fs::write(temp.join("inside/file"), b"inside").unwrap();
        fs::write(temp.join("inside/dir/nested/file"), b"nested").unwrap();
        let guest = Guest::new(&temp.join("inside"), walk);
        World { temp, guest }
    }

    /// Makes a link inside, as the host would: no rule applies.
    fn host_link(&self, target: &str, name: &str) {
        symlink(target, self.temp.join("inside").join(name)).unwrap();
    }

    fn assert_outside_untouched(&self) {
        assert_eq!(fs::read(self.temp.join("secret")).unwrap(), SECRET);
        assert_eq!(fs::read(self.temp.join("outside/file")).unwrap(), SECRET);
        let mut names: Vec<_> = fs::read_dir(self.temp.path())
            .unwrap()
            .chain(fs::read_dir(self.temp.join("outside")).unwrap())
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["file", "inside", "outside", "secret"]);
    }
}

/// Defines a test that runs on both walks.
macro_rules! on_both_walks {
    ($(fn $name:ident($world:ident) $body:block)*) => {
        $(#[test]
        fn $name() {
            for walk in WALKS {
                println!("walk: {walk:?}");
                let mut made = World::new(walk);
                {
                    let $world = &mut made;
                    $body
                }
                made.assert_outside_untouched();
            }
        })*
    };
}

/// Everything that can be done with one path, none of which may succeed.
fn assert_nothing_works(world: &mut World, path: &str) {
    let guest = &mut world.guest;
    let refused = |result: Result<(), Errno>, what: &str| {
        assert!(result.is_err(), "{what} on {path:?} succeeded");
    };
    refused(guest.open(path).map(drop), "open");
    refused(guest.open_full(3, FOLLOW, path, DIRECTORY, NEUTRAL, 0).map(drop), "open directory");
    refused(guest.create(path, 0).map(drop), "open to write");
    refused(guest.create(path, CREAT).map(drop), "create");
    refused(guest.create(path, CREAT | TRUNC).map(drop), "create and truncate");
    refused(guest.create(path, TRUNC).map(drop), "truncate");
    refused(guest.stat(path, FOLLOW).map(drop), "stat");
    refused(guest.set_times(path, FOLLOW, 1 | 4), "set times");
    refused(guest.link(path, FOLLOW, 3, "taken"), "link, followed");
}

/// The same for paths that lead outside already before their last component.
fn assert_nothing_works_at_all(world: &mut World, path: &str) {
    assert_nothing_works(world, path);
    let guest = &mut world.guest;
    let refused = |result: Result<(), Errno>, what: &str| {
        assert!(result.is_err(), "{what} on {path:?} succeeded");
    };
    refused(guest.open_nofollow(path).map(drop), "open, not followed");
    refused(guest.stat(path, 0).map(drop), "stat, not followed");
    refused(guest.set_times(path, 0, 1 | 4), "set times, not followed");
    refused(guest.readlink(path, 100).map(drop), "readlink");
    refused(guest.mkdir(path), "mkdir");
    refused(guest.rmdir(path), "rmdir");
    refused(guest.unlink(path), "unlink");
    refused(guest.symlink("file", path), "symlink");
    refused(guest.link(path, 0, 3, "taken"), "link from");
    refused(guest.link("file", 0, 3, path), "link to");
    refused(guest.rename(path, 3, "taken"), "rename from");
    refused(guest.rename("file", 3, path), "rename to");
}

on_both_walks! {
    fn plain_paths_work(world) {
        let guest = &mut world.guest;
        assert_eq!(guest.read_file("file").unwrap(), b"inside");
        assert_eq!(guest.read_file("dir/nested/file").unwrap(), b"nested");
        assert_eq!(guest.read_file("dir/.//nested/../../dir/nested///./file").unwrap(), b"nested");
        assert_eq!(guest.read_file("./file").unwrap(), b"inside");
        assert_eq!(guest.stat(".", 0).unwrap().0, 3);
        assert_eq!(guest.stat("dir/..", 0).unwrap(), guest.stat(".", 0).unwrap());
        assert_eq!(guest.stat("dir/", 0).unwrap().0, 3);
    }

    fn dot_dot_never_leaves_the_root(world) {
        for path in ["..", "../", "../.", "dir/../..", "../inside", "dir/nested/../../..", "./.."] {
            assert_nothing_works_at_all(world, path);
            assert_eq!(world.guest.open(path), Err(Errno::PERM), "{path}");
            assert_eq!(world.guest.stat(path, 0), Err(Errno::PERM), "{path}");
            assert_eq!(world.guest.rmdir(path), Err(Errno::PERM), "{path}");
            assert_eq!(world.guest.unlink(path), Err(Errno::PERM), "{path}");
        }
        for path in ["../secret", "../outside/file", "dir/../../secret", "../inside/file"] {
            assert_nothing_works_at_all(world, path);
            assert_eq!(world.guest.open(path), Err(Errno::PERM), "{path}");
        }
    }

    fn absolute_paths_are_refused(world) {
        let secret = world.temp.join("secret").to_str().unwrap().to_owned();
        for path in ["/", "//", "/etc/passwd", "/file", &secret] {
            assert_nothing_works_at_all(world, path);
            assert_eq!(world.guest.open(path), Err(Errno::PERM));
        }
    }

    fn links_that_lead_outside_are_not_followed(world) {
        let outside = world.temp.join("outside").to_str().unwrap().to_owned();
        world.host_link("..", "up");
        world.host_link("/", "root");
        world.host_link("../outside", "relative");
        world.host_link(&outside, "absolute");
        world.host_link("../secret", "secret-link");
        world.host_link("dir/../../secret", "winding");
        world.host_link("secret-link", "second");
        for name in ["up", "root", "relative", "absolute", "secret-link", "winding", "second"] {
            assert_nothing_works(world, name);
            assert_eq!(world.guest.open(name), Err(Errno::PERM), "{name}");
            // The link itself belongs to the guest.
            assert_eq!(world.guest.stat(name, 0).unwrap().0, 7);
            assert_eq!(world.guest.open_nofollow(name), Err(Errno::LOOP), "{name}");
        }
        for path in ["up/secret", "root/etc/passwd", "relative/file", "absolute/file"] {
            assert_nothing_works_at_all(world, path);
            assert_eq!(world.guest.open(path), Err(Errno::PERM), "{path}");
        }
    }

    fn links_that_stay_inside_are_followed(world) {
        world.host_link("file", "link");
        world.host_link("dir/nested", "nested");
        world.host_link("../../file", "dir/nested/up");
        world.host_link("nested/../nested/up", "winding");
        let guest = &mut world.guest;
        assert_eq!(guest.read_file("link").unwrap(), b"inside");
        assert_eq!(guest.read_file("nested/file").unwrap(), b"nested");
        assert_eq!(guest.read_file("dir/nested/up").unwrap(), b"inside");
        assert_eq!(guest.read_file("winding").unwrap(), b"inside");
        assert_eq!(guest.stat("link", FOLLOW).unwrap().0, 4);
        assert_eq!(guest.stat("link", 0).unwrap().0, 7);
        // The way back from a linked directory is where it really lies.
        assert_eq!(guest.stat("nested/..", 0).unwrap(), guest.stat("dir", 0).unwrap());
    }

    fn a_slash_after_a_link_follows_it_and_wants_a_directory(world) {
        world.host_link("file", "to-file");
        world.host_link("dir", "to-dir");
        world.host_link("../outside", "to-outside");
        let guest = &mut world.guest;
        for path in ["to-file/", "to-file/.", "file/", "file///", "file/."] {
            assert_eq!(guest.open(path), Err(Errno::NOTDIR), "{path}");
            assert_eq!(guest.open_nofollow(path), Err(Errno::NOTDIR), "{path}");
            assert_eq!(guest.stat(path, 0), Err(Errno::NOTDIR), "{path}");
            assert_eq!(guest.set_times(path, 0, 1), Err(Errno::NOTDIR), "{path}");
            assert_eq!(guest.unlink(path), Err(Errno::NOTDIR), "{path}");
            assert_eq!(guest.readlink(path, 9), Err(Errno::NOTDIR), "{path}");
            assert_eq!(guest.link(path, 0, 3, "new"), Err(Errno::NOTDIR), "{path}");
            assert_eq!(guest.link(path, FOLLOW, 3, "new"), Err(Errno::NOTDIR), "{path}");
        }
        assert_eq!(guest.stat("to-dir/", 0).unwrap(), guest.stat("dir", 0).unwrap());
        assert_eq!(guest.stat("to-dir/.", 0).unwrap(), guest.stat("dir", 0).unwrap());
        assert!(guest.open_nofollow("to-dir/").is_ok());
        assert_eq!(guest.readlink("to-dir/", 9), Err(Errno::INVAL));
        assert_eq!(guest.link("to-dir/", 0, 3, "new"), Err(Errno::PERM));
        for path in ["to-outside/", "to-outside/.", "to-outside//"] {
            assert_eq!(guest.open(path), Err(Errno::PERM), "{path}");
            assert_eq!(guest.open_nofollow(path), Err(Errno::PERM), "{path}");
            assert_eq!(guest.stat(path, 0), Err(Errno::PERM), "{path}");
            assert_eq!(guest.set_times(path, 0, 1), Err(Errno::PERM), "{path}");
            assert_eq!(guest.readlink(path, 9), Err(Errno::PERM), "{path}");
            assert_eq!(guest.link(path, 0, 3, "new"), Err(Errno::PERM), "{path}");
        }
    }

    fn a_slash_after_a_name_that_is_created_or_removed_does_not_follow(world) {
        world.host_link("dir", "to-dir");
        world.host_link("../outside", "to-outside");
        world.host_link("../outside/new", "to-new");
        let guest = &mut world.guest;
        for name in ["to-dir/", "to-outside/", "to-outside/."] {
            assert!(guest.rmdir(name).is_err(), "{name}");
            assert!(guest.unlink(name).is_err(), "{name}");
            assert!(guest.rename(name, 3, "moved").is_err(), "{name}");
            assert!(guest.rename("dir", 3, name).is_err(), "{name}");
        }
        for name in ["to-new", "to-new/", "to-new/."] {
            assert!(guest.mkdir(name).is_err(), "{name}");
            assert!(guest.symlink("x", name).is_err(), "{name}");
            assert!(guest.link("file", 0, 3, name).is_err(), "{name}");
            assert!(guest.create(name, CREAT).is_err(), "{name}");
        }
        assert_eq!(guest.mkdir("made/"), Ok(()));
        assert_eq!(guest.rename("made/", 3, "moved/"), Ok(()));
        assert_eq!(guest.rmdir("moved/"), Ok(()));
        assert_eq!(guest.unlink("dir/"), Err(Errno::ISDIR));
        assert_eq!(guest.symlink("x", "new/"), Err(Errno::NOENT));
        assert_eq!(guest.symlink("x", "dir/"), Err(Errno::EXIST));
        assert_eq!(guest.link("file", 0, 3, "new/"), Err(Errno::NOENT));
        assert_eq!(guest.create("new/", CREAT), Err(Errno::ISDIR));
    }

    fn loops_of_links_end(world) {
        world.host_link("self", "self");
        world.host_link("b", "a");
        world.host_link("a", "b");
        world.host_link("deep/deep", "deep");
        for path in ["self", "a", "b", "deep", "self/x", "a/../file", "self/"] {
            assert_nothing_works(world, path);
            assert_eq!(world.guest.open(path), Err(Errno::LOOP), "{path}");
            assert_eq!(world.guest.stat(path, FOLLOW), Err(Errno::LOOP), "{path}");
        }
        assert_eq!(world.guest.open_nofollow("self"), Err(Errno::LOOP));
        assert_eq!(world.guest.unlink("self"), Ok(()));
    }

    fn forty_links_are_followed_and_no_more(world) {
        world.host_link("file", "link0");
        for index in 1..41 {
            world.host_link(&format!("link{}", index - 1), &format!("link{index}"));
        }
        assert_eq!(world.guest.read_file("link39").unwrap(), b"inside");
        assert_eq!(world.guest.open("link40"), Err(Errno::LOOP));
    }

    fn nothing_is_created_or_truncated_through_a_link_to_outside(world) {
        world.host_link("../outside/created", "dangling");
        world.host_link("../secret", "secret-link");
        let guest = &mut world.guest;
        for lookup in [0, FOLLOW] {
            for oflags in [CREAT, CREAT | TRUNC, CREAT | EXCL, TRUNC, CREAT | EXCL | TRUNC] {
                for name in ["dangling", "secret-link"] {
                    let result = guest.open_full(3, lookup, name, oflags, ALL, 0);
                    assert!(result.is_err(), "{name} {oflags}");
                }
            }
        }
        assert_eq!(guest.create("dangling", CREAT | EXCL), Err(Errno::EXIST));
    }

    fn a_file_is_created_through_a_link_that_stays_inside(world) {
        world.host_link("dir/new", "dangling");
        let guest = &mut world.guest;
        assert_eq!(guest.open_full(3, 0, "dangling", CREAT, ALL, 0), Err(Errno::LOOP));
        let fd = guest.create("dangling", CREAT).unwrap();
        guest.write(fd, b"new").unwrap();
        assert_eq!(fs::read(world.temp.join("inside/dir/new")).unwrap(), b"new");
    }

    fn a_link_is_renamed_and_linked_as_itself(world) {
        world.host_link("../secret", "link");
        let guest = &mut world.guest;
        assert_eq!(guest.link("link", 0, 3, "hard"), Ok(()));
        assert_eq!(guest.rename("link", 3, "moved"), Ok(()));
        for name in ["hard", "moved"] {
            assert_eq!(guest.readlink(name, 100).unwrap(), b"../secret");
            assert_eq!(guest.stat(name, 0).unwrap().0, 7);
        }
        assert_eq!(guest.link("moved", FOLLOW, 3, "followed"), Err(Errno::PERM));
    }

    fn a_hard_link_through_links_reaches_the_file(world) {
        world.host_link("dir/nested", "way");
        world.host_link("way/file", "link");
        let guest = &mut world.guest;
        assert_eq!(guest.link("link", FOLLOW, 3, "hard"), Ok(()));
        assert_eq!(guest.read_file("hard").unwrap(), b"nested");
        assert_eq!(guest.stat("hard", 0).unwrap().2, guest.stat("dir/nested/file", 0).unwrap().2);
        assert_eq!(guest.link("dir", 0, 3, "hard-dir"), Err(Errno::PERM));
    }

    fn links_to_absolute_paths_cannot_be_made(world) {
        let guest = &mut world.guest;
        for target in ["/", "/etc/passwd", "//x"] {
            assert_eq!(guest.symlink(target, "link"), Err(Errno::PERM));
        }
        assert_eq!(guest.symlink("", "link"), Err(Errno::NOENT));
        assert_eq!(guest.symlink("a\0b", "link"), Err(Errno::INVAL));
        // A relative one may be made, and leads nowhere.
        assert_eq!(guest.symlink("../secret", "link"), Ok(()));
        assert_eq!(guest.open("link"), Err(Errno::PERM));
    }

    fn names_that_cannot_be_are_refused(world) {
        assert_nothing_works_at_all(world, "");
        assert_nothing_works_at_all(world, "file\0");
        assert_nothing_works_at_all(world, "\0");
        assert_nothing_works_at_all(world, "dir\0/../../secret");
        let guest = &mut world.guest;
        assert_eq!(guest.open(""), Err(Errno::NOENT));
        assert_eq!(guest.open("file\0"), Err(Errno::INVAL));
        assert_eq!(guest.open(&"x".repeat(256)), Err(Errno::NAMETOOLONG));
        assert_eq!(guest.open(&"x/".repeat(2100)), Err(Errno::NAMETOOLONG));
        assert_eq!(guest.mkdir(&"x".repeat(255)), Ok(()));
    }

    fn files_on_the_way_are_not_directories(world) {
        let guest = &mut world.guest;
        for path in ["file/x", "file/..", "file/../file", "dir/nested/file/."] {
            assert_eq!(guest.open(path), Err(Errno::NOTDIR), "{path}");
            assert_eq!(guest.stat(path, 0), Err(Errno::NOTDIR), "{path}");
            assert_eq!(guest.mkdir(path), Err(Errno::NOTDIR), "{path}");
        }
        for path in ["missing/x", "missing/..", "missing/../file", "dir/missing/."] {
            assert_eq!(guest.open(path), Err(Errno::NOENT), "{path}");
            assert_eq!(guest.rmdir(path), Err(Errno::NOENT), "{path}");
        }
    }

    fn dots_as_last_component_are_refused_where_they_name_no_entry(world) {
        let guest = &mut world.guest;
        for path in [".", "dir/.", "dir/..", "dir/nested/..", "dir/nested/../"] {
            assert_eq!(guest.mkdir(path), Err(Errno::EXIST), "{path}");
            assert_eq!(guest.symlink("x", path), Err(Errno::EXIST), "{path}");
            assert_eq!(guest.link("file", 0, 3, path), Err(Errno::EXIST), "{path}");
            assert_eq!(guest.unlink(path), Err(Errno::ISDIR), "{path}");
            assert_eq!(guest.rename(path, 3, "x"), Err(Errno::BUSY), "{path}");
            assert_eq!(guest.rename("dir", 3, path), Err(Errno::BUSY), "{path}");
            assert_eq!(guest.readlink(path, 9), Err(Errno::INVAL), "{path}");
            assert_eq!(guest.link(path, 0, 3, "x"), Err(Errno::PERM), "{path}");
            assert_eq!(guest.link(path, FOLLOW, 3, "x"), Err(Errno::PERM), "{path}");
            assert_eq!(guest.set_times(path, 0, 1), Ok(()), "{path}");
        }
        assert_eq!(guest.rmdir("dir/nested/."), Err(Errno::INVAL));
        assert_eq!(guest.rmdir("dir/nested/.."), Err(Errno::NOTEMPTY));
    }

    fn a_directory_is_renamed_neither_into_itself_nor_over_a_full_one(world) {
        let guest = &mut world.guest;
        assert_eq!(guest.rename("dir", 3, "dir/nested/x"), Err(Errno::INVAL));
        guest.mkdir("other").unwrap();
        assert_eq!(guest.rename("other", 3, "dir"), Err(Errno::NOTEMPTY));
        assert_eq!(guest.rename("file", 3, "other"), Err(Errno::ISDIR));
        assert_eq!(guest.rename("other", 3, "file"), Err(Errno::NOTDIR));
        assert_eq!(guest.rename("file/", 3, "x"), Err(Errno::NOTDIR));
    }

    fn times_are_set_on_the_link_or_behind_it(world) {
        world.host_link("file", "link");
        let modified = |name: &str| {
            let path = world.temp.join("inside").join(name);
            fs::symlink_metadata(path).unwrap().modified().unwrap()
        };
        let then = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(1_000_000_007);
        world.guest.set_times("link", 0, 1 | 4).unwrap();
        assert_eq!(modified("link"), then);
        assert_ne!(modified("file"), then);
        world.guest.set_times("link", FOLLOW, 1 | 4).unwrap();
        assert_eq!(modified("file"), then);
        world.guest.set_times("dir/nested/", 0, 4).unwrap();
        assert_eq!(modified("dir/nested"), then);
    }

    fn a_directory_that_was_moved_outside_still_ends_at_its_own_root(world) {
        // The guest holds `dir`; the host moves it away. What the guest opened is still
        // its own, but `..` of it is no way to the outside.
        let dir = world.guest.open_full(3, 0, "dir", DIRECTORY, NEUTRAL, 0).unwrap();
        fs::rename(world.temp.join("inside/dir"), world.temp.join("outside/dir")).unwrap();
        let guest = &mut world.guest;
        assert!(guest.open_full(dir, FOLLOW, "nested/file", 0, NEUTRAL | READ, 0).is_ok());
        for path in ["..", "../file", "nested/../../file"] {
            let result = guest.open_full(dir, FOLLOW, path, 0, NEUTRAL, 0);
            assert_eq!(result, Err(Errno::PERM), "{path}");
        }
        fs::rename(world.temp.join("outside/dir"), world.temp.join("inside/dir")).unwrap();
    }
}

#[test]
fn magic_links_of_proc_lead_nowhere() {
    for walk in WALKS {
        let mut guest =
            Guest::with(std::path::Path::new("/proc"), walk, DirPerms::READ, FilePerms::READ);
        for path in [
            "self/root",
            "self/root/etc/passwd",
            "self/cwd",
            "self/cwd/Cargo.toml",
            "self/exe",
            "self/fd/0",
            "self/fd/1",
            "self/ns/net",
            "thread-self/root/etc",
            "self/../self/root/etc/passwd",
        ] {
            assert!(guest.open(path).is_err(), "{path} on {walk:?}");
            assert!(guest.stat(path, FOLLOW).is_err(), "{path} on {walk:?}");
        }
        assert!(guest.open("self/status").is_ok());
        assert_eq!(guest.stat("self/root", 0).unwrap().0, 7);
    }
}

#[test]
fn names_that_are_not_utf8_cannot_be_passed_and_are_left_out_of_listings() {
    for walk in WALKS {
        let temp = TempDir::new();
        let name = std::ffi::OsStr::from_bytes(b"\xff\xfe");
        fs::write(temp.path().join(name), b"x").unwrap();
        symlink(name, temp.join("link")).unwrap();
        let mut guest = Guest::new(temp.path(), walk);
        guest.mem[60_000..60_002].copy_from_slice(b"\xff\xfe");
        let result =
            selkie_wasi::preview1::path_unlink_file(&mut guest.cx, &mut guest.mem, 3, 60_000, 2);
        assert_eq!(result, Err(Errno::ILSEQ));
        assert_eq!(guest.readlink("link", 10), Err(Errno::ILSEQ));
        let names: Vec<_> = guest.list(3, 4096).unwrap().into_iter().map(|e| e.0).collect();
        assert_eq!(names.len(), 3, "{names:?}");
    }
}

#[test]
fn a_read_only_grant_changes_nothing() {
    for walk in WALKS {
        let temp = TempDir::new();
        fs::write(temp.join("file"), b"data").unwrap();
        fs::create_dir(temp.join("dir")).unwrap();
        symlink("file", temp.join("link")).unwrap();
        let mut guest = Guest::with(temp.path(), walk, DirPerms::READ, FilePerms::READ);
        let rofs = Err(Errno::ROFS);
        assert_eq!(guest.create("file", 0), rofs.map(|()| 0));
        assert_eq!(guest.create("new", CREAT), rofs.map(|()| 0));
        assert_eq!(guest.create("new", CREAT | EXCL), rofs.map(|()| 0));
        assert_eq!(guest.open_full(3, 0, "file", TRUNC, READ, 0), rofs.map(|()| 0));
        assert_eq!(guest.open_full(3, 0, "new", CREAT, READ, 0), rofs.map(|()| 0));
        assert_eq!(guest.mkdir("new"), rofs);
        assert_eq!(guest.rmdir("dir"), rofs);
        assert_eq!(guest.unlink("file"), rofs);
        assert_eq!(guest.symlink("file", "new"), rofs);
        assert_eq!(guest.link("file", 0, 3, "new"), rofs);
        assert_eq!(guest.rename("file", 3, "new"), rofs);
        assert_eq!(guest.set_times("file", 0, 1), rofs);
        // Looking at things works, also with `CREAT` for what exists.
        assert_eq!(guest.read_file("link").unwrap(), b"data");
        let fd = guest.open_full(3, 0, "file", CREAT, NEUTRAL | READ, 0).unwrap();
        let cx = &mut guest.cx;
        let set = selkie_wasi::preview1::fd_filestat_set_size(cx, &mut [], fd, 0);
        assert_eq!(set, rofs);
        let set = selkie_wasi::preview1::fd_filestat_set_times(cx, &mut [], fd, 1, 1, 1);
        assert_eq!(set, rofs);
        // What is opened through the grant inherits it.
        let dir = guest.open_full(3, 0, "dir", DIRECTORY, NEUTRAL, 0).unwrap();
        assert_eq!(guest.open_full(dir, 0, "new", CREAT, ALL, 0), rofs.map(|()| 0));
        assert_eq!(fs::read(temp.join("file")).unwrap(), b"data");
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 3);
    }
}

#[test]
fn nothing_moves_from_a_narrow_grant_to_a_wide_one() {
    for walk in WALKS {
        let temp = TempDir::new();
        fs::create_dir(temp.join("narrow")).unwrap();
        fs::create_dir(temp.join("wide")).unwrap();
        fs::write(temp.join("narrow/file"), b"data").unwrap();
        fs::write(temp.join("wide/file"), b"data").unwrap();
        let mut builder = WasiCtx::builder();
        builder
            .path_walk(walk)
            .preopened_dir(temp.join("narrow"), "/n", DirPerms::all(), FilePerms::READ)
            .unwrap()
            .preopened_dir(temp.join("wide"), "/w", DirPerms::all(), FilePerms::all())
            .unwrap();
        let mut guest = Guest::from(builder.build());
        assert_eq!(guest.link("file", 0, 4, "new"), Err(Errno::XDEV));
        assert_eq!(guest.rename("file", 4, "new"), Err(Errno::XDEV));
        // Within the narrow one, and from the wide one to it, entries may move.
        assert_eq!(guest.link("file", 0, 3, "new"), Ok(()));
        assert_eq!(guest.rename("new", 3, "moved"), Ok(()));
        assert!(fs::read_dir(temp.join("wide")).unwrap().count() == 1);
    }
}
