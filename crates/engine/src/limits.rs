//! What the instances of one store may use.

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
    /// Instances.
    pub instances: usize,
    /// Linear memories.
    pub memories: usize,
    /// Tables.
    pub tables: usize,
}

impl Default for StoreLimits {
    /// Memories as large as the system gives, tables of ten million elements, ten thousand of
    /// each kind.
    fn default() -> StoreLimits {
        StoreLimits {
            memory_bytes: u64::MAX,
            table_elements: 10_000_000,
            instances: 10_000,
            memories: 10_000,
            tables: 10_000,
        }
    }
}
