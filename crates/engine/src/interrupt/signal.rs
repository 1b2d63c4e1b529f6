//! What tells machine code that somebody wants to interrupt it: a number for each store, zero as
//! long as nobody does. Whoever wants it writes why; the thread that runs the store looks.

use std::sync::atomic::{AtomicU32, Ordering};

/// Why a store is to be interrupted: a bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Reason {
    /// The epoch has come.
    Epoch = 1,
    /// The time is over.
    Time = 2,
    /// Somebody asked for it.
    Request = 4,
}

/// The number of one store. It outlives the store where others can still write it.
#[derive(Debug, Default)]
pub(super) struct Signal {
    reasons: AtomicU32,
}

impl Signal {
    pub(super) fn raise(&self, reason: Reason) {
        self.reasons.fetch_or(reason as u32, Ordering::SeqCst);
    }

    pub(super) fn lower(&self, reason: Reason) {
        self.reasons.fetch_and(!(reason as u32), Ordering::SeqCst);
    }

    pub(super) fn has(&self, reason: Reason) -> bool {
        self.reasons.load(Ordering::SeqCst) & reason as u32 != 0
    }

    /// Whether there is any reason.
    #[inline]
    pub(super) fn is_raised(&self) -> bool {
        self.reasons.load(Ordering::Relaxed) != 0
    }

    /// What machine code reads.
    pub(super) fn address(&self) -> *const AtomicU32 {
        &raw const self.reasons
    }
}
