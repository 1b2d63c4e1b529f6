//! `selkie completions`: what shells complete, made from the definition of the command line.

use crate::options;
use crate::output;
use crate::report::Failure;
use clap::{Args, Command};
use clap_complete::Shell;

/// Print completions for a shell
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell that reads them
    shell: Shell,
}

impl Completions {
    pub(crate) fn main(&self) -> Result<u8, Failure> {
        output::text(&script(self.shell))?;
        Ok(0)
    }
}

/// The script that a shell reads.
///
/// The generators know commands, but no command that may be left out: at its place, zsh would
/// complete files and never commands, and fish no value of an option.
fn script(shell: Shell) -> String {
    let mut definition = options::definition();
    if shell == Shell::Zsh {
        let options = definition.get_arguments().filter(|arg| !arg.is_positional()).cloned();
        let commands = definition.get_subcommands().cloned();
        definition = Command::new("selkie").args(options).subcommands(commands);
    }
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut definition, "selkie", &mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    match shell {
        Shell::Zsh => text.replacen(ZSH_COMMANDS, ZSH_COMMANDS_OR_FILES, 1),
        Shell::Fish => text.replacen(FISH_UNFINISHED, FISH_UNFINISHED_IS_NO_COMMAND, 1),
        _ => text.into_owned(),
    }
}

const ZSH_COMMANDS: &str = r#"":: :_selkie_commands""#;
const ZSH_COMMANDS_OR_FILES: &str = r#"":: :{ _selkie_commands; _files }""#;
const FISH_UNFINISHED: &str = "    or return\n";
const FISH_UNFINISHED_IS_NO_COMMAND: &str = "    or return 0\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_and_command_is_in_every_shells_completions() {
        let mut definition = options::definition();
        definition.build();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let text = script(shell);
            for command in definition.get_subcommands() {
                assert!(text.contains(command.get_name()), "{shell}: {}", command.get_name());
                let longs = command.get_arguments().filter_map(|arg| arg.get_long());
                longs.for_each(|long| assert!(text.contains(long), "{shell}: --{long}"));
            }
            assert!(text.contains("relaxed-simd"), "{shell}");
        }
    }

    #[test]
    fn a_file_may_stand_where_a_command_may() {
        assert!(script(Shell::Zsh).contains(ZSH_COMMANDS_OR_FILES));
        assert!(script(Shell::Fish).contains(FISH_UNFINISHED_IS_NO_COMMAND));
    }
}
