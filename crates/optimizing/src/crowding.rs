//! Functions that keep too much alive at once for a thorough register allocation.
//!
//! The backtracking allocator takes time and memory in proportion to the *places* where values are
//! alive: blocks times values. A function of a few hundred kilobytes can have thousands of millions
//! of them, and moving computations to where their results are needed, which is what optimizing
//! does, may make them: what was added up step by step is then added at the end. Such functions
//! are compiled plainly instead (`isa`, [`Effort::Plain`](crate::isa::Effort)).

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::flowgraph::ControlFlowGraph;
use cranelift_codegen::ir::{Block, Function, Value, ValueDef};
use cranelift_codegen::packed_option::PackedOption;

/// Values beyond which a function is not optimized: the optimizer keeps 100 bytes for each.
const MAX_OPTIMIZED_VALUES: usize = 1 << 22;
/// Values beyond which a function is refused. Most of so many stand for what one local is where
/// branches meet; those that turn out to be the same are counted, too.
pub(crate) const MAX_VALUES: usize = 1 << 24;

/// Values times blocks up to which a function is not looked at.
const SMALL: usize = 1 << 22;
/// Places from which on a function is crowded: about two seconds of allocating, and 80 MiB. Large
/// functions of real programs have a tenth of that.
const MAX_PLACES: usize = 1 << 24;

/// Whether a function has too many values to be optimized.
pub(crate) fn is_large(func: &Function) -> bool {
    func.dfg.num_values() > MAX_OPTIMIZED_VALUES
}

/// Whether a function, without aliases, has too many places.
pub(crate) fn is_crowded(func: &Function, cfg: &ControlFlowGraph) -> bool {
    let most = func.dfg.num_values().saturating_mul(func.dfg.num_blocks());
    most > SMALL && has_more_places(func, cfg, MAX_PLACES)
}

/// From each use in another block the way back to the definition is walked, until the places are
/// too many: so the work is in proportion to them.
fn has_more_places(func: &Function, cfg: &ControlFlowGraph, most: usize) -> bool {
    let mut uses = uses_elsewhere(func);
    uses.sort_unstable();
    let mut seen: SecondaryMap<Block, PackedOption<Value>> = SecondaryMap::new();
    let mut waiting = Vec::new();
    let mut places = 0;
    for (value, user) in uses {
        let home = home(func, value);
        waiting.push(user);
        while let Some(block) = waiting.pop() {
            if Some(block) == home || seen[block] == value.into() {
                continue;
            }
            seen[block] = value.into();
            places += 1;
            if places > most {
                return true;
            }
            waiting.extend(cfg.pred_iter(block).map(|pred| pred.block));
        }
    }
    false
}

/// Values with the blocks that they are used in, other than their own.
fn uses_elsewhere(func: &Function) -> Vec<(Value, Block)> {
    let mut uses = Vec::new();
    for block in func.layout.blocks() {
        for inst in func.layout.block_insts(block) {
            let values = func.dfg.inst_values(inst);
            uses.extend(values.filter(|v| home(func, *v) != Some(block)).map(|v| (v, block)));
        }
    }
    uses
}

/// The block where a value is defined.
fn home(func: &Function, value: Value) -> Option<Block> {
    match func.dfg.value_def(value) {
        ValueDef::Result(inst, _) => func.layout.inst_block(inst),
        ValueDef::Param(block, _) => Some(block),
        ValueDef::Union(..) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cranelift_codegen::cursor::{Cursor, FuncCursor};
    use cranelift_codegen::ir::{AbiParam, InstBuilder, Signature, types};
    use cranelift_codegen::isa::CallConv;

    /// `values` numbers made in the first block and used in the last of `blocks`.
    fn ladder(values: usize, blocks: usize) -> (Function, ControlFlowGraph) {
        let mut func = Function::new();
        func.signature = Signature::new(CallConv::Fast);
        func.signature.returns.push(AbiParam::new(types::I64));
        let all: Vec<Block> = (0..blocks).map(|_| func.dfg.make_block()).collect();
        let mut cursor = FuncCursor::new(&mut func);
        let mut numbers = Vec::new();
        for (at, block) in all.iter().enumerate() {
            cursor.insert_block(*block);
            if at == 0 {
                numbers = (0..values).map(|n| cursor.ins().iconst(types::I64, n as i64)).collect();
            }
            match all.get(at + 1) {
                Some(next) => {
                    cursor.ins().jump(*next, &[]);
                }
                None => {
                    let mut sum = cursor.ins().iconst(types::I64, 0);
                    for number in &numbers {
                        sum = cursor.ins().iadd(sum, *number);
                    }
                    cursor.ins().return_(&[sum]);
                }
            }
        }
        let cfg = ControlFlowGraph::with_function(&func);
        (func, cfg)
    }

    #[test]
    fn a_value_has_a_place_in_each_block_behind_its_own_as_far_as_its_last_use() {
        let (func, cfg) = ladder(7, 5);
        // Four blocks behind the first.
        assert!(has_more_places(&func, &cfg, 27));
        assert!(!has_more_places(&func, &cfg, 28));
    }

    #[test]
    fn small_functions_are_never_crowded() {
        let (func, cfg) = ladder(1000, 1000);
        assert!(!is_crowded(&func, &cfg));
        let (func, cfg) = ladder(5000, 5000);
        assert!(is_crowded(&func, &cfg));
    }
}
