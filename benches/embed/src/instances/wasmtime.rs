//! Wasmtime, in the configurations that its documentation offers for many short instances. Which
//! of them is the fastest differs from row to row; a row is compared with its best.

use selkie_benches::Outcome;
use wasmtime::{
    Config, Enabled, Engine, Error, Instance, InstanceAllocationStrategy, InstancePre, Linker,
    Module, ModuleExport, PoolingAllocationConfig, Store,
};

use super::Data;
use crate::artifact;
use crate::guests::{Guest, Source};

/// A way to configure Wasmtime.
pub struct Configuration {
    /// What it is called in tables.
    pub name: &'static str,
    /// Makes it.
    pub make: fn() -> Config,
}

/// All that are tried.
pub const CONFIGURATIONS: &[Configuration] = &[
    Configuration { name: "on demand", make: on_demand },
    Configuration { name: "pool", make: || pool(0, Enabled::No) },
    Configuration { name: "pool, keeps 64 KiB", make: || pool(64 << 10, Enabled::No) },
    Configuration { name: "pool, keeps 1 MiB", make: || pool(1 << 20, Enabled::No) },
    Configuration { name: "pool, keeps 16 MiB", make: || pool(16 << 20, Enabled::No) },
    Configuration { name: "pool, keeps 64 KiB, scans", make: || pool(64 << 10, Enabled::Yes) },
    Configuration { name: "pool, keeps 1 MiB, scans", make: || pool(1 << 20, Enabled::Yes) },
    Configuration { name: "pool, keeps 16 MiB, scans", make: || pool(16 << 20, Enabled::Yes) },
];

fn on_demand() -> Config {
    let mut config = Config::new();
    config.memory_init_cow(true);
    config
}

/// A pool with room for every guest, that keeps so many bytes of each memory and table, which it
/// overwrites instead of asking the system for fresh ones; `scan` says whether it asks the system
/// first which pages have been written to.
fn pool(keep_bytes: usize, scan: Enabled) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(64).total_memories(64).total_tables(64);
    pool.max_memory_size(64 << 20).table_elements(10_000);
    pool.linear_memory_keep_resident(keep_bytes).table_keep_resident(keep_bytes);
    pool.pagemap_scan(scan);
    let mut config = on_demand();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// Makes instances.
pub struct Maker {
    engine: Engine,
    module: Module,
    pre: InstancePre<Data>,
}

impl Maker {
    /// Compiles the guest; what it imports traps.
    ///
    /// # Errors
    /// When it cannot be compiled.
    pub fn new(guest: &Guest, config: &Config) -> Outcome<Maker> {
        let engine = Engine::new(config).map_err(said)?;
        let module = match &guest.source {
            Source::Bytes(bytes) => Module::new(&engine, bytes).map_err(said)?,
            Source::File(path) => artifact::wasmtimes(&engine, path)?,
        };
        let mut linker = Linker::new(&engine);
        linker.define_unknown_imports_as_traps(&module).map_err(said)?;
        let pre = linker.instantiate_pre(&module).map_err(said)?;
        Ok(Maker { engine, module, pre })
    }
}

impl super::Maker for Maker {
    type Export = ModuleExport;
    type Live = (Store<Data>, Instance);

    fn export(&self, name: &str) -> Outcome<ModuleExport> {
        self.module.get_export_index(name).ok_or_else(|| format!("wasmtime: no export `{name}`"))
    }

    fn instantiate(&self, data: Data) -> Outcome<Self::Live> {
        let mut store = Store::new(&self.engine, data);
        let instance = self.pre.instantiate(&mut store).map_err(said)?;
        Ok((store, instance))
    }

    fn call(&self, live: &mut Self::Live, export: &ModuleExport, argument: i32) -> Outcome<i32> {
        let (store, instance) = live;
        let func = instance
            .get_module_export(&mut *store, export)
            .and_then(wasmtime::Extern::into_func)
            .ok_or("wasmtime: no such function")?;
        let func = func.typed::<i32, i32>(&*store).map_err(said)?;
        func.call(store, argument).map_err(said)
    }

    fn memory<'a>(&self, live: &'a mut Self::Live) -> Outcome<&'a mut [u8]> {
        let (store, instance) = live;
        let memory = instance.get_memory(&mut *store, "memory").ok_or("wasmtime: no memory")?;
        Ok(memory.data_mut(store))
    }
}

fn said(error: Error) -> String {
    format!("wasmtime: {error:#}")
}
