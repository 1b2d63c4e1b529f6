//! Snapshots: what an instance has become, as the beginning of others.
//!
//! A snapshot is an [`InstancePre`] whose instances begin with the state that one had when it was
//! taken, instead of what the module says: memories (copy-on-write), tables, globals, dropped
//! segments. Initializers and the start function do not run again.
//!
//! Invariant: nothing in a snapshot belongs to a store. References are kept as what they refer to in
//! the module; what cannot be named like that is refused.

use super::Instance;
use super::pre::InstancePre;
use super::state::{Dropped, InstanceState};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::MemoryBody;
use crate::raw;
use crate::store::{AsContextMut, InstanceId, Store, StoreInner};
use selkie_module::layout::{func_ref, func_slot};
use selkie_module::{
    DefinedGlobalIndex, DefinedTableIndex, FuncIndex, FuncRefIndex, HeapTop, TableIndex, ValType,
};
use selkie_vm::{MemoryImage, TableKind, VMGlobal};
use std::sync::Arc;

/// What instances begin with.
pub(crate) struct Snapshot {
    /// Bytes and contents, by defined memory.
    pub(crate) memories: Box<[(u64, Arc<MemoryImage>)]>,
    /// By defined table.
    pub(crate) tables: Box<[TableContents]>,
    /// By defined global.
    globals: Box<[Value]>,
    dropped: Dropped,
}

/// What a table has become.
pub(crate) struct TableContents {
    pub(crate) len: u64,
    /// The elements that are not what the module says they are at first, or not null.
    changed: Box<[(u64, Value)]>,
}

/// A value without a store.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    Bits(u128),
    Func(FuncIndex),
}

impl Instance {
    /// The instance as it is now, for others to begin with: making one of it takes as long as making
    /// one of an [`InstancePre`], however long it took to get here. Memories are shared
    /// copy-on-write.
    ///
    /// The instance goes on unchanged. Instances that begin like it are independent of it and of each
    /// other; their host functions are the same, and see the data of their own stores. What the host
    /// keeps for a guest, such as open files, is not part of a snapshot.
    ///
    /// ```
    /// use selkie_engine::{Engine, Linker, Module, Store};
    /// let engine = Engine::default();
    /// let module = Module::new(&engine, r#"(module
    ///     (memory 1)
    ///     (func (export "boot") (i32.store (i32.const 0) (i32.const 41)))
    ///     (func (export "next") (result i32)
    ///         (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
    ///         (i32.load (i32.const 0))))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let instance = Linker::new(&engine).instantiate(&mut store, &module)?;
    /// instance.get_typed_func::<(), ()>(&mut store, "boot")?.call(&mut store, ())?;
    ///
    /// let booted = instance.snapshot(&mut store)?;
    /// for _ in 0..3 {
    ///     let mut store = Store::new(&engine, ());
    ///     let instance = booted.instantiate(&mut store)?;
    ///     let next = instance.get_typed_func::<(), i32>(&mut store, "next")?;
    ///     assert_eq!(next.call(&mut store, ())?, 42);
    /// }
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    ///
    /// # Errors
    /// The instance belongs to another store. It was not made of a linker's functions alone, shares a
    /// memory with other threads, or uses the collected heap; a table or a global refers to a
    /// function of another instance. The system has no room.
    pub fn snapshot<T: 'static>(
        &self,
        mut store: impl AsContextMut<Data = T>,
    ) -> Result<InstancePre<T>> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        inner.check(self.store)?;
        let snapshot = Snapshot::take(inner, self.id)?;
        let instance = inner.instance(self.id);
        let imports =
            instance.imports.clone().ok_or_else(|| refused("imports items of a store"))?;
        let module = crate::module::Module { inner: instance.module.clone() };
        Ok(InstancePre::new(&module, imports, Some(Arc::new(snapshot))))
    }

    /// A copy of the instance as it is now, in a store of its own: [`Instance::snapshot`] and one
    /// instance of it.
    ///
    /// # Errors
    /// As [`Instance::snapshot`].
    pub fn fork<T: 'static>(
        &self,
        mut store: impl AsContextMut<Data = T>,
        data: T,
    ) -> Result<(Store<T>, Instance)> {
        let snapshot = self.snapshot(&mut store)?;
        let mut copy = Store::try_new(snapshot.module().engine(), data)?;
        let instance = snapshot.instantiate(&mut copy)?;
        Ok((copy, instance))
    }
}

impl Snapshot {
    fn take(store: &mut StoreInner, id: InstanceId) -> Result<Snapshot> {
        let instance = store.instance(id);
        let info = &instance.module.info;
        if instance.module.uses_heap {
            return Err(refused("uses the collected heap"));
        }
        let mut memories = Vec::new();
        for memory in &instance.memories[info.num_imported_memories..] {
            let MemoryBody::Own(memory) = &store.memories[*memory as usize].body else {
                return Err(refused("shares a memory with other threads"));
            };
            memories.push((memory.len(), Arc::new(raw::image_of(memory)?)));
        }
        let mut globals = Vec::new();
        for i in 0..info.globals.len() - info.num_imported_globals {
            let ty = info.globals[info.num_imported_globals + i].content;
            let at: *mut VMGlobal =
                instance.context.at(instance.module.layout.global(DefinedGlobalIndex::new(i)));
            let bits = raw::read_global(at);
            let what = || format!("has a global (number {i} of its own)");
            globals.push(value(store, instance, ty, bits, what)?);
        }
        let mut tables = Vec::new();
        for i in 0..info.tables.len() - info.num_imported_tables {
            tables.push(contents(store, instance, DefinedTableIndex::new(i))?);
        }
        Ok(Snapshot {
            memories: memories.into(),
            tables: tables.into(),
            globals: globals.into(),
            dropped: instance.dropped.clone(),
        })
    }

    /// Writes into a new instance what is not there yet: everything but memories.
    pub(crate) fn write(&self, store: &mut StoreInner, id: InstanceId) -> Result<()> {
        let module = store.instance(id).module.clone();
        for (i, value) in self.globals.iter().enumerate() {
            let bytes = value.bits(store, id).to_le_bytes();
            let at = module.layout.global(DefinedGlobalIndex::new(i));
            store.instance_mut(id).context.put(at, VMGlobal { bytes });
        }
        for (i, contents) in self.tables.iter().enumerate() {
            let place = TableIndex::new(module.info.num_imported_tables + i);
            let table = store.instance(id).table(place);
            for (index, value) in &contents.changed {
                let bits = value.bits(store, id) as u64;
                store.table_set_raw(table, *index, bits)?;
            }
        }
        store.instance_mut(id).dropped.copy_from(&self.dropped);
        Ok(())
    }
}

impl Value {
    fn bits(self, store: &StoreInner, id: InstanceId) -> u128 {
        match self {
            Value::Bits(bits) => bits,
            Value::Func(func) => store.func_ref_of(id, func) as usize as u128,
        }
    }
}

/// A value of a type as machine code holds it, without its store.
fn value(
    store: &StoreInner,
    instance: &InstanceState,
    ty: ValType,
    bits: u128,
    what: impl Fn() -> String,
) -> Result<Value> {
    let ValType::Ref(ty) = ty else { return Ok(Value::Bits(bits)) };
    let info = &instance.module.info;
    if bits == 0 {
        return Ok(Value::Bits(0));
    }
    let ty = selkie_module::registry::canonical(&ty, &instance.module.type_ids);
    if store.engine.types().heap_top(ty.heap) == HeapTop::Func {
        let first = instance.module.layout.func_ref(FuncRefIndex(0));
        let first = instance.context.as_ptr() as u128 + u128::from(first);
        let place = bits.checked_sub(first).map(|offset| offset / u128::from(func_ref::BYTES));
        let func = place.and_then(|place| info.func_refs.get(usize::try_from(place).ok()?));
        let refused = || refused(&format!("{} that refers to a function of another", what()));
        return func.copied().map(Value::Func).ok_or_else(refused);
    }
    // Numbers in references are the same everywhere.
    if bits as u32 & selkie_module::heap::I31_TAG != 0 {
        return Ok(Value::Bits(bits));
    }
    Err(refused(&format!("{} that refers to an object", what())))
}

/// What a table holds that it does not hold at first.
fn contents(
    store: &StoreInner,
    instance: &InstanceState,
    table: DefinedTableIndex,
) -> Result<TableContents> {
    let module = &instance.module;
    let index = TableIndex::new(module.info.num_imported_tables + table.index());
    let entry = &store.tables[instance.table(index) as usize];
    let ty = ValType::Ref(module.info.tables[index.index()].element);
    let mut changed = Vec::new();
    for i in 0..entry.storage.len() {
        let what = || format!("has a table (number {}) with an element (number {i})", index.0);
        match entry.storage.kind() {
            TableKind::Ref => {
                let bits = u128::from(entry.storage.get_ref(i)?);
                let value = value(store, instance, ty, bits, what)?;
                if value != Value::Bits(0) {
                    changed.push((i, value));
                }
            }
            TableKind::Func => {
                let slot = raw::read_slot(entry.storage.slot(i)?);
                if slot.type_id == 0 && slot.func_ref == func_slot::LAZY {
                    continue;
                }
                let bits = if slot.type_id == 0 { 0 } else { u128::from(slot.func_ref) };
                let value = value(store, instance, ty, bits, what)?;
                let first = entry.initial_func(module, i).map_or(Value::Bits(0), Value::Func);
                if value != first {
                    changed.push((i, value));
                }
            }
        }
    }
    Ok(TableContents { len: entry.storage.len(), changed: changed.into() })
}

fn refused(why: &str) -> Error {
    let message = format!("no snapshot can be taken of an instance that {why}");
    Error::new(ErrorKind::Unsupported, message)
}
