//! Linear memories, seen from the host.

use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::LimitExceeded;
use crate::raw;
use crate::store::{AsContext, AsContextMut, StoreContext, StoreContextMut, StoreId, StoreInner};
use selkie_compile::MemoryPlan as CompilePlan;
use selkie_module::{Limits, MemoryType, TrapCode};
use selkie_vm::{
    LinearMemory, MemoryImage, MemoryPlan, ResourceError, SharedMemory as SharedBody, VMMemory,
};
use std::ops::Range;
use std::sync::Arc;

/// A memory of a store.
pub(crate) struct MemoryEntry {
    pub(crate) ty: MemoryType,
    /// Whether code for memories of this type without guard pages must be used although the settings
    /// ask for them.
    pub(crate) lacks_guard: bool,
    pub(crate) body: MemoryBody,
    /// What machine code reads; in a context, or in `_own_definition`.
    pub(crate) definition: *mut VMMemory,
    _own_definition: Option<Box<VMMemory>>,
}

pub(crate) enum MemoryBody {
    Own(LinearMemory),
    Shared(SharedBody),
}

impl MemoryBody {
    /// A new memory; with a guard if its type has one and there is room, and whether there was none.
    fn new(
        engine: &Engine,
        limit_bytes: u64,
        ty: &MemoryType,
        image: Option<Arc<MemoryImage>>,
    ) -> Result<(MemoryBody, bool)> {
        let make = |plan: &MemoryPlan, image| {
            Ok::<_, ResourceError>(if ty.shared {
                MemoryBody::Shared(SharedBody::new(plan)?)
            } else {
                MemoryBody::Own(LinearMemory::new(plan, image)?)
            })
        };
        let has_guard = CompilePlan::reserves_index_space(ty, &engine.config().tuning);
        let plan = allocation_plan(engine, limit_bytes, ty, has_guard)?;
        match make(&plan, image.clone()) {
            Err(_) if has_guard => {
                let plan = allocation_plan(engine, limit_bytes, ty, false)?;
                Ok((make(&plan, image)?, true))
            }
            made => Ok((made?, false)),
        }
    }
}

impl MemoryEntry {
    /// A new memory; `definition` is where its instance's context holds it, null for a memory of
    /// the host's. An image is for memories that are not shared.
    pub(crate) fn new(
        store: &StoreInner,
        ty: MemoryType,
        definition: *mut VMMemory,
        image: Option<Arc<MemoryImage>>,
    ) -> Result<MemoryEntry> {
        let limit_bytes = store.limits.memory_bytes;
        let (body, lacks_guard) = MemoryBody::new(&store.engine, limit_bytes, &ty, image)?;
        let mut _own_definition = None;
        let definition = match &body {
            MemoryBody::Shared(shared) => shared.definition(),
            MemoryBody::Own(memory) if definition.is_null() => {
                &raw mut **_own_definition.insert(Box::new(memory.definition()))
            }
            MemoryBody::Own(memory) => {
                raw::write_memory(definition, memory.definition());
                definition
            }
        };
        Ok(MemoryEntry { ty, lacks_guard, body, definition, _own_definition })
    }

    /// Whether a store with this limit can have it, as it was at first; then it obeys the limit.
    pub(crate) fn obey(&mut self, limit_bytes: u64) -> bool {
        let MemoryBody::Own(memory) = &mut self.body else { return false };
        memory.set_max_bytes(self.ty.max_bytes().min(limit_bytes));
        memory.len() <= limit_bytes
    }

    /// Lets the next instance use it, as it was at first. `false` where it has to be another one.
    pub(crate) fn reset(&mut self, keep_bytes: usize) -> bool {
        let MemoryBody::Own(memory) = &mut self.body else { return false };
        let is_reset = raw::reset_memory(memory, keep_bytes);
        raw::write_memory(self.definition, memory.definition());
        is_reset
    }

    pub(crate) fn byte_len(&self) -> u64 {
        match &self.body {
            MemoryBody::Own(memory) => memory.len(),
            MemoryBody::Shared(memory) => memory.len(),
        }
    }

    /// Bytes that are resident and shared with nobody; 0 for a memory that threads share.
    pub(crate) fn resident_bytes(&self) -> usize {
        match &self.body {
            MemoryBody::Own(memory) => memory.resident_bytes(),
            MemoryBody::Shared(_) => 0,
        }
    }

    pub(crate) fn pages(&self) -> u64 {
        self.byte_len() >> self.ty.page_size_log2
    }

    /// The pages that a range touches, as a range of bytes: what `memory.discard` is about (the
    /// proposal aligns the start down and the end up). An empty range touches no page.
    pub(crate) fn pages_of(&self, start: u64, bytes: u64) -> Result<Range<u64>, TrapCode> {
        let end = start.checked_add(bytes).filter(|end| *end <= self.byte_len());
        let end = end.ok_or(TrapCode::MemoryOutOfBounds)?;
        if bytes == 0 {
            return Ok(start..start);
        }
        // Lengths are whole pages, so that the end stays within bounds.
        let page = self.ty.page_size();
        Ok(start / page * page..end.next_multiple_of(page))
    }

    /// Makes bytes read as zero, and gives their pages back to the system.
    pub(crate) fn discard(&mut self, start: u64, bytes: u64) -> Result<(), TrapCode> {
        match &mut self.body {
            MemoryBody::Shared(memory) => memory.discard(start, bytes),
            MemoryBody::Own(memory) => memory.discard(start, bytes),
        }
    }

    /// Grows by `delta` pages; the old size, or `None` when that is not possible.
    pub(crate) fn grow(&mut self, delta: u64, limit_bytes: u64) -> Option<u64> {
        let log2 = self.ty.page_size_log2;
        let max_pages = self.ty.limits.max.unwrap_or(u64::MAX).min(self.ty.max_pages_by_index());
        match &mut self.body {
            MemoryBody::Shared(memory) => {
                let delta_bytes = delta.checked_mul(1 << log2)?;
                memory.grow_by(delta_bytes).ok().map(|old| old >> log2)
            }
            MemoryBody::Own(memory) => {
                let old = memory.len() >> log2;
                let new = old.checked_add(delta).filter(|new| *new <= max_pages)?;
                let bytes = new.checked_mul(1 << log2).filter(|bytes| *bytes <= limit_bytes)?;
                if delta > 0 {
                    memory.grow_to(bytes).ok()?;
                    raw::write_memory(self.definition, memory.definition());
                }
                Some(old)
            }
        }
    }
}

/// How a memory of this type is allocated, with a guard or without.
fn allocation_plan(
    engine: &Engine,
    limit_bytes: u64,
    ty: &MemoryType,
    has_guard: bool,
) -> Result<MemoryPlan> {
    let tuning = &engine.config().tuning;
    let min_bytes = ty.min_bytes();
    let too_large = || LimitExceeded::Memory { bytes: min_bytes.unwrap_or(u64::MAX), limit_bytes };
    let min_bytes = min_bytes.filter(|b| *b <= limit_bytes).ok_or_else(too_large)?;
    let max_bytes = ty.max_bytes().min(limit_bytes).max(min_bytes);
    Ok(if has_guard {
        MemoryPlan {
            reservation_bytes: tuning.memory_reservation_bytes as usize,
            guard_bytes: tuning.memory_guard_bytes as usize,
            min_bytes,
            max_bytes,
            may_move: false,
        }
    } else {
        // Every access is checked: no guard is needed. A little room spares moves; small memories,
        // of which there may be very many, have what their slot has.
        let is_small = min_bytes <= LinearMemory::MAX_DENSE_BYTES as u64;
        let room = if is_small { 0 } else { min_bytes / 2 };
        let has_fixed_length = ty.limits.max == Some(ty.limits.min);
        let reservation = if has_fixed_length {
            min_bytes
        } else {
            min_bytes.saturating_add(room).min(max_bytes)
        };
        MemoryPlan {
            reservation_bytes: usize::try_from(reservation).map_err(|_| too_large())?,
            guard_bytes: 0,
            min_bytes,
            max_bytes,
            may_move: !ty.shared && !has_fixed_length,
        }
    })
}

/// A linear memory of a store.
///
/// ```
/// use selkie_engine::{Engine, IndexType, Limits, Memory, MemoryType, Store};
/// let mut store = Store::new(&Engine::default(), ());
/// let memory = Memory::new(&mut store, MemoryType {
///     limits: Limits { min: 1, max: Some(2) },
///     shared: false,
///     index: IndexType::I32,
///     page_size_log2: 16,
/// })?;
/// memory.write(&mut store, 65532, b"four")?;
/// assert!(memory.write(&mut store, 65533, b"four").is_err());
/// assert_eq!(memory.grow(&mut store, 1)?, 1);
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    pub(crate) store: StoreId,
    pub(crate) index: u32,
}

impl Memory {
    /// A memory of the host's.
    ///
    /// # Errors
    /// Limits of the store or the system.
    pub fn new(mut store: impl AsContextMut, ty: MemoryType) -> Result<Memory> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        check_type(&ty)?;
        inner.ask_for_memory(ty.min_bytes().unwrap_or(u64::MAX), ty.declared_max_bytes())?;
        let entry = MemoryEntry::new(inner, ty, std::ptr::null_mut(), None)?;
        Ok(inner.add_memory(entry))
    }

    fn entry<'a, T: 'static>(&self, store: StoreContext<'a, T>) -> &'a MemoryEntry {
        store.inner().assert_owns(self.store);
        &store.inner().memories[self.index as usize]
    }

    /// Its type, with its current size as minimum.
    ///
    /// # Panics
    /// It belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> MemoryType {
        let entry_ty = self.entry(store.as_context()).ty;
        let min = self.size(store);
        MemoryType { limits: Limits { min, ..entry_ty.limits }, ..entry_ty }
    }

    /// Size in pages.
    ///
    /// # Panics
    /// It belongs to another store.
    pub fn size(&self, store: impl AsContext) -> u64 {
        self.entry(store.as_context()).pages()
    }

    /// Size in bytes.
    ///
    /// # Panics
    /// It belongs to another store.
    pub fn data_size(&self, store: impl AsContext) -> usize {
        self.entry(store.as_context()).byte_len() as usize
    }

    /// The bytes. Empty for a shared memory, which other threads may write at any time.
    ///
    /// # Panics
    /// It belongs to another store.
    pub fn data<'a, T: 'static>(&self, store: impl Into<StoreContext<'a, T>>) -> &'a [u8] {
        match &self.entry(store.into()).body {
            MemoryBody::Own(memory) => raw::memory_bytes(memory),
            MemoryBody::Shared(_) => &[],
        }
    }

    /// The bytes, for writing. Empty for a shared memory.
    ///
    /// Whoever writes to a known place does better with [`Memory::range_mut`] or [`Memory::write`]:
    /// what may have been written anywhere takes longer to restore, where instances are made of what
    /// former ones left behind (see [`InstancePre`](crate::InstancePre)).
    ///
    /// # Panics
    /// It belongs to another store.
    pub fn data_mut<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> &'a mut [u8] {
        self.data_and_store_mut(store).0
    }

    /// The bytes for writing, and the store's data beside them.
    ///
    /// # Panics
    /// It belongs to another store.
    #[inline]
    pub fn data_and_store_mut<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> (&'a mut [u8], &'a mut T) {
        let (inner, data) = store.into().into_parts();
        inner.assert_owns(self.store);
        let bytes: &'a mut [u8] = match &mut inner.memories[self.index as usize].body {
            // The system may be asked to write there.
            MemoryBody::Own(memory) if memory.open_all() => raw::memory_bytes_mut(memory),
            MemoryBody::Own(_) => &mut [],
            MemoryBody::Shared(_) => &mut [],
        };
        (bytes, data)
    }

    /// The bytes and the store's data, for host code that reads and writes the bytes itself. Before a
    /// system call may write to some of them, they are shown to
    /// [`prepare_for_system`](crate::prepare_for_system): it fails otherwise (`EFAULT`). Empty for a
    /// shared memory.
    ///
    /// # Panics
    /// It belongs to another store.
    #[inline]
    pub fn lend_to_host<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> (&'a mut [u8], &'a mut T) {
        let (inner, data) = store.into().into_parts();
        inner.assert_owns(self.store);
        let bytes: &'a mut [u8] = match &mut inner.memories[self.index as usize].body {
            MemoryBody::Own(memory) => raw::memory_bytes_mut(memory),
            MemoryBody::Shared(_) => &mut [],
        };
        (bytes, data)
    }

    /// A range of the bytes for writing, and the store's data beside it.
    ///
    /// # Errors
    /// The range is out of bounds; the memory is shared, or belongs to another store.
    #[inline]
    pub fn range_mut<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
        range: std::ops::Range<usize>,
    ) -> Result<(&'a mut [u8], &'a mut T)> {
        let (inner, data) = store.into().into_parts();
        inner.check(self.store)?;
        let MemoryBody::Own(memory) = &mut inner.memories[self.index as usize].body else {
            return Err(Error::new(ErrorKind::Invalid, "other threads may write to the memory"));
        };
        if range.start > range.end || range.end as u64 > memory.len() || !memory.open(range.clone())
        {
            return Err(out_of_bounds());
        }
        Ok((&mut raw::memory_bytes_mut(memory)[range], data))
    }

    /// Bytes of it that are resident and shared with nobody: pages that were written and not given
    /// back. Asks the system, which takes some microseconds; 0 for a shared memory.
    ///
    /// # Panics
    /// It belongs to another store.
    pub fn resident_bytes(&self, store: impl AsContext) -> usize {
        self.entry(store.as_context()).resident_bytes()
    }

    /// Copies bytes out.
    ///
    /// # Errors
    /// The range is out of bounds; the memory belongs to another store.
    pub fn read(&self, store: impl AsContext, offset: usize, buffer: &mut [u8]) -> Result<()> {
        store.as_context().inner().check(self.store)?;
        let entry = self.entry(store.as_context());
        match &entry.body {
            MemoryBody::Own(memory) => {
                let bytes = raw::memory_bytes(memory);
                let range = offset..offset.checked_add(buffer.len()).ok_or_else(out_of_bounds)?;
                buffer.copy_from_slice(bytes.get(range).ok_or_else(out_of_bounds)?);
                Ok(())
            }
            MemoryBody::Shared(memory) => {
                memory.read(offset as u64, buffer).map_err(|_| out_of_bounds())
            }
        }
    }

    /// Copies bytes in.
    ///
    /// # Errors
    /// The range is out of bounds; the memory belongs to another store.
    pub fn write(&self, mut store: impl AsContextMut, offset: usize, bytes: &[u8]) -> Result<()> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        inner.check(self.store)?;
        match &mut inner.memories[self.index as usize].body {
            MemoryBody::Own(memory) => {
                memory.write(offset as u64, bytes).map_err(|_| out_of_bounds())
            }
            MemoryBody::Shared(memory) => {
                memory.write(offset as u64, bytes).map_err(|_| out_of_bounds())
            }
        }
    }

    /// Grows by `delta` pages and answers the old size.
    ///
    /// # Errors
    /// The type's maximum, the store's limit or the system does not allow it; the memory belongs to
    /// another store.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64) -> Result<u64> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        inner.check(self.store)?;
        let grown = inner.grow_memory(self.index, delta);
        grown.ok_or_else(|| Error::new(ErrorKind::Limit, "the memory cannot grow that far"))
    }
}

/// A shared memory, which the stores of several threads can use at once.
///
/// ```
/// use selkie_engine::{Engine, IndexType, Limits, MemoryType, SharedMemory, Store};
/// let engine = Engine::default();
/// let shared = SharedMemory::new(&engine, MemoryType {
///     limits: Limits { min: 1, max: Some(2) },
///     shared: true,
///     index: IndexType::I32,
///     page_size_log2: 16,
/// })?;
/// let mut store = Store::new(&engine, ());
/// let memory = shared.memory(&mut store)?; // to be imported by instances of this store
/// memory.write(&mut store, 0, b"seen")?;
/// let mut bytes = [0; 4];
/// shared.read(0, &mut bytes)?;
/// assert_eq!(&bytes, b"seen");
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SharedMemory {
    /// Whose rules it was allocated by: code of another engine may rely on a guard it lacks.
    engine: Engine,
    ty: MemoryType,
    lacks_guard: bool,
    body: SharedBody,
}

impl SharedMemory {
    /// A shared memory of no store.
    ///
    /// # Errors
    /// The type is not shared or has no maximum; the engine is deterministic; the system's limits.
    pub fn new(engine: &Engine, ty: MemoryType) -> Result<SharedMemory> {
        if engine.config().is_deterministic() {
            return Err(Error::new(ErrorKind::Unsupported, crate::config::NO_THREADS));
        }
        check_type(&ty)?;
        if !ty.shared {
            return Err(Error::new(ErrorKind::Invalid, "the type is not a shared one"));
        }
        let (body, lacks_guard) = MemoryBody::new(engine, u64::MAX, &ty, None)?;
        let MemoryBody::Shared(body) = body else {
            return Err(Error::new(ErrorKind::Bug, "a shared memory is not shared"));
        };
        Ok(SharedMemory { engine: engine.clone(), ty, lacks_guard, body })
    }

    /// The memory as an item of a store.
    ///
    /// # Errors
    /// The store is of another engine; the memory can grow beyond the store's limit.
    pub fn memory(&self, mut store: impl AsContextMut) -> Result<Memory> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        if !Engine::same(&self.engine, &inner.engine) {
            let message = "the memory and the store belong to different engines";
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        if self.body.max_bytes() > inner.limits.memory_bytes {
            let message = "the shared memory can grow beyond the store's limit";
            return Err(Error::new(ErrorKind::Limit, message));
        }
        Ok(inner.add_memory(MemoryEntry {
            ty: self.ty,
            lacks_guard: self.lacks_guard,
            body: MemoryBody::Shared(self.body.clone()),
            definition: self.body.definition(),
            _own_definition: None,
        }))
    }

    /// Size in bytes.
    pub fn data_size(&self) -> usize {
        self.body.len() as usize
    }

    /// Copies bytes out, each read atomically.
    ///
    /// # Errors
    /// The range is out of bounds.
    pub fn read(&self, offset: usize, buffer: &mut [u8]) -> Result<()> {
        self.body.read(offset as u64, buffer).map_err(|_| out_of_bounds())
    }

    /// Copies bytes in, each written atomically.
    ///
    /// # Errors
    /// The range is out of bounds.
    pub fn write(&self, offset: usize, bytes: &[u8]) -> Result<()> {
        self.body.write(offset as u64, bytes).map_err(|_| out_of_bounds())
    }
}

impl Memory {
    /// The memory as one that other stores can use too; `None` where it is not shared.
    ///
    /// # Panics
    /// It belongs to another store.
    pub fn as_shared(&self, store: impl AsContext) -> Option<SharedMemory> {
        let context = store.as_context();
        let engine = context.inner().engine.clone();
        let entry = self.entry(context);
        match &entry.body {
            MemoryBody::Shared(body) => {
                let (ty, lacks_guard) = (entry.ty, entry.lacks_guard);
                Some(SharedMemory { engine, ty, lacks_guard, body: body.clone() })
            }
            MemoryBody::Own(_) => None,
        }
    }
}

fn check_type(ty: &MemoryType) -> Result<()> {
    if !matches!(ty.page_size_log2, 0 | 16) {
        return Err(Error::new(ErrorKind::Invalid, "pages have one byte or 64 KiB"));
    }
    if ty.shared && ty.limits.max.is_none() {
        return Err(Error::new(ErrorKind::Invalid, "a shared memory must have a maximum"));
    }
    let max_pages = ty.max_pages_by_index();
    let Limits { min, max } = ty.limits;
    if min > max_pages || max.is_some_and(|max| max > max_pages || max < min) {
        return Err(Error::new(ErrorKind::Invalid, "memory limits that no memory can have"));
    }
    Ok(())
}

impl StoreInner {
    pub(crate) fn add_memory(&mut self, entry: MemoryEntry) -> Memory {
        self.memories.push(entry);
        Memory { store: self.id, index: (self.memories.len() - 1) as u32 }
    }
}

fn out_of_bounds() -> Error {
    Error::new(ErrorKind::Invalid, "out of bounds of the memory")
}
