//! Scalar floating point.

use super::CraneliftEmitter;
use cranelift_codegen::ir::{InstBuilder, Value, condcodes::FloatCC};
use selkie_compile::Numeric;

impl CraneliftEmitter<'_> {
    pub(super) fn float_unary(&mut self, op: Numeric, a: Value) -> Option<Value> {
        use Numeric::*;
        let ins = self.ins();
        Some(match op {
            F32Abs | F64Abs => ins.fabs(a),
            F32Neg | F64Neg => ins.fneg(a),
            F32Ceil | F64Ceil => ins.ceil(a),
            F32Floor | F64Floor => ins.floor(a),
            F32Trunc | F64Trunc => ins.trunc(a),
            F32Nearest | F64Nearest => ins.nearest(a),
            F32Sqrt | F64Sqrt => ins.sqrt(a),
            _ => return None,
        })
    }

    pub(super) fn float_binary(&mut self, op: Numeric, a: Value, b: Value) -> Option<Value> {
        use Numeric::*;
        if let Some(condition) = condition(op) {
            let holds = self.ins().fcmp(condition, a, b);
            return Some(self.truth(holds));
        }
        let ins = self.ins();
        Some(match op {
            F32Add | F64Add => ins.fadd(a, b),
            F32Sub | F64Sub => ins.fsub(a, b),
            F32Mul | F64Mul => ins.fmul(a, b),
            F32Div | F64Div => ins.fdiv(a, b),
            F32Min | F64Min => ins.fmin(a, b),
            F32Max | F64Max => ins.fmax(a, b),
            F32Copysign | F64Copysign => ins.fcopysign(a, b),
            _ => return None,
        })
    }
}

fn condition(op: Numeric) -> Option<FloatCC> {
    use Numeric::*;
    Some(match op {
        F32Eq | F64Eq => FloatCC::Equal,
        F32Ne | F64Ne => FloatCC::NotEqual,
        F32Lt | F64Lt => FloatCC::LessThan,
        F32Gt | F64Gt => FloatCC::GreaterThan,
        F32Le | F64Le => FloatCC::LessThanOrEqual,
        F32Ge | F64Ge => FloatCC::GreaterThanOrEqual,
        _ => return None,
    })
}
