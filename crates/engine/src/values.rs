//! Values that cross the border between host and WebAssembly.

use crate::error::{Error, ErrorKind, Result};
use crate::func::Func;
use crate::store::{AsContext, AsContextMut, StoreId, StoreInner};
use selkie_module::{HeapType, RefType, ValType};
use std::any::Any;

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
/// assert_eq!(Val::default_for(ValType::I64).and_then(|zero| zero.i64()), Some(0));
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
    ExternRef(Option<ExternRef>),
    /// A null reference of another hierarchy.
    NullRef(HeapType),
}

impl Val {
    /// The value that locals and tables start with, where the type has one.
    pub fn default_for(ty: ValType) -> Option<Val> {
        Some(match ty {
            ValType::I32 => Val::I32(0),
            ValType::I64 => Val::I64(0),
            ValType::F32 => Val::F32(0),
            ValType::F64 => Val::F64(0),
            ValType::V128 => Val::V128(V128(0)),
            ValType::Ref(RefType { nullable: true, heap }) => Val::null(heap),
            ValType::Ref(_) => return None,
        })
    }

    /// The null of a heap type.
    pub fn null(heap: HeapType) -> Val {
        match heap {
            HeapType::Func | HeapType::NoFunc => Val::FuncRef(None),
            HeapType::Extern | HeapType::NoExtern => Val::ExternRef(None),
            other => Val::NullRef(other),
        }
    }

    /// Its type; the type of every reference to a function is `funcref`.
    pub fn ty(&self) -> ValType {
        match self {
            Val::I32(_) => ValType::I32,
            Val::I64(_) => ValType::I64,
            Val::F32(_) => ValType::F32,
            Val::F64(_) => ValType::F64,
            Val::V128(_) => ValType::V128,
            Val::FuncRef(_) => ValType::Ref(RefType::FUNCREF),
            Val::ExternRef(_) => ValType::Ref(RefType::EXTERNREF),
            Val::NullRef(heap) => ValType::Ref(RefType { nullable: true, heap: *heap }),
        }
    }

    /// Whether the value may be stored where `ty` (with canonical type names) is expected.
    pub(crate) fn matches(&self, store: &StoreInner, ty: ValType) -> bool {
        match (self, ty) {
            (Val::I32(_), ValType::I32)
            | (Val::I64(_), ValType::I64)
            | (Val::F32(_), ValType::F32)
            | (Val::F64(_), ValType::F64)
            | (Val::V128(_), ValType::V128) => true,
            (Val::FuncRef(Some(func)), ValType::Ref(r)) => {
                let Ok(func) = store.func_ref(*func) else { return false };
                let id = selkie_module::TypeId(func.type_id);
                let heap = HeapType::Concrete(selkie_module::TypeRef::Engine(id));
                store.engine.types().heap_matches(heap, r.heap)
            }
            (Val::ExternRef(Some(_)), ValType::Ref(r)) => r.heap == HeapType::Extern,
            (Val::FuncRef(None), ValType::Ref(r)) => {
                r.nullable && store.engine.types().heap_matches(HeapType::NoFunc, r.heap)
            }
            (Val::ExternRef(None), ValType::Ref(r)) => {
                r.nullable && store.engine.types().heap_matches(HeapType::NoExtern, r.heap)
            }
            (Val::NullRef(_), ValType::Ref(r)) => r.nullable,
            _ => false,
        }
    }

    /// As machine code holds it.
    pub(crate) fn to_raw(self, store: &StoreInner) -> Result<u128> {
        Ok(match self {
            Val::I32(v) => u128::from(v as u32),
            Val::I64(v) => u128::from(v as u64),
            Val::F32(v) => u128::from(v),
            Val::F64(v) => u128::from(v),
            Val::V128(v) => v.0,
            Val::FuncRef(Some(func)) => {
                store.check(func.store())?;
                func.raw() as u128
            }
            Val::ExternRef(Some(r)) => {
                store.check(r.store)?;
                u128::from(r.raw)
            }
            Val::FuncRef(None) | Val::ExternRef(None) | Val::NullRef(_) => 0,
        })
    }

    /// From what machine code holds, at a type with canonical names.
    pub(crate) fn from_raw(raw: u128, ty: ValType, store: &StoreInner) -> Val {
        match ty {
            ValType::I32 => Val::I32(raw as i32),
            ValType::I64 => Val::I64(raw as i64),
            ValType::F32 => Val::F32(raw as u32),
            ValType::F64 => Val::F64(raw as u64),
            ValType::V128 => Val::V128(V128(raw)),
            ValType::Ref(r) => match (hierarchy(store, r.heap), raw as u64) {
                (HeapType::Func, raw) => Val::FuncRef(Func::from_raw(store.id, raw as usize)),
                (HeapType::Extern, 0) => Val::ExternRef(None),
                (HeapType::Extern, raw) => Val::ExternRef(Some(ExternRef { store: store.id, raw })),
                (other, _) => Val::NullRef(other),
            },
        }
    }
}

/// `Func` or `Extern` where the type belongs to them, else the type itself.
fn hierarchy(store: &StoreInner, heap: HeapType) -> HeapType {
    let types = store.engine.types();
    if types.heap_matches(heap, HeapType::Func) || heap == HeapType::NoFunc {
        HeapType::Func
    } else if types.heap_matches(heap, HeapType::Extern) {
        HeapType::Extern
    } else {
        heap
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
    extern_ref, unwrap_extern_ref, ExternRef(v) -> Option<ExternRef>: v;
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

/// A reference to host data that WebAssembly can hold and pass but not look into.
///
/// ```
/// use selkie_engine::{Engine, ExternRef, Store};
/// let mut store = Store::new(&Engine::default(), ());
/// let reference = ExternRef::new(&mut store, "data".to_string());
/// let data = reference.data(&store)?.downcast_ref::<String>();
/// assert_eq!(data.map(String::as_str), Some("data"));
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExternRef {
    store: StoreId,
    raw: u64,
}

/// The data behind external references, kept until the store is dropped.
#[derive(Default)]
pub(crate) struct ExternRefs(Vec<Box<dyn Any + Send + Sync>>);

impl ExternRef {
    /// A reference to `data`, which lives as long as the store.
    pub fn new(mut store: impl AsContextMut, data: impl Any + Send + Sync) -> ExternRef {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        inner.extern_refs.0.push(Box::new(data));
        ExternRef { store: inner.id, raw: inner.extern_refs.0.len() as u64 }
    }

    /// The data.
    ///
    /// # Errors
    /// The reference belongs to another store.
    pub fn data<'a, T: 'static>(
        &self,
        store: impl Into<crate::store::StoreContext<'a, T>>,
    ) -> Result<&'a (dyn Any + Send + Sync)> {
        let inner = store.into().inner();
        inner.check(self.store)?;
        let at = (self.raw as usize).wrapping_sub(1);
        let data = inner.extern_refs.0.get(at);
        data.map(|d| &**d).ok_or_else(|| Error::new(ErrorKind::Bug, "an unknown reference"))
    }
}

impl<'a, C: AsContext> From<&'a C> for crate::store::StoreContext<'a, C::Data> {
    fn from(context: &'a C) -> Self {
        context.as_context()
    }
}
