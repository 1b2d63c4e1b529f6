//! A folder of its own for each test, and the binary started in it with nothing of the user's.
// Each test file uses a part; what goes wrong here ends the test that asked for it.
#![allow(dead_code, clippy::unwrap_used)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder that is removed at the end, with a cache and a configuration of its own.
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
}

impl Place {
    pub(crate) fn new(name: &str) -> Place {
        let folder = std::env::temp_dir().join(format!("selkie-cli-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Place { folder }
    }

    /// Writes a file and answers its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// A binary module from its text.
    pub(crate) fn module(&self, name: &str, text: &str) -> PathBuf {
        self.file(name, wat::parse_str(text).unwrap())
    }

    /// The command, to be started in the folder.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_selkie"));
        command
            .args(args)
            .current_dir(&self.folder)
            .env_clear()
            .env("HOME", &self.folder)
            .env("XDG_CACHE_HOME", self.folder.join("cache"))
            .env("XDG_CONFIG_HOME", self.folder.join("config"))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Done {
        Done::of(self.command(args).output().unwrap())
    }

    pub(crate) fn run_with_input(&self, args: &[&str], input: &[u8]) -> Done {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // The other side may end without reading all.
        let _ = child.stdin.take().unwrap().write_all(input);
        Done::of(child.wait_with_output().unwrap())
    }

    /// The entries of the cache.
    pub(crate) fn cached(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.folder.join("cache/selkie")) else {
            return Vec::new();
        };
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    fn of(output: Output) -> Done {
        Done {
            status: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// It must have ended well; answers what it wrote.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.status, Some(0), "{self:?}");
        self.out
    }

    /// It must have failed with this status and these words, in one clear error.
    #[track_caller]
    pub(crate) fn fails(self, status: i32, words: &str) -> Done {
        assert_eq!(self.status, Some(status), "{self:?}");
        assert!(self.err.starts_with("error: "), "{self:?}");
        assert!(self.err.contains(words), "no {words:?} in {self:?}");
        assert!(!self.err.contains("panicked"), "{self:?}");
        self
    }
}

/// The path as text.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Ends with the status that is its first argument's length.
pub(crate) const EXIT_WITH_LENGTH: &str = r#"(module
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_sizes_get"
      (func $sizes (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start")
      (drop (call $sizes (i32.const 0) (i32.const 4)))
      ;; All strings with their ends, without the program's name.
      (drop (call $args_get (i32.const 1024) (i32.const 8192)))
      (call $exit (i32.sub (i32.sub (i32.load (i32.const 4)) (i32.const 1))
        (i32.sub (i32.load offset=4 (i32.const 1024)) (i32.load (i32.const 1024)))))))"#;

/// Writes its arguments, each in a line.
pub(crate) const ECHO: &str = r#"(module
    (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_sizes_get"
      (func $sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
      (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 4)
    (func (export "_start") (local $at i32) (local $end i32)
      (drop (call $sizes (i32.const 0) (i32.const 4)))
      (if (i32.eqz (i32.load (i32.const 0))) (then (return)))
      (drop (call $args_get (i32.const 1024) (i32.const 65536)))
      (local.set $at (i32.const 65536))
      (local.set $end (i32.add (local.get $at) (i32.load (i32.const 4))))
      (loop $next
        (if (i32.eqz (i32.load8_u (local.get $at)))
          (then (i32.store8 (local.get $at) (i32.const 10))))
        (br_if $next (i32.lt_u
          (local.tee $at (i32.add (local.get $at) (i32.const 1))) (local.get $end))))
      (i32.store (i32.const 0) (i32.const 65536))
      (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
        (then (call $exit (i32.const 9))))))"#;

/// Writes a byte, then reads one.
pub(crate) const WAIT: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read"
      (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
      (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 64) "\10\00\00\00\01\00\00\00")
    (func (export "_start")
      (drop (call $write (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 80)))
      (drop (call $read (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 80)))))"#;

/// Traps two functions deep.
pub(crate) const TRAP: &str = r#"(module
    (func $outer (export "_start") call $inner)
    (func $inner unreachable))"#;

pub(crate) const ADD: &str = r#"(module (func (export "add") (param i32 i32) (result i32)
    local.get 0 local.get 1 i32.add))"#;
