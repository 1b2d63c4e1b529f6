//! Structs, arrays, `i31`, casts (spec: exec/instructions, reference and aggregate instructions).

use super::Translator;
use crate::emitter::{Const, Emitter};
use crate::ops::Numeric;
use crate::plan::{CastPlan, ElementAccess, FieldAccess, element_slot};
use selkie_module::builtins::Builtin;
use selkie_module::fuel::Bulk;
use selkie_module::heap::{self, Slot};
use selkie_module::{TrapCode, TypeIndex};
use wasmparser::{HeapType, Operator, RefType};

/// How deep below the top of the stack the reference lies that an operator looks into.
pub(super) fn looked_into(op: &Operator<'_>) -> Option<usize> {
    use Operator as O;
    Some(match op {
        O::StructGet { .. }
        | O::StructGetS { .. }
        | O::StructGetU { .. }
        | O::ArrayLen
        | O::I31GetS
        | O::I31GetU
        | O::ThrowRef
        | O::RefTestNonNull { .. }
        | O::RefTestNullable { .. }
        | O::RefCastNonNull { .. }
        | O::RefCastNullable { .. }
        | O::BrOnCast { .. }
        | O::BrOnCastFail { .. }
        | O::RefGetDesc { .. } => 0,
        O::StructSet { .. }
        | O::ArrayGet { .. }
        | O::ArrayGetS { .. }
        | O::ArrayGetU { .. }
        | O::RefCastDescEqNonNull { .. }
        | O::RefCastDescEqNullable { .. }
        | O::BrOnCastDescEq { .. }
        | O::BrOnCastDescEqFail { .. } => 1,
        O::ArraySet { .. } => 2,
        _ => return None,
    })
}

impl<E: Emitter> Translator<'_, '_, E> {
    pub(super) fn heap_operator(&mut self, op: &Operator<'_>, offset: u64) -> bool {
        self.struct_operator(op, offset)
            || self.array_operator(op, offset)
            || self.bulk_array_operator(op, offset)
            || self.cast_operator(op, offset)
            || self.descriptor_operator(op, offset)
    }

    /// Whether the reference that the operator looks into may be null.
    pub(super) fn is_nullable(&self) -> bool {
        self.looked_into.is_none_or(|ty| ty.is_nullable())
    }

    fn struct_operator(&mut self, op: &Operator<'_>, offset: u64) -> bool {
        use Operator as O;
        match *op {
            O::StructNew { struct_type_index } => self.struct_new(struct_type_index, offset),
            O::StructNewDefault { struct_type_index } => {
                self.struct_new_default(struct_type_index, offset);
            }
            O::StructGet { struct_type_index, field_index }
            | O::StructGetU { struct_type_index, field_index } => {
                self.struct_get(struct_type_index, field_index, false, offset);
            }
            O::StructGetS { struct_type_index, field_index } => {
                self.struct_get(struct_type_index, field_index, true, offset);
            }
            O::StructSet { struct_type_index, field_index } => {
                let value = self.pop();
                let object = self.pop();
                let access = self.field(struct_type_index, field_index);
                self.mark(offset);
                self.emitter.store_field(&access, object, value);
            }
            _ => return false,
        }
        true
    }

    fn field(&self, ty: u32, field: u32) -> FieldAccess {
        FieldAccess::of_struct(self.unit, TypeIndex(ty), field, self.is_nullable())
    }

    fn struct_get(&mut self, ty: u32, field: u32, signed: bool, offset: u64) {
        let object = self.pop();
        let access = self.field(ty, field);
        self.mark(offset);
        let value = self.emitter.load_field(&access, signed, object);
        self.push(value);
    }

    /// A new object of a type whose contents follow.
    pub(super) fn object(&mut self, ty: TypeIndex, bytes: u32, offset: u64) -> E::Value {
        self.mark(offset);
        let object = self.emitter.new_object(bytes);
        let id = self.emitter.type_id(ty);
        self.emitter.store_field(&FieldAccess::initial(heap::TYPE_ID, Slot::I32), object, id);
        object
    }

    pub(super) fn struct_new(&mut self, ty: u32, offset: u64) {
        let layout = &self.unit.objects[ty as usize];
        let object = self.object(TypeIndex(ty), layout.bytes, offset);
        let values = self.stack.split_off(self.stack.len() - layout.fields.len());
        for ((at, slot), value) in layout.fields.iter().zip(values) {
            self.emitter.store_field(&FieldAccess::initial(*at, *slot), object, value);
        }
        self.push(object);
    }

    pub(super) fn struct_new_default(&mut self, ty: u32, offset: u64) {
        let layout = &self.unit.objects[ty as usize];
        self.pay_for_constant(Bulk::Elements, layout.fields.len() as u64);
        let object = self.object(TypeIndex(ty), layout.bytes, offset);
        for (at, slot) in &layout.fields {
            let zero = self.zero(*slot);
            self.emitter.store_field(&FieldAccess::initial(*at, *slot), object, zero);
        }
        self.push(object);
    }

    /// The value that a slot has by default.
    fn zero(&mut self, slot: Slot) -> E::Value {
        self.emitter.constant(match slot {
            Slot::I8 | Slot::I16 | Slot::I32 => Const::I32(0),
            Slot::I64 => Const::I64(0),
            Slot::F32 => Const::F32(0),
            Slot::F64 => Const::F64(0),
            Slot::V128 => Const::V128(0),
            Slot::Func | Slot::Ref => Const::Null,
        })
    }

    fn array_operator(&mut self, op: &Operator<'_>, offset: u64) -> bool {
        use Operator as O;
        match *op {
            O::ArrayNew { array_type_index } => {
                let length = self.pop();
                let value = self.pop();
                self.array_new(TypeIndex(array_type_index), length, value, offset);
            }
            O::ArrayNewDefault { array_type_index } => {
                let length = self.pop();
                let value = self.zero(element_slot(self.unit, TypeIndex(array_type_index)));
                self.array_new(TypeIndex(array_type_index), length, value, offset);
            }
            O::ArrayNewFixed { array_type_index, array_size } => {
                self.array_new_fixed(TypeIndex(array_type_index), array_size, offset);
            }
            O::ArrayGet { array_type_index } | O::ArrayGetU { array_type_index } => {
                self.array_get(array_type_index, false, offset);
            }
            O::ArrayGetS { array_type_index } => self.array_get(array_type_index, true, offset),
            O::ArraySet { array_type_index } => {
                let [array, index, value] = self.pop3();
                let access = self.element(array_type_index);
                self.mark(offset);
                self.emitter.store_element(&access, array, index, value);
            }
            O::ArrayLen => {
                let array = self.pop();
                self.mark(offset);
                let access = FieldAccess::length(self.is_nullable());
                let length = self.emitter.load_field(&access, false, array);
                self.push(length);
            }
            _ => return false,
        }
        true
    }

    fn element(&self, ty: u32) -> ElementAccess {
        ElementAccess::new(self.unit, TypeIndex(ty), self.is_nullable())
    }

    fn array_get(&mut self, ty: u32, signed: bool, offset: u64) {
        let index = self.pop();
        let array = self.pop();
        let access = self.element(ty);
        self.mark(offset);
        let value = self.emitter.load_element(&access, signed, array, index);
        self.push(value);
    }

    fn array_new(&mut self, ty: TypeIndex, length: E::Value, value: E::Value, offset: u64) {
        let slot = element_slot(self.unit, ty);
        self.pay_for(Bulk::Elements, length, offset);
        self.mark(offset);
        if slot != Slot::V128 {
            let array = self.emitter.new_array(ty, slot, length, value);
            return self.push(array);
        }
        let (low, high) = self.halves(slot, value);
        let ty = self.imm(ty.0);
        let array = self.entry(Builtin::array_new, &[ty, length, low, high], offset);
        self.stack.extend(array);
    }

    fn array_new_fixed(&mut self, ty: TypeIndex, length: u32, offset: u64) {
        let slot = element_slot(self.unit, ty);
        self.pay_for_constant(Bulk::Elements, length.into());
        // Validation bounds the length.
        let bytes = heap::array_bytes(length, slot.bytes_log2()).unwrap_or(u32::MAX);
        let array = self.object(ty, bytes, offset);
        let count = self.imm(length);
        self.emitter.store_field(&FieldAccess::initial(heap::LENGTH, Slot::I32), array, count);
        let values = self.stack.split_off(self.stack.len() - length as usize);
        for (i, value) in values.into_iter().enumerate() {
            let at = heap::ELEMENTS + ((i as u32) << slot.bytes_log2());
            self.emitter.store_field(&FieldAccess::initial(at, slot), array, value);
        }
        self.push(array);
    }

    /// A value of any type as two i64, for runtime entries: its bits, low half first.
    fn halves(&mut self, slot: Slot, value: E::Value) -> (E::Value, E::Value) {
        use Numeric::{I32ReinterpretF32, I64ExtendI32U, I64ReinterpretF64};
        let low = match slot {
            Slot::I8 | Slot::I16 | Slot::I32 => self.emitter.numeric(I64ExtendI32U, &[value]),
            Slot::F32 => {
                let bits = self.emitter.numeric(I32ReinterpretF32, &[value]);
                self.emitter.numeric(I64ExtendI32U, &[bits])
            }
            Slot::F64 => self.emitter.numeric(I64ReinterpretF64, &[value]),
            Slot::I64 | Slot::Func | Slot::Ref => value,
            Slot::V128 => {
                use crate::emitter::Lanes::I64x2;
                let low = self.emitter.extract_lane(I64x2, 0, false, value);
                return (low, self.emitter.extract_lane(I64x2, 1, false, value));
            }
        };
        (low, self.emitter.constant(Const::I64(0)))
    }

    fn bulk_array_operator(&mut self, op: &Operator<'_>, offset: u64) -> bool {
        use Operator as O;
        match *op {
            O::ArrayNewData { array_type_index: ty, array_data_index: segment } => {
                self.array_from_segment(Builtin::array_new_data, ty, segment, offset);
            }
            O::ArrayNewElem { array_type_index: ty, array_elem_index: segment } => {
                self.array_from_segment(Builtin::array_new_elem, ty, segment, offset);
            }
            O::ArrayFill { array_type_index } => {
                let slot = element_slot(self.unit, TypeIndex(array_type_index));
                let length = self.pop();
                let [array, index, value] = self.pop3();
                self.pay_for(Bulk::Elements, length, offset);
                let (low, high) = self.halves(slot, value);
                self.entry(Builtin::array_fill, &[array, index, low, high, length], offset);
            }
            O::ArrayCopy { array_type_index_dst, array_type_index_src } => {
                self.array_copy(array_type_index_dst, array_type_index_src, offset);
            }
            O::ArrayInitData { array_data_index: segment, .. } => {
                self.array_init(Builtin::array_init_data, segment, offset);
            }
            O::ArrayInitElem { array_elem_index: segment, .. } => {
                self.array_init(Builtin::array_init_elem, segment, offset);
            }
            _ => return false,
        }
        true
    }

    /// The collector hears of copied references from the runtime.
    fn array_copy(&mut self, to_type: u32, from_type: u32, offset: u64) {
        let [from, from_index, length] = self.pop3();
        self.pay_for(Bulk::Elements, length, offset);
        let to_index = self.pop();
        let to = self.pop();
        let to_access = ElementAccess::new(self.unit, TypeIndex(to_type), true);
        let from_access = ElementAccess::new(self.unit, TypeIndex(from_type), true);
        if to_access.slot == Slot::Ref {
            let args = [to, to_index, from, from_index, length];
            self.entry(Builtin::array_copy, &args, offset);
            return;
        }
        self.mark(offset);
        let (dst, src) = ((to, to_index), (from, from_index));
        self.emitter.copy_elements(&to_access, dst, &from_access, src, length);
    }

    fn array_from_segment(&mut self, entry: Builtin, ty: u32, segment: u32, offset: u64) {
        let length = self.pop();
        let start = self.pop();
        self.pay_for(Bulk::Elements, length, offset);
        let (ty, segment) = (self.imm(ty), self.imm(segment));
        let array = self.entry(entry, &[ty, segment, start, length], offset);
        self.stack.extend(array);
    }

    fn array_init(&mut self, entry: Builtin, segment: u32, offset: u64) {
        let [index, start, length] = self.pop3();
        let array = self.pop();
        self.pay_for(Bulk::Elements, length, offset);
        let segment = self.imm(segment);
        self.entry(entry, &[array, index, segment, start, length], offset);
    }

    fn cast_operator(&mut self, op: &Operator<'_>, offset: u64) -> bool {
        use Operator as O;
        match *op {
            O::RefEq => {
                let b = self.pop();
                let a = self.pop();
                let equal = self.emitter.numeric(Numeric::I64Eq, &[a, b]);
                self.push(equal);
            }
            O::RefI31 | O::RefI31Shared => self.ref_i31(),
            O::I31GetS => self.i31_get(Numeric::I32ShrS, offset),
            O::I31GetU => self.i31_get(Numeric::I32ShrU, offset),
            O::RefTestNonNull { hty } => self.ref_test(hty, false, offset),
            O::RefTestNullable { hty } => self.ref_test(hty, true, offset),
            O::RefCastNonNull { hty } => self.ref_cast(hty, false, offset),
            O::RefCastNullable { hty } => self.ref_cast(hty, true, offset),
            O::BrOnCast { relative_depth, to_ref_type, .. } => {
                self.br_on_cast(relative_depth, to_ref_type, true, offset);
            }
            O::BrOnCastFail { relative_depth, to_ref_type, .. } => {
                self.br_on_cast(relative_depth, to_ref_type, false, offset);
            }
            // Both hierarchies share their representation.
            O::AnyConvertExtern | O::ExternConvertAny => {}
            _ => return false,
        }
        true
    }

    fn ref_i31(&mut self) {
        let value = self.pop();
        let one = self.imm(1);
        let shifted = self.emitter.numeric(Numeric::I32Shl, &[value, one]);
        let tagged = self.emitter.numeric(Numeric::I32Or, &[shifted, one]);
        let reference = self.emitter.numeric(Numeric::I64ExtendI32U, &[tagged]);
        self.push(reference);
    }

    fn i31_get(&mut self, shift: Numeric, offset: u64) {
        let reference = self.pop();
        if self.is_nullable() {
            self.mark(offset);
            self.emitter.trap_if_null(reference, TrapCode::NullI31Reference);
        }
        let tagged = self.emitter.numeric(Numeric::I32WrapI64, &[reference]);
        let one = self.imm(1);
        let value = self.emitter.numeric(shift, &[tagged, one]);
        self.push(value);
    }

    pub(super) fn cast_plan(&self, to: HeapType, nullable: bool) -> CastPlan {
        CastPlan::new(self.unit, self.looked_into, to, nullable)
    }

    fn ref_test(&mut self, to: HeapType, nullable: bool, offset: u64) {
        let plan = self.cast_plan(to, nullable);
        let value = self.pop();
        self.mark(offset);
        let is = self.emitter.ref_test(&plan, value);
        self.push(is);
    }

    fn ref_cast(&mut self, to: HeapType, nullable: bool, offset: u64) {
        let plan = self.cast_plan(to, nullable);
        let value = self.pop();
        self.mark(offset);
        self.emitter.ref_cast(&plan, value, None);
        self.push(value);
    }

    fn br_on_cast(&mut self, depth: u32, to: RefType, when: bool, offset: u64) {
        let plan = self.cast_plan(to.heap_type(), to.is_nullable());
        let value = *self.stack.last().expect("validation: operands are present in reachable code");
        self.mark(offset);
        let (label, arity) = self.branch_target(depth);
        let args = &self.stack[self.stack.len() - arity..];
        self.emitter.branch_on_cast(&plan, value, None, when, label, args);
    }
}
