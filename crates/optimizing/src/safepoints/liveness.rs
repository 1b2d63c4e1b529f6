//! Which references are alive where.
//!
//! From each use the way back to the definition is walked, block by block: the work and the
//! memory are in proportion to what is alive, not to the number of references times the number of
//! blocks.

use super::{Numbers, Traced};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::flowgraph::ControlFlowGraph;
use cranelift_codegen::ir::{Block, Function, Inst, Value, ValueDef};
use std::collections::HashMap;

/// Places where a reference is alive, all references together, beyond which a function is refused:
/// more than the largest functions that compilers make need.
const MAX_PLACES: usize = 8 << 20;

/// A function keeps more references alive than the limit allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyReferences;

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

    pub(super) fn contains(&self, number: u32) -> bool {
        self.words[number as usize / 64] >> (number % 64) & 1 != 0
    }

    pub(super) fn insert(&mut self, number: u32) {
        self.words[number as usize / 64] |= 1 << (number % 64);
    }

    pub(super) fn remove(&mut self, number: u32) {
        self.words[number as usize / 64] &= !(1 << (number % 64));
    }

    pub(super) fn keep_all(&mut self, other: &Set) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
    }

    fn clear(&mut self) {
        self.words.fill(0);
    }

    fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(at, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros();
                left &= left.wrapping_sub(1);
                (bit < 64).then_some(at as u32 * 64 + bit)
            })
        })
    }
}

/// Where references are alive.
pub(super) struct Liveness {
    /// At the start of each block that can be reached, parameters of the block left out; ascending.
    pub(super) at_start: SecondaryMap<Block, Vec<u32>>,
    /// At the end of each; ascending.
    pub(super) at_end: SecondaryMap<Block, Vec<u32>>,
    /// By call that may collect: what is alive before it and after it, ascending.
    pub(super) over_call: HashMap<Inst, Box<[u32]>>,
    /// All that is alive over any call, ascending.
    pub(super) over_calls: Vec<u32>,
    /// The sum of the lengths in `over_call`.
    pub(super) places_over_calls: usize,
}

impl Liveness {
    pub(super) fn new(
        func: &Function,
        traced: &Traced,
        numbers: &Numbers,
        cfg: &ControlFlowGraph,
        order: &[Block],
    ) -> Result<Liveness, TooManyReferences> {
        let mut live = Liveness {
            at_start: SecondaryMap::new(),
            at_end: SecondaryMap::new(),
            over_call: HashMap::new(),
            over_calls: Vec::new(),
            places_over_calls: 0,
        };
        live.between_blocks(func, numbers, cfg, order)?;
        live.over_calls(func, traced, numbers, order)?;
        Ok(live)
    }

    fn between_blocks(
        &mut self,
        func: &Function,
        numbers: &Numbers,
        cfg: &ControlFlowGraph,
        order: &[Block],
    ) -> Result<(), TooManyReferences> {
        let mut uses = uses_outside(func, numbers, order);
        uses.sort_unstable();
        uses.dedup();
        // The last reference that was found alive at a block's start, and at its end.
        let mut started = SecondaryMap::with_default(u32::MAX);
        let mut ended = SecondaryMap::with_default(u32::MAX);
        let (mut places, mut open) = (0, Vec::new());
        for (number, block) in uses {
            let home = home(func, numbers.values[number as usize]);
            open.push(block);
            while let Some(block) = open.pop() {
                if std::mem::replace(&mut started[block], number) == number {
                    continue;
                }
                self.at_start[block].push(number);
                for pred in cfg.pred_iter(block) {
                    if std::mem::replace(&mut ended[pred.block], number) != number {
                        self.at_end[pred.block].push(number);
                    }
                    if home != Some(pred.block) {
                        open.push(pred.block);
                    }
                }
                places += 1;
                if places > MAX_PLACES {
                    return Err(TooManyReferences);
                }
            }
        }
        Ok(())
    }

    fn over_calls(
        &mut self,
        func: &Function,
        traced: &Traced,
        numbers: &Numbers,
        order: &[Block],
    ) -> Result<(), TooManyReferences> {
        let mut over_any = Set::empty(numbers.values.len());
        let mut set = over_any.clone();
        for block in order {
            set.clear();
            self.at_end[*block].iter().for_each(|number| set.insert(*number));
            let over_call = &mut self.over_call;
            let places = &mut self.places_over_calls;
            walk_up(func, numbers, *block, &mut set, &mut |inst, after| {
                if *places <= MAX_PLACES && traced.may_collect(func, inst) {
                    let alive: Box<[u32]> = after.iter().collect();
                    *places += alive.len();
                    alive.iter().for_each(|number| over_any.insert(*number));
                    over_call.insert(inst, alive);
                }
            });
        }
        self.over_calls = over_any.iter().collect();
        match self.places_over_calls <= MAX_PLACES {
            true => Ok(()),
            false => Err(TooManyReferences),
        }
    }
}

/// The blocks that use references which are defined elsewhere.
fn uses_outside(func: &Function, numbers: &Numbers, order: &[Block]) -> Vec<(u32, Block)> {
    let mut uses = Vec::new();
    for block in order {
        for inst in func.layout.block_insts(*block) {
            for value in func.dfg.inst_values(inst) {
                let number = numbers.of(value);
                uses.extend(
                    number
                        .filter(|_| home(func, value) != Some(*block))
                        .map(|number| (number, *block)),
                );
            }
        }
    }
    uses
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
}

/// The block that a value is defined in.
pub(super) fn home(func: &Function, value: Value) -> Option<Block> {
    match func.dfg.value_def(value) {
        ValueDef::Result(inst, _) => func.layout.inst_block(inst),
        ValueDef::Param(block, _) => Some(block),
        _ => None,
    }
}
