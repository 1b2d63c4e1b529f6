//! Which calls are replaced by the callee's body.
//!
//! The walk inlines: at a direct call it may walk the callee in place, so that every emitter gains
//! and no intermediate form is kept. The choice depends on the module alone, never on the order in
//! which functions are compiled.

use selkie_module::{DefinedFuncIndex, FunctionSource, ModuleInfo, ValType};
use wasmparser::Operator;

/// A callee's body, in bytes, up to which it is inlined.
const MAX_BODY_BYTES: u64 = 48;
/// How deep inlined bodies may nest.
pub const MAX_DEPTH: usize = 3;
/// Bytes that inlining may add to one function, at least.
const MIN_BUDGET_BYTES: u64 = 256;
/// Bytes that inlining may add to one function, at most.
const MAX_BUDGET_BYTES: u64 = 4096;
/// Locals beyond which a callee is left alone.
const MAX_LOCALS: u32 = 24;
/// A 128-bit multiplication's body, in bytes, up to which it is recognized.
const MAX_PRODUCT_BYTES: u64 = 320;
/// What such a body costs its caller.
const PRODUCT_COST_BYTES: u16 = 16;

/// The choice for each function.
#[derive(Clone, Debug, Default)]
pub struct InlinePlan {
    /// What a function costs in its caller's budget; 0 where it is not inlined.
    costs: Vec<u16>,
}

impl InlinePlan {
    /// Looks at the bodies that are small enough.
    pub fn new(info: &ModuleInfo, functions: &[FunctionSource<'_>], enabled: bool) -> InlinePlan {
        let cost = |f| if enabled { cost_bytes(info, f) } else { None };
        InlinePlan { costs: functions.iter().map(|f| cost(f).unwrap_or(0)).collect() }
    }

    /// Bytes that putting a function in place of a call to it takes from the caller's budget;
    /// `None` where it stays a call.
    pub fn cost_bytes(&self, func: DefinedFuncIndex) -> Option<u64> {
        let cost = *self.costs.get(func.index())?;
        (cost > 0).then_some(u64::from(cost))
    }

    /// Bytes of bodies that may be inlined into a function of this size.
    pub fn budget_bytes(body_bytes: u64) -> u64 {
        (body_bytes / 2).clamp(MIN_BUDGET_BYTES, MAX_BUDGET_BYTES)
    }
}

fn cost_bytes(info: &ModuleInfo, function: &FunctionSource<'_>) -> Option<u16> {
    let range = function.body.range();
    let bytes = range.end - range.start;
    if bytes <= MAX_BODY_BYTES {
        return body_is_simple(function).unwrap_or(false).then_some(bytes as u16);
    }
    let ty = info.func_type(info.func_index(function.index));
    let is_product = bytes <= MAX_PRODUCT_BYTES
        && ty.results.is_empty()
        && matches!(
            *ty.params,
            [ValType::I32, ValType::I64, ValType::I64, ValType::I64, ValType::I64]
        )
        && body_is_product(function).unwrap_or(false);
    is_product.then_some(PRODUCT_COST_BYTES)
}

/// Whether a body looks like the compilers' 128-bit multiplication: two factors in halves, nothing
/// but straight arithmetic on pieces, both halves of the product stored behind a pointer. A few
/// instructions are left of it once an emitter recognizes the product.
fn body_is_product(function: &FunctionSource<'_>) -> wasmparser::Result<bool> {
    let (mut products, mut shifts, mut stores) = (0, 0, 0);
    for op in function.body.get_operators_reader()? {
        match op? {
            Operator::I64Mul => products += 1,
            Operator::I64ShrU => shifts += 1,
            Operator::I64Store { .. } => stores += 1,
            Operator::LocalGet { .. }
            | Operator::LocalSet { .. }
            | Operator::LocalTee { .. }
            | Operator::I64Const { .. }
            | Operator::I64Add
            | Operator::I64And
            | Operator::I64Or
            | Operator::I64Shl
            | Operator::I64ExtendI32U
            | Operator::I32WrapI64
            | Operator::End => {}
            _ => return Ok(false),
        }
    }
    Ok((4..=8).contains(&products) && shifts >= 3 && stores == 2)
}

/// No loops (their cost dwarfs the call's), no tail calls (they need the callee's own frame), not
/// too many locals.
fn body_is_simple(function: &FunctionSource<'_>) -> wasmparser::Result<bool> {
    let mut locals = 0u32;
    for local in function.body.get_locals_reader()? {
        locals = locals.saturating_add(local?.0);
    }
    if locals > MAX_LOCALS {
        return Ok(false);
    }
    for op in function.body.get_operators_reader()? {
        match op? {
            Operator::Loop { .. }
            | Operator::ReturnCall { .. }
            | Operator::ReturnCallIndirect { .. }
            | Operator::ReturnCallRef { .. } => return Ok(false),
            _ => {}
        }
    }
    Ok(true)
}
