//! Modules before and after their initialisation.

// What a test builds on must be there.
#![allow(clippy::unwrap_used)]

mod guests;
mod refusals;
mod sequences;
mod states;
