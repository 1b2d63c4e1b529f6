//! Marking: what is reachable gets a bit for each 8 bytes of it.
//!
//! An object is *reached* when the bit of its first unit is set, which touches the bits only, and
//! put on a stack. When it is taken from there, its header is read: the bits of its other units are
//! set, and what it refers to is reached. In between it waits in a short queue while its header is
//! fetched: objects lie anywhere, and waiting for memory would otherwise be most of the time.
//!
//! The stack is bounded. An object that does not fit it stays reached and is noted in its card (full
//! collections need the cards for nothing else): the entry says, plus one, which unit of 8 bytes the
//! first such object of the card begins at. When the stack is empty, the noted cards are scanned
//! from there on. Long arrays are scanned piece by piece, so that they take one entry of the stack
//! however long they are.

use std::ops::Range;

use selkie_module::heap::{ALIGN_BYTES, CARD_SHIFT, INDEX, ObjectKind};

use super::Roots;
use super::cards::card_of;
use super::object::{Objects, is_object};
use super::spaces::{CARD_BYTES, Tables};

/// Elements of an array that are scanned at once.
const PIECE_ELEMENTS: u32 = 256;
/// Objects whose headers are fetched at once.
const QUEUE_ENTRIES: usize = 8;

/// An object to scan, and at which element of an array to go on.
#[derive(Clone, Copy)]
struct Entry {
    at: u32,
    element: u32,
}

/// Marking under way.
pub(super) struct Marker {
    objects: Objects,
    tables: Tables,
    stack: Vec<Entry>,
    capacity: usize,
    has_overflowed: bool,
}

impl Marker {
    /// A marker with a stack of `entries`; where there is no memory for it, everything goes by the
    /// cards.
    pub(super) fn new(objects: Objects, tables: Tables, entries: usize) -> Marker {
        let mut stack = Vec::new();
        let capacity = if stack.try_reserve_exact(entries).is_ok() { entries } else { 0 };
        Marker { objects, tables, stack, capacity, has_overflowed: false }
    }

    /// Marks everything that can be reached from the roots. `spaces` are the parts of the heap that
    /// hold objects.
    ///
    /// # Safety
    /// The heap is consistent, the roots show all references; marks and cards of the spaces are
    /// clear.
    pub(super) unsafe fn run(&mut self, roots: &mut dyn Roots, spaces: &[Range<u32>]) {
        roots.visit(&mut |slots| {
            for slot in slots {
                // SAFETY: these are references of the heap.
                unsafe { self.reach(*slot as u32) };
            }
        });
        // SAFETY: by contract.
        unsafe {
            self.drain(roots);
            while std::mem::take(&mut self.has_overflowed) {
                for space in spaces {
                    self.scan_noted(space, roots);
                }
            }
        }
    }

    /// Sees to it that what a value refers to will be scanned, unless it has been reached before.
    ///
    /// # Safety
    /// The value is one of the heap's references.
    #[inline(always)]
    unsafe fn reach(&mut self, value: u32) {
        if !is_object(value) {
            return;
        }
        let bit = 1 << ((value / ALIGN_BYTES) % u64::BITS);
        // SAFETY: an object lies there, and the tables are open where regions are.
        unsafe {
            let word = self.tables.marks.add(card_of(value) as usize);
            if *word & bit == 0 {
                *word |= bit;
                self.push(Entry { at: value, element: 0 });
            }
        }
    }

    /// Sets the bits of an object that has been reached.
    ///
    /// # Safety
    /// The object lies at `at` and has so many units.
    #[inline(always)]
    unsafe fn set_bits(&mut self, at: u32, units: u32) {
        let bit = (at / ALIGN_BYTES) % u64::BITS;
        if bit + units <= u64::BITS {
            // SAFETY: by contract.
            unsafe {
                let word = self.tables.marks.add(card_of(at) as usize);
                *word |= (u64::MAX >> (u64::BITS - units)) << bit;
            }
        } else {
            // SAFETY: by contract.
            unsafe { self.set_many_bits(at / ALIGN_BYTES, units) };
        }
    }

    /// Sets a run of bits that does not fit one word.
    ///
    /// # Safety
    /// They are the bits of an object.
    unsafe fn set_many_bits(&mut self, first: u32, units: u32) {
        let (head, tail) = (first % u64::BITS, (first + units) % u64::BITS);
        let (low, high) = (first / u64::BITS, (first + units) / u64::BITS);
        // SAFETY: by contract; where nothing of the last word is meant, it is not touched.
        unsafe {
            *self.tables.marks.add(low as usize) |= u64::MAX << head;
            let whole = self.tables.marks.add(low as usize + 1);
            whole.write_bytes(0xff, (high - low - 1) as usize);
            if tail != 0 {
                *self.tables.marks.add(high as usize) |= !(u64::MAX << tail);
            }
        }
    }

    /// # Safety
    /// The entry is about an object that has been reached.
    #[inline(always)]
    unsafe fn push(&mut self, entry: Entry) {
        let len = self.stack.len();
        if len < self.capacity {
            // SAFETY: the stack has room for `capacity` entries.
            unsafe {
                self.stack.as_mut_ptr().add(len).write(entry);
                self.stack.set_len(len + 1);
            }
            return;
        }
        // SAFETY: by contract.
        unsafe { self.note(entry) };
    }

    /// Notes an object in its card.
    ///
    /// # Safety
    /// As for [`Marker::push`].
    #[cold]
    unsafe fn note(&mut self, entry: Entry) {
        self.has_overflowed = true;
        let unit = (entry.at % CARD_BYTES / ALIGN_BYTES) as u8 + 1;
        // SAFETY: the tables are open where regions are.
        unsafe {
            let card = self.tables.cards.add(card_of(entry.at) as usize);
            if *card == 0 || unit < *card {
                *card = unit;
            }
        }
    }

    /// Scans what is on the stack.
    ///
    /// # Safety
    /// All entries are about objects that have been reached.
    unsafe fn drain(&mut self, roots: &mut dyn Roots) {
        let mut queue = [Entry { at: 0, element: 0 }; QUEUE_ENTRIES];
        let (mut first, mut end) = (0_usize, 0_usize);
        loop {
            while end - first < QUEUE_ENTRIES {
                let Some(entry) = self.stack.pop() else { break };
                self.objects.prefetch(entry.at);
                queue[end % QUEUE_ENTRIES] = entry;
                end += 1;
            }
            if first == end {
                return;
            }
            let entry = queue[first % QUEUE_ENTRIES];
            first += 1;
            // SAFETY: by contract.
            unsafe { self.scan(entry, roots) };
        }
    }

    /// Reaches what an object refers to, of a long array a piece.
    ///
    /// # Safety
    /// The entry is about an object that has been reached.
    #[inline(always)]
    unsafe fn scan(&mut self, Entry { at, element }: Entry, roots: &mut dyn Roots) {
        // SAFETY: by contract.
        unsafe {
            let ty = self.objects.type_at(at);
            if element == 0 {
                self.set_bits(at, self.objects.bytes(at, ty) / ALIGN_BYTES);
            }
            if ty.elements_are_refs != 0 {
                let slots = self.objects.elements(at, ty);
                let from = slots.start + element * 4;
                let piece = (slots.end - from).min(PIECE_ELEMENTS * 4);
                if from + piece < slots.end {
                    self.push(Entry { at, element: element + PIECE_ELEMENTS });
                }
                for slot in (from..from + piece).step_by(4) {
                    self.reach(self.objects.word(slot));
                }
            } else if ty.kind == ObjectKind::Cont as u8 {
                let place = self.objects.word(at + INDEX);
                roots.visit_continuation(place, &mut |slots| {
                    for slot in slots {
                        self.reach(*slot as u32);
                    }
                });
            } else {
                for offset in self.objects.ref_offsets(ty) {
                    self.reach(self.objects.word(at + offset));
                }
            }
        }
    }

    /// Scans the objects that were noted in cards.
    ///
    /// # Safety
    /// As for [`Marker::run`]; the stack is empty.
    unsafe fn scan_noted(&mut self, space: &Range<u32>, roots: &mut dyn Roots) {
        let end = card_of(space.end + (CARD_BYTES - 1));
        let mut next = card_of(space.start);
        // SAFETY: the tables are open where regions are; a note leads to an object that has been
        // reached, and the first mark behind an object begins another one.
        unsafe {
            while let Some((card, unit)) = self.tables.next_dirty(next, end) {
                self.tables.clean_range(card << CARD_SHIFT, 1);
                next = card + 1;
                let mut unit = u32::from(unit) - 1;
                while unit < u64::BITS {
                    let at = (card << CARD_SHIFT) + unit * ALIGN_BYTES;
                    let ty = self.objects.type_at(at);
                    let units = self.objects.bytes(at, ty) / ALIGN_BYTES;
                    self.scan_whole(at, roots);
                    unit = unit.saturating_add(units);
                    if unit < u64::BITS {
                        let rest = *self.tables.marks.add(card as usize) >> unit;
                        unit += rest.trailing_zeros();
                    }
                }
            }
        }
    }

    /// Scans all of an object, whatever room the stack has, and then what was pushed.
    ///
    /// # Safety
    /// An object that has been reached lies at `at`; the stack is empty.
    unsafe fn scan_whole(&mut self, at: u32, roots: &mut dyn Roots) {
        // SAFETY: by contract.
        unsafe {
            let ty = self.objects.type_at(at);
            if ty.elements_are_refs == 0 {
                self.scan(Entry { at, element: 0 }, roots);
                return self.drain(roots);
            }
            self.set_bits(at, self.objects.bytes(at, ty) / ALIGN_BYTES);
            for slot in self.objects.elements(at, ty).step_by(4) {
                self.reach(self.objects.word(slot));
                if !self.stack.is_empty() {
                    self.drain(roots);
                }
            }
        }
    }
}
