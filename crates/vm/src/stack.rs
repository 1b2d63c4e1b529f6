//! Stacks for WebAssembly, and the pool they come back to.
//!
//! Below the usable part lies a guard of [`GUARD_BYTES`] without access; machine code has no stack
//! check, it faults there. Frames larger than the guard probe it page by page.
//!
//! A stack is handled by one pointer, its top; a header above the top says the rest. Stacks come
//! back to a few places of the thread (`thread.rs`), without a lock, and from there to the pool that
//! all threads share. Pages that a former guest wrote stay in a reused stack up to [`KEEP_BYTES`]:
//! machine code never reads stack that it did not write. What lies deeper is given back to the
//! system when a stack enters the shared pool.

use std::sync::{Mutex, PoisonError};

use crate::mmap::{Mapping, page_bytes, round_to_pages};
use crate::{ResourceError, thread};

/// Bytes without access below each WebAssembly stack. Frames above this size must probe.
pub const GUARD_BYTES: usize = 1 << 20;
/// Usable bytes of a stack when nobody says otherwise.
pub const DEFAULT_STACK_BYTES: usize = 16 << 20;
/// The least a stack has: one page of header and first frames, and some to work with.
pub const MIN_STACK_BYTES: usize = 64 << 10;
/// Dirty bytes that stay with a pooled stack.
const KEEP_BYTES: usize = 64 << 10;
/// Stacks the shared pool keeps.
const POOL_STACKS: usize = 256;
/// Usable bytes up to which a stack may stay with its thread, all of them dirty.
const MAX_SPARE_BYTES: usize = 2 << 20;
/// Bytes above the top that the header takes; keeps the top 16-aligned.
const HEADER_BYTES: usize = 64;

static POOL: Mutex<Vec<StackMemory>> = Mutex::new(Vec::new());

struct Header {
    mapping: Mapping,
    usable_bytes: usize,
}

const _: () = assert!(size_of::<Header>() <= HEADER_BYTES);

/// A WebAssembly stack. Owns its mapping through the header.
#[derive(Debug)]
pub(crate) struct StackMemory {
    top: *mut u8,
}

// SAFETY: a stack is memory that belongs to whoever holds this value; no thread is special.
unsafe impl Send for StackMemory {}

impl StackMemory {
    /// A stack of at least this size: the thread's, from the pool, or new.
    pub(crate) fn acquire(usable_bytes: usize) -> Result<StackMemory, ResourceError> {
        let usable_bytes = usable_size(usable_bytes)?;
        if let Some(stack) = thread::take_spare(usable_bytes) {
            return Ok(stack);
        }
        {
            let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(at) = pool.iter().rposition(|s| s.usable_bytes() == usable_bytes) {
                return Ok(pool.swap_remove(at));
            }
        }
        StackMemory::map(usable_bytes)
    }

    fn map(usable_bytes: usize) -> Result<StackMemory, ResourceError> {
        let total = usable_bytes.checked_add(GUARD_BYTES).ok_or(ResourceError::OutOfRange)?;
        let mapping = Mapping::stack(total)?;
        mapping.allow_write(GUARD_BYTES, usable_bytes)?;
        let end = mapping.addr().wrapping_add(mapping.len());
        let top = end.wrapping_sub(HEADER_BYTES);
        // SAFETY: the header's place is inside the page just opened for writing, 64-aligned, and
        // nobody else knows it.
        unsafe { top.cast::<Header>().write(Header { mapping, usable_bytes }) };
        Ok(StackMemory { top })
    }

    /// Gives the stack to the thread, or else to the pool, or back to the system if that is full.
    pub(crate) fn release(self) {
        if self.usable_bytes() > MAX_SPARE_BYTES {
            return self.share();
        }
        if let Some(other) = thread::keep_spare(self) {
            other.share();
        }
    }

    /// Gives the stack to the pool, or back to the system if that is full.
    pub(crate) fn share(self) {
        self.trim();
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.len() < POOL_STACKS {
            pool.push(self);
        }
    }

    /// Gives back the pages deeper than [`KEEP_BYTES`].
    fn trim(&self) {
        // SAFETY: our own top, and stacks change hands between calls only.
        unsafe { trim_below(self.top) };
    }

    /// The first stack pointer, 16-aligned.
    pub(crate) fn top(&self) -> *mut u8 {
        self.top
    }

    /// Usable bytes, as [`usable_size`] gives them.
    pub(crate) fn usable_bytes(&self) -> usize {
        // SAFETY: our own top.
        unsafe { usable_bytes_of(self.top) }
    }

    /// Gives the stack away as one pointer.
    pub(crate) fn into_raw(self) -> *mut u8 {
        let top = self.top;
        std::mem::forget(self);
        top
    }

    /// Takes it back.
    ///
    /// # Safety
    /// `top` came from [`StackMemory::into_raw`] and is taken back once.
    pub(crate) unsafe fn from_raw(top: *mut u8) -> StackMemory {
        StackMemory { top }
    }
}

/// Usable bytes of the stack with this top.
///
/// # Safety
/// `top` is that of a living [`StackMemory`].
#[inline(always)]
pub(crate) unsafe fn usable_bytes_of(top: *mut u8) -> usize {
    // SAFETY: the header was written in `map` and lies above the top.
    unsafe { (*top.cast::<Header>()).usable_bytes }
}

/// Lowest usable address; the guard lies below.
///
/// # Safety
/// As for [`usable_bytes_of`].
pub(crate) unsafe fn low_of(top: *mut u8) -> *mut u8 {
    // SAFETY: as above.
    unsafe { (*top.cast::<Header>()).mapping.addr().wrapping_add(GUARD_BYTES) }
}

/// Gives back the pages deeper than [`KEEP_BYTES`].
///
/// # Safety
/// As for [`usable_bytes_of`], and nothing runs on the stack.
pub(crate) unsafe fn trim_below(top: *mut u8) {
    // SAFETY: as above.
    let header = unsafe { &*top.cast::<Header>() };
    let deep = header.usable_bytes.saturating_sub(KEEP_BYTES);
    // Failure costs memory, not correctness.
    let _ = header.mapping.discard(GUARD_BYTES, deep);
}

impl Drop for StackMemory {
    fn drop(&mut self) {
        // SAFETY: the header was written in `map` and is read for the last time; the mapping it
        // lies in is unmapped only after it was moved out.
        drop(unsafe { self.top.cast::<Header>().read() });
    }
}

/// The size a stack gets for a wish.
pub(crate) fn usable_size(wish_bytes: usize) -> Result<usize, ResourceError> {
    let error =
        ResourceError::LimitExceeded { requested: wish_bytes as u64, limit: isize::MAX as u64 };
    round_to_pages(wish_bytes.max(MIN_STACK_BYTES))
        .filter(|bytes| *bytes <= isize::MAX as usize - GUARD_BYTES - page_bytes())
        .ok_or(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_released_stack_is_found_again_by_its_size() {
        let wish = 321 * 4096;
        let stack = StackMemory::acquire(wish).unwrap();
        let top = stack.top();
        assert_eq!(top as usize % 16, 0);
        stack.release();
        assert_eq!(StackMemory::acquire(wish).unwrap().top(), top);
    }

    #[test]
    fn deep_pages_of_a_released_stack_read_as_zero() {
        let stack = StackMemory::acquire(987 * 4096).unwrap();
        // SAFETY: the stack is this test's own, and so is its lowest usable byte.
        unsafe {
            low_of(stack.top()).write(7);
            stack.trim();
            assert_eq!(low_of(stack.top()).read(), 0);
        }
    }

    #[test]
    fn absurd_sizes_are_refused() {
        assert!(StackMemory::acquire(usize::MAX).is_err());
        assert!(StackMemory::acquire(1 << 58).is_err());
    }
}
