//! Sliding: what has been marked moves together at the start of the old space, in its order; live
//! young objects follow behind the old ones.
//!
//! A block is 512 bytes, for which there is one word of mark bits. The table of blocks says where
//! the first live byte of each goes, so an object goes there plus what lives before it in its block:
//! one load, one count of bits. No object has to be looked at to know where it goes, so references
//! are rewritten and objects moved in a single pass. What lies before the first gap stays where it
//! is: in a heap that has been slid before that is most of it, and costs next to nothing.

use std::ops::Range;

use selkie_module::heap::{ALIGN_BYTES, CARD_SHIFT, OLD_START};

use super::cards::card_of;
use super::object::{Objects, is_object};
use super::spaces::{CARD_BYTES, Tables};

/// Sliding under way.
#[derive(Clone, Copy)]
pub(super) struct Slider {
    objects: Objects,
    tables: Tables,
    /// Behind the last object that stays where it is; below are live objects without a gap.
    gap: u32,
    /// Behind the last object when all have moved.
    top: u32,
}

impl Slider {
    /// Decides where everything goes.
    ///
    /// # Safety
    /// `spaces` are the parts of the heap that hold objects, the old space first, and their live
    /// objects are marked.
    pub(super) unsafe fn plan(objects: Objects, tables: Tables, spaces: &[Range<u32>]) -> Slider {
        let mut slider = Slider { objects, tables, gap: OLD_START, top: OLD_START };
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("popcnt") {
            // SAFETY: by contract, and the processor has the instruction.
            unsafe { slider.plan_with_popcnt(spaces) };
            return slider;
        }
        // SAFETY: by contract.
        unsafe { slider.plan_anywhere(spaces) };
        slider
    }

    /// # Safety
    /// As for [`Slider::plan`].
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "popcnt")]
    unsafe fn plan_with_popcnt(&mut self, spaces: &[Range<u32>]) {
        // SAFETY: by contract.
        unsafe { self.plan_anywhere(spaces) };
    }

    /// # Safety
    /// As for [`Slider::plan`].
    #[inline(always)]
    unsafe fn plan_anywhere(&mut self, spaces: &[Range<u32>]) {
        let mut target = OLD_START;
        for space in spaces {
            for block in card_of(space.start)..card_of(space.end + (CARD_BYTES - 1)) {
                // SAFETY: the tables are open where regions are.
                unsafe {
                    self.tables.blocks.add(block as usize).write(target);
                    let live = self.tables.marks.add(block as usize).read();
                    if self.gap == block << CARD_SHIFT {
                        self.gap += live.trailing_ones() * ALIGN_BYTES;
                    }
                    target += live.count_ones() * ALIGN_BYTES;
                }
            }
        }
        self.top = target;
    }

    /// Behind the last object when all have moved.
    pub(super) fn top(self) -> u32 {
        self.top
    }

    /// Whether the object at `at` is marked.
    ///
    /// # Safety
    /// An object lies there.
    pub(super) unsafe fn is_live(self, at: u32) -> bool {
        // SAFETY: the tables are open where regions are.
        let marks = unsafe { self.tables.marks.add(card_of(at) as usize).read() };
        marks & (1 << ((at / ALIGN_BYTES) % u64::BITS)) != 0
    }

    /// Where a live object goes.
    ///
    /// # Safety
    /// It is marked, and the plan is made.
    #[inline(always)]
    pub(super) unsafe fn target(self, at: u32) -> u32 {
        if at.wrapping_sub(OLD_START) < self.gap - OLD_START {
            return at;
        }
        let block = card_of(at) as usize;
        let before = (1 << ((at / ALIGN_BYTES) % u64::BITS)) - 1;
        // SAFETY: the tables are open where regions are.
        unsafe {
            let live = self.tables.marks.add(block).read() & before;
            self.tables.blocks.add(block).read() + live.count_ones() * ALIGN_BYTES
        }
    }

    /// Rewrites references outside the heap.
    ///
    /// # Safety
    /// They are references of the heap to live objects, and the plan is made.
    pub(super) unsafe fn root_slots(self, slots: &mut [u64]) {
        for slot in slots {
            let value = *slot as u32;
            if is_object(value) {
                // SAFETY: by contract.
                *slot = u64::from(unsafe { self.target(value) });
            }
        }
    }

    /// Rewrites the references in all live objects of a space and moves them.
    ///
    /// # Safety
    /// It is one of those the plan was made for, and those before it have been moved.
    pub(super) unsafe fn move_space(self, space: &Range<u32>) {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("popcnt") {
            // SAFETY: by contract, and the processor has the instruction.
            return unsafe { self.move_space_with_popcnt(space) };
        }
        // SAFETY: by contract.
        unsafe { self.move_space_anywhere(space) };
    }

    /// # Safety
    /// As for [`Slider::move_space`].
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "popcnt")]
    unsafe fn move_space_with_popcnt(self, space: &Range<u32>) {
        // SAFETY: by contract.
        unsafe { self.move_space_anywhere(space) };
    }

    /// # Safety
    /// As for [`Slider::move_space`].
    #[inline(always)]
    unsafe fn move_space_anywhere(self, space: &Range<u32>) {
        let mut run = Run::default();
        let end = card_of(space.end + (CARD_BYTES - 1));
        let mut at = space.start;
        // SAFETY: the first live unit behind an object begins another one.
        unsafe {
            while let Some(next) = self.next_live(at, end) {
                if next != run.end {
                    self.move_run(run);
                    run = Run { start: next, end: next, target: self.target(next) };
                }
                let bytes = self.rewrite(next);
                if run.target != run.start {
                    self.tables.record_start(run.target + (next - run.start), bytes);
                }
                at = next + bytes;
                run.end = at;
            }
            self.move_run(run);
        }
    }

    /// Rewrites the references in an object, which has not been moved; answers its size.
    ///
    /// # Safety
    /// A live object lies at `at`, and the plan is made.
    #[inline(always)]
    unsafe fn rewrite(self, at: u32) -> u32 {
        // SAFETY: by contract; what a live object refers to is live.
        unsafe {
            let ty = self.objects.type_at(at);
            if ty.elements_are_refs != 0 {
                for slot in self.objects.elements(at, ty).step_by(4) {
                    self.rewrite_slot(slot);
                }
            } else {
                for offset in self.objects.ref_offsets(ty) {
                    self.rewrite_slot(at + offset);
                }
            }
            self.objects.bytes(at, ty)
        }
    }

    /// # Safety
    /// It is the slot of a reference in a live object.
    #[inline(always)]
    unsafe fn rewrite_slot(self, slot: u32) {
        // SAFETY: by contract.
        unsafe {
            let value = self.objects.word(slot);
            if is_object(value) {
                self.objects.set_word(slot, self.target(value));
            }
        }
    }

    /// The first live unit at `at` or behind it, before the block `end`.
    ///
    /// # Safety
    /// The tables are open up to `end`.
    #[inline(always)]
    unsafe fn next_live(self, at: u32, end: u32) -> Option<u32> {
        let mut block = card_of(at);
        if block >= end {
            return None;
        }
        let bit = (at / ALIGN_BYTES) % u64::BITS;
        // SAFETY: by contract.
        unsafe {
            let mut marks = self.tables.marks.add(block as usize).read() & (u64::MAX << bit);
            while marks == 0 {
                block += 1;
                if block >= end {
                    return None;
                }
                marks = self.tables.marks.add(block as usize).read();
            }
            Some((block << CARD_SHIFT) + marks.trailing_zeros() * ALIGN_BYTES)
        }
    }

    /// Moves neighbours together.
    ///
    /// # Safety
    /// Everything between source and target has been moved or is dead.
    unsafe fn move_run(self, Run { start, end, target }: Run) {
        if target != start {
            let (source, target) = (self.objects.address(start), self.objects.address(target));
            // SAFETY: both ranges are open: the target lies below, or in what the caller has
            // opened for young objects.
            unsafe { std::ptr::copy(source, target, (end - start) as usize) };
        }
    }
}

/// Live objects without a gap between them.
#[derive(Clone, Copy, Default)]
struct Run {
    start: u32,
    end: u32,
    target: u32,
}
