//! `selkie run`: loads a program, gives it what was granted, runs it, and ends as it did.

use crate::grants::{GrantOptions, Grants};
use crate::imports;
use crate::input;
use crate::invoke;
use crate::knobs::Group;
use crate::linking;
use crate::load;
use crate::options::Loading;
use crate::output::{self, note};
use crate::report::Failure;
use crate::settings::Settings;
use crate::text::{shown, some_of};
use crate::wall::{self, Demand};
use clap::{Parser, ValueHint};
use selkie::wasi::{Exit, WasiCtx};
use selkie::{Engine, Instance, Linker, Module, Store};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::mem::ManuallyDrop;

/// Run a program (the command when none is named)
#[derive(Debug, Parser)]
#[command(
    no_binary_name = true,
    args_override_self = true,
    override_usage = "selkie [run] [OPTION]... FILE [ARG]...",
    after_help = NOTES
)]
pub(crate) struct Run {
    #[command(flatten)]
    grants: GrantOptions,
    /// Call the export NAME with the arguments as its parameters and print its results
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    invoke: Option<String>,
    /// Print what the program would be given, and do not run it
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    loading: Loading,
    /// Streams, sockets and the rest of WASI; `-S help` lists the choices
    #[arg(short = 'S', long, value_name = "NAME[=VALUE]", value_parser = &Group::WASI)]
    #[arg(hide_possible_values = true)]
    wasi: Vec<String>,
    /// The program, and its arguments, which are passed on as they are
    #[arg(required = true, trailing_var_arg = true, value_name = "FILE")]
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) program: Vec<OsString>,
}

const NOTES: &str = "\
Exit status: the program's own; 134 after a trap or an exception, 124 when its time is over, 2 for a wrong command line, 1 for other errors.
Compiled code is kept in $XDG_CACHE_HOME/selkie (or ~/.cache/selkie), which is cleaned by itself.
An artifact (.cwasm) is machine code, which no sandbox checks: run one only if you trust whoever
made it as you trust the makers of your programs.";

impl Run {
    /// Runs the program and answers its exit status.
    pub(crate) fn main(&self) -> Result<u8, Failure> {
        let Some((file, args)) = self.program.split_first() else {
            return Err(Failure::usage("no program is named; see `selkie help run`"));
        };
        let settings = self.loading.settings()?.with(&Group::WASI, &self.wasi)?;
        let invoke = self.invoke.as_deref();
        // The arguments are the function's parameters then, and no program's.
        let guest_args = if invoke.is_some() { &[][..] } else { args };
        let grants = Grants::of(&self.grants, &settings.wasi, file, guest_args)?;
        let input = input::read(file)?;
        let engine = load::engine(&settings)?;
        let shown = input.shown.clone();
        let module = ManuallyDrop::new(load::module(&engine, input, &settings)?);
        let program = Program { shown: &shown, module: &module, settings: &settings };
        if self.dry_run {
            return program.dry_run(&engine, &grants);
        }
        program.run(&engine, &grants, invoke, args)
    }
}

struct Program<'a> {
    /// How the program is called in messages.
    shown: &'a str,
    module: &'a Module,
    settings: &'a Settings,
}

impl Program<'_> {
    /// Does what comes before the program's first instruction, and says what it would be given.
    fn dry_run(&self, engine: &Engine, grants: &Grants) -> Result<u8, Failure> {
        self.linker(engine)?;
        grants.open(&self.settings.wasi)?;
        let mut text = grants.describe(&self.settings.wasi);
        let wall = self.settings.wasi.wall.describe(wall::probe);
        text.push_str(&format!("wall:\n  {wall}\n"));
        let imports: Vec<_> = self.module.imports().map(|i| (i.module(), i.name())).collect();
        text.push_str("it may also want:\n");
        let mut is_content = true;
        for need in imports::needs(imports.iter().copied()).iter().filter(|n| !n.flag.is_empty()) {
            is_content = false;
            text.push_str(&format!("  {}: {}\n", need.what, need.flag));
        }
        if is_content {
            text.push_str("  nothing\n");
        }
        output::text(&text)?;
        Ok(0)
    }

    fn run(
        &self,
        engine: &Engine,
        grants: &Grants,
        invoke: Option<&str>,
        args: &[OsString],
    ) -> Result<u8, Failure> {
        let linker = ManuallyDrop::new(self.linker(engine)?);
        let context = grants.open(&self.settings.wasi)?;
        raise_wall(self.settings.wasi.wall, &context)?;
        let store = linking::store(engine, context, self.settings, self.shown)?;
        // The process ends with the program: giving back what it holds would be wasted time.
        let mut store = ManuallyDrop::new(store);
        let outcome = self.start(&linker, &mut store, invoke, args)?;
        match outcome {
            Ok(()) => Ok(0),
            Err(error) => self.end(&error, grants),
        }
    }

    fn linker(&self, engine: &Engine) -> Result<Linker<WasiCtx>, Failure> {
        linking::linker(engine, self.module, self.settings, self.shown)
    }

    /// Instantiates and calls. The outer error is a call that cannot be made; the inner one is
    /// the program's end.
    fn start(
        &self,
        linker: &Linker<WasiCtx>,
        store: &mut Store<WasiCtx>,
        invoke: Option<&str>,
        args: &[OsString],
    ) -> Result<selkie::Result<()>, Failure> {
        let instance = match linker.instantiate(&mut *store, self.module) {
            Ok(instance) => instance,
            Err(error) => return Ok(Err(error)),
        };
        let Some(name) = invoke else {
            if instance.get_func(&mut *store, "_start").is_some() {
                return Ok(call_plain(store, instance, "_start"));
            }
            self.check_was_program(store, instance)?;
            return Ok(Ok(()));
        };
        if instance.get_func(&mut *store, "_initialize").is_some() && name != "_initialize" {
            let initialized = call_plain(store, instance, "_initialize");
            if initialized.is_err() {
                return Ok(initialized);
            }
        }
        let results = match invoke::call(store, instance, name, args)? {
            Ok(results) => results,
            Err(error) => return Ok(Err(error)),
        };
        for result in results {
            output::line(&result)?;
        }
        Ok(Ok(()))
    }

    /// A module without `_start` is a program only if its start function is all it has.
    fn check_was_program(
        &self,
        store: &mut Store<WasiCtx>,
        instance: Instance,
    ) -> Result<(), Failure> {
        let functions = invoke::function_names(store, instance);
        if functions.is_empty() {
            return Ok(());
        }
        let functions: Vec<String> = functions.iter().map(|name| shown(name)).collect();
        Err(Failure::error(format!(
            "{} exports no function `_start`: it is a library, not a program; call one of its \
             functions with --invoke: {}",
            self.shown,
            some_of(&functions, 8)
        )))
    }

    /// The status that a program ends with when it does not simply return.
    fn end(&self, error: &selkie::Error, grants: &Grants) -> Result<u8, Failure> {
        match error.downcast_ref::<Exit>() {
            Some(Exit(0)) => Ok(0),
            Some(Exit(code)) => {
                // For people only, and only where the program itself was not content.
                if std::io::stderr().is_terminal() && self.misses_dirs(grants) {
                    note(NO_DIRECTORY);
                }
                Ok(exit_status(*code))
            }
            None => Err(self.failed(error)),
        }
    }

    /// Whether it can look for files and was given none.
    fn misses_dirs(&self, grants: &Grants) -> bool {
        let mut imports = self.module.imports();
        let looks = imports.any(|i| imports::is_wasi(i.module()) && i.name().starts_with("path_"));
        looks && !grants.has_dirs()
    }

    fn failed(&self, error: &selkie::Error) -> Failure {
        Failure::engine(error, self.shown)
    }
}

/// Raises the second wall if that is asked. From here on nothing but the grants can be opened.
pub(crate) fn raise_wall(demand: Demand, context: &WasiCtx) -> Result<(), Failure> {
    if demand == Demand::Off {
        return Ok(());
    }
    let attempt = wall::raise(context);
    let is_seen = || std::io::stderr().is_terminal();
    if let Some(words) = demand.consequence(&attempt, is_seen).map_err(Failure::error)? {
        note(&words);
    }
    Ok(())
}

const NO_DIRECTORY: &str = "hint: the program was given no directory; if it looks for files, grant one with --dir HOST[::GUEST]";

fn call_plain(store: &mut Store<WasiCtx>, instance: Instance, name: &str) -> selkie::Result<()> {
    instance.get_typed_func::<(), ()>(&mut *store, name)?.call(&mut *store, ())
}

/// Statuses have eight bits; a failure must not become a success by losing the others.
fn exit_status(code: u32) -> u8 {
    match code as u8 {
        0 => u8::MAX,
        status => status,
    }
}
