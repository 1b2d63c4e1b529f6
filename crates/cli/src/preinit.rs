//! `selkie preinit`: runs a module's initializer now, with what it is granted, and writes a module
//! that begins with the state it left.

use crate::grants::{GrantOptions, Grants};
use crate::input::{self, Input};
use crate::knobs::Group;
use crate::linking;
use crate::load;
use crate::options::Making;
use crate::report::Failure;
use crate::run::raise_wall;
use crate::settings::Settings;
use crate::target;
use crate::text::{shown, some_of};
use clap::{Args, ValueHint};
use selkie::Engine;
use selkie::preinit::{Preinit as Choices, Prepared};
use selkie::wasi::Exit;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Run a module's initializer now and write a module that begins with its state
#[derive(Args, Debug)]
#[command(
    override_usage = "selkie preinit [OPTION]... FILE --output FILE [-- ARG...]",
    after_help = NOTES
)]
pub(crate) struct Preinit {
    /// Where the new module goes, compiled to an artifact if the name ends in .cwasm; `-` for
    /// standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: PathBuf,
    /// The export that initialises it, with no parameters and results (default wizer-initialize)
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    init_func: Option<String>,
    /// Leave the initializer exported
    #[arg(long)]
    keep_init_func: bool,
    /// Export the function OLD as NEW instead, such as _start=wizer.resume
    #[arg(long, value_name = "NEW=OLD")]
    rename_func: Vec<String>,
    #[command(flatten)]
    grants: GrantOptions,
    #[command(flatten)]
    making: Making,
    /// Streams, sockets and the rest of WASI; `-S help` lists the choices; no standard input here
    #[arg(short = 'S', long, value_name = "NAME[=VALUE]", value_parser = &Group::WASI)]
    #[arg(hide_possible_values = true)]
    wasi: Vec<String>,
    /// The module, binary or text; `-` for standard input
    #[arg(value_hint = ValueHint::FilePath)]
    file: OsString,
    /// Arguments that the initializer sees
    #[arg(last = true, value_name = "ARG")]
    args: Vec<OsString>,
}

const NOTES: &str = "\
First what the module starts with runs (its start function, `_initialize`), then the initializer;
none of them runs again. Memories, tables, globals and dropped segments are kept, and nothing that
lies outside of the module: files that the initializer opens are not open later. What it learns of
arguments, environment, directories, time and random numbers stays as it was now.";

impl Preinit {
    pub(crate) fn main(&self) -> Result<u8, Failure> {
        let mut settings = self.making.settings()?;
        // What is typed now is meant for the program later.
        settings.wasi.closed_streams[0] = true;
        let settings = settings.with(&Group::WASI, &self.wasi)?;
        let choices = self.choices()?;
        let grants = Grants::of(&self.grants, &settings.wasi, &self.file, &self.args)?;
        let input = input::read(&self.file)?;
        let target = (self.output != Path::new("-")).then_some(self.output.as_path());
        target::refuse_the_source(target, &input)?;
        let ready = initialise(input, &settings, &grants, &choices)?;
        let is_artifact = target.is_some_and(|path| path.extension() == Some("cwasm".as_ref()));
        let bytes = if is_artifact {
            let compiled = load::engine(&settings)?.precompile_module(&ready);
            compiled.map_err(|error| Failure::engine(&error, "the new module"))?
        } else {
            ready
        };
        target::write(target, &bytes)?;
        Ok(0)
    }

    fn choices(&self) -> Result<Choices, Failure> {
        let mut choices = Choices::new();
        if let Some(name) = &self.init_func {
            choices.init_func(name);
        }
        choices.keep_init_func(self.keep_init_func);
        for rename in &self.rename_func {
            let Some((new, old)) = rename.split_once('=') else {
                let what = format!("--rename-func {}: it needs NEW=OLD", shown(rename));
                return Err(Failure::usage(what));
            };
            choices.rename_func(new, old);
        }
        Ok(choices)
    }
}

/// The new module.
fn initialise(
    input: Input,
    settings: &Settings,
    grants: &Grants,
    choices: &Choices,
) -> Result<Vec<u8>, Failure> {
    let about = input.shown.clone();
    let binary = input.into_binary()?;
    let engine = load::engine(settings)?;
    let failed = |error: selkie::Error| Failure::engine(&error, &about);
    let prepared = choices.prepare(&engine, &binary).map_err(failed)?;
    if let Err(error) = prepared.init_func() {
        return Err(with_candidates(failed(error), &prepared));
    }
    let run = || run(&engine, &prepared, settings, grants, &about);
    // The wall stands around the thread that the guest runs on; this one still has to write.
    let thread = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, run);
        thread.map(|thread| thread.join().unwrap_or_else(|_| Err(Failure::silent())))
    });
    thread.map_err(|error| Failure::error(format!("cannot start a thread: {error}")))?
}

fn run(
    engine: &Engine,
    prepared: &Prepared<'_>,
    settings: &Settings,
    grants: &Grants,
    about: &str,
) -> Result<Vec<u8>, Failure> {
    let linker = linking::linker(engine, prepared.module(), settings, about)?;
    let context = grants.open(&settings.wasi)?;
    raise_wall(settings.wasi.wall, &context)?;
    let mut store = linking::store(engine, context, settings, about)?;
    prepared.run(&mut store, &linker).map_err(|error| match error.downcast_ref::<Exit>() {
        Some(Exit(code)) => Failure::error(format!(
            "{about}: the initializer ended the program with status {code} instead of returning; \
             there is no state to keep"
        )),
        None => Failure::engine(&error, about),
    })
}

/// Adds which exports could be initializers.
fn with_candidates(failure: Failure, prepared: &Prepared<'_>) -> Failure {
    let names: Vec<String> = prepared.candidates().map(shown).collect();
    if names.is_empty() {
        return failure.hint("it exports no function that could be one, of type () -> ()");
    }
    failure.hint(&format!("--init-func names another: {}", some_of(&names, 8)))
}
