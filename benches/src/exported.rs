//! Programs in the text format whose export `run` is called with a number of rounds, and the
//! comparison of such programs in three engines: `gc` and `exceptions` are made of it.
//!
//! Invariant: all engines get the same binary module and the same number, and `run` begins
//! anew at each call, so that a process that calls it once does the work of one that is warm.

use std::path::{Path, PathBuf};

use crate::child::Cost;
use crate::engine::{self, Dialect, Engine, Guest};
use crate::options::Options;
use crate::rounds::{Contender, Series, interleave};
use crate::scratch::Scratch;
use crate::table::{Bar, Row, Table};
use crate::{Findings, Outcome};

/// Calls of a warm Node that do not count: its optimizing compiler works in the background and
/// takes effect at the next call.
const WARM_UP_CALLS: u32 = 3;
/// Calls of a warm Node whose median counts.
const TIMED_CALLS: u32 = 3;

const TO_NODE: Bar = Bar { mean: 1.2, single: None };
const TO_WASMTIME: Bar = Bar { mean: 0.5, single: None };

/// One program.
#[derive(Debug)]
pub(crate) struct Exported {
    pub(crate) name: String,
    pub(crate) module: PathBuf,
    dialect: Dialect,
    rounds: u32,
}

/// Measures every program of a folder below `programs`.
///
/// # Errors
/// When an engine is missing or a program is not what it should be.
pub fn measure(folder: &str, options: &Options) -> Outcome<Findings> {
    let scratch = Scratch::new(options.scratch.as_deref(), folder)?;
    let engines = Engine::pair(&scratch)?;
    let mut findings = Findings::default();
    let mut tables = Tables::new();
    for program in assemble(folder, options, &scratch)? {
        eprintln!("  {}", program.name);
        match compare(&program, &engines, options, &scratch) {
            Ok(sides) => tables.add(&program.name, &sides),
            Err(error) => findings.errors.push(error),
        }
    }
    findings.tables = tables.all();
    Ok(findings)
}

/// The programs of a folder that are wanted, as modules; sorted by name.
pub(crate) fn assemble(
    folder: &str,
    options: &Options,
    scratch: &Scratch,
) -> Outcome<Vec<Exported>> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(folder);
    let entries = std::fs::read_dir(&sources).map_err(|e| format!("{}: {e}", sources.display()))?;
    let mut programs = Vec::new();
    for entry in entries {
        let source = entry.map_err(|e| format!("{}: {e}", sources.display()))?.path();
        let Some(name) = source.file_stem().and_then(|stem| stem.to_str()) else { continue };
        if source.extension().is_some_and(|e| e == "wat") && options.wants(name) {
            let module = scratch.path(&format!("{name}.wasm"));
            programs.push(Exported::assemble(name, &source, module, options.scale_percent)?);
        }
    }
    programs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(programs)
}

impl Exported {
    fn assemble(name: &str, source: &Path, module: PathBuf, scale_percent: u32) -> Outcome<Self> {
        let describe = |e: &dyn std::fmt::Display| format!("{}: {e}", source.display());
        let text = std::fs::read_to_string(source).map_err(|e| describe(&e))?;
        let binary = wat::parse_str(&text).map_err(|e| describe(&e))?;
        std::fs::write(&module, binary).map_err(|e| describe(&e))?;
        let usual: u32 = header(&text, "rounds")
            .and_then(|rounds| rounds.parse().ok())
            .ok_or_else(|| describe(&"has no line `;; rounds: NUMBER` at its head"))?;
        let dialect = match header(&text, "needs") {
            None => Dialect::Managed,
            Some("legacy exceptions") => Dialect::LegacyExceptions,
            Some(other) => return Err(describe(&format!("needs {other:?}, which nobody knows"))),
        };
        let rounds = u64::from(usual) * u64::from(scale_percent) / 100;
        let rounds = u32::try_from(rounds.max(1)).map_err(|e| describe(&e))?;
        Ok(Self { name: name.to_owned(), module, dialect, rounds })
    }

    pub(crate) fn guest(&self) -> Guest {
        let arguments = vec![self.rounds.to_string().into()];
        Guest { arguments, export: Some("run"), ..Guest::default() }
    }
}

/// The value of a line `;; NAME: VALUE` among the comments that a source begins with.
fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let comments = text.lines().map_while(|line| line.strip_prefix(";; "));
    comments.into_iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

struct Sides {
    ours: Series,
    /// Absent where it does not know the instructions.
    wasmtime: Option<Series>,
    warm_node: Series,
    /// Absent unless it was asked for.
    whole_node: Option<Series>,
}

fn compare(
    program: &Exported,
    engines: &[Engine; 2],
    options: &Options,
    scratch: &Scratch,
) -> Outcome<Sides> {
    let guest = program.guest();
    let mut contenders = Vec::new();
    for engine in engines {
        let Some(engine) = engine.taking(program.dialect) else { continue };
        let artifact = engine.prepare(&program.name, &program.module, scratch)?;
        let invocation = engine.run_artifact(&artifact, &guest);
        contenders.push(Contender::new(engine.name(), invocation));
    }
    let node = |warm_up, timed| {
        engine::node_calls(&program.module, &guest, warm_up, timed)
            .ok_or("no node: put it on the PATH or into $PEERS, or set NODE to its path")
    };
    contenders.push(Contender::self_timed("node", node(WARM_UP_CALLS, TIMED_CALLS)?));
    if options.with_node {
        contenders.push(Contender::new("whole node", node(1, 0)?));
    }
    let names: Vec<&str> = contenders.iter().map(|contender| contender.name).collect();
    let series = interleave(&program.name, &contenders, options.rounds, scratch)?;
    let mut by_name: Vec<_> = names.into_iter().zip(series).collect();
    let mut take = |name| {
        let place = by_name.iter().position(|(n, _)| *n == name)?;
        Some(by_name.swap_remove(place).1)
    };
    let missing = || format!("{}: nothing was measured", program.name);
    Ok(Sides {
        ours: take("selkie").ok_or_else(missing)?,
        wasmtime: take("wasmtime"),
        warm_node: take("node").ok_or_else(missing)?,
        whole_node: take("whole node"),
    })
}

/// What is reported: time and memory, against one peer and against the other.
struct Tables {
    to_node: Table,
    to_wasmtime: Table,
    cpu_to_node: Table,
    memory_to_node: Table,
    memory_to_wasmtime: Table,
}

impl Tables {
    fn new() -> Self {
        let time = |bar| Table::new("running time, wall", "ms", Some(bar));
        let memory = || Table::new("peak memory", "MiB", None);
        Self {
            to_node: time(TO_NODE).against("warm node"),
            to_wasmtime: time(TO_WASMTIME).against("wasmtime"),
            cpu_to_node: Table::new("running time, processor", "ms", None).against("warm node"),
            memory_to_node: memory().against("warm node"),
            memory_to_wasmtime: memory().against("wasmtime"),
        }
    }

    fn add(&mut self, name: &str, sides: &Sides) {
        let row = |peer: &Series, figure: fn(&Cost) -> f64| Row {
            name: name.to_owned(),
            group: "all",
            ours: sides.ours.median(figure),
            peer: peer.median(figure),
            native: None,
            node: sides.whole_node.as_ref().map(|series| series.median(figure)),
        };
        let node = &sides.warm_node;
        self.to_node.rows.push(row(node, |cost| cost.wall_ms));
        self.cpu_to_node.rows.push(row(node, |cost| cost.cpu_ms));
        self.memory_to_node.rows.push(row(node, |cost| cost.peak_mib));
        if let Some(wasmtime) = &sides.wasmtime {
            self.to_wasmtime.rows.push(row(wasmtime, |cost| cost.wall_ms));
            self.memory_to_wasmtime.rows.push(row(wasmtime, |cost| cost.peak_mib));
        }
    }

    fn all(self) -> Vec<Table> {
        vec![
            self.to_node,
            self.to_wasmtime,
            self.cpu_to_node,
            self.memory_to_node,
            self.memory_to_wasmtime,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_from_the_leading_comments_alone() {
        let text = ";; About it.\n;; rounds: 12\n(module)\n;; needs: legacy exceptions\n";
        assert_eq!(header(text, "rounds"), Some("12"));
        assert_eq!(header(text, "needs"), None);
    }

    #[test]
    fn every_program_is_a_module_with_a_number_of_rounds() {
        let options = Options::parse(std::iter::empty(), 1).unwrap().unwrap();
        for (folder, least) in [("gc", 10), ("gc/pauses", 2), ("exceptions", 10)] {
            let scratch = Scratch::new(None, "exported-test").unwrap();
            let programs = assemble(folder, &options, &scratch).unwrap();
            assert!(programs.len() >= least, "{folder}: {} programs", programs.len());
            assert!(programs.iter().all(|program| program.rounds > 0));
        }
    }
}
