//! Making a memory what it was at first, for its next user.
//!
//! What was written is restored by copying where it is little, and given back to the system where
//! it is much. Pages that nobody touched are not touched here either. How it is known what was
//! written: from windows, which costs nothing, or by asking the system; see `windows` and
//! `written`.
//!
//! Invariant: after a reset that succeeded, every byte and every protection is that of a new
//! memory, but for pages that have become resident.

use std::ops::Range;

use super::windows::Windows;
use super::written::{MAX_RANGES, written};
use super::{LinearMemory, MemoryImage, restore};
use crate::ResourceError;
use crate::mmap::page_bytes;

/// Users whose pages did not fit into windows, after which a memory is not watched again.
const MAX_ESCAPES: u8 = 3;
/// Ranges nearer to each other than this become one window.
const NEAR_BYTES: usize = 4 << 10;

impl LinearMemory {
    /// Makes it what it was at first. Keeps at most `keep_bytes` of written pages resident. `false`
    /// where that was not possible: then the memory must not be used again.
    ///
    /// # Safety
    /// Nobody uses the memory, and nobody keeps a slice of it.
    pub unsafe fn reset(&mut self, keep_bytes: usize) -> bool {
        if self.has_moved {
            return false;
        }
        let restored = match self.windows.as_deref().map(|windows| windows.ranges().is_some()) {
            _ if self.is_incomplete => None,
            Some(true) => self.restore_windows(keep_bytes),
            Some(false) | None => self.restore_written(keep_bytes),
        };
        restored.is_some() && self.shrink() || self.refill()
    }

    /// Bytes that are resident and shared with no other memory; all there are where the system does
    /// not tell.
    pub fn resident_bytes(&self) -> usize {
        // In pieces that the system tells about however scattered their pages are.
        let piece = MAX_RANGES * page_bytes();
        // What it grew by and was closed again may have kept its pages.
        let pieces = (0..self.touched_bytes).step_by(piece);
        let resident = pieces.map(|at| {
            let range = at..(at + piece).min(self.touched_bytes);
            let ranges = written(self.base(), range.clone(), usize::MAX);
            ranges.map_or(range.len(), |ranges| ranges.iter().map(Range::len).sum())
        });
        resident.sum()
    }

    /// What it holds now, for memories that shall begin with it.
    ///
    /// # Errors
    /// The system has no room for it.
    ///
    /// # Safety
    /// Nobody writes to the memory meanwhile.
    pub unsafe fn image_of_contents(&self) -> Result<MemoryImage, ResourceError> {
        // SAFETY: by contract.
        let bytes = unsafe { self.bytes() };
        let page = page_bytes();
        let mut parts: Vec<(u64, &[u8])> = Vec::new();
        for range in self.ranges_in_use() {
            let mut start = None;
            for at in range.clone().step_by(page).chain([range.end]) {
                let end = (at + page).min(bytes.len());
                let is_zero = at == range.end || at >= bytes.len() || is_zero(&bytes[at..end]);
                match (start, is_zero) {
                    (None, false) => start = Some(at),
                    (Some(first), true) => {
                        parts.push((first as u64, &bytes[first..at.min(bytes.len())]));
                        start = None;
                    }
                    _ => {}
                }
            }
        }
        MemoryImage::of_contents(&parts)
    }

    /// Where something may be that is not zero: pages, ascending and apart.
    fn ranges_in_use(&self) -> Vec<Range<usize>> {
        let all = 0..self.accessible_bytes;
        let image = self.image.as_ref().filter(|_| !self.has_moved);
        let Some(mut ranges) = written(self.base(), all.clone(), usize::MAX) else {
            return vec![all];
        };
        let runs = image.map_or(&[][..], |image| image.runs());
        ranges.extend(runs.iter().map(|run| run.at..run.at + run.bytes));
        ranges.sort_by_key(|range| range.start);
        let mut apart: Vec<Range<usize>> = Vec::new();
        for range in ranges {
            match apart.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => apart.push(range),
            }
        }
        apart
    }

    /// Restores what windows show, and what the memory grew by.
    fn restore_windows(&self, keep_bytes: usize) -> Option<()> {
        let windows = self.windows.as_deref()?;
        for range in windows.ranges()? {
            self.restore(range);
        }
        windows.forget_faults();
        let grown = self.first_bytes()..self.accessible_bytes;
        if !grown.is_empty() {
            for range in written(self.base(), grown, keep_bytes)? {
                self.restore(range);
            }
        }
        Some(())
    }

    /// Restores what the system says was written, and watches those places from now on if they are
    /// few.
    fn restore_written(&mut self, keep_bytes: usize) -> Option<()> {
        let ranges = written(self.base(), 0..self.accessible_bytes, keep_bytes)?;
        for range in &ranges {
            self.restore(range.clone());
        }
        // The former windows are gone before new ones are listed.
        if self.windows.take().is_some() {
            self.escapes = self.escapes.saturating_add(1);
        }
        if self.can_be_watched
            && self.escapes < MAX_ESCAPES
            && let Some(mapping) = self.room.mapping()
        {
            let first_bytes = self.first_bytes();
            let windows = windows_for(&ranges, first_bytes);
            self.windows = Windows::watch(mapping, first_bytes, &windows);
        }
        Some(())
    }

    /// Writes what the pages of a range held at first.
    fn restore(&self, range: Range<usize>) {
        debug_assert!(range.end <= self.accessible_bytes);
        // SAFETY: the range was written by guests, so it is open; `&mut self` of `reset` is the
        // only user.
        unsafe {
            match &self.image {
                Some(image) => image.restore(self.base(), range),
                None => restore::clear(self.base().add(range.start), range.len()),
            }
        }
    }

    /// Closes what it grew by, which holds zeros.
    fn shrink(&mut self) -> bool {
        let first_bytes = self.first_bytes();
        if self.accessible_bytes > first_bytes {
            let grown = self.accessible_bytes - first_bytes;
            // Without a guard nobody notices what is open: every access is checked.
            if self.guard_bytes > 0
                && let Some(mapping) = self.room.mapping()
            {
                if mapping.close(first_bytes, grown).is_err() {
                    return false;
                }
                self.accessible_bytes = first_bytes;
            }
        }
        self.len = self.min_bytes;
        true
    }

    /// Gives all pages back and begins anew.
    fn refill(&mut self) -> bool {
        self.windows = None;
        let all = self.accessible_bytes;
        let emptied = match self.is_incomplete {
            // Pages of the file are not all there any more.
            true => self.room.map_zero_over(0, all),
            false => self.room.allow_write(0, all).and_then(|()| self.room.discard(0, all)),
        };
        let is_remapped = self.is_incomplete;
        self.is_incomplete = false;
        emptied.is_ok() && self.shrink() && self.fill(is_remapped).is_ok()
    }

    /// Host pages of the initial length.
    pub(super) fn first_bytes(&self) -> usize {
        (self.min_bytes as usize).next_multiple_of(page_bytes())
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().fold(0, |all, byte| all | byte) == 0
}

/// The windows for ranges that were written, within what is watched.
fn windows_for(ranges: &[Range<usize>], watched_bytes: usize) -> Vec<Range<usize>> {
    let mut windows: Vec<Range<usize>> = Vec::new();
    for range in ranges.iter().filter(|range| range.start < watched_bytes) {
        let end = range.end.min(watched_bytes);
        match windows.last_mut() {
            Some(last) if range.start < last.end + NEAR_BYTES => last.end = end,
            _ => windows.push(range.start..end),
        }
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{MemoryImage, MemoryPlan};
    use std::sync::Arc;

    const PAGE: usize = 65_536;

    /// Reservation and guard of memories that are watched, and of those that are checked.
    const KINDS: [(usize, usize); 2] = [(1 << 32, 1 << 20), (0, 0)];

    fn memory(kind: (usize, usize), pages: usize, segments: &[(u64, &[u8])]) -> LinearMemory {
        crate::signals::install_handlers().unwrap();
        let plan = MemoryPlan {
            reservation_bytes: kind.0.max(4 * pages * PAGE),
            guard_bytes: kind.1,
            min_bytes: (pages * PAGE) as u64,
            max_bytes: 1 << 32,
            may_move: kind.0 == 0,
        };
        let image = MemoryImage::new(segments).unwrap().map(Arc::new);
        LinearMemory::new(&plan, image).unwrap()
    }

    fn reset(memory: &mut LinearMemory) {
        // SAFETY: these tests keep no slice.
        assert!(unsafe { memory.reset(4 << 20) });
    }

    fn contents(memory: &LinearMemory) -> Vec<u8> {
        // SAFETY: only this test knows the memory.
        unsafe { memory.bytes() }.to_vec()
    }

    fn write(memory: &mut LinearMemory, at: usize) {
        // SAFETY: as above.
        let bytes = unsafe { memory.bytes_mut() };
        bytes[at] ^= 0xA5;
    }

    fn is_watched(memory: &LinearMemory) -> bool {
        memory.windows.as_ref().is_some_and(|windows| windows.ranges().is_some())
    }

    #[test]
    fn every_user_finds_what_the_first_one_found() {
        let long: Vec<u8> = (0..150_000_u32).map(|i| (i % 250) as u8 + 1).collect();
        let segments: [&[(u64, &[u8])]; 3] = [&[], &[(5000, b"small")], &[(70_000, &long)]];
        let places = [0, 4095, 4096, 5001, 70_000, 100_000, 219_999, 220_000, 4 * PAGE - 1];
        for kind in KINDS {
            for segments in segments {
                let mut memory = memory(kind, 4, segments);
                let first = contents(&memory);
                for round in 0..40 {
                    // Each round writes elsewhere, some to everything.
                    let places: Vec<usize> = match round % 10 {
                        9 => (0..4 * PAGE).collect(),
                        part => places.iter().copied().skip(part).collect(),
                    };
                    for place in places {
                        write(&mut memory, place);
                    }
                    assert_ne!(contents(&memory), first);
                    reset(&mut memory);
                    assert_eq!(contents(&memory), first, "round {round}");
                }
            }
        }
    }

    #[test]
    fn a_user_who_writes_where_others_did_asks_the_system_nothing() {
        let mut memory = memory(KINDS[0], 4, &[]);
        write(&mut memory, 10);
        write(&mut memory, 3 * PAGE);
        reset(&mut memory);
        assert!(is_watched(&memory));
        for _ in 0..100 {
            write(&mut memory, 11);
            write(&mut memory, 3 * PAGE + 4095);
            let windows: Vec<_> = memory.windows.as_ref().unwrap().ranges().unwrap().collect();
            assert_eq!(windows, [0..4096, 3 * PAGE..3 * PAGE + 4096]);
            reset(&mut memory);
        }
        write(&mut memory, 4096);
        let windows: Vec<_> = memory.windows.as_ref().unwrap().ranges().unwrap().collect();
        assert_eq!(windows, [0..8192, 3 * PAGE..3 * PAGE + 4096]);
        assert_eq!(contents(&memory)[4096], 0xA5);
    }

    #[test]
    fn a_user_who_writes_everywhere_is_not_watched_again_and_again() {
        let mut memory = memory(KINDS[0], 64, &[]);
        let first = contents(&memory);
        let mut watched = 0;
        for _ in 0..10 {
            reset(&mut memory);
            watched += u32::from(is_watched(&memory));
            for page in 0..64 * 16 {
                write(&mut memory, page * 4096 + page);
            }
            assert!(!is_watched(&memory));
        }
        reset(&mut memory);
        assert_eq!(contents(&memory), first);
        assert!(watched <= u32::from(MAX_ESCAPES), "{watched}");
    }

    #[test]
    fn what_a_memory_grew_by_is_closed_and_zero_when_it_grows_again() {
        for kind in KINDS {
            let mut memory = memory(kind, 1, &[(65_000, b"end")]);
            for _ in 0..5 {
                assert_eq!(memory.len(), PAGE as u64);
                memory.grow_to(3 * PAGE as u64).unwrap();
                assert!(contents(&memory)[PAGE..].iter().all(|byte| *byte == 0));
                for at in [0, PAGE, 2 * PAGE + 5000, 3 * PAGE - 1] {
                    write(&mut memory, at);
                }
                reset(&mut memory);
                if kind.1 > 0 {
                    assert_eq!(memory.accessible_bytes, PAGE);
                }
            }
        }
    }

    #[test]
    fn a_memory_that_moved_is_not_used_again() {
        let mut memory = memory(KINDS[1], 1, &[]);
        memory.grow_to(1000 * PAGE as u64).unwrap();
        // SAFETY: there is no slice.
        assert!(!unsafe { memory.reset(1 << 20) });
    }

    #[test]
    fn more_than_may_be_kept_is_given_back() {
        for segments in [&[][..], &[(0, &[7; 100_000][..])]] {
            let mut memory = memory(KINDS[0], 32, segments);
            let first = contents(&memory);
            for page in 0..512 {
                write(&mut memory, page * 4096);
            }
            // SAFETY: there is no slice.
            assert!(unsafe { memory.reset(511 * 4096) });
            let left = written(memory.base(), 0..32 * PAGE, usize::MAX).unwrap();
            assert_eq!(left, []);
            assert_eq!(contents(&memory), first);
        }
    }

    #[test]
    fn the_system_may_write_where_a_range_was_opened() {
        use std::io::{Read, Seek, Write};
        let fd = rustix::fs::memfd_create("data", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let mut file = std::fs::File::from(fd);
        file.write_all(&[3; 3 * PAGE]).unwrap();
        let mut memory = memory(KINDS[0], 4, &[]);
        let mut read = |memory: &mut LinearMemory, range: Range<usize>| {
            file.rewind().unwrap();
            // SAFETY: only this test knows the memory.
            file.read_exact(unsafe { &mut memory.bytes_mut()[range] }).map_err(|e| e.kind())
        };
        reset(&mut memory);
        assert!(read(&mut memory, 5000..9000).is_err());
        assert!(memory.open(5000..9000));
        assert_eq!(read(&mut memory, 5000..9000), Ok(()));
        assert_eq!(contents(&memory)[5000..9000], [3; 4000]);
        assert!(is_watched(&memory));
        reset(&mut memory);
        // SAFETY: only this test knows the memory.
        let bytes = unsafe { memory.bytes_mut() };
        assert!(crate::memory::prepare_for_system(&mut bytes[30_000..30_100]));
        assert!(crate::memory::prepare_for_system(&mut [1, 2, 3]));
        assert_eq!(read(&mut memory, 30_000..30_100), Ok(()));
        assert!(read(&mut memory, 60_000..60_100).is_err());
        // More than is ever watched.
        assert!(memory.open(0..3 * PAGE));
        assert_eq!(read(&mut memory, 0..3 * PAGE), Ok(()));
        reset(&mut memory);
        assert!(contents(&memory).iter().all(|byte| *byte == 0));
        assert!(memory.open_all());
        assert_eq!(read(&mut memory, PAGE..4 * PAGE), Ok(()));
    }

    #[test]
    fn a_memory_begins_with_what_another_held() {
        let long: Vec<u8> = (0..150_000_u32).map(|i| (i % 250) as u8 + 1).collect();
        for kind in KINDS {
            let mut first = memory(kind, 4, &[(70_000, &long)]);
            for stride in [5000, 65_536, 262_143, 262_145] {
                for at in (0..262_144).step_by(stride) {
                    write(&mut first, at);
                }
                // SAFETY: nobody writes.
                let image = Arc::new(unsafe { first.image_of_contents() }.unwrap());
                let plan = MemoryPlan {
                    reservation_bytes: kind.0,
                    guard_bytes: kind.1,
                    min_bytes: first.len(),
                    max_bytes: 1 << 32,
                    may_move: kind.0 == 0,
                };
                let mut second = LinearMemory::new(&plan, Some(image)).unwrap();
                assert!(contents(&first) == contents(&second), "{stride}");
                write(&mut second, 9);
                write(&mut second, 90_000);
                reset(&mut second);
                assert!(contents(&first) == contents(&second), "{stride}");
                first.grow_to(first.len() + PAGE as u64).unwrap();
            }
        }
    }

    #[test]
    fn scattered_pages_are_counted_one_by_one() {
        let mut memory = memory(KINDS[0], 100, &[]);
        for page in 0..700 {
            write(&mut memory, page * 2 * 4096);
        }
        assert_eq!(memory.resident_bytes(), 700 * 4096);
        memory.discard(0, 100 * PAGE as u64).unwrap();
        assert_eq!(memory.resident_bytes(), 0);
        memory.grow_to(102 * PAGE as u64).unwrap();
        write(&mut memory, 101 * PAGE);
        reset(&mut memory);
        assert_eq!(memory.resident_bytes(), 4096);
    }

    #[test]
    fn scattered_contents_make_few_mappings() {
        let mut first = memory(KINDS[0], 1000, &[]);
        for run in 0..300 {
            for page in 0..20 {
                write(&mut first, run * 200_000 + page * 4096);
            }
        }
        // SAFETY: nobody writes.
        let image = unsafe { first.image_of_contents() }.unwrap();
        assert!(image.runs().iter().filter(|run| run.is_mapped()).count() <= 64);
        assert!(image.runs().iter().any(|run| run.is_mapped()));
    }

    #[test]
    fn many_memories_are_watched_on_many_threads() {
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || {
                    for round in 0..20 {
                        let mut memories: Vec<_> =
                            (0..5).map(|_| memory(KINDS[0], 1, &[(9, b"x")])).collect();
                        for step in 0..10 {
                            let memory = &mut memories[(step + thread) % 5];
                            write(memory, (step * 4096 + round) % PAGE);
                            reset(memory);
                            assert_eq!(contents(memory).iter().filter(|b| **b != 0).count(), 1);
                        }
                    }
                });
            }
        });
    }
}
