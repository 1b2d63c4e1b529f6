//! Atomic accesses: sequentially consistent, and trapping unless naturally aligned.

use super::CraneliftEmitter;
use crate::sites::code;
use cranelift_codegen::ir::{AtomicRmwOp, InstBuilder, Type, Value, types};
use selkie_compile::memory_ops::{Atomic, AtomicKind, RmwOp};
use selkie_compile::plan::MemoryAccess;
use selkie_module::TrapCode;

impl CraneliftEmitter<'_> {
    /// `index` has 64 bits. The bases of memories are aligned, so guest addresses decide.
    pub(super) fn trap_if_unaligned(&mut self, access: &MemoryAccess, index: Value) {
        if access.width <= 1 {
            return;
        }
        let mask = u64::from(access.width) - 1;
        let start = self.add_offset(index, access.offset & mask);
        let rest = self.ins().band_imm_u(start, mask as i64);
        self.ins().trapnz(rest, code(TrapCode::UnalignedAtomic));
    }

    pub(super) fn emit_atomic(
        &mut self,
        op: Atomic,
        access: &MemoryAccess,
        index: Value,
        args: &[Value],
    ) -> Option<Value> {
        let index = self.index64(index);
        self.trap_if_unaligned(access, index);
        let (at, offset) = self.address(access, index);
        let at = self.add_offset(at, offset as u64);
        let flags = self.regions.aligned_memory();
        let ty = match op.bytes {
            1 => types::I8,
            2 => types::I16,
            4 => types::I32,
            _ => types::I64,
        };
        let loaded = match (op.kind, args) {
            (AtomicKind::Load, _) => self.ins().atomic_load(ty, flags, at),
            (AtomicKind::Store, &[value]) => {
                let value = self.low_bytes(value, ty);
                self.ins().atomic_store(flags, value, at);
                return None;
            }
            (AtomicKind::Rmw(rmw), &[value]) => {
                let value = self.low_bytes(value, ty);
                self.ins().atomic_rmw(ty, flags, machine_op(rmw), at, value)
            }
            (AtomicKind::Cmpxchg, &[expected, replacement]) => {
                let expected = self.low_bytes(expected, ty);
                let replacement = self.low_bytes(replacement, ty);
                self.ins().atomic_cas(flags, at, expected, replacement)
            }
            _ => unreachable!("the walk passes as many operands as the access has"),
        };
        let wide = crate::abi::value_type(op.ty);
        Some(if wide == ty { loaded } else { self.ins().uextend(wide, loaded) })
    }

    fn low_bytes(&mut self, value: Value, ty: Type) -> Value {
        if self.type_of(value) == ty { value } else { self.ins().ireduce(ty, value) }
    }
}

fn machine_op(op: RmwOp) -> AtomicRmwOp {
    match op {
        RmwOp::Add => AtomicRmwOp::Add,
        RmwOp::Sub => AtomicRmwOp::Sub,
        RmwOp::And => AtomicRmwOp::And,
        RmwOp::Or => AtomicRmwOp::Or,
        RmwOp::Xor => AtomicRmwOp::Xor,
        RmwOp::Xchg => AtomicRmwOp::Xchg,
    }
}
