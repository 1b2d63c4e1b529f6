//! Old objects that refer to young ones, at every edge of cards.

use selkie_module::heap::{CARD_SHIFT, ELEMENTS, OLD_START};

use crate::world::*;

const CARD_BYTES: u32 = 1 << CARD_SHIFT;

/// An old array of references in slot 0.
fn old_array(length: u32) -> World {
    let mut world = World::with_limit(64 << 20);
    let at = world.refs(length);
    world.keep(at);
    world.minor();
    world.minor();
    assert!(world.root(0) >= OLD_START);
    world
}

#[test]
fn an_element_in_any_word_of_any_card_keeps_what_it_refers_to() {
    // The array covers the rest of its first card, eight whole ones, and a part of the last.
    let length = 9 * CARD_BYTES / 4 + 17;
    let mut world = old_array(length);
    for index in 0..length {
        let array = world.root(0);
        let at = world.pair();
        world.set(at, CAR, index << 1 | 1);
        world.set_element(array, index, at);
        if index % 16 == 0 || is_edge(array, index) {
            world.minor();
        }
        assert_eq!(world.get(world.element(world.root(0), index), CAR), index << 1 | 1);
    }
    world.full();
    for index in 0..length {
        assert_eq!(world.get(world.element(world.root(0), index), CAR), index << 1 | 1);
    }
}

/// Whether an element is the first or last of its card.
fn is_edge(array: u32, index: u32) -> bool {
    let within = (array + ELEMENTS + 4 * index) % CARD_BYTES;
    within == 0 || within == CARD_BYTES - 4
}

#[test]
fn a_card_stays_dirty_as_long_as_it_sees_young_objects_and_no_longer() {
    let mut world = old_array(1000);
    let array = world.root(0);
    let at = world.pair();
    world.set_element(array, 500, at);
    world.minor();
    let survivor = world.element(array, 500);
    assert!(survivor < OLD_START && survivor != at);
    // Nothing was written since: only the card that stayed dirty leads to it.
    world.minor();
    assert!(world.element(array, 500) >= OLD_START);
    let old = world.element(array, 500);
    world.minor();
    assert_eq!(world.element(array, 500), old);
}

#[test]
fn every_field_of_a_struct_that_covers_several_cards_is_found_by_its_first() {
    let mut world = World::with_limit(64 << 20);
    let at = world.make(WIDE, (4 + 4 * WIDE_REFS).next_multiple_of(8), 0).unwrap();
    world.keep(at);
    // Neighbours, so that it begins somewhere inside a card.
    for _ in 0..5 {
        let at = world.pair();
        world.keep(at);
    }
    world.minor();
    world.minor();
    assert!(world.root(0) >= OLD_START);
    for field in 0..WIDE_REFS {
        let at = world.pair();
        world.set(at, CAR, field << 1 | 1);
        world.set(world.root(0), 4 + 4 * field, at);
        world.minor();
        world.pair();
        let found = world.get(world.root(0), 4 + 4 * field);
        assert_eq!(world.get(found, CAR), field << 1 | 1);
    }
}

#[test]
fn objects_that_become_old_before_what_they_refer_to_are_remembered() {
    let mut world = World::with_limit(64 << 20);
    let first = world.pair();
    let array = world.refs(300);
    world.owner.slots = vec![first.into(), array.into()];
    world.minor();
    // Both go to the old space now, what they refer to only to a half.
    for index in 0..300 {
        let at = world.pair();
        world.set(at, CAR, index << 1 | 1);
        world.set_element(world.root(1), index, at);
        world.set(world.root(0), CDR, at);
    }
    world.minor();
    let (first, array) = (world.root(0), world.root(1));
    assert!(first >= OLD_START && array >= OLD_START);
    assert!(world.element(array, 299) < OLD_START);
    assert_eq!(world.get(first, CDR), world.element(array, 299));
    world.minor();
    for index in 0..300 {
        let at = world.element(array, index);
        assert!(at >= OLD_START);
        assert_eq!(world.get(at, CAR), index << 1 | 1);
    }
}

#[test]
fn a_fresh_large_array_needs_no_barrier() {
    let mut world = World::with_limit(64 << 20);
    let young = world.pair();
    world.set(young, CAR, 77);
    world.keep(young);
    let array = world.refs(20_000);
    assert!(array >= OLD_START);
    world.keep(array);
    // As machine code fills an array it has just made.
    let young = world.root(0);
    let slots = (array + ELEMENTS..array + ELEMENTS + 80_000).step_by(4);
    for slot in slots {
        // SAFETY: an array of this length lies there.
        unsafe { world.heap.base().add(slot as usize).cast::<u32>().write(young) };
    }
    world.owner.slots[0] = 0;
    world.minor();
    world.minor();
    let moved = world.element(array, 0);
    assert!(moved >= OLD_START);
    assert!((0..20_000).all(|index| world.element(array, index) == moved));
    assert_eq!(world.get(moved, CAR), 77);
}

#[test]
fn a_verifier_that_sees_a_forgotten_card_says_so() {
    let mut world = old_array(1000);
    let array = world.root(0);
    let at = world.pair();
    // SAFETY: an array of ours; the barrier is what is left out.
    unsafe {
        let slot = (array + ELEMENTS + 400) as usize;
        world.heap.base().add(slot).cast::<u32>().write(at);
    }
    let found = world.heap.verify(&world.window, &mut world.owner).unwrap_err();
    assert!(found.contains("is clean"), "{found}");
    world.owner.slots[0] += 8;
    let found = world.heap.verify(&world.window, &mut world.owner).unwrap_err();
    assert!(found.contains("where no object begins"), "{found}");
}
