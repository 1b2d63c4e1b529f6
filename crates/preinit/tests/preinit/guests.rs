//! A module before and after, and what both answer.

use selkie_engine::{Engine, Error, Instance, Linker, Module, Store, Val};
use selkie_preinit::Preinit;

/// An instance in its own store.
pub(crate) struct Guest {
    pub(crate) store: Store<()>,
    pub(crate) instance: Instance,
}

impl Guest {
    #[track_caller]
    pub(crate) fn new(engine: &Engine, wasm: &[u8]) -> Guest {
        let module = Module::new(engine, wasm).unwrap();
        let mut store = Store::new(engine, ());
        let instance = Linker::new(engine).instantiate(&mut store, &module).unwrap();
        Guest { store, instance }
    }

    /// A call's results, or the words of its error.
    #[track_caller]
    pub(crate) fn call(&mut self, name: &str, params: &[Val]) -> String {
        let func = self.instance.get_func(&mut self.store, name).unwrap();
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        match func.call(&mut self.store, params, &mut results) {
            Ok(()) => format!("{results:?}"),
            Err(error) => error.to_string(),
        }
    }

    pub(crate) fn exports(&mut self) -> Vec<String> {
        self.instance.exports(&mut self.store).into_iter().map(|(name, _)| name).collect()
    }
}

pub(crate) fn binary(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

pub(crate) fn initialised(preinit: &Preinit, text: &str) -> Result<Vec<u8>, Error> {
    let engine = Engine::default();
    preinit.run(&mut Store::new(&engine, ()), &Linker::new(&engine), &binary(text))
}

/// The words of the refusal.
#[track_caller]
pub(crate) fn refusal(text: &str) -> String {
    initialised(&Preinit::new(), text).unwrap_err().to_string()
}
