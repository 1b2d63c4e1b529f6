//! Objects that stand for something outside the heap, and what becomes of it.

use selkie_module::TypeId;
use selkie_module::heap::{OLD_START, ObjectKind};
use selkie_vm::HeapConfig;

use crate::world::*;

fn dead_hosts(world: &mut World) -> Vec<u32> {
    let mut dead: Vec<u32> = world
        .owner
        .dead
        .drain(..)
        .filter(|(kind, _)| *kind == ObjectKind::Host)
        .map(|(_, place)| place)
        .collect();
    dead.sort_unstable();
    dead
}

#[test]
fn each_host_object_that_dies_is_told_once() {
    let mut world = World::with_limit(64 << 20);
    for place in 0..100 {
        let at = world.host(place);
        if place % 3 == 0 {
            world.keep(at);
        }
    }
    world.minor();
    let dead: Vec<u32> = (0..100).filter(|place| place % 3 != 0).collect();
    assert_eq!(dead_hosts(&mut world), dead);
    // The others are survivors, then old.
    world.owner.slots.truncate(30);
    world.minor();
    assert_eq!(dead_hosts(&mut world), [90, 93, 96, 99]);
    world.owner.slots.truncate(20);
    world.minor();
    assert_eq!(dead_hosts(&mut world), []);
    world.full();
    assert_eq!(dead_hosts(&mut world), [60, 63, 66, 69, 72, 75, 78, 81, 84, 87]);
    for (slot, place) in (0..60).step_by(3).enumerate() {
        let at = world.root(slot);
        assert!(at >= OLD_START);
        assert_eq!(world.heap.place_of(at), Ok(place));
        assert_eq!(world.heap.type_of(at), Some(TypeId::HOST));
    }
    world.owner.slots.clear();
    world.full();
    assert_eq!(dead_hosts(&mut world).len(), 20);
    world.full();
    assert_eq!(dead_hosts(&mut world), []);
}

#[test]
fn host_objects_that_only_garbage_refers_to_die_with_it() {
    let mut world = World::new(&HeapConfig { is_stressed: true, ..config(64 << 20) });
    world.keep(0);
    world.keep(0);
    for place in 0..500 {
        let at = world.host(place);
        world.owner.slots[0] = at.into();
        let pair = world.pair();
        world.set(pair, CAR, world.root(0));
        world.set(pair, CDR, pair);
        world.owner.slots[1] = pair.into();
    }
    world.full();
    assert_eq!(dead_hosts(&mut world), (0..499).collect::<Vec<_>>());
}

#[test]
fn what_a_suspended_stack_holds_lives_as_long_as_its_continuation() {
    let mut world = World::with_limit(64 << 20);
    let cont = world.cont(5);
    let pair = world.pair();
    world.set(pair, CAR, 33);
    // The stack refers to a pair and to its own continuation.
    world.owner.stacks.insert(5, vec![pair.into(), cont.into()]);
    world.keep(cont);
    for round in 0..6 {
        if round % 3 == 2 {
            world.full()
        } else {
            world.minor()
        }
        let stack = &world.owner.stacks[&5];
        assert_eq!(stack[1], u64::from(world.root(0)));
        assert_eq!(world.get(stack[0] as u32, CAR), 33);
        // An old continuation is resumed and suspended with something new on its stack.
        let pair = world.pair();
        world.set(pair, CAR, 33);
        world.put_on_stack(5, 0, pair);
    }
    world.owner.slots.clear();
    world.full();
    assert_eq!(world.owner.dead, [(ObjectKind::Cont, 5)]);
    assert_eq!(world.stats().live_bytes, 0);
}

#[test]
fn young_continuations_that_die_take_their_stacks_with_them() {
    let mut world = World::with_limit(64 << 20);
    for place in 0..50 {
        let cont = world.cont(place);
        let host = world.host(place);
        world.owner.stacks.insert(place, vec![host.into(), cont.into()]);
    }
    world.minor();
    assert_eq!(world.owner.dead.len(), 100);
    assert_eq!(world.stats().used_bytes, 0);
}
