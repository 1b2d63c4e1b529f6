//! The collected heap of a store: a precise, moving collector with two generations.
//!
//! ```text
//!            base ─┐
//! tables ┄┄┄ cards │ closed │ half │ nursery │ half │ old ────────▶ ┄┄┄
//!                  0        64 KiB                  64 MiB          top
//! ```
//!
//! Machine code makes objects in the nursery by raising [`VMAllocation::bump`]. When that is full,
//! a *minor* collection (`minor.rs`) copies what is reachable to a survivor half, and what has
//! survived there before to the old space. When the old space has grown enough, a *full* collection
//! marks everything reachable (`mark.rs`) and slides it together (`slide.rs`).
//!
//! Invariants, between collections:
//! * A reference is null, an `i31`, or the offset of an object; nothing points into an object.
//! * The old space is a run of objects without gaps, whose starts are recorded (`cards.rs`).
//! * An old object that refers to a young one is remembered by a dirty card.
//! * While the nursery is open, the old space has room for all that is young (`sizing.rs`), so no
//!   collection opens pages, and none can fail.
//! * What is committed never exceeds the limit of the store.
//!
//! What a reference may refer to is stated in `selkie_module::heap`. This module knows neither
//! modules nor stores: roots come through [`Roots`], types through [`TypeTable`]. It does not decide
//! when host data is dropped; it says which of it nobody can reach any longer.

mod access;
mod arrays;
mod cards;
mod mark;
mod minor;
mod object;
mod outside;
#[cfg(test)]
mod refused;
mod sizing;
mod slide;
mod spaces;
mod types;
mod verify;

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use selkie_module::TrapCode;
use selkie_module::heap::{ALIGN_BYTES, CARD_SHIFT, INDEX, OLD_START, ObjectKind};

pub use types::TypeTable;

use crate::context::VMAllocation;
use crate::continuation::VMContinuationSlot;
use crate::{ResourceError, TrapResult};
use mark::Marker;
use minor::Minor;
use object::Objects;
use outside::{Fate, Outside};
use sizing::{Sizing, half_bytes, nursery_that_fits};
use slide::Slider;
use spaces::{Part, Spaces};

/// Objects larger than this begin in the old space: copying them is what a nursery cannot afford.
const LARGE_BYTES: u32 = 32 << 10;
/// In stress mode each collection of this many is a full one.
const STRESS_FULL_EVERY: u64 = 5;
/// What freed memory reads as in stress mode. As a type it is unknown, as a reference it leads to
/// where no heap has anything.
const POISON: u8 = 0xfe;
/// Pages above the old space's top that are kept for what comes next.
const KEPT_BYTES: u32 = 1 << 20;

/// What refers to objects from outside the heap.
///
/// # Safety
/// [`Roots::visit`] shows every slot outside the heap through which an object may be used later,
/// except those of suspended continuations, which [`Roots::visit_continuation`] shows. Each slot
/// holds null, an `i31`, or a reference of the heap, zero-extended, and holds after the call what
/// was written. No slot is shown twice in one visit; a collection may ask for several.
pub unsafe trait Roots {
    /// Shows all slots.
    fn visit(&mut self, see: &mut dyn FnMut(&mut [u64]));

    /// The owner's list of continuations by place, with the objects that stand for them. Machine
    /// code writes it; a collection tells there where objects have moved.
    fn continuations(&mut self) -> &mut [VMContinuationSlot];

    /// Shows the slots of the suspended continuation that `place` stands for in the owner's list.
    /// Place 0 stands for none.
    fn visit_continuation(&mut self, place: u32, see: &mut dyn FnMut(&mut [u64]));

    /// Hears that an object of the heap ([`ObjectKind::Host`] or [`ObjectKind::Cont`]) has died that
    /// stood for `place` in the owner's list. Must not use the heap.
    fn died(&mut self, kind: ObjectKind, place: u32);
}

/// How a heap is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeapConfig {
    /// What all spaces together may take. Tables of the collector, about a fortieth of it, do not
    /// count.
    pub limit_bytes: u64,
    /// The nursery at first.
    pub initial_nursery_bytes: u32,
    /// Entries of the stack that marking uses; what does not fit costs time, not correctness.
    pub mark_stack_entries: usize,
    /// Whether to collect at each allocation, so that references that were forgotten are noticed.
    pub is_stressed: bool,
}

impl Default for HeapConfig {
    fn default() -> HeapConfig {
        HeapConfig {
            limit_bytes: 4 << 30,
            initial_nursery_bytes: 1 << 20,
            mark_stack_entries: 1 << 16,
            is_stressed: false,
        }
    }
}

/// Kinds of collections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collection {
    /// Young objects only.
    Minor,
    /// All objects.
    Full,
}

/// What a heap has done and has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcStats {
    /// Minor collections so far.
    pub minor_collections: u64,
    /// Full collections so far.
    pub full_collections: u64,
    /// Bytes of all objects ever made.
    pub allocated_bytes: u64,
    /// Bytes of the objects in use now, dead ones among them.
    pub used_bytes: u64,
    /// Bytes of the objects that lived after the last full collection.
    pub live_bytes: u64,
    /// Bytes that count against the limit now.
    pub committed_bytes: u64,
    /// Bytes that ever counted against the limit.
    pub peak_committed_bytes: u64,
    /// The longest collection.
    pub longest_pause_ns: u64,
}

/// The collected heap of a store. Dropping it unmaps it; host data is its owner's.
///
/// Functions that make objects or collect take the owner's [`VMAllocation`], which machine code
/// uses in between; all zero at first. It is always that of this heap.
#[derive(Debug)]
pub struct Heap {
    types: Arc<TypeTable>,
    spaces: Spaces,
    sizing: Sizing,
    hosts: Outside,
    /// The half that holds survivors.
    half: usize,
    /// Behind the last survivor.
    half_top: u32,
    /// Behind the last old object.
    old_top: u32,
    mark_stack_entries: usize,
    is_stressed: bool,
    stats: GcStats,
}

impl Heap {
    /// An empty heap for objects of these types. Takes address space; memory comes with objects.
    pub fn new(types: Arc<TypeTable>, config: &HeapConfig) -> Result<Heap, ResourceError> {
        let spaces = Spaces::new(config.limit_bytes)?;
        let room = spaces.limit_bytes().min(u64::from(spaces.region(Part::Old).max_bytes()));
        let half_top = spaces.region(Part::Half(0)).start();
        Ok(Heap {
            types,
            sizing: Sizing::new(room, config.initial_nursery_bytes),
            spaces,
            hosts: Outside::new(ObjectKind::Host),
            half: 0,
            half_top,
            old_top: OLD_START,
            mark_stack_entries: config.mark_stack_entries,
            is_stressed: config.is_stressed,
            stats: GcStats::default(),
        })
    }

    /// What references are counted from. Never changes.
    pub fn base(&self) -> *mut u8 {
        self.spaces.base()
    }

    /// Leaves so much of the limit to what the owner keeps outside for objects of the heap. What the
    /// heap has already is given up at collections only.
    pub fn set_outside_bytes(&mut self, bytes: u64) {
        self.spaces.set_outside_bytes(bytes);
    }

    /// Bytes that count against the limit now.
    pub fn committed_bytes(&self) -> u64 {
        self.spaces.committed_bytes()
    }

    /// The types of its objects.
    pub fn types(&self) -> &Arc<TypeTable> {
        &self.types
    }

    /// Room for an object of `bytes` (rounded up to 8), after collecting where there was none. All
    /// references move unless `roots` shows them.
    ///
    /// The memory is not initialised. It counts as unused until a type is written into its first
    /// word; before anything else is allocated, all of the object must have been written.
    /// References may be stored into it before that without a barrier.
    ///
    /// Traps with [`TrapCode::AllocationTooLarge`] when the limit or the system allows no more.
    pub fn alloc(
        &mut self,
        window: &mut VMAllocation,
        bytes: u64,
        roots: &mut dyn Roots,
    ) -> TrapResult<u32> {
        let size = bytes.max(1).checked_next_multiple_of(ALIGN_BYTES.into());
        let size = size.and_then(|size| u32::try_from(size).ok());
        let size = size.ok_or(TrapCode::AllocationTooLarge)?;
        if self.is_stressed {
            self.collect_for_stress(window, roots);
        }
        if size > self.large_bytes() {
            return self.alloc_old(window, size, roots);
        }
        if let Some(at) = self.bump(window, size) {
            return Ok(at);
        }
        self.make_room(window, roots);
        match self.bump(window, size) {
            Some(at) => Ok(at),
            // No nursery means no memory. What little may be left for old objects is not given to
            // small ones: collecting all for each of them would take forever.
            None if self.spaces.region(Part::Nursery).bytes() == 0 => {
                Err(TrapCode::AllocationTooLarge)
            }
            None => self.alloc_old(window, size, roots),
        }
    }

    /// Collects. A heap that has nothing stays as it is.
    pub fn collect(&mut self, kind: Collection, window: &mut VMAllocation, roots: &mut dyn Roots) {
        if self.spaces.committed_bytes() > 0 {
            self.collect_and_open(kind, window, roots);
        }
    }

    fn collect_and_open(
        &mut self,
        kind: Collection,
        window: &mut VMAllocation,
        roots: &mut dyn Roots,
    ) {
        self.run(kind, window, roots);
        if !self.open_nursery(window, 0) && kind == Collection::Minor {
            self.run(Collection::Full, window, roots);
            self.open_nursery(window, 0);
        }
    }

    /// Collects everything and gives back all memory that holds no objects; for a store that will
    /// be idle.
    pub fn trim(&mut self, window: &mut VMAllocation, roots: &mut dyn Roots) {
        self.run(Collection::Full, window, roots);
        self.sizing.forget();
        *window = VMAllocation::default();
        for part in [Part::Half(0), Part::Half(1), Part::Nursery] {
            self.spaces.shrink(part, 0);
        }
        self.spaces.shrink(Part::Old, self.old_used());
    }

    /// What the heap has done and has.
    pub fn stats(&self, window: &VMAllocation) -> GcStats {
        let new = self.nursery_top(window) - self.spaces.region(Part::Nursery).start();
        GcStats {
            allocated_bytes: self.stats.allocated_bytes + u64::from(new),
            used_bytes: u64::from(new + self.survivors_bytes()) + u64::from(self.old_used()),
            committed_bytes: self.spaces.committed_bytes(),
            peak_committed_bytes: self.spaces.peak_bytes(),
            ..self.stats
        }
    }

    fn objects(&self) -> Objects {
        Objects::new(self.base(), self.types.base())
    }

    /// Behind the last object of the nursery.
    fn nursery_top(&self, window: &VMAllocation) -> u32 {
        let nursery = self.spaces.region(Part::Nursery);
        window.bump.clamp(nursery.start().into(), nursery.end().into()) as u32
    }

    fn survivors_bytes(&self) -> u32 {
        self.half_top - self.spaces.region(Part::Half(self.half)).start()
    }

    fn old_used(&self) -> u32 {
        self.old_top - OLD_START
    }

    /// The parts of the heap that hold objects, the old space first.
    fn used_spaces(&self, window: &VMAllocation) -> [Range<u32>; 3] {
        let start = |part| self.spaces.region(part).start();
        [
            OLD_START..self.old_top,
            start(Part::Half(self.half))..self.half_top,
            start(Part::Nursery)..self.nursery_top(window),
        ]
    }

    /// Objects larger than this do not go to the nursery.
    fn large_bytes(&self) -> u32 {
        match self.spaces.region(Part::Nursery).bytes() {
            0 => LARGE_BYTES,
            nursery => LARGE_BYTES.min(nursery / 4),
        }
    }

    /// Room in the nursery.
    fn bump(&self, window: &mut VMAllocation, size: u32) -> Option<u32> {
        let at = self.nursery_top(window);
        let end = at.checked_add(size)?;
        if end > self.spaces.region(Part::Nursery).end() {
            return None;
        }
        window.bump = end.into();
        // SAFETY: open, and no object's since it lay behind the last one.
        unsafe { self.objects().fill(at, size) };
        Some(at)
    }

    /// Empties the nursery and opens it again; where memory is short it may have become small.
    fn make_room(&mut self, window: &mut VMAllocation, roots: &mut dyn Roots) {
        let old_bytes = u64::from(self.old_used());
        let kind = match self.sizing.wants_full(old_bytes) {
            true => Collection::Full,
            false => Collection::Minor,
        };
        self.collect_and_open(kind, window, roots);
    }

    fn collect_for_stress(&mut self, window: &mut VMAllocation, roots: &mut dyn Roots) {
        let done = self.stats.minor_collections + self.stats.full_collections;
        let kind = match done % STRESS_FULL_EVERY {
            0 => Collection::Full,
            _ => Collection::Minor,
        };
        self.collect_and_open(kind, window, roots);
    }

    /// Room in the old space, for what is too large for the nursery. All its cards are dirty, as
    /// fresh objects are written without a barrier.
    fn alloc_old(
        &mut self,
        window: &mut VMAllocation,
        size: u32,
        roots: &mut dyn Roots,
    ) -> TrapResult<u32> {
        if u64::from(size) > self.spaces.limit_bytes() {
            return Err(TrapCode::AllocationTooLarge);
        }
        let wanted = u64::from(self.old_used()) + u64::from(size);
        let is_due = self.old_top > OLD_START && self.sizing.wants_full(wanted);
        if is_due || self.reserve_old(size).is_err() {
            self.run(Collection::Full, window, roots);
            self.open_nursery(window, size);
            self.reserve_old(size).map_err(|_| TrapCode::AllocationTooLarge)?;
        }
        let at = self.old_top;
        self.old_top += size;
        self.stats.allocated_bytes += u64::from(size);
        let tables = self.spaces.tables();
        // SAFETY: the range has been opened and lies behind the last object.
        unsafe {
            self.objects().fill(at, size);
            tables.record_start(at, size);
            tables.dirty_range(at, size);
        }
        Ok(at)
    }

    /// Makes sure that the old space has room for `size` and for all that is young.
    fn reserve_old(&mut self, size: u32) -> Result<(), ResourceError> {
        let young = self.survivors_bytes() + self.spaces.region(Part::Nursery).bytes();
        let refused = || ResourceError::LimitExceeded {
            requested: size.into(),
            limit: self.spaces.limit_bytes(),
        };
        let bytes = self.old_used().checked_add(size).and_then(|bytes| bytes.checked_add(young));
        let bytes = bytes.ok_or_else(refused)?;
        self.spaces.grow(Part::Old, bytes)
    }

    /// Opens the empty nursery as large as is wanted and memory allows, with `extra_bytes` left over
    /// for the old space. Answers whether it has at least the least size; otherwise it is closed.
    fn open_nursery(&mut self, window: &mut VMAllocation, extra_bytes: u32) -> bool {
        let mut wanted = self.sizing.wanted_bytes();
        let start = self.spaces.region(Part::Nursery).start();
        *window = VMAllocation { bump: start.into(), limit: 0 };
        loop {
            let nursery = self.nursery_that_fits(wanted, extra_bytes);
            if nursery < self.sizing.least_bytes() {
                self.spaces.shrink(Part::Nursery, 0);
                self.spaces.shrink(Part::Half(self.half ^ 1), 0);
                return false;
            }
            if self.resize_young(nursery, extra_bytes).is_ok() {
                if !self.is_stressed {
                    window.limit = self.spaces.region(Part::Nursery).end().into();
                }
                return true;
            }
            // The system has no memory for this much.
            wanted = nursery / 2;
        }
    }

    fn nursery_that_fits(&mut self, wanted: u32, extra_bytes: u32) -> u32 {
        let survivors = self.survivors_bytes();
        let old = u64::from(self.old_used()) + u64::from(extra_bytes) + u64::from(survivors);
        let room = self.spaces.limit_bytes();
        let free = |half: u32| room.saturating_sub(old + u64::from(half));
        let half = self.spaces.region(Part::Half(self.half)).bytes();
        let fits = nursery_that_fits(free(half), wanted);
        let old_room = u64::from(self.spaces.region(Part::Old).max_bytes()).saturating_sub(old);
        let fits = match fits == wanted {
            true => fits,
            false => {
                self.spaces.shrink(Part::Half(self.half), survivors);
                nursery_that_fits(free(spaces::pages(survivors)), wanted)
            }
        };
        fits.min((old_room.min(u64::from(u32::MAX)) as u32) & !4095)
    }

    /// Gives nursery, empty half and old space the sizes that belong together.
    fn resize_young(&mut self, nursery: u32, extra_bytes: u32) -> Result<(), ResourceError> {
        let empty_half = Part::Half(self.half ^ 1);
        let old_kept = self.old_used() + self.survivors_bytes() + nursery;
        let old = old_kept.checked_add(extra_bytes).ok_or(ResourceError::OutOfRange)?;
        let half = half_bytes(nursery);
        let now = self.spaces.region(Part::Nursery).bytes();
        if nursery < now {
            self.spaces.shrink(Part::Nursery, nursery);
            self.spaces.shrink(empty_half, half);
        }
        let spaces = &self.spaces;
        let others = u64::from(nursery)
            + u64::from(half.max(spaces.region(empty_half).bytes()))
            + u64::from(spaces.region(Part::Half(self.half)).bytes());
        if others + u64::from(old.max(spaces.region(Part::Old).bytes())) > spaces.limit_bytes() {
            self.spaces.shrink(Part::Old, old_kept);
            self.spaces.shrink(empty_half, half);
        }
        self.spaces.grow(Part::Old, old_kept)?;
        self.spaces.grow(empty_half, half)?;
        self.spaces.grow(Part::Nursery, nursery)
    }

    /// Collects; the nursery is empty and closed afterwards.
    fn run(&mut self, kind: Collection, window: &mut VMAllocation, roots: &mut dyn Roots) {
        let used = self.used_spaces(window);
        let is_young_empty = used[1].is_empty() && used[2].is_empty();
        if is_young_empty && (kind == Collection::Minor || used[0].is_empty()) {
            return;
        }
        let start = Instant::now();
        self.stats.allocated_bytes += u64::from(used[2].end - used[2].start);
        match kind {
            Collection::Minor => self.run_minor(&used, roots),
            Collection::Full => self.run_full(&used, roots),
        }
        window.bump = self.spaces.region(Part::Nursery).start().into();
        window.limit = 0;
        if self.is_stressed {
            let freed = self.old_top..used[0].end;
            for range in [&used[1], &used[2], &freed] {
                self.poison(range);
            }
        }
        let pause_ns = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.stats.longest_pause_ns = self.stats.longest_pause_ns.max(pause_ns);
        self.check(window, roots);
    }

    fn run_minor(&mut self, used: &[Range<u32>; 3], roots: &mut dyn Roots) {
        let [_, half, nursery] = used.clone();
        let to = self.spaces.region(Part::Half(self.half ^ 1));
        // The nursery lies between the halves, so that both ends make one range.
        let from = half.start.min(nursery.start)..half.end.max(nursery.end);
        let from = if half.is_empty() { nursery.clone() } else { from };
        let mut minor = Minor {
            objects: self.objects(),
            tables: self.spaces.tables(),
            from,
            nursery: nursery.clone(),
            to: to.start()..to.end(),
            old_top: self.old_top,
            work_bytes: 0,
            queue: minor::Queue::default(),
        };
        // SAFETY: the invariants of the heap; `open_nursery` made sure of the room.
        unsafe { minor.run(roots) };
        self.half ^= 1;
        self.half_top = minor.to.start;
        self.old_top = minor.old_top;
        self.sizing.after_minor(minor.work_bytes, u64::from(nursery.end - nursery.start));
        self.stats.minor_collections += 1;
        let objects = self.objects();
        // SAFETY: these were objects, and what was not forwarded is unchanged.
        let fate = |at| unsafe {
            match objects.forwarded(at) {
                Some(to) => Fate::Lives(to),
                None => Fate::Died(objects.word(at + INDEX)),
            }
        };
        self.hosts.after_minor(|at| at < OLD_START, fate, &mut |kind, at| roots.died(kind, at));
        outside::move_continuations(
            roots,
            |at| if at < OLD_START { fate(at) } else { Fate::Lives(at) },
        );
    }

    fn run_full(&mut self, used: &[Range<u32>; 3], roots: &mut dyn Roots) {
        let (objects, tables) = (self.objects(), self.spaces.tables());
        // SAFETY: the invariants of the heap; everything used is open, and so are its tables.
        let slider = unsafe {
            for Range { start, end } in used.iter().cloned() {
                tables.clean_range(start, end - start);
                let blocks = (end - start).div_ceil(spaces::CARD_BYTES) as usize;
                tables.marks.add((start >> CARD_SHIFT) as usize).write_bytes(0, blocks);
            }
            Marker::new(objects, tables, self.mark_stack_entries).run(roots, used);
            Slider::plan(objects, tables, used)
        };
        // SAFETY: the plan is made; roots show what has been marked.
        roots.visit(&mut |slots| unsafe { slider.root_slots(slots) });
        for place in 0..roots.continuations().len() {
            let slot = &mut roots.continuations()[place];
            // Nothing is young afterwards.
            slot.has_young = 0;
            let at = slot.object;
            // SAFETY: these are objects, which have not been moved yet; the plan is made, and the
            // slots of a live continuation have been marked.
            unsafe {
                if at != 0 && slider.is_live(at) {
                    let mut see = |slots: &mut [u64]| slider.root_slots(slots);
                    roots.visit_continuation(place as u32, &mut see);
                }
            }
        }
        // SAFETY: as above.
        let fate = |at| unsafe {
            match slider.is_live(at) {
                true => Fate::Lives(slider.target(at)),
                false => Fate::Died(objects.word(at + INDEX)),
            }
        };
        self.hosts.after_full(fate, &mut |kind, place| roots.died(kind, place));
        outside::move_continuations(roots, fate);
        for space in used {
            // SAFETY: in the order of the plan; the old space has room for all that is young.
            unsafe { slider.move_space(space) };
        }
        self.after_full(slider.top());
    }

    /// Everything lives below `top` now.
    fn after_full(&mut self, top: u32) {
        self.old_top = top;
        self.half_top = self.spaces.region(Part::Half(self.half)).start();
        self.stats.full_collections += 1;
        self.stats.live_bytes = u64::from(self.old_used());
        self.sizing.after_full(self.stats.live_bytes);
        // What is used up before all is collected again is not worth giving back: the system would
        // have to clear it anew.
        let kept = self.sizing.budget_bytes().max(KEPT_BYTES.into());
        let kept = (u64::from(self.old_used()) + kept).min(u64::from(u32::MAX));
        self.spaces.shrink(Part::Old, kept as u32);
    }

    fn poison(&mut self, range: &Range<u32>) {
        let start = self.objects().address(range.start);
        let bytes = range.end.saturating_sub(range.start);
        // SAFETY: open, and nothing lives there any longer.
        unsafe { start.write_bytes(POISON, bytes as usize) };
    }
}
