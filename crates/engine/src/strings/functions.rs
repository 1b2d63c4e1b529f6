//! The functions of `wasm:js-string`, as one table with their types.
//!
//! spec: JS API, "String Builtins". What throws there traps here: null or something that is no
//! string is a failed cast. Integers are unsigned. No function runs for longer than its strings are
//! long, and none but those that look at units has to bring a rope into one piece.

use super::rope::{Form, PIECE_COST_UNITS, PIECE_UNITS};
use super::text::{Buffer, Text};
use super::units::Units;
use crate::builtins::pieces::Order;
use crate::engine::Engine;
use crate::entry::{self, Guest, Stop};
use crate::error::{Error, Result};
use crate::func::host::HostFunc;
use crate::func::{Caller, WasmTy};
use crate::store::StoreInner;
use crate::types::{
    ArrayType, FieldType, FuncType, HeapType, Mutability, RefType, StorageType, ValType,
};
use selkie_module::TrapCode;
use std::cmp::Ordering;

/// The module that they are imported from.
pub(crate) const MODULE: &str = "wasm:js-string";

type Answer<T> = std::result::Result<T, TrapCode>;
/// Of what may be interrupted.
type Stopped<T> = std::result::Result<T, Stop>;

/// A reference as machine code passes it, not rooted: stale as soon as something is collected.
#[derive(Clone, Copy)]
struct Reference(u64);

impl WasmTy for Reference {
    const TYPE: selkie_module::ValType =
        selkie_module::ValType::Ref(selkie_module::RefType::EXTERNREF);
    type Machine = u64;
    fn to_raw(&self, _: &StoreInner) -> Result<u128> {
        Ok(self.0.into())
    }
    fn from_raw(raw: u128, _: &mut StoreInner) -> Reference {
        Reference(raw as u64)
    }
}

/// Types of parameters and results.
enum Kind {
    /// `externref`
    Extern,
    /// `(ref extern)`
    String,
    /// `(ref null (array (mut i16)))`
    Array,
    /// `i32`
    I32,
}

/// What a parameter or result is in Rust.
macro_rules! rust_type {
    (I32) => {
        u32
    };
    ($reference:ident) => {
        Reference
    };
}

macro_rules! functions {
    ($($name:literal $func:ident($($param:ident: $kind:ident),*) -> $result:ident;)*) => {
        /// Whether there is such a function.
        pub(crate) fn is_known(name: &str) -> bool {
            matches!(name, $($name)|*)
        }

        /// A function by its name, for stores with data of type `T`.
        ///
        /// # Errors
        /// The engine knows too many types to know its type too.
        pub(crate) fn host_func<T: 'static>(
            engine: &Engine,
            name: &str,
        ) -> Result<Option<HostFunc>> {
            let func = match name {
                $($name => {
                    let ty = func_type(engine, &[$(Kind::$kind),*], &Kind::$result)?;
                    entry::typed(
                        ty,
                        |mut caller: Caller<'_, T>, ($($param,)*): ($(rust_type!($kind),)*)| {
                            $func(&mut Guest::new(&mut caller.store), $($param),*).map_err(Error::from)
                        },
                    )
                })*
                _ => return Ok(None),
            };
            Ok(Some(func))
        }

        #[cfg(test)]
        const NAMES: &[&str] = &[$($name),*];
    };
}

// Grammar: "name" function(parameter: kind, ...) -> kind of its result;
functions! {
    "cast" cast(string: Extern) -> String;
    "test" test(string: Extern) -> I32;
    "fromCharCodeArray" from_char_code_array(array: Array, start: I32, end: I32) -> String;
    "intoCharCodeArray" into_char_code_array(string: Extern, array: Array, start: I32) -> I32;
    "fromCharCode" from_char_code(code: I32) -> String;
    "fromCodePoint" from_code_point(point: I32) -> String;
    "charCodeAt" char_code_at(string: Extern, index: I32) -> I32;
    "codePointAt" code_point_at(string: Extern, index: I32) -> I32;
    "length" length(string: Extern) -> I32;
    "concat" concat(first: Extern, second: Extern) -> String;
    "substring" substring(string: Extern, start: I32, end: I32) -> String;
    "equals" equals(first: Extern, second: Extern) -> I32;
    "compare" compare(first: Extern, second: Extern) -> I32;
}

fn func_type(engine: &Engine, params: &[Kind], result: &Kind) -> Result<FuncType> {
    let params = params.iter().map(|kind| val_type(engine, kind)).collect::<Result<Vec<_>>>()?;
    FuncType::try_new(engine, params, [val_type(engine, result)?])
}

fn val_type(engine: &Engine, kind: &Kind) -> Result<ValType> {
    Ok(match kind {
        Kind::Extern => ValType::Ref(RefType::EXTERNREF),
        Kind::String => ValType::Ref(RefType::new(false, HeapType::Extern)),
        Kind::Array => {
            let units = FieldType::new(Mutability::Var, StorageType::I16);
            let array = HeapType::ConcreteArray(ArrayType::new(engine, units)?);
            ValType::Ref(RefType::new(true, array))
        }
        Kind::I32 => ValType::I32,
    })
}

fn cast(store: &mut StoreInner, string: Reference) -> Answer<Reference> {
    store.string(string.0).map(|_| string)
}

fn test(store: &mut StoreInner, string: Reference) -> Answer<u32> {
    Ok(store.string(string.0).is_ok().into())
}

fn from_char_code_array(
    guest: &mut Guest<'_>,
    array: Reference,
    start: u32,
    end: u32,
) -> Stopped<Reference> {
    guest.pay_for_units(end.saturating_sub(start) as usize)?;
    let units = char_codes(guest, array, start, end)?;
    let len = units.len();
    if let [] | [[_, 0]] = units {
        let unit = units.first().map_or(Some(Text::EMPTY), |[low, _]| Text::unit((*low).into()));
        return Ok(make(guest, Form::Flat(unit.unwrap_or(Text::EMPTY)))?);
    }
    let text = guest.holding([array.0], |guest, [place]| -> Stopped<Text> {
        let here = |guest: &mut Guest<'_>| Reference(guest.reference(place));
        let mut high_bytes = 0;
        each_piece_of(guest, here, start, len, |units| {
            high_bytes |= units.iter().fold(0, |all, [_, high]| all | high);
        })?;
        let is_wide = high_bytes != 0;
        let charge = guest.charge_piece(len, is_wide)?;
        let mut buffer = Buffer::with_capacity(len, is_wide)?;
        each_piece_of(guest, here, start, len, |units| match &mut buffer {
            Buffer::Latin1(to) => to.extend(units.iter().map(|[low, _]| *low)),
            Buffer::Wide(to) => to.extend(units.iter().map(|unit| u16::from_le_bytes(*unit))),
        })?;
        Ok(Text::new(buffer, charge))
    })?;
    Ok(make(guest, Form::Flat(text))?)
}

/// Shows elements of an array, found anew for each piece.
fn each_piece_of(
    guest: &mut Guest<'_>,
    array: impl Fn(&mut Guest<'_>) -> Reference,
    start: u32,
    len: usize,
    mut see: impl FnMut(&[[u8; 2]]),
) -> Stopped<()> {
    guest.in_pieces(len as u64, PIECE_UNITS as u64, Order::Upward, |guest, done, count| {
        let (from, array) = (start + done as u32, array(guest));
        char_codes(guest, array, from, from + count as u32).map(&mut see)
    })
}

/// The elements of an array from `start` to `end`, as they lie in memory.
fn char_codes(
    store: &mut StoreInner,
    array: Reference,
    start: u32,
    end: u32,
) -> Answer<&[[u8; 2]]> {
    not_null(array)?;
    let (units, _) = store.objects()?.array_bytes(array.0 as u32)?.as_chunks::<2>();
    units.get(start as usize..end as usize).ok_or(TrapCode::ArrayOutOfBounds)
}

fn not_null(array: Reference) -> Answer<()> {
    if array.0 == 0 { Err(TrapCode::NullArrayReference) } else { Ok(()) }
}

fn into_char_code_array(
    guest: &mut Guest<'_>,
    string: Reference,
    array: Reference,
    start: u32,
) -> Stopped<u32> {
    not_null(array)?;
    let form = guest.form(string.0)?;
    let len = form.len();
    guest.pay_for_units(len)?;
    char_codes(guest, array, start, start.saturating_add(len as u32))?;
    // Written from its end, a piece at a time: nothing needs to be in one piece for that.
    guest.holding([array.0], |guest, [place]| {
        let (mut end, mut unasked) = (start as usize + len, 0);
        form.try_each_piece_from_end(|mut piece| {
            while piece.len() > 0 {
                let (before, last) = piece.split_at(piece.len().saturating_sub(PIECE_UNITS));
                let array = guest.reference(place) as u32;
                let bytes = guest.objects()?.array_bytes_mut(array)?;
                let to = bytes.get_mut((end - last.len()) * 2..end * 2);
                last.copy_to_bytes(to.ok_or(TrapCode::ArrayOutOfBounds)?);
                (piece, end) = (before, end - last.len());
                unasked += last.len() + PIECE_COST_UNITS;
                if unasked > PIECE_UNITS {
                    unasked = 0;
                    guest.check_interrupt()?;
                }
            }
            Ok::<(), Stop>(())
        })
    })?;
    Ok(len as u32)
}

fn from_char_code(store: &mut StoreInner, code: u32) -> Answer<Reference> {
    string_of(store, &[code as u16])
}

fn from_code_point(store: &mut StoreInner, point: u32) -> Answer<Reference> {
    match point {
        0..=0xffff => string_of(store, &[point as u16]),
        0x10000..=0x10ffff => {
            let (high, low) = ((point - 0x10000) >> 10, point & 0x3ff);
            string_of(store, &[0xd800 + high as u16, 0xdc00 + low as u16])
        }
        _ => Err(TrapCode::InvalidCodePoint),
    }
}

fn string_of(store: &mut StoreInner, units: &[u16]) -> Answer<Reference> {
    store.string_of_units(Units::Wide(units)).map(Reference)
}

fn char_code_at(store: &mut Guest<'_>, string: Reference, index: u32) -> Stopped<u32> {
    let unit = match &store.string(string.0)?.form {
        Form::Flat(text) => text.units().get(index as usize),
        rope if index as usize >= rope.len() => None,
        Form::Rope(_) => store.text(string.0)?.units().get(index as usize),
    };
    unit.map(u32::from).ok_or(TrapCode::StringOutOfBounds.into())
}

fn code_point_at(store: &mut Guest<'_>, string: Reference, index: u32) -> Stopped<u32> {
    let point = match &store.string(string.0)?.form {
        rope if index as usize >= rope.len() => None,
        _ => store.text(string.0)?.units().code_point(index as usize),
    };
    point.ok_or(TrapCode::StringOutOfBounds.into())
}

fn length(store: &mut StoreInner, string: Reference) -> Answer<u32> {
    store.string(string.0).map(|string| string.len() as u32)
}

fn concat(store: &mut StoreInner, first: Reference, second: Reference) -> Answer<Reference> {
    let (head, tail) = (store.form(first.0)?, store.form(second.0)?);
    if head.len() == 0 || tail.len() == 0 {
        return Ok(if head.len() == 0 { second } else { first });
    }
    let form = store.joined(&head, &tail)?;
    make(store, form)
}

fn substring(store: &mut Guest<'_>, string: Reference, start: u32, end: u32) -> Stopped<Reference> {
    let len = store.string(string.0)?.len();
    let (start, end) = (start as usize, (end as usize).min(len));
    if start >= end {
        return Ok(make(store, Form::Flat(Text::EMPTY))?);
    }
    if (start, end) == (0, len) {
        return Ok(string);
    }
    store.pay_for_units(end - start)?;
    let text = store.text(string.0)?;
    let part = store.part(&text, start, end)?;
    Ok(make(store, Form::Flat(part))?)
}

fn equals(store: &mut Guest<'_>, first: Reference, second: Reference) -> Stopped<u32> {
    // Null can be compared, with null alone.
    let form = |string: Reference| match string.0 {
        0 => Ok(None),
        raw => store.form(raw).map(Some),
    };
    let equal = match (form(first)?, form(second)?) {
        (None, None) => true,
        (Some(a), Some(b)) => {
            first.0 == second.0 || a.len() == b.len() && order(store, a, b)? == Ordering::Equal
        }
        _ => false,
    };
    Ok(equal.into())
}

fn compare(store: &mut Guest<'_>, first: Reference, second: Reference) -> Stopped<u32> {
    let (first, second) = (store.form(first.0)?, store.form(second.0)?);
    Ok(match order(store, first, second)? {
        Ordering::Less => -1_i32 as u32,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    })
}

fn order(guest: &mut Guest<'_>, first: Form, second: Form) -> Stopped<Ordering> {
    let len = first.len().min(second.len());
    guest.pay_for_units(len)?;
    let (first, second) = (guest.flat(first)?, guest.flat(second)?);
    let (mut a, mut b) = (first.units(), second.units());
    while guest.needs_pieces(a.len().min(b.len()) as u64, PIECE_UNITS as u64) {
        let (head_a, rest_a) = a.split_at(PIECE_UNITS);
        let (head_b, rest_b) = b.split_at(PIECE_UNITS);
        let order = head_a.compare(head_b);
        if order != Ordering::Equal {
            return Ok(order);
        }
        (a, b) = (rest_a, rest_b);
        guest.check_interrupt()?;
    }
    Ok(a.compare(b))
}

fn make(store: &mut StoreInner, form: Form) -> Answer<Reference> {
    store.new_string(form).map(Reference)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_the_table_can_be_made_and_no_other() {
        let engine = Engine::default();
        for name in NAMES {
            assert!(is_known(name));
            assert!(host_func::<()>(&engine, name).is_ok_and(|func| func.is_some()), "{name}");
        }
        assert!(!is_known("fromWtf8Array"));
        assert!(host_func::<()>(&engine, "fromWtf8Array").is_ok_and(|func| func.is_none()));
    }
}
