//! Where agents wait for each other: `memory.atomic.wait` and `notify`.
//!
//! One table per shared memory: address → waiters in order of arrival. The value is compared
//! under the table's lock, and notifying takes the same lock, so no wake-up is lost.
//!
//! spec: threads proposal, wait and notify operators.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Who may end a wait before its time.
pub trait Interrupts {
    /// How long a waiter may sleep before it asks again; `None`: as long as it likes.
    fn patience(&self) -> Option<Duration>;
    /// Whether somebody wants the wait to end.
    fn is_raised(&self) -> bool;
    /// Decides, when somebody does: whether waiting goes on. Others can wait and notify meanwhile.
    fn goes_on(&mut self) -> bool;
}

/// How a wait ended. The numbers are the instruction's results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum WaitOutcome {
    /// Woken by a notification.
    Woken = 0,
    /// The value was not the expected one.
    NotEqual = 1,
    /// The time was over.
    TimedOut = 2,
}

/// The wait was given up, as [`Interrupts::goes_on`] decided.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Interrupted;

type Queues = HashMap<u64, VecDeque<Arc<Waiter>>>;

#[derive(Debug, Default)]
pub(crate) struct Parking {
    queues: Mutex<Queues>,
}

/// A waiting agent. It is in its queue exactly until it is woken or removes itself.
#[derive(Debug, Default)]
struct Waiter {
    wake_up: Condvar,
}

impl Parking {
    /// Waits at `address` if `is_expected` holds. A negative timeout is none at all.
    pub(crate) fn wait(
        &self,
        address: u64,
        is_expected: impl FnOnce() -> bool,
        timeout_ns: i64,
        mut interrupts: Option<&mut dyn Interrupts>,
    ) -> Result<WaitOutcome, Interrupted> {
        let deadline = u64::try_from(timeout_ns)
            .ok()
            .and_then(|ns| Instant::now().checked_add(Duration::from_nanos(ns)));
        let mut queues = self.lock();
        if !is_expected() {
            return Ok(WaitOutcome::NotEqual);
        }
        let waiter = Arc::new(Waiter::default());
        queues.entry(address).or_default().push_back(waiter.clone());
        loop {
            if let Some(interrupts) = interrupts.as_mut().filter(|it| it.is_raised()) {
                drop(queues);
                let place = Place { parking: self, address, waiter: &waiter };
                let goes_on = interrupts.goes_on();
                if !goes_on {
                    return Err(Interrupted);
                }
                place.keep();
                queues = self.lock();
                if !is_queued(&queues, address, &waiter) {
                    return Ok(WaitOutcome::Woken);
                }
            }
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                leave(&mut queues, address, &waiter);
                return Ok(WaitOutcome::TimedOut);
            }
            let patience = interrupts.as_ref().and_then(|it| it.patience());
            let pause = left.into_iter().chain(patience).min();
            queues = sleep(&waiter, queues, pause);
            if !is_queued(&queues, address, &waiter) {
                return Ok(WaitOutcome::Woken);
            }
        }
    }

    /// Wakes at most `count` agents that wait at `address`, the longest waiting first, and
    /// answers how many.
    pub(crate) fn notify(&self, address: u64, count: u32) -> u32 {
        let mut queues = self.lock();
        let Entry::Occupied(mut entry) = queues.entry(address) else { return 0 };
        let queue = entry.get_mut();
        let woken = queue.len().min(count as usize);
        for waiter in queue.drain(..woken) {
            waiter.wake_up.notify_one();
        }
        if queue.is_empty() {
            entry.remove();
        }
        woken as u32
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in a queue while somebody decides: given up unless it is kept, also when deciding fails.
struct Place<'a> {
    parking: &'a Parking,
    address: u64,
    waiter: &'a Arc<Waiter>,
}

impl Place<'_> {
    fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        leave(&mut self.parking.lock(), self.address, self.waiter);
    }
}

fn sleep<'a>(
    waiter: &Waiter,
    queues: MutexGuard<'a, Queues>,
    pause: Option<Duration>,
) -> MutexGuard<'a, Queues> {
    match pause {
        None => waiter.wake_up.wait(queues).unwrap_or_else(PoisonError::into_inner),
        Some(pause) => {
            waiter.wake_up.wait_timeout(queues, pause).unwrap_or_else(PoisonError::into_inner).0
        }
    }
}

fn is_queued(queues: &Queues, address: u64, waiter: &Arc<Waiter>) -> bool {
    queues.get(&address).is_some_and(|queue| queue.iter().any(|w| Arc::ptr_eq(w, waiter)))
}

fn leave(queues: &mut Queues, address: u64, waiter: &Arc<Waiter>) {
    if let Entry::Occupied(mut entry) = queues.entry(address) {
        entry.get_mut().retain(|w| !Arc::ptr_eq(w, waiter));
        if entry.get().is_empty() {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    #[test]
    fn an_unexpected_value_does_not_wait() {
        assert_eq!(Parking::default().wait(0, || false, -1, None), Ok(WaitOutcome::NotEqual));
    }

    #[test]
    fn a_wait_ends_at_its_timeout_and_leaves_nothing_behind() {
        let parking = Parking::default();
        let before = Instant::now();
        assert_eq!(parking.wait(8, || true, 20_000_000, None), Ok(WaitOutcome::TimedOut));
        assert!(before.elapsed() >= Duration::from_millis(20));
        assert_eq!(parking.wait(8, || true, 0, None), Ok(WaitOutcome::TimedOut));
        assert!(parking.lock().is_empty());
    }

    #[test]
    fn notify_wakes_as_many_as_asked_at_its_address_only() {
        let parking = Parking::default();
        thread::scope(|scope| {
            let waiters: Vec<_> = [16, 16, 16, 24]
                .map(|address| {
                    let parking = &parking;
                    scope.spawn(move || parking.wait(address, || true, -1, None))
                })
                .into();
            while parking.lock().values().map(VecDeque::len).sum::<usize>() < 4 {
                thread::yield_now();
            }
            assert_eq!(parking.notify(32, u32::MAX), 0);
            assert_eq!(parking.notify(16, 0), 0);
            assert_eq!(parking.notify(16, 2), 2);
            assert_eq!(parking.notify(16, u32::MAX), 1);
            assert_eq!(parking.notify(24, 1), 1);
            for waiter in waiters {
                assert_eq!(waiter.join().unwrap(), Ok(WaitOutcome::Woken));
            }
        });
        assert!(parking.lock().is_empty());
    }

    /// Asks every few milliseconds, and lets some of those who interrupt pass.
    struct Counted<'a> {
        stop: &'a AtomicBool,
        passes: u32,
    }

    impl Interrupts for Counted<'_> {
        fn patience(&self) -> Option<Duration> {
            Some(Duration::from_millis(2))
        }

        fn is_raised(&self) -> bool {
            self.stop.load(Ordering::Relaxed)
        }

        fn goes_on(&mut self) -> bool {
            self.passes = self.passes.saturating_sub(1);
            self.passes > 0
        }
    }

    #[test]
    fn an_endless_wait_can_be_interrupted() {
        let parking = Parking::default();
        let stop = AtomicBool::new(false);
        for passes in [0, 3] {
            thread::scope(|scope| {
                let (parking, stop) = (&parking, &stop);
                let waiter = scope.spawn(move || {
                    parking.wait(0, || true, -1, Some(&mut Counted { stop, passes }))
                });
                thread::sleep(Duration::from_millis(10));
                stop.store(true, Ordering::Relaxed);
                assert_eq!(waiter.join().unwrap(), Err(Interrupted));
            });
            assert!(parking.lock().is_empty());
        }
    }

    #[test]
    fn who_is_asked_to_go_on_keeps_its_place() {
        let parking = Parking::default();
        let stop = AtomicBool::new(true);
        thread::scope(|scope| {
            let (parking, stop) = (&parking, &stop);
            let waiter = scope.spawn(move || {
                parking.wait(0, || true, -1, Some(&mut Counted { stop, passes: u32::MAX }))
            });
            while parking.notify(0, 1) == 0 {
                thread::yield_now();
            }
            assert_eq!(waiter.join().unwrap(), Ok(WaitOutcome::Woken));
        });
        assert!(parking.lock().is_empty());
    }
}
