//! The public API, by type, as an embedder uses it, with what it refuses.

// What a test builds on must be there.
#![allow(clippy::unwrap_used)]

mod callers;
mod configs;
mod descriptors;
mod errors;
mod exceptions;
mod foreign;
mod funcs;
mod items;
mod linkers;
mod modules;
mod pending;
mod process_signals;
mod refs;
mod roots;
mod signatures;
mod snapshots;
mod strings;
mod threads;
mod types;

use selkie::{Engine, Instance, Module, Store};

/// A store with one instance of a module without imports.
fn instantiate(text: &str) -> (Store<()>, Instance) {
    let engine = Engine::default();
    let module = Module::new(&engine, text).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    (store, instance)
}
