//! The measuring side of the benchmarks: how an engine is started, how a child process is
//! measured, in which order rounds run, and how figures are judged against a bar.
//!
//! Invariant: a figure is only ever compared with a figure of the same interleaved run.
//! Deliberately not here: what is measured. Each of the six programs (`execute`, `compile`,
//! `startup`, `fs`, `gc`, `exceptions`) says that itself. Nothing links against the engine; it is
//! measured from outside, as a person at a shell sees it. What a program sees that embeds it is
//! measured by the package in `embed`, which takes options and tables from here.

pub mod artifact;
pub mod child;
pub mod engine;
pub mod exported;
pub mod options;
pub mod pauses;
pub mod program;
pub mod rounds;
pub mod scratch;
pub mod table;

use std::process::ExitCode;

use options::Options;
use table::Table;

/// A result whose error is the sentence to print.
pub type Outcome<T> = Result<T, String>;

/// What one benchmark program found out: its tables, and the rows that could not be measured.
#[derive(Debug, Default)]
pub struct Findings {
    /// The figures, in the order of printing.
    pub tables: Vec<Table>,
    /// Programs that failed or gave a different output, each as one sentence.
    pub errors: Vec<String>,
}

/// The frame of a benchmark program: options, measuring, tables, JSON, exit code.
///
/// Exit code 0 when everything could be measured, 1 when a program failed or answered
/// differently (or, with `--enforce`, when a bar was missed), 2 for a wrong option.
pub fn run_benchmark(
    name: &str,
    usual_rounds: usize,
    measure: impl FnOnce(&Options) -> Outcome<Findings>,
) -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1), usual_rounds) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{}", options::help(name));
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("{name}: {message}\n\n{}", options::help(name));
            return ExitCode::from(2);
        }
    };
    match measure(&options).and_then(|findings| conclude(name, &options, &findings)) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("{name}: {message}");
            ExitCode::FAILURE
        }
    }
}

fn conclude(name: &str, options: &Options, findings: &Findings) -> Outcome<ExitCode> {
    let mut is_reached = true;
    for table in &findings.tables {
        print!("{}", table.render());
        is_reached &= table.verdict().is_reached;
    }
    for error in &findings.errors {
        eprintln!("{name}: error: {error}");
    }
    if !findings.errors.is_empty() {
        println!("\nnot all rows could be measured: {} failed", findings.errors.len());
    }
    if let Some(path) = &options.json {
        let text = table::to_json(name, options.rounds, &findings.tables, &findings.errors);
        std::fs::write(path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    }
    let is_fine = findings.errors.is_empty() && (is_reached || !options.enforce);
    Ok(if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
