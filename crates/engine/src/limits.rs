//! What the instances of one store may use, and the error of what starts beyond it.

use std::fmt;

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
