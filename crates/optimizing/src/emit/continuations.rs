//! Continuations: what `resume`, `suspend` and `switch` hand from one stack to another, and the
//! calls that go there.
//!
//! Two pieces of the frame take part, both shared by all their uses: what lies in them is read as
//! soon as control is back, and a frame waits in one place at a time.

use super::CraneliftEmitter;
use super::call::Target;
use crate::abi::{self, POINTER};
use cranelift_codegen::ir::{
    Block, InstBuilder, StackSlot, StackSlotData, StackSlotKind, Value, types,
};
use selkie_compile::plan::TagAccess;
use selkie_module::ValType;
use selkie_module::abi::uses_result_area;
use selkie_module::builtins::StackSwitch;
use selkie_module::heap::INDEX;
use selkie_module::layout::{context, continuation, continuation_slot, resume, store};

/// Where values lie on their way.
#[derive(Default)]
pub(super) struct Ways {
    /// Values for this frame, and from it.
    values: Option<StackSlot>,
    /// The `VMResume` of this frame.
    resume: Option<StackSlot>,
}

impl CraneliftEmitter<'_> {
    /// The address of a place in the store's list of continuations.
    fn continuation_slot(&mut self, place: Value) -> Value {
        let store = self.store_context();
        let flags = self.regions.collector;
        let list = self.ins().load(POINTER, flags, store, store::CONTINUATIONS as i32);
        let place = self.index64(place);
        let shift = i64::from(continuation_slot::BYTES.trailing_zeros());
        let offset = self.ins().ishl_imm_u(place, shift);
        self.ins().iadd(list, offset)
    }

    pub(super) fn load_continuation(&mut self, place: Value) -> Value {
        let slot = self.continuation_slot(place);
        let flags = self.regions.collector;
        self.ins().load(POINTER, flags, slot, continuation_slot::CONTINUATION as i32)
    }

    pub(super) fn emit_stand_for(&mut self, object: Value, place: Value) {
        let slot = self.continuation_slot(place);
        let flags = self.regions.collector;
        let low = self.ins().ireduce(types::I32, object);
        self.ins().store(flags, low, slot, continuation_slot::OBJECT as i32);
        let has_young = self.ins().iconst(types::I32, 1);
        self.ins().store(flags, has_young, slot, continuation_slot::HAS_YOUNG as i32);
        let base = self.heap_base();
        let at = self.ins().iadd(base, object);
        let flags = self.regions.object;
        self.ins().store(flags, place, at, INDEX as i32);
    }

    pub(super) fn load_argument_place(&mut self, continuation: Value) -> Value {
        let flags = self.regions.collector;
        self.ins().load(POINTER, flags, continuation, continuation::ARGUMENTS as i32)
    }

    /// The address of a piece of the frame that has at least this size.
    fn shared_slot(&mut self, known: Option<StackSlot>, bytes: u32) -> (StackSlot, Value) {
        let slot = known.unwrap_or_else(|| {
            let align_shift = resume::VALUE_BYTES.trailing_zeros() as u8;
            let data = StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, align_shift);
            self.builder.create_sized_stack_slot(data)
        });
        let size = &mut self.builder.func.sized_stack_slots[slot].size;
        *size = bytes.max(*size);
        (slot, self.ins().stack_addr(POINTER, slot, 0))
    }

    pub(super) fn emit_value_place(&mut self, count: usize) -> Value {
        let bytes = count as u32 * resume::VALUE_BYTES;
        let (slot, at) = self.shared_slot(self.ways.values, bytes);
        self.ways.values = Some(slot);
        at
    }

    pub(super) fn emit_put_values(&mut self, place: Value, values: &[Value]) {
        let flags = self.regions.stack;
        for (number, value) in values.iter().enumerate() {
            let value = self.canonical(*value);
            let offset = number as i32 * resume::VALUE_BYTES as i32;
            self.ins().store(flags, value, place, offset);
        }
    }

    pub(super) fn emit_take_values(
        &mut self,
        place: Value,
        types: &[ValType],
        out: &mut Vec<Value>,
    ) {
        let first = out.len();
        let flags = self.regions.stack;
        for (number, ty) in types.iter().enumerate() {
            let offset = number as i32 * resume::VALUE_BYTES as i32;
            let value = self.ins().load(abi::value_type(*ty), flags, place, offset);
            out.push(value);
        }
        self.trace_values(types, &out[first..]);
    }

    pub(super) fn emit_event(&mut self, tag: &TagAccess, is_switch: bool) -> Value {
        let id = self.load_tag_id(tag);
        let event = self.index64(id);
        match is_switch {
            true => self.ins().bor_imm_u(event, resume::SWITCH as i64),
            false => event,
        }
    }

    pub(super) fn emit_resume_place(&mut self, events: &[Value]) -> Value {
        let bytes = resume::EVENTS + 8 * events.len() as u32;
        let (slot, at) = self.shared_slot(self.ways.resume, bytes);
        self.ways.resume = Some(slot);
        let flags = self.regions.stack;
        // The outcome and the number of clauses at once.
        let head = self.ins().iconst(types::I64, (events.len() as i64) << 32);
        self.ins().store(flags, head, at, resume::OUTCOME as i32);
        for (number, event) in events.iter().enumerate() {
            let offset = resume::EVENTS as i32 + 8 * number as i32;
            self.ins().store(flags, *event, at, offset);
        }
        at
    }

    pub(super) fn load_outcome(&mut self, resume: Value) -> Value {
        let flags = self.regions.stack;
        self.ins().load(types::I32, flags, resume, resume::OUTCOME as i32)
    }

    pub(super) fn load_clause_values(&mut self, resume: Value) -> (Value, Value) {
        let flags = self.regions.stack;
        let object = self.ins().load(types::I64, flags, resume, resume::REFERENCE as i32);
        let payload = self.ins().load(POINTER, flags, resume, resume::PAYLOAD as i32);
        (self.traced(object), payload)
    }

    /// Calls the stub of a way. It is a call that may throw even where nothing lands here: one that
    /// keeps no register.
    pub(super) fn emit_switch(
        &mut self,
        way: StackSwitch,
        args: &[Value],
        results: &[ValType],
        on_throw: Option<Block>,
        out: &mut Vec<Value>,
    ) {
        let signature = self.builder.import_signature(abi::switch_signature(way, results));
        let (vmctx, fixed) = (self.context, self.regions.fixed_in_place);
        let stubs = self.ins().load(POINTER, fixed, vmctx, context::BUILTINS as i32);
        let stub = self.ins().load(POINTER, fixed, stubs, way.stub() as i32 * 8);
        let args = self.arguments(vmctx, None, args);
        let first = out.len();
        self.call_in_try(Target::Address(stub), signature, &args, on_throw, out);
        if uses_result_area(results) {
            let area = out[first];
            out.truncate(first);
            self.emit_take_values(area, results, out);
        } else {
            self.trace_values(results, &out[first..]);
        }
    }
}

const _: () = {
    use selkie_module::abi::RESULT_SLOT_BYTES;
    assert!(RESULT_SLOT_BYTES == resume::VALUE_BYTES);
    assert!(resume::COUNT == resume::OUTCOME + 4);
};
