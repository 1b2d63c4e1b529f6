//! Which calls are replaced by the callee's body.
//!
//! The walk inlines: at a direct call it may walk the callee in place, so that every emitter gains
//! and no intermediate form is kept. The choice depends on the module alone, never on the order in
//! which functions are compiled.

use selkie_module::{DefinedFuncIndex, FunctionSource, ModuleInfo};
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

/// The choice for each function.
#[derive(Clone, Debug, Default)]
pub struct InlinePlan {
    may_inline: Vec<bool>,
}

impl InlinePlan {
    /// Looks at the bodies that are small enough.
    pub fn new(_info: &ModuleInfo, functions: &[FunctionSource<'_>], enabled: bool) -> InlinePlan {
        let may_inline = functions.iter().map(|f| enabled && is_candidate(f)).collect();
        InlinePlan { may_inline }
    }

    /// Whether a function may be put in place of a call to it.
    pub fn may_inline(&self, func: DefinedFuncIndex) -> bool {
        self.may_inline.get(func.index()).copied().unwrap_or(false)
    }

    /// Bytes of bodies that may be inlined into a function of this size.
    pub fn budget_bytes(body_bytes: u64) -> u64 {
        (body_bytes / 2).clamp(MIN_BUDGET_BYTES, MAX_BUDGET_BYTES)
    }
}

fn is_candidate(function: &FunctionSource<'_>) -> bool {
    let range = function.body.range();
    range.end - range.start <= MAX_BODY_BYTES && body_is_simple(function).unwrap_or(false)
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
            | Operator::ReturnCallRef { .. }
            | Operator::TryTable { .. }
            | Operator::Try { .. } => return Ok(false),
            _ => {}
        }
    }
    Ok(true)
}
