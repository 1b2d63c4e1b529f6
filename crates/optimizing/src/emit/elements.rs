//! `array.copy` of elements that are no references.
//!
//! Both ranges are checked here. Up to [`MAX_BYTES_IN_PLACE`] bytes are loaded and then stored in
//! place, as two words that may overlap: all is read before anything is written, so that ranges
//! may overlap too. More is left to the runtime.

use super::CraneliftEmitter;
use crate::sites::code;
use cranelift_codegen::ir::{Block, InstBuilder, Type, Value, condcodes::IntCC, types};
use selkie_compile::plan::ElementAccess;
use selkie_module::TrapCode;
use selkie_module::builtins::Builtin;
use selkie_module::heap::ELEMENTS;

/// Words by the number of bytes from which two of them cover all, largest first.
const WORDS: [(i64, Type); 5] =
    [(16, types::I8X16), (8, types::I64), (4, types::I32), (2, types::I16), (1, types::I8)];
/// Bytes up to which two of the largest words cover all.
const MAX_BYTES_IN_PLACE: i64 = 32;

impl CraneliftEmitter<'_> {
    pub(super) fn emit_copy_elements(
        &mut self,
        to: &ElementAccess,
        dst: (Value, Value),
        from: &ElementAccess,
        src: (Value, Value),
        length: Value,
    ) {
        // Null is told from either array before any range is looked at.
        let available = self.emit_load_field(&to.length, false, dst.0);
        let source_available = self.emit_load_field(&from.length, false, src.0);
        let target = self.checked_range(to, dst, available, length);
        let source = self.checked_range(from, src, source_available, length);
        let wide = self.ins().uextend(types::I64, length);
        let log2 = i64::from(to.slot.bytes_log2());
        let bytes = self.ins().ishl_imm_u(wide, log2);
        let done = self.builder.create_block();
        let many =
            self.next_block_unless(bytes, IntCC::UnsignedLessThanOrEqual, MAX_BYTES_IN_PLACE);
        for (width, ty) in WORDS.into_iter().filter(|(width, _)| *width >= 1 << log2) {
            let fewer = self.next_block_unless(bytes, IntCC::UnsignedGreaterThanOrEqual, width);
            self.copy_two_words(target, source, bytes, (width, ty));
            self.ins().jump(done, &[]);
            self.go_to(fewer);
        }
        // No bytes at all.
        self.ins().jump(done, &[]);
        self.go_to(many);
        if self.tuning.epoch_interruption {
            // Addresses would not outlast an interruption.
            self.call_builtin(Builtin::array_copy, &[dst.0, dst.1, src.0, src.1, length]);
        } else {
            self.call_builtin(Builtin::move_bytes, &[target, source, bytes]);
        }
        self.ins().jump(done, &[]);
        self.go_to(done);
    }

    /// The address of the first of a range of elements, which has been checked.
    fn checked_range(
        &mut self,
        access: &ElementAccess,
        (array, index): (Value, Value),
        available: Value,
        length: Value,
    ) -> Value {
        let available = self.ins().uextend(types::I64, available);
        let index = self.ins().uextend(types::I64, index);
        let length = self.ins().uextend(types::I64, length);
        let end = self.ins().iadd(index, length);
        let is_outside = self.ins().icmp(IntCC::UnsignedGreaterThan, end, available);
        self.ins().trapnz(is_outside, code(TrapCode::ArrayOutOfBounds));
        let distance = self.ins().ishl_imm_u(index, i64::from(access.slot.bytes_log2()));
        let base = self.heap_base();
        let start = self.ins().iadd(base, array);
        let start = self.ins().iadd_imm_s(start, i64::from(ELEMENTS));
        self.ins().iadd(start, distance)
    }

    /// Goes on in a new block when a comparison holds; answers the block where it does not.
    fn next_block_unless(&mut self, value: Value, is: IntCC, limit: i64) -> Block {
        let [next, other] = [self.builder.create_block(), self.builder.create_block()];
        let holds = self.ins().icmp_imm_u(is, value, limit);
        self.ins().brif(holds, next, &[], other, &[]);
        self.go_to(next);
        other
    }

    fn go_to(&mut self, block: Block) {
        self.builder.seal_block(block);
        self.builder.switch_to_block(block);
    }

    /// Copies the first and the last word of so many bytes.
    fn copy_two_words(&mut self, to: Value, from: Value, bytes: Value, (width, ty): (i64, Type)) {
        let flags = self.regions.object;
        let last = self.ins().iadd_imm_s(bytes, -width);
        let from_last = self.ins().iadd(from, last);
        let to_last = self.ins().iadd(to, last);
        let first_word = self.ins().load(ty, flags, from, 0);
        let last_word = self.ins().load(ty, flags, from_last, 0);
        self.ins().store(flags, first_word, to, 0);
        self.ins().store(flags, last_word, to_last, 0);
    }
}
