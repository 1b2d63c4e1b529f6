//! What live instances hold: `cargo bench --bench density`.
//!
//! Many small instances in one process, each in a store of its own and called once: memory, page
//! tables and mappings of each. And how often an instance asks the allocator for memory.

use std::process::ExitCode;

use selkie_benches::options::Options;
use selkie_benches::table::{Bar, Row, Table};
use selkie_benches::{Findings, Outcome, run_benchmark};
use selkie_embed_benches::allocations::{self, Counting};
use selkie_embed_benches::density::{self, Filled, HOUSINGS};
use selkie_embed_benches::guests::{self, ARGUMENT};
use selkie_embed_benches::instances::{Data, Maker, ours, wasmi, wasmtime};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    if density::is_child() {
        return ExitCode::SUCCESS;
    }
    run_benchmark("density", 1, run)
}

const WASMTIME: Option<Bar> = Some(Bar { mean: 0.55, single: None });

fn run(options: &Options) -> Outcome<Findings> {
    let mut findings = Findings::default();
    print_allocations()?;
    let mut houses: Vec<(&str, usize, Filled)> = Vec::new();
    println!(
        "\n{:<32} {:>9} {:>12} {:>12} {:>12} {:>9}",
        "one of many live instances", "live", "resident", "shared once", "page tables", "mappings"
    );
    for housing in HOUSINGS.iter().filter(|housing| options.wants_engine(housing.name)) {
        for &count in housing.counts {
            match density::measure(housing, count) {
                Ok(filled) => {
                    print_filled(housing.name, count, &filled);
                    houses.push((housing.name, count, filled));
                }
                Err(error) => findings.errors.push(format!("{}: {error}", housing.name)),
            }
        }
    }
    if options.engines.is_empty() {
        findings.tables.extend(["wasmtime", "wasmi"].map(|peer| against(peer, &houses)));
    }
    Ok(findings)
}

fn print_filled(name: &str, count: usize, filled: &Filled) {
    let each = |bytes: u64| format!("{:.2} KiB", bytes as f64 / 1024.0 / filled.live as f64);
    println!(
        "{:<32} {:>9} {:>12} {:>12} {:>12} {:>9.2}",
        name,
        filled.live,
        each(filled.resident),
        each(filled.proportional),
        each(filled.page_tables),
        filled.mappings as f64 / filled.live as f64
    );
    if !filled.stopped.is_empty() {
        println!("    no more than {} of {count}: {}", filled.live, filled.stopped);
    }
}

/// Ours against the best of a peer's configurations, at each number that both have been filled to.
fn against(peer: &'static str, houses: &[(&str, usize, Filled)]) -> Table {
    let bar = if peer == "wasmtime" { WASMTIME } else { None };
    let mut table = Table::new("memory and page tables, each", "KiB", bar).against(peer);
    for (_, count, ours) in houses.iter().filter(|(name, ..)| *name == "selkie") {
        let best = houses
            .iter()
            .filter(|(name, of, filled)| {
                name.starts_with(peer) && of == count && filled.stopped.is_empty()
            })
            .map(|(.., filled)| filled.bytes_each())
            .min_by(f64::total_cmp);
        let Some(best) = best.filter(|_| ours.stopped.is_empty()) else { continue };
        table.rows.push(Row {
            name: format!("{count} instances"),
            group: "density",
            ours: ours.bytes_each() / 1024.0,
            peer: best / 1024.0,
            native: None,
            node: None,
        });
    }
    table
}

/// Operations over which allocations are counted, after as many that are not.
const OPERATIONS: u64 = 1000;

fn print_allocations() -> Outcome<()> {
    println!("\n{:<45} {:>8} {:>12}", "allocations of an operation", "number", "bytes");
    let engine = selkie::Engine::default();
    print_counted("selkie, a store alone", || {
        drop(selkie::Store::<Data>::try_new(&engine, 0).map_err(|e| e.to_string())?);
        Ok(())
    })?;
    let peer_engine = ::wasmtime::Engine::default();
    print_counted("wasmtime, a store alone", || {
        drop(::wasmtime::Store::<Data>::new(&peer_engine, 0));
        Ok(())
    })?;
    for (what, guest) in [("no memory", guests::no_memory()?), ("small", guests::small()?)] {
        let guest = &guest;
        let name = |engine: &str| format!("{engine}, {what}");
        print_operation(&name("selkie"), &ours::Maker::new(guest)?)?;
        for configuration in [&wasmtime::CONFIGURATIONS[0], &wasmtime::CONFIGURATIONS[2]] {
            let maker = wasmtime::Maker::new(guest, &(configuration.make)())?;
            print_operation(&name(&format!("wasmtime {}", configuration.name)), &maker)?;
        }
        print_operation(&name("wasmi"), &wasmi::Maker::new(guest)?)?;
    }
    Ok(())
}

fn print_operation<M: Maker>(name: &str, maker: &M) -> Outcome<()> {
    let run = maker.export("run")?;
    print_counted(name, || {
        let mut live = maker.instantiate(0)?;
        maker.call(&mut live, &run, ARGUMENT).map(|_| ())
    })
}

fn print_counted(name: &str, mut operate: impl FnMut() -> Outcome<()>) -> Outcome<()> {
    (0..OPERATIONS).try_for_each(|_| operate())?;
    let before = allocations::so_far();
    (0..OPERATIONS).try_for_each(|_| operate())?;
    let after = allocations::so_far();
    let each = |before, after| (after - before) as f64 / OPERATIONS as f64;
    println!("{name:<45} {:>8.2} {:>12.1}", each(before.0, after.0), each(before.1, after.1));
    Ok(())
}
