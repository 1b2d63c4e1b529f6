//! The command line of Selkie, as a library that the binary and the project's tests share.
//!
//! ```text
//! arguments ──► options ──► a command ──► settings (configuration file, -W -O -S)
//!                  │                          │
//!                  ├─ help, version           └─► input ──► load (cache, compiler)
//!                  └─ refusals: status 2                          ▼
//!                                              run · compile · preinit · validate · inspect · …
//! ```
//!
//! Everything that can fail ends in one [`report::Failure`], which `main` prints; nothing else
//! writes errors.
#![deny(unsafe_code)] // allowed in `trusted` only

mod cache;
mod compile;
mod completions;
mod config_file;
mod disas;
mod elsewhere;
mod grants;
mod imports;
mod input;
mod inspect;
mod invoke;
mod kinds;
mod knobs;
mod linking;
mod load;
mod options;
mod output;
mod preinit;
mod progress;
mod report;
mod run;
mod scripts;
mod sections;
mod settings;
mod target;
mod text;
mod trusted;
mod validate;
pub mod wall;
pub mod wast;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use options::Command;
use report::Failure;
use std::ffi::OsString;

/// Runs one command line (without the program's name) and answers the exit status.
pub fn main(args: impl IntoIterator<Item = OsString>) -> u8 {
    let done = match options::parse(&args.into_iter().collect::<Vec<_>>()) {
        Ok(command) => execute(&command),
        Err(error) => explain(error),
    };
    done.unwrap_or_else(|failure| failure.report())
}

fn execute(command: &Command) -> Result<u8, Failure> {
    match command {
        Command::Run(run) => run.main(),
        Command::Compile(compile) => compile.main(),
        Command::Preinit(preinit) => preinit.main(),
        Command::Validate(validate) => validate.main(),
        Command::Wast(wast) => wast.main(),
        Command::Inspect(inspect) => inspect.main(),
        Command::Disas(disas) => disas.main(),
        Command::Completions(completions) => completions.main(),
        Command::Version => {
            output::text(&options::definition().render_version())?;
            Ok(0)
        }
    }
}

/// Prints what was asked for instead of a command, or says what is wrong.
fn explain(mut error: clap::Error) -> Result<u8, Failure> {
    // Its advice to name a file like an option is no help.
    error.remove(ContextKind::Suggested);
    let known = error.get(ContextKind::InvalidArg).and_then(|invalid| match invalid {
        ContextValue::String(name) => elsewhere::option(name),
        _ => None,
    });
    let text = error.render().to_string();
    // Failures have their prefix added, and help has none.
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            output::text(text)?;
            Ok(0)
        }
        _ => {
            let first = text.lines().next().unwrap_or_default();
            Err(match known {
                Some(sentence) => Failure::usage(first).hint(sentence),
                None => Failure::usage(text.trim_end()),
            })
        }
    }
}
