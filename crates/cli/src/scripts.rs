//! `selkie wast`: runs scripts and says how many of their assertions hold.

use crate::input;
use crate::options::Making;
use crate::output;
use crate::report::Failure;
use crate::text::counted;
use crate::wast::WastRunner;
use clap::{Args, ValueHint};
use std::ffi::{OsStr, OsString};

/// Run scripts of the official test suite
#[derive(Args, Debug)]
pub(crate) struct Wast {
    #[command(flatten)]
    making: Making,
    /// Scripts; `-` for standard input
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<OsString>,
}

impl Wast {
    /// Runs each script; all are run, whatever happens in one.
    pub(crate) fn main(&self) -> Result<u8, Failure> {
        let settings = self.making.settings()?;
        let runner =
            WastRunner::new(&settings.config).map_err(|error| Failure::engine(&error, ""))?;
        let runner = runner.with_limits(settings.limits);
        let runner = match settings.fuel {
            Some(units) => runner.with_fuel(units),
            None => runner,
        };
        let runner = match settings.timeout {
            Some(timeout) => runner.with_timeout(timeout),
            None => runner,
        };
        let mut status = 0;
        for file in &self.files {
            if let Err(failure) = script(&runner, file) {
                status = status.max(failure.report());
            }
        }
        Ok(status)
    }
}

fn script(runner: &WastRunner, file: &OsStr) -> Result<(), Failure> {
    let (label, text) = input::read_text(file)?;
    let name = file.to_string_lossy();
    let summary =
        runner.run_file(&name, &text).map_err(|error| Failure::error(error.to_string()))?;
    let hold = counted(summary.assertions, "assertion holds", "assertions hold");
    output::line(&format!("{label}: {hold}"))
}
