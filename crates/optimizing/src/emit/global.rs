//! Globals.

use super::CraneliftEmitter;
use crate::abi::{self, POINTER};
use cranelift_codegen::ir::{InstBuilder, Value};
use selkie_compile::Emitter as _;
use selkie_compile::plan::{GlobalAccess, Place};

impl CraneliftEmitter<'_> {
    /// A runtime structure's address, as a pointer and a constant offset from it.
    pub(super) fn place(&mut self, place: Place) -> (Value, i32) {
        match place {
            Place::Inline(offset) => (self.context, offset as i32),
            Place::Pointer(offset) => {
                let (context, fixed) = (self.context, self.regions.fixed);
                (self.ins().load(POINTER, fixed, context, offset as i32), 0)
            }
        }
    }

    pub(super) fn load_global(&mut self, access: &GlobalAccess) -> Value {
        match access {
            GlobalAccess::Constant(value) => self.constant(*value),
            GlobalAccess::Memory { place, ty, is_immutable } => {
                let (base, offset) = self.place(*place);
                // The collector rewrites references even in immutable globals.
                let flags = match *is_immutable && !self.info.is_traced(*ty) {
                    true => self.regions.global.with_readonly().with_can_move(),
                    false => self.regions.global,
                };
                let value = self.ins().load(abi::value_type(*ty), flags, base, offset);
                self.trace_values(&[*ty], &[value]);
                value
            }
        }
    }

    pub(super) fn store_global(&mut self, access: &GlobalAccess, value: Value) {
        // Validation: only mutable globals are written, and those are never constants.
        if let GlobalAccess::Memory { place, .. } = access {
            let (base, offset) = self.place(*place);
            let flags = self.regions.global;
            self.ins().store(flags, value, base, offset);
        }
    }
}
