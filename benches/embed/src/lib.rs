//! Selkie as a library, beside two other engines in the same process: what is measured by
//! `instantiate`, `call`, `density` and `fork`.
//!
//! Invariant: every engine does the same work on the same module by the fastest way that its own
//! documentation offers, and its answers are looked at. A figure is only ever compared with a
//! figure of the same interleaved run.

pub mod allocations;
pub mod artifact;
pub mod calls;
pub mod contest;
pub mod cores;
pub mod density;
pub mod fork;
pub mod guests;
pub mod instances;
pub mod report;

/// A result whose error is the sentence to print.
pub use selkie_benches::Outcome;
