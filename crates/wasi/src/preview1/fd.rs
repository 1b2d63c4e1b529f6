//! Descriptors: their state, their attributes, the directory behind them.

use crate::clocks::{ClockId, Clocks, timespec};
use crate::ctx::WasiCtx;
use crate::descriptor::{Object, retry};
use crate::errno::Errno;
use crate::guest;
use crate::layout::{FileType, Snapshot, Whence, encode_fdstat, fdflags, fstflags};
use crate::rights;
use rustix::event::Timespec;
use rustix::fs::{
    Advice, FallocateFlags, Timestamps, UTIME_NOW, UTIME_OMIT, fadvise, fallocate, fdatasync,
    fsync, ftruncate, futimens,
};
use std::num::NonZeroU64;

/// Checks `fdflags`.
pub(super) fn checked_fdflags(raw: u32) -> Result<u16, Errno> {
    u16::try_from(raw).ok().filter(|flags| flags & !fdflags::ALL == 0).ok_or(Errno::INVAL)
}

/// Announces how a part of a file will be used.
pub fn fd_advise(
    cx: &mut WasiCtx,
    _mem: &mut [u8],
    fd: u32,
    offset: u64,
    len: u64,
    advice: u32,
) -> Result<(), Errno> {
    let advice = match advice {
        0 => Advice::Normal,
        1 => Advice::Sequential,
        2 => Advice::Random,
        3 => Advice::WillNeed,
        4 => Advice::DontNeed,
        5 => Advice::NoReuse,
        _ => return Err(Errno::INVAL),
    };
    let descriptor = cx.table.get_mut(fd)?;
    descriptor.need_typed(rights::FD_ADVISE)?;
    let file = descriptor.file(Errno::SPIPE)?;
    if offset > i64::MAX as u64 || len > i64::MAX as u64 {
        return Err(Errno::INVAL);
    }
    Ok(fadvise(file.fd(), offset, NonZeroU64::new(len), advice)?)
}

/// Makes sure that a part of a file has room on the disk; the file grows if needed.
pub fn fd_allocate(
    cx: &mut WasiCtx,
    _mem: &mut [u8],
    fd: u32,
    offset: u64,
    len: u64,
) -> Result<(), Errno> {
    let descriptor = cx.table.get_mut(fd)?;
    descriptor.need_typed(rights::FD_ALLOCATE)?;
    let file = descriptor.file(Errno::SPIPE)?;
    file.grant.may_write_files()?;
    if len == 0 || offset > i64::MAX as u64 {
        return Err(Errno::INVAL);
    }
    if offset.checked_add(len).is_none_or(|end| end > i64::MAX as u64) {
        return Err(Errno::FBIG);
    }
    retry(|| fallocate(file.fd(), FallocateFlags::empty(), offset, len))
}

/// Closes a descriptor.
pub fn fd_close(cx: &mut WasiCtx, _mem: &mut [u8], fd: u32) -> Result<(), Errno> {
    cx.table.remove(fd).map(drop)
}

/// Waits until the data of a file is on the disk.
pub fn fd_datasync(cx: &mut WasiCtx, _mem: &mut [u8], fd: u32) -> Result<(), Errno> {
    let descriptor = cx.table.get_mut(fd)?;
    descriptor.need(rights::FD_DATASYNC)?;
    match &descriptor.object {
        Object::Host(file) => retry(|| fdatasync(file.fd())),
        Object::Stream(_) => Ok(()),
    }
}

/// Waits until data and attributes of a file are on the disk.
pub fn fd_sync(cx: &mut WasiCtx, _mem: &mut [u8], fd: u32) -> Result<(), Errno> {
    let descriptor = cx.table.get_mut(fd)?;
    descriptor.need(rights::FD_SYNC)?;
    match &descriptor.object {
        Object::Host(file) => retry(|| fsync(file.fd())),
        Object::Stream(_) => Ok(()),
    }
}

/// Writes type, flags and rights of a descriptor.
pub fn fd_fdstat_get(cx: &mut WasiCtx, mem: &mut [u8], fd: u32, stat: u32) -> Result<(), Errno> {
    let descriptor = cx.table.get_mut(fd)?;
    let filetype = descriptor.filetype()?;
    let bytes = encode_fdstat(filetype, descriptor.flags, descriptor.base, descriptor.inheriting);
    guest::write(mem, stat, &bytes)
}

/// Sets the flags of a descriptor. Those for synchronized writing are set when a file
/// is opened; to change them later is `notsup`.
pub fn fd_fdstat_set_flags(
    cx: &mut WasiCtx,
    _mem: &mut [u8],
    fd: u32,
    flags: u32,
) -> Result<(), Errno> {
    let flags = checked_fdflags(flags)?;
    let descriptor = cx.table.get_mut(fd)?;
    descriptor.need(rights::FD_FDSTAT_SET_FLAGS)?;
    if (flags ^ descriptor.flags) & fdflags::AT_OPEN != 0 {
        return Err(Errno::NOTSUP);
    }
    if let Object::Host(file) = &mut descriptor.object {
        file.set_flags(flags)?;
    }
    descriptor.flags = flags;
    Ok(())
}

/// Drops rights. To ask for more than there are is `notcapable`.
pub fn fd_fdstat_set_rights(
    cx: &mut WasiCtx,
    _mem: &mut [u8],
    fd: u32,
    fs_rights_base: u64,
    fs_rights_inheriting: u64,
) -> Result<(), Errno> {
    let descriptor = cx.table.get_mut(fd)?;
    descriptor.filetype()?;
    let added =
        (fs_rights_base & !descriptor.base) | (fs_rights_inheriting & !descriptor.inheriting);
    if added != 0 {
        return Err(Errno::NOTCAPABLE);
    }
    descriptor.base = fs_rights_base;
    descriptor.inheriting = fs_rights_inheriting;
    Ok(())
}

/// `fd_filestat_get` of either generation.
pub(crate) fn filestat_get(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    stat: u32,
    snapshot: Snapshot,
) -> Result<(), Errno> {
    let descriptor = cx.table.get_mut(fd)?;
    descriptor.need(rights::FD_FILESTAT_GET)?;
    let mut found = descriptor.filestat()?;
    if let Some(stable) = &mut cx.stable {
        found = stable.filestat(found)?;
    }
    let bytes = found.encode(snapshot);
    guest::write(mem, stat, &bytes[..snapshot.filestat_size() as usize])
}

/// Writes the attributes of an open file.
pub fn fd_filestat_get(cx: &mut WasiCtx, mem: &mut [u8], fd: u32, stat: u32) -> Result<(), Errno> {
    filestat_get(cx, mem, fd, stat, Snapshot::Preview1)
}

/// Sets the size of an open file; what is added reads as zeros.
pub fn fd_filestat_set_size(
    cx: &mut WasiCtx,
    _mem: &mut [u8],
    fd: u32,
    size: u64,
) -> Result<(), Errno> {
    let descriptor = cx.table.get_mut(fd)?;
    descriptor.need_typed(rights::FD_FILESTAT_SET_SIZE)?;
    let file = descriptor.file(Errno::INVAL)?;
    file.grant.may_write_files()?;
    if size > i64::MAX as u64 {
        return Err(Errno::FBIG);
    }
    retry(|| ftruncate(file.fd(), size))
}

/// The times to set, from timestamps and flags of the guest.
pub(super) fn timestamps(
    clocks: &mut dyn Clocks,
    atim: u64,
    mtim: u64,
    flags: u32,
) -> Result<Timestamps, Errno> {
    let both = |set, now| flags & (set | now) == set | now;
    if flags & !fstflags::ALL != 0
        || both(fstflags::ATIM, fstflags::ATIM_NOW)
        || both(fstflags::MTIM, fstflags::MTIM_NOW)
    {
        return Err(Errno::INVAL);
    }
    let mut time = |value, set, now| {
        if flags & set != 0 {
            Ok(timespec(value))
        } else if flags & now == 0 {
            Ok(Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT })
        } else if clocks.is_host_time() {
            Ok(Timespec { tv_sec: 0, tv_nsec: UTIME_NOW })
        } else {
            clocks.now(ClockId::Realtime).map(timespec)
        }
    };
    Ok(Timestamps {
        last_access: time(atim, fstflags::ATIM, fstflags::ATIM_NOW)?,
        last_modification: time(mtim, fstflags::MTIM, fstflags::MTIM_NOW)?,
    })
}

/// Sets the times of an open file or directory.
pub fn fd_filestat_set_times(
    cx: &mut WasiCtx,
    _mem: &mut [u8],
    fd: u32,
    atim: u64,
    mtim: u64,
    fst_flags: u32,
) -> Result<(), Errno> {
    let times = timestamps(&mut *cx.clocks, atim, mtim, fst_flags)?;
    let descriptor = cx.table.get_mut(fd)?;
    descriptor.need_typed(rights::FD_FILESTAT_SET_TIMES)?;
    let filetype = descriptor.filetype()?;
    let file = descriptor.file(Errno::INVAL)?;
    if filetype == FileType::Directory {
        file.grant.may_mutate()?;
    } else {
        file.grant.may_write_files()?;
    }
    Ok(futimens(file.fd(), &times)?)
}

/// Writes how long the name of a preopened directory is.
pub fn fd_prestat_get(cx: &mut WasiCtx, mem: &mut [u8], fd: u32, stat: u32) -> Result<(), Errno> {
    let name = cx.table.get(fd)?.preopen.as_ref().ok_or(Errno::BADF)?;
    let len = u32::try_from(name.len()).map_err(|_| Errno::OVERFLOW)?;
    let mut bytes = [0; 8];
    bytes[4..].copy_from_slice(&len.to_le_bytes());
    guest::write(mem, stat, &bytes)
}

/// Writes the name of a preopened directory. A shorter buffer is `nametoolong`.
pub fn fd_prestat_dir_name(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    path: u32,
    path_len: u32,
) -> Result<(), Errno> {
    let name = cx.table.get(fd)?.preopen.as_ref().ok_or(Errno::BADF)?;
    if (path_len as usize) < name.len() {
        return Err(Errno::NAMETOOLONG);
    }
    guest::write(mem, path, name.as_bytes())
}

/// Fills `buf` with directory entries from `cookie` on, and writes how many bytes
/// that were. Fewer than `buf_len` mean that nothing comes after them.
pub fn fd_readdir(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    buf: u32,
    buf_len: u32,
    cookie: u64,
    bufused: u32,
) -> Result<(), Errno> {
    let descriptor = cx.table.get_mut(fd)?;
    descriptor.need(rights::FD_READDIR)?;
    let file = descriptor.file(Errno::NOTDIR)?;
    file.grant.may_look()?;
    guest::check(mem, bufused, 4)?;
    let out = guest::bytes_mut(mem, buf, buf_len)?;
    let (dir, stream) = file.fd_and_stream();
    let stream = stream.get_or_insert_default();
    let len = match &mut cx.stable {
        Some(stable) => stream.read_sorted(dir, cookie, out, stable)?,
        None => stream.read(dir, cookie, out)?,
    };
    guest::write_len(mem, bufused, len)
}

/// Gives what `fd` stands for the number `to`, which is closed before.
pub fn fd_renumber(cx: &mut WasiCtx, _mem: &mut [u8], fd: u32, to: u32) -> Result<(), Errno> {
    cx.table.renumber(fd, to)
}

/// `fd_seek` with `whence` translated.
pub(crate) fn seek(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    offset: i64,
    whence: Whence,
    newoffset: u32,
) -> Result<(), Errno> {
    let descriptor = cx.table.get_mut(fd)?;
    let only_asks = whence == Whence::Cur && offset == 0;
    let can_seek = descriptor.need_typed(rights::FD_SEEK);
    if can_seek.is_err() && only_asks {
        descriptor.need(rights::FD_TELL)?;
    } else {
        can_seek?;
    }
    guest::check(mem, newoffset, 8)?;
    let flags = descriptor.flags;
    let at = descriptor.file(Errno::SPIPE)?.seek(offset, whence, flags)?;
    guest::write_u64(mem, newoffset, at)
}

/// Moves the offset of a descriptor, and writes where it is then.
pub fn fd_seek(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    offset: i64,
    whence: u32,
    newoffset: u32,
) -> Result<(), Errno> {
    seek(cx, mem, fd, offset, Snapshot::Preview1.whence(whence)?, newoffset)
}

/// Writes the offset of a descriptor.
pub fn fd_tell(cx: &mut WasiCtx, mem: &mut [u8], fd: u32, offset: u32) -> Result<(), Errno> {
    seek(cx, mem, fd, 0, Whence::Cur, offset)
}
