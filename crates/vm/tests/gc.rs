//! The collected heap, from outside: what lives stays what it is, what is dead goes, and limits
//! hold.
#![allow(clippy::unwrap_used, reason = "the functions around the tests are tests, too")]

#[path = "gc/model.rs"]
mod model;
#[path = "gc/world.rs"]
mod world;
