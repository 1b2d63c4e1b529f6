//! Array instructions that handle many elements (spec: exec/instructions, array instructions).
//!
//! Ranges are checked before anything is written: of the array first, then of the segment.

use super::Result;
use crate::heap::Held;
use crate::instance::create::elem_value;
use crate::raw;
use crate::store::{InstanceId, StoreInner};
use selkie_module::{DataIndex, ElemIndex, ElemItems, TrapCode, TypeId, TypeIndex};

fn type_id(store: &StoreInner, id: InstanceId, type_index: u32) -> TypeId {
    store.instance(id).module.type_ids[TypeIndex(type_index).index()]
}

/// The value of elements whose bits machine code passes.
fn value(low: u64, high: u64) -> u128 {
    u128::from(low) | u128::from(high) << 64
}

pub(crate) fn array_new(
    store: &mut StoreInner,
    id: InstanceId,
    type_index: u32,
    length: u32,
    low: u64,
    high: u64,
) -> Result<u64> {
    let ty = type_id(store, id, type_index);
    let is_traced = store.engine.type_table().ok().and_then(|types| types.get(ty));
    let is_traced = is_traced.is_some_and(|ty| ty.elements_are_refs != 0);
    let bits = if is_traced { u128::from(low as u32) } else { value(low, high) };
    store.held.push(Held::new(bits, is_traced));
    let height = store.held.len() - 1;
    let made = store.array_filled_with_held(ty, length);
    store.held.truncate(height);
    made
}

pub(crate) fn array_new_data(
    store: &mut StoreInner,
    id: InstanceId,
    type_index: u32,
    data: u32,
    start: u32,
    length: u32,
) -> Result<u64> {
    let ty = type_id(store, id, type_index);
    let log2 = store.engine.type_table().ok().and_then(|types| types.get(ty));
    let log2 = log2.map_or(0, |ty| ty.element_bytes_log2);
    data_range(store, id, data, start, length, log2)?;
    let array = store.alloc_array(ty, length)?;
    write_data(store, id, array, 0, data, start, length)?;
    Ok(array.into())
}

/// The bytes of a segment that so many elements are, from `start` on.
fn data_range(
    store: &StoreInner,
    id: InstanceId,
    data: u32,
    start: u32,
    length: u32,
    element_bytes_log2: u8,
) -> Result<std::ops::Range<usize>> {
    let bytes = u64::from(length) << element_bytes_log2;
    let end = u64::from(start) + bytes;
    let available = store.instance(id).data(DataIndex(data)).len() as u64;
    if end > available {
        return Err(TrapCode::MemoryOutOfBounds);
    }
    Ok(start as usize..end as usize)
}

fn write_data(
    store: &mut StoreInner,
    id: InstanceId,
    array: u32,
    index: u32,
    data: u32,
    start: u32,
    length: u32,
) -> Result<()> {
    let Some(mut heap) = store.heap.take() else { return Err(TrapCode::CastFailure) };
    let written = heap.check_elements(array, index, length).and_then(|log2| {
        let range = data_range(store, id, data, start, length, log2)?;
        heap.array_write(array, index, &store.instance(id).data(DataIndex(data))[range])
    });
    store.heap = Some(heap);
    written
}

pub(crate) fn array_new_elem(
    store: &mut StoreInner,
    id: InstanceId,
    type_index: u32,
    elem: u32,
    start: u32,
    length: u32,
) -> Result<u64> {
    check_elem(store, id, elem, start, length)?;
    let ty = type_id(store, id, type_index);
    let array = store.alloc_array(ty, length)?;
    write_elem(store, id, array.into(), 0, elem, start, length)
}

fn check_elem(
    store: &StoreInner,
    id: InstanceId,
    elem: u32,
    start: u32,
    length: u32,
) -> Result<()> {
    let instance = store.instance(id);
    let elem = ElemIndex(elem);
    let items = &instance.module.info.elems[elem.index()].items;
    let available = if instance.is_elem_dropped(elem) { 0 } else { items.len() as u64 };
    let fits = u64::from(start) + u64::from(length) <= available;
    if fits { Ok(()) } else { Err(TrapCode::TableOutOfBounds) }
}

/// Writes elements of a segment, which has been checked; answers where the array is then.
fn write_elem(
    store: &mut StoreInner,
    id: InstanceId,
    array: u64,
    index: u32,
    elem: u32,
    start: u32,
    length: u32,
) -> Result<u64> {
    let module = store.instance(id).module.clone();
    let items = &module.info.elems[ElemIndex(elem).index()].items;
    store.held.push(Held::reference(array));
    let place = store.held.len() - 1;
    let written = (0..length).try_for_each(|i| {
        let at = start + i;
        let value = match items {
            ElemItems::Funcs(funcs) => store.func_ref_of(id, funcs[at as usize]) as u64,
            ElemItems::Exprs(exprs) => {
                elem_value(store, id, ElemIndex(elem), &exprs[at as usize], at.into())?
            }
        };
        let array = store.held[place].bits() as u32;
        store.objects()?.array_write_refs(array, index + i, &[value])
    });
    let array = store.held[place].bits() as u64;
    store.held.truncate(place);
    written.map(|()| array)
}

pub(crate) fn array_fill(
    store: &mut StoreInner,
    _: InstanceId,
    array: u64,
    index: u32,
    low: u64,
    high: u64,
    length: u32,
) -> Result<()> {
    not_null(array)?;
    store.objects()?.array_fill(array as u32, index, length, value(low, high))
}

fn not_null(array: u64) -> Result<()> {
    if array == 0 { Err(TrapCode::NullArrayReference) } else { Ok(()) }
}

pub(crate) fn array_copy(
    store: &mut StoreInner,
    _: InstanceId,
    to: u64,
    to_index: u32,
    from: u64,
    from_index: u32,
    length: u32,
) -> Result<()> {
    not_null(to)?;
    not_null(from)?;
    store.objects()?.array_copy(to as u32, to_index, from as u32, from_index, length)
}

pub(crate) fn move_bytes(
    _: &mut StoreInner,
    _: InstanceId,
    to: u64,
    from: u64,
    bytes: u64,
) -> Result<()> {
    raw::move_bytes(to, from, bytes);
    Ok(())
}

pub(crate) fn array_init_data(
    store: &mut StoreInner,
    id: InstanceId,
    array: u64,
    index: u32,
    data: u32,
    start: u32,
    length: u32,
) -> Result<()> {
    not_null(array)?;
    write_data(store, id, array as u32, index, data, start, length)
}

pub(crate) fn array_init_elem(
    store: &mut StoreInner,
    id: InstanceId,
    array: u64,
    index: u32,
    elem: u32,
    start: u32,
    length: u32,
) -> Result<()> {
    not_null(array)?;
    store.objects()?.check_elements(array as u32, index, length)?;
    check_elem(store, id, elem, start, length)?;
    write_elem(store, id, array, index, elem, start, length).map(drop)
}
