//! Rust types that stand for WebAssembly types at the border, and tuples of them.

use crate::func::Func;
use crate::func::enter::{ArgReader, ArgWriter, ResultReader, ResultWriter};
use crate::store::StoreInner;
use crate::values::{ExternRef, V128, Val};
use selkie_module::{RefType, ValType};

/// A Rust type that is a WebAssembly value.
pub trait WasmTy: Sized + 'static {
    /// Its WebAssembly type.
    const TYPE: ValType;
    #[doc(hidden)]
    fn into_raw(self, store: &StoreInner) -> u128;
    #[doc(hidden)]
    fn from_raw(raw: u128, store: &StoreInner) -> Self;
}

macro_rules! numbers {
    ($($rust:ty as $wasm:ident: $into:expr, $from:expr;)*) => {$(
        impl WasmTy for $rust {
            const TYPE: ValType = ValType::$wasm;
            #[inline]
            fn into_raw(self, _: &StoreInner) -> u128 {
                #[allow(clippy::redundant_closure_call)]
                ($into)(self)
            }
            #[inline]
            fn from_raw(raw: u128, _: &StoreInner) -> Self {
                #[allow(clippy::redundant_closure_call)]
                ($from)(raw)
            }
        }
    )*};
}

numbers! {
    i32 as I32: |v: i32| u128::from(v as u32), |raw: u128| raw as i32;
    u32 as I32: |v: u32| u128::from(v), |raw: u128| raw as u32;
    i64 as I64: |v: i64| u128::from(v as u64), |raw: u128| raw as i64;
    u64 as I64: |v: u64| u128::from(v), |raw: u128| raw as u64;
    f32 as F32: |v: f32| u128::from(v.to_bits()), |raw: u128| f32::from_bits(raw as u32);
    f64 as F64: |v: f64| u128::from(v.to_bits()), |raw: u128| f64::from_bits(raw as u64);
    V128 as V128: |v: V128| v.0, |raw: u128| V128(raw);
}

impl WasmTy for Option<Func> {
    const TYPE: ValType = ValType::Ref(RefType::FUNCREF);
    fn into_raw(self, store: &StoreInner) -> u128 {
        self.map_or(0, |func| {
            store.assert_owns(func.store());
            func.raw() as u128
        })
    }
    fn from_raw(raw: u128, store: &StoreInner) -> Self {
        Func::from_raw(store.id, raw as usize)
    }
}

impl WasmTy for Option<ExternRef> {
    const TYPE: ValType = ValType::Ref(RefType::EXTERNREF);
    fn into_raw(self, store: &StoreInner) -> u128 {
        Val::ExternRef(self).to_raw(store).expect("the reference belongs to this store")
    }
    fn from_raw(raw: u128, store: &StoreInner) -> Self {
        Val::from_raw(raw, Self::TYPE, store).extern_ref().flatten()
    }
}

/// Parameters of a function: a value or a tuple of values.
pub trait WasmParams {
    #[doc(hidden)]
    fn types() -> Vec<ValType>;
    #[doc(hidden)]
    const HAS_FLOATS: bool;
    #[doc(hidden)]
    fn write(self, writer: &mut ArgWriter<'_>, store: &StoreInner);
    #[doc(hidden)]
    fn read(reader: &mut ArgReader<'_>, store: &StoreInner) -> Self;
}

/// Results of a function: nothing, a value, or a tuple of values.
pub trait WasmResults {
    #[doc(hidden)]
    fn types() -> Vec<ValType>;
    #[doc(hidden)]
    const HAS_FLOATS: bool;
    /// Whether results travel through memory (`selkie_module::abi`).
    #[doc(hidden)]
    const IN_AREA: bool;
    #[doc(hidden)]
    fn write(self, writer: &mut ResultWriter<'_>, store: &StoreInner);
    #[doc(hidden)]
    fn read(reader: &mut ResultReader<'_>, store: &StoreInner) -> Self;
}

const fn is_float(ty: ValType) -> bool {
    matches!(ty, ValType::F32 | ValType::F64 | ValType::V128)
}

impl<A: WasmTy> WasmParams for A {
    fn types() -> Vec<ValType> {
        vec![A::TYPE]
    }
    const HAS_FLOATS: bool = is_float(A::TYPE);
    #[inline]
    fn write(self, writer: &mut ArgWriter<'_>, store: &StoreInner) {
        writer.put(A::TYPE, self.into_raw(store));
    }
    #[inline]
    fn read(reader: &mut ArgReader<'_>, store: &StoreInner) -> Self {
        A::from_raw(reader.take(A::TYPE), store)
    }
}

impl<A: WasmTy> WasmResults for A {
    fn types() -> Vec<ValType> {
        vec![A::TYPE]
    }
    const HAS_FLOATS: bool = is_float(A::TYPE);
    const IN_AREA: bool = false;
    #[inline]
    fn write(self, writer: &mut ResultWriter<'_>, store: &StoreInner) {
        writer.put(A::TYPE, self.into_raw(store));
    }
    #[inline]
    fn read(reader: &mut ResultReader<'_>, store: &StoreInner) -> Self {
        A::from_raw(reader.take(A::TYPE), store)
    }
}

macro_rules! tuples {
    ($(($($name:ident),*);)*) => {$(
        #[allow(non_snake_case, unused_variables, clippy::unused_unit)]
        impl<$($name: WasmTy),*> WasmParams for ($($name,)*) {
            fn types() -> Vec<ValType> {
                vec![$($name::TYPE),*]
            }
            const HAS_FLOATS: bool = false $(|| is_float($name::TYPE))*;
            #[inline]
            fn write(self, writer: &mut ArgWriter<'_>, store: &StoreInner) {
                let ($($name,)*) = self;
                $(writer.put($name::TYPE, $name.into_raw(store));)*
            }
            #[inline]
            fn read(reader: &mut ArgReader<'_>, store: &StoreInner) -> Self {
                ($($name::from_raw(reader.take($name::TYPE), store),)*)
            }
        }

        #[allow(non_snake_case, unused_variables, clippy::unused_unit)]
        impl<$($name: WasmTy),*> WasmResults for ($($name,)*) {
            fn types() -> Vec<ValType> {
                vec![$($name::TYPE),*]
            }
            const HAS_FLOATS: bool = false $(|| is_float($name::TYPE))*;
            const IN_AREA: bool = {
                let floats = 0 $(+ is_float($name::TYPE) as u32)*;
                let ints = 0 $(+ !is_float($name::TYPE) as u32)*;
                ints > selkie_module::abi::INT_RESULTS || floats > selkie_module::abi::FLOAT_RESULTS
            };
            #[inline]
            fn write(self, writer: &mut ResultWriter<'_>, store: &StoreInner) {
                let ($($name,)*) = self;
                $(writer.put($name::TYPE, $name.into_raw(store));)*
            }
            #[inline]
            fn read(reader: &mut ResultReader<'_>, store: &StoreInner) -> Self {
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
