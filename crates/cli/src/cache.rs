//! The cache of compiled code: a folder of artifacts, one file for each module and choice of
//! settings.
//!
//! Invariants: an entry is written under another name and then renamed, so a reader sees all of
//! it or nothing; an entry that turns out damaged or foreign is removed and made again without a
//! word; whatever cannot be done with the folder is no error. As entries are machine code that
//! runs with our rights, a folder that others own or can write to is not used at all.
//!
//! What this file deliberately does not do: decide whether an entry fits. Its key names module
//! and settings; the artifact checks itself (version, processor, every byte).

use crate::config_file::home_folder;
use crate::settings::CacheSettings;
use crate::trusted;
use selkie::{Engine, ErrorKind, Module};
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Unused entries live until the limit is reached; used ones are marked at most this often.
const MARK_AFTER: Duration = Duration::from_secs(3600);
/// Unfinished files of writers that died are removed after this time.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);
const UNFINISHED_PREFIX: &str = ".unfinished-";

/// A folder of compiled code.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    limit_bytes: u64,
}

/// Names a module under some settings.
pub(crate) type Key = String;

impl Cache {
    /// The user's cache, unless it is turned off or there is no safe place for it.
    pub(crate) fn open(settings: &CacheSettings) -> Option<Cache> {
        if !settings.enabled {
            return None;
        }
        let folder = match &settings.folder {
            Some(folder) => folder.clone(),
            None => home_folder("XDG_CACHE_HOME", ".cache")?.join("selkie"),
        };
        let cache = Cache { folder, limit_bytes: settings.limit_bytes };
        match std::fs::metadata(&cache.folder) {
            Ok(meta) if !is_ours_alone(&meta) => None,
            // A folder that is not there yet is made when there is something to put in.
            _ => Some(cache),
        }
    }

    /// The key of a module under an engine's settings.
    pub(crate) fn key(engine: &Engine, bytes: &[u8]) -> Key {
        // What shapes the code, and what decides whether the module is valid at all.
        let identity = format!("{}\0{:?}", engine.fingerprint(), engine.config().features());
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(identity.len() as u64).to_le_bytes()).update(identity.as_bytes());
        hasher.update(bytes);
        hasher.finalize().to_hex().to_string()
    }

    /// The module of a key, if it is there and whole.
    pub(crate) fn load(&self, engine: &Engine, key: &Key) -> Option<Module> {
        let path = self.path(key);
        let meta = std::fs::symlink_metadata(&path).ok()?;
        if !meta.is_file() {
            return None;
        }
        match trusted::cached(engine, &path) {
            Ok(module) => {
                mark_used(&path, &meta);
                Some(module)
            }
            Err(error) => {
                if error.kind() != ErrorKind::Limit {
                    let _ = std::fs::remove_file(&path);
                }
                None
            }
        }
    }

    /// Keeps a module. Whatever goes wrong, nothing is left behind and nobody is bothered.
    pub(crate) fn store(&self, key: &Key, module: &Module) {
        let Ok(bytes) = module.serialize() else { return };
        if bytes.len() as u64 > self.limit_bytes {
            return;
        }
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        let is_safe = std::fs::metadata(&self.folder).is_ok_and(|meta| is_ours_alone(&meta));
        if made.is_ok() && is_safe && self.write(key, &bytes).is_ok() {
            self.clean();
        }
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.folder.join(format!("{key}.cwasm"))
    }

    fn write(&self, key: &Key, bytes: &[u8]) -> std::io::Result<()> {
        let unfinished =
            self.folder.join(format!("{UNFINISHED_PREFIX}{}-{key}", std::process::id()));
        let written = write_new(&unfinished, bytes)
            .and_then(|()| std::fs::rename(&unfinished, self.path(key)));
        if written.is_err() {
            let _ = std::fs::remove_file(&unfinished);
        }
        written
    }

    /// Removes what was not used for longest, until three quarters of the limit are left.
    fn clean(&self) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return };
        let now = SystemTime::now();
        let mut files = Vec::new();
        for entry in entries.flatten() {
            let (Ok(meta), path) = (entry.metadata(), entry.path()) else { continue };
            let Ok(used) = meta.modified() else { continue };
            if !meta.is_file() {
                continue;
            }
            if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED_PREFIX.as_bytes()) {
                if now.duration_since(used).is_ok_and(|age| age > ABANDONED_AFTER) {
                    let _ = std::fs::remove_file(&path);
                }
            } else if path.extension().is_some_and(|extension| extension == "cwasm") {
                files.push((used, meta.len(), path));
            }
        }
        let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        if total <= self.limit_bytes {
            return;
        }
        files.sort();
        for (_, bytes, path) in files {
            if total <= self.limit_bytes / 4 * 3 {
                break;
            }
            if std::fs::remove_file(&path).is_ok() {
                total -= bytes;
            }
        }
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}

/// Whether a folder belongs to us and nobody else can write to it.
fn is_ours_alone(meta: &Metadata) -> bool {
    // The owner of a process's own folder in /proc is its effective user.
    let us = std::fs::metadata("/proc/self").map(|meta| meta.uid());
    meta.is_dir() && us.is_ok_and(|us| us == meta.uid()) && meta.mode() & 0o022 == 0
}

/// Remembers that an entry is of use, for when room must be made.
fn mark_used(path: &Path, meta: &Metadata) {
    let now = SystemTime::now();
    let is_old = meta.modified().ok().and_then(|used| now.duration_since(used).ok());
    if is_old.is_some_and(|age| age > MARK_AFTER)
        && let Ok(file) = File::options().append(true).open(path)
    {
        let _ = file.set_modified(now);
    }
}

#[cfg(test)]
mod tests;
