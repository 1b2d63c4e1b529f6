//! Which definition of a reference reaches each block: the one it has in the code, what was read
//! back after a call, or a new parameter where several of these meet.

use super::liveness::{Liveness, home};
use super::{Numbers, is_try_call};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::flowgraph::ControlFlowGraph;
use cranelift_codegen::ir::{Block, Function, Inst};
use std::collections::HashMap;

/// A definition of a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Def {
    /// The one in the code.
    Own,
    /// What is read back after a call.
    After(Inst),
    /// What is read back at the start of a block that only a call leads to.
    AtStart(Block),
    /// A new parameter of a block.
    Param(Block),
}

/// The definitions that reach the starts of blocks.
pub(super) struct Reaching {
    /// By block: the definition of each reference that lives over calls and is alive there.
    at_start: SecondaryMap<Block, HashMap<u32, Def>>,
}

impl Reaching {
    pub(super) fn new(
        func: &Function,
        numbers: &Numbers,
        live: &Liveness,
        cfg: &ControlFlowGraph,
        order: &[Block],
    ) -> Reaching {
        let mut over = vec![false; numbers.values.len()];
        live.over_calls.iter().for_each(|number| over[*number as usize] = true);
        let ends = last_definitions(func, numbers, live, order);
        let mut reaching = Reaching { at_start: SecondaryMap::new() };
        let mut has_changed = true;
        while has_changed {
            has_changed = false;
            for block in order {
                for number in live.at_start[*block].iter().copied().filter(|n| over[*n as usize]) {
                    let found = reaching.meet(func, cfg, &ends, *block, number);
                    let known = reaching.at_start[*block].get(&number).copied();
                    if found.is_some() && found != known {
                        reaching.at_start[*block].extend(found.map(|def| (number, def)));
                        has_changed = true;
                    }
                }
            }
        }
        reaching
    }

    /// What reaches the start of a block.
    pub(super) fn at_start(&self, block: Block, number: u32) -> Def {
        self.at_start[block].get(&number).copied().unwrap_or(Def::Own)
    }

    fn meet(
        &self,
        func: &Function,
        cfg: &ControlFlowGraph,
        ends: &SecondaryMap<Block, HashMap<u32, Def>>,
        block: Block,
        number: u32,
    ) -> Option<Def> {
        // Once they meet here they always do: this keeps the search finite.
        if self.at_start[block].get(&number) == Some(&Def::Param(block)) {
            return Some(Def::Param(block));
        }
        let mut met = None;
        for pred in cfg.pred_iter(block) {
            let end = match ends[pred.block].get(&number) {
                // Edges from calls were split: the call leads nowhere else.
                Some(Def::After(call)) if is_try_call(func, *call) => Some(Def::AtStart(block)),
                Some(def) => Some(*def),
                None => self.at_start[pred.block].get(&number).copied(),
            };
            met = match (met, end) {
                (None, end) => end,
                (met, None) => met,
                (Some(met), Some(end)) if met == end => Some(met),
                _ => return Some(Def::Param(block)),
            };
        }
        met
    }
}

/// By block: the last definition that it makes itself of each reference.
fn last_definitions(
    func: &Function,
    numbers: &Numbers,
    live: &Liveness,
    order: &[Block],
) -> SecondaryMap<Block, HashMap<u32, Def>> {
    let mut ends: SecondaryMap<Block, HashMap<u32, Def>> = SecondaryMap::new();
    for number in &live.over_calls {
        if let Some(block) = home(func, numbers.values[*number as usize]) {
            ends[block].insert(*number, Def::Own);
        }
    }
    for block in order {
        for inst in func.layout.block_insts(*block) {
            let alive = live.over_call.get(&inst).into_iter().flatten();
            ends[*block].extend(alive.map(|number| (*number, Def::After(inst))));
        }
    }
    ends
}

impl Reaching {
    /// What reaches the end of a predecessor, as its edge to `block` sees it.
    pub(super) fn at_end(
        &self,
        func: &Function,
        live: &Liveness,
        numbers: &Numbers,
        pred: Block,
        block: Block,
        number: u32,
    ) -> Def {
        let mut next = func.layout.last_inst(pred);
        while let Some(inst) = next {
            let alive = live.over_call.get(&inst);
            if alive.is_some_and(|alive| alive.binary_search(&number).is_ok()) {
                return match is_try_call(func, inst) {
                    true => Def::AtStart(block),
                    false => Def::After(inst),
                };
            }
            next = func.layout.prev_inst(inst);
        }
        if home(func, numbers.values[number as usize]) == Some(pred) {
            return Def::Own;
        }
        self.at_start(pred, number)
    }
}
