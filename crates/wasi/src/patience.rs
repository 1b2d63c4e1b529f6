//! Waiting and moving data for a guest that may be interrupted.
//!
//! With a watch, a function waits only until somebody wants to interrupt the guest, and
//! then says [`Errno::PAUSE`]: the binding lets them, and calls again if the guest goes
//! on. Much data is moved in parts; a guest that is interrupted after the first is told
//! what was moved, as after a signal.
//!
//! What this file deliberately does not do: look after streams of the embedder's, which
//! wait as they like.

use crate::clocks::timespec;
use crate::errno::Errno;
use crate::guest::{Sink, Source};
use crate::preview1::poll::Subscription;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::BorrowedFd;
use rustix::io::Errno as Host;
use selkie_engine::InterruptWatch;
use std::time::Duration;

/// Bytes that are moved at a stretch where nothing has to be waited for.
pub(crate) const PART_BYTES: usize = 1 << 20;
/// What a pipe or terminal that is ready takes without waiting (`PIPE_BUF`).
pub(crate) const READY_BYTES: usize = 4096;
/// How often is asked when the time should be over and nobody has said so yet.
const LEAST_WAIT: Duration = Duration::from_micros(100);

/// What a function that paused must know when it is called again.
#[derive(Default)]
pub(crate) struct Paused {
    /// What is polled for: the times of clocks count from the first call.
    pub(crate) subscriptions: Option<Vec<Subscription>>,
    /// Bytes that are done.
    pub(crate) done: usize,
}

/// How long to wait at most, in nanoseconds; `None`: as long as it takes.
///
/// # Errors
/// Somebody wants to interrupt the guest.
pub(crate) fn patience_ns(watch: Option<&InterruptWatch>) -> Result<Option<u64>, Errno> {
    let Some(watch) = watch else { return Ok(None) };
    if watch.is_raised() {
        return Err(Errno::PAUSE);
    }
    let ns = |wait: Duration| u64::try_from(wait.max(LEAST_WAIT).as_nanos()).unwrap_or(u64::MAX);
    Ok(watch.may_block_for().map(ns))
}

/// Waits until `fd` is ready for `events`.
pub(crate) fn wait_for(
    fd: BorrowedFd<'_>,
    events: PollFlags,
    watch: &InterruptWatch,
) -> Result<(), Errno> {
    loop {
        let timeout = patience_ns(Some(watch))?.map(timespec);
        let mut fds = [PollFd::from_borrowed_fd(fd, events)];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(0) | Err(Host::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Does something that would rather say `again` than wait, as soon as `fd` is ready for it.
pub(crate) fn when_ready<R>(
    fd: BorrowedFd<'_>,
    events: PollFlags,
    watch: &InterruptWatch,
    mut work: impl FnMut() -> Result<R, Errno>,
) -> Result<R, Errno> {
    loop {
        wait_for(fd, events, watch)?;
        match work() {
            Err(Errno::AGAIN) => {}
            done => return done,
        }
    }
}

/// Counts what was moved, part after part.
struct Moved<'w> {
    bytes: usize,
    watch: &'w InterruptWatch,
}

impl Moved<'_> {
    /// Moves a part of so many bytes; whether another may follow.
    fn part(
        &mut self,
        bytes: usize,
        work: impl FnOnce() -> Result<usize, Errno>,
    ) -> Result<bool, Errno> {
        if self.bytes > 0 && self.watch.is_raised() {
            return Ok(false);
        }
        match work() {
            Ok(moved) => {
                self.bytes += moved;
                Ok(moved == bytes)
            }
            // The next call brings the error, if it stays.
            Err(_) if self.bytes > 0 => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Reads part after part, until one is short.
pub(crate) fn read_parts(
    sink: Sink<'_, '_>,
    watch: &InterruptWatch,
    mut read: impl FnMut(&mut [u8]) -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    let mut moved = Moved { bytes: 0, watch };
    let (one, many) = match sink {
        Sink::One(buffer) => (Some(buffer), &mut [][..]),
        Sink::Many(buffers) => (None, buffers),
    };
    let buffers = one.into_iter().chain(many.iter_mut().map(|buffer| &mut **buffer));
    for part in buffers.flat_map(|buffer| buffer.chunks_mut(PART_BYTES)) {
        if !moved.part(part.len(), || read(part))? {
            break;
        }
    }
    Ok(moved.bytes)
}

/// Writes parts of so many bytes, until one is short.
pub(crate) fn write_parts(
    source: Source<'_, '_>,
    part_bytes: usize,
    watch: &InterruptWatch,
    mut write: impl FnMut(&[u8]) -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    let mut moved = Moved { bytes: 0, watch };
    let (one, many) = match source {
        Source::One(buffer) => (Some(buffer), &[][..]),
        Source::Many(buffers) => (None, buffers),
    };
    let buffers = one.into_iter().chain(many.iter().map(|buffer| &**buffer));
    for part in buffers.flat_map(|buffer| buffer.chunks(part_bytes)) {
        if !moved.part(part.len(), || write(part))? {
            break;
        }
    }
    Ok(moved.bytes)
}
