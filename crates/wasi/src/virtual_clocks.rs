//! Time that is the same in every run: it starts at a fixed instant and goes on when it is looked
//! at or waited for, and by nothing else.
//!
//! A program that works until some time has passed ends, because looking takes time; but how much
//! work it does in between is not measured. Waiting takes no time of the host's.

use crate::clocks::{ClockId, Clocks};
use crate::errno::Errno;

/// 2020-01-01T00:00:00Z, in nanoseconds since 1970.
const START_NS: u64 = 1_577_836_800_000_000_000;

/// What a look at a clock takes, and the resolution of all of them.
const STEP_NS: u64 = 1_000_000;

/// Clocks of a time of their own.
///
/// Wall-clock time starts at 2020-01-01T00:00:00Z, the others at zero. All go on together, a
/// millisecond each time that one is asked, and by the whole of what is slept, at once.
///
/// ```
/// use selkie_wasi::{ClockId, Clocks, VirtualClocks};
/// let mut clocks = VirtualClocks::new();
/// let first = clocks.now(ClockId::Monotonic).unwrap();
/// clocks.sleep(3_600_000_000_000).unwrap();
/// let second = clocks.now(ClockId::Monotonic).unwrap();
/// assert_eq!(second - first, 3_600_000_000_000 + 1_000_000);
/// ```
#[derive(Clone, Debug, Default)]
pub struct VirtualClocks {
    passed_ns: u64,
}

impl VirtualClocks {
    /// Clocks at the start of their time.
    pub fn new() -> VirtualClocks {
        VirtualClocks::default()
    }

    /// The wall-clock time at which all of them start, in nanoseconds since 1970.
    pub(crate) const fn start_ns() -> u64 {
        START_NS
    }
}

impl Clocks for VirtualClocks {
    fn now(&mut self, clock: ClockId) -> Result<u64, Errno> {
        self.passed_ns = self.passed_ns.saturating_add(STEP_NS);
        Ok(match clock {
            ClockId::Realtime => START_NS.saturating_add(self.passed_ns),
            ClockId::Monotonic | ClockId::ProcessCputime | ClockId::ThreadCputime => self.passed_ns,
        })
    }

    fn resolution(&mut self, _clock: ClockId) -> Result<u64, Errno> {
        Ok(STEP_NS)
    }

    fn sleep(&mut self, duration_ns: u64) -> Result<(), Errno> {
        self.passed_ns = self.passed_ns.saturating_add(duration_ns);
        Ok(())
    }
}
