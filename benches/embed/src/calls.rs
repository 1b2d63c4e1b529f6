//! The operations of `call`: one call from the host into a guest, or one call from a guest to the
//! host; in each engine.
//!
//! Invariant: nothing that could be done once is done at each call. Functions are looked up
//! before; where a host function needs the memory, its handle lies in the store's data.

pub mod ours;
pub mod wasmi;
pub mod wasmtime;

use std::sync::{Mutex, PoisonError};

use selkie_benches::Outcome;

use crate::contest::Work;

/// What is called how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// `(i32, i32) -> i32`, with types known to the Rust compiler.
    Add,
    /// `() -> ()`, with known types.
    Nothing,
    /// Four f64s to one, with known types.
    Floats,
    /// As `Add`, with values in slices.
    AddValues,
    /// An import `(i32) -> i32` that only knows its argument.
    Import,
    /// It counts in the store's data.
    ImportData,
    /// It reads four bytes of the guest's memory, whose handle lies in the store's data.
    ImportMemory,
    /// It looks the memory up, and reads.
    ImportLookUp,
    /// It is given values in slices.
    ImportValues,
}

/// All cases with the names of their rows and groups.
pub const CASES: &[(Case, &str, &str)] = &[
    (Case::Add, "host to guest, (i32, i32) -> i32", "host to guest"),
    (Case::Nothing, "host to guest, () -> ()", "host to guest"),
    (Case::Floats, "host to guest, four f64s -> f64", "host to guest"),
    (Case::AddValues, "host to guest, untyped", "host to guest"),
    (Case::Import, "guest to host, (i32) -> i32", "guest to host"),
    (Case::ImportData, "guest to host, store's data", "guest to host"),
    (Case::ImportMemory, "guest to host, memory", "guest to host"),
    (Case::ImportLookUp, "guest to host, memory by name", "guest to host"),
    (Case::ImportValues, "guest to host, untyped", "guest to host"),
];

/// What a host function finds in the store; `M` is a handle of a memory.
#[derive(Debug)]
pub struct Data<M> {
    /// Calls that were counted.
    pub calls: u64,
    /// The guest's memory.
    pub memory: Option<M>,
}

impl<M> Default for Data<M> {
    fn default() -> Self {
        Data { calls: 0, memory: None }
    }
}

/// `add`, `nothing` and `floats` are called by the host. `loop` calls the import so many times,
/// each time with what it answered before, beginning with zero, and answers the last answer.
const GUEST: &str = r#"(module
    (import "host" "next" (func $next (param i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\01")
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "nothing"))
    (func (export "floats") (param f64 f64 f64 f64) (result f64)
        (f64.add (f64.mul (local.get 0) (local.get 1)) (f64.mul (local.get 2) (local.get 3))))
    (func (export "loop") (param $count i32) (result i32) (local $value i32)
        (loop $again
            (local.set $value (call $next (local.get $value)))
            (br_if $again (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
        (local.get $value)))"#;

/// The guest's bytes.
///
/// # Errors
/// When its text does not parse.
pub fn guest() -> Outcome<Vec<u8>> {
    wat::parse_str(GUEST).map_err(|e| format!("the guest does not parse: {e}"))
}

/// Makes the work of a case, in one engine.
pub type Operation = fn(Case) -> Outcome<Work>;

/// Work with a state that only one thread has at a time; it is taken once per chunk.
fn work<S: Send + 'static>(
    state: S,
    operate: impl Fn(&mut S, u32) -> Outcome<()> + Send + Sync + 'static,
) -> Work {
    let state = Mutex::new(state);
    Box::new(move |count| operate(&mut state.lock().unwrap_or_else(PoisonError::into_inner), count))
}

/// Each call of the import answers one more than it was given.
fn counted(answer: i32, count: u32) -> Outcome<()> {
    if answer as u32 == count { Ok(()) } else { Err(format!("`loop` answers {answer}")) }
}

/// What `add` must answer.
fn sum(a: i32, answer: i32) -> Outcome<()> {
    if answer == a + 1 { Ok(()) } else { Err(format!("`add` answers {answer}")) }
}
