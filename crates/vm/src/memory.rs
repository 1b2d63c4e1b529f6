//! Linear memories: a reservation of address space whose first pages are open.
//!
//! Growing opens more pages in place while the reservation lasts; after that the memory moves, if
//! its plan lets it. Lengths are in bytes (a page of WebAssembly may be a single byte); the
//! accessible part is the length rounded up to host pages, so exact checks of small pages are up
//! to the machine code. What lies between the accessible part and the guard's end faults.
//!
//! Memory is zero where no image was put. A memory whose instance is gone can be made what it was at
//! first (`reset`), for the next one. Concurrent growth is `shared.rs`.

mod dense;
mod image;
mod reset;
mod restore;
mod room;
mod windows;
mod written;

pub use image::MemoryImage;
use room::Room;
use windows::Watch;
pub(crate) use windows::open_for_write;
pub use windows::prepare_for_system;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::context::VMMemory;
use crate::mmap::{page_bytes, round_to_pages};
use crate::{ResourceError, TrapResult};

use selkie_module::TrapCode;

/// How a memory lies in the address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// Address space into which it can grow in place; at least `min_bytes` are taken.
    pub reservation_bytes: usize,
    /// Address space without access behind the reservation.
    pub guard_bytes: usize,
    /// Length at the start.
    pub min_bytes: u64,
    /// Length it never grows beyond.
    pub max_bytes: u64,
    /// Whether it may move when the reservation is used up.
    pub may_move: bool,
}

/// A linear memory of one instance. Dropping it unmaps it.
#[derive(Debug)]
pub struct LinearMemory {
    /// While it is watched. Gone before its room is.
    windows: Option<Watch>,
    room: Room,
    len: u64,
    accessible_bytes: usize,
    /// The most that was ever accessible: up to there pages may be resident.
    touched_bytes: usize,
    guard_bytes: usize,
    min_bytes: u64,
    max_bytes: u64,
    may_move: bool,
    image: Option<Arc<MemoryImage>>,
    /// Whether pages of the image were given back, so that nobody can tell that they were written.
    is_incomplete: bool,
    has_moved: bool,
    /// Whether it may have windows: it never moves, and begins 4 GiB before any other.
    can_be_watched: bool,
    /// Users that did not get by with its windows.
    escapes: u8,
}

impl LinearMemory {
    /// Without a guard, memories of up to so many bytes lie side by side: they take a power of two of
    /// bytes of address space, and no mapping of their own.
    pub const MAX_DENSE_BYTES: usize = dense::MAX_BYTES;

    /// A memory of `min_bytes`, zeroed but for what the image says.
    ///
    /// # Errors
    /// The system has no room; the image is larger than the memory.
    pub fn new(
        plan: &MemoryPlan,
        image: Option<Arc<MemoryImage>>,
    ) -> Result<LinearMemory, ResourceError> {
        let too_large =
            || ResourceError::LimitExceeded { requested: plan.min_bytes, limit: plan.max_bytes };
        if plan.min_bytes > plan.max_bytes {
            return Err(too_large());
        }
        let min_bytes = usize::try_from(plan.min_bytes).map_err(|_| too_large())?;
        let accessible_bytes = round_to_pages(min_bytes).ok_or_else(too_large)?;
        let reservation = accessible_bytes.max(plan.reservation_bytes);
        let room = Room::new(reservation, plan.guard_bytes)?;
        room.allow_write(0, accessible_bytes)?;
        if image.as_ref().is_some_and(|image| image.end() > accessible_bytes as u64) {
            return Err(ResourceError::OutOfRange);
        }
        let mut memory = LinearMemory {
            windows: None,
            room,
            len: plan.min_bytes,
            accessible_bytes,
            touched_bytes: accessible_bytes,
            guard_bytes: plan.guard_bytes,
            min_bytes: plan.min_bytes,
            max_bytes: plan.max_bytes,
            may_move: plan.may_move,
            image,
            is_incomplete: false,
            has_moved: false,
            can_be_watched: !plan.may_move && reservation >= WATCHED_RESERVATION_BYTES,
            escapes: 0,
        };
        memory.fill(true)?;
        Ok(memory)
    }

    /// Puts the image into zeroed memory: parts of it that are mapped are there already unless
    /// `is_new`.
    fn fill(&mut self, is_new: bool) -> Result<(), ResourceError> {
        let Some(image) = &self.image else { return Ok(()) };
        for run in image.runs() {
            let file = image.file().filter(|_| run.is_mapped());
            match self.room.mapping().zip(file) {
                Some((mapping, file)) if is_new => {
                    mapping.map_file_over(run.at, run.bytes, file, run.offset as u64)?;
                }
                Some(_) => {}
                // SAFETY: the run lies in the accessible part, as the image does; `&mut self` is
                // the only user.
                None => unsafe { image.restore(self.base(), run.at..run.at + run.bytes) },
            }
        }
        Ok(())
    }

    /// Lets it grow up to this length, which is at least the current one, and no further.
    pub fn set_max_bytes(&mut self, max_bytes: u64) {
        self.max_bytes = max_bytes.max(self.len);
    }

    /// Makes sure that a range, which lies in bounds, can be written by the system for this process:
    /// pages that nobody has written so far may otherwise be opened only when somebody does. `false`
    /// where that is not possible.
    #[inline]
    pub fn open(&self, range: Range<usize>) -> bool {
        self.windows.as_ref().is_none_or(|windows| windows.open(range))
    }

    /// As [`LinearMemory::open`], of all there is.
    #[inline]
    pub fn open_all(&self) -> bool {
        self.windows.as_ref().is_none_or(|windows| windows.open_all())
    }

    /// The first byte.
    pub fn base(&self) -> *mut u8 {
        self.room.addr()
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the length is 0.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Length it never grows beyond.
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// What machine code shall see. Changes with each growth.
    pub fn definition(&self) -> VMMemory {
        VMMemory { base: self.base(), length: AtomicU64::new(self.len) }
    }

    /// The contents.
    ///
    /// # Safety
    /// Nobody writes to the memory while the slice lives.
    pub unsafe fn bytes(&self) -> &[u8] {
        // SAFETY: `len` bytes are accessible from the base on; the caller excludes writers.
        unsafe { std::slice::from_raw_parts(self.base(), self.len as usize) }
    }

    /// The contents, for writing. Who hands parts of them to the system says so first, by
    /// [`LinearMemory::open`].
    ///
    /// # Safety
    /// Nobody else reads or writes the memory while the slice lives.
    pub unsafe fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: `len` bytes are accessible from the base on; the caller excludes all others.
        unsafe { std::slice::from_raw_parts_mut(self.base(), self.len as usize) }
    }

    /// Grows to `new_bytes`, which is at least the current length. The new part is zero. On
    /// failure nothing has changed. The definition must be written anew afterwards.
    pub fn grow_to(&mut self, new_bytes: u64) -> Result<(), ResourceError> {
        let too_large =
            || ResourceError::LimitExceeded { requested: new_bytes, limit: self.max_bytes };
        if new_bytes > self.max_bytes || new_bytes < self.len {
            return Err(too_large());
        }
        let accessible =
            usize::try_from(new_bytes).ok().and_then(round_to_pages).ok_or_else(too_large)?;
        let reservation = self.room.len() - guard_pages(self.guard_bytes)?;
        if accessible > reservation {
            self.move_to_larger(accessible)?;
        } else if accessible > self.accessible_bytes {
            let more = accessible - self.accessible_bytes;
            self.room.allow_write(self.accessible_bytes, more)?;
            self.accessible_bytes = accessible;
        }
        self.touched_bytes = self.touched_bytes.max(self.accessible_bytes);
        self.len = new_bytes;
        Ok(())
    }

    fn move_to_larger(&mut self, accessible: usize) -> Result<(), ResourceError> {
        if !self.may_move {
            return Err(ResourceError::LimitExceeded {
                requested: accessible as u64,
                limit: self.room.len() as u64,
            });
        }
        // Doubling keeps the number of moves logarithmic; the maximum is all it can need.
        let max = usize::try_from(self.max_bytes).unwrap_or(usize::MAX);
        let roomy = accessible.saturating_mul(2).min(max).max(accessible);
        let target = Room::new(roomy, self.guard_bytes)
            .or_else(|_| Room::new(accessible, self.guard_bytes))?;
        // All that can fail comes before the move, so that failure changes nothing.
        target.allow_write(0, accessible)?;
        let old_bytes = self.accessible_bytes;
        let source = std::mem::replace(&mut self.room, target);
        self.accessible_bytes = accessible;
        // Pages move without being copied, in no time, unless they show a file beside others.
        let is_first_move = !std::mem::replace(&mut self.has_moved, true);
        let image = self.image.as_ref().filter(|_| is_first_move);
        let shows_file = image.is_some_and(|image| image.file().is_some());
        let moved = if shows_file { Err(source) } else { source.move_front(old_bytes, &self.room) };
        let Err(source) = moved else { return Ok(()) };
        // SAFETY: both ranges are accessible, `old_bytes` long at least, and disjoint.
        unsafe { std::ptr::copy_nonoverlapping(source.addr(), self.base(), old_bytes) };
        Ok(())
    }

    /// Makes a range read as zero. Host pages that lie inside it as a whole are given back to the
    /// system, which hands out others when they are touched again.
    pub fn discard(&mut self, start: u64, bytes: u64) -> TrapResult<()> {
        let end = start.checked_add(bytes).filter(|end| *end <= self.len);
        let end = end.ok_or(TrapCode::MemoryOutOfBounds)? as usize;
        let start = start as usize;
        let pages_end = end / page_bytes() * page_bytes();
        let pages = start.next_multiple_of(page_bytes()).min(pages_end)..pages_end;
        if pages.is_empty() || !self.give_back(&pages) {
            self.zero(start..end);
        } else {
            self.zero(start..pages.start);
            self.zero(pages.end..end);
        }
        Ok(())
    }

    /// Whether the system took the pages; it does not take those that the host locked in memory.
    fn give_back(&mut self, pages: &Range<usize>) -> bool {
        let image = self.image.as_ref().filter(|_| !self.has_moved);
        let is_shown = image.is_some_and(|image| !image.runs_in(pages).is_empty());
        if !is_shown {
            return self.room.discard(pages.start, pages.len()).is_ok();
        }
        self.is_incomplete = true;
        // Giving back a page that shows a file would bring back what the file says. What is mapped
        // in its place is open, so nothing can be watched any longer.
        self.open_all() && self.room.map_zero_over(pages.start, pages.len()).is_ok()
    }

    /// Writes zeros to a range within bounds.
    fn zero(&self, range: Range<usize>) {
        debug_assert!(range.start <= range.end && range.end as u64 <= self.len);
        // SAFETY: the range is within the accessible part; guests that write to it at the same
        // time, which a shared memory allows, race with the guest that asked for zeros.
        unsafe { std::ptr::write_bytes(self.base().add(range.start), 0, range.len()) }
    }

    /// Copies bytes into the memory, as `memory.init` and active segments do.
    pub fn write(&mut self, at: u64, bytes: &[u8]) -> TrapResult<()> {
        let end = at.checked_add(bytes.len() as u64).ok_or(TrapCode::MemoryOutOfBounds)?;
        if end > self.len {
            return Err(TrapCode::MemoryOutOfBounds);
        }
        // SAFETY: the range was checked; the source cannot lie in guest memory that `&mut self`
        // owns, since no reference to that is live.
        unsafe {
            let target = self.base().add(at as usize);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len());
        }
        Ok(())
    }
}

/// Memories that reserve at least this much can be told apart by the upper half of their addresses.
const WATCHED_RESERVATION_BYTES: usize = 1 << 32;

fn guard_pages(guard_bytes: usize) -> Result<usize, ResourceError> {
    round_to_pages(guard_bytes).ok_or(ResourceError::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    const PAGE: u64 = 65536;

    fn plan(reservation_bytes: usize, min: u64, max: u64, may_move: bool) -> MemoryPlan {
        MemoryPlan {
            reservation_bytes,
            guard_bytes: 65536,
            min_bytes: min * PAGE,
            max_bytes: max * PAGE,
            may_move,
        }
    }

    #[test]
    fn growth_within_the_reservation_keeps_the_base_and_the_contents() {
        let mut memory = LinearMemory::new(&plan(1 << 32, 1, 65536, false), None).unwrap();
        let base = memory.base();
        memory.write(PAGE - 1, &[7]).unwrap();
        memory.grow_to(100 * PAGE).unwrap();
        assert_eq!(memory.base(), base);
        // SAFETY: only this test knows the memory.
        let bytes = unsafe { memory.bytes() };
        assert_eq!((bytes[65535], bytes[65536], bytes.len()), (7, 0, 6_553_600));
    }

    #[test]
    fn growth_beyond_the_reservation_moves_the_contents() {
        let mut memory = LinearMemory::new(&plan(65536, 1, 1000, true), None).unwrap();
        let base = memory.base();
        memory.write(0, b"selkie").unwrap();
        for pages in 2..300 {
            memory.grow_to(pages * PAGE).unwrap();
        }
        assert_ne!(memory.base(), base);
        // SAFETY: only this test knows the memory.
        assert_eq!(unsafe { &memory.bytes()[..7] }, b"selkie\0");
        // SAFETY: as above.
        assert!(unsafe { memory.bytes() }[6..].iter().all(|b| *b == 0));
        assert!(memory.grow_to(1001 * PAGE).is_err());
    }

    #[test]
    fn growth_without_room_fails_and_changes_nothing() {
        let mut memory = LinearMemory::new(&plan(131_072, 1, 1000, false), None).unwrap();
        memory.grow_to(2 * PAGE).unwrap();
        assert!(memory.grow_to(3 * PAGE).is_err());
        assert!(memory.grow_to(PAGE).is_err());
        assert_eq!(memory.len(), 2 * PAGE);
    }

    #[test]
    fn absurd_sizes_fail_and_do_not_abort() {
        let huge = MemoryPlan { max_bytes: u64::MAX, ..plan(0, 0, 0, true) };
        assert!(LinearMemory::new(&MemoryPlan { min_bytes: u64::MAX, ..huge }, None).is_err());
        assert!(LinearMemory::new(&MemoryPlan { min_bytes: 1 << 60, ..huge }, None).is_err());
        let mut memory = LinearMemory::new(&huge, None).unwrap();
        assert!(memory.grow_to(1 << 60).is_err());
        assert!(memory.grow_to(u64::MAX).is_err());
        assert_eq!(memory.len(), 0);
    }

    #[test]
    fn lengths_of_single_bytes_are_kept() {
        let plan = MemoryPlan {
            reservation_bytes: 8192,
            guard_bytes: 0,
            min_bytes: 3,
            max_bytes: 100_000,
            may_move: true,
        };
        let mut memory = LinearMemory::new(&plan, None).unwrap();
        memory.write(0, &[1, 2, 3]).unwrap();
        assert_eq!(memory.write(3, &[4]), Err(TrapCode::MemoryOutOfBounds));
        memory.grow_to(4).unwrap();
        memory.write(3, &[4]).unwrap();
        memory.grow_to(50_001).unwrap();
        // SAFETY: only this test knows the memory.
        assert_eq!(unsafe { &memory.bytes()[..5] }, &[1, 2, 3, 4, 0]);
    }

    #[test]
    fn discarded_ranges_read_as_zero_to_the_byte() {
        let mut memory = LinearMemory::new(&plan(0, 1, 1, false), None).unwrap();
        for (start, end) in [
            (0, 65_536),
            (0, 4096),
            (1, 4096),
            (1, 4097),
            (4095, 12_289),
            (5, 9),
            (9, 9),
            (65_535, 65_536),
        ] {
            // SAFETY: only this test knows the memory.
            unsafe { memory.bytes_mut() }.fill(7);
            memory.discard(start, end - start).unwrap();
            // SAFETY: as above.
            let bytes = unsafe { memory.bytes() };
            let (start, end) = (start as usize, end as usize);
            assert!(bytes[..start].iter().all(|b| *b == 7), "{start}");
            assert!(bytes[start..end].iter().all(|b| *b == 0), "{start}");
            assert!(bytes[end..].iter().all(|b| *b == 7), "{start}");
        }
        assert_eq!(memory.discard(65_536, 0), Ok(()));
        assert_eq!(memory.discard(65_536, 1), Err(TrapCode::MemoryOutOfBounds));
        assert_eq!(memory.discard(65_537, 0), Err(TrapCode::MemoryOutOfBounds));
        assert_eq!(memory.discard(4096, u64::MAX), Err(TrapCode::MemoryOutOfBounds));
    }

    #[test]
    fn discarded_pages_are_not_resident() {
        let mut memory = LinearMemory::new(&plan(0, 16, 16, false), None).unwrap();
        // SAFETY: only this test knows the memory.
        unsafe { memory.bytes_mut() }.fill(7);
        // One number for each page; its highest bit says that the page is there.
        let pagemap = std::fs::File::open("/proc/self/pagemap").unwrap();
        let first = memory.base() as usize / page_bytes();
        let resident = || {
            let mut entries = vec![0; 16 * PAGE as usize / page_bytes() * 8];
            pagemap.read_exact_at(&mut entries, first as u64 * 8).unwrap();
            entries.chunks(8).filter(|entry| entry[7] & 0x80 != 0).count() * page_bytes()
        };
        assert_eq!(resident() as u64, 16 * PAGE);
        memory.discard(0, 16 * PAGE).unwrap();
        assert_eq!(resident(), 0);
    }

    fn with_image(plan: &MemoryPlan, segments: &[(u64, &[u8])]) -> LinearMemory {
        let image = MemoryImage::new(segments).unwrap().unwrap();
        LinearMemory::new(plan, Some(Arc::new(image))).unwrap()
    }

    #[test]
    fn discarding_an_image_does_not_bring_it_back() {
        let long = vec![9; 300_000];
        for bytes in [&long[..16_384], &long] {
            let mut memory = with_image(&plan(0, 5, 100, true), &[(0, bytes)]);
            memory.discard(4096, 8192).unwrap();
            // SAFETY: only this test knows the memory.
            let contents = unsafe { memory.bytes_mut() };
            let seen = (contents[4095], contents[4096], contents[12_287], contents[12_288]);
            assert_eq!(seen, (9, 0, 0, 9));
            contents[4096] = 1;
            // SAFETY: the slice is not used again.
            assert!(unsafe { memory.reset(1 << 20) });
            // SAFETY: as above.
            assert_eq!(unsafe { &memory.bytes()[..bytes.len()] }, bytes);
        }
    }

    #[test]
    fn growing_a_memory_with_an_image_keeps_it() {
        for len in [8192, 100_000] {
            let mut memory = with_image(&plan(0, 2, 100, true), &[(4096, &vec![9; len])]);
            memory.grow_to(50 * PAGE).unwrap();
            // SAFETY: only this test knows the memory.
            let bytes = unsafe { memory.bytes() };
            assert_eq!((bytes[4095], bytes[4096], bytes[4095 + len]), (0, 9, 9));
            assert_eq!(bytes[4096 + len], 0);
        }
    }

    #[test]
    fn an_image_beyond_the_memory_is_refused() {
        let image = Arc::new(MemoryImage::new(&[(PAGE, b"x")]).unwrap().unwrap());
        let found = LinearMemory::new(&plan(0, 1, 2, true), Some(image.clone()));
        assert!(found.is_err());
        assert!(LinearMemory::new(&plan(0, 2, 2, true), Some(image)).is_ok());
    }
}
