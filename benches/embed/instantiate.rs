//! What an instance costs from its making to its end: `cargo bench --bench instantiate`.
//!
//! A store with a number in it, an instance of a module compiled beforehand, one call, and the
//! end of both, on one thread and on two that do the same at the same time.

use std::process::ExitCode;

use selkie_benches::options::Options;
use selkie_benches::table::Bar;
use selkie_benches::{Findings, Outcome, run_benchmark};
use selkie_embed_benches::contest::{Contender, Side, measure};
use selkie_embed_benches::cores;
use selkie_embed_benches::guests::GUESTS;
use selkie_embed_benches::instances;
use selkie_embed_benches::report::{Line, against, grid};

fn main() -> ExitCode {
    run_benchmark("instantiate", 25, run)
}

/// What the engine aims at against the best of Wasmtime's configurations, row by row.
const WASMTIME: Option<Bar> = Some(Bar { mean: 0.40, single: Some(0.80) });
/// The same against an interpreter, which has nothing to map or to protect.
const WASMI: Option<Bar> = Some(Bar { mean: 0.50, single: Some(1.0) });

/// Nanoseconds of the unit, microseconds.
const UNIT: f64 = 1e3;

/// Numbers of threads, with titles for all figures and for the ratios.
const THREADS: [(usize, &str, &str); 2] = [
    (1, "one thread, µs per instance", "an instance, one thread"),
    (2, "two threads, µs per instance and thread", "an instance, two threads"),
];

fn run(options: &Options) -> Outcome<Findings> {
    let cores = cores::available()?;
    let mut findings = Findings::default();
    let mut lines = THREADS.map(|_| Vec::new());
    for (name, guest) in GUESTS.iter().filter(|(name, _)| options.wants(name)) {
        let Some(guest) = guest()? else { continue };
        eprintln!("  {name}");
        let measured = instances::contenders(&guest, |engine| options.wants_engine(engine))
            .and_then(|contenders| in_threads(name, &contenders, &cores, options.rounds));
        match measured {
            Ok(measured) => lines.iter_mut().zip(measured).for_each(|(all, line)| all.push(line)),
            Err(error) => findings.errors.push(format!("{name}: {error}")),
        }
    }
    for ((_, grid_title, title), lines) in THREADS.iter().zip(&lines) {
        if lines.is_empty() {
            continue;
        }
        print!("{}", grid(grid_title, lines, UNIT));
        if options.engines.is_empty() {
            findings.tables.push(against(Side::Wasmtime, title, "µs", WASMTIME, lines, UNIT));
            findings.tables.push(against(Side::Wasmi, title, "µs", WASMI, lines, UNIT));
        }
    }
    Ok(findings)
}

/// A line for each number of threads for which there are processors.
fn in_threads(
    name: &'static str,
    contenders: &[Contender],
    cores: &[usize],
    rounds: usize,
) -> Outcome<Vec<Line>> {
    THREADS
        .iter()
        .filter_map(|(threads, ..)| cores.get(..*threads))
        .map(|pinned_to| {
            let figures = measure(contenders, pinned_to, rounds)?;
            Ok(Line::new(name, "instances", contenders, &figures))
        })
        .collect()
}
