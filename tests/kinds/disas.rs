//! Snapshots: small modules in the text format with the expected output of the compiler's walk
//! below them. `BLESS=1` writes what the walk gives today, to be read before it is committed.
//!
//! A first line `;; tuning: name=off …` changes what the walk decides.

use selkie_compile::text::print_function;
use selkie_compile::{CompileUnit, Tuning};
use selkie_module::decode::decode;
use selkie_module::{DefinedFuncIndex, Features};
use selkie_tests::harness::{self, Case};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Between a module and its snapshot.
const MARK: &str = ";; ---\n";

fn main() -> ExitCode {
    harness::run("disas", cases())
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("disas/translate");
    let mut files: Vec<PathBuf> = match std::fs::read_dir(&folder) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(error) => {
            return vec![Case::new("disas", move || Err(format!("{}: {error}", folder.display())))];
        }
    };
    files.retain(|path| path.extension().is_some_and(|ending| ending == "wat"));
    files.sort();
    let name = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    files
        .into_iter()
        .map(|path| Case::new(format!("disas/translate/{}", name(&path)), move || trial(&path)))
        .collect()
}

fn trial(path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    let (source, expected) = text.split_once(MARK).unwrap_or((&text, ""));
    let actual = walk(source)?;
    if actual == expected {
        return Ok(());
    }
    if std::env::var_os("BLESS").is_some() {
        let blessed = format!("{}{}{actual}", source.trim_end(), format_args!("\n\n{MARK}"));
        return std::fs::write(path, blessed).map_err(|e| e.to_string());
    }
    Err(format!("the walk changed (BLESS=1 accepts it):\n{}", difference(expected, &actual)))
}

/// The walk of each function of a module, as comments.
fn walk(source: &str) -> Result<String, String> {
    let bytes = wat::parse_str(source).map_err(|e| e.to_string())?;
    let features = Features::all();
    let module = decode(&bytes, features).map_err(|e| e.to_string())?;
    let unit = CompileUnit::new(&module, &bytes, features, tuning(source)?);
    let mut out = String::new();
    for index in 0..unit.functions.len() {
        let text =
            print_function(&unit, DefinedFuncIndex::new(index)).map_err(|e| e.to_string())?;
        out.push_str(&format!(";; function {index}\n"));
        for line in text.lines() {
            out.push_str(format!(";; {line}").trim_end());
            out.push('\n');
        }
    }
    Ok(out)
}

fn tuning(source: &str) -> Result<Tuning, String> {
    let mut tuning = Tuning::default();
    let settings = source.lines().next().and_then(|line| line.strip_prefix(";; tuning: "));
    for setting in settings.unwrap_or_default().split_whitespace() {
        let (name, value) =
            setting.split_once('=').ok_or_else(|| format!("{setting}: no value"))?;
        let on = value == "on";
        match name {
            "guard-pages" => tuning.guard_pages = on,
            "spectre-checks" => tuning.spectre_checks = on,
            "inlining" => tuning.inlining = on,
            "consume-fuel" => tuning.consume_fuel = on,
            "epoch-interruption" => tuning.epoch_interruption = on,
            "canonical-nans" => tuning.canonical_nans = on,
            "relaxed-simd-deterministic" => tuning.relaxed_simd_deterministic = on,
            "memory-guard" => {
                tuning.memory_guard_bytes = value.parse().map_err(|e| format!("{value}: {e}"))?;
            }
            _ => return Err(format!("no tuning is called {name}")),
        }
    }
    Ok(tuning)
}

/// The first place where two texts differ, with a few lines around it.
fn difference(expected: &str, actual: &str) -> String {
    let same = expected.lines().zip(actual.lines()).take_while(|(a, b)| a == b).count();
    let part = |text: &str| {
        let lines = text.lines().skip(same.saturating_sub(2)).take(6);
        lines.map(|line| format!("    {line}\n")).collect::<String>()
    };
    format!("  expected\n{}  actual\n{}", part(expected), part(actual))
}
