//! The collected heap: making objects, reaching into them, telling the collector.
//!
//! An object is made by moving the collector's bump value; its old value is the reference. Where
//! that does not fit, the runtime collects and answers a reference. References are distances from
//! the heap's base, so that every access adds the base: the processor does it for free.

use super::CraneliftEmitter;
use crate::abi::POINTER;
use crate::sites::code;
use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, condcodes::IntCC, types};
use selkie_compile::plan::{Barrier, ElementAccess, FieldAccess, NullCheck};
use selkie_module::builtins::Builtin;
use selkie_module::heap::{ALIGN_BYTES, CARD_SHIFT, CARDS_BELOW_BASE, ELEMENTS, LENGTH, Slot};
use selkie_module::layout::{context, store};
use selkie_module::{TrapCode, TypeIndex};

/// Bytes up to which a new array is filled in place.
const MAX_ARRAY_BYTES_IN_PLACE: i64 = 1024;

impl CraneliftEmitter<'_> {
    /// The base of the collected heap, loaded once in the entry block.
    pub(super) fn heap_base(&mut self) -> Value {
        self.uses_heap = true;
        if let Some(base) = self.heap_base {
            return base;
        }
        let (vmctx, fixed) = (self.context, self.regions.fixed);
        self.builder.ensure_inserted_block();
        let entry = self.builder.func.layout.entry_block();
        let mut cursor = FuncCursor::new(self.builder.func);
        if let Some(entry) = entry {
            cursor.goto_first_insertion_point(entry);
        }
        let base = cursor.ins().load(POINTER, fixed, vmctx, context::HEAP_BASE as i32);
        self.heap_base = Some(base);
        base
    }

    /// The store's context.
    pub(super) fn store_context(&mut self) -> Value {
        self.uses_heap = true;
        let (vmctx, fixed) = (self.context, self.regions.fixed);
        self.ins().load(POINTER, fixed, vmctx, context::STORE as i32)
    }

    pub(super) fn emit_type_id(&mut self, ty: TypeIndex) -> Value {
        let (vmctx, fixed) = (self.context, self.regions.fixed);
        let ids = self.ins().load(POINTER, fixed, vmctx, context::TYPE_IDS as i32);
        self.ins().load(types::I32, fixed, ids, ty.0 as i32 * 4)
    }

    /// A value that the collector must know of while calls are under way.
    pub(super) fn traced(&mut self, value: Value) -> Value {
        self.traced.push(value);
        value
    }

    pub(super) fn emit_new_object(&mut self, bytes: u32) -> Value {
        let size = self.ins().iconst(types::I64, i64::from(bytes));
        let (store, bump, end, fits) = self.bump(size);
        let done = self.builder.create_block();
        let object = self.builder.append_block_param(done, POINTER);
        let from = self.builder.current_block();
        let [fast, slow] = [self.builder.create_block(), self.builder.create_block()];
        self.builder.set_cold_block(slow);
        self.ins().brif(fits, fast, &[], slow, &[]);

        self.builder.seal_block(slow);
        self.builder.switch_to_block(slow);
        let size = self.ins().iconst(types::I64, i64::from(bytes));
        let made = self.call_builtin(Builtin::gc_alloc, &[size]);
        let made = made.expect("the entry returns an object");
        self.ins().jump(done, &[made.into()]);

        self.builder.seal_block(fast);
        self.builder.switch_to_block(fast);
        let flags = self.regions.collector;
        self.ins().store(flags, end, store, store::GC_BUMP as i32);
        self.ins().jump(done, &[bump.into()]);

        self.builder.seal_block(done);
        self.builder.switch_to_block(done);
        self.addresses.follow(from, done);
        self.traced(object)
    }

    /// The store, the bump value, the same behind `size` more bytes, and whether that fits.
    fn bump(&mut self, size: Value) -> (Value, Value, Value, Value) {
        let store = self.store_context();
        let flags = self.regions.collector;
        let bump = self.ins().load(types::I64, flags, store, store::GC_BUMP as i32);
        let end = self.ins().iadd(bump, size);
        let limit = self.ins().load(types::I64, flags, store, store::GC_LIMIT as i32);
        let fits = self.ins().icmp(IntCC::UnsignedLessThanOrEqual, end, limit);
        (store, bump, end, fits)
    }

    /// A new array. Few elements are written here, eight bytes at a time; for many, and where the
    /// array does not fit, the runtime makes it.
    pub(super) fn emit_new_array(
        &mut self,
        ty: TypeIndex,
        slot: Slot,
        length: Value,
        value: Value,
    ) -> Value {
        let word = self.repeated(slot, value);
        let wide = self.ins().uextend(types::I64, length);
        let elements = self.ins().ishl_imm_u(wide, i64::from(slot.bytes_log2()));
        let align = i64::from(ALIGN_BYTES) - 1;
        let padded = self.ins().iadd_imm_s(elements, i64::from(ELEMENTS) + align);
        let size = self.ins().band_imm_s(padded, !align);
        let (store, bump, end, fits) = self.bump(size);
        let limit = MAX_ARRAY_BYTES_IN_PLACE;
        let is_small = self.ins().icmp_imm_u(IntCC::UnsignedLessThanOrEqual, size, limit);
        let in_place = self.ins().band(fits, is_small);

        let done = self.builder.create_block();
        let array = self.builder.append_block_param(done, POINTER);
        let [here, away] = [self.builder.create_block(), self.builder.create_block()];
        self.builder.set_cold_block(away);
        self.ins().brif(in_place, here, &[], away, &[]);

        self.builder.seal_block(away);
        self.builder.switch_to_block(away);
        let index = self.ins().iconst(types::I32, i64::from(ty.0));
        let zero = self.ins().iconst(types::I64, 0);
        let made = self.call_builtin(Builtin::array_new, &[index, length, word, zero]);
        let made = made.expect("the entry returns an array");
        self.ins().jump(done, &[made.into()]);

        self.builder.seal_block(here);
        self.builder.switch_to_block(here);
        let flags = self.regions.collector;
        self.ins().store(flags, end, store, store::GC_BUMP as i32);
        let id = self.emit_type_id(ty);
        let base = self.heap_base();
        let start = self.ins().iadd(base, bump);
        let flags = self.regions.object;
        self.ins().store(flags, id, start, 0);
        self.ins().store(flags, length, start, LENGTH as i32);
        self.fill_words(start, size, word);
        self.ins().jump(done, &[bump.into()]);

        self.builder.seal_block(done);
        self.builder.switch_to_block(done);
        self.traced(array)
    }

    /// Writes a word to every eight bytes of an array behind its head.
    fn fill_words(&mut self, start: Value, size: Value, word: Value) {
        let end = self.ins().iadd(start, size);
        let first = self.ins().iadd_imm_s(start, i64::from(ELEMENTS));
        let head = self.builder.create_block();
        let at = self.builder.append_block_param(head, POINTER);
        let [body, after] = [self.builder.create_block(), self.builder.create_block()];
        self.ins().jump(head, &[first.into()]);
        self.builder.switch_to_block(head);
        let more = self.ins().icmp(IntCC::UnsignedLessThan, at, end);
        self.ins().brif(more, body, &[], after, &[]);
        self.builder.seal_block(body);
        self.builder.switch_to_block(body);
        let flags = self.regions.object;
        self.ins().store(flags, word, at, 0);
        let next = self.ins().iadd_imm_s(at, 8);
        self.ins().jump(head, &[next.into()]);
        self.builder.seal_block(head);
        self.builder.seal_block(after);
        self.builder.switch_to_block(after);
    }

    /// A value as often as it fits into eight bytes.
    fn repeated(&mut self, slot: Slot, value: Value) -> Value {
        let flags = cranelift_codegen::ir::MemFlagsData::new();
        match slot {
            Slot::I64 | Slot::Func | Slot::V128 => value,
            Slot::F64 => self.ins().bitcast(types::I64, flags, value),
            Slot::F32 => {
                let bits = self.ins().bitcast(types::I32, flags, value);
                self.repeated(Slot::I32, bits)
            }
            Slot::Ref => {
                let high = self.ins().ishl_imm_u(value, 32);
                self.ins().bor(value, high)
            }
            Slot::I8 | Slot::I16 | Slot::I32 => {
                let bits = 8 * i64::from(slot.bytes());
                let wide = self.ins().uextend(types::I64, value);
                let mask = (1i64 << bits) - 1;
                let low = self.ins().band_imm_s(wide, mask);
                let ones = u64::MAX / mask as u64;
                self.ins().imul_imm_s(low, ones as i64)
            }
        }
    }

    pub(super) fn emit_load_field(
        &mut self,
        access: &FieldAccess,
        signed: bool,
        object: Value,
    ) -> Value {
        let flags = self.null_check(access.null, object);
        let base = self.heap_base();
        let at = self.ins().iadd(base, object);
        self.load_slot(access.slot, signed, flags, at, access.offset as i32)
    }

    pub(super) fn emit_store_field(&mut self, access: &FieldAccess, object: Value, value: Value) {
        let flags = self.null_check(access.null, object);
        let base = self.heap_base();
        let at = self.ins().iadd(base, object);
        self.store_slot(access.slot, flags, at, access.offset as i32, value);
        self.tell_collector(access.barrier, object);
    }

    /// Checks for null as planned; the flags for the access that follows.
    fn null_check(&mut self, null: NullCheck, object: Value) -> MemFlagsData {
        match null {
            NullCheck::None => self.regions.object,
            NullCheck::Faults(trap) => self.regions.faulting_object(trap),
            NullCheck::Compare(trap) => {
                self.ins().trapz(object, code(trap));
                self.regions.object
            }
        }
    }

    fn load_slot(
        &mut self,
        slot: Slot,
        signed: bool,
        flags: MemFlagsData,
        at: Value,
        offset: i32,
    ) -> Value {
        let ins = self.ins();
        match (slot, signed) {
            (Slot::I8, true) => ins.sload8(types::I32, flags, at, offset),
            (Slot::I8, false) => ins.uload8(types::I32, flags, at, offset),
            (Slot::I16, true) => ins.sload16(types::I32, flags, at, offset),
            (Slot::I16, false) => ins.uload16(types::I32, flags, at, offset),
            (Slot::I32, _) => ins.load(types::I32, flags, at, offset),
            (Slot::I64, _) => ins.load(types::I64, flags, at, offset),
            (Slot::F32, _) => ins.load(types::F32, flags, at, offset),
            (Slot::F64, _) => ins.load(types::F64, flags, at, offset),
            (Slot::V128, _) => ins.load(crate::abi::VECTOR, flags, at, offset),
            (Slot::Func, _) => ins.load(POINTER, flags, at, offset),
            (Slot::Ref, _) => {
                let reference = ins.uload32(flags, at, offset);
                self.traced(reference)
            }
        }
    }

    fn store_slot(
        &mut self,
        slot: Slot,
        flags: MemFlagsData,
        at: Value,
        offset: i32,
        value: Value,
    ) {
        let ins = self.ins();
        match slot {
            Slot::I8 => ins.istore8(flags, value, at, offset),
            Slot::I16 => ins.istore16(flags, value, at, offset),
            Slot::Ref => ins.istore32(flags, value, at, offset),
            _ => ins.store(flags, value, at, offset),
        };
    }

    /// Marks the card of an object that was written to.
    fn tell_collector(&mut self, barrier: Barrier, object: Value) {
        if barrier == Barrier::None {
            return;
        }
        let base = self.heap_base();
        let card = self.ins().ushr_imm_u(object, i64::from(CARD_SHIFT));
        let at = self.ins().iadd(base, card);
        let dirty = self.ins().iconst(types::I32, 1);
        let flags = self.regions.cards;
        self.ins().istore8(flags, dirty, at, -(CARDS_BELOW_BASE as i32));
    }

    /// The place of an element's array plus the element's distance from the array's first, once
    /// the index has been checked. It is computed in 32 bits: also while the processor only
    /// speculates, an access cannot leave the heap of the store.
    fn element_place(&mut self, access: &ElementAccess, array: Value, index: Value) -> Value {
        let length = self.emit_load_field(&access.length, false, array);
        let is_outside = self.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, length);
        self.ins().trapnz(is_outside, code(TrapCode::ArrayOutOfBounds));
        let distance = self.ins().ishl_imm_u(index, i64::from(access.slot.bytes_log2()));
        let start = self.ins().ireduce(types::I32, array);
        let place = self.ins().iadd(start, distance);
        self.ins().uextend(types::I64, place)
    }

    pub(super) fn emit_load_element(
        &mut self,
        access: &ElementAccess,
        signed: bool,
        array: Value,
        index: Value,
    ) -> Value {
        let place = self.element_place(access, array, index);
        let base = self.heap_base();
        let at = self.ins().iadd(base, place);
        self.load_slot(access.slot, signed, self.regions.object, at, ELEMENTS as i32)
    }

    pub(super) fn emit_store_element(
        &mut self,
        access: &ElementAccess,
        array: Value,
        index: Value,
        value: Value,
    ) {
        let place = self.element_place(access, array, index);
        let base = self.heap_base();
        let at = self.ins().iadd(base, place);
        self.store_slot(access.slot, self.regions.object, at, ELEMENTS as i32, value);
        // The card of the element, not of the array: large arrays are scanned card by card.
        let place = self.ins().iadd_imm_s(place, i64::from(ELEMENTS));
        self.tell_collector(access.barrier, place);
    }
}
