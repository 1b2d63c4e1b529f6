//! Paths: what is done to an entry of a directory, named by a path beneath it.
//!
//! Each function says which rights it needs and what the grant must allow; the walk
//! (`crate::path`) finds the entry.

use super::fd::{checked_fdflags, timestamps};
use crate::clocks::{Clocks, SystemClocks};
use crate::ctx::WasiCtx;
use crate::descriptor::{Descriptor, Handle, HostFile};
use crate::errno::Errno;
use crate::grant::{DirPerms, Grant};
use crate::guest;
use crate::layout::{FileType, Filestat, SYMLINK_FOLLOW, Snapshot, fdflags, oflags};
use crate::path::{Place, Walk, guest_link_target, guest_path, sibling};
use crate::patience::patience_ns;
use crate::rights;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, Mode, OFlags, fcntl_setfl, fstat, linkat, mkdirat, readlinkat_raw, renameat,
    symlinkat, unlinkat,
};
use rustix::io::Errno as Host;
use selkie_engine::InterruptWatch;
use std::mem::MaybeUninit;

/// What new files and directories may be for, before the host's `umask`.
const FILE_MODE: Mode = Mode::from_raw_mode(0o666);
const DIRECTORY_MODE: Mode = Mode::from_raw_mode(0o777);

/// Checks `lookupflags`: whether a final symbolic link is followed.
fn follows(raw: u32) -> Result<bool, Errno> {
    if raw & !SYMLINK_FOLLOW != 0 { Err(Errno::INVAL) } else { Ok(raw != 0) }
}

/// Creates a directory.
pub fn path_create_directory(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    path: u32,
    path_len: u32,
) -> Result<(), Errno> {
    let (base, grant) = cx.table.get(fd)?.dir(rights::PATH_CREATE_DIRECTORY)?;
    let path = guest_path(mem, path, path_len)?;
    grant.may_mutate()?;
    match cx.walk.place(base, path)? {
        Place::Entry(dir, name) => Ok(mkdirat(dir, name, DIRECTORY_MODE)?),
        Place::Dot | Place::DotDot => Err(Errno::EXIST),
    }
}

/// `path_filestat_get` of either generation.
#[expect(clippy::too_many_arguments, reason = "the specification has that many")]
pub(crate) fn path_filestat(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    flags: u32,
    path: u32,
    path_len: u32,
    stat: u32,
    snapshot: Snapshot,
) -> Result<(), Errno> {
    let follow = follows(flags)?;
    let (base, grant) = cx.table.get(fd)?.dir(rights::PATH_FILESTAT_GET)?;
    let path = guest_path(mem, path, path_len)?;
    grant.may_look()?;
    let mut found = Filestat::from(&cx.walk.stat(base, path, follow)?);
    if let Some(stable) = &mut cx.stable {
        found = stable.filestat(found)?;
    }
    guest::write(mem, stat, &found.encode(snapshot)[..snapshot.filestat_size() as usize])
}

/// Writes the attributes of a file or directory.
pub fn path_filestat_get(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    flags: u32,
    path: u32,
    path_len: u32,
    stat: u32,
) -> Result<(), Errno> {
    path_filestat(cx, mem, fd, flags, path, path_len, stat, Snapshot::Preview1)
}

/// Sets the times of a file or directory.
#[expect(clippy::too_many_arguments, reason = "the specification has that many")]
pub fn path_filestat_set_times(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    flags: u32,
    path: u32,
    path_len: u32,
    atim: u64,
    mtim: u64,
    fst_flags: u32,
) -> Result<(), Errno> {
    let follow = follows(flags)?;
    let times = timestamps(&mut *cx.clocks, atim, mtim, fst_flags)?;
    let (base, grant) = cx.table.get(fd)?.dir(rights::PATH_FILESTAT_SET_TIMES)?;
    let path = guest_path(mem, path, path_len)?;
    grant.may_mutate()?;
    grant.may_write_files()?;
    cx.walk.set_times(base, path, &times, follow)
}

/// Creates a hard link.
#[expect(clippy::too_many_arguments, reason = "the specification has that many")]
pub fn path_link(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    old_fd: u32,
    old_flags: u32,
    old_path: u32,
    old_path_len: u32,
    new_fd: u32,
    new_path: u32,
    new_path_len: u32,
) -> Result<(), Errno> {
    let follow = follows(old_flags)?;
    let (old_base, old_grant) = cx.table.get(old_fd)?.dir(rights::PATH_LINK_SOURCE)?;
    let (new_base, new_grant) = cx.table.get(new_fd)?.dir(rights::PATH_LINK_TARGET)?;
    let old_path = guest_path(mem, old_path, old_path_len)?;
    let new_path = guest_path(mem, new_path, new_path_len)?;
    may_move(old_grant, new_grant)?;
    // A directory has one name only: `perm`.
    let followed;
    let (old_dir, old_name) = if follow {
        let (dir, name) = cx.walk.entry_followed(old_base, old_path, Errno::PERM)?;
        followed = name;
        (dir, followed.as_slice())
    } else {
        cx.walk.entry(old_base, old_path, Errno::PERM)?
    };
    match cx.walk.place(new_base, new_path)? {
        Place::Entry(new_dir, new_name) => {
            linkat(old_dir, old_name, new_dir, new_name, AtFlags::empty())
                .map_err(|error| not_made(cx.walk, new_base, new_path, error))
        }
        Place::Dot | Place::DotDot => Err(Errno::EXIST),
    }
}

/// What the guest is told when the host did not make a link called `path`.
fn not_made(walk: Walk, base: BorrowedFd<'_>, path: &[u8], error: Host) -> Errno {
    if error == Host::EXIST { walk.name_taken(base, path) } else { Errno::from(error) }
}

/// Whether an entry may go from one directory to the other.
fn may_move(old: Grant, new: Grant) -> Result<(), Errno> {
    old.may_mutate()?;
    new.may_mutate()?;
    old.may_hand_to(new)
}

/// How often is looked for somebody who reads from a named pipe, in nanoseconds.
const OPEN_WAIT_NS: u64 = 2_000_000;

/// How `path_open` opens, once everything the guest passed is checked.
struct HowToOpen {
    flags: OFlags,
    follow: bool,
    /// The directory may not get new entries: a file that is not there stays so.
    must_exist: bool,
}

impl HowToOpen {
    fn new(
        grant: Grant,
        follow: bool,
        how: u32,
        base: u64,
        fdflags: u16,
    ) -> Result<HowToOpen, Errno> {
        let reads = base & rights::FD_READ != 0;
        let writes = base & rights::FD_WRITE != 0;
        let directory = how & oflags::DIRECTORY != 0;
        grant.may_look()?;
        if reads && !directory {
            grant.may_read_files()?;
        }
        if writes || how & oflags::TRUNC != 0 {
            grant.may_write_files()?;
        }
        let creates = how & oflags::CREAT != 0;
        let exclusive = creates && how & oflags::EXCL != 0;
        let must_exist = creates && !grant.dir.contains(DirPerms::MUTATE);
        if must_exist && exclusive {
            return Err(Errno::ROFS);
        }
        let mut flags = match (reads, writes) {
            (true, true) => OFlags::RDWR,
            (false, true) => OFlags::WRONLY,
            // Without any of both rights the file is still looked at through this.
            (_, false) => OFlags::RDONLY,
        };
        // A terminal that is opened must not become that of the host's process.
        flags |= OFlags::NOCTTY;
        flags.set(OFlags::CREATE, creates && !must_exist);
        flags.set(OFlags::EXCL, exclusive);
        flags.set(OFlags::TRUNC, how & oflags::TRUNC != 0);
        flags.set(OFlags::DIRECTORY, directory);
        flags.set(OFlags::APPEND, fdflags & fdflags::APPEND != 0);
        flags.set(OFlags::NONBLOCK, fdflags & fdflags::NONBLOCK != 0);
        flags.set(OFlags::SYNC, fdflags & fdflags::AT_OPEN != 0);
        Ok(HowToOpen { flags, follow, must_exist })
    }

    /// As [`HowToOpen::open`], for a guest that may be interrupted: a named pipe nobody
    /// reads from is waited for without being stuck in it.
    fn open_patiently(
        &self,
        walk: Walk,
        base: BorrowedFd<'_>,
        path: &[u8],
        watch: &InterruptWatch,
    ) -> Result<OwnedFd, Errno> {
        let how = HowToOpen { flags: self.flags | OFlags::NONBLOCK, ..*self };
        let opened = loop {
            match how.open(walk, base, path) {
                Err(Errno::NXIO) if self.flags != how.flags && self.is_pipe(walk, base, path) => {
                    let wait_ns = patience_ns(Some(watch))?.unwrap_or(OPEN_WAIT_NS);
                    SystemClocks::new().sleep(wait_ns.min(OPEN_WAIT_NS))?;
                }
                opened => break opened?,
            }
        };
        if self.flags != how.flags {
            fcntl_setfl(&opened, self.flags & OFlags::APPEND)?;
        }
        Ok(opened)
    }

    fn is_pipe(&self, walk: Walk, base: BorrowedFd<'_>, path: &[u8]) -> bool {
        let looked = walk.open(base, path, OFlags::PATH, Mode::empty(), self.follow);
        let kind = looked.and_then(|fd| Ok(fstat(&fd)?));
        kind.is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_fifo())
    }

    fn open(&self, walk: Walk, base: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd, Errno> {
        loop {
            match walk.open(base, path, self.flags, FILE_MODE, self.follow) {
                Err(Errno::INTR) => {}
                Err(Errno::NOENT) if self.must_exist => return Err(Errno::ROFS),
                opened => return opened,
            }
        }
    }
}

/// Opens a file or directory, and writes its number to `opened_fd`.
///
/// `FD_READ` and `FD_WRITE` among the wanted rights decide how the file is opened;
/// if the directory does not hand them on, that is `notcapable`. Other rights that it
/// does not hand on, or that mean nothing for the type of file, are left out.
#[expect(clippy::too_many_arguments, reason = "the specification has that many")]
pub fn path_open(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    dirflags: u32,
    path: u32,
    path_len: u32,
    oflags: u32,
    fs_rights_base: u64,
    fs_rights_inheriting: u64,
    fdflags: u32,
    opened_fd: u32,
) -> Result<(), Errno> {
    let follow = follows(dirflags)?;
    let fdflags = checked_fdflags(fdflags)?;
    if oflags & !oflags::ALL != 0 || oflags & (oflags::CREAT | oflags::DIRECTORY) == 3 {
        return Err(Errno::INVAL);
    }
    let parent = cx.table.get(fd)?;
    let mut needed = rights::PATH_OPEN;
    if oflags & oflags::CREAT != 0 {
        needed |= rights::PATH_CREATE_FILE;
    }
    if oflags & oflags::TRUNC != 0 {
        needed |= rights::PATH_FILESTAT_SET_SIZE;
    }
    let (dir, grant) = parent.dir(needed)?;
    let wanted = fs_rights_base & (rights::FD_READ | rights::FD_WRITE);
    let syncs = parent.base | parent.inheriting;
    if wanted & !parent.inheriting != 0
        || (fdflags & fdflags::AT_OPEN != 0 && syncs & (rights::FD_SYNC | rights::FD_DATASYNC) == 0)
    {
        return Err(Errno::NOTCAPABLE);
    }
    let name = guest_path(mem, path, path_len)?;
    let how = HowToOpen::new(grant, follow, oflags, fs_rights_base, fdflags)?;
    guest::check(mem, opened_fd, 4)?;
    cx.table.check_room()?;
    let opened = match &cx.watch {
        None => how.open(cx.walk, dir, name)?,
        Some(watch) => how.open_patiently(cx.walk, dir, name, watch)?,
    };
    let filetype = (oflags & oflags::DIRECTORY != 0).then_some(FileType::Directory);
    let descriptor = Descriptor::host(
        HostFile::new(Handle::Owned(opened), filetype, grant),
        fs_rights_base & parent.inheriting,
        fs_rights_inheriting & parent.inheriting,
        fdflags,
    );
    let number = cx.table.insert(descriptor)?;
    guest::write_u32(mem, opened_fd, number)
}

/// Writes the content of a symbolic link to `buf`, cut off where it does not fit.
#[expect(clippy::too_many_arguments, reason = "the specification has that many")]
pub fn path_readlink(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    path: u32,
    path_len: u32,
    buf: u32,
    buf_len: u32,
    bufused: u32,
) -> Result<(), Errno> {
    let (base, grant) = cx.table.get(fd)?.dir(rights::PATH_READLINK)?;
    let path = guest_path(mem, path, path_len)?;
    grant.may_look()?;
    guest::check(mem, buf, buf_len)?;
    guest::check(mem, bufused, 4)?;
    let (dir, name) = cx.walk.entry(base, path, Errno::INVAL)?;
    let mut target = [const { MaybeUninit::<u8>::uninit() }; 4096];
    let (target, _) = readlinkat_raw(dir, name, &mut target)?;
    std::str::from_utf8(target).map_err(|_| Errno::ILSEQ)?;
    let len = target.len().min(buf_len as usize);
    guest::write(mem, buf, &target[..len])?;
    guest::write_len(mem, bufused, len)
}

/// Removes an empty directory.
pub fn path_remove_directory(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    path: u32,
    path_len: u32,
) -> Result<(), Errno> {
    let (base, grant) = cx.table.get(fd)?.dir(rights::PATH_REMOVE_DIRECTORY)?;
    let path = guest_path(mem, path, path_len)?;
    grant.may_mutate()?;
    match cx.walk.place(base, path)? {
        Place::Entry(dir, name) => Ok(unlinkat(dir, name, AtFlags::REMOVEDIR)?),
        Place::Dot => Err(Errno::INVAL),
        Place::DotDot => Err(Errno::NOTEMPTY),
    }
}

/// Renames a file or directory, replacing what has the new name.
#[expect(clippy::too_many_arguments, reason = "the specification has that many")]
pub fn path_rename(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    old_path: u32,
    old_path_len: u32,
    new_fd: u32,
    new_path: u32,
    new_path_len: u32,
) -> Result<(), Errno> {
    let (old_base, old_grant) = cx.table.get(fd)?.dir(rights::PATH_RENAME_SOURCE)?;
    let (new_base, new_grant) = cx.table.get(new_fd)?.dir(rights::PATH_RENAME_TARGET)?;
    let old_path = guest_path(mem, old_path, old_path_len)?;
    let new_path = guest_path(mem, new_path, new_path_len)?;
    may_move(old_grant, new_grant)?;
    let old = cx.walk.place(old_base, old_path)?;
    if let (true, Place::Entry(dir, old_name), Some(new_name)) =
        (fd == new_fd, &old, sibling(old_path, new_path))
    {
        return Ok(renameat(dir, *old_name, dir, new_name)?);
    }
    match (old, cx.walk.place(new_base, new_path)?) {
        (Place::Entry(old_dir, old_name), Place::Entry(new_dir, new_name)) => {
            Ok(renameat(old_dir, old_name, new_dir, new_name)?)
        }
        _ => Err(Errno::BUSY),
    }
}

/// Creates a symbolic link with the content `old_path`, which must not be absolute.
pub fn path_symlink(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    old_path: u32,
    old_path_len: u32,
    fd: u32,
    new_path: u32,
    new_path_len: u32,
) -> Result<(), Errno> {
    let (base, grant) = cx.table.get(fd)?.dir(rights::PATH_SYMLINK)?;
    let target = guest_link_target(mem, old_path, old_path_len)?;
    let path = guest_path(mem, new_path, new_path_len)?;
    grant.may_mutate()?;
    match cx.walk.place(base, path)? {
        Place::Entry(dir, name) => {
            symlinkat(target, dir, name).map_err(|error| not_made(cx.walk, base, path, error))
        }
        Place::Dot | Place::DotDot => Err(Errno::EXIST),
    }
}

/// Removes a file, or a symbolic link itself. A directory is `isdir`.
pub fn path_unlink_file(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    path: u32,
    path_len: u32,
) -> Result<(), Errno> {
    let (base, grant) = cx.table.get(fd)?.dir(rights::PATH_UNLINK_FILE)?;
    let path = guest_path(mem, path, path_len)?;
    grant.may_mutate()?;
    match cx.walk.place(base, path)? {
        Place::Entry(dir, name) => Ok(unlinkat(dir, name, AtFlags::empty())?),
        Place::Dot | Place::DotDot => Err(Errno::ISDIR),
    }
}
