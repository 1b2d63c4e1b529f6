//! What it costs to say hello: `cargo bench --bench startup`.
//!
//! The whole process from the shell's point of view, with warm caches on both sides: a C
//! program and a minimal text module, as they are and compiled ahead of time. The native
//! row's memory is also the floor of this measurement.

use std::path::Path;
use std::process::ExitCode;

use selkie_benches::child::{Cost, Invocation};
use selkie_benches::engine::{self, Engine, Guest};
use selkie_benches::options::Options;
use selkie_benches::program::{self, built_folder};
use selkie_benches::rounds::{Contender, interleave};
use selkie_benches::scratch::Scratch;
use selkie_benches::table::{Bar, Row, Table};
use selkie_benches::{Findings, Outcome, run_benchmark};

fn main() -> ExitCode {
    run_benchmark("startup", 40, measure)
}

fn measure(options: &Options) -> Outcome<Findings> {
    let scratch = Scratch::new(options.scratch.as_deref(), "startup")?;
    let engines = Engine::pair(&scratch)?;
    program::build()?;
    let folder = built_folder().join("startup");
    let hello = folder.join("hello.wasm");
    let minimal = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/startup/minimal.wat");
    let native = folder.join("hello.native");

    let mut findings = Findings::default();
    let mut wall = Table::new("start, wall", "ms", Some(Bar { mean: 0.5, single: None }));
    let mut memory = Table::new("start, peak memory", "MiB", Some(Bar { mean: 0.6, single: None }));
    for (name, module, is_precompiled) in [
        ("hello.wasm", &hello, false),
        ("hello.cwasm", &hello, true),
        ("minimal.wat", &minimal, false),
        ("minimal.cwasm", &minimal, true),
    ] {
        if !options.wants(name) {
            continue;
        }
        eprintln!("  {name}");
        let row = commands(name, module, is_precompiled, &engines, &scratch).and_then(|commands| {
            let [ours, peer] = commands;
            let contenders = [
                Contender::new(engines[0].name(), ours),
                Contender::new(engines[1].name(), peer),
                Contender::new("native", engine::native(&native, &Guest::default())),
            ];
            interleave(name, &contenders, options.rounds, &scratch)
        });
        match row {
            Ok(series) => {
                let row = |figure: fn(&Cost) -> f64| Row {
                    name: name.to_owned(),
                    group: "start",
                    ours: series[0].median(figure),
                    peer: series[1].median(figure),
                    native: Some(series[2].median(figure)),
                    node: None,
                };
                wall.rows.push(row(|cost| cost.wall_ms));
                memory.rows.push(row(|cost| cost.peak_mib));
            }
            Err(error) => findings.errors.push(error),
        }
    }
    findings.tables = vec![wall, memory];
    Ok(findings)
}

fn commands(
    name: &str,
    module: &Path,
    is_precompiled: bool,
    engines: &[Engine; 2],
    scratch: &Scratch,
) -> Outcome<[Invocation; 2]> {
    let command = |engine: &Engine| -> Outcome<Invocation> {
        if !is_precompiled {
            return Ok(engine.run_module(module, &Guest::default()));
        }
        let artifact = engine.prepare(name, module, scratch)?;
        Ok(engine.run_artifact(&artifact, &Guest::default()))
    };
    Ok([command(&engines[0])?, command(&engines[1])?])
}
