//! `selkie validate`: says whether modules are valid, and nothing when they are.

use crate::input;
use crate::load;
use crate::options::Invocation;
use crate::output;
use crate::report::Failure;
use crate::settings::{Settings, asked_group};
use selkie::{Engine, Module};
use std::ffi::OsStr;

/// Validates each file; all are looked at, whatever is found in one.
pub(crate) fn main(invocation: &Invocation) -> Result<u8, Failure> {
    if let Some(group) = asked_group(invocation) {
        output::text(&group.help())?;
        return Ok(0);
    }
    if invocation.operands.is_empty() {
        return Err(invocation.lacks_operand());
    }
    let engine = load::engine(&Settings::of(invocation)?)?;
    let mut status = 0;
    for file in &invocation.operands {
        if let Err(failure) = validate(&engine, file) {
            status = status.max(failure.report());
        }
    }
    Ok(status)
}

fn validate(engine: &Engine, file: &OsStr) -> Result<(), Failure> {
    let input = input::read(file)?;
    let label = input.shown.clone();
    let binary = input.into_binary()?;
    Module::validate(engine, &binary).map_err(|error| Failure::engine(&error, &label))
}
