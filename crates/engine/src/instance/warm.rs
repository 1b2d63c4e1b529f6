//! What instances leave behind, made ready for the next ones.
//!
//! An instance in a store of its own is, apart from the embedder's data: a context, memories, tables,
//! and lists of them. All of that can serve the next instance of the same [`InstancePre`] once it is
//! what it was before the start function ran. Restoring it costs what was written, so that an
//! instance made of it needs no system call, no page fault and no allocation.
//!
//! Invariant: what lies in a [`Home`] has been restored: nothing of a former instance can be read
//! there. What cannot be restored exactly, or not cheaply, is dropped. Restoring happens when a store
//! is dropped, not when the next one comes.
//!
//! Where memories do not begin with their images alone, nothing comes here: what a segment beyond them
//! wrote would be missing (`InstancePre`).
//!
//! A home keeps what was needed at once lately: bodies that nobody took while many others were given
//! back go. An engine that gets nothing to do at all can be told to let go of everything.
//!
//! [`InstancePre`]: super::pre::InstancePre

use super::create::Import;
use super::state::{Dropped, InstanceState};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::func::host::HostFunc;
use crate::memory::MemoryEntry;
use crate::module::Module;
use crate::store::{InstanceId, StoreInner};
use crate::table::TableEntry;
use selkie_module::layout::global;
use selkie_module::{DefinedGlobalIndex, FuncIndex};
use selkie_vm::{InitialTable, VMFuncImport};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is kept ready for instances to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdleInstances {
    /// Instances that can be made of it.
    pub instances: usize,
    /// Bytes of their memories that are resident and shared with nobody.
    pub resident_bytes: usize,
}

impl std::ops::AddAssign for IdleInstances {
    fn add_assign(&mut self, other: IdleInstances) {
        self.instances += other.instances;
        self.resident_bytes += other.resident_bytes;
    }
}

/// Where instances of one [`InstancePre`](super::pre::InstancePre) go back to from stores that the
/// threads of one shard made.
pub(crate) struct Home {
    idle: Mutex<Idle>,
    /// What an instance costs to make, in fuel.
    units: u64,
    /// Its handles are counted where this home's are; kept while no store has one.
    engine: Engine,
}

/// Bodies that are ready.
#[derive(Default)]
#[allow(clippy::vec_box)] // handed out and taken back without being moved
struct Idle {
    bodies: Vec<Box<Body>>,
    /// The fewest that there were in the current period.
    fewest: usize,
    /// Bodies that were given back in the current period.
    given_back: u32,
}

/// Bodies given back after which a period ends.
const PERIOD: u32 = 1 << 12;

impl Idle {
    fn take(&mut self) -> Option<Box<Body>> {
        let body = self.bodies.pop()?;
        self.fewest = self.fewest.min(self.bodies.len());
        Some(body)
    }

    /// Adds a body; answers those that nobody needed in a period.
    #[allow(clippy::vec_box)]
    fn put(&mut self, body: Box<Body>) -> Vec<Box<Body>> {
        self.bodies.push(body);
        self.given_back += 1;
        if self.given_back < PERIOD {
            return Vec::new();
        }
        self.given_back = 0;
        let unneeded = std::mem::replace(&mut self.fewest, usize::MAX);
        // Half of them, so that a short calm costs little.
        self.bodies.drain(..(unneeded / 2).min(self.bodies.len())).collect()
    }
}

/// A store's contents while they are ready for one, or, while they are in one, what they were at
/// first.
pub(crate) struct Body {
    contents: Contents,
    initial: Initial,
}

/// What belongs to the first instance of a store.
#[derive(Default)]
struct Contents {
    instances: Vec<InstanceState>,
    memories: Vec<MemoryEntry>,
    tables: Vec<TableEntry>,
    tags: Vec<usize>,
    keep: Vec<Arc<HostFunc>>,
}

/// What restoring needs to know.
struct Initial {
    memories: usize,
    tables: Box<[InitialTable]>,
    tags: usize,
    keep: usize,
    /// The values of defined globals, as they lie in the context.
    globals: Box<[u8]>,
    dropped: Dropped,
}

/// A body in use.
pub(crate) struct Lent {
    home: Arc<Home>,
    body: Box<Body>,
}

impl Home {
    /// Whether instances of a module with these imports can be restored: nothing in them belongs to
    /// a certain store, and all that code can change is in memories, tables and globals of theirs.
    pub(crate) fn suits(module: &Module, imports: &[Import]) -> bool {
        let info = &module.inner.info;
        module.engine().config().max_idle_instances > 0
            && imports.iter().all(|import| matches!(import, Import::Host(_)))
            && !module.inner.uses_heap
            && !info.memories.iter().any(|memory| memory.shared)
    }

    /// A home for instances that cost this much fuel to make.
    pub(crate) fn new(module: &Module, units: u64) -> Arc<Home> {
        let engine = module.engine().local();
        let home = Arc::new(Home { idle: Mutex::default(), units, engine });
        home.engine.add_home(&home);
        home
    }

    /// Makes a fresh store one with an instance that has not started. `None` where nothing is ready
    /// that would do.
    ///
    /// # Errors
    /// There is too little fuel; the store's limiter refuses a memory or a table.
    pub(crate) fn take(self: &Arc<Home>, store: &mut StoreInner) -> Result<Option<InstanceId>> {
        let Some(mut body) = self.idle().take() else { return Ok(None) };
        // Whatever the limits say against it is said when a new one is made.
        if !body.contents.obey(store) {
            self.idle().bodies.push(body);
            return Ok(None);
        }
        let paid = store.consume_fuel(self.units);
        if let Err(error) = paid.map_err(Error::from).and_then(|()| body.contents.ask(store)) {
            self.idle().bodies.push(body);
            return Err(error);
        }
        body.contents.swap(store);
        let runtime = &raw mut store.runtime;
        let interrupt = store.interrupt_address();
        for instance in &mut store.instances {
            let module = &instance.module;
            instance.context.set_store(runtime, interrupt);
            for i in 0..module.info.num_imported_funcs {
                let at = module.layout.func_import(FuncIndex::new(i));
                let mut import: VMFuncImport = instance.context.get(at);
                import.host.store = runtime;
                instance.context.put(at, import);
            }
        }
        store.lent = Some(Lent { home: self.clone(), body });
        Ok(Some(InstanceId(0)))
    }

    /// Lets what a new instance will leave behind come here, if it can be restored. The instance is
    /// the only one of its store and has not started.
    pub(crate) fn adopt(self: &Arc<Home>, store: &mut StoreInner) {
        let [instance] = &store.instances[..] else { return };
        let info = &instance.module.info;
        let globals = info.globals.len() - info.num_imported_globals;
        let at = instance.module.layout.global(DefinedGlobalIndex::new(0));
        let initial = Initial {
            memories: store.memories.len(),
            tables: store.tables.iter_mut().map(TableEntry::initial).collect(),
            tags: store.tags.len(),
            keep: store.host.keep.len(),
            globals: instance.context.bytes(at, globals * global::BYTES as usize).into(),
            dropped: instance.dropped.clone(),
        };
        let body = Box::new(Body { contents: Contents::default(), initial });
        store.lent = Some(Lent { home: self.clone(), body });
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes back what a store that is being dropped was lent.
    pub(crate) fn give_back(lent: Lent, store: &mut StoreInner) {
        let Lent { home, mut body } = lent;
        // Nobody can ask for another instance.
        if Arc::strong_count(&home) == 1 {
            return;
        }
        let config = home.engine.config();
        let (max_idle, keep_bytes) = (config.max_idle_instances, config.keep_resident_bytes);
        if home.idle().bodies.len() >= max_idle {
            return;
        }
        body.contents.swap(store);
        if body.restore(keep_bytes) {
            let unneeded = home.idle().put(body);
            drop(unneeded);
        }
    }

    /// Lets go of all that is ready.
    pub(crate) fn trim(&self) {
        let all = std::mem::take(&mut self.idle().bodies);
        drop(all);
    }

    /// What is ready.
    pub(crate) fn stats(&self) -> IdleInstances {
        let idle = self.idle();
        let bodies = idle.bodies.iter();
        IdleInstances {
            instances: idle.bodies.len(),
            resident_bytes: bodies.map(|body| body.resident_bytes()).sum(),
        }
    }
}

impl Contents {
    /// Exchanges it with what a store has.
    fn swap(&mut self, store: &mut StoreInner) {
        std::mem::swap(&mut self.instances, &mut store.instances);
        std::mem::swap(&mut self.memories, &mut store.memories);
        std::mem::swap(&mut self.tables, &mut store.tables);
        std::mem::swap(&mut self.tags, &mut store.tags);
        std::mem::swap(&mut self.keep, &mut store.host.keep);
    }

    /// Whether a store may have this by its limits, which hold for it from now on.
    fn obey(&mut self, store: &StoreInner) -> bool {
        let limits = &store.limits;
        self.instances.len() <= limits.instances
            && self.memories.len() <= limits.memories
            && self.tables.len() <= limits.tables
            && self.memories.iter_mut().all(|memory| memory.obey(limits.memory_bytes))
            && self.tables.iter_mut().all(|table| table.obey(limits.table_elements))
    }
}

impl Contents {
    /// Asks the store's limiter about everything.
    fn ask(&self, store: &mut StoreInner) -> Result<()> {
        if store.limiter.is_none() {
            return Ok(());
        }
        let tables = self.tables.iter();
        let mut tables = tables.map(|table| (table.storage.len(), table.ty.limits.max));
        tables.try_for_each(|(len, max)| store.ask_for_table(len, max))?;
        let memories = self.memories.iter();
        let mut memories =
            memories.map(|memory| (memory.byte_len(), memory.ty.declared_max_bytes()));
        memories.try_for_each(|(bytes, max)| store.ask_for_memory(bytes, max))
    }
}

impl Body {
    fn resident_bytes(&self) -> usize {
        self.contents.memories.iter().map(MemoryEntry::resident_bytes).sum()
    }

    /// Makes it what it was at first. `false` where that is not possible.
    fn restore(&mut self, keep_bytes: usize) -> bool {
        let Body { contents, initial } = self;
        // What a store got besides goes with it.
        contents.instances.truncate(1);
        contents.memories.truncate(initial.memories);
        contents.tables.truncate(initial.tables.len());
        contents.tags.truncate(initial.tags);
        contents.keep.truncate(initial.keep);
        let Some(instance) = contents.instances.first_mut() else { return false };
        let at = instance.module.layout.global(DefinedGlobalIndex::new(0));
        instance.context.set_bytes(at, &initial.globals);
        instance.dropped.copy_from(&initial.dropped);
        let mut tables = contents.tables.iter_mut().zip(&initial.tables);
        tables.all(|(table, initial)| table.reset(initial))
            && contents.memories.iter_mut().all(|memory| memory.reset(keep_bytes))
    }
}

impl StoreInner {
    /// Whether nothing has been put into it.
    pub(crate) fn is_fresh(&self) -> bool {
        self.lent.is_none()
            && self.instances.is_empty()
            && self.memories.is_empty()
            && self.tables.is_empty()
            && self.tags.is_empty()
            && self.host.keep.is_empty()
    }
}

impl Drop for StoreInner {
    fn drop(&mut self) {
        if let Some(lent) = self.lent.take() {
            Home::give_back(lent, self);
        }
    }
}
