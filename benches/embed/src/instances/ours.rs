//! Ours.

use selkie::{Engine, Instance, InstancePre, Linker, Module, Store};
use selkie_benches::Outcome;

use super::Data;
use crate::artifact;
use crate::guests::{Guest, Source};

/// Makes instances.
pub struct Maker {
    engine: Engine,
    pre: InstancePre<Data>,
}

impl Maker {
    /// Compiles the guest; what it imports traps.
    ///
    /// # Errors
    /// When it cannot be compiled.
    pub fn new(guest: &Guest) -> Outcome<Maker> {
        let engine = Engine::default();
        let module = match &guest.source {
            Source::Bytes(bytes) => Module::new(&engine, bytes).map_err(said)?,
            Source::File(path) => artifact::ours(&engine, path)?,
        };
        let mut linker = Linker::new(&engine);
        linker.define_unknown_imports_as_traps(&module).map_err(said)?;
        let pre = linker.instantiate_pre(&module).map_err(said)?;
        Ok(Maker { engine, pre })
    }
}

impl super::Maker for Maker {
    type Export = String;
    type Live = (Store<Data>, Instance);

    fn export(&self, name: &str) -> Outcome<String> {
        Ok(name.to_owned())
    }

    fn instantiate(&self, data: Data) -> Outcome<Self::Live> {
        let mut store = Store::try_new(&self.engine, data).map_err(said)?;
        let instance = self.pre.instantiate(&mut store).map_err(said)?;
        Ok((store, instance))
    }

    fn call(&self, live: &mut Self::Live, export: &String, argument: i32) -> Outcome<i32> {
        let (store, instance) = live;
        let func = instance.get_typed_func::<i32, i32>(&mut *store, export).map_err(said)?;
        func.call(store, argument).map_err(said)
    }

    fn memory<'a>(&self, live: &'a mut Self::Live) -> Outcome<&'a mut [u8]> {
        let (store, instance) = live;
        let memory = instance.get_memory(&mut *store, "memory").ok_or("selkie: no memory")?;
        Ok(memory.data_mut(store))
    }
}

fn said(error: selkie::Error) -> String {
    format!("selkie: {error:#}")
}
