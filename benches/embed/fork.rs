//! Serving requests with forks of a CPython that has imported its libraries: `cargo bench --bench fork`.
//!
//! Beside it: instances of a module that begins with the same state, here and in Wasmtime, and what
//! it takes from cold.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use selkie::Config;
use selkie_benches::child::{Cost, Invocation};
use selkie_benches::engine::{Engine, Guest};
use selkie_benches::options::Options;
use selkie_benches::program::real_module;
use selkie_benches::rounds::{Contender as Process, interleave};
use selkie_benches::scratch::Scratch;
use selkie_benches::table::{Bar, Row, Table};
use selkie_benches::{Findings, Outcome, run_benchmark};
use selkie_embed_benches::contest::Side;
use selkie_embed_benches::fork::cpython::Places;
use selkie_embed_benches::fork::{
    REQUESTS, Request, Served, Server, cpython, ours, quantile, serve, wasmtime,
};
use selkie_embed_benches::instances::wasmtime::CONFIGURATIONS;
use selkie_embed_benches::{artifact, cores};

fn main() -> ExitCode {
    run_benchmark("fork", 10, run)
}

/// From a request to the first thing that its guest does, in microseconds.
const BAR_US: f64 = 100.0;
const BAR: Option<Bar> = Some(Bar { mean: 1.0, single: Some(1.0) });

/// Whom the bar is about.
const FORK: &str = "selkie fork";

/// Requests in a row of each contender and thread.
const BATCH: usize = 100;

/// Numbers of threads, with titles.
const THREADS: [(usize, &str); 2] = [(1, "one thread"), (2, "two threads")];

/// Who serves, with what its instances are made of.
struct Contender {
    side: Side,
    name: String,
    server: Box<dyn Server>,
}

fn run(options: &Options) -> Outcome<Findings> {
    let Some(command) = real_module("python.wasm") else {
        return Err("python.wasm is not there".to_owned());
    };
    let wasm = std::fs::read(&command).map_err(|e| format!("{}: {e}", command.display()))?;
    let with_table = cpython::with_table(&wasm)?;
    let file = cpython::file("python", &with_table)?;
    let contenders = contenders(options, &with_table, &file)?;
    let cores = cores::available()?;
    let mut findings = Findings::default();
    for (threads, title) in THREADS {
        let Some(pinned_to) = cores.get(..threads) else { continue };
        let mut first = Table::new("to first bytecode", "µs", BAR).against("bar");
        let mut whole = Table::new("to its end", "µs", None).against("wasmtime");
        println!("\n{title}, µs: first bytecode (99 of 100), output (99 of 100), gone");
        for request in REQUESTS.iter().filter(|request| options.wants(request.name)) {
            match measure(&contenders, request, options.rounds, pinned_to) {
                Ok(served) => {
                    print(request, &contenders, &served);
                    let row = |table: &mut Table, ours: Option<f64>, peer: Option<f64>| {
                        let (Some(ours), Some(peer)) = (ours, peer) else { return };
                        let (name, group) = (format!("{}, {title}", request.name), "requests");
                        table.rows.push(Row { name, group, ours, peer, native: None, node: None });
                    };
                    let best = |side| {
                        let all = contenders.iter().zip(&served).filter(|(c, _)| c.side == side);
                        let medians = all.map(|(_, served)| quantile(served, 0.5, |s| s.gone));
                        medians.min_by(f64::total_cmp)
                    };
                    let fork = contenders.iter().position(|c| c.name == FORK);
                    let fork = fork.map(|place| quantile(&served[place], 0.5, |s| s.first));
                    row(&mut first, fork, Some(BAR_US));
                    row(&mut whole, best(Side::Ours), best(Side::Wasmtime));
                }
                Err(error) => findings.errors.push(error),
            }
        }
        findings.tables.extend([first, whole].into_iter().filter(|table| !table.rows.is_empty()));
    }
    if options.engines.is_empty() {
        findings.tables.extend(processes(options, &command)?);
    }
    Ok(findings)
}

/// Makes all contenders, and says what it takes from cold.
fn contenders(options: &Options, with_table: &[u8], file: &Path) -> Outcome<Vec<Contender>> {
    let mut contenders = Vec::new();
    let mut add = |side: Side, name: &str, server: &dyn Fn() -> Outcome<Box<dyn Server>>| {
        let name = format!("{} {name}", side.name());
        if options.wants_engine(&name) {
            contenders.push(Contender { side, name, server: server()? });
        }
        Ok(()) as Outcome<()>
    };
    add(Side::Ours, "fork", &|| {
        let (server, [boot, snapshot]) = ours::Server::of_snapshot(&Config::new(), file)?;
        let [boot, snapshot] = [boot, snapshot].map(|took| took.as_secs_f64() * 1e3);
        println!("booting takes {boot:.1} ms from an instance on, a snapshot {snapshot:.1} ms");
        Ok(Box::new(server))
    })?;
    add(Side::Ours, "fork, none ready", &|| {
        let server = ours::Server::of_snapshot(Config::new().max_idle_instances(0), file)?.0;
        Ok(Box::new(server))
    })?;
    let cold: Vec<Duration> = {
        let engine = selkie::Engine::default();
        let module = artifact::ours(&engine, file)?;
        (0..options.rounds).map(|_| ours::cold(&engine, &module)).collect::<Outcome<_>>()?
    };
    if let Some(least) = cold.iter().min() {
        println!("from cold, in this process: {:.1} ms at least", least.as_secs_f64() * 1e3);
    }
    let made: OnceCell<Outcome<(PathBuf, Places)>> = OnceCell::new();
    let ready = || {
        made.get_or_init(|| {
            let start = Instant::now();
            let (ready, places) = ours::ready(with_table)?;
            let took = start.elapsed().as_secs_f64();
            println!("a module that begins so: {} bytes, made in {took:.1} s", ready.len());
            Ok((cpython::file("python-ready", &ready)?, places))
        })
        .clone()
    };
    add(Side::Ours, "module", &|| {
        let (ready, places) = ready()?;
        Ok(Box::new(ours::Server::of_module(&ready, places)?))
    })?;
    for configuration in CONFIGURATIONS {
        add(Side::Wasmtime, configuration.name, &|| {
            let (ready, places) = ready()?;
            let config = (configuration.make)();
            Ok(Box::new(wasmtime::Server::of_module(&config, &ready, places)?))
        })?;
    }
    Ok(contenders)
}

/// Batches in alternating order, after one that is not counted.
fn measure(
    contenders: &[Contender],
    request: &Request,
    rounds: usize,
    pinned_to: &[usize],
) -> Outcome<Vec<Vec<Served>>> {
    let mut served: Vec<Vec<Served>> = contenders.iter().map(|_| Vec::new()).collect();
    for round in 0..=rounds {
        for place in 0..contenders.len() {
            let index = if round % 2 == 1 { place } else { contenders.len() - 1 - place };
            let contender = &contenders[index];
            let batch = serve(&*contender.server, request, BATCH, pinned_to)
                .map_err(|error| format!("{}: {}: {error}", request.name, contender.name))?;
            if round > 0 {
                served[index].extend(batch);
            }
        }
    }
    Ok(served)
}

fn print(request: &Request, contenders: &[Contender], served: &[Vec<Served>]) {
    println!("{}", request.name);
    for (contender, served) in contenders.iter().zip(served) {
        let at = |part, figure| quantile(served, part, figure);
        println!(
            "  {:<36} {:>9.1} ({:>8.1}) {:>9.1} ({:>8.1}) {:>9.1}",
            contender.name,
            at(0.5, |s| s.first),
            at(0.99, |s| s.first),
            at(0.5, |s| s.end),
            at(0.99, |s| s.end),
            at(0.5, |s| s.gone),
        );
    }
}

/// Whole processes that import and serve one request, from artifacts.
fn processes(options: &Options, command: &Path) -> Outcome<Option<Table>> {
    let scratch = Scratch::new(options.scratch.as_deref(), "fork")?;
    let engines = match Engine::pair(&scratch) {
        Ok(engines) => engines,
        Err(missing) => {
            eprintln!("fork: no processes are measured: {missing}");
            return Ok(None);
        }
    };
    let mut table = Table::new("a process, wall", "ms", None).against("wasmtime");
    for request in REQUESTS.iter().filter(|request| options.wants(request.name)) {
        let program = format!("import sys, json, re\n{}", request.text);
        let guest = Guest {
            name: "python".to_owned(),
            arguments: ["-c".into(), program.into()].into(),
            ..Guest::default()
        };
        let process = |engine: &Engine| -> Outcome<Process> {
            let artifact = engine.prepare("python", command, &scratch)?;
            let invocation: Invocation = engine.run_artifact(&artifact, &guest);
            Ok(Process::new(engine.name(), invocation))
        };
        let both = [process(&engines[0])?, process(&engines[1])?];
        let series = interleave(request.name, &both, options.rounds, &scratch)?;
        let [ours, peer] = [0, 1].map(|i| series[i].median(|cost: &Cost| cost.wall_ms));
        let (name, group) = (request.name.to_owned(), "processes");
        table.rows.push(Row { name, group, ours, peer, native: None, node: None });
    }
    Ok(Some(table))
}
