//! Graphs of particular shapes, and what accesses from Rust check.

use selkie_module::heap::{OLD_START, ObjectKind, Slot};
use selkie_module::{TrapCode, TypeId};
use selkie_vm::{Collection, HeapConfig};

use crate::world::*;

/// A list of pairs whose cars are `i31`s counting up from the end; slot 0 holds its head.
fn count_up(world: &mut World, pairs: u32) {
    world.owner.slots = vec![0];
    for number in 0..pairs {
        let at = world.pair();
        world.set(at, CAR, number << 1 | 1);
        world.set(at, CDR, world.root(0));
        world.owner.slots[0] = at.into();
    }
}

/// Checks the list that [`count_up`] made.
fn expect_count(world: &World, pairs: u32) {
    let mut at = world.root(0);
    for number in (0..pairs).rev() {
        assert_eq!(world.get(at, CAR), number << 1 | 1);
        at = world.get(at, CDR);
    }
    assert_eq!(at, 0);
}

#[test]
fn a_list_of_a_million_pairs_survives_both_collections() {
    let mut world = World::with_limit(256 << 20);
    count_up(&mut world, 1_000_000);
    world.collect(Collection::Minor);
    expect_count(&world, 1_000_000);
    world.collect(Collection::Full);
    expect_count(&world, 1_000_000);
    assert_eq!(world.stats().live_bytes, 16_000_000);
    world.owner.slots[0] = 0;
    world.collect(Collection::Full);
    assert_eq!(world.stats().live_bytes, 0);
}

#[test]
fn lists_in_either_direction_are_marked_with_any_stack() {
    for mark_stack_entries in [0, 1, 2, 7] {
        let mut world = World::new(&HeapConfig { mark_stack_entries, ..config(64 << 20) });
        count_up(&mut world, 30_000);
        world.full();
        expect_count(&world, 30_000);
        // The other direction: each pair is appended behind the last one.
        let first = world.pair();
        world.owner.slots = vec![first.into(), first.into()];
        for _ in 0..30_000 {
            let at = world.pair();
            world.set(world.root(1), CDR, at);
            world.set(at, CAR, world.root(0));
            world.owner.slots[1] = at.into();
        }
        world.full();
        let (mut at, mut pairs) = (world.root(0), 0);
        while at != 0 {
            at = world.get(at, CDR);
            pairs += 1;
        }
        assert_eq!(pairs, 30_001, "with {mark_stack_entries} entries");
    }
}

#[test]
fn an_array_of_ten_million_references_is_marked_with_any_stack() {
    for mark_stack_entries in [0, 3, 1 << 16] {
        let mut world = World::new(&HeapConfig { mark_stack_entries, ..config(512 << 20) });
        let array = world.refs(10_000_000);
        world.keep(array);
        for index in (0..10_000_000).step_by(100) {
            let at = world.pair();
            world.set(at, CAR, index << 1 | 1);
            world.set_element(world.root(0), index, at);
        }
        for kind in [Collection::Minor, Collection::Full] {
            world.collect(kind);
            let array = world.root(0);
            for index in (0..10_000_000).step_by(100) {
                assert_eq!(world.get(world.element(array, index), CAR), index << 1 | 1);
            }
        }
        assert_eq!(world.stats().live_bytes, 40_000_008 + 100_000 * 16);
    }
}

#[test]
fn cycles_that_nobody_refers_to_are_gone() {
    let mut world = World::with_limit(64 << 20);
    let kept = world.keep(0);
    for round in 0..1000 {
        let first = world.pair();
        world.owner.slots[kept] = first.into();
        for _ in 0..round % 7 {
            let at = world.pair();
            let first = world.root(kept);
            world.set(at, CDR, world.get(first, CDR));
            world.set(first, CDR, at);
        }
        let first = world.root(kept);
        world.set(first, CAR, first);
        if round % 300 == 299 {
            world.minor();
            world.minor();
        }
    }
    let first = world.root(kept);
    let second = world.pair();
    world.set(second, CDR, first);
    world.set(world.root(kept), CDR, second);
    world.full();
    assert_eq!(world.stats().live_bytes, 32);
    let first = world.root(kept);
    assert_eq!(world.get(first, CAR), first);
    assert_eq!(world.get(world.get(first, CDR), CDR), first);
    world.owner.slots.clear();
    world.full();
    assert_eq!(world.stats().live_bytes, 0);
}

#[test]
fn an_object_is_copied_once_and_then_becomes_old() {
    let mut world = World::with_limit(64 << 20);
    let at = world.make(EMPTY, 8, 0).unwrap();
    let slot = world.keep(at);
    world.minor();
    let survivor = world.root(slot);
    assert!(survivor != at && survivor < OLD_START);
    world.minor();
    let old = world.root(slot);
    assert!(old >= OLD_START);
    world.minor();
    assert_eq!(world.root(slot), old);
    assert_eq!(world.heap.type_of(old), Some(EMPTY));
}

#[test]
fn survivors_that_their_half_cannot_hold_become_old() {
    let mut world = World::with_limit(64 << 20);
    // More than a quarter of the nursery, which is what a half has.
    count_up(&mut world, 10_000);
    world.minor();
    let (mut young, mut old, mut at) = (0, 0, world.root(0));
    while at != 0 {
        *(if at < OLD_START { &mut young } else { &mut old }) += 1;
        at = world.get(at, CDR);
    }
    assert!(young > 100 && old > 100, "{young} young, {old} old");
    expect_count(&world, 10_000);
}

#[test]
fn large_objects_begin_old_and_small_ones_young() {
    let mut world = World::with_limit(64 << 20);
    let small = world.bytes(1000);
    assert!(small < OLD_START);
    let large = world.bytes(100_000);
    assert!(large >= OLD_START);
    let slot = world.keep(large);
    world.minor();
    assert_eq!(world.root(slot), large);
    assert_eq!(world.heap.array_len(large), Ok(100_000));
}

#[test]
fn references_that_lead_nowhere_are_refused() {
    let mut world = World::with_limit(64 << 20);
    let pair = world.pair();
    let array = world.refs(10);
    let exception = world.make(EXCEPTION, 16, 9).unwrap();
    let heap = &mut world.heap;
    assert_eq!(heap.kind_of(pair), Some(ObjectKind::Struct));
    assert_eq!(heap.kind_of(array), Some(ObjectKind::Array));
    for nothing in [0, 1, 3, pair + 4, 8, OLD_START, u32::MAX - 7, 65536] {
        assert_eq!(heap.type_of(nothing), None, "{nothing:#x}");
        assert!(heap.load(nothing, 4, Slot::Ref).is_err());
        assert!(heap.array_set(nothing, 0, 0).is_err());
    }
    assert_eq!(heap.load(0, 4, Slot::I8), Err(TrapCode::NullStructReference));
    assert_eq!(heap.array_get(0, 0), Err(TrapCode::NullArrayReference));
    assert_eq!(heap.tag_of(0), Err(TrapCode::NullExceptionReference));
    assert_eq!(heap.tag_of(exception), Ok(9));
    assert_eq!(heap.load(array, 8, Slot::Ref), Err(TrapCode::CastFailure));
    assert_eq!(heap.array_get(pair, 0), Err(TrapCode::CastFailure));
    // References go where references are, and numbers do not.
    assert_eq!(heap.store(pair, CAR, Slot::Ref, pair.into()), Ok(()));
    assert_eq!(heap.store(pair, CAR, Slot::Ref, 7), Ok(()));
    assert_eq!(heap.store(pair, CAR, Slot::Ref, 65536), Err(TrapCode::CastFailure));
    assert_eq!(heap.store(pair, CAR, Slot::I32, 0), Err(TrapCode::CastFailure));
    assert_eq!(heap.store(pair, CAR + 2, Slot::I64, 0), Err(TrapCode::CastFailure));
    assert_eq!(heap.store(pair, 0, Slot::I32, 0), Err(TrapCode::CastFailure));
    assert_eq!(heap.store(pair, 12, Slot::Ref, 0), Err(TrapCode::CastFailure));
    assert_eq!(heap.store(pair, 12, Slot::I64, 0), Err(TrapCode::CastFailure));
    assert_eq!(heap.store(pair, u32::MAX, Slot::I64, 0), Err(TrapCode::CastFailure));
    assert_eq!(heap.array_set(array, 0, 65536), Err(TrapCode::CastFailure));
    assert_eq!(heap.array_write(array, 0, &[1, 2, 3, 4]), Err(TrapCode::CastFailure));
    assert_eq!(heap.array_bytes(array), Err(TrapCode::CastFailure));
    assert_eq!(heap.array_write_refs(array, 0, &[1, 65536]), Err(TrapCode::CastFailure));
}

#[test]
fn ranges_outside_an_array_are_refused_and_change_nothing() {
    let mut world = World::with_limit(64 << 20);
    let longs = world.make(LONGS, 8 + 10 * 8, 10).unwrap();
    let heap = &mut world.heap;
    let out = Err(TrapCode::ArrayOutOfBounds);
    assert_eq!(heap.array_set(longs, 10, 1), out);
    assert_eq!(heap.array_get(longs, u32::MAX), Err(TrapCode::ArrayOutOfBounds));
    assert_eq!(heap.array_fill(longs, 5, 6, 1), out);
    assert_eq!(heap.array_fill(longs, u32::MAX, 2, 1), out);
    assert_eq!(heap.array_copy(longs, 6, longs, 0, 5), out);
    assert_eq!(heap.array_copy(longs, 0, longs, 6, 5), out);
    assert_eq!(heap.array_write(longs, 9, &[1; 16]), out);
    assert_eq!(heap.array_write(longs, 0, &[1; 12]), Err(TrapCode::CastFailure));
    assert_eq!(heap.array_write_refs(longs, 10, &[1]), out);
    assert!(heap.array_bytes(longs).unwrap().iter().all(|byte| *byte == 0));
    // References to functions take 8 bytes and are not traced.
    heap.array_write_refs(longs, 8, &[1 << 40, 2 << 40]).unwrap();
    heap.array_copy(longs, 7, longs, 8, 2).unwrap();
    let found: Vec<u128> = (7..10).map(|index| heap.array_get(longs, index).unwrap()).collect();
    assert_eq!(found, [1 << 40, 2 << 40, 2 << 40]);
    assert_eq!(heap.array_fill(longs, 10, 0, 1), Ok(()));
}

#[test]
fn what_has_no_such_type_is_not_made() {
    let mut world = World::with_limit(64 << 20);
    let World { heap, window, owner } = &mut world;
    assert_eq!(heap.alloc_struct(window, REFS, owner), Err(TrapCode::CastFailure));
    assert_eq!(heap.alloc_array(window, PAIR, 1, owner), Err(TrapCode::CastFailure));
    assert_eq!(heap.alloc_array(window, TypeId(99), 1, owner), Err(TrapCode::CastFailure));
    assert_eq!(heap.alloc_handle(window, PAIR, 1, owner), Err(TrapCode::CastFailure));
    assert_eq!(heap.alloc_exception(window, PAIR, 1, owner), Err(TrapCode::CastFailure));
    assert_eq!(heap.alloc_array(window, LONGS, 1 << 31, owner), Err(TrapCode::AllocationTooLarge));
    world.verify();
}

#[test]
fn memory_that_never_became_an_object_is_passed_over() {
    let mut world = World::with_limit(64 << 20);
    for bytes in [16, 40_000, 8, 1 << 20] {
        let World { heap, window, owner } = &mut world;
        heap.alloc(window, bytes, owner).unwrap();
        let at = world.refs(20_000);
        world.keep(at);
    }
    world.minor();
    world.full();
    assert_eq!(world.stats().live_bytes, 4 * 80_008);
}
