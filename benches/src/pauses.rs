//! The longest pause of programs that look at the clock, in three engines.
//!
//! The guest measures: it works in short steps and answers with the longest time between two looks
//! at the clock. So all engines are measured alike, whatever they say of their collectors, and
//! whatever else makes a step long counts too. It is one figure of a whole run, which a busy
//! machine makes worse at once: no bar is put on it.

use crate::child::Cost;
use crate::engine::{self, Dialect, Engine};
use crate::exported::assemble;
use crate::options::Options;
use crate::rounds::{Contender, Series, interleave};
use crate::scratch::Scratch;
use crate::table::{Row, Table};
use crate::{Findings, Outcome};

/// Calls in Node, of which the last counts.
const CALLS: u32 = 3;

/// Measures every program of a folder below `programs`.
///
/// # Errors
/// When an engine is missing or a program is not what it should be.
pub fn measure(folder: &str, options: &Options) -> Outcome<Findings> {
    let scratch = Scratch::new(options.scratch.as_deref(), "pauses")?;
    let engines = Engine::pair(&scratch)?;
    let table = |title, unit, peer| Table::new(title, unit, None).against(peer);
    let mut pauses = ["warm node", "wasmtime"].map(|peer| table("longest pause", "ms", peer));
    let mut memory = ["warm node", "wasmtime"].map(|peer| table("peak memory", "MiB", peer));
    let mut findings = Findings::default();
    for program in assemble(folder, options, &scratch)? {
        eprintln!("  {}", program.name);
        let mut contenders = Vec::new();
        let guest = program.guest();
        let node = engine::node_answers(&program.module, &guest, CALLS);
        let node = node.ok_or("no node: put it on the PATH or into $PEERS, or set NODE")?;
        contenders.push(Contender::answering("node", node));
        // Ours comes last.
        for engine in engines.iter().rev() {
            let Some(engine) = engine.taking(Dialect::Managed) else { continue };
            let artifact = engine.prepare(&program.name, &program.module, &scratch)?;
            let invocation = engine.run_artifact(&artifact, &guest);
            contenders.push(Contender::answering(engine.name(), invocation));
        }
        let series = match interleave(&program.name, &contenders, options.rounds, &scratch) {
            Ok(series) => series,
            Err(error) => {
                findings.errors.push(error);
                continue;
            }
        };
        let [peers @ .., ours] = &series[..] else { continue };
        for (peer, (pauses, memory)) in peers.iter().zip(pauses.iter_mut().zip(&mut memory)) {
            let row = |figure: fn(&Cost) -> f64| {
                let of = |series: &Series| series.median(figure);
                let name = program.name.clone();
                Row { name, group: "all", ours: of(ours), peer: of(peer), native: None, node: None }
            };
            pauses.rows.push(row(|cost| cost.wall_ms));
            memory.rows.push(row(|cost| cost.peak_mib));
        }
    }
    findings.tables = pauses.into_iter().chain(memory).collect();
    Ok(findings)
}
