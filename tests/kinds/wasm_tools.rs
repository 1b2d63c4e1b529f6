//! The scripts of the crate `wasm-tools` (tests/cli): texts and modules that are valid, invalid
//! or malformed. They say nothing about execution; `spec` does that.

use selkie_tests::harness::{self, Case};
use selkie_tests::scripts::{self, Script};
use selkie_tests::validation::{Options, check};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    harness::run("wasm_tools", cases())
}

fn cases() -> Vec<Case> {
    let folder = match scripts::wasm_tools_folder() {
        Ok(folder) => folder,
        Err(why) => return vec![Case::skipped("wasm_tools", why)],
    };
    let mut found = match scripts::in_folder(&folder.join("tests/cli"), "cli") {
        Ok(found) => found,
        Err(why) => return vec![Case::new("wasm_tools", || Err(why))],
    };
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found.into_iter().filter_map(|script| case(&folder, script)).collect()
}

/// A script's trial. Some scripts are a command about another file; the crate carries some of
/// those files and not others (the official suite), which then is no trial.
fn case(folder: &Path, script: Script) -> Option<Case> {
    let name = format!("wasm_tools/{}", script.name);
    let options = match Options::of_script(&script.text) {
        Ok(options) => options?,
        Err(why) => return Some(Case::new(name, || Err(why))),
    };
    let text = match &options.file {
        Some(file) => std::fs::read_to_string(folder.join(file)).ok()?,
        None => script.text,
    };
    Some(Case::new(name, move || check(&text, &options).map(drop)))
}
