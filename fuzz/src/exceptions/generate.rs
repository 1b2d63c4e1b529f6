//! Programs from a seed.

use super::{Clause, NUMBERS, Node, Program, TAGS, Way};
use crate::generate::Numbers;

/// What a label belongs to, as far as instructions care.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    Plain,
    /// A clause of a legacy `try`: `rethrow` may name it.
    Clause,
}

struct Grower<'n> {
    numbers: &'n mut Numbers,
    function: usize,
    functions: usize,
    labels: Vec<Label>,
    /// Pieces that may still be made for this function.
    left: usize,
}

/// The program of a stream of numbers.
pub(super) fn program(numbers: &mut Numbers) -> Program {
    let functions = 2 + numbers.below(6);
    let tags_are_one = numbers.below(2) == 0;
    let function = |function| {
        // Small ones are inlined.
        let left = if numbers.below(3) == 0 { 4 } else { 8 + numbers.below(40) };
        let labels = Vec::new();
        let mut grower = Grower { numbers, function, functions, labels, left };
        grower.body(0)
    };
    Program { functions: (0..functions).map(function).collect(), tags_are_one }
}

impl Grower<'_> {
    fn body(&mut self, depth: usize) -> Vec<Node> {
        let count = 1 + self.numbers.below(4);
        let mut nodes = Vec::new();
        for _ in 0..count {
            if self.left == 0 {
                break;
            }
            self.left -= 1;
            nodes.push(self.node(depth));
        }
        nodes
    }

    fn labelled(&mut self, label: Label, depth: usize) -> Vec<Node> {
        self.labels.push(label);
        let body = self.body(depth + 1);
        self.labels.pop();
        body
    }

    fn node(&mut self, depth: usize) -> Node {
        let is_deep = depth > 7;
        match self.numbers.below(if is_deep { 12 } else { 24 }) {
            0 | 1 => Node::Trace(self.numbers.next_u64() as u32 & 0xff),
            2 | 3 => Node::Add(self.number(), self.numbers.next_u64() as u32 & 0xff),
            4 => Node::Throw(self.tag()),
            5 | 6 => self.call(),
            7 => self.thrower(),
            8 => self.leaver(),
            9 if !self.labels.is_empty() => Node::Branch(self.numbers.below(self.labels.len())),
            10 | 11 => self.rethrow().unwrap_or(Node::Throw(self.tag())),
            12..=15 => self.try_table(depth),
            16 | 17 => self.try_(depth),
            18 => self.delegate(depth),
            19 => Node::Block(self.labelled(Label::Plain, depth)),
            20 => {
                let times = 1 + self.numbers.below(3) as u32;
                Node::Repeat(times, self.labelled(Label::Plain, depth))
            }
            21 => Node::Under(self.number(), self.body(depth + 1)),
            _ => Node::If(self.number(), self.body(depth + 1), self.body(depth + 1)),
        }
    }

    fn number(&mut self) -> usize {
        self.numbers.below(NUMBERS)
    }

    fn tag(&mut self) -> usize {
        self.numbers.below(TAGS.len())
    }

    fn thrower(&mut self) -> Node {
        match self.numbers.below(3) {
            0 => Node::ThrowRef,
            1 => Node::HostThrow(self.numbers.below(super::IMPORTED_TAGS)),
            _ => Node::Throw(self.tag()),
        }
    }

    fn leaver(&mut self) -> Node {
        match self.numbers.below(6) {
            0 => Node::Unreachable,
            1 | 2 => Node::Return,
            _ => Node::Trace(7),
        }
    }

    fn call(&mut self) -> Node {
        let behind = self.functions - self.function - 1;
        let other = self.numbers.below(8) == 0;
        if other || behind == 0 {
            return Node::Call(Way::Other, self.numbers.below(self.functions));
        }
        let callee = self.function + 1 + self.numbers.below(behind);
        let way = match self.numbers.below(12) {
            0 => Way::Indirect,
            1 => Way::Reference,
            2 => Way::Tail,
            3 => Way::TailIndirect,
            4 | 5 => Way::Host,
            _ => Way::Direct,
        };
        Node::Call(way, callee)
    }

    fn rethrow(&mut self) -> Option<Node> {
        let outwards = self.labels.iter().rev().enumerate();
        let clauses: Vec<usize> =
            outwards.filter(|(_, label)| **label == Label::Clause).map(|(at, _)| at).collect();
        (!clauses.is_empty()).then(|| Node::Rethrow(clauses[self.numbers.below(clauses.len())]))
    }

    fn clauses(&mut self, label: Label, may_keep: bool, depth: usize) -> Vec<Clause> {
        let count = self.numbers.below(4);
        let mut clauses = Vec::new();
        for _ in 0..count {
            let tag = (self.numbers.below(5) > 0).then(|| self.tag());
            let keeps = may_keep && self.numbers.below(2) == 0;
            clauses.push(Clause { tag, keeps, body: self.labelled(label, depth) });
            // Nothing may follow `catch_all`.
            if tag.is_none() && label == Label::Clause {
                break;
            }
        }
        clauses
    }

    fn try_table(&mut self, depth: usize) -> Node {
        let body = self.labelled(Label::Plain, depth);
        Node::TryTable { body, clauses: self.clauses(Label::Plain, true, depth) }
    }

    fn try_(&mut self, depth: usize) -> Node {
        let body = self.labelled(Label::Plain, depth);
        Node::Try { body, clauses: self.clauses(Label::Clause, false, depth) }
    }

    fn delegate(&mut self, depth: usize) -> Node {
        let body = self.labelled(Label::Plain, depth);
        // One more than there are labels: the function's own.
        Node::Delegate { body, target: self.numbers.below(self.labels.len() + 1) }
    }
}
