//! Guest programs for WASI in the text format, with what they are given and what is expected of
//! them in the comments at their head (`wasi-guests/README.md` describes the lines).
//!
//! Invariant: a line that looks like a setting and is none is an error, so that a misspelt one
//! cannot pass as prose. Nothing is run here.

use std::path::Path;

/// What a guest is given and what is expected of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guest {
    /// Arguments after the program's name.
    pub args: Vec<String>,
    /// Variables of the environment, as `NAME=VALUE`.
    pub env: Vec<String>,
    /// The name under which the folder is granted, and whether read-only.
    pub dir: Option<(String, bool)>,
    /// Files made before: name and text.
    pub files: Vec<(String, String)>,
    /// Symbolic links made before: name and target.
    pub symlinks: Vec<(String, String)>,
    /// Standard input.
    pub stdin: String,
    /// What somebody who connects to a granted socket sends.
    pub listener: Option<String>,
    /// What that connection receives.
    pub reply: Option<String>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The exit code.
    pub exit: u32,
}

impl Guest {
    /// Reads the head of a program.
    ///
    /// # Errors
    /// A setting is not as it should be, in words.
    pub fn parse(text: &str) -> Result<Guest, String> {
        let mut guest = Guest::default();
        for line in text.lines().take_while(|line| line.starts_with(";;")) {
            let Some((name, value)) = line.trim_start_matches(";;").trim_start().split_once(':')
            else {
                continue;
            };
            guest.set(name, value.strip_prefix(' ').unwrap_or(value))?;
        }
        Ok(guest)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let pair = |value: &str| {
            let (name, rest) = value.split_once(' ').unwrap_or((value, ""));
            (name.to_string(), rest.to_string())
        };
        match name {
            "args" => self.args = value.split(' ').map(String::from).collect(),
            "env" => self.env.push(value.to_string()),
            "dir" => {
                let read_only = value.strip_suffix(":ro");
                self.dir = Some((read_only.unwrap_or(value).to_string(), read_only.is_some()));
            }
            "file" => {
                let (name, text) = pair(value);
                self.files.push((name, unescaped(&text)));
            }
            "symlink" => self.symlinks.push(pair(value)),
            "stdin" => self.stdin = unescaped(value),
            "listener" => self.listener = Some(unescaped(value)),
            "reply" => self.reply = Some(unescaped(value)),
            "stdout" => self.stdout = unescaped(value),
            "stderr" => self.stderr = unescaped(value),
            "exit" => self.exit = value.parse().map_err(|e| format!("exit: {value}: {e}"))?,
            _ if name.chars().all(|c| c.is_ascii_lowercase()) && !name.is_empty() => {
                return Err(format!("no setting is called `{name}`"));
            }
            _ => {}
        }
        Ok(())
    }

    /// Makes the files and links in a folder.
    ///
    /// # Errors
    /// The system refuses, in words.
    pub fn prepare(&self, folder: &Path) -> Result<(), String> {
        for (name, text) in &self.files {
            let path = folder.join(name);
            let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            made.and_then(|()| std::fs::write(&path, text)).map_err(|e| format!("{name}: {e}"))?;
        }
        for (name, target) in &self.symlinks {
            std::os::unix::fs::symlink(target, folder.join(name))
                .map_err(|e| format!("{name}: {e}"))?;
        }
        Ok(())
    }
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => plain.push('\n'),
                Some(other) => plain.push(other),
                None => plain.push('\\'),
            },
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_end_at_the_first_line_of_the_program() {
        let text = ";; Prose: with a colon.\n;; args: a b\n;; dir: /x:ro\n;; stdout: a\\n\\\\\n\
                    ;; exit: 3\n(module)\n;; exit: 4";
        let guest = Guest::parse(text).unwrap();
        assert_eq!(guest.args, ["a", "b"]);
        assert_eq!(guest.dir, Some(("/x".into(), true)));
        assert_eq!(guest.stdout, "a\n\\");
        assert_eq!(guest.exit, 3);
    }

    #[test]
    fn a_misspelt_setting_is_an_error() {
        assert!(Guest::parse(";; arg: a").is_err());
    }
}
