//! The question whether somebody wants to interrupt the guest: one number is compared with zero.
//! What follows if it is not stands aside and keeps every register, so that the code around it is
//! what it would be without.

use super::CraneliftEmitter;
use crate::abi::{self, POINTER};
use cranelift_codegen::ir::{InstBuilder, types};
use selkie_module::builtins::Builtin;
use selkie_module::layout::context;

impl CraneliftEmitter<'_> {
    pub(super) fn emit_check_interrupt(&mut self) {
        let (vmctx, fixed) = (self.context, self.regions.fixed);
        let (in_place, flags) = (self.regions.fixed_in_place, self.regions.interrupt);
        let place = self.ins().load(POINTER, fixed, vmctx, context::INTERRUPT as i32);
        let wanted = self.ins().load(types::I32, flags, place, 0);
        let from = self.builder.current_block();
        let [aside, on] = [self.builder.create_block(), self.builder.create_block()];
        self.builder.set_cold_block(aside);
        self.ins().brif(wanted, aside, &[], on, &[]);

        self.builder.seal_block(aside);
        self.builder.switch_to_block(aside);
        let signature = match self.interrupted {
            Some(known) => known,
            None => *self.interrupted.insert(
                self.builder.import_signature(abi::builtin_signature(Builtin::interrupted)),
            ),
        };
        let store = self.ins().load(POINTER, in_place, vmctx, context::STORE as i32);
        let stubs = self.ins().load(POINTER, in_place, vmctx, context::BUILTINS as i32);
        let stub = self.ins().load(POINTER, in_place, stubs, 8 * Builtin::interrupted as i32);
        self.ins().call_indirect(signature, stub, &[vmctx, store]);
        self.ins().jump(on, &[]);

        self.builder.seal_block(on);
        self.builder.switch_to_block(on);
        self.addresses.follow(from, on);
    }
}
