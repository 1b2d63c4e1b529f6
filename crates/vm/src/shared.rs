//! Shared memories: one memory, many agents.
//!
//! The whole maximum is reserved, so the base never changes; the length only grows, under a lock,
//! and is published after the pages are open. Everything here takes `&self`.
//!
//! Ordinary accesses to a shared memory race by design. Whoever reads or writes it from Rust does
//! so through the raw base with atomics or volatile copies of its own.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use selkie_module::TrapCode;

use crate::context::VMMemory;
use crate::memory::{LinearMemory, MemoryPlan};
use crate::parking::{Interrupts, Parking, WaitOutcome};
use crate::{ResourceError, TrapResult};

/// A handle to a shared memory; clones are handles to the same memory.
#[derive(Clone, Debug)]
pub struct SharedMemory {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// What machine code sees. `base` never changes; `length` is written under `memory`'s lock.
    definition: VMMemory,
    max_bytes: u64,
    memory: Mutex<LinearMemory>,
    parking: Parking,
}

// SAFETY: `base` points into the mapping that `memory` owns, which lives as long as `Inner` and
// never moves; the length is atomic; the rest is `Sync` by itself.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

impl SharedMemory {
    /// A zeroed memory. Reserves `plan.max_bytes` whatever the plan's reservation says, and never
    /// moves.
    pub fn new(plan: &MemoryPlan) -> Result<SharedMemory, ResourceError> {
        let max = usize::try_from(plan.max_bytes).unwrap_or(usize::MAX);
        let reservation_bytes = plan.reservation_bytes.max(max);
        let memory =
            LinearMemory::new(&MemoryPlan { reservation_bytes, may_move: false, ..*plan }, None)?;
        Ok(SharedMemory {
            inner: Arc::new(Inner {
                definition: memory.definition(),
                max_bytes: plan.max_bytes,
                memory: Mutex::new(memory),
                parking: Parking::default(),
            }),
        })
    }

    /// The definition that contexts point to. Valid while any handle lives.
    pub fn definition(&self) -> *mut VMMemory {
        (&raw const self.inner.definition).cast_mut()
    }

    /// The first byte; never changes.
    pub fn base(&self) -> *mut u8 {
        self.inner.definition.base
    }

    /// Current length in bytes.
    pub fn len(&self) -> u64 {
        self.inner.definition.length.load(Ordering::SeqCst)
    }

    /// Whether the length is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Length it never grows beyond.
    pub fn max_bytes(&self) -> u64 {
        self.inner.max_bytes
    }

    /// Whether both are handles to one memory.
    pub fn is_same(&self, other: &SharedMemory) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Grows by `delta_bytes` and answers the length before.
    pub fn grow_by(&self, delta_bytes: u64) -> Result<u64, ResourceError> {
        let mut memory = self.inner.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let old = memory.len();
        let new = old.checked_add(delta_bytes).ok_or(ResourceError::LimitExceeded {
            requested: u64::MAX,
            limit: self.inner.max_bytes,
        })?;
        memory.grow_to(new)?;
        self.inner.definition.length.store(new, Ordering::SeqCst);
        Ok(old)
    }

    /// Makes a range read as zero and gives its pages back to the system. What other agents write
    /// there meanwhile is kept or lost.
    pub fn discard(&self, start: u64, bytes: u64) -> TrapResult<()> {
        let mut memory = self.inner.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.discard(start, bytes)
    }

    /// `memory.atomic.wait32` at a byte address. Where `interrupts` decides that waiting does not
    /// go on, the wait is the trap `Interrupt`.
    pub fn wait32(
        &self,
        address: u64,
        expected: u32,
        timeout_ns: i64,
        interrupts: Option<&mut dyn Interrupts>,
    ) -> TrapResult<WaitOutcome> {
        let at = self.checked(address, 4)?;
        // SAFETY: four accessible, aligned bytes that never go away while `self` lives.
        let value = unsafe { AtomicU32::from_ptr(at.cast()) };
        let is_expected = || value.load(Ordering::SeqCst) == expected;
        self.inner
            .parking
            .wait(address, is_expected, timeout_ns, interrupts)
            .map_err(|_| TrapCode::Interrupt)
    }

    /// `memory.atomic.wait64`.
    pub fn wait64(
        &self,
        address: u64,
        expected: u64,
        timeout_ns: i64,
        interrupts: Option<&mut dyn Interrupts>,
    ) -> TrapResult<WaitOutcome> {
        let at = self.checked(address, 8)?;
        // SAFETY: eight accessible, aligned bytes that never go away while `self` lives.
        let value = unsafe { AtomicU64::from_ptr(at.cast()) };
        let is_expected = || value.load(Ordering::SeqCst) == expected;
        self.inner
            .parking
            .wait(address, is_expected, timeout_ns, interrupts)
            .map_err(|_| TrapCode::Interrupt)
    }

    /// `memory.atomic.notify`: how many were woken.
    pub fn notify(&self, address: u64, count: u32) -> TrapResult<u32> {
        self.checked(address, 4)?;
        Ok(self.inner.parking.notify(address, count))
    }

    /// Copies bytes out, each read atomically.
    pub fn read(&self, at: u64, buffer: &mut [u8]) -> TrapResult<()> {
        let start = self.range(at, buffer.len())?;
        for (i, byte) in buffer.iter_mut().enumerate() {
            // SAFETY: the range was checked, and the memory never shrinks.
            *byte = unsafe { AtomicU8::from_ptr(start.add(i)) }.load(Ordering::Relaxed);
        }
        Ok(())
    }

    /// Copies bytes in, each written atomically.
    pub fn write(&self, at: u64, bytes: &[u8]) -> TrapResult<()> {
        let start = self.range(at, bytes.len())?;
        for (i, byte) in bytes.iter().enumerate() {
            // SAFETY: as in `read`.
            unsafe { AtomicU8::from_ptr(start.add(i)) }.store(*byte, Ordering::Relaxed);
        }
        Ok(())
    }

    fn range(&self, at: u64, len: usize) -> TrapResult<*mut u8> {
        match at.checked_add(len as u64) {
            Some(end) if end <= self.len() => Ok(self.base().wrapping_add(at as usize)),
            _ => Err(TrapCode::MemoryOutOfBounds),
        }
    }

    fn checked(&self, address: u64, bytes: u64) -> TrapResult<*mut u8> {
        check_atomic_address(address, bytes, self.len())?;
        Ok(self.base().wrapping_add(address as usize))
    }
}

/// `memory.atomic.notify` on a memory that is not shared: nobody can wait there.
pub fn notify_unshared(address: u64, memory_bytes: u64) -> TrapResult<u32> {
    check_atomic_address(address, 4, memory_bytes).map(|()| 0)
}

fn check_atomic_address(address: u64, bytes: u64, memory_bytes: u64) -> TrapResult<()> {
    if !address.is_multiple_of(bytes) {
        return Err(TrapCode::UnalignedAtomic);
    }
    match address.checked_add(bytes) {
        Some(end) if end <= memory_bytes => Ok(()),
        _ => Err(TrapCode::MemoryOutOfBounds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn memory(min: u64, max: u64) -> SharedMemory {
        SharedMemory::new(&MemoryPlan {
            reservation_bytes: 0,
            guard_bytes: 65536,
            min_bytes: min * 65536,
            max_bytes: max * 65536,
            may_move: true,
        })
        .unwrap()
    }

    #[test]
    fn growth_is_seen_by_every_handle_and_keeps_the_base() {
        let memory = memory(1, 10);
        let (other, base) = (memory.clone(), memory.base());
        let grown = thread::spawn(move || other.grow_by(3 * 65536).unwrap()).join().unwrap();
        assert_eq!((grown, memory.len(), memory.base()), (65536, 4 * 65536, base));
        // SAFETY: the definition lives as long as the handle.
        let length = unsafe { (*memory.definition()).length.load(Ordering::SeqCst) };
        assert_eq!(length, memory.len());
        assert!(memory.grow_by(7 * 65536).is_err());
        assert!(memory.grow_by(u64::MAX).is_err());
        assert_eq!(memory.len(), 4 * 65536);
    }

    #[test]
    fn concurrent_growth_adds_up() {
        let memory = memory(0, 1000);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        memory.grow_by(65536).unwrap();
                    }
                });
            }
        });
        assert_eq!(memory.len(), 200 * 65536);
    }

    #[test]
    fn waiting_compares_the_value_and_wakes_on_notify() {
        let memory = memory(1, 1);
        assert_eq!(memory.wait32(8, 1, -1, None), Ok(WaitOutcome::NotEqual));
        assert_eq!(memory.wait64(8, 0, 1000, None), Ok(WaitOutcome::TimedOut));
        thread::scope(|scope| {
            let waiter = scope.spawn(|| memory.wait64(8, 0, -1, None));
            while memory.notify(8, 1).unwrap() == 0 {
                thread::yield_now();
            }
            assert_eq!(waiter.join().unwrap(), Ok(WaitOutcome::Woken));
        });
    }

    #[test]
    fn bad_addresses_trap() {
        let memory = memory(1, 1);
        assert_eq!(memory.wait32(2, 0, 0, None), Err(TrapCode::UnalignedAtomic));
        assert_eq!(memory.wait64(4, 0, 0, None), Err(TrapCode::UnalignedAtomic));
        assert_eq!(memory.notify(65536, 0), Err(TrapCode::MemoryOutOfBounds));
        assert_eq!(memory.notify(u64::MAX - 3, 0), Err(TrapCode::MemoryOutOfBounds));
        assert_eq!(notify_unshared(0, 65536), Ok(0));
        assert_eq!(notify_unshared(65536, 65536), Err(TrapCode::MemoryOutOfBounds));
    }
}
