//! `selkie compile`: from a module to an artifact file.
//!
//! Invariant: the file appears whole or not at all, and never in place of the module.

use crate::input::{self, Content, Input};
use crate::load;
use crate::options::Making;
use crate::output;
use crate::report::Failure;
use crate::text::shown;
use clap::{Args, ValueHint};
use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

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
            refuse_the_source(target.as_deref(), &input)?;
        }
        let engine = load::engine(&settings)?;
        let module = load::compile(&engine, &input)?;
        let bytes = module.serialize().map_err(|error| Failure::engine(&error, &input.shown))?;
        match target {
            None => output::bytes(&bytes)?,
            Some(path) => write_whole(&path, &bytes).map_err(|error| {
                let path = shown(&path.to_string_lossy());
                Failure::error(format!("cannot write {path}: {error}"))
            })?,
        }
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

/// Whoever overwrites the module has nothing left to compile again.
fn refuse_the_source(target: Option<&Path>, input: &Input) -> Result<(), Failure> {
    let file_of = |path: &Path| {
        let meta = std::fs::metadata(path).ok().filter(|meta| meta.is_file());
        meta.map(|meta| (meta.dev(), meta.ino()))
    };
    let (Some(target), Some(source)) = (target, &input.path) else { return Ok(()) };
    if file_of(target).is_some_and(|file| file_of(source) == Some(file)) {
        let target = shown(&target.to_string_lossy());
        return Err(Failure::usage(format!(
            "{target} is the module itself; name another file with --output"
        )));
    }
    Ok(())
}

fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // What is there and no plain file (a device, a pipe, a link) is written to, not replaced.
    let is_special = std::fs::symlink_metadata(path).is_ok_and(|meta| !meta.is_file());
    if is_special {
        return File::options().write(true).truncate(true).open(path)?.write_all(bytes);
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = folder.join(format!(".{name}.{}", std::process::id()));
    let written = File::create_new(&unfinished)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| std::fs::rename(&unfinished, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&unfinished);
    }
    written
}
