//! `selkie compile`: from a module to an artifact file.

use crate::input::{self, Content, Input};
use crate::load;
use crate::options::Making;
use crate::report::Failure;
use crate::target;
use clap::{Args, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;

/// Compile to an artifact (.cwasm) that `run` accepts
#[derive(Args, Debug)]
pub(crate) struct Compile {
    /// Where the artifact goes, instead of beside FILE with the ending .cwasm, which `run` wants;
    /// `-` for standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
    #[command(flatten)]
    making: Making,
    /// The module, binary or text; `-` for standard input
    #[arg(value_hint = ValueHint::FilePath)]
    file: OsString,
}

impl Compile {
    pub(crate) fn main(&self) -> Result<u8, Failure> {
        let settings = self.making.settings()?;
        let input = input::read(&self.file)?;
        let target = self.target(&input)?;
        if matches!(input.content, Content::Module(_) | Content::Text(_)) {
            target::refuse_the_source(target.as_deref(), &input)?;
        }
        let engine = load::engine(&settings)?;
        let module = load::compile(&engine, &input)?;
        let bytes = module.serialize().map_err(|error| Failure::engine(&error, &input.shown))?;
        target::write(target.as_deref(), &bytes)?;
        Ok(0)
    }

    /// Where the artifact goes; `None` is standard output.
    fn target(&self, input: &Input) -> Result<Option<PathBuf>, Failure> {
        match (&self.output, &input.path) {
            (Some(path), _) if path == "-" => Ok(None),
            (Some(path), _) => Ok(Some(path.clone())),
            (None, Some(path)) if path.file_name().is_some() => {
                Ok(Some(path.with_extension("cwasm")))
            }
            (None, _) => Err(Failure::usage("say where the artifact goes: --output FILE")),
        }
    }
}
