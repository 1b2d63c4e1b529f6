//! Which references are alive where.

use super::{Numbers, Traced};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::flowgraph::ControlFlowGraph;
use cranelift_codegen::ir::{Block, Function, Inst, ValueDef};
use std::collections::HashMap;

/// A set of numbered values.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Set {
    words: Box<[u64]>,
}

impl Set {
    pub(super) fn empty(len: usize) -> Set {
        Set { words: vec![0; len.div_ceil(64)].into() }
    }

    pub(super) fn full(len: usize) -> Set {
        Set { words: vec![u64::MAX; len.div_ceil(64)].into() }
    }

    pub(super) fn contains(&self, number: usize) -> bool {
        self.words.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 != 0)
    }

    pub(super) fn insert(&mut self, number: usize) {
        self.words[number / 64] |= 1 << (number % 64);
    }

    pub(super) fn remove(&mut self, number: usize) {
        self.words[number / 64] &= !(1 << (number % 64));
    }

    pub(super) fn add_all(&mut self, other: &Set) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    pub(super) fn keep_all(&mut self, other: &Set) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(at, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                left &= left.wrapping_sub(1);
                (bit < 64).then_some(at * 64 + bit)
            })
        })
    }
}

/// Where references are alive.
pub(super) struct Liveness {
    /// At the start of each block that can be reached, parameters of the block left out.
    pub(super) at_start: SecondaryMap<Block, Set>,
    /// At the end of each.
    pub(super) at_end: SecondaryMap<Block, Set>,
    /// By call that may collect: what is alive before it and after it, ascending.
    pub(super) over_call: HashMap<Inst, Box<[usize]>>,
    /// All that is alive over any call, ascending.
    pub(super) over_calls: Vec<usize>,
}

impl Liveness {
    pub(super) fn new(
        func: &Function,
        traced: &Traced,
        numbers: &Numbers,
        cfg: &ControlFlowGraph,
        order: &[Block],
    ) -> Liveness {
        let len = numbers.values.len();
        let empty = Set::empty(len);
        let mut live = Liveness {
            at_start: SecondaryMap::with_default(empty.clone()),
            at_end: SecondaryMap::with_default(empty.clone()),
            over_call: HashMap::new(),
            over_calls: Vec::new(),
        };
        let mut has_changed = true;
        while has_changed {
            has_changed = false;
            for block in order.iter().rev() {
                let mut at_end = empty.clone();
                cfg.succ_iter(*block).for_each(|next| at_end.add_all(&live.at_start[next]));
                let mut at_start = at_end.clone();
                walk_up(func, numbers, *block, &mut at_start, &mut |_, _| {});
                has_changed |= at_start != live.at_start[*block];
                live.at_end[*block] = at_end;
                live.at_start[*block] = at_start;
            }
        }
        let mut over_any = empty;
        for block in order {
            let mut set = live.at_end[*block].clone();
            walk_up(func, numbers, *block, &mut set, &mut |inst, after| {
                if traced.may_collect(func, inst) {
                    over_any.add_all(after);
                    live.over_call.insert(inst, after.iter().collect());
                }
            });
        }
        live.over_calls = over_any.iter().collect();
        live
    }
}

/// Goes from the end of a block to its start; `see` is shown what is alive over each instruction.
fn walk_up(
    func: &Function,
    numbers: &Numbers,
    block: Block,
    set: &mut Set,
    see: &mut dyn FnMut(Inst, &Set),
) {
    let dfg = &func.dfg;
    let mut next = func.layout.last_inst(block);
    while let Some(inst) = next {
        for result in dfg.inst_results(inst) {
            numbers.of(*result).inspect(|number| set.remove(*number));
        }
        // What a call that ends a block passes on is passed on after it has returned.
        let edges = dfg.insts[inst].branch_destination(&dfg.jump_tables, &dfg.exception_tables);
        let passed = edges.iter().flat_map(|edge| edge.args(&dfg.value_lists));
        for value in passed.filter_map(|arg| arg.as_value()) {
            numbers.of(value).inspect(|number| set.insert(*number));
        }
        see(inst, set);
        for arg in dfg.inst_args(inst) {
            numbers.of(*arg).inspect(|number| set.insert(*number));
        }
        next = func.layout.prev_inst(inst);
    }
    for param in dfg.block_params(block) {
        numbers.of(*param).inspect(|number| set.remove(*number));
    }
}

/// The block that a value is defined in.
pub(super) fn home(func: &Function, value: cranelift_codegen::ir::Value) -> Option<Block> {
    match func.dfg.value_def(value) {
        ValueDef::Result(inst, _) => func.layout.inst_block(inst),
        ValueDef::Param(block, _) => Some(block),
        _ => None,
    }
}
