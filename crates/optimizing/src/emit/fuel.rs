//! Fuel: a counter in the store's context, which every instruction sequence that is metered counts
//! down. It stays in memory, so that the runtime, host functions and whoever looks after a trap
//! find it as it is.

use super::CraneliftEmitter;
use crate::abi::POINTER;
use cranelift_codegen::ir::{InstBuilder, Value, condcodes::IntCC, types};
use selkie_module::builtins::Builtin;
use selkie_module::fuel::Bulk;
use selkie_module::layout::{context, store};

impl CraneliftEmitter<'_> {
    fn load_fuel(&mut self) -> (Value, Value) {
        let (vmctx, fixed, fuel) = (self.context, self.regions.fixed, self.regions.fuel);
        let place = self.ins().load(POINTER, fixed, vmctx, context::STORE as i32);
        (place, self.ins().load(types::I64, fuel, place, store::FUEL as i32))
    }

    fn store_fuel(&mut self, place: Value, left: Value) {
        let flags = self.regions.fuel;
        self.ins().store(flags, left, place, store::FUEL as i32);
    }

    pub(super) fn emit_consume_fuel(&mut self, units: u64) {
        let (place, left) = self.load_fuel();
        // Straight-line code is no longer than a module, so that the number is a small one.
        let left = self.ins().iadd_imm_s(left, (units as i64).wrapping_neg());
        self.store_fuel(place, left);
    }

    pub(super) fn emit_consume_bulk_fuel(&mut self, bulk: Bulk, count: Value) {
        let log2 = i64::from(bulk.per_unit_log2());
        let count = self.index64(count);
        // A count so near the largest that this wraps is out of bounds of everything.
        let begun = self.ins().iadd_imm_s(count, (1 << log2) - 1);
        let units = self.ins().ushr_imm_u(begun, log2);
        let (place, left) = self.load_fuel();
        let left = self.ins().isub(left, units);
        self.store_fuel(place, left);
        self.ask_if_negative(place, left);
    }

    pub(super) fn emit_check_fuel(&mut self) {
        let (place, left) = self.load_fuel();
        self.ask_if_negative(place, left);
    }

    /// The runtime may have more, now or later. It keeps all registers, so that nothing has to be
    /// put aside for a call that is hardly ever made.
    fn ask_if_negative(&mut self, place: Value, left: Value) {
        let is_exhausted = self.ins().icmp_imm_s(IntCC::SignedLessThan, left, 0);
        let from = self.builder.current_block();
        let [ask, ready] = [self.builder.create_block(), self.builder.create_block()];
        self.builder.set_cold_block(ask);
        self.ins().brif(is_exhausted, ask, &[], ready, &[]);
        self.builder.seal_block(ask);
        self.builder.switch_to_block(ask);
        self.call_builtin(Builtin::out_of_fuel, &[place]);
        self.ins().jump(ready, &[]);
        self.builder.seal_block(ready);
        self.builder.switch_to_block(ready);
        self.addresses.follow(from, ready);
    }
}
