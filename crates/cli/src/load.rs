//! From an input to a module that can be run: an artifact, an entry of the cache, or compiled.

use crate::cache::Cache;
use crate::input::{Content, Input, to_binary};
use crate::progress::Progress;
use crate::report::Failure;
use crate::settings::Settings;
use crate::trusted::{self, Vouched};
use selkie::{Engine, Module};

/// The engine that settings ask for.
pub(crate) fn engine(settings: &Settings) -> Result<Engine, Failure> {
    Engine::new(&settings.config).map_err(|error| Failure::engine(&error, ""))
}

/// The module of an input.
///
/// # Errors
/// It is not valid, not supported, an artifact that does not fit, or one that nobody vouches for.
pub(crate) fn module(
    engine: &Engine,
    input: Input,
    settings: &Settings,
) -> Result<Module, Failure> {
    match input.content {
        Content::Artifact(artifact) => {
            let (shown, path) = (&input.shown, input.path.as_deref());
            let vouched = Vouched::by_user(shown, path, settings.allow_precompiled)?;
            let module = trusted::artifact(engine, artifact, vouched);
            module.map_err(|error| Failure::engine(&error, shown))
        }
        Content::Module(ref bytes) | Content::Text(ref bytes) => {
            cached_or_compiled(engine, &input, bytes, settings)
        }
    }
}

fn cached_or_compiled(
    engine: &Engine,
    input: &Input,
    bytes: &[u8],
    settings: &Settings,
) -> Result<Module, Failure> {
    let mut cache = Cache::open(&settings.cache);
    let key = cache.as_ref().map(|_| Cache::key(engine, bytes));
    if let (Some(cache), Some(key)) = (&cache, &key)
        && let Some(module) = cache.load(engine, key)
    {
        return Ok(module);
    }
    let module = compile(engine, input)?;
    if let (Some(cache), Some(key)) = (&mut cache, &key) {
        cache.store(key, &module);
    }
    Ok(module)
}

/// Compiles without looking at the cache.
pub(crate) fn compile(engine: &Engine, input: &Input) -> Result<Module, Failure> {
    let encoded;
    let binary = match &input.content {
        Content::Module(bytes) => bytes,
        Content::Text(text) => {
            encoded = to_binary(text, input.path.as_deref())?;
            &encoded
        }
        Content::Artifact(_) => {
            let message = format!("{} is compiled already", input.shown);
            return Err(Failure::error(message));
        }
    };
    let progress = Progress::start();
    Module::compile(engine, binary, Some(&|done, all| progress.report(done, all)))
        .map_err(|error| Failure::engine(&error, &input.shown))
}
