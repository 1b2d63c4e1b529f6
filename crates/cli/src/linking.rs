//! What every program that runs is linked with and runs in: its imports, its store.

use crate::imports::{self, Unknown, explain_unknown};
use crate::report::Failure;
use crate::settings::Settings;
use selkie::wasi::{WasiCtx, add_to_linker};
use selkie::{Engine, ExternType, Linker, Module, Store};

/// What a module may import; `shown` is how it is called in messages.
///
/// # Errors
/// Nobody provides something that it imports.
pub(crate) fn linker(
    engine: &Engine,
    module: &Module,
    settings: &Settings,
    shown: &str,
) -> Result<Linker<WasiCtx>, Failure> {
    let failed = |error: selkie::Error| Failure::engine(&error, shown);
    let mut linker = Linker::new(engine);
    if let Some(module) = &settings.string_constants {
        linker.imported_string_constants(Some(module));
    }
    if module.imports().any(|import| imports::is_wasi(import.module())) {
        add_to_linker(&mut linker, |context: &mut WasiCtx| context).map_err(failed)?;
    }
    if settings.unknown_imports_trap {
        linker.define_unknown_imports_as_traps(module).map_err(failed)?;
    }
    let all = module.imports();
    let unknown: Vec<_> = all
        .filter(|import| !linker.contains(import.module(), import.name()))
        .map(|import| Unknown {
            module: import.module(),
            name: import.name(),
            is_func: matches!(import.ty(), ExternType::Func(_)),
        })
        .collect();
    if unknown.is_empty() {
        return Ok(linker);
    }
    Err(Failure::error(format!("{shown}: {}", explain_unknown(&unknown))))
}

/// A store with the limits that were asked for.
///
/// # Errors
/// The system has no room for it.
pub(crate) fn store(
    engine: &Engine,
    context: WasiCtx,
    settings: &Settings,
    shown: &str,
) -> Result<Store<WasiCtx>, Failure> {
    let failed = |error: selkie::Error| Failure::engine(&error, shown);
    let mut store = Store::try_new(engine, context).map_err(failed)?;
    store.set_limits(settings.limits);
    if let Some(units) = settings.fuel {
        store.set_fuel(units).map_err(failed)?;
    }
    if settings.timeout.is_some() {
        store.set_deadline(settings.timeout).map_err(failed)?;
    }
    Ok(store)
}
