//! Array instructions that handle many elements (spec: exec/instructions, array instructions).
//!
//! Ranges are checked before anything is written: of the array first, then of the segment.

use super::pieces::{ELEMENTS, Order};
use super::{Result, Stopped};
use crate::entry::{Guest, Stop};
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
    guest: &mut Guest<'_>,
    id: InstanceId,
    type_index: u32,
    length: u32,
    low: u64,
    high: u64,
) -> Stopped<u64> {
    let ty = type_id(guest, id, type_index);
    let is_traced = guest.engine.type_table().ok().and_then(|types| types.get(ty));
    let is_traced = is_traced.is_some_and(|ty| ty.elements_are_refs != 0);
    let bits = if is_traced { u128::from(low as u32) } else { value(low, high) };
    guest.held.push(Held::new(bits, is_traced));
    let height = guest.held.len() - 1;
    let made = if guest.needs_pieces(length.into(), ELEMENTS) {
        new_in_pieces(guest, ty, length, height)
    } else {
        guest.array_filled_with_held(ty, length).map_err(Stop::from)
    };
    guest.held.truncate(height);
    made
}

/// An array of the value that is held at a place.
fn new_in_pieces(guest: &mut Guest<'_>, ty: TypeId, length: u32, held: usize) -> Stopped<u64> {
    let array = guest.alloc_array(ty, length)?;
    guest.holding([array.into()], |guest, [array]| {
        let is_zero = guest.held[held].bits() == 0;
        let count = if is_zero { 0 } else { length.into() };
        guest.in_pieces(count, ELEMENTS, Order::Upward, |guest, start, count| {
            let (to, value) = (guest.reference(array) as u32, guest.held[held].bits());
            guest.objects()?.array_fill(to, start as u32, count as u32, value)
        })?;
        Ok(guest.reference(array))
    })
}

pub(crate) fn array_new_data(
    guest: &mut Guest<'_>,
    id: InstanceId,
    type_index: u32,
    data: u32,
    start: u32,
    length: u32,
) -> Stopped<u64> {
    let ty = type_id(guest, id, type_index);
    let log2 = guest.engine.type_table().ok().and_then(|types| types.get(ty));
    let log2 = log2.map_or(0, |ty| ty.element_bytes_log2);
    data_range(guest, id, data, start, length, log2)?;
    let array = guest.alloc_array(ty, length)?;
    write_data(guest, id, array.into(), 0, data, start, length)
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

/// Writes elements that a segment's bytes are; answers where the array is then.
fn write_data(
    guest: &mut Guest<'_>,
    id: InstanceId,
    array: u64,
    index: u32,
    data: u32,
    start: u32,
    length: u32,
) -> Stopped<u64> {
    let log2 = guest.objects()?.check_elements(array as u32, index, length)?;
    data_range(guest, id, data, start, length, log2)?;
    guest.holding([array], |guest, [array]| {
        guest.in_pieces(length.into(), ELEMENTS, Order::Upward, |guest, done, count| {
            let (done, count) = (done as u32, count as u32);
            let range = data_range(guest, id, data, start + (done << log2), count, log2)?;
            let array = guest.reference(array) as u32;
            let Some(mut heap) = guest.heap.take() else { return Err(TrapCode::CastFailure) };
            let bytes = &guest.instance(id).data(DataIndex(data))[range];
            let written = heap.array_write(array, index + done, bytes);
            guest.heap = Some(heap);
            written
        })?;
        Ok(guest.reference(array))
    })
}

pub(crate) fn array_new_elem(
    guest: &mut Guest<'_>,
    id: InstanceId,
    type_index: u32,
    elem: u32,
    start: u32,
    length: u32,
) -> Stopped<u64> {
    check_elem(guest, id, elem, start, length)?;
    let ty = type_id(guest, id, type_index);
    let array = guest.alloc_array(ty, length)?;
    write_elem(guest, id, array.into(), 0, elem, start, length)
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
    guest: &mut Guest<'_>,
    id: InstanceId,
    array: u64,
    index: u32,
    elem: u32,
    start: u32,
    length: u32,
) -> Stopped<u64> {
    let module = guest.instance(id).module.clone();
    let items = &module.info.elems[ElemIndex(elem).index()].items;
    guest.holding([array], |guest, [array]| {
        guest.in_pieces(
            length.into(),
            ELEMENTS,
            Order::Upward,
            |guest, done, count| -> Result<()> {
                for i in done as u32..(done + count) as u32 {
                    let at = start + i;
                    let value = match items {
                        ElemItems::Funcs(funcs) => guest.func_ref_of(id, funcs[at as usize]) as u64,
                        ElemItems::Exprs(exprs) => {
                            elem_value(guest, id, ElemIndex(elem), &exprs[at as usize], at.into())?
                        }
                    };
                    let array = guest.reference(array) as u32;
                    guest.objects()?.array_write_refs(array, index + i, &[value])?;
                }
                Ok(())
            },
        )?;
        Ok(guest.reference(array))
    })
}

pub(crate) fn array_fill(
    guest: &mut Guest<'_>,
    _: InstanceId,
    array: u64,
    index: u32,
    low: u64,
    high: u64,
    length: u32,
) -> Stopped<()> {
    not_null(array)?;
    let bits = value(low, high);
    if !guest.needs_pieces(length.into(), ELEMENTS) {
        return Ok(guest.objects()?.array_fill(array as u32, index, length, bits)?);
    }
    guest.objects()?.check_elements(array as u32, index, length)?;
    // A reference may move in between; in other arrays the same bits are a number.
    let is_traced = guest.objects()?.holds_references(array as u32)?;
    let bits = if is_traced { u128::from(low as u32) } else { bits };
    let height = guest.held.len();
    guest.held.push(Held::new(bits, is_traced));
    let filled = guest.holding([array], |guest, [array]| {
        guest.in_pieces(length.into(), ELEMENTS, Order::Upward, |guest, start, count| {
            let (array, bits) = (guest.reference(array) as u32, guest.held[height].bits());
            guest.objects()?.array_fill(array, index + start as u32, count as u32, bits)
        })
    });
    guest.held.truncate(height);
    filled
}

fn not_null(array: u64) -> Result<()> {
    if array == 0 { Err(TrapCode::NullArrayReference) } else { Ok(()) }
}

pub(crate) fn array_copy(
    guest: &mut Guest<'_>,
    _: InstanceId,
    to: u64,
    to_index: u32,
    from: u64,
    from_index: u32,
    length: u32,
) -> Stopped<()> {
    not_null(to)?;
    not_null(from)?;
    if !guest.needs_pieces(length.into(), ELEMENTS) {
        let (to, from) = (to as u32, from as u32);
        return Ok(guest.objects()?.array_copy(to, to_index, from, from_index, length)?);
    }
    guest.objects()?.check_elements(to as u32, to_index, length)?;
    guest.objects()?.check_elements(from as u32, from_index, length)?;
    let order = Order::of_copy(to_index.into(), from_index.into());
    guest.holding([to, from], |guest, [to, from]| {
        guest.in_pieces(length.into(), ELEMENTS, order, |guest, start, count| {
            let (start, count) = (start as u32, count as u32);
            let (to, from) = (guest.reference(to) as u32, guest.reference(from) as u32);
            guest.objects()?.array_copy(to, to_index + start, from, from_index + start, count)
        })
    })
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
    guest: &mut Guest<'_>,
    id: InstanceId,
    array: u64,
    index: u32,
    data: u32,
    start: u32,
    length: u32,
) -> Stopped<()> {
    not_null(array)?;
    write_data(guest, id, array, index, data, start, length).map(drop)
}

pub(crate) fn array_init_elem(
    guest: &mut Guest<'_>,
    id: InstanceId,
    array: u64,
    index: u32,
    elem: u32,
    start: u32,
    length: u32,
) -> Stopped<()> {
    not_null(array)?;
    guest.objects()?.check_elements(array as u32, index, length)?;
    check_elem(guest, id, elem, start, length)?;
    write_elem(guest, id, array, index, elem, start, length).map(drop)
}
