//! The modules that are instantiated.
//!
//! Invariant: what `run` writes, the export `look` of the next instance would see: before anything
//! is measured, an engine that resets too little is found by it.

use std::path::PathBuf;

use selkie_benches::Outcome;
use selkie_benches::program::real_module;

/// A module and what one operation does with an instance of it.
pub struct Guest {
    /// Where its bytes are.
    pub source: Source,
    /// What is done with an instance.
    pub purpose: Purpose,
}

/// What is done with an instance before its end.
#[derive(Clone, Copy)]
pub enum Purpose {
    /// The export `run` is called.
    Call(Answers),
    /// The host writes to this many pages of its memory, at equal distances.
    Write(usize),
    /// Nothing.
    Nothing,
}

/// What a guest's functions, each from a number to a number, answer.
#[derive(Clone, Copy)]
pub struct Answers {
    /// `run`, when called with [`ARGUMENT`].
    pub run: i32,
    /// `look`, which reads what `run` writes, in an instance where nothing has run.
    pub look: i32,
}

/// Where a module's bytes are.
pub enum Source {
    /// In memory.
    Bytes(Vec<u8>),
    /// In a file that is big enough to be compiled beforehand.
    File(PathBuf),
}

/// What `run` is called with.
pub const ARGUMENT: i32 = 42;

/// Bytes of a page of memory as the operating system has them.
const PAGE: u32 = 4096;
/// Bytes of data in the guests of 4 MiB.
const DATA_BYTES: usize = 2 << 20;

/// Makes a guest; none where it is absent.
pub type MakeGuest = fn() -> Outcome<Option<Guest>>;

/// Names of guests, in the order of printing, and what makes each.
pub const GUESTS: &[(&str, MakeGuest)] = &[
    ("no memory", || no_memory().map(Some)),
    ("small", || small().map(Some)),
    ("medium, dense", || medium(PAGE).map(Some)),
    ("medium, strided", || medium(16 * PAGE).map(Some)),
    ("CPython", || Ok(cpython(Purpose::Nothing))),
    ("CPython, 64 pages", || Ok(cpython(Purpose::Write(64)))),
];

/// No memory, no table: what remains is the store.
///
/// # Errors
/// When the text does not parse.
pub fn no_memory() -> Outcome<Guest> {
    let source = text(
        r#"(module
            (func (export "run") (param i32) (result i32) i32.const 7)
            (func (export "look") (param i32) (result i32) i32.const 0))"#,
    )?;
    Ok(Guest { source, purpose: Purpose::Call(Answers { run: 7, look: 0 }) })
}

/// A page, 50 bytes of data and a table. `run` stores its argument, loads it, and calls through
/// the table.
///
/// # Errors
/// When the text does not parse.
pub fn small() -> Outcome<Guest> {
    let source = text(
        r#"(module
            (type $unary (func (param i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 16) "fifty bytes of data that all instances begin with.")
            (table 4 funcref)
            (elem (i32.const 0) $zero $one $two $three)
            (func $zero (type $unary) local.get 0)
            (func $one (type $unary) (i32.add (local.get 0) (i32.const 1)))
            (func $two (type $unary) (i32.add (local.get 0) (i32.const 2)))
            (func $three (type $unary) (i32.add (local.get 0) (i32.const 3)))
            (func (export "run") (type $unary)
                (i32.store (i32.const 1024) (local.get 0))
                (call_indirect (type $unary)
                    (i32.load (i32.const 1024))
                    (i32.and (local.get 0) (i32.const 3))))
            (func (export "look") (type $unary) (i32.load (i32.const 1024))))"#,
    )?;
    Ok(Guest { source, purpose: Purpose::Call(Answers { run: ARGUMENT + 2, look: 0 }) })
}

/// 4 MiB of memory, the first half of it data. `run` writes to 16 pages of each half that are
/// `stride` bytes apart; `look` adds up what lies there.
fn medium(stride: u32) -> Outcome<Guest> {
    let bytes = noise(DATA_BYTES);
    let data: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let (data_at, zero_at) = (256 << 10, (2 << 20) + (256 << 10));
    let walk = |step: &str| {
        format!(
            "(loop $again
                {step}
                (local.set $at (i32.add (local.get $at) (i32.const {stride})))
                (br_if $again (i32.lt_u (local.get $at) (i32.const {}))))",
            16 * stride
        )
    };
    let write = walk(&format!(
        "(i32.store offset={data_at} (local.get $at) (local.get $value))
         (i32.store offset={zero_at} (local.get $at) (local.get $value))"
    ));
    let add = walk(&format!(
        "(local.set $sum (i32.add (local.get $sum) (i32.load offset={data_at} (local.get $at))))
         (local.set $sum (i32.add (local.get $sum) (i32.load offset={zero_at} (local.get $at))))"
    ));
    let source = text(&format!(
        r#"(module
            (memory (export "memory") 64)
            (data (i32.const 0) "{data}")
            (func (export "run") (param $value i32) (result i32) (local $at i32)
                {write}
                (local.get $value))
            (func (export "look") (param i32) (result i32) (local $at i32) (local $sum i32)
                {add}
                (local.get $sum)))"#
    ))?;
    let words = (0..16)
        .map(|i| data_at + (i * stride) as usize)
        .map(|at| i32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
    let look = words.fold(0, i32::wrapping_add);
    Ok(Guest { source, purpose: Purpose::Call(Answers { run: ARGUMENT, look }) })
}

/// 10 MiB of memory, 7 MB of it data, and a table of 5,903 functions. It exports nothing that
/// could be called and does little.
fn cpython(purpose: Purpose) -> Option<Guest> {
    let source = Source::File(real_module("python.wasm")?);
    Some(Guest { source, purpose })
}

/// Bytes without order, always the same.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
    .take(len)
    .collect()
}

fn text(text: &str) -> Outcome<Source> {
    wat::parse_str(text).map(Source::Bytes).map_err(|e| format!("a guest does not parse: {e}"))
}
