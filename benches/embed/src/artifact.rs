//! Machine code of big modules, compiled once and kept in this package's target folder.
//!
//! Invariant: what is loaded was written by this program, for a module of the same name and size;
//! an engine refuses what another version of it wrote, and then it is compiled again.

// Whoever can write to the target folder can replace this program as well.
#![allow(unsafe_code)]

use std::path::{Path, PathBuf};

use selkie_benches::Outcome;

/// Ours, mapped from its file.
///
/// # Errors
/// When the module cannot be read or compiled, or the artifact not be written.
pub fn ours(engine: &selkie::Engine, module: &Path) -> Outcome<selkie::Module> {
    // SAFETY: the file was written by `kept`, to a folder that only those can write to who can
    // replace this program; nobody shortens it.
    let load = |path: &Path| unsafe { selkie::Module::deserialize_file(engine, path) };
    kept("selkie", module, load, |bytes| engine.precompile_module(bytes))
}

/// Wasmtime's, mapped from its file.
///
/// # Errors
/// As [`ours`].
pub fn wasmtimes(engine: &wasmtime::Engine, module: &Path) -> Outcome<wasmtime::Module> {
    // SAFETY: as in `ours`.
    let load = |path: &Path| unsafe { wasmtime::Module::deserialize_file(engine, path) };
    kept("wasmtime", module, load, |bytes| engine.precompile_module(bytes))
}

fn kept<M, E: std::fmt::Display>(
    engine: &str,
    module: &Path,
    load: impl Fn(&Path) -> Result<M, E>,
    compile: impl Fn(&[u8]) -> Result<Vec<u8>, E>,
) -> Outcome<M> {
    let bytes = std::fs::read(module).map_err(|e| format!("{}: {e}", module.display()))?;
    let folder = folder();
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let name = module.file_stem().unwrap_or_default().to_string_lossy();
    let path = folder.join(format!("{name}-{}.{engine}", bytes.len()));
    if let Ok(module) = load(&path) {
        return Ok(module);
    }
    eprintln!("  {engine} compiles {name}");
    let artifact = compile(&bytes).map_err(|e| format!("{engine}: {e:#}"))?;
    // Replaced, not rewritten: another run may have mapped the old file.
    let new = path.with_extension("new");
    std::fs::write(&new, artifact)
        .and_then(|()| std::fs::rename(&new, &path))
        .map_err(|e| format!("{}: {e}", path.display()))?;
    load(&path).map_err(|e| format!("{engine}: {e:#}"))
}

/// Where artifacts are kept.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/artifacts")
}
