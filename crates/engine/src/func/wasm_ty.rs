//! Rust types that stand for WebAssembly types at the border, and tuples of them.

use crate::entry::direct::{DirectParams, DirectResult};
use crate::error::{Error, ErrorKind, Result};
use crate::func::Func;
use crate::func::enter::{ArgReader, ArgWriter, ResultReader, ResultWriter};
use crate::refs::{GcRef, I31, NoCont, NoExn, NoExtern, NoFunc, NoneRef};
use crate::roots::{OwnedRooted, Rooted};
use crate::store::StoreInner;
use crate::values::V128;
use selkie_module::{HeapType, RefType, ValType};

/// A Rust type that is a WebAssembly value.
///
/// | Rust | WebAssembly |
/// |---|---|
/// | `i32`, `u32`, `i64`, `u64`, `f32`, `f64`, [`V128`] | numbers and vectors |
/// | [`Func`], [`NoFunc`](crate::NoFunc) | `(ref func)`, `(ref nofunc)` |
/// | [`I31`](crate::I31) | `(ref i31)` |
/// | [`Rooted<T>`](crate::Rooted), [`OwnedRooted<T>`](crate::OwnedRooted) | `(ref any)` and others, by `T` |
/// | `Option` of a reference | the same, or null |
pub trait WasmTy: Sized + 'static {
    #[doc(hidden)]
    const TYPE: ValType;
    /// What `extern "C"` functions pass it as.
    #[doc(hidden)]
    type Machine: Machine;

    /// Its WebAssembly type.
    fn valtype() -> crate::types::ValType {
        crate::types::ValType::from_abstract(Self::TYPE)
    }

    #[doc(hidden)]
    fn to_raw(&self, store: &StoreInner) -> Result<u128>;
    #[doc(hidden)]
    fn from_raw(raw: u128, store: &mut StoreInner) -> Self;
}

/// A number as it travels in a register.
pub trait Machine: Copy {
    #[doc(hidden)]
    fn to_bits(self) -> u128;
    #[doc(hidden)]
    fn from_bits(bits: u128) -> Self;
}

macro_rules! machine {
    ($($rust:ty: $to:expr, $from:expr;)*) => {$(
        impl Machine for $rust {
            #[inline(always)]
            fn to_bits(self) -> u128 {
                #[allow(clippy::redundant_closure_call)]
                ($to)(self)
            }
            #[inline(always)]
            fn from_bits(bits: u128) -> Self {
                #[allow(clippy::redundant_closure_call)]
                ($from)(bits)
            }
        }
    )*};
}

machine! {
    u32: |v: u32| u128::from(v), |bits: u128| bits as u32;
    u64: |v: u64| u128::from(v), |bits: u128| bits as u64;
    f32: |v: f32| u128::from(v.to_bits()), |bits: u128| f32::from_bits(bits as u32);
    f64: |v: f64| u128::from(v.to_bits()), |bits: u128| f64::from_bits(bits as u64);
    (): |()| 0, |_: u128| ();
}

macro_rules! numbers {
    ($($rust:ty as $wasm:ident, $machine:ty: $into:expr, $from:expr;)*) => {$(
        impl WasmTy for $rust {
            const TYPE: ValType = ValType::$wasm;
            type Machine = $machine;
            #[inline(always)]
            fn to_raw(&self, _: &StoreInner) -> Result<u128> {
                #[allow(clippy::redundant_closure_call)]
                Ok(($into)(*self))
            }
            #[inline(always)]
            fn from_raw(raw: u128, _: &mut StoreInner) -> Self {
                #[allow(clippy::redundant_closure_call)]
                ($from)(raw)
            }
        }
    )*};
}

numbers! {
    i32 as I32, u32: |v: i32| u128::from(v as u32), |raw: u128| raw as i32;
    u32 as I32, u32: |v: u32| u128::from(v), |raw: u128| raw as u32;
    i64 as I64, u64: |v: i64| u128::from(v as u64), |raw: u128| raw as i64;
    u64 as I64, u64: |v: u64| u128::from(v), |raw: u128| raw as u64;
    f32 as F32, f32: |v: f32| u128::from(v.to_bits()), |raw: u128| f32::from_bits(raw as u32);
    f64 as F64, f64: |v: f64| u128::from(v.to_bits()), |raw: u128| f64::from_bits(raw as u64);
    V128 as V128, (): |v: V128| v.0, |raw: u128| V128(raw);
}

const fn reference(nullable: bool, heap: HeapType) -> ValType {
    ValType::Ref(RefType { nullable, heap })
}

/// A row makes a type and its option: `type where parameter: heap type, to machine code, from
/// there`. The two are never given null.
macro_rules! references {
    ($($rust:ty $(where $generic:ident)?: $heap:expr, $to:expr, $from:expr;)*) => {$(
        impl $(<$generic: GcRef>)? WasmTy for $rust {
            const TYPE: ValType = reference(false, $heap);
            type Machine = u64;
            fn to_raw(&self, store: &StoreInner) -> Result<u128> {
                let to: fn(&$rust, &StoreInner) -> Result<u64> = $to;
                to(self, store).map(u128::from)
            }
            fn from_raw(raw: u128, store: &mut StoreInner) -> Self {
                let from: fn(u64, &mut StoreInner) -> $rust = $from;
                from(raw as u64, store)
            }
        }

        impl $(<$generic: GcRef>)? WasmTy for Option<$rust> {
            const TYPE: ValType = reference(true, $heap);
            type Machine = u64;
            fn to_raw(&self, store: &StoreInner) -> Result<u128> {
                self.as_ref().map_or(Ok(0), |reference| reference.to_raw(store))
            }
            fn from_raw(raw: u128, store: &mut StoreInner) -> Self {
                (raw as u64 != 0).then(|| WasmTy::from_raw(raw, store))
            }
        }
    )*};
}

references! {
    Func: HeapType::Func,
        |func, store| store.check(func.store()).map(|()| func.raw() as u64),
        |raw, store| Func::from_raw(store.id, raw as usize).expect("the type has no null");
    I31: HeapType::I31, |value, _| Ok(I31::to_raw(*value)), |raw, _| I31::from_raw(raw);
    Rooted<T> where T: T::HEAP,
        |reference, store| store.raw_of(reference.root()),
        |raw, store| store.root(raw);
    OwnedRooted<T> where T: T::HEAP,
        |reference, store| store.raw_of(reference.root()),
        |raw, store| store.root_owned(raw);
}

/// The types that only null is of.
macro_rules! nulls {
    ($($rust:ident: $heap:ident;)*) => {$(
        impl WasmTy for Option<$rust> {
            const TYPE: ValType = reference(true, HeapType::$heap);
            type Machine = u64;
            fn to_raw(&self, _: &StoreInner) -> Result<u128> {
                Ok(0)
            }
            fn from_raw(_: u128, _: &mut StoreInner) -> Self {
                None
            }
        }
    )*};
}

nulls! {
    NoneRef: None;
    NoFunc: NoFunc;
    NoExtern: NoExtern;
    NoExn: NoExn;
    NoCont: NoCont;
}

/// Parameters of a function: a value or a tuple of values.
pub trait WasmParams: DirectParams {
    #[doc(hidden)]
    const TYPES: &'static [ValType];
    #[doc(hidden)]
    const HAS_FLOATS: bool;
    #[doc(hidden)]
    fn write(self, writer: &mut ArgWriter<'_>, store: &StoreInner) -> Result<()>;
    /// Checks values against as many types, of whose kinds they are.
    #[doc(hidden)]
    fn check(&self, store: &StoreInner, types: &[ValType]) -> Result<()>;
    #[doc(hidden)]
    fn read(reader: &mut ArgReader<'_>, store: &mut StoreInner) -> Self;
}

/// Results of a function: nothing, a value, or a tuple of values.
pub trait WasmResults: DirectResult {
    #[doc(hidden)]
    const TYPES: &'static [ValType];
    #[doc(hidden)]
    const HAS_FLOATS: bool;
    /// Whether results travel through memory (`selkie_module::abi`).
    #[doc(hidden)]
    const IN_AREA: bool;
    #[doc(hidden)]
    fn write(self, writer: &mut ResultWriter<'_>, store: &StoreInner) -> Result<()>;
    #[doc(hidden)]
    fn read(reader: &mut ResultReader<'_>, store: &mut StoreInner) -> Self;
}

const fn is_float(ty: ValType) -> bool {
    matches!(ty, ValType::F32 | ValType::F64 | ValType::V128)
}

impl<A: WasmTy> WasmParams for A {
    const TYPES: &'static [ValType] = &[A::TYPE];
    const HAS_FLOATS: bool = is_float(A::TYPE);
    #[inline(always)]
    fn write(self, writer: &mut ArgWriter<'_>, store: &StoreInner) -> Result<()> {
        writer.put(A::TYPE, self.to_raw(store)?);
        Ok(())
    }
    #[inline(always)]
    fn read(reader: &mut ArgReader<'_>, store: &mut StoreInner) -> Self {
        A::from_raw(reader.take(A::TYPE), store)
    }
    fn check(&self, store: &StoreInner, types: &[ValType]) -> Result<()> {
        check(self, 0, store, types)
    }
}

impl<A: WasmTy> WasmResults for A {
    const TYPES: &'static [ValType] = &[A::TYPE];
    const HAS_FLOATS: bool = is_float(A::TYPE);
    const IN_AREA: bool = false;
    #[inline(always)]
    fn write(self, writer: &mut ResultWriter<'_>, store: &StoreInner) -> Result<()> {
        writer.put(A::TYPE, self.to_raw(store)?);
        Ok(())
    }
    #[inline(always)]
    fn read(reader: &mut ResultReader<'_>, store: &mut StoreInner) -> Self {
        A::from_raw(reader.take(A::TYPE), store)
    }
}

fn check<A: WasmTy>(value: &A, index: usize, store: &StoreInner, types: &[ValType]) -> Result<()> {
    let Some(&ValType::Ref(wanted)) = types.get(index) else { return Ok(()) };
    if store.reference_matches(value.to_raw(store)? as u64, wanted) {
        return Ok(());
    }
    let message = format!("parameter {index} is not of type {wanted}");
    Err(Error::new(ErrorKind::Invalid, message))
}

macro_rules! tuples {
    ($(($($name:ident),*);)*) => {$(
        #[allow(non_snake_case, unused, clippy::unused_unit)]
        impl<$($name: WasmTy),*> WasmParams for ($($name,)*) {
            const TYPES: &'static [ValType] = &[$($name::TYPE),*];
            const HAS_FLOATS: bool = false $(|| is_float($name::TYPE))*;
            #[inline(always)]
            fn write(self, writer: &mut ArgWriter<'_>, store: &StoreInner) -> Result<()> {
                let ($($name,)*) = self;
                $(writer.put($name::TYPE, $name.to_raw(store)?);)*
                Ok(())
            }
            #[inline(always)]
            fn read(reader: &mut ArgReader<'_>, store: &mut StoreInner) -> Self {
                ($($name::from_raw(reader.take($name::TYPE), store),)*)
            }
            fn check(&self, store: &StoreInner, types: &[ValType]) -> Result<()> {
                let ($($name,)*) = self;
                let mut index = 0;
                $(check($name, index, store, types)?; index += 1;)*
                Ok(())
            }
        }

        #[allow(non_snake_case, unused, clippy::unused_unit)]
        impl<$($name: WasmTy),*> WasmResults for ($($name,)*) {
            const TYPES: &'static [ValType] = &[$($name::TYPE),*];
            const HAS_FLOATS: bool = false $(|| is_float($name::TYPE))*;
            const IN_AREA: bool = {
                let floats = 0 $(+ is_float($name::TYPE) as u32)*;
                let ints = 0 $(+ !is_float($name::TYPE) as u32)*;
                ints > selkie_module::abi::INT_RESULTS || floats > selkie_module::abi::FLOAT_RESULTS
            };
            #[inline(always)]
            fn write(self, writer: &mut ResultWriter<'_>, store: &StoreInner) -> Result<()> {
                let ($($name,)*) = self;
                $(writer.put($name::TYPE, $name.to_raw(store)?);)*
                Ok(())
            }
            #[inline(always)]
            fn read(reader: &mut ResultReader<'_>, store: &mut StoreInner) -> Self {
                ($($name::from_raw(reader.take($name::TYPE), store),)*)
            }
        }
    )*};
}

tuples! {
    ();
    (A1);
    (A1, A2);
    (A1, A2, A3);
    (A1, A2, A3, A4);
    (A1, A2, A3, A4, A5);
    (A1, A2, A3, A4, A5, A6);
    (A1, A2, A3, A4, A5, A6, A7);
    (A1, A2, A3, A4, A5, A6, A7, A8);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16, A17);
}
