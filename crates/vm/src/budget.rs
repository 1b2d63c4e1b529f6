//! How many memories with guards a process may have.
//!
//! Each takes more than 4 GiB of address space and some mappings, of both of which a process has a
//! limited amount, and other parts of it need some, too. Memories beyond that do without guards.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::ResourceError;

/// Address space of a memory with its guard, about.
const MEMORY_BYTES: u64 = (4 << 30) + (64 << 20);
/// Mappings of a memory: its open parts, an image, what lies between and behind.
const MEMORY_MAPPINGS: u64 = 16;
/// Mappings that a process may have where nobody says.
const DEFAULT_MAPPINGS: u64 = 65_530;
/// Address space of a process on this architecture.
const ADDRESS_BYTES: u64 = 1 << 47;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

/// Memories with guards that this process may have at once: what half of its address space, and half
/// of its mappings, are enough for. 0 where the system gives it less than two.
pub fn max_guarded_memories() -> usize {
    static MAX: OnceLock<usize> = OnceLock::new();
    *MAX.get_or_init(|| memories_in(address_bytes(), max_mappings()))
}

fn memories_in(address_bytes: u64, mappings: u64) -> usize {
    let by_address = address_bytes / 2 / MEMORY_BYTES;
    let by_mappings = mappings / 2 / MEMORY_MAPPINGS;
    by_address.min(by_mappings).try_into().unwrap_or(usize::MAX)
}

fn address_bytes() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a local of the right type.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) } == 0;
    if known { limit.rlim_cur.min(ADDRESS_BYTES) } else { ADDRESS_BYTES }
}

fn max_mappings() -> u64 {
    let text = std::fs::read_to_string("/proc/sys/vm/max_map_count");
    text.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(DEFAULT_MAPPINGS)
}

/// The right to one memory with a guard.
#[derive(Debug)]
pub(crate) struct Guarded(());

impl Guarded {
    pub(crate) fn new() -> Result<Guarded, ResourceError> {
        let max = max_guarded_memories();
        if IN_USE.fetch_add(1, Ordering::Relaxed) >= max {
            IN_USE.fetch_sub(1, Ordering::Relaxed);
            let requested = max as u64 + 1;
            return Err(ResourceError::LimitExceeded { requested, limit: max as u64 });
        }
        Ok(Guarded(()))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        IN_USE.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_scarcest_decides() {
        assert_eq!(memories_in(ADDRESS_BYTES, DEFAULT_MAPPINGS), 2047);
        assert_eq!(memories_in(ADDRESS_BYTES, u64::MAX), 16_131);
        assert_eq!(memories_in(20 << 30, DEFAULT_MAPPINGS), 2);
        assert_eq!(memories_in(4 << 30, DEFAULT_MAPPINGS), 0);
        assert_eq!(memories_in(u64::MAX, 10), 0);
    }
}
