//! Settings: what the configuration file and the groups `-W`, `-O` and `-S` say, in this order.

use crate::config_file;
use crate::knobs::Group;
use crate::options::{Invocation, Opt};
use crate::report::Failure;
use crate::wall::Demand;
use selkie::{Config, StoreLimits};
use selkie_compile::Tuning;
use std::path::PathBuf;

/// Every choice that is not a grant of `--dir` or `--env`.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    /// How code is made; part of `config` once everything is read.
    pub(crate) tuning: Tuning,
    pub(crate) limits: StoreLimits,
    /// Whether functions that nobody provides trap when they are called.
    pub(crate) unknown_imports_trap: bool,
    pub(crate) wasi: WasiSettings,
    pub(crate) cache: CacheSettings,
}

/// Choices of the group `-S`.
#[derive(Debug, Default)]
pub(crate) struct WasiSettings {
    pub(crate) inherit_env: bool,
    /// Whether standard input, output and error are ours; they are empty otherwise.
    pub(crate) closed_streams: [bool; 3],
    /// Addresses to listen on.
    pub(crate) tcp_listen: Vec<String>,
    pub(crate) max_descriptors: Option<usize>,
    /// Whether paths are always walked by hand.
    pub(crate) manual_path_walk: bool,
    /// Whether the kernel is to stand behind the sandbox.
    pub(crate) wall: Demand,
}

/// Where compiled code is kept.
#[derive(Debug)]
pub(crate) struct CacheSettings {
    pub(crate) enabled: bool,
    /// Instead of the user's cache folder.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) limit_bytes: u64,
}

const DEFAULT_CACHE_LIMIT_BYTES: u64 = 2 << 30;

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            config: Config::new(),
            tuning: Tuning::default(),
            limits: StoreLimits::default(),
            unknown_imports_trap: false,
            wasi: WasiSettings::default(),
            cache: CacheSettings {
                enabled: true,
                folder: None,
                limit_bytes: DEFAULT_CACHE_LIMIT_BYTES,
            },
        }
    }
}

impl Settings {
    /// Reads the configuration file, then the options.
    ///
    /// # Errors
    /// The file cannot be read or understood; a name or value of a group is wrong.
    pub(crate) fn of(invocation: &Invocation) -> Result<Settings, Failure> {
        let mut settings = Settings::default();
        config_file::read(invocation.value(Opt::Config), &mut settings)?;
        for group in Group::ALL {
            for values in invocation.values(group.option) {
                let Some(values) = values.to_str() else {
                    return Err(Failure::usage(format!("-{} is not UTF-8", group.letter)));
                };
                for one in values.split(',').filter(|one| !one.is_empty()) {
                    group.apply(one, &mut settings)?;
                }
            }
        }
        settings.cache.enabled &= !invocation.has(Opt::NoCache);
        settings.apply_tuning();
        Ok(settings)
    }

    fn apply_tuning(&mut self) {
        self.config
            .canonical_nans(self.tuning.canonical_nans)
            .relaxed_simd_deterministic(self.tuning.relaxed_simd_deterministic)
            .inlining(self.tuning.inlining)
            .guard_pages(self.tuning.guard_pages)
            .spectre_checks(self.tuning.spectre_checks)
            .memory_guard_bytes(self.tuning.memory_guard_bytes);
    }
}

/// The group that a command line asks to list, if any.
pub(crate) fn asked_group(invocation: &Invocation) -> Option<&'static Group> {
    Group::ALL.iter().find(|group| invocation.values(group.option).any(|value| value == "help"))
}
