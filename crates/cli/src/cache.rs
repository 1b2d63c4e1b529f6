//! The cache of compiled code: a folder of artifacts, one file for each module and choice of
//! settings.
//!
//! Invariants: an entry is written under another name and then renamed, so a reader sees all of
//! it or nothing; an entry that turns out damaged or foreign is made again without a word;
//! whatever cannot be done with the folder is no error. As entries are machine code that runs
//! with our rights, neither a folder nor an entry that others own or can write to is used
//! (`folder.rs`), and files that are none of ours are left alone. When a guest runs, nothing of
//! the cache is open any more.
//!
//! What this file deliberately does not do: decide whether an entry fits. Its key names module
//! and settings; the artifact checks itself (version, processor, every byte).

mod folder;

use crate::config_file::home_folder;
use crate::settings::CacheSettings;
use crate::trusted;
pub(crate) use folder::Entry;
use folder::{Folder, is_hex, is_unfinished};
use rustix::io::Errno;
use selkie::{Engine, ErrorKind, Module};
use std::path::PathBuf;
use std::time::SystemTime;

/// Unused entries live until the limit is reached; used ones are marked at most this often.
const MARK_AFTER_SECS: i64 = 3600;
/// Unfinished files of writers that died are removed after this time.
const ABANDONED_AFTER_SECS: i64 = 3600;

/// A folder of compiled code.
#[derive(Debug)]
pub(crate) struct Cache {
    path: PathBuf,
    /// None as long as it does not exist.
    folder: Option<Folder>,
    limit_bytes: u64,
}

/// Names a module under some settings: 64 hexadecimal digits.
pub(crate) type Key = String;

impl Cache {
    /// The user's cache, unless it is turned off or there is no safe place for it.
    pub(crate) fn open(settings: &CacheSettings) -> Option<Cache> {
        if !settings.enabled {
            return None;
        }
        let path = match &settings.folder {
            Some(folder) => folder.clone(),
            None => home_folder("XDG_CACHE_HOME", ".cache")?.join("selkie"),
        };
        let folder = match Folder::open(&path) {
            Ok(folder) => Some(folder),
            // It is made when there is something to put in.
            Err(Errno::NOENT) => None,
            Err(_) => return None,
        };
        Some(Cache { path, folder, limit_bytes: settings.limit_bytes })
    }

    /// The key of a module under an engine's settings.
    pub(crate) fn key(engine: &Engine, bytes: &[u8]) -> Key {
        // What shapes the code, and what decides whether the module is valid at all.
        let identity =
            format!("{}\0{:?}", engine.compile_fingerprint(), engine.config().features());
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(identity.len() as u64).to_le_bytes()).update(identity.as_bytes());
        hasher.update(bytes);
        hasher.finalize().to_hex().to_string()
    }

    /// The module of a key, if it is there and whole.
    pub(crate) fn load(&self, engine: &Engine, key: &Key) -> Option<Module> {
        let (folder, name) = (self.folder.as_ref()?, file_name(key));
        let entry = folder.entry(&name)?;
        let used_secs = entry.used_secs();
        match trusted::cached(engine, entry) {
            Ok(module) => {
                if now_secs().saturating_sub(used_secs) > MARK_AFTER_SECS {
                    folder.mark_used(&name);
                }
                Some(module)
            }
            Err(error) => {
                if error.kind() != ErrorKind::Limit {
                    folder.remove(&name);
                }
                None
            }
        }
    }

    /// Keeps a module. Whatever goes wrong, nothing is left behind and nobody is bothered.
    pub(crate) fn store(&mut self, key: &Key, module: &Module) {
        let Ok(bytes) = module.serialize() else { return };
        if bytes.len() as u64 > self.limit_bytes {
            return;
        }
        if self.folder.is_none() {
            self.folder = Folder::make(&self.path).ok();
        }
        if let Some(folder) = &self.folder
            && folder.write(&file_name(key), &bytes).is_ok()
        {
            clean(folder, self.limit_bytes);
        }
    }
}

/// Removes what writers that died left behind and, if there is more than the limit, what was not
/// used for longest, until three quarters of the limit are left.
fn clean(folder: &Folder, limit_bytes: u64) {
    let now = now_secs();
    let (unfinished, mut entries): (Vec<_>, Vec<_>) = folder
        .list(|name| is_entry(name) || is_unfinished(name))
        .into_iter()
        .partition(|file| is_unfinished(&file.name));
    for file in unfinished {
        if now.saturating_sub(file.used.0) > ABANDONED_AFTER_SECS {
            folder.remove(&file.name);
        }
    }
    let mut total: u64 = entries.iter().map(|file| file.bytes).sum();
    if total <= limit_bytes {
        return;
    }
    entries.sort();
    for file in entries {
        if total <= limit_bytes / 4 * 3 {
            break;
        }
        if folder.remove(&file.name) {
            total -= file.bytes;
        }
    }
}

fn file_name(key: &Key) -> String {
    format!("{key}.cwasm")
}

/// Whether a name is that of an entry; a configured folder may hold other files.
fn is_entry(name: &str) -> bool {
    name.strip_suffix(".cwasm").is_some_and(|key| is_hex(key, 64))
}

fn now_secs() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs().cast_signed())
}

#[cfg(test)]
mod tests;
