//! Help texts, made from the tables.

use crate::command::Command;
use crate::options::{Invocation, OPTIONS};
use crate::output;
use crate::report::Failure;
use crate::text::{nearest, shown};
use std::fmt::Write;

/// `selkie help [COMMAND]`.
pub(crate) fn main(invocation: &Invocation) -> Result<u8, Failure> {
    let Some(word) = invocation.operands.first() else {
        output::text(&overview())?;
        return Ok(0);
    };
    let word = word.to_string_lossy();
    if let Some(named) = Command::from_word(&word) {
        return command(named);
    }
    let near = nearest(&word, Command::ALL.iter().map(|command| command.word()));
    let near = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
    Err(Failure::usage(format!("there is no command {}{near}", shown(&word))))
}

/// The help of one command.
pub(crate) fn command(command: Command) -> Result<u8, Failure> {
    if command == Command::Help {
        output::text(&overview())?;
        return Ok(0);
    }
    output::text(&describe(command))?;
    Ok(0)
}

fn overview() -> String {
    let mut text = String::from("Runs WebAssembly.\n\nUsage: selkie [OPTION]... FILE [ARG]...\n");
    text.push_str("       selkie COMMAND [OPTION]... [OPERAND]...\n\nCommands:\n");
    for command in Command::ALL {
        let _ = writeln!(text, "  {:<12} {}", command.word(), command.about());
    }
    text.push_str(
        "\nFILE is a module (.wasm), its text (.wat) or an artifact (.cwasm); `-` is standard ",
    );
    text.push_str(
        "input.\nA program has its standard streams and arguments and nothing else, until ",
    );
    text.push_str("it is granted more.\nOptions come before FILE; all that follows it is the ");
    text.push_str("program's own.\n\nOptions of `run`:\n");
    text.push_str(&option_lines(Command::Run));
    text.push_str("\n`selkie help COMMAND` explains a command.\n");
    text
}

fn describe(command: Command) -> String {
    let mut text = format!("selkie {}: {}\n\n", command.word(), command.about());
    let _ = writeln!(text, "Usage: selkie {} [OPTION]... {}", command.word(), command.operands());
    text.push_str("\nOptions:\n");
    text.push_str(&option_lines(command));
    if command == Command::Run {
        text.push_str(RUN_NOTES);
    }
    text
}

const RUN_NOTES: &str = "
Exit status: the program's own; 134 after a trap, 2 for a wrong command line, 1 for other errors.
Compiled code is kept in $XDG_CACHE_HOME/selkie (or ~/.cache/selkie), which is cleaned by itself.
";

fn option_lines(command: Command) -> String {
    let mut text = String::new();
    for option in OPTIONS.iter().filter(|option| option.commands.contains(&command)) {
        let short = option.short.map_or("    ".to_string(), |short| format!("-{short}, "));
        let value = if option.takes_value() { format!(" {}", option.value) } else { String::new() };
        let left = format!("{short}--{}{value}", option.long);
        let _ = writeln!(text, "  {left:<36} {}", option.about);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_stands_in_the_help_of_its_commands() {
        for option in OPTIONS {
            for command in option.commands {
                assert!(describe(*command).contains(&format!("--{}", option.long)));
            }
        }
    }

    #[test]
    fn every_command_stands_in_the_overview() {
        let text = overview();
        assert!(Command::ALL.iter().all(|c| text.contains(&format!("\n  {} ", c.word()))));
    }
}
