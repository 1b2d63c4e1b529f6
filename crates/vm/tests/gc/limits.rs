//! What a heap may take, and what it gives back.

use std::process::Command;

use selkie_module::TrapCode;
use selkie_module::heap::OLD_START;
use selkie_vm::{Collection, HeapConfig, VMAllocation};

use crate::world::*;

/// Makes a list until memory is used up; answers its bytes.
fn fill(world: &mut World) -> u64 {
    world.owner.slots = vec![0];
    let mut bytes = 0;
    loop {
        match world.make(PAIR, 16, 0) {
            Ok(at) => {
                world.set(at, CDR, world.root(0));
                world.owner.slots[0] = at.into();
                bytes += 16;
            }
            Err(trap) => {
                assert_eq!(trap, TrapCode::AllocationTooLarge);
                return bytes;
            }
        }
    }
}

fn list_bytes(world: &World) -> u64 {
    let (mut at, mut bytes) = (world.root(0), 0);
    while at != 0 {
        at = world.get(at, CDR);
        bytes += 16;
    }
    bytes
}

#[test]
fn live_data_may_take_most_of_any_limit_and_never_more() {
    for (limit, least_percent) in [(256 << 10, 80), (1 << 20, 90), (3 << 20, 95), (40 << 20, 97)] {
        let mut world = World::with_limit(limit);
        let bytes = fill(&mut world);
        assert!(bytes * 100 >= limit * least_percent, "{bytes} of {limit}");
        assert!(world.stats().peak_committed_bytes <= limit);
        assert_eq!(list_bytes(&world), bytes);
        world.verify();
        // It stays usable: what dies makes room again, as often as one likes.
        for _ in 0..3 {
            assert!(fill(&mut world) + limit / 16 >= bytes);
        }
        assert!(world.stats().peak_committed_bytes <= limit);
    }
}

#[test]
fn garbage_never_uses_memory_up() {
    for limit in [100 << 10, 256 << 10, 1 << 20] {
        let mut world = World::with_limit(limit);
        world.owner.slots = vec![0; 100];
        let mut random = Random::new(limit);
        let mut bytes = 0;
        while bytes < 30 * limit {
            let length = random.below(600);
            let at = world.refs(length);
            let slot = random.below(100) as usize;
            if length > 0 {
                let other = world.root(slot);
                world.set_element(at, length - 1, if random.one_in(3) { 0 } else { other });
            }
            // Chains of arrays are cut before they take too much.
            if random.one_in(3) {
                world.owner.slots[random.below(100) as usize] = 0;
            }
            if bytes % 7 == 0 || random.one_in(10) {
                world.owner.slots.fill(0);
            }
            world.owner.slots[slot] = at.into();
            bytes += u64::from(length) * 4 + 8;
        }
        assert!(world.stats().peak_committed_bytes <= limit);
        world.verify();
    }
}

#[test]
fn large_arrays_come_and_go_within_the_limit() {
    let mut world = World::with_limit(10 << 20);
    world.keep(0);
    for round in 0..50_u32 {
        // Two of them never fit at once.
        world.owner.slots[0] = 0;
        let at = world.bytes(6_000_000 + round);
        world.owner.slots[0] = at.into();
        world.heap.array_set(at, round, 7).unwrap();
    }
    let World { heap, window, owner } = &mut world;
    let refused = Err(TrapCode::AllocationTooLarge);
    assert_eq!(heap.alloc(window, 6_000_000, owner), refused);
    assert_eq!(heap.alloc(window, 11 << 20, owner), refused);
    assert_eq!(heap.alloc(window, u64::MAX, owner), refused);
    assert_eq!(heap.alloc(window, 1 << 32, owner), refused);
    assert_eq!(heap.array_get(owner.slots[0] as u32, 49), Ok(7));
    assert!(world.stats().peak_committed_bytes <= 10 << 20);
    world.verify();
}

#[test]
fn a_large_array_may_take_nearly_all_of_a_limit() {
    let mut world = World::with_limit(8 << 20);
    for _ in 0..3 {
        let at = world.bytes(7_800_000);
        world.owner.slots = vec![at.into()];
        for _ in 0..100_000 {
            world.pair();
        }
        assert_eq!(world.heap.array_len(world.root(0)), Ok(7_800_000));
        world.owner.slots.clear();
    }
    assert!(world.stats().peak_committed_bytes <= 8 << 20);
}

#[test]
fn a_limit_of_nothing_makes_every_allocation_trap() {
    for limit in [0, 1, 4096, 10_000] {
        let mut world = World::with_limit(limit);
        assert_eq!(world.make(PAIR, 16, 0), Err(TrapCode::AllocationTooLarge), "{limit}");
        world.full();
        assert!(world.stats().peak_committed_bytes <= limit);
    }
}

#[test]
fn a_heap_that_nobody_uses_takes_nothing() {
    let mut world = World::with_limit(1 << 30);
    world.minor();
    assert_eq!(world.stats().committed_bytes, 0);
    assert_eq!(world.window.limit, world.window.bump);
    world.pair();
    assert!(resident_bytes(&world, 0, OLD_START.into()) <= 8 << 10);
}

/// Bytes of a part of the heap that have memory behind them.
fn resident_bytes(world: &World, start: u64, end: u64) -> u64 {
    let pages = ((end - start) / 4096) as usize;
    let mut states = vec![0_u8; pages];
    let start = world.heap.base().wrapping_add(start as usize);
    // SAFETY: reads the state of mapped pages into one byte each.
    let result = unsafe { libc::mincore(start.cast(), pages * 4096, states.as_mut_ptr()) };
    assert_eq!(result, 0);
    states.iter().map(|state| u64::from(state & 1) * 4096).sum()
}

#[test]
fn memory_is_given_back_when_what_it_held_has_died() {
    let mut world = World::with_limit(256 << 20);
    world.owner.slots = vec![0];
    for _ in 0..100 {
        let at = world.refs(100_000);
        world.set_element(at, 0, world.root(0));
        world.owner.slots[0] = at.into();
    }
    let (start, end) = (u64::from(OLD_START), u64::from(OLD_START) + (64 << 20));
    assert!(resident_bytes(&world, start, end) > 38 << 20);
    world.owner.slots.clear();
    world.full();
    // What is used before all is collected again stays.
    assert!(resident_bytes(&world, start, end) <= 5 << 20);
    assert!(world.stats().committed_bytes <= 8 << 20);
    let pair = world.pair();
    world.keep(pair);
    let World { heap, window, owner } = &mut world;
    heap.trim(window, owner);
    assert_eq!(world.window, VMAllocation::default());
    assert_eq!(world.stats().committed_bytes, 4096);
    assert!(resident_bytes(&world, 0, end) <= 4096);
    world.verify();
    // And it goes on.
    count(&mut world);
}

fn count(world: &mut World) {
    world.owner.slots.push(0);
    for _ in 0..100_000 {
        let at = world.pair();
        *world.owner.slots.last_mut().unwrap() = at.into();
    }
    world.verify();
}

#[test]
fn the_nursery_grows_when_much_survives_and_shrinks_when_nothing_does() {
    let mut world = World::with_limit(1 << 30);
    world.owner.slots = vec![0];
    let size = |world: &World| world.window.limit - world.window.bump;
    world.pair();
    let first = size(&world);
    for _ in 0..1_000_000 {
        let at = world.pair();
        world.set(at, CDR, world.root(0));
        world.owner.slots[0] = at.into();
    }
    world.minor();
    let grown = size(&world);
    assert!(grown >= 16 * first, "{first} to {grown}");
    world.owner.slots.clear();
    for _ in 0..500 {
        world.pair();
        // As if machine code had used all of the nursery.
        world.window.bump = world.window.limit;
        world.collect(Collection::Minor);
    }
    assert!(size(&world) <= 2 * first + 4096, "{grown} to {}", size(&world));
}

#[test]
fn an_old_space_that_dies_is_collected_before_it_grows_much() {
    let mut world = World::new(&HeapConfig { limit_bytes: 1 << 30, ..HeapConfig::default() });
    world.owner.slots = vec![0];
    // 320 MB in arrays of 40 KB, of which at most ten live.
    for round in 0..8000 {
        let at = world.refs(10_000);
        if round % 10 != 0 {
            world.set_element(at, 0, world.root(0));
        }
        world.owner.slots[0] = at.into();
    }
    let stats = world.stats();
    assert!(stats.peak_committed_bytes <= 16 << 20, "{}", stats.peak_committed_bytes);
    assert!(stats.full_collections >= 30);
}

/// Runs a test of this file in a process of its own, under a limit of the shell's.
fn run_limited(test: &str, ulimit: &str) {
    let program = std::env::current_exe().unwrap();
    let output = Command::new("sh")
        .args(["-c", &format!("ulimit {ulimit} && exec \"$0\" \"$@\"")])
        .arg(program)
        .args(["--exact", test, "--nocapture", "--test-threads", "1"])
        .env("SELKIE_TEST_LIMITED", ulimit)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{text}");
}

fn is_limited() -> bool {
    std::env::var_os("SELKIE_TEST_LIMITED").is_some()
}

/// Fills a heap that could take 4 GiB, empties it, and fills it again.
fn fill_what_there_is() {
    let mut world = World::with_limit(4 << 30);
    let bytes = fill(&mut world);
    assert!((10 << 20..400 << 20).contains(&bytes), "{bytes}");
    assert_eq!(list_bytes(&world), bytes);
    assert!(fill(&mut world) + bytes / 8 >= bytes);
    world.owner.slots.clear();
    world.full();
}

#[test]
fn a_heap_is_as_large_as_address_space_allows() {
    match is_limited() {
        true => fill_what_there_is(),
        false => run_limited("limits::a_heap_is_as_large_as_address_space_allows", "-v 400000"),
    }
}

#[test]
fn a_heap_is_as_large_as_the_memory_that_the_system_grants() {
    let name = "limits::a_heap_is_as_large_as_the_memory_that_the_system_grants";
    match is_limited() {
        true => fill_what_there_is(),
        false => run_limited(name, "-d 150000"),
    }
}
