//! Instructions on tables that machine code leaves to the runtime.

use super::pieces::{ELEMENTS, Order};
use super::{FAILED, Result, Stopped};
use crate::entry::Guest;
use crate::instance::create;
use crate::store::{InstanceId, StoreInner};
use selkie_module::{ElemIndex, TableIndex};
use selkie_vm::TableKind;

/// `table.grow`. In pieces each is filled before the next is there, so that no element is ever seen
/// without a value.
pub(crate) fn table_grow(
    guest: &mut Guest<'_>,
    id: InstanceId,
    table: u32,
    delta: u64,
    value: u64,
) -> Stopped<u64> {
    let table = guest.instance(id).table(TableIndex(table));
    if !guest.needs_pieces(delta, ELEMENTS) {
        return Ok(guest.table_grow_raw(table, delta, value).unwrap_or(FAILED));
    }
    if !guest.may_grow_table(table, delta) {
        return Ok(FAILED);
    }
    let storage = &mut guest.tables[table as usize].storage;
    let old = storage.len();
    let Some(()) = old.checked_add(delta).and_then(|len| storage.reserve(len).ok()) else {
        return Ok(FAILED);
    };
    let mut has_failed = false;
    with_value(guest, table, value, |guest, value| {
        guest.in_pieces(delta, ELEMENTS, Order::Upward, |guest, _, count| -> Result<()> {
            // There is room, unless whoever was asked in between took it.
            let value = value(guest);
            has_failed = has_failed || guest.table_grow_allowed(table, count, value).is_none();
            Ok(())
        })
    })?;
    Ok(if has_failed { FAILED } else { old })
}

/// Works with a value for elements of a table, which the collector keeps up to date where it is a
/// reference to an object.
fn with_value<R>(
    guest: &mut Guest<'_>,
    table: u32,
    value: u64,
    work: impl FnOnce(&mut Guest<'_>, &dyn Fn(&Guest<'_>) -> u64) -> R,
) -> R {
    if guest.tables[table as usize].storage.kind() == TableKind::Func {
        return work(guest, &|_| value);
    }
    guest.holding([value], |guest, [place]| work(guest, &|guest| guest.reference(place)))
}

pub(crate) fn table_fill(
    guest: &mut Guest<'_>,
    id: InstanceId,
    table: u32,
    dst: u64,
    value: u64,
    len: u64,
) -> Stopped<()> {
    let table = guest.instance(id).table(TableIndex(table));
    if !guest.needs_pieces(len, ELEMENTS) {
        return Ok(guest.table_fill_raw(table, dst, value, len)?);
    }
    guest.check_table_range(table, dst, len)?;
    with_value(guest, table, value, |guest, value| {
        guest.in_pieces(len, ELEMENTS, Order::Upward, |guest, start, len| {
            let value = value(guest);
            guest.table_fill_raw(table, dst + start, value, len)
        })
    })
}

pub(crate) fn table_copy(
    guest: &mut Guest<'_>,
    id: InstanceId,
    dst_table: u32,
    dst: u64,
    src_table: u32,
    src: u64,
    len: u64,
) -> Stopped<()> {
    let instance = guest.instance(id);
    let to = instance.table(TableIndex(dst_table));
    let from = instance.table(TableIndex(src_table));
    guest.check_table_range(to, dst, len)?;
    guest.check_table_range(from, src, len)?;
    guest.in_pieces(len, ELEMENTS, Order::of_copy(dst, src), |guest, start, len| {
        guest.table_copy_raw(to, dst + start, from, src + start, len)
    })
}

pub(crate) fn table_init(
    guest: &mut Guest<'_>,
    id: InstanceId,
    table: u32,
    elem: u32,
    dst: u64,
    src: u32,
    len: u32,
) -> Stopped<()> {
    let (table, elem) = (TableIndex(table), ElemIndex(elem));
    let (src, len) = (u64::from(src), u64::from(len));
    create::check_table_init(guest, id, table, elem, dst, src, len)?;
    guest.in_pieces(len, ELEMENTS, Order::Upward, |guest, start, len| {
        create::table_init(guest, id, table, elem, dst + start, src + start, len)
    })
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
