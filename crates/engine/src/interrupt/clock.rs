//! An engine's clock: its epoch, which the embedder moves, and the time, which one thread watches
//! for all stores that have a deadline.
//!
//! Stores enter what they wait for; the clock raises their signals when it has come. So machine
//! code need not compare anything with the epoch, and the thread sleeps until the next deadline.
//! It starts with the first one and ends when there has been none for a while.

use super::signal::{Reason, Signal};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the thread waits for another deadline: a server that sets one for each request is not
/// to start a thread for each.
const LINGER: Duration = Duration::from_millis(200);

/// The thread needs next to nothing of its stack.
const STACK_BYTES: usize = 64 << 10;

/// What raises the signals of an engine's stores.
#[derive(Debug)]
pub(crate) struct Clock {
    epoch: AtomicU64,
    /// The first epoch that a store waits for; the largest number for none.
    next_epoch: AtomicU64,
    agenda: Mutex<Agenda>,
    /// Told when the first deadline may be another one.
    changed: Condvar,
}

/// Who waits for what, the first one first. Numbers of stores tell equal entries apart.
#[derive(Debug, Default)]
struct Agenda {
    epochs: BTreeMap<(u64, u64), Arc<Signal>>,
    times: BTreeMap<(Instant, u64), Arc<Signal>>,
    has_thread: bool,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock {
            epoch: AtomicU64::new(0),
            next_epoch: AtomicU64::new(u64::MAX),
            agenda: Mutex::default(),
            changed: Condvar::new(),
        }
    }
}

impl Clock {
    /// Moves the epoch on. Takes a lock only where a store waits for it.
    pub(crate) fn increment(&self) {
        // ORDER: against `set_epoch`, which writes `next_epoch` and then reads `epoch`.
        let epoch = self.epoch.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        if epoch >= self.next_epoch.load(Ordering::SeqCst) {
            self.epoch_has_come(&mut self.lock(), epoch);
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Lets a store wait for an epoch instead of another one.
    pub(super) fn set_epoch(
        &self,
        store: u64,
        signal: &Arc<Signal>,
        old: Option<u64>,
        new: Option<u64>,
    ) {
        let mut agenda = self.lock();
        if let Some(old) = old {
            agenda.epochs.remove(&(old, store));
        }
        signal.lower(Reason::Epoch);
        if let Some(new) = new {
            agenda.epochs.insert((new, store), signal.clone());
        }
        self.show_next_epoch(&agenda);
        let epoch = self.epoch();
        self.epoch_has_come(&mut agenda, epoch);
    }

    fn epoch_has_come(&self, agenda: &mut Agenda, epoch: u64) {
        while let Some(first) = agenda.epochs.first_entry().filter(|first| first.key().0 <= epoch) {
            first.remove().raise(Reason::Epoch);
        }
        self.show_next_epoch(agenda);
    }

    fn show_next_epoch(&self, agenda: &Agenda) {
        let next = agenda.epochs.first_key_value().map_or(u64::MAX, |((epoch, _), _)| *epoch);
        self.next_epoch.store(next, Ordering::SeqCst);
    }

    /// Lets a store wait for a time instead of another one.
    ///
    /// # Errors
    /// There is no thread to watch the time; then the store waits for none.
    pub(super) fn set_time(
        self: &Arc<Clock>,
        store: u64,
        signal: &Arc<Signal>,
        old: Option<Instant>,
        new: Option<Instant>,
    ) -> io::Result<()> {
        let mut agenda = self.lock();
        if let Some(old) = old {
            agenda.times.remove(&(old, store));
        }
        signal.lower(Reason::Time);
        let Some(new) = new else { return Ok(()) };
        if new <= Instant::now() {
            signal.raise(Reason::Time);
            return Ok(());
        }
        if !agenda.has_thread {
            let clock = self.clone();
            let thread = std::thread::Builder::new().name("selkie-clock".into());
            thread.stack_size(STACK_BYTES).spawn(move || clock.watch())?;
            agenda.has_thread = true;
        }
        agenda.times.insert((new, store), signal.clone());
        let is_first = agenda.times.first_key_value().is_some_and(|((time, _), _)| *time == new);
        if is_first {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// What the thread does.
    fn watch(&self) {
        let mut agenda = self.lock();
        loop {
            let now = Instant::now();
            while let Some(first) = agenda.times.first_entry().filter(|first| first.key().0 <= now)
            {
                first.remove().raise(Reason::Time);
            }
            let next = agenda.times.first_key_value().map(|((time, _), _)| *time);
            let pause = next.map_or(LINGER, |next| next.saturating_duration_since(now));
            let woken = self.changed.wait_timeout(agenda, pause);
            let (kept, timeout) = woken.unwrap_or_else(PoisonError::into_inner);
            agenda = kept;
            if next.is_none() && timeout.timed_out() && agenda.times.is_empty() {
                agenda.has_thread = false;
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Agenda> {
        self.agenda.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn has_thread(&self) -> bool {
        self.lock().has_thread
    }
}
