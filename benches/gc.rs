//! How programs with collected objects run: `cargo bench --bench gc`.
//!
//! Each row is a module of `programs/gc`, written as compilers of managed languages lay out
//! objects, closures, strings and boxes: what counts is the code, the allocator and the
//! collector together. Not measured here: compile time and start-up.

use std::process::ExitCode;

use selkie_benches::{exported, run_benchmark};

fn main() -> ExitCode {
    run_benchmark("gc", 5, |options| exported::measure("gc", options))
}
