//! Tests of references against types, as planned.
//!
//! Null and `i31` are sorted out first, where they are possible; every other reference leads to a
//! type id, in an object's first word or in a function reference. A type that may have subtypes is
//! looked up in the display of the found type's descriptor.

use super::CraneliftEmitter;
use crate::abi::POINTER;
use crate::sites::code;
use cranelift_codegen::ir::{Block, BlockArg, InstBuilder, Value, condcodes::IntCC, types};
use selkie_compile::plan::{CastPlan, CastTarget};
use selkie_module::builtins::Builtin;
use selkie_module::heap::{I31_TAG, ObjectKind, TYPE_ID};
use selkie_module::layout::{func_ref, store, vm_type};
use selkie_module::{TrapCode, TypeIndex};

/// A block and what it is given.
type Way<'a> = (Block, &'a [BlockArg]);

impl CraneliftEmitter<'_> {
    pub(super) fn emit_ref_test(&mut self, plan: &CastPlan, value: Value) -> Value {
        let [yes, no, done] = [(); 3].map(|()| self.builder.create_block());
        let answer = self.builder.append_block_param(done, types::I32);
        self.decide(plan, value, None, (yes, &[]), (no, &[]));
        for (block, truth) in [(yes, 1), (no, 0)] {
            self.builder.seal_block(block);
            self.builder.switch_to_block(block);
            let truth = self.ins().iconst(types::I32, truth);
            self.ins().jump(done, &[truth.into()]);
        }
        self.builder.seal_block(done);
        self.builder.switch_to_block(done);
        answer
    }

    pub(super) fn emit_ref_cast(
        &mut self,
        plan: &CastPlan,
        value: Value,
        descriptor: Option<Value>,
    ) {
        let [yes, no] = [(); 2].map(|()| self.builder.create_block());
        let from = self.builder.current_block();
        self.builder.set_cold_block(no);
        self.decide(plan, value, descriptor, (yes, &[]), (no, &[]));
        self.builder.seal_block(no);
        self.builder.switch_to_block(no);
        self.ins().trap(code(match descriptor {
            None => TrapCode::CastFailure,
            Some(_) => TrapCode::DescriptorCastFailure,
        }));
        let place = self.builder.srcloc();
        self.trap_blocks.insert(no, place);
        self.builder.seal_block(yes);
        self.builder.switch_to_block(yes);
        self.addresses.follow(from, yes);
    }

    pub(super) fn emit_branch_on_cast(
        &mut self,
        plan: &CastPlan,
        value: Value,
        descriptor: Option<Value>,
        when: bool,
        to: Block,
        args: &[Value],
    ) {
        let next = self.builder.create_block();
        let from = self.builder.current_block();
        let carried = self.carry(args);
        let (yes, no): (Way<'_>, Way<'_>) = match when {
            true => ((to, &carried), (next, &[])),
            false => ((next, &[]), (to, &carried)),
        };
        self.decide(plan, value, descriptor, yes, no);
        self.carried = carried;
        self.builder.seal_block(next);
        self.builder.switch_to_block(next);
        self.addresses.follow(from, next);
    }

    /// Goes to one of two blocks.
    fn decide(
        &mut self,
        plan: &CastPlan,
        value: Value,
        descriptor: Option<Value>,
        yes: Way<'_>,
        no: Way<'_>,
    ) {
        let answer = |is: bool| if is { yes } else { no };
        if let Some(fits) = plan.null {
            let to = answer(fits);
            self.leave_unless(value, to);
        }
        if let Some(fits) = plan.i31 {
            let to = answer(fits);
            let tag = self.ins().band_imm_s(value, i64::from(I31_TAG));
            let is_object = self.ins().icmp_imm_u(IntCC::Equal, tag, 0);
            self.leave_unless(is_object, to);
        }
        let (Some(access), Some(wanted)) = (plan.descriptor, descriptor) else {
            return self.decide_type(plan.target, value, yes, no);
        };
        let described = self.builder.create_block();
        self.decide_type(plan.target, value, (described, &[]), no);
        self.builder.seal_block(described);
        self.builder.switch_to_block(described);
        let found = self.emit_load_field(&access, false, value);
        let is = self.ins().icmp(IntCC::Equal, found, wanted);
        self.ins().brif(is, yes.0, yes.1, no.0, no.1);
    }

    /// Goes to one of two blocks, for a value that is neither null nor an `i31`.
    fn decide_type(&mut self, target: CastTarget, value: Value, yes: Way<'_>, no: Way<'_>) {
        match target {
            CastTarget::Always => _ = self.ins().jump(yes.0, yes.1),
            CastTarget::Never => _ = self.ins().jump(no.0, no.1),
            CastTarget::Kind(kind) => {
                let found = self.kind_of(value);
                let is = self.ins().icmp_imm_u(IntCC::Equal, found, kind as i64);
                self.ins().brif(is, yes.0, yes.1, no.0, no.1);
            }
            CastTarget::StructOrArray => {
                let found = self.kind_of(value);
                let distance = self.ins().iadd_imm_s(found, -(ObjectKind::Struct as i64));
                let is = self.ins().icmp_imm_u(IntCC::UnsignedLessThan, distance, 2);
                self.ins().brif(is, yes.0, yes.1, no.0, no.1);
            }
            CastTarget::Exactly { ty, is_func } => {
                let found = self.type_of_reference(value, is_func);
                let wanted = self.emit_type_id(ty);
                let is = self.ins().icmp(IntCC::Equal, found, wanted);
                self.ins().brif(is, yes.0, yes.1, no.0, no.1);
            }
            CastTarget::Below { ty, depth, is_func } => {
                let found = self.type_of_reference(value, is_func);
                let is = self.is_below(found, ty, depth);
                self.ins().brif(is, yes.0, yes.1, no.0, no.1);
            }
        }
    }

    /// Goes on when `condition` is not zero, and to `to` otherwise.
    fn leave_unless(&mut self, condition: Value, to: Way<'_>) {
        let next = self.builder.create_block();
        self.ins().brif(condition, next, &[], to.0, to.1);
        self.builder.seal_block(next);
        self.builder.switch_to_block(next);
    }

    /// The canonical type of an object or function, which is not null.
    fn type_of_reference(&mut self, value: Value, is_func: bool) -> Value {
        if is_func {
            let flags = self.regions.context;
            return self.ins().load(types::I32, flags, value, func_ref::TYPE_ID as i32);
        }
        let base = self.heap_base();
        let at = self.ins().iadd(base, value);
        let flags = self.regions.object;
        self.ins().load(types::I32, flags, at, TYPE_ID as i32)
    }

    /// The address of a type's descriptor.
    fn descriptor(&mut self, id: Value) -> Value {
        let store = self.store_context();
        let fixed = self.regions.fixed;
        let table = self.ins().load(POINTER, fixed, store, store::TYPES as i32);
        let wide = self.ins().uextend(types::I64, id);
        let shift = i64::from(vm_type::BYTES.trailing_zeros());
        let distance = self.ins().ishl_imm_u(wide, shift);
        self.ins().iadd(table, distance)
    }

    fn kind_of(&mut self, value: Value) -> Value {
        let id = self.type_of_reference(value, false);
        let descriptor = self.descriptor(id);
        let flags = self.regions.fixed_in_place;
        self.ins().uload8(types::I32, flags, descriptor, vm_type::KIND as i32)
    }

    /// Whether the found type is a type or stands below it.
    fn is_below(&mut self, found: Value, ty: TypeIndex, depth: u32) -> Value {
        let wanted = self.emit_type_id(ty);
        if depth >= vm_type::DISPLAY_LEN {
            let is = self.call_builtin(Builtin::is_subtype, &[found, wanted]);
            return is.expect("the entry returns a truth value");
        }
        let descriptor = self.descriptor(found);
        let flags = self.regions.fixed_in_place;
        let at = vm_type::DISPLAY + 4 * depth;
        let above = self.ins().load(types::I32, flags, descriptor, at as i32);
        self.ins().icmp(IntCC::Equal, above, wanted)
    }
}
