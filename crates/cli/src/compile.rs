//! `selkie compile`: from a module to an artifact file.
//!
//! Invariant: the file appears whole or not at all.

use crate::input::{self, Input};
use crate::load;
use crate::options::{Invocation, Opt};
use crate::output;
use crate::report::Failure;
use crate::settings::{Settings, asked_group};
use crate::text::shown;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Compiles a module to a file.
pub(crate) fn main(invocation: &Invocation) -> Result<u8, Failure> {
    if let Some(group) = asked_group(invocation) {
        output::text(&group.help())?;
        return Ok(0);
    }
    let file = invocation.operand()?;
    let settings = Settings::of(invocation)?;
    let input = input::read(file)?;
    let target = target(invocation, &input)?;
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
fn target(invocation: &Invocation, input: &Input) -> Result<Option<PathBuf>, Failure> {
    match (invocation.value(Opt::Output), &input.path) {
        (Some(name), _) if name == "-" => Ok(None),
        (Some(name), _) => Ok(Some(name.into())),
        (None, Some(path)) if path.file_name().is_some() => Ok(Some(path.with_extension("cwasm"))),
        (None, _) => Err(Failure::usage("say where the artifact goes: --output FILE")),
    }
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
