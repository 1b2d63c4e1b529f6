//! The folder of the cache: one that is ours alone, opened once, and its files.
//!
//! Invariants: the folder that was opened is the one that was looked at, and everything happens
//! below its descriptor, whatever becomes of its name; the same holds for each entry. Neither is
//! of use unless it belongs to this process's user and nobody else may write to it. A file
//! appears under its name whole or not at all.
//!
//! What this file deliberately does not do: know what the files are.

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT,
};
use rustix::io::Errno;
use std::collections::hash_map::RandomState;
use std::fs::{DirBuilder, File};
use std::hash::BuildHasher;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// An open folder that belongs to this user and that nobody else can write to.
#[derive(Debug)]
pub(super) struct Folder {
    fd: OwnedFd,
    /// The effective user, who owns it.
    user: u32,
}

/// An open file of a [`Folder`]: this user's, and nobody else may write to it.
#[derive(Debug)]
pub(crate) struct Entry {
    file: File,
    used_secs: i64,
}

/// What is known of a file without opening it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Listed {
    /// When it was written or marked, in seconds and nanoseconds since 1970.
    pub(super) used: (i64, u64),
    pub(super) bytes: u64,
    pub(super) name: String,
}

/// Begins the names of files that are not whole yet; 16 hexadecimal digits follow.
const UNFINISHED_PREFIX: &str = ".unfinished-";

impl Folder {
    /// Opens a folder; symbolic links on the way are followed.
    ///
    /// # Errors
    /// `NOENT`: it is not there. `PERM`: others could write to it. It cannot be opened.
    pub(super) fn open(path: &Path) -> Result<Folder, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
        let user = rustix::process::geteuid().as_raw();
        let stat = rustix::fs::fstat(&fd)?;
        if is_alone(&stat, user) { Ok(Folder { fd, user }) } else { Err(Errno::PERM) }
    }

    /// Makes a folder and those above it where they are missing, and opens it.
    ///
    /// # Errors
    /// It cannot be made; as [`Folder::open`], since what is there then may be somebody else's.
    pub(super) fn make(path: &Path) -> std::io::Result<Folder> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Ok(Folder::open(path)?)
    }

    /// Opens a file to read it. Answers none where it is no plain file of this user's alone.
    pub(super) fn entry(&self, name: &str) -> Option<Entry> {
        // Not to wait at a pipe; plain files do not know the flag.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::empty()).ok()?;
        let stat = rustix::fs::fstat(&fd).ok()?;
        let is_usable = is_file(&stat) && is_alone(&stat, self.user);
        is_usable.then(|| Entry { file: fd.into(), used_secs: stat.st_mtime })
    }

    /// Writes a file, in place of the one that had its name.
    ///
    /// # Errors
    /// Something went wrong; nothing is left behind.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        let unfinished = unfinished_name();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mode = Mode::RUSR | Mode::WUSR;
        let fd = rustix::fs::openat(&self.fd, &*unfinished, flags | OFlags::CLOEXEC, mode)?;
        let written = File::from(fd)
            .write_all(bytes)
            .and_then(|()| Ok(rustix::fs::renameat(&self.fd, &*unfinished, &self.fd, name)?));
        if written.is_err() {
            self.remove(&unfinished);
        }
        written
    }

    /// Removes a file if that is possible.
    pub(super) fn remove(&self, name: &str) -> bool {
        rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()).is_ok()
    }

    /// Remembers that a file was of use now.
    pub(super) fn mark_used(&self, name: &str) {
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
        };
        // If it cannot be marked, it may be removed early.
        let _ = rustix::fs::utimensat(&self.fd, name, &times, AtFlags::SYMLINK_NOFOLLOW);
    }

    /// The plain files whose names are wanted.
    pub(super) fn list(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<Listed> {
        let Ok(dir) = Dir::read_from(&self.fd) else { return Vec::new() };
        let listed = dir.flatten().filter_map(|entry| {
            let name = entry.file_name().to_str().ok().filter(|name| is_wanted(name))?;
            let stat = rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
            is_file(&stat).then(|| Listed {
                used: (stat.st_mtime, stat.st_mtime_nsec),
                bytes: u64::try_from(stat.st_size).unwrap_or(0),
                name: name.to_string(),
            })
        });
        listed.collect()
    }
}

impl Entry {
    /// When it was written or marked, in seconds since 1970.
    pub(super) fn used_secs(&self) -> i64 {
        self.used_secs
    }

    pub(crate) fn into_file(self) -> File {
        self.file
    }
}

/// Whether a name is one that [`Folder::write`] gives to files that are not whole.
pub(super) fn is_unfinished(name: &str) -> bool {
    name.strip_prefix(UNFINISHED_PREFIX).is_some_and(|digits| is_hex(digits, 16))
}

/// Whether a text is so many hexadecimal digits, in lower case.
pub(super) fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A name that nobody foresees; writers that meet under one do not disturb each other either.
fn unfinished_name() -> String {
    format!("{UNFINISHED_PREFIX}{:016x}", RandomState::new().hash_one(std::process::id()))
}

fn is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

/// Whether something is this user's and nobody else may write to it.
fn is_alone(stat: &Stat, user: u32) -> bool {
    let others = Mode::WGRP | Mode::WOTH;
    stat.st_uid == user && !Mode::from_raw_mode(stat.st_mode).intersects(others)
}
