//! Objects of the collected heap: what compiled code and the collector both know about them.
//!
//! A reference is the distance of an object from the heap's base, in 32 bits; 0 is null, and a
//! value with bit 0 set is an `i31`. In registers, frames, tables and globals references take 64
//! bits, zero-extended. Every object is aligned to [`ALIGN_BYTES`] and begins with the canonical
//! id of its type:
//!
//! ```text
//! struct      id · fields                 from offset 4, each aligned to its size (at most 8)
//! array       id · length · elements      from offset 8
//! exception   id · tag    · parameters    from offset 8, as fields; the id is the tag's function type
//! host        id · index                  an external reference to data of the host
//! cont        id · index                  a continuation
//! ```
//!
//! A struct whose type has a descriptor holds a reference to it, as one more field behind those of
//! the nearest supertype without a descriptor.
//!
//! References between objects take 4 bytes in them, references to functions 8: functions live
//! outside, as long as their store.

use crate::types::{CompositeType, FieldType, HeapType, StorageType, SubType, ValType};
use crate::{HeapTop, TypeId};

/// Objects are aligned to this, and their sizes are multiples of it.
pub const ALIGN_BYTES: u32 = 8;
/// Bytes at the heap's start that are never accessible: an access through null faults as long as
/// its offset is below.
pub const NULL_BYTES: u32 = 64 << 10;
/// Bytes that references can tell apart.
pub const MAX_BYTES: u64 = 1 << 32;
/// Where old objects begin: a reference below is to a young one.
pub const OLD_START: u32 = 64 << 20;
/// Log2 of the bytes that one card mark stands for. Whoever stores a reference into an object that
/// is not fresh marks a card: for a field or parameter that of the object's start, for an array
/// element that of the element itself, so that of a long array only what changed is looked at.
pub const CARD_SHIFT: u32 = 9;
/// How far below the heap's base the card marks lie, one byte each.
pub const CARDS_BELOW_BASE: u32 = (MAX_BYTES >> CARD_SHIFT) as u32;
/// Bit of an object's first word that only the collector sets.
pub const FORWARDED: u32 = 1 << 31;
/// The mark of `i31` values.
pub const I31_TAG: u32 = 1;

/// Offset of the type id in every object.
pub const TYPE_ID: u32 = 0;
/// Offset of a struct's first field.
pub const FIELDS: u32 = 4;
/// Offset of an array's length.
pub const LENGTH: u32 = 4;
/// Offset of an array's first element.
pub const ELEMENTS: u32 = 8;
/// Offset of an exception's tag: the `id` of its `VMTag`.
pub const TAG: u32 = 4;
/// Offset of an exception's first parameter.
pub const PARAMS: u32 = 8;
/// Offset of what a host object or continuation stands for: a place in a list of its store.
pub const INDEX: u32 = 4;
/// Bytes of a host object or continuation.
pub const HANDLE_BYTES: u32 = 8;

/// What a field, element or parameter takes in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// Packed, one byte.
    I8,
    /// Packed, two bytes.
    I16,
    /// `i32`.
    I32,
    /// `i64`.
    I64,
    /// `f32`.
    F32,
    /// `f64`.
    F64,
    /// `v128`.
    V128,
    /// A reference to a function: an address, not traced.
    Func,
    /// Any other reference, traced.
    Ref,
}

impl Slot {
    /// The slot of a stored type; `top` tells the hierarchy of a heap type.
    pub fn new(storage: StorageType, top: impl Fn(HeapType) -> HeapTop) -> Slot {
        match storage {
            StorageType::I8 => Slot::I8,
            StorageType::I16 => Slot::I16,
            StorageType::Val(value) => match value {
                ValType::I32 => Slot::I32,
                ValType::I64 => Slot::I64,
                ValType::F32 => Slot::F32,
                ValType::F64 => Slot::F64,
                ValType::V128 => Slot::V128,
                ValType::Ref(r) if top(r.heap) == HeapTop::Func => Slot::Func,
                ValType::Ref(_) => Slot::Ref,
            },
        }
    }

    /// Its size.
    pub fn bytes(self) -> u32 {
        1 << self.bytes_log2()
    }

    /// Log2 of its size.
    pub fn bytes_log2(self) -> u8 {
        match self {
            Slot::I8 => 0,
            Slot::I16 => 1,
            Slot::I32 | Slot::F32 | Slot::Ref => 2,
            Slot::I64 | Slot::F64 | Slot::Func => 3,
            Slot::V128 => 4,
        }
    }
}

/// Where the fields of a struct, or the parameters of an exception, lie.
///
/// A field's place depends on the fields before it alone: a subtype, which only adds fields,
/// keeps those of its supertype where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectLayout {
    /// Offset and slot of each.
    pub fields: Box<[(u32, Slot)]>,
    /// Offset of the reference to the object's descriptor, where its type has one.
    pub descriptor: Option<u32>,
    /// Bytes of a whole object.
    pub bytes: u32,
}

impl ObjectLayout {
    /// A struct with these fields. `descriptor` fields lie before the reference to its descriptor
    /// (see [`SubType::fields_before_descriptor`]).
    pub fn of_struct(
        fields: &[FieldType],
        descriptor: Option<usize>,
        top: impl Fn(HeapType) -> HeapTop,
    ) -> ObjectLayout {
        let slots = fields.iter().map(|field| Slot::new(field.storage, &top));
        let Some(place) = descriptor.filter(|place| *place <= fields.len()) else {
            return ObjectLayout::new(FIELDS, slots);
        };
        let mut slots: Vec<Slot> = slots.collect();
        slots.insert(place, Slot::Ref);
        let ObjectLayout { fields, bytes, .. } = ObjectLayout::new(FIELDS, slots.into_iter());
        let mut fields = fields.into_vec();
        let (offset, _) = fields.remove(place);
        ObjectLayout { fields: fields.into(), descriptor: Some(offset), bytes }
    }

    /// An exception with these parameters.
    pub fn of_exception(params: &[ValType], top: impl Fn(HeapType) -> HeapTop) -> ObjectLayout {
        let slot = |ty: &ValType| Slot::new(StorageType::Val(*ty), &top);
        ObjectLayout::new(PARAMS, params.iter().map(slot))
    }

    fn new(start: u32, slots: impl Iterator<Item = Slot>) -> ObjectLayout {
        let mut end = start;
        let fields = slots
            .map(|slot| {
                let at = end.next_multiple_of(slot.bytes().min(ALIGN_BYTES));
                end = at + slot.bytes();
                (at, slot)
            })
            .collect();
        ObjectLayout { fields, descriptor: None, bytes: end.next_multiple_of(ALIGN_BYTES) }
    }

    /// Offsets of the references that are traced, ascending.
    pub fn refs(&self) -> Box<[u32]> {
        let fields = self.fields.iter().filter(|(_, slot)| *slot == Slot::Ref).map(|(at, _)| *at);
        let mut refs: Box<[u32]> = fields.chain(self.descriptor).collect();
        refs.sort_unstable();
        refs
    }
}

/// Kinds of objects, as type descriptors name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ObjectKind {
    /// No object has such a type.
    None = 0,
    /// A struct.
    Struct = 1,
    /// An array.
    Array = 2,
    /// An exception, by the function type of its tag.
    Exception = 3,
    /// Data of the host.
    Host = 4,
    /// A continuation.
    Cont = 5,
}

/// What the collector and casts must know of a type: the content of its descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeShape {
    /// What objects of the type are.
    pub kind: ObjectKind,
    /// Arrays: log2 of an element's bytes.
    pub element_bytes_log2: u8,
    /// Arrays: whether elements are traced references.
    pub elements_are_refs: bool,
    /// Bytes of an object; for arrays those before the first element.
    pub bytes: u32,
    /// Structs and exceptions: offsets of traced references, ascending.
    pub refs: Box<[u32]>,
    /// The types above it and itself, the root first.
    pub display: Box<[TypeId]>,
}

impl TypeShape {
    /// The shape of a type with this chain of supertypes, itself last; `descriptor` as in
    /// [`ObjectLayout::of_struct`].
    pub fn new(
        ty: &SubType,
        descriptor: Option<usize>,
        display: Box<[TypeId]>,
        top: impl Fn(HeapType) -> HeapTop,
    ) -> TypeShape {
        let object = |kind, layout: ObjectLayout| TypeShape {
            kind,
            element_bytes_log2: 0,
            elements_are_refs: false,
            bytes: layout.bytes,
            refs: layout.refs(),
            display: Box::new([]),
        };
        let shape = match &ty.composite {
            CompositeType::Struct(fields) => {
                object(ObjectKind::Struct, ObjectLayout::of_struct(fields, descriptor, top))
            }
            CompositeType::Func(ty) => {
                object(ObjectKind::Exception, ObjectLayout::of_exception(&ty.params, top))
            }
            CompositeType::Array(element) => {
                let slot = Slot::new(element.storage, top);
                TypeShape {
                    kind: ObjectKind::Array,
                    element_bytes_log2: slot.bytes_log2(),
                    elements_are_refs: slot == Slot::Ref,
                    bytes: ELEMENTS,
                    refs: Box::new([]),
                    display: Box::new([]),
                }
            }
            CompositeType::Cont(_) => TypeShape::handle(ObjectKind::Cont),
        };
        TypeShape { display, ..shape }
    }

    /// The shape of objects that stand for something outside the heap.
    pub fn handle(kind: ObjectKind) -> TypeShape {
        TypeShape {
            kind,
            element_bytes_log2: 0,
            elements_are_refs: false,
            bytes: HANDLE_BYTES,
            refs: Box::new([]),
            display: Box::new([]),
        }
    }
}

/// Bytes of an array of `length` elements; `None` beyond what references can tell apart.
pub fn array_bytes(length: u32, element_bytes_log2: u8) -> Option<u32> {
    let bytes = u64::from(ELEMENTS) + (u64::from(length) << element_bytes_log2);
    u32::try_from(bytes.next_multiple_of(u64::from(ALIGN_BYTES))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RefType;

    fn field(storage: StorageType) -> FieldType {
        FieldType { storage, mutable: true }
    }

    fn top(heap: HeapType) -> HeapTop {
        if heap == HeapType::Func { HeapTop::Func } else { HeapTop::Any }
    }

    #[test]
    fn fields_are_aligned_and_begin_behind_the_type() {
        let any = ValType::Ref(RefType { nullable: true, heap: HeapType::Any });
        let func = ValType::Ref(RefType::FUNCREF);
        let fields = [
            StorageType::I8,
            StorageType::Val(any),
            StorageType::I16,
            StorageType::Val(func),
            StorageType::Val(ValType::V128),
        ]
        .map(field);
        let layout = ObjectLayout::of_struct(&fields, None, top);
        let places: Vec<u32> = layout.fields.iter().map(|(at, _)| *at).collect();
        assert_eq!(places, [4, 8, 12, 16, 24]);
        assert_eq!(layout.bytes, 40);
        assert_eq!(*layout.refs(), [8]);
    }

    #[test]
    fn two_references_make_sixteen_bytes_and_one_makes_eight() {
        let any = ValType::Ref(RefType { nullable: true, heap: HeapType::Any });
        let fields = [StorageType::Val(any); 2].map(field);
        assert_eq!(ObjectLayout::of_struct(&fields, None, top).bytes, 16);
        assert_eq!(ObjectLayout::of_struct(&fields[..1], None, top).bytes, 8);
        assert_eq!(ObjectLayout::of_struct(&[], None, top).bytes, 8);
    }

    #[test]
    fn a_descriptor_moves_no_field_of_a_supertype_without_one() {
        let any = ValType::Ref(RefType { nullable: true, heap: HeapType::Any });
        let fields = [StorageType::I8, StorageType::Val(any), StorageType::Val(any)].map(field);
        let above = ObjectLayout::of_struct(&fields[..2], None, top);
        let first = ObjectLayout::of_struct(&fields[..2], Some(2), top);
        let below = ObjectLayout::of_struct(&fields, Some(2), top);
        assert_eq!(above.fields, first.fields);
        assert_eq!(above.fields[..], below.fields[..2]);
        assert_eq!((first.descriptor, below.descriptor), (Some(12), Some(12)));
        assert_eq!(below.fields[2], (16, Slot::Ref));
        assert_eq!(*below.refs(), [8, 12, 16]);
        assert_eq!(ObjectLayout::of_struct(&fields, Some(0), top).descriptor, Some(4));
        assert_eq!(ObjectLayout::of_struct(&[], Some(0), top).bytes, 8);
    }

    #[test]
    fn array_sizes_that_references_cannot_span_are_none() {
        assert_eq!(array_bytes(0, 0), Some(8));
        assert_eq!(array_bytes(3, 2), Some(24));
        assert_eq!(array_bytes(u32::MAX, 0), None);
        assert_eq!(array_bytes(1 << 28, 4), None);
    }
}
