//! A heap with an owner: roots, types, and objects made as machine code makes them.

use std::collections::HashMap;
use std::sync::Arc;

use selkie_module::heap::{
    CARD_SHIFT, CARDS_BELOW_BASE, ELEMENTS, ObjectKind, Slot, TypeShape, array_bytes,
};
use selkie_module::{TrapCode, TypeId};
use selkie_vm::{Collection, Heap, HeapConfig, Roots, TypeTable, VMAllocation, VMContinuationSlot};

/// A struct of two references, at [`CAR`] and [`CDR`].
pub(crate) const PAIR: TypeId = TypeId(2);
pub(crate) const CAR: u32 = 4;
pub(crate) const CDR: u32 = 8;
/// An array of references.
pub(crate) const REFS: TypeId = TypeId(3);
/// An array of bytes.
pub(crate) const BYTES: TypeId = TypeId(4);
/// An array of 64-bit numbers.
pub(crate) const LONGS: TypeId = TypeId(5);
/// A struct of an `i64` at 8 and a `v128` at 16.
pub(crate) const NUMBERS: TypeId = TypeId(6);
/// An exception with an `i32` at 8 and a reference at 12.
pub(crate) const EXCEPTION: TypeId = TypeId(7);
/// A continuation.
pub(crate) const CONT: TypeId = TypeId(8);
/// A struct of 400 references, from 4 on: it covers more than three cards.
pub(crate) const WIDE: TypeId = TypeId(9);
pub(crate) const WIDE_REFS: u32 = 400;
/// A struct with nothing in it.
pub(crate) const EMPTY: TypeId = TypeId(10);

fn types() -> Arc<TypeTable> {
    let object = |kind, bytes, refs: &[u32]| TypeShape {
        bytes,
        refs: refs.into(),
        ..TypeShape::handle(kind)
    };
    let array = |element_bytes_log2, elements_are_refs| TypeShape {
        element_bytes_log2,
        elements_are_refs,
        ..TypeShape::handle(ObjectKind::Array)
    };
    let wide: Vec<u32> = (0..WIDE_REFS).map(|n| 4 + 4 * n).collect();
    let table = TypeTable::new(100).unwrap();
    table
        .extend([
            object(ObjectKind::Struct, 16, &[CAR, CDR]),
            array(2, true),
            array(0, false),
            array(3, false),
            object(ObjectKind::Struct, 32, &[]),
            object(ObjectKind::Exception, 16, &[12]),
            object(ObjectKind::Cont, 8, &[]),
            object(ObjectKind::Struct, (4 + 4 * WIDE_REFS).next_multiple_of(8), &wide),
            object(ObjectKind::Struct, 8, &[]),
        ])
        .unwrap();
    Arc::new(table)
}

/// The owner's side.
#[derive(Debug, Default)]
pub(crate) struct Owner {
    pub(crate) slots: Vec<u64>,
    /// The stacks of suspended continuations.
    pub(crate) stacks: HashMap<u32, Vec<u64>>,
    /// The objects that stand for them.
    pub(crate) continuations: Vec<VMContinuationSlot>,
    /// What has been reported dead.
    pub(crate) dead: Vec<(ObjectKind, u32)>,
}

// SAFETY: the tests keep references in `slots` and `stacks` only, or read them anew.
unsafe impl Roots for Owner {
    fn visit(&mut self, see: &mut dyn FnMut(&mut [u64])) {
        // As several lists.
        let middle = self.slots.len() / 2;
        let (head, tail) = self.slots.split_at_mut(middle);
        see(head);
        see(tail);
    }

    fn continuations(&mut self) -> &mut [VMContinuationSlot] {
        &mut self.continuations
    }

    fn visit_continuation(&mut self, place: u32, see: &mut dyn FnMut(&mut [u64])) {
        if let Some(stack) = self.stacks.get_mut(&place) {
            see(stack);
        }
    }

    fn died(&mut self, kind: ObjectKind, place: u32) {
        self.dead.push((kind, place));
    }
}

pub(crate) struct World {
    pub(crate) heap: Heap,
    pub(crate) window: VMAllocation,
    pub(crate) owner: Owner,
}

pub(crate) fn config(limit_bytes: u64) -> HeapConfig {
    HeapConfig { limit_bytes, initial_nursery_bytes: 64 << 10, ..HeapConfig::default() }
}

impl World {
    pub(crate) fn new(config: &HeapConfig) -> World {
        let heap = Heap::new(types(), config).unwrap();
        World { heap, window: VMAllocation::default(), owner: Owner::default() }
    }

    pub(crate) fn with_limit(limit_bytes: u64) -> World {
        World::new(&config(limit_bytes))
    }

    /// An object as machine code makes it: bumped where it is small and there is room, otherwise
    /// from the heap, and written without barriers. All fields are zero.
    pub(crate) fn make(
        &mut self,
        ty: TypeId,
        bytes: u32,
        second_word: u32,
    ) -> Result<u32, TrapCode> {
        let end = self.window.bump + u64::from(bytes);
        let at = if bytes <= 2048 && end <= self.window.limit {
            let at = self.window.bump as u32;
            self.window.bump = end;
            at
        } else {
            self.heap.alloc(&mut self.window, bytes.into(), &mut self.owner)?
        };
        let start = self.address(at);
        // SAFETY: the heap promises this many bytes for us.
        unsafe {
            start.write_bytes(0, bytes as usize);
            start.cast::<u32>().write(ty.0);
            start.cast::<u32>().add(1).write(second_word);
        }
        Ok(at)
    }

    pub(crate) fn pair(&mut self) -> u32 {
        self.make(PAIR, 16, 0).unwrap()
    }

    pub(crate) fn refs(&mut self, length: u32) -> u32 {
        self.make(REFS, array_bytes(length, 2).unwrap(), length).unwrap()
    }

    pub(crate) fn bytes(&mut self, length: u32) -> u32 {
        self.make(BYTES, array_bytes(length, 0).unwrap(), length).unwrap()
    }

    pub(crate) fn host(&mut self, place: u32) -> u32 {
        let World { heap, window, owner } = self;
        heap.alloc_handle(window, TypeId::HOST, place, owner).unwrap()
    }

    pub(crate) fn cont(&mut self, place: u32) -> u32 {
        let World { heap, window, owner } = self;
        let object = heap.alloc_handle(window, CONT, place, owner).unwrap();
        let list = &mut owner.continuations;
        let place = place as usize;
        list.resize(list.len().max(place + 1), VMContinuationSlot::VACANT);
        list[place] = VMContinuationSlot { object, has_young: 1, ..VMContinuationSlot::VACANT };
        object
    }

    /// Lets a continuation have run and wait again with a new value on its stack.
    pub(crate) fn put_on_stack(&mut self, place: u32, slot: usize, value: u32) {
        let stack = self.owner.stacks.get_mut(&place).expect("it has a stack");
        stack[slot] = value.into();
        self.owner.continuations[place as usize].has_young = 1;
    }

    fn address(&self, at: u32) -> *mut u8 {
        self.heap.base().wrapping_add(at as usize)
    }

    /// Stores a field as machine code does: with a barrier, without checks.
    pub(crate) fn set(&mut self, at: u32, offset: u32, value: u32) {
        self.mark_card(at);
        // SAFETY: an object of ours.
        unsafe { self.address(at + offset).cast::<u32>().write(value) };
    }

    /// Stores a reference into an array as machine code does.
    pub(crate) fn set_element(&mut self, at: u32, index: u32, value: u32) {
        let slot = at + ELEMENTS + 4 * index;
        self.mark_card(slot);
        // SAFETY: an array of ours.
        unsafe { self.address(slot).cast::<u32>().write(value) };
    }

    fn mark_card(&mut self, at: u32) {
        let below = (CARDS_BELOW_BASE - (at >> CARD_SHIFT)) as usize;
        // SAFETY: the card of an object.
        unsafe { self.heap.base().wrapping_sub(below).write(1) };
    }

    pub(crate) fn get(&self, at: u32, offset: u32) -> u32 {
        self.heap.load(at, offset, Slot::Ref).unwrap() as u32
    }

    pub(crate) fn element(&self, at: u32, index: u32) -> u32 {
        self.heap.array_get(at, index).unwrap() as u32
    }

    /// A root slot as a reference.
    pub(crate) fn root(&self, slot: usize) -> u32 {
        self.owner.slots[slot] as u32
    }

    /// Makes a value a root and answers its slot.
    pub(crate) fn keep(&mut self, value: u32) -> usize {
        self.owner.slots.push(value.into());
        self.owner.slots.len() - 1
    }

    pub(crate) fn collect(&mut self, kind: Collection) {
        self.heap.collect(kind, &mut self.window, &mut self.owner);
    }

    pub(crate) fn minor(&mut self) {
        self.collect(Collection::Minor);
        self.verify();
    }

    pub(crate) fn full(&mut self) {
        self.collect(Collection::Full);
        self.verify();
    }

    #[track_caller]
    pub(crate) fn verify(&mut self) {
        let found = self.heap.verify(&self.window, &mut self.owner);
        assert_eq!(found, Ok(()));
    }

    pub(crate) fn stats(&self) -> selkie_vm::GcStats {
        self.heap.stats(&self.window)
    }
}

/// Numbers that look random and are the same each time.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Below `end`.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 32).wrapping_mul(u64::from(end)) >> 32) as u32
    }

    pub(crate) fn one_in(&mut self, many: u32) -> bool {
        self.below(many) == 0
    }
}
