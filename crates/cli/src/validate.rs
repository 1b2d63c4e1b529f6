//! `selkie validate`: says whether modules are valid. Of those that are it says nothing, unless they
//! use proposals that do not run yet.

use crate::input;
use crate::load;
use crate::options::Reading;
use crate::report::Failure;
use clap::{Args, ValueHint};
use selkie::{Engine, Module};
use std::ffi::{OsStr, OsString};

/// Check that modules are valid
#[derive(Args, Debug)]
pub(crate) struct Validate {
    #[command(flatten)]
    reading: Reading,
    /// Modules, binary or text; `-` for standard input
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<OsString>,
}

impl Validate {
    /// Validates each file; all are looked at, whatever is found in one.
    pub(crate) fn main(&self) -> Result<u8, Failure> {
        let engine = load::engine(&self.reading.settings()?)?;
        let mut status = 0;
        for file in &self.files {
            if let Err(failure) = validate(&engine, file) {
                status = status.max(failure.report());
            }
        }
        Ok(status)
    }
}

fn validate(engine: &Engine, file: &OsStr) -> Result<(), Failure> {
    let input = input::read(file)?;
    let label = input.shown.clone();
    let binary = input.into_binary()?;
    Module::validate(engine, &binary).map_err(|error| Failure::engine(&error, &label))
}
