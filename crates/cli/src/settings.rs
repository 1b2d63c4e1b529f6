//! Settings: what the configuration file and the groups `-W`, `-O` and `-S` say, in this order.

use crate::config_file;
use crate::knobs::Group;
use crate::report::Failure;
use crate::wall::Demand;
use selkie::{Config, StoreLimits};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Every choice that is not a grant of `--dir` or `--env`.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) limits: StoreLimits,
    /// What a program may use; `None` where the engine does not count.
    pub(crate) fuel: Option<u64>,
    /// How long a program may run; `None` where the engine does not interrupt it.
    pub(crate) timeout: Option<Duration>,
    /// Whether functions that nobody provides trap when they are called.
    pub(crate) unknown_imports_trap: bool,
    /// Instead of the usual module for constants that are strings.
    pub(crate) string_constants: Option<String>,
    /// Whether artifacts run whatever they are called.
    pub(crate) allow_precompiled: bool,
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
    /// Instead of the system's random numbers, those of a seed.
    pub(crate) random_seed: Option<u64>,
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
            limits: StoreLimits::default(),
            fuel: None,
            timeout: None,
            unknown_imports_trap: false,
            string_constants: None,
            allow_precompiled: false,
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
    /// Reads the configuration file that is named, or the user's own where there is one.
    ///
    /// # Errors
    /// The file cannot be read or understood.
    pub(crate) fn of_file(named: Option<&Path>) -> Result<Settings, Failure> {
        let mut settings = Settings::default();
        config_file::read(named, &mut settings)?;
        Ok(settings)
    }

    /// Adds what the option of a group says: lists of `NAME[=VALUE]`, separated by commas.
    ///
    /// # Errors
    /// A name or a value is wrong.
    pub(crate) fn with(mut self, group: &Group, lists: &[String]) -> Result<Settings, Failure> {
        for one in lists.iter().flat_map(|list| list.split(',')).filter(|one| !one.is_empty()) {
            group.apply(one, &mut self)?;
        }
        Ok(self)
    }
}
