//! Values that cross the border between host and WebAssembly.

use crate::error::Result;
use crate::func::Func;
use crate::refs::{AnyRef, ContRef, ExnRef, ExternRef, GcRef};
use crate::roots::Rooted;
use crate::store::{AsContext, StoreInner};
use crate::types::{FuncType, HeapType, RefType, ValType};
use selkie_module::{HeapTop, TypeId, ValType as RawValType};

/// A vector of 128 bits, little-endian lanes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct V128(pub u128);

impl std::fmt::Debug for V128 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "V128({:#034x})", self.0)
    }
}

/// A value of any type. Floats are kept by their bits, so that NaN payloads survive.
///
/// ```
/// use selkie_engine::{Val, ValType};
/// let third = Val::from(1.0 / 3.0);
/// assert_eq!(third.f64(), Some(1.0 / 3.0));
/// assert_eq!(third.i32(), None); // no conversion between types
/// assert_eq!(Val::default_for_ty(&ValType::I64).and_then(|zero| zero.i64()), Some(0));
/// ```
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // the variants are the specification's types
pub enum Val {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    V128(V128),
    FuncRef(Option<Func>),
    ExternRef(Option<Rooted<ExternRef>>),
    AnyRef(Option<Rooted<AnyRef>>),
    ExnRef(Option<Rooted<ExnRef>>),
    ContRef(Option<Rooted<ContRef>>),
}

impl Val {
    /// The value that locals and tables start with, where the type has one.
    pub fn default_for_ty(ty: &ValType) -> Option<Val> {
        Some(match ty {
            ValType::I32 => Val::I32(0),
            ValType::I64 => Val::I64(0),
            ValType::F32 => Val::F32(0),
            ValType::F64 => Val::F64(0),
            ValType::V128 => Val::V128(V128(0)),
            ValType::Ref(RefType { nullable: true, heap }) => Val::null_ref(heap),
            ValType::Ref(_) => return None,
        })
    }

    /// The null of a heap type.
    pub fn null_ref(heap: &HeapType) -> Val {
        match heap.hierarchy() {
            HeapTop::Func => Val::FuncRef(None),
            HeapTop::Extern => Val::ExternRef(None),
            HeapTop::Exn => Val::ExnRef(None),
            HeapTop::Cont => Val::ContRef(None),
            HeapTop::Any => Val::AnyRef(None),
        }
    }

    /// Whether it is a reference that is null.
    pub fn is_null_ref(&self) -> bool {
        matches!(
            self,
            Val::FuncRef(None)
                | Val::ExternRef(None)
                | Val::AnyRef(None)
                | Val::ExnRef(None)
                | Val::ContRef(None)
        )
    }

    /// The least type it is of, as far as the host can name it.
    ///
    /// # Errors
    /// A reference's scope has ended, or it belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> Result<ValType> {
        let context = store.as_context();
        let inner = context.inner();
        let some = |heap| ValType::Ref(RefType::new(false, heap));
        Ok(match self {
            Val::I32(_) => ValType::I32,
            Val::I64(_) => ValType::I64,
            Val::F32(_) => ValType::F32,
            Val::F64(_) => ValType::F64,
            Val::V128(_) => ValType::V128,
            Val::FuncRef(None) => ValType::NULLFUNCREF,
            Val::FuncRef(Some(func)) => {
                let id = TypeId(inner.func_ref(*func)?.type_id);
                some(HeapType::ConcreteFunc(FuncType::from_id(&inner.engine, id)))
            }
            Val::ExternRef(None) => ValType::NULLEXTERNREF,
            Val::AnyRef(None) => ValType::NULLREF,
            Val::ExnRef(None) => ValType::NULLEXNREF,
            Val::ContRef(None) => ValType::NULLCONTREF,
            Val::AnyRef(Some(to)) => some(inner.any_type(inner.raw_of(to.root())?)),
            Val::ExternRef(Some(to)) => {
                inner.raw_of(to.root())?;
                some(HeapType::Extern)
            }
            Val::ExnRef(Some(to)) => {
                inner.raw_of(to.root())?;
                some(HeapType::Exn)
            }
            Val::ContRef(Some(to)) => some(inner.any_type(inner.raw_of(to.root())?)),
        })
    }

    /// Whether it is of a type.
    ///
    /// # Errors
    /// A reference's scope has ended, or it belongs to another store, or the type to another
    /// engine.
    pub fn matches_ty(&self, store: impl AsContext, ty: &ValType) -> Result<bool> {
        let context = store.as_context();
        let inner = context.inner();
        self.matches(inner, ty.to_raw(&inner.engine)?)
    }

    /// Whether the value may be stored where `ty` (with canonical type names) is expected.
    ///
    /// # Errors
    /// A reference's scope has ended, or it belongs to another store.
    #[inline]
    pub(crate) fn matches(&self, store: &StoreInner, ty: RawValType) -> Result<bool> {
        let RawValType::Ref(wanted) = ty else {
            return Ok(matches!(
                (self, ty),
                (Val::I32(_), RawValType::I32)
                    | (Val::I64(_), RawValType::I64)
                    | (Val::F32(_), RawValType::F32)
                    | (Val::F64(_), RawValType::F64)
                    | (Val::V128(_), RawValType::V128)
            ));
        };
        let Some((top, reference)) = self.to_ref(store)? else { return Ok(false) };
        if store.heap_top(wanted.heap) != top {
            return Ok(false);
        }
        Ok(store.reference_matches(reference, wanted))
    }

    /// The reference as machine code holds it, with its hierarchy; `None` for numbers.
    fn to_ref(self, store: &StoreInner) -> Result<Option<(HeapTop, u64)>> {
        fn rooted<T: GcRef>(store: &StoreInner, to: Option<Rooted<T>>) -> Result<u64> {
            to.map_or(Ok(0), |to| store.raw_of(to.root()))
        }
        Ok(Some(match self {
            Val::FuncRef(None) => (HeapTop::Func, 0),
            Val::FuncRef(Some(func)) => {
                store.check(func.store())?;
                (HeapTop::Func, func.raw() as u64)
            }
            Val::ExternRef(to) => (HeapTop::Extern, rooted(store, to)?),
            Val::AnyRef(to) => (HeapTop::Any, rooted(store, to)?),
            Val::ExnRef(to) => (HeapTop::Exn, rooted(store, to)?),
            Val::ContRef(to) => (HeapTop::Cont, rooted(store, to)?),
            _ => return Ok(None),
        }))
    }

    /// As machine code holds it.
    ///
    /// # Errors
    /// A reference's scope has ended, or it belongs to another store.
    #[inline]
    pub(crate) fn to_raw(self, store: &StoreInner) -> Result<u128> {
        Ok(match self {
            Val::I32(v) => u128::from(v as u32),
            Val::I64(v) => u128::from(v as u64),
            Val::F32(v) => u128::from(v),
            Val::F64(v) => u128::from(v),
            Val::V128(v) => v.0,
            _ => self.to_ref(store)?.map_or(0, |(_, reference)| reference.into()),
        })
    }

    /// From what machine code holds, at a type with canonical names. References are rooted in the
    /// innermost scope.
    #[inline]
    pub(crate) fn from_raw(raw: u128, ty: RawValType, store: &mut StoreInner) -> Val {
        match ty {
            RawValType::I32 => Val::I32(raw as i32),
            RawValType::I64 => Val::I64(raw as i64),
            RawValType::F32 => Val::F32(raw as u32),
            RawValType::F64 => Val::F64(raw as u64),
            RawValType::V128 => Val::V128(V128(raw)),
            RawValType::Ref(r) => {
                let (top, raw) = (store.heap_top(r.heap), raw as u64);
                match top {
                    HeapTop::Func => Val::FuncRef(Func::from_raw(store.id, raw as usize)),
                    HeapTop::Extern => Val::ExternRef(store.root_nullable(raw)),
                    HeapTop::Any => Val::AnyRef(store.root_nullable(raw)),
                    HeapTop::Exn => Val::ExnRef(store.root_nullable(raw)),
                    HeapTop::Cont => Val::ContRef(store.root_nullable(raw)),
                }
            }
        }
    }
}

macro_rules! accessors {
    ($($get:ident, $unwrap:ident, $variant:ident($bits:ident) -> $rust:ty: $value:expr;)*) => {
        impl Val {$(
            #[doc = concat!("The value, if it is of the variant `", stringify!($variant), "`.")]
            pub fn $get(&self) -> Option<$rust> {
                if let Val::$variant($bits) = *self { Some($value) } else { None }
            }

            #[doc = concat!("The value of the variant `", stringify!($variant), "`.")]
            ///
            /// # Panics
            /// The value is of another variant.
            #[track_caller]
            pub fn $unwrap(&self) -> $rust {
                self.$get().unwrap_or_else(|| {
                    panic!(concat!("expected ", stringify!($variant), ", found {:?}"), self)
                })
            }
        )*}
    };
}

// Grammar: name that answers an option, name that panics, variant(bits) -> Rust type: its value.
accessors! {
    i32, unwrap_i32, I32(v) -> i32: v;
    i64, unwrap_i64, I64(v) -> i64: v;
    f32, unwrap_f32, F32(bits) -> f32: f32::from_bits(bits);
    f64, unwrap_f64, F64(bits) -> f64: f64::from_bits(bits);
    v128, unwrap_v128, V128(v) -> V128: v;
    func_ref, unwrap_func_ref, FuncRef(v) -> Option<Func>: v;
    extern_ref, unwrap_extern_ref, ExternRef(v) -> Option<Rooted<ExternRef>>: v;
    any_ref, unwrap_any_ref, AnyRef(v) -> Option<Rooted<AnyRef>>: v;
    exn_ref, unwrap_exn_ref, ExnRef(v) -> Option<Rooted<ExnRef>>: v;
    cont_ref, unwrap_cont_ref, ContRef(v) -> Option<Rooted<ContRef>>: v;
}

impl From<i32> for Val {
    fn from(v: i32) -> Val {
        Val::I32(v)
    }
}

impl From<i64> for Val {
    fn from(v: i64) -> Val {
        Val::I64(v)
    }
}

impl From<f32> for Val {
    fn from(v: f32) -> Val {
        Val::F32(v.to_bits())
    }
}

impl From<f64> for Val {
    fn from(v: f64) -> Val {
        Val::F64(v.to_bits())
    }
}

impl From<Func> for Val {
    fn from(v: Func) -> Val {
        Val::FuncRef(Some(v))
    }
}

impl From<V128> for Val {
    fn from(v: V128) -> Val {
        Val::V128(v)
    }
}

impl From<Option<Func>> for Val {
    fn from(v: Option<Func>) -> Val {
        Val::FuncRef(v)
    }
}
