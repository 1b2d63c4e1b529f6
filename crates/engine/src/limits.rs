//! What the instances of one store may use, who is asked before they use more, and the error of what
//! starts beyond it.

use crate::error::{Error, ErrorKind, Result};
use crate::memory::MemoryBody;
use crate::store::{Store, StoreContext, StoreInner};
use std::fmt;

/// Decides whether the memories and tables of a store may be made and grow, besides its
/// [`StoreLimits`]: for limits that stores have together, or that change while they run.
///
/// ```
/// use selkie_engine::{Engine, Instance, Module, ResourceLimiter, Store};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// /// Bytes that all memories of a tenant may still take.
/// struct Tenant(Arc<AtomicU64>);
///
/// impl ResourceLimiter for Tenant {
///     fn memory_growing(&mut self, current: u64, desired: u64, _: Option<u64>) -> bool {
///         let more = desired - current;
///         let take = |left: u64| left.checked_sub(more);
///         self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
///     }
/// }
///
/// let left = Arc::new(AtomicU64::new(3 << 16));
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module
///     (memory 1)
///     (func (export "grow") (result i32) (memory.grow (i32.const 1))))"#)?;
/// let mut store = Store::new(&engine, ());
/// store.limiter(Tenant(left.clone()));
/// let instance = Instance::new(&mut store, &module, &[])?;
/// let grow = instance.get_typed_func::<(), i32>(&mut store, "grow")?;
/// assert_eq!(grow.call(&mut store, ())?, 1);
/// assert_eq!(grow.call(&mut store, ())?, 2);
/// assert_eq!(grow.call(&mut store, ())?, -1);
/// # Ok::<(), selkie_engine::Error>(())
/// ```
pub trait ResourceLimiter: Send + Sync + 'static {
    /// Whether a memory may get from `current` bytes to `desired` ones; it is about to be made where
    /// `current` is 0. `maximum` is that of its type, in bytes. Growth that is refused fails as the
    /// specification says (`-1`); a module whose memory is refused is not instantiated. Growth that
    /// is allowed may still fail for another reason.
    fn memory_growing(&mut self, current: u64, desired: u64, maximum: Option<u64>) -> bool {
        let _ = (current, desired, maximum);
        true
    }

    /// The same for the elements of a table.
    fn table_growing(&mut self, current: u64, desired: u64, maximum: Option<u64>) -> bool {
        let _ = (current, desired, maximum);
        true
    }
}

/// What a store takes, as [`Store::usage`] tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreUsage {
    /// Instances.
    pub instances: usize,
    /// Linear memories, shared ones among them.
    pub memories: usize,
    /// Bytes that linear memories have, touched or not.
    pub memory_bytes: u64,
    /// Tables.
    pub tables: usize,
    /// Elements of tables.
    pub table_elements: u64,
    /// Bytes that the collected heap has taken of its limit, with those of strings.
    pub gc_heap_bytes: u64,
    /// Continuations that have not returned.
    pub continuations: usize,
    /// References that the host holds: those of open scopes, and owned ones.
    pub references: usize,
}

impl<T> Store<T> {
    /// Asks this limiter from now on, instead of a former one.
    pub fn limiter(&mut self, limiter: impl ResourceLimiter) {
        self.inner_mut().limiter = Some(Box::new(limiter));
    }

    /// What the store takes now.
    pub fn usage(&self) -> StoreUsage {
        crate::store::AsContext::as_context(self).usage()
    }
}

impl<T> StoreContext<'_, T> {
    /// As [`Store::usage`].
    pub fn usage(&self) -> StoreUsage {
        self.inner().usage()
    }
}

impl StoreInner {
    fn usage(&self) -> StoreUsage {
        let heap = self.heap.as_ref().map_or(0, |heap| heap.committed_bytes());
        StoreUsage {
            instances: self.instances.len(),
            memories: self.memories.len(),
            memory_bytes: self.memories.iter().map(|memory| memory.byte_len()).sum(),
            tables: self.tables.len(),
            table_elements: self.tables.iter().map(|table| table.storage.len()).sum(),
            gc_heap_bytes: heap + self.strings.used_bytes(),
            continuations: self.runtime.unfinished_continuation_count(),
            references: self.roots.len(),
        }
    }

    /// Asks whether a memory may be made.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn ask_for_memory(&mut self, bytes: u64, maximum: Option<u64>) -> Result<()> {
        let mut limiter = self.limiter.as_mut();
        if limiter.as_mut().is_none_or(|limiter| limiter.memory_growing(0, bytes, maximum)) {
            return Ok(());
        }
        let message = format!("the store's limiter refuses a memory of {bytes} bytes");
        Err(Error::new(ErrorKind::Limit, message))
    }

    /// Asks whether a table may be made.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn ask_for_table(&mut self, elements: u64, maximum: Option<u64>) -> Result<()> {
        let mut limiter = self.limiter.as_mut();
        if limiter.as_mut().is_none_or(|limiter| limiter.table_growing(0, elements, maximum)) {
            return Ok(());
        }
        let message = format!("the store's limiter refuses a table of {elements} elements");
        Err(Error::new(ErrorKind::Limit, message))
    }

    /// Grows a memory by pages; the old size, or `None` when that is not possible.
    pub(crate) fn grow_memory(&mut self, memory: u32, delta: u64) -> Option<u64> {
        let entry = &mut self.memories[memory as usize];
        if let (Some(limiter), true, MemoryBody::Own(_)) =
            (&mut self.limiter, delta > 0, &entry.body)
        {
            let current = entry.byte_len();
            let more = delta.checked_mul(entry.ty.page_size())?;
            let desired = current.checked_add(more)?;
            if !limiter.memory_growing(current, desired, entry.ty.declared_max_bytes()) {
                return None;
            }
        }
        entry.grow(delta, self.limits.memory_bytes)
    }

    /// Whether a table may grow by elements.
    pub(crate) fn may_grow_table(&mut self, table: u32, delta: u64) -> bool {
        let entry = &self.tables[table as usize];
        let current = entry.storage.len();
        match (&mut self.limiter, current.checked_add(delta)) {
            (_, None) => false,
            (Some(limiter), Some(desired)) if delta > 0 => {
                limiter.table_growing(current, desired, entry.ty.limits.max)
            }
            _ => true,
        }
    }
}

/// Limits of a store. Growth beyond one fails as the specification says (`-1`); a module that
/// starts beyond one is not instantiated.
///
/// ```
/// use selkie_engine::{Engine, Instance, Module, Store, StoreLimits};
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module
///     (memory 1)
///     (func (export "grow") (result i32) (memory.grow (i32.const 100))))"#)?;
/// let mut store = Store::new(&engine, ());
/// store.set_limits(StoreLimits { memory_bytes: 1 << 20, ..StoreLimits::default() });
/// let instance = Instance::new(&mut store, &module, &[])?;
/// let grow = instance.get_typed_func::<(), i32>(&mut store, "grow")?;
/// assert_eq!(grow.call(&mut store, ())?, -1); // 101 pages are more than one MiB
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreLimits {
    /// Bytes of each linear memory.
    pub memory_bytes: u64,
    /// Elements of each table.
    pub table_elements: u64,
    /// Bytes of the collected heap and of strings ([`JsString`](crate::JsString)) together: all that
    /// structs, arrays, exceptions, external references and the units of strings take; 4 GiB at
    /// most. What does not fit is not allocated: a trap. Holds for heaps made from then on.
    pub gc_heap_bytes: u64,
    /// Continuations that have not returned, and their stacks that wait for reuse. One more is a
    /// trap.
    pub continuations: u64,
    /// Bytes that the stacks of continuations may have, all together. Each counts as a whole,
    /// [`Config::continuation_stack_bytes`](crate::Config::continuation_stack_bytes).
    pub continuation_bytes: u64,
    /// Instances.
    pub instances: usize,
    /// Linear memories.
    pub memories: usize,
    /// Tables.
    pub tables: usize,
}

impl Default for StoreLimits {
    /// Memories as large as the system gives, tables of ten million elements, 16384 continuations
    /// with stacks of 4 GiB, ten thousand of each other kind.
    fn default() -> StoreLimits {
        StoreLimits {
            memory_bytes: u64::MAX,
            table_elements: 10_000_000,
            gc_heap_bytes: u64::MAX,
            continuations: 16_384,
            continuation_bytes: 4 << 30,
            instances: 10_000,
            memories: 10_000,
            tables: 10_000,
        }
    }
}

/// Something that would start beyond a limit of its store. Errors of
/// [`ErrorKind::Limit`](crate::ErrorKind::Limit) can be downcast to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitExceeded {
    /// A linear memory.
    Memory {
        /// Bytes it starts with; `u64::MAX` also stands for more.
        bytes: u64,
        /// [`StoreLimits::memory_bytes`].
        limit_bytes: u64,
    },
    /// A table.
    Table {
        /// Elements it starts with.
        elements: u64,
        /// [`StoreLimits::table_elements`].
        limit_elements: u64,
    },
    /// An object that the host makes in the collected heap.
    Heap {
        /// [`StoreLimits::gc_heap_bytes`], or what the heap can have at most. The system may have
        /// had less.
        limit_bytes: u64,
    },
}

impl fmt::Display for LimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LimitExceeded::Memory { bytes, limit_bytes } => write!(
                f,
                "a memory of {bytes} bytes exceeds the store's limit of {limit_bytes} bytes"
            ),
            LimitExceeded::Table { elements, limit_elements } => write!(
                f,
                "a table of {elements} elements exceeds the store's limit of {limit_elements} elements"
            ),
            LimitExceeded::Heap { limit_bytes } => write!(
                f,
                "the collected heap has no room for another object; its limit is {limit_bytes} bytes"
            ),
        }
    }
}

impl std::error::Error for LimitExceeded {}
