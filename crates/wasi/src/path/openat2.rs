//! The walk of the kernel: `openat2` with `RESOLVE_BENEATH`.
//!
//! Invariant: every call carries `RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS`. The
//! kernel's word for leaving the root, `EXDEV`, becomes `perm` here.
//!
//! What this file deliberately does not do: trust the kernel to answer. When it says
//! `EAGAIN` too often (someone keeps renaming directories while `..` is resolved) or
//! has no such call, the manual walk takes over.

use super::manual;
use crate::errno::Errno;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno as Host;

/// How often the kernel is asked again when it could not rule out an escape.
const ATTEMPTS: u32 = 32;

const RESOLVE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);

/// Whether the call exists and is let through by whatever filters system calls.
pub(super) fn works(dir: BorrowedFd<'_>) -> bool {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    rustix::fs::openat2(dir, c".", flags, Mode::empty(), RESOLVE).is_ok()
}

/// Opens `path` beneath `base`.
pub(super) fn open(
    base: BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
    mode: Mode,
    follow: bool,
) -> Result<OwnedFd, Errno> {
    let kernel_flags = if follow { flags } else { flags | OFlags::NOFOLLOW };
    // Unlike `openat`, this call refuses a mode it has no use for.
    let kernel_mode = if flags.contains(OFlags::CREATE) { mode } else { Mode::empty() };
    for _ in 0..ATTEMPTS {
        match rustix::fs::openat2(base, path, kernel_flags, kernel_mode, RESOLVE) {
            Err(Host::AGAIN | Host::INTR) => {}
            Err(Host::NOSYS) => break,
            Err(Host::XDEV) => return Err(Errno::PERM),
            opened => return Ok(opened?),
        }
    }
    manual::open(base, path, flags, mode, follow)
}
