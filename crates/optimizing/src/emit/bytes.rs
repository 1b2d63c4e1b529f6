//! Loads and stores of several bytes of an array, wherever its elements begin.

use super::CraneliftEmitter;
use crate::sites::code;
use cranelift_codegen::ir::{InstBuilder, Value, condcodes::IntCC, types};
use selkie_compile::memory_ops::{Load, Store};
use selkie_compile::plan::BytesAccess;
use selkie_module::TrapCode;
use selkie_module::heap::ELEMENTS;

impl CraneliftEmitter<'_> {
    /// The address of an access as a pointer and a constant offset, within the array's elements.
    fn bytes_address(&mut self, access: &BytesAccess, array: Value, index: Value) -> (Value, i32) {
        let length = self.emit_load_field(&access.length, false, array);
        let length = self.ins().uextend(types::I64, length);
        let bytes = self.ins().ishl_imm_u(length, i64::from(access.element_bytes_log2));
        let index = self.ins().uextend(types::I64, index);
        // Neither sum wraps: an index has 32 bits, and so has the offset.
        let end = self.add_offset(index, access.end_bytes());
        let is_outside = self.ins().icmp(IntCC::UnsignedGreaterThan, end, bytes);
        self.ins().trapnz(is_outside, code(TrapCode::ArrayOutOfBounds));
        let base = self.heap_base();
        let start = self.ins().iadd(base, array);
        let start = self.ins().iadd(start, index);
        self.split_offset(start, u64::from(ELEMENTS) + u64::from(access.offset))
    }

    pub(super) fn emit_load_bytes(
        &mut self,
        op: Load,
        access: &BytesAccess,
        array: Value,
        index: Value,
    ) -> Value {
        let (at, offset) = self.bytes_address(access, array, index);
        self.load_at(op, self.regions.object, at, offset)
    }

    pub(super) fn emit_store_bytes(
        &mut self,
        op: Store,
        access: &BytesAccess,
        array: Value,
        index: Value,
        value: Value,
    ) {
        let (at, offset) = self.bytes_address(access, array, index);
        self.store_at(op, self.regions.object, at, offset, value);
    }
}
