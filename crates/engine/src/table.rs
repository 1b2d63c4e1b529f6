//! Tables, seen from the host and from the runtime entries.
//!
//! A slot of a function table that was never written is lazy: it holds what the image of its
//! instance says, and is filled when somebody looks.

use crate::error::{Error, ErrorKind, Result};
use crate::limits::LimitExceeded;
use crate::module::ModuleInner;
use crate::raw;
use crate::store::{AsContext, AsContextMut, InstanceId, StoreId, StoreInner};
use crate::types::TableType;
use crate::values::Val;
use selkie_module::layout::func_slot;
use selkie_module::{
    DefinedTableIndex, FuncIndex, HeapTop, TableType as RawTableType, TrapCode,
    ValType as RawValType,
};
use selkie_vm::{InitialTable, TableKind, TableStorage, VMFuncRef, VMFuncSlot, VMTable};

/// A table of a store.
pub(crate) struct TableEntry {
    /// Its type, with canonical names.
    pub(crate) ty: RawTableType,
    pub(crate) storage: TableStorage,
    /// What machine code reads; in a context, or in `_own_definition`.
    pub(crate) definition: *mut VMTable,
    _own_definition: Option<Box<VMTable>>,
    /// Whose image lazy slots mean.
    owner: Option<(InstanceId, DefinedTableIndex)>,
    /// What lazy slots hold that the image says nothing about: the table's initial value.
    pub(crate) lazy_default: Option<FuncIndex>,
}

impl TableEntry {
    /// A new table of nulls; `definition` is null for a table of the host's.
    pub(crate) fn new(
        store: &StoreInner,
        ty: RawTableType,
        is_func: bool,
        definition: *mut VMTable,
        owner: Option<(InstanceId, DefinedTableIndex)>,
    ) -> Result<TableEntry> {
        if ty.limits.min > store.limits.table_elements {
            let (elements, limit_elements) = (ty.limits.min, store.limits.table_elements);
            return Err(LimitExceeded::Table { elements, limit_elements }.into());
        }
        let kind = if is_func { TableKind::Func } else { TableKind::Ref };
        let mut storage = TableStorage::new(kind, ty.limits.min, ty.limits.max)?;
        storage.set_max(max_elements(&ty, store.limits.table_elements));
        let mut _own_definition = None;
        let definition = if definition.is_null() {
            &raw mut **_own_definition.insert(Box::new(storage.definition()))
        } else {
            raw::write_table(definition, storage.definition());
            definition
        };
        Ok(TableEntry { ty, storage, definition, _own_definition, owner, lazy_default: None })
    }

    /// Whether a store with this limit can have it, as it was at first; then it obeys the limit.
    pub(crate) fn obey(&mut self, limit: u64) -> bool {
        self.storage.set_max(max_elements(&self.ty, limit));
        self.ty.limits.min <= limit
    }

    /// What it holds now, for [`TableEntry::reset`].
    pub(crate) fn initial(&mut self) -> InitialTable {
        self.storage.initial()
    }

    /// Lets the next instance use it, from the state in which `initial` was made. `false` where it
    /// has to be another one.
    pub(crate) fn reset(&mut self, initial: &InitialTable) -> bool {
        let is_reset = self.storage.reset(initial);
        raw::write_table(self.definition, self.storage.definition());
        is_reset
    }

    /// What a lazy slot of a table means, which an instance of the module owns.
    pub(crate) fn initial_func(&self, module: &ModuleInner, index: u64) -> Option<FuncIndex> {
        let (_, defined) = self.owner?;
        let image = &module.table_images[defined.index()];
        image.get(index as usize).copied().flatten().or(self.lazy_default)
    }

    fn grow(&mut self, delta: u64) -> Option<u64> {
        let old = self.storage.grow(delta).ok()?;
        raw::write_table(self.definition, self.storage.definition());
        Some(old)
    }
}

/// What a table may grow to under a limit, which it starts within.
fn max_elements(ty: &RawTableType, limit: u64) -> u64 {
    ty.limits.max.unwrap_or(u64::MAX).min(limit).max(ty.limits.min)
}

/// A slot that holds a function reference as tables and machine code pass it: its address.
fn slot_of(func_ref: u64) -> VMFuncSlot {
    if func_ref == 0 {
        return VMFuncSlot::NULL;
    }
    let VMFuncRef { code, context, type_id } = raw::read_func_ref(func_ref as *const VMFuncRef);
    VMFuncSlot { code, context, type_id, func_ref }
}

impl StoreInner {
    pub(crate) fn add_table(&mut self, entry: TableEntry) -> Table {
        self.tables.push(entry);
        Table { store: self.id, index: (self.tables.len() - 1) as u32 }
    }

    /// The slot at an index, filled.
    pub(crate) fn table_slot(&mut self, table: u32, index: u64) -> Result<VMFuncSlot, TrapCode> {
        let entry = &self.tables[table as usize];
        let slot = raw::read_slot(entry.storage.slot(index)?);
        if slot.type_id != 0 || slot.func_ref != func_slot::LAZY {
            return Ok(slot);
        }
        let func = entry.owner.and_then(|(owner, _)| {
            let func = entry.initial_func(&self.instance(owner).module, index);
            func.map(|func| (owner, func))
        });
        let filled = match func {
            None => VMFuncSlot::NULL,
            Some((owner, func)) => slot_of(self.func_ref_of(owner, func) as u64),
        };
        self.tables[table as usize].storage.fill_slot(index, filled)?;
        Ok(filled)
    }

    /// The reference at an index, as machine code passes it.
    pub(crate) fn table_get_raw(&mut self, table: u32, index: u64) -> Result<u64, TrapCode> {
        if self.tables[table as usize].storage.kind() == TableKind::Ref {
            return self.tables[table as usize].storage.get_ref(index);
        }
        let slot = self.table_slot(table, index)?;
        Ok(if slot.type_id == 0 { 0 } else { slot.func_ref })
    }

    /// Writes a reference as machine code passes it.
    pub(crate) fn table_set_raw(
        &mut self,
        table: u32,
        index: u64,
        value: u64,
    ) -> Result<(), TrapCode> {
        let storage = &mut self.tables[table as usize].storage;
        match storage.kind() {
            TableKind::Ref => storage.set_ref(index, value),
            TableKind::Func => storage.set_slot(index, slot_of(value)),
        }
    }

    pub(crate) fn table_fill_raw(
        &mut self,
        table: u32,
        start: u64,
        value: u64,
        len: u64,
    ) -> Result<(), TrapCode> {
        let storage = &mut self.tables[table as usize].storage;
        match storage.kind() {
            TableKind::Ref => storage.fill_refs(start, len, value),
            TableKind::Func => storage.fill_slots(start, len, slot_of(value)),
        }
    }

    pub(crate) fn table_grow_raw(&mut self, table: u32, delta: u64, value: u64) -> Option<u64> {
        if !self.may_grow_table(table, delta) {
            return None;
        }
        self.table_grow_allowed(table, delta, value)
    }

    /// Grows a table, as its store's limiter has allowed.
    pub(crate) fn table_grow_allowed(&mut self, table: u32, delta: u64, value: u64) -> Option<u64> {
        let old = self.tables[table as usize].grow(delta)?;
        self.table_fill_raw(table, old, value, delta).ok()?;
        Some(old)
    }

    /// Whether a range lies inside a table.
    pub(crate) fn check_table_range(
        &self,
        table: u32,
        start: u64,
        len: u64,
    ) -> Result<(), TrapCode> {
        let size = self.tables[table as usize].storage.len();
        let fits = start.checked_add(len).is_some_and(|end| end <= size);
        if fits { Ok(()) } else { Err(TrapCode::TableOutOfBounds) }
    }

    /// `table.copy`: lazy slots are filled first, because a slot's place decides what lazy means.
    pub(crate) fn table_copy_raw(
        &mut self,
        dst_table: u32,
        dst: u64,
        src_table: u32,
        src: u64,
        len: u64,
    ) -> Result<(), TrapCode> {
        self.check_table_range(dst_table, dst, len)?;
        self.check_table_range(src_table, src, len)?;
        if self.tables[src_table as usize].storage.kind() == TableKind::Func {
            for index in src..src + len {
                self.table_slot(src_table, index)?;
            }
        }
        let (dst_table, src_table) = (dst_table as usize, src_table as usize);
        if dst_table == src_table {
            return self.tables[dst_table].storage.copy_within(dst, src, len);
        }
        let [to, from] = self
            .tables
            .get_disjoint_mut([dst_table, src_table])
            .map_err(|_| TrapCode::TableOutOfBounds)?;
        to.storage.copy_from(dst, &from.storage, src, len)
    }
}

/// A table of a store.
///
/// ```
/// use selkie_engine::{Engine, Instance, Module, Store, Val};
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module (table (export "t") 2 funcref))"#)?;
/// let mut store = Store::new(&engine, ());
/// let instance = Instance::new(&mut store, &module, &[])?;
/// let table = instance.get_table(&mut store, "t").expect("exported");
/// assert_eq!(table.size(&store), 2);
/// assert!(matches!(table.get(&mut store, 1), Some(Val::FuncRef(None))));
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    pub(crate) store: StoreId,
    pub(crate) index: u32,
}

impl Table {
    /// A table of the host's, every element `init`.
    ///
    /// # Errors
    /// The value is not of the element type; the type belongs to another engine, or the value to
    /// another store; limits.
    pub fn new(mut store: impl AsContextMut, ty: TableType, init: Val) -> Result<Table> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        let ty = ty.to_raw(&inner.engine)?;
        check_value(inner, &ty, &init)?;
        let is_func = is_func_type(inner, &ty);
        inner.ask_for_table(ty.limits.min, ty.limits.max)?;
        let entry = TableEntry::new(inner, ty, is_func, std::ptr::null_mut(), None)?;
        let raw = init.to_raw(inner)? as u64;
        let table = inner.add_table(entry);
        inner.table_fill_raw(table.index, 0, raw, ty.limits.min)?;
        Ok(table)
    }

    /// Its type, with its current size as minimum.
    ///
    /// # Panics
    /// It belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> TableType {
        let context = store.as_context();
        context.inner().assert_owns(self.store);
        let entry = &context.inner().tables[self.index as usize];
        let limits = selkie_module::Limits { min: entry.storage.len(), ..entry.ty.limits };
        TableType::from_raw(&context.inner().engine, RawTableType { limits, ..entry.ty })
    }

    /// Number of elements.
    ///
    /// # Panics
    /// It belongs to another store.
    pub fn size(&self, store: impl AsContext) -> u64 {
        let context = store.as_context();
        context.inner().assert_owns(self.store);
        context.inner().tables[self.index as usize].storage.len()
    }

    /// An element; `None` out of bounds. A reference is rooted in the innermost scope.
    ///
    /// # Panics
    /// It belongs to another store.
    pub fn get(&self, mut store: impl AsContextMut, index: u64) -> Option<Val> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        inner.assert_owns(self.store);
        let raw = inner.table_get_raw(self.index, index).ok()?;
        let ty = inner.tables[self.index as usize].ty.element;
        Some(Val::from_raw(u128::from(raw), RawValType::Ref(ty), inner))
    }

    /// Writes an element.
    ///
    /// # Errors
    /// Out of bounds; the value is not of the element type; the table or the value belongs to
    /// another store.
    pub fn set(&self, mut store: impl AsContextMut, index: u64, value: Val) -> Result<()> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        inner.check(self.store)?;
        check_value(inner, &inner.tables[self.index as usize].ty, &value)?;
        let raw = value.to_raw(inner)? as u64;
        Ok(inner.table_set_raw(self.index, index, raw)?)
    }

    /// Writes `len` elements from `start` on (spec: `table.fill`).
    ///
    /// # Errors
    /// Out of bounds, and then nothing is written; the value is not of the element type; the table
    /// or the value belongs to another store.
    pub fn fill(
        &self,
        mut store: impl AsContextMut,
        start: u64,
        value: Val,
        len: u64,
    ) -> Result<()> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        inner.check(self.store)?;
        check_value(inner, &inner.tables[self.index as usize].ty, &value)?;
        let raw = value.to_raw(inner)? as u64;
        Ok(inner.table_fill_raw(self.index, start, raw, len)?)
    }

    /// Grows by `delta` elements, each `init`, and answers the old size.
    ///
    /// # Errors
    /// A limit; the value is not of the element type; the table or the value belongs to another
    /// store.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64, init: Val) -> Result<u64> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        inner.check(self.store)?;
        check_value(inner, &inner.tables[self.index as usize].ty, &init)?;
        let raw = init.to_raw(inner)? as u64;
        let grown = inner.table_grow_raw(self.index, delta, raw);
        grown.ok_or_else(|| Error::new(ErrorKind::Limit, "the table cannot grow that far"))
    }
}

fn check_value(store: &StoreInner, ty: &RawTableType, value: &Val) -> Result<()> {
    if value.matches(store, RawValType::Ref(ty.element))? {
        return Ok(());
    }
    let message = format!("the value is not of the table's element type {}", ty.element);
    Err(Error::new(ErrorKind::Invalid, message))
}

/// Whether elements are function references, by a type with canonical names.
pub(crate) fn is_func_type(store: &StoreInner, ty: &RawTableType) -> bool {
    store.engine.types().heap_top(ty.element.heap) == HeapTop::Func
}
