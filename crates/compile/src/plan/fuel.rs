//! What operators cost in fuel, and which of them may be passed without the count being settled.
//!
//! The sum of a run is the sum of the operators that it executed, and of what bulk instructions
//! handled ([`selkie_module::fuel`]): it does not depend on how code is made. Every way round a
//! loop and every call costs at least one unit.

use crate::memory_ops;
use crate::ops::Numeric;
use selkie_module::fuel::Bulk;
use wasmparser::Operator;

/// Units that an operator costs when it is executed.
pub fn units(op: &Operator<'_>) -> u64 {
    use Operator as O;
    match op {
        // Structure, and what needs no instruction anywhere.
        O::Nop
        | O::Drop
        | O::Block { .. }
        | O::Loop { .. }
        | O::Else
        | O::End
        | O::TryTable { .. }
        | O::Try { .. }
        | O::Catch { .. }
        | O::CatchAll
        | O::Delegate { .. } => 0,
        // Its clauses are written down each time.
        O::Resume { resume_table, .. }
        | O::ResumeThrow { resume_table, .. }
        | O::ResumeThrowRef { resume_table, .. } => {
            1 + Bulk::Elements.units(resume_table.len() as u64)
        }
        _ => 1,
    }
}

/// Whether code goes straight on behind an operator, which nothing else leads to: what was counted
/// so far may then be settled later, together with what follows. Others settle it first.
///
/// `end` depends on its block and `call` on its callee: the walk looks at them itself.
pub fn is_straight(op: &Operator<'_>) -> bool {
    use Operator as O;
    let is_simple = matches!(
        op,
        O::Nop
            | O::Drop
            | O::Block { .. }
            | O::TryTable { .. }
            | O::Try { .. }
            | O::End
            | O::Call { .. }
            | O::Select
            | O::TypedSelect { .. }
            | O::LocalGet { .. }
            | O::LocalSet { .. }
            | O::LocalTee { .. }
            | O::GlobalGet { .. }
            | O::GlobalSet { .. }
            | O::I32Const { .. }
            | O::I64Const { .. }
            | O::F32Const { .. }
            | O::F64Const { .. }
            | O::V128Const { .. }
            | O::I64Add128
            | O::I64Sub128
            | O::I64MulWideS
            | O::I64MulWideU
            | O::MemorySize { .. }
            | O::MemoryGrow { .. }
            | O::MemoryCopy { .. }
            | O::MemoryFill { .. }
            | O::TableGet { .. }
            | O::TableSet { .. }
            | O::TableSize { .. }
    );
    is_simple
        || is_reference(op)
        || Numeric::of(op).is_some()
        || memory_ops::load(op).is_some()
        || memory_ops::store(op).is_some()
        || memory_ops::atomic(op).is_some()
}

/// Instructions on references and objects that go straight on.
fn is_reference(op: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        op,
        O::RefNull { .. }
            | O::RefIsNull
            | O::RefFunc { .. }
            | O::RefAsNonNull
            | O::RefEq
            | O::RefI31
            | O::I31GetS
            | O::I31GetU
            | O::RefTestNonNull { .. }
            | O::RefTestNullable { .. }
            | O::RefCastNonNull { .. }
            | O::RefCastNullable { .. }
            | O::AnyConvertExtern
            | O::ExternConvertAny
            | O::StructNew { .. }
            | O::StructNewDefault { .. }
            | O::StructGet { .. }
            | O::StructGetS { .. }
            | O::StructGetU { .. }
            | O::StructSet { .. }
            | O::StructNewDesc { .. }
            | O::StructNewDefaultDesc { .. }
            | O::RefGetDesc { .. }
            | O::RefCastDescEqNonNull { .. }
            | O::RefCastDescEqNullable { .. }
            | O::ArrayNewFixed { .. }
            | O::ArrayGet { .. }
            | O::ArrayGetS { .. }
            | O::ArrayGetU { .. }
            | O::ArraySet { .. }
            | O::ArrayLen
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_may_go_elsewhere_settles_the_count() {
        use Operator as O;
        for op in [
            O::Br { relative_depth: 0 },
            O::BrIf { relative_depth: 0 },
            O::BrOnNull { relative_depth: 0 },
            O::BrOnNonNull { relative_depth: 0 },
            O::Loop { blockty: wasmparser::BlockType::Empty },
            O::If { blockty: wasmparser::BlockType::Empty },
            O::Else,
            O::Return,
            O::Unreachable,
            O::CallRef { type_index: 0 },
            O::CallIndirect { type_index: 0, table_index: 0 },
            O::ReturnCall { function_index: 0 },
            O::ReturnCallRef { type_index: 0 },
            O::ReturnCallIndirect { type_index: 0, table_index: 0 },
            O::Throw { tag_index: 0 },
            O::ThrowRef,
            O::Rethrow { relative_depth: 0 },
            O::Catch { tag_index: 0 },
            O::CatchAll,
            O::Delegate { relative_depth: 0 },
            O::Suspend { tag_index: 0 },
        ] {
            assert!(!is_straight(&op), "{op:?}");
        }
    }
}
