//! Loading machine code that was made earlier.
//!
//! Whatever is checked here, damage, version, processor, settings, only tells honest artifacts
//! from broken ones: who can write an artifact's bytes can write its checks. So who loads one
//! vouches for it, and these are the only functions of the public API that are `unsafe`.
#![allow(unsafe_code)] // declares the three functions; nothing else in them needs it

use crate::artifact::Artifact;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::module::Module;
use selkie_vm::CodeMemory;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

impl Module {
    /// Loads an artifact made by [`Module::serialize`] or [`Engine::precompile_module`].
    ///
    /// ```
    /// use selkie_engine::{Engine, Module};
    /// let engine = Engine::default();
    /// let artifact = engine.precompile_module(br#"(module (func (export "run")))"#)?;
    /// // SAFETY: the engine made these bytes a line above.
    /// let module = unsafe { Module::deserialize(&engine, artifact) }?;
    /// assert_eq!(module.exports().len(), 1);
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    ///
    /// # Safety
    /// The bytes come from an engine like this one, by way of places that only those can write to
    /// whom this process trusts as it trusts its own program: an artifact is machine code. Bytes
    /// that were damaged by accident are refused.
    ///
    /// # Errors
    /// The artifact is damaged, or made for another version, processor or configuration.
    pub unsafe fn deserialize(engine: &Engine, bytes: impl Into<Vec<u8>>) -> Result<Module> {
        let (artifact, _) = Artifact::load(Arc::new(bytes.into()), &engine.fingerprint())?;
        let code = CodeMemory::from_bytes(&artifact.code)?;
        Module::from_artifact(engine, artifact, code)
    }

    /// Loads the artifact in a file, mapping its code instead of reading it.
    ///
    /// # Safety
    /// As [`Module::deserialize`]; and nobody changes or shortens the file while the module lives
    /// (replacing it under its name is no change).
    ///
    /// # Errors
    /// The file cannot be read; as [`Module::deserialize`].
    pub unsafe fn deserialize_file(engine: &Engine, path: impl AsRef<Path>) -> Result<Module> {
        let path = path.as_ref();
        let context = |e: Error| e.context(format!("cannot load {}", path.display()));
        let file = File::open(path).map_err(|e| context(e.into()))?;
        // SAFETY: the caller vouches for the file that lies under this name, which is this one.
        unsafe { Module::deserialize_open_file(engine, file) }.map_err(context)
    }

    /// Loads the artifact in a file that is open for reading, mapping its code instead of reading
    /// it: what was checked of the descriptor holds for what is loaded, whatever happens to the
    /// file's name. The descriptor's position means nothing.
    ///
    /// # Safety
    /// As [`Module::deserialize_file`].
    ///
    /// # Errors
    /// The file cannot be mapped; as [`Module::deserialize`].
    pub unsafe fn deserialize_open_file(engine: &Engine, file: File) -> Result<Module> {
        let whole = selkie_vm::FileMap::new(file.as_fd())?;
        let (artifact, code_range) = Artifact::load(Arc::new(whole), &engine.fingerprint())?;
        let code = CodeMemory::from_file(file.as_fd(), code_range.start as u64, code_range.len())?;
        Module::from_artifact(engine, artifact, code)
    }
}
