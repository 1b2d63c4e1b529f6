//! Globals, tags, and what can be imported or exported.

use crate::error::{Error, ErrorKind, Result};
use crate::func::Func;
use crate::memory::Memory;
use crate::raw;
use crate::store::{AsContext, AsContextMut, HostGlobal, StoreId, StoreInner};
use crate::table::Table;
use crate::types::{ExternType, FuncType, GlobalType};
use crate::values::Val;
use selkie_module::{GlobalType as RawGlobalType, TypeId};
use selkie_vm::{VMGlobal, VMTag};

/// A global of a store.
///
/// ```
/// use selkie_engine::{Engine, Global, GlobalType, Mutability, Store, Val, ValType};
/// let mut store = Store::new(&Engine::default(), ());
/// let ty = GlobalType::new(ValType::I32, Mutability::Var);
/// let global = Global::new(&mut store, ty, Val::I32(1))?;
/// global.set(&mut store, Val::I32(2))?;
/// assert_eq!(global.get(&mut store).i32(), Some(2));
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Global {
    pub(crate) store: StoreId,
    /// Address of the `VMGlobal`.
    pub(crate) address: usize,
    /// With canonical names.
    pub(crate) ty: RawGlobalType,
}

impl Global {
    /// A global of the host's.
    ///
    /// # Errors
    /// The value is not of the type; the type belongs to another engine, or a reference to another
    /// store.
    pub fn new(mut store: impl AsContextMut, ty: GlobalType, value: Val) -> Result<Global> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        let ty = ty.to_raw(&inner.engine)?;
        if !value.matches(inner, ty.content)? {
            return Err(mismatch(&ty));
        }
        let bytes = value.to_raw(inner)?.to_le_bytes();
        let global = Box::new(VMGlobal { bytes });
        let address = &raw const *global as usize;
        let is_traced = inner.engine.types().is_traced(ty.content);
        inner.host.globals.push(HostGlobal { value: global, is_traced });
        Ok(Global { store: inner.id, address, ty })
    }

    /// Its type.
    ///
    /// # Panics
    /// It belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> GlobalType {
        let context = store.as_context();
        context.inner().assert_owns(self.store);
        GlobalType::from_raw(&context.inner().engine, self.ty)
    }

    /// Its value; a reference is rooted in the innermost scope.
    ///
    /// # Panics
    /// It belongs to another store.
    pub fn get(&self, mut store: impl AsContextMut) -> Val {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        inner.assert_owns(self.store);
        let value = raw::read_global(self.address as *const VMGlobal);
        Val::from_raw(value, self.ty.content, inner)
    }

    /// Writes its value.
    ///
    /// # Errors
    /// The global is immutable; the value is not of its type; the global or a reference belongs to
    /// another store.
    pub fn set(&self, mut store: impl AsContextMut, value: Val) -> Result<()> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        inner.check(self.store)?;
        if !self.ty.mutable {
            return Err(Error::new(ErrorKind::Invalid, "the global is immutable"));
        }
        if !value.matches(inner, self.ty.content)? {
            return Err(mismatch(&self.ty));
        }
        raw::write_global(self.address as *mut VMGlobal, value.to_raw(inner)?);
        Ok(())
    }
}

fn mismatch(ty: &RawGlobalType) -> Error {
    let message = format!("the value is not of the global's type {}", ty.content);
    Error::new(ErrorKind::Invalid, message)
}

/// A tag of a store: what an exception is told from others by, and what a `suspend` and the
/// `resume` that handles it agree on. Two tags are the same only if they were made as one, whatever
/// their types.
///
/// ```
/// use selkie_engine::{Engine, ExnRef, FuncType, Store, Tag, Val, ValType};
/// let engine = Engine::default();
/// let mut store = Store::new(&engine, ());
/// let ty = FuncType::new(&engine, [ValType::I32], []);
/// let [failed, other] = [Tag::new(&mut store, &ty)?, Tag::new(&mut store, &ty)?];
/// assert_eq!(failed.ty(&store), ty);
/// let exception = ExnRef::new(&mut store, &failed, &[Val::I32(1)])?;
/// assert!(exception.tag(&store)? == failed && failed != other);
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    pub(crate) store: StoreId,
    /// What tells it from the other tags of its store.
    pub(crate) id: u32,
    pub(crate) type_id: TypeId,
}

impl Tag {
    /// A tag of the host's; its parameters are what exceptions and suspensions with it carry.
    ///
    /// # Errors
    /// The type is one of another engine that cannot be made again in the store's, as it names
    /// defined types; it has results, which only tags have that modules make; there are as many
    /// tags as a store can tell apart.
    pub fn new(mut store: impl AsContextMut, ty: &FuncType) -> Result<Tag> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        if ty.results().len() > 0 {
            let message = format!("a tag has no results; the type is {ty}");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let type_id = ty.in_engine(&inner.engine)?.id();
        let mut tag = Box::new(VMTag { id: 0 });
        let id = inner.new_tag(&raw const *tag as usize)?;
        tag.id = id.into();
        inner.host.tags.push(tag);
        Ok(Tag { store: inner.id, id, type_id })
    }

    /// Its type.
    ///
    /// # Panics
    /// It belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> FuncType {
        let context = store.as_context();
        context.inner().assert_owns(self.store);
        FuncType::from_id(&context.inner().engine, self.type_id)
    }
}

impl StoreInner {
    /// The id of a new tag, whose `VMTag` lies at this address for as long as the store lives.
    pub(crate) fn new_tag(&mut self, address: usize) -> Result<u32> {
        let limit = || Error::new(ErrorKind::Limit, "a store tells 2³² tags apart, no more");
        let id = u32::try_from(self.tags.len() + 1).map_err(|_| limit())?;
        self.tags.push(address);
        Ok(id)
    }

    /// Where the `VMTag` of an id lies.
    pub(crate) fn tag_address(&self, id: u32) -> usize {
        self.tags[id as usize - 1]
    }
}

/// Anything that can be imported or exported.
///
/// ```
/// use selkie_engine::{Engine, Extern, Instance, Module, Store};
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module (memory (export "memory") 2))"#)?;
/// let mut store = Store::new(&engine, ());
/// let instance = Instance::new(&mut store, &module, &[])?;
/// let export: Option<Extern> = instance.get_export(&mut store, "memory");
/// let memory = export.and_then(Extern::into_memory).expect("it is a memory");
/// assert_eq!(memory.size(&store), 2);
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // the variants are the specification's words
pub enum Extern {
    Func(Func),
    Table(Table),
    Memory(Memory),
    Global(Global),
    Tag(Tag),
}

impl Extern {
    /// The function, if it is one.
    pub fn into_func(self) -> Option<Func> {
        if let Extern::Func(f) = self { Some(f) } else { None }
    }

    /// The memory, if it is one.
    pub fn into_memory(self) -> Option<Memory> {
        if let Extern::Memory(m) = self { Some(m) } else { None }
    }

    /// The table, if it is one.
    pub fn into_table(self) -> Option<Table> {
        if let Extern::Table(t) = self { Some(t) } else { None }
    }

    /// The global, if it is one.
    pub fn into_global(self) -> Option<Global> {
        if let Extern::Global(g) = self { Some(g) } else { None }
    }

    /// The tag, if it is one.
    pub fn into_tag(self) -> Option<Tag> {
        if let Extern::Tag(t) = self { Some(t) } else { None }
    }

    /// Its type.
    ///
    /// # Panics
    /// It belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> ExternType {
        match self {
            Extern::Func(f) => ExternType::Func(f.ty(store)),
            Extern::Table(t) => ExternType::Table(t.ty(store)),
            Extern::Memory(m) => ExternType::Memory(m.ty(store)),
            Extern::Global(g) => ExternType::Global(g.ty(store)),
            Extern::Tag(t) => ExternType::Tag(t.ty(store)),
        }
    }

    pub(crate) fn store(&self) -> StoreId {
        match self {
            Extern::Func(f) => f.store(),
            Extern::Table(t) => t.store,
            Extern::Memory(m) => m.store,
            Extern::Global(g) => g.store,
            Extern::Tag(t) => t.store,
        }
    }
}

macro_rules! from_handle {
    ($($handle:ident),*) => {$(
        impl From<$handle> for Extern {
            fn from(handle: $handle) -> Extern {
                Extern::$handle(handle)
            }
        }
    )*};
}

from_handle!(Func, Table, Memory, Global, Tag);
