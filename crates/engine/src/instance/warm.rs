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
//! [`InstancePre`]: super::pre::InstancePre

use super::create::Import;
use super::state::{Dropped, InstanceState};
use crate::engine::Engine;
use crate::error::Result;
use crate::func::host::HostFunc;
use crate::memory::MemoryEntry;
use crate::module::Module;
use crate::store::{InstanceId, StoreInner};
use crate::table::TableEntry;
use selkie_module::fuel::instantiation_units;
use selkie_module::layout::global;
use selkie_module::{DefinedGlobalIndex, FuncIndex};
use selkie_vm::{InitialTable, VMFuncImport};
use std::sync::{Arc, Mutex, PoisonError};

/// Where instances of one [`InstancePre`](super::pre::InstancePre) go back to from stores that the
/// threads of one shard made.
pub(crate) struct Home {
    idle: Mutex<Vec<Box<Body>>>,
    /// What an instance costs to make, in fuel.
    units: u64,
    /// Its handles are counted where this home's are; kept while no store has one.
    engine: Engine,
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

    pub(crate) fn new(module: &Module) -> Arc<Home> {
        Arc::new(Home {
            idle: Mutex::default(),
            units: instantiation_units(&module.inner.info),
            engine: module.engine().local(),
        })
    }

    /// Makes a fresh store one with an instance that has not started. `None` where nothing is ready
    /// that would do.
    ///
    /// # Errors
    /// There is too little fuel.
    pub(crate) fn take(self: &Arc<Home>, store: &mut StoreInner) -> Result<Option<InstanceId>> {
        let Some(mut body) = self.idle().pop() else { return Ok(None) };
        // Whatever the limits say against it is said when a new one is made.
        if !body.contents.obey(store) {
            self.idle().push(body);
            return Ok(None);
        }
        if let Err(error) = store.consume_fuel(self.units) {
            self.idle().push(body);
            return Err(error.into());
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

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Box<Body>>> {
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
        if home.idle().len() >= max_idle {
            return;
        }
        body.contents.swap(store);
        if body.restore(keep_bytes) {
            home.idle().push(body);
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

impl Body {
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
