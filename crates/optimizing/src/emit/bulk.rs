//! `memory.copy` and `memory.fill` of a few bytes, whose number is known: loads and stores in place
//! of a call.
//!
//! Invariant: nothing is written unless all of it is in bounds. The last bytes are written first:
//! when they are in bounds the others are too, and when they are not, that store traps.

use super::CraneliftEmitter;
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};
use selkie_compile::plan::MemoryAccess;

/// Machine accesses that together touch `width` bytes and no others, the one with the last byte
/// first. They may overlap each other.
fn chunks(width: u8) -> Vec<(i32, Type)> {
    let whole = |bytes: u8, ty: Type| {
        let last = width - bytes;
        let mut chunks = vec![(i32::from(last), ty)];
        chunks.extend((0..last).step_by(bytes.into()).map(|at| (i32::from(at), ty)));
        chunks
    };
    match width {
        16.. => whole(16, types::I8X16),
        8..16 => whole(8, types::I64),
        4..8 => whole(4, types::I32),
        2..4 => whole(2, types::I16),
        1 => whole(1, types::I8),
        0 => Vec::new(),
    }
}

impl CraneliftEmitter<'_> {
    pub(super) fn emit_copy(
        &mut self,
        to: &MemoryAccess,
        dst: Value,
        from: &MemoryAccess,
        src: Value,
    ) {
        let flags = self.regions.memory;
        let (at, offset) = self.address(from, src);
        let mut values = Vec::new();
        for (place, ty) in chunks(from.width) {
            values.push((place, self.ins().load(ty, flags, at, offset + place)));
        }
        let (at, offset) = self.address(to, dst);
        for (place, value) in values {
            self.ins().store(flags, value, at, offset + place);
        }
    }

    pub(super) fn emit_fill(&mut self, access: &MemoryAccess, dst: Value, value: Value) {
        let flags = self.regions.memory;
        let chunks = chunks(access.width);
        let Some((_, ty)) = chunks.first() else { return };
        let byte = self.ins().ireduce(types::I8, value);
        let value = match *ty {
            types::I8 => byte,
            types::I8X16 => self.ins().splat(types::I8X16, byte),
            ty => {
                let wide = self.ins().uextend(ty, byte);
                let ones = (u64::MAX / 0xff) >> (64 - ty.bits());
                self.ins().imul_imm_u(wide, ones as i64)
            }
        };
        let (at, offset) = self.address(access, dst);
        for (place, _) in chunks {
            self.ins().store(flags, value, at, offset + place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_touch_every_byte_and_no_other_and_the_last_byte_first() {
        for width in 1..=u8::MAX {
            let chunks = chunks(width);
            let bytes = |(at, ty): &(i32, Type)| *at..*at + ty.bytes() as i32;
            let mut touched = vec![false; width.into()];
            for at in chunks.iter().flat_map(bytes) {
                touched[at as usize] = true;
            }
            assert!(touched.iter().all(|touched| *touched), "{width}");
            assert_eq!(bytes(&chunks[0]).end, i32::from(width));
        }
    }
}
