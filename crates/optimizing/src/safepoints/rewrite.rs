//! The rewriting: references are written to their slots before calls, named in stack maps, and
//! read back where a use needs them.

use super::liveness::{Liveness, Set};
use super::reaching::{Def, Reaching};
use super::{Numbers, is_try_call};
use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::flowgraph::ControlFlowGraph;
use cranelift_codegen::ir::{
    AliasRegionData, Block, BlockArg, BlockCall, Function, Inst, InstBuilder, MemFlagsData,
    StackSlot, UserStackMapEntry, Value, types,
};
use std::collections::{HashMap, VecDeque};

/// The alias region of the slots.
const REGION: (u32, &str) = (9, "references in frames");

/// The flags of accesses to the slots of a function.
pub(super) fn slot_flags(func: &mut Function) -> MemFlagsData {
    let (user_id, description) = REGION;
    let data = AliasRegionData { user_id, description: description.into() };
    let region = func.dfg.alias_regions.insert(data);
    MemFlagsData::trusted().with_notrap().with_alias_region(Some(region))
}

/// Gives each edge of a call that ends its block a block of its own, which takes over what the edge
/// passes on: there references are read back.
pub(super) fn split_edges(func: &mut Function) {
    let blocks: Vec<Block> = func.layout.blocks().collect();
    for block in blocks {
        let Some(call) = func.layout.last_inst(block).filter(|inst| is_try_call(func, *inst))
        else {
            continue;
        };
        let dfg = &func.dfg;
        let edges = dfg.insts[call].branch_destination(&dfg.jump_tables, &dfg.exception_tables);
        for at in 0..edges.len() {
            split_edge(func, block, call, at);
        }
    }
}

fn split_edge(func: &mut Function, block: Block, call: Inst, at: usize) {
    let dfg = &mut func.dfg;
    let edge = dfg.insts[call].branch_destination(&dfg.jump_tables, &dfg.exception_tables)[at];
    let target = edge.block(&dfg.value_lists);
    let args: Vec<BlockArg> = edge.args(&dfg.value_lists).collect();
    let params: Vec<Value> = dfg.block_params(target).to_vec();
    let between = dfg.make_block();
    func.layout.insert_block_after(between, block);
    if func.layout.is_cold(target) {
        func.layout.set_cold(between);
    }
    let (mut given, mut passed) = (Vec::new(), Vec::new());
    for (arg, param) in args.into_iter().zip(params) {
        match arg {
            BlockArg::Value(value) => passed.push(BlockArg::Value(value)),
            made_by_call => {
                let ty = func.dfg.value_type(param);
                let here = func.dfg.append_block_param(between, ty);
                given.push(made_by_call);
                passed.push(BlockArg::Value(here));
            }
        }
    }
    FuncCursor::new(func).at_bottom(between).ins().jump(target, &passed);
    let dfg = &mut func.dfg;
    let edge = BlockCall::new(between, given, &mut dfg.value_lists);
    dfg.insts[call].branch_destination_mut(&mut dfg.jump_tables, &mut dfg.exception_tables)[at] =
        edge;
}

/// Rewrites one function.
pub(super) struct Rewriter<'r> {
    func: &'r mut Function,
    numbers: &'r Numbers,
    live: &'r Liveness,
    slots: &'r HashMap<u32, StackSlot>,
    reaching: &'r Reaching,
    cfg: &'r ControlFlowGraph,
    flags: MemFlagsData,
    /// Values made for definitions.
    made: HashMap<(u32, Def), Value>,
    /// New parameters whose arguments are still to be given, in the order they were made in: a
    /// block gets its arguments in the order of its parameters.
    open_params: VecDeque<(Block, u32)>,
}

impl<'r> Rewriter<'r> {
    pub(super) fn new(
        func: &'r mut Function,
        numbers: &'r Numbers,
        live: &'r Liveness,
        slots: &'r HashMap<u32, StackSlot>,
        reaching: &'r Reaching,
        cfg: &'r ControlFlowGraph,
    ) -> Rewriter<'r> {
        let flags = slot_flags(func);
        let (made, open_params) = (HashMap::new(), VecDeque::new());
        Rewriter { func, numbers, live, slots, reaching, cfg, flags, made, open_params }
    }

    pub(super) fn run(mut self, order: &[Block]) {
        let written = self.written_at_start(order);
        for block in order {
            self.block(*block, written[*block].clone());
        }
        while let Some((block, number)) = self.open_params.pop_front() {
            self.give_arguments(block, number);
        }
    }

    /// By block: the references whose slots hold them whichever way the block was reached.
    fn written_at_start(&self, order: &[Block]) -> SecondaryMap<Block, Set> {
        let len = self.numbers.values.len();
        let mut at_start = SecondaryMap::with_default(Set::full(len));
        let mut at_end = at_start.clone();
        let mut has_changed = true;
        while has_changed {
            has_changed = false;
            for block in order {
                let mut set = Set::full(len);
                if self.func.layout.entry_block() == Some(*block) {
                    set = Set::empty(len);
                }
                self.cfg.pred_iter(*block).for_each(|pred| set.keep_all(&at_end[pred.block]));
                at_start[*block] = set.clone();
                self.forget(self.func.dfg.block_params(*block), &mut set);
                for inst in self.func.layout.block_insts(*block) {
                    let alive = self.live.over_call.get(&inst).into_iter().flatten();
                    alive.for_each(|number| set.insert(*number));
                    self.forget(self.func.dfg.inst_results(inst), &mut set);
                }
                has_changed |= set != at_end[*block];
                at_end[*block] = set;
            }
        }
        at_start
    }

    /// New values are not in their slots.
    fn forget(&self, values: &[Value], written: &mut Set) {
        for value in values {
            self.numbers.of(*value).inspect(|number| written.remove(*number));
        }
    }

    fn block(&mut self, block: Block, mut written: Set) {
        let mut defs: HashMap<u32, Def> = HashMap::new();
        let params = self.func.dfg.block_params(block).to_vec();
        self.forget(&params, &mut written);
        for param in params {
            defs.extend(self.numbers.of(param).map(|number| (number, Def::Own)));
        }
        let mut next = self.func.layout.first_inst(block);
        while let Some(inst) = next {
            next = self.func.layout.next_inst(inst);
            self.rewrite_uses(block, inst, &defs);
            if let Some(alive) = self.live.over_call.get(&inst) {
                for number in alive {
                    self.call(block, inst, *number, &mut written, &mut defs);
                }
            }
            let results = self.func.dfg.inst_results(inst).to_vec();
            self.forget(&results, &mut written);
            for result in results {
                defs.extend(self.numbers.of(result).map(|number| (number, Def::Own)));
            }
        }
    }

    /// A reference lives over a call: it goes to its slot, and is another value from there on.
    fn call(
        &mut self,
        block: Block,
        call: Inst,
        number: u32,
        written: &mut Set,
        defs: &mut HashMap<u32, Def>,
    ) {
        let slot = self.slots[&number];
        if !written.contains(number) {
            let value = self.current(block, number, defs);
            let flags = self.flags;
            let mut at = FuncCursor::new(self.func).at_inst(call);
            let address = at.ins().stack_addr(types::I64, slot, 0);
            at.ins().store(flags, value, address, 0);
            written.insert(number);
        }
        let entry = UserStackMapEntry { ty: types::I64, slot, offset: 0 };
        self.func.dfg.append_user_stack_map_entry(call, entry);
        defs.insert(number, Def::After(call));
    }

    fn current(&mut self, block: Block, number: u32, defs: &HashMap<u32, Def>) -> Value {
        let def = defs.get(&number).copied();
        let def = def.unwrap_or_else(|| self.reaching.at_start(block, number));
        self.value(number, def)
    }

    fn rewrite_uses(&mut self, block: Block, inst: Inst, defs: &HashMap<u32, Def>) {
        let uses: Vec<Value> = self.func.dfg.inst_values(inst).collect();
        let mut new: HashMap<Value, Value> = HashMap::new();
        for value in uses {
            let number = self.numbers.of(value);
            if let Some(number) = number.filter(|number| self.slots.contains_key(number)) {
                new.insert(value, self.current(block, number, defs));
            }
        }
        if !new.is_empty() {
            let dfg = &mut self.func.dfg;
            dfg.map_inst_values(inst, |value| new.get(&value).copied().unwrap_or(value));
        }
    }

    /// The value of a definition, made where it is not there yet.
    fn value(&mut self, number: u32, def: Def) -> Value {
        if let Some(value) = self.made.get(&(number, def)) {
            return *value;
        }
        let value = match def {
            Def::Own => self.numbers.values[number as usize],
            Def::After(call) => {
                let next = self.func.layout.next_inst(call);
                self.read_back(number, next, None)
            }
            Def::AtStart(block) => {
                let first = self.func.layout.first_inst(block);
                self.read_back(number, first, Some(block))
            }
            Def::Param(block) => {
                self.open_params.push_back((block, number));
                self.func.dfg.append_block_param(block, types::I64)
            }
        };
        self.made.insert((number, def), value);
        value
    }

    /// Reads a reference from its slot before an instruction, or at the end of an empty block.
    fn read_back(&mut self, number: u32, before: Option<Inst>, block: Option<Block>) -> Value {
        let (slot, flags) = (self.slots[&number], self.flags);
        let mut at = FuncCursor::new(self.func);
        match (before, block) {
            (Some(inst), _) => at.goto_inst(inst),
            (None, Some(block)) => at.goto_bottom(block),
            (None, None) => {}
        }
        let address = at.ins().stack_addr(types::I64, slot, 0);
        at.ins().load(types::I64, flags, address, 0)
    }

    /// Lets every edge to a block pass on what a new parameter of it stands for.
    fn give_arguments(&mut self, block: Block, number: u32) {
        let preds: Vec<(Block, Inst)> =
            self.cfg.pred_iter(block).map(|pred| (pred.block, pred.inst)).collect();
        for (pred, branch) in preds {
            let def = self.reaching.at_end(self.func, self.live, self.numbers, pred, block, number);
            let value = self.value(number, def);
            let dfg = &mut self.func.dfg;
            let lists = &mut dfg.value_lists;
            let edges = dfg.insts[branch]
                .branch_destination_mut(&mut dfg.jump_tables, &mut dfg.exception_tables);
            for edge in edges {
                if edge.block(lists) == block {
                    edge.append_argument(value, lists);
                }
            }
        }
    }
}
