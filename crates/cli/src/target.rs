//! Where what a command makes goes: a file or standard output.
//!
//! Invariant: the file appears whole or not at all, and never in place of the module.

use crate::input::Input;
use crate::output;
use crate::report::Failure;
use crate::text::shown;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Writes a file, or standard output where there is none.
///
/// # Errors
/// It cannot be written.
pub(crate) fn write(target: Option<&Path>, bytes: &[u8]) -> Result<(), Failure> {
    match target {
        None => output::bytes(bytes),
        Some(path) => write_whole(path, bytes).map_err(|error| {
            let path = shown(&path.to_string_lossy());
            Failure::error(format!("cannot write {path}: {error}"))
        }),
    }
}

/// Whoever overwrites the module has nothing left to make another from.
///
/// # Errors
/// The target is the file that was read.
pub(crate) fn refuse_the_source(target: Option<&Path>, input: &Input) -> Result<(), Failure> {
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
