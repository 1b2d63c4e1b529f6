//! Contenders in one process: short batches in alternating order, on one or more pinned threads.
//!
//! Invariant: all threads work on the same contender at the same time, each for the same span,
//! so that a figure of two threads never contains time in which one was alone. Medians of many
//! batches, never means; the minimum says what an undisturbed batch takes.
//!
//! One thread's time is that for which it had a processor, so that other programs on the machine are
//! not part of it. Threads that wait for each other sleep: with more than one, it is the time on the
//! wall, and how much of it was spent on a processor is said beside it.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use selkie_benches::Outcome;

use crate::cores;

/// How long a batch lasts.
const BATCH: Duration = Duration::from_millis(4);
/// Operations between two looks at the clock take about this long.
const CHUNK: Duration = Duration::from_micros(200);

/// Whose library it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Selkie.
    Ours,
    /// Wasmtime, in one of its configurations.
    Wasmtime,
    /// wasmi.
    Wasmi,
}

impl Side {
    /// The engine's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Side::Ours => "selkie",
            Side::Wasmtime => "wasmtime",
            Side::Wasmi => "wasmi",
        }
    }
}

/// Does an operation this many times.
pub type Work = Box<dyn Fn(u32) -> Outcome<()> + Send + Sync>;

/// One column of a comparison: an engine as it is configured, and what it does.
pub struct Contender {
    /// Whose library it is.
    pub side: Side,
    /// How it is configured; empty where there is one way only.
    pub configuration: &'static str,
    /// The operation.
    pub work: Work,
}

impl Contender {
    /// The engine and its configuration.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.side.name(), self.configuration).trim_end().to_owned()
    }
}

/// Nanoseconds per operation, over all batches of all threads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// The median of what counts.
    pub median: f64,
    /// The least of it.
    pub minimum: f64,
    /// The median of the time on a processor.
    pub processor: f64,
}

/// Nanoseconds per operation in one batch.
#[derive(Debug, Clone, Copy)]
struct Batch {
    wall: f64,
    processor: f64,
}

impl Figure {
    fn of(batches: &[Batch], threads: usize) -> Figure {
        let sorted = |figure: fn(&Batch) -> f64| {
            let mut figures: Vec<f64> = batches.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures
        };
        let processor = sorted(|batch| batch.processor);
        let counts = if threads == 1 { processor.clone() } else { sorted(|batch| batch.wall) };
        let minimum = counts.first().copied().unwrap_or(f64::NAN);
        Figure { median: median(&counts), minimum, processor: median(&processor) }
    }
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

/// Measures all contenders, `rounds` batches each, with one thread on each of `pinned_to`.
///
/// # Errors
/// The first failure of a contender.
pub fn measure(
    contenders: &[Contender],
    pinned_to: &[usize],
    rounds: usize,
) -> Outcome<Vec<Figure>> {
    let start = &Barrier::new(pinned_to.len());
    let of_threads: Vec<Outcome<Vec<Vec<Batch>>>> = std::thread::scope(|scope| {
        let threads: Vec<_> = pinned_to
            .iter()
            .map(|&core| scope.spawn(move || one_thread(contenders, core, rounds, start)))
            .collect();
        threads
            .into_iter()
            .map(|t| t.join().unwrap_or_else(|_| Err("a thread panicked".to_owned())))
            .collect()
    });
    let mut batches: Vec<Vec<Batch>> = contenders.iter().map(|_| Vec::new()).collect();
    for thread in of_threads {
        for (all, own) in batches.iter_mut().zip(thread?) {
            all.extend(own);
        }
    }
    Ok(batches.iter().map(|batches| Figure::of(batches, pinned_to.len())).collect())
}

/// A thread that fails still meets the others at each start, so that they end.
fn one_thread(
    contenders: &[Contender],
    core: usize,
    rounds: usize,
    start: &Barrier,
) -> Outcome<Vec<Vec<Batch>>> {
    let mut failure = cores::pin(core).err();
    let mut chunks = vec![1; contenders.len()];
    let mut batches: Vec<Vec<Batch>> = contenders.iter().map(|_| Vec::new()).collect();
    for round in 0..=rounds {
        for place in 0..contenders.len() {
            let index = if round % 2 == 1 { place } else { contenders.len() - 1 - place };
            start.wait();
            if failure.is_some() {
                continue;
            }
            let contender = &contenders[index];
            let result = if round == 0 {
                // The first round warms up and says how much work a chunk is.
                chunk_size(contender).map(|chunk| chunks[index] = chunk)
            } else {
                batch(contender, chunks[index]).map(|figure| batches[index].push(figure))
            };
            failure = result.err().map(|error| format!("{}: {error}", contender.name()));
        }
    }
    failure.map_or(Ok(batches), Err)
}

fn chunk_size(contender: &Contender) -> Outcome<u32> {
    let mut chunk = 1;
    let warm = Instant::now();
    loop {
        let before = Instant::now();
        (contender.work)(chunk)?;
        if before.elapsed() < CHUNK && chunk < 1 << 30 {
            chunk *= 2;
        } else if warm.elapsed() >= BATCH {
            return Ok(chunk);
        }
    }
}

fn batch(contender: &Contender, chunk: u32) -> Outcome<Batch> {
    let (start, before) = (Instant::now(), time_on_processor());
    let mut operations = 0u64;
    while start.elapsed() < BATCH {
        (contender.work)(chunk)?;
        operations += u64::from(chunk);
    }
    let (wall, after) = (start.elapsed(), time_on_processor());
    let each = |nanoseconds: f64| nanoseconds / operations as f64;
    Ok(Batch { wall: each(wall.as_secs_f64() * 1e9), processor: each(after - before) })
}

/// Nanoseconds for which this thread has had a processor.
fn time_on_processor() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;

    fn contender(work: Work) -> Contender {
        Contender { side: Side::Ours, configuration: "", work }
    }

    #[test]
    fn one_disturbed_batch_moves_neither_the_median_nor_the_least() {
        let batches = [3.0, 900.0, 2.0].map(|wall| Batch { wall, processor: 1.0 });
        let figure = Figure::of(&batches, 2);
        assert_eq!(figure, Figure { median: 3.0, minimum: 2.0, processor: 1.0 });
    }

    #[test]
    fn one_thread_does_not_count_what_it_slept_and_two_do() {
        let asleep = 2e9 * BATCH.as_secs_f64();
        let slow = || {
            contender(Box::new(|count| {
                std::thread::sleep(2 * BATCH * count);
                Ok(())
            }))
        };
        let core = cores::available().unwrap()[0];
        let alone = measure(&[slow()], &[core], 1).unwrap();
        assert!(alone[0].minimum < asleep, "{alone:?}");
        let together = measure(&[slow()], &[core, core], 1).unwrap();
        assert!(together[0].minimum >= asleep, "{together:?}");
    }

    #[test]
    fn a_failure_of_one_thread_ends_all_and_is_named() {
        let calls = Arc::new(AtomicU64::new(0));
        let failing = contender(Box::new(move |_| {
            // Both threads begin; the second one to come here fails.
            if calls.fetch_add(1, Relaxed) == 1 { Err("no more".to_owned()) } else { Ok(()) }
        }));
        let core = cores::available().unwrap()[0];
        let message = measure(&[failing], &[core, core], 2).unwrap_err();
        assert_eq!(message, "selkie: no more");
    }
}
