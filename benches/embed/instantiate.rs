//! What an instance costs from its making to its end: `cargo bench --bench instantiate`.
//!
//! A store with a number in it, an instance of a module compiled beforehand, one call, and the
//! end of both, on one thread and on two that do the same at the same time.

use std::process::ExitCode;

use selkie_benches::options::Options;
use selkie_benches::table::Bar;
use selkie_benches::{Findings, Outcome, run_benchmark};
use selkie_embed_benches::contest::{Side, measure};
use selkie_embed_benches::report::{Line, against, grid};
use selkie_embed_benches::{cores, guests, instances};

fn main() -> ExitCode {
    run_benchmark("instantiate", 25, run)
}

/// What the engine aims at: a third of Wasmtime's best, and never more than an interpreter's.
const WASMTIME: Option<Bar> = Some(Bar { mean: 0.30, single: Some(0.50) });
const WASMI: Option<Bar> = Some(Bar { mean: 0.50, single: Some(1.0) });

/// Nanoseconds of the unit, microseconds.
const UNIT: f64 = 1e3;

fn run(options: &Options) -> Outcome<Findings> {
    let cores = cores::available()?;
    let mut findings = Findings::default();
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for guest in guests::all()?.iter().filter(|guest| options.wants(guest.name)) {
        eprintln!("  {}", guest.name);
        let contenders = match instances::contenders(guest) {
            Ok(contenders) => contenders,
            Err(error) => {
                findings.errors.push(format!("{}: {error}", guest.name));
                continue;
            }
        };
        for (threads, lines) in [(1, &mut one), (2, &mut two)] {
            let Some(pinned_to) = cores.get(..threads) else { continue };
            match measure(&contenders, pinned_to, options.rounds) {
                Ok(figures) => {
                    lines.push(Line::new(guest.name, "instances", &contenders, &figures));
                }
                Err(error) => findings.errors.push(format!("{}: {error}", guest.name)),
            }
        }
    }
    for (lines, titles) in [
        (&one, ["one thread", "an instance, one thread", "an instance, one thread"]),
        (&two, ["two threads", "an instance, two threads", "an instance, two threads"]),
    ] {
        if lines.is_empty() {
            continue;
        }
        print!("{}", grid(&format!("{}, µs per instance and thread", titles[0]), lines, UNIT));
        findings.tables.push(against(Side::Wasmtime, titles[1], "µs", WASMTIME, lines, UNIT));
        findings.tables.push(against(Side::Wasmi, titles[2], "µs", WASMI, lines, UNIT));
    }
    Ok(findings)
}
