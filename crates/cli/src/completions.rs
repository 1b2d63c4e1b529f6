//! Completions for shells, made from the tables.

use crate::command::Command;
use crate::knobs::Group;
use crate::options::{Completes, Description, Invocation, OPTIONS, Opt};
use crate::output;
use crate::report::Failure;
use crate::text::shown;
use std::fmt::Write;

/// `selkie completions SHELL`.
pub(crate) fn main(invocation: &Invocation) -> Result<u8, Failure> {
    let shell = invocation.operand()?.to_string_lossy();
    let text = match &*shell {
        "bash" => bash(),
        "zsh" => zsh(),
        "fish" => fish(),
        other => {
            let other = shown(other);
            return Err(Failure::usage(format!(
                "no completions are known for {other}; there are those for bash, zsh and fish"
            )));
        }
    };
    output::text(&text)?;
    Ok(0)
}

fn of_command(command: Command) -> impl Iterator<Item = &'static Description> {
    OPTIONS.iter().filter(move |option| option.commands.contains(&command))
}

/// The words that complete the value of an option, where they are known.
fn values(option: Opt) -> Vec<&'static str> {
    let group = Group::ALL.iter().find(|group| group.option == option);
    group.map_or(Vec::new(), |group| group.names().chain(["help"]).collect())
}

fn operand_words(command: Command) -> Option<String> {
    match command {
        Command::Completions => Some("bash zsh fish".into()),
        Command::Help => Some(command_words()),
        _ => None,
    }
}

fn command_words() -> String {
    Command::ALL.iter().map(|command| command.word()).collect::<Vec<_>>().join(" ")
}

fn bash() -> String {
    let mut text = String::from("_selkie() {\n    local word=${COMP_WORDS[COMP_CWORD]}\n");
    text.push_str("    local before=${COMP_WORDS[COMP_CWORD-1]} command=run i\n");
    text.push_str("    for ((i = 1; i < COMP_CWORD; i++)); do\n        case ${COMP_WORDS[i]} in\n");
    let _ = writeln!(
        text,
        "            {}) command=${{COMP_WORDS[i]}}; break ;;",
        command_words().replace(' ', "|")
    );
    text.push_str("        esac\n    done\n    case $before in\n");
    for option in OPTIONS.iter().filter(|option| option.takes_value()) {
        let short = option.short.map_or(String::new(), |short| format!("|-{short}"));
        let words = values(option.option);
        let reply = match (option.completes, words.is_empty()) {
            (Completes::Folder, _) => "compgen -d -- \"$word\"".to_string(),
            (Completes::File, _) => "compgen -f -- \"$word\"".to_string(),
            (Completes::Nothing, true) => "true".to_string(),
            (Completes::Nothing, false) => format!("compgen -W '{}' -- \"$word\"", words.join(" ")),
        };
        let _ =
            writeln!(text, "        --{}{short}) COMPREPLY=($({reply})); return ;;", option.long);
    }
    text.push_str("    esac\n    local words=\n    case $command in\n");
    for command in Command::ALL {
        let mut words: Vec<String> =
            of_command(*command).map(|o| format!("--{}", o.long)).collect();
        words.extend(operand_words(*command));
        if *command == Command::Run {
            words.push(command_words());
        }
        let _ = writeln!(text, "        {}) words='{}' ;;", command.word(), words.join(" "));
    }
    text.push_str("    esac\n    COMPREPLY=($(compgen -W \"$words\" -- \"$word\") ");
    text.push_str("$(compgen -f -- \"$word\"))\n}\ncomplete -o filenames -F _selkie selkie\n");
    text
}

fn zsh() -> String {
    let mut text =
        String::from("#compdef selkie\n_selkie() {\n    local -a commands\n    commands=(\n");
    for command in Command::ALL {
        let _ = writeln!(text, "        '{}:{}'", command.word(), quoted(command.about()));
    }
    text.push_str("    )\n    local command=run word\n    for word in ${words[2,CURRENT-1]}; do\n");
    let _ = writeln!(
        text,
        "        case $word in\n            {}) command=$word; break ;;\n        esac",
        command_words().replace(' ', "|")
    );
    text.push_str("    done\n    case $command in\n");
    for command in Command::ALL {
        let _ = writeln!(text, "        {})\n            _arguments -s \\", command.word());
        for option in of_command(*command) {
            let _ = writeln!(text, "                {} \\", zsh_option(option));
        }
        let operands = match operand_words(*command) {
            Some(words) => format!("'*:operand:({words})'"),
            None => "'*:file:_files'".to_string(),
        };
        let _ = writeln!(text, "                {operands}");
        if *command == Command::Run {
            text.push_str("            (( CURRENT == 2 )) && _describe command commands\n");
        }
        text.push_str("            ;;\n");
    }
    text.push_str("    esac\n}\ncompdef _selkie selkie\n");
    text
}

fn zsh_option(option: &Description) -> String {
    let about = quoted(option.about).replace('[', "(").replace(']', ")").replace(':', "\\:");
    let name = option.value.replace([':', '[', ']'], " ");
    let words = values(option.option);
    let action = match (option.completes, words.is_empty()) {
        (Completes::Folder, _) => "_files -/".to_string(),
        (Completes::File, _) => "_files".to_string(),
        (Completes::Nothing, true) => " ".to_string(),
        (Completes::Nothing, false) => format!("({})", words.join(" ")),
    };
    let value = if option.takes_value() { format!(":{name}:{action}") } else { String::new() };
    let long = option.long;
    match option.short {
        Some(short) => format!("'*'{{-{short},--{long}}}'[{about}]{value}'"),
        None => format!("'*--{long}[{about}]{value}'"),
    }
}

fn fish() -> String {
    let words = command_words();
    let mut text = String::from("complete -c selkie -n __fish_use_subcommand -F\n");
    for command in Command::ALL {
        let (word, about) = (command.word(), quoted(command.about()));
        let _ =
            writeln!(text, "complete -c selkie -n __fish_use_subcommand -a {word} -d '{about}'");
        let seen = match command {
            Command::Run => {
                format!("not __fish_seen_subcommand_from {}", words.replacen("run ", "", 1))
            }
            _ => format!("__fish_seen_subcommand_from {word}"),
        };
        for option in of_command(*command) {
            let _ = writeln!(text, "complete -c selkie -n '{seen}' {}", fish_option(option));
        }
        if let Some(operands) = operand_words(*command) {
            let _ = writeln!(text, "complete -c selkie -n '{seen}' -f -a '{operands}'");
        }
    }
    text
}

fn fish_option(option: &Description) -> String {
    let short = option.short.map_or(String::new(), |short| format!(" -s {short}"));
    let words = values(option.option);
    let value = match (option.takes_value(), option.completes, words.is_empty()) {
        (false, ..) => String::new(),
        (true, Completes::Folder, _) => " -x -a '(__fish_complete_directories)'".into(),
        (true, Completes::File, _) => " -r -F".into(),
        (true, Completes::Nothing, true) => " -x".into(),
        (true, Completes::Nothing, false) => format!(" -x -a '{}'", words.join(" ")),
    };
    format!("-l {}{short}{value} -d '{}'", option.long, quoted(option.about))
}

/// Without what would end or steer a quoted word of a shell.
fn quoted(text: &str) -> String {
    text.replace('\'', "’").replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_and_command_is_in_every_shells_completions() {
        for text in [bash(), zsh(), fish()] {
            for option in OPTIONS {
                assert!(text.contains(option.long), "--{}", option.long);
            }
            assert!(Command::ALL.iter().all(|command| text.contains(command.word())));
            assert!(text.contains("relaxed-simd"));
        }
    }
}
