//! How large the nursery is, and when to collect everything.
//!
//! The nursery begins small enough for a cache and doubles when collecting it took more work than
//! an eighth of what was allocated is worth; it halves again when collections have long been cheap.
//! All of the heap is collected when the old space has grown by as much as lived after the last
//! time, so that the work stays proportional to what is allocated.
//!
//! **Room is made sure of beforehand.** While the nursery is open, the old space has room for
//! everything young, so neither kind of collection can fail for want of memory. As free memory
//! dwindles the nursery shrinks with it, down to a least size; then all is collected, and if that
//! does not help, there is no memory left.

use super::spaces::{NURSERY_MAX_BYTES, pages};

/// The old space grows by this much at least before all is collected.
const BUDGET_MIN_BYTES: u64 = 4 << 20;
/// The nursery never grows beyond this: what lies in it should stay in some cache.
const NURSERY_LARGE_BYTES: u32 = 16 << 20;
/// So many cheap collections in a row make the nursery smaller.
const CHEAP_IN_A_ROW: u32 = 16;
/// The nursery's least size is this part of the limit, within the bounds below: with less, a heap
/// that is all but full would do nothing but collect.
const LEAST_PART: u64 = 256;
const LEAST_MIN_BYTES: u64 = 8 << 10;
const LEAST_MAX_BYTES: u64 = 1 << 20;

/// What decides about sizes.
#[derive(Debug)]
pub(super) struct Sizing {
    initial_bytes: u32,
    least_bytes: u32,
    wanted_bytes: u32,
    cheap: u32,
    limit_bytes: u64,
    /// Bytes of the old space after the last full collection.
    live_bytes: u64,
}

impl Sizing {
    pub(super) fn new(limit_bytes: u64, initial_nursery_bytes: u32) -> Sizing {
        let least = (limit_bytes / LEAST_PART).clamp(LEAST_MIN_BYTES, LEAST_MAX_BYTES);
        let least_bytes = pages(least as u32);
        let initial_bytes = pages(initial_nursery_bytes).clamp(least_bytes, NURSERY_MAX_BYTES);
        let wanted_bytes = initial_bytes;
        Sizing { initial_bytes, least_bytes, wanted_bytes, cheap: 0, limit_bytes, live_bytes: 0 }
    }

    /// The nursery that is wanted, if there is room.
    pub(super) fn wanted_bytes(&self) -> u32 {
        self.wanted_bytes
    }

    /// The smallest nursery to go on with.
    pub(super) fn least_bytes(&self) -> u32 {
        self.least_bytes
    }

    /// Learns from a minor collection: what it cost, in bytes looked at, and what had been
    /// allocated since the last one.
    pub(super) fn after_minor(&mut self, work_bytes: u64, allocated_bytes: u64) {
        if work_bytes > allocated_bytes / 8 {
            self.cheap = 0;
            let largest = NURSERY_LARGE_BYTES.max(self.initial_bytes);
            self.wanted_bytes = self.wanted_bytes.saturating_mul(2).min(largest);
        } else if work_bytes < allocated_bytes / 64 {
            self.cheap += 1;
            if self.cheap >= CHEAP_IN_A_ROW {
                self.cheap = 0;
                self.wanted_bytes = pages(self.wanted_bytes / 2).max(self.initial_bytes);
            }
        }
    }

    /// Learns how much lives.
    pub(super) fn after_full(&mut self, live_bytes: u64) {
        self.live_bytes = live_bytes;
    }

    /// Goes back to the beginning.
    pub(super) fn forget(&mut self) {
        self.wanted_bytes = self.initial_bytes;
        self.cheap = 0;
    }

    /// Whether the old space has grown so much that all should be collected.
    pub(super) fn wants_full(&self, old_bytes: u64) -> bool {
        old_bytes.saturating_sub(self.live_bytes) > self.budget_bytes()
    }

    /// By how much the old space may grow before all is collected.
    pub(super) fn budget_bytes(&self) -> u64 {
        let room = self.limit_bytes.saturating_sub(self.live_bytes) / 2;
        self.live_bytes.max(BUDGET_MIN_BYTES).min(room)
    }
}

/// The largest nursery for which `free_bytes` suffice; beside it there must be room for a survivor
/// half of [`half_bytes`] and, in the old space, for all of the nursery.
pub(super) fn nursery_that_fits(free_bytes: u64, wanted_bytes: u32) -> u32 {
    // 1 + 1/4 + 1 = 9/4; two pages for what is rounded up.
    let fits = free_bytes.saturating_sub(2 * 4096) * 4 / 9;
    (fits.min(u64::from(wanted_bytes)) as u32) & !4095
}

/// The survivor half that goes with a nursery.
pub(super) fn half_bytes(nursery_bytes: u32) -> u32 {
    pages(nursery_bytes / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn costly_collections_make_the_nursery_larger_and_cheap_ones_smaller() {
        let mut sizing = Sizing::new(1 << 30, 1 << 20);
        for _ in 0..10 {
            sizing.after_minor(MIB, MIB);
        }
        assert_eq!(sizing.wanted_bytes(), NURSERY_LARGE_BYTES);
        sizing.after_minor(MIB / 32, MIB);
        assert_eq!(sizing.wanted_bytes(), NURSERY_LARGE_BYTES);
        for _ in 0..CHEAP_IN_A_ROW * 10 {
            sizing.after_minor(0, MIB);
        }
        assert_eq!(sizing.wanted_bytes(), 1 << 20);
    }

    #[test]
    fn all_is_collected_when_the_old_space_has_doubled_or_half_of_what_was_free_is_used() {
        let mut sizing = Sizing::new(1 << 30, 1 << 20);
        assert!(!sizing.wants_full(4 * MIB));
        assert!(sizing.wants_full(4 * MIB + 1));
        sizing.after_full(100 * MIB);
        assert!(!sizing.wants_full(200 * MIB));
        assert!(sizing.wants_full(200 * MIB + 1));
        sizing.after_full(1000 * MIB);
        assert!(!sizing.wants_full(1012 * MIB));
        assert!(sizing.wants_full(1013 * MIB));
        assert!(Sizing::new(MIB, 1 << 20).wants_full(MIB / 2 + 1));
    }

    #[test]
    fn a_nursery_that_fits_leaves_room_for_all_it_may_need() {
        for free in [0, 5000, 8192, 50_000, MIB, 33 * MIB] {
            let nursery = nursery_that_fits(free, u32::MAX);
            let need = 2 * u64::from(nursery) + u64::from(half_bytes(nursery));
            assert!(need <= free, "{nursery} of {free}");
        }
        assert_eq!(nursery_that_fits(MIB, 65536), 65536);
    }
}
