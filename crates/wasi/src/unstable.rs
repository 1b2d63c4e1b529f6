//! The functions of `wasi_unstable`, the predecessor of preview 1.
//!
//! Four differ from their successors: `filestat` is laid out more tightly, `whence`
//! is numbered otherwise, a clock's `subscription` has a field more. `sock_accept`
//! does not exist. Everything else is the same function.

use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::layout::Snapshot;
use crate::preview1::{self, poll};

pub use crate::preview1::{
    args_get, args_sizes_get, clock_res_get, clock_time_get, environ_get, environ_sizes_get,
    fd_advise, fd_allocate, fd_close, fd_datasync, fd_fdstat_get, fd_fdstat_set_flags,
    fd_fdstat_set_rights, fd_filestat_set_size, fd_filestat_set_times, fd_pread,
    fd_prestat_dir_name, fd_prestat_get, fd_pwrite, fd_read, fd_readdir, fd_renumber, fd_sync,
    fd_tell, fd_write, path_create_directory, path_filestat_set_times, path_link, path_open,
    path_readlink, path_remove_directory, path_rename, path_symlink, path_unlink_file, proc_exit,
    proc_raise, random_get, sched_yield, sock_recv, sock_send, sock_shutdown,
};

/// Writes the attributes of an open file.
pub fn fd_filestat_get(cx: &mut WasiCtx, mem: &mut [u8], fd: u32, stat: u32) -> Result<(), Errno> {
    preview1::filestat_get(cx, mem, fd, stat, Snapshot::Unstable)
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
    preview1::seek(cx, mem, fd, offset, Snapshot::Unstable.whence(whence)?, newoffset)
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
    preview1::path_filestat(cx, mem, fd, flags, path, path_len, stat, Snapshot::Unstable)
}

/// Waits until at least one subscription has something to tell.
pub fn poll_oneoff(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    subscriptions: u32,
    events: u32,
    nsubscriptions: u32,
    nevents: u32,
) -> Result<(), Errno> {
    poll::wait(cx, mem, subscriptions, events, nsubscriptions, nevents, Snapshot::Unstable)
}
