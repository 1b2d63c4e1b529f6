//! The processors that this process may use, and pinning a thread to one of them.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use selkie_benches::Outcome;

/// The processors that this thread may run on, by number.
///
/// # Errors
/// When the system does not say.
pub fn available() -> Outcome<Vec<usize>> {
    let set = sched_getaffinity(None).map_err(|e| format!("cannot ask for the processors: {e}"))?;
    Ok((0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect())
}

/// Keeps the calling thread on one processor.
///
/// # Errors
/// When it may not run there.
pub fn pin(core: usize) -> Outcome<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).map_err(|e| format!("cannot pin to processor {core}: {e}"))
}
