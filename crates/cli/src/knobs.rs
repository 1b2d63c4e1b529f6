//! The groups `-W`, `-O` and `-S`: their names as tables, what they mean, and their help.
//!
//! The configuration file has the same names, one section for a group. The proposals of `-W` are
//! those of the engine's own table.

use crate::elsewhere;
use crate::report::Failure;
use crate::settings::Settings;
use crate::text::{nearest, parse_size, parse_time, shown};
use crate::wall::Demand;
use selkie::{Feature, Features};
use selkie_vm::MIN_STACK_BYTES;
use std::fmt::Write;
use std::time::Duration;

/// What a choice is given.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Knob {
    /// `NAME`, `NAME=on`, `NAME=off`.
    Switch(fn(&mut Settings, bool)),
    /// `NAME`, `NAME=on`, `NAME=off`, `NAME=require`.
    Demand(fn(&mut Settings, Demand)),
    /// `NAME=NUMBER`.
    Count(fn(&mut Settings, u64)),
    /// `NAME=BYTES`, with `K`, `M`, `G`, `T`.
    Size(fn(&mut Settings, u64)),
    /// `NAME=TIME`, with `ms`, `s`, `m`, `h`, `d`.
    Time(fn(&mut Settings, Duration)),
    /// `NAME=ADDRESS:PORT`.
    Address(fn(&mut Settings, String)),
    /// `NAME=MODULE`: the name of a module in imports.
    Module(fn(&mut Settings, String)),
}

/// A choice of a group.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) name: &'static str,
    knob: Knob,
    /// The smallest number or size.
    least: u64,
    /// Whether it gives the program something: such choices are not read from files.
    is_grant: bool,
    about: &'static str,
}

/// A group of choices.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) letter: char,
    /// Its section in the configuration file.
    pub(crate) section: &'static str,
    about: &'static str,
    choices: &'static [Choice],
    has_features: bool,
}

macro_rules! choices {
    ($($name:literal, $knob:ident $(from $least:expr)?, $grant:literal, $about:literal, $set:expr;)*) => {
        &[$(Choice {
            name: $name,
            knob: Knob::$knob($set),
            least: 0 $(+ $least)?,
            is_grant: $grant,
            about: $about,
        },)*]
    };
}

// Grammar: "name", kind and perhaps its smallest value, whether it is a grant, "what it does", how it is set.

const WASM: &[Choice] = choices! {
    "all", Switch, false, "every proposal at once",
        |s, on| { s.config.set_features(all_features(on)); };
    "relaxed-simd-deterministic", Switch, false, "relaxed vector instructions give the same results on every machine",
        |s, on| { s.config.relaxed_simd_deterministic(on); };
    "deterministic", Switch, false, "every run gives the same, on every machine: NaNs, relaxed vectors, clocks, random numbers; no threads",
        |s, on| { s.config.deterministic(on); };
    "canonical-nans", Switch, false, "NaN results have the same bits on every machine",
        |s, on| { s.config.canonical_nans(on); };
    "unknown-imports-trap", Switch, false, "functions that nobody provides trap when called, instead of refusing the module",
        |s, on| s.unknown_imports_trap = on;
    "string-constants", Module, false, "the module that string constants are imported from (default ')",
        |s, module| s.string_constants = Some(module);
    "max-stack", Size from MIN_STACK_BYTES as u64, false, "stack of the program (default 16M)",
        |s, n| { s.config.max_wasm_stack_bytes(usize::try_from(n).unwrap_or(usize::MAX)); };
    "max-memory", Size, false, "size that each memory may have (default: what the system gives)",
        |s, n| s.limits.memory_bytes = n;
    "max-table", Count, false, "elements that each table may have (default 10000000)",
        |s, n| s.limits.table_elements = n;
    "max-gc-heap", Size, false, "size that the collected heap may have (default: 4G)",
        |s, n| s.limits.gc_heap_bytes = n;
    "fuel", Count, false, "units of fuel the program may use: about one for each instruction (default: any number)",
        |s, n| { s.config.consume_fuel(true); s.fuel = Some(n); };
    "timeout", Time, false, "time the program may run, once it has been compiled; then it ends with status 124 (default: any time)",
        |s, time| { s.config.epoch_interruption(true); s.timeout = Some(time); };
    "continuation-stack", Size from MIN_STACK_BYTES as u64, false, "stack of each continuation (default 256K)",
        |s, n| { s.config.continuation_stack_bytes(usize::try_from(n).unwrap_or(usize::MAX)); };
    "max-continuations", Count, false, "continuations that may wait at once (default 16384)",
        |s, n| s.limits.continuations = n;
    "max-continuation-bytes", Size, false, "size that the stacks of continuations may have together (default 4G)",
        |s, n| s.limits.continuation_bytes = n;
    "gc-stress", Switch, false, "collect at every allocation, to find references that were forgotten",
        |s, on| { s.config.gc_stress(on); };
};

const OPTIMIZE: &[Choice] = choices! {
    "inlining", Switch, false, "put small functions in place of calls to them (default on)",
        |s, on| { s.config.inlining(on); };
    "threads", Count from 1, false, "threads that compile (default: one for each processor)",
        |s, n| { s.config.compile_threads(usize::try_from(n).unwrap_or(usize::MAX)); };
    "guard-pages", Switch, false, "guard pages instead of bounds checks where that is possible (default on)",
        |s, on| { s.config.guard_pages(on); };
    "memory-guard", Size, false, "inaccessible address space behind each memory (default 32M)",
        |s, n| { s.config.memory_guard_bytes(n); };
    "spectre", Switch, false, "bounds checks that also hold under speculation (default on)",
        |s, on| { s.config.spectre_checks(on); };
    "debug-info", Switch, false, "keep DWARF, for files and lines in backtraces (default on)",
        |s, on| { s.config.debug_info(on); };
    "backtrace", Count, false, "frames that a backtrace shows at most (default 64)",
        |s, n| { s.config.backtrace_frames(usize::try_from(n.min(1 << 20)).unwrap_or(0)); };
};

const WASI: &[Choice] = choices! {
    "inherit-env", Switch, true, "give the program our whole environment",
        |s, on| s.wasi.inherit_env = on;
    "tcp-listen", Address, true, "listen on ADDRESS:PORT and give the program the socket",
        |s, address| s.wasi.tcp_listen.push(address);
    "stdin", Switch, false, "our standard input (default on)",
        |s, on| s.wasi.closed_streams[0] = !on;
    "stdout", Switch, false, "our standard output (default on)",
        |s, on| s.wasi.closed_streams[1] = !on;
    "stderr", Switch, false, "our standard error (default on)",
        |s, on| s.wasi.closed_streams[2] = !on;
    "max-descriptors", Count, false, "files and sockets open at once (default half of what the process may open, at most 65536)",
        |s, n| s.wasi.max_descriptors = Some(usize::try_from(n).unwrap_or(usize::MAX));
    "random-seed", Count, false, "random numbers of the seed NUMBER, which are no secret (default: the system's; of 0 with -W deterministic)",
        |s, n| s.wasi.random_seed = Some(n);
    "manual-path-walk", Switch, false, "resolve paths step by step, even where the kernel can",
        |s, on| s.wasi.manual_path_walk = on;
    "wall", Demand, false, "the kernel denies us what was not granted, where it can (default on); `require` runs nothing without",
        |s, demand| s.wasi.wall = demand;
};

fn all_features(on: bool) -> Features {
    let mut features = Features::all();
    if !on {
        Feature::ALL.iter().for_each(|feature| features.set(*feature, false));
    }
    features
}

impl Group {
    pub(crate) const WASM: Group = Group {
        letter: 'W',
        section: "wasm",
        about: "proposals and limits",
        choices: WASM,
        has_features: true,
    };
    pub(crate) const OPTIMIZE: Group = Group {
        letter: 'O',
        section: "optimize",
        about: "how code is made",
        choices: OPTIMIZE,
        has_features: false,
    };
    pub(crate) const WASI: Group = Group {
        letter: 'S',
        section: "wasi",
        about: "streams, sockets and the rest of WASI",
        choices: WASI,
        has_features: false,
    };
    /// Every group.
    pub(crate) const ALL: &'static [Group] = &[Group::WASM, Group::OPTIMIZE, Group::WASI];

    /// Applies `NAME` or `NAME=VALUE`.
    pub(crate) fn apply(&self, given: &str, settings: &mut Settings) -> Result<(), Failure> {
        let (name, value) = match given.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (given, None),
        };
        let where_from = format!("-{} {}", self.letter, shown(name));
        self.set(name, value, settings).map_err(|why| {
            let see = format!("-{} help", self.letter);
            Failure::usage(match why.strip_suffix('?') {
                Some(_) => format!("{where_from}: {why} `{see}` lists all"),
                None => format!("{where_from}: {why}; see `{see}`"),
            })
        })
    }

    /// Applies a name with its value as a file gives it.
    pub(crate) fn apply_from_file(
        &self,
        name: &str,
        value: &str,
        settings: &mut Settings,
    ) -> Result<(), String> {
        if self.choices.iter().any(|choice| choice.name == name && choice.is_grant) {
            return Err(format!(
                "it is a grant, which only the command line gives: -{} {name}",
                self.letter
            ));
        }
        self.set(name, Some(value), settings)
    }

    fn set(&self, name: &str, value: Option<&str>, settings: &mut Settings) -> Result<(), String> {
        if let Some(feature) = self.feature(name) {
            settings.config.wasm_feature(feature, switch(value)?);
            return Ok(());
        }
        let Some(choice) = self.choices.iter().find(|choice| choice.name == name) else {
            if let Some(sentence) = elsewhere::choice(self.letter, name) {
                return Err(sentence.into());
            }
            let near = nearest(name, self.names());
            let near = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            return Err(format!("there is no such name{near}"));
        };
        let number = |parse: fn(&str) -> Option<u64>| {
            let value = value.ok_or("it needs a value")?;
            let number = parse(value)
                .ok_or_else(|| format!("{} is not a number that fits", shown(value)))?;
            if number < choice.least {
                return Err(format!(
                    "{} is too small; the least is {}",
                    shown(value),
                    choice.least
                ));
            }
            Ok(number)
        };
        match choice.knob {
            Knob::Switch(set) => set(settings, switch(value)?),
            Knob::Demand(set) => set(settings, demand(value)?),
            Knob::Count(set) => set(settings, number(|text| text.parse().ok())?),
            Knob::Size(set) => set(settings, number(parse_size)?),
            Knob::Time(set) => {
                let value = value.ok_or("it needs a value")?;
                let time = parse_time(value);
                set(
                    settings,
                    time.ok_or_else(|| {
                        format!("{} is no time, such as 2s or 500ms", shown(value))
                    })?,
                );
            }
            Knob::Module(set) => set(settings, value.ok_or("it needs a value: MODULE")?.into()),
            Knob::Address(set) => {
                set(settings, address(value.ok_or("it needs a value: ADDRESS:PORT")?)?);
            }
        }
        Ok(())
    }

    fn feature(&self, name: &str) -> Option<Feature> {
        let mut features = Feature::ALL.iter().copied().filter(|_| self.has_features);
        features.find(|feature| feature.flag() == name)
    }

    /// Every name.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        let features = Feature::ALL.iter().filter(|_| self.has_features).map(|f| f.flag());
        self.choices.iter().map(|choice| choice.name).chain(features)
    }

    /// The help that `-W help` and its siblings print.
    pub(crate) fn help(&self) -> String {
        let mut text = format!("-{}: {}\n\n", self.letter, self.about);
        for choice in self.choices {
            let takes = match choice.knob {
                Knob::Switch(_) => "[=on|off]",
                Knob::Demand(_) => "[=on|off|require]",
                Knob::Count(_) => "=NUMBER",
                Knob::Size(_) => "=SIZE",
                Knob::Time(_) => "=TIME",
                Knob::Address(_) => "=ADDRESS:PORT",
                Knob::Module(_) => "=MODULE",
            };
            let _ = writeln!(text, "  {:<36} {}", format!("{}{takes}", choice.name), choice.about);
        }
        if self.choices.iter().any(|choice| matches!(choice.knob, Knob::Size(_))) {
            text.push_str(
                "\nSIZE is a number of bytes; K, M, G or T behind it multiply by 1024.\n",
            );
        }
        if self.choices.iter().any(|choice| matches!(choice.knob, Knob::Time(_))) {
            text.push_str(
                "\nTIME is a number of seconds; ms, s, m, h or d behind it say otherwise.\n",
            );
        }
        if self.has_features {
            text.push_str("\nProposals, each NAME[=on|off]:\n\n");
            for feature in Feature::ALL {
                let default = if feature.default_enabled() { "on" } else { "off" };
                let about = format!("{} (default {default})", feature.about());
                let _ = writeln!(text, "  {:<36} {about}", feature.flag());
            }
        }
        text
    }
}

fn switch(value: Option<&str>) -> Result<bool, String> {
    match value {
        None | Some("on" | "yes" | "y" | "true" | "1") => Ok(true),
        Some("off" | "no" | "n" | "false" | "0") => Ok(false),
        Some(other) => Err(format!("{} is neither on nor off", shown(other))),
    }
}

fn demand(value: Option<&str>) -> Result<Demand, String> {
    if value == Some("require") {
        return Ok(Demand::Require);
    }
    let on = switch(value).map_err(|why| format!("{why}, nor `require`"))?;
    Ok(if on { Demand::On } else { Demand::Off })
}

/// What may be listened on, as far as it can be told without asking anybody.
fn address(given: &str) -> Result<String, String> {
    let parts = given.rsplit_once(':').filter(|(host, port)| {
        let is_host = !host.is_empty() && (!host.contains(':') || host.starts_with('['));
        is_host && port.parse::<u16>().is_ok()
    });
    match parts {
        Some(_) => Ok(given.to_string()),
        None => Err(format!("{} is no ADDRESS:PORT, such as 127.0.0.1:8080", shown(given))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_that_help_names_are_the_engines() {
        assert_eq!(selkie_vm::DEFAULT_STACK_BYTES, 16 << 20);
        let limits = selkie::StoreLimits::default();
        assert_eq!((limits.table_elements, limits.memory_bytes), (10_000_000, u64::MAX));
    }

    #[test]
    fn addresses_have_a_host_and_a_port() {
        for good in ["127.0.0.1:0", "localhost:8080", "[::1]:80"] {
            assert_eq!(address(good).as_deref(), Ok(good));
        }
        for wrong in ["xyz", "xyz:", ":80", "::1", "1.2.3.4:65536", "a:http"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_name_is_its_own_and_has_a_line_of_help() {
        for group in Group::ALL {
            let names: Vec<_> = group.names().collect();
            let help = group.help();
            for (i, name) in names.iter().enumerate() {
                assert!(!names[..i].contains(name), "{name} twice");
                assert!(help.contains(&format!("  {name}")), "{name} without help");
            }
        }
    }

    #[test]
    fn proposals_are_switched_by_their_flag() {
        let mut settings = Settings::default();
        Group::ALL[0].apply("simd=off", &mut settings).unwrap();
        Group::ALL[0].apply("legacy-exceptions", &mut settings).unwrap();
        assert!(!settings.config.features().has(Feature::simd));
        assert!(settings.config.features().has(Feature::legacy_exceptions));
    }

    #[test]
    fn a_misspelt_name_is_refused_with_the_right_one() {
        let error = Group::ALL[0].apply("tail-cal", &mut Settings::default()).unwrap_err();
        assert!(error.message().contains("did you mean `tail-call`?"), "{}", error.message());
    }

    #[test]
    fn grants_are_not_read_from_files() {
        let mut settings = Settings::default();
        assert!(Group::ALL[2].apply_from_file("inherit-env", "true", &mut settings).is_err());
        assert!(Group::ALL[2].apply_from_file("stdin", "false", &mut settings).is_ok());
        assert!(!settings.wasi.inherit_env && settings.wasi.closed_streams[0]);
    }
}
