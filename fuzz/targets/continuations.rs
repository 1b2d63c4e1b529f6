//! Programs that suspend, resume and switch answer what a model answers, collecting at every
//! allocation or when it suits.

use selkie::{
    Caller, Config, Engine, Error, Extern, Linker, Module, RootScope, Store, StoreLimits, Trap,
};
use selkie_fuzz::campaign::{self, Outcome};
use selkie_fuzz::continuations::{Answer, End, Program};
use selkie_fuzz::generate::Numbers;
use std::process::ExitCode;
use std::sync::LazyLock;

/// Engines that must do the same.
static ENGINES: LazyLock<[Engine; 2]> = LazyLock::new(|| {
    let mut plain = Config::new();
    plain.wasm_stack_switching(true).compile_threads(1);
    let mut stressed = plain.clone();
    stressed.gc_stress(true).inlining(false).continuation_stack_bytes(64 << 10);
    [plain, stressed].map(|config| Engine::new(&config).expect("these settings fit every host"))
});

fn main() -> ExitCode {
    campaign::run("continuations", |seed| {
        let program = Program::new(&mut Numbers::new(seed));
        let Some(answer) = program.answer() else { return Outcome::Useless };
        let text = program.text();
        for (which, engine) in ENGINES.iter().enumerate() {
            let wrong = match run(engine, &text) {
                Ok(found) if found == answer => continue,
                Ok(found) => format!("engine {which}: {found:?} instead of {answer:?}"),
                Err(error) => format!("engine {which}: {error}"),
            };
            return Outcome::Wrong(wrong, text.into_bytes());
        }
        Outcome::Right(2)
    })
}

fn run(engine: &Engine, text: &str) -> selkie::Result<Answer> {
    let module = Module::new(engine, text)?;
    let mut linker = Linker::new(engine);
    linker.func_wrap("host", "call", call_back)?;
    let mut store = Store::new(engine, ());
    store.set_limits(StoreLimits { gc_heap_bytes: 64 << 20, ..StoreLimits::default() });
    let instance = linker.instantiate(&mut store, &module)?;
    let run = instance.get_typed_func::<(), u64>(&mut store, "run")?;
    let end = match run.call(&mut store, ()) {
        Ok(number) => End::Returns(number),
        Err(error) if error.trap() == Some(Trap::UnhandledTag) => End::Unhandled,
        Err(error) => End::Throws(thrown(&mut store, error)?),
    };
    let trace = instance.get_global(&mut store, "trace").map(|global| global.get(&mut store));
    let trace = trace.and_then(|value| value.i64()).unwrap_or_default() as u64;
    Ok(Answer { end, trace })
}

fn call_back(mut caller: Caller<'_, ()>, function: u32, number: u64) -> selkie::Result<u64> {
    let export = caller.get_export(&format!("h{function}")).and_then(Extern::into_func);
    let func = export.ok_or_else(|| Error::msg("no such function"))?;
    func.typed::<u64, u64>(&caller)?.call(&mut caller, number)
}

/// The number of the exception that an error stands for; any other error is passed on.
fn thrown(store: &mut Store<()>, error: Error) -> selkie::Result<u64> {
    let Some(exception) = error.exception().cloned() else { return Err(error) };
    let mut scope = RootScope::new(store);
    let exception = exception.to_rooted(&mut scope)?;
    let number = exception.fields(&mut scope)?.next().and_then(|field| field.i64());
    number.map(|number| number as u64).ok_or_else(|| Error::msg("it carries no number"))
}
