//! Objects of the collected heap: where their parts lie, what an access must check, which stores
//! the collector must hear of, and how a cast is decided.
//!
//! An access through null needs no instruction of its own where it faults in the closed bytes at
//! the heap's start; further out it is checked. Stores into objects that may be old are recorded
//! ([`Barrier`]); those that fill a new object are not: it is young, or recorded as a whole.

use crate::unit::CompileUnit;
use selkie_module::heap::{self, ObjectKind, Slot};
use selkie_module::{
    CompositeType, HeapTop, HeapType, StorageType, TrapCode, TypeIndex, TypeRef, ValType,
};

/// What must be done about null before or by an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NullCheck {
    /// Nothing: the reference is known not to be null.
    None,
    /// The access faults.
    Faults(TrapCode),
    /// The access would not fault: compare first.
    Compare(TrapCode),
}

/// Whether the collector must hear of a stored reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barrier {
    /// No: the object is new, or what is stored is no traced reference.
    None,
    /// The object's card is marked.
    Card,
}

/// A part of an object at a fixed place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldAccess {
    /// Bytes from the object's start.
    pub offset: u32,
    /// What lies there.
    pub slot: Slot,
    /// What must be done about null.
    pub null: NullCheck,
    /// Of stores.
    pub barrier: Barrier,
}

impl FieldAccess {
    /// A field of a struct, loaded or stored by an instruction.
    pub fn of_struct(
        unit: &CompileUnit<'_>,
        ty: TypeIndex,
        field: u32,
        is_nullable: bool,
    ) -> FieldAccess {
        let (offset, slot) = unit.objects[ty.index()].fields[field as usize];
        FieldAccess::new(offset, slot, is_nullable.then_some(TrapCode::NullStructReference))
    }

    fn new(offset: u32, slot: Slot, null: Option<TrapCode>) -> FieldAccess {
        let null = match null {
            None => NullCheck::None,
            Some(trap) if offset + slot.bytes() <= heap::NULL_BYTES => NullCheck::Faults(trap),
            Some(trap) => NullCheck::Compare(trap),
        };
        FieldAccess { offset, slot, null, barrier: barrier(slot) }
    }

    /// The reference to its descriptor in a struct of a type that has one.
    pub fn descriptor(unit: &CompileUnit<'_>, ty: TypeIndex, is_nullable: bool) -> FieldAccess {
        let offset = unit.objects[ty.index()].descriptor;
        let offset = offset.expect("validation: the type has a descriptor");
        FieldAccess::new(offset, Slot::Ref, is_nullable.then_some(TrapCode::NullReference))
    }

    /// A part of an object that was just made.
    pub fn initial(offset: u32, slot: Slot) -> FieldAccess {
        FieldAccess { offset, slot, null: NullCheck::None, barrier: Barrier::None }
    }

    /// The tag or a parameter of an exception that was caught.
    pub fn of_exception(offset: u32, slot: Slot) -> FieldAccess {
        FieldAccess::new(offset, slot, None)
    }

    /// The length of an array.
    pub fn length(is_nullable: bool) -> FieldAccess {
        let null = is_nullable.then_some(TrapCode::NullArrayReference);
        FieldAccess::new(heap::LENGTH, Slot::I32, null)
    }
}

fn barrier(slot: Slot) -> Barrier {
    if slot == Slot::Ref { Barrier::Card } else { Barrier::None }
}

/// What the elements of an array type are.
pub fn element_storage(unit: &CompileUnit<'_>, ty: TypeIndex) -> StorageType {
    match &unit.info.types[ty.index()].composite {
        CompositeType::Array(element) => element.storage,
        _ => StorageType::Val(ValType::I32),
    }
}

/// An element of an array: checked against the array's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElementAccess {
    /// What elements are.
    pub slot: Slot,
    /// What must be done about null: reading the length does it.
    pub length: FieldAccess,
    /// Of stores.
    pub barrier: Barrier,
}

impl ElementAccess {
    /// An element of an array of a type.
    pub fn new(unit: &CompileUnit<'_>, ty: TypeIndex, is_nullable: bool) -> ElementAccess {
        let slot = element_slot(unit, ty);
        ElementAccess { slot, length: FieldAccess::length(is_nullable), barrier: barrier(slot) }
    }
}

/// Bytes of an array of numbers, wherever its elements begin (multibyte array access).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BytesAccess {
    /// What must be done about null: reading the length does it.
    pub length: FieldAccess,
    /// Log2 of an element's bytes.
    pub element_bytes_log2: u8,
    /// Static offset, in bytes.
    pub offset: u32,
    /// Bytes touched.
    pub width: u8,
}

impl BytesAccess {
    /// An access of `width` bytes to arrays of a type, at a static `offset`.
    pub fn new(unit: &CompileUnit<'_>, ty: TypeIndex, offset: u64, width: u8) -> BytesAccess {
        BytesAccess {
            length: FieldAccess::length(true),
            element_bytes_log2: element_slot(unit, ty).bytes_log2(),
            offset: u32::try_from(offset).expect("validation: offsets into arrays have 32 bits"),
            width,
        }
    }

    /// The first byte behind the access, relative to the index; with an index of 32 bits it does
    /// not wrap in 64.
    pub fn end_bytes(&self) -> u64 {
        u64::from(self.offset) + u64::from(self.width)
    }
}

/// What an element of an array type takes.
pub fn element_slot(unit: &CompileUnit<'_>, ty: TypeIndex) -> Slot {
    Slot::new(element_storage(unit, ty), |heap| unit.info.heap_top(heap))
}

/// A test of a reference against a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CastPlan {
    /// Whether the value may be null at all; if so, whether null is of the wanted type.
    pub null: Option<bool>,
    /// Whether the value may be an `i31` at all; if so, whether those are of the wanted type.
    pub i31: Option<bool>,
    /// What is asked of any other value.
    pub target: CastTarget,
    /// Where such a value has its descriptor, which must be the one given, where one is.
    pub descriptor: Option<FieldAccess>,
}

/// What a reference that is neither null nor `i31` must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CastTarget {
    /// Anything: its static type says enough.
    Always,
    /// Nothing fits.
    Never,
    /// An object of a kind.
    Kind(ObjectKind),
    /// A struct or an array.
    StructOrArray,
    /// An object, or a function, of this very type.
    Exactly {
        /// Which type.
        ty: TypeIndex,
        /// Whether it is a function.
        is_func: bool,
    },
    /// Of this type or one below it.
    Below {
        /// Which type.
        ty: TypeIndex,
        /// How many types stand above it.
        depth: u32,
        /// Whether it is a function.
        is_func: bool,
    },
}

impl CastPlan {
    /// A test of a value whose static type is `from` (`None`: unknown) for a target.
    pub fn new(
        unit: &CompileUnit<'_>,
        from: Option<wasmparser::RefType>,
        to: wasmparser::HeapType,
        to_nullable: bool,
    ) -> CastPlan {
        use wasmparser::AbstractHeapType as A;
        let target = selkie_module::decode::heap_type(to);
        let may_be_null = from.is_none_or(|from| from.is_nullable());
        let in_any = unit.info.heap_top(target) == HeapTop::Any;
        let may_be_i31 = in_any
            && from.is_none_or(|from| match from.heap_type() {
                wasmparser::HeapType::Abstract { ty, .. } => matches!(ty, A::Any | A::Eq | A::I31),
                _ => false,
            });
        let takes_i31 = matches!(target.unshared(), HeapType::Any | HeapType::Eq | HeapType::I31);
        CastPlan {
            null: may_be_null.then_some(to_nullable),
            i31: may_be_i31.then_some(takes_i31),
            target: cast_target(unit, target),
            descriptor: None,
        }
    }

    /// The same test, of what has a certain descriptor: one of a type that describes the target.
    /// Whoever has it is of the target's type, but only what is of that type is known to have any.
    pub fn with_descriptor(self, unit: &CompileUnit<'_>) -> CastPlan {
        let descriptor = match self.target {
            CastTarget::Exactly { ty, .. } | CastTarget::Below { ty, .. } => {
                Some(FieldAccess::descriptor(unit, ty, false))
            }
            _ => None,
        };
        CastPlan { descriptor, ..self }
    }
}

fn cast_target(unit: &CompileUnit<'_>, target: HeapType) -> CastTarget {
    use HeapType as H;
    match target.unshared() {
        H::Any | H::Func | H::Extern | H::Exn | H::Cont => CastTarget::Always,
        H::None | H::NoFunc | H::NoExtern | H::NoExn | H::NoCont | H::I31 => CastTarget::Never,
        H::Eq => CastTarget::StructOrArray,
        H::Struct => CastTarget::Kind(ObjectKind::Struct),
        H::Array => CastTarget::Kind(ObjectKind::Array),
        H::Concrete(TypeRef::Module(ty)) | H::Exact(TypeRef::Module(ty)) => {
            let is_func = unit.info.heap_top(target) == HeapTop::Func;
            let is_exact = target == H::Exact(TypeRef::Module(ty));
            if is_exact || unit.info.types[ty.index()].is_final {
                return CastTarget::Exactly { ty, is_func };
            }
            CastTarget::Below { ty, depth: depth(unit, ty), is_func }
        }
        H::Concrete(_) | H::Exact(_) | H::Shared(_) => CastTarget::Never,
    }
}

/// The number of types above a type.
fn depth(unit: &CompileUnit<'_>, ty: TypeIndex) -> u32 {
    let above = |at: &TypeIndex| match unit.info.types[at.index()].supertype {
        Some(TypeRef::Module(next)) => Some(next),
        _ => None,
    };
    std::iter::successors(Some(ty), above).count() as u32 - 1
}
