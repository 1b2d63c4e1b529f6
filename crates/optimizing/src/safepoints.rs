//! Where references lie while calls are under way.
//!
//! A call may collect, and collecting moves objects: so every reference that is needed afterwards
//! lies in a slot of the frame during the call, the call's stack map names the slot, and after the
//! call the reference is read back. Cranelift can do that, but then reads a reference from its slot
//! at *each* use. Here a reference stays in a register from one call to the next: what is read
//! back after a call is a new value, which takes the old one's place wherever the call was passed.
//! The slow path of an allocation, which is such a call, costs the path around it nothing.
//!
//! The pass works on a function in static single assignment form, in three steps: which references
//! are alive where ([`liveness`]), which definition reaches each use ([`reaching`]), and the
//! rewriting ([`rewrite`]). Invariant: between two calls the slot and the value agree, so a
//! reference is written to its slot only before the first call that it lives over.

mod liveness;
mod memory;
mod reaching;
mod rewrite;
mod slots;

pub(crate) use liveness::TooManyReferences;

use cranelift_codegen::entity::{EntitySet, SecondaryMap};
use cranelift_codegen::flowgraph::ControlFlowGraph;
use cranelift_codegen::ir::{Block, Function, Inst, InstructionData, Value};
use liveness::Liveness;
use reaching::Reaching;
use rewrite::Rewriter;
use std::collections::HashSet;

/// Places over calls, all references together, and bits for all references and blocks, up to which
/// references stay in registers between calls. In larger functions each use reads from the slot:
/// the work for more would not stay in proportion.
const MAX_PLACES_IN_REGISTERS: usize = 1 << 13;
const MAX_BITS_IN_REGISTERS: usize = 1 << 21;

/// What must be known of a function before its references can be placed.
#[derive(Default)]
pub(crate) struct Traced {
    /// Every value that may be a reference that the collector traces.
    values: EntitySet<Value>,
    /// Their number.
    len: usize,
    /// Calls that never collect.
    quiet: HashSet<Inst>,
}

impl Traced {
    /// Finds the traced values from those that the emitter made: what a block is given is traced
    /// where one of its predecessors gives it something traced.
    pub(crate) fn infer(func: &Function, seeds: &[Value], quiet: HashSet<Inst>) -> Traced {
        let mut traced = Traced { quiet, ..Traced::default() };
        if seeds.is_empty() {
            return traced;
        }
        seeds.iter().for_each(|seed| traced.add(func.dfg.resolve_aliases(*seed)));
        while traced.spread(func) {}
        traced
    }

    fn add(&mut self, value: Value) {
        self.len += usize::from(self.values.insert(value));
    }

    /// Over every edge once; whether something was found.
    fn spread(&mut self, func: &Function) -> bool {
        let before = self.len;
        for block in func.layout.blocks() {
            let Some(branch) = func.layout.last_inst(block) else { continue };
            let dfg = &func.dfg;
            let edges =
                dfg.insts[branch].branch_destination(&dfg.jump_tables, &dfg.exception_tables);
            for edge in edges {
                let params = dfg.block_params(edge.block(&dfg.value_lists));
                for (param, arg) in params.iter().zip(edge.args(&dfg.value_lists)) {
                    let value = arg.as_value().map(|value| dfg.resolve_aliases(value));
                    if value.is_some_and(|value| self.values.contains(value)) {
                        self.add(*param);
                    }
                }
            }
        }
        self.len > before
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All of them.
    fn iter(&self, func: &Function) -> impl Iterator<Item = Value> {
        func.dfg.values().filter(|value| self.values.contains(*value))
    }

    /// Whether an instruction may collect.
    fn may_collect(&self, func: &Function, inst: Inst) -> bool {
        func.dfg.insts[inst].opcode().is_safepoint() && !self.quiet.contains(&inst)
    }
}

/// Numbers from 0 for the traced values of a function.
struct Numbers {
    of: SecondaryMap<Value, u32>,
    values: Vec<Value>,
}

impl Numbers {
    const NONE: u32 = u32::MAX;

    fn new(func: &Function, traced: &Traced) -> Numbers {
        let values: Vec<Value> = traced.iter(func).collect();
        let mut of = SecondaryMap::with_default(Numbers::NONE);
        for (number, value) in values.iter().enumerate() {
            of[*value] = number as u32;
        }
        Numbers { of, values }
    }

    fn of(&self, value: Value) -> Option<u32> {
        Some(self.of[value]).filter(|number| *number != Numbers::NONE)
    }
}

/// The blocks that can be reached, each after those it is reached from except along back edges.
fn reverse_post_order(func: &Function, cfg: &ControlFlowGraph) -> Vec<Block> {
    let mut seen = EntitySet::with_capacity(func.dfg.num_blocks());
    let mut order = Vec::new();
    let mut stack: Vec<(Block, Vec<Block>)> = Vec::new();
    if let Some(entry) = func.layout.entry_block() {
        seen.insert(entry);
        stack.push((entry, cfg.succ_iter(entry).collect()));
    }
    while let Some((block, successors)) = stack.last_mut() {
        match successors.pop() {
            Some(next) if seen.insert(next) => {
                stack.push((next, cfg.succ_iter(next).collect()));
            }
            Some(_) => {}
            None => {
                order.push(*block);
                stack.pop();
            }
        }
    }
    order.reverse();
    order
}

/// Whether an instruction is a call that ends its block.
fn is_try_call(func: &Function, inst: Inst) -> bool {
    let data = &func.dfg.insts[inst];
    matches!(data, InstructionData::TryCall { .. } | InstructionData::TryCallIndirect { .. })
}

/// Places the traced references of a function.
///
/// # Errors
/// There are too many of them.
pub(crate) fn place(func: &mut Function, traced: &Traced) -> Result<(), TooManyReferences> {
    func.dfg.resolve_all_aliases();
    rewrite::split_edges(func);
    let cfg = ControlFlowGraph::with_function(func);
    let order = reverse_post_order(func, &cfg);
    let numbers = Numbers::new(func, traced);
    let live = Liveness::new(func, traced, &numbers, &cfg, &order)?;
    if live.over_calls.is_empty() {
        return Ok(());
    }
    let slots = slots::assign(func, &numbers, &live, &order);
    let bits = live.over_calls.len().saturating_mul(order.len());
    if live.places_over_calls > MAX_PLACES_IN_REGISTERS || bits > MAX_BITS_IN_REGISTERS {
        memory::place(func, &numbers, &live, &slots, &order);
        return Ok(());
    }
    let reaching = Reaching::new(func, &numbers, &live, &cfg, &order);
    Rewriter::new(func, &numbers, &live, &slots, &reaching, &cfg).run(&order);
    Ok(())
}
