//! The project's files, read once for all rules. What tools make (target folders, the version
//! control's own) is left out.

use std::path::{Path, PathBuf};

/// A file of the project.
#[derive(Clone, Debug, Default)]
pub(crate) struct File {
    /// From the root, with `/`.
    pub(crate) path: String,
    /// Size in bytes.
    pub(crate) bytes: u64,
    /// The text, where it is text.
    pub(crate) text: Option<String>,
}

impl File {
    /// Whether it is Rust.
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The text, empty where it is none.
    pub(crate) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    #[cfg(test)]
    pub(crate) fn with(path: &str, text: &str) -> File {
        File { path: path.into(), bytes: text.len() as u64, text: Some(text.into()) }
    }
}

/// Folders that hold what tools made.
const MADE: &[&str] = &["target", ".git", "corpus", "node_modules"];

/// All files below a root, sorted.
pub(crate) fn read_all(root: &Path) -> Result<Vec<File>, String> {
    let mut paths = Vec::new();
    collect(root, &mut paths)?;
    let mut files = Vec::new();
    for path in paths {
        let bytes = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let relative = path.strip_prefix(root).unwrap_or(&path);
        files.push(File {
            path: relative.to_string_lossy().replace('\\', "/"),
            bytes: bytes.len() as u64,
            text: String::from_utf8(bytes).ok(),
        });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), String> {
    let unreadable = |e: std::io::Error| format!("{}: {e}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_dir() {
            if !MADE.contains(&entry.file_name().to_string_lossy().as_ref()) {
                collect(&entry.path(), paths)?;
            }
        } else if kind.is_file() {
            paths.push(entry.path());
        }
    }
    Ok(())
}
