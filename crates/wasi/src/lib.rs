//! WASI preview 1 and its predecessor for Selkie, on plain system calls.
//!
//! A [`WasiCtx`] holds what one guest was given. Each function of WASI is a Rust
//! function over the context and the guest's memory as bytes ([`preview1`],
//! [`unstable`]); one table names them all, and the bindings to a linker are made
//! from it.
//!
//! ```text
//! guest call ──► binding (one per row of the table) ──► preview1::fd_read(cx, mem, …)
//!                                                        │ rights and grants
//!                                                        │ path walk (path.rs)
//!                                                        ▼ one system call, in place
//! ```
//!
//! Invariants of the crate:
//! - No unsafe code, no locks and no copies on the way of data: the host reads into
//!   and writes from guest memory.
//! - Whatever a guest passes is checked: nothing panics, no amount of host memory
//!   depends on a number the guest chose, beyond what its own memory holds.
//! - Nothing is reachable that the embedder did not grant (see `path.rs`).
//!
//! What this crate deliberately does not do: run anything asynchronously. A call
//! that waits blocks its thread, until somebody interrupts the guest where its engine
//! lets them (`patience.rs`).
//!
//! A closed pipe is the error `pipe` for the guest as long as the process ignores
//! `SIGPIPE`, which Rust programs do from the start; sockets never raise it.

#![forbid(unsafe_code)]

mod clocks;
mod ctx;
mod descriptor;
mod errno;
mod functions;
mod grant;
mod guest;
mod layout;
mod linker;
mod path;
mod patience;
pub mod preview1;
mod random;
mod readdir;
mod rights;
mod stable;
mod stdio;
mod table;
pub mod unstable;
mod virtual_clocks;

pub use clocks::{ClockId, Clocks, SystemClocks};
pub use ctx::{WasiCtx, WasiCtxBuilder};
pub use errno::{Errno, Exit, Failure};
pub use functions::{FunctionInfo, PREVIEW1, UNSTABLE};
pub use grant::{DirPerms, FilePerms};
pub use linker::add_to_linker;
pub use path::PathWalk;
pub use random::{Random, SeededRandom, SystemRandom};
pub use stdio::{Capture, Output, Stdin};
pub use virtual_clocks::VirtualClocks;
