//! What exceptions cost: `cargo bench --bench exceptions`.
//!
//! Each row is a module of `programs/exceptions`: throwing near and far, with and without
//! values, through handlers for something else, and handlers where nothing is ever thrown.

use std::process::ExitCode;

use selkie_benches::{exported, run_benchmark};

fn main() -> ExitCode {
    run_benchmark("exceptions", 5, |options| exported::measure("exceptions", options))
}
