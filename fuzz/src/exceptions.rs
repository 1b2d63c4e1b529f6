//! Programs that throw and catch, as trees: [`generate`] grows one from a seed, [`encode`] writes
//! it as a module, [`model`] says what it does, [`run`] compares that with what the engine does.
//!
//! Invariant: a program ends. Functions call only those behind them, and the model gives up on
//! programs that take too many steps.

mod encode;
mod generate;
mod model;
mod run;

pub use run::behaves_as_its_model;

/// A tag, by its place among [`TAGS`].
type Tag = usize;

/// What a tag carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Payload {
    Nothing,
    I32,
    /// `i64 f64`
    Wide,
    /// `i32 v128 exnref`
    Nested,
}

/// The tags of every program. Those in front are imported; the host may give one tag for both
/// imports of a type.
const TAGS: [Payload; 7] = [
    Payload::I32,
    Payload::I32,
    Payload::Nothing,
    Payload::I32,
    Payload::Wide,
    Payload::Wide,
    Payload::Nested,
];
/// How many of them are imported.
const IMPORTED_TAGS: usize = 2;

/// Locals of every function that hold an i32; the first is its parameter.
const NUMBERS: usize = 3;

/// A program: two instances are made of it.
#[derive(Clone, Debug)]
struct Program {
    functions: Vec<Vec<Node>>,
    /// Whether the imported tags are one.
    tags_are_one: bool,
}

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Direct,
    Indirect,
    Reference,
    /// In place of the caller.
    Tail,
    /// In place of the caller, through the table.
    TailIndirect,
    /// By a host function, which calls back.
    Host,
    /// As an import from the other instance.
    Other,
}

/// A clause: the tag or everything, and what is done. With `keeps`, the exception is stored in the
/// function's exception local.
#[derive(Clone, Debug)]
struct Clause {
    tag: Option<Tag>,
    keeps: bool,
    body: Vec<Node>,
}

/// A piece of a function. Labels count outwards from the innermost piece that has one.
#[derive(Clone, Debug)]
enum Node {
    /// Mixes a number into the trace.
    Trace(u32),
    /// Adds to a number.
    Add(usize, u32),
    /// Throws; the parameters come from the numbers and the exception local.
    Throw(Tag),
    /// Throws what the exception local holds.
    ThrowRef,
    /// Asks the host to throw.
    HostThrow(Tag),
    /// Calls with number 0 and puts the result into number 1.
    Call(Way, usize),
    /// `try_table`. Has a label: its end.
    TryTable {
        body: Vec<Node>,
        clauses: Vec<Clause>,
    },
    /// Legacy `try`. Has a label: itself.
    Try {
        body: Vec<Node>,
        clauses: Vec<Clause>,
    },
    /// Legacy `try` with `delegate`. Has a label: itself; the target counts from outside.
    Delegate {
        body: Vec<Node>,
        target: usize,
    },
    /// Legacy `rethrow` of what the clause around it caught.
    Rethrow(usize),
    /// Depending on the lowest bit of a number.
    If(usize, Vec<Node>, Vec<Node>),
    /// Has a label: its end.
    Block(Vec<Node>),
    /// Repeats; has a label: its end.
    Repeat(u32, Vec<Node>),
    /// With a number on the operand stack meanwhile, mixed into the trace afterwards.
    Under(usize, Vec<Node>),
    Branch(usize),
    Return,
    Unreachable,
}
