//! `Module`: compiled code with all that is known about it. Cheap to clone, shared by threads.

use crate::artifact::{Artifact, Bytes, Meta, is_artifact};
use crate::code::{Code, ModuleCode};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::images::{MemoryImages, TableImage, table_images};
use crate::types::{ExportType, ExternType, ImportType};
use selkie_compile::{CompileUnit, compile_all, link};
use selkie_module::registry::canonical;
use selkie_module::{
    ContextLayout, DefinedGlobalIndex, EntityIndex, MemoryIndex, ModuleInfo, TypeId, decode, frames,
};
use selkie_vm::CodeMemory;
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, OnceLock};

/// A compiled module.
///
/// ```
/// use selkie_engine::{Engine, Module};
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module (func (export "f")))"#)?;
/// assert_eq!(module.exports().count(), 1);
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone)]
pub struct Module {
    pub(crate) inner: Arc<ModuleInner>,
}

pub(crate) struct ModuleInner {
    pub(crate) engine: Engine,
    pub(crate) info: Arc<ModuleInfo>,
    pub(crate) layout: ContextLayout,
    pub(crate) code: Code,
    /// Whether that does without guard pages.
    pub(crate) code_is_checked: bool,
    /// Code that does, if the other does not: made when an instance needs it.
    checked: OnceLock<Result<Code, String>>,
    /// Its bytes before the data.
    front: Bytes,
    pub(crate) data: Bytes,
    /// Canonical ids by type index: machine code reads them.
    pub(crate) type_ids: Box<[TypeId]>,
    pub(crate) exports: HashMap<String, EntityIndex>,
    /// The memory exported as `memory`, which host functions ask for at every call.
    pub(crate) memory_export: Option<MemoryIndex>,
    /// The initial contents of defined tables of functions, by defined table: what lazy slots
    /// hold. `None` elements are null.
    pub(crate) table_images: Vec<TableImage>,
    /// Which active element segments the images already contain.
    pub(crate) elems_in_images: Vec<bool>,
    /// What its memories hold at first, once there have been several instances.
    pub(crate) memory_images: OnceLock<MemoryImages>,
    /// Instances that were made without images of memories.
    pub(crate) instances_without_images: AtomicU32,
    /// Whether its instances need the collected heap or type descriptors.
    pub(crate) uses_heap: bool,
    /// Defined globals that hold traced references.
    pub(crate) traced_globals: Box<[DefinedGlobalIndex]>,
    /// The parts that `serialize` needs and nothing else.
    sites: Bytes,
    names: Bytes,
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module").finish_non_exhaustive()
    }
}

impl Module {
    /// Compiles a module, in the binary or (feature `wat`) the text format.
    ///
    /// # Errors
    /// The module is malformed, invalid, needs a proposal that is not enabled, or is too large.
    pub fn new(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<Module> {
        Module::from_binary(engine, &to_binary(bytes.as_ref())?)
    }

    /// Compiles a module in the binary format.
    ///
    /// # Errors
    /// As [`Module::new`].
    pub fn from_binary(engine: &Engine, bytes: &[u8]) -> Result<Module> {
        Module::compile(engine, bytes, None)
    }

    /// Compiles the module in a file.
    ///
    /// # Errors
    /// The file cannot be read; as [`Module::new`].
    pub fn from_file(engine: &Engine, path: impl AsRef<Path>) -> Result<Module> {
        let path = path.as_ref();
        let bytes = std::fs::read(path)
            .map_err(|e| Error::from(e).context(format!("cannot read {}", path.display())))?;
        Module::new(engine, bytes)
    }

    /// Compiles a binary module and tells how far it is: functions done, functions in all.
    ///
    /// # Errors
    /// As [`Module::new`].
    pub fn compile(
        engine: &Engine,
        bytes: &[u8],
        progress: Option<&(dyn Fn(usize, usize) + Sync)>,
    ) -> Result<Module> {
        let artifact = compile_artifact(engine, bytes, progress)?;
        let code = CodeMemory::from_bytes(&artifact.code)?;
        Module::from_artifact(engine, artifact, code)
    }

    /// Checks that bytes are a valid module under the engine's configuration, without compiling.
    ///
    /// # Errors
    /// As [`Module::new`].
    pub fn validate(engine: &Engine, bytes: &[u8]) -> Result<()> {
        validated(engine.config().features, bytes).map_err(|error| engine.config().explain(error))
    }

    /// The module as an artifact, for [`Module::deserialize`] in an engine of the same version
    /// and configuration.
    ///
    /// # Errors
    /// None are known; the result leaves room for a full memory.
    pub fn serialize(&self) -> Result<Vec<u8>> {
        let inner = &self.inner;
        let tables = &inner.code.tables;
        let artifact = Artifact {
            meta: Meta {
                info: (*inner.info).clone(),
                funcs: tables.funcs.clone(),
                uses_heap: inner.uses_heap,
                is_checked: inner.code_is_checked,
                debug: tables.debug.clone(),
            },
            code: inner.code.memory.bytes().to_vec().into(),
            sites: inner.sites.clone(),
            frames: tables.frames.clone(),
            data: inner.data.clone(),
            front: inner.front.clone(),
            names: inner.names.clone(),
            debug: tables.debug_bytes.clone(),
        };
        artifact.serialize(&inner.engine.fingerprint())
    }

    /// Whether bytes are an artifact rather than a module.
    pub fn is_artifact(bytes: &[u8]) -> bool {
        is_artifact(bytes)
    }

    pub(crate) fn from_artifact(
        engine: &Engine,
        artifact: Artifact,
        code: CodeMemory,
    ) -> Result<Module> {
        let info = Arc::new(artifact.meta.info);
        let type_ids = engine.register_types(&info)?;
        let tables = ModuleCode {
            info: info.clone(),
            funcs: artifact.meta.funcs,
            sites: artifact.sites.clone(),
            frames: artifact.frames,
            names: artifact.names.clone(),
            debug: artifact.meta.debug,
            debug_bytes: artifact.debug,
            name_map: OnceLock::new(),
            #[cfg(feature = "dwarf")]
            dwarf: OnceLock::new(),
        };
        // Costs more than it brings where nothing is being developed.
        if cfg!(debug_assertions) {
            let checked = frames::check::check(&tables.frames, &tables.funcs, &tables.sites);
            checked.map_err(|fault| Error::new(ErrorKind::Bug, fault.to_string()))?;
        }
        let code = Code::publish(code, tables);
        let exports: HashMap<_, _> =
            info.exports.iter().map(|e| (e.name.clone(), e.index)).collect();
        let memory_export = match exports.get("memory") {
            Some(EntityIndex::Memory(index)) => Some(*index),
            _ => None,
        };
        let (table_images, elems_in_images) = table_images(&info);
        let layout = ContextLayout::new(&info);
        let inner = ModuleInner {
            engine: engine.clone(),
            layout,
            code,
            code_is_checked: artifact.meta.is_checked || !engine.config().tuning.guard_pages,
            checked: OnceLock::new(),
            front: artifact.front,
            data: artifact.data,
            type_ids,
            exports,
            memory_export,
            table_images,
            elems_in_images,
            memory_images: OnceLock::new(),
            instances_without_images: AtomicU32::new(0),
            uses_heap: artifact.meta.uses_heap,
            traced_globals: traced_globals(&info),
            sites: artifact.sites,
            names: artifact.names,
            info,
        };
        Ok(Module { inner: Arc::new(inner) })
    }

    /// The engine it was compiled for.
    pub fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// Imports, in order.
    pub fn imports(&self) -> impl ExactSizeIterator<Item = ImportType<'_>> {
        self.inner.info.imports.iter().map(|import| ImportType {
            module: &import.module,
            name: &import.name,
            ty: self.inner.extern_type(import.ty),
        })
    }

    /// Exports, in order.
    pub fn exports(&self) -> impl ExactSizeIterator<Item = ExportType<'_>> {
        self.inner.info.exports.iter().map(|export| ExportType {
            name: &export.name,
            ty: self.inner.extern_type(self.inner.info.entity_type(export.index)),
        })
    }

    /// The type of an export.
    pub fn get_export(&self, name: &str) -> Option<ExternType> {
        let index = self.inner.exports.get(name)?;
        Some(self.inner.extern_type(self.inner.info.entity_type(*index)))
    }

    /// Bytes of machine code.
    pub fn code_bytes(&self) -> usize {
        self.inner.code.memory.len()
    }

    /// Number of functions the module defines.
    pub fn function_count(&self) -> usize {
        self.inner.code.tables.funcs.len()
    }
}

impl ModuleInner {
    pub(crate) fn extern_type(&self, ty: selkie_module::EntityType) -> ExternType {
        ExternType::from_entity(&self.engine, canonical(&ty, &self.type_ids))
    }

    /// Code for memories with guard pages, or for any.
    ///
    /// # Errors
    /// The module cannot be compiled once more.
    pub(crate) fn code(&self, is_checked: bool) -> Result<&Code> {
        if !is_checked || self.code_is_checked {
            return Ok(&self.code);
        }
        let code = self.checked.get_or_init(|| self.compile_checked().map_err(|e| e.to_string()));
        code.as_ref().map_err(|why| {
            let message = format!("cannot compile the module without guard pages: {why}");
            Error::new(ErrorKind::Limit, message)
        })
    }

    fn compile_checked(&self) -> Result<Code> {
        let bytes = [&*self.front, &*self.data].concat();
        let artifact = compile(&self.engine, &bytes, Guards::Never, None)?;
        let memory = CodeMemory::from_bytes(&artifact.code)?;
        let tables = &self.code.tables;
        Ok(Code::publish(
            memory,
            ModuleCode {
                info: self.info.clone(),
                funcs: artifact.meta.funcs,
                sites: artifact.sites,
                frames: artifact.frames,
                names: tables.names.clone(),
                debug: tables.debug.clone(),
                debug_bytes: tables.debug_bytes.clone(),
                name_map: OnceLock::new(),
                #[cfg(feature = "dwarf")]
                dwarf: OnceLock::new(),
            },
        ))
    }
}

fn validated(features: selkie_module::Features, bytes: &[u8]) -> Result<()> {
    let module = decode::decode(bytes, features)?;
    let mut allocations = wasmparser::FuncValidatorAllocations::default();
    for function in module.functions {
        let mut validator = function.to_validate.into_validator(allocations);
        validator
            .validate(&function.body)
            .map_err(|e| selkie_module::DecodeError::explain(&e, bytes, features))?;
        allocations = validator.into_allocations();
    }
    Ok(())
}

/// Text becomes binary; anything else stays as it is.
pub(crate) fn to_binary(bytes: &[u8]) -> Result<Cow<'_, [u8]>> {
    #[cfg(feature = "wat")]
    {
        if bytes.starts_with(b"\0asm") || is_artifact(bytes) {
            return Ok(Cow::Borrowed(bytes));
        }
        let text = wat::parse_bytes(bytes);
        text.map_err(|e| Error::new(ErrorKind::Invalid, e.to_string()))
    }
    #[cfg(not(feature = "wat"))]
    Ok(Cow::Borrowed(bytes))
}

/// Whether code may rely on guard pages behind memories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guards {
    /// As the settings say.
    Allowed,
    Never,
}

/// Compiles a module for memories with guard pages, where these are wanted and can be had at all.
pub(crate) fn compile_artifact(
    engine: &Engine,
    bytes: &[u8],
    progress: Option<&(dyn Fn(usize, usize) + Sync)>,
) -> Result<Artifact> {
    compiled(engine, bytes, progress).map_err(|error| engine.config().explain(error))
}

fn compiled(
    engine: &Engine,
    bytes: &[u8],
    progress: Option<&(dyn Fn(usize, usize) + Sync)>,
) -> Result<Artifact> {
    if is_artifact(bytes) {
        let message = "this is an artifact, not a module: load it with Module::deserialize";
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    let has_room = selkie_vm::max_guarded_memories() > 0;
    compile(engine, bytes, if has_room { Guards::Allowed } else { Guards::Never }, progress)
}

fn compile(
    engine: &Engine,
    bytes: &[u8],
    guards: Guards,
    progress: Option<&(dyn Fn(usize, usize) + Sync)>,
) -> Result<Artifact> {
    let config = engine.config();
    let module = decode::decode(bytes, config.features)?;
    let mut tuning = config.tuning.clone();
    let is_checked = tuning.guard_pages && guards == Guards::Never;
    tuning.guard_pages &= guards == Guards::Allowed;
    let linked = {
        let unit = CompileUnit::new(&module, bytes, config.features, tuning);
        let funcs = compile_all(engine.compiler()?, &unit, config.threads(), progress)?;
        link(funcs)?
    };
    let uses_heap =
        linked.uses_heap || module.info.const_exprs().any(selkie_module::ConstExpr::needs_gc);
    let mut debug = Vec::new();
    let mut debug_bytes = Vec::new();
    if config.keep_debug_info {
        for (name, section) in &module.debug_sections {
            let start = debug_bytes.len() as u32;
            debug_bytes.extend_from_slice(section);
            debug.push((name.to_string(), start..debug_bytes.len() as u32));
        }
    }
    Ok(Artifact {
        code: linked.code.into(),
        sites: linked.sites.into(),
        frames: linked.frames.into(),
        data: module.data.to_vec().into(),
        names: module.names.to_vec().into(),
        debug: debug_bytes.into(),
        front: module.front.to_vec().into(),
        meta: Meta { info: module.info, funcs: linked.funcs, uses_heap, is_checked, debug },
    })
}

/// The globals that the collector must look at.
fn traced_globals(info: &ModuleInfo) -> Box<[DefinedGlobalIndex]> {
    let defined = info.globals.iter().skip(info.num_imported_globals).enumerate();
    let traced = defined.filter(|(_, global)| info.is_traced(global.content));
    traced.map(|(i, _)| DefinedGlobalIndex::new(i)).collect()
}
