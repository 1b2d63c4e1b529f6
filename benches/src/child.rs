//! One child process, measured from outside: wall time, processor time, peak memory.
//!
//! Invariant: what is measured is the whole process, from before it is spawned until it has
//! been waited for. The peak memory of a child is never below that of the process which
//! spawned it (the kernel carries the figure over `execve`), so this program stays small: it
//! keeps no artifact in memory and no output of a run longer than the run.

#![allow(unsafe_code)]

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use crate::Outcome;
use crate::scratch::Scratch;

/// A command line with what surrounds it.
#[derive(Debug, Clone)]
pub struct Invocation {
    program: PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<(&'static str, OsString)>,
    input: Option<PathBuf>,
}

impl Invocation {
    /// A program without arguments.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), arguments: Vec::new(), variables: Vec::new(), input: None }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn variable(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Reads standard input from a file instead of nothing.
    #[must_use]
    pub fn input(mut self, path: Option<PathBuf>) -> Self {
        self.input = path;
        self
    }

    /// Wanted backtraces of errors are no surroundings to measure in: the peer takes one at
    /// each throw of a guest, which makes the throw itself a small part of what is measured.
    fn to_command(&self, output: File, errors: File) -> Outcome<Command> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdout(output).stderr(errors);
        command.env_remove("RUST_BACKTRACE").env_remove("RUST_LIB_BACKTRACE");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(match &self.input {
            Some(path) => open(path)?.into(),
            None => Stdio::null(),
        });
        Ok(command)
    }
}

/// What one run cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// From before the spawn to after the wait, in milliseconds.
    pub wall_ms: f64,
    /// User and system time of the process with all its threads, in milliseconds.
    pub cpu_ms: f64,
    /// The largest resident set, in MiB.
    pub peak_mib: f64,
}

/// Runs a command to its end and returns its cost and standard output. Output goes to a file:
/// a pipe would make a run wait for this process.
///
/// # Errors
/// When it cannot be started, or ends with another exit code than 0; the message carries the
/// end of what it wrote to standard error.
pub fn run(invocation: &Invocation, scratch: &Scratch) -> Outcome<(Cost, Vec<u8>)> {
    run_to_end(invocation, scratch).map(|(cost, output, _)| (cost, output))
}

/// Like [`run`], but the times are those that the program itself measured: it writes
/// `timed WALL CPU`, in milliseconds, as a line of its own to standard error. Memory is still
/// that of the whole process.
///
/// # Errors
/// As for [`run`], and when there is no such line.
pub fn run_self_timed(invocation: &Invocation, scratch: &Scratch) -> Outcome<(Cost, Vec<u8>)> {
    let (cost, output, said) = run_to_end(invocation, scratch)?;
    let (wall_ms, cpu_ms) = said
        .lines()
        .find_map(own_times)
        .ok_or_else(|| format!("{} did not say how long it took", invocation.program.display()))?;
    Ok((Cost { wall_ms, cpu_ms, ..cost }, output))
}

/// Like [`run`], but the wall time is what the program prints: a number of nanoseconds.
///
/// # Errors
/// As for [`run`], and when it prints something else.
pub fn run_answering(invocation: &Invocation, scratch: &Scratch) -> Outcome<Cost> {
    let (cost, output) = run(invocation, scratch)?;
    let text = String::from_utf8_lossy(&output);
    let nanoseconds: f64 = text.trim().parse().map_err(|_| {
        let program = invocation.program.display();
        format!("{program} printed {:?}, not a number of nanoseconds", text.trim())
    })?;
    Ok(Cost { wall_ms: nanoseconds / 1e6, ..cost })
}

fn own_times(line: &str) -> Option<(f64, f64)> {
    let (wall, cpu) = line.strip_prefix("timed ")?.split_once(' ')?;
    Some((wall.parse().ok()?, cpu.trim().parse().ok()?))
}

fn run_to_end(invocation: &Invocation, scratch: &Scratch) -> Outcome<(Cost, Vec<u8>, String)> {
    let output_path = scratch.path("stdout");
    let errors_path = scratch.path("stderr");
    let mut command = invocation.to_command(create(&output_path)?, create(&errors_path)?)?;
    let start = Instant::now();
    let child = command
        .spawn()
        .map_err(|e| format!("cannot start {}: {e}", invocation.program.display()))?;
    let (status, usage) = wait(child.id())?;
    let wall_ms = start.elapsed().as_secs_f64() * 1e3;
    let said = std::fs::read(&errors_path).unwrap_or_default();
    let said = String::from_utf8_lossy(&said[said.len().saturating_sub(600)..]).into_owned();
    if !status.success() {
        let program = invocation.program.display();
        return Err(format!("{program} ended with {status}: {}", said.trim()));
    }
    let cpu_ms = milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime);
    // ru_maxrss counts in KiB on Linux.
    let peak_mib = usage.ru_maxrss as f64 / 1024.0;
    let output = std::fs::read(&output_path)
        .map_err(|e| format!("cannot read {}: {e}", output_path.display()))?;
    Ok((Cost { wall_ms, cpu_ms, peak_mib }, output, said))
}

fn create(path: &PathBuf) -> Outcome<File> {
    File::create(path).map_err(|e| format!("cannot create {}: {e}", path.display()))
}

fn open(path: &PathBuf) -> Outcome<File> {
    File::open(path).map_err(|e| format!("cannot open {}: {e}", path.display()))
}

fn milliseconds(time: libc::timeval) -> f64 {
    time.tv_sec as f64 * 1e3 + time.tv_usec as f64 / 1e3
}

/// Waits for a child of this process, once, and returns what it used.
fn wait(id: u32) -> Outcome<(ExitStatus, libc::rusage)> {
    let id = i32::try_from(id).map_err(|_| "a process number out of range".to_owned())?;
    loop {
        let mut status = 0;
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: both pointers are to live locals of the types wait4 writes; the number is
        // that of a child of ours which nobody else waits for.
        let result = unsafe { libc::wait4(id, &mut status, 0, usage.as_mut_ptr()) };
        if result == id {
            // SAFETY: rusage is made of integers, for which all zeroes are a value, and
            // wait4 has succeeded and filled it in.
            return Ok((ExitStatus::from_raw(status), unsafe { usage.assume_init() }));
        }
        let error = std::io::Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            return Err(format!("cannot wait for a process: {error}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_does_not_know_of_wanted_backtraces() {
        let scratch = Scratch::new(None, "surroundings-test").unwrap();
        let invocation = Invocation::new("/bin/sh")
            .args(["-c", "echo \"${RUST_BACKTRACE-none} ${RUST_LIB_BACKTRACE-none}\""]);
        let file = || File::create(scratch.path("file")).unwrap();
        let mut command = invocation.to_command(file(), file()).unwrap();
        let removed: Vec<_> =
            command.get_envs().filter(|(_, value)| value.is_none()).map(|(n, _)| n).collect();
        assert_eq!(removed, ["RUST_BACKTRACE", "RUST_LIB_BACKTRACE"]);
        assert!(command.status().unwrap().success());
        assert_eq!(std::fs::read(scratch.path("file")).unwrap(), b"none none\n");
    }

    fn shell(script: &str) -> Outcome<(Cost, Vec<u8>)> {
        let scratch = Scratch::new(None, "child-test").unwrap();
        run(&Invocation::new("/bin/sh").args(["-c", script]), &scratch)
    }

    #[test]
    fn output_and_cost_of_a_run_are_returned() {
        let (cost, output) = shell("echo out; sleep 0.02").unwrap();
        assert_eq!(output, b"out\n");
        assert!(cost.wall_ms >= 20.0 && cost.cpu_ms < 20.0 && cost.peak_mib > 0.0);
    }

    #[test]
    fn a_failure_carries_the_end_of_standard_error() {
        let message = shell("echo the reason >&2; exit 3").unwrap_err();
        assert!(message.contains("the reason") && message.contains('3'), "{message}");
    }
}
