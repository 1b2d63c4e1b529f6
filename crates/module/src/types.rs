//! Types as the specification writes them (spec: syntax/types).
//!
//! A concrete heap type names another type through [`TypeRef`], which says in which space the
//! name is to be read: the module's, the enclosing rec group's, or the engine's canonical one.

use crate::{TypeId, TypeIndex};
use serde::{Deserialize, Serialize};

/// How one type names another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TypeRef {
    /// A place in the module's type section.
    Module(TypeIndex),
    /// A place in the rec group that contains the naming type (canonical keys only).
    Rec(u32),
    /// A canonical type of an engine.
    Engine(TypeId),
}

// Grammar of the table: `Name "word" Hierarchy;`.
macro_rules! abstract_heap_types {
    ($($name:ident $word:literal $top:ident;)*) => {
        /// Heap types.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[allow(missing_docs)] // the variants are the specification's words
        pub enum HeapType {
            $($name,)*
            /// A defined type or one below it.
            Concrete(TypeRef),
            /// A defined type and none below it (custom descriptors).
            Exact(TypeRef),
            /// What threads may share (shared-everything threads); defined types say themselves
            /// whether they are shared.
            Shared(AbstractHeapType),
        }

        /// Heap types that no module defines.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[allow(missing_docs)] // as above
        pub enum AbstractHeapType { $($name,)* }

        impl AbstractHeapType {
            fn word(self) -> &'static str {
                match self { $(AbstractHeapType::$name => $word,)* }
            }

            fn top(self) -> HeapTop {
                match self { $(AbstractHeapType::$name => HeapTop::$top,)* }
            }
        }

        impl From<AbstractHeapType> for HeapType {
            fn from(ty: AbstractHeapType) -> HeapType {
                match ty { $(AbstractHeapType::$name => HeapType::$name,)* }
            }
        }

        impl HeapType {
            /// The type without the word `shared`, where it is none that a module defines.
            pub fn as_abstract(self) -> Option<AbstractHeapType> {
                match self {
                    $(HeapType::$name => Some(AbstractHeapType::$name),)*
                    HeapType::Shared(ty) => Some(ty),
                    HeapType::Concrete(_) | HeapType::Exact(_) => None,
                }
            }
        }
    };
}

abstract_heap_types! {
    Func "func" Func;
    NoFunc "nofunc" Func;
    Extern "extern" Extern;
    NoExtern "noextern" Extern;
    Any "any" Any;
    Eq "eq" Any;
    I31 "i31" Any;
    Struct "struct" Any;
    Array "array" Any;
    None "none" Any;
    Exn "exn" Exn;
    NoExn "noexn" Exn;
    Cont "cont" Cont;
    NoCont "nocont" Cont;
}

impl HeapType {
    /// The hierarchy the type belongs to; `composite` tells what a named type is made of.
    pub fn top<'t>(self, composite: impl Fn(TypeRef) -> &'t CompositeType) -> HeapTop {
        match self.defined() {
            None => self.as_abstract().map_or(HeapTop::Any, AbstractHeapType::top),
            Some(r) => match composite(r) {
                CompositeType::Func(_) => HeapTop::Func,
                CompositeType::Cont(_) => HeapTop::Cont,
                CompositeType::Struct(_) | CompositeType::Array(_) => HeapTop::Any,
            },
        }
    }

    /// The defined type that is named, exactly or not.
    pub fn defined(self) -> Option<TypeRef> {
        match self {
            HeapType::Concrete(r) | HeapType::Exact(r) => Some(r),
            _ => None,
        }
    }

    /// The same type without the word `shared`: values of both look alike.
    pub fn unshared(self) -> HeapType {
        if let HeapType::Shared(ty) = self { ty.into() } else { self }
    }
}

/// The hierarchy a heap type belongs to: what the runtime must know to store a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum HeapTop {
    Func,
    Extern,
    Any,
    Exn,
    Cont,
}

/// Reference types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RefType {
    /// Whether null is a value of the type.
    pub nullable: bool,
    /// What is referred to.
    pub heap: HeapType,
}

impl RefType {
    /// `(ref null func)`.
    pub const FUNCREF: RefType = RefType { nullable: true, heap: HeapType::Func };
    /// `(ref null any)`.
    pub const ANYREF: RefType = RefType { nullable: true, heap: HeapType::Any };
    /// `(ref null extern)`.
    pub const EXTERNREF: RefType = RefType { nullable: true, heap: HeapType::Extern };
}

/// Value types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ValType {
    I32,
    I64,
    F32,
    F64,
    V128,
    Ref(RefType),
}

impl ValType {
    /// Whether values of the type are references.
    pub fn is_ref(self) -> bool {
        matches!(self, ValType::Ref(_))
    }

    /// The type of its module that a reference type names.
    pub fn named(self) -> Option<TypeIndex> {
        match self {
            ValType::Ref(RefType { heap: HeapType::Concrete(TypeRef::Module(ty)), .. }) => Some(ty),
            _ => None,
        }
    }
}

/// What a struct field or array element stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum StorageType {
    I8,
    I16,
    Val(ValType),
}

/// A field of a struct, or the element of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct FieldType {
    pub storage: StorageType,
    pub mutable: bool,
}

/// Function types.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[allow(missing_docs)]
pub struct FuncType {
    pub params: Box<[ValType]>,
    pub results: Box<[ValType]>,
}

/// What a defined type is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum CompositeType {
    Func(FuncType),
    Struct(Box<[FieldType]>),
    Array(FieldType),
    Cont(TypeRef),
}

/// A defined type with its place in the subtype hierarchy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SubType {
    /// Whether no other type may be a subtype of this one.
    pub is_final: bool,
    /// Whether threads may share its values (shared-everything threads).
    pub is_shared: bool,
    /// The declared supertype.
    pub supertype: Option<TypeRef>,
    /// The type of the object that each of its objects refers to as its descriptor.
    pub descriptor: Option<TypeRef>,
    /// The type whose objects those of this one describe.
    pub describes: Option<TypeRef>,
    /// The type itself.
    pub composite: CompositeType,
}

impl SubType {
    /// A final type without supertype, descriptor and the like.
    pub fn new(composite: CompositeType) -> SubType {
        SubType {
            is_final: true,
            is_shared: false,
            supertype: None,
            descriptor: None,
            describes: None,
            composite,
        }
    }

    /// Of a struct with a descriptor, the fields that lie before the reference to it: those of
    /// the nearest supertype without a descriptor, which are where they are in its own objects.
    /// `get` finds a supertype.
    pub fn fields_before_descriptor<'t>(
        &self,
        get: impl Fn(TypeRef) -> Option<&'t SubType>,
    ) -> Option<usize> {
        self.descriptor?;
        let mut above = self.supertype.and_then(&get);
        while let Some(ty) = above {
            match (&ty.descriptor, &ty.composite) {
                (None, CompositeType::Struct(fields)) => return Some(fields.len()),
                _ => above = ty.supertype.and_then(&get),
            }
        }
        Some(0)
    }

    /// The function type, where the type is one.
    pub fn as_func(&self) -> Option<&FuncType> {
        match &self.composite {
            CompositeType::Func(ty) => Some(ty),
            _ => None,
        }
    }
}

/// Bounds of a memory (in its pages) or table (in elements).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Limits {
    pub min: u64,
    pub max: Option<u64>,
}

/// Whether a memory or table is indexed with `i32` or `i64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum IndexType {
    I32,
    I64,
}

impl IndexType {
    /// The value type of an index.
    pub fn val_type(self) -> ValType {
        match self {
            IndexType::I32 => ValType::I32,
            IndexType::I64 => ValType::I64,
        }
    }
}

/// Memory types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MemoryType {
    /// Bounds in pages of `1 << page_size_log2` bytes.
    pub limits: Limits,
    /// Whether the memory may be shared between threads.
    pub shared: bool,
    /// `i32` or `i64` addresses.
    pub index: IndexType,
    /// 16 (64 KiB) unless the custom-page-sizes proposal chose 0 (one byte).
    pub page_size_log2: u8,
}

impl MemoryType {
    /// A memory of 64 KiB pages with 32-bit addresses, not shared: `min` pages, at most `max`.
    pub fn new(min: u32, max: Option<u32>) -> MemoryType {
        MemoryType { index: IndexType::I32, ..MemoryType::new64(min.into(), max.map(u64::from)) }
    }

    /// As [`MemoryType::new`], with 64-bit addresses.
    pub fn new64(min: u64, max: Option<u64>) -> MemoryType {
        let limits = Limits { min, max };
        MemoryType { limits, shared: false, index: IndexType::I64, page_size_log2: 16 }
    }

    /// As [`MemoryType::new`], shared between threads; such memories have a maximum.
    pub fn shared(min: u32, max: u32) -> MemoryType {
        MemoryType { shared: true, ..MemoryType::new(min, Some(max)) }
    }

    /// Bytes in a page.
    pub fn page_size(&self) -> u64 {
        1 << self.page_size_log2
    }

    /// The most bytes the memory can ever have, as far as its type says (2⁶⁴ saturates).
    pub fn max_bytes(&self) -> u64 {
        let by_index = match self.index {
            IndexType::I32 => 1u64 << 32,
            IndexType::I64 => u64::MAX,
        };
        let by_type = self.limits.max.map_or(u64::MAX, |max| max.saturating_mul(self.page_size()));
        by_index.min(by_type)
    }

    /// The maximum in bytes, where the type has one; `u64::MAX` also stands for more.
    pub fn declared_max_bytes(&self) -> Option<u64> {
        Some(self.limits.max?.saturating_mul(self.page_size()))
    }

    /// The bytes the memory starts with; `None` when they cannot be counted in 64 bits.
    pub fn min_bytes(&self) -> Option<u64> {
        self.limits.min.checked_mul(self.page_size())
    }

    /// The most pages the index type allows.
    pub fn max_pages_by_index(&self) -> u64 {
        match self.index {
            // With pages of one byte the number of pages itself must fit 32 bits.
            IndexType::I32 => {
                (1u64 << (32 - u32::from(self.page_size_log2))).min(u64::from(u32::MAX))
            }
            IndexType::I64 if self.page_size_log2 == 0 => u64::MAX,
            IndexType::I64 => 1 << (64 - u32::from(self.page_size_log2)),
        }
    }
}

/// Table types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct TableType {
    pub element: RefType,
    pub limits: Limits,
    pub index: IndexType,
    pub shared: bool,
}

impl TableType {
    /// A table with 32-bit indices, not shared: `min` elements, at most `max`.
    pub fn new(element: RefType, min: u32, max: Option<u32>) -> TableType {
        let limits = Limits { min: min.into(), max: max.map(u64::from) };
        TableType { element, limits, index: IndexType::I32, shared: false }
    }
}

/// Global types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct GlobalType {
    pub content: ValType,
    pub mutable: bool,
    pub shared: bool,
}

impl GlobalType {
    /// A global of one thread, which `global.set` may write if it is `mutable`.
    pub fn new(content: ValType, mutable: bool) -> GlobalType {
        GlobalType { content, mutable, shared: false }
    }
}

/// What can be imported or exported, by its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum EntityType {
    Func(TypeRef),
    /// A function of this very type (custom descriptors).
    ExactFunc(TypeRef),
    Table(TableType),
    Memory(MemoryType),
    Global(GlobalType),
    Tag(TypeRef),
}

impl EntityType {
    /// The word for this kind of item in messages.
    pub fn kind(&self) -> &'static str {
        match self {
            EntityType::Func(_) | EntityType::ExactFunc(_) => "func",
            EntityType::Table(_) => "table",
            EntityType::Memory(_) => "memory",
            EntityType::Global(_) => "global",
            EntityType::Tag(_) => "tag",
        }
    }
}

/// Replaces every [`TypeRef`] inside a type. The one traversal of types that exists.
pub trait MapRefs: Sized {
    /// The same type with each reference replaced by `f` of it.
    #[must_use]
    fn map_refs(&self, f: &mut impl FnMut(TypeRef) -> TypeRef) -> Self;
}

impl MapRefs for RefType {
    fn map_refs(&self, f: &mut impl FnMut(TypeRef) -> TypeRef) -> Self {
        let heap = match self.heap {
            HeapType::Concrete(r) => HeapType::Concrete(f(r)),
            HeapType::Exact(r) => HeapType::Exact(f(r)),
            other => other,
        };
        RefType { nullable: self.nullable, heap }
    }
}

impl MapRefs for ValType {
    fn map_refs(&self, f: &mut impl FnMut(TypeRef) -> TypeRef) -> Self {
        match self {
            ValType::Ref(r) => ValType::Ref(r.map_refs(f)),
            other => *other,
        }
    }
}

impl MapRefs for FieldType {
    fn map_refs(&self, f: &mut impl FnMut(TypeRef) -> TypeRef) -> Self {
        let storage = match self.storage {
            StorageType::Val(v) => StorageType::Val(v.map_refs(f)),
            packed => packed,
        };
        FieldType { storage, mutable: self.mutable }
    }
}

impl MapRefs for FuncType {
    fn map_refs(&self, f: &mut impl FnMut(TypeRef) -> TypeRef) -> Self {
        FuncType {
            params: self.params.iter().map(|v| v.map_refs(f)).collect(),
            results: self.results.iter().map(|v| v.map_refs(f)).collect(),
        }
    }
}

impl MapRefs for SubType {
    fn map_refs(&self, f: &mut impl FnMut(TypeRef) -> TypeRef) -> Self {
        let composite = match &self.composite {
            CompositeType::Func(ty) => CompositeType::Func(ty.map_refs(f)),
            CompositeType::Struct(fields) => {
                CompositeType::Struct(fields.iter().map(|x| x.map_refs(f)).collect())
            }
            CompositeType::Array(field) => CompositeType::Array(field.map_refs(f)),
            CompositeType::Cont(r) => CompositeType::Cont(f(*r)),
        };
        SubType {
            supertype: self.supertype.map(&mut *f),
            descriptor: self.descriptor.map(&mut *f),
            describes: self.describes.map(f),
            composite,
            ..*self
        }
    }
}

impl MapRefs for EntityType {
    fn map_refs(&self, f: &mut impl FnMut(TypeRef) -> TypeRef) -> Self {
        match self {
            EntityType::Func(r) => EntityType::Func(f(*r)),
            EntityType::ExactFunc(r) => EntityType::ExactFunc(f(*r)),
            EntityType::Tag(r) => EntityType::Tag(f(*r)),
            EntityType::Table(t) => {
                EntityType::Table(TableType { element: t.element.map_refs(f), ..*t })
            }
            EntityType::Global(g) => {
                EntityType::Global(GlobalType { content: g.content.map_refs(f), ..*g })
            }
            EntityType::Memory(m) => EntityType::Memory(*m),
        }
    }
}

impl std::fmt::Display for TypeRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TypeRef::Module(i) => write!(f, "{}", i.0),
            TypeRef::Rec(i) => write!(f, "rec.{i}"),
            TypeRef::Engine(i) => write!(f, "type#{}", i.0),
        }
    }
}

impl std::fmt::Display for HeapType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HeapType::Concrete(r) => write!(f, "{r}"),
            HeapType::Exact(r) => write!(f, "(exact {r})"),
            HeapType::Shared(ty) => write!(f, "(shared {})", ty.word()),
            plain => f.write_str(plain.as_abstract().map_or("", AbstractHeapType::word)),
        }
    }
}

impl std::fmt::Display for RefType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use HeapType::{Concrete, Exact, Shared};
        match (self.nullable, self.heap) {
            (true, Concrete(_) | Exact(_) | Shared(_)) => write!(f, "(ref null {})", self.heap),
            (true, HeapType::None) => f.write_str("nullref"),
            (true, HeapType::NoFunc) => f.write_str("nullfuncref"),
            (true, HeapType::NoExtern) => f.write_str("nullexternref"),
            (true, HeapType::NoExn) => f.write_str("nullexnref"),
            (true, HeapType::NoCont) => f.write_str("nullcontref"),
            (true, heap) => write!(f, "{heap}ref"),
            (false, heap) => write!(f, "(ref {heap})"),
        }
    }
}

impl std::fmt::Display for ValType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ValType::I32 => f.write_str("i32"),
            ValType::I64 => f.write_str("i64"),
            ValType::F32 => f.write_str("f32"),
            ValType::F64 => f.write_str("f64"),
            ValType::V128 => f.write_str("v128"),
            ValType::Ref(r) => write!(f, "{r}"),
        }
    }
}

impl std::fmt::Display for FuncType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list =
            |types: &[ValType]| types.iter().map(|t| t.to_string()).collect::<Vec<_>>().join(", ");
        write!(f, "({}) -> ({})", list(&self.params), list(&self.results))
    }
}
