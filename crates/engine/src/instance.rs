//! `Instance`: a module with its state in a store.

pub(crate) mod create;
pub(crate) mod pre;
pub(crate) mod snapshot;
pub(crate) mod state;
pub(crate) mod warm;

use crate::error::{Error, ErrorKind, Result};
use crate::func::enter::{Owner, call_start};
use crate::func::pending::PendingCall;
use crate::func::typed::Check;
use crate::func::{Func, TypedFunc, WasmParams, WasmResults, is_plain_fit};
use crate::global::{Extern, Global, Tag};
use crate::linker::check_imports;
use crate::memory::Memory;
use crate::module::Module;
use crate::raw;
use crate::store::{AsContextMut, InstanceId, StoreContextMut, StoreId, StoreInner};
use crate::table::Table;
use create::{Beginning, Import};
use selkie_module::EntityIndex;
use selkie_module::registry::canonical;
use std::sync::Arc;

/// An instance of a module. A handle: the instance lives as long as its store.
///
/// ```
/// use selkie_engine::{Engine, Instance, Module, Store};
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module
///     (func (export "add") (param i32 i32) (result i32)
///         local.get 0 local.get 1 i32.add))"#)?;
/// let mut store = Store::new(&engine, ());
/// let instance = Instance::new(&mut store, &module, &[])?;
/// let add = instance.get_typed_func::<(i32, i32), i32>(&mut store, "add")?;
/// assert_eq!(add.call(&mut store, (2, 3))?, 5);
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance {
    pub(crate) store: StoreId,
    pub(crate) id: InstanceId,
}

impl Instance {
    /// Instantiates with imports in the module's order, and runs the start function.
    ///
    /// # Errors
    /// Imports are missing or do not match; a limit; a trap while initialising or starting.
    pub fn new(
        mut store: impl AsContextMut,
        module: &Module,
        imports: &[Extern],
    ) -> Result<Instance> {
        let mut context = store.as_context_mut();
        let id = Instance::make(context.inner(), module, imports)?;
        Instance::start(context, id)
    }

    /// As [`Instance::new`], waiting for what the start function waits for; see
    /// [`Func::call_async`](crate::Func::call_async).
    ///
    /// # Errors
    /// As [`Instance::new`].
    pub async fn new_async(
        mut store: impl AsContextMut,
        module: &Module,
        imports: &[Extern],
    ) -> Result<Instance> {
        let mut context = store.as_context_mut();
        let id = Instance::make(context.inner(), module, imports)?;
        Instance::start_async(context, id).await
    }

    /// Makes an instance that has not been started.
    fn make(store: &mut StoreInner, module: &Module, imports: &[Extern]) -> Result<InstanceId> {
        let imports: Vec<Import> = imports.iter().copied().map(Import::Extern).collect();
        check_imports(store, module, &imports)?;
        let images = module.inner.memory_images_if_useful();
        let id = create::create(store, module, &imports, Beginning::Module(images))?;
        if imports.is_empty() {
            store.instance_mut(id).imports = Some(Arc::new([]));
        }
        Ok(id)
    }

    /// As [`Instance::start`], waiting for what that function waits for.
    pub(crate) async fn start_async<T>(
        mut store: StoreContextMut<'_, T>,
        id: InstanceId,
    ) -> Result<Instance> {
        if let Some(start) = Instance::begin_start(&mut store, id)? {
            start.await?;
        }
        Ok(Instance { store: store.inner().id, id })
    }

    fn begin_start<'s, T>(
        store: &'s mut StoreContextMut<'_, T>,
        id: InstanceId,
    ) -> Result<Option<PendingCall<'s, T>>> {
        let instance = store.inner().instance(id);
        let Some(start) = instance.module.info.start else { return Ok(None) };
        let (code, context) = instance.callee(start);
        PendingCall::start(store, code, context).map(Some)
    }

    /// Runs the start function of an instance that was made, if there is one.
    pub(crate) fn start<T>(mut store: StoreContextMut<'_, T>, id: InstanceId) -> Result<Instance> {
        let instance = store.inner().instance(id);
        if let Some(start) = instance.module.info.start {
            let (code, context) = instance.callee(start);
            call_start(Owner::new(&mut store), code, context)?;
        }
        Ok(Instance { store: store.inner().id, id })
    }

    pub(crate) fn from_id(store: &StoreInner, id: InstanceId) -> Instance {
        Instance { store: store.id, id }
    }

    pub(crate) fn store(&self) -> StoreId {
        self.store
    }

    /// The module it was made from.
    ///
    /// # Panics
    /// It belongs to another store.
    pub fn module(&self, store: impl crate::store::AsContext) -> Module {
        let context = store.as_context();
        context.inner().assert_owns(self.store);
        Module { inner: context.inner().instance(self.id).module.clone() }
    }

    /// An export.
    ///
    /// # Panics
    /// It belongs to another store.
    pub fn get_export(&self, mut store: impl AsContextMut, name: &str) -> Option<Extern> {
        let mut context = store.as_context_mut();
        context.inner().assert_owns(self.store);
        context.inner().export(self.id, name)
    }

    /// An exported function.
    ///
    /// # Panics
    /// It belongs to another store.
    pub fn get_func(&self, store: impl AsContextMut, name: &str) -> Option<Func> {
        self.get_export(store, name)?.into_func()
    }

    /// An exported function with its types checked once.
    ///
    /// # Errors
    /// There is no such function, or it has another type; the instance belongs to another store.
    pub fn get_typed_func<P: WasmParams, R: WasmResults>(
        &self,
        mut store: impl AsContextMut,
        name: &str,
    ) -> Result<TypedFunc<P, R>> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        inner.check(self.store)?;
        let instance = inner.instance(self.id);
        let Some(EntityIndex::Func(index)) = instance.module.exports.get(name).copied() else {
            let message = format!("no function is exported as `{name}`");
            return Err(Error::new(ErrorKind::Link, message));
        };
        let ty = instance.module.info.func_type(index);
        let is_plain_fit = is_plain_fit::<P, R>(ty);
        let address = inner.func_ref_of(self.id, index) as usize;
        let func = Func::from_raw(self.store, address).expect("references are not null");
        if is_plain_fit {
            return Ok(TypedFunc::new(func, Check::Done));
        }
        func.typed(&store).map_err(|e| e.context(format!("`{name}`")))
    }

    /// An exported memory.
    ///
    /// # Panics
    /// It belongs to another store.
    pub fn get_memory(&self, store: impl AsContextMut, name: &str) -> Option<Memory> {
        self.get_export(store, name)?.into_memory()
    }

    /// An exported table.
    ///
    /// # Panics
    /// It belongs to another store.
    pub fn get_table(&self, store: impl AsContextMut, name: &str) -> Option<Table> {
        self.get_export(store, name)?.into_table()
    }

    /// An exported global.
    ///
    /// # Panics
    /// It belongs to another store.
    pub fn get_global(&self, store: impl AsContextMut, name: &str) -> Option<Global> {
        self.get_export(store, name)?.into_global()
    }

    /// An exported tag.
    ///
    /// # Panics
    /// It belongs to another store.
    pub fn get_tag(&self, store: impl AsContextMut, name: &str) -> Option<Tag> {
        self.get_export(store, name)?.into_tag()
    }

    /// All exports, in the module's order.
    ///
    /// # Panics
    /// It belongs to another store.
    pub fn exports(&self, mut store: impl AsContextMut) -> Vec<(String, Extern)> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        inner.assert_owns(self.store);
        let module = inner.instance(self.id).module.clone();
        let exports = module.info.exports.iter();
        exports.map(|e| (e.name.clone(), inner.entity(self.id, e.index))).collect()
    }
}

impl StoreInner {
    /// An export of an instance.
    pub(crate) fn export(&mut self, id: InstanceId, name: &str) -> Option<Extern> {
        let index = *self.instance(id).module.exports.get(name)?;
        Some(self.entity(id, index))
    }

    fn entity(&mut self, id: InstanceId, index: EntityIndex) -> Extern {
        let store = self.id;
        let instance = self.instance(id);
        let module = &instance.module;
        match index {
            EntityIndex::Func(i) => {
                let at = self.func_ref_of(id, i) as usize;
                Extern::Func(Func::from_raw(store, at).expect("references are not null"))
            }
            EntityIndex::Table(i) => Extern::Table(Table { store, index: instance.table(i) }),
            EntityIndex::Memory(i) => Extern::Memory(Memory { store, index: instance.memory(i) }),
            EntityIndex::Global(i) => {
                let ty = module.info.globals[i.index()];
                let content = canonical(&ty.content, &module.type_ids);
                let address = instance.global(i) as usize;
                let ty = selkie_module::GlobalType { content, ..ty };
                Extern::Global(Global { store, address, ty })
            }
            EntityIndex::Tag(i) => {
                let type_id = module.type_ids[module.info.tags[i.index()].index()];
                Extern::Tag(Tag { store, id: raw::tag_id(instance.tag(i)), type_id })
            }
        }
    }
}
