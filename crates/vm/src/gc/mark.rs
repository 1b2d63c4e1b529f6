//! Marking: what is reachable gets a bit for each 8 bytes of it.
//!
//! The stack of what is still to be scanned is bounded. An object that does not fit it stays marked
//! and is noted in its card (full collections need the cards for nothing else): the entry says, plus
//! one, which unit of 8 bytes the first such object of the card begins at. When the stack is empty,
//! the noted cards are scanned from there on. Long arrays are scanned piece by piece, so that they
//! take one entry of the stack however long they are.

use std::ops::Range;

use selkie_module::heap::{ALIGN_BYTES, CARD_SHIFT, INDEX, ObjectKind};

use super::Roots;
use super::cards::card_of;
use super::object::{Objects, has_refs, is_object};
use super::spaces::{CARD_BYTES, Tables};

/// Elements of an array that are scanned at once.
const PIECE_ELEMENTS: u32 = 256;
/// Entries the stack has at least: those of a system without memory.
const MIN_ENTRIES: usize = 4;

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
    /// A marker with a stack of `entries`, or fewer where memory is short.
    pub(super) fn new(objects: Objects, tables: Tables, entries: usize) -> Marker {
        let mut stack = Vec::new();
        let entries = entries.max(MIN_ENTRIES);
        if stack.try_reserve_exact(entries).is_err() {
            // Nothing is noted on the stack then; everything goes by the cards.
            return Marker { objects, tables, stack, capacity: 0, has_overflowed: false };
        }
        Marker { objects, tables, stack, capacity: entries, has_overflowed: false }
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
                unsafe { self.mark(*slot as u32) };
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

    /// Marks what a value refers to, and sees to it that it will be scanned.
    ///
    /// # Safety
    /// The value is one of the heap's references.
    #[inline]
    unsafe fn mark(&mut self, value: u32) {
        if !is_object(value) {
            return;
        }
        let block = card_of(value) as usize;
        let bit = (value / ALIGN_BYTES) % u64::BITS;
        // SAFETY: an object lies there, and the tables are open where regions are.
        unsafe {
            let word = self.tables.marks.add(block);
            if *word & (1 << bit) != 0 {
                return;
            }
            let ty = self.objects.type_at(value);
            let units = self.objects.bytes(value, ty) / ALIGN_BYTES;
            if bit + units <= u64::BITS {
                *word |= (u64::MAX >> (u64::BITS - units)) << bit;
            } else {
                self.set_bits(value / ALIGN_BYTES, units);
            }
            if has_refs(ty) || ty.kind == ObjectKind::Cont as u8 {
                self.push(Entry { at: value, element: 0 });
            }
        }
    }

    /// Sets a run of bits that does not fit one word.
    ///
    /// # Safety
    /// They are the bits of an object.
    unsafe fn set_bits(&mut self, first: u32, units: u32) {
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
    /// The entry is about a marked object.
    #[inline]
    unsafe fn push(&mut self, entry: Entry) {
        if self.stack.len() < self.capacity {
            self.stack.push(entry);
            return;
        }
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
    /// All entries are about marked objects.
    unsafe fn drain(&mut self, roots: &mut dyn Roots) {
        while let Some(entry) = self.stack.pop() {
            // SAFETY: by contract.
            unsafe { self.scan(entry, roots) };
        }
    }

    /// Marks what an object refers to.
    ///
    /// # Safety
    /// The entry is about a marked object.
    #[inline]
    unsafe fn scan(&mut self, Entry { at, element }: Entry, roots: &mut dyn Roots) {
        // SAFETY: by contract.
        unsafe {
            let ty = self.objects.type_at(at);
            if ty.elements_are_refs != 0 {
                let slots = self.objects.elements(at, ty);
                let from = slots.start + element * 4;
                let piece = (slots.end - from).min(PIECE_ELEMENTS * 4);
                if from + piece < slots.end {
                    self.push(Entry { at, element: element + PIECE_ELEMENTS });
                }
                for slot in (from..from + piece).step_by(4) {
                    self.mark(self.objects.word(slot));
                }
            } else if ty.kind == ObjectKind::Cont as u8 {
                let place = self.objects.word(at + INDEX);
                roots.visit_continuation(place, &mut |slots| {
                    for slot in slots {
                        self.mark(*slot as u32);
                    }
                });
            } else {
                for offset in self.objects.ref_offsets(ty) {
                    self.mark(self.objects.word(at + offset));
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
        // SAFETY: the tables are open where regions are; a note leads to a marked object, and what
        // is marked behind an object begins another one.
        unsafe {
            while let Some((card, unit)) = self.tables.next_dirty(next, end) {
                self.tables.clean_range(card << CARD_SHIFT, 1);
                next = card + 1;
                let mut unit = u32::from(unit) - 1;
                while unit < u64::BITS {
                    let at = (card << CARD_SHIFT) + unit * ALIGN_BYTES;
                    let ty = self.objects.type_at(at);
                    let units = self.objects.bytes(at, ty) / ALIGN_BYTES;
                    if has_refs(ty) || ty.kind == ObjectKind::Cont as u8 {
                        self.scan_whole(at, roots);
                    }
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
    /// A marked object lies at `at`; the stack is empty.
    unsafe fn scan_whole(&mut self, at: u32, roots: &mut dyn Roots) {
        // SAFETY: by contract.
        unsafe {
            let ty = self.objects.type_at(at);
            if ty.elements_are_refs == 0 {
                self.scan(Entry { at, element: 0 }, roots);
                return self.drain(roots);
            }
            for slot in self.objects.elements(at, ty).step_by(4) {
                self.mark(self.objects.word(slot));
                if !self.stack.is_empty() {
                    self.drain(roots);
                }
            }
        }
    }
}
