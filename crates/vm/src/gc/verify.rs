//! An independent look at the whole heap, for debug builds, stress mode and fuzzing.
//!
//! It reads headers and tables by itself, shares nothing with the collector but the layout of
//! objects, takes its time and its own memory, and says in a sentence what is wrong.

use std::collections::HashSet;
use std::ops::Range;

use selkie_module::TypeId;
use selkie_module::heap::{
    CARD_SHIFT, ELEMENTS, I31_TAG, LENGTH, OLD_START, ObjectKind, array_bytes,
};

use super::object::is_young;
use super::spaces::{CARD_BYTES, Part};
use super::{Heap, Roots};
use crate::context::{VMAllocation, VMType};

/// Heaps larger than this are looked at now and then only.
const SMALL_BYTES: u64 = 1 << 20;
/// How often large ones are.
const LARGE_EVERY: u64 = 64;

type Checked<T = ()> = Result<T, String>;

/// What has been found out so far.
struct Survey<'h> {
    heap: &'h Heap,
    nursery: Range<u32>,
    half: Range<u32>,
    /// Starts of all objects of the old space and the half.
    starts: HashSet<u32>,
    /// Objects of the nursery that were reached, and those of them not yet looked at.
    reached: HashSet<u32>,
    waiting: Vec<u32>,
}

impl Heap {
    /// Walks roots and objects and checks that: each reference is null, an `i31`, or leads to the
    /// start of an object of a known type; objects do not overlap and the old space has no gaps;
    /// old objects that refer to young ones have dirty cards; starts are recorded; sizes are kept.
    ///
    /// Between an allocation and the writing of the object, the object counts as unused.
    pub fn verify(&self, window: &VMAllocation, roots: &mut dyn Roots) -> Result<(), String> {
        let [old, half, nursery] = self.used_spaces(window);
        self.verify_sizes(window)?;
        let (starts, reached, waiting) = (HashSet::new(), HashSet::new(), Vec::new());
        let mut survey = Survey { heap: self, nursery, half, starts, reached, waiting };
        survey.list_objects(&old)?;
        survey.list_objects(&survey.half.clone())?;
        survey.check_roots(roots)?;
        survey.check_listed()?;
        for at in survey.starts.iter().copied().collect::<Vec<_>>() {
            survey.check_object(at)?;
        }
        while let Some(at) = survey.waiting.pop() {
            survey.check_object(at)?;
        }
        survey.check_overlap()?;
        self.verify_starts(&survey.starts)
    }

    /// After a collection, where that is asked for.
    ///
    /// # Panics
    /// When the heap is damaged: going on could only hide where.
    pub(super) fn check(&self, window: &VMAllocation, roots: &mut dyn Roots) {
        if !self.is_stressed && !cfg!(debug_assertions) {
            return;
        }
        let stats = self.stats(window);
        let done = stats.minor_collections + stats.full_collections;
        if stats.used_bytes <= SMALL_BYTES || done.is_multiple_of(LARGE_EVERY) {
            let verified = self.verify(window, roots);
            assert!(verified.is_ok(), "the collected heap is damaged: {verified:?}");
        }
    }

    fn verify_sizes(&self, window: &VMAllocation) -> Checked {
        let (limit, committed) = (self.spaces.whole_limit_bytes(), self.spaces.committed_bytes());
        if committed > limit {
            return Err(format!("{committed} bytes are committed, the limit is {limit}"));
        }
        let young = u64::from(self.spaces.region(Part::Nursery).bytes() + self.survivors_bytes());
        let room = u64::from(self.spaces.region(Part::Old).end() - self.old_top);
        let is_open = window.bump > u64::from(self.spaces.region(Part::Nursery).start());
        if is_open && room < young {
            return Err(format!("room for {room} bytes in the old space, {young} may be needed"));
        }
        Ok(())
    }

    /// Each card of the old space finds the object that covers its first byte.
    fn verify_starts(&self, starts: &HashSet<u32>) -> Checked {
        let mut old: Vec<u32> = starts.iter().copied().filter(|at| *at >= OLD_START).collect();
        old.sort_unstable();
        for (place, at) in old.iter().enumerate() {
            let end = old.get(place + 1).copied().unwrap_or(self.old_top);
            for card in at.div_ceil(CARD_BYTES)..end.div_ceil(CARD_BYTES) {
                // SAFETY: an object covers the card, so the table is open there.
                let found = unsafe { self.spaces.tables().start_before(card) };
                if found != *at {
                    return Err(format!("card {card} leads to {found:#x} instead of {at:#x}"));
                }
            }
        }
        Ok(())
    }
}

impl<'h> Survey<'h> {
    /// Walks a space without gaps.
    fn list_objects(&mut self, space: &Range<u32>) -> Checked {
        let mut at = space.start;
        while at < space.end {
            let (_, bytes) = self.header(at, space.end)?;
            self.starts.insert(at);
            at += bytes;
        }
        Ok(())
    }

    /// Type and size of the object at `at`, which ends at `end` at the latest. Unused memory is of
    /// type 0 and has a size.
    fn header(&self, at: u32, end: u32) -> Checked<(&'h VMType, u32)> {
        let (id, second) = (self.word(at), self.word(at + LENGTH));
        let ty = self.heap.types.get(TypeId(id));
        let ty = ty.ok_or_else(|| format!("the object at {at:#x} has no known type: {id:#x}"))?;
        let bytes = match ty.kind {
            kind if kind == ObjectKind::Array as u8 => array_bytes(second, ty.element_bytes_log2),
            kind if kind == ObjectKind::None as u8 => second.checked_mul(8),
            _ => Some(ty.object_bytes),
        };
        match bytes {
            Some(bytes) if bytes >= 8 && bytes.is_multiple_of(8) && bytes <= end - at => {
                Ok((ty, bytes))
            }
            _ => Err(format!("the object at {at:#x} of type {id} has a wrong size: {bytes:?}")),
        }
    }

    fn check_roots(&mut self, roots: &mut dyn Roots) -> Checked {
        let heap = self.heap;
        let mut result = Ok(());
        let mut see = |slots: &mut [u64]| {
            for slot in slots {
                if result.is_ok() {
                    result = match u32::try_from(*slot) {
                        Ok(value) => self.check_value(value, 0),
                        Err(_) => Err(format!("a root holds {slot:#x}, which is no reference")),
                    };
                }
            }
        };
        roots.visit(&mut see);
        for place in 0..roots.continuations().len() {
            let at = roots.continuations()[place].object;
            if at == 0 {
                continue;
            }
            if heap.kind_of(at) != Some(ObjectKind::Cont) || heap.place_of(at) != Ok(place as u32) {
                return Err(format!("no object at {at:#x} stands for continuation {place}"));
            }
            let mut has_young = false;
            roots.visit_continuation(place as u32, &mut |slots| {
                has_young |= slots.iter().any(|slot| is_young(*slot as u32));
                see(slots);
            });
            if at >= OLD_START && has_young && roots.continuations()[place].has_young == 0 {
                return Err(format!("the old continuation {place} refers to young objects"));
            }
        }
        result
    }

    /// Objects that stand for something outside are what their lists say.
    fn check_listed(&mut self) -> Checked {
        for at in self.heap.hosts.all() {
            if self.heap.kind_of(at) != Some(ObjectKind::Host) {
                return Err(format!("no host object lies at {at:#x}"));
            }
        }
        Ok(())
    }

    /// A value that must be a reference, in the object at `holder` or, for 0, in a root.
    fn check_value(&mut self, value: u32, holder: u32) -> Checked {
        if value == 0 || value & I31_TAG != 0 {
            return Ok(());
        }
        if self.nursery.contains(&value) && value.is_multiple_of(8) {
            let (ty, _) = self.header(value, self.nursery.end)?;
            if ty.kind == ObjectKind::None as u8 {
                return Err(format!("{holder:#x} refers to {value:#x}, which is unused"));
            }
            if self.reached.insert(value) {
                self.waiting.push(value);
            }
            return Ok(());
        }
        if self.starts.contains(&value) && self.word(value) != 0 {
            return Ok(());
        }
        Err(format!("{holder:#x} refers to {value:#x}, where no object begins"))
    }

    /// What an object refers to, and whether its cards tell.
    fn check_object(&mut self, at: u32) -> Checked {
        let (ty, _) = self.header(at, u32::MAX)?;
        let is_array = ty.kind == ObjectKind::Array as u8;
        let slots: Vec<u32> = if ty.elements_are_refs != 0 {
            (0..self.word(at + LENGTH)).map(|index| at + ELEMENTS + index * 4).collect()
        } else {
            // SAFETY: published descriptors describe a list.
            let refs = unsafe { std::slice::from_raw_parts(ty.refs, ty.ref_count as usize) };
            refs.iter().map(|offset| at + offset).collect()
        };
        for slot in slots {
            let value = self.word(slot);
            self.check_value(value, at)?;
            let is_young = value != 0 && value & I31_TAG == 0 && value < OLD_START;
            let remembered_by = if is_array { slot } else { at };
            if is_young && at >= OLD_START && !self.is_dirty(remembered_by) {
                return Err(format!(
                    "the old object at {at:#x} refers to the young one at {value:#x} from \
                     {slot:#x}, and the card of {remembered_by:#x} is clean"
                ));
            }
        }
        Ok(())
    }

    /// Objects that were reached in the nursery do not overlap.
    fn check_overlap(&self) -> Checked {
        let mut reached: Vec<u32> = self.reached.iter().copied().collect();
        reached.sort_unstable();
        for pair in reached.windows(2) {
            let (_, bytes) = self.header(pair[0], self.nursery.end)?;
            if bytes > pair[1] - pair[0] {
                return Err(format!("the object at {:#x} reaches into another", pair[0]));
            }
        }
        Ok(())
    }

    fn is_dirty(&self, at: u32) -> bool {
        // SAFETY: the tables are open where objects are.
        unsafe { self.heap.spaces.tables().cards.add((at >> CARD_SHIFT) as usize).read() != 0 }
    }

    fn word(&self, at: u32) -> u32 {
        // SAFETY: callers read inside spaces, which are open.
        unsafe { self.heap.base().add(at as usize).cast::<u32>().read() }
    }
}
