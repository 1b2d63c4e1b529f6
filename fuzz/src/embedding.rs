//! The embedding API: stores, instances made of what former ones left behind, snapshots, calls that
//! wait, limits and interruption, in any order, against a model of what each instance must hold.
//!
//! [`guest`] is a module of which each export does one thing, with what that does to the model;
//! [`model`] is the contents of a store in plain Rust; [`cell`] is a store beside its model, and
//! everything that can be done to one; [`world`] is an engine with several of them, and what is done
//! between them. [`twins`] needs no model: generated modules, whose instances are compared with each
//! other.
//!
//! Invariant: a call that is cut short (fuel, interruption, a future that is dropped) may have done
//! what the model says or not, byte by byte and slot by slot; every other call has done exactly that.

mod cell;
mod guest;
mod host;
mod model;
mod read;
mod twins;
mod world;

pub use twins::twins_agree;
pub use world::holds_what_its_model_says;
