//! Relaxed vector instructions.
//!
//! Under `Tuning::relaxed_simd_deterministic` each makes the specification's deterministic choice;
//! otherwise the choice that is cheapest on this processor.

use super::CraneliftEmitter;
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::types::{F32X4, F64X2, I8X16, I16X8, I32X4, I64X2};
use cranelift_codegen::ir::{InstBuilder, Type, Value};
use selkie_compile::Numeric;

impl CraneliftEmitter<'_> {
    fn is_deterministic(&self) -> bool {
        self.tuning.relaxed_simd_deterministic
    }

    pub(super) fn relaxed_unary(&mut self, op: Numeric, a: Value) -> Option<Value> {
        use Numeric::*;
        Some(match op {
            I32x4RelaxedTruncF32x4S => {
                let a = self.vector_as(a, F32X4);
                if self.is_deterministic() {
                    self.ins().fcvt_to_sint_sat(I32X4, a)
                } else {
                    self.ins().x86_cvtt2dq(I32X4, a)
                }
            }
            I32x4RelaxedTruncF32x4U => {
                let a = self.vector_as(a, F32X4);
                self.ins().fcvt_to_uint_sat(I32X4, a)
            }
            I32x4RelaxedTruncF64x2SZero => {
                let a = self.vector_as(a, F64X2);
                if self.is_deterministic() {
                    return Some(self.truncate_doubles(a, true));
                }
                let wide = self.ins().x86_cvtt2dq(I64X2, a);
                let zero = self.vector_constant(0);
                let zero = self.vector_as(zero, I64X2);
                self.ins().snarrow(wide, zero)
            }
            I32x4RelaxedTruncF64x2UZero => {
                let a = self.vector_as(a, F64X2);
                self.truncate_doubles(a, false)
            }
            _ => return None,
        })
    }

    pub(super) fn relaxed_binary(&mut self, op: Numeric, a: Value, b: Value) -> Option<Value> {
        use Numeric::*;
        Some(match op {
            I8x16RelaxedSwizzle => {
                let a = self.vector_as(a, I8X16);
                let b = self.vector_as(b, I8X16);
                if self.is_deterministic() || !self.isa.has_x86_pshufb_lowering() {
                    self.ins().swizzle(a, b)
                } else {
                    self.ins().x86_pshufb(a, b)
                }
            }
            F32x4RelaxedMin => self.relaxed_min(F32X4, a, b),
            F64x2RelaxedMin => self.relaxed_min(F64X2, a, b),
            F32x4RelaxedMax => self.relaxed_max(F32X4, a, b),
            F64x2RelaxedMax => self.relaxed_max(F64X2, a, b),
            I16x8RelaxedQ15mulrS => {
                let a = self.vector_as(a, I16X8);
                let b = self.vector_as(b, I16X8);
                if self.is_deterministic() || !self.isa.has_x86_pmulhrsw_lowering() {
                    self.ins().sqmul_round_sat(a, b)
                } else {
                    self.ins().x86_pmulhrsw(a, b)
                }
            }
            I16x8RelaxedDotI8x16I7x16S => self.relaxed_dot(a, b),
            _ => return None,
        })
    }

    pub(super) fn relaxed_ternary(
        &mut self,
        op: Numeric,
        a: Value,
        b: Value,
        c: Value,
    ) -> Option<Value> {
        use Numeric::*;
        Some(match op {
            F32x4RelaxedMadd => self.multiply_add(F32X4, a, b, c, false),
            F64x2RelaxedMadd => self.multiply_add(F64X2, a, b, c, false),
            F32x4RelaxedNmadd => self.multiply_add(F32X4, a, b, c, true),
            F64x2RelaxedNmadd => self.multiply_add(F64X2, a, b, c, true),
            I8x16RelaxedLaneselect => self.lane_select(I8X16, a, b, c),
            I16x8RelaxedLaneselect => self.lane_select(I16X8, a, b, c),
            I32x4RelaxedLaneselect => self.lane_select(I32X4, a, b, c),
            I64x2RelaxedLaneselect => self.lane_select(I64X2, a, b, c),
            I32x4RelaxedDotI8x16I7x16AddS => {
                let dot = self.relaxed_dot(a, b);
                let low = self.ins().swiden_low(dot);
                let high = self.ins().swiden_high(dot);
                let sums = self.ins().iadd_pairwise(low, high);
                let c = self.vector_as(c, I32X4);
                self.ins().iadd(sums, c)
            }
            _ => return None,
        })
    }

    /// `a * b + c`, or `-(a * b) + c`. Deterministic is fused.
    fn multiply_add(&mut self, ty: Type, a: Value, b: Value, c: Value, negate: bool) -> Value {
        let mut a = self.vector_as(a, ty);
        let b = self.vector_as(b, ty);
        let c = self.vector_as(c, ty);
        if negate {
            a = self.ins().fneg(a);
        }
        if self.is_deterministic() || self.isa.has_native_fma() {
            return self.ins().fma(a, b, c);
        }
        let product = self.ins().fmul(a, b);
        self.ins().fadd(product, c)
    }

    /// What `minps` does with NaN and zeros of both signs is among the allowed choices.
    fn relaxed_min(&mut self, ty: Type, a: Value, b: Value) -> Value {
        let a = self.vector_as(a, ty);
        let b = self.vector_as(b, ty);
        if self.is_deterministic() {
            return self.ins().fmin(a, b);
        }
        let less = self.ins().fcmp(FloatCC::LessThan, a, b);
        self.choose(ty, less, a, b)
    }

    fn relaxed_max(&mut self, ty: Type, a: Value, b: Value) -> Value {
        let a = self.vector_as(a, ty);
        let b = self.vector_as(b, ty);
        if self.is_deterministic() {
            return self.ins().fmax(a, b);
        }
        let less = self.ins().fcmp(FloatCC::LessThan, b, a);
        self.choose(ty, less, a, b)
    }

    fn lane_select(&mut self, ty: Type, a: Value, b: Value, mask: Value) -> Value {
        let a = self.vector_as(a, ty);
        let b = self.vector_as(b, ty);
        let mask = self.vector_as(mask, ty);
        if self.is_deterministic() || !self.isa.has_blendv_lowering(ty) {
            return self.ins().bitselect(mask, a, b);
        }
        self.ins().blendv(mask, a, b)
    }

    /// Lanes of `b` have seven bits, so that they are the same signed and unsigned.
    fn relaxed_dot(&mut self, a: Value, b: Value) -> Value {
        let a = self.vector_as(a, I8X16);
        let b = self.vector_as(b, I8X16);
        if self.is_deterministic() || !self.isa.has_x86_pmaddubsw_lowering() {
            return self.dot(a, b);
        }
        self.ins().x86_pmaddubsw(a, b)
    }
}
