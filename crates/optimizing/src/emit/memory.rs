//! Loads and stores of linear memory: the plan's check, then the access.
//!
//! Every access keeps its trap code, so that Cranelift never drops one that is out of bounds.

use super::CraneliftEmitter;
use crate::abi::POINTER;
use crate::sites::code;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, condcodes::IntCC, types};
use selkie_compile::memory_ops::{Extend, Load, Store};
use selkie_compile::plan::{BoundsCheck, MemoryAccess, MemoryPlan};
use selkie_module::layout::memory;
use selkie_module::{IndexType, TrapCode, ValType};

impl CraneliftEmitter<'_> {
    /// The current length in bytes. A plain load suffices for shared memories: a length that is
    /// older than the last synchronization is never seen, and lengths only grow.
    pub(super) fn memory_length(&mut self, plan: &MemoryPlan) -> Value {
        if let Some(length) = plan.fixed_length {
            return self.ins().iconst(types::I64, length as i64);
        }
        let (at, offset) = self.place(plan.place);
        let flags = self.regions.context;
        self.ins().load(types::I64, flags, at, offset + memory::LENGTH as i32)
    }

    /// The length that `memory.size` tells: a loop that waits for growth sees it.
    fn synchronized_length(&mut self, plan: &MemoryPlan) -> Value {
        let (at, offset) = self.place(plan.place);
        let at = self.add_offset(at, offset as u64 + u64::from(memory::LENGTH));
        let flags = self.regions.context;
        self.ins().atomic_load(types::I64, flags, at)
    }

    pub(super) fn memory_pages(&mut self, plan: &MemoryPlan) -> Value {
        let length = match plan.is_shared {
            true => self.synchronized_length(plan),
            false => self.memory_length(plan),
        };
        let pages = self.ins().ushr_imm_u(length, i64::from(plan.page_size_log2));
        match plan.index {
            IndexType::I64 => pages,
            IndexType::I32 => self.ins().ireduce(types::I32, pages),
        }
    }

    /// Whether an access is out of bounds, in arithmetic that cannot wrap.
    fn is_out_of_bounds(&mut self, plan: &MemoryPlan, index: Value, end_bytes: u64) -> Value {
        let end = end_bytes as i64;
        // Memories never shrink: below the minimum the end can be taken from the length instead
        // of being added to the index, and that difference is the same in a whole loop.
        if end_bytes <= plan.min_bytes {
            let length = self.memory_length(plan);
            let end = self.ins().iconst(types::I64, end);
            let last = self.ins().isub(length, end);
            return self.ins().icmp(IntCC::UnsignedGreaterThan, index, last);
        }
        let end = self.ins().iconst(types::I64, end);
        let end = match plan.index {
            IndexType::I32 => self.ins().iadd(index, end),
            IndexType::I64 => {
                self.ins().uadd_overflow_trap(index, end, code(TrapCode::MemoryOutOfBounds))
            }
        };
        let length = self.memory_length(plan);
        self.ins().icmp(IntCC::UnsignedGreaterThan, end, length)
    }

    /// The address of an access as a pointer and a constant offset, checked as planned.
    pub(super) fn address(&mut self, access: &MemoryAccess, index: Value) -> (Value, i32) {
        match access.check {
            // Only memories with a fixed base are guarded.
            BoundsCheck::Guard => {
                let start = self.start_of_access(&access.plan, index);
                self.split_offset(start, access.offset)
            }
            BoundsCheck::Explicit { end_bytes, .. } => {
                let index = self.index64(index);
                let oob = self.is_out_of_bounds(&access.plan, index, end_bytes);
                let base = self.memory_base(&access.plan);
                let start = self.ins().iadd(base, index);
                if !self.tuning.spectre_checks {
                    self.ins().trapnz(oob, code(TrapCode::MemoryOutOfBounds));
                    return self.split_offset(start, access.offset);
                }
                // Out of bounds the access itself goes to the null page and faults there, also
                // while the processor only speculates.
                let address = self.add_offset(start, access.offset);
                let null = self.ins().iconst(POINTER, 0);
                (self.ins().select_spectre_guard(oob, null, address), 0)
            }
            // The walk emits the trap instead of such an access.
            BoundsCheck::AlwaysTraps => {
                let null = self.ins().iconst(POINTER, 0);
                (null, 0)
            }
        }
    }

    pub(super) fn split_offset(&mut self, start: Value, offset: u64) -> (Value, i32) {
        match i32::try_from(offset) {
            Ok(offset) => (start, offset),
            Err(_) => (self.add_offset(start, offset), 0),
        }
    }

    pub(super) fn add_offset(&mut self, start: Value, offset: u64) -> Value {
        match offset {
            0 => start,
            _ => self.ins().iadd_imm_s(start, offset as i64),
        }
    }

    /// The guest address of an access to aligned bytes, checked in full here: nothing follows
    /// that would fault.
    pub(super) fn guest_address(&mut self, access: &MemoryAccess, index: Value) -> Value {
        let index = self.index64(index);
        self.trap_if_unaligned(access, index);
        let end_bytes = access.offset.saturating_add(u64::from(access.width));
        let oob = self.is_out_of_bounds(&access.plan, index, end_bytes);
        self.ins().trapnz(oob, code(TrapCode::MemoryOutOfBounds));
        self.add_offset(index, access.offset)
    }

    pub(super) fn load_memory(&mut self, op: Load, access: &MemoryAccess, index: Value) -> Value {
        let (at, offset) = self.address(access, index);
        self.load_at(op, self.regions.memory, at, offset)
    }

    pub(super) fn load_at(
        &mut self,
        op: Load,
        flags: MemFlagsData,
        at: Value,
        offset: i32,
    ) -> Value {
        let ty = crate::abi::value_type(op.ty);
        let ins = self.ins();
        match (op.bytes, op.extend) {
            (_, Extend::Whole) => ins.load(ty, flags, at, offset),
            (1, Extend::Signed) => ins.sload8(ty, flags, at, offset),
            (1, Extend::Unsigned) => ins.uload8(ty, flags, at, offset),
            (2, Extend::Signed) => ins.sload16(ty, flags, at, offset),
            (2, Extend::Unsigned) => ins.uload16(ty, flags, at, offset),
            (_, Extend::Signed) => ins.sload32(flags, at, offset),
            (_, Extend::Unsigned) => ins.uload32(flags, at, offset),
        }
    }

    pub(super) fn store_memory(
        &mut self,
        op: Store,
        access: &MemoryAccess,
        index: Value,
        value: Value,
    ) {
        let (at, offset) = self.address(access, index);
        self.store_at(op, self.regions.memory, at, offset, value);
    }

    pub(super) fn store_at(
        &mut self,
        op: Store,
        flags: MemFlagsData,
        at: Value,
        offset: i32,
        value: Value,
    ) {
        let ins = self.ins();
        match (op.ty, op.bytes) {
            (ValType::I32 | ValType::I64, 1) => ins.istore8(flags, value, at, offset),
            (ValType::I32 | ValType::I64, 2) => ins.istore16(flags, value, at, offset),
            (ValType::I64, 4) => ins.istore32(flags, value, at, offset),
            _ => ins.store(flags, value, at, offset),
        };
    }
}
