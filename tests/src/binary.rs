//! The command line `selkie`, as a person would run it.
//!
//! `$SELKIE_BIN` names the binary; without it, it is built here, once, as the README says.

use crate::scripts::project_root;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Where the binary is.
///
/// # Errors
/// It cannot be built, in words.
pub fn selkie() -> Result<PathBuf, String> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    BUILT.get_or_init(find_or_build).clone()
}

fn find_or_build() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("SELKIE_BIN") {
        let path = PathBuf::from(path);
        return match path.is_file() {
            true => Ok(path),
            false => Err(format!("SELKIE_BIN: no file {}", path.display())),
        };
    }
    let root = project_root();
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--quiet", "--package", "selkie-cli"])
        .current_dir(&root)
        .status()
        .map_err(|e| format!("cannot run cargo: {e}"))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    match status.success() {
        true => Ok(root.join(target).join("release/selkie")),
        false => Err("cargo could not build selkie-cli".into()),
    }
}

/// What a run gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The exit code, `None` for a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs the binary with arguments and input.
///
/// # Errors
/// It cannot be started, in words.
pub fn run(arguments: &[&str], stdin: &str) -> Result<Run, String> {
    let mut child = Command::new(selkie()?)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("selkie does not start: {e}"))?;
    if let Some(mut pipe) = child.stdin.take() {
        // A program need not read what it is given.
        drop(pipe.write_all(stdin.as_bytes()));
    }
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    Ok(Run {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs the binary and expects success; gives what it wrote.
///
/// # Errors
/// Any other exit code.
pub fn succeeds(arguments: &[&str], stdin: &str) -> Result<String, String> {
    let run = run(arguments, stdin)?;
    match run.code {
        Some(0) => Ok(run.stdout),
        _ => Err(format!("exit code {:?}\n{}{}", run.code, run.stdout, run.stderr)),
    }
}
