//! `poll_oneoff`: waiting for clocks and descriptors at once.
//!
//! The subscriptions are read once into host memory, at most [`MAX_SUBSCRIPTIONS`]
//! of them, so that the guest may let the events overwrite them. What cannot be
//! waited for (a bad descriptor, a missing right, an unknown clock) becomes an event
//! with that error, and then nothing is waited for.
//!
//! Invariant: at least one event is written when the call succeeds.
//! What this file deliberately does not do: remember anything between two calls.

use crate::clocks::{ClockId, Clocks, timespec};
use crate::ctx::WasiCtx;
use crate::descriptor::Object;
use crate::errno::Errno;
use crate::guest::{self, u16_at, u32_at, u64_at};
use crate::layout::{EVENT_SIZE, FileType, Snapshot, SubscriptionLayout};
use crate::patience::patience_ns;
use crate::rights;
use crate::table::Table;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno as Host;

/// More subscriptions than this are `inval`, as for the host's own `poll`.
const MAX_SUBSCRIPTIONS: u32 = 1 << 16;

const CLOCK: u8 = 0;
const FD_READ: u8 = 1;
const FD_WRITE: u8 = 2;
const ABSOLUTE: u16 = 1;
const HANGUP: u16 = 1;

/// What a pipe or socket that is ready for writing takes at least (`PIPE_BUF`).
const WRITABLE_BYTES: u64 = 4096;

/// What happened to a subscription.
#[derive(Clone, Copy, Default)]
struct Happened {
    error: Option<Errno>,
    nbytes: u64,
    flags: u16,
}

/// What a subscription waits for.
enum Wait {
    /// Nothing: it is decided already.
    Nothing(Happened),
    /// A point in time.
    Time(ClockId, u64),
    /// A descriptor of the host.
    Descriptor(u32),
}

pub(crate) struct Subscription {
    userdata: u64,
    tag: u8,
    wait: Wait,
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
    wait(cx, mem, subscriptions, events, nsubscriptions, nevents, Snapshot::Preview1)
}

/// `poll_oneoff` of either generation.
pub(crate) fn wait(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    subscriptions: u32,
    events: u32,
    count: u32,
    nevents: u32,
    snapshot: Snapshot,
) -> Result<(), Errno> {
    if count == 0 || count > MAX_SUBSCRIPTIONS {
        return Err(Errno::INVAL);
    }
    let layout = snapshot.subscription();
    let input = guest::array(mem, subscriptions, count, layout.size)?;
    guest::array(mem, events, count, EVENT_SIZE)?;
    guest::check(mem, nevents, 4)?;
    let subscriptions = match cx.paused.subscriptions.take() {
        Some(subscriptions) => subscriptions,
        None => input
            .chunks_exact(layout.size as usize)
            .map(|bytes| decode(cx, bytes, &layout))
            .collect::<Result<Vec<_>, Errno>>()?,
    };
    let mut written = 0;
    while written == 0 {
        let patience_ns = match patience_ns(cx.watch.as_ref()) {
            Ok(patience_ns) => patience_ns,
            Err(pause) => {
                cx.paused.subscriptions = Some(subscriptions);
                return Err(pause);
            }
        };
        let ready = wait_once(&cx.table, &mut *cx.clocks, &subscriptions, patience_ns)?;
        let mut ready = ready.iter();
        for subscription in &subscriptions {
            let happened = match subscription.wait {
                Wait::Nothing(happened) => Some(happened),
                Wait::Time(clock, deadline) => {
                    (cx.clocks.now(clock)? >= deadline).then(Happened::default)
                }
                Wait::Descriptor(fd) => {
                    let flags = ready.next().copied().unwrap_or(PollFlags::empty());
                    look(&mut cx.table, fd, subscription.tag, flags)
                }
            };
            if let Some(happened) = happened {
                let bytes = encode(subscription, happened);
                guest::write(mem, events + written * EVENT_SIZE, &bytes)?;
                written += 1;
            }
        }
    }
    guest::write_u32(mem, nevents, written)
}

fn decode(
    cx: &mut WasiCtx,
    bytes: &[u8],
    layout: &SubscriptionLayout,
) -> Result<Subscription, Errno> {
    let tag = bytes[layout.tag];
    let wait = match tag {
        CLOCK => decode_clock(&mut *cx.clocks, bytes, layout),
        FD_READ | FD_WRITE => decode_fd(cx, u32_at(bytes, layout.fd), tag),
        _ => return Err(Errno::INVAL),
    };
    let failed = |error| Wait::Nothing(Happened { error: Some(error), ..Happened::default() });
    Ok(Subscription { userdata: u64_at(bytes, 0), tag, wait: wait.unwrap_or_else(failed) })
}

fn decode_clock(
    clocks: &mut dyn Clocks,
    bytes: &[u8],
    layout: &SubscriptionLayout,
) -> Result<Wait, Errno> {
    let clock = ClockId::from_raw(u32_at(bytes, layout.clock_id))?;
    let timeout = u64_at(bytes, layout.timeout);
    let flags = u16_at(bytes, layout.clock_flags);
    if flags & !ABSOLUTE != 0 {
        return Err(Errno::INVAL);
    }
    if !matches!(clock, ClockId::Realtime | ClockId::Monotonic) {
        return Err(Errno::NOTSUP);
    }
    let start = if flags & ABSOLUTE != 0 { 0 } else { clocks.now(clock)? };
    Ok(Wait::Time(clock, start.saturating_add(timeout)))
}

fn decode_fd(cx: &mut WasiCtx, fd: u32, tag: u8) -> Result<Wait, Errno> {
    let descriptor = cx.table.get_mut(fd)?;
    let is_read = tag == FD_READ;
    let direction = if is_read { rights::FD_READ } else { rights::FD_WRITE };
    descriptor.need_typed(rights::POLL_FD_READWRITE)?;
    descriptor.need(direction)?;
    let filetype = descriptor.filetype()?;
    let Object::Host(file) = &mut descriptor.object else {
        return Ok(Wait::Nothing(Happened { nbytes: 1, ..Happened::default() }));
    };
    // Files and directories are always ready; `poll` would say so after a detour.
    if matches!(filetype, FileType::RegularFile | FileType::Directory | FileType::BlockDevice) {
        let nbytes = if is_read { file.readable_len() } else { WRITABLE_BYTES };
        return Ok(Wait::Nothing(Happened { nbytes, ..Happened::default() }));
    }
    if cx.stable.is_some() {
        // Whether something is there already depends on the pace of others.
        return Ok(Wait::Nothing(Happened { nbytes: 1, ..Happened::default() }));
    }
    Ok(Wait::Descriptor(fd))
}

/// How long until the first deadline; `None` if there is none.
fn time_left(
    clocks: &mut dyn Clocks,
    subscriptions: &[Subscription],
) -> Result<Option<u64>, Errno> {
    let mut left: Option<u64> = None;
    for subscription in subscriptions {
        let this = match subscription.wait {
            Wait::Nothing(_) => 0,
            Wait::Time(clock, deadline) => deadline.saturating_sub(clocks.now(clock)?),
            Wait::Descriptor(_) => continue,
        };
        left = Some(left.map_or(this, |left| left.min(this)));
    }
    Ok(left)
}

/// Waits until a deadline has come or a descriptor is ready, or a signal came in
/// between, or the time of the host is over that may be waited. Returns what is ready, in the order of the subscriptions to descriptors.
fn wait_once(
    table: &Table,
    clocks: &mut dyn Clocks,
    subscriptions: &[Subscription],
    patience_ns: Option<u64>,
) -> Result<Vec<PollFlags>, Errno> {
    let left_ns = time_left(clocks, subscriptions)?;
    let left_ns = match patience_ns {
        // Time that is not the host's is the embedder's to let pass.
        Some(_) if left_ns.is_some() && !clocks.is_host_time() => left_ns,
        Some(patience_ns) => Some(left_ns.unwrap_or(u64::MAX).min(patience_ns)),
        None => left_ns,
    };
    let mut fds = Vec::new();
    for subscription in subscriptions {
        if let Wait::Descriptor(fd) = subscription.wait {
            let Object::Host(file) = &table.get(fd)?.object else { return Err(Errno::BADF) };
            let events = match subscription.tag {
                FD_READ => PollFlags::IN | PollFlags::RDHUP,
                _ => PollFlags::OUT,
            };
            fds.push(PollFd::from_borrowed_fd(file.fd(), events));
        }
    }
    match left_ns {
        Some(left_ns) if fds.is_empty() => {
            if left_ns > 0 {
                clocks.sleep(left_ns)?;
            }
        }
        Some(left_ns) if !clocks.is_host_time() => {
            // Time that is not the host's passes only when it is told to.
            if poll_host(&mut fds, Some(0))? == 0 && left_ns > 0 {
                clocks.sleep(left_ns)?;
            }
        }
        left_ns => {
            poll_host(&mut fds, left_ns)?;
        }
    }
    Ok(fds.iter().map(PollFd::revents).collect())
}

fn poll_host(fds: &mut [PollFd<'_>], timeout_ns: Option<u64>) -> Result<usize, Errno> {
    match poll(fds, timeout_ns.map(timespec).as_ref()) {
        Err(Host::INTR) => {
            fds.iter_mut().for_each(PollFd::clear_revents);
            Ok(0)
        }
        done => Ok(done?),
    }
}

/// What `flags` mean for a subscription to `fd`, if anything.
fn look(table: &mut Table, fd: u32, tag: u8, flags: PollFlags) -> Option<Happened> {
    if flags.is_empty() {
        return None;
    }
    if flags.contains(PollFlags::NVAL) {
        return Some(Happened { error: Some(Errno::BADF), ..Happened::default() });
    }
    let nbytes = match tag {
        FD_READ => match table.get_mut(fd).and_then(|found| found.file(Errno::BADF)) {
            Ok(file) => file.readable_len(),
            Err(_) => 0,
        },
        _ => WRITABLE_BYTES,
    };
    // An error shows itself in full in the read or write that comes next.
    let gone = PollFlags::HUP | PollFlags::RDHUP | PollFlags::ERR;
    let flags = if flags.intersects(gone) { HANGUP } else { 0 };
    Some(Happened { error: None, nbytes, flags })
}

fn encode(subscription: &Subscription, happened: Happened) -> [u8; EVENT_SIZE as usize] {
    let mut out = [0; EVENT_SIZE as usize];
    out[0..8].copy_from_slice(&subscription.userdata.to_le_bytes());
    out[8..10].copy_from_slice(&happened.error.map_or(0, Errno::raw).to_le_bytes());
    out[10] = subscription.tag;
    out[16..24].copy_from_slice(&happened.nbytes.to_le_bytes());
    out[24..26].copy_from_slice(&happened.flags.to_le_bytes());
    out
}
