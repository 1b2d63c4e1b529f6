//! Which parts of the old space may refer to young objects, and where objects begin in it.
//!
//! A card is 512 bytes. Whoever stores a reference into an object that is not fresh marks a card:
//! for a field that of the object's start, for an element that of the element itself (arrays are
//! long, and only what was written shall be looked at). A clean card therefore tells that no
//! object starting in it has a field, and no element lying in it, that refers to a young object.
//!
//! The table of starts finds the object that covers the first byte of a card: an entry below 64 says
//! how many units of 8 bytes it begins before the card, an entry `64 + n` says to look 2ⁿ cards
//! before. So long objects are found in a logarithmic number of steps.

use selkie_module::heap::{ALIGN_BYTES, CARD_SHIFT};

use super::spaces::{CARD_BYTES, Tables};

/// Entries from here on lead back.
const BACK: u8 = 64;

/// The card that a byte lies in.
#[inline(always)]
pub(super) fn card_of(at: u32) -> u32 {
    at >> CARD_SHIFT
}

impl Tables {
    /// Marks the card at `at`.
    ///
    /// # Safety
    /// `at` lies in an open region.
    #[inline(always)]
    pub(super) unsafe fn dirty(self, at: u32) {
        // SAFETY: the tables are open where regions are.
        unsafe { self.cards.add(card_of(at) as usize).write(1) };
    }

    /// Marks all cards of a range that is not empty.
    ///
    /// # Safety
    /// The range lies in an open region.
    pub(super) unsafe fn dirty_range(self, at: u32, bytes: u32) {
        // SAFETY: by contract.
        unsafe { self.set_cards(at, bytes, 1) };
    }

    /// Cleans all cards of a range.
    ///
    /// # Safety
    /// The range lies in an open region.
    pub(super) unsafe fn clean_range(self, at: u32, bytes: u32) {
        // SAFETY: by contract.
        unsafe { self.set_cards(at, bytes, 0) };
    }

    /// # Safety
    /// The range lies in an open region.
    unsafe fn set_cards(self, at: u32, bytes: u32, mark: u8) {
        if bytes == 0 {
            return;
        }
        let (first, last) = (card_of(at) as usize, card_of(at + (bytes - 1)) as usize);
        // SAFETY: the tables are open where regions are.
        unsafe { self.cards.add(first).write_bytes(mark, last - first + 1) };
    }

    /// The next card that is not clean, from `card` up to `end`, and its mark.
    ///
    /// # Safety
    /// The table is open up to `end`, rounded up to a page.
    #[inline]
    pub(super) unsafe fn next_dirty(self, mut card: u32, end: u32) -> Option<(u32, u8)> {
        while card < end {
            // Tables are aligned to pages, so that a word of marks is read at once.
            if card.is_multiple_of(8) {
                // SAFETY: by contract; eight aligned entries lie in one page.
                let marks = unsafe { self.cards.add(card as usize).cast::<u64>().read() };
                if marks == 0 {
                    card += 8;
                    continue;
                }
            }
            // SAFETY: by contract.
            let mark = unsafe { self.cards.add(card as usize).read() };
            if mark != 0 {
                return Some((card, mark));
            }
            card += 1;
        }
        None
    }

    /// Notes that an old object begins at `at`.
    ///
    /// # Safety
    /// The range lies in the old space, `at` and `bytes` are multiples of 8.
    #[inline(always)]
    pub(super) unsafe fn record_start(self, at: u32, bytes: u32) {
        let (first, last) = (card_of(at + (CARD_BYTES - 1)), card_of(at + (bytes - 1)));
        if first <= last {
            // SAFETY: by contract; these are cards whose first byte the object covers.
            unsafe { self.record_cards(at, first, last) };
        }
    }

    /// # Safety
    /// The object at `at` covers the first bytes of the cards from `first` to `last`, and no such
    /// byte before; all are open.
    unsafe fn record_cards(self, at: u32, first: u32, last: u32) {
        let before = ((first << CARD_SHIFT) - at) / ALIGN_BYTES;
        // SAFETY: by contract.
        unsafe { self.starts.add(first as usize).write(before as u8) };
        let cards = last - first;
        let mut step_log2 = 0;
        // Cards whose distance from the first lies between two powers of two share an entry.
        while 1 << step_log2 <= cards {
            let from = 1 << step_log2;
            let count = from.min(cards - from + 1);
            // SAFETY: by contract.
            unsafe {
                let entry = self.starts.add((first + from) as usize);
                entry.write_bytes(BACK + step_log2, count as usize);
            }
            step_log2 += 1;
        }
    }

    /// Where the object begins that covers the first byte of `card`.
    ///
    /// # Safety
    /// An old object covers that byte and was recorded.
    #[inline]
    pub(super) unsafe fn start_before(self, mut card: u32) -> u32 {
        loop {
            // SAFETY: by contract; entries lead to cards of the same object.
            let entry = unsafe { self.starts.add(card as usize).read() };
            if entry < BACK {
                return (card << CARD_SHIFT) - u32::from(entry) * ALIGN_BYTES;
            }
            card -= 1 << (entry - BACK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gc::spaces::{Part, Spaces};
    use selkie_module::heap::OLD_START;

    fn old_space(bytes: u32) -> (Spaces, Tables) {
        let mut spaces = Spaces::new(1 << 30).unwrap();
        spaces.grow(Part::Old, bytes).unwrap();
        let tables = spaces.tables();
        (spaces, tables)
    }

    #[test]
    fn every_card_finds_the_object_that_covers_its_first_byte() {
        let (_spaces, tables) = old_space(200 << 20);
        let mut at = OLD_START;
        let mut objects = Vec::new();
        let sizes = [8, 504, 512, 8, 520, 1024, 16, 4096, 100_000, 24, 1 << 20, 130 << 20, 8];
        for bytes in sizes {
            // SAFETY: old space, multiples of 8.
            unsafe { tables.record_start(at, bytes) };
            objects.push((at, bytes));
            at += bytes;
        }
        for (start, bytes) in objects {
            let cards = start.div_ceil(CARD_BYTES)..(start + bytes).div_ceil(CARD_BYTES);
            for card in cards {
                // SAFETY: recorded.
                assert_eq!(unsafe { tables.start_before(card) }, start, "card {card}");
            }
        }
    }

    #[test]
    fn dirty_cards_are_found_wherever_they_lie() {
        let (_spaces, tables) = old_space(1 << 20);
        let first = card_of(OLD_START);
        let end = first + 2048;
        for card in [0, 1, 7, 8, 15, 16, 1000, 2047] {
            let at = (first + card) << CARD_SHIFT;
            // SAFETY: old space.
            unsafe {
                assert_eq!(tables.next_dirty(first, end), None);
                tables.dirty_range(at + 511, 1);
                assert_eq!(tables.next_dirty(first, end), Some((first + card, 1)));
                assert_eq!(tables.next_dirty(first + card + 1, end), None);
                tables.clean_range(at, 512);
            }
        }
        // SAFETY: old space.
        unsafe {
            tables.dirty_range(OLD_START + 511, 2);
            assert_eq!(tables.next_dirty(first + 1, end), Some((first + 1, 1)));
            tables.clean_range(OLD_START, 0);
            assert_eq!(tables.next_dirty(first, end), Some((first, 1)));
        }
    }
}
