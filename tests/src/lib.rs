//! What the test binaries beside this library share: how trials are named, judged and run, where
//! suites, programs and toolchains are found, which proposals a script needs, how compile time grows,
//! and what a process takes.
//!
//! Invariant: a trial that is skipped says so aloud; a trial that is listed as failing and passes
//! is a failure. Deliberately not here: any test. Each binary says itself what it shows.

pub mod binary;
pub mod expected;
pub mod growth;
pub mod guest;
pub mod harness;
pub mod legacy;
pub mod packages;
pub mod process;
pub mod proposals;
pub mod scratch;
pub mod scripts;
pub mod toolchains;
pub mod validation;
