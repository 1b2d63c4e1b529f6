//! Measurements, not run by default: `cargo test --release -p selkie-vm --test gc speed -- --ignored
//! --nocapture --test-threads 1` prints rates. What they assert is that nothing is absurdly slow.

use std::time::{Duration, Instant};

use selkie_module::heap::OLD_START;
use selkie_vm::{Collection, GcStats, HeapConfig};

use crate::world::*;

const MIB: f64 = (1 << 20) as f64;

fn world() -> World {
    World::new(&HeapConfig::default())
}

/// Runs and tells how many bytes a second that was.
fn rate(what: &str, bytes: u64, run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    let time = start.elapsed();
    let mib = bytes as f64 / MIB;
    println!(
        "{what:48} {:8.0} MiB/s {:8.1} ms",
        mib / time.as_secs_f64(),
        1e3 * time.as_secs_f64()
    );
    time
}

fn tell(stats: &GcStats) {
    println!(
        "    minor {} full {} longest {:.2} ms, peak {:.1} MiB, live {:.1} MiB",
        stats.minor_collections,
        stats.full_collections,
        stats.longest_pause_ns as f64 / 1e6,
        stats.peak_committed_bytes as f64 / MIB,
        stats.live_bytes as f64 / MIB,
    );
}

#[test]
#[ignore = "measures"]
fn garbage_is_made_and_collected_almost_as_fast_as_memory_is_cleared() {
    const BYTES: u64 = 2 << 30;
    let mut block = vec![0u8; 1 << 20];
    rate("memset of 1 MiB again and again", BYTES, || {
        for round in 0..BYTES >> 20 {
            block.fill(round as u8);
            std::hint::black_box(&mut block);
        }
    });
    let mut world = world();
    world.keep(0);
    let time = rate("pairs of which one in 1000 survives a while", BYTES, || {
        for round in 0..BYTES / 16 {
            let at = world.quick_pair(0, 0);
            if round % 1000 == 0 {
                world.owner.slots[0] = at.into();
            }
        }
    });
    tell(&world.stats());
    assert!(time < Duration::from_secs(60));
}

/// A list of so many pairs, made from its end; kept by slot 0.
fn list(world: &mut World, pairs: u32) {
    world.owner.slots = vec![0];
    for _ in 0..pairs {
        world.quick_pair_with_root();
    }
}

#[test]
#[ignore = "measures"]
fn survivors_are_copied_quickly() {
    for (name, initial) in [("256 KiB", 256 << 10), ("1 MiB", 1 << 20), ("16 MiB", 16 << 20)] {
        let config = HeapConfig { initial_nursery_bytes: initial, ..HeapConfig::default() };
        let mut world = World::new(&config);
        let pairs = 8 << 20;
        rate(&format!("a growing list, nursery {name} at first"), pairs * 16, || {
            list(&mut world, pairs as u32);
        });
        tell(&world.stats());
    }
}

/// A tree of this depth.
fn tree(world: &mut World, depth: u32) -> u32 {
    if depth == 0 {
        return world.quick_pair(0, 0);
    }
    let left = tree(world, depth - 1);
    let slot = world.keep(left);
    let right = tree(world, depth - 1);
    let right_slot = world.keep(right);
    let at = world.quick_pair_of(slot, right_slot);
    world.owner.slots.truncate(slot);
    at
}

#[test]
#[ignore = "measures"]
fn trees_are_made_and_dropped() {
    let mut world = world();
    let long = tree(&mut world, 20);
    world.keep(long);
    let rounds = 64;
    rate("trees of depth 16 beside one of depth 20", rounds << 21, || {
        for _ in 0..rounds {
            tree(&mut world, 16);
        }
    });
    tell(&world.stats());
    let rounds = 32;
    rate("trees of depth 18 beside one of depth 20", rounds << 23, || {
        for _ in 0..rounds {
            tree(&mut world, 18);
        }
    });
    tell(&world.stats());
}

#[test]
#[ignore = "measures"]
fn a_nursery_full_of_survivors_is_copied_quickly() {
    for bytes in [1 << 20, 4 << 20, 16 << 20] {
        let config = HeapConfig { initial_nursery_bytes: bytes, ..HeapConfig::default() };
        let mut world = World::new(&config);
        world.full();
        let depth = (bytes / 32).ilog2() - 1;
        for round in 0..3 {
            world.owner.slots.clear();
            let at = tree(&mut world, depth);
            world.keep(at);
            let live = 16 << (depth + 1);
            let what = format!("minor collection {round} of a tree of {} KiB", live >> 10);
            rate(&what, live, || world.collect(Collection::Minor));
        }
        tell(&world.stats());
    }
}

#[test]
#[ignore = "measures"]
fn everything_is_marked_and_slid_quickly() {
    let mut world = world();
    let at = tree(&mut world, 21);
    world.keep(at);
    list_beside(&mut world, 2 << 20);
    let used = world.stats().used_bytes;
    rate("full collection of a tree and a list", used, || world.collect(Collection::Full));
    let live = world.stats().live_bytes;
    rate("the same again, nothing moves", live, || world.collect(Collection::Full));
    world.owner.slots[0] = 0;
    rate("the same, with the tree dead", live, || world.collect(Collection::Full));
    tell(&world.stats());
}

#[test]
#[ignore = "measures"]
fn a_graph_without_any_order_is_marked_and_slid() {
    let mut world = world();
    let count = 6 << 20;
    let at = world.refs(count);
    world.keep(at);
    for index in 0..count {
        let pair = world.quick_pair(3, 3);
        let array = world.root(0);
        world.set_element(array, index, pair);
    }
    let mut random = Random::new(1);
    for index in 0..count {
        let array = world.root(0);
        let pair = world.element(array, index);
        for field in [CAR, CDR] {
            let other = world.element(array, random.below(count));
            world.set(pair, field, other);
        }
    }
    let first = world.element(world.root(0), 0);
    world.owner.slots[0] = first.into();
    let used = world.stats().used_bytes;
    rate("full collection of a random graph", used, || world.collect(Collection::Full));
    let live = world.stats().live_bytes;
    rate("the same again, nothing moves", live, || world.collect(Collection::Full));
    tell(&world.stats());
}

fn list_beside(world: &mut World, pairs: u32) {
    let mut slots = std::mem::take(&mut world.owner.slots);
    let kept = slots.pop().unwrap();
    world.owner.slots = vec![0, kept];
    for _ in 0..pairs {
        world.quick_pair_with_root();
    }
    world.owner.slots.swap(0, 1);
}

#[test]
#[ignore = "measures"]
fn one_store_into_a_large_array_is_found_at_the_price_of_its_card() {
    let mut world = world();
    let at = world.refs(10_000_000);
    world.keep(at);
    let at = world.root(0);
    assert!(at >= OLD_START);
    rate("minor collection of a fresh array of 10^7", 40_000_000, || {
        world.pair();
        world.collect(Collection::Minor);
    });
    let time = rate("minor collection after one store", 40_000_000, || {
        for index in 0..100 {
            let young = world.pair();
            let array = world.root(0);
            world.set_element(array, index * 99_000, young);
            world.collect(Collection::Minor);
        }
    });
    assert!(time < Duration::from_secs(2));
    let array = world.root(0);
    for index in 0..10_000_000 / 64 {
        let young = world.pair();
        let array_now = world.root(0);
        assert_eq!(array, array_now);
        world.set_element(array, index * 64, young);
    }
    rate("full collection of the array with pairs", 40_000_000, || {
        world.collect(Collection::Full);
    });
    tell(&world.stats());
}
