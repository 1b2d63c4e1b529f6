//! 128-bit arithmetic on pairs of i64.
//!
//! Pairs are joined into i128, for which Cranelift has add with carry and the widening multiply.

use super::CraneliftEmitter;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use selkie_compile::emitter::WideOp;

impl CraneliftEmitter<'_> {
    pub(super) fn emit_wide(&mut self, op: WideOp, args: &[Value]) -> (Value, Value) {
        let result = match (op, args) {
            (WideOp::Add128, &[a_low, a_high, b_low, b_high]) => {
                let a = self.ins().iconcat(a_low, a_high);
                let b = self.ins().iconcat(b_low, b_high);
                self.ins().iadd(a, b)
            }
            (WideOp::Sub128, &[a_low, a_high, b_low, b_high]) => {
                let a = self.ins().iconcat(a_low, a_high);
                let b = self.ins().iconcat(b_low, b_high);
                self.ins().isub(a, b)
            }
            (WideOp::MulWideS, &[a, b]) => {
                let a = self.ins().sextend(types::I128, a);
                let b = self.ins().sextend(types::I128, b);
                self.ins().imul(a, b)
            }
            (WideOp::MulWideU, &[a, b]) => {
                let a = self.ins().uextend(types::I128, a);
                let b = self.ins().uextend(types::I128, b);
                self.ins().imul(a, b)
            }
            _ => unreachable!("the walk passes as many operands as the instruction has"),
        };
        self.ins().isplit(result)
    }
}
