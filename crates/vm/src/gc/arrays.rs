//! Arrays as Rust code reads and writes them: elements, fills, copies, initial data.
//!
//! Ranges are in elements and are checked before anything is written. Whoever handles very many
//! elements for a guest calls with a part of them at a time, so that the guest can be interrupted.

use std::ops::Range;

use selkie_module::TrapCode;
use selkie_module::heap::{ELEMENTS, LENGTH, ObjectKind};

use super::Heap;
use super::access::Object;
use crate::TrapResult;

/// Log2 of the bytes of a traced reference and of a reference to a function.
const REF_BYTES_LOG2: u8 = 2;
const FUNC_BYTES_LOG2: u8 = 3;

impl Heap {
    /// The number of elements.
    pub fn array_len(&self, at: u32) -> TrapResult<u32> {
        let object = self.expect(at, ObjectKind::Array)?;
        Ok(self.length(object))
    }

    /// Checks a range of elements; answers log2 of an element's bytes.
    pub fn check_elements(&self, at: u32, start: u32, len: u32) -> TrapResult<u8> {
        let array = self.expect(at, ObjectKind::Array)?;
        self.range(array, start, len).map(|_| array.ty.element_bytes_log2)
    }

    /// Whether the elements are traced references.
    pub fn holds_references(&self, at: u32) -> TrapResult<bool> {
        Ok(self.expect(at, ObjectKind::Array)?.ty.elements_are_refs != 0)
    }

    /// The bits of an element, zero-extended.
    pub fn array_get(&self, at: u32, index: u32) -> TrapResult<u128> {
        let array = self.expect(at, ObjectKind::Array)?;
        let range = self.range(array, index, 1)?;
        Ok(self.read(range.start, array.ty.element_bytes_log2))
    }

    /// Writes an element.
    pub fn array_set(&mut self, at: u32, index: u32, bits: u128) -> TrapResult<()> {
        self.array_fill(at, index, 1, bits)
    }

    /// `array.fill`.
    pub fn array_fill(&mut self, at: u32, start: u32, len: u32, bits: u128) -> TrapResult<()> {
        let array = self.expect(at, ObjectKind::Array)?;
        let range = self.range(array, start, len)?;
        let log2 = array.ty.element_bytes_log2;
        if array.ty.elements_are_refs != 0 {
            self.check_reference(bits as u32)?;
            self.dirty(&range);
        }
        if log2 == 0 {
            self.bytes_mut(&range).fill(bits as u8);
            return Ok(());
        }
        for element in range.step_by(1 << log2) {
            self.write(element, log2, bits);
        }
        Ok(())
    }

    /// `array.copy`, also within one array, where the ranges may overlap.
    pub fn array_copy(
        &mut self,
        dst: u32,
        dst_start: u32,
        src: u32,
        src_start: u32,
        len: u32,
    ) -> TrapResult<()> {
        let target = self.expect(dst, ObjectKind::Array)?;
        let source = self.expect(src, ObjectKind::Array)?;
        if target.ty.element_bytes_log2 != source.ty.element_bytes_log2
            || target.ty.elements_are_refs != source.ty.elements_are_refs
        {
            return Err(TrapCode::CastFailure);
        }
        let is_traced = target.ty.elements_are_refs != 0;
        let from = self.range(source, src_start, len)?;
        let to = self.range(target, dst_start, len)?;
        if is_traced {
            self.dirty(&to);
        }
        let objects = self.objects();
        let bytes = (to.end - to.start) as usize;
        // SAFETY: both ranges lie inside their arrays and are equally long; `copy` allows overlap.
        unsafe { std::ptr::copy(objects.address(from.start), objects.address(to.start), bytes) };
        Ok(())
    }

    /// `array.init_data`: writes the elements that these bytes are, little-endian.
    pub fn array_write(&mut self, at: u32, start: u32, bytes: &[u8]) -> TrapResult<()> {
        let array = self.expect(at, ObjectKind::Array)?;
        let log2 = array.ty.element_bytes_log2;
        if array.ty.elements_are_refs != 0 || !bytes.len().is_multiple_of(1 << log2) {
            return Err(TrapCode::CastFailure);
        }
        let len = u32::try_from(bytes.len() >> log2).map_err(|_| TrapCode::ArrayOutOfBounds)?;
        let range = self.range(array, start, len)?;
        self.bytes_mut(&range).copy_from_slice(bytes);
        Ok(())
    }

    /// `array.init_elem`: writes references, as they are in tables.
    pub fn array_write_refs(&mut self, at: u32, start: u32, refs: &[u64]) -> TrapResult<()> {
        let array = self.expect(at, ObjectKind::Array)?;
        let len = u32::try_from(refs.len()).map_err(|_| TrapCode::ArrayOutOfBounds)?;
        let range = self.range(array, start, len)?;
        let log2 = array.ty.element_bytes_log2;
        match (array.ty.elements_are_refs != 0, log2) {
            (true, REF_BYTES_LOG2) => {
                refs.iter().try_for_each(|value| self.check_reference(*value as u32))?;
                self.dirty(&range);
            }
            (false, FUNC_BYTES_LOG2) => {}
            _ => return Err(TrapCode::CastFailure),
        }
        for (element, value) in range.step_by(1 << log2).zip(refs) {
            self.write(element, log2, (*value).into());
        }
        Ok(())
    }

    /// The elements of an array that holds no traced references, as they lie in memory. The next
    /// allocation may move them.
    pub fn array_bytes(&self, at: u32) -> TrapResult<&[u8]> {
        let range = self.untraced(at)?;
        let start = self.objects().address(range.start);
        // SAFETY: the range lies inside an array, and `&self` keeps writers away.
        Ok(unsafe { std::slice::from_raw_parts(start, (range.end - range.start) as usize) })
    }

    /// As [`Heap::array_bytes`], for writing.
    pub fn array_bytes_mut(&mut self, at: u32) -> TrapResult<&mut [u8]> {
        let range = self.untraced(at)?;
        Ok(self.bytes_mut(&range))
    }

    fn untraced(&self, at: u32) -> TrapResult<Range<u32>> {
        let array = self.expect(at, ObjectKind::Array)?;
        if array.ty.elements_are_refs != 0 {
            return Err(TrapCode::CastFailure);
        }
        self.range(array, 0, self.length(array))
    }

    fn length(&self, array: Object<'_>) -> u32 {
        // SAFETY: the array has been checked.
        unsafe { self.objects().word(array.at + LENGTH) }
    }

    /// Where elements lie, from the base.
    fn range(&self, array: Object<'_>, start: u32, len: u32) -> TrapResult<Range<u32>> {
        let end = start.checked_add(len).ok_or(TrapCode::ArrayOutOfBounds)?;
        if end > self.length(array) {
            return Err(TrapCode::ArrayOutOfBounds);
        }
        // The array exists, so that all of its elements have offsets.
        let element = |index: u32| array.at + ELEMENTS + (index << array.ty.element_bytes_log2);
        Ok(element(start)..element(end))
    }

    /// Marks the cards of elements that are about to be written.
    fn dirty(&mut self, elements: &Range<u32>) {
        // SAFETY: an object lies there.
        unsafe { self.spaces.tables().dirty_range(elements.start, elements.end - elements.start) };
    }

    fn bytes_mut(&mut self, range: &Range<u32>) -> &mut [u8] {
        let start = self.objects().address(range.start);
        // SAFETY: callers have checked that the range lies inside an object that holds no traced
        // references; `&mut self` is the only access from Rust.
        unsafe { std::slice::from_raw_parts_mut(start, (range.end - range.start) as usize) }
    }
}
