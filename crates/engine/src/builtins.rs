//! What the builtins do. Each row of `selkie_module::builtins` has its function here; arguments
//! arrive as machine code passes them, references as addresses.

use crate::entry::Stop;
use crate::instance::create;
use crate::memory::MemoryBody;
use crate::raw;
use crate::store::{InstanceId, StoreInner};
use selkie_module::{
    DataIndex, ElemIndex, FuncRefIndex, MemoryIndex, TableIndex, TrapCode, TypeId, TypeIndex,
};
use selkie_vm::WaitOutcome;

mod arrays;

pub(crate) use arrays::*;

type Result<T> = std::result::Result<T, TrapCode>;

/// What `memory.grow` and `table.grow` answer when they cannot.
const FAILED: u64 = u64::MAX;

pub(crate) fn memory_grow(
    store: &mut StoreInner,
    id: InstanceId,
    memory: u32,
    delta: u64,
) -> Result<u64> {
    let memory = store.instance(id).memory(MemoryIndex(memory));
    Ok(store.grow_memory(memory, delta).unwrap_or(FAILED))
}

#[inline]
pub(crate) fn memory_copy(
    _: &mut StoreInner,
    _: InstanceId,
    dst_memory: u64,
    dst: u64,
    src_memory: u64,
    src: u64,
    len: u64,
) -> Result<()> {
    let source = raw::check_range(raw::memory_at(src_memory), src, len)?;
    raw::check_range(raw::memory_at(dst_memory), dst, len)?.copy_from(&source);
    Ok(())
}

#[inline]
pub(crate) fn memory_fill(
    _: &mut StoreInner,
    _: InstanceId,
    memory: u64,
    dst: u64,
    value: u32,
    len: u64,
) -> Result<()> {
    raw::check_range(raw::memory_at(memory), dst, len)?.fill(value as u8);
    Ok(())
}

pub(crate) fn memory_init(
    store: &mut StoreInner,
    id: InstanceId,
    memory: u32,
    data: u32,
    dst: u64,
    src: u32,
    len: u32,
) -> Result<()> {
    let (memory, data) = (MemoryIndex(memory), DataIndex(data));
    create::memory_init(store, id, memory, data, dst, src.into(), len.into())
}

pub(crate) fn memory_discard(
    store: &mut StoreInner,
    id: InstanceId,
    memory: u32,
    start: u64,
    bytes: u64,
) -> Result<()> {
    let memory = store.instance(id).memory(MemoryIndex(memory));
    store.memories[memory as usize].discard(start, bytes)
}

pub(crate) fn data_drop(store: &mut StoreInner, id: InstanceId, data: u32) -> Result<()> {
    store.instance_mut(id).drop_data(DataIndex(data));
    Ok(())
}

pub(crate) fn memory_notify(
    store: &mut StoreInner,
    id: InstanceId,
    memory: u32,
    address: u64,
    count: u32,
) -> Result<u32> {
    let memory = store.instance(id).memory(MemoryIndex(memory));
    match &store.memories[memory as usize].body {
        MemoryBody::Shared(shared) => shared.notify(address, count),
        MemoryBody::Own(_) => Ok(0),
    }
}

pub(crate) fn memory_wait32(
    store: &mut StoreInner,
    id: InstanceId,
    memory: u32,
    address: u64,
    expected: u32,
    timeout_ns: u64,
) -> Result<u32> {
    let memory = store.instance(id).memory(MemoryIndex(memory));
    match &store.memories[memory as usize].body {
        MemoryBody::Shared(shared) => {
            shared.wait32(address, expected, timeout_ns as i64, None).map(outcome)
        }
        MemoryBody::Own(_) => Err(TrapCode::ExpectedSharedMemory),
    }
}

pub(crate) fn memory_wait64(
    store: &mut StoreInner,
    id: InstanceId,
    memory: u32,
    address: u64,
    expected: u64,
    timeout_ns: u64,
) -> Result<u32> {
    let memory = store.instance(id).memory(MemoryIndex(memory));
    match &store.memories[memory as usize].body {
        MemoryBody::Shared(shared) => {
            shared.wait64(address, expected, timeout_ns as i64, None).map(outcome)
        }
        MemoryBody::Own(_) => Err(TrapCode::ExpectedSharedMemory),
    }
}

fn outcome(outcome: WaitOutcome) -> u32 {
    outcome as u32
}

pub(crate) fn table_grow(
    store: &mut StoreInner,
    id: InstanceId,
    table: u32,
    delta: u64,
    value: u64,
) -> Result<u64> {
    let table = store.instance(id).table(TableIndex(table));
    Ok(store.table_grow_raw(table, delta, value).unwrap_or(FAILED))
}

pub(crate) fn table_fill(
    store: &mut StoreInner,
    id: InstanceId,
    table: u32,
    dst: u64,
    value: u64,
    len: u64,
) -> Result<()> {
    let table = store.instance(id).table(TableIndex(table));
    store.table_fill_raw(table, dst, value, len)
}

pub(crate) fn table_copy(
    store: &mut StoreInner,
    id: InstanceId,
    dst_table: u32,
    dst: u64,
    src_table: u32,
    src: u64,
    len: u64,
) -> Result<()> {
    let instance = store.instance(id);
    let to = instance.table(TableIndex(dst_table));
    let from = instance.table(TableIndex(src_table));
    store.table_copy_raw(to, dst, from, src, len)
}

pub(crate) fn table_init(
    store: &mut StoreInner,
    id: InstanceId,
    table: u32,
    elem: u32,
    dst: u64,
    src: u32,
    len: u32,
) -> Result<()> {
    let (table, elem) = (TableIndex(table), ElemIndex(elem));
    create::table_init(store, id, table, elem, dst, src.into(), len.into())
}

pub(crate) fn elem_drop(store: &mut StoreInner, id: InstanceId, elem: u32) -> Result<()> {
    store.instance_mut(id).drop_elem(ElemIndex(elem));
    Ok(())
}

pub(crate) fn table_get_func(
    store: &mut StoreInner,
    id: InstanceId,
    table: u32,
    index: u64,
) -> Result<u64> {
    let table = store.instance(id).table(TableIndex(table));
    store.table_get_raw(table, index)
}

pub(crate) fn table_set_func(
    store: &mut StoreInner,
    id: InstanceId,
    table: u32,
    index: u64,
    func: u64,
) -> Result<()> {
    let table = store.instance(id).table(TableIndex(table));
    store.table_set_raw(table, index, func)
}

/// spec: exec/instructions, call_indirect
pub(crate) fn call_indirect_slow(
    store: &mut StoreInner,
    id: InstanceId,
    table: u32,
    index: u64,
    type_index: u32,
) -> Result<u64> {
    let instance = store.instance(id);
    let wanted = instance.module.type_ids[TypeIndex(type_index).index()];
    let table = instance.table(TableIndex(table));
    let slot = store.table_slot(table, index).map_err(|_| TrapCode::UndefinedElement)?;
    if slot.type_id == 0 {
        return Err(TrapCode::UninitializedElement);
    }
    let matches =
        slot.type_id == wanted.0 || store.engine.types().is_subtype(TypeId(slot.type_id), wanted);
    if !matches {
        return Err(TrapCode::IndirectCallTypeMismatch);
    }
    let address = store.tables[table as usize].storage.slot(index)?;
    Ok(address as u64)
}

pub(crate) fn ref_func(store: &mut StoreInner, id: InstanceId, func_ref: u32) -> Result<u64> {
    let func = store.instance(id).module.info.func_refs[FuncRefIndex(func_ref).index()];
    Ok(store.func_ref_of(id, func) as u64)
}

pub(crate) fn gc_alloc(store: &mut StoreInner, _: InstanceId, bytes: u64) -> Result<u64> {
    store.gc_alloc(bytes)
}

pub(crate) fn is_subtype(
    store: &mut StoreInner,
    _: InstanceId,
    found: u32,
    wanted: u32,
) -> Result<u32> {
    Ok(store.engine.types().is_subtype(TypeId(found), TypeId(wanted)).into())
}

pub(crate) fn cont_new(store: &mut StoreInner, _: InstanceId, func: u64) -> Result<u32> {
    store.new_continuation(&raw::func_at(func))
}

pub(crate) fn cont_bind(
    store: &mut StoreInner,
    _: InstanceId,
    place: u32,
    values: u64,
    count: u32,
    traced: u64,
) -> Result<()> {
    let is_bound = raw::bind_arguments(store, place, values, count, traced);
    if is_bound { Ok(()) } else { Err(TrapCode::AllocationTooLarge) }
}

pub(crate) fn unhandled_tag(_: &mut StoreInner, _: InstanceId) -> Result<()> {
    Err(TrapCode::UnhandledTag)
}

pub(crate) fn out_of_fuel(
    store: &mut StoreInner,
    _: InstanceId,
    _: u64,
) -> std::result::Result<(), Stop> {
    store.count_on()
}

pub(crate) fn throw(
    store: &mut StoreInner,
    _: InstanceId,
    exception: u64,
) -> std::result::Result<(), Stop> {
    // The host may be who catches, and hears of nothing that was not paid for.
    store.check_fuel()?;
    Err(Stop::Throw(exception))
}
