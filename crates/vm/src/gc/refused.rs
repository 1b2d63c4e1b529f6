//! What a heap does when the system refuses memory. Tests only: they make it refuse.

use std::sync::Arc;

use selkie_module::TypeId;
use selkie_module::heap::{ObjectKind, Slot, TypeShape};

use super::spaces::tests::REFUSE;
use super::*;
use crate::VMContinuationSlot;

/// A list in one slot.
struct List(u64);

// SAFETY: the slot is all that the tests keep.
unsafe impl Roots for List {
    fn visit(&mut self, see: &mut dyn FnMut(&mut [u64])) {
        see(std::slice::from_mut(&mut self.0));
    }

    fn continuations(&mut self) -> &mut [VMContinuationSlot] {
        &mut []
    }

    fn visit_continuation(&mut self, _: u32, _: &mut dyn FnMut(&mut [u64])) {}

    fn died(&mut self, _: ObjectKind, _: u32) {}
}

const CELL: TypeId = TypeId(2);
const BYTES: TypeId = TypeId(3);

fn types() -> Arc<TypeTable> {
    let cell = TypeShape { refs: [4].into(), ..TypeShape::handle(ObjectKind::Struct) };
    let bytes = TypeShape::handle(ObjectKind::Array);
    let table = TypeTable::new(10).unwrap();
    table.extend([cell, bytes]).unwrap();
    Arc::new(table)
}

/// Puts up to `cells` in front of the list; answers how many there was room for.
fn lengthen(heap: &mut Heap, window: &mut VMAllocation, list: &mut List, cells: u32) -> u32 {
    for made in 0..cells {
        match heap.alloc_struct(window, CELL, list) {
            Ok(at) => {
                heap.store(at, 4, Slot::Ref, list.0.into()).unwrap();
                list.0 = at.into();
            }
            Err(trap) => {
                assert_eq!(trap, TrapCode::AllocationTooLarge);
                return made;
            }
        }
    }
    cells
}

fn length(heap: &Heap, list: &List) -> u32 {
    let (mut at, mut length) = (list.0 as u32, 0);
    while at != 0 {
        at = heap.load(at, 4, Slot::Ref).unwrap() as u32;
        length += 1;
    }
    length
}

#[test]
fn a_refusal_is_a_trap_and_the_heap_goes_on_afterwards() {
    let config = HeapConfig { limit_bytes: 32 << 20, ..HeapConfig::default() };
    let mut heap = Heap::new(types(), &config).unwrap();
    let (mut window, mut list) = (VMAllocation::default(), List(0));
    REFUSE.set(true);
    assert_eq!(lengthen(&mut heap, &mut window, &mut list, 1), 0);
    let large = heap.alloc_array(&mut window, BYTES, 1 << 20, &mut list);
    assert_eq!(large, Err(TrapCode::AllocationTooLarge));
    REFUSE.set(false);
    assert_eq!(lengthen(&mut heap, &mut window, &mut list, 300_000), 300_000);
    REFUSE.set(true);
    // What is open already is used to the end, and garbage in it is found.
    let more = lengthen(&mut heap, &mut window, &mut list, 2_000_000);
    assert!((1..2_000_000).contains(&more));
    assert_eq!(heap.verify(&window, &mut list), Ok(()));
    assert_eq!(length(&heap, &list), 300_000 + more);
    for _ in 0..3 {
        list.0 = 0;
        let again = lengthen(&mut heap, &mut window, &mut list, 2_000_000);
        assert!(again + 50_000 >= 300_000 + more, "{again} of {}", 300_000 + more);
        assert_eq!(length(&heap, &list), again);
    }
    let large = heap.alloc_array(&mut window, BYTES, 16 << 20, &mut list);
    assert_eq!(large, Err(TrapCode::AllocationTooLarge));
    REFUSE.set(false);
    list.0 = 0;
    assert!(heap.alloc_array(&mut window, BYTES, 16 << 20, &mut list).is_ok());
    assert_eq!(heap.verify(&window, &mut list), Ok(()));
}
