//! The 64×64→128-bit product, recognized where it is written with 32-bit halves.
//!
//! WebAssembly has no such multiplication, so compilers call a function that multiplies halves
//! and adds the pieces; the walk puts that function in place of the call. With `a = ah·2³² + al`,
//! `b` alike, and `ll = al·bl`, the schoolbook sum is one of
//!
//! ```text
//! m1 = ah·bl + (ll >> 32)     m2 = al·bh + low(m1)     high = ah·bh + (m1 >> 32) + (m2 >> 32)
//! x = ah·bl  y = al·bh  m = (ll >> 32) + low(x) + low(y)
//!                                   high = ah·bh + (x >> 32) + (y >> 32) + (m >> 32)
//! low = (ah·bl + al·bh + (ll >> 32)) << 32 | low(ll)
//! ```
//!
//! with operands of any order. No piece can overflow, so both equal the halves of the product for
//! all `a` and `b`. Only exact matches are replaced, with one multiplication; the pieces are then
//! unused and go. Nothing here changes what a program computes.

use super::CraneliftEmitter;
use cranelift_codegen::ir::{DataFlowGraph, InstBuilder, InstructionData, Opcode, Value, types};

/// Terms of a sum that are looked at.
const MAX_TERMS: usize = 8;
/// How deep a sum may nest: guests write sums of any depth.
const MAX_DEPTH: u32 = 8;
const LOW: i64 = 0xffff_ffff;

/// One 32-bit half of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Low(Value),
    High(Value),
}

/// Two values that are multiplied, in a fixed order so that both halves of a product share one
/// multiplication.
type Factors = (Value, Value);

impl CraneliftEmitter<'_> {
    /// `a + b`, where that completes the high half of a product.
    pub(super) fn completed_high_half(&mut self, a: Value, b: Value) -> Option<Value> {
        let shape = Shape { dfg: &self.builder.func.dfg };
        if !shape.may_complete(a) && !shape.may_complete(b) {
            return None;
        }
        let mut terms = Vec::with_capacity(MAX_TERMS);
        if !shape.flatten(a, MAX_DEPTH, &mut terms) || !shape.flatten(b, MAX_DEPTH, &mut terms) {
            return None;
        }
        let factors = shape.take_high_half(&mut terms)?;
        let (_, mut sum) = self.product(factors);
        for term in terms {
            sum = self.ins().iadd(sum, term);
        }
        Some(sum)
    }

    /// `a | b` or `a + b`, where that is the low half of a product.
    pub(super) fn completed_low_half(&mut self, a: Value, b: Value) -> Option<Value> {
        let shape = Shape { dfg: &self.builder.func.dfg };
        let factors = shape.low_half(a, b).or_else(|| shape.low_half(b, a))?;
        Some(self.product(factors).0)
    }

    /// The halves of a product, low first.
    fn product(&mut self, (a, b): Factors) -> (Value, Value) {
        let a = self.ins().uextend(types::I128, a);
        let b = self.ins().uextend(types::I128, b);
        let product = self.ins().imul(a, b);
        self.ins().isplit(product)
    }
}

/// Reads expressions that have been emitted.
struct Shape<'d> {
    dfg: &'d DataFlowGraph,
}

impl Shape<'_> {
    fn binary(&self, value: Value, wanted: Opcode) -> Option<(Value, Value)> {
        let inst = self.dfg.value_def(self.dfg.resolve_aliases(value)).inst()?;
        match self.dfg.insts[inst] {
            InstructionData::Binary { opcode, args: [a, b] } if opcode == wanted => {
                Some((self.dfg.resolve_aliases(a), self.dfg.resolve_aliases(b)))
            }
            _ => None,
        }
    }

    fn unary(&self, value: Value, wanted: Opcode) -> Option<Value> {
        let inst = self.dfg.value_def(self.dfg.resolve_aliases(value)).inst()?;
        match self.dfg.insts[inst] {
            InstructionData::Unary { opcode, arg } if opcode == wanted => {
                Some(self.dfg.resolve_aliases(arg))
            }
            _ => None,
        }
    }

    fn is_constant(&self, value: Value, wanted: i64) -> bool {
        let inst = self.dfg.value_def(self.dfg.resolve_aliases(value)).inst();
        let data = inst.map(|inst| &self.dfg.insts[inst]);
        matches!(data, Some(InstructionData::UnaryImm { imm, .. }) if imm.bits() == wanted)
    }

    /// `x` of `x >> 32`.
    fn shifted_down(&self, value: Value) -> Option<Value> {
        let (x, by) = self.binary(value, Opcode::Ushr)?;
        self.is_constant(by, 32).then_some(x)
    }

    /// `x` of the low 32 bits of `x`.
    fn masked(&self, value: Value) -> Option<Value> {
        if let Some((a, b)) = self.binary(value, Opcode::Band) {
            return match () {
                () if self.is_constant(b, LOW) => Some(a),
                () if self.is_constant(a, LOW) => Some(b),
                () => None,
            };
        }
        let narrow = self.unary(value, Opcode::Uextend)?;
        let wide = self.unary(narrow, Opcode::Ireduce)?;
        (self.dfg.value_type(narrow) == types::I32 && self.dfg.value_type(wide) == types::I64)
            .then_some(wide)
    }

    fn half(&self, value: Value) -> Option<Half> {
        self.shifted_down(value).map(Half::High).or_else(|| self.masked(value).map(Half::Low))
    }

    /// A product of two halves.
    fn piece(&self, value: Value) -> Option<(Half, Half)> {
        let (a, b) = self.binary(value, Opcode::Imul)?;
        Some((self.half(a)?, self.half(b)?))
    }

    /// Whether an operand can be, or end in, the last term of a high half: a cheap look that
    /// spares most sums the search.
    fn may_complete(&self, value: Value) -> bool {
        let is_last = |value| {
            self.shifted_down(value).is_some()
                || matches!(self.piece(value), Some((Half::High(_), Half::High(_))))
        };
        let in_sum =
            || self.binary(value, Opcode::Iadd).is_some_and(|(a, b)| is_last(a) || is_last(b));
        is_last(value) || in_sum()
    }

    /// The terms of a sum; false when there are too many.
    fn flatten(&self, value: Value, depth: u32, terms: &mut Vec<Value>) -> bool {
        if depth > 0
            && let Some((a, b)) = self.binary(value, Opcode::Iadd)
        {
            return self.flatten(a, depth - 1, terms) && self.flatten(b, depth - 1, terms);
        }
        terms.push(self.dfg.resolve_aliases(value));
        terms.len() <= MAX_TERMS
    }

    /// The factors of `ah·bh`.
    fn high_piece(&self, value: Value) -> Option<Factors> {
        match self.piece(value)? {
            (Half::High(a), Half::High(b)) => Some(if a < b { (a, b) } else { (b, a) }),
            _ => None,
        }
    }

    /// Whether a value is `al·bl`.
    fn is_low_piece(&self, value: Value, (a, b): Factors) -> bool {
        matches!(self.piece(value), Some((Half::Low(x), Half::Low(y)))
            if (x, y) == (a, b) || (y, x) == (a, b))
    }

    /// For `ah·bl` true and for `al·bh` false; for a square both are the same.
    fn cross(&self, value: Value, (a, b): Factors) -> Option<bool> {
        match self.piece(value)? {
            (Half::High(x), Half::Low(y)) | (Half::Low(y), Half::High(x)) => match () {
                () if (x, y) == (a, b) => Some(true),
                () if (x, y) == (b, a) => Some(false),
                () => None,
            },
            _ => None,
        }
    }

    /// Whether two values are the two cross pieces.
    fn are_crosses(&self, x: Value, y: Value, factors: Factors) -> bool {
        match (self.cross(x, factors), self.cross(y, factors)) {
            (Some(x), Some(y)) => x != y || factors.0 == factors.1,
            _ => false,
        }
    }

    /// Finds the terms of a high half, removes them, and names the factors.
    fn take_high_half(&self, terms: &mut Vec<Value>) -> Option<Factors> {
        let shifted: Vec<(usize, Value)> = terms
            .iter()
            .enumerate()
            .filter_map(|(at, term)| Some((at, self.shifted_down(*term)?)))
            .collect();
        for at in 0..terms.len() {
            let Some(factors) = self.high_piece(terms[at]) else { continue };
            let Some(mut taken) = self.carries(&shifted, factors) else { continue };
            taken.push(at);
            taken.sort_unstable();
            for at in taken.into_iter().rev() {
                terms.remove(at);
            }
            return Some(factors);
        }
        None
    }

    /// The places of the shifted terms that belong to a high half.
    fn carries(&self, shifted: &[(usize, Value)], factors: Factors) -> Option<Vec<usize>> {
        for &(at_m2, m2) in shifted {
            for &(at_m1, m1) in shifted {
                if at_m1 != at_m2 && self.are_chained(m1, m2, factors) {
                    return Some(vec![at_m1, at_m2]);
                }
            }
            let others = shifted.iter().filter(|(at, _)| *at != at_m2);
            let crosses: Vec<_> =
                others.filter(|(_, x)| self.cross(*x, factors).is_some()).collect();
            for (place, (at_x, x)) in crosses.iter().enumerate() {
                for (at_y, y) in &crosses[place + 1..] {
                    if self.is_middle_of(m2, *x, *y, factors) {
                        return Some(vec![*at_x, *at_y, at_m2]);
                    }
                }
            }
        }
        None
    }

    /// `m1 = x + (ll >> 32)` and `m2 = y + low(m1)`, `x` and `y` being the cross pieces.
    fn are_chained(&self, m1: Value, m2: Value, factors: Factors) -> bool {
        let Some((p, q)) = self.binary(m2, Opcode::Iadd) else { return false };
        let y = match () {
            () if self.masked(q) == Some(m1) => p,
            () if self.masked(p) == Some(m1) => q,
            () => return false,
        };
        let Some((p, q)) = self.binary(m1, Opcode::Iadd) else { return false };
        let is_carry =
            |value| self.shifted_down(value).is_some_and(|ll| self.is_low_piece(ll, factors));
        is_carry(q) && self.are_crosses(p, y, factors)
            || is_carry(p) && self.are_crosses(q, y, factors)
    }

    /// `m = (ll >> 32) + low(x) + low(y)`.
    fn is_middle_of(&self, m: Value, x: Value, y: Value, factors: Factors) -> bool {
        let mut terms = Vec::with_capacity(3);
        if !self.are_crosses(x, y, factors)
            || !self.flatten(m, MAX_DEPTH, &mut terms)
            || terms.len() != 3
        {
            return false;
        }
        let carries = terms.iter().filter(|term| {
            self.shifted_down(**term).is_some_and(|ll| self.is_low_piece(ll, factors))
        });
        let is_carry_there = carries.count() == 1;
        let masked: Vec<Value> = terms.iter().filter_map(|term| self.masked(*term)).collect();
        let are_both = masked == [x, y] || masked == [y, x];
        is_carry_there && are_both
    }

    /// `upper` is `m << 32` and `lower` is `low(ll)`, where `m` is, modulo 2³², the sum of the
    /// cross pieces and the carry.
    fn low_half(&self, upper: Value, lower: Value) -> Option<Factors> {
        let (m, by) = self.binary(upper, Opcode::Ishl)?;
        let ll = self.masked(lower)?;
        if !self.is_constant(by, 32) {
            return None;
        }
        let factors = match self.piece(ll)? {
            (Half::Low(a), Half::Low(b)) => {
                if a < b {
                    (a, b)
                } else {
                    (b, a)
                }
            }
            _ => return None,
        };
        let mut terms = Vec::with_capacity(3);
        self.flatten_low(m, MAX_DEPTH, &mut terms);
        let [a, b, c] = terms[..] else { return None };
        let is_carry = |value| self.shifted_down(value) == Some(ll);
        let matches = is_carry(a) && self.are_crosses(b, c, factors)
            || is_carry(b) && self.are_crosses(a, c, factors)
            || is_carry(c) && self.are_crosses(a, b, factors);
        matches.then_some(factors)
    }

    /// The terms of a sum of which only the low 32 bits count; at most a few.
    fn flatten_low(&self, value: Value, depth: u32, terms: &mut Vec<Value>) {
        if terms.len() > MAX_TERMS {
            return;
        }
        let value = self.masked(value).unwrap_or(value);
        match self.binary(value, Opcode::Iadd) {
            Some((a, b)) if depth > 0 => {
                self.flatten_low(a, depth - 1, terms);
                self.flatten_low(b, depth - 1, terms);
            }
            _ => terms.push(self.dfg.resolve_aliases(value)),
        }
    }
}
