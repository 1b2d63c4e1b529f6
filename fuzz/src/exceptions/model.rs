//! What a program does (spec: exec/instructions, and the earlier proposal for `try`).

use super::{Clause, IMPORTED_TAGS, NUMBERS, Node, Payload, Program, TAGS, Tag, Way};
use std::rc::Rc;

/// Steps after which a program is given up.
const MAX_STEPS: u32 = 20_000;

/// Which tag, told apart across instances.
pub(super) type TagId = usize;

/// An exception.
#[derive(Debug)]
pub(super) struct Exception {
    pub(super) tag: TagId,
    pub(super) parameters: Parameters,
}

#[derive(Clone, Debug)]
pub(super) enum Parameters {
    Nothing,
    I32(u32),
    Wide(u64, u64),
    Nested(u32, u128, Option<Rc<Exception>>),
}

/// How a call ends.
#[derive(Clone, Debug)]
pub(super) enum End {
    Value(u32),
    Thrown(Rc<Exception>),
    Trap(Trap),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trap {
    Unreachable,
    NullException,
}

/// Why a piece does not go on with the next.
enum Stop {
    /// To the end of the piece with this label, counted from the function's outside.
    Branch(usize),
    Return,
    /// In place of the function: that instance's function, and its argument.
    Tail(usize, u32),
    /// An exception, which only handlers catch whose labels are below this one.
    Thrown(Rc<Exception>, usize),
    Trap(Trap),
    TooLong,
}

/// An exception that any handler around may catch.
const ANYWHERE: usize = usize::MAX;

/// Both instances of a program.
pub(super) struct Model<'p> {
    program: &'p Program,
    steps: u32,
    /// The trace of each instance.
    pub(super) traces: [u64; 2],
}

struct Frame {
    instance: usize,
    numbers: [u32; NUMBERS],
    exception: Option<Rc<Exception>>,
    /// What the clause with each label caught, outermost label first.
    labels: Vec<Option<Rc<Exception>>>,
}

impl<'p> Model<'p> {
    pub(super) fn new(program: &'p Program) -> Model<'p> {
        Model { program, steps: 0, traces: [0; 2] }
    }

    /// Calls a function; `None` when that takes too long.
    pub(super) fn call(&mut self, instance: usize, function: usize, argument: u32) -> Option<End> {
        let (mut function, mut argument) = (function, argument);
        loop {
            let mut frame =
                Frame { instance, numbers: [argument, 1, 2], exception: None, labels: Vec::new() };
            let program = self.program;
            match self.body(&program.functions[function], &mut frame) {
                Ok(()) | Err(Stop::Return | Stop::Branch(_)) => {
                    return Some(End::Value(frame.numbers[1]));
                }
                Err(Stop::Tail(callee, value)) => (function, argument) = (callee, value),
                Err(Stop::Thrown(exception, _)) => return Some(End::Thrown(exception)),
                Err(Stop::Trap(trap)) => return Some(End::Trap(trap)),
                Err(Stop::TooLong) => return None,
            }
        }
    }

    fn mix(&mut self, instance: usize, value: u64) {
        let trace = &mut self.traces[instance];
        *trace = trace.wrapping_mul(31).wrapping_add(value);
    }

    fn tag_id(&self, instance: usize, tag: Tag) -> TagId {
        match tag {
            1 if self.program.tags_are_one => 0,
            tag if tag < IMPORTED_TAGS => tag,
            tag => tag + instance * TAGS.len(),
        }
    }

    fn body(&mut self, nodes: &[Node], frame: &mut Frame) -> Result<(), Stop> {
        for node in nodes {
            self.steps += 1;
            if self.steps > MAX_STEPS {
                return Err(Stop::TooLong);
            }
            self.node(node, frame)?;
        }
        Ok(())
    }

    fn node(&mut self, node: &Node, frame: &mut Frame) -> Result<(), Stop> {
        match node {
            Node::Trace(value) => self.mix(frame.instance, u64::from(*value)),
            Node::Add(number, value) => {
                let number = &mut frame.numbers[*number];
                *number = number.wrapping_add(*value);
            }
            Node::Throw(tag) => return Err(self.throw(*tag, frame)),
            Node::HostThrow(tag) => return Err(self.throw(*tag, frame)),
            Node::ThrowRef => {
                return Err(match &frame.exception {
                    Some(exception) => Stop::Thrown(exception.clone(), ANYWHERE),
                    None => Stop::Trap(Trap::NullException),
                });
            }
            Node::Call(way, callee) => self.call_node(*way, *callee, frame)?,
            Node::TryTable { body, clauses } => self.try_table(body, clauses, frame)?,
            Node::Try { body, clauses } => self.try_(body, clauses, frame)?,
            Node::Delegate { body, target } => self.delegate(body, *target, frame)?,
            Node::Rethrow(label) => {
                let at = frame.labels.len() - 1 - label;
                let caught = frame.labels[at].clone().expect("rethrow names a clause");
                return Err(Stop::Thrown(caught, ANYWHERE));
            }
            Node::If(number, yes, no) => {
                let taken = if frame.numbers[*number] & 1 == 1 { yes } else { no };
                self.body(taken, frame)?;
            }
            Node::Block(body) => self.labelled(None, body, frame)?,
            Node::Repeat(times, body) => self.repeat(*times, body, frame)?,
            Node::Under(number, body) => {
                let value = frame.numbers[*number];
                self.body(body, frame)?;
                self.mix(frame.instance, u64::from(value));
            }
            Node::Branch(label) => return Err(Stop::Branch(frame.labels.len() - 1 - label)),
            Node::Return => return Err(Stop::Return),
            Node::Unreachable => return Err(Stop::Trap(Trap::Unreachable)),
        }
        Ok(())
    }

    fn throw(&self, tag: Tag, frame: &Frame) -> Stop {
        let [a, b, c] = frame.numbers;
        let parameters = match TAGS[tag] {
            Payload::Nothing => Parameters::Nothing,
            Payload::I32 => Parameters::I32(a),
            Payload::Wide => Parameters::Wide(u64::from(b), f64::from(c).to_bits()),
            Payload::Nested => Parameters::Nested(a, splat(b), frame.exception.clone()),
        };
        let tag = self.tag_id(frame.instance, tag);
        Stop::Thrown(Rc::new(Exception { tag, parameters }), ANYWHERE)
    }

    fn call_node(&mut self, way: Way, callee: usize, frame: &mut Frame) -> Result<(), Stop> {
        let argument = frame.numbers[0];
        let instance = match way {
            Way::Tail | Way::TailIndirect => return Err(Stop::Tail(callee, argument)),
            // The second instance has nobody to call: its import gives the argument back.
            Way::Other if frame.instance == 1 => {
                frame.numbers[1] = argument;
                return Ok(());
            }
            Way::Other => 1,
            _ => frame.instance,
        };
        match self.call(instance, callee, argument).ok_or(Stop::TooLong)? {
            End::Value(value) => frame.numbers[1] = value,
            End::Thrown(exception) => return Err(Stop::Thrown(exception, ANYWHERE)),
            End::Trap(trap) => return Err(Stop::Trap(trap)),
        }
        Ok(())
    }

    /// Runs a piece with a label; a branch to it ends it.
    fn labelled(
        &mut self,
        caught: Option<Rc<Exception>>,
        body: &[Node],
        frame: &mut Frame,
    ) -> Result<(), Stop> {
        let label = frame.labels.len();
        frame.labels.push(caught);
        let done = self.body(body, frame);
        frame.labels.truncate(label);
        match done {
            Err(Stop::Branch(to)) if to == label => Ok(()),
            done => done,
        }
    }

    fn repeat(&mut self, times: u32, body: &[Node], frame: &mut Frame) -> Result<(), Stop> {
        let label = frame.labels.len();
        frame.labels.push(None);
        let mut done = Ok(());
        for _ in 0..times {
            done = self.body(body, frame);
            if done.is_err() {
                break;
            }
        }
        frame.labels.truncate(label);
        match done {
            Err(Stop::Branch(to)) if to == label => Ok(()),
            done => done,
        }
    }

    fn try_table(
        &mut self,
        body: &[Node],
        clauses: &[Clause],
        frame: &mut Frame,
    ) -> Result<(), Stop> {
        let label = frame.labels.len();
        match self.labelled(None, body, frame) {
            // `delegate` to this label means the block around the `try_table`.
            Err(Stop::Thrown(exception, below)) if label + 1 < below => {
                match self.clause(clauses, &exception, frame) {
                    Some(clause) => self.labelled(None, &clause.body, frame),
                    None => Err(Stop::Thrown(exception, ANYWHERE)),
                }
            }
            done => done,
        }
    }

    fn try_(&mut self, body: &[Node], clauses: &[Clause], frame: &mut Frame) -> Result<(), Stop> {
        let label = frame.labels.len();
        match self.labelled(None, body, frame) {
            Err(Stop::Thrown(exception, below)) if label < below => {
                match self.clause(clauses, &exception, frame) {
                    Some(clause) => self.labelled(Some(exception), &clause.body, frame),
                    None => Err(Stop::Thrown(exception, ANYWHERE)),
                }
            }
            done => done,
        }
    }

    fn delegate(&mut self, body: &[Node], target: usize, frame: &mut Frame) -> Result<(), Stop> {
        let label = frame.labels.len();
        match self.labelled(None, body, frame) {
            // The function's own label stands outside of all others.
            Err(Stop::Thrown(exception, below)) if label < below => {
                Err(Stop::Thrown(exception, label - target))
            }
            done => done,
        }
    }

    /// The clause that catches; takes over what it gives to the function.
    fn clause<'c>(
        &self,
        clauses: &'c [Clause],
        exception: &Rc<Exception>,
        frame: &mut Frame,
    ) -> Option<&'c Clause> {
        let catches = |clause: &&Clause| {
            clause.tag.is_none_or(|tag| self.tag_id(frame.instance, tag) == exception.tag)
        };
        let clause = clauses.iter().find(catches)?;
        if clause.keeps {
            frame.exception = Some(exception.clone());
        }
        if clause.tag.is_some() {
            absorb(&exception.parameters, frame);
        }
        Some(clause)
    }
}

/// What a clause does with the parameters it is given.
fn absorb(parameters: &Parameters, frame: &mut Frame) {
    match parameters {
        Parameters::Nothing => {}
        Parameters::I32(value) => frame.numbers[2] = *value,
        Parameters::Wide(a, b) => {
            frame.numbers[1] = *a as u32;
            frame.numbers[2] = (*b >> 32) as u32;
        }
        Parameters::Nested(value, vector, inner) => {
            frame.numbers[1] = *value;
            frame.numbers[2] = (*vector >> 96) as u32;
            frame.exception = inner.clone();
        }
    }
}

fn splat(value: u32) -> u128 {
    u128::from(value) * 0x1_0000_0001_0000_0001_0000_0001
}
