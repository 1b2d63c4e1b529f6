//! The elements of tables.
//!
//! A table of functions has [`VMFuncSlot`]s; every other table has 64-bit references. In both,
//! zero bytes are a valid element (a lazy slot, a null reference), so fresh memory needs no
//! initialisation.
//!
//! A table whose maximum is at most [`MAX_STABLE_ELEMENTS`] reserves room for it at once and never
//! moves; any other moves when it outgrows its room. This file knows neither types nor the meaning
//! of references: filling lazy slots is the engine's.
//!
//! A table can be made what it was at first, for the next instance. Slots that were filled stay:
//! they say what their image says, which is the same for all instances in turn.

use std::alloc::Layout;
use std::ptr::NonNull;

use selkie_module::{TrapCode, layout};

use crate::context::{VMFuncSlot, VMTable};
use crate::mmap::Mapping;
use crate::{ResourceError, TrapResult};

/// The largest maximum for which a table is sure not to move.
pub const MAX_STABLE_ELEMENTS: u64 = 10_000_000;

/// From here on, elements come from the system directly: zeroed, and taken page by page.
const MAP_BYTES: usize = 64 << 10;

/// What a table's elements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// [`VMFuncSlot`]s.
    Func,
    /// 64-bit references; 0 is null.
    Ref,
}

impl TableKind {
    /// Bytes of an element.
    pub const fn element_bytes(self) -> usize {
        match self {
            TableKind::Func => layout::func_slot::BYTES as usize,
            TableKind::Ref => layout::table::REF_BYTES as usize,
        }
    }
}

/// The elements of one table.
#[derive(Debug)]
pub struct TableStorage {
    kind: TableKind,
    room: Room,
    len: u64,
    max: u64,
    /// Whether anything else than filling slots has been done to a table of functions. Machine code
    /// writes to other tables by itself.
    is_written: bool,
}

/// What a table held at first.
#[derive(Debug)]
pub struct InitialTable {
    len: u64,
    elements: Elements,
}

#[derive(Debug)]
enum Elements {
    Zero,
    Slots(Box<[VMFuncSlot]>),
    Refs(Box<[u64]>),
}

// SAFETY: slots are addresses, and belong to no thread.
unsafe impl Send for InitialTable {}
// SAFETY: as above.
unsafe impl Sync for InitialTable {}

/// Bytes that a table may have grown by if it is to be used again.
const MAX_GROWN_BYTES: u64 = 1 << 20;

impl TableStorage {
    /// A table of `min` zero elements that never has more than `max`.
    pub fn new(kind: TableKind, min: u64, max: Option<u64>) -> Result<Self, ResourceError> {
        let max = max.unwrap_or(u64::MAX);
        if min > max {
            return Err(ResourceError::LimitExceeded { requested: min, limit: max });
        }
        let capacity = if max <= MAX_STABLE_ELEMENTS { max } else { min };
        let room = Room::new(kind, capacity)?;
        Ok(TableStorage { kind, room, len: min, max, is_written: false })
    }

    /// Lets it grow up to this length, which is at least the current one, and no further.
    pub fn set_max(&mut self, max: u64) {
        self.max = max.max(self.len);
    }

    /// What it holds now, for [`TableStorage::reset`].
    pub fn initial(&mut self) -> InitialTable {
        self.is_written = false;
        let len = self.len as usize;
        let elements = match self.kind {
            TableKind::Func => {
                // SAFETY: the room has so many elements, of the kind, and zero is a valid one;
                // nobody writes while `self` is borrowed.
                let slots: &[VMFuncSlot] =
                    unsafe { std::slice::from_raw_parts(self.base().cast(), len) };
                let is_lazy = |slot: &VMFuncSlot| {
                    slot.type_id == 0 && slot.func_ref == layout::func_slot::LAZY
                };
                let is_zero = slots.iter().all(is_lazy);
                if is_zero { Elements::Zero } else { Elements::Slots(slots.into()) }
            }
            TableKind::Ref => {
                // SAFETY: as above.
                let refs: &[u64] = unsafe { std::slice::from_raw_parts(self.base().cast(), len) };
                let is_zero = refs.iter().all(|reference| *reference == 0);
                if is_zero { Elements::Zero } else { Elements::Refs(refs.into()) }
            }
        };
        InitialTable { len: self.len, elements }
    }

    /// Makes it what it was when `initial` was made of it. `false` where that is not worth it: then the
    /// table must not be used again. The definition must be written anew.
    pub fn reset(&mut self, initial: &InitialTable) -> bool {
        if self.kind == TableKind::Func && !self.is_written {
            return true;
        }
        let grown = self.len.saturating_sub(initial.len);
        if grown.saturating_mul(self.kind.element_bytes() as u64) > MAX_GROWN_BYTES {
            return false;
        }
        let zeroed = self.len.max(initial.len) as usize * self.kind.element_bytes();
        self.len = initial.len;
        self.is_written = false;
        // SAFETY: the room has at least as many elements as the table had at any time; those of the
        // initial table are of the same kind, and no more.
        unsafe {
            std::ptr::write_bytes(self.base(), 0, zeroed);
            match &initial.elements {
                Elements::Zero => {}
                Elements::Slots(slots) => {
                    std::ptr::copy_nonoverlapping(slots.as_ptr(), self.base().cast(), slots.len());
                }
                Elements::Refs(refs) => {
                    std::ptr::copy_nonoverlapping(refs.as_ptr(), self.base().cast(), refs.len());
                }
            }
        }
        true
    }

    /// What the elements are.
    pub fn kind(&self) -> TableKind {
        self.kind
    }

    /// The first element.
    pub fn base(&self) -> *mut u8 {
        self.room.base.as_ptr()
    }

    /// Number of elements.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What machine code shall see. Changes with each growth.
    pub fn definition(&self) -> VMTable {
        VMTable { base: self.base(), length: self.len }
    }

    /// The reference at `index` of a table of references.
    pub fn get_ref(&self, index: u64) -> TrapResult<u64> {
        let at = self.element(TableKind::Ref, index)?;
        // SAFETY: `element` checked kind and index.
        Ok(unsafe { at.cast::<u64>().read() })
    }

    /// Writes a reference.
    pub fn set_ref(&mut self, index: u64, value: u64) -> TrapResult<()> {
        let at = self.element(TableKind::Ref, index)?;
        // SAFETY: as in `get_ref`; `&mut self` is the only access from Rust.
        unsafe { at.cast::<u64>().write(value) };
        Ok(())
    }

    /// Address of the slot at `index` of a table of functions.
    pub fn slot(&self, index: u64) -> TrapResult<*mut VMFuncSlot> {
        self.element(TableKind::Func, index).map(<*mut u8>::cast)
    }

    /// Writes a slot.
    pub fn set_slot(&mut self, index: u64, value: VMFuncSlot) -> TrapResult<()> {
        self.fill_slot(index, value)?;
        self.is_written = true;
        Ok(())
    }

    /// Writes to a slot what it has meant so far.
    pub fn fill_slot(&mut self, index: u64, value: VMFuncSlot) -> TrapResult<()> {
        let at = self.slot(index)?;
        // SAFETY: `slot` checked kind and index; `&mut self` is the only access from Rust.
        unsafe { at.write(value) };
        Ok(())
    }

    /// `table.fill` of a table of references.
    pub fn fill_refs(&mut self, start: u64, len: u64, value: u64) -> TrapResult<()> {
        if self.kind != TableKind::Ref {
            return Err(TrapCode::TableOutOfBounds);
        }
        let start = self.range(start, len)?;
        // SAFETY: the range lies inside the table, of the right kind.
        unsafe { std::slice::from_raw_parts_mut(start.cast::<u64>(), len as usize) }.fill(value);
        Ok(())
    }

    /// `table.fill` of a table of functions.
    pub fn fill_slots(&mut self, start: u64, len: u64, value: VMFuncSlot) -> TrapResult<()> {
        if self.kind != TableKind::Func {
            return Err(TrapCode::TableOutOfBounds);
        }
        let start = self.range(start, len)?.cast::<VMFuncSlot>();
        self.is_written = true;
        // SAFETY: the range lies inside the table, of the right kind; every bit pattern is a slot.
        unsafe { std::slice::from_raw_parts_mut(start, len as usize) }.fill(value);
        Ok(())
    }

    /// `table.copy` within one table; the ranges may overlap. Lazy slots are copied as they are:
    /// the engine fills them first where their place matters.
    pub fn copy_within(&mut self, dst: u64, src: u64, len: u64) -> TrapResult<()> {
        let source = self.range(src, len)?;
        let target = self.range(dst, len)?;
        self.is_written = true;
        // SAFETY: both ranges lie inside the table, and `copy` allows overlap.
        unsafe { std::ptr::copy(source, target, len as usize * self.kind.element_bytes()) };
        Ok(())
    }

    /// `table.copy` from another table of the same kind.
    pub fn copy_from(
        &mut self,
        dst: u64,
        source: &TableStorage,
        src: u64,
        len: u64,
    ) -> TrapResult<()> {
        if self.kind != source.kind {
            return Err(TrapCode::TableOutOfBounds);
        }
        let from = source.range(src, len)?;
        let target = self.range(dst, len)?;
        self.is_written = true;
        // SAFETY: both ranges lie inside their tables, whose elements have one size; the tables
        // are two, since one is borrowed mutably.
        unsafe {
            std::ptr::copy_nonoverlapping(from, target, len as usize * self.kind.element_bytes());
        }
        Ok(())
    }

    /// Grows by `delta` zero elements and answers the former length. On failure nothing has
    /// changed. The definition must be written anew, and the new elements be filled unless zero
    /// is what they shall be (in a table of functions zero is lazy, not null).
    pub fn grow(&mut self, delta: u64) -> Result<u64, ResourceError> {
        let old = self.len;
        let new = old.checked_add(delta).filter(|new| *new <= self.max).ok_or(
            ResourceError::LimitExceeded { requested: old.saturating_add(delta), limit: self.max },
        )?;
        self.make_room(new)?;
        self.is_written = true;
        self.len = new;
        Ok(old)
    }

    /// Makes room for `len` elements, so that growth up to there cannot fail.
    ///
    /// # Errors
    /// There is none; nothing has changed then.
    pub fn reserve(&mut self, len: u64) -> Result<(), ResourceError> {
        if len > self.max {
            return Err(ResourceError::LimitExceeded { requested: len, limit: self.max });
        }
        self.make_room(len)
    }

    fn make_room(&mut self, len: u64) -> Result<(), ResourceError> {
        if len > self.room.capacity {
            let roomy = len.saturating_mul(2).min(self.max);
            let room = Room::new(self.kind, roomy).or_else(|_| Room::new(self.kind, len))?;
            let old = std::mem::replace(&mut self.room, room);
            old.move_to(&self.room, self.len as usize * self.kind.element_bytes());
        }
        Ok(())
    }

    fn element(&self, kind: TableKind, index: u64) -> TrapResult<*mut u8> {
        if kind != self.kind || index >= self.len {
            return Err(TrapCode::TableOutOfBounds);
        }
        Ok(self.base().wrapping_add(index as usize * kind.element_bytes()))
    }

    fn range(&self, start: u64, len: u64) -> TrapResult<*mut u8> {
        match start.checked_add(len) {
            Some(end) if end <= self.len => {
                Ok(self.base().wrapping_add(start as usize * self.kind.element_bytes()))
            }
            _ => Err(TrapCode::TableOutOfBounds),
        }
    }
}

/// Zeroed memory for elements.
#[derive(Debug)]
struct Room {
    base: NonNull<u8>,
    capacity: u64,
    owner: Owner,
}

#[derive(Debug)]
enum Owner {
    Nobody,
    Allocator(Layout),
    System(Mapping),
}

// SAFETY: the memory belongs to this value alone and to no thread.
unsafe impl Send for Room {}
// SAFETY: `&Room` gives addresses only.
unsafe impl Sync for Room {}

impl Room {
    fn new(kind: TableKind, capacity: u64) -> Result<Room, ResourceError> {
        let too_large = ResourceError::LimitExceeded {
            requested: capacity,
            limit: (isize::MAX as usize / kind.element_bytes()) as u64,
        };
        let bytes = usize::try_from(capacity)
            .ok()
            .and_then(|n| n.checked_mul(kind.element_bytes()))
            .filter(|bytes| *bytes <= isize::MAX as usize)
            .ok_or(too_large)?;
        if bytes == 0 {
            let base = NonNull::<VMFuncSlot>::dangling().cast();
            return Ok(Room { base, capacity, owner: Owner::Nobody });
        }
        if bytes >= MAP_BYTES {
            let mapping = Mapping::zeroed(bytes)?;
            let base = NonNull::new(mapping.addr()).expect("a mapping is never at zero");
            return Ok(Room { base, capacity, owner: Owner::System(mapping) });
        }
        let layout = Layout::from_size_align(bytes, 16).expect("small, and 16 is a power of two");
        // SAFETY: the size is not zero.
        let base = NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) })
            .ok_or(ResourceError::OutOfMemory { bytes })?;
        Ok(Room { base, capacity, owner: Owner::Allocator(layout) })
    }
}

impl Room {
    /// Moves `bytes` of elements to a larger room: pages as such where both rooms are made of them.
    fn move_to(mut self, room: &Room, bytes: usize) {
        if let (Owner::System(_), Owner::System(target)) = (&self.owner, &room.owner)
            && let Owner::System(source) = std::mem::replace(&mut self.owner, Owner::Nobody)
        {
            match source.move_front(bytes, target) {
                Ok(()) => return,
                Err(source) => self.owner = Owner::System(source),
            }
        }
        // SAFETY: both rooms have so many bytes and are disjoint.
        unsafe { std::ptr::copy_nonoverlapping(self.base.as_ptr(), room.base.as_ptr(), bytes) };
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Owner::Allocator(layout) = self.owner {
            // SAFETY: allocated in `new` with this layout, freed once.
            unsafe { std::alloc::dealloc(self.base.as_ptr(), layout) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(type_id: u32) -> VMFuncSlot {
        VMFuncSlot { type_id, func_ref: 64, ..VMFuncSlot::NULL }
    }

    fn type_at(table: &TableStorage, index: u64) -> u32 {
        // SAFETY: the address is checked by `slot`, and the table lives.
        unsafe { (*table.slot(index).unwrap()).type_id }
    }

    #[test]
    fn elements_are_checked_and_zero_at_first() {
        let mut table = TableStorage::new(TableKind::Ref, 3, Some(3)).unwrap();
        assert_eq!(table.get_ref(2), Ok(0));
        table.set_ref(2, 9).unwrap();
        assert_eq!(table.get_ref(2), Ok(9));
        assert_eq!(table.get_ref(3), Err(TrapCode::TableOutOfBounds));
        assert_eq!(table.set_ref(u64::MAX, 0), Err(TrapCode::TableOutOfBounds));
        assert!(table.slot(0).is_err());
    }

    #[test]
    fn a_table_with_a_moderate_maximum_never_moves() {
        let mut table = TableStorage::new(TableKind::Func, 0, Some(100_000)).unwrap();
        let base = table.base();
        assert_eq!(table.grow(1).unwrap(), 0);
        assert_eq!(table.grow(99_999).unwrap(), 1);
        assert_eq!(table.base(), base);
        assert_eq!(type_at(&table, 99_999), 0);
        assert!(table.grow(1).is_err());
    }

    #[test]
    fn a_table_without_maximum_grows_and_keeps_its_elements() {
        let mut table = TableStorage::new(TableKind::Func, 2, None).unwrap();
        table.set_slot(1, slot(5)).unwrap();
        for len in 2..10_000 {
            assert_eq!(table.grow(1).unwrap(), len);
        }
        assert_eq!((type_at(&table, 1), type_at(&table, 9_999)), (5, 0));
        assert!(table.grow(u64::MAX).is_err());
        assert!(table.grow(1 << 60).is_err());
        assert_eq!(table.len(), 10_000);
    }

    #[test]
    fn an_absurd_minimum_is_an_error() {
        assert!(TableStorage::new(TableKind::Func, u64::MAX, None).is_err());
        assert!(TableStorage::new(TableKind::Ref, 1 << 60, None).is_err());
        assert!(TableStorage::new(TableKind::Ref, 2, Some(1)).is_err());
    }

    #[test]
    fn a_table_is_again_what_it_was() {
        let mut table = TableStorage::new(TableKind::Func, 4, None).unwrap();
        table.set_slot(1, slot(5)).unwrap();
        let initial = table.initial();
        let types =
            |table: &TableStorage| (0..table.len()).map(|i| type_at(table, i)).collect::<Vec<_>>();
        let writes: [fn(&mut TableStorage); 6] = [
            |_| {},
            |table| table.set_slot(0, slot(7)).unwrap(),
            |table| table.fill_slots(0, 4, slot(7)).unwrap(),
            |table| table.copy_within(2, 1, 1).unwrap(),
            |table| assert_eq!(table.grow(1000).unwrap(), 4),
            |table| {
                let mut other = TableStorage::new(TableKind::Func, 1, None).unwrap();
                other.set_slot(0, slot(9)).unwrap();
                table.copy_from(3, &other, 0, 1).unwrap();
            },
        ];
        for write in writes {
            write(&mut table);
            assert!(table.reset(&initial));
            assert_eq!(types(&table), [0, 5, 0, 0]);
        }
        // What a slot has meant all the time stays.
        table.fill_slot(2, slot(6)).unwrap();
        assert!(table.reset(&initial));
        assert_eq!(types(&table), [0, 5, 6, 0]);
        table.grow(1 << 20).unwrap();
        assert!(!table.reset(&initial));

        let mut refs = TableStorage::new(TableKind::Ref, 3, Some(9)).unwrap();
        refs.set_ref(2, 8).unwrap();
        let initial = refs.initial();
        refs.grow(6).unwrap();
        refs.fill_refs(0, 9, 1).unwrap();
        assert!(refs.reset(&initial));
        refs.grow(1).unwrap();
        let found: Vec<_> = (0..4).map(|i| refs.get_ref(i).unwrap()).collect();
        assert_eq!(found, [0, 0, 8, 0]);
    }

    #[test]
    fn fill_and_copy_stay_inside_the_table() {
        let mut table = TableStorage::new(TableKind::Func, 8, Some(8)).unwrap();
        table.fill_slots(2, 3, slot(1)).unwrap();
        table.set_slot(3, slot(2)).unwrap();
        table.copy_within(3, 2, 3).unwrap();
        let types: Vec<_> = (0..8).map(|i| type_at(&table, i)).collect();
        assert_eq!(types, [0, 0, 1, 1, 2, 1, 0, 0]);
        assert!(table.fill_slots(8, 1, slot(1)).is_err());
        assert!(table.fill_slots(8, 0, slot(1)).is_ok());
        assert!(table.copy_within(0, 7, 2).is_err());
        assert!(table.copy_within(u64::MAX, 0, 2).is_err());
        let mut other = TableStorage::new(TableKind::Func, 2, None).unwrap();
        other.copy_from(0, &table, 3, 2).unwrap();
        assert_eq!((type_at(&other, 0), type_at(&other, 1)), (1, 2));
        assert!(other.copy_from(1, &table, 0, 2).is_err());
    }

    #[test]
    fn references_are_filled_and_copied() {
        let mut table = TableStorage::new(TableKind::Ref, 5, None).unwrap();
        table.fill_refs(1, 4, 7).unwrap();
        assert!(table.fill_refs(2, 4, 8).is_err());
        table.set_ref(1, 3).unwrap();
        table.copy_within(0, 1, 4).unwrap();
        let refs: Vec<_> = (0..5).map(|i| table.get_ref(i).unwrap()).collect();
        assert_eq!(refs, [3, 7, 7, 7, 7]);
    }
}
