//! Integer arithmetic, comparisons and bits.

use super::CraneliftEmitter;
use cranelift_codegen::ir::{InstBuilder, Type, Value, condcodes::IntCC, types};
use selkie_compile::Numeric;

impl CraneliftEmitter<'_> {
    pub(super) fn integer_unary(&mut self, op: Numeric, a: Value) -> Option<Value> {
        use Numeric::*;
        Some(match op {
            I32Eqz | I64Eqz => {
                let is_zero = self.ins().icmp_imm_u(IntCC::Equal, a, 0);
                self.truth(is_zero)
            }
            I32Clz | I64Clz => self.ins().clz(a),
            I32Ctz | I64Ctz => self.ins().ctz(a),
            I32Popcnt | I64Popcnt => self.ins().popcnt(a),
            I32Extend8S => self.extend_low(types::I8, types::I32, a),
            I32Extend16S => self.extend_low(types::I16, types::I32, a),
            I64Extend8S => self.extend_low(types::I8, types::I64, a),
            I64Extend16S => self.extend_low(types::I16, types::I64, a),
            I64Extend32S => self.extend_low(types::I32, types::I64, a),
            I32WrapI64 => self.ins().ireduce(types::I32, a),
            I64ExtendI32S => self.ins().sextend(types::I64, a),
            I64ExtendI32U => self.ins().uextend(types::I64, a),
            _ => return None,
        })
    }

    fn extend_low(&mut self, from: Type, to: Type, a: Value) -> Value {
        let low = self.ins().ireduce(from, a);
        self.ins().sextend(to, low)
    }

    pub(super) fn integer_binary(&mut self, op: Numeric, a: Value, b: Value) -> Option<Value> {
        use Numeric::*;
        if let Some(condition) = condition(op) {
            let holds = self.ins().icmp(condition, a, b);
            return Some(self.truth(holds));
        }
        if let Some(value) = self.half_of_product(op, a, b) {
            return Some(value);
        }
        let ins = self.ins();
        Some(match op {
            I32Add | I64Add => ins.iadd(a, b),
            I32Sub | I64Sub => ins.isub(a, b),
            I32Mul | I64Mul => ins.imul(a, b),
            // Division traps by itself, with the codes of Cranelift.
            I32DivS | I64DivS => ins.sdiv(a, b),
            I32DivU | I64DivU => ins.udiv(a, b),
            I32RemS | I64RemS => ins.srem(a, b),
            I32RemU | I64RemU => ins.urem(a, b),
            I32And | I64And => ins.band(a, b),
            I32Or | I64Or => ins.bor(a, b),
            I32Xor | I64Xor => ins.bxor(a, b),
            // Amounts count modulo the width, as WebAssembly wants it.
            I32Shl | I64Shl => ins.ishl(a, b),
            I32ShrS | I64ShrS => ins.sshr(a, b),
            I32ShrU | I64ShrU => ins.ushr(a, b),
            I32Rotl | I64Rotl => ins.rotl(a, b),
            I32Rotr | I64Rotr => ins.rotr(a, b),
            _ => return None,
        })
    }

    fn half_of_product(&mut self, op: Numeric, a: Value, b: Value) -> Option<Value> {
        match op {
            Numeric::I64Add => {
                self.completed_high_half(a, b).or_else(|| self.completed_low_half(a, b))
            }
            Numeric::I64Or => self.completed_low_half(a, b),
            _ => None,
        }
    }
}

fn condition(op: Numeric) -> Option<IntCC> {
    use Numeric::*;
    Some(match op {
        I32Eq | I64Eq => IntCC::Equal,
        I32Ne | I64Ne => IntCC::NotEqual,
        I32LtS | I64LtS => IntCC::SignedLessThan,
        I32LtU | I64LtU => IntCC::UnsignedLessThan,
        I32GtS | I64GtS => IntCC::SignedGreaterThan,
        I32GtU | I64GtU => IntCC::UnsignedGreaterThan,
        I32LeS | I64LeS => IntCC::SignedLessThanOrEqual,
        I32LeU | I64LeU => IntCC::UnsignedLessThanOrEqual,
        I32GeS | I64GeS => IntCC::SignedGreaterThanOrEqual,
        I32GeU | I64GeU => IntCC::UnsignedGreaterThanOrEqual,
        _ => return None,
    })
}
