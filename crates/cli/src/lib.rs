//! The command line of Selkie, as a library that the binary and the project's tests share.
//!
//! ```text
//! arguments ──► options (tables, parser) ──► settings (configuration file, -W -O -S) ──► a command
//!                    │                                                                     │
//!                    ├─ help, completions                            input ──► load (cache, compiler)
//!                    └─ refusals: status 2                                        ▼
//!                                                         run · compile · validate · inspect · …
//! ```
//!
//! Everything that can fail ends in one [`report::Failure`], which `main` prints; nothing else
//! writes errors.
#![deny(unsafe_code)] // allowed in `trusted` only

mod cache;
mod command;
mod compile;
mod completions;
mod config_file;
mod disas;
mod grants;
mod help;
mod imports;
mod input;
mod inspect;
mod invoke;
mod kinds;
mod knobs;
mod load;
mod options;
mod output;
mod progress;
mod report;
mod run;
mod scripts;
mod sections;
mod settings;
mod text;
mod trusted;
mod validate;
pub mod wall;
pub mod wast;

use command::Command;
use options::Invocation;
use report::Failure;
use std::ffi::OsString;

/// Runs one command line (without the program's name) and answers the exit status.
pub fn main(args: impl IntoIterator<Item = OsString>) -> u8 {
    match dispatch(args.into_iter().collect()) {
        Ok(status) => status,
        Err(failure) => failure.report(),
    }
}

fn dispatch(args: Vec<OsString>) -> Result<u8, Failure> {
    let invocation = options::parse(args)?;
    if invocation.wants_help() {
        return help::command(invocation.command);
    }
    match invocation.command {
        Command::Run => run::main(&invocation),
        Command::Compile => compile::main(&invocation),
        Command::Validate => validate::main(&invocation),
        Command::Wast => scripts::main(&invocation),
        Command::Inspect => inspect::main(&invocation),
        Command::Disas => disas::main(&invocation),
        Command::Completions => completions::main(&invocation),
        Command::Help => help::main(&invocation),
        Command::Version => version(&invocation),
    }
}

fn version(_: &Invocation) -> Result<u8, Failure> {
    output::line(concat!("selkie ", env!("CARGO_PKG_VERSION")))?;
    Ok(0)
}
