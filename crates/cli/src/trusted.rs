//! Artifacts that the command line takes over: the one place that vouches for machine code.
//!
//! Invariant: machine code is loaded only if the user named it as such, by a name `*.cwasm` or a
//! switch, or if it lies in a cache that nobody else can write to.
#![allow(unsafe_code)] // `Module::deserialize` and its sibling are

use crate::cache::Entry;
use crate::input::Artifact;
use crate::report::Failure;
use selkie::{Engine, Module, Result};
use std::path::Path;

/// That the user wants machine code to run, as only its maker's word stands for it: bytes alone,
/// whatever they begin with, never are a reason to run them.
#[derive(Debug)]
pub(crate) struct Vouched(());

impl Vouched {
    /// The user's word for an input: its name, or the switch `--allow-precompiled`.
    ///
    /// # Errors
    /// There is none; what the user can do then.
    pub(crate) fn by_user(
        shown: &str,
        path: Option<&Path>,
        is_allowed: bool,
    ) -> std::result::Result<Vouched, Failure> {
        let is_named = path.and_then(Path::extension).is_some_and(|ending| ending == "cwasm");
        if is_named || is_allowed {
            return Ok(Vouched(()));
        }
        let name = if path.is_some() { "name it *.cwasm or " } else { "" };
        Err(Failure::error(format!(
            "{shown} holds machine code made by `selkie compile`, which runs outside of the \
             sandbox's checks; if you trust whoever made it, {name}say --allow-precompiled"
        )))
    }
}

/// The artifact that a user named: running it was asked for, as with any program.
pub(crate) fn artifact(engine: &Engine, artifact: Artifact, _: Vouched) -> Result<Module> {
    match artifact {
        // SAFETY: the user named these bytes as machine code to run (`Vouched`), and who runs a
        // program vouches for it; `selkie help run` says so.
        Artifact::Bytes(bytes) => unsafe { Module::deserialize(engine, bytes) },
        // SAFETY: as above. `selkie compile` replaces artifacts and never writes into them; a
        // user who overwrites a program while it runs breaks it, as with any other.
        Artifact::File(file) => unsafe { Module::deserialize_open_file(engine, file) },
    }
}

/// An entry of the cache.
pub(crate) fn cached(engine: &Engine, entry: Entry) -> Result<Module> {
    // SAFETY: an `Entry` is an open file of this user's, which nobody else may write to, and was
    // found in a folder of which the same holds (`cache::folder` looked at both descriptors). Our
    // processes write entries under another name and rename them, and never change one.
    unsafe { Module::deserialize_open_file(engine, entry.into_file()) }
}
