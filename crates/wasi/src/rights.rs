//! Rights of descriptors, as preview 1 numbers them, and which of them mean
//! something for which type of file.
//!
//! A descriptor carries two sets: *base* is what may be done with it, *inheriting*
//! the most that descriptors opened through it may have. A guest can drop rights
//! and never regain them. Apart from rights stand the permissions of a grant
//! ([`crate::DirPerms`], [`crate::FilePerms`]): what the embedder did not allow is
//! refused as on a file system mounted read-only, whatever the rights say.

macro_rules! rights {
    ($($name:ident = $bit:literal;)*) => {
        $(pub(crate) const $name: u64 = 1 << $bit;)*
    };
}

rights! {
    FD_DATASYNC = 0;
    FD_READ = 1;
    FD_SEEK = 2;
    FD_FDSTAT_SET_FLAGS = 3;
    FD_SYNC = 4;
    FD_TELL = 5;
    FD_WRITE = 6;
    FD_ADVISE = 7;
    FD_ALLOCATE = 8;
    PATH_CREATE_DIRECTORY = 9;
    PATH_CREATE_FILE = 10;
    PATH_LINK_SOURCE = 11;
    PATH_LINK_TARGET = 12;
    PATH_OPEN = 13;
    FD_READDIR = 14;
    PATH_READLINK = 15;
    PATH_RENAME_SOURCE = 16;
    PATH_RENAME_TARGET = 17;
    PATH_FILESTAT_GET = 18;
    PATH_FILESTAT_SET_SIZE = 19;
    PATH_FILESTAT_SET_TIMES = 20;
    FD_FILESTAT_GET = 21;
    FD_FILESTAT_SET_SIZE = 22;
    FD_FILESTAT_SET_TIMES = 23;
    PATH_SYMLINK = 24;
    PATH_REMOVE_DIRECTORY = 25;
    PATH_UNLINK_FILE = 26;
    POLL_FD_READWRITE = 27;
    SOCK_SHUTDOWN = 28;
    SOCK_ACCEPT = 29;
}

/// Meaningful for a directory.
pub(crate) const DIRECTORY: u64 = FD_FDSTAT_SET_FLAGS
    | FD_SYNC
    | FD_DATASYNC
    | PATH_CREATE_DIRECTORY
    | PATH_CREATE_FILE
    | PATH_LINK_SOURCE
    | PATH_LINK_TARGET
    | PATH_OPEN
    | FD_READDIR
    | PATH_READLINK
    | PATH_RENAME_SOURCE
    | PATH_RENAME_TARGET
    | PATH_FILESTAT_GET
    | PATH_FILESTAT_SET_SIZE
    | PATH_FILESTAT_SET_TIMES
    | FD_FILESTAT_GET
    | FD_FILESTAT_SET_TIMES
    | PATH_SYMLINK
    | PATH_REMOVE_DIRECTORY
    | PATH_UNLINK_FILE
    | POLL_FD_READWRITE;

/// Meaningful for a regular file.
pub(crate) const REGULAR_FILE: u64 = FD_DATASYNC
    | FD_READ
    | FD_SEEK
    | FD_FDSTAT_SET_FLAGS
    | FD_SYNC
    | FD_TELL
    | FD_WRITE
    | FD_ADVISE
    | FD_ALLOCATE
    | FD_FILESTAT_GET
    | FD_FILESTAT_SET_SIZE
    | FD_FILESTAT_SET_TIMES
    | POLL_FD_READWRITE;

/// What a directory hands on at most.
pub(crate) const INHERITING: u64 = DIRECTORY | REGULAR_FILE;

/// Meaningful for a device that is no terminal, and for anything unknown.
pub(crate) const DEVICE: u64 = REGULAR_FILE;

/// Meaningful for a terminal or a pipe. Without `FD_SEEK` and `FD_TELL` a C library
/// takes a character device for a terminal.
pub(crate) const STREAM: u64 = FD_READ
    | FD_FDSTAT_SET_FLAGS
    | FD_WRITE
    | FD_SYNC
    | FD_DATASYNC
    | FD_FILESTAT_GET
    | FD_FILESTAT_SET_TIMES
    | POLL_FD_READWRITE;

/// Meaningful for a connected socket.
pub(crate) const SOCKET: u64 =
    FD_READ | FD_FDSTAT_SET_FLAGS | FD_WRITE | FD_FILESTAT_GET | POLL_FD_READWRITE | SOCK_SHUTDOWN;

/// Meaningful for a socket that may be listening.
pub(crate) const LISTENER: u64 = SOCKET | SOCK_ACCEPT;
