//! `cargo xtask …`: what people and machines type to check the project.
//!
//! Two chores: `test` runs everything that shows the project works, `tidy` checks the rules of
//! the house. Nothing here builds what is shipped.
#![forbid(unsafe_code)]

mod stages;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
Usage: cargo xtask <COMMAND>

Commands:
  test [-- ARGS]  Builds `selkie` and runs all tests; ARGS go to the test binaries of tests/
  tidy            Checks the rules of the house
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["test"] => stages::test(&project_root(), &[]),
        ["test", "--", rest @ ..] => stages::test(&project_root(), rest),
        ["tidy"] => tidy::run(&project_root()),
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        _ => {
            eprint!("{HELP}");
            ExitCode::from(2)
        }
    }
}

fn project_root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}
