//! Names the sources that decide what machine code of ours looks like and how it is entered, so
//! that artifacts of one build are not taken for those of another with the same version.
//!
//! Published crates have no neighbours and need none: there, a version stands for its sources.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// The crates that share layouts and conventions of machine code.
const CRATES: &[&str] = &["module", "compile", "optimizing", "vm", "engine"];

fn main() -> std::io::Result<()> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut sources = BTreeMap::new();
    for name in CRATES {
        let folder = crates.join(name).join("src");
        if folder.is_dir() {
            println!("cargo::rerun-if-changed={}", folder.display());
            read_folder(&folder, &PathBuf::from(name), &mut sources)?;
        }
    }
    // Its keys are fixed: equal sources give equal names.
    let mut hasher = DefaultHasher::new();
    sources.hash(&mut hasher);
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=SELKIE_SOURCES={:016x}", hasher.finish());
    Ok(())
}

/// Every file below a folder, by its path from the crates' folder.
fn read_folder(
    folder: &Path,
    name: &Path,
    sources: &mut BTreeMap<PathBuf, Vec<u8>>,
) -> std::io::Result<()> {
    for entry in folder.read_dir()? {
        let entry = entry?;
        let (path, name) = (entry.path(), name.join(entry.file_name()));
        if path.is_dir() {
            read_folder(&path, &name, sources)?;
        } else {
            sources.insert(name, std::fs::read(&path)?);
        }
    }
    Ok(())
}
