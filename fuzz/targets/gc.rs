//! Random object graphs: programs over structs and arrays answer what a model without a collector
//! answers, collecting at every allocation or when it suits.

use selkie::{AsContextMut, Caller, Config, Engine, Linker, Module, Store, StoreLimits};
use selkie_fuzz::campaign::{self, Outcome};
use selkie_fuzz::generate::Numbers;
use selkie_fuzz::graphs::Program;
use std::process::ExitCode;

fn main() -> ExitCode {
    campaign::run("gc", |seed| {
        let program = Program::new(&mut Numbers::new(seed));
        let Some(answer) = program.answer() else { return Outcome::Useless };
        let text = program.text();
        for (stress, how) in [(false, "as usual"), (true, "under stress")] {
            let wrong = match run(stress, &text) {
                Ok(found) if found == answer => continue,
                Ok(found) => format!("{how}: {found:#x} instead of {answer:#x}"),
                Err(error) => format!("{how}: {error}"),
            };
            return Outcome::Wrong(wrong, text.into_bytes());
        }
        Outcome::Right(2)
    })
}

fn run(stress: bool, text: &str) -> selkie::Result<u64> {
    let mut config = Config::new();
    // Inlined and not: references of several functions in one frame, and frames of their own.
    config.gc_stress(stress).inlining(!stress).compile_threads(1);
    let engine = Engine::new(&config)?;
    let module = Module::new(&engine, text)?;
    let mut linker = Linker::new(&engine);
    linker.func_wrap("host", "collect", |mut caller: Caller<'_, ()>| {
        caller.as_context_mut().gc();
    })?;
    let mut store = Store::new(&engine, ());
    store.set_limits(StoreLimits { gc_heap_bytes: 64 << 20, ..StoreLimits::default() });
    let instance = linker.instantiate(&mut store, &module)?;
    instance.get_typed_func::<(), u64>(&mut store, "run")?.call(&mut store, ())
}
