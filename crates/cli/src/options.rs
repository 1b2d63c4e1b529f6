//! The options, as one table, and the parser that reads command lines by it. Help and
//! completions come from the same table.
//!
//! Invariant: behind the file of `run` nothing is read: the rest belongs to the guest, whatever
//! it begins with. What this file deliberately does not do: give values a meaning
//! (`settings.rs`, `grants.rs`).

use crate::command::Command;
use crate::report::Failure;
use crate::text::{nearest, shown};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// What completes an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completes {
    Nothing,
    File,
    Folder,
}

/// An option as the table describes it.
#[derive(Debug)]
pub(crate) struct Description {
    pub(crate) option: Opt,
    pub(crate) long: &'static str,
    pub(crate) short: Option<char>,
    /// The name of its value; empty for a switch.
    pub(crate) value: &'static str,
    pub(crate) completes: Completes,
    pub(crate) commands: &'static [Command],
    pub(crate) about: &'static str,
}

macro_rules! options {
    ($($name:ident, $long:literal, $short:expr, $value:literal, $completes:ident,
       [$($command:ident)*], $about:literal;)*) => {
        /// An option.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Opt { $($name,)* }

        /// Every option, in the order of the help.
        pub(crate) const OPTIONS: &[Description] = &[$(Description {
            option: Opt::$name,
            long: $long,
            short: $short,
            value: $value,
            completes: Completes::$completes,
            commands: &[$(Command::$command),*],
            about: $about,
        },)*];
    };
}

// Grammar: name, "long", short, "VALUE" (empty for a switch), what completes the value,
// [commands], "what it does".
options! {
    Dir, "dir", None, "HOST[::GUEST][:ro]", Folder, [Run],
        "grant a directory, under the name GUEST; `:ro` for reading only";
    Env, "env", None, "NAME[=VALUE]", Nothing, [Run],
        "set a variable for the program; without VALUE, pass ours on";
    Invoke, "invoke", None, "NAME", Nothing, [Run],
        "call the export NAME with the arguments as its parameters and print its results";
    Argv0, "argv0", None, "NAME", Nothing, [Run],
        "what the program sees as its own name";
    DryRun, "dry-run", None, "", Nothing, [Run],
        "print what the program would be given, and do not run it";
    Output, "output", Some('o'), "FILE", File, [Compile],
        "where the artifact goes; `-` for standard output";
    Json, "json", None, "", Nothing, [Inspect],
        "print JSON";
    CodeSize, "code-size", None, "", Nothing, [Inspect],
        "print the bytes of machine code and nothing else";
    Function, "function", None, "INDEX|NAME", Nothing, [Disas],
        "show one function only";
    Clif, "clif", None, "", Nothing, [Disas],
        "show Cranelift's intermediate form instead of machine code";
    Walk, "walk", None, "", Nothing, [Disas],
        "show what the compiler's walk decided instead of machine code";
    Wasm, "wasm", Some('W'), "NAME[=VALUE]", Nothing, [Run Compile Validate Wast Inspect Disas],
        "proposals and limits; `-W help` lists them";
    Optimize, "optimize", Some('O'), "NAME[=VALUE]", Nothing, [Run Compile Wast Inspect Disas],
        "how code is made; `-O help` lists the choices";
    Wasi, "wasi", Some('S'), "NAME[=VALUE]", Nothing, [Run],
        "streams, sockets and the rest of WASI; `-S help` lists the choices";
    NoCache, "no-cache", None, "", Nothing, [Run Inspect],
        "neither look for compiled code in the cache nor keep it there";
    Config, "config", None, "FILE", File, [Run Compile Validate Wast Inspect Disas],
        "read this configuration instead of $XDG_CONFIG_HOME/selkie/config.toml";
    Help, "help", Some('h'), "", Nothing,
        [Run Compile Validate Wast Inspect Disas Completions Help Version],
        "explain the command";
    Version, "version", Some('V'), "", Nothing, [Run],
        "print the version";
}

impl Description {
    /// Whether it is followed by a value.
    pub(crate) fn takes_value(&self) -> bool {
        !self.value.is_empty()
    }
}

/// A command line that was understood.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) command: Command,
    options: Vec<(Opt, OsString)>,
    pub(crate) operands: Vec<OsString>,
}

impl Invocation {
    /// Whether a switch is there.
    pub(crate) fn has(&self, option: Opt) -> bool {
        self.options.iter().any(|(given, _)| *given == option)
    }

    /// All values of an option, in order.
    pub(crate) fn values(&self, option: Opt) -> impl Iterator<Item = &OsStr> {
        let values = self.options.iter().filter(move |(given, _)| *given == option);
        values.map(|(_, value)| value.as_os_str())
    }

    /// The last value of an option.
    pub(crate) fn value(&self, option: Opt) -> Option<&OsStr> {
        self.values(option).last()
    }

    /// The last value of an option, which must be text.
    pub(crate) fn text(&self, option: Opt) -> Result<Option<&str>, Failure> {
        let text = |value: &'_ OsStr| {
            Failure::usage(format!("{} is not UTF-8", shown(&value.to_string_lossy())))
        };
        self.value(option).map(|value| value.to_str().ok_or_else(|| text(value))).transpose()
    }

    pub(crate) fn wants_help(&self) -> bool {
        self.has(Opt::Help)
    }

    /// The one operand of a command that takes exactly one.
    pub(crate) fn operand(&self) -> Result<&OsStr, Failure> {
        match &self.operands[..] {
            [operand] => Ok(operand),
            [] => Err(self.lacks_operand()),
            [_, more, ..] => {
                let more = shown(&more.to_string_lossy());
                Err(Failure::usage(format!(
                    "`{}` takes one operand, and not also {more}",
                    self.command.word()
                )))
            }
        }
    }

    pub(crate) fn lacks_operand(&self) -> Failure {
        let (word, operands) = (self.command.word(), self.command.operands());
        Failure::usage(format!("`{word}` needs {operands}; see `selkie help {word}`"))
    }
}

/// Reads a command line.
///
/// # Errors
/// An option is not known, not one of the command's, or lacks its value.
pub(crate) fn parse(args: Vec<OsString>) -> Result<Invocation, Failure> {
    let mut parser = Parser { args: args.into(), command: None, options: Vec::new() };
    let mut operands = Vec::new();
    while let Some(arg) = parser.args.pop_front() {
        let bytes = arg.as_bytes();
        if bytes == b"--" {
            operands.extend(parser.args.drain(..));
        } else if let Some(long) = bytes.strip_prefix(b"--") {
            parser.long(long)?;
        } else if bytes.len() > 1 && bytes[0] == b'-' {
            parser.short(&bytes[1..])?;
        } else if let Some(command) = parser.command_word(&arg, operands.is_empty()) {
            parser.command = Some(command);
        } else {
            operands.push(arg);
            if parser.command().passes_arguments_on() {
                operands.extend(parser.args.drain(..));
            }
        }
    }
    parser.finish(operands)
}

struct Parser {
    args: std::collections::VecDeque<OsString>,
    command: Option<Command>,
    options: Vec<(&'static Description, OsString)>,
}

impl Parser {
    fn command(&self) -> Command {
        self.command.unwrap_or(Command::Run)
    }

    /// A command may follow options that it shares with `run`.
    fn command_word(&self, arg: &OsStr, is_first: bool) -> Option<Command> {
        if self.command.is_some() || !is_first {
            return None;
        }
        Command::from_word(arg.to_str()?)
    }

    fn long(&mut self, given: &[u8]) -> Result<(), Failure> {
        let (name, value) = match given.iter().position(|byte| *byte == b'=') {
            Some(at) => (&given[..at], Some(OsString::from_vec(given[at + 1..].to_vec()))),
            None => (given, None),
        };
        let found = OPTIONS.iter().find(|option| option.long.as_bytes() == name);
        let Some(option) = found else {
            return Err(self.unknown(&String::from_utf8_lossy(name)));
        };
        self.push(option, value)
    }

    /// A group of switches, the last of which may take the rest as its value.
    fn short(&mut self, given: &[u8]) -> Result<(), Failure> {
        let Some((first, rest)) = given.split_first() else { return Ok(()) };
        let found = OPTIONS.iter().find(|option| option.short == Some(char::from(*first)));
        let Some(option) = found else {
            let letter = String::from_utf8_lossy(given).chars().next().unwrap_or('?');
            let letter = shown(&format!("-{letter}"));
            let help = self.command().word();
            return Err(Failure::usage(format!(
                "unknown option {letter}; see `selkie help {help}`"
            )));
        };
        if option.takes_value() {
            let value = (!rest.is_empty()).then(|| OsString::from_vec(rest.to_vec()));
            return self.push(option, value);
        }
        self.push(option, None)?;
        self.short(rest)
    }

    fn push(
        &mut self,
        option: &'static Description,
        value: Option<OsString>,
    ) -> Result<(), Failure> {
        let value = match (option.takes_value(), value) {
            (false, None) => OsString::new(),
            (false, Some(_)) => {
                return Err(Failure::usage(format!("--{} takes no value", option.long)));
            }
            (true, Some(value)) => value,
            (true, None) => self.args.pop_front().ok_or_else(|| {
                Failure::usage(format!("--{} needs a value: {}", option.long, option.value))
            })?,
        };
        self.options.push((option, value));
        Ok(())
    }

    fn unknown(&self, name: &str) -> Failure {
        let known = OPTIONS.iter().filter(|o| o.commands.contains(&self.command())).map(|o| o.long);
        let hint = match nearest(name, known) {
            Some(near) => format!("did you mean --{near}?"),
            None => format!("see `selkie help {}`", self.command().word()),
        };
        Failure::usage(format!("unknown option {}; {hint}", shown(&format!("--{name}"))))
    }

    fn finish(self, operands: Vec<OsString>) -> Result<Invocation, Failure> {
        let is = |name: Opt| self.options.iter().any(|(option, _)| option.option == name);
        let mut command = self.command();
        if self.command.is_none() && is(Opt::Version) {
            command = Command::Version;
        } else if self.command.is_none() && operands.is_empty() {
            command =
                if is(Opt::Help) || self.options.is_empty() { Command::Help } else { command };
        }
        let general = matches!(command, Command::Help | Command::Version);
        for (option, _) in &self.options {
            if !general && !option.commands.contains(&command) {
                return Err(Failure::usage(format!(
                    "--{} is no option of `{}`; see `selkie help {}`",
                    option.long,
                    command.word(),
                    command.word()
                )));
            }
        }
        let options = self.options.into_iter().map(|(o, value)| (o.option, value)).collect();
        Ok(Invocation { command, options, operands })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Invocation {
        parse(line.split(' ').map(OsString::from).collect()).unwrap()
    }

    #[test]
    fn everything_behind_the_file_belongs_to_the_guest() {
        let invocation = parsed("--dir . a.wasm --dir x -h -- run");
        assert_eq!(invocation.command, Command::Run);
        assert_eq!(invocation.operands, ["a.wasm", "--dir", "x", "-h", "--", "run"]);
        assert_eq!(invocation.values(Opt::Dir).collect::<Vec<_>>(), ["."]);
        assert!(!invocation.wants_help());
    }

    #[test]
    fn a_command_may_follow_its_options() {
        let invocation = parsed("-W simd=off validate a.wasm -Wgc b.wasm");
        assert_eq!(invocation.command, Command::Validate);
        assert_eq!(invocation.operands, ["a.wasm", "b.wasm"]);
        assert_eq!(invocation.values(Opt::Wasm).collect::<Vec<_>>(), ["simd=off", "gc"]);
    }

    #[test]
    fn a_file_named_like_a_command_can_be_run() {
        assert_eq!(parsed("run wast").operands, ["wast"]);
        assert_eq!(parsed("./wast").operands, ["./wast"]);
    }

    #[test]
    fn options_of_other_commands_are_refused() {
        assert!(parse(vec!["compile".into(), "--dir=.".into(), "a".into()]).is_err());
        assert!(parse(vec!["--output".into(), "x".into(), "a".into()]).is_err());
    }

    #[test]
    fn a_lone_dash_is_an_operand() {
        assert_eq!(parsed("- x").operands, ["-", "x"]);
    }

    #[test]
    fn long_and_short_names_are_unique() {
        for (i, option) in OPTIONS.iter().enumerate() {
            let same = |o: &&Description| {
                o.long == option.long || o.short.is_some() && o.short == option.short
            };
            assert!(!OPTIONS[..i].iter().any(|o| same(&o)), "--{}", option.long);
        }
    }
}
