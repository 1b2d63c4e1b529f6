//! What it costs to cross the border between host and guest: `cargo bench --bench call`.
//!
//! One row is one kind of call. From the host, a small function of the guest is called again and
//! again; from the guest, a loop calls a function of the host, and the loop's own instructions,
//! one per nanosecond at most, are part of the figure.

use std::process::ExitCode;

use selkie_benches::options::Options;
use selkie_benches::table::Bar;
use selkie_benches::{Findings, Outcome, run_benchmark};
use selkie_embed_benches::calls::{self, CASES, Case, Operation};
use selkie_embed_benches::contest::{Contender, Side, measure};
use selkie_embed_benches::cores;
use selkie_embed_benches::report::{Line, against, grid};

fn main() -> ExitCode {
    run_benchmark("call", 25, run)
}

/// What the engine aims at, against either peer.
const WASMTIME: Option<Bar> = Some(Bar { mean: 0.50, single: Some(1.0) });
const WASMI: Option<Bar> = Some(Bar { mean: 0.50, single: Some(1.0) });

fn run(options: &Options) -> Outcome<Findings> {
    let core = cores::available()?[0];
    let mut findings = Findings::default();
    let mut lines = Vec::new();
    for &(case, name, group) in CASES.iter().filter(|(_, name, _)| options.wants(name)) {
        eprintln!("  {name}");
        let figures = contenders(case, options).and_then(|contenders| {
            let figures = measure(&contenders, &[core], options.rounds)?;
            Ok(Line::new(name, group, &contenders, &figures))
        });
        match figures {
            Ok(line) => lines.push(line),
            Err(error) => findings.errors.push(format!("{name}: {error}")),
        }
    }
    print!("{}", grid("ns per call", &lines, 1.0));
    if options.engines.is_empty() {
        findings.tables.push(against(Side::Wasmtime, "a call", "ns", WASMTIME, &lines, 1.0));
        findings.tables.push(against(Side::Wasmi, "a call", "ns", WASMI, &lines, 1.0));
    }
    Ok(findings)
}

fn contenders(case: Case, options: &Options) -> Outcome<Vec<Contender>> {
    let operations: [(Side, Operation); 3] = [
        (Side::Ours, calls::ours::operation),
        (Side::Wasmtime, calls::wasmtime::operation),
        (Side::Wasmi, calls::wasmi::operation),
    ];
    operations
        .into_iter()
        .filter(|(side, _)| options.wants_engine(side.name()))
        .map(|(side, operation)| Ok(Contender { side, configuration: "", work: operation(case)? }))
        .collect()
}
