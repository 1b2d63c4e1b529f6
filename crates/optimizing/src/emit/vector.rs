//! Vector instructions.
//!
//! Each takes its operands as the lanes it is about. Instructions that Cranelift does not have
//! are written as the shapes its x86-64 rules know.

use super::CraneliftEmitter;
use crate::abi::VECTOR;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32X4, F64X2, I8, I8X16, I16, I16X8, I32, I32X4, I64X2};
use cranelift_codegen::ir::{InstBuilder, Type, Value};
use selkie_compile::Numeric;

/// The lanes a row is about; `None` for rows of other kinds.
fn lanes(op: Numeric) -> Option<Type> {
    let name = op.name().as_bytes();
    Some(match name {
        [b'I', b'8', b'x', ..] => I8X16,
        [b'I', b'1', b'6', ..] => I16X8,
        [b'I', b'3', b'2', b'x', ..] => I32X4,
        [b'I', b'6', b'4', b'x', ..] => I64X2,
        [b'F', b'3', b'2', b'x', ..] => F32X4,
        [b'F', b'6', b'4', b'x', ..] => F64X2,
        [b'V', ..] => VECTOR,
        _ => return None,
    })
}

impl CraneliftEmitter<'_> {
    pub(super) fn vector_unary(&mut self, op: Numeric, a: Value) -> Option<Value> {
        use Numeric::*;
        let ty = lanes(op)?;
        if let Some(value) = self.splat(op, ty, a) {
            return Some(value);
        }
        if let Some(value) = self.vector_conversion(op, a) {
            return Some(value);
        }
        let a = self.vector_as(a, ty);
        Some(match op {
            V128Not => self.ins().bnot(a),
            I8x16Popcnt => self.ins().popcnt(a),
            I8x16Abs | I16x8Abs | I32x4Abs | I64x2Abs => self.ins().iabs(a),
            I8x16Neg | I16x8Neg | I32x4Neg | I64x2Neg => self.ins().ineg(a),
            F32x4Ceil | F64x2Ceil => self.ins().ceil(a),
            F32x4Floor | F64x2Floor => self.ins().floor(a),
            F32x4Trunc | F64x2Trunc => self.ins().trunc(a),
            F32x4Nearest | F64x2Nearest => self.ins().nearest(a),
            F32x4Abs | F64x2Abs => self.ins().fabs(a),
            F32x4Neg | F64x2Neg => self.ins().fneg(a),
            F32x4Sqrt | F64x2Sqrt => self.ins().sqrt(a),
            V128AnyTrue => {
                let any = self.ins().vany_true(a);
                self.truth(any)
            }
            I8x16AllTrue | I16x8AllTrue | I32x4AllTrue | I64x2AllTrue => {
                let all = self.ins().vall_true(a);
                self.truth(all)
            }
            I8x16Bitmask | I16x8Bitmask | I32x4Bitmask | I64x2Bitmask => {
                self.ins().vhigh_bits(I32, a)
            }
            _ => return None,
        })
    }

    fn splat(&mut self, op: Numeric, ty: Type, a: Value) -> Option<Value> {
        use Numeric::*;
        let a = match op {
            I8x16Splat => self.ins().ireduce(I8, a),
            I16x8Splat => self.ins().ireduce(I16, a),
            I32x4Splat | I64x2Splat | F32x4Splat | F64x2Splat => a,
            _ => return None,
        };
        Some(self.ins().splat(ty, a))
    }

    /// Instructions whose operand has other lanes than the result.
    fn vector_conversion(&mut self, op: Numeric, a: Value) -> Option<Value> {
        use Numeric::*;
        let from = match op {
            I16x8ExtAddPairwiseI8x16S
            | I16x8ExtAddPairwiseI8x16U
            | I16x8ExtendLowI8x16S
            | I16x8ExtendHighI8x16S
            | I16x8ExtendLowI8x16U
            | I16x8ExtendHighI8x16U => I8X16,
            I32x4ExtAddPairwiseI16x8S
            | I32x4ExtAddPairwiseI16x8U
            | I32x4ExtendLowI16x8S
            | I32x4ExtendHighI16x8S
            | I32x4ExtendLowI16x8U
            | I32x4ExtendHighI16x8U => I16X8,
            I64x2ExtendLowI32x4S
            | I64x2ExtendHighI32x4S
            | I64x2ExtendLowI32x4U
            | I64x2ExtendHighI32x4U
            | F32x4ConvertI32x4S
            | F32x4ConvertI32x4U
            | F64x2ConvertLowI32x4S
            | F64x2ConvertLowI32x4U => I32X4,
            I32x4TruncSatF32x4S | I32x4TruncSatF32x4U | F64x2PromoteLowF32x4 => F32X4,
            I32x4TruncSatF64x2SZero | I32x4TruncSatF64x2UZero | F32x4DemoteF64x2Zero => F64X2,
            _ => return None,
        };
        let a = self.vector_as(a, from);
        Some(match op {
            I16x8ExtAddPairwiseI8x16S | I32x4ExtAddPairwiseI16x8S => {
                let low = self.ins().swiden_low(a);
                let high = self.ins().swiden_high(a);
                self.ins().iadd_pairwise(low, high)
            }
            I16x8ExtAddPairwiseI8x16U | I32x4ExtAddPairwiseI16x8U => {
                let low = self.ins().uwiden_low(a);
                let high = self.ins().uwiden_high(a);
                self.ins().iadd_pairwise(low, high)
            }
            I16x8ExtendLowI8x16S | I32x4ExtendLowI16x8S | I64x2ExtendLowI32x4S => {
                self.ins().swiden_low(a)
            }
            I16x8ExtendHighI8x16S | I32x4ExtendHighI16x8S | I64x2ExtendHighI32x4S => {
                self.ins().swiden_high(a)
            }
            I16x8ExtendLowI8x16U | I32x4ExtendLowI16x8U | I64x2ExtendLowI32x4U => {
                self.ins().uwiden_low(a)
            }
            I16x8ExtendHighI8x16U | I32x4ExtendHighI16x8U | I64x2ExtendHighI32x4U => {
                self.ins().uwiden_high(a)
            }
            F32x4ConvertI32x4S => self.ins().fcvt_from_sint(F32X4, a),
            F32x4ConvertI32x4U => self.ins().fcvt_from_uint(F32X4, a),
            F64x2ConvertLowI32x4S => {
                let low = self.ins().swiden_low(a);
                self.ins().fcvt_from_sint(F64X2, low)
            }
            F64x2ConvertLowI32x4U => {
                let low = self.ins().uwiden_low(a);
                self.ins().fcvt_from_uint(F64X2, low)
            }
            F64x2PromoteLowF32x4 => self.ins().fvpromote_low(a),
            F32x4DemoteF64x2Zero => self.ins().fvdemote(a),
            I32x4TruncSatF32x4S => self.ins().fcvt_to_sint_sat(I32X4, a),
            I32x4TruncSatF32x4U => self.ins().fcvt_to_uint_sat(I32X4, a),
            I32x4TruncSatF64x2SZero => self.truncate_doubles(a, true),
            I32x4TruncSatF64x2UZero => self.truncate_doubles(a, false),
            _ => return None,
        })
    }

    /// Two f64 to the low two of four i32, saturating; the high two are zero.
    pub(super) fn truncate_doubles(&mut self, a: Value, signed: bool) -> Value {
        let zero = self.vector_constant(0);
        let zero = self.vector_as(zero, I64X2);
        if signed {
            let wide = self.ins().fcvt_to_sint_sat(I64X2, a);
            self.ins().snarrow(wide, zero)
        } else {
            let wide = self.ins().fcvt_to_uint_sat(I64X2, a);
            self.ins().uunarrow(wide, zero)
        }
    }

    pub(super) fn vector_binary(&mut self, op: Numeric, a: Value, b: Value) -> Option<Value> {
        let ty = lanes(op)?;
        if let Some(value) = self.vector_shift(op, ty, a, b) {
            return Some(value);
        }
        if let Some(value) = self.vector_narrowing(op, a, b) {
            return Some(value);
        }
        if let Some(value) = self.vector_widening_product(op, a, b) {
            return Some(value);
        }
        let a = self.vector_as(a, ty);
        let b = self.vector_as(b, ty);
        if let Some(condition) = int_condition(op) {
            return Some(self.ins().icmp(condition, a, b));
        }
        if let Some(condition) = float_condition(op) {
            return Some(self.ins().fcmp(condition, a, b));
        }
        self.lanewise(op, ty, a, b)
    }

    fn lanewise(&mut self, op: Numeric, ty: Type, a: Value, b: Value) -> Option<Value> {
        use Numeric::*;
        let ins = self.ins();
        Some(match op {
            I8x16Swizzle => ins.swizzle(a, b),
            V128And => ins.band(a, b),
            V128AndNot => ins.band_not(a, b),
            V128Or => ins.bor(a, b),
            V128Xor => ins.bxor(a, b),
            I8x16Add | I16x8Add | I32x4Add | I64x2Add => ins.iadd(a, b),
            I8x16AddSatS | I16x8AddSatS => ins.sadd_sat(a, b),
            I8x16AddSatU | I16x8AddSatU => ins.uadd_sat(a, b),
            I8x16Sub | I16x8Sub | I32x4Sub | I64x2Sub => ins.isub(a, b),
            I8x16SubSatS | I16x8SubSatS => ins.ssub_sat(a, b),
            I8x16SubSatU | I16x8SubSatU => ins.usub_sat(a, b),
            I8x16MinS | I16x8MinS | I32x4MinS => ins.smin(a, b),
            I8x16MinU | I16x8MinU | I32x4MinU => ins.umin(a, b),
            I8x16MaxS | I16x8MaxS | I32x4MaxS => ins.smax(a, b),
            I8x16MaxU | I16x8MaxU | I32x4MaxU => ins.umax(a, b),
            I8x16AvgrU | I16x8AvgrU => ins.avg_round(a, b),
            I16x8Q15MulrSatS => ins.sqmul_round_sat(a, b),
            I16x8Mul | I32x4Mul | I64x2Mul => ins.imul(a, b),
            F32x4Add | F64x2Add => ins.fadd(a, b),
            F32x4Sub | F64x2Sub => ins.fsub(a, b),
            F32x4Mul | F64x2Mul => ins.fmul(a, b),
            F32x4Div | F64x2Div => ins.fdiv(a, b),
            F32x4Min | F64x2Min => ins.fmin(a, b),
            F32x4Max | F64x2Max => ins.fmax(a, b),
            // spec: pmin is `b < a ? b : a`, pmax is `a < b ? b : a`, NaN or not.
            F32x4PMin | F64x2PMin => {
                let less = ins.fcmp(FloatCC::LessThan, b, a);
                self.choose(ty, less, b, a)
            }
            F32x4PMax | F64x2PMax => {
                let less = ins.fcmp(FloatCC::LessThan, a, b);
                self.choose(ty, less, b, a)
            }
            _ => return None,
        })
    }

    /// Lanes of `a` where the mask's are set, of `b` elsewhere.
    pub(super) fn choose(&mut self, ty: Type, mask: Value, a: Value, b: Value) -> Value {
        let mask = self.vector_as(mask, ty);
        self.ins().bitselect(mask, a, b)
    }

    /// Shifts by a scalar amount, modulo the lane's width.
    fn vector_shift(&mut self, op: Numeric, ty: Type, a: Value, amount: Value) -> Option<Value> {
        use Numeric::*;
        let shift = match op {
            I8x16Shl | I16x8Shl | I32x4Shl | I64x2Shl => 0,
            I8x16ShrS | I16x8ShrS | I32x4ShrS | I64x2ShrS => 1,
            I8x16ShrU | I16x8ShrU | I32x4ShrU | I64x2ShrU => 2,
            _ => return None,
        };
        let a = self.vector_as(a, ty);
        Some(match shift {
            0 => self.ins().ishl(a, amount),
            1 => self.ins().sshr(a, amount),
            _ => self.ins().ushr(a, amount),
        })
    }

    /// Narrowing reads its lanes as signed, whether the result is or not.
    fn vector_narrowing(&mut self, op: Numeric, a: Value, b: Value) -> Option<Value> {
        use Numeric::*;
        let from = match op {
            I8x16NarrowI16x8S | I8x16NarrowI16x8U => I16X8,
            I16x8NarrowI32x4S | I16x8NarrowI32x4U => I32X4,
            _ => return None,
        };
        let a = self.vector_as(a, from);
        let b = self.vector_as(b, from);
        Some(match op {
            I8x16NarrowI16x8S | I16x8NarrowI32x4S => self.ins().snarrow(a, b),
            _ => self.ins().unarrow(a, b),
        })
    }

    fn vector_widening_product(&mut self, op: Numeric, a: Value, b: Value) -> Option<Value> {
        use Numeric::*;
        let from = match op {
            I16x8ExtMulLowI8x16S
            | I16x8ExtMulHighI8x16S
            | I16x8ExtMulLowI8x16U
            | I16x8ExtMulHighI8x16U => I8X16,
            I32x4ExtMulLowI16x8S
            | I32x4ExtMulHighI16x8S
            | I32x4ExtMulLowI16x8U
            | I32x4ExtMulHighI16x8U
            | I32x4DotI16x8S => I16X8,
            I64x2ExtMulLowI32x4S
            | I64x2ExtMulHighI32x4S
            | I64x2ExtMulLowI32x4U
            | I64x2ExtMulHighI32x4U => I32X4,
            _ => return None,
        };
        let a = self.vector_as(a, from);
        let b = self.vector_as(b, from);
        let (a, b) = match op {
            I32x4DotI16x8S => return Some(self.dot(a, b)),
            I16x8ExtMulLowI8x16S | I32x4ExtMulLowI16x8S | I64x2ExtMulLowI32x4S => {
                (self.ins().swiden_low(a), self.ins().swiden_low(b))
            }
            I16x8ExtMulHighI8x16S | I32x4ExtMulHighI16x8S | I64x2ExtMulHighI32x4S => {
                (self.ins().swiden_high(a), self.ins().swiden_high(b))
            }
            I16x8ExtMulLowI8x16U | I32x4ExtMulLowI16x8U | I64x2ExtMulLowI32x4U => {
                (self.ins().uwiden_low(a), self.ins().uwiden_low(b))
            }
            _ => (self.ins().uwiden_high(a), self.ins().uwiden_high(b)),
        };
        Some(self.ins().imul(a, b))
    }

    /// Products of signed lanes, neighbours added, in lanes of twice the width.
    pub(super) fn dot(&mut self, a: Value, b: Value) -> Value {
        let a_low = self.ins().swiden_low(a);
        let b_low = self.ins().swiden_low(b);
        let low = self.ins().imul(a_low, b_low);
        let a_high = self.ins().swiden_high(a);
        let b_high = self.ins().swiden_high(b);
        let high = self.ins().imul(a_high, b_high);
        self.ins().iadd_pairwise(low, high)
    }

    pub(super) fn vector_ternary(
        &mut self,
        op: Numeric,
        a: Value,
        b: Value,
        c: Value,
    ) -> Option<Value> {
        if op != Numeric::V128Bitselect {
            return None;
        }
        let a = self.canonical(a);
        let b = self.canonical(b);
        Some(self.choose(VECTOR, c, a, b))
    }
}

fn int_condition(op: Numeric) -> Option<IntCC> {
    use Numeric::*;
    Some(match op {
        I8x16Eq | I16x8Eq | I32x4Eq | I64x2Eq => IntCC::Equal,
        I8x16Ne | I16x8Ne | I32x4Ne | I64x2Ne => IntCC::NotEqual,
        I8x16LtS | I16x8LtS | I32x4LtS | I64x2LtS => IntCC::SignedLessThan,
        I8x16LtU | I16x8LtU | I32x4LtU => IntCC::UnsignedLessThan,
        I8x16GtS | I16x8GtS | I32x4GtS | I64x2GtS => IntCC::SignedGreaterThan,
        I8x16GtU | I16x8GtU | I32x4GtU => IntCC::UnsignedGreaterThan,
        I8x16LeS | I16x8LeS | I32x4LeS | I64x2LeS => IntCC::SignedLessThanOrEqual,
        I8x16LeU | I16x8LeU | I32x4LeU => IntCC::UnsignedLessThanOrEqual,
        I8x16GeS | I16x8GeS | I32x4GeS | I64x2GeS => IntCC::SignedGreaterThanOrEqual,
        I8x16GeU | I16x8GeU | I32x4GeU => IntCC::UnsignedGreaterThanOrEqual,
        _ => return None,
    })
}

fn float_condition(op: Numeric) -> Option<FloatCC> {
    use Numeric::*;
    Some(match op {
        F32x4Eq | F64x2Eq => FloatCC::Equal,
        F32x4Ne | F64x2Ne => FloatCC::NotEqual,
        F32x4Lt | F64x2Lt => FloatCC::LessThan,
        F32x4Gt | F64x2Gt => FloatCC::GreaterThan,
        F32x4Le | F64x2Le => FloatCC::LessThanOrEqual,
        F32x4Ge | F64x2Ge => FloatCC::GreaterThanOrEqual,
        _ => return None,
    })
}
