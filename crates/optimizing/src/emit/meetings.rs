//! Blocks that very many branches lead to.
//!
//! Dominators are found by going back from each way into a block to where all of them come from:
//! with thousands of ways out of a long function that is the square of its length. So a block is
//! reached straight by so many branches, and so many more come together in a *relay* first, a
//! block that leads there. Functions with fewer, all but the strangest, know nothing of it.
//!
//! Loops have no relays: their blocks are open when their branches are made.

use super::CraneliftEmitter;
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Block, BlockArg, InstBuilder};
use std::collections::HashMap;

/// Branches that lead straight to one block.
const STRAIGHT: u32 = 1024;
/// In the place of a count: this is a loop.
const LOOP: u32 = u32::MAX;

/// The branches to labels so far.
#[derive(Default)]
pub(super) struct Meetings {
    counts: SecondaryMap<Block, u32>,
    relays: HashMap<Block, Vec<Block>>,
}

impl CraneliftEmitter<'_> {
    /// The label is that of a loop.
    pub(super) fn is_loop(&mut self, label: Block) {
        self.meetings.counts[label] = LOOP;
    }

    /// Where one more branch to a label leads.
    pub(super) fn way_to(&mut self, label: Block) -> Block {
        let count = &mut self.meetings.counts[label];
        if *count == LOOP {
            return label;
        }
        let before = *count;
        *count += 1;
        if before < STRAIGHT { label } else { self.relay(label, before) }
    }

    #[cold]
    fn relay(&mut self, label: Block, before: u32) -> Block {
        let relays = self.meetings.relays.entry(label).or_default();
        if let Some(relay) = relays.last().filter(|_| !before.is_multiple_of(STRAIGHT)) {
            return *relay;
        }
        let relay = self.builder.create_block();
        relays.push(relay);
        for place in 0..self.builder.block_params(label).len() {
            let ty = self.type_of(self.builder.block_params(label)[place]);
            self.builder.append_block_param(relay, ty);
        }
        relay
    }

    /// Leads the relays of a label to it. No branch to it follows, and no block is open.
    pub(super) fn join_relays(&mut self, label: Block) {
        for relay in self.meetings.relays.remove(&label).unwrap_or_default() {
            self.builder.seal_block(relay);
            self.builder.switch_to_block(relay);
            let params = self.builder.block_params(relay);
            let params: Vec<BlockArg> = params.iter().map(|param| (*param).into()).collect();
            self.ins().jump(label, &params);
        }
    }
}
