//! How fast compiled code runs: `cargo bench --bench execute`.
//!
//! Every program is compiled ahead of time by each side first; what is measured is the run of
//! that artifact, as a whole process. The native build of the same source is the limit.
//! Not measured here: compile time (`compile`) and the cost of a start alone (`startup`).

use std::process::ExitCode;

use selkie_benches::engine::{self, Engine};
use selkie_benches::options::Options;
use selkie_benches::program::{self, Program};
use selkie_benches::rounds::{Contender, Series, interleave};
use selkie_benches::scratch::Scratch;
use selkie_benches::table::{Bar, Row, Table};
use selkie_benches::{Findings, Outcome, run_benchmark};

fn main() -> ExitCode {
    run_benchmark("execute", 5, measure)
}

fn measure(options: &Options) -> Outcome<Findings> {
    let scratch = Scratch::new(options.scratch.as_deref(), "execute")?;
    let engines = Engine::pair(&scratch)?;
    program::build()?;
    let mut programs = program::built("")?;
    for program in &mut programs {
        program.guest.arguments.push(options.scale_percent.to_string().into());
    }
    programs.extend(program::real_work(&scratch)?);
    programs.retain(|program| options.wants(&program.name));

    // The limit for a single row is judged by processor time: one row's wall time says more
    // about what else the machine does.
    let wall_bar = Bar { mean: 1.0, single: None };
    let cpu_bar = Bar { mean: 1.0, single: Some(1.15) };
    let mut wall = Table::new("running time, wall", "ms", Some(wall_bar));
    let mut cpu = Table::new("running time, processor", "ms", Some(cpu_bar));
    let mut findings = Findings::default();
    for program in &programs {
        eprintln!("  {}", program.name);
        match compare(program, &engines, options, &scratch) {
            Ok(sides) => {
                wall.rows.push(sides.row(program, |cost| cost.wall_ms));
                cpu.rows.push(sides.row(program, |cost| cost.cpu_ms));
            }
            Err(error) => findings.errors.push(error),
        }
    }
    findings.tables = vec![cpu, wall];
    Ok(findings)
}

struct Sides {
    ours: Series,
    peer: Series,
    native: Option<Series>,
    node: Option<Series>,
}

impl Sides {
    fn row(
        &self,
        program: &Program,
        figure: impl Fn(&selkie_benches::child::Cost) -> f64 + Copy,
    ) -> Row {
        Row {
            name: program.name.clone(),
            group: program.group,
            ours: self.ours.median(figure),
            peer: self.peer.median(figure),
            native: self.native.as_ref().map(|series| series.median(figure)),
            node: self.node.as_ref().map(|series| series.median(figure)),
        }
    }
}

fn compare(
    program: &Program,
    engines: &[Engine; 2],
    options: &Options,
    scratch: &Scratch,
) -> Outcome<Sides> {
    let mut contenders = Vec::new();
    for engine in engines {
        let artifact = engine.prepare(&program.name, &program.module, scratch)?;
        let invocation = engine.run_artifact(&artifact, &program.guest);
        contenders.push(Contender::new(engine.name(), invocation));
    }
    if let Some(path) = &program.native {
        let invocation = engine::native(path, &program.guest);
        contenders.push(Contender::new("native", invocation));
    }
    if options.with_node {
        let invocation = engine::node(&program.module, &program.guest)
            .ok_or("no node: put it on the PATH or into $PEERS, or set NODE to its path")?;
        contenders.push(Contender::new("node", invocation));
    }
    let mut series = interleave(&program.name, &contenders, options.rounds, scratch)?.into_iter();
    let (Some(ours), Some(peer)) = (series.next(), series.next()) else {
        return Err(format!("{}: nothing was measured", program.name));
    };
    let native = if program.native.is_some() { series.next() } else { None };
    Ok(Sides { ours, peer, native, node: series.next() })
}
