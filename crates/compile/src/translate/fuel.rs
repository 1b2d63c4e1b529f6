//! Counting fuel: what executed operators cost is gathered along straight-line code and told to
//! the emitter where control may leave it or another path joins.
//!
//! Invariant: nothing is outstanding where code becomes reachable, so that no path pays for
//! another. Bodies that are walked in place of a call count like any other code: sums do not
//! depend on inlining. Whether there is enough is checked at the entries of functions, at the
//! heads of loops and by bulk instructions, which pay before they do anything; the runtime checks
//! where WebAssembly calls the host or returns to it. Without metering nothing here does anything.

use super::Translator;
use super::control::Frame;
use crate::Numeric;
use crate::emitter::{Const, Emitter};
use crate::plan::fuel;
use selkie_module::ValType;
use selkie_module::fuel::Bulk;
use wasmparser::Operator;

impl<E: Emitter> Translator<'_, '_, E> {
    fn is_metered(&self) -> bool {
        self.unit.tuning.consume_fuel
    }

    /// Counts an operator that is about to be walked.
    pub(super) fn count_fuel(&mut self, op: &Operator<'_>) {
        if !self.is_metered() {
            return;
        }
        if !self.reachable {
            // An access that always traps leaves without settling.
            self.outstanding_fuel = 0;
            return;
        }
        self.outstanding_fuel += fuel::units(op);
        let is_straight = match op {
            Operator::End => self.frames.last().is_some_and(Frame::ends_straight),
            _ => fuel::is_straight(op),
        };
        if !is_straight {
            self.settle_fuel();
        }
    }

    /// Tells the emitter what is outstanding.
    pub(super) fn settle_fuel(&mut self) {
        let units = std::mem::take(&mut self.outstanding_fuel);
        if units > 0 {
            self.emitter.consume_fuel(units);
        }
    }

    /// Traps when there is no fuel left.
    pub(super) fn check_fuel(&mut self, offset: u64) {
        if self.is_metered() {
            self.mark(offset);
            self.emitter.check_fuel();
        }
    }

    /// Pays for bytes or elements whose number is known.
    pub(super) fn pay_for_constant(&mut self, bulk: Bulk, count: u64) {
        if self.is_metered() {
            self.outstanding_fuel += bulk.units(count);
        }
    }

    /// Pays for as many bytes or elements as an index says, before anything is done with them.
    pub(super) fn pay_for(&mut self, bulk: Bulk, count: E::Value, offset: u64) {
        if self.is_metered() {
            self.settle_fuel();
            self.mark(offset);
            self.emitter.consume_bulk_fuel(bulk, count);
        }
    }
    /// Pays for the elements that a table grew by, unless it did not.
    pub(super) fn pay_for_growth(&mut self, old: E::Value, delta: E::Value, offset: u64) {
        if self.is_metered() {
            let failed = self.emitter.constant(Const::I64(-1));
            let has_failed = self.emitter.numeric(Numeric::I64Eq, &[old, failed]);
            let none = self.emitter.constant(Const::I64(0));
            let added = self.emitter.select(ValType::I64, has_failed, none, delta);
            self.pay_for(Bulk::Elements, added, offset);
        }
    }
}
