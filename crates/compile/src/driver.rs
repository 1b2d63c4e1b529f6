//! Compiles all functions of a unit, on as many threads as asked for.
//!
//! The result depends on the unit alone: functions are handed out by a counter, but each is
//! compiled from the same facts and stored at its own place.

use crate::error::CompileError;
use crate::unit::CompileUnit;
use selkie_module::DefinedFuncIndex;
use selkie_module::frames::{Landing, StackMap};
use selkie_module::sites::{INLINED, SitePositions};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How a reference in code is to be patched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelocKind {
    /// x86-64: four bytes, relative to their own end.
    Call32,
}

/// A reference in code to another function of the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reloc {
    /// Bytes from the function's start.
    pub offset: u32,
    /// How to patch.
    pub kind: RelocKind,
    /// Where it points.
    pub target: DefinedFuncIndex,
}

/// A place in code that can trap, or where a call returns to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    /// Bytes from the function's start: the trapping instruction, or the return address.
    pub offset: u32,
    /// `TrapCode` number; 0 for a return address.
    pub trap: u8,
    /// Where it comes from.
    pub position: u32,
}

/// Machine code of one function, not placed yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompiledFunc {
    /// The code.
    pub code: Vec<u8>,
    /// References to be patched.
    pub relocs: Vec<Reloc>,
    /// Traps and calls, ascending.
    pub sites: Vec<Site>,
    /// What positions mean.
    pub positions: SitePositions,
    /// Where frames keep references, ascending; offsets from the function's start.
    pub stack_maps: Vec<StackMap>,
    /// Where exceptions go on, ascending; offsets from the function's start.
    pub landings: Vec<Landing>,
    /// Whether the function reaches into the collected heap or asks for types.
    pub uses_heap: bool,
}

impl CompiledFunc {
    /// Drops the positions that no site names: most operators of inlined bodies neither trap nor
    /// call.
    pub fn drop_unused_positions(&mut self) {
        let SitePositions { calls, inlined } = &mut self.positions;
        let mut is_used = vec![false; inlined.len()];
        let mut is_call_used = vec![false; calls.len()];
        let place =
            |position: u32| (position & INLINED != 0).then_some((position & !INLINED) as usize);
        for at in self.sites.iter().filter_map(|site| place(site.position)) {
            is_used[at] = true;
        }
        // What a position refers to has a lower place.
        for at in (0..inlined.len()).rev().filter(|at| is_used[*at]).collect::<Vec<_>>() {
            mark(at, inlined, calls, &mut is_used, &mut is_call_used);
        }
        let (places, call_places) = (renumber(&is_used), renumber(&is_call_used));
        let moved = |position: u32| match place(position) {
            Some(at) => places[at] | INLINED,
            None => position,
        };
        self.sites.iter_mut().for_each(|site| site.position = moved(site.position));
        calls.iter_mut().for_each(|(_, position)| *position = moved(*position));
        inlined.iter_mut().for_each(|(call, _)| *call = call_places[*call as usize]);
        keep(inlined, &is_used);
        keep(calls, &is_call_used);
    }
}

/// Marks the call of an inlined position, and the positions and calls around that.
fn mark(
    at: usize,
    inlined: &[(u32, u32)],
    calls: &[(u32, u32)],
    is_used: &mut [bool],
    is_call_used: &mut [bool],
) {
    let mut at = at;
    loop {
        let call = inlined[at].0 as usize;
        is_call_used[call] = true;
        let position = calls[call].1;
        if position & INLINED == 0 {
            return;
        }
        at = (position & !INLINED) as usize;
        is_used[at] = true;
    }
}

/// The new place of each that is used.
fn renumber(is_used: &[bool]) -> Vec<u32> {
    let place = |next: &mut u32, used: &bool| {
        let at = *next;
        *next += u32::from(*used);
        Some(at)
    };
    is_used.iter().scan(0, place).collect()
}

fn keep<T>(list: &mut Vec<T>, is_used: &[bool]) {
    let mut used = is_used.iter();
    list.retain(|_| used.next().copied().unwrap_or(false));
}

/// A tier: compiles one function at a time.
pub trait Compiler: Send + Sync {
    /// A thread's scratch space.
    fn worker(&self) -> Box<dyn Worker + '_>;
}

/// A thread of a tier.
pub trait Worker {
    /// Compiles one function.
    ///
    /// # Errors
    /// The function is invalid, unsupported or too large.
    fn compile(
        &mut self,
        unit: &CompileUnit<'_>,
        func: DefinedFuncIndex,
    ) -> Result<CompiledFunc, CompileError>;
}

/// Tells how far compiling has come: functions done, functions in all.
pub type Progress<'p> = &'p (dyn Fn(usize, usize) + Sync);

/// Compiles every function.
///
/// # Errors
/// The error of the function with the lowest index, whatever the thread order.
pub fn compile_all(
    compiler: &dyn Compiler,
    unit: &CompileUnit<'_>,
    threads: usize,
    progress: Option<Progress<'_>>,
) -> Result<Vec<CompiledFunc>, CompileError> {
    let count = unit.functions.len();
    let run = Run {
        unit,
        next: AtomicUsize::new(0),
        done: AtomicUsize::new(0),
        first_error: Mutex::new(None),
        progress,
    };
    let threads = threads.clamp(1, count.div_ceil(8).max(1));
    let parts: Vec<Vec<(usize, CompiledFunc)>> = if threads == 1 {
        vec![run.work(compiler)]
    } else {
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|_| {
                    std::thread::Builder::new()
                        .stack_size(16 << 20)
                        .spawn_scoped(scope, || run.work(compiler))
                })
                .collect();
            // A thread the system does not give is no error: the others do its work.
            let mut parts: Vec<_> = Vec::with_capacity(threads);
            if workers.iter().all(Result::is_err) {
                parts.push(run.work(compiler));
            }
            for worker in workers.into_iter().flatten() {
                match worker.join() {
                    Ok(part) => parts.push(part),
                    Err(payload) => std::panic::resume_unwind(payload),
                }
            }
            parts
        })
    };
    if let Some((_, error)) = run.first_error.into_inner().unwrap_or_else(|e| e.into_inner()) {
        return Err(error);
    }
    let mut all = vec![CompiledFunc::default(); count];
    for (index, func) in parts.into_iter().flatten() {
        all[index] = func;
    }
    Ok(all)
}

struct Run<'r, 'a> {
    unit: &'r CompileUnit<'a>,
    next: AtomicUsize,
    done: AtomicUsize,
    first_error: Mutex<Option<(usize, CompileError)>>,
    progress: Option<Progress<'r>>,
}

/// Functions a thread takes at once.
const BATCH: usize = 4;

impl Run<'_, '_> {
    fn work(&self, compiler: &dyn Compiler) -> Vec<(usize, CompiledFunc)> {
        let count = self.unit.functions.len();
        let mut worker = compiler.worker();
        let mut finished = Vec::new();
        loop {
            let start = self.next.fetch_add(BATCH, Ordering::Relaxed);
            if start >= count {
                return finished;
            }
            for index in start..(start + BATCH).min(count) {
                match worker.compile(self.unit, DefinedFuncIndex::new(index)) {
                    Ok(func) => finished.push((index, func)),
                    Err(error) => {
                        self.fail(index, error);
                        return finished;
                    }
                }
            }
            let done = self.done.fetch_add(BATCH, Ordering::Relaxed) + BATCH;
            if let Some(progress) = self.progress {
                progress(done.min(count), count);
            }
        }
    }

    /// Functions before a failing one are always finished, because they are handed out in order
    /// and a thread stops only at its own failure: so the lowest failure is always found.
    fn fail(&self, index: usize, error: CompileError) {
        self.next.store(self.unit.functions.len(), Ordering::Relaxed);
        let mut first = self.first_error.lock().unwrap_or_else(|e| e.into_inner());
        if first.as_ref().is_none_or(|(known, _)| index < *known) {
            *first = Some((index, error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_that_no_site_names_are_dropped_and_the_others_keep_their_meaning() {
        let positions = SitePositions {
            calls: vec![(7, 40), (8, 50), (9, INLINED | 2)],
            inlined: vec![(0, 900), (1, 905), (1, 910), (2, 950), (2, 955)],
        };
        let site = |offset, position| Site { offset, trap: 0, position };
        let mut func = CompiledFunc {
            sites: vec![site(1, 33), site(2, INLINED | 4)],
            positions,
            ..CompiledFunc::default()
        };
        let before: Vec<_> = func.sites.iter().map(|s| func.positions.frames(s.position)).collect();
        func.drop_unused_positions();
        let after: Vec<_> = func.sites.iter().map(|s| func.positions.frames(s.position)).collect();
        assert_eq!(before, after);
        assert_eq!(func.positions.calls.len(), 2);
        assert_eq!(func.positions.inlined.len(), 2);
    }
}
