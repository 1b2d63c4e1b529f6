//! Objects as the collector reads them: header, size, references.
//!
//! Everything here trusts the heap: an offset is that of an object with a known type inside an open
//! region. Who takes offsets from outside checks them first (`access.rs`, `verify.rs`).
//!
//! Memory that was allocated but never became an object is *filler*: type 0, and its size in units
//! of 8 bytes in the second word. So whoever walks a space finds objects only.

use selkie_module::heap::{
    ALIGN_BYTES, ELEMENTS, FORWARDED, I31_TAG, LENGTH, OLD_START, ObjectKind, TYPE_ID,
};

use crate::context::VMType;

/// The second word of filler.
const FILLER_UNITS: u32 = 4;

/// Whether a value refers to an object: neither null nor an `i31`.
#[inline(always)]
pub(super) fn is_object(value: u32) -> bool {
    value != 0 && value & I31_TAG == 0
}

/// Whether a value refers to a young object.
#[inline(always)]
pub(super) fn is_young(value: u32) -> bool {
    is_object(value) && value < OLD_START
}

/// The heap's memory and what its types are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Objects {
    base: *mut u8,
    types: *const VMType,
}

impl Objects {
    pub(super) fn new(base: *mut u8, types: *const VMType) -> Objects {
        Objects { base, types }
    }

    /// Address of an offset.
    #[inline(always)]
    pub(super) fn address(self, at: u32) -> *mut u8 {
        self.base.wrapping_add(at as usize)
    }

    /// Asks for the memory at `at`, which will be needed soon.
    #[inline(always)]
    pub(super) fn prefetch(self, at: u32) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: prefetching never faults, and every processor of the architecture can do it.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(self.address(at).cast());
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = at;
    }

    /// # Safety
    /// `at` is a multiple of 4, and four bytes from there on are open.
    #[inline(always)]
    pub(super) unsafe fn word(self, at: u32) -> u32 {
        // SAFETY: by contract.
        unsafe { self.address(at).cast::<u32>().read() }
    }

    /// # Safety
    /// As for [`Objects::word`].
    #[inline(always)]
    pub(super) unsafe fn set_word(self, at: u32, value: u32) {
        // SAFETY: by contract.
        unsafe { self.address(at).cast::<u32>().write(value) };
    }

    /// The descriptor of a type.
    ///
    /// # Safety
    /// The type has been published, and the caller does not outlive the table.
    #[inline(always)]
    pub(super) unsafe fn descriptor<'t>(self, type_id: u32) -> &'t VMType {
        // SAFETY: by contract; published descriptors never change.
        unsafe { &*self.types.add(type_id as usize) }
    }

    /// The descriptor of the object at `at`.
    ///
    /// # Safety
    /// An object lies there that has not been forwarded; for its type, see
    /// [`Objects::descriptor`].
    #[inline(always)]
    pub(super) unsafe fn type_at<'t>(self, at: u32) -> &'t VMType {
        // SAFETY: by contract.
        unsafe { self.descriptor(self.word(at + TYPE_ID)) }
    }

    /// Size of the object at `at`, a multiple of 8.
    ///
    /// # Safety
    /// An object of type `ty` lies there; its first word may have changed.
    #[inline(always)]
    pub(super) unsafe fn bytes(self, at: u32, ty: &VMType) -> u32 {
        if ty.kind == ObjectKind::Array as u8 {
            // SAFETY: arrays have a length.
            let length = unsafe { self.word(at + LENGTH) };
            return elements_end(length, ty).next_multiple_of(ALIGN_BYTES);
        }
        if ty.kind == ObjectKind::None as u8 {
            // SAFETY: filler has a size.
            return unsafe { self.word(at + FILLER_UNITS) } * ALIGN_BYTES;
        }
        ty.object_bytes
    }

    /// Makes `bytes` at `at` filler.
    ///
    /// # Safety
    /// The bytes are open and no object's; `at` and `bytes` are multiples of 8, and `bytes` is not 0.
    pub(super) unsafe fn fill(self, at: u32, bytes: u32) {
        // SAFETY: by contract.
        unsafe {
            self.set_word(at + TYPE_ID, 0);
            self.set_word(at + FILLER_UNITS, bytes / ALIGN_BYTES);
        }
    }

    /// Where the object at `at` has been copied to, if it has.
    ///
    /// # Safety
    /// An object lies there, or did before it was forwarded.
    #[inline(always)]
    pub(super) unsafe fn forwarded(self, at: u32) -> Option<u32> {
        // SAFETY: by contract.
        unsafe { (self.word(at + TYPE_ID) & FORWARDED != 0).then(|| self.word(at + 4)) }
    }

    /// Notes that the object at `at` has been copied to `to`.
    ///
    /// # Safety
    /// An object lies there whose contents are no longer needed.
    #[inline(always)]
    pub(super) unsafe fn forward(self, at: u32, to: u32) {
        // SAFETY: every object has two words at least.
        unsafe {
            self.set_word(at + TYPE_ID, FORWARDED);
            self.set_word(at + 4, to);
        }
    }

    /// Copies an object to where none is.
    ///
    /// # Safety
    /// Both ranges are open and disjoint; all three are multiples of 8.
    #[inline(always)]
    pub(super) unsafe fn copy(self, from: u32, to: u32, bytes: u32) {
        // Small objects are most objects, and a call costs more than copying them.
        const FEW_BYTES: u32 = 64;
        let (source, target) = (self.address(from), self.address(to));
        if bytes > FEW_BYTES {
            // SAFETY: by contract.
            unsafe { std::ptr::copy_nonoverlapping(source, target, bytes as usize) };
            return;
        }
        let (source, target) = (source.cast::<u64>(), target.cast::<u64>());
        for unit in 0..(bytes / ALIGN_BYTES) as usize {
            // SAFETY: by contract; both are aligned to 8.
            unsafe { target.add(unit).write(source.add(unit).read()) };
        }
    }

    /// The offsets, from the object's start, of the references that a struct or exception holds.
    ///
    /// # Safety
    /// As for [`Objects::descriptor`].
    #[inline(always)]
    pub(super) unsafe fn ref_offsets<'t>(self, ty: &VMType) -> &'t [u32] {
        // SAFETY: descriptors describe a list that lives as long as they do.
        unsafe { std::slice::from_raw_parts(ty.refs, ty.ref_count as usize) }
    }

    /// The slots, as a range of offsets from the base, of an array of references.
    ///
    /// # Safety
    /// An array of type `ty` lies at `at`.
    #[inline(always)]
    pub(super) unsafe fn elements(self, at: u32, ty: &VMType) -> std::ops::Range<u32> {
        // SAFETY: arrays have a length.
        let length = unsafe { self.word(at + LENGTH) };
        at + ELEMENTS..at + elements_end(length, ty)
    }
}

/// Behind the last element, from the array's start. The array exists, hence this fits.
#[inline(always)]
fn elements_end(length: u32, ty: &VMType) -> u32 {
    ELEMENTS + (length << ty.element_bytes_log2)
}

/// Whether objects of this type hold references that are traced.
#[inline(always)]
pub(super) fn has_refs(ty: &VMType) -> bool {
    ty.ref_count != 0 || ty.elements_are_refs != 0
}
