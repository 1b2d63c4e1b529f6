//! Programs over graphs of objects, and what they must answer.
//!
//! A program is made of [`Step`]s over a few references and one number. It is written as a module
//! ([`text`]) and run on a model in plain Rust ([`model`]), where objects never move and are never
//! freed; both end with one number that depends on everything that was reached. Steps that do not
//! fit what a reference leads to do nothing, on both sides: so no program traps.

mod model;
mod text;

use crate::generate::Numbers;

/// References that a function keeps.
pub(crate) const LOCALS: u64 = 5;
/// References in globals, and as many in a table.
pub(crate) const SHARED: u64 = 3;
/// Functions of a program; each calls later ones only.
const FUNCTIONS: usize = 4;

/// One step of a program. References are told by their places among the locals.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A new node: the number, any reference, and a node or null.
    Node { to: u64, any: u64, next: u64 },
    /// The same with a number more: a subtype.
    Leaf { to: u64, any: u64, next: u64 },
    /// An array of references, all one.
    Refs { to: u64, of: u64, length: u64 },
    /// An array of three references.
    Three { to: u64, of: [u64; 3] },
    /// An array of bytes.
    Bytes { to: u64, length: u64 },
    /// A small integer made of the number.
    Small { to: u64 },
    /// Null.
    Null { to: u64 },
    /// A copy.
    Copy { to: u64, from: u64 },
    /// A field or element of an object, where it has one.
    Read { to: u64, from: u64, place: u64 },
    /// Writes a field or element.
    Write { to: u64, place: u64, value: u64 },
    /// Copies elements of one array of references to another of at least the length.
    Elements { to: u64, from: u64, place: u64 },
    /// Mixes what a reference leads to into the number.
    Look { at: u64 },
    /// Mixes whether two references are the same into the number.
    Same { a: u64, b: u64 },
    /// A reference to a global, or to the table.
    Share { from: u64, place: u64, in_table: bool },
    /// And back.
    Fetch { to: u64, place: u64, in_table: bool },
    /// Calls a later function with two references.
    Call { to: u64, function: usize, a: u64, b: u64 },
    /// Does steps several times.
    Repeat { times: u64, steps: Vec<Step> },
    /// Does steps if the number is odd, others otherwise.
    Either { odd: Vec<Step>, even: Vec<Step> },
    /// Lets the host collect everything.
    Collect,
}

/// A program.
#[derive(Clone, Debug)]
pub struct Program {
    functions: Vec<Vec<Step>>,
}

impl Program {
    /// A program made of a seed.
    pub fn new(numbers: &mut Numbers) -> Program {
        let functions = (0..FUNCTIONS)
            .map(|place| {
                let mut budget = 4 + below(numbers, 24);
                steps(numbers, place, 0, &mut budget)
            })
            .collect();
        Program { functions }
    }

    /// The program as a module in the text format; its export `run` answers the number.
    pub fn text(&self) -> String {
        text::module(&self.functions)
    }

    /// What `run` must answer; `None` where the program does too much.
    pub fn answer(&self) -> Option<u64> {
        model::answer(&self.functions)
    }
}

/// A number below `end`.
fn below(numbers: &mut Numbers, end: u64) -> u64 {
    numbers.below(end as usize) as u64
}

fn steps(numbers: &mut Numbers, function: usize, depth: u64, budget: &mut u64) -> Vec<Step> {
    let mut steps = Vec::new();
    let count = 1 + below(numbers, 10);
    for _ in 0..count {
        if *budget == 0 {
            break;
        }
        *budget -= 1;
        steps.push(step(numbers, function, depth, budget));
    }
    steps
}

fn step(numbers: &mut Numbers, function: usize, depth: u64, budget: &mut u64) -> Step {
    let choices = if depth < 2 { 24 } else { 21 };
    let choice = below(numbers, choices);
    let nested =
        |numbers: &mut Numbers, budget: &mut u64| steps(numbers, function, depth + 1, budget);
    let local = |numbers: &mut Numbers| below(numbers, LOCALS);
    match choice {
        0..=2 => Step::Node { to: local(numbers), any: local(numbers), next: local(numbers) },
        3 => Step::Leaf { to: local(numbers), any: local(numbers), next: local(numbers) },
        4 => Step::Refs { to: local(numbers), of: local(numbers), length: below(numbers, 40) },
        5 => {
            Step::Three { to: local(numbers), of: [local(numbers), local(numbers), local(numbers)] }
        }
        6 => Step::Bytes { to: local(numbers), length: below(numbers, 200) },
        7 => Step::Small { to: local(numbers) },
        8 => Step::Null { to: local(numbers) },
        9 => Step::Copy { to: local(numbers), from: local(numbers) },
        10 | 11 => {
            Step::Read { to: local(numbers), from: local(numbers), place: below(numbers, 8) }
        }
        12..=14 => {
            Step::Write { to: local(numbers), value: local(numbers), place: below(numbers, 8) }
        }
        15 => Step::Elements { to: local(numbers), from: local(numbers), place: below(numbers, 8) },
        16 => Step::Look { at: local(numbers) },
        17 => Step::Same { a: local(numbers), b: local(numbers) },
        18 => {
            let from = local(numbers);
            Step::Share { from, place: below(numbers, SHARED), in_table: below(numbers, 2) == 0 }
        }
        19 => {
            let to = local(numbers);
            Step::Fetch { to, place: below(numbers, SHARED), in_table: below(numbers, 2) == 0 }
        }
        20 if function + 1 < FUNCTIONS => {
            let later = (FUNCTIONS - function - 1) as u64;
            let (to, a, b) = (local(numbers), local(numbers), local(numbers));
            let function = function + 1 + below(numbers, later) as usize;
            Step::Call { to, function, a, b }
        }
        21 => Step::Repeat { times: 1 + below(numbers, 30), steps: nested(numbers, budget) },
        22 => {
            let odd = nested(numbers, budget);
            Step::Either { odd, even: nested(numbers, budget) }
        }
        _ => Step::Collect,
    }
}
