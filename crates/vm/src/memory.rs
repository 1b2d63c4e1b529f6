//! Linear memories: a reservation of address space whose first pages are open.
//!
//! Growing opens more pages in place while the reservation lasts; after that the memory moves, if
//! its plan lets it. Lengths are in bytes (a page of WebAssembly may be a single byte); the
//! accessible part is the length rounded up to host pages, so exact checks of small pages are up
//! to the machine code. What lies between the accessible part and the guard's end faults.
//!
//! Memory is zero where no image was put. Concurrent growth is `shared.rs`.

use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::sync::atomic::AtomicU64;

use crate::code::{check_file_range, read_exact_at};
use crate::context::VMMemory;
use crate::mmap::{Mapping, page_bytes, round_to_pages};
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
    mapping: Mapping,
    len: u64,
    accessible_bytes: usize,
    guard_bytes: usize,
    max_bytes: u64,
    may_move: bool,
    /// Whether pages show a file.
    has_image: bool,
}

impl LinearMemory {
    /// A zeroed memory of `min_bytes`.
    pub fn new(plan: &MemoryPlan) -> Result<LinearMemory, ResourceError> {
        let too_large =
            || ResourceError::LimitExceeded { requested: plan.min_bytes, limit: plan.max_bytes };
        if plan.min_bytes > plan.max_bytes {
            return Err(too_large());
        }
        let min_bytes = usize::try_from(plan.min_bytes).map_err(|_| too_large())?;
        let accessible_bytes = round_to_pages(min_bytes).ok_or_else(too_large)?;
        let reservation = accessible_bytes.max(plan.reservation_bytes);
        let mapping = reserve_with_guard(reservation, plan.guard_bytes)?;
        mapping.allow_write(0, accessible_bytes)?;
        Ok(LinearMemory {
            mapping,
            len: plan.min_bytes,
            accessible_bytes,
            guard_bytes: plan.guard_bytes,
            max_bytes: plan.max_bytes,
            may_move: plan.may_move,
            has_image: false,
        })
    }

    /// The first byte.
    pub fn base(&self) -> *mut u8 {
        self.mapping.addr()
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

    /// The contents, for writing.
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
        let reservation = self.mapping.len() - guard_pages(self.guard_bytes)?;
        if accessible > reservation {
            self.move_to_larger(accessible)?;
        } else if accessible > self.accessible_bytes {
            let more = accessible - self.accessible_bytes;
            self.mapping.allow_write(self.accessible_bytes, more)?;
            self.accessible_bytes = accessible;
        }
        self.len = new_bytes;
        Ok(())
    }

    fn move_to_larger(&mut self, accessible: usize) -> Result<(), ResourceError> {
        if !self.may_move {
            return Err(ResourceError::LimitExceeded {
                requested: accessible as u64,
                limit: self.mapping.len() as u64,
            });
        }
        // Doubling keeps the number of moves logarithmic; the maximum is all it can need.
        let max = usize::try_from(self.max_bytes).unwrap_or(usize::MAX);
        let roomy = accessible.saturating_mul(2).min(max).max(accessible);
        let target = reserve_with_guard(roomy, self.guard_bytes)
            .or_else(|_| reserve_with_guard(accessible, self.guard_bytes))?;
        // All that can fail comes before the move, so that failure changes nothing.
        target.allow_write(0, accessible)?;
        let old_bytes = self.accessible_bytes;
        let source = std::mem::replace(&mut self.mapping, target);
        self.accessible_bytes = accessible;
        // What is copied into the new place is no view of a file any more.
        self.has_image = false;
        if old_bytes == 0 {
            return Ok(());
        }
        // SAFETY: both ranges are accessible, `old_bytes` long at least, and disjoint.
        unsafe { std::ptr::copy_nonoverlapping(source.addr(), self.base(), old_bytes) };
        Ok(())
    }

    /// Puts `len` bytes of a file at `at`: whole pages as a private view where file and memory
    /// agree in their page offsets, the rest as a copy. The file must not change while the memory
    /// lives. Returns how many bytes were mapped rather than copied.
    pub fn map_image(
        &mut self,
        fd: BorrowedFd<'_>,
        file_offset: u64,
        len: usize,
        at: u64,
    ) -> Result<usize, ResourceError> {
        let end = at.checked_add(len as u64).ok_or(ResourceError::OutOfRange)?;
        if end > self.len {
            return Err(ResourceError::OutOfRange);
        }
        check_file_range(fd, file_offset, len as u64)?;
        let at = at as usize;
        let page = page_bytes();
        let first_page = at.next_multiple_of(page).min(at + len);
        let mapped = if at % page == (file_offset % page as u64) as usize {
            (at + len - first_page) / page * page
        } else {
            0
        };
        let head = if mapped == 0 { len } else { first_page - at };
        let tail = head + mapped;
        if mapped > 0 {
            self.has_image = true;
            self.mapping.map_file_over(at + head, mapped, fd, file_offset + head as u64)?;
        }
        // SAFETY: `&mut self` is the owner's exclusive access, at a time when no guest runs.
        let bytes = unsafe { self.bytes_mut() };
        read_exact_at(fd, &mut bytes[at..at + head], file_offset)?;
        read_exact_at(fd, &mut bytes[at + tail..at + len], file_offset + tail as u64)?;
        Ok(mapped)
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
    fn give_back(&self, pages: &Range<usize>) -> bool {
        let given = match self.has_image {
            // Giving back a page that shows a file brings back what the file says.
            true => self.mapping.map_zero_over(pages.start, pages.len()),
            false => self.mapping.discard(pages.start, pages.len()),
        };
        given.is_ok()
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

fn guard_pages(guard_bytes: usize) -> Result<usize, ResourceError> {
    round_to_pages(guard_bytes).ok_or(ResourceError::OutOfRange)
}

fn reserve_with_guard(bytes: usize, guard_bytes: usize) -> Result<Mapping, ResourceError> {
    let total = round_to_pages(bytes)
        .zip(round_to_pages(guard_bytes))
        .and_then(|(bytes, guard)| bytes.checked_add(guard))
        .ok_or(ResourceError::LimitExceeded {
            requested: bytes as u64,
            limit: isize::MAX as u64,
        })?;
    Mapping::reserve(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;
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
        let mut memory = LinearMemory::new(&plan(1 << 32, 1, 65536, false)).unwrap();
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
        let mut memory = LinearMemory::new(&plan(65536, 1, 1000, true)).unwrap();
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
        let mut memory = LinearMemory::new(&plan(131_072, 1, 1000, false)).unwrap();
        memory.grow_to(2 * PAGE).unwrap();
        assert!(memory.grow_to(3 * PAGE).is_err());
        assert!(memory.grow_to(PAGE).is_err());
        assert_eq!(memory.len(), 2 * PAGE);
    }

    #[test]
    fn absurd_sizes_fail_and_do_not_abort() {
        let huge = MemoryPlan { max_bytes: u64::MAX, ..plan(0, 0, 0, true) };
        assert!(LinearMemory::new(&MemoryPlan { min_bytes: u64::MAX, ..huge }).is_err());
        assert!(LinearMemory::new(&MemoryPlan { min_bytes: 1 << 60, ..huge }).is_err());
        let mut memory = LinearMemory::new(&huge).unwrap();
        assert!(memory.grow_to(1 << 60).is_err());
        assert!(memory.grow_to(u64::MAX).is_err());
        assert_eq!(memory.len(), 0);
    }

    #[test]
    fn lengths_of_single_bytes_are_kept() {
        let mut memory = LinearMemory::new(&MemoryPlan {
            reservation_bytes: 8192,
            guard_bytes: 0,
            min_bytes: 3,
            max_bytes: 100_000,
            may_move: true,
        })
        .unwrap();
        memory.write(0, &[1, 2, 3]).unwrap();
        assert_eq!(memory.write(3, &[4]), Err(TrapCode::MemoryOutOfBounds));
        memory.grow_to(4).unwrap();
        memory.write(3, &[4]).unwrap();
        memory.grow_to(50_001).unwrap();
        // SAFETY: only this test knows the memory.
        assert_eq!(unsafe { &memory.bytes()[..5] }, &[1, 2, 3, 4, 0]);
    }

    #[test]
    fn an_image_is_mapped_in_its_middle_and_copied_at_its_edges() {
        let fd = rustix::fs::memfd_create("image", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let mut file = std::fs::File::from(fd);
        let contents: Vec<u8> = (0..40_000_u32).map(|i| (i % 251) as u8 + 1).collect();
        file.write_all(&contents).unwrap();
        for (offset, len, at, want_mapped) in
            [(0, 40_000, 0, 36_864), (100, 39_900, 4196, 32_768), (100, 39_900, 0, 0), (5, 9, 5, 0)]
        {
            let mut memory = LinearMemory::new(&plan(0, 1, 1, false)).unwrap();
            let mapped = memory.map_image(file.as_fd(), offset, len, at).unwrap();
            assert_eq!(mapped, want_mapped);
            let (offset, at) = (offset as usize, at as usize);
            // SAFETY: only this test knows the memory.
            let bytes = unsafe { memory.bytes_mut() };
            assert!(bytes[..at].iter().all(|b| *b == 0));
            assert_eq!(&bytes[at..at + len], &contents[offset..offset + len]);
            assert!(bytes[at + len..].iter().all(|b| *b == 0));
            bytes[at] = 0;
        }
        let mut memory = LinearMemory::new(&plan(0, 1, 1, false)).unwrap();
        assert!(memory.map_image(file.as_fd(), 1, 40_000, 0).is_err());
        assert!(memory.map_image(file.as_fd(), 0, 40_000, 40_000).is_err());
    }

    #[test]
    fn discarded_ranges_read_as_zero_to_the_byte() {
        let mut memory = LinearMemory::new(&plan(0, 1, 1, false)).unwrap();
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
        let mut memory = LinearMemory::new(&plan(0, 16, 16, false)).unwrap();
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

    #[test]
    fn discarding_an_image_does_not_bring_back_the_file() {
        let fd = rustix::fs::memfd_create("image", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let mut file = std::fs::File::from(fd);
        file.write_all(&[9; 16_384]).unwrap();
        let mut memory = LinearMemory::new(&plan(0, 1, 100, true)).unwrap();
        memory.map_image(file.as_fd(), 0, 16_384, 0).unwrap();
        memory.discard(4096, 8192).unwrap();
        // SAFETY: only this test knows the memory.
        let bytes = unsafe { memory.bytes_mut() };
        assert_eq!((bytes[4095], bytes[4096], bytes[12_287], bytes[12_288]), (9, 0, 0, 9));
        bytes[4096] = 1;
    }

    #[test]
    fn growing_a_memory_with_an_image_keeps_it() {
        let fd = rustix::fs::memfd_create("image", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let mut file = std::fs::File::from(fd);
        file.write_all(&[9; 8192]).unwrap();
        let mut memory = LinearMemory::new(&plan(0, 1, 100, true)).unwrap();
        memory.map_image(file.as_fd(), 0, 8192, 4096).unwrap();
        memory.grow_to(50 * PAGE).unwrap();
        // SAFETY: only this test knows the memory.
        let bytes = unsafe { memory.bytes() };
        assert_eq!((bytes[4095], bytes[4096], bytes[12_287], bytes[12_288]), (0, 9, 9, 0));
    }
}
