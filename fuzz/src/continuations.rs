//! Programs that suspend, resume and switch, and what they must answer.
//!
//! A program is made of functions of [`Step`]s over one number and one reference, and of slots in
//! which continuations wait. It is written as a module ([`text`]) and run on a model in plain Rust
//! ([`model`]), where a stack is a list of frames and a continuation is some of them. Both end with
//! the number, an exception or a trap, and a trace of everything that was mixed on the way.
//!
//! Steps that need a continuation where there is none do nothing, on both sides. The model gives up
//! on programs that take too many steps.

mod model;
mod text;

pub use model::{Answer, End};

use crate::generate::Numbers;

/// Places where continuations wait.
pub(crate) const SLOTS: u64 = 4;
/// Functions of a program; each calls later ones only, but any may become a continuation.
const FUNCTIONS: usize = 6;
/// Frames between a function and what it calls, at most.
const MAX_DEPTH: u64 = 40;

/// What a clause of a `resume` is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A suspension with a number and a reference.
    Both,
    /// A suspension with a number.
    Number,
    /// A switch.
    Switch,
}

/// The clauses of a `resume`.
#[derive(Clone, Debug)]
pub(crate) struct Clauses {
    /// The first that fits applies.
    pub(crate) events: Vec<Event>,
    /// The slot for the continuation that a clause is given.
    pub(crate) to: u64,
}

/// What a function does.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Mixes a number into the number.
    Mix { number: u64 },
    /// A new object of the number and the object there was.
    Make,
    /// Mixes what the object leads to into the number.
    Look,
    /// Makes something that nobody needs.
    Waste,
    /// A continuation of a function, perhaps with object and number bound to it.
    New { slot: u64, function: usize, bound: bool },
    /// Calls a later function through a number of frames that each hold an object.
    Call { function: usize, depth: u64 },
    /// Asks the host to call a later function.
    Host { function: usize },
    /// Resumes what is in a slot.
    Resume { slot: u64, clauses: Clauses },
    /// Throws where what is in a slot waits.
    ResumeThrow { slot: u64, clauses: Clauses },
    /// Suspends; not with [`Event::Switch`].
    Suspend { event: Event },
    /// Switches to what is in a slot.
    Switch { slot: u64 },
    /// Throws the number.
    Throw,
}

/// An action, perhaps in a handler.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) action: Action,
    pub(crate) is_guarded: bool,
}

/// A program; it begins with its first function.
#[derive(Clone, Debug)]
pub struct Program {
    functions: Vec<Vec<Step>>,
}

impl Program {
    /// A program made of a seed.
    pub fn new(numbers: &mut Numbers) -> Program {
        let functions = (0..FUNCTIONS).map(|place| steps(numbers, place)).collect();
        Program { functions }
    }

    /// The program as a module in the text format. It imports `host` `call`, which calls the
    /// export `hN` with a number; its export `run` begins.
    pub fn text(&self) -> String {
        text::module(&self.functions)
    }

    /// What `run` must answer; `None` where the program does too much.
    pub fn answer(&self) -> Option<Answer> {
        model::answer(&self.functions)
    }
}

fn below(numbers: &mut Numbers, end: u64) -> u64 {
    numbers.below(end as usize) as u64
}

/// The first function begins with something in each slot, and mostly resumes. The last suspends
/// nothing itself: it is what the host calls, beyond whom nobody handles anything.
fn steps(numbers: &mut Numbers, function: usize) -> Vec<Step> {
    let is_first = function == 0;
    let first = (0..SLOTS).filter(|_| is_first).map(|slot| {
        let function = 1 + slot as usize % (FUNCTIONS - 1);
        Action::New { slot, function, bound: slot % 2 == 1 }
    });
    let mut actions: Vec<Action> = first.collect();
    let count = 3 + numbers.below(if is_first { 60 } else { 12 });
    for _ in 0..count {
        actions.push(match is_first && numbers.below(2) == 0 {
            true => resume(numbers),
            false => action(numbers, function),
        });
    }
    let mut guard = || numbers.below(3) < if is_first { 2 } else { 1 };
    let step = |action| Step { action, is_guarded: guard() };
    actions.into_iter().map(step).collect()
}

fn action(numbers: &mut Numbers, function: usize) -> Action {
    let slot = below(numbers, SLOTS);
    let later = if function == 0 { 0 } else { FUNCTIONS - function - 1 };
    let may_suspend = function > 0 && later > 0;
    match numbers.below(27) {
        0 | 1 => Action::Mix { number: numbers.next_u64() },
        2 | 3 => Action::Make,
        4 => Action::Look,
        5 => Action::Waste,
        6..=8 => {
            let function = numbers.below(FUNCTIONS);
            Action::New { slot, function, bound: numbers.below(3) == 0 }
        }
        9 | 10 if later > 0 => {
            let function = function + 1 + numbers.below(later);
            Action::Call { function, depth: below(numbers, MAX_DEPTH) }
        }
        11 if later > 0 => Action::Host { function: FUNCTIONS - 1 },
        12..=16 => resume(numbers),
        17..=21 if may_suspend => {
            let event = if numbers.below(2) == 0 { Event::Both } else { Event::Number };
            Action::Suspend { event }
        }
        22..=25 if may_suspend => Action::Switch { slot },
        26 if function > 0 => Action::Throw,
        _ => Action::Make,
    }
}

/// What waits again goes mostly where it was.
fn resume(numbers: &mut Numbers) -> Action {
    let slot = below(numbers, SLOTS);
    let to = if numbers.below(3) == 0 { below(numbers, SLOTS) } else { slot };
    let clauses = Clauses { events: events(numbers), to };
    match numbers.below(12) {
        0 => Action::ResumeThrow { slot, clauses },
        _ => Action::Resume { slot, clauses },
    }
}

/// Mostly clauses for everything, in any order.
fn events(numbers: &mut Numbers) -> Vec<Event> {
    const ORDERS: [&[Event]; 8] = [
        &[Event::Both, Event::Number, Event::Switch],
        &[Event::Switch, Event::Number, Event::Both],
        &[Event::Number, Event::Switch, Event::Both, Event::Both, Event::Switch],
        &[Event::Number, Event::Both],
        &[Event::Both],
        &[Event::Switch],
        &[Event::Number, Event::Switch],
        &[],
    ];
    let choice = if numbers.below(3) == 0 { numbers.below(ORDERS.len()) } else { numbers.below(3) };
    ORDERS[choice].to_vec()
}
