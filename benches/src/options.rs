//! The options that all programs share.
//!
//! Invariant: an option that is not known is refused, never ignored; only `--bench`, which
//! `cargo bench` adds by itself, is.

use std::path::PathBuf;

use crate::Outcome;

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Only rows whose name contains one of these; all when empty.
    pub filters: Vec<String>,
    /// Only engines whose name contains one of these; all when empty.
    pub engines: Vec<String>,
    /// How often each side runs, after one run that is not counted.
    pub rounds: usize,
    /// Work per kernel in percent of the usual.
    pub scale_percent: u32,
    /// Where the figures are written as JSON.
    pub json: Option<PathBuf>,
    /// Folder for files that are made while measuring.
    pub scratch: Option<PathBuf>,
    /// Whether Node runs as a further column (`execute`, `gc`, `exceptions`).
    pub with_node: bool,
    /// Whether a missed bar is a failure.
    pub enforce: bool,
}

impl Options {
    /// Reads the arguments; `None` when help is asked for.
    ///
    /// # Errors
    /// A sentence for an unknown option, a missing or a wrong value.
    pub fn parse(
        arguments: impl Iterator<Item = String>,
        usual_rounds: usize,
    ) -> Outcome<Option<Self>> {
        let mut options = Self {
            filters: Vec::new(),
            engines: Vec::new(),
            rounds: usual_rounds,
            scale_percent: 100,
            json: None,
            scratch: None,
            with_node: false,
            enforce: false,
        };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let (name, inline) = match argument.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (argument, None),
            };
            let mut value = || {
                inline
                    .clone()
                    .or_else(|| arguments.next())
                    .ok_or_else(|| format!("{name} needs a value"))
            };
            match name.as_str() {
                "--bench" => {}
                "--help" | "-h" => return Ok(None),
                "--filter" => options.filters.push(value()?),
                "--engine" => options.engines.push(value()?),
                "--rounds" => options.rounds = positive(&name, &value()?)? as usize,
                "--scale" => options.scale_percent = positive(&name, &value()?)?,
                "--json" => options.json = Some(value()?.into()),
                "--scratch" => options.scratch = Some(value()?.into()),
                "--node" => options.with_node = true,
                "--enforce" => options.enforce = true,
                _ => return Err(format!("unknown option {name}")),
            }
        }
        Ok(Some(options))
    }

    /// Whether the row of this name is wanted.
    #[must_use]
    pub fn wants(&self, row: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|f| row.contains(f.as_str()))
    }

    /// Whether the engine of this name is wanted, for programs in which engines can be left out.
    #[must_use]
    pub fn wants_engine(&self, engine: &str) -> bool {
        self.engines.is_empty() || self.engines.iter().any(|e| engine.contains(e.as_str()))
    }
}

fn positive(name: &str, value: &str) -> Outcome<u32> {
    match value.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{name} needs a positive number, not {value:?}")),
    }
}

/// The help text of the program `name`.
#[must_use]
pub fn help(name: &str) -> String {
    format!(
        "Usage: cargo bench --bench {name} -- [OPTIONS]

  --filter TEXT   only rows whose name contains TEXT (may be repeated)
  --engine TEXT   only engines whose name contains TEXT (embed; for profiles, not for ratios)
  --rounds N      runs per side, after one that is not counted
  --scale N       work per kernel in percent of the usual
  --json FILE     write the figures as JSON
  --scratch DIR   where files are made while measuring
  --node          Node as a further column (execute, gc, exceptions)
  --enforce       exit with 1 when a bar is missed

Environment: SELKIE, WASMTIME, NODE (paths of the engines), PEERS, PROGRAMS (folders).
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Outcome<Option<Options>> {
        Options::parse(arguments.iter().map(|&a| a.to_owned()), 5)
    }

    #[test]
    fn values_come_after_a_space_or_an_equals_sign() {
        let options = parse(&["--bench", "--rounds", "7", "--filter=aes"]).unwrap().unwrap();
        assert_eq!((options.rounds, options.filters), (7, vec!["aes".to_owned()]));
    }

    #[test]
    fn unknown_options_and_wrong_values_are_refused() {
        assert!(parse(&["--fliter", "x"]).is_err());
        assert!(parse(&["--rounds", "0"]).is_err());
        assert!(parse(&["--rounds"]).is_err());
    }

    #[test]
    fn a_filter_matches_a_part_of_the_name() {
        let options = parse(&["--filter", "simd", "--filter", "aes"]).unwrap().unwrap();
        assert!(options.wants("simd_gemm") && options.wants("aes") && !options.wants("gemm"));
    }
}
