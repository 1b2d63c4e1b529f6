//! Value, reference and heap types (spec: syntax/types).

use super::{ArrayType, ContType, Defined, FuncType, StructType};
use crate::engine::Engine;
use crate::error::Result;
use selkie_module::{
    AbstractHeapType, CompositeType, HeapTop, HeapType as RawHeapType, RefType as RawRefType,
    TypeId, TypeRef, ValType as RawValType,
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
    /// A function of this very type, not of one below it (custom descriptors).
    ExactFunc(FuncType),
    /// A struct of this very type.
    ExactStruct(StructType),
    /// An array of this very type.
    ExactArray(ArrayType),
    /// A continuation of this very type.
    ExactCont(ContType),
    /// What threads may share (shared-everything threads).
    Shared(AbstractHeapType),
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

    /// The continuation type, if it is one.
    pub fn as_concrete_cont(&self) -> Option<&ContType> {
        if let HeapType::ConcreteCont(ty) = self { Some(ty) } else { None }
    }

    /// The type of its hierarchy that all others are below.
    pub fn top(&self) -> HeapType {
        self.beside(match self.hierarchy() {
            HeapTop::Func => AbstractHeapType::Func,
            HeapTop::Extern => AbstractHeapType::Extern,
            HeapTop::Exn => AbstractHeapType::Exn,
            HeapTop::Cont => AbstractHeapType::Cont,
            HeapTop::Any => AbstractHeapType::Any,
        })
    }

    /// The type of its hierarchy that is below all others: that of null.
    pub fn bottom(&self) -> HeapType {
        self.beside(match self.hierarchy() {
            HeapTop::Func => AbstractHeapType::NoFunc,
            HeapTop::Extern => AbstractHeapType::NoExtern,
            HeapTop::Exn => AbstractHeapType::NoExn,
            HeapTop::Cont => AbstractHeapType::NoCont,
            HeapTop::Any => AbstractHeapType::None,
        })
    }

    /// A type that is shared if this one is.
    fn beside(&self, ty: AbstractHeapType) -> HeapType {
        if self.is_shared() { HeapType::Shared(ty) } else { HeapType::plain(ty) }
    }

    /// Whether threads may share what is referred to.
    pub fn is_shared(&self) -> bool {
        matches!(self, HeapType::Shared(_)) || self.defined().is_some_and(Defined::is_shared)
    }

    /// The hierarchy of its values.
    pub(crate) fn hierarchy(&self) -> HeapTop {
        self.to_written().top(|_| self.defined().map_or(&NOTHING, Defined::composite))
    }

    /// Whether everything of this type is of `other` (spec: valid/matching). Defined types of
    /// different engines never match.
    pub fn matches(&self, other: &HeapType) -> bool {
        use HeapType as H;
        if self == other {
            return true;
        }
        if self.is_shared() != other.is_shared() {
            return false;
        }
        match (&self.unshared(), &other.unshared()) {
            (a, b) if a.is_bottom() => a.hierarchy() == b.hierarchy(),
            (H::ConcreteFunc(a) | H::ExactFunc(a), H::ConcreteFunc(b)) => a.matches(b),
            (H::ConcreteStruct(a) | H::ExactStruct(a), H::ConcreteStruct(b)) => a.matches(b),
            (H::ConcreteArray(a) | H::ExactArray(a), H::ConcreteArray(b)) => a.matches(b),
            (H::ConcreteCont(a) | H::ExactCont(a), H::ConcreteCont(b)) => a.matches(b),
            (H::ConcreteStruct(_) | H::ExactStruct(_), H::Struct) => true,
            (H::ConcreteArray(_) | H::ExactArray(_), H::Array) => true,
            (a, H::Eq) => a.hierarchy() == HeapTop::Any && *a != H::Any,
            (a, H::Func | H::Extern | H::Any | H::Exn | H::Cont) => {
                a.hierarchy() == other.hierarchy()
            }
            _ => false,
        }
    }

    fn is_bottom(&self) -> bool {
        use HeapType::{NoCont, NoExn, NoExtern, NoFunc, None};
        matches!(self, NoFunc | NoExtern | None | NoExn | NoCont)
    }

    fn unshared(&self) -> HeapType {
        if let HeapType::Shared(ty) = self { HeapType::plain(*ty) } else { self.clone() }
    }

    pub(crate) fn from_raw(engine: &Engine, raw: RawHeapType) -> HeapType {
        if let Some(ty) = HeapType::from_abstract(raw) {
            return ty;
        }
        let id = if let Some(TypeRef::Engine(id)) = raw.defined() { id } else { TypeId(0) };
        let defined = Defined::from_id(engine, id);
        match (defined.composite(), matches!(raw, RawHeapType::Exact(_))) {
            (CompositeType::Func(_), false) => HeapType::ConcreteFunc(defined.into()),
            (CompositeType::Func(_), true) => HeapType::ExactFunc(defined.into()),
            (CompositeType::Struct(_), false) => HeapType::ConcreteStruct(defined.into()),
            (CompositeType::Struct(_), true) => HeapType::ExactStruct(defined.into()),
            (CompositeType::Array(_), false) => HeapType::ConcreteArray(defined.into()),
            (CompositeType::Array(_), true) => HeapType::ExactArray(defined.into()),
            (CompositeType::Cont(_), false) => HeapType::ConcreteCont(defined.into()),
            (CompositeType::Cont(_), true) => HeapType::ExactCont(defined.into()),
        }
    }

    /// A type of the specification's names; `None` for a defined one.
    fn from_abstract(raw: RawHeapType) -> Option<HeapType> {
        match raw {
            RawHeapType::Shared(ty) => Some(HeapType::Shared(ty)),
            other => other.as_abstract().map(HeapType::plain),
        }
    }

    pub(crate) fn to_raw(&self, engine: &Engine) -> Result<RawHeapType> {
        if let Some(ty) = self.defined() {
            ty.check_engine(engine)?;
        }
        Ok(self.to_written())
    }

    fn defined(&self) -> Option<&Defined> {
        use HeapType as H;
        match self {
            H::ConcreteFunc(ty) | H::ExactFunc(ty) => Some(ty.defined()),
            H::ConcreteStruct(ty) | H::ExactStruct(ty) => Some(ty.defined()),
            H::ConcreteArray(ty) | H::ExactArray(ty) => Some(ty.defined()),
            H::ConcreteCont(ty) | H::ExactCont(ty) => Some(ty.defined()),
            _ => None,
        }
    }
}

/// What is never asked for: every defined type has a composition.
static NOTHING: CompositeType = CompositeType::Cont(TypeRef::Engine(TypeId(0)));

macro_rules! abstract_heap_types {
    ($($name:ident),*) => {
        impl HeapType {
            fn plain(ty: AbstractHeapType) -> HeapType {
                match ty { $(AbstractHeapType::$name => HeapType::$name,)* }
            }

            /// As it is written, whatever engine it belongs to.
            fn to_written(&self) -> RawHeapType {
                use RawHeapType::{Concrete, Exact};
                match self {
                    $(HeapType::$name => RawHeapType::$name,)*
                    HeapType::Shared(ty) => RawHeapType::Shared(*ty),
                    HeapType::ConcreteFunc(ty) => Concrete(ty.defined().written()),
                    HeapType::ConcreteStruct(ty) => Concrete(ty.defined().written()),
                    HeapType::ConcreteArray(ty) => Concrete(ty.defined().written()),
                    HeapType::ConcreteCont(ty) => Concrete(ty.defined().written()),
                    HeapType::ExactFunc(ty) => Exact(ty.defined().written()),
                    HeapType::ExactStruct(ty) => Exact(ty.defined().written()),
                    HeapType::ExactArray(ty) => Exact(ty.defined().written()),
                    HeapType::ExactCont(ty) => Exact(ty.defined().written()),
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
