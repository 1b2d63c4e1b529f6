//! `Engine`: what modules and stores share. Cheap to clone; safe to share between threads.
//!
//! Handles are counted for each shard of threads apart: stores that two threads make from one engine
//! count at two places.

use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::instance::warm::{Home, IdleInstances};
use crate::interrupt::Clock;
use crate::module::{compile_artifact, to_binary};
use crate::shards::Shards;
use selkie_compile::{Compiler, Tuning};
use selkie_module::{ModuleInfo, SubType, TypeId, TypeRegistry};
use selkie_vm::TypeTable;
use std::sync::{
    Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak,
};

/// Canonical types that an engine keeps. They live as long as the engine, whatever modules do.
const MAX_TYPES: usize = 10_000_000;

/// A configured engine: compiles modules, knows their types.
///
/// ```
/// let engine = selkie_engine::Engine::default();
/// let module = selkie_engine::Module::new(&engine, "(module)")?;
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone)]
pub struct Engine {
    handle: Arc<Handle>,
}

/// What the handles of one shard count.
#[repr(align(128))]
struct Handle {
    inner: Arc<Inner>,
}

struct Inner {
    /// By shard, while there is one.
    handles: Shards<Mutex<Weak<Handle>>>,
    /// Everything that keeps instances ready, while it exists.
    homes: Mutex<Vec<Weak<Home>>>,
    config: Config,
    types: RwLock<TypeRegistry>,
    compiler: OnceLock<Result<Tier, String>>,
    clock: Arc<Clock>,
    /// Descriptors of types, once a store needs them.
    descriptors: OnceLock<Arc<TypeTable>>,
}

/// A compiler with the name of everything besides a module and its tuning that shapes its code.
struct Tier {
    compiler: Box<dyn Compiler>,
    fingerprint: String,
}

impl Default for Engine {
    fn default() -> Engine {
        Engine::new(&Config::default()).expect("the default configuration fits every host")
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine with these choices.
    ///
    /// # Errors
    /// The signal handlers that turn faults into traps cannot be installed.
    pub fn new(config: &Config) -> Result<Engine> {
        selkie_vm::install_handlers()?;
        let inner = Arc::new(Inner {
            handles: Shards::default(),
            homes: Mutex::default(),
            config: config.settled(),
            types: RwLock::default(),
            compiler: OnceLock::new(),
            clock: Arc::default(),
            descriptors: OnceLock::new(),
        });
        Ok(Engine { handle: Arc::new(Handle { inner }) }.local())
    }

    /// The same engine, by a handle that is counted where this thread counts.
    pub(crate) fn local(&self) -> Engine {
        let mut known = self.inner().handles.mine().lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = known.upgrade() {
            return Engine { handle };
        }
        let handle = Arc::new(Handle { inner: self.handle.inner.clone() });
        *known = Arc::downgrade(&handle);
        Engine { handle }
    }

    fn inner(&self) -> &Inner {
        &self.handle.inner
    }

    /// The choices.
    pub fn config(&self) -> &Config {
        &self.inner().config
    }

    /// What raises the signals of stores that are to be interrupted.
    pub(crate) fn clock(&self) -> &Arc<Clock> {
        &self.inner().clock
    }

    /// Whether two handles are the same engine.
    pub fn same(a: &Engine, b: &Engine) -> bool {
        Arc::ptr_eq(&a.handle.inner, &b.handle.inner)
    }

    /// What is kept ready for instances to come, by every [`InstancePre`](crate::InstancePre) and on
    /// every processor. Asks the system about each memory.
    pub fn idle_instances(&self) -> IdleInstances {
        let mut sum = IdleInstances::default();
        self.homes().iter().for_each(|home| sum += home.stats());
        sum
    }

    /// Lets go of everything that is kept ready for instances to come: their memory goes back to the
    /// system. Instances are made as before, the next ones from nothing.
    ///
    /// What nobody needs while others come and go is let go of without being told. For a process that
    /// has nothing to do.
    pub fn trim_idle_instances(&self) {
        self.homes().iter().for_each(|home| home.trim());
    }

    fn homes(&self) -> Vec<Arc<Home>> {
        let homes = self.inner().homes.lock().unwrap_or_else(PoisonError::into_inner);
        homes.iter().filter_map(Weak::upgrade).collect()
    }

    pub(crate) fn add_home(&self, home: &Arc<Home>) {
        let mut homes = self.inner().homes.lock().unwrap_or_else(PoisonError::into_inner);
        if homes.len() == homes.capacity() {
            homes.retain(|home| home.strong_count() > 0);
        }
        homes.push(Arc::downgrade(home));
    }

    pub(crate) fn types(&self) -> RwLockReadGuard<'_, TypeRegistry> {
        self.inner().types.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn types_mut(&self, more: usize) -> Result<RwLockWriteGuard<'_, TypeRegistry>> {
        let types = self.inner().types.write().unwrap_or_else(PoisonError::into_inner);
        if types.len() + more > MAX_TYPES {
            let message = "the engine knows too many types; make a new one for further modules";
            return Err(Error::new(ErrorKind::Limit, message));
        }
        Ok(types)
    }

    /// Canonical ids of a module's types, by type index.
    ///
    /// # Errors
    /// There are too many.
    pub(crate) fn register_types(&self, info: &ModuleInfo) -> Result<Box<[TypeId]>> {
        Ok(self.types_mut(info.types.len())?.register_module(info))
    }

    /// The descriptors that machine code finds types by.
    pub(crate) fn type_table(&self) -> Result<&Arc<TypeTable>> {
        if let Some(table) = self.inner().descriptors.get() {
            return Ok(table);
        }
        // Address space may be short: then for fewer types.
        let sizes = [MAX_TYPES, MAX_TYPES / 16, MAX_TYPES / 256];
        let mut tables = sizes.into_iter().map(|max| TypeTable::new(max as u32));
        let table = tables.find(Result::is_ok).unwrap_or_else(|| TypeTable::new(1 << 10))?;
        Ok(self.inner().descriptors.get_or_init(|| Arc::new(table)))
    }

    /// Gives every type that is known now its descriptor.
    pub(crate) fn publish_types(&self) -> Result<()> {
        let table = self.type_table()?;
        if table.len() as usize == self.types().len() {
            return Ok(());
        }
        // The lock keeps others from publishing the same types.
        let types = self.types_mut(0)?;
        let new = table.len()..types.len() as u32;
        table.extend(new.map(|id| types.shape(TypeId(id))))?;
        Ok(())
    }

    /// The canonical id of a type whose references are canonical already.
    ///
    /// # Errors
    /// There are too many.
    pub(crate) fn register_type(&self, ty: SubType) -> Result<TypeId> {
        Ok(self.types_mut(1)?.register_type(ty))
    }

    /// A type by its id.
    pub(crate) fn defined_type(&self, id: TypeId) -> Arc<SubType> {
        self.types().get_shared(id)
    }

    /// The compiler; made at first use.
    pub(crate) fn compiler(&self) -> Result<&dyn Compiler> {
        match self.tier() {
            Ok(tier) => Ok(&*tier.compiler),
            Err(why) => Err(Error::new(ErrorKind::Unsupported, why.clone())),
        }
    }

    fn tier(&self) -> &Result<Tier, String> {
        self.inner().compiler.get_or_init(new_tier)
    }

    /// Compiles a module, in the binary or (feature `wat`) the text format, to an artifact for
    /// [`Module::deserialize`](crate::Module::deserialize), without making it ready to run here.
    ///
    /// # Errors
    /// As [`Module::new`](crate::Module::new).
    pub fn precompile_module(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        compile_artifact(self, &to_binary(bytes)?, None)?.serialize(&self.fingerprint())
    }

    /// What must agree for an artifact to be run by this engine, a `name: value` in each line:
    /// version and sources, compiler and processor, every choice that code and engine share, and
    /// the enabled proposals, as one that is off must not come back through an artifact.
    pub fn fingerprint(&self) -> String {
        // Builds of one version may differ in the layouts that code and engine share.
        let version = concat!(env!("CARGO_PKG_VERSION"), "+", env!("SELKIE_SOURCES"));
        let compiler = self.tier().as_ref().map_or(std::env::consts::ARCH, |t| &t.fingerprint);
        let Config { tuning, features, .. } = &self.inner().config;
        let Tuning {
            memory_reservation_bytes,
            memory_guard_bytes,
            guard_pages,
            spectre_checks,
            canonical_nans,
            relaxed_simd_deterministic,
            inlining: _,
            consume_fuel,
            epoch_interruption,
        } = tuning;
        format!(
            "version of Selkie: {version}\n\
             compiler or processor: {compiler}\n\
             size of memory reservations: {memory_reservation_bytes}\n\
             size of memory guards: {memory_guard_bytes}\n\
             use of guard pages: {guard_pages}\n\
             choice of Spectre checks: {spectre_checks}\n\
             choice of canonical NaNs: {canonical_nans}\n\
             choice of deterministic relaxed SIMD: {relaxed_simd_deterministic}\n\
             choice of counting fuel: {consume_fuel}\n\
             choice of interrupting guests: {epoch_interruption}\n\
             set of proposals: {features:?}\n"
        )
    }

    /// What must agree for a module to be compiled to the same artifact: the fingerprint, and the
    /// choices that only matter while compiling. Part of the key of cached artifacts.
    pub fn compile_fingerprint(&self) -> String {
        let config = &self.inner().config;
        let (inlining, debug_info) = (config.tuning.inlining, config.keep_debug_info);
        format!("{}inlining: {inlining}\ndebug information: {debug_info}\n", self.fingerprint())
    }
}

#[cfg(feature = "optimizing")]
fn new_tier() -> Result<Tier, String> {
    let compiler = selkie_optimizing::OptimizingCompiler::new()?;
    let fingerprint = compiler.fingerprint().to_string();
    Ok(Tier { compiler: Box::new(compiler), fingerprint })
}

#[cfg(not(feature = "optimizing"))]
fn new_tier() -> Result<Tier, String> {
    Err("this build has no compiler: it runs artifacts made by `selkie compile` only".into())
}
