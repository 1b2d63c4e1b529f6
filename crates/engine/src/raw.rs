//! The memory that machine code shares with the engine: contexts, globals, references, bytes.
//!
//! One of six files of this crate that may use `unsafe`. It turns addresses into values and
//! back; every address it is given comes from structures that live until their store is dropped.

#![allow(unsafe_code)]

use crate::error::Result;
use crate::func::Func;
use crate::store::StoreInner;
use selkie_module::TrapCode;
use selkie_module::heap::ObjectKind;
use selkie_vm::{
    LinearMemory, MemoryImage, Roots, StartPlan, StoreRuntime, TableStorage, VMContext,
    VMContinuationSlot, VMFuncRef, VMFuncSlot, VMGlobal, VMMemory, VMTable, VMTag,
};
use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The context of an instance: zeroed memory at a fixed address, freed on drop.
#[derive(Debug)]
pub(crate) struct ContextBox {
    base: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the box owns its memory; what is written into it is synchronised by the store.
unsafe impl Send for ContextBox {}
// SAFETY: as above; shared access only reads.
unsafe impl Sync for ContextBox {}

impl ContextBox {
    /// Zeroed memory for a context of `bytes`; `None` when there is none.
    pub(crate) fn new(bytes: u32) -> Option<ContextBox> {
        let layout = Layout::from_size_align(bytes as usize, 16).ok()?;
        // SAFETY: every context has a header, so the size is not zero.
        let base = unsafe { std::alloc::alloc_zeroed(layout) };
        NonNull::new(base).map(|base| ContextBox { base, layout })
    }

    pub(crate) fn as_ptr(&self) -> *mut VMContext {
        self.base.as_ptr().cast()
    }

    /// Address of the structure at an offset.
    pub(crate) fn at<T>(&self, offset: u32) -> *mut T {
        let end = offset as usize + size_of::<T>();
        assert!(end <= self.layout.size());
        assert!((offset as usize).is_multiple_of(align_of::<T>()));
        self.base.as_ptr().wrapping_add(offset as usize).cast()
    }

    /// Writes a structure.
    pub(crate) fn put<T>(&mut self, offset: u32, value: T) {
        // SAFETY: `at` checked bounds and alignment; the box owns the memory.
        unsafe { self.at::<T>(offset).write(value) }
    }

    /// Lets the instance belong to another store.
    pub(crate) fn set_store(&mut self, store: *mut StoreRuntime, interrupt: *const AtomicU32) {
        let context = self.at::<VMContext>(0);
        // SAFETY: every context begins with this structure; the box owns the memory.
        unsafe {
            (*context).store = store;
            (*context).interrupt = interrupt;
        }
    }

    /// Reads a structure made of plain numbers and addresses, for which zero is valid.
    pub(crate) fn get<T: Copy>(&self, offset: u32) -> T {
        // SAFETY: as in `put`; the memory was zeroed or written with a `T`.
        unsafe { self.at::<T>(offset).read() }
    }

    /// The bytes of a part of it.
    pub(crate) fn bytes(&self, start: u32, len: usize) -> &[u8] {
        let start = self.part(start, len);
        // SAFETY: the part lies in the box, whose memory was zeroed and is written whole.
        unsafe { std::slice::from_raw_parts(start, len) }
    }

    /// Writes the bytes of a part of it.
    pub(crate) fn set_bytes(&mut self, start: u32, bytes: &[u8]) {
        let start = self.part(start, bytes.len());
        // SAFETY: the part lies in the box, which is borrowed exclusively.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), start, bytes.len()) }
    }

    fn part(&self, start: u32, len: usize) -> *mut u8 {
        assert!((start as usize).checked_add(len).is_some_and(|end| end <= self.layout.size()));
        self.base.as_ptr().wrapping_add(start as usize)
    }
}

impl Drop for ContextBox {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout in `new`.
        unsafe { std::alloc::dealloc(self.base.as_ptr(), self.layout) }
    }
}

impl StoreInner {
    /// What a function handle of this store refers to.
    #[inline(always)]
    pub(crate) fn func_ref(&self, func: Func) -> Result<VMFuncRef> {
        self.check(func.store())?;
        // SAFETY: handles are made from references of the store they name, which live as long as
        // the store; `check` made sure that it is this one.
        Ok(unsafe { *(func.raw() as *const VMFuncRef) })
    }
}

/// Reads a reference that is known to be one of the store at hand.
pub(crate) fn read_func_ref(at: *const VMFuncRef) -> VMFuncRef {
    // SAFETY: the engine passes addresses of references in contexts and arenas of a live store.
    unsafe { *at }
}

/// Fills a reference.
pub(crate) fn write_func_ref(at: *mut VMFuncRef, value: VMFuncRef) {
    // SAFETY: as in `read_func_ref`.
    unsafe { *at = value }
}

/// Reads a slot that a table gave the address of.
pub(crate) fn read_slot(at: *const VMFuncSlot) -> VMFuncSlot {
    // SAFETY: tables check the index before they give an address.
    unsafe { *at }
}

/// Reads a global's value.
pub(crate) fn read_global(at: *const VMGlobal) -> u128 {
    // SAFETY: globals lie in contexts and arenas of a live store.
    u128::from_le_bytes(unsafe { (*at).bytes })
}

/// What tells a tag from the others of its store.
pub(crate) fn tag_id(at: *const VMTag) -> u32 {
    // SAFETY: tags lie in contexts and arenas of a live store; their ids fit.
    unsafe { (*at).id as u32 }
}

/// Writes a global's value.
pub(crate) fn write_global(at: *mut VMGlobal, value: u128) {
    // SAFETY: as in `read_global`.
    unsafe { (*at).bytes = value.to_le_bytes() }
}

/// Tells machine code where a memory is now.
pub(crate) fn write_memory(at: *mut VMMemory, value: VMMemory) {
    // SAFETY: definitions lie in contexts and entries of a live store.
    unsafe { at.write(value) }
}

/// Tells machine code where a table is now.
pub(crate) fn write_table(at: *mut VMTable, value: VMTable) {
    // SAFETY: as in `write_memory`.
    unsafe { at.write(value) }
}

/// The bytes of a memory.
pub(crate) fn memory_bytes(memory: &LinearMemory) -> &[u8] {
    // SAFETY: machine code of the store runs only while the store is exclusively borrowed.
    unsafe { memory.bytes() }
}

/// The bytes of a memory, for writing.
pub(crate) fn memory_bytes_mut(memory: &mut LinearMemory) -> &mut [u8] {
    // SAFETY: as above, and the memory itself is exclusively borrowed.
    unsafe { memory.bytes_mut() }
}

/// What a memory holds now.
///
/// # Errors
/// The system has no room for a copy.
pub(crate) fn image_of(memory: &LinearMemory) -> Result<MemoryImage> {
    // SAFETY: machine code of the store runs only while the store is exclusively borrowed.
    Ok(unsafe { memory.image_of_contents() }?)
}

/// Makes a memory what it was at first, for another instance.
pub(crate) fn reset_memory(memory: &mut LinearMemory, keep_bytes: usize) -> bool {
    // SAFETY: the memory is exclusively borrowed, so that no slice of it is left; the store that
    // its last instance was in is going, and no code of it runs any more.
    unsafe { memory.reset(keep_bytes) }
}

/// A range of a memory that has been checked against its current length.
pub(crate) struct CheckedRange {
    start: *mut u8,
    len: usize,
}

/// The memory whose definition machine code passes to a builtin by its address.
pub(crate) fn memory_at(definition: u64) -> *const VMMemory {
    definition as *const VMMemory
}

/// Checks a range of the memory that a context points to.
#[inline]
pub(crate) fn check_range(
    memory: *const VMMemory,
    start: u64,
    len: u64,
) -> Result<CheckedRange, TrapCode> {
    // SAFETY: the pointer comes from a context, whose memories live as long as the store.
    let (base, length) = unsafe { ((*memory).base, (*memory).length.load(Ordering::Relaxed)) };
    match start.checked_add(len) {
        Some(end) if end <= length => {
            Ok(CheckedRange { start: base.wrapping_add(start as usize), len: len as usize })
        }
        _ => Err(TrapCode::MemoryOutOfBounds),
    }
}

impl CheckedRange {
    /// `memory.copy`; the ranges have equal lengths and may overlap.
    pub(crate) fn copy_from(&self, source: &CheckedRange) {
        debug_assert_eq!(self.len, source.len);
        // SAFETY: both ranges were checked, memories never shrink, and `copy` allows overlap.
        unsafe { std::ptr::copy(source.start, self.start, self.len) }
    }

    /// `memory.fill`.
    pub(crate) fn fill(&self, value: u8) {
        // SAFETY: the range was checked.
        unsafe { std::ptr::write_bytes(self.start, value, self.len) }
    }

    /// `memory.init`; as many bytes as the range has.
    pub(crate) fn write(&self, bytes: &[u8]) {
        assert_eq!(bytes.len(), self.len);
        // SAFETY: the range was checked; segments do not lie in guest memory.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.start, self.len) }
    }
}

/// The host context that a function's context is, if it is one.
pub(crate) fn host_context(context: *const u8) -> Option<selkie_vm::VMHostContext> {
    // SAFETY: contexts of functions are live, and both kinds begin with their magic number.
    unsafe {
        let magic = context.cast::<u32>().read();
        (magic == selkie_module::layout::context::MAGIC_HOST)
            .then(|| context.cast::<selkie_vm::VMHostContext>().read())
    }
}

/// The roots of a store whose heap is being collected.
pub(crate) struct StoreRoots<'s> {
    store: &'s mut StoreInner,
}

impl<'s> StoreRoots<'s> {
    pub(crate) fn new(store: &'s mut StoreInner) -> StoreRoots<'s> {
        StoreRoots { store }
    }
}

// SAFETY: `each_root` shows all places of the store that hold references, and `each_frame_root`
// those of its frames; nothing else keeps one over an allocation.
unsafe impl Roots for StoreRoots<'_> {
    fn visit(&mut self, see: &mut dyn FnMut(&mut [u64])) {
        self.store.each_root(see);
        // SAFETY: this is host code of the thread that runs the store: a builtin, a host function,
        // or the embedder, with exclusive access to it.
        unsafe { selkie_vm::each_frame_root(&raw const self.store.runtime, see) };
    }

    fn continuations(&mut self) -> &mut [VMContinuationSlot] {
        self.store.runtime.continuation_slots()
    }

    fn visit_continuation(&mut self, place: u32, see: &mut dyn FnMut(&mut [u64])) {
        // SAFETY: as above; the collector asks for places that objects stand for, and for 0.
        unsafe { selkie_vm::each_continuation_root(&raw mut self.store.runtime, place, see) };
    }

    fn died(&mut self, kind: ObjectKind, place: u32) {
        match kind {
            // SAFETY: as above; the object was the last that stood for the place.
            ObjectKind::Cont => unsafe {
                selkie_vm::drop_continuation(&raw mut self.store.runtime, place);
            },
            _ => self.store.host_data_died(place),
        }
    }
}

/// A continuation that will call a function of the store; `None` where there is no stack for it.
pub(crate) fn new_continuation(
    store: &mut StoreInner,
    func: &VMFuncRef,
    plan: &Arc<StartPlan>,
) -> Option<u32> {
    // SAFETY: a store that runs is at a stable address and borrowed exclusively; its functions
    // live as long as it does, and the plan was made from the function's type.
    unsafe { selkie_vm::new_continuation(&raw mut store.runtime, func, plan) }
}

/// Binds arguments to a continuation; `false` where there is no memory to remember them, which ends
/// it.
pub(crate) fn bind_arguments(
    store: &mut StoreInner,
    place: u32,
    values: u64,
    count: u32,
    traced: u64,
) -> bool {
    let values = values as *const u8;
    // SAFETY: machine code has found the place in an object that it has consumed then, and passes
    // values of the types that the continuation takes next, in its own frame.
    unsafe { selkie_vm::bind(&raw mut store.runtime, place, values, count, traced) }
}

/// Gives the stacks of finished continuations back, but for some.
pub(crate) fn release_finished_continuations(store: &mut StoreInner, kept: usize) {
    // SAFETY: the store is borrowed exclusively.
    unsafe { selkie_vm::release_finished(&raw mut store.runtime, kept) };
}

/// The function that a reference in machine code refers to.
pub(crate) fn func_at(address: u64) -> VMFuncRef {
    read_func_ref(address as *const VMFuncRef)
}

/// The reference in a global of a reference type.
pub(crate) fn global_reference<'s>(at: *mut VMGlobal) -> &'s mut [u64] {
    // SAFETY: globals lie in contexts and arenas of a live store, which is borrowed exclusively
    // while its roots are shown; they have 16 bytes, aligned to 16.
    unsafe { std::slice::from_raw_parts_mut(at.cast(), 1) }
}

/// The references in a table that does not hold functions.
pub(crate) fn table_references(table: &mut TableStorage) -> &mut [u64] {
    let (base, len) = (table.base().cast(), table.len() as usize);
    // SAFETY: such a table holds so many 64-bit references, and is borrowed exclusively.
    unsafe { std::slice::from_raw_parts_mut(base, len) }
}

/// Copies bytes that machine code has checked, between two arrays or within one.
pub(crate) fn move_bytes(to: u64, from: u64, bytes: u64) {
    // SAFETY: machine code passes addresses of elements of live arrays, and has compared both ends
    // with the arrays' lengths; `copy` allows overlap.
    unsafe { std::ptr::copy(from as *const u8, to as *mut u8, bytes as usize) }
}
