//! Descriptors: objects that other objects refer to in place of a plain type (custom descriptors).

use super::Translator;
use crate::emitter::Emitter;
use crate::plan::{CastPlan, FieldAccess};
use selkie_module::heap::Slot;
use selkie_module::{TrapCode, TypeIndex};
use wasmparser::{HeapType, Operator, RefType};

impl<E: Emitter> Translator<'_, '_, E> {
    pub(super) fn descriptor_operator(&mut self, op: &Operator<'_>, offset: u64) -> bool {
        use Operator as O;
        match *op {
            O::StructNewDesc { struct_type_index } => {
                self.described(struct_type_index, offset, Self::struct_new);
            }
            O::StructNewDefaultDesc { struct_type_index } => {
                self.described(struct_type_index, offset, Self::struct_new_default);
            }
            O::RefGetDesc { type_index } => {
                let object = self.pop();
                let is_nullable = self.is_nullable();
                let access = FieldAccess::descriptor(self.unit, TypeIndex(type_index), is_nullable);
                self.mark(offset);
                let descriptor = self.emitter.load_field(&access, false, object);
                self.push(descriptor);
            }
            O::RefCastDescEqNonNull { hty } => self.ref_cast_desc_eq(hty, false, offset),
            O::RefCastDescEqNullable { hty } => self.ref_cast_desc_eq(hty, true, offset),
            O::BrOnCastDescEq { relative_depth, to_ref_type, .. } => {
                self.br_on_cast_desc_eq(relative_depth, to_ref_type, true, offset);
            }
            O::BrOnCastDescEqFail { relative_depth, to_ref_type, .. } => {
                self.br_on_cast_desc_eq(relative_depth, to_ref_type, false, offset);
            }
            _ => return false,
        }
        true
    }

    /// The descriptor on top of the stack, which must not be null.
    fn pop_descriptor(&mut self, offset: u64) -> E::Value {
        let descriptor = self.pop();
        self.mark(offset);
        self.emitter.trap_if_null(descriptor, TrapCode::NullDescriptorReference);
        descriptor
    }

    /// A new struct with the descriptor on top of the stack.
    fn described(&mut self, ty: u32, offset: u64, new: fn(&mut Self, u32, u64)) {
        let descriptor = self.pop_descriptor(offset);
        new(self, ty, offset);
        let object = self.pop();
        let at = self.unit.objects[ty as usize].descriptor;
        let at = at.expect("validation: the type has a descriptor");
        self.emitter.store_field(&FieldAccess::initial(at, Slot::Ref), object, descriptor);
        self.push(object);
    }

    fn described_cast_plan(&self, to: HeapType, nullable: bool) -> CastPlan {
        self.cast_plan(to, nullable).with_descriptor(self.unit)
    }

    fn ref_cast_desc_eq(&mut self, to: HeapType, nullable: bool, offset: u64) {
        let plan = self.described_cast_plan(to, nullable);
        let descriptor = self.pop_descriptor(offset);
        let value = self.pop();
        self.emitter.ref_cast(&plan, value, Some(descriptor));
        self.push(value);
    }

    fn br_on_cast_desc_eq(&mut self, depth: u32, to: RefType, when: bool, offset: u64) {
        let plan = self.described_cast_plan(to.heap_type(), to.is_nullable());
        let descriptor = self.pop_descriptor(offset);
        let value = *self.stack.last().expect("validation: operands are present in reachable code");
        let (label, arity) = self.branch_target(depth);
        let args = &self.stack[self.stack.len() - arity..];
        self.emitter.branch_on_cast(&plan, value, Some(descriptor), when, label, args);
    }
}
