//! Clocks: where the guest's time comes from.
//!
//! [`SystemClocks`] asks the host; an embedder may put any [`Clocks`] in its place
//! (a fixed time, a recorded one). The monotonic clock of the guest begins near
//! zero when its context is made, so that it does not tell how long the host runs.
//!
//! Invariant: nothing else in this crate asks the host for the time.
//! What this file deliberately does not do: waiting for descriptors (`poll.rs`).

use crate::errno::Errno;
use rustix::event::Timespec;
use rustix::time::{ClockId as Host, clock_getres, clock_gettime};

/// The clocks of WASI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockId {
    /// Wall-clock time since 1970-01-01T00:00:00Z.
    Realtime,
    /// A time that never goes back; its zero means nothing.
    Monotonic,
    /// CPU time of the process.
    ProcessCputime,
    /// CPU time of the calling thread.
    ThreadCputime,
}

impl ClockId {
    /// The clock with this number in WASI; an unknown one is `inval`.
    pub(crate) fn from_raw(raw: u32) -> Result<ClockId, Errno> {
        match raw {
            0 => Ok(ClockId::Realtime),
            1 => Ok(ClockId::Monotonic),
            2 => Ok(ClockId::ProcessCputime),
            3 => Ok(ClockId::ThreadCputime),
            _ => Err(Errno::INVAL),
        }
    }
}

/// A source of time, in nanoseconds.
pub trait Clocks: Send {
    /// The time of `clock` now.
    fn now(&mut self, clock: ClockId) -> Result<u64, Errno>;

    /// The smallest step `clock` makes, never 0.
    fn resolution(&mut self, clock: ClockId) -> Result<u64, Errno>;

    /// Lets `duration_ns` pass.
    fn sleep(&mut self, duration_ns: u64) -> Result<(), Errno>;

    /// Whether the host's own time is shown, so that waiting may be left to the
    /// host's `poll`. Otherwise [`Clocks::sleep`] is called instead.
    fn is_host_time(&self) -> bool {
        false
    }
}

/// The clocks of the host.
#[derive(Debug)]
pub struct SystemClocks {
    monotonic_base: u64,
}

impl SystemClocks {
    /// Clocks whose monotonic time begins now.
    pub fn new() -> SystemClocks {
        // Begins at 1 rather than 0: some programs take 0 for "no time known".
        SystemClocks {
            monotonic_base: nanoseconds(clock_gettime(Host::Monotonic)).saturating_sub(1),
        }
    }
}

impl Default for SystemClocks {
    fn default() -> SystemClocks {
        SystemClocks::new()
    }
}

fn host(clock: ClockId) -> Host {
    match clock {
        ClockId::Realtime => Host::Realtime,
        ClockId::Monotonic => Host::Monotonic,
        ClockId::ProcessCputime => Host::ProcessCPUTime,
        ClockId::ThreadCputime => Host::ThreadCPUTime,
    }
}

fn nanoseconds(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let rest = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// A span of nanoseconds as the host writes it.
pub(crate) fn timespec(duration_ns: u64) -> Timespec {
    Timespec {
        tv_sec: (duration_ns / 1_000_000_000) as i64,
        tv_nsec: (duration_ns % 1_000_000_000) as i64,
    }
}

impl Clocks for SystemClocks {
    fn now(&mut self, clock: ClockId) -> Result<u64, Errno> {
        let now = nanoseconds(clock_gettime(host(clock)));
        Ok(match clock {
            ClockId::Monotonic => now.saturating_sub(self.monotonic_base),
            _ => now,
        })
    }

    fn resolution(&mut self, clock: ClockId) -> Result<u64, Errno> {
        Ok(nanoseconds(clock_getres(host(clock))).max(1))
    }

    fn sleep(&mut self, duration_ns: u64) -> Result<(), Errno> {
        let mut rest = timespec(duration_ns);
        loop {
            use rustix::thread::{NanosleepRelativeResult as Slept, nanosleep};
            match nanosleep(&rest) {
                Slept::Ok => return Ok(()),
                Slept::Interrupted(left) => rest = left,
                Slept::Err(error) => return Err(error.into()),
            }
        }
    }

    fn is_host_time(&self) -> bool {
        true
    }
}
