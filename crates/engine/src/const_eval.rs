//! Evaluates constant expressions (spec: exec/instructions, expressions).

use crate::raw;
use crate::store::{InstanceId, StoreInner};
use selkie_module::{ConstExpr, ConstOp, TrapCode};

/// The value of an expression in an instance, as machine code holds it.
///
/// # Errors
/// The expression allocates on the collected heap, which nothing that compiles can do.
pub(crate) fn eval(
    store: &mut StoreInner,
    id: InstanceId,
    expr: &ConstExpr,
) -> Result<u128, TrapCode> {
    let mut stack: Vec<u128> = Vec::with_capacity(4);
    for op in &expr.0 {
        let value = match *op {
            ConstOp::I32(v) => u128::from(v as u32),
            ConstOp::I64(v) => u128::from(v as u64),
            ConstOp::F32(v) => u128::from(v),
            ConstOp::F64(v) => u128::from(v),
            ConstOp::V128(v) => v,
            ConstOp::GlobalGet(global) => raw::read_global(store.instance(id).global(global)),
            ConstOp::RefNull(_) => 0,
            ConstOp::RefFunc(func) => store.func_ref_of(id, func) as usize as u128,
            ConstOp::I32Add => binary(&mut stack, |a, b| (a as u32).wrapping_add(b as u32).into()),
            ConstOp::I32Sub => binary(&mut stack, |a, b| (a as u32).wrapping_sub(b as u32).into()),
            ConstOp::I32Mul => binary(&mut stack, |a, b| (a as u32).wrapping_mul(b as u32).into()),
            ConstOp::I64Add => binary(&mut stack, |a, b| (a as u64).wrapping_add(b as u64).into()),
            ConstOp::I64Sub => binary(&mut stack, |a, b| (a as u64).wrapping_sub(b as u64).into()),
            ConstOp::I64Mul => binary(&mut stack, |a, b| (a as u64).wrapping_mul(b as u64).into()),
            _ => return Err(TrapCode::AllocationTooLarge),
        };
        stack.push(value);
    }
    Ok(stack.pop().unwrap_or_default())
}

/// Validation guarantees two operands; a missing one would read as zero.
fn binary(stack: &mut Vec<u128>, f: impl FnOnce(u128, u128) -> u128) -> u128 {
    let b = stack.pop().unwrap_or_default();
    let a = stack.pop().unwrap_or_default();
    f(a, b)
}
