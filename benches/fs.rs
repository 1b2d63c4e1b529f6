//! What file work costs through WASI: `cargo bench --bench fs`.
//!
//! C programs that do little else than system calls, run as artifacts on the same file
//! system for every side; in memory (/dev/shm) where there is one, so that the disk is not
//! what is measured. `--scratch DIR` puts the files elsewhere.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use selkie_benches::engine::{self, Engine};
use selkie_benches::options::Options;
use selkie_benches::program;
use selkie_benches::rounds::{Contender, interleave};
use selkie_benches::scratch::Scratch;
use selkie_benches::table::{Bar, Row, Table};
use selkie_benches::{Findings, Outcome, run_benchmark};

fn main() -> ExitCode {
    run_benchmark("fs", 5, measure)
}

fn measure(options: &Options) -> Outcome<Findings> {
    let scratch = Scratch::new(None, "fs")?;
    let shared_memory = Some(Path::new("/dev/shm")).filter(|folder| folder.is_dir());
    let files = Scratch::new(options.scratch.as_deref().or(shared_memory), "fs-files")?;
    let engines = Engine::pair(&scratch)?;
    program::build()?;

    let mut findings = Findings::default();
    let mut wall = Table::new("file work, wall", "ms", Some(Bar { mean: 0.5, single: None }));
    for program in program::built("fs")?.iter().filter(|program| options.wants(&program.name)) {
        eprintln!("  {}", program.name);
        match compare(program, &engines, options, &scratch, &files) {
            Ok(row) => wall.rows.push(row),
            Err(error) => findings.errors.push(error),
        }
    }
    findings.tables = vec![wall];
    Ok(findings)
}

fn compare(
    program: &program::Program,
    engines: &[Engine; 2],
    options: &Options,
    scratch: &Scratch,
    files: &Scratch,
) -> Outcome<Row> {
    let scale = options.scale_percent.to_string();
    // A folder per program: what a failed run leaves behind disturbs no other row.
    let folder: PathBuf = files.folder(&program.name)?;
    let mut guest = program.guest.clone();
    guest.folder = Some((folder.clone(), "/files".to_owned()));
    guest.arguments = vec!["/files".into(), scale.clone().into()];
    let mut contenders = Vec::new();
    for engine in engines {
        let artifact = engine.prepare(&program.name, &program.module, scratch)?;
        let invocation = engine.run_artifact(&artifact, &guest);
        contenders.push(Contender::new(engine.name(), invocation));
    }
    if let Some(path) = &program.native {
        guest.arguments = vec![folder.into(), scale.into()];
        contenders.push(Contender::new("native", engine::native(path, &guest)));
    }
    let series = interleave(&program.name, &contenders, options.rounds, scratch)?;
    let median = |index: usize| series.get(index).map(|s| s.median(|cost| cost.wall_ms));
    Ok(Row {
        name: program.name.clone(),
        group: "files",
        ours: median(0).unwrap_or(f64::NAN),
        peer: median(1).unwrap_or(f64::NAN),
        native: median(2),
        node: None,
    })
}
