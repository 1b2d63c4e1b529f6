//! Constant expressions (spec: valid/instructions, constant expressions): decoded once, kept in
//! the module, evaluated by the engine at instantiation.

use crate::types::HeapType;
use crate::{FuncIndex, GlobalIndex, TypeIndex};
use serde::{Deserialize, Serialize};

/// An instruction that may stand in a constant expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the variants are the specification's instructions
pub enum ConstOp {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    V128(u128),
    GlobalGet(GlobalIndex),
    RefNull(HeapType),
    RefFunc(FuncIndex),
    I32Add,
    I32Sub,
    I32Mul,
    I64Add,
    I64Sub,
    I64Mul,
    RefI31,
    StructNew(TypeIndex),
    StructNewDefault(TypeIndex),
    StructNewDesc(TypeIndex),
    StructNewDefaultDesc(TypeIndex),
    ArrayNew(TypeIndex),
    ArrayNewDefault(TypeIndex),
    ArrayNewFixed(TypeIndex, u32),
    AnyConvertExtern,
    ExternConvertAny,
}

/// A constant expression in postfix order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConstExpr(pub Box<[ConstOp]>);

impl ConstExpr {
    /// Decodes an expression that the validator has accepted.
    pub(crate) fn decode(expr: &wasmparser::ConstExpr<'_>) -> wasmparser::Result<ConstExpr> {
        let mut ops = Vec::new();
        for op in expr.get_operators_reader() {
            let op = op?;
            if let Some(op) = decode_op(&op) {
                ops.push(op);
            }
        }
        Ok(ConstExpr(ops.into()))
    }

    /// The value, where the expression is a single `i32.const` or `i64.const`. Addresses of
    /// `i32` are unsigned.
    pub fn as_address(&self) -> Option<u64> {
        match *self.0 {
            [ConstOp::I32(v)] => Some(u64::from(v as u32)),
            [ConstOp::I64(v)] => Some(v as u64),
            _ => None,
        }
    }

    /// Whether evaluating the expression needs the collected heap.
    pub fn needs_gc(&self) -> bool {
        use ConstOp::*;
        self.0.iter().any(|op| {
            matches!(
                op,
                RefI31
                    | StructNew(_)
                    | StructNewDefault(_)
                    | StructNewDesc(_)
                    | StructNewDefaultDesc(_)
                    | ArrayNew(_)
                    | ArrayNewDefault(_)
                    | ArrayNewFixed(..)
                    | AnyConvertExtern
                    | ExternConvertAny
            )
        })
    }

    /// The functions the expression refers to.
    pub fn functions(&self) -> impl Iterator<Item = FuncIndex> + '_ {
        self.0.iter().filter_map(|op| match op {
            ConstOp::RefFunc(f) => Some(*f),
            _ => None,
        })
    }
}

/// `None` for `end`, the only other instruction the validator lets through.
fn decode_op(op: &wasmparser::Operator<'_>) -> Option<ConstOp> {
    use wasmparser::Operator as O;
    Some(match *op {
        O::I32Const { value } => ConstOp::I32(value),
        O::I64Const { value } => ConstOp::I64(value),
        O::F32Const { value } => ConstOp::F32(value.bits()),
        O::F64Const { value } => ConstOp::F64(value.bits()),
        O::V128Const { value } => ConstOp::V128(u128::from_le_bytes(*value.bytes())),
        O::GlobalGet { global_index } => ConstOp::GlobalGet(GlobalIndex(global_index)),
        O::RefNull { hty } => ConstOp::RefNull(crate::decode::heap_type(hty)),
        O::RefFunc { function_index } => ConstOp::RefFunc(FuncIndex(function_index)),
        O::I32Add => ConstOp::I32Add,
        O::I32Sub => ConstOp::I32Sub,
        O::I32Mul => ConstOp::I32Mul,
        O::I64Add => ConstOp::I64Add,
        O::I64Sub => ConstOp::I64Sub,
        O::I64Mul => ConstOp::I64Mul,
        O::RefI31 | O::RefI31Shared => ConstOp::RefI31,
        O::StructNew { struct_type_index } => ConstOp::StructNew(TypeIndex(struct_type_index)),
        O::StructNewDefault { struct_type_index } => {
            ConstOp::StructNewDefault(TypeIndex(struct_type_index))
        }
        O::StructNewDesc { struct_type_index } => {
            ConstOp::StructNewDesc(TypeIndex(struct_type_index))
        }
        O::StructNewDefaultDesc { struct_type_index } => {
            ConstOp::StructNewDefaultDesc(TypeIndex(struct_type_index))
        }
        O::ArrayNew { array_type_index } => ConstOp::ArrayNew(TypeIndex(array_type_index)),
        O::ArrayNewDefault { array_type_index } => {
            ConstOp::ArrayNewDefault(TypeIndex(array_type_index))
        }
        O::ArrayNewFixed { array_type_index, array_size } => {
            ConstOp::ArrayNewFixed(TypeIndex(array_type_index), array_size)
        }
        O::AnyConvertExtern => ConstOp::AnyConvertExtern,
        O::ExternConvertAny => ConstOp::ExternConvertAny,
        _ => return None,
    })
}
