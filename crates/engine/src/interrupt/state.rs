//! What a store knows of its interruption, and the decision when somebody wants it.

use super::clock::Clock;
use super::signal::{Reason, Signal};
use super::{InterruptWatch, UpdateDeadline};
use crate::entry::{Guest, Stop};
use crate::error::{Error, ErrorKind, Result};
use crate::store::StoreInner;
use selkie_module::TrapCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

/// What the embedder does when an epoch has come, given the store with its data.
pub(crate) type EpochCallback =
    Box<dyn FnMut(*mut StoreInner) -> Result<UpdateDeadline> + Send + Sync>;

/// What happens when the epoch has come.
enum OnEpoch {
    End,
    Call(EpochCallback),
    /// The callback runs: what it runs in the store ends by itself when its time is over.
    Calling,
}

/// How an interruption ends.
enum Outcome {
    /// The guest goes on.
    Continue,
    /// The same, after others had a chance to run.
    Yield,
    /// The guest ends with [`TrapCode::Interrupt`].
    Interrupt,
}

/// The interruption of one store.
pub(crate) struct Interruption {
    clock: Arc<Clock>,
    signal: Arc<Signal>,
    /// The store's number.
    store: u64,
    epoch: Option<u64>,
    time: Option<Instant>,
    on_epoch: OnEpoch,
    /// Whether there are handles, by which other threads may ask at any time.
    has_handles: bool,
    /// Whether a request has ended something since the store was entered.
    has_obeyed: bool,
}

impl Interruption {
    pub(crate) fn new(clock: &Arc<Clock>, store: u64) -> Interruption {
        Interruption {
            clock: clock.clone(),
            signal: Arc::default(),
            store,
            epoch: None,
            time: None,
            on_epoch: OnEpoch::End,
            has_handles: false,
            has_obeyed: false,
        }
    }

    /// What machine code reads.
    pub(crate) fn address(&self) -> *const AtomicU32 {
        self.signal.address()
    }

    #[inline]
    pub(super) fn is_raised(&self) -> bool {
        self.signal.is_raised()
    }

    pub(super) fn handle(&mut self) -> Arc<Signal> {
        self.has_handles = true;
        self.signal.clone()
    }

    /// `ticks` from now on; the largest number is never.
    pub(super) fn set_epoch_deadline(&mut self, ticks: u64) {
        let new = (ticks < u64::MAX).then(|| self.clock.epoch().saturating_add(ticks));
        self.clock.set_epoch(self.store, &self.signal, self.epoch, new);
        self.epoch = new;
    }

    pub(super) fn set_callback(&mut self, callback: Option<EpochCallback>) {
        self.on_epoch = callback.map_or(OnEpoch::End, OnEpoch::Call);
    }

    pub(super) fn set_deadline(&mut self, new: Option<Instant>) -> Result<()> {
        let old = std::mem::replace(&mut self.time, new);
        self.clock.set_time(self.store, &self.signal, old, new).map_err(|error| {
            self.time = None;
            Error::from(error).context("a thread that watches deadlines")
        })
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.time
    }

    pub(super) fn clear_request(&mut self) -> bool {
        let is_requested = self.signal.has(Reason::Request);
        self.signal.lower(Reason::Request);
        is_requested
    }

    /// How long a guest may wait before it asks again.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.watch().may_block_for()
    }

    pub(super) fn watch(&self) -> InterruptWatch {
        InterruptWatch {
            signal: self.signal.clone(),
            time: self.time,
            at_any_time: self.has_handles || self.epoch.is_some(),
        }
    }

    /// Whether nobody is asked any more.
    fn must_end(&mut self) -> bool {
        let is_requested = self.signal.has(Reason::Request);
        self.has_obeyed |= is_requested;
        is_requested || self.signal.has(Reason::Time)
    }

    fn begin_call(&mut self) -> Option<EpochCallback> {
        match std::mem::replace(&mut self.on_epoch, OnEpoch::Calling) {
            OnEpoch::Call(callback) => Some(callback),
            other => {
                self.on_epoch = other;
                None
            }
        }
    }

    /// Keeps the callback unless it has put another in its place.
    fn end_call(&mut self, callback: EpochCallback) {
        if matches!(self.on_epoch, OnEpoch::Calling) {
            self.on_epoch = OnEpoch::Call(callback);
        }
    }
}

impl Drop for Interruption {
    fn drop(&mut self) {
        if self.epoch.is_some() {
            self.clock.set_epoch(self.store, &self.signal, self.epoch, None);
        }
        if self.time.is_some() {
            // Waiting for nothing does not fail.
            let _ = self.clock.set_time(self.store, &self.signal, self.time, None);
        }
    }
}

impl StoreInner {
    /// Whether somebody wants to interrupt what runs in the store.
    #[inline]
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interruption.as_deref().is_some_and(Interruption::is_raised)
    }

    /// What machine code reads to know; null where it does not.
    pub(crate) fn interrupt_address(&self) -> *const AtomicU32 {
        self.interruption.as_deref().map_or(std::ptr::null(), Interruption::address)
    }

    pub(super) fn interruption(&mut self) -> Result<&mut Interruption> {
        self.interruption.as_deref_mut().ok_or_else(|| {
            let message = "the engine does not interrupt its guests; make one with \
                           `Config::epoch_interruption`";
            Error::new(ErrorKind::Invalid, message)
        })
    }

    /// A call has ended with an error: a request that ended the outermost one is done.
    pub(crate) fn call_has_failed(&mut self) {
        if !self.runtime.is_inside_wasm()
            && let Some(interruption) = &mut self.interruption
            && std::mem::take(&mut interruption.has_obeyed)
        {
            interruption.clear_request();
        }
    }
}

impl Guest<'_> {
    /// Looks whether somebody wants to interrupt the guest, and lets them decide. What they run may
    /// collect.
    ///
    /// # Errors
    /// The guest ends.
    #[inline]
    pub(crate) fn check_interrupt(&mut self) -> Result<(), Stop> {
        if self.is_interrupted() { self.obey() } else { Ok(()) }
    }

    #[cold]
    fn obey(&mut self) -> Result<(), Stop> {
        match self.decide()? {
            // In the middle of something nobody can leave: others run when it is asked next.
            Outcome::Continue | Outcome::Yield => Ok(()),
            Outcome::Interrupt => Err(Stop::Trap(TrapCode::Interrupt)),
        }
    }

    /// As [`Guest::check_interrupt`] for machine code that asks between two instructions, and can be
    /// left there so that others run.
    pub(crate) fn check_interrupt_or_yield(&mut self) -> Result<(), Stop> {
        if !self.is_interrupted() {
            return Ok(());
        }
        match self.decide()? {
            Outcome::Yield if self.leave_to_yield() => Err(Stop::Yield),
            Outcome::Continue | Outcome::Yield => Ok(()),
            Outcome::Interrupt => Err(Stop::Trap(TrapCode::Interrupt)),
        }
    }

    fn decide(&mut self) -> Result<Outcome> {
        let interruption = self.interruption()?;
        if interruption.must_end() {
            return Ok(Outcome::Interrupt);
        }
        let Some(mut callback) = interruption.begin_call() else { return Ok(Outcome::Interrupt) };
        // As in a host function, what is rooted here is rooted no longer afterwards.
        let scope = self.roots.enter();
        let update = callback(self.as_ptr());
        self.roots.exit(scope);
        let interruption = self.interruption()?;
        interruption.end_call(callback);
        let (ticks, outcome) = match update? {
            UpdateDeadline::Continue(ticks) => (ticks, Outcome::Continue),
            UpdateDeadline::Yield(ticks) => (ticks, Outcome::Yield),
            UpdateDeadline::Interrupt => return Ok(Outcome::Interrupt),
        };
        interruption.set_epoch_deadline(ticks);
        Ok(if interruption.must_end() { Outcome::Interrupt } else { outcome })
    }
}
