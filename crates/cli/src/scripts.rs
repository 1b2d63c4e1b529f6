//! `selkie wast`: runs scripts and says how many of their assertions hold.

use crate::input;
use crate::options::Invocation;
use crate::output;
use crate::report::Failure;
use crate::settings::{Settings, asked_group};
use crate::wast::WastRunner;
use std::ffi::OsStr;

/// Runs each script; all are run, whatever happens in one.
pub(crate) fn main(invocation: &Invocation) -> Result<u8, Failure> {
    if let Some(group) = asked_group(invocation) {
        output::text(&group.help())?;
        return Ok(0);
    }
    if invocation.operands.is_empty() {
        return Err(invocation.lacks_operand());
    }
    let settings = Settings::of(invocation)?;
    let runner = WastRunner::new(&settings.config).map_err(|error| Failure::engine(&error, ""))?;
    let mut status = 0;
    for file in &invocation.operands {
        if let Err(failure) = script(&runner, file) {
            status = status.max(failure.report());
        }
    }
    Ok(status)
}

fn script(runner: &WastRunner, file: &OsStr) -> Result<(), Failure> {
    let (label, text) = input::read_text(file)?;
    let name = file.to_string_lossy();
    let summary =
        runner.run_file(&name, &text).map_err(|error| Failure::error(error.to_string()))?;
    output::line(&format!("{label}: {} assertions hold", summary.assertions))
}
