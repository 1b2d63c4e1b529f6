//! `InstancePre`: a module with its imports resolved.
//!
//! Whatever is the same for all instances is done once, here. What an instance leaves behind when its
//! store is dropped is made ready for the next one and kept (`warm`), for each shard of threads
//! apart.

use super::Instance;
use super::create::{self, Beginning, Import};
use super::snapshot::Snapshot;
use super::warm::Home;
use crate::engine::Engine;
use crate::error::Result;
use crate::images::MemoryImages;
use crate::linker::{check_extern, other_engine};
use crate::module::Module;
use crate::shards::Shards;
use crate::store::{AsContextMut, InstanceId, StoreContextMut, StoreInner};
use selkie_module::fuel::instantiation_units;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

/// A module with its imports resolved: instantiating it does no look-ups.
///
/// ```
/// use selkie_engine::{Engine, Linker, Module, Store};
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module
///     (import "host" "id" (func $id (result i32)))
///     (func (export "run") (result i32) (i32.mul (call $id) (i32.const 2))))"#)?;
/// let mut linker = Linker::new(&engine);
/// linker.func_wrap("host", "id", |caller: selkie_engine::Caller<'_, i32>| *caller.data())?;
/// let pre = linker.instantiate_pre(&module)?; // once
/// for request in 0..3 {
///     let mut store = Store::new(&engine, request);
///     let instance = pre.instantiate(&mut store)?; // for each request
///     let run = instance.get_typed_func::<(), i32>(&mut store, "run")?;
///     assert_eq!(run.call(&mut store, ())?, request * 2);
/// }
/// # Ok::<(), selkie_engine::Error>(())
/// ```
pub struct InstancePre<T: 'static> {
    shared: Arc<Shared>,
    /// As in [`Linker`](crate::Linker).
    data: PhantomData<fn(T) -> T>,
}

struct Shared {
    module: Module,
    imports: Arc<[Import]>,
    /// What instances begin with, if not with what the module says.
    snapshot: Option<Arc<Snapshot>>,
    /// Whether what instances leave behind can be used again.
    is_reusable: bool,
    homes: Shards<OnceLock<Arc<Home>>>,
}

impl Shared {
    fn new_home(&self) -> Arc<Home> {
        let units = match self.snapshot {
            // What instances begin with has been paid for.
            Some(_) => 0,
            None => instantiation_units(&self.module.inner.info),
        };
        Home::new(&self.module, units)
    }

    /// Whether a memory that is what its image says is what instances begin with: segments beyond
    /// images are written when an instance is made, and nobody writes them again.
    fn begins_in_images(&self) -> bool {
        self.snapshot.is_some() || self.module.inner.memory_images().is_whole
    }

    fn create(&self, store: &mut StoreInner, images: Option<&MemoryImages>) -> Result<InstanceId> {
        let beginning = match &self.snapshot {
            Some(snapshot) => Beginning::Snapshot(snapshot),
            None => Beginning::Module(images),
        };
        let id = create::create(store, &self.module, &self.imports, beginning)?;
        if self.imports.iter().all(|import| matches!(import, Import::Host(_))) {
            store.instance_mut(id).imports = Some(self.imports.clone());
        }
        Ok(id)
    }

    /// Runs the start function, unless that has been done.
    fn start<T>(&self, mut store: StoreContextMut<'_, T>, id: InstanceId) -> Result<Instance> {
        match self.snapshot {
            Some(_) => Ok(Instance::from_id(store.inner(), id)),
            None => Instance::start(store, id),
        }
    }

    /// As [`Shared::start`], waiting for what the start function waits for.
    async fn start_async<T>(
        &self,
        mut store: StoreContextMut<'_, T>,
        id: InstanceId,
    ) -> Result<Instance> {
        match self.snapshot {
            Some(_) => Ok(Instance::from_id(store.inner(), id)),
            None => Instance::start_async(store, id).await,
        }
    }
}

impl<T> Clone for InstancePre<T> {
    fn clone(&self) -> Self {
        InstancePre { shared: self.shared.clone(), data: PhantomData }
    }
}

impl<T> std::fmt::Debug for InstancePre<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InstancePre").finish_non_exhaustive()
    }
}

impl<T> InstancePre<T> {
    pub(crate) fn new(
        module: &Module,
        imports: Arc<[Import]>,
        snapshot: Option<Arc<Snapshot>>,
    ) -> InstancePre<T> {
        let is_reusable = Home::suits(module, &imports);
        let homes = Shards::default();
        let shared = Shared { module: module.clone(), imports, snapshot, is_reusable, homes };
        InstancePre { shared: Arc::new(shared), data: PhantomData }
    }

    /// The module.
    pub fn module(&self) -> &Module {
        &self.shared.module
    }

    /// Instantiates and runs the start function.
    ///
    /// The first instance of a store is made of what an earlier one left behind, if there is
    /// something: see [`Config::max_idle_instances`](crate::Config::max_idle_instances).
    ///
    /// # Errors
    /// An item of a store does not match or belongs to another store; as [`Instance::new`].
    pub fn instantiate(&self, mut store: impl AsContextMut<Data = T>) -> Result<Instance> {
        let mut context = store.as_context_mut();
        let id = self.make(context.inner())?;
        self.shared.start(context, id)
    }

    /// As [`InstancePre::instantiate`], waiting for what the start function waits for.
    ///
    /// # Errors
    /// As [`InstancePre::instantiate`].
    pub async fn instantiate_async(
        &self,
        mut store: impl AsContextMut<Data = T>,
    ) -> Result<Instance> {
        let mut context = store.as_context_mut();
        let id = self.make(context.inner())?;
        self.shared.start_async(context, id).await
    }

    /// Instantiates without regard to instances before and after.
    pub(crate) fn instantiate_once(
        &self,
        mut store: impl AsContextMut<Data = T>,
    ) -> Result<Instance> {
        let mut context = store.as_context_mut();
        let id = self.make_once(context.inner())?;
        self.shared.start(context, id)
    }

    /// As [`InstancePre::instantiate_once`], waiting for what the start function waits for.
    pub(crate) async fn instantiate_once_async(
        &self,
        mut store: impl AsContextMut<Data = T>,
    ) -> Result<Instance> {
        let mut context = store.as_context_mut();
        let id = self.make_once(context.inner())?;
        self.shared.start_async(context, id).await
    }

    /// Makes an instance that has not been started, of what another one left behind if possible.
    fn make(&self, store: &mut StoreInner) -> Result<InstanceId> {
        let shared = &*self.shared;
        if !Engine::same(&store.engine, shared.module.engine()) {
            return Err(other_engine());
        }
        if !shared.is_reusable || !store.is_fresh() || !shared.begins_in_images() {
            return self.make_once(store);
        }
        let home = shared.homes.mine().get_or_init(|| shared.new_home());
        if let Some(id) = home.take(store)? {
            return Ok(id);
        }
        let id = shared.create(store, Some(shared.module.inner.memory_images()))?;
        home.adopt(store);
        Ok(id)
    }

    /// Makes an instance that has not been started.
    fn make_once(&self, store: &mut StoreInner) -> Result<InstanceId> {
        self.check(store)?;
        self.shared.create(store, self.shared.module.inner.memory_images_if_useful())
    }

    /// Checks what can be checked only when the store is known.
    fn check(&self, store: &StoreInner) -> Result<()> {
        let module = &self.shared.module;
        if !Engine::same(&store.engine, module.engine()) {
            return Err(other_engine());
        }
        for (import, item) in module.inner.info.imports.iter().zip(&*self.shared.imports) {
            // Functions of the linker were checked when it resolved them.
            if let Import::Extern(item) = item {
                check_extern(store, module, import, *item)?;
            }
        }
        Ok(())
    }
}
