//! Numeric and vector instructions without immediates, as one table.
//!
//! Grammar: `Name(operand types) -> result type;`, named as wasmparser names the operator. The
//! walk pops the operands, asks the emitter for the result, and pushes it. A new instruction is a
//! row here and an arm in each emitter's `numeric`.

use selkie_module::ValType;

/// Passes the table to the macro named by the argument.
#[macro_export]
macro_rules! for_each_numeric {
    ($mac:ident) => {
        $mac! {
            // Integers and floats.
            I32Eqz(i32) -> i32;
            I32Eq(i32, i32) -> i32;
            I32Ne(i32, i32) -> i32;
            I32LtS(i32, i32) -> i32;
            I32LtU(i32, i32) -> i32;
            I32GtS(i32, i32) -> i32;
            I32GtU(i32, i32) -> i32;
            I32LeS(i32, i32) -> i32;
            I32LeU(i32, i32) -> i32;
            I32GeS(i32, i32) -> i32;
            I32GeU(i32, i32) -> i32;
            I64Eqz(i64) -> i32;
            I64Eq(i64, i64) -> i32;
            I64Ne(i64, i64) -> i32;
            I64LtS(i64, i64) -> i32;
            I64LtU(i64, i64) -> i32;
            I64GtS(i64, i64) -> i32;
            I64GtU(i64, i64) -> i32;
            I64LeS(i64, i64) -> i32;
            I64LeU(i64, i64) -> i32;
            I64GeS(i64, i64) -> i32;
            I64GeU(i64, i64) -> i32;
            F32Eq(f32, f32) -> i32;
            F32Ne(f32, f32) -> i32;
            F32Lt(f32, f32) -> i32;
            F32Gt(f32, f32) -> i32;
            F32Le(f32, f32) -> i32;
            F32Ge(f32, f32) -> i32;
            F64Eq(f64, f64) -> i32;
            F64Ne(f64, f64) -> i32;
            F64Lt(f64, f64) -> i32;
            F64Gt(f64, f64) -> i32;
            F64Le(f64, f64) -> i32;
            F64Ge(f64, f64) -> i32;
            I32Clz(i32) -> i32;
            I32Ctz(i32) -> i32;
            I32Popcnt(i32) -> i32;
            I32Add(i32, i32) -> i32;
            I32Sub(i32, i32) -> i32;
            I32Mul(i32, i32) -> i32;
            I32DivS(i32, i32) -> i32;
            I32DivU(i32, i32) -> i32;
            I32RemS(i32, i32) -> i32;
            I32RemU(i32, i32) -> i32;
            I32And(i32, i32) -> i32;
            I32Or(i32, i32) -> i32;
            I32Xor(i32, i32) -> i32;
            I32Shl(i32, i32) -> i32;
            I32ShrS(i32, i32) -> i32;
            I32ShrU(i32, i32) -> i32;
            I32Rotl(i32, i32) -> i32;
            I32Rotr(i32, i32) -> i32;
            I64Clz(i64) -> i64;
            I64Ctz(i64) -> i64;
            I64Popcnt(i64) -> i64;
            I64Add(i64, i64) -> i64;
            I64Sub(i64, i64) -> i64;
            I64Mul(i64, i64) -> i64;
            I64DivS(i64, i64) -> i64;
            I64DivU(i64, i64) -> i64;
            I64RemS(i64, i64) -> i64;
            I64RemU(i64, i64) -> i64;
            I64And(i64, i64) -> i64;
            I64Or(i64, i64) -> i64;
            I64Xor(i64, i64) -> i64;
            I64Shl(i64, i64) -> i64;
            I64ShrS(i64, i64) -> i64;
            I64ShrU(i64, i64) -> i64;
            I64Rotl(i64, i64) -> i64;
            I64Rotr(i64, i64) -> i64;
            F32Abs(f32) -> f32;
            F32Neg(f32) -> f32;
            F32Ceil(f32) -> f32;
            F32Floor(f32) -> f32;
            F32Trunc(f32) -> f32;
            F32Nearest(f32) -> f32;
            F32Sqrt(f32) -> f32;
            F32Add(f32, f32) -> f32;
            F32Sub(f32, f32) -> f32;
            F32Mul(f32, f32) -> f32;
            F32Div(f32, f32) -> f32;
            F32Min(f32, f32) -> f32;
            F32Max(f32, f32) -> f32;
            F32Copysign(f32, f32) -> f32;
            F64Abs(f64) -> f64;
            F64Neg(f64) -> f64;
            F64Ceil(f64) -> f64;
            F64Floor(f64) -> f64;
            F64Trunc(f64) -> f64;
            F64Nearest(f64) -> f64;
            F64Sqrt(f64) -> f64;
            F64Add(f64, f64) -> f64;
            F64Sub(f64, f64) -> f64;
            F64Mul(f64, f64) -> f64;
            F64Div(f64, f64) -> f64;
            F64Min(f64, f64) -> f64;
            F64Max(f64, f64) -> f64;
            F64Copysign(f64, f64) -> f64;
            I32Extend8S(i32) -> i32;
            I32Extend16S(i32) -> i32;
            I64Extend8S(i64) -> i64;
            I64Extend16S(i64) -> i64;
            I64Extend32S(i64) -> i64;
            // Conversions.
            I32WrapI64(i64) -> i32;
            I32TruncF32S(f32) -> i32;
            I32TruncF32U(f32) -> i32;
            I32TruncF64S(f64) -> i32;
            I32TruncF64U(f64) -> i32;
            I64ExtendI32S(i32) -> i64;
            I64ExtendI32U(i32) -> i64;
            I64TruncF32S(f32) -> i64;
            I64TruncF32U(f32) -> i64;
            I64TruncF64S(f64) -> i64;
            I64TruncF64U(f64) -> i64;
            F32ConvertI32S(i32) -> f32;
            F32ConvertI32U(i32) -> f32;
            F32ConvertI64S(i64) -> f32;
            F32ConvertI64U(i64) -> f32;
            F32DemoteF64(f64) -> f32;
            F64ConvertI32S(i32) -> f64;
            F64ConvertI32U(i32) -> f64;
            F64ConvertI64S(i64) -> f64;
            F64ConvertI64U(i64) -> f64;
            F64PromoteF32(f32) -> f64;
            I32ReinterpretF32(f32) -> i32;
            I64ReinterpretF64(f64) -> i64;
            F32ReinterpretI32(i32) -> f32;
            F64ReinterpretI64(i64) -> f64;
            I32TruncSatF32S(f32) -> i32;
            I32TruncSatF32U(f32) -> i32;
            I32TruncSatF64S(f64) -> i32;
            I32TruncSatF64U(f64) -> i32;
            I64TruncSatF32S(f32) -> i64;
            I64TruncSatF32U(f32) -> i64;
            I64TruncSatF64S(f64) -> i64;
            I64TruncSatF64U(f64) -> i64;
            // Vectors.
            I8x16Swizzle(v128, v128) -> v128;
            I8x16Splat(i32) -> v128;
            I16x8Splat(i32) -> v128;
            I32x4Splat(i32) -> v128;
            I64x2Splat(i64) -> v128;
            F32x4Splat(f32) -> v128;
            F64x2Splat(f64) -> v128;
            I8x16Eq(v128, v128) -> v128;
            I8x16Ne(v128, v128) -> v128;
            I8x16LtS(v128, v128) -> v128;
            I8x16LtU(v128, v128) -> v128;
            I8x16GtS(v128, v128) -> v128;
            I8x16GtU(v128, v128) -> v128;
            I8x16LeS(v128, v128) -> v128;
            I8x16LeU(v128, v128) -> v128;
            I8x16GeS(v128, v128) -> v128;
            I8x16GeU(v128, v128) -> v128;
            I16x8Eq(v128, v128) -> v128;
            I16x8Ne(v128, v128) -> v128;
            I16x8LtS(v128, v128) -> v128;
            I16x8LtU(v128, v128) -> v128;
            I16x8GtS(v128, v128) -> v128;
            I16x8GtU(v128, v128) -> v128;
            I16x8LeS(v128, v128) -> v128;
            I16x8LeU(v128, v128) -> v128;
            I16x8GeS(v128, v128) -> v128;
            I16x8GeU(v128, v128) -> v128;
            I32x4Eq(v128, v128) -> v128;
            I32x4Ne(v128, v128) -> v128;
            I32x4LtS(v128, v128) -> v128;
            I32x4LtU(v128, v128) -> v128;
            I32x4GtS(v128, v128) -> v128;
            I32x4GtU(v128, v128) -> v128;
            I32x4LeS(v128, v128) -> v128;
            I32x4LeU(v128, v128) -> v128;
            I32x4GeS(v128, v128) -> v128;
            I32x4GeU(v128, v128) -> v128;
            I64x2Eq(v128, v128) -> v128;
            I64x2Ne(v128, v128) -> v128;
            I64x2LtS(v128, v128) -> v128;
            I64x2GtS(v128, v128) -> v128;
            I64x2LeS(v128, v128) -> v128;
            I64x2GeS(v128, v128) -> v128;
            F32x4Eq(v128, v128) -> v128;
            F32x4Ne(v128, v128) -> v128;
            F32x4Lt(v128, v128) -> v128;
            F32x4Gt(v128, v128) -> v128;
            F32x4Le(v128, v128) -> v128;
            F32x4Ge(v128, v128) -> v128;
            F64x2Eq(v128, v128) -> v128;
            F64x2Ne(v128, v128) -> v128;
            F64x2Lt(v128, v128) -> v128;
            F64x2Gt(v128, v128) -> v128;
            F64x2Le(v128, v128) -> v128;
            F64x2Ge(v128, v128) -> v128;
            V128Not(v128) -> v128;
            V128And(v128, v128) -> v128;
            V128AndNot(v128, v128) -> v128;
            V128Or(v128, v128) -> v128;
            V128Xor(v128, v128) -> v128;
            V128Bitselect(v128, v128, v128) -> v128;
            V128AnyTrue(v128) -> i32;
            I8x16Abs(v128) -> v128;
            I8x16Neg(v128) -> v128;
            I8x16Popcnt(v128) -> v128;
            I8x16AllTrue(v128) -> i32;
            I8x16Bitmask(v128) -> i32;
            I8x16NarrowI16x8S(v128, v128) -> v128;
            I8x16NarrowI16x8U(v128, v128) -> v128;
            I8x16Shl(v128, i32) -> v128;
            I8x16ShrS(v128, i32) -> v128;
            I8x16ShrU(v128, i32) -> v128;
            I8x16Add(v128, v128) -> v128;
            I8x16AddSatS(v128, v128) -> v128;
            I8x16AddSatU(v128, v128) -> v128;
            I8x16Sub(v128, v128) -> v128;
            I8x16SubSatS(v128, v128) -> v128;
            I8x16SubSatU(v128, v128) -> v128;
            I8x16MinS(v128, v128) -> v128;
            I8x16MinU(v128, v128) -> v128;
            I8x16MaxS(v128, v128) -> v128;
            I8x16MaxU(v128, v128) -> v128;
            I8x16AvgrU(v128, v128) -> v128;
            I16x8ExtAddPairwiseI8x16S(v128) -> v128;
            I16x8ExtAddPairwiseI8x16U(v128) -> v128;
            I16x8Abs(v128) -> v128;
            I16x8Neg(v128) -> v128;
            I16x8Q15MulrSatS(v128, v128) -> v128;
            I16x8AllTrue(v128) -> i32;
            I16x8Bitmask(v128) -> i32;
            I16x8NarrowI32x4S(v128, v128) -> v128;
            I16x8NarrowI32x4U(v128, v128) -> v128;
            I16x8ExtendLowI8x16S(v128) -> v128;
            I16x8ExtendHighI8x16S(v128) -> v128;
            I16x8ExtendLowI8x16U(v128) -> v128;
            I16x8ExtendHighI8x16U(v128) -> v128;
            I16x8Shl(v128, i32) -> v128;
            I16x8ShrS(v128, i32) -> v128;
            I16x8ShrU(v128, i32) -> v128;
            I16x8Add(v128, v128) -> v128;
            I16x8AddSatS(v128, v128) -> v128;
            I16x8AddSatU(v128, v128) -> v128;
            I16x8Sub(v128, v128) -> v128;
            I16x8SubSatS(v128, v128) -> v128;
            I16x8SubSatU(v128, v128) -> v128;
            I16x8Mul(v128, v128) -> v128;
            I16x8MinS(v128, v128) -> v128;
            I16x8MinU(v128, v128) -> v128;
            I16x8MaxS(v128, v128) -> v128;
            I16x8MaxU(v128, v128) -> v128;
            I16x8AvgrU(v128, v128) -> v128;
            I16x8ExtMulLowI8x16S(v128, v128) -> v128;
            I16x8ExtMulHighI8x16S(v128, v128) -> v128;
            I16x8ExtMulLowI8x16U(v128, v128) -> v128;
            I16x8ExtMulHighI8x16U(v128, v128) -> v128;
            I32x4ExtAddPairwiseI16x8S(v128) -> v128;
            I32x4ExtAddPairwiseI16x8U(v128) -> v128;
            I32x4Abs(v128) -> v128;
            I32x4Neg(v128) -> v128;
            I32x4AllTrue(v128) -> i32;
            I32x4Bitmask(v128) -> i32;
            I32x4ExtendLowI16x8S(v128) -> v128;
            I32x4ExtendHighI16x8S(v128) -> v128;
            I32x4ExtendLowI16x8U(v128) -> v128;
            I32x4ExtendHighI16x8U(v128) -> v128;
            I32x4Shl(v128, i32) -> v128;
            I32x4ShrS(v128, i32) -> v128;
            I32x4ShrU(v128, i32) -> v128;
            I32x4Add(v128, v128) -> v128;
            I32x4Sub(v128, v128) -> v128;
            I32x4Mul(v128, v128) -> v128;
            I32x4MinS(v128, v128) -> v128;
            I32x4MinU(v128, v128) -> v128;
            I32x4MaxS(v128, v128) -> v128;
            I32x4MaxU(v128, v128) -> v128;
            I32x4DotI16x8S(v128, v128) -> v128;
            I32x4ExtMulLowI16x8S(v128, v128) -> v128;
            I32x4ExtMulHighI16x8S(v128, v128) -> v128;
            I32x4ExtMulLowI16x8U(v128, v128) -> v128;
            I32x4ExtMulHighI16x8U(v128, v128) -> v128;
            I64x2Abs(v128) -> v128;
            I64x2Neg(v128) -> v128;
            I64x2AllTrue(v128) -> i32;
            I64x2Bitmask(v128) -> i32;
            I64x2ExtendLowI32x4S(v128) -> v128;
            I64x2ExtendHighI32x4S(v128) -> v128;
            I64x2ExtendLowI32x4U(v128) -> v128;
            I64x2ExtendHighI32x4U(v128) -> v128;
            I64x2Shl(v128, i32) -> v128;
            I64x2ShrS(v128, i32) -> v128;
            I64x2ShrU(v128, i32) -> v128;
            I64x2Add(v128, v128) -> v128;
            I64x2Sub(v128, v128) -> v128;
            I64x2Mul(v128, v128) -> v128;
            I64x2ExtMulLowI32x4S(v128, v128) -> v128;
            I64x2ExtMulHighI32x4S(v128, v128) -> v128;
            I64x2ExtMulLowI32x4U(v128, v128) -> v128;
            I64x2ExtMulHighI32x4U(v128, v128) -> v128;
            F32x4Ceil(v128) -> v128;
            F32x4Floor(v128) -> v128;
            F32x4Trunc(v128) -> v128;
            F32x4Nearest(v128) -> v128;
            F32x4Abs(v128) -> v128;
            F32x4Neg(v128) -> v128;
            F32x4Sqrt(v128) -> v128;
            F32x4Add(v128, v128) -> v128;
            F32x4Sub(v128, v128) -> v128;
            F32x4Mul(v128, v128) -> v128;
            F32x4Div(v128, v128) -> v128;
            F32x4Min(v128, v128) -> v128;
            F32x4Max(v128, v128) -> v128;
            F32x4PMin(v128, v128) -> v128;
            F32x4PMax(v128, v128) -> v128;
            F64x2Ceil(v128) -> v128;
            F64x2Floor(v128) -> v128;
            F64x2Trunc(v128) -> v128;
            F64x2Nearest(v128) -> v128;
            F64x2Abs(v128) -> v128;
            F64x2Neg(v128) -> v128;
            F64x2Sqrt(v128) -> v128;
            F64x2Add(v128, v128) -> v128;
            F64x2Sub(v128, v128) -> v128;
            F64x2Mul(v128, v128) -> v128;
            F64x2Div(v128, v128) -> v128;
            F64x2Min(v128, v128) -> v128;
            F64x2Max(v128, v128) -> v128;
            F64x2PMin(v128, v128) -> v128;
            F64x2PMax(v128, v128) -> v128;
            I32x4TruncSatF32x4S(v128) -> v128;
            I32x4TruncSatF32x4U(v128) -> v128;
            F32x4ConvertI32x4S(v128) -> v128;
            F32x4ConvertI32x4U(v128) -> v128;
            I32x4TruncSatF64x2SZero(v128) -> v128;
            I32x4TruncSatF64x2UZero(v128) -> v128;
            F64x2ConvertLowI32x4S(v128) -> v128;
            F64x2ConvertLowI32x4U(v128) -> v128;
            F32x4DemoteF64x2Zero(v128) -> v128;
            F64x2PromoteLowF32x4(v128) -> v128;
            // Vectors, relaxed.
            I8x16RelaxedSwizzle(v128, v128) -> v128;
            I32x4RelaxedTruncF32x4S(v128) -> v128;
            I32x4RelaxedTruncF32x4U(v128) -> v128;
            I32x4RelaxedTruncF64x2SZero(v128) -> v128;
            I32x4RelaxedTruncF64x2UZero(v128) -> v128;
            F32x4RelaxedMadd(v128, v128, v128) -> v128;
            F32x4RelaxedNmadd(v128, v128, v128) -> v128;
            F64x2RelaxedMadd(v128, v128, v128) -> v128;
            F64x2RelaxedNmadd(v128, v128, v128) -> v128;
            I8x16RelaxedLaneselect(v128, v128, v128) -> v128;
            I16x8RelaxedLaneselect(v128, v128, v128) -> v128;
            I32x4RelaxedLaneselect(v128, v128, v128) -> v128;
            I64x2RelaxedLaneselect(v128, v128, v128) -> v128;
            F32x4RelaxedMin(v128, v128) -> v128;
            F32x4RelaxedMax(v128, v128) -> v128;
            F64x2RelaxedMin(v128, v128) -> v128;
            F64x2RelaxedMax(v128, v128) -> v128;
            I16x8RelaxedQ15mulrS(v128, v128) -> v128;
            I16x8RelaxedDotI8x16I7x16S(v128, v128) -> v128;
            I32x4RelaxedDotI8x16I7x16AddS(v128, v128, v128) -> v128;
        }
    };
}

macro_rules! define_numeric {
    ($($name:ident($($param:ident),*) -> $result:ident;)*) => {
        /// An instruction that computes one value from its operands alone. Some can trap.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)] // the variants are the specification's instructions
        pub enum Numeric { $($name,)* }

        impl Numeric {
            /// Every instruction, in table order.
            pub const ALL: &'static [Numeric] = &[$(Numeric::$name),*];

            /// The row for an operator, where there is one.
            #[inline]
            pub fn of(op: &wasmparser::Operator<'_>) -> Option<Numeric> {
                match op {
                    $(wasmparser::Operator::$name => Some(Numeric::$name),)*
                    _ => None,
                }
            }

            /// Operand types.
            pub fn params(self) -> &'static [ValType] {
                match self { $(Numeric::$name => &[$(val_type!($param)),*],)* }
            }

            /// Result type.
            pub fn result(self) -> ValType {
                match self { $(Numeric::$name => val_type!($result),)* }
            }

            /// The name of the row.
            pub fn name(self) -> &'static str {
                match self { $(Numeric::$name => stringify!($name),)* }
            }
        }
    };
}

macro_rules! val_type {
    (i32) => {
        ValType::I32
    };
    (i64) => {
        ValType::I64
    };
    (f32) => {
        ValType::F32
    };
    (f64) => {
        ValType::F64
    };
    (v128) => {
        ValType::V128
    };
}

for_each_numeric!(define_numeric);

impl Numeric {
    /// Whether the instruction can trap: its place must be known afterwards.
    pub fn can_trap(self) -> bool {
        use Numeric::*;
        matches!(
            self,
            I32DivS
                | I32DivU
                | I32RemS
                | I32RemU
                | I64DivS
                | I64DivU
                | I64RemS
                | I64RemU
                | I32TruncF32S
                | I32TruncF32U
                | I32TruncF64S
                | I32TruncF64U
                | I64TruncF32S
                | I64TruncF32U
                | I64TruncF64S
                | I64TruncF64U
        )
    }
}
