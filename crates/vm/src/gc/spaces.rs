//! The address space of a heap: one reservation, of which parts are open.
//!
//! ```text
//! marks │ block offsets │ object starts │ cards │base: closed │ half │ nursery │ half │ old …
//! ```
//!
//! The cards end at the base, so that machine code finds them at a fixed distance; the other tables
//! are as long as the reservation needs. A region is *open* up to where it may be touched, and
//! *committed* up to where it counts against the limit of the store; between the two its pages have
//! been given back. What is committed never exceeds the limit, and does not grow beyond what the
//! owner leaves of it.
//!
//! Opening pages can fail, giving them back cannot matter: that is why a collection itself opens
//! nothing. See `sizing.rs` for how room is made sure of beforehand.

use selkie_module::heap::{CARD_SHIFT, CARDS_BELOW_BASE, MAX_BYTES, NULL_BYTES, OLD_START};

use crate::ResourceError;
use crate::mmap::{Mapping, page_bytes};

/// Bytes of a survivor half at most.
pub(super) const HALF_MAX_BYTES: u32 = 8 << 20;
/// Bytes of the nursery at most.
pub(super) const NURSERY_MAX_BYTES: u32 = OLD_START - NULL_BYTES - 2 * HALF_MAX_BYTES;
/// Where the old space ends at most: all offsets and ends fit 32 bits.
const OLD_END_MAX: u64 = MAX_BYTES - STEP_BYTES as u64;
/// The old space and the tables open in steps of this: a page of cards.
const STEP_BYTES: u32 = (4 << 10) << CARD_SHIFT;
/// Fewer bytes are sooner written than given back and taken again.
const LEAST_GIVEN_BACK_BYTES: u32 = 4 << 20;
/// The smallest reservation worth having has this much old space.
const OLD_MIN_BYTES: u64 = STEP_BYTES as u64;

/// Bytes that one card, one block and one word of mark bits stand for.
pub(super) const CARD_BYTES: u32 = 1 << CARD_SHIFT;

/// A contiguous part of the heap. All are offsets from the base.
#[derive(Clone, Copy, Debug)]
pub(super) struct Region {
    start: u32,
    /// Behind the last byte it may ever have.
    max_end: u32,
    /// Behind the last byte that may be touched.
    open_end: u32,
    /// Behind the last byte that counts.
    committed_end: u32,
}

impl Region {
    fn new(start: u32, max_end: u32) -> Region {
        Region { start, max_end, open_end: start, committed_end: start }
    }

    /// First byte.
    pub(super) fn start(&self) -> u32 {
        self.start
    }

    /// Behind the last byte that may be used.
    pub(super) fn end(&self) -> u32 {
        self.committed_end
    }

    /// Bytes that may be used, a multiple of pages.
    pub(super) fn bytes(&self) -> u32 {
        self.committed_end - self.start
    }

    /// Bytes it may ever have.
    pub(super) fn max_bytes(&self) -> u32 {
        self.max_end - self.start
    }
}

/// Names of the regions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Survivors, one of two.
    Half(usize),
    /// New objects.
    Nursery,
    /// Old objects.
    Old,
}

/// The tables that lie below the base; entry `n` of each is about the card or block at
/// `n << CARD_SHIFT`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tables {
    /// 1 where something was written.
    pub(super) cards: *mut u8,
    /// See `cards.rs`.
    pub(super) starts: *mut u8,
    /// Where the first live byte of the block goes.
    pub(super) blocks: *mut u32,
    /// A bit for each 8 bytes: live.
    pub(super) marks: *mut u64,
}

/// The reservation and its regions.
#[derive(Debug)]
pub(super) struct Spaces {
    mapping: Mapping,
    /// Of the base, in the mapping.
    base_at: usize,
    tables: Tables,
    /// The tables are open for all offsets below.
    tables_end: u32,
    halves: [Region; 2],
    nursery: Region,
    old: Region,
    limit_bytes: u64,
    /// What the owner takes of the limit for itself.
    outside_bytes: u64,
    peak_bytes: u64,
}

// SAFETY: the pointers lead into the mapping, which belongs to this value and to no thread.
unsafe impl Send for Spaces {}
// SAFETY: `&Spaces` gives addresses only.
unsafe impl Sync for Spaces {}

impl Spaces {
    /// Reserves address space for a heap of at most `limit_bytes`, or for a smaller one where that
    /// much is not to be had.
    pub(super) fn new(limit_bytes: u64) -> Result<Spaces, ResourceError> {
        let step = u64::from(STEP_BYTES);
        let largest = OLD_END_MAX - u64::from(OLD_START);
        let mut old_bytes = limit_bytes.clamp(OLD_MIN_BYTES, largest).next_multiple_of(step);
        loop {
            match Spaces::reserve(limit_bytes, old_bytes) {
                Err(_) if old_bytes > OLD_MIN_BYTES => {
                    old_bytes = (old_bytes / 2).next_multiple_of(step);
                }
                result => return result,
            }
        }
    }

    fn reserve(limit_bytes: u64, old_bytes: u64) -> Result<Spaces, ResourceError> {
        let old_end = (u64::from(OLD_START) + old_bytes) as u32;
        let cards = (old_end >> CARD_SHIFT) as usize;
        let below = CARDS_BELOW_BASE as usize + cards * (1 + 4 + 8);
        let mapping = Mapping::reserve(below + old_end as usize)?;
        let base = mapping.addr().wrapping_add(below);
        let cards_base = base.wrapping_sub(CARDS_BELOW_BASE as usize);
        let starts = cards_base.wrapping_sub(cards);
        let blocks = starts.wrapping_sub(cards * 4);
        let tables = Tables {
            cards: cards_base,
            starts,
            blocks: blocks.cast(),
            marks: blocks.wrapping_sub(cards * 8).cast(),
        };
        let nursery = NULL_BYTES + HALF_MAX_BYTES;
        let half = nursery + NURSERY_MAX_BYTES;
        let mut spaces = Spaces {
            mapping,
            base_at: below,
            tables,
            tables_end: 0,
            halves: [Region::new(NULL_BYTES, nursery), Region::new(half, OLD_START)],
            nursery: Region::new(nursery, half),
            old: Region::new(OLD_START, old_end),
            limit_bytes,
            outside_bytes: 0,
            peak_bytes: 0,
        };
        spaces.open_tables(OLD_START)?;
        Ok(spaces)
    }

    /// What references are counted from.
    pub(super) fn base(&self) -> *mut u8 {
        self.mapping.addr().wrapping_add(self.base_at)
    }

    /// The tables below the base.
    pub(super) fn tables(&self) -> Tables {
        self.tables
    }

    /// Bytes that may be committed from now on, with what is already.
    pub(super) fn limit_bytes(&self) -> u64 {
        self.limit_bytes.saturating_sub(self.outside_bytes)
    }

    /// Bytes that may ever be committed.
    pub(super) fn whole_limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// Leaves that much of the limit to others. What is committed already stays.
    pub(super) fn set_outside_bytes(&mut self, bytes: u64) {
        self.outside_bytes = bytes;
    }

    /// Bytes that are committed.
    pub(super) fn committed_bytes(&self) -> u64 {
        let young = self.halves[0].bytes() + self.halves[1].bytes() + self.nursery.bytes();
        u64::from(young) + u64::from(self.old.bytes())
    }

    /// The most bytes that have ever been committed.
    pub(super) fn peak_bytes(&self) -> u64 {
        self.peak_bytes
    }

    /// A region.
    pub(super) fn region(&self, part: Part) -> &Region {
        match part {
            Part::Half(at) => &self.halves[at & 1],
            Part::Nursery => &self.nursery,
            Part::Old => &self.old,
        }
    }

    fn region_mut(&mut self, part: Part) -> &mut Region {
        match part {
            Part::Half(at) => &mut self.halves[at & 1],
            Part::Nursery => &mut self.nursery,
            Part::Old => &mut self.old,
        }
    }

    /// Gives back what a region has beyond `bytes`, rounded up to pages.
    pub(super) fn shrink(&mut self, part: Part, bytes: u32) {
        let region = *self.region(part);
        let end = region.start.saturating_add(pages(bytes));
        if end >= region.committed_end {
            return;
        }
        let from = self.base_at + end as usize;
        // Pages that cannot be given back go on counting.
        if self.mapping.discard(from, (region.committed_end - end) as usize).is_ok() {
            self.region_mut(part).committed_end = end;
        }
    }

    /// Makes at least `bytes` of a region usable. On failure nothing has changed.
    pub(super) fn grow(&mut self, part: Part, bytes: u32) -> Result<(), ResourceError> {
        let region = *self.region(part);
        if bytes <= region.bytes() {
            return Ok(());
        }
        let refused =
            ResourceError::LimitExceeded { requested: bytes.into(), limit: self.limit_bytes() };
        if bytes > region.max_bytes() {
            return Err(refused);
        }
        let end = region.start + pages(bytes);
        let committed = self.committed_bytes() + u64::from(end - region.committed_end);
        if committed > self.limit_bytes() {
            return Err(refused);
        }
        if end > region.open_end {
            // In steps, so that growing little by little asks the system seldom.
            let open = end.next_multiple_of(STEP_BYTES).min(region.max_end);
            self.open_tables(open)?;
            self.open(self.base_at + region.open_end as usize, open - region.open_end)?;
            self.region_mut(part).open_end = open;
        }
        self.region_mut(part).committed_end = end;
        self.peak_bytes = self.peak_bytes.max(committed);
        Ok(())
    }

    /// Makes bytes read as zero. Of very many, pages are given back rather than written: most have
    /// never been touched, and a guest that waits for them cannot be interrupted.
    ///
    /// # Safety
    /// The bytes are committed, and no object's.
    pub(super) unsafe fn zero(&self, at: u32, bytes: u32) {
        let start = self.base_at + at as usize;
        let end = start + bytes as usize;
        let (first, last) =
            (start.next_multiple_of(page_bytes()), end / page_bytes() * page_bytes());
        let gives_back = bytes >= LEAST_GIVEN_BACK_BYTES;
        let pages = if gives_back && self.mapping.discard(first, last - first).is_ok() {
            first..last
        } else {
            end..end
        };
        // SAFETY: by contract, in the mapping.
        unsafe {
            self.mapping.addr().add(start).write_bytes(0, pages.start - start);
            self.mapping.addr().add(pages.end).write_bytes(0, end - pages.end);
        }
    }

    /// Opens the tables for all offsets below `end`.
    fn open_tables(&mut self, end: u32) -> Result<(), ResourceError> {
        if end <= self.tables_end {
            return Ok(());
        }
        let end = end.next_multiple_of(STEP_BYTES);
        let (from, to) = (self.tables_end >> CARD_SHIFT, end >> CARD_SHIFT);
        let start = self.mapping.addr() as usize;
        let tables = [
            (self.tables.cards as usize, 1),
            (self.tables.starts as usize, 1),
            (self.tables.blocks as usize, 4),
            (self.tables.marks as usize, 8),
        ];
        for (table, entry_bytes) in tables {
            self.open(table - start + (from * entry_bytes) as usize, (to - from) * entry_bytes)?;
        }
        self.tables_end = end;
        Ok(())
    }

    fn open(&self, start: usize, bytes: u32) -> Result<(), ResourceError> {
        #[cfg(test)]
        if tests::REFUSE.get() {
            return Err(ResourceError::OutOfMemory { bytes: bytes as usize });
        }
        self.mapping.allow_write(start, bytes as usize)
    }
}

/// `bytes` rounded up to pages.
pub(super) fn pages(bytes: u32) -> u32 {
    bytes.saturating_add(page_bytes() as u32 - 1) & !(page_bytes() as u32 - 1)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::cell::Cell;

    thread_local! {
        /// While set, the system has no memory left.
        pub(in crate::gc) static REFUSE: Cell<bool> = const { Cell::new(false) };
    }

    const MIB: u64 = 1 << 20;

    #[test]
    fn what_is_committed_never_exceeds_the_limit() {
        let mut spaces = Spaces::new(MIB).unwrap();
        spaces.grow(Part::Nursery, 700_000).unwrap();
        spaces.grow(Part::Old, 300_000).unwrap();
        assert!(spaces.grow(Part::Half(0), 100_000).is_err());
        assert!(spaces.grow(Part::Old, u32::MAX).is_err());
        assert_eq!(spaces.committed_bytes(), 700_416 + 303_104);
        spaces.shrink(Part::Nursery, 1);
        spaces.grow(Part::Half(0), 100_000).unwrap();
        assert_eq!(spaces.committed_bytes(), 4096 + 303_104 + 102_400);
        assert_eq!(spaces.peak_bytes(), 700_416 + 303_104);
    }

    #[test]
    fn what_the_owner_takes_of_the_limit_cannot_be_committed() {
        let mut spaces = Spaces::new(MIB).unwrap();
        spaces.grow(Part::Old, 300_000).unwrap();
        spaces.set_outside_bytes(700_000);
        assert_eq!(spaces.limit_bytes(), MIB - 700_000);
        assert!(spaces.grow(Part::Nursery, 100_000).is_err());
        spaces.set_outside_bytes(u64::MAX);
        assert_eq!((spaces.limit_bytes(), spaces.committed_bytes()), (0, 303_104));
        spaces.set_outside_bytes(600_000);
        spaces.grow(Part::Nursery, 100_000).unwrap();
    }

    #[test]
    fn every_committed_byte_and_its_table_entries_can_be_written() {
        let mut spaces = Spaces::new(1 << 32).unwrap();
        let base = spaces.base();
        for (part, bytes) in [
            (Part::Half(0), HALF_MAX_BYTES),
            (Part::Half(1), HALF_MAX_BYTES),
            (Part::Nursery, NURSERY_MAX_BYTES),
            (Part::Old, 3 << 30),
        ] {
            spaces.grow(part, bytes).unwrap();
            let Region { start, committed_end, .. } = *spaces.region(part);
            for at in [start, committed_end - 1] {
                let (tables, card) = (spaces.tables(), (at >> CARD_SHIFT) as usize);
                // SAFETY: committed, and the tables are open where regions are.
                unsafe {
                    base.add(at as usize).write(1);
                    tables.cards.add(card).write(1);
                    tables.starts.add(card).write(1);
                    tables.blocks.add(card).write(1);
                    tables.marks.add(card).write(1);
                }
            }
        }
        let tables = spaces.tables();
        assert_eq!(tables.cards as usize + CARDS_BELOW_BASE as usize, base as usize);
        // SAFETY: open; a table that overlapped another would have lost its mark.
        unsafe {
            let card = (NULL_BYTES >> CARD_SHIFT) as usize;
            assert_eq!((tables.cards.add(card).read(), tables.starts.add(card).read()), (1, 1));
            assert_eq!((tables.blocks.add(card).read(), tables.marks.add(card).read()), (1, 1));
        }
    }

    #[test]
    fn pages_that_were_given_back_read_as_zero() {
        let mut spaces = Spaces::new(64 * MIB).unwrap();
        spaces.grow(Part::Old, 1 << 20).unwrap();
        let last = spaces.base().wrapping_add(OLD_START as usize + (1 << 20) - 1);
        // SAFETY: committed.
        unsafe { last.write(7) };
        spaces.shrink(Part::Old, 4096);
        spaces.grow(Part::Old, 1 << 20).unwrap();
        // SAFETY: committed again.
        assert_eq!(unsafe { last.read() }, 0);
    }

    #[test]
    fn growth_that_the_system_refuses_changes_nothing() {
        let mut spaces = Spaces::new(64 * MIB).unwrap();
        REFUSE.set(true);
        assert!(spaces.grow(Part::Old, 4096).is_err());
        REFUSE.set(false);
        assert_eq!(spaces.committed_bytes(), 0);
        spaces.grow(Part::Old, 4096).unwrap();
        assert_eq!(spaces.committed_bytes(), 4096);
    }
}
