//! Values that addresses are made of, kept so that each is emitted once.
//!
//! Cranelift would find the repetitions itself; not emitting them is cheaper. What never changes
//! is loaded in the entry block, from where Cranelift moves it to its uses; sums are kept for the
//! block they were made in.

use super::CraneliftEmitter;
use crate::abi::POINTER;
use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{Block, InstBuilder, Value};
use selkie_compile::plan::MemoryPlan;
use selkie_module::MemoryIndex;
use selkie_module::layout::memory;

/// Sums kept at a time.
const KEPT: usize = 8;

/// The known values.
#[derive(Default)]
pub(super) struct Addresses {
    /// Base addresses that never change.
    bases: Vec<(MemoryIndex, Value)>,
    /// The block that `starts` holds for, reached only through those it was made in.
    block: Option<Block>,
    /// Base plus index, by memory and index as the guest computed it; a ring.
    starts: Vec<(MemoryIndex, Value, Value)>,
    next: usize,
}

impl Addresses {
    /// Code goes on in `to`, which is reached only through `from`: what is known stays known.
    pub(super) fn follow(&mut self, from: Option<Block>, to: Block) {
        if self.block == from {
            self.block = Some(to);
        }
    }
}

impl CraneliftEmitter<'_> {
    /// The first byte of a memory.
    pub(super) fn memory_base(&mut self, plan: &MemoryPlan) -> Value {
        if plan.is_base_fixed {
            return self.fixed_base(plan);
        }
        let (at, offset) = self.place(plan.place);
        let flags = self.regions.context;
        self.ins().load(POINTER, flags, at, offset + memory::BASE as i32)
    }

    fn fixed_base(&mut self, plan: &MemoryPlan) -> Value {
        let known = self.addresses.bases.iter().find(|(of, _)| *of == plan.memory);
        if let Some((_, base)) = known {
            return *base;
        }
        let (context, fixed) = (self.context, self.regions.fixed);
        let offset = memory::BASE as i32;
        self.builder.ensure_inserted_block();
        let entry = self.builder.func.layout.entry_block();
        let mut cursor = FuncCursor::new(self.builder.func);
        if let Some(entry) = entry {
            cursor.goto_first_insertion_point(entry);
        }
        let base = match plan.place {
            selkie_compile::Place::Inline(at) => {
                cursor.ins().load(POINTER, fixed, context, at as i32 + offset)
            }
            selkie_compile::Place::Pointer(at) => {
                let pointer = cursor.ins().load(POINTER, fixed, context, at as i32);
                cursor.ins().load(POINTER, fixed, pointer, offset)
            }
        };
        self.addresses.bases.push((plan.memory, base));
        base
    }

    /// Base plus index, for memories whose base is fixed.
    pub(super) fn start_of_access(&mut self, plan: &MemoryPlan, index: Value) -> Value {
        let block = self.builder.current_block();
        if self.addresses.block != block {
            self.addresses.block = block;
            self.addresses.starts.clear();
            self.addresses.next = 0;
        }
        let mut known = self.addresses.starts.iter();
        if let Some((_, _, start)) = known.find(|known| known.0 == plan.memory && known.1 == index)
        {
            return *start;
        }
        let base = self.fixed_base(plan);
        let wide = self.index64(index);
        let start = self.ins().iadd(base, wide);
        let entry = (plan.memory, index, start);
        let Addresses { starts, next, .. } = &mut self.addresses;
        match starts.get_mut(*next) {
            Some(old) => *old = entry,
            None => starts.push(entry),
        }
        *next = (*next + 1) % KEPT;
        start
    }
}
