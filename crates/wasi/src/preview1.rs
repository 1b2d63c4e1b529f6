//! The functions of `wasi_snapshot_preview1`.
//!
//! Each takes the context, the guest's memory and the parameters as the guest passes
//! them; pointers are offsets into the memory. Results go to guest memory as well.
//! Flags and enumerations arrive as 32-bit numbers and are checked here: what the
//! specification does not define is `inval`.
//!
//! Order of checks, everywhere the same: flags, descriptor, rights, grant, then
//! pointers of results, then the work. A call that fails has changed nothing.

mod args;
mod clock;
mod fd;
mod fd_io;
mod path;
pub(crate) mod poll;
mod process;
mod sock;

pub(crate) use fd::{filestat_get, seek};
pub(crate) use path::path_filestat;

pub use args::{args_get, args_sizes_get, environ_get, environ_sizes_get};
pub use clock::{clock_res_get, clock_time_get};
pub use fd::{
    fd_advise, fd_allocate, fd_close, fd_datasync, fd_fdstat_get, fd_fdstat_set_flags,
    fd_fdstat_set_rights, fd_filestat_get, fd_filestat_set_size, fd_filestat_set_times,
    fd_prestat_dir_name, fd_prestat_get, fd_readdir, fd_renumber, fd_seek, fd_sync, fd_tell,
};
pub use fd_io::{fd_pread, fd_pwrite, fd_read, fd_write};
pub use path::{
    path_create_directory, path_filestat_get, path_filestat_set_times, path_link, path_open,
    path_readlink, path_remove_directory, path_rename, path_symlink, path_unlink_file,
};
pub use poll::poll_oneoff;
pub use process::{proc_exit, proc_raise, random_get, sched_yield};
pub use sock::{sock_accept, sock_recv, sock_send, sock_shutdown};
