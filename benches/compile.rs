//! What compiling ahead of time costs: `cargo bench --bench compile`.
//!
//! Both sides compile the same modules on two processors: wall time, peak memory of the
//! process, and bytes of machine code in the artifact. Not measured here: how fast that
//! code is (`execute`).

use std::process::ExitCode;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use selkie_benches::engine::Engine;
use selkie_benches::options::Options;
use selkie_benches::program;
use selkie_benches::rounds::{Contender, interleave};
use selkie_benches::scratch::Scratch;
use selkie_benches::table::{Bar, Row, Table};
use selkie_benches::{Findings, Outcome, run_benchmark};

const THREADS: usize = 2;

fn main() -> ExitCode {
    run_benchmark("compile", 5, measure)
}

fn measure(options: &Options) -> Outcome<Findings> {
    keep_processors(THREADS)?;
    let scratch = Scratch::new(options.scratch.as_deref(), "compile")?;
    let engines = Engine::pair(&scratch)?;
    program::build()?;
    let mut modules = Vec::new();
    for file in ["python", "esbuild", "yosys"] {
        match program::real_module(&format!("{file}.wasm")) {
            Some(module) => modules.push((file.to_owned(), "real", module)),
            None => eprintln!("  {file}.wasm is not in $PROGRAMS and is left out"),
        }
    }
    let kernels = program::built("")?;
    modules.extend(kernels.into_iter().map(|kernel| (kernel.name, "kernels", kernel.module)));
    modules.retain(|(name, _, _)| options.wants(name));

    let bar = Some(Bar { mean: 1.0, single: None });
    let mut findings = Findings::default();
    let mut time = Table::new("compile time, wall", "ms", bar);
    let mut memory = Table::new("compile, peak memory", "MiB", bar);
    let mut size = Table::new("machine code", "bytes", bar);
    for (name, group, module) in &modules {
        eprintln!("  {name}");
        let contenders = engines.each_ref().map(|engine| {
            Contender::new(engine.name(), engine.compile(module, &engine.artifact_path(name)))
        });
        let measured = interleave(name, &contenders, options.rounds, &scratch).and_then(|series| {
            let size = |engine: &Engine| {
                let bytes = engine.code_size(&engine.artifact_path(name), &scratch);
                bytes.map(|bytes| bytes as f64).map_err(|e| format!("{name}: {e}"))
            };
            Ok((series, size(&engines[0])?, size(&engines[1])?))
        });
        let (series, our_size, peer_size) = match measured {
            Ok(measured) => measured,
            Err(error) => {
                findings.errors.push(error);
                continue;
            }
        };
        let row =
            |ours, peer| Row { name: name.clone(), group, ours, peer, native: None, node: None };
        let of = |side: usize, figure: fn(&selkie_benches::child::Cost) -> f64| {
            series[side].median(figure)
        };
        time.rows.push(row(of(0, |c| c.wall_ms), of(1, |c| c.wall_ms)));
        memory.rows.push(row(of(0, |c| c.peak_mib), of(1, |c| c.peak_mib)));
        size.rows.push(row(our_size, peer_size));
    }
    findings.tables = vec![time, memory, size];
    Ok(findings)
}

/// Keeps this process and its children on `count` of the processors it may use, so that
/// figures from machines of different width can be compared.
fn keep_processors(count: usize) -> Outcome<()> {
    let describe = |e| format!("cannot choose processors: {e}");
    let allowed = sched_getaffinity(None).map_err(describe)?;
    let mut kept = CpuSet::new();
    for processor in (0..CpuSet::MAX_CPU).filter(|&p| allowed.is_set(p)).take(count) {
        kept.set(processor);
    }
    if (kept.count() as usize) < count {
        eprintln!("  only {} processor here instead of {count}", kept.count());
    }
    sched_setaffinity(None, &kept).map_err(describe)
}
