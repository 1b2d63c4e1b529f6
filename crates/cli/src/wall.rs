//! The second wall: what the kernel denies to this thread while a guest runs, by Landlock.
//!
//! The first wall is the sandbox itself; this one is for the day it has a hole. Code of a guest
//! that acts with our rights would still open, make, move and remove files in the granted
//! directories only, for what they were granted for, open no TCP connection, run no program from
//! a file, and signal no other process.
//!
//! It does not stop everything: a program in memory alone (`memfd_create` and `execveat`),
//! connections to Unix sockets by their path (before Landlock 9), changes of modes, owners and
//! times and questions about files (`stat`) anywhere, UDP, and the use of descriptors that this
//! process was given when it began are out of its reach.
//!
//! Invariants:
//! - The wall is raised when everything that `run` needs is open, and before the guest's first
//!   instruction. Its rules are the directories of the context itself, as they were opened.
//! - It denies nothing that WASI lets a guest do, except for what [`rights`] names.
//! - It is raised as a whole or not at all: where the kernel's Landlock would deny what a guest
//!   may do, there is none.
//!
//! It binds the thread that raises it and the threads which that one starts. That is enough: those
//! of the compiler have ended with their work (`compile::driver` joins them), so it is the only one
//! (`tests/wall.rs` looks), and guests run on the thread that calls them.
//!
//! What this file deliberately does not do: system calls by themselves. A filter for them
//! (seccomp) costs each of them more than it is worth here; see `docs/decisions`.

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus,
    PathBeneath, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
    make_bitflags,
};
use selkie::wasi::{DirPerms, FilePerms, WasiCtx};
use std::fmt;
use std::os::fd::BorrowedFd;

/// What is asked of the wall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Demand {
    /// No wall.
    Off,
    /// One where the kernel has it.
    #[default]
    On,
    /// One, or nothing runs.
    Require,
}

/// A wall that stands. It lasts as long as its thread; nothing takes it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raised {
    version: ABI,
}

/// Why there is no wall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    why: String,
    /// Whether the kernel has one, but raising it failed.
    has_failed: bool,
}

/// The newest Landlock whose restrictions are known not to be in the way of WASI.
const NEWEST: ABI = ABI::V9;

/// What each version of Landlock keeps from a guest, from the first that serves.
const REACH: &[(ABI, &str)] = &[
    (ABI::V2, "files that were not granted"),
    (ABI::V4, "TCP connections"),
    (ABI::V5, "requests to devices"),
    (ABI::V6, "signals and abstract sockets of other processes"),
    (ABI::V9, "sockets in the file system"),
];

/// Raises the wall around the calling thread. Only what the context's directories were granted
/// for goes through.
///
/// # Errors
/// The kernel has no Landlock, or one that does not serve; raising it failed.
pub fn raise(context: &WasiCtx) -> Result<Raised, Absent> {
    raise_around(context.preopened_dirs())
}

/// What [`raise`] would answer here.
///
/// # Errors
/// As [`raise`].
pub fn probe() -> Result<Raised, Absent> {
    // A thread of its own takes the wall with it when it ends.
    let outcome = std::thread::Builder::new().spawn(|| raise_around(std::iter::empty()));
    let outcome = outcome.map_err(|error| Absent::by_failure(&error.to_string()))?;
    outcome.join().unwrap_or_else(|_| Err(Absent::by_failure("trying it failed")))
}

fn raise_around<'fd>(
    dirs: impl Iterator<Item = (BorrowedFd<'fd>, DirPerms, FilePerms)>,
) -> Result<Raised, Absent> {
    let status = (|| {
        let mut ruleset = Ruleset::default()
            // Where Landlock cannot allow it, it denies moving files from one directory to
            // another; so the first version does not serve.
            .set_compatibility(CompatLevel::SoftRequirement)
            .handle_access(AccessFs::Refer)?
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(NEWEST))?
            .handle_access(AccessNet::from_all(NEWEST))?
            .scope(Scope::from_all(NEWEST))?
            .create()?;
        for (fd, dir, file) in dirs {
            let rights = rights(dir, file);
            if !rights.is_empty() {
                ruleset = ruleset.add_rule(PathBeneath::new(fd, rights))?;
            }
        }
        ruleset.restrict_self()
    })();
    let status = status.map_err(|error: RulesetError| Absent::by_failure(&error.to_string()))?;
    judge(&status.ruleset, status.landlock)
}

/// What the kernel lets through for a grant.
///
/// Of what WASI can do, this leaves out moving and linking device nodes: the right to that is the
/// right to make them, and with it a process of root's could reach any disk. Nor does it contain
/// requests to devices (`ioctl`): for those opened in a grant, `poll_oneoff` says that no bytes
/// are known to be waiting.
fn rights(dir: DirPerms, file: FilePerms) -> BitFlags<AccessFs> {
    let mut rights = BitFlags::EMPTY;
    if dir.contains(DirPerms::READ) {
        rights |= AccessFs::ReadDir;
    }
    if dir.contains(DirPerms::MUTATE) {
        rights |= make_bitflags!(AccessFs::{
            RemoveDir | RemoveFile | MakeDir | MakeReg | MakeSock | MakeFifo | MakeSym | Refer
        });
    }
    if file.contains(FilePerms::READ) {
        rights |= AccessFs::ReadFile;
    }
    if file.contains(FilePerms::WRITE) {
        rights |= make_bitflags!(AccessFs::{WriteFile | Truncate});
    }
    rights
}

/// What the kernel's answer means.
fn judge(ruleset: &RulesetStatus, landlock: LandlockStatus) -> Result<Raised, Absent> {
    let why = match (ruleset, landlock) {
        (_, LandlockStatus::NotImplemented) => {
            "the kernel has no Landlock, or a filter of system calls hides it"
        }
        (_, LandlockStatus::NotEnabled) => {
            "Landlock is not enabled; the kernel's parameter `lsm` turns it on"
        }
        (RulesetStatus::NotEnforced, LandlockStatus::Available { .. }) => {
            "the kernel's Landlock is older than that of Linux 5.19, which is the first that serves"
        }
        (_, LandlockStatus::Available { effective_abi: version, .. }) => {
            return Ok(Raised { version });
        }
    };
    Err(Absent::by_kernel(why))
}

impl Demand {
    /// What follows from an attempt: words for standard error, if any. That the kernel offers no
    /// wall is for people only, who see standard error: programs compare what others print, on
    /// kernels of all kinds. That it failed to raise one is for everybody.
    ///
    /// # Errors
    /// Why nothing may run, when a wall is required and there is none.
    pub(crate) fn consequence(
        self,
        attempt: &Result<Raised, Absent>,
        is_seen: impl FnOnce() -> bool,
    ) -> Result<Option<String>, String> {
        match (self, attempt) {
            (Demand::Off, _) | (_, Ok(_)) => Ok(None),
            (Demand::On, Err(absent)) if absent.has_failed => Ok(Some(format!(
                "warning: the second wall could not be raised: {absent}; `-S wall=off` does \
                 without it silently, `-S wall=require` runs nothing then"
            ))),
            (Demand::On, Err(absent)) => Ok(is_seen().then(|| {
                format!(
                    "note: the second wall is missing: {absent}; `-S wall=off` does without it \
                     silently"
                )
            })),
            (Demand::Require, Err(absent)) => Err(format!(
                "the second wall is required but missing: {absent}; run it elsewhere, or without \
                 `-S wall=require`"
            )),
        }
    }

    /// The state of the wall, for people.
    pub(crate) fn describe(self, probe: impl FnOnce() -> Result<Raised, Absent>) -> String {
        if self == Demand::Off {
            return "off".into();
        }
        match (self, probe()) {
            (_, Ok(raised)) => raised.to_string(),
            (Demand::Require, Err(absent)) => format!("missing, so nothing would run: {absent}"),
            (_, Err(absent)) => format!("missing: {absent}"),
        }
    }
}

impl Absent {
    fn by_kernel(why: &str) -> Absent {
        Absent { why: why.into(), has_failed: false }
    }

    fn by_failure(why: &str) -> Absent {
        Absent { why: why.into(), has_failed: true }
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reach = REACH.iter().filter(|(since, _)| *since <= self.version);
        let reach: Vec<_> = reach.map(|(_, what)| *what).collect();
        write!(f, "Landlock {} denies: {}", self.version, reach.join(", "))
    }
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

#[cfg(test)]
mod tests;
