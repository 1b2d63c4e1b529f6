//! The walk by hand: one component at a time, each opened without following it.
//!
//! The walker keeps the directories it came through on a stack; `..` pops one, and
//! at the root there is nothing to pop, which is `perm`. A symbolic link is read and
//! put in front of what is left of the path, at most [`MAX_LINKS`] times.
//!
//! Invariants:
//! - The host sees only plain names with `O_NOFOLLOW`, or `.` of an opened directory.
//! - What `..` leads to was opened on the way down, so a directory that is moved
//!   elsewhere while the walk runs cannot carry the walk outside.
//! - An absolute link is `perm`. That covers the magic links of `/proc`: read, they
//!   are absolute, or name nothing that exists.
//!
//! What this file deliberately does not do: bound the depth of a path; each level
//! holds a host descriptor, so the host's own limit (`mfile`) is the bound.

use super::Dir;
use crate::errno::Errno;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, openat, readlinkat};
use rustix::io::Errno as Host;

/// As many symbolic links as the kernel follows in one path.
const MAX_LINKS: u32 = 40;

/// What a walk arrives at.
enum End {
    /// The directory the walker stands in (the path ended in `.` or `..`).
    Here,
    /// An entry of that directory.
    Entry { name: Vec<u8>, has_slash: bool },
}

struct Walker<'b> {
    base: BorrowedFd<'b>,
    opened: Vec<OwnedFd>,
    /// What is left of the path begins at `at`.
    path: Vec<u8>,
    at: usize,
    links: u32,
}

impl<'b> Walker<'b> {
    fn new(base: BorrowedFd<'b>, path: &[u8]) -> Walker<'b> {
        Walker { base, opened: Vec::new(), path: path.to_vec(), at: 0, links: 0 }
    }

    fn here(&self) -> BorrowedFd<'_> {
        self.opened.last().map_or(self.base, |dir| dir.as_fd())
    }

    /// Takes the next component, and whether it is the last and ends in a slash.
    fn next(&mut self) -> Option<(Vec<u8>, bool, bool)> {
        let rest = &self.path[self.at..];
        let start = rest.iter().position(|byte| *byte != b'/')?;
        let len = rest[start..].iter().position(|byte| *byte == b'/');
        let end = len.map_or(rest.len(), |len| start + len);
        let name = rest[start..end].to_vec();
        let is_last = rest[end..].iter().all(|byte| *byte == b'/');
        let has_slash = end < rest.len();
        self.at += end;
        Some((name, is_last, has_slash))
    }

    /// Walks until only the last component is left.
    fn walk(&mut self) -> Result<End, Errno> {
        while let Some((name, is_last, has_slash)) = self.next() {
            match name.as_slice() {
                b"." => {}
                b".." => {
                    self.opened.pop().ok_or(Errno::PERM)?;
                }
                _ if is_last => return Ok(End::Entry { name, has_slash }),
                _ => self.enter(&name)?,
            }
        }
        Ok(End::Here)
    }

    /// Goes into `name`, or puts the link it is in front of the path.
    fn enter(&mut self, name: &[u8]) -> Result<(), Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(self.here(), name, flags, Mode::empty()) {
            Ok(dir) => self.opened.push(dir),
            Err(Host::NOTDIR | Host::LOOP) => {
                if !self.expand(name)? {
                    return Err(Errno::NOTDIR);
                }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// If `name` is a symbolic link, puts its content in front of what is left of
    /// the path. Says whether it was one.
    fn expand(&mut self, name: &[u8]) -> Result<bool, Errno> {
        let target = match readlinkat(self.here(), name, Vec::new()) {
            Ok(target) => target.into_bytes(),
            Err(Host::INVAL) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Errno::LOOP);
        }
        match target.first() {
            None => return Err(Errno::NOENT),
            Some(b'/') => return Err(Errno::PERM),
            Some(_) => {}
        }
        let mut path = target;
        path.extend_from_slice(&self.path[self.at..]);
        self.path = path;
        self.at = 0;
        Ok(true)
    }

    fn into_here(mut self) -> Dir<'b> {
        self.opened.pop().map_or(Dir::Base(self.base), Dir::Opened)
    }
}

/// Opens `path` beneath `base`.
pub(super) fn open(
    base: BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
    mode: Mode,
    follow: bool,
) -> Result<OwnedFd, Errno> {
    let mut walker = Walker::new(base, path);
    loop {
        let (name, has_slash) = match walker.walk()? {
            End::Here => {
                return Ok(openat(walker.here(), c".", flags | OFlags::NOFOLLOW, mode)?);
            }
            End::Entry { name, has_slash } => (name, has_slash),
        };
        if has_slash && flags.contains(OFlags::CREATE) {
            return Err(Errno::ISDIR);
        }
        let follow = follow || has_slash;
        let mut flags = flags | OFlags::NOFOLLOW;
        flags.set(OFlags::DIRECTORY, has_slash || flags.contains(OFlags::DIRECTORY));
        // With `O_PATH` alone a link would be opened as itself, without an error.
        let opens_links = flags.contains(OFlags::PATH) && !flags.contains(OFlags::DIRECTORY);
        if follow && opens_links && walker.expand(&name)? {
            continue;
        }
        match openat(walker.here(), name.as_slice(), flags, mode) {
            Err(error @ (Host::LOOP | Host::NOTDIR)) if follow => {
                if !walker.expand(&name)? {
                    return Err(error.into());
                }
            }
            opened => return Ok(opened?),
        }
    }
}

/// Finds the entry at the end of all symbolic links.
pub(super) fn entry_followed<'b>(
    base: BorrowedFd<'b>,
    path: &[u8],
    on_directory: Errno,
) -> Result<(Dir<'b>, Vec<u8>), Errno> {
    let mut walker = Walker::new(base, path);
    loop {
        match walker.walk()? {
            End::Here => return Err(on_directory),
            End::Entry { name, .. } if walker.expand(&name)? => {}
            End::Entry { name, has_slash: false } => return Ok((walker.into_here(), name)),
            End::Entry { name, has_slash: true } => {
                walker.enter(&name)?;
                return Err(on_directory);
            }
        }
    }
}
