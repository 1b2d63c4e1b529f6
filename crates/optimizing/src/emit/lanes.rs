//! Lanes: extract, replace, shuffle.

use super::CraneliftEmitter;
use crate::abi::VECTOR;
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};
use selkie_compile::emitter::Lanes;
use selkie_module::ValType;

fn machine_lanes(lanes: Lanes) -> Type {
    match lanes {
        Lanes::I8x16 => types::I8X16,
        Lanes::I16x8 => types::I16X8,
        Lanes::I32x4 => types::I32X4,
        Lanes::I64x2 => types::I64X2,
        Lanes::F32x4 => types::F32X4,
        Lanes::F64x2 => types::F64X2,
    }
}

impl CraneliftEmitter<'_> {
    pub(super) fn emit_extract(
        &mut self,
        lanes: Lanes,
        lane: u8,
        signed: bool,
        vector: Value,
    ) -> Value {
        let vector = self.vector_as(vector, machine_lanes(lanes));
        let value = self.ins().extractlane(vector, lane);
        match (lanes, signed) {
            (Lanes::I8x16 | Lanes::I16x8, true) => self.ins().sextend(types::I32, value),
            (Lanes::I8x16 | Lanes::I16x8, false) => self.ins().uextend(types::I32, value),
            _ => value,
        }
    }

    pub(super) fn emit_replace(
        &mut self,
        lanes: Lanes,
        lane: u8,
        vector: Value,
        value: Value,
    ) -> Value {
        let ty = machine_lanes(lanes);
        let vector = self.vector_as(vector, ty);
        let value = match lanes {
            Lanes::I8x16 | Lanes::I16x8 => self.ins().ireduce(ty.lane_type(), value),
            _ => value,
        };
        self.ins().insertlane(vector, value, lane)
    }

    pub(super) fn emit_shuffle(&mut self, lanes: [u8; 16], a: Value, b: Value) -> Value {
        let a = self.vector_as(a, VECTOR);
        let b = self.vector_as(b, VECTOR);
        let mask = self.builder.func.dfg.immediates.push(lanes.as_slice().into());
        self.ins().shuffle(a, b, mask)
    }

    pub(super) fn emit_scalar_to_vector(&mut self, ty: ValType, value: Value) -> Value {
        let ty = match ty {
            ValType::I32 => types::I32X4,
            ValType::F32 => types::F32X4,
            ValType::F64 => types::F64X2,
            _ => types::I64X2,
        };
        self.ins().scalar_to_vector(ty, value)
    }
}
