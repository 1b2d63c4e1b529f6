//! Where code asks whether somebody wants to interrupt it: at the entries of functions and at the
//! heads of loops, one of which every endless run passes, and again in code that goes on for very
//! long without either. Without interruption nothing here does anything.

use super::Translator;
use crate::emitter::Emitter;

/// Operators that are walked without a question in between. Each takes some hundred nanoseconds at
/// most, where it misses every cache; what takes longer asks by itself.
const MAX_UNASKED_OPERATORS: u32 = 4096;

impl<E: Emitter> Translator<'_, '_, E> {
    /// Asks.
    pub(super) fn check_interrupt(&mut self, offset: u64) {
        if self.unit.tuning.epoch_interruption {
            self.unasked_operators = 0;
            self.mark(offset);
            self.emitter.check_interrupt();
        }
    }

    /// Asks if it is time again, before an operator is walked.
    pub(super) fn count_unasked(&mut self, offset: u64) {
        if self.unit.tuning.epoch_interruption && self.reachable {
            self.unasked_operators += 1;
            if self.unasked_operators > MAX_UNASKED_OPERATORS {
                self.check_interrupt(offset);
            }
        }
    }
}
