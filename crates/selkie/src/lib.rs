//! Selkie runs WebAssembly at near-native speed, in a sandbox that grants nothing by default.
//!
//! This crate is the one dependency of a program that embeds guests. It is a façade: the engine's
//! public API at its root, WASI under [`wasi`] (feature `wasi`, on by default), initialisation ahead
//! of time under [`preinit`] (feature `preinit`, on by default). It deliberately holds no code of its
//! own. How to embed guests, step by step: [`embedding`].
//!
//! ```
//! use selkie::{Caller, Engine, Linker, Module, Store};
//! let engine = Engine::default();
//! let module = Module::new(&engine, r#"(module
//!     (import "host" "log" (func $log (param i32)))
//!     (func (export "run") i32.const 42 call $log))"#)?;
//! let mut linker = Linker::new(&engine);
//! linker.func_wrap("host", "log", |mut caller: Caller<'_, Vec<i32>>, x: i32| caller.data_mut().push(x))?;
//! let mut store = Store::new(&engine, Vec::new());
//! let instance = linker.instantiate(&mut store, &module)?;
//! instance.get_typed_func::<(), ()>(&mut store, "run")?.call(&mut store, ())?;
//! assert_eq!(store.data(), &[42]);
//! # Ok::<(), selkie::Error>(())
//! ```
#![forbid(unsafe_code)]

pub use selkie_engine::*;

/// WASI preview 1 and its predecessor: what a guest may be given, and the way into a linker.
#[cfg(feature = "wasi")]
pub use selkie_wasi as wasi;

/// Runs initializers once and writes modules that begin with their state.
#[cfg(feature = "preinit")]
pub use selkie_preinit as preinit;

#[doc = include_str!("embedding.md")]
pub mod embedding {}
