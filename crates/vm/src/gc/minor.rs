//! A minor collection: young objects that are reachable are copied out, all others are gone.
//!
//! From the nursery they go to the empty survivor half, from the other half to the old space; what
//! the half has no room for goes to the old space, too. What has been copied and not yet been
//! scanned lies between a scan offset and the top of each target, so there is no stack and no
//! recursion. References into the young space are found through the roots, the dirty cards, and
//! the stacks of continuations. Old objects are taken to be reachable.
//!
//! A slot that refers to what is to be copied waits in a short queue while the object is fetched:
//! the young space is often larger than what a processor has of a cache to itself, and waiting for
//! memory would be most of the time.
//!
//! The caller has made sure that everything that may be copied has room.

use std::ops::Range;

use selkie_module::heap::{CARD_SHIFT, INDEX, OLD_START, ObjectKind};

use super::Roots;
use super::cards::card_of;
use super::object::{Objects, has_refs, is_young};
use super::spaces::{CARD_BYTES, Tables};

/// Slots whose objects are fetched at once; a power of two.
const WAITING: usize = 16;

/// A slot of an object, and which card is to be marked if it refers to a young object: that at
/// `card_at`, none where that is 0.
#[derive(Clone, Copy, Default)]
struct Slot {
    at: u32,
    card_at: u32,
}

/// Slots that wait for what they refer to, first in, first out.
#[derive(Default)]
pub(super) struct Queue {
    slots: [Slot; WAITING],
    first: usize,
    end: usize,
}

impl Queue {
    /// Puts a slot at the end; answers the first one if there is no room for both.
    #[inline(always)]
    fn push(&mut self, slot: Slot) -> Option<Slot> {
        let over = (self.end - self.first == WAITING).then(|| self.pop()).flatten();
        self.slots[self.end % WAITING] = slot;
        self.end += 1;
        over
    }

    #[inline(always)]
    fn pop(&mut self) -> Option<Slot> {
        let slot = (self.first < self.end).then(|| self.slots[self.first % WAITING]);
        self.first += usize::from(slot.is_some());
        slot
    }
}

/// A minor collection under way.
pub(super) struct Minor {
    pub(super) objects: Objects,
    pub(super) tables: Tables,
    /// What is emptied: the nursery and the half beside it.
    pub(super) from: Range<u32>,
    /// The part of it whose objects are new.
    pub(super) nursery: Range<u32>,
    /// Where the next survivor goes, and the end of the half.
    pub(super) to: Range<u32>,
    /// Where the next old object goes.
    pub(super) old_top: u32,
    /// How much there was to do, in bytes looked at.
    pub(super) work_bytes: u64,
    /// Empty at the beginning and at the end.
    pub(super) queue: Queue,
}

impl Minor {
    /// Collects.
    ///
    /// # Safety
    /// The heap is consistent, the roots show all references. The half has been opened from
    /// `to.start` to `to.end`, the old space as far as everything in `from` may need.
    pub(super) unsafe fn run(&mut self, roots: &mut dyn Roots) {
        let (mut scanned, mut scanned_old) = (self.to.start, self.old_top);
        roots.visit(&mut |slots| {
            // SAFETY: these are references of the heap.
            unsafe { self.root_slots(slots) };
        });
        // SAFETY: by contract.
        unsafe {
            self.scan_cards(scanned_old);
            self.scan_old_conts(roots);
            loop {
                self.scan_survivors(&mut scanned, roots);
                self.scan_promoted(&mut scanned_old, roots);
                if scanned == self.to.start {
                    match self.queue.pop() {
                        Some(slot) => self.update(slot),
                        None => break,
                    }
                }
            }
        }
    }

    /// # Safety
    /// The slots hold references of the heap.
    unsafe fn root_slots(&mut self, slots: &mut [u64]) {
        self.work_bytes += size_of_val(slots) as u64;
        for place in 0..slots.len() {
            if let Some(ahead) = slots.get(place + WAITING) {
                self.objects.prefetch(*ahead as u32);
            }
            let slot = &mut slots[place];
            let value = *slot as u32;
            if self.is_leaving(value) {
                // SAFETY: by contract.
                *slot = u64::from(unsafe { self.evacuate(value) });
            }
        }
    }

    /// Whether a value refers to an object that is to be moved. Null lies below every space.
    #[inline(always)]
    fn is_leaving(&self, value: u32) -> bool {
        value & 1 == 0 && value.wrapping_sub(self.from.start) < self.from.end - self.from.start
    }

    /// Where the object at `at` is now.
    ///
    /// # Safety
    /// An object lies there, or did before it was copied.
    #[inline]
    unsafe fn evacuate(&mut self, at: u32) -> u32 {
        // SAFETY: by contract.
        if let Some(to) = unsafe { self.objects.forwarded(at) } {
            return to;
        }
        // SAFETY: it has not been forwarded, so it is an object; the targets are open, and beyond
        // their tops are no objects.
        unsafe {
            let ty = self.objects.type_at(at);
            let bytes = self.objects.bytes(at, ty);
            let is_new = self.nursery.contains(&at);
            let to = if is_new && bytes <= self.to.end - self.to.start {
                let to = self.to.start;
                self.to.start += bytes;
                to
            } else {
                let to = self.old_top;
                self.old_top += bytes;
                self.tables.record_start(to, bytes);
                to
            };
            self.objects.copy(at, to, bytes);
            self.objects.forward(at, to);
            to
        }
    }

    /// Sees to a slot in an object: now where that needs nothing but a look, otherwise when what it
    /// refers to has been fetched.
    ///
    /// # Safety
    /// It is the slot of a reference; the card is of an open region.
    #[inline(always)]
    unsafe fn slot(&mut self, slot: Slot) {
        // SAFETY: by contract.
        unsafe {
            let value = self.objects.word(slot.at);
            if self.is_leaving(value) {
                self.objects.prefetch(value);
                if let Some(first) = self.queue.push(slot) {
                    self.update(first);
                }
            } else if slot.card_at != 0 && is_young(value) {
                self.tables.dirty(slot.card_at);
            }
        }
    }

    /// Updates a slot.
    ///
    /// # Safety
    /// As for [`Minor::slot`]; it refers to what is to be moved.
    #[inline(always)]
    unsafe fn update(&mut self, slot: Slot) {
        // SAFETY: by contract.
        unsafe {
            let value = self.objects.word(slot.at);
            debug_assert!(self.is_leaving(value), "a slot waits once");
            let value = self.evacuate(value);
            self.objects.set_word(slot.at, value);
            if slot.card_at != 0 && is_young(value) {
                self.tables.dirty(slot.card_at);
            }
        }
    }

    /// # Safety
    /// There is a struct or exception whose type has these offsets; the card is of an open region.
    #[inline(always)]
    unsafe fn fields(&mut self, at: u32, offsets: &[u32], card_at: u32) {
        for offset in offsets {
            // SAFETY: by contract.
            unsafe { self.slot(Slot { at: at + offset, card_at }) };
        }
    }

    /// Scans copied objects of the half until there is none left.
    ///
    /// # Safety
    /// `scanned` is the beginning of an object of the half, or its top.
    unsafe fn scan_survivors(&mut self, scanned: &mut u32, roots: &mut dyn Roots) {
        let start = *scanned;
        while *scanned < self.to.start {
            let at = *scanned;
            // SAFETY: objects follow each other up to the top.
            unsafe {
                let ty = self.objects.type_at(at);
                *scanned += self.objects.bytes(at, ty);
                if ty.elements_are_refs != 0 {
                    for slot in self.objects.elements(at, ty).step_by(4) {
                        self.slot(Slot { at: slot, card_at: 0 });
                    }
                } else if ty.kind == ObjectKind::Cont as u8 {
                    self.scan_cont(at, roots);
                } else {
                    self.fields(at, self.objects.ref_offsets(ty), 0);
                }
            }
        }
        self.work_bytes += u64::from(*scanned - start);
    }

    /// Scans objects that have become old until there is none left, and marks the cards of those
    /// that still refer to young ones.
    ///
    /// # Safety
    /// As for [`Minor::scan_survivors`], of the old space.
    unsafe fn scan_promoted(&mut self, scanned: &mut u32, roots: &mut dyn Roots) {
        let start = *scanned;
        while *scanned < self.old_top {
            let at = *scanned;
            // SAFETY: objects follow each other up to the top.
            unsafe {
                let ty = self.objects.type_at(at);
                *scanned += self.objects.bytes(at, ty);
                if ty.elements_are_refs != 0 {
                    for slot in self.objects.elements(at, ty).step_by(4) {
                        self.slot(Slot { at: slot, card_at: slot });
                    }
                } else if ty.kind == ObjectKind::Cont as u8 {
                    self.scan_cont(at, roots);
                } else {
                    self.fields(at, self.objects.ref_offsets(ty), at);
                }
            }
        }
        self.work_bytes += u64::from(*scanned - start);
    }

    /// Scans the old continuations that may refer to young objects: those that have run since all
    /// they referred to was old.
    ///
    /// # Safety
    /// As for [`Minor::run`].
    unsafe fn scan_old_conts(&mut self, roots: &mut dyn Roots) {
        for place in 0..roots.continuations().len() {
            let slot = roots.continuations()[place];
            if slot.object >= OLD_START && slot.has_young != 0 {
                // SAFETY: by contract.
                unsafe { self.scan_cont(slot.object, roots) };
            }
        }
        self.work_bytes += size_of_val(roots.continuations()) as u64;
    }

    /// # Safety
    /// A continuation lies at `at`.
    unsafe fn scan_cont(&mut self, at: u32, roots: &mut dyn Roots) {
        // SAFETY: by contract.
        let place = unsafe { self.objects.word(at + INDEX) };
        let mut has_young = false;
        roots.visit_continuation(place, &mut |slots| {
            // SAFETY: these are references of the heap.
            unsafe { self.root_slots(slots) };
            has_young |= slots.iter().any(|slot| is_young(*slot as u32));
        });
        if let Some(slot) = roots.continuations().get_mut(place as usize) {
            slot.has_young = has_young.into();
        }
    }

    /// Scans what dirty cards tell, in objects below `old_end`; a card becomes clean, and dirty again
    /// where references to young objects remain.
    ///
    /// # Safety
    /// Below `old_end` the old space consists of objects with recorded starts.
    unsafe fn scan_cards(&mut self, old_end: u32) {
        let end = card_of(old_end + (CARD_BYTES - 1));
        let mut next = card_of(OLD_START);
        // SAFETY: by contract; the tables are open where regions are.
        unsafe {
            while let Some((card, _)) = self.tables.next_dirty(next, end) {
                self.tables.clean_range(card << CARD_SHIFT, 1);
                self.scan_card(card, old_end);
                self.work_bytes += u64::from(CARD_BYTES);
                next = card + 1;
            }
        }
    }

    /// Scans the objects that start in a card and the elements that lie in it.
    ///
    /// # Safety
    /// As for [`Minor::scan_cards`]; the card begins below `old_end`.
    unsafe fn scan_card(&mut self, card: u32, old_end: u32) {
        let start = card << CARD_SHIFT;
        let end = (start + CARD_BYTES).min(old_end);
        // SAFETY: an object covers the card's first byte, and objects follow each other from there.
        unsafe {
            let mut at = self.tables.start_before(card);
            while at < end {
                let ty = self.objects.type_at(at);
                if has_refs(ty) {
                    if ty.elements_are_refs != 0 {
                        let elements = self.objects.elements(at, ty);
                        let slots = elements.start.max(start)..elements.end.min(end);
                        for slot in slots.step_by(4) {
                            self.slot(Slot { at: slot, card_at: slot });
                        }
                    } else if at >= start {
                        self.fields(at, self.objects.ref_offsets(ty), at);
                    }
                }
                at += self.objects.bytes(at, ty);
            }
        }
    }
}
