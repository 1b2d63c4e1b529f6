//! Parts of a structure that threads use apart from each other.
//!
//! Whatever is counted, locked or kept for reuse on the way to a new instance exists once for each
//! shard, and a thread always uses the same one: two threads that make instances write to no common
//! cache line. There are about as many shards as processors; where there are more threads, some
//! share a shard, which is correct and a little slower.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Shards at most, and at least.
const MAX: usize = 128;
const MIN: usize = 4;

/// One `T` for each shard.
#[derive(Debug)]
pub(crate) struct Shards<T> {
    parts: Box<[Part<T>]>,
}

/// Apart from others by two cache lines, which processors fetch together.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Part<T>(T);

impl<T: Default> Default for Shards<T> {
    fn default() -> Shards<T> {
        Shards { parts: (0..count()).map(|_| Part::default()).collect() }
    }
}

impl<T> Shards<T> {
    /// The part that this thread uses.
    #[inline]
    pub(crate) fn mine(&self) -> &T {
        // A power of two.
        &self.parts[thread_number() & (self.parts.len() - 1)].0
    }

    /// Everybody's.
    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.parts.iter().map(|part| &part.0)
    }
}

/// How many shards there are, a power of two.
fn count() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        (2 * processors).next_power_of_two().clamp(MIN, MAX)
    })
}

/// Threads by the order in which they first asked.
#[inline]
fn thread_number() -> usize {
    thread_local! {
        static NUMBER: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NUMBER.with(|number| {
        if number.get() == usize::MAX {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        number.get()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_its_part_and_another_has_a_different_one() {
        let shards = Shards::<AtomicUsize>::default();
        let mine = || shards.mine() as *const AtomicUsize as usize;
        let first = mine();
        assert_eq!(first, mine());
        // As many new threads as shards take turns through all of them.
        let others: Vec<usize> = (0..shards.iter().count())
            .map(|_| std::thread::scope(|scope| scope.spawn(mine).join().unwrap()))
            .collect();
        assert!(others.iter().any(|other| *other != first));
        assert!(others.iter().all(|other| other.abs_diff(first).is_multiple_of(128)));
    }
}
