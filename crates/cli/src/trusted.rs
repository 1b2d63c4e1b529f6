//! Artifacts that the command line takes over: the one place that vouches for machine code.
#![allow(unsafe_code)] // `Module::deserialize` and its sibling are

use selkie::{Engine, Module, Result};
use std::path::Path;

/// The artifact that a user named: running it was asked for, as with any program.
pub(crate) fn artifact(engine: &Engine, bytes: &[u8]) -> Result<Module> {
    // SAFETY: the user's command names these bytes as a program to run, and who runs a program
    // vouches for it; `selkie help run` says that an artifact is machine code.
    unsafe { Module::deserialize(engine, bytes) }
}

/// As [`artifact`], in a file.
pub(crate) fn artifact_file(engine: &Engine, path: &Path) -> Result<Module> {
    // SAFETY: as above. `selkie compile` replaces artifacts and never writes into them; a user
    // who overwrites a program while it runs breaks it, as with any other.
    unsafe { Module::deserialize_file(engine, path) }
}

/// An entry of the cache.
pub(crate) fn cached(engine: &Engine, path: &Path) -> Result<Module> {
    // SAFETY: the folder and the entry belong to this user and nobody else may write there
    // (`Cache::open`, `Cache::load`); entries are written under another name and then renamed.
    unsafe { Module::deserialize_file(engine, path) }
}
