//! Conversions between scalar integers and floats.

use super::CraneliftEmitter;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};
use selkie_compile::Numeric;

impl CraneliftEmitter<'_> {
    pub(super) fn convert(&mut self, op: Numeric, a: Value) -> Option<Value> {
        use Numeric::*;
        use types::{F32, F64, I32, I64};
        let plain = MemFlagsData::new();
        let ins = self.ins();
        Some(match op {
            I32TruncF32S | I32TruncF64S => ins.fcvt_to_sint(I32, a),
            I32TruncF32U | I32TruncF64U => ins.fcvt_to_uint(I32, a),
            I64TruncF32S | I64TruncF64S => ins.fcvt_to_sint(I64, a),
            I64TruncF32U | I64TruncF64U => ins.fcvt_to_uint(I64, a),
            I32TruncSatF32S | I32TruncSatF64S => ins.fcvt_to_sint_sat(I32, a),
            I32TruncSatF32U | I32TruncSatF64U => ins.fcvt_to_uint_sat(I32, a),
            I64TruncSatF32S | I64TruncSatF64S => ins.fcvt_to_sint_sat(I64, a),
            I64TruncSatF32U | I64TruncSatF64U => ins.fcvt_to_uint_sat(I64, a),
            F32ConvertI32S | F32ConvertI64S => ins.fcvt_from_sint(F32, a),
            F32ConvertI32U | F32ConvertI64U => ins.fcvt_from_uint(F32, a),
            F64ConvertI32S | F64ConvertI64S => ins.fcvt_from_sint(F64, a),
            F64ConvertI32U | F64ConvertI64U => ins.fcvt_from_uint(F64, a),
            F32DemoteF64 => ins.fdemote(F32, a),
            F64PromoteF32 => ins.fpromote(F64, a),
            I32ReinterpretF32 => ins.bitcast(I32, plain, a),
            I64ReinterpretF64 => ins.bitcast(I64, plain, a),
            F32ReinterpretI32 => ins.bitcast(F32, plain, a),
            F64ReinterpretI64 => ins.bitcast(F64, plain, a),
            _ => return None,
        })
    }
}
