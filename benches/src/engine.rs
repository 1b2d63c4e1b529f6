//! The engines that are compared, and how each is told to compile and to run.
//!
//! Invariant: both sides get the same work and the same surroundings: cache and settings
//! folders of this run alone, the same grants, the same guest arguments. This is the only
//! file that knows an engine's flags.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::artifact;
use crate::child::{Invocation, run};
use crate::scratch::Scratch;

/// Whose command line it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// This project's.
    Selkie,
    /// The peer that the bars name.
    Wasmtime,
}

/// Instructions that a module uses beyond those which both engines take without being told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Collected objects, typed function references and exceptions.
    Managed,
    /// The earlier instructions for exceptions.
    LegacyExceptions,
}

/// One engine on this machine.
#[derive(Debug, Clone)]
pub struct Engine {
    /// Whose command line it is.
    pub kind: Kind,
    program: PathBuf,
    surroundings: PathBuf,
    /// What `compile` and `run` are both told.
    flags: &'static [&'static str],
}

/// What a guest gets.
#[derive(Debug, Clone, Default)]
pub struct Guest {
    /// The program's own name.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Host folder and its name inside, if one is granted.
    pub folder: Option<(PathBuf, String)>,
    /// A file as standard input.
    pub input: Option<PathBuf>,
    /// The export to call, if it is not a program that starts by itself.
    pub export: Option<&'static str>,
}

impl Engine {
    /// Finds our own and the peer's command line.
    ///
    /// # Errors
    /// When one of them is missing, with the ways to name it.
    pub fn pair(scratch: &Scratch) -> Outcome<[Self; 2]> {
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/selkie");
        let selkie = named_by("SELKIE").or_else(|| existing(built)).ok_or(
            "no selkie: build it with `cargo build --release` in the project's root, \
             or set SELKIE to its path",
        )?;
        let wasmtime = find_peer("WASMTIME", "wasmtime").ok_or(
            "no wasmtime: put it on the PATH or into $PEERS (default \
             $HOME/.cache/selkie-peers/bin), or set WASMTIME to its path",
        )?;
        let new = |kind, program, name| {
            Ok(Self { kind, program, surroundings: scratch.folder(name)?, flags: &[] })
                as Outcome<Self>
        };
        Ok([new(Kind::Selkie, selkie, "ours")?, new(Kind::Wasmtime, wasmtime, "peer")?])
    }

    /// How it is called in messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.kind {
            Kind::Selkie => "selkie",
            Kind::Wasmtime => "wasmtime",
        }
    }

    /// The same engine, told to take modules in a dialect; `None` when it never does. The
    /// peer gets the fastest of its collectors, and inlining, which it has to be asked for.
    #[must_use]
    pub fn taking(&self, dialect: Dialect) -> Option<Self> {
        let flags: &[&str] = match (self.kind, dialect) {
            (Kind::Selkie, Dialect::Managed) => &[],
            (Kind::Selkie, Dialect::LegacyExceptions) => &["-W", "legacy-exceptions"],
            (Kind::Wasmtime, Dialect::Managed) => {
                &["-Wgc=y,function-references=y,exceptions=y", "-Ccollector=copying,inlining=y"]
            }
            (Kind::Wasmtime, Dialect::LegacyExceptions) => return None,
        };
        Some(Self { flags, ..self.clone() })
    }

    fn command(&self) -> Invocation {
        Invocation::new(&self.program)
            .variable("XDG_CACHE_HOME", self.surroundings.join("cache"))
            .variable("XDG_CONFIG_HOME", self.surroundings.join("config"))
    }

    /// Where this engine's artifact for a program goes.
    #[must_use]
    pub fn artifact_path(&self, name: &str) -> PathBuf {
        self.surroundings.join(format!("{name}.cwasm"))
    }

    /// Ahead-of-time compilation, with the engine's usual settings.
    #[must_use]
    pub fn compile(&self, module: &Path, artifact: &Path) -> Invocation {
        self.command().arg("compile").args(self.flags).arg(module).arg("-o").arg(artifact)
    }

    /// Running an artifact of this engine.
    #[must_use]
    pub fn run_artifact(&self, artifact: &Path, guest: &Guest) -> Invocation {
        let command = self.command().arg("run").args(self.flags);
        let command = match self.kind {
            Kind::Selkie => command,
            Kind::Wasmtime => command.arg("--allow-precompiled"),
        };
        with_guest(command, artifact, guest)
    }

    /// Running a module or its text as a person would, with the cache of compiled code on.
    #[must_use]
    pub fn run_module(&self, module: &Path, guest: &Guest) -> Invocation {
        let command = match self.kind {
            Kind::Selkie => self.command(),
            Kind::Wasmtime => self.command().args(["run", "-C", "cache=y"]),
        };
        with_guest(command, module, guest)
    }

    /// Compiles without measuring and returns the artifact.
    ///
    /// # Errors
    /// When the compilation fails.
    pub fn prepare(&self, name: &str, module: &Path, scratch: &Scratch) -> Outcome<PathBuf> {
        let artifact = self.artifact_path(name);
        run(&self.compile(module, &artifact), scratch)
            .map_err(|e| format!("{name}: compiling: {e}"))?;
        Ok(artifact)
    }

    /// Bytes of machine code in an artifact of this engine.
    ///
    /// # Errors
    /// When the artifact cannot be read.
    pub fn code_size(&self, artifact: &Path, scratch: &Scratch) -> Outcome<u64> {
        match self.kind {
            Kind::Wasmtime => artifact::text_size(artifact),
            Kind::Selkie => {
                let command = self.command().args(["inspect", "--code-size"]).arg(artifact);
                let (_, output) = run(&command, scratch)?;
                let text = String::from_utf8_lossy(&output);
                text.trim().parse().map_err(|_| {
                    format!("`selkie inspect --code-size` printed {:?}, not a number", text.trim())
                })
            }
        }
    }
}

fn with_guest(mut command: Invocation, file: &Path, guest: &Guest) -> Invocation {
    if let Some((host, inside)) = &guest.folder {
        let mut grant = host.clone().into_os_string();
        grant.push("::");
        grant.push(inside);
        command = command.arg("--dir").arg(grant);
    }
    if !guest.name.is_empty() {
        command = command.arg("--argv0").arg(&guest.name);
    }
    if let Some(export) = guest.export {
        command = command.arg("--invoke").arg(export);
    }
    command.arg(file).args(&guest.arguments).input(guest.input.clone())
}

/// Node with our small script around its WASI: the module is compiled in the same run.
#[must_use]
pub fn node(module: &Path, guest: &Guest) -> Option<Invocation> {
    let command = node_script("run_in_node.mjs")?.arg(module);
    Some(command.args(&guest.arguments).input(guest.input.clone()))
}

/// Node calling the export `run`: `warm_up` times uncounted, then `timed` times. It measures
/// those itself and says their medians.
#[must_use]
pub fn node_calls(module: &Path, guest: &Guest, warm_up: u32, timed: u32) -> Option<Invocation> {
    let command = node_script("call_in_node.mjs")?.arg(module);
    Some(command.arg(warm_up.to_string()).arg(timed.to_string()).args(&guest.arguments))
}

/// Node calling the export `run` several times, and printing what the last call answers.
#[must_use]
pub fn node_answers(module: &Path, guest: &Guest, calls: u32) -> Option<Invocation> {
    let command = node_script("pauses_in_node.mjs")?.arg(module);
    Some(command.arg(calls.to_string()).args(&guest.arguments))
}

fn node_script(name: &str) -> Option<Invocation> {
    let program = find_peer("NODE", "node26").or_else(|| find_peer("NODE", "node"))?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    Some(Invocation::new(program).arg("--no-warnings").arg(script))
}

/// A native program with the same arguments.
#[must_use]
pub fn native(program: &Path, guest: &Guest) -> Invocation {
    Invocation::new(program).args(&guest.arguments).input(guest.input.clone())
}

fn named_by(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn existing(path: PathBuf) -> Option<PathBuf> {
    path.is_file().then_some(path)
}

fn find_peer(variable: &str, program: &str) -> Option<PathBuf> {
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find_map(|folder| existing(folder.join(program)))
    };
    let in_peers = || {
        let peers = named_by("PEERS").or_else(|| Some(cache_folder()?.join("selkie-peers")))?;
        existing(peers.join("bin").join(program)).or_else(|| existing(peers.join(program)))
    };
    named_by(variable).or_else(on_path).or_else(in_peers)
}

/// The folder of `$PROGRAMS`, or its usual place.
#[must_use]
pub fn programs_folder() -> Option<PathBuf> {
    named_by("PROGRAMS").or_else(|| Some(cache_folder()?.join("selkie-programs")))
}

fn cache_folder() -> Option<PathBuf> {
    Some(named_by("HOME")?.join(".cache"))
}
