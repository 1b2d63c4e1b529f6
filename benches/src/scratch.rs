//! A folder for the files of one run of a benchmark, removed at its end.
//!
//! Invariant: no two folders have the same name, neither within a process nor between two
//! benchmarks that run at the same time.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Outcome;

static MADE: AtomicU32 = AtomicU32::new(0);

/// The folder; dropping it removes it with all that is inside.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    /// Makes a fresh folder below `parent`, or below this package's target folder.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(parent: Option<&Path>, name: &str) -> Outcome<Self> {
        let usual = crate::program::target_folder();
        let parent = parent.unwrap_or(&usual);
        // ORDER: only uniqueness matters.
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let folder = parent.join(format!("selkie-{name}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder)
            .map_err(|e| format!("cannot make the folder {}: {e}", folder.display()))?;
        // Engines get absolute paths, whatever the options say.
        let folder = folder
            .canonicalize()
            .map_err(|e| format!("cannot find the folder {}: {e}", folder.display()))?;
        Ok(Self { folder })
    }

    /// A path in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A folder in it, made if it does not exist.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn folder(&self, name: &str) -> Outcome<PathBuf> {
        let path = self.path(name);
        std::fs::create_dir_all(&path)
            .map_err(|e| format!("cannot make the folder {}: {e}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left in a folder that is named after this process.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
