//! `expected.toml`: the trials that fail today, each with the reason.
//!
//! Invariant: the list cannot rot. A listed trial that passes fails the run, and so does an entry
//! that names no trial. It deliberately knows nothing of why a trial failed.

use serde::Deserialize;

/// The list, compiled in so that a binary needs no folder to run in.
const LIST: &str = include_str!("../expected.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    expected: Vec<Entry>,
}

/// One line of the list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Names of trials; `*` stands for any characters, and a trial under other settings (` […]` at
    /// the end of its name) is covered by its script's name.
    pub trials: Vec<String>,
    /// Names of trials that pass, though a pattern above covers them.
    #[serde(default)]
    pub except: Vec<String>,
    /// Why they fail.
    pub reason: String,
}

/// The whole list.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    entries: Vec<Entry>,
}

impl Expected {
    /// The list of this folder.
    ///
    /// # Panics
    /// The file is not what this type describes.
    pub fn load() -> Expected {
        Expected::parse(LIST).expect("expected.toml is a list of trials with reasons")
    }

    fn parse(text: &str) -> Result<Expected, toml::de::Error> {
        Ok(Expected { entries: toml::from_str::<File>(text)?.expected })
    }

    /// Why the trial is expected to fail, where it is.
    pub fn reason(&self, trial: &str) -> Option<&str> {
        let script = trial.split(" [").next().unwrap_or(trial);
        let covers =
            |patterns: &[String]| patterns.iter().any(|p| matches(p, trial) || matches(p, script));
        let entry = self.entries.iter().find(|e| covers(&e.trials) && !covers(&e.except))?;
        Some(&entry.reason)
    }

    /// Patterns for trials of `kind` that match none of `names`.
    pub fn unused<'a>(&'a self, kind: &str, names: &[String]) -> Vec<&'a str> {
        let prefix = format!("{kind}/");
        let all = self.entries.iter().flat_map(|e| e.trials.iter().chain(&e.except));
        let patterns = all.map(String::as_str);
        patterns
            .filter(|p| p.starts_with(&prefix) && !names.iter().any(|name| matches(p, name)))
            .collect()
    }
}

/// Whether a name fits a pattern in which `*` stands for any characters.
pub fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match name.find(part) {
            Some(at) => name = &name[at + part.len()..],
            None => return false,
        }
    }
    name.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name, fits) in [
            ("spec/a", "spec/a", true),
            ("spec/a", "spec/ab", false),
            ("spec/*", "spec/ab", true),
            ("spec/*b", "spec/ab", true),
            ("spec/*b*", "spec/abc", true),
            ("spec/*b*d", "spec/abc", false),
            ("*", "", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn an_entry_that_names_no_trial_is_found() {
        let list = Expected::parse("[[expected]]\ntrials = [\"a/x\", \"b/y\"]\nreason = \"r\"\n");
        let list = list.unwrap();
        assert_eq!(list.unused("a", &["a/z".into()]), ["a/x"]);
        assert_eq!(list.reason("b/y"), Some("r"));
        assert_eq!(list.reason("b/z"), None);
    }

    #[test]
    fn the_list_of_this_folder_can_be_read() {
        Expected::load();
    }
}
