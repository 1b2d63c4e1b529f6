//! `Store`: owner of everything instances use at run time.
//!
//! Instances, memories, tables and host functions live until their store is dropped; handles to
//! them are small values that name the store, and are refused in any other.

use crate::continuations::Continuations;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::func::called_types::CalledTypes;
use crate::heap::Held;
use crate::instance::state::InstanceState;
use crate::instance::warm::Lent;
use crate::interrupt::Interruption;
use crate::limits::{ResourceLimiter, StoreLimits};
use crate::memory::MemoryEntry;
use crate::refs::HostData;
use crate::roots::RootSet;
use crate::strings::Strings;
use crate::table::TableEntry;
use selkie_vm::{Collection, GcStats, Heap, StoreRuntime, VMFuncRef, VMGlobal, VMHostContext};
use std::cell::Cell;
use std::marker::PhantomData;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names a store, process-wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StoreId(NonZeroU64);

impl StoreId {
    /// The next one of this thread, which takes many at once: threads that make stores do not meet.
    fn next() -> StoreId {
        const BLOCK: u64 = 1 << 16;
        static NEXT_BLOCK: AtomicU64 = AtomicU64::new(1);
        thread_local! {
            static NEXT: Cell<u64> = const { Cell::new(0) };
        }
        let id = NEXT.with(|next| {
            if next.get().is_multiple_of(BLOCK) {
                next.set(NEXT_BLOCK.fetch_add(1, Ordering::Relaxed) * BLOCK);
            }
            next.replace(next.get() + 1)
        });
        StoreId(NonZeroU64::new(id).expect("nobody makes 2⁴⁸ blocks of stores"))
    }

    #[cfg(test)]
    pub(crate) const fn for_tests() -> StoreId {
        StoreId(NonZeroU64::MAX)
    }
}

/// An instance's place in its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct InstanceId(pub(crate) u32);

/// Everything of a store that does not depend on the embedder's data.
pub struct StoreInner {
    pub(crate) runtime: StoreRuntime,
    pub(crate) id: StoreId,
    pub(crate) engine: Engine,
    pub(crate) instances: Vec<InstanceState>,
    pub(crate) memories: Vec<MemoryEntry>,
    pub(crate) tables: Vec<TableEntry>,
    pub(crate) host: HostArena,
    /// The references that the host holds.
    pub(crate) roots: RootSet,
    /// What external references of the host's refer to.
    pub(crate) host_data: HostData,
    pub(crate) strings: Strings,
    pub(crate) limits: StoreLimits,
    /// Who is asked besides.
    pub(crate) limiter: Option<Box<dyn ResourceLimiter>>,
    /// Where the `VMTag` of each id lies, from id 1 on.
    pub(crate) tags: Vec<usize>,
    /// Fuel beyond what machine code counts now.
    pub(crate) uncounted_fuel: u64,
    /// What machine code may count before others get a chance to run.
    pub(crate) fuel_interval: Option<NonZeroU64>,
    /// Who may end what runs here; `None` where the engine does not interrupt its guests.
    pub(crate) interruption: Option<Box<Interruption>>,
    /// The collected heap, once something needed it.
    pub(crate) heap: Option<Box<Heap>>,
    /// Values on their way into objects.
    pub(crate) held: Vec<Held>,
    pub(crate) continuations: Continuations,
    pub(crate) called_types: CalledTypes,
    /// Where its contents go back to.
    pub(crate) lent: Option<Lent>,
}

/// Things that machine code points to and no instance owns.
#[derive(Default)]
pub(crate) struct HostArena {
    #[allow(clippy::vec_box)] // machine code holds their addresses
    pub(crate) funcs: Vec<Box<HostFuncEntry>>,
    pub(crate) globals: Vec<HostGlobal>,
    #[allow(clippy::vec_box)]
    pub(crate) tags: Vec<Box<selkie_vm::VMTag>>,
    /// Keeps the functions alive that instances import straight from a linker.
    pub(crate) keep: Vec<std::sync::Arc<crate::func::host::HostFunc>>,
}

/// A global of the host's.
pub(crate) struct HostGlobal {
    /// Machine code holds its address.
    pub(crate) value: Box<VMGlobal>,
    /// Whether the collector must look at it.
    pub(crate) is_traced: bool,
}

/// A host function that belongs to a store.
pub(crate) struct HostFuncEntry {
    pub(crate) context: VMHostContext,
    pub(crate) func_ref: VMFuncRef,
}

/// A store with the embedder's data. The two lie side by side so that a host function, which
/// knows `T`, finds its data from the store's address.
#[repr(C)]
pub(crate) struct StoreBox<T> {
    pub(crate) inner: StoreInner,
    pub(crate) data: T,
}

/// Owns instances and all they use, with a value of the embedder's.
///
/// ```
/// use selkie_engine::{Engine, Store};
/// let mut store = Store::new(&Engine::default(), 7);
/// *store.data_mut() += 1;
/// assert_eq!(store.into_data(), 8);
/// ```
///
/// Functions that were made for a store see its data as the type that it had then:
///
/// ```compile_fail
/// fn other(store: selkie_engine::Store<fn(&str)>) -> selkie_engine::Store<fn(&'static str)> {
///     store
/// }
/// ```
pub struct Store<T: 'static> {
    contents: Box<StoreBox<T>>,
    /// Functions in the store take its data, so `T` is invariant.
    data: PhantomData<fn(T) -> T>,
}

impl<T: std::fmt::Debug> std::fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("data", &self.contents.data).finish_non_exhaustive()
    }
}

impl<T> Store<T> {
    /// An empty store.
    ///
    /// # Panics
    /// When the system has no memory for a store's own bookkeeping; see [`Store::try_new`].
    pub fn new(engine: &Engine, data: T) -> Store<T> {
        Store::try_new(engine, data).expect("a store's own structures fit into memory")
    }

    /// An empty store.
    ///
    /// # Errors
    /// The system has no room for it.
    pub fn try_new(engine: &Engine, data: T) -> Result<Store<T>> {
        let unfit = |what| move |error| Error::from(error).context(what);
        let mut runtime = StoreRuntime::new(engine.config().stack_bytes)
            .map_err(unfit("bytes of WebAssembly's stack"))?;
        runtime.set_backtrace_frames(engine.config().backtrace_frames);
        runtime.vm.builtin_impls = crate::entry::builtin_impls();
        // The runtime may count where machine code does not.
        runtime.vm.fuel = if engine.config().tuning().consume_fuel { 0 } else { i64::MAX };
        runtime
            .set_continuation_stack_bytes(engine.config().continuation_stack_bytes)
            .map_err(unfit("bytes of a continuation's stack"))?;
        runtime
            .set_activation_stack_bytes(engine.config().async_stack_bytes)
            .map_err(unfit("bytes of an asynchronous call's stack"))?;
        let id = StoreId::next();
        let is_interruptible = engine.config().tuning().epoch_interruption;
        let interruption =
            is_interruptible.then(|| Box::new(Interruption::new(engine.clock(), id.0.get())));
        let mut inner = StoreInner {
            runtime,
            id,
            engine: engine.local(),
            instances: Vec::new(),
            memories: Vec::new(),
            tables: Vec::new(),
            host: HostArena::default(),
            roots: RootSet::default(),
            host_data: HostData::default(),
            strings: Strings::default(),
            limits: StoreLimits::default(),
            limiter: None,
            tags: Vec::new(),
            uncounted_fuel: 0,
            fuel_interval: None,
            interruption,
            heap: None,
            held: Vec::new(),
            continuations: Continuations::default(),
            called_types: CalledTypes::default(),
            lent: None,
        };
        inner.apply_continuation_limits();
        Ok(Store { contents: Box::new(StoreBox { inner, data }), data: PhantomData })
    }

    pub(crate) fn inner_mut(&mut self) -> &mut StoreInner {
        &mut self.contents.inner
    }

    /// The embedder's data.
    pub fn data(&self) -> &T {
        &self.contents.data
    }

    /// The embedder's data.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.contents.data
    }

    /// Ends the store and gives the data back.
    pub fn into_data(self) -> T {
        self.contents.data
    }

    /// The store's engine.
    pub fn engine(&self) -> &Engine {
        &self.contents.inner.engine
    }

    /// Collects: objects that neither the host holds nor anything in the store leads to are gone
    /// afterwards, and data of the host's that only they referred to is dropped.
    ///
    /// ```
    /// use selkie_engine::{Engine, ExternRef, RootScope, Store};
    /// use std::sync::Arc;
    /// let mut store = Store::new(&Engine::default(), ());
    /// let data = Arc::new("data");
    /// ExternRef::new(&mut RootScope::new(&mut store), data.clone())?;
    /// store.gc();
    /// assert_eq!(Arc::strong_count(&data), 1);
    /// assert_eq!(store.gc_stats().full_collections, 1);
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    pub fn gc(&mut self) {
        self.contents.inner.collect(Collection::Full);
    }

    /// What the collected heap has done and has; all zero while there is none.
    pub fn gc_stats(&self) -> GcStats {
        self.contents.inner.gc_stats()
    }

    /// Sets what the store's instances may use, from now on.
    pub fn set_limits(&mut self, limits: StoreLimits) {
        self.contents.inner.limits = limits;
        self.contents.inner.apply_continuation_limits();
    }
}

/// Shared access to a store, as APIs pass it on.
pub struct StoreContext<'a, T: 'static> {
    pub(crate) contents: &'a StoreBox<T>,
}

/// Exclusive access to a store, as APIs pass it on.
pub struct StoreContextMut<'a, T: 'static> {
    pub(crate) contents: &'a mut StoreBox<T>,
}

impl<'a, T> StoreContext<'a, T> {
    /// The embedder's data.
    pub fn data(&self) -> &'a T {
        &self.contents.data
    }

    pub(crate) fn inner(&self) -> &'a StoreInner {
        &self.contents.inner
    }
}

impl<'a, T> StoreContextMut<'a, T> {
    /// The embedder's data.
    pub fn data(&self) -> &T {
        &self.contents.data
    }

    /// The embedder's data.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.contents.data
    }

    /// The store's engine.
    pub fn engine(&self) -> &Engine {
        &self.contents.inner.engine
    }

    /// As [`Store::gc`].
    pub fn gc(&mut self) {
        self.contents.inner.collect(Collection::Full);
    }

    /// As [`Store::gc_stats`].
    pub fn gc_stats(&self) -> GcStats {
        self.contents.inner.gc_stats()
    }

    pub(crate) fn inner(&mut self) -> &mut StoreInner {
        &mut self.contents.inner
    }

    /// The store, for as long as the access lasts.
    pub(crate) fn into_inner(self) -> &'a mut StoreInner {
        &mut self.contents.inner
    }

    pub(crate) fn into_parts(self) -> (&'a mut StoreInner, &'a mut T) {
        (&mut self.contents.inner, &mut self.contents.data)
    }
}

/// What gives shared access to a store: stores, callers, references to them.
pub trait AsContext {
    /// The embedder's data in the store.
    type Data: 'static;
    /// The access.
    fn as_context(&self) -> StoreContext<'_, Self::Data>;
}

/// What gives exclusive access to a store.
pub trait AsContextMut: AsContext {
    /// The access.
    fn as_context_mut(&mut self) -> StoreContextMut<'_, Self::Data>;
}

impl<T> AsContext for Store<T> {
    type Data = T;
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext { contents: &self.contents }
    }
}

impl<T> AsContextMut for Store<T> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut { contents: &mut self.contents }
    }
}

impl<T> AsContext for StoreContext<'_, T> {
    type Data = T;
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext { contents: self.contents }
    }
}

impl<T> AsContext for StoreContextMut<'_, T> {
    type Data = T;
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext { contents: self.contents }
    }
}

impl<T> AsContextMut for StoreContextMut<'_, T> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut { contents: self.contents }
    }
}

impl<C: AsContext> AsContext for &C {
    type Data = C::Data;
    fn as_context(&self) -> StoreContext<'_, C::Data> {
        C::as_context(self)
    }
}

impl<C: AsContext> AsContext for &mut C {
    type Data = C::Data;
    fn as_context(&self) -> StoreContext<'_, C::Data> {
        C::as_context(self)
    }
}

impl<C: AsContextMut> AsContextMut for &mut C {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, C::Data> {
        C::as_context_mut(self)
    }
}

impl<'a, C: AsContext> From<&'a C> for StoreContext<'a, C::Data> {
    fn from(context: &'a C) -> Self {
        context.as_context()
    }
}

impl<'a, C: AsContext> From<&'a mut C> for StoreContext<'a, C::Data> {
    fn from(context: &'a mut C) -> Self {
        C::as_context(context)
    }
}

impl<'a, C: AsContextMut> From<&'a mut C> for StoreContextMut<'a, C::Data> {
    fn from(context: &'a mut C) -> Self {
        context.as_context_mut()
    }
}

impl StoreInner {
    /// Refuses a handle of another store.
    #[inline]
    pub(crate) fn check(&self, id: StoreId) -> Result<()> {
        if id == self.id { Ok(()) } else { Err(wrong_store()) }
    }

    /// Panics for a handle of another store: for accessors that cannot fail otherwise, as the
    /// embedder, never the guest, chose the handle.
    #[inline]
    pub(crate) fn assert_owns(&self, id: StoreId) {
        assert!(id == self.id, "a handle was used with a store it does not belong to");
    }

    pub(crate) fn instance(&self, id: InstanceId) -> &InstanceState {
        &self.instances[id.0 as usize]
    }

    pub(crate) fn instance_mut(&mut self, id: InstanceId) -> &mut InstanceState {
        &mut self.instances[id.0 as usize]
    }
}

#[cold]
fn wrong_store() -> Error {
    Error::new(ErrorKind::Invalid, "a handle was used with a store it does not belong to")
}
