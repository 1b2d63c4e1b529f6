//! Memories side by side, for those whose accesses are all checked.
//!
//! Such a memory needs no guard, so its neighbour may begin where it ends: many of them share one
//! mapping, which is open everywhere, and the tables of the system that describe its pages. A slot
//! has a power of two of bytes; slots of one size lie in regions of their own, which are mapped when
//! there is no free one and given back when all are free.
//!
//! Invariant: a free slot holds zeros.

use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ResourceError;
use crate::mmap::Mapping;

/// The smallest slot: a page of WebAssembly.
const MIN_BYTES_LOG2: u32 = 16;
/// The largest. Larger memories have a mapping of their own.
const MAX_BYTES_LOG2: u32 = 24;
/// Bytes of the largest slot.
pub(super) const MAX_BYTES: usize = 1 << MAX_BYTES_LOG2;
const CLASSES: usize = (MAX_BYTES_LOG2 - MIN_BYTES_LOG2 + 1) as usize;
/// Slots of a region where the system gives so much address space.
const MAX_SLOTS: usize = 256;

static REGIONS: [Mutex<Vec<Region>>; CLASSES] = [const { Mutex::new(Vec::new()) }; CLASSES];

#[derive(Debug)]
struct Region {
    mapping: Mapping,
    /// Numbers of free slots.
    free: Vec<u16>,
    slots: usize,
}

/// A slot in use. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Slot {
    base: NonNull<u8>,
    class: usize,
}

// SAFETY: a slot is an address range that belongs to whoever holds this value, and to no thread.
unsafe impl Send for Slot {}
// SAFETY: as above; `&Slot` gives addresses only.
unsafe impl Sync for Slot {}

impl Slot {
    /// A slot of at least this many bytes, all zero; `None` where so large ones do not exist.
    pub(super) fn new(bytes: usize) -> Option<Result<Slot, ResourceError>> {
        let log2 = bytes.max(1).checked_next_power_of_two()?.ilog2().max(MIN_BYTES_LOG2);
        (log2 <= MAX_BYTES_LOG2).then(|| Slot::of_class((log2 - MIN_BYTES_LOG2) as usize))
    }

    fn of_class(class: usize) -> Result<Slot, ResourceError> {
        let mut regions = regions(class);
        let region = match regions.iter_mut().position(|region| !region.free.is_empty()) {
            Some(at) => &mut regions[at],
            None => {
                regions.push(Region::new(class)?);
                let last = regions.len() - 1;
                &mut regions[last]
            }
        };
        let number =
            region.free.pop().ok_or(ResourceError::OutOfMemory { bytes: bytes_of(class) })?;
        let base = region.mapping.addr().wrapping_add(usize::from(number) * bytes_of(class));
        let base = NonNull::new(base).ok_or(ResourceError::OutOfRange)?;
        Ok(Slot { base, class })
    }

    pub(super) fn addr(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    pub(super) fn len(&self) -> usize {
        bytes_of(self.class)
    }

    /// Gives pages back to the system; they read as zero afterwards.
    pub(super) fn discard(&self, start: usize, bytes: usize) -> Result<(), ResourceError> {
        let mut regions = regions(self.class);
        let (region, at) = self.region(&mut regions)?;
        if start.checked_add(bytes).is_none_or(|end| end > self.len()) {
            return Err(ResourceError::OutOfRange);
        }
        region.mapping.discard(at + start, bytes)
    }

    /// The region it lies in, and where.
    fn region<'r>(
        &self,
        regions: &'r mut [Region],
    ) -> Result<(&'r mut Region, usize), ResourceError> {
        let place = |region: &Region| {
            let at = (self.addr() as usize).checked_sub(region.mapping.addr() as usize)?;
            (at < region.mapping.len()).then_some(at)
        };
        let mut found = regions.iter_mut().filter_map(|region| Some((place(region)?, region)));
        found.next().map(|(at, region)| (region, at)).ok_or(ResourceError::OutOfRange)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut regions = regions(self.class);
        let len = self.len();
        let Ok((region, at)) = self.region(&mut regions) else { return };
        // One that could not be emptied is not used again.
        if region.mapping.discard(at, len).is_ok() {
            region.free.push((at / len) as u16);
        } else {
            region.slots -= 1;
        }
        // One region that is free as a whole is kept for the next slots.
        let is_free = |region: &Region| region.free.len() == region.slots;
        if is_free(region) && regions.iter().filter(|region| is_free(region)).count() > 1 {
            regions.retain(|region| !is_free(region) || region.slots == 0);
        }
    }
}

impl Region {
    /// A region of as many slots as can be had.
    fn new(class: usize) -> Result<Region, ResourceError> {
        let mut slots = MAX_SLOTS;
        let mapping = loop {
            match Mapping::zeroed(slots * bytes_of(class)) {
                Ok(mapping) => break mapping,
                Err(error) if slots == 1 => return Err(error),
                Err(_) => slots /= 2,
            }
        };
        // The first ones are used first.
        Ok(Region { mapping, free: (0..slots as u16).rev().collect(), slots })
    }
}

fn bytes_of(class: usize) -> usize {
    1 << (class + MIN_BYTES_LOG2 as usize)
}

fn regions(class: usize) -> MutexGuard<'static, Vec<Region>> {
    REGIONS[class].lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(bytes: usize) -> Slot {
        Slot::new(bytes).unwrap().unwrap()
    }

    #[allow(clippy::mut_from_ref)] // one at a time
    fn contents(slot: &Slot) -> &mut [u8] {
        // SAFETY: the slot is this test's own.
        unsafe { std::slice::from_raw_parts_mut(slot.addr(), slot.len()) }
    }

    #[test]
    fn slots_lie_apart_and_are_empty_whoever_had_them_before() {
        for _ in 0..3 {
            let slots: Vec<Slot> = (0..600).map(|_| slot(100_000)).collect();
            let mut places: Vec<usize> = slots.iter().map(|slot| slot.addr() as usize).collect();
            places.sort_unstable();
            assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= 131_072));
            for slot in &slots {
                let bytes = contents(slot);
                assert_eq!(bytes.len(), 131_072);
                assert!(bytes[0] == 0 && bytes[131_071] == 0);
                (bytes[0], bytes[131_071]) = (1, 1);
            }
        }
    }

    #[test]
    fn sizes_are_rounded_up_and_too_large_ones_are_nobody_s() {
        let sizes = [(0, 65_536), (1, 65_536), (65_536, 65_536), (65_537, 131_072)];
        for (wish, have) in sizes {
            assert_eq!(slot(wish).len(), have);
        }
        assert!(Slot::new(1 << 24).is_some());
        assert!(Slot::new((1 << 24) + 1).is_none());
        assert!(Slot::new(usize::MAX).is_none());
    }

    #[test]
    fn pages_outside_of_a_slot_are_not_given_back() {
        let (first, second) = (slot(1 << 20), slot(1 << 20));
        contents(&second).fill(5);
        assert!(first.discard(0, (1 << 20) + 1).is_err());
        assert!(first.discard(4096, 1 << 20).is_err());
        first.discard(0, 1 << 20).unwrap();
        assert!(contents(&second).iter().all(|byte| *byte == 5));
    }
}
