//! `cargo xtask test`: the stages of the test command, in the order in which a failure is
//! cheapest to find.
//!
//! Invariant: every stage runs even when an earlier one failed, and the exit code says whether
//! any did. The workspace in `tests/` shares this one's target folder, so that dependencies are
//! built once.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

/// Runs all tests.
pub(crate) fn test(root: &Path, rest: &[&str]) -> ExitCode {
    let stages = [
        stage(root, "build", &["build", "--release", "--package", "selkie-cli"], &[]),
        stage(root, "crates", &["test", "--workspace", "--no-fail-fast"], &[]),
        stage(
            root,
            "tests",
            &["test", "--manifest-path", "tests/Cargo.toml", "--no-fail-fast"],
            rest,
        ),
    ];
    let mut failed = Vec::new();
    for (name, mut command) in stages {
        println!("\n== {name}: {}", words(&command));
        let start = Instant::now();
        let succeeded = match command.status() {
            Ok(status) => status.success(),
            Err(error) => {
                eprintln!("cannot run cargo: {error}");
                false
            }
        };
        println!("== {name}: {:.0} s", start.elapsed().as_secs_f64());
        if !succeeded {
            failed.push(name);
        }
    }
    if failed.is_empty() {
        println!("\nall tests pass");
        ExitCode::SUCCESS
    } else {
        println!("\nfailed: {}", failed.join(", "));
        ExitCode::FAILURE
    }
}

fn stage(
    root: &Path,
    name: &'static str,
    cargo: &[&str],
    rest: &[&str],
) -> (&'static str, Command) {
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(target) => root.join(target),
        None => root.join("target"),
    };
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(cargo).current_dir(root);
    command.env("SELKIE_BIN", target.join("release/selkie")).env("CARGO_TARGET_DIR", target);
    if !rest.is_empty() {
        command.arg("--").args(rest);
    }
    (name, command)
}

fn words(command: &Command) -> String {
    let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy().into_owned()).collect();
    format!("cargo {}", arguments.join(" "))
}
