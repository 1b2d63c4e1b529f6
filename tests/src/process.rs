//! What this process takes, and tests that need a process for themselves to say so.

use std::process::{Command, Output};

/// What a process takes of the system.
#[derive(Clone, Copy, Debug)]
pub struct Footprint {
    /// Memory in use, in bytes.
    pub bytes: u64,
    /// Pieces of address space.
    pub mappings: usize,
    /// Open files.
    pub files: usize,
}

impl Footprint {
    /// That of this process.
    ///
    /// # Panics
    /// When the system does not tell.
    pub fn now() -> Footprint {
        let read = |path| std::fs::read_to_string(path).expect("the system tells");
        let status = read("/proc/self/status");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = resident.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
        let bytes = kib.expect("a number of KiB") * 1024;
        let files = std::fs::read_dir("/proc/self/fd").expect("the system tells").count();
        Footprint { bytes, mappings: read("/proc/self/maps").lines().count(), files }
    }
}

/// Runs one test of this binary in a process of its own, after some words of the shell.
///
/// # Panics
/// When that process cannot be started.
pub fn run_alone(test: &str, shell: &str) -> Output {
    let exe = std::env::current_exe().expect("this program has a path");
    let command = format!("{shell} exec \"$0\" --exact {test} --nocapture --test-threads=1");
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command).arg(exe).env("SELKIE_ALONE", "1");
    shell.output().expect("a shell starts")
}

/// Whether this process is one that [`run_alone`] has started.
pub fn is_alone() -> bool {
    std::env::var_os("SELKIE_ALONE").is_some()
}

/// Whether a test is to go on: in a process of its own it is. Otherwise it has been run in one.
///
/// # Panics
/// When it failed there.
pub fn goes_on_alone(test: &str) -> bool {
    if !is_alone() {
        let output = run_alone(test, "");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    is_alone()
}
