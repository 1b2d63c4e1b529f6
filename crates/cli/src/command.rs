//! The commands, as one table. From it come the parser, the help and the completions.

macro_rules! commands {
    ($($name:ident, $word:literal, $operands:literal, $about:literal;)*) => {
        /// A command.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Command { $($name,)* }

        impl Command {
            /// Every command, in the order of the help.
            pub(crate) const ALL: &'static [Command] = &[$(Command::$name),*];

            /// What is typed.
            pub(crate) fn word(self) -> &'static str {
                match self { $(Command::$name => $word,)* }
            }

            /// What it expects besides options.
            pub(crate) fn operands(self) -> &'static str {
                match self { $(Command::$name => $operands,)* }
            }

            /// What it does.
            pub(crate) fn about(self) -> &'static str {
                match self { $(Command::$name => $about,)* }
            }
        }
    };
}

// Grammar: name, "word", "operands", "what it does".
commands! {
    Run, "run", "FILE [ARG]...", "run a program (the command when none is named)";
    Compile, "compile", "FILE", "compile to an artifact (.cwasm) that `run` accepts";
    Validate, "validate", "FILE...", "check that modules are valid";
    Wast, "wast", "FILE...", "run scripts of the official test suite";
    Inspect, "inspect", "FILE", "show imports, exports, features, sizes and needed grants";
    Disas, "disas", "FILE", "show the code made of functions";
    Completions, "completions", "SHELL", "print completions for bash, zsh or fish";
    Help, "help", "[COMMAND]", "explain a command";
    Version, "version", "", "print the version";
}

impl Command {
    /// The command with this word.
    pub(crate) fn from_word(word: &str) -> Option<Command> {
        Command::ALL.iter().copied().find(|command| command.word() == word)
    }

    /// Whether everything behind the first operand belongs to the guest.
    pub(crate) fn passes_arguments_on(self) -> bool {
        self == Command::Run
    }
}
