//! wasmi. It has no instances prepared for: its linker looks names up each time, so a module
//! without imports does without a linker.

use selkie_benches::Outcome;
use wasmi::{CompilationMode, Config, Engine, Error, ExternType, Instance, Linker, Module, Store};

use super::Data;
use crate::guests::{Guest, Source};

/// Makes instances.
pub struct Maker {
    engine: Engine,
    module: Module,
    /// What the module imports, if it imports anything.
    linker: Option<Linker<Data>>,
}

impl Maker {
    /// Translates the guest; what it imports traps.
    ///
    /// # Errors
    /// When it cannot be translated.
    pub fn new(guest: &Guest) -> Outcome<Maker> {
        let mut config = Config::default();
        let bytes = match &guest.source {
            Source::Bytes(bytes) => {
                config.compilation_mode(CompilationMode::Eager);
                bytes.clone()
            }
            Source::File(path) => {
                // Nothing of it is called.
                config.compilation_mode(CompilationMode::Lazy);
                std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?
            }
        };
        let engine = Engine::new(&config);
        let module = Module::new(&engine, &bytes).map_err(said)?;
        let linker = trapping(&engine, &module)?;
        Ok(Maker { engine, module, linker })
    }
}

fn trapping(engine: &Engine, module: &Module) -> Outcome<Option<Linker<Data>>> {
    let mut linker = Linker::new(engine);
    let mut is_needed = false;
    for import in module.imports() {
        is_needed = true;
        let ExternType::Func(ty) = import.ty() else {
            return Err(format!("wasmi: {} is no function", import.name()));
        };
        let trap = |_: wasmi::Caller<'_, Data>, _: &[wasmi::Val], _: &mut [wasmi::Val]| {
            Err(Error::new("an import was called"))
        };
        linker
            .func_new(import.module(), import.name(), ty.clone(), trap)
            .map_err(|e| format!("wasmi: {e}"))?;
    }
    Ok(is_needed.then_some(linker))
}

impl super::Maker for Maker {
    type Export = String;
    type Live = (Store<Data>, Instance);

    fn export(&self, name: &str) -> Outcome<String> {
        Ok(name.to_owned())
    }

    fn instantiate(&self, data: Data) -> Outcome<Self::Live> {
        let mut store = Store::new(&self.engine, data);
        let instance = match &self.linker {
            None => Instance::new(&mut store, &self.module, &[]),
            Some(linker) => linker.instantiate_and_start(&mut store, &self.module),
        };
        Ok((store, instance.map_err(said)?))
    }

    fn call(&self, live: &mut Self::Live, export: &String, argument: i32) -> Outcome<i32> {
        let (store, instance) = live;
        let func = instance.get_typed_func::<i32, i32>(&*store, export).map_err(said)?;
        func.call(store, argument).map_err(said)
    }

    fn memory<'a>(&self, live: &'a mut Self::Live) -> Outcome<&'a mut [u8]> {
        let (store, instance) = live;
        let memory = instance.get_memory(&*store, "memory").ok_or("wasmi: no memory")?;
        Ok(memory.data_mut(store))
    }
}

fn said(error: Error) -> String {
    format!("wasmi: {error}")
}
