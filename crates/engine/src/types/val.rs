//! Value, reference and heap types (spec: syntax/types).

use super::{ArrayType, ContType, Defined, FuncType, StructType};
use crate::engine::Engine;
use crate::error::Result;
use selkie_module::{
    CompositeType, HeapType as RawHeapType, RefType as RawRefType, TypeId, TypeRef,
    ValType as RawValType,
};
use std::fmt;

/// A value type.
///
/// ```
/// use selkie_engine::{HeapType, RefType, ValType};
/// let ty = ValType::Ref(RefType::new(false, HeapType::I31));
/// assert!(ty.matches(&ValType::ANYREF) && !ValType::ANYREF.matches(&ty));
/// assert_eq!(ty.to_string(), "(ref i31)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the variants are the specification's words
pub enum ValType {
    I32,
    I64,
    F32,
    F64,
    V128,
    Ref(RefType),
}

/// A reference type.
///
/// ```
/// use selkie_engine::{HeapType, RefType};
/// assert!(RefType::new(false, HeapType::Struct).matches(&RefType::EQREF));
/// assert!(!RefType::EQREF.matches(&RefType::new(false, HeapType::Eq)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RefType {
    /// Whether null is a value of the type.
    pub nullable: bool,
    /// What is referred to.
    pub heap: HeapType,
}

/// What a reference refers to.
///
/// ```
/// use selkie_engine::{ArrayType, Engine, FieldType, HeapType, Mutability, StorageType};
/// let engine = Engine::default();
/// let bytes = ArrayType::new(&engine, FieldType::new(Mutability::Var, StorageType::I8))?;
/// let heap = HeapType::ConcreteArray(bytes);
/// assert!(heap.matches(&HeapType::Array) && HeapType::None.matches(&heap));
/// assert_eq!(heap.top(), HeapType::Any);
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the variants are the specification's words
pub enum HeapType {
    Func,
    ConcreteFunc(FuncType),
    NoFunc,
    Extern,
    NoExtern,
    Any,
    Eq,
    I31,
    Struct,
    ConcreteStruct(StructType),
    Array,
    ConcreteArray(ArrayType),
    None,
    Exn,
    NoExn,
    Cont,
    ConcreteCont(ContType),
    NoCont,
}

macro_rules! nullable_refs {
    ($($name:ident = $heap:ident;)*) => {
        impl RefType {$(
            #[doc = concat!("`(ref null ", stringify!($heap), ")`.")]
            pub const $name: RefType = RefType { nullable: true, heap: HeapType::$heap };
        )*}

        impl ValType {$(
            #[doc = concat!("`(ref null ", stringify!($heap), ")`.")]
            pub const $name: ValType = ValType::Ref(RefType::$name);
        )*}
    };
}

// Grammar: the specification's abbreviation = heap type.
nullable_refs! {
    FUNCREF = Func;
    NULLFUNCREF = NoFunc;
    EXTERNREF = Extern;
    NULLEXTERNREF = NoExtern;
    ANYREF = Any;
    EQREF = Eq;
    I31REF = I31;
    STRUCTREF = Struct;
    ARRAYREF = Array;
    NULLREF = None;
    EXNREF = Exn;
    NULLEXNREF = NoExn;
    CONTREF = Cont;
    NULLCONTREF = NoCont;
}

impl ValType {
    /// Whether values of the type are references.
    pub fn is_ref(&self) -> bool {
        matches!(self, ValType::Ref(_))
    }

    /// Whether values of the type are numbers.
    pub fn is_num(&self) -> bool {
        matches!(self, ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64)
    }

    /// The reference type, if it is one.
    pub fn as_ref(&self) -> Option<&RefType> {
        if let ValType::Ref(ty) = self { Some(ty) } else { None }
    }

    /// Whether every value of this type is one of `other` (spec: valid/matching).
    pub fn matches(&self, other: &ValType) -> bool {
        match (self, other) {
            (ValType::Ref(a), ValType::Ref(b)) => a.matches(b),
            (a, b) => a == b,
        }
    }

    pub(crate) fn from_raw(engine: &Engine, raw: RawValType) -> ValType {
        match raw {
            RawValType::Ref(r) => ValType::Ref(RefType::from_raw(engine, r)),
            number => ValType::from_abstract(number),
        }
    }

    /// A type that names no defined one; such a name would become the least type of all.
    pub(crate) fn from_abstract(raw: RawValType) -> ValType {
        match raw {
            RawValType::I32 => ValType::I32,
            RawValType::I64 => ValType::I64,
            RawValType::F32 => ValType::F32,
            RawValType::F64 => ValType::F64,
            RawValType::V128 => ValType::V128,
            RawValType::Ref(r) => {
                let heap = HeapType::from_abstract(r.heap).unwrap_or(HeapType::None);
                ValType::Ref(RefType { nullable: r.nullable, heap })
            }
        }
    }

    /// As the engine writes it.
    ///
    /// # Errors
    /// The type names one of another engine.
    pub(crate) fn to_raw(&self, engine: &Engine) -> Result<RawValType> {
        Ok(match self {
            ValType::I32 => RawValType::I32,
            ValType::I64 => RawValType::I64,
            ValType::F32 => RawValType::F32,
            ValType::F64 => RawValType::F64,
            ValType::V128 => RawValType::V128,
            ValType::Ref(r) => RawValType::Ref(r.to_raw(engine)?),
        })
    }
}

impl RefType {
    /// A reference to `heap`, or null if it is `nullable`.
    pub fn new(nullable: bool, heap: HeapType) -> RefType {
        RefType { nullable, heap }
    }

    /// Whether null is a value of the type.
    pub fn is_nullable(&self) -> bool {
        self.nullable
    }

    /// What is referred to.
    pub fn heap_type(&self) -> &HeapType {
        &self.heap
    }

    /// Whether every value of this type is one of `other` (spec: valid/matching).
    pub fn matches(&self, other: &RefType) -> bool {
        (other.nullable || !self.nullable) && self.heap.matches(&other.heap)
    }

    pub(crate) fn from_raw(engine: &Engine, raw: RawRefType) -> RefType {
        RefType { nullable: raw.nullable, heap: HeapType::from_raw(engine, raw.heap) }
    }

    pub(crate) fn to_raw(&self, engine: &Engine) -> Result<RawRefType> {
        Ok(RawRefType { nullable: self.nullable, heap: self.heap.to_raw(engine)? })
    }
}

impl HeapType {
    /// Whether the type is a defined one rather than one of the specification's names.
    pub fn is_concrete(&self) -> bool {
        self.defined().is_some()
    }

    /// The function type, if it is one.
    pub fn as_concrete_func(&self) -> Option<&FuncType> {
        if let HeapType::ConcreteFunc(ty) = self { Some(ty) } else { None }
    }

    /// The struct type, if it is one.
    pub fn as_concrete_struct(&self) -> Option<&StructType> {
        if let HeapType::ConcreteStruct(ty) = self { Some(ty) } else { None }
    }

    /// The array type, if it is one.
    pub fn as_concrete_array(&self) -> Option<&ArrayType> {
        if let HeapType::ConcreteArray(ty) = self { Some(ty) } else { None }
    }

    /// The type of its hierarchy that all others are below.
    pub fn top(&self) -> HeapType {
        match self {
            HeapType::Func | HeapType::ConcreteFunc(_) | HeapType::NoFunc => HeapType::Func,
            HeapType::Extern | HeapType::NoExtern => HeapType::Extern,
            HeapType::Exn | HeapType::NoExn => HeapType::Exn,
            HeapType::Cont | HeapType::ConcreteCont(_) | HeapType::NoCont => HeapType::Cont,
            _ => HeapType::Any,
        }
    }

    /// The type of its hierarchy that is below all others: that of null.
    pub fn bottom(&self) -> HeapType {
        match self.top() {
            HeapType::Func => HeapType::NoFunc,
            HeapType::Extern => HeapType::NoExtern,
            HeapType::Exn => HeapType::NoExn,
            HeapType::Cont => HeapType::NoCont,
            _ => HeapType::None,
        }
    }

    /// Whether everything of this type is of `other` (spec: valid/matching). Defined types of
    /// different engines never match.
    pub fn matches(&self, other: &HeapType) -> bool {
        use HeapType as H;
        match (self, other) {
            (a, b) if a == b => true,
            (a, b) if *a == a.bottom() => b.top() == a.top(),
            (H::ConcreteFunc(a), H::ConcreteFunc(b)) => a.matches(b),
            (H::ConcreteStruct(a), H::ConcreteStruct(b)) => a.matches(b),
            (H::ConcreteArray(a), H::ConcreteArray(b)) => a.matches(b),
            (H::ConcreteCont(a), H::ConcreteCont(b)) => a.matches(b),
            (H::ConcreteStruct(_), H::Struct) | (H::ConcreteArray(_), H::Array) => true,
            (a, H::Eq) => a.top() == H::Any && *a != H::Any,
            (a, b) => *b == a.top(),
        }
    }

    pub(crate) fn from_raw(engine: &Engine, raw: RawHeapType) -> HeapType {
        if let Some(ty) = HeapType::from_abstract(raw) {
            return ty;
        }
        let id = if let RawHeapType::Concrete(TypeRef::Engine(id)) = raw { id } else { TypeId(0) };
        let defined = Defined::from_id(engine, id);
        match defined.composite() {
            CompositeType::Func(_) => HeapType::ConcreteFunc(defined.into()),
            CompositeType::Struct(_) => HeapType::ConcreteStruct(defined.into()),
            CompositeType::Array(_) => HeapType::ConcreteArray(defined.into()),
            CompositeType::Cont(_) => HeapType::ConcreteCont(defined.into()),
        }
    }

    fn defined(&self) -> Option<&Defined> {
        match self {
            HeapType::ConcreteFunc(ty) => Some(ty.defined()),
            HeapType::ConcreteStruct(ty) => Some(ty.defined()),
            HeapType::ConcreteArray(ty) => Some(ty.defined()),
            HeapType::ConcreteCont(ty) => Some(ty.defined()),
            _ => None,
        }
    }
}

macro_rules! abstract_heap_types {
    ($($name:ident),*) => {
        impl HeapType {
            /// A type of the specification's names; `None` for a defined one.
            fn from_abstract(raw: RawHeapType) -> Option<HeapType> {
                match raw {
                    $(RawHeapType::$name => Some(HeapType::$name),)*
                    RawHeapType::Concrete(_) => None,
                }
            }

            pub(crate) fn to_raw(&self, engine: &Engine) -> Result<RawHeapType> {
                Ok(match self {
                    $(HeapType::$name => RawHeapType::$name,)*
                    HeapType::ConcreteFunc(ty) => ty.defined().to_raw(engine)?,
                    HeapType::ConcreteStruct(ty) => ty.defined().to_raw(engine)?,
                    HeapType::ConcreteArray(ty) => ty.defined().to_raw(engine)?,
                    HeapType::ConcreteCont(ty) => ty.defined().to_raw(engine)?,
                })
            }

            /// As it is written, whatever engine it belongs to.
            fn to_written(&self) -> RawHeapType {
                match self {
                    $(HeapType::$name => RawHeapType::$name,)*
                    HeapType::ConcreteFunc(ty) => ty.defined().written(),
                    HeapType::ConcreteStruct(ty) => ty.defined().written(),
                    HeapType::ConcreteArray(ty) => ty.defined().written(),
                    HeapType::ConcreteCont(ty) => ty.defined().written(),
                }
            }
        }
    };
}

abstract_heap_types! {
    Func, NoFunc, Extern, NoExtern, Any, Eq, I31, Struct, Array, None, Exn, NoExn, Cont, NoCont
}

impl From<RefType> for ValType {
    fn from(ty: RefType) -> ValType {
        ValType::Ref(ty)
    }
}

impl fmt::Display for HeapType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_written().fmt(f)
    }
}

impl fmt::Display for RefType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        RawRefType { nullable: self.nullable, heap: self.heap.to_written() }.fmt(f)
    }
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValType::I32 => f.write_str("i32"),
            ValType::I64 => f.write_str("i64"),
            ValType::F32 => f.write_str("f32"),
            ValType::F64 => f.write_str("f64"),
            ValType::V128 => f.write_str("v128"),
            ValType::Ref(r) => r.fmt(f),
        }
    }
}
