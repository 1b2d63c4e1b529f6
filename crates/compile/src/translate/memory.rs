//! Linear memory: accesses, bulk instructions, atomics.

use super::Translator;
use crate::emitter::{Const, Emitter, Lanes};
use crate::memory_ops::{Atomic, AtomicKind, Extend, Load, Store};
use crate::ops::Numeric;
use crate::plan::{BoundsCheck, BytesAccess, MemoryAccess, MemoryPlan};
use selkie_module::builtins::Builtin;
use selkie_module::fuel::Bulk;
use selkie_module::{IndexType, MemoryIndex, TrapCode, TypeIndex, ValType};
use wasmparser::{MemArg, MemArgTarget, Operator};

/// Longest `memory.copy` or `memory.fill` that is emitted in place: eight vectors.
const MAX_BYTES_IN_PLACE: u64 = 128;

/// Bytes that a function with a body of `body_bytes` copies and fills in place, so that code stays
/// in proportion to bodies: what follows is left to the runtime.
pub(super) fn in_place_bytes(body_bytes: u64) -> u64 {
    4096 + 4 * body_bytes
}

impl<E: Emitter> Translator<'_, '_, E> {
    fn memory_plan(&self, memory: u32) -> MemoryPlan {
        MemoryPlan::new(self.unit, MemoryIndex(memory))
    }

    /// The plan for an access. `None`: it always traps, and the trap has been emitted.
    fn access(
        &mut self,
        memory: u32,
        memarg: &MemArg,
        width: u8,
        offset: u64,
    ) -> Option<MemoryAccess> {
        self.mark(offset);
        let access = self.memory_plan(memory).access(memarg.offset, width);
        self.can_be_in_bounds(&access).then_some(access)
    }

    /// Whether an access may succeed; where it never does, emits the trap.
    fn can_be_in_bounds(&mut self, access: &MemoryAccess) -> bool {
        if access.check != BoundsCheck::AlwaysTraps {
            return true;
        }
        self.emitter.trap(TrapCode::MemoryOutOfBounds);
        self.reachable = false;
        false
    }

    pub(super) fn load(&mut self, op: Load, memarg: &MemArg, offset: u64) {
        let index = self.pop();
        let value = match memarg.target {
            MemArgTarget::Memory(memory) => {
                let access = self.access(memory, memarg, op.bytes, offset);
                let Some(access) = access else { return };
                self.emitter.load(op, &access, index)
            }
            MemArgTarget::Array(ty) => {
                let array = self.pop();
                self.mark(offset);
                let access = BytesAccess::new(self.unit, TypeIndex(ty), memarg.offset, op.bytes);
                self.emitter.load_bytes(op, &access, array, index)
            }
        };
        self.push(value);
    }

    pub(super) fn store(&mut self, op: Store, memarg: &MemArg, offset: u64) {
        let value = self.pop();
        let index = self.pop();
        match memarg.target {
            MemArgTarget::Memory(memory) => {
                let access = self.access(memory, memarg, op.bytes, offset);
                let Some(access) = access else { return };
                self.emitter.store(op, &access, index, value);
            }
            MemArgTarget::Array(ty) => {
                let array = self.pop();
                self.mark(offset);
                let access = BytesAccess::new(self.unit, TypeIndex(ty), memarg.offset, op.bytes);
                self.emitter.store_bytes(op, &access, array, index, value);
            }
        }
    }

    pub(super) fn atomic(&mut self, op: Atomic, memarg: &MemArg, offset: u64) {
        let operands = match op.kind {
            AtomicKind::Load => 0,
            AtomicKind::Store | AtomicKind::Rmw(_) => 1,
            AtomicKind::Cmpxchg => 2,
        };
        let at = self.stack.len() - operands;
        let args = self.stack.split_off(at);
        let index = self.pop();
        let access = self.access(memory_of(memarg), memarg, op.bytes, offset);
        let Some(access) = access else { return };
        if let Some(value) = self.emitter.atomic(op, &access, index, &args) {
            self.push(value);
        }
    }

    /// Vector accesses are made of a scalar access and a lane operation.
    pub(super) fn vector_memory_operator(&mut self, op: &Operator<'_>, offset: u64) -> bool {
        use Numeric::*;
        match op {
            Operator::V128Load8x8S { memarg } => {
                self.load_lanes(I16x8ExtendLowI8x16S, memarg, offset)
            }
            Operator::V128Load8x8U { memarg } => {
                self.load_lanes(I16x8ExtendLowI8x16U, memarg, offset)
            }
            Operator::V128Load16x4S { memarg } => {
                self.load_lanes(I32x4ExtendLowI16x8S, memarg, offset);
            }
            Operator::V128Load16x4U { memarg } => {
                self.load_lanes(I32x4ExtendLowI16x8U, memarg, offset);
            }
            Operator::V128Load32x2S { memarg } => {
                self.load_lanes(I64x2ExtendLowI32x4S, memarg, offset);
            }
            Operator::V128Load32x2U { memarg } => {
                self.load_lanes(I64x2ExtendLowI32x4U, memarg, offset);
            }
            Operator::V128Load8Splat { memarg } => self.load_splat(I8x16Splat, 1, memarg, offset),
            Operator::V128Load16Splat { memarg } => self.load_splat(I16x8Splat, 2, memarg, offset),
            Operator::V128Load32Splat { memarg } => self.load_splat(I32x4Splat, 4, memarg, offset),
            Operator::V128Load64Splat { memarg } => self.load_splat(I64x2Splat, 8, memarg, offset),
            Operator::V128Load32Zero { memarg } => self.load_zero(4, memarg, offset),
            Operator::V128Load64Zero { memarg } => self.load_zero(8, memarg, offset),
            Operator::V128Load8Lane { memarg, lane } => {
                self.load_lane(Lanes::I8x16, *lane, memarg, offset);
            }
            Operator::V128Load16Lane { memarg, lane } => {
                self.load_lane(Lanes::I16x8, *lane, memarg, offset);
            }
            Operator::V128Load32Lane { memarg, lane } => {
                self.load_lane(Lanes::I32x4, *lane, memarg, offset);
            }
            Operator::V128Load64Lane { memarg, lane } => {
                self.load_lane(Lanes::I64x2, *lane, memarg, offset);
            }
            Operator::V128Store8Lane { memarg, lane } => {
                self.store_lane(Lanes::I8x16, *lane, memarg, offset);
            }
            Operator::V128Store16Lane { memarg, lane } => {
                self.store_lane(Lanes::I16x8, *lane, memarg, offset);
            }
            Operator::V128Store32Lane { memarg, lane } => {
                self.store_lane(Lanes::I32x4, *lane, memarg, offset);
            }
            Operator::V128Store64Lane { memarg, lane } => {
                self.store_lane(Lanes::I64x2, *lane, memarg, offset);
            }
            _ => return false,
        }
        true
    }

    fn load_lanes(&mut self, extend: Numeric, memarg: &MemArg, offset: u64) {
        self.load_zero(8, memarg, offset);
        if self.reachable {
            let low = self.pop();
            let value = self.emitter.numeric(extend, &[low]);
            self.push(value);
        }
    }

    fn load_splat(&mut self, splat: Numeric, bytes: u8, memarg: &MemArg, offset: u64) {
        self.load(scalar_load(bytes), memarg, offset);
        if self.reachable {
            let scalar = self.pop();
            let value = self.emitter.numeric(splat, &[scalar]);
            self.push(value);
        }
    }

    fn load_zero(&mut self, bytes: u8, memarg: &MemArg, offset: u64) {
        let load = scalar_load(bytes);
        self.load(load, memarg, offset);
        if self.reachable {
            let scalar = self.pop();
            let value = self.emitter.scalar_to_vector(load.ty, scalar);
            self.push(value);
        }
    }

    fn load_lane(&mut self, lanes: Lanes, lane: u8, memarg: &MemArg, offset: u64) {
        let vector = self.pop();
        self.load(scalar_load(lane_bytes(lanes)), memarg, offset);
        if self.reachable {
            let scalar = self.pop();
            let value = self.emitter.replace_lane(lanes, lane, vector, scalar);
            self.push(value);
        }
    }

    fn store_lane(&mut self, lanes: Lanes, lane: u8, memarg: &MemArg, offset: u64) {
        let vector = self.pop();
        let scalar = self.emitter.extract_lane(lanes, lane, false, vector);
        self.push(scalar);
        let Load { ty, bytes, .. } = scalar_load(lane_bytes(lanes));
        self.store(Store { ty, bytes }, memarg, offset);
    }

    /// `memory.*`, `data.drop`, wait, notify and fence.
    pub(super) fn bulk_operator(&mut self, op: &Operator<'_>, offset: u64) -> bool {
        match *op {
            Operator::MemorySize { mem } => {
                let plan = self.memory_plan(mem);
                let size = self.emitter.memory_size(&plan);
                self.push(size);
            }
            Operator::MemoryGrow { mem } => self.memory_grow(mem, offset),
            Operator::MemoryCopy { dst_mem, src_mem } => self.memory_copy(dst_mem, src_mem, offset),
            Operator::MemoryFill { mem } => self.memory_fill(mem, offset),
            Operator::MemoryInit { data_index, mem } => {
                let index = self.memory_plan(mem).index;
                let [dst, src, len] = self.pop3();
                let dst = self.emitter.widen(dst, index);
                self.pay_for(Bulk::Bytes, len, offset);
                let (mem, data) = (self.imm(mem), self.imm(data_index));
                self.entry(Builtin::memory_init, &[mem, data, dst, src, len], offset);
            }
            Operator::MemoryDiscard { mem } => {
                let index = self.memory_plan(mem).index;
                let bytes = self.pop();
                let start = self.pop();
                let start = self.emitter.widen(start, index);
                let bytes = self.emitter.widen(bytes, index);
                self.pay_for(Bulk::Bytes, bytes, offset);
                let memory = self.imm(mem);
                self.entry(Builtin::memory_discard, &[memory, start, bytes], offset);
            }
            Operator::DataDrop { data_index } => {
                let data = self.imm(data_index);
                self.entry(Builtin::data_drop, &[data], offset);
            }
            Operator::MemoryAtomicNotify { memarg } => self.notify(&memarg, offset),
            Operator::MemoryAtomicWait32 { memarg } => {
                self.wait(Builtin::memory_wait32, 4, &memarg, offset);
            }
            Operator::MemoryAtomicWait64 { memarg } => {
                self.wait(Builtin::memory_wait64, 8, &memarg, offset);
            }
            Operator::AtomicFence { .. } => self.emitter.fence(),
            // A hint: a thread that waits for another has nothing to do.
            Operator::Pause => {}
            _ => return false,
        }
        true
    }

    fn memory_grow(&mut self, memory: u32, offset: u64) {
        let index = self.memory_plan(memory).index;
        let delta = self.pop();
        let delta = self.emitter.widen(delta, index);
        let memory = self.imm(memory);
        if let Some(old) = self.entry(Builtin::memory_grow, &[memory, delta], offset) {
            let old = self.emitter.narrow(old, index);
            self.push(old);
        }
    }

    /// The length has the narrower of the two index types.
    fn memory_copy(&mut self, dst_memory: u32, src_memory: u32, offset: u64) {
        let to = self.memory_plan(dst_memory);
        let from = self.memory_plan(src_memory);
        let [dst, src, len] = self.pop3();
        if let Some(width) = self.few_bytes() {
            self.emitter.drop(len);
            self.mark(offset);
            let (to, from) = (to.access(0, width), from.access(0, width));
            if self.can_be_in_bounds(&to) && self.can_be_in_bounds(&from) {
                self.emitter.copy_bytes(&to, dst, &from, src);
            }
            return;
        }
        let dst = self.emitter.widen(dst, to.index);
        let src = self.emitter.widen(src, from.index);
        let len = self.emitter.widen(len, narrower(to.index, from.index));
        self.pay_for(Bulk::Bytes, len, offset);
        let to = self.emitter.memory_definition(&to);
        let from = self.emitter.memory_definition(&from);
        self.entry(Builtin::memory_copy, &[to, dst, from, src, len], offset);
    }

    fn memory_fill(&mut self, memory: u32, offset: u64) {
        let plan = self.memory_plan(memory);
        let [dst, value, len] = self.pop3();
        if let Some(width) = self.few_bytes() {
            self.emitter.drop(len);
            self.mark(offset);
            let access = plan.access(0, width);
            if self.can_be_in_bounds(&access) {
                self.emitter.fill_bytes(&access, dst, value);
            }
            return;
        }
        let dst = self.emitter.widen(dst, plan.index);
        let len = self.emitter.widen(len, plan.index);
        self.pay_for(Bulk::Bytes, len, offset);
        let memory = self.emitter.memory_definition(&plan);
        self.entry(Builtin::memory_fill, &[memory, dst, value, len], offset);
    }

    /// The length that is on top of the stack, where it is known and small enough for loads and
    /// stores in place of a call.
    fn few_bytes(&mut self) -> Option<u8> {
        let length = self.constant_on_top.filter(|n| (1..=MAX_BYTES_IN_PLACE).contains(n))?;
        self.in_place_bytes = self.in_place_bytes.checked_sub(length)?;
        self.pay_for_constant(Bulk::Bytes, length);
        Some(length as u8)
    }

    fn notify(&mut self, memarg: &MemArg, offset: u64) {
        let count = self.pop();
        let index = self.pop();
        let memory = memory_of(memarg);
        let Some(access) = self.access(memory, memarg, 4, offset) else { return };
        let address = self.emitter.checked_address(&access, index);
        let memory = self.imm(memory);
        let woken = self.entry(Builtin::memory_notify, &[memory, address, count], offset);
        self.stack.extend(woken);
    }

    fn wait(&mut self, entry: Builtin, width: u8, memarg: &MemArg, offset: u64) {
        let [index, expected, timeout] = self.pop3();
        let memory = memory_of(memarg);
        let Some(access) = self.access(memory, memarg, width, offset) else { return };
        let address = self.emitter.checked_address(&access, index);
        let memory = self.imm(memory);
        let outcome = self.entry(entry, &[memory, address, expected, timeout], offset);
        self.stack.extend(outcome);
    }

    /// Calls a runtime entry from this operator.
    pub(super) fn entry(
        &mut self,
        entry: Builtin,
        args: &[E::Value],
        offset: u64,
    ) -> Option<E::Value> {
        self.mark(offset);
        self.emitter.builtin(entry, args)
    }

    pub(super) fn imm(&mut self, value: u32) -> E::Value {
        self.emitter.constant(Const::I32(value as i32))
    }

    pub(super) fn pop3(&mut self) -> [E::Value; 3] {
        let (c, b, a) = (self.pop(), self.pop(), self.pop());
        [a, b, c]
    }
}

/// The memory that an atomic access names.
fn memory_of(memarg: &MemArg) -> u32 {
    match memarg.target {
        MemArgTarget::Memory(memory) => memory,
        MemArgTarget::Array(_) => unreachable!("validation: arrays are not accessed so"),
    }
}

/// The type of a length that must fit two index types.
pub(super) fn narrower(a: IndexType, b: IndexType) -> IndexType {
    if a == IndexType::I64 && b == IndexType::I64 { IndexType::I64 } else { IndexType::I32 }
}

fn lane_bytes(lanes: Lanes) -> u8 {
    match lanes {
        Lanes::I8x16 => 1,
        Lanes::I16x8 => 2,
        Lanes::I32x4 | Lanes::F32x4 => 4,
        Lanes::I64x2 | Lanes::F64x2 => 8,
    }
}

fn scalar_load(bytes: u8) -> Load {
    match bytes {
        8 => Load { ty: ValType::I64, bytes, extend: Extend::Whole },
        4 => Load { ty: ValType::I32, bytes, extend: Extend::Whole },
        _ => Load { ty: ValType::I32, bytes, extend: Extend::Unsigned },
    }
}
