//! The path walk: how a guest's path becomes something on the host, and never
//! something outside of the directory it was given.
//!
//! Two walks do the same work. `path/openat2.rs` leaves it to the kernel
//! (`RESOLVE_BENEATH`), `path/manual.rs` goes component by component where the
//! kernel or a filter in front of it has no `openat2`. Which one is used is found
//! out once per process, or chosen by the embedder ([`PathWalk`]).
//!
//! Invariants:
//! - No call that follows symbolic links on its own is ever given a name that came
//!   from the guest: either the kernel is told `RESOLVE_BENEATH`, or the call gets
//!   one plain component together with "do not follow".
//! - A `..` as last component reaches the host only after the whole path was opened
//!   beneath the root; then the operation acts on the opened directory.
//! - Leaving the root is `perm`, whether by `..`, by an absolute path or by a
//!   symbolic link that is absolute or leads outside.
//! - Names are UTF-8 (`ilseq` otherwise), not empty (`noent`), without NUL (`inval`).
//!
//! What this file deliberately does not do: rights and grants (`preview1/path.rs`),
//! and remembering anything between two calls: a path is walked anew each time.

mod manual;
mod openat2;

use crate::errno::Errno;
use crate::guest;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, Stat, Timestamps, fstat, futimens, statat, utimensat};
use rustix::io::Errno as Host;
use std::sync::OnceLock;

/// Which walk resolves paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathWalk {
    /// The kernel's where it has one, ours otherwise.
    #[default]
    Auto,
    /// The kernel's (`openat2`).
    Openat2,
    /// Ours, component by component.
    Manual,
}

/// A chosen walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Walk {
    Openat2,
    Manual,
}

/// The longest path, without a final NUL, that the host takes.
const PATH_MAX: usize = 4095;

/// Reads and checks a path of the guest.
pub(crate) fn guest_path(mem: &[u8], ptr: u32, len: u32) -> Result<&[u8], Errno> {
    let path = guest_name(mem, ptr, len)?;
    if path[0] == b'/' {
        return Err(Errno::PERM);
    }
    Ok(path)
}

/// The content of a symbolic link to be made: any path but an absolute one, which
/// would lead out of the sandbox for whoever follows it.
pub(crate) fn guest_link_target(mem: &[u8], ptr: u32, len: u32) -> Result<&[u8], Errno> {
    guest_path(mem, ptr, len)
}

fn guest_name(mem: &[u8], ptr: u32, len: u32) -> Result<&[u8], Errno> {
    let path = guest::bytes(mem, ptr, len)?;
    if path.is_empty() {
        return Err(Errno::NOENT);
    }
    if path.len() > PATH_MAX {
        return Err(Errno::NAMETOOLONG);
    }
    if path.contains(&0) {
        return Err(Errno::INVAL);
    }
    std::str::from_utf8(path).map_err(|_| Errno::ILSEQ)?;
    Ok(path)
}

/// A path cut before its last component.
#[derive(Debug, PartialEq, Eq)]
struct Split<'p> {
    /// All before the last component, if there is anything.
    parent: Option<&'p [u8]>,
    /// The last component without slashes.
    name: &'p [u8],
    /// The last component with the slashes that follow it.
    name_and_slashes: &'p [u8],
}

impl<'p> Split<'p> {
    fn new(path: &'p [u8]) -> Split<'p> {
        let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
        let start = path[..end].iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        Split {
            parent: (start > 0).then(|| &path[..start]),
            name: &path[start..end],
            name_and_slashes: &path[start..],
        }
    }

    fn ends_in_dots(&self) -> bool {
        matches!(self.name, b"." | b"..")
    }

    fn has_slash(&self) -> bool {
        self.name.len() != self.name_and_slashes.len()
    }

    /// One component and nothing else: it may go to the host as it is.
    fn is_plain(&self) -> bool {
        self.parent.is_none() && !self.has_slash() && !self.ends_in_dots()
    }
}

/// The last component of `other`, if it is an entry of the directory that also holds
/// the last component of `one`: that directory need be opened only once then.
pub(crate) fn sibling<'p>(one: &[u8], other: &'p [u8]) -> Option<&'p [u8]> {
    let (one, other) = (Split::new(one), Split::new(other));
    let is_entry = !one.ends_in_dots() && !other.ends_in_dots();
    (is_entry && one.parent == other.parent).then_some(other.name_and_slashes)
}

/// A directory on the way: the one the walk began at, or one opened by it.
pub(crate) enum Dir<'d> {
    Base(BorrowedFd<'d>),
    Opened(OwnedFd),
}

impl AsFd for Dir<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Dir::Base(fd) => *fd,
            Dir::Opened(fd) => fd.as_fd(),
        }
    }
}

/// Where an operation on the last component takes place.
pub(crate) enum Place<'d, 'p> {
    /// An entry, existing or not, of a directory. The name may end in slashes; it is
    /// safe for calls that create, remove or rename an entry: they never follow it.
    Entry(Dir<'d>, &'p [u8]),
    /// The path ends in `.`.
    Dot,
    /// The path ends in `..`, beneath the root.
    DotDot,
}

impl PathWalk {
    /// Chooses a walk; `dir` is any directory to try the kernel's on.
    pub(crate) fn choose(self, dir: BorrowedFd<'_>) -> Walk {
        static FOUND: OnceLock<Walk> = OnceLock::new();
        match self {
            PathWalk::Openat2 => Walk::Openat2,
            PathWalk::Manual => Walk::Manual,
            PathWalk::Auto => *FOUND
                .get_or_init(|| if openat2::works(dir) { Walk::Openat2 } else { Walk::Manual }),
        }
    }
}

impl Walk {
    /// Opens `path` beneath `base`. A symbolic link as last component is followed if
    /// `follow`, or if a slash comes after it.
    pub(crate) fn open(
        self,
        base: BorrowedFd<'_>,
        path: &[u8],
        flags: OFlags,
        mode: Mode,
        follow: bool,
    ) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::CLOEXEC;
        // The shortest way, for most opens of most programs: no link, one call.
        if Split::new(path).is_plain() && !(follow && flags.contains(OFlags::PATH)) {
            match rustix::fs::openat(base, path, flags | OFlags::NOFOLLOW, mode) {
                Err(Host::LOOP | Host::NOTDIR) if follow => {}
                opened => return Ok(opened?),
            }
        }
        match self {
            Walk::Openat2 => openat2::open(base, path, flags, mode, follow),
            Walk::Manual => manual::open(base, path, flags, mode, follow),
        }
    }

    fn open_path(
        self,
        base: BorrowedFd<'_>,
        path: &[u8],
        more: OFlags,
        follow: bool,
    ) -> Result<OwnedFd, Errno> {
        self.open(base, path, OFlags::PATH | more, Mode::empty(), follow)
    }

    /// Finds the directory that holds the last component of `path`.
    pub(crate) fn place<'d, 'p>(
        self,
        base: BorrowedFd<'d>,
        path: &'p [u8],
    ) -> Result<Place<'d, 'p>, Errno> {
        let split = Split::new(path);
        if split.ends_in_dots() {
            self.open_path(base, path, OFlags::DIRECTORY, true)?;
            return Ok(if split.name == b"." { Place::Dot } else { Place::DotDot });
        }
        let dir = match split.parent {
            None => Dir::Base(base),
            Some(parent) => Dir::Opened(self.open_path(base, parent, OFlags::DIRECTORY, true)?),
        };
        Ok(Place::Entry(dir, split.name_and_slashes))
    }

    /// Finds the entry that `path` names for a call that only looks at it: slashes
    /// after the name demand a directory, for which `on_directory` is the answer.
    pub(crate) fn entry<'d, 'p>(
        self,
        base: BorrowedFd<'d>,
        path: &'p [u8],
        on_directory: Errno,
    ) -> Result<(Dir<'d>, &'p [u8]), Errno> {
        if Split::new(path).has_slash() {
            self.open_path(base, path, OFlags::DIRECTORY, true)?;
            return Err(on_directory);
        }
        match self.place(base, path)? {
            Place::Entry(dir, name) => Ok((dir, name)),
            Place::Dot | Place::DotDot => Err(on_directory),
        }
    }

    /// Why an entry cannot be made under a name that is taken. Slashes after the name
    /// demand a directory: anything else there is refused as such, not as existing.
    #[cold]
    pub(crate) fn name_taken(self, base: BorrowedFd<'_>, path: &[u8]) -> Errno {
        if !Split::new(path).has_slash() {
            return Errno::EXIST;
        }
        match self.open_path(base, path, OFlags::DIRECTORY, true) {
            Ok(_) => Errno::EXIST,
            Err(not_a_directory) => not_a_directory,
        }
    }

    /// Finds the entry at the end of all symbolic links.
    pub(crate) fn entry_followed<'d>(
        self,
        base: BorrowedFd<'d>,
        path: &[u8],
        on_directory: Errno,
    ) -> Result<(Dir<'d>, Vec<u8>), Errno> {
        manual::entry_followed(base, path, on_directory)
    }

    /// The attributes of what `path` names.
    pub(crate) fn stat(
        self,
        base: BorrowedFd<'_>,
        path: &[u8],
        follow: bool,
    ) -> Result<Stat, Errno> {
        let split = Split::new(path);
        if split.is_plain() {
            let stat = statat(base, path, AtFlags::SYMLINK_NOFOLLOW)?;
            let is_link = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_symlink();
            if !(follow && is_link) {
                return Ok(stat);
            }
        }
        let more = if split.has_slash() { OFlags::DIRECTORY } else { OFlags::empty() };
        Ok(fstat(self.open_path(base, path, more, follow)?)?)
    }

    /// Sets the times of what `path` names.
    pub(crate) fn set_times(
        self,
        base: BorrowedFd<'_>,
        path: &[u8],
        times: &Timestamps,
        follow: bool,
    ) -> Result<(), Errno> {
        let split = Split::new(path);
        if split.has_slash() || split.ends_in_dots() {
            let dir = self.open_path(base, path, OFlags::DIRECTORY, true)?;
            return Ok(utimensat(dir, c".", times, AtFlags::empty())?);
        }
        if !follow {
            let (dir, name) = self.entry(base, path, Errno::ISDIR)?;
            return Ok(utimensat(dir, name, times, AtFlags::SYMLINK_NOFOLLOW)?);
        }
        let file = self.open_path(base, path, OFlags::empty(), true)?;
        match utimensat(file, c"", times, AtFlags::EMPTY_PATH) {
            // Kernels before 5.8 do not know the empty path here.
            Err(Host::INVAL | Host::NOENT | Host::BADF) => {
                let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
                let file = self.open(base, path, flags, Mode::empty(), true)?;
                Ok(futimens(file, times)?)
            }
            done => Ok(done?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(path: &str) -> (Option<&str>, &str, &str) {
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        let split = Split::new(path.as_bytes());
        (split.parent.map(text), text(split.name), text(split.name_and_slashes))
    }

    #[test]
    fn a_path_is_cut_before_its_last_component() {
        assert_eq!(split("a"), (None, "a", "a"));
        assert_eq!(split("a//"), (None, "a", "a//"));
        assert_eq!(split("a/b"), (Some("a/"), "b", "b"));
        assert_eq!(split("a//b/"), (Some("a//"), "b", "b/"));
        assert_eq!(split("../.."), (Some("../"), "..", ".."));
    }

    #[test]
    fn siblings_are_entries_of_one_directory() {
        let name = |one: &str, other: &'static str| sibling(one.as_bytes(), other.as_bytes());
        assert_eq!(name("a/b", "a/c/"), Some(&b"c/"[..]));
        assert_eq!(name("b", "c"), Some(&b"c"[..]));
        assert_eq!(name("a/b", "a/.."), None);
        assert_eq!(name("a/.", "a/b"), None);
        assert_eq!(name("a/b", "b"), None);
    }

    #[test]
    fn paths_that_cannot_be_are_told_apart() {
        let path = |bytes: &[u8]| guest_path(bytes, 0, bytes.len() as u32).map(<[u8]>::to_vec);
        assert_eq!(path(b""), Err(Errno::NOENT));
        assert_eq!(path(b"/a"), Err(Errno::PERM));
        assert_eq!(path(b"a\0"), Err(Errno::INVAL));
        assert_eq!(path(b"a\xff"), Err(Errno::ILSEQ));
        assert_eq!(path(&[b'a'; 4096]), Err(Errno::NAMETOOLONG));
        assert_eq!(path("grün".as_bytes()), Ok("grün".as_bytes().to_vec()));
        assert_eq!(guest_path(b"abc", 1, 3), Err(Errno::FAULT));
    }
}
