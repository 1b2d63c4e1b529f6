//! The wall in threads of the tests: each takes its own with it when it ends.

use super::*;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A folder of its own for each test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("selkie-wall-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        for dir in ["open", "open/a", "open/b", "read"] {
            fs::create_dir(path.join(dir)).unwrap();
            fs::write(path.join(dir).join("file"), "seal").unwrap();
        }
        fs::write(path.join("secret"), "seal").unwrap();
        Folder(path)
    }

    /// A context with `open` to read and write and `read` to read.
    fn context(&self) -> WasiCtx {
        let (dirs, files) = (DirPerms::all(), FilePerms::all());
        let mut builder = WasiCtx::builder();
        builder.preopened_dir(self.0.join("open"), "open", dirs, files).unwrap();
        let (dirs, files) = (DirPerms::READ, FilePerms::READ);
        builder.preopened_dir(self.0.join("read"), "read", dirs, files).unwrap();
        builder.build()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Does something behind a wall around the context. Where the kernel has none, says so loudly and
/// does nothing.
fn behind_wall(context: WasiCtx, work: impl FnOnce(Raised) + Send) {
    std::thread::scope(|scope| {
        let walled = scope.spawn(move || match raise(&context) {
            Ok(raised) => work(raised),
            Err(absent) => {
                // Not by a macro that the test runner silences.
                let _ = writeln!(std::io::stderr(), "SKIPPED, no wall on this machine: {absent}");
            }
        });
        walled.join().unwrap();
    });
}

fn denied<T>(outcome: std::io::Result<T>) -> bool {
    outcome.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

#[test]
fn what_was_not_granted_is_out_of_reach_for_this_thread_alone() {
    let folder = Folder::new("reach");
    let path = |name: &str| folder.0.join(name);
    behind_wall(folder.context(), |_| {
        assert!(denied(fs::read(path("secret"))));
        assert!(denied(fs::read_dir(&folder.0)));
        assert!(denied(fs::read("/proc/self/maps")));
        assert!(denied(fs::write(path("new"), "")));
        assert!(denied(fs::remove_file(path("secret"))));
        assert!(denied(std::process::Command::new("/proc/self/exe").arg("--help").status()));
        assert!(fs::rename(path("open/file"), path("out")).is_err());
        // Nor by a link that leads there.
        symlink(path("secret"), path("open/link")).unwrap();
        assert!(denied(fs::read(path("open/link"))));
    });
    assert_eq!(fs::read(path("secret")).unwrap(), b"seal");
    assert!(path("open/file").exists() && !path("new").exists());
}

#[test]
fn granted_directories_work_in_full() {
    let folder = Folder::new("open");
    let path = |name: &str| folder.0.join("open").join(name);
    behind_wall(folder.context(), |_| {
        assert_eq!(fs::read(path("a/file")).unwrap(), b"seal");
        fs::create_dir_all(path("c/d/e")).unwrap();
        fs::write(path("c/d/e/file"), "grey").unwrap();
        fs::write(path("c/d/e/file"), "g").unwrap();
        fs::File::options().write(true).open(path("a/file")).unwrap().set_len(1).unwrap();
        fs::rename(path("c/d/e/file"), path("b/moved")).unwrap();
        fs::rename(path("c/d"), path("b/d")).unwrap();
        fs::hard_link(path("b/moved"), path("a/linked")).unwrap();
        symlink("../b/moved", path("a/soft")).unwrap();
        assert_eq!(fs::read(path("a/soft")).unwrap(), b"g");
        assert_eq!(fs::read_dir(path("b")).unwrap().count(), 3);
        fs::remove_file(path("a/linked")).unwrap();
        fs::remove_dir_all(path("b")).unwrap();
    });
}

#[test]
fn directories_granted_for_reading_cannot_be_changed() {
    let folder = Folder::new("read");
    let path = |name: &str| folder.0.join(name);
    behind_wall(folder.context(), |_| {
        assert_eq!(fs::read(path("read/file")).unwrap(), b"seal");
        assert_eq!(fs::read_dir(path("read")).unwrap().count(), 1);
        assert!(denied(fs::write(path("read/file"), "")));
        assert!(denied(fs::File::options().append(true).open(path("read/file"))));
        assert!(denied(fs::write(path("read/new"), "")));
        assert!(denied(fs::create_dir(path("read/new"))));
        assert!(denied(fs::remove_file(path("read/file"))));
        assert!(denied(symlink("file", path("read/new"))));
        assert!(denied(fs::rename(path("read/file"), path("read/new"))));
        // An entry does not go where more is allowed, nor does one come from there.
        assert!(fs::hard_link(path("read/file"), path("open/new")).is_err());
        assert!(fs::rename(path("open/file"), path("read/new")).is_err());
    });
    assert_eq!(fs::read(path("read/file")).unwrap(), b"seal");
}

#[test]
fn a_grant_of_the_root_lets_everything_through() {
    let folder = Folder::new("root");
    let mut builder = WasiCtx::builder();
    builder.preopened_dir("/", "/", DirPerms::all(), FilePerms::all()).unwrap();
    behind_wall(builder.build(), |_| {
        fs::rename(folder.0.join("secret"), folder.0.join("open/secret")).unwrap();
        assert!(Path::new("/proc/self/maps").exists() && fs::read("/proc/self/maps").is_ok());
        // Programs of the host still do not run.
        assert!(denied(std::process::Command::new("/proc/self/exe").arg("--help").status()));
    });
}

#[test]
fn connections_are_accepted_but_not_made() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let context = WasiCtx::builder().build();
    let mut peer = TcpStream::connect(address).unwrap();
    behind_wall(context, |raised| {
        let (mut accepted, _) = listener.accept().unwrap();
        accepted.write_all(b"seal").unwrap();
        let is_denied = denied(TcpStream::connect(address)) && denied(TcpListener::bind(address));
        assert_eq!(is_denied, raised.version >= ABI::V4);
        drop(accepted);
        let mut received = String::new();
        peer.read_to_string(&mut received).unwrap();
        assert_eq!(received, "seal");
    });
}

#[test]
fn trying_leaves_no_wall() {
    let attempt = probe();
    assert_eq!(attempt, probe());
    assert!(fs::read("/proc/self/maps").is_ok(), "{attempt:?}");
}

const ALL: LandlockStatus = LandlockStatus::Available { effective_abi: ABI::V9, kernel_abi: None };
const OLD: LandlockStatus = LandlockStatus::Available { effective_abi: ABI::V1, kernel_abi: None };

#[test]
fn the_kernels_answer_is_understood() {
    use RulesetStatus::*;
    for whole in [FullyEnforced, PartiallyEnforced] {
        assert_eq!(judge(&whole, ALL), Ok(Raised { version: ABI::V9 }));
    }
    let why = |landlock| judge(&NotEnforced, landlock).unwrap_err().to_string();
    assert!(why(OLD).contains("5.19"), "{}", why(OLD));
    assert!(why(LandlockStatus::NotEnabled).contains("lsm"));
    assert!(why(LandlockStatus::NotImplemented).contains("no Landlock"));
}

#[test]
fn a_missing_wall_is_told_or_refused_as_was_asked() {
    let raised = Ok(Raised { version: ABI::V4 });
    let absent = Err(Absent::by_kernel("no seal"));
    for is_seen in [false, true] {
        let told = |demand: Demand, attempt| demand.consequence(attempt, || is_seen);
        for demand in [Demand::Off, Demand::On, Demand::Require] {
            assert_eq!(told(demand, &raised), Ok(None));
        }
        assert_eq!(told(Demand::Off, &absent), Ok(None));
        let note = told(Demand::On, &absent).unwrap();
        assert_eq!(note.is_some_and(|words| words.contains("no seal")), is_seen);
        assert!(told(Demand::Require, &absent).unwrap_err().contains("no seal"));
    }
    assert_eq!(Demand::default(), Demand::On);
}

#[test]
fn a_wall_that_could_not_be_raised_is_told_to_everybody() {
    let failed = Err(Absent::by_failure("no seal"));
    for is_seen in [false, true] {
        let told = |demand: Demand| demand.consequence(&failed, || is_seen);
        assert_eq!(told(Demand::Off), Ok(None));
        let words = told(Demand::On).unwrap().unwrap();
        assert!(words.starts_with("warning: ") && words.contains("no seal"), "{words}");
        assert!(told(Demand::Require).unwrap_err().contains("no seal"));
    }
}

#[test]
fn more_walls_than_the_kernel_has_room_for_are_a_failure_and_no_lack() {
    // The kernel counts the walls of a thread, and sixteen are too many for it.
    let attempts = std::thread::spawn(|| {
        let one = |_| raise(&WasiCtx::builder().build());
        (0..17).map(one).find_map(Result::err)
    });
    let absent = attempts.join().unwrap().unwrap();
    assert_eq!(absent.has_failed, probe().is_ok(), "{absent}");
}

#[test]
fn the_state_names_what_is_kept_out() {
    let state = Demand::On.describe(|| Ok(Raised { version: ABI::V4 }));
    assert_eq!(state, "Landlock 4 denies: files that were not granted, TCP connections");
    let absent = || Err(Absent::by_kernel("no seal"));
    assert_eq!(Demand::On.describe(absent), "missing: no seal");
    assert!(Demand::Require.describe(absent).contains("nothing would run: no seal"));
    assert_eq!(Demand::Off.describe(|| unreachable!()), "off");
}
