//! Objects as Rust code makes, reads and writes them, with every check.
//!
//! References come from outside here, so each is looked at before it is believed: it must lie in
//! a space, begin with a known type, and end where the space does. A reference that was kept over a
//! collection without being shown as a root may pass all of that and mean another object; nobody can
//! tell. What is written is checked against the type: a reference never goes where the collector
//! expects a number, nor the other way round.

use selkie_module::heap::{
    ALIGN_BYTES, FIELDS, I31_TAG, INDEX, LENGTH, OLD_START, ObjectKind, Slot, TAG, TYPE_ID,
    array_bytes,
};
use selkie_module::{TrapCode, TypeId};

use super::object::is_object;
use super::spaces::Part;
use super::{Heap, Roots};
use crate::TrapResult;
use crate::context::{VMAllocation, VMType};

/// An object that has been checked.
#[derive(Clone, Copy)]
pub(super) struct Object<'h> {
    pub(super) at: u32,
    pub(super) bytes: u32,
    pub(super) ty: &'h VMType,
}

impl Heap {
    /// A struct whose fields are all zero or null.
    pub fn alloc_struct(
        &mut self,
        window: &mut VMAllocation,
        ty: TypeId,
        roots: &mut dyn Roots,
    ) -> TrapResult<u32> {
        let bytes = self.known(ty, ObjectKind::Struct)?.object_bytes;
        self.alloc_zeroed(window, ty, bytes, 0, roots)
    }

    /// An array whose elements are all zero or null.
    pub fn alloc_array(
        &mut self,
        window: &mut VMAllocation,
        ty: TypeId,
        length: u32,
        roots: &mut dyn Roots,
    ) -> TrapResult<u32> {
        let log2 = self.known(ty, ObjectKind::Array)?.element_bytes_log2;
        let bytes = array_bytes(length, log2).ok_or(TrapCode::AllocationTooLarge)?;
        self.alloc_zeroed(window, ty, bytes, length, roots)
    }

    /// An exception of this tag whose parameters are all zero or null; `ty` is the tag's type.
    pub fn alloc_exception(
        &mut self,
        window: &mut VMAllocation,
        ty: TypeId,
        tag: u32,
        roots: &mut dyn Roots,
    ) -> TrapResult<u32> {
        let bytes = self.known(ty, ObjectKind::Exception)?.object_bytes;
        self.alloc_zeroed(window, ty, bytes, tag, roots)
    }

    /// An object that stands for `place` in a list of the owner's: with [`TypeId::HOST`] for data of
    /// the host, with a type of continuations for one of them, which the owner then notes in
    /// [`Roots::continuations`]. When it has died, [`Roots::died`] tells, exactly once.
    pub fn alloc_handle(
        &mut self,
        window: &mut VMAllocation,
        ty: TypeId,
        place: u32,
        roots: &mut dyn Roots,
    ) -> TrapResult<u32> {
        let is_host = ty == TypeId::HOST;
        let kind = if is_host { ObjectKind::Host } else { ObjectKind::Cont };
        let bytes = self.known(ty, kind)?.object_bytes;
        self.hosts.reserve().map_err(|_| TrapCode::AllocationTooLarge)?;
        let at = self.alloc_zeroed(window, ty, bytes, place, roots)?;
        if is_host {
            self.hosts.add(at, at < OLD_START);
        }
        Ok(at)
    }

    /// The type of an object; `None` for null, an `i31`, and what is no object.
    pub fn type_of(&self, at: u32) -> Option<TypeId> {
        self.object(at)?;
        // SAFETY: the object has been checked.
        Some(TypeId(unsafe { self.objects().word(at + TYPE_ID) }))
    }

    /// What an object is; `None` as for [`Heap::type_of`].
    pub fn kind_of(&self, at: u32) -> Option<ObjectKind> {
        let kind = self.object(at)?.ty.kind;
        [
            ObjectKind::Struct,
            ObjectKind::Array,
            ObjectKind::Exception,
            ObjectKind::Host,
            ObjectKind::Cont,
        ]
        .into_iter()
        .find(|known| *known as u8 == kind)
    }

    /// The place in its owner's list that a host object or continuation stands for.
    pub fn place_of(&self, at: u32) -> TrapResult<u32> {
        let object = self.object(at).ok_or(TrapCode::NullReference)?;
        if object.ty.kind != ObjectKind::Host as u8 && object.ty.kind != ObjectKind::Cont as u8 {
            return Err(TrapCode::CastFailure);
        }
        // SAFETY: the object has been checked.
        Ok(unsafe { self.objects().word(at + INDEX) })
    }

    /// The tag of an exception.
    pub fn tag_of(&self, at: u32) -> TrapResult<u32> {
        self.expect(at, ObjectKind::Exception)?;
        // SAFETY: the object has been checked.
        Ok(unsafe { self.objects().word(at + TAG) })
    }

    /// The bits of a field of a struct or a parameter of an exception, zero-extended.
    pub fn load(&self, at: u32, offset: u32, slot: Slot) -> TrapResult<u128> {
        let object = self.holder(at)?;
        self.check_field(object, offset, slot)?;
        Ok(self.read(at + offset, slot.bytes_log2()))
    }

    /// Writes a field of a struct or a parameter of an exception.
    pub fn store(&mut self, at: u32, offset: u32, slot: Slot, bits: u128) -> TrapResult<()> {
        let object = self.holder(at)?;
        self.check_field(object, offset, slot)?;
        if slot == Slot::Ref {
            self.check_reference(bits as u32)?;
            // SAFETY: the object lies in an open region.
            unsafe { self.spaces.tables().dirty(at) };
        }
        self.write(at + offset, slot.bytes_log2(), bits);
        Ok(())
    }

    /// The object at `at`, if one can be there.
    pub(super) fn object(&self, at: u32) -> Option<Object<'_>> {
        if !is_object(at) || !at.is_multiple_of(ALIGN_BYTES) {
            return None;
        }
        let nursery = self.spaces.region(Part::Nursery);
        let half = self.spaces.region(Part::Half(self.half)).start()..self.half_top;
        let spaces = [OLD_START..self.old_top, half, nursery.start()..nursery.end()];
        let space = spaces.into_iter().find(|space| space.contains(&at))?;
        // SAFETY: spaces are open, and at least 8 bytes long from each multiple of 8.
        let (id, length) =
            unsafe { (self.objects().word(at + TYPE_ID), self.objects().word(at + LENGTH)) };
        let ty = self.types.get(TypeId(id)).filter(|ty| ty.kind != ObjectKind::None as u8)?;
        let bytes = match ty.kind == ObjectKind::Array as u8 {
            true => array_bytes(length, ty.element_bytes_log2)?,
            false => ty.object_bytes,
        };
        (bytes <= space.end - at).then_some(Object { at, bytes, ty })
    }

    /// The object of this kind that a reference leads to.
    pub(super) fn expect(&self, at: u32, kind: ObjectKind) -> TrapResult<Object<'_>> {
        let null = match kind {
            ObjectKind::Struct => TrapCode::NullStructReference,
            ObjectKind::Array => TrapCode::NullArrayReference,
            ObjectKind::Exception => TrapCode::NullExceptionReference,
            _ => TrapCode::NullReference,
        };
        if at == 0 {
            return Err(null);
        }
        let is_kind = |object: &Object<'_>| object.ty.kind == kind as u8;
        self.object(at).filter(is_kind).ok_or(TrapCode::CastFailure)
    }

    /// A struct or an exception.
    fn holder(&self, at: u32) -> TrapResult<Object<'_>> {
        match self.expect(at, ObjectKind::Struct) {
            Err(TrapCode::CastFailure) => self.expect(at, ObjectKind::Exception),
            result => result,
        }
    }

    /// Whether an object has a field like this: inside it, and a reference exactly where the
    /// collector knows of one.
    fn check_field(&self, object: Object<'_>, offset: u32, slot: Slot) -> TrapResult<()> {
        let end = offset.checked_add(slot.bytes()).ok_or(TrapCode::CastFailure)?;
        // SAFETY: the descriptor has been published.
        let refs = unsafe { self.objects().ref_offsets(object.ty) };
        // References take 4 bytes: those that begin from here on may overlap the field.
        let first = refs.partition_point(|at| at + 4 <= offset);
        let overlapped = refs.get(first).filter(|at| **at < end);
        let fits = match slot {
            Slot::Ref => overlapped == Some(&offset),
            _ => overlapped.is_none(),
        };
        let is_inside = offset >= FIELDS && end <= object.bytes;
        if fits && is_inside { Ok(()) } else { Err(TrapCode::CastFailure) }
    }

    /// Whether a value may be stored as a reference.
    pub(super) fn check_reference(&self, value: u32) -> TrapResult<()> {
        let is_reference = value == 0 || value & I31_TAG != 0 || self.object(value).is_some();
        if is_reference { Ok(()) } else { Err(TrapCode::CastFailure) }
    }

    /// The descriptor of a type, if its objects are of this kind.
    fn known(&self, ty: TypeId, kind: ObjectKind) -> TrapResult<&VMType> {
        self.types.get(ty).filter(|ty| ty.kind == kind as u8).ok_or(TrapCode::CastFailure)
    }

    /// An object with its first two words, all else zero.
    fn alloc_zeroed(
        &mut self,
        window: &mut VMAllocation,
        ty: TypeId,
        bytes: u32,
        second_word: u32,
        roots: &mut dyn Roots,
    ) -> TrapResult<u32> {
        let at = self.alloc(window, bytes.into(), roots)?;
        // SAFETY: `alloc` answers this many bytes, at least 8, that are no object's.
        unsafe { self.spaces.zero(at + 8, bytes.max(8) - 8) };
        let objects = self.objects();
        // SAFETY: as above. In a struct the second word is a field, which 0 suits.
        unsafe {
            objects.set_word(at + 4, second_word);
            objects.set_word(at + TYPE_ID, ty.0);
        }
        Ok(at)
    }

    /// The value of so many bytes at an offset that has been checked.
    pub(super) fn read(&self, at: u32, bytes_log2: u8) -> u128 {
        let from = self.objects().address(at);
        // SAFETY: callers have checked that an object holds this many bytes there.
        unsafe {
            match bytes_log2 {
                0 => from.read().into(),
                1 => from.cast::<u16>().read_unaligned().into(),
                2 => from.cast::<u32>().read_unaligned().into(),
                3 => from.cast::<u64>().read_unaligned().into(),
                _ => from.cast::<u128>().read_unaligned(),
            }
        }
    }

    /// Writes so many bytes at an offset that has been checked.
    pub(super) fn write(&mut self, at: u32, bytes_log2: u8, bits: u128) {
        let to = self.objects().address(at);
        // SAFETY: as for `read`; `&mut self` is the only access from Rust.
        unsafe {
            match bytes_log2 {
                0 => to.write(bits as u8),
                1 => to.cast::<u16>().write_unaligned(bits as u16),
                2 => to.cast::<u32>().write_unaligned(bits as u32),
                3 => to.cast::<u64>().write_unaligned(bits as u64),
                _ => to.cast::<u128>().write_unaligned(bits),
            }
        }
    }
}
