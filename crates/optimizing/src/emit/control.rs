//! Branches, returns, traps.

use super::CraneliftEmitter;
use crate::abi;
use crate::sites::code;
use cranelift_codegen::ir::{
    Block, BlockArg, BlockCall, InstBuilder, InstructionData, JumpTableData, Value,
};
use selkie_module::abi::RESULT_SLOT_BYTES;
use selkie_module::{TrapCode, ValType};
use std::collections::HashMap;

/// Entries up to which a table leads to its targets without a block between: each entry repeats
/// what every local becomes at its target.
const MAX_DIRECT_TARGETS: usize = 256;

impl CraneliftEmitter<'_> {
    pub(super) fn new_block(&mut self, types: &[ValType]) -> Block {
        let block = self.builder.create_block();
        for ty in types {
            let value = self.builder.append_block_param(block, abi::value_type(*ty));
            self.trace_values(&[*ty], &[value]);
        }
        block
    }

    /// The values of a branch, canonical. The caller gives the memory back.
    pub(super) fn carry(&mut self, args: &[Value]) -> Vec<BlockArg> {
        let mut carried = std::mem::take(&mut self.carried);
        carried.clear();
        for arg in args {
            let arg = self.canonical(*arg);
            carried.push(arg.into());
        }
        carried
    }

    pub(super) fn jump_to(&mut self, to: Block, args: &[Value]) {
        let carried = self.carry(args);
        self.ins().jump(to, &carried);
        self.carried = carried;
    }

    /// A block with no other predecessor that is only entered from the branch about to come.
    fn next_block(&mut self) -> Block {
        self.builder.create_block()
    }

    fn continue_at(&mut self, block: Block) {
        self.builder.seal_block(block);
        self.builder.switch_to_block(block);
    }

    pub(super) fn branch_to_if(
        &mut self,
        condition: Value,
        to: Block,
        args: &[Value],
        hint: Option<bool>,
    ) {
        let carried = self.carry(args);
        let from = self.builder.current_block();
        let next = self.next_block();
        match hint {
            // The jump gets a block of its own, out of the way.
            Some(false) => {
                let aside = self.next_block();
                self.builder.set_cold_block(aside);
                self.ins().brif(condition, aside, &[], next, &[]);
                self.continue_at(aside);
                self.ins().jump(to, &carried);
            }
            _ => {
                if hint == Some(true) {
                    self.builder.set_cold_block(next);
                }
                self.ins().brif(condition, to, &carried, next, &[]);
            }
        }
        self.continue_at(next);
        self.addresses.follow(from, next);
        self.carried = carried;
    }

    pub(super) fn branch_to_unless(&mut self, condition: Value, to: Block, hint: Option<bool>) {
        let from = self.builder.current_block();
        let next = self.next_block();
        match hint {
            Some(true) => self.builder.set_cold_block(to),
            Some(false) => self.builder.set_cold_block(next),
            None => {}
        }
        self.ins().brif(condition, next, &[], to, &[]);
        self.continue_at(next);
        self.addresses.follow(from, next);
    }

    /// Every distinct target is reached through a block of its own: what the branch carries, and
    /// what locals become there, is then written once for a target and not once for an entry.
    pub(super) fn branch_by_table(
        &mut self,
        index: Value,
        targets: &[Block],
        default: Block,
        args: &[Value],
    ) {
        if args.is_empty() && targets.len() <= MAX_DIRECT_TARGETS {
            return self.branch_by_small_table(index, targets, default);
        }
        let carried = self.carry(args);
        let mut aside = HashMap::new();
        let mut order = Vec::new();
        let mut through = |emitter: &mut Self, target: Block| {
            *aside.entry(target).or_insert_with(|| {
                let block = emitter.next_block();
                order.push((block, target));
                block
            })
        };
        let default = through(self, default);
        let blocks: Vec<Block> = targets.iter().map(|target| through(self, *target)).collect();
        let pool = &mut self.builder.func.dfg.value_lists;
        let default = BlockCall::new(default, [], pool);
        let calls: Vec<BlockCall> =
            blocks.into_iter().map(|block| BlockCall::new(block, [], pool)).collect();
        let table = self.builder.create_jump_table(JumpTableData::new(default, &calls));
        self.ins().br_table(index, table);
        for (block, target) in order {
            self.continue_at(block);
            let target = self.way_to(target);
            self.ins().jump(target, &carried);
        }
        self.carried = carried;
    }

    /// Without values to carry and without many entries the table leads to the targets themselves:
    /// the blocks between would keep Cranelift from computing early what every target needs.
    fn branch_by_small_table(&mut self, index: Value, targets: &[Block], default: Block) {
        let pool = &mut self.builder.func.dfg.value_lists;
        let default = BlockCall::new(default, [], pool);
        let calls: Vec<BlockCall> =
            targets.iter().map(|target| BlockCall::new(*target, [], pool)).collect();
        let table = self.builder.create_jump_table(JumpTableData::new(default, &calls));
        self.ins().br_table(index, table);
    }

    pub(super) fn return_results(&mut self, results: &[Value]) {
        let results: Vec<Value> = results.iter().map(|value| self.canonical(*value)).collect();
        let Some(area) = self.result_area else {
            self.ins().return_(&results);
            return;
        };
        let flags = self.regions.stack;
        for (place, value) in results.into_iter().enumerate() {
            let offset = place as i32 * RESULT_SLOT_BYTES as i32;
            self.ins().store(flags, value, area, offset);
        }
        self.ins().return_(&[]);
    }

    /// A block that ends in a trap runs at most once: it stands out of the way.
    pub(super) fn trap_here(&mut self, trap: TrapCode) {
        let block = self.builder.current_block();
        // Without an instruction yet, the function has no entry block but is in it.
        if let Some(block) = block
            && self.builder.func.layout.entry_block().is_some_and(|entry| entry != block)
        {
            self.builder.set_cold_block(block);
        }
        if let Some(block) = block {
            self.trap_blocks.insert(block, self.builder.srcloc());
        }
        self.ins().trap(code(trap));
    }

    /// Cranelift makes one conditional trap of a branch to a block that only traps, and says that
    /// it stands where the branch stood. The site is to name the trap: so the branch takes its
    /// place.
    pub(super) fn place_conditional_traps(&mut self) {
        if self.trap_blocks.is_empty() {
            return;
        }
        let func = &mut *self.builder.func;
        let mut next = func.layout.entry_block();
        while let Some(block) = next {
            next = func.layout.next_block(block);
            let Some(branch) = func.layout.last_inst(block) else { continue };
            let InstructionData::Brif { blocks, .. } = func.dfg.insts[branch] else { continue };
            let pool = &func.dfg.value_lists;
            let trap = blocks.iter().find_map(|to| self.trap_blocks.get(&to.block(pool)));
            if let Some(place) = trap.copied().filter(|place| !place.is_default()) {
                func.set_srcloc(branch, place);
            }
        }
    }
}
