//! What the builtins do. Each row of `selkie_module::builtins` has its function here; arguments
//! arrive as machine code passes them, references as addresses.

use crate::entry::{Guest, Stop};
use crate::raw;
use crate::store::{InstanceId, StoreInner};
use selkie_module::{FuncRefIndex, TableIndex, TrapCode, TypeId, TypeIndex};

mod arrays;
mod memories;
pub(crate) mod pieces;
mod tables;

pub(crate) use arrays::*;
pub(crate) use memories::*;
pub(crate) use tables::*;

type Result<T> = std::result::Result<T, TrapCode>;
/// Of what may be interrupted.
type Stopped<T> = std::result::Result<T, Stop>;

/// What `memory.grow` and `table.grow` answer when they cannot.
const FAILED: u64 = u64::MAX;

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

pub(crate) fn interrupted(guest: &mut Guest<'_>, _: InstanceId, _: u64) -> Stopped<()> {
    guest.check_interrupt_or_yield()
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
