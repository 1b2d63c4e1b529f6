//! The programs that are run: our own kernels, built by `build.sh`, and real programs from
//! package registries where they are present.
//!
//! Invariant: what a kernel is called is its file name; nothing lists the kernels, so a new
//! source file is a new row.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::engine::{Guest, programs_folder};
use crate::scratch::Scratch;

/// One program with its native build, if it has one.
#[derive(Debug, Clone)]
pub struct Program {
    /// The row's name.
    pub name: String,
    /// The rows it is averaged with.
    pub group: &'static str,
    /// The WebAssembly module.
    pub module: PathBuf,
    /// The same source as a native program.
    pub native: Option<PathBuf>,
    /// What it is given.
    pub guest: Guest,
}

/// This package's target folder.
#[must_use]
pub fn target_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target")
}

/// Where `build.sh` puts the programs.
#[must_use]
pub fn built_folder() -> PathBuf {
    std::env::var_os("OUT").map_or_else(|| target_folder().join("programs"), PathBuf::from)
}

/// Builds what is missing or older than its source.
///
/// # Errors
/// When the build fails.
pub fn build() -> Outcome<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.sh");
    let status = Command::new(&script)
        .status()
        .map_err(|e| format!("cannot start {}: {e}", script.display()))?;
    if status.success() { Ok(()) } else { Err("the programs could not be built".to_owned()) }
}

/// The built programs of one folder below `build.sh`'s output, by name.
///
/// # Errors
/// When the folder cannot be read.
pub fn built(below: &str) -> Outcome<Vec<Program>> {
    let folder = built_folder().join(below);
    let folder = folder.canonicalize().map_err(|e| format!("{}: {e}", folder.display()))?;
    let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut programs = Vec::new();
    for entry in entries {
        let module = entry.map_err(|e| format!("{}: {e}", folder.display()))?.path();
        if module.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        let Some(name) = module.file_stem().and_then(|stem| stem.to_str()) else { continue };
        programs.push(Program {
            name: name.to_owned(),
            group: if name.starts_with("simd_") { "simd" } else { "kernels" },
            native: Some(module.with_extension("native")).filter(|path| path.is_file()),
            guest: Guest { name: name.to_owned(), ..Guest::default() },
            module,
        });
    }
    // Groups stay together, so that each is one block of the table.
    programs.sort_by(|a, b| (a.group, &a.name).cmp(&(b.group, &b.name)));
    Ok(programs)
}

/// The path of a real program, where it is present.
#[must_use]
pub fn real_module(file: &str) -> Option<PathBuf> {
    Some(programs_folder()?.join(file)).filter(|path| path.is_file())
}

const PYTHON_JSON: &str = r#"
import hashlib, json, re
data = {str(i): [i, i * i % 997, "x" * (i % 13)] for i in range(8000)}
total = 0
for _ in range(20):
    text = json.dumps(data)
    total += len(text) + len(json.loads(text)) + len(re.findall(r"[0-9]+7", text))
print(hashlib.sha256(text.encode()).hexdigest(), total)
"#;

const PYTHON_LOOPS: &str = r"
class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y
    def step(self, other):
        return Point(self.x + other.y & 0xffff, self.y ^ other.x)
a, b = Point(1, 2), Point(3, 5)
for _ in range(200000):
    a, b = b, a.step(b)
print(a.x, a.y, sum(i * i for i in range(1000000)), len({i * 7 % 10007 for i in range(500000)}))
";

/// Real programs with about a second of work each; those that are absent are left out.
///
/// # Errors
/// When an input file cannot be written.
pub fn real_work(scratch: &Scratch) -> Outcome<Vec<Program>> {
    let mut programs = Vec::new();
    let mut add = |name: &str, file: &str, arguments: &[&str], input: Option<PathBuf>| {
        let Some(module) = real_module(file) else { return };
        let arguments = arguments.iter().map(OsString::from).collect();
        let guest = Guest { name: file.to_owned(), arguments, input, ..Guest::default() };
        programs.push(Program {
            name: name.to_owned(),
            group: "real",
            module,
            native: None,
            guest,
        });
    };
    add("python_json", "python.wasm", &["-c", PYTHON_JSON], None);
    add("python_loops", "python.wasm", &["-c", PYTHON_LOOPS], None);
    if real_module("esbuild.wasm").is_some() {
        let source = scratch.path("input.ts");
        std::fs::write(&source, typescript(4500))
            .map_err(|e| format!("cannot write {}: {e}", source.display()))?;
        add("esbuild_minify", "esbuild.wasm", &["--loader=ts", "--minify"], Some(source));
    }
    Ok(programs)
}

/// A TypeScript source with `count` similar groups of declarations.
fn typescript(count: u32) -> String {
    let mut text = String::new();
    for i in 0..count {
        let _ = write!(
            text,
            "export interface Part{i} {{ id: number; label?: string; tags: readonly string[] }}
export class Shelf{i}<T extends Part{i}> {{
  private parts: Map<number, T> = new Map();
  constructor(readonly limit: number = {i}) {{}}
  put(part: T): boolean {{
    if (this.parts.size >= this.limit || part.label === 'none{i}') return false;
    this.parts.set(part.id, part);
    return true;
  }}
  first(test: (part: T) => boolean): T | undefined {{
    for (const part of this.parts.values()) if (test(part)) return part;
    return undefined;
  }}
}}
export const sum{i} = (xs: number[]): number => xs.reduce((a: number, x: number) => a + x * {i}, 0);
"
        );
    }
    text
}
