//! What a program does, where a stack is a list of frames.

use super::{Action, Clauses, Event, SLOTS, Step};
use std::rc::Rc;

/// Steps after which the model gives up.
const MAX_STEPS: usize = 4_000;

/// How a program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It returns a number.
    Returns(u64),
    /// Nobody catches an exception with this number.
    Throws(u64),
    /// Nobody handles a suspension or a switch.
    Unhandled,
}

/// What a program answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it ends.
    pub end: End,
    /// The trace.
    pub trace: u64,
}

#[derive(Debug)]
struct Object {
    number: u64,
    next: Option<Rc<Object>>,
}

/// A function that waits for what its last step began, or runs.
#[derive(Clone, Debug)]
struct Frame {
    function: usize,
    /// The next step.
    at: usize,
    number: u64,
    object: Option<Rc<Object>>,
}

/// A stack: frames, the innermost last.
#[derive(Clone, Debug)]
struct Stack {
    frames: Vec<Frame>,
    /// Whether the host called what is on it, so that nothing looks beyond.
    is_activation: bool,
    /// Whether its function has begun.
    has_begun: bool,
    /// Bound in advance: mixed into the number that it begins with.
    bound: u64,
}

/// What waits as a whole: stacks, the outermost first.
type Continuation = Vec<Stack>;

struct Model<'a> {
    functions: &'a [Vec<Step>],
    /// What runs, the innermost last.
    stacks: Vec<Stack>,
    slots: Vec<Option<Continuation>>,
    trace: u64,
    /// Suspensions and switches that somebody handled.
    suspended: u32,
    switched: u32,
}

pub(super) fn answer(functions: &[Vec<Step>]) -> Option<Answer> {
    Model::new(functions).run()
}

impl<'a> Model<'a> {
    fn new(functions: &'a [Vec<Step>]) -> Model<'a> {
        let slots = (0..SLOTS).map(|_| None).collect();
        Model { functions, stacks: Vec::new(), slots, trace: 0, suspended: 0, switched: 0 }
    }

    fn run(&mut self) -> Option<Answer> {
        self.activate(0, 1);
        for _ in 0..MAX_STEPS {
            if let Some(end) = self.step() {
                return Some(Answer { end, trace: self.trace });
            }
        }
        None
    }

    fn frame(&mut self) -> &mut Frame {
        let stack = self.stacks.last_mut().expect("something runs");
        stack.frames.last_mut().expect("a stack that runs has a frame")
    }

    /// The step that the innermost frame waits for.
    fn waiting(&mut self) -> &'a Step {
        let Frame { function, at, .. } = *self.frame();
        &self.functions[function][at - 1]
    }

    fn mix(&mut self, value: u64, kind: u32) {
        let frame = self.frame();
        frame.number = frame.number.wrapping_mul(31).wrapping_add(value.rotate_left(kind));
        let number = frame.number;
        self.trace = self.trace.wrapping_mul(37).wrapping_add(number);
    }

    fn activate(&mut self, function: usize, number: u64) {
        let frames = vec![Frame { function, at: 0, number, object: None }];
        self.stacks.push(Stack { frames, is_activation: true, has_begun: true, bound: 0 });
    }

    /// One step; the end if it is one.
    fn step(&mut self) -> Option<End> {
        let (function, at) = (self.frame().function, self.frame().at);
        let Some(step) = self.functions[function].get(at) else {
            return self.returns();
        };
        self.frame().at += 1;
        let number = self.frame().number;
        match &step.action {
            Action::Mix { number } => self.mix(*number, 1),
            Action::Make => {
                let next = self.frame().object.take();
                self.frame().object = Some(Rc::new(Object { number, next }));
            }
            Action::Look => {
                let object = self.frame().object.clone();
                let next = object.as_ref().and_then(|object| object.next.clone());
                let of = |object: Option<Rc<Object>>| object.map_or(9, |object| object.number);
                let sum = of(object).wrapping_add(of(next));
                self.mix(sum, 2);
            }
            Action::Waste => {}
            Action::New { slot, function, bound } => {
                let object = self.frame().object.clone().filter(|_| *bound);
                let frames = vec![Frame { function: *function, at: 0, number: 0, object }];
                let bound = if *bound { number } else { 0 };
                let stack = Stack { frames, is_activation: false, has_begun: false, bound };
                self.slots[*slot as usize] = Some(vec![stack]);
            }
            Action::Call { function, .. } => {
                let frame = Frame { function: *function, at: 0, number, object: None };
                self.stacks.last_mut().expect("something runs").frames.push(frame);
            }
            Action::Host { function } => self.activate(*function, number),
            Action::Resume { slot, .. } => {
                if let Some(continuation) = self.slots[*slot as usize].take() {
                    self.stacks.extend(continuation);
                    self.goes_on(number, None);
                }
            }
            Action::ResumeThrow { slot, .. } => {
                if let Some(continuation) = self.slots[*slot as usize].take() {
                    self.stacks.extend(continuation);
                    let stack = self.stacks.last_mut().expect("it was resumed");
                    if !stack.has_begun {
                        stack.frames.clear();
                    }
                    return self.throws(number);
                }
            }
            Action::Suspend { event } => return self.suspends(*event),
            Action::Switch { slot } => {
                if let Some(target) = self.slots[*slot as usize].take() {
                    return self.switches(target);
                }
            }
            Action::Throw => return self.throws(number),
        }
        None
    }

    /// The innermost frame goes on with a number and perhaps a continuation.
    fn goes_on(&mut self, number: u64, continuation: Option<Continuation>) {
        let stack = self.stacks.last_mut().expect("it was resumed");
        let begins = !std::mem::replace(&mut stack.has_begun, true);
        let bound = stack.bound;
        let frame = self.frame();
        let function = frame.function;
        match begins {
            true => frame.number = number ^ bound,
            false => self.mix(number, 3),
        }
        if let Some(continuation) = continuation {
            self.slots[function % SLOTS as usize] = Some(continuation);
        }
    }

    fn returns(&mut self) -> Option<End> {
        let stack = self.stacks.last_mut().expect("something runs");
        let number = stack.frames.pop().expect("a frame returns").number;
        if stack.frames.is_empty() {
            self.stacks.pop();
        }
        if self.stacks.is_empty() {
            return Some(End::Returns(number));
        }
        match self.waiting().action {
            Action::Call { depth, .. } => {
                self.mix(number.wrapping_add(depth * (depth + 1) / 2), 4);
            }
            Action::Host { .. } => self.mix(number, 5),
            _ => self.mix(number, 6),
        }
        None
    }

    /// An exception comes to the innermost frame, or to the one around it where there is none.
    fn throws(&mut self, number: u64) -> Option<End> {
        while let Some(stack) = self.stacks.last_mut() {
            if stack.frames.is_empty() {
                self.stacks.pop();
            } else if self.waiting().is_guarded {
                self.mix(number, 7);
                return None;
            } else if let Some(stack) = self.stacks.last_mut() {
                stack.frames.pop();
            }
        }
        Some(End::Throws(number))
    }

    /// The outermost of the stacks that wait when an event happens, and the clauses that apply.
    fn handler(&self, event: Event) -> Option<(usize, &'a Clauses)> {
        for at in (1..self.stacks.len()).rev() {
            if self.stacks[at].is_activation {
                return None;
            }
            let frame = self.stacks[at - 1].frames.last()?;
            let step = &self.functions[frame.function][frame.at - 1];
            match &step.action {
                Action::Resume { clauses, .. } | Action::ResumeThrow { clauses, .. } => {
                    if clauses.events.contains(&event) {
                        return Some((at, clauses));
                    }
                }
                other => unreachable!("{other:?} resumes nothing"),
            }
        }
        None
    }

    fn suspends(&mut self, event: Event) -> Option<End> {
        let Frame { number, object, .. } = self.frame().clone();
        let Some((at, clauses)) = self.handler(event) else { return Some(End::Unhandled) };
        let to = clauses.to as usize;
        self.slots[to] = Some(self.stacks.split_off(at));
        self.suspended += 1;
        match event {
            Event::Both => {
                self.frame().object = object;
                self.mix(number, 8);
            }
            _ => self.mix(number, 9),
        }
        None
    }

    fn switches(&mut self, target: Continuation) -> Option<End> {
        let number = self.frame().number;
        let Some((at, _)) = self.handler(Event::Switch) else { return Some(End::Unhandled) };
        let waits = self.stacks.split_off(at);
        self.switched += 1;
        self.stacks.extend(target);
        self.goes_on(number, Some(waits));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::Program;
    use super::*;
    use crate::generate::Numbers;

    /// What would a fuzzer find whose programs do nothing?
    #[test]
    fn many_programs_suspend_switch_and_end_in_each_way() {
        let (mut returned, mut thrown, mut unhandled) = (0, 0, 0);
        let (mut suspended, mut switched) = (0, 0);
        for seed in 0..500 {
            let program = Program::new(&mut Numbers::new(seed));
            let mut model = Model::new(&program.functions);
            match model.run().map(|answer| answer.end) {
                Some(End::Returns(_)) => returned += 1,
                Some(End::Throws(_)) => thrown += 1,
                Some(End::Unhandled) => unhandled += 1,
                None => continue,
            }
            suspended += u32::from(model.suspended > 3);
            switched += u32::from(model.switched > 1);
        }
        let counts = (returned, thrown, unhandled, suspended, switched);
        assert!(returned > 50 && thrown > 50 && unhandled > 50, "{counts:?}");
        assert!(suspended > 50 && switched > 30, "{counts:?}");
    }
}
