//! Floor 5: runs a module's initializer once and writes a module that begins with its state, so
//! that a program that takes long to get ready starts as fast as one that does nothing.
//!
//! ```text
//! module ──► parts, scan ──► probe: the same, with all state exported ──► an instance
//!                                                                  │ start, _initialize, init
//!                                 rewrite ◄── state: memories, globals, tables, dropped segments
//!                                    ▼
//!                         module without initializers, with state
//! ```
//!
//! It is a guest of the engine's public API. What belongs to no module cannot be kept: objects of
//! the collected heap, references to things of the host's, exceptions, continuations, shared
//! memories. They are refused, by name. Nor is anything kept that the host holds for the guest:
//! files that the initializer opened are not open later, and arguments, environment, time and
//! random numbers that it looked at are those of the initialisation for ever.
//!
//! What this crate deliberately does not do: stop a program in the middle. The stack of a running
//! function lies in no memory that a module could state.
#![forbid(unsafe_code)]

mod parts;
mod probe;
mod rewrite;
mod scan;
mod sparse;
mod state;
mod tables;

use parts::Parts;
use probe::Names;
use scan::CodeUses;
use selkie_engine::{
    Engine, Error, ErrorKind, ExternType, Instance, Linker, Module, Result, Store,
};
use wasmparser::Export;

/// The names of initializers that are looked for, in this order, where none is named.
pub const INIT_FUNCS: [&str; 2] = ["wizer-initialize", "wizer.initialize"];

/// What libraries without a main function are initialised by (WASI, application ABI).
const INITIALIZE: &str = "_initialize";

/// How a module is initialised.
///
/// ```
/// use selkie_engine::{Engine, Linker, Module, Store};
/// use selkie_preinit::Preinit;
/// let wasm = wat::parse_str(r#"(module
///     (global $answer (mut i32) (i32.const 0))
///     (func (export "wizer-initialize") i32.const 42 global.set $answer)
///     (func (export "answer") (result i32) global.get $answer))"#)?;
/// let engine = Engine::default();
/// let mut store = Store::new(&engine, ());
/// let ready = Preinit::new().run(&mut store, &Linker::new(&engine), &wasm)?;
///
/// let module = Module::new(&engine, &ready)?;
/// let mut store = Store::new(&engine, ());
/// let instance = Linker::new(&engine).instantiate(&mut store, &module)?;
/// assert_eq!(instance.get_typed_func::<(), i32>(&mut store, "answer")?.call(&mut store, ())?, 42);
/// assert!(instance.get_func(&mut store, "wizer-initialize").is_none());
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Preinit {
    init_func: Option<String>,
    keep_init_func: bool,
    /// New names and old ones.
    renames: Vec<(String, String)>,
}

impl Preinit {
    /// The initializer is found by the names of [`INIT_FUNCS`], and not exported any more.
    pub fn new() -> Preinit {
        Preinit::default()
    }

    /// The name of the initializer: an exported function without parameters and results.
    pub fn init_func(&mut self, name: impl Into<String>) -> &mut Preinit {
        self.init_func = Some(name.into());
        self
    }

    /// Whether the initializer stays exported. Default no. `_initialize` never does: hosts would
    /// call it again.
    pub fn keep_init_func(&mut self, keep: bool) -> &mut Preinit {
        self.keep_init_func = keep;
        self
    }

    /// Exports the function that was exported as `old` as `new` instead. What was exported as
    /// `new` is not any more.
    pub fn rename_func(&mut self, new: impl Into<String>, old: impl Into<String>) -> &mut Preinit {
        self.renames.push((new.into(), old.into()));
        self
    }

    /// Initialises a module in the binary format with the imports of a linker, and answers the new
    /// one: [`Preinit::prepare`] and [`Prepared::run`] at once.
    ///
    /// # Errors
    /// As these two.
    pub fn run<T>(&self, store: &mut Store<T>, linker: &Linker<T>, wasm: &[u8]) -> Result<Vec<u8>> {
        self.prepare(store.engine(), wasm)?.run(store, linker)
    }

    /// Compiles what will be run.
    ///
    /// # Errors
    /// It is no valid module in the binary format; it imports memories, tables or globals that can
    /// be written; it has memories that are shared between threads; an export that is to be
    /// renamed is missing.
    pub fn prepare<'a>(&self, engine: &Engine, wasm: &'a [u8]) -> Result<Prepared<'a>> {
        let parts = Parts::of(wasm)?;
        // By itself, as what is added below could make something valid that is not.
        Module::validate(engine, wasm)?;
        let uses = CodeUses::of(&parts.bodies)?;
        let (probe, names) = probe::probe(&parts, &uses)?;
        let module = Module::new(engine, &probe)?;
        rewrite::check_renames(&parts.exports, self)?;
        Ok(Prepared { choices: self.clone(), parts, uses, names, module })
    }

    /// Whether an export is of no use once the module is initialised.
    fn is_spent(&self, export: &Export<'_>) -> bool {
        if !rewrite::is_func(export) {
            return false;
        }
        let is_init = match &self.init_func {
            Some(name) => export.name == name,
            None => INIT_FUNCS.contains(&export.name),
        };
        export.name == INITIALIZE || (is_init && !self.keep_init_func)
    }
}

/// A module that is ready to be initialised.
pub struct Prepared<'a> {
    choices: Preinit,
    parts: Parts<'a>,
    uses: CodeUses,
    names: Names,
    module: Module,
}

impl std::fmt::Debug for Prepared<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("choices", &self.choices).finish_non_exhaustive()
    }
}

impl Prepared<'_> {
    /// The module that will be run: the original with more exports. For what it imports.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// The name of the initializer.
    ///
    /// # Errors
    /// There is none, or it takes or returns something.
    pub fn init_func(&self) -> Result<&str> {
        let mut names: Vec<&str> = match &self.choices.init_func {
            Some(name) => vec![name],
            None => INIT_FUNCS.to_vec(),
        };
        names.retain(|name| self.parts.exports.iter().any(|export| export.name == *name));
        let Some(name) = names.first() else {
            let name = self.choices.init_func.as_deref().unwrap_or(INIT_FUNCS[0]);
            let message = format!("the module exports no initializer `{name}`");
            return Err(Error::new(ErrorKind::Link, message));
        };
        match self.module.get_export(name) {
            Some(ExternType::Func(ty)) if ty.params().len() + ty.results().len() == 0 => Ok(name),
            Some(ExternType::Func(ty)) => {
                let message = format!("`{name}` has the type {ty}; an initializer has () -> ()");
                Err(Error::new(ErrorKind::Link, message))
            }
            _ => {
                let message = format!("the export `{name}` is no function");
                Err(Error::new(ErrorKind::Link, message))
            }
        }
    }

    /// The exports that could be initializers, by their types.
    pub fn candidates(&self) -> impl Iterator<Item = &str> {
        let funcs = self.parts.exports.iter().filter(|export| rewrite::is_func(export));
        funcs.map(|export| export.name).filter(|name| {
            let ty = self.module.get_export(name);
            matches!(ty, Some(ExternType::Func(ty)) if ty.params().len() + ty.results().len() == 0)
        })
    }

    /// Initialises the module and answers the new one: [`Prepared::start`], the initializer, and
    /// [`Prepared::finish`].
    ///
    /// # Errors
    /// As these; there is no initializer; it traps, throws, or a host function fails in it.
    pub fn run<T>(&self, store: &mut Store<T>, linker: &Linker<T>) -> Result<Vec<u8>> {
        let name = self.init_func()?;
        let instance = self.start(store, linker)?;
        if name != INITIALIZE {
            let init = instance.get_typed_func::<(), ()>(&mut *store, name)?;
            init.call(&mut *store, ())?;
        }
        self.finish(store, instance)
    }

    /// Instantiates the module, which runs its start function, and calls `_initialize` if that is
    /// exported. Between this and [`Prepared::finish`] the instance can be used at will.
    ///
    /// ```
    /// use selkie_engine::{Engine, Linker, Module, Store};
    /// use selkie_preinit::Preinit;
    /// let wasm = wat::parse_str(r#"(module
    ///     (memory (export "memory") 1)
    ///     (func (export "length") (result i32) (i32.load8_u (i32.const 0))))"#)?;
    /// let engine = Engine::default();
    /// let mut store = Store::new(&engine, ());
    /// let prepared = Preinit::new().prepare(&engine, &wasm)?;
    /// let instance = prepared.start(&mut store, &Linker::new(&engine))?;
    /// let memory = instance.get_memory(&mut store, "memory").expect("exported");
    /// memory.write(&mut store, 0, b"\x0ba text to keep")?;
    /// let ready = prepared.finish(&mut store, instance)?;
    /// # let module = Module::new(&engine, &ready)?;
    /// # let instance = Linker::new(&engine).instantiate(&mut store, &module)?;
    /// # assert_eq!(instance.get_typed_func::<(), i32>(&mut store, "length")?.call(&mut store, ())?, 11);
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    ///
    /// # Errors
    /// An import is missing; a limit; what runs traps, throws, or a host function fails in it.
    pub fn start<T>(&self, store: &mut Store<T>, linker: &Linker<T>) -> Result<Instance> {
        let instance = linker.instantiate(&mut *store, &self.module)?;
        if let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut *store, INITIALIZE) {
            initialize.call(&mut *store, ())?;
        }
        Ok(instance)
    }

    /// The module that begins with the state of an instance that [`Prepared::start`] made.
    ///
    /// # Errors
    /// The instance is another one; it holds something that no module can begin with, which the
    /// error names.
    pub fn finish<T>(&self, store: &mut Store<T>, instance: Instance) -> Result<Vec<u8>> {
        let Prepared { choices, parts, uses, names, .. } = self;
        let state = state::read(store, instance, parts, uses, names)?;
        rewrite::rewrite(parts, uses, &state, choices)
    }
}
