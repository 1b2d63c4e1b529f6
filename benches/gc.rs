//! How programs with collected objects run: `cargo bench --bench gc`.
//!
//! Each row is a module of `programs/gc`, written as compilers of managed languages lay out
//! objects, closures, strings and boxes: what counts is the code, the allocator and the
//! collector together. Not measured here: compile time and start-up. Programs of `programs/gc/pauses`
//! say how long they were held up at most.

use std::process::ExitCode;

use selkie_benches::{exported, pauses, run_benchmark};

fn main() -> ExitCode {
    run_benchmark("gc", 5, |options| {
        let mut findings = exported::measure("gc", options)?;
        let pauses = pauses::measure("gc/pauses", options)?;
        findings.tables.extend(pauses.tables);
        findings.errors.extend(pauses.errors);
        Ok(findings)
    })
}
