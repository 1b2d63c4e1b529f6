//! Tables: bounds, elements, and the slot that an indirect call goes through.

use super::CraneliftEmitter;
use crate::abi::POINTER;
use crate::sites::code;
use cranelift_codegen::ir::{InstBuilder, Value, condcodes::IntCC, types};
use selkie_compile::plan::TableAccess;
use selkie_module::builtins::Builtin;
use selkie_module::layout::{func_slot, table};
use selkie_module::{TrapCode, TypeIndex};

impl CraneliftEmitter<'_> {
    pub(super) fn table_length(&mut self, access: &TableAccess) -> Value {
        if let Some(length) = access.fixed_length {
            return self.ins().iconst(types::I64, length as i64);
        }
        let (at, offset) = self.place(access.place);
        let flags = self.regions.context;
        self.ins().load(types::I64, flags, at, offset + table::LENGTH as i32)
    }

    /// Whether a 64-bit index is out of bounds, and the address its element would have.
    fn element(&mut self, access: &TableAccess, index: Value) -> (Value, Value) {
        let length = self.table_length(access);
        let oob = self.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, length);
        let (at, offset) = self.place(access.place);
        // A table of fixed length never moves.
        let flags = match access.fixed_length {
            Some(_) => self.regions.fixed,
            None => self.regions.context,
        };
        let base = self.ins().load(POINTER, flags, at, offset + table::BASE as i32);
        let shift = i64::from(access.element_bytes.trailing_zeros());
        let distance = self.ins().ishl_imm_u(index, shift);
        (oob, self.ins().iadd(base, distance))
    }

    /// The address of an element; out of bounds it is null.
    fn element_or_null(&mut self, access: &TableAccess, index: Value) -> Value {
        let (oob, element) = self.element(access, index);
        let null = self.ins().iconst(POINTER, 0);
        self.ins().select_spectre_guard(oob, null, element)
    }

    /// The address of an element, checked so that `TableOutOfBounds` is raised here or by the
    /// access that follows.
    fn checked_element(&mut self, access: &TableAccess, index: Value) -> Value {
        let index = self.index64(index);
        if self.tuning.spectre_checks {
            return self.element_or_null(access, index);
        }
        let (oob, element) = self.element(access, index);
        self.ins().trapnz(oob, code(TrapCode::TableOutOfBounds));
        element
    }

    pub(super) fn load_table_element(&mut self, access: &TableAccess, index: Value) -> Value {
        let at = self.checked_element(access, index);
        let flags = self.regions.faulting_element(TrapCode::TableOutOfBounds);
        let value = self.ins().load(POINTER, flags, at, 0);
        self.traced(value)
    }

    pub(super) fn store_table_element(&mut self, access: &TableAccess, index: Value, value: Value) {
        let at = self.checked_element(access, index);
        let flags = self.regions.faulting_element(TrapCode::TableOutOfBounds);
        self.ins().store(flags, value, at, 0);
    }

    /// The slot that `call_indirect` goes through: within bounds and of the wanted type. The
    /// straight path has one branch: an index out of bounds faults at the null page, and every
    /// other misfit is sorted out by the runtime, which returns only with a slot that fits.
    pub(super) fn callable_slot(
        &mut self,
        access: &TableAccess,
        type_index: TypeIndex,
        index: Value,
    ) -> Value {
        let index = self.index64(index);
        let slot = self.element_or_null(access, index);
        let flags = self.regions.faulting_element(TrapCode::UndefinedElement);
        let found = self.ins().load(types::I32, flags, slot, func_slot::TYPE_ID as i32);
        let wanted = self.emit_type_id(type_index);
        let fits = self.ins().icmp(IntCC::Equal, found, wanted);

        let from = self.builder.current_block();
        let misfit = self.builder.create_block();
        let ready = self.builder.create_block();
        let slot_ready = self.builder.append_block_param(ready, POINTER);
        self.builder.set_cold_block(misfit);
        self.ins().brif(fits, ready, &[slot.into()], misfit, &[]);

        self.builder.seal_block(misfit);
        self.builder.switch_to_block(misfit);
        let table = self.ins().iconst(types::I32, i64::from(access.table.0));
        let wanted = self.ins().iconst(types::I32, i64::from(type_index.0));
        let filled = self.call_builtin(Builtin::call_indirect_slow, &[table, index, wanted]);
        let filled = filled.expect("the entry returns the slot's address");
        self.ins().jump(ready, &[filled.into()]);

        self.builder.seal_block(ready);
        self.builder.switch_to_block(ready);
        self.addresses.follow(from, ready);
        slot_ready
    }
}
