//! `ExnRef`: exceptions as values (spec: exec/values, exception instances).

use super::objects::{Storage, invalid};
use super::{GcRef, reference_types};
use crate::error::Result;
use crate::global::Tag;
use crate::roots::Rooted;
use crate::store::{AsContext, AsContextMut, StoreContextMut, StoreInner};
use crate::types::FuncType;
use crate::values::Val;
use selkie_module::heap::ObjectLayout;
use selkie_module::{FieldType as RawFieldType, StorageType as RawStorageType};

reference_types! {
    /// An exception: a tag, and values of its type's parameters.
    ///
    /// ```
    /// use selkie_engine::{Caller, Engine, ExnRef, FuncType, Linker, Module, Store, Tag, Val, ValType};
    /// let engine = Engine::default();
    /// let module = Module::new(&engine, r#"(module
    ///     (tag $failed (import "host" "failed") (param i32))
    ///     (func $check (import "host" "check") (param i32))
    ///     (func (export "run") (param i32) (result i32)
    ///         (block $caught (result i32)
    ///             (try_table (catch $failed $caught) (call $check (local.get 0)))
    ///             (i32.const 0))))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let failed = Tag::new(&mut store, &FuncType::new(&engine, [ValType::I32], []))?;
    /// let mut linker = Linker::new(&engine);
    /// linker.define(&mut store, "host", "failed", failed)?;
    /// linker.func_wrap("host", "check", move |mut caller: Caller<'_, ()>, x: i32| {
    ///     if x < 10 {
    ///         return Ok(());
    ///     }
    ///     let exception = ExnRef::new(&mut caller, &failed, &[Val::I32(x - 9)])?;
    ///     caller.throw(exception)
    /// })?;
    /// let instance = linker.instantiate(&mut store, &module)?;
    /// let run = instance.get_typed_func::<i32, i32>(&mut store, "run")?;
    /// assert_eq!(run.call(&mut store, 5)?, 0);
    /// assert_eq!(run.call(&mut store, 50)?, 41);
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    ExnRef: Exn;
}

/// How the parameters of exceptions of a type are stored.
fn storages(ty: &FuncType) -> Box<[Storage]> {
    let types = ty.engine().types();
    let params = &ty.raw().params;
    let layout = ObjectLayout::of_exception(params, |heap| types.heap_top(heap));
    let places = layout.fields.iter().zip(params);
    let storage = |((offset, slot), ty): (&(u32, _), &_)| {
        let storage = RawStorageType::Val(*ty);
        Storage::new(*offset, *slot, RawFieldType { storage, mutable: false })
    };
    places.map(storage).collect()
}

impl ExnRef {
    /// A new exception.
    ///
    /// # Errors
    /// The tag belongs to another store; there are more or fewer parameters than its type has, or
    /// one is not of its type; the heap has no room.
    pub fn new(mut store: impl AsContextMut, tag: &Tag, params: &[Val]) -> Result<Rooted<ExnRef>> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        inner.check(tag.store)?;
        let storages = storages(&FuncType::from_id(&inner.engine, tag.type_id));
        if params.len() != storages.len() {
            let (has, given) = (storages.len(), params.len());
            return Err(invalid(format!("the tag has {has} parameters, {given} were given")));
        }
        for (index, (value, storage)) in params.iter().zip(&storages).enumerate() {
            storage.check(inner, value).map_err(|e| e.context(format!("parameter {index}")))?;
        }
        let (ty, id) = (tag.type_id, tag.id);
        let made = inner.make_object(|store| store.alloc_exception(ty, id))?;
        // Making it may have moved what the parameters refer to.
        for (value, storage) in params.iter().zip(&storages) {
            let bits = value.to_raw(inner)?;
            inner.write_field(made, storage, bits)?;
        }
        Ok(inner.root(made))
    }

    /// Its tag.
    ///
    /// # Errors
    /// The reference's scope has ended, or it belongs to another store.
    pub fn tag(&self, store: impl AsContext) -> Result<Tag> {
        let context = store.as_context();
        let inner = context.inner();
        let raw = inner.raw_of(self.root())?;
        let id = inner.heap_of_objects()?.tag_of(raw as u32)?;
        Ok(Tag { store: inner.id, id, type_id: inner.object_type(raw) })
    }

    /// The type of its tag.
    ///
    /// # Errors
    /// The reference's scope has ended, or it belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> Result<FuncType> {
        let context = store.as_context();
        let inner = context.inner();
        let raw = inner.raw_of(self.root())?;
        Ok(inner.exception_type(raw))
    }

    /// A parameter. A reference is rooted in the innermost scope.
    ///
    /// # Errors
    /// There is no such parameter; the reference's scope has ended, or it belongs to another
    /// store.
    pub fn field(&self, mut store: impl AsContextMut, index: usize) -> Result<Val> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        let raw = inner.raw_of(self.root())?;
        let storages = storages(&inner.exception_type(raw));
        let Some(storage) = storages.get(index) else {
            let has = storages.len();
            return Err(invalid(format!("there is no parameter {index}: the tag has {has}")));
        };
        inner.read_field(raw, storage)
    }

    /// All parameters, each as [`ExnRef::field`] answers it.
    ///
    /// # Errors
    /// The reference's scope has ended, or it belongs to another store.
    pub fn fields<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> Result<impl ExactSizeIterator<Item = Val> + 'a> {
        let inner = store.into().into_inner();
        let raw = inner.raw_of(self.root())?;
        let params: Vec<Val> = storages(&inner.exception_type(raw))
            .iter()
            .map(|storage| inner.read_field(raw, storage))
            .collect::<Result<_>>()?;
        Ok(params.into_iter())
    }
}

impl StoreInner {
    /// The type of an exception's tag.
    pub(crate) fn exception_type(&self, raw: u64) -> FuncType {
        FuncType::from_id(&self.engine, self.object_type(raw))
    }
}
