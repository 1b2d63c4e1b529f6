//! The command line: its commands, the options that several of them share, and the way from
//! arguments to a command. Options of one command alone stand in the command's own file.
//!
//! Invariant: behind the file of `run` nothing is read: the rest belongs to the guest, whatever
//! it begins with. What this file deliberately does not do: give values a meaning
//! (`settings.rs`, `grants.rs`).

use crate::compile::Compile;
use crate::completions::Completions;
use crate::disas::Disas;
use crate::inspect::Inspect;
use crate::knobs::Group;
use crate::preinit::Preinit;
use crate::report::Failure;
use crate::run::Run;
use crate::scripts::Wast;
use crate::settings::Settings;
use crate::validate::Validate;
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Runs WebAssembly
#[derive(Debug, Parser)]
#[command(
    name = "selkie",
    bin_name = "selkie",
    version,
    no_binary_name = true,
    args_override_self = true,
    subcommand_negates_reqs = true,
    override_usage = "selkie [OPTION]... FILE [ARG]...\n       selkie COMMAND [OPTION]... [OPERAND]...",
    after_help = NOTES
)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

const NOTES: &str = "\
FILE is a module (.wasm), its text (.wat) or an artifact (.cwasm); `-` is standard input.
An artifact is machine code: take one only from those you trust as you trust their programs.
A program has its standard streams and arguments and nothing else, until it is granted more.
Options come before FILE; all that follows it is the program's own.

`selkie help COMMAND` explains a command.";

/// A command with its options.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(Run),
    Compile(Compile),
    Preinit(Preinit),
    Validate(Validate),
    Wast(Wast),
    Inspect(Inspect),
    Disas(Disas),
    Completions(Completions),
    /// Print the version
    Version,
}

/// Options of every command that reads modules.
#[derive(Args, Debug)]
pub(crate) struct Reading {
    /// Proposals and limits; `-W help` lists them
    #[arg(short = 'W', long, value_name = "NAME[=VALUE]", value_parser = &Group::WASM)]
    #[arg(hide_possible_values = true)]
    wasm: Vec<String>,
    /// Read this configuration instead of $XDG_CONFIG_HOME/selkie/config.toml
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,
}

/// Options of every command that makes code.
#[derive(Args, Debug)]
pub(crate) struct Making {
    #[command(flatten)]
    reading: Reading,
    /// How code is made; `-O help` lists the choices
    #[arg(short = 'O', long, value_name = "NAME[=VALUE]", value_parser = &Group::OPTIMIZE)]
    #[arg(hide_possible_values = true)]
    optimize: Vec<String>,
}

/// Options of every command that loads code, made now, earlier, or by others.
#[derive(Args, Debug)]
pub(crate) struct Loading {
    #[command(flatten)]
    making: Making,
    /// Neither look for compiled code in the cache nor keep it there
    #[arg(long)]
    no_cache: bool,
    /// Take machine code from an artifact whatever its name, not only from *.cwasm
    #[arg(long)]
    allow_precompiled: bool,
}

impl Reading {
    /// What the configuration file and these options say, in this order.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        Settings::of_file(self.config.as_deref())?.with(&Group::WASM, &self.wasm)
    }
}

impl Making {
    /// What the configuration file and these options say, in this order.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        self.reading.settings()?.with(&Group::OPTIMIZE, &self.optimize)
    }
}

impl Loading {
    /// What the configuration file and these options say, in this order.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        let mut settings = self.making.settings()?;
        settings.cache.enabled &= !self.no_cache;
        settings.allow_precompiled = self.allow_precompiled;
        Ok(settings)
    }
}

/// The name `help` asks for the group's help, whatever else is missing on the command line.
impl TypedValueParser for &'static Group {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        if value == "help" {
            return Err(clap::Error::raw(ErrorKind::DisplayHelp, self.help()));
        }
        StringValueParser::new().parse_ref(command, arg, value)
    }

    /// What shells complete: every name, with its value to be added.
    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.names().chain(["help"]).map(PossibleValue::new)))
    }
}

/// The definition of the whole command line, for help and completions.
pub(crate) fn definition() -> clap::Command {
    CommandLine::command()
}

/// Reads a command line, without the program's name.
///
/// # Errors
/// It cannot be understood, or asks for help or the version.
pub(crate) fn parse(args: &[OsString]) -> Result<Command, clap::Error> {
    // Most command lines run a program, which may live for a millisecond: they are read without
    // defining all the other commands. Whatever else this could be is read again, by the whole.
    let (is_named, rest) = match args {
        [word, rest @ ..] if word == "run" => (true, rest),
        _ => (false, args),
    };
    if let Ok(run) = Run::try_parse_from(rest)
        && (is_named || !run.program.first().is_some_and(|word| is_command(word)))
    {
        return Ok(Command::Run(run));
    }
    let mut definition = definition();
    let mut matches = definition.try_get_matches_from_mut(args)?;
    let is_given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    if let Some(word) = matches.subcommand_name()
        && matches.ids().any(|id| is_given(id.as_str()))
    {
        let what = format!(
            "the options of `{word}` stand behind it: selkie {word} [OPTION]...; \
             a program in a file of that name is ./{word}"
        );
        return Err(definition.error(ErrorKind::ArgumentConflict, what));
    }
    let line = CommandLine::from_arg_matches_mut(&mut matches)?;
    Ok(line.command.unwrap_or(Command::Run(line.run)))
}

fn is_command(word: &OsStr) -> bool {
    word == "help" || word.to_str().is_some_and(Command::has_subcommand)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, clap::Error> {
        parse(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[track_caller]
    fn program(line: &str) -> Vec<OsString> {
        match parsed(line) {
            Ok(Command::Run(run)) => run.program,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_definition_is_sound() {
        definition().debug_assert();
    }

    #[test]
    fn everything_behind_the_file_belongs_to_the_guest() {
        let guests = ["a.wasm", "--dir", "x", "-h", "--", "run"];
        assert_eq!(program("--dir . a.wasm --dir x -h -- run"), guests);
        assert_eq!(program("run --dir . a.wasm --dir x -h -- run"), guests);
        assert_eq!(program("-- a.wasm --dir x -h -- run"), guests);
    }

    #[test]
    fn options_of_a_command_stand_behind_it() {
        assert!(matches!(
            parsed("validate -W simd=off a.wasm -Wgc b.wasm"),
            Ok(Command::Validate(_))
        ));
        let error = parsed("-W simd=off validate a.wasm").unwrap_err().to_string();
        assert!(error.contains("selkie validate [OPTION]..."), "{error}");
    }

    #[test]
    fn a_file_named_like_a_command_can_be_run() {
        for line in ["run wast", "run -- wast", "-- wast"] {
            assert_eq!(program(line), ["wast"]);
        }
        assert_eq!(program("./wast"), ["./wast"]);
    }

    #[test]
    fn options_of_other_commands_are_refused() {
        assert!(parsed("compile --dir=. a").is_err());
        assert!(parsed("--output x a").is_err());
    }

    #[test]
    fn a_lone_dash_is_an_operand() {
        assert_eq!(program("- x"), ["-", "x"]);
    }

    #[test]
    fn the_last_of_several_values_counts() {
        assert!(parsed("--config a --config b --dry-run --dry-run a.wasm").is_ok());
    }

    #[test]
    fn values_that_are_not_utf8_are_paths_like_others() {
        use std::os::unix::ffi::OsStringExt;
        let path = OsString::from_vec(vec![b'a', 0xff]);
        for option in ["--dir", "--config"] {
            let args = [option.into(), path.clone(), path.clone(), path.clone()];
            assert!(matches!(parse(&args), Ok(Command::Run(run)) if run.program.len() == 2));
        }
        assert!(parse(&["--env".into(), path.clone(), path]).is_err());
    }
}
