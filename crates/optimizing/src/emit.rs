//! The emitter: the walk's words as Cranelift instructions.
//!
//! This file holds the state, control flow and locals, and hands everything else to its
//! submodules. Invariants: vectors have type [`VECTOR`] in locals, block parameters, calls and
//! selects, and any vector type elsewhere; a label's block is sealed as soon as no branch to it
//! can follow.

mod addresses;
mod atomic;
mod bulk;
mod bytes;
mod call;
mod cast;
mod continuations;
mod control;
mod convert;
mod elements;
mod exceptions;
mod float;
mod fuel;
mod global;
mod heap;
mod integer;
mod interrupt;
mod lanes;
mod meetings;
mod memory;
mod numeric;
mod regions;
mod relaxed;
mod table;
mod vector;
mod wide;
mod widemul;

use crate::abi::{self, POINTER, VECTOR};
use crate::crowding;
use crate::safepoints::Traced;
use crate::sites::code;
use addresses::Addresses;
use cranelift_codegen::ir::{
    self, Block, BlockArg, FuncRef, Function, Inst, InstBuilder, InstructionData, Opcode, SigRef,
    SourceLoc, StackSlot, Type, Value, condcodes::IntCC, types,
};
use cranelift_codegen::isa::TargetIsa;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use regions::Regions;
use selkie_compile::emitter::{Callee, Const, Emitter, Lanes, WideOp};
use selkie_compile::memory_ops::{Atomic, Load, Store};
use selkie_compile::plan::{
    BytesAccess, CastPlan, ElementAccess, FieldAccess, GlobalAccess, MemoryAccess, MemoryPlan,
    TableAccess, TagAccess,
};
use selkie_compile::{CompileUnit, Numeric, Tuning};
use selkie_module::builtins::{Builtin, StackSwitch};
use selkie_module::fuel::Bulk;
use selkie_module::heap::Slot;
use selkie_module::{
    DefinedFuncIndex, FuncRefIndex, FuncType, IndexType, ModuleInfo, TrapCode, TypeIndex, ValType,
};
use std::collections::{HashMap, HashSet};

/// Emits one function.
pub(crate) struct CraneliftEmitter<'f> {
    builder: FunctionBuilder<'f>,
    info: &'f ModuleInfo,
    tuning: &'f Tuning,
    isa: &'f dyn TargetIsa,
    regions: Regions,
    addresses: Addresses,
    /// The context pointer.
    context: Value,
    /// The base of the collected heap, once something asked for it.
    heap_base: Option<Value>,
    /// Where this function's results go when they do not fit into registers.
    result_area: Option<Value>,
    /// Where callees of this function put theirs: one slot, as large as the largest needs.
    callee_area: Option<StackSlot>,
    signatures: HashMap<FuncType, SigRef>,
    functions: HashMap<DefinedFuncIndex, FuncRef>,
    builtins: HashMap<Builtin, SigRef>,
    /// The signature of the stub of `interrupted`.
    interrupted: Option<SigRef>,
    /// The last default value made for locals, usable in its block.
    default_value: Option<(Block, Type, Value)>,
    /// Values that a branch carries; kept for its memory.
    carried: Vec<BlockArg>,
    /// Where values lie on their way between stacks.
    ways: continuations::Ways,
    meetings: meetings::Meetings,
    /// Whether the function reaches into the collected heap or asks for types.
    uses_heap: bool,
    /// Values that are references that the collector traces.
    traced: Vec<Value>,
    /// Calls that never collect.
    quiet: HashSet<Inst>,
    /// Blocks that end in a trap, and where the trap comes from.
    trap_blocks: HashMap<Block, SourceLoc>,
}

impl<'f> CraneliftEmitter<'f> {
    pub(crate) fn new(
        func: &'f mut Function,
        context: &'f mut FunctionBuilderContext,
        unit: &'f CompileUnit<'_>,
        isa: &'f dyn TargetIsa,
    ) -> CraneliftEmitter<'f> {
        let regions = Regions::new(func);
        CraneliftEmitter {
            builder: FunctionBuilder::new(func, context),
            info: unit.info,
            tuning: &unit.tuning,
            isa,
            regions,
            addresses: Addresses::default(),
            context: Value::from_u32(0),
            heap_base: None,
            result_area: None,
            callee_area: None,
            signatures: HashMap::new(),
            functions: HashMap::new(),
            builtins: HashMap::new(),
            interrupted: None,
            default_value: None,
            carried: Vec::new(),
            ways: continuations::Ways::default(),
            meetings: meetings::Meetings::default(),
            uses_heap: false,
            traced: Vec::new(),
            quiet: HashSet::new(),
            trap_blocks: HashMap::new(),
        }
    }

    /// Completes the function. Answers whether it reaches into the collected heap or asks for
    /// types, and which references must still be placed.
    pub(crate) fn finish(mut self) -> (bool, Traced) {
        self.place_conditional_traps();
        let traced =
            Traced::infer(self.builder.func, &self.traced, std::mem::take(&mut self.quiet));
        let config = self.isa.frontend_config();
        self.builder.finalize(config);
        (self.uses_heap, traced)
    }

    fn ins(&mut self) -> cranelift_frontend::FuncInstBuilder<'_, 'f> {
        self.builder.ins()
    }

    fn type_of(&self, value: Value) -> Type {
        self.builder.func.dfg.value_type(value)
    }

    /// A vector as another vector type. Lanes are little-endian, as WebAssembly has them. Constants
    /// and earlier casts are looked through: Cranelift's rules match what stands behind them.
    fn vector_as(&mut self, value: Value, ty: Type) -> Value {
        if self.type_of(value) == ty {
            return value;
        }
        let dfg = &self.builder.func.dfg;
        if let Some(inst) = dfg.value_def(value).inst() {
            match dfg.insts[inst] {
                InstructionData::UnaryConst { opcode: Opcode::Vconst, constant_handle } => {
                    return self.ins().vconst(ty, constant_handle);
                }
                InstructionData::LoadNoOffset { opcode: Opcode::Bitcast, arg, .. }
                    if dfg.value_type(arg) == ty =>
                {
                    return arg;
                }
                _ => {}
            }
        }
        let flags = ir::MemFlagsData::new().with_endianness(ir::Endianness::Little);
        self.ins().bitcast(ty, flags, value)
    }

    /// A value as it crosses the borders of blocks and functions.
    fn canonical(&mut self, value: Value) -> Value {
        if self.type_of(value).is_vector() { self.vector_as(value, VECTOR) } else { value }
    }

    /// A truth value as i32.
    fn truth(&mut self, value: Value) -> Value {
        self.ins().uextend(types::I32, value)
    }

    fn vector_constant(&mut self, value: u128) -> Value {
        let bytes = value.to_le_bytes();
        let constant = self.builder.func.dfg.constants.insert(bytes.as_slice().into());
        self.ins().vconst(VECTOR, constant)
    }

    fn zero(&mut self, ty: Type) -> Value {
        match ty {
            types::F32 => self.ins().f32const(0.0),
            types::F64 => self.ins().f64const(0.0),
            VECTOR => self.vector_constant(0),
            _ => self.ins().iconst(ty, 0),
        }
    }

    /// The default value of a local. Many locals in a row share one.
    fn default_value(&mut self, ty: Type) -> Value {
        let block = self.builder.current_block();
        match self.default_value {
            Some((at, of, value)) if Some(at) == block && of == ty => value,
            _ => {
                let value = self.zero(ty);
                self.default_value = block.map(|block| (block, ty, value));
                value
            }
        }
    }

    /// Lets the collector know of those among values of these types that it traces.
    fn trace_values(&mut self, types: &[ValType], values: &[Value]) {
        for (ty, value) in types.iter().zip(values) {
            if self.info.is_traced(*ty) {
                self.traced.push(*value);
            }
        }
    }

    /// An index as i64.
    fn index64(&mut self, value: Value) -> Value {
        if self.type_of(value) == types::I64 {
            return value;
        }
        self.ins().uextend(types::I64, value)
    }
}

impl Emitter for CraneliftEmitter<'_> {
    type Value = Value;
    type Label = Block;
    type Local = Variable;

    fn begin(&mut self, ty: &FuncType, params: &mut Vec<Value>) {
        self.builder.func.signature = abi::signature(ty);
        let entry = self.builder.create_block();
        self.builder.append_block_params_for_function_params(entry);
        self.builder.switch_to_block(entry);
        self.builder.seal_block(entry);
        let has_area = selkie_module::abi::uses_result_area(&ty.results);
        let all = self.builder.block_params(entry);
        self.context = all[0];
        self.result_area = has_area.then(|| all[1]);
        params.extend_from_slice(&all[1 + usize::from(has_area)..]);
        self.trace_values(&ty.params, params);
    }

    fn is_exhausted(&self) -> bool {
        self.builder.func.dfg.num_values() > crowding::MAX_VALUES
    }

    fn at(&mut self, position: u32) {
        self.builder.set_srcloc(SourceLoc::new(position));
    }

    fn local(&mut self, ty: ValType, value: Option<Value>) -> Variable {
        let ty = abi::value_type(ty);
        let local = self.builder.declare_var(ty);
        let value = match value {
            Some(value) => self.canonical(value),
            None => self.default_value(ty),
        };
        self.builder.def_var(local, value);
        local
    }

    fn local_get(&mut self, local: Variable) -> Value {
        self.builder.use_var(local)
    }

    fn local_set(&mut self, local: Variable, value: Value) {
        let value = self.canonical(value);
        self.builder.def_var(local, value);
    }

    fn label(&mut self, types: &[ValType]) -> Block {
        self.new_block(types)
    }

    fn bind(&mut self, label: Block, out: &mut Vec<Value>) {
        self.join_relays(label);
        self.builder.seal_block(label);
        self.builder.switch_to_block(label);
        out.extend_from_slice(self.builder.block_params(label));
    }

    fn begin_loop(&mut self, types: &[ValType], args: &[Value], out: &mut Vec<Value>) -> Block {
        let head = self.new_block(types);
        self.is_loop(head);
        self.jump_to(head, args);
        self.builder.switch_to_block(head);
        out.extend_from_slice(self.builder.block_params(head));
        head
    }

    fn end_loop(&mut self, label: Block) {
        self.builder.seal_block(label);
    }

    fn jump(&mut self, to: Block, args: &[Value]) {
        let to = self.way_to(to);
        self.jump_to(to, args);
    }

    fn branch_if(&mut self, condition: Value, to: Block, args: &[Value], hint: Option<bool>) {
        let to = self.way_to(to);
        self.branch_to_if(condition, to, args, hint);
    }

    fn branch_unless(&mut self, condition: Value, to: Block, hint: Option<bool>) {
        let to = self.way_to(to);
        self.branch_to_unless(condition, to, hint);
    }

    fn br_table(&mut self, index: Value, targets: &[Block], default: Block, args: &[Value]) {
        self.branch_by_table(index, targets, default, args);
    }

    fn ret(&mut self, results: &[Value]) {
        self.return_results(results);
    }

    fn trap(&mut self, trap: TrapCode) {
        self.trap_here(trap);
    }

    fn constant(&mut self, value: Const) -> Value {
        match value {
            Const::I32(v) => self.ins().iconst(types::I32, i64::from(v as u32)),
            Const::I64(v) => self.ins().iconst(types::I64, v),
            Const::F32(bits) => self.ins().f32const(ir::immediates::Ieee32::with_bits(bits)),
            Const::F64(bits) => self.ins().f64const(ir::immediates::Ieee64::with_bits(bits)),
            Const::V128(v) => self.vector_constant(v),
            Const::Null => self.ins().iconst(POINTER, 0),
        }
    }

    fn drop(&mut self, _value: Value) {}

    fn numeric(&mut self, op: Numeric, args: &[Value]) -> Value {
        self.emit_numeric(op, args)
    }

    fn select(&mut self, ty: ValType, condition: Value, if_true: Value, if_false: Value) -> Value {
        let if_true = self.canonical(if_true);
        let if_false = self.canonical(if_false);
        let value = self.ins().select(condition, if_true, if_false);
        self.trace_values(&[ty], &[value]);
        value
    }

    fn wide(&mut self, op: WideOp, args: &[Value]) -> (Value, Value) {
        self.emit_wide(op, args)
    }

    fn extract_lane(&mut self, lanes: Lanes, lane: u8, signed: bool, vector: Value) -> Value {
        self.emit_extract(lanes, lane, signed, vector)
    }

    fn replace_lane(&mut self, lanes: Lanes, lane: u8, vector: Value, value: Value) -> Value {
        self.emit_replace(lanes, lane, vector, value)
    }

    fn shuffle(&mut self, lanes: [u8; 16], a: Value, b: Value) -> Value {
        self.emit_shuffle(lanes, a, b)
    }

    fn scalar_to_vector(&mut self, ty: ValType, value: Value) -> Value {
        self.emit_scalar_to_vector(ty, value)
    }

    fn ref_is_null(&mut self, value: Value) -> Value {
        let is_null = self.ins().icmp_imm_u(IntCC::Equal, value, 0);
        self.truth(is_null)
    }

    fn trap_if_null(&mut self, value: Value, trap: TrapCode) {
        self.ins().trapz(value, code(trap));
    }

    fn ref_func(&mut self, offset: u32, place: FuncRefIndex) -> Value {
        self.emit_ref_func(offset, place)
    }

    fn global_get(&mut self, access: &GlobalAccess) -> Value {
        self.load_global(access)
    }

    fn global_set(&mut self, access: &GlobalAccess, value: Value) {
        self.store_global(access, value);
    }

    fn load(&mut self, op: Load, access: &MemoryAccess, index: Value) -> Value {
        self.load_memory(op, access, index)
    }

    fn store(&mut self, op: Store, access: &MemoryAccess, index: Value, value: Value) {
        self.store_memory(op, access, index, value);
    }

    fn atomic(
        &mut self,
        op: Atomic,
        access: &MemoryAccess,
        index: Value,
        args: &[Value],
    ) -> Option<Value> {
        self.emit_atomic(op, access, index, args)
    }

    fn copy_bytes(&mut self, to: &MemoryAccess, dst: Value, from: &MemoryAccess, src: Value) {
        self.emit_copy(to, dst, from, src);
    }

    fn fill_bytes(&mut self, access: &MemoryAccess, dst: Value, value: Value) {
        self.emit_fill(access, dst, value);
    }

    fn memory_definition(&mut self, plan: &MemoryPlan) -> Value {
        let (at, offset) = self.place(plan.place);
        self.add_offset(at, offset as u64)
    }

    fn fence(&mut self) {
        self.ins().fence();
    }

    fn checked_address(&mut self, access: &MemoryAccess, index: Value) -> Value {
        self.guest_address(access, index)
    }

    fn memory_size(&mut self, plan: &MemoryPlan) -> Value {
        self.memory_pages(plan)
    }

    fn table_get(&mut self, access: &TableAccess, index: Value) -> Value {
        self.load_table_element(access, index)
    }

    fn table_set(&mut self, access: &TableAccess, index: Value, value: Value) {
        self.store_table_element(access, index, value);
    }

    fn table_size(&mut self, access: &TableAccess) -> Value {
        let length = self.table_length(access);
        self.narrow(length, access.index)
    }

    fn type_id(&mut self, ty: TypeIndex) -> Value {
        self.emit_type_id(ty)
    }

    fn new_object(&mut self, bytes: u32) -> Value {
        self.emit_new_object(bytes)
    }

    fn new_array(&mut self, ty: TypeIndex, slot: Slot, length: Value, value: Value) -> Value {
        self.emit_new_array(ty, slot, length, value)
    }

    fn load_field(&mut self, access: &FieldAccess, signed: bool, object: Value) -> Value {
        self.emit_load_field(access, signed, object)
    }

    fn store_field(&mut self, access: &FieldAccess, object: Value, value: Value) {
        self.emit_store_field(access, object, value);
    }

    fn load_element(
        &mut self,
        access: &ElementAccess,
        signed: bool,
        array: Value,
        index: Value,
    ) -> Value {
        self.emit_load_element(access, signed, array, index)
    }

    fn store_element(&mut self, access: &ElementAccess, array: Value, index: Value, value: Value) {
        self.emit_store_element(access, array, index, value);
    }

    fn copy_elements(
        &mut self,
        to: &ElementAccess,
        dst: (Value, Value),
        from: &ElementAccess,
        src: (Value, Value),
        length: Value,
    ) {
        self.emit_copy_elements(to, dst, from, src, length);
    }

    fn load_bytes(&mut self, op: Load, access: &BytesAccess, array: Value, index: Value) -> Value {
        self.emit_load_bytes(op, access, array, index)
    }

    fn store_bytes(
        &mut self,
        op: Store,
        access: &BytesAccess,
        array: Value,
        index: Value,
        value: Value,
    ) {
        self.emit_store_bytes(op, access, array, index, value);
    }

    fn ref_test(&mut self, plan: &CastPlan, value: Value) -> Value {
        self.emit_ref_test(plan, value)
    }

    fn ref_cast(&mut self, plan: &CastPlan, value: Value, descriptor: Option<Value>) {
        self.emit_ref_cast(plan, value, descriptor);
    }

    fn branch_on_cast(
        &mut self,
        plan: &CastPlan,
        value: Value,
        descriptor: Option<Value>,
        when: bool,
        to: Block,
        args: &[Value],
    ) {
        self.emit_branch_on_cast(plan, value, descriptor, when, to, args);
    }

    fn consume_fuel(&mut self, units: u64) {
        self.emit_consume_fuel(units);
    }

    fn consume_bulk_fuel(&mut self, bulk: Bulk, count: Value) {
        self.emit_consume_bulk_fuel(bulk, count);
    }

    fn check_fuel(&mut self) {
        self.emit_check_fuel();
    }

    fn check_interrupt(&mut self) {
        self.emit_check_interrupt();
    }

    fn continuation(&mut self, place: Value) -> Value {
        self.load_continuation(place)
    }

    fn stand_for(&mut self, object: Value, place: Value) {
        self.emit_stand_for(object, place);
    }

    fn argument_place(&mut self, continuation: Value) -> Value {
        self.load_argument_place(continuation)
    }

    fn value_place(&mut self, count: usize) -> Value {
        self.emit_value_place(count)
    }

    fn put_values(&mut self, place: Value, values: &[Value]) {
        self.emit_put_values(place, values);
    }

    fn take_values(&mut self, place: Value, types: &[ValType], out: &mut Vec<Value>) {
        self.emit_take_values(place, types, out);
    }

    fn event(&mut self, tag: &TagAccess, is_switch: bool) -> Value {
        self.emit_event(tag, is_switch)
    }

    fn resume_place(&mut self, events: &[Value]) -> Value {
        self.emit_resume_place(events)
    }

    fn resume_outcome(&mut self, resume: Value) -> Value {
        self.load_outcome(resume)
    }

    fn clause_values(&mut self, resume: Value) -> (Value, Value) {
        self.load_clause_values(resume)
    }

    fn switch_stacks(
        &mut self,
        way: StackSwitch,
        args: &[Value],
        results: &[ValType],
        on_throw: Option<Block>,
        out: &mut Vec<Value>,
    ) {
        self.emit_switch(way, args, results, on_throw, out);
    }

    fn widen(&mut self, value: Value, _index: IndexType) -> Value {
        self.index64(value)
    }

    fn narrow(&mut self, value: Value, index: IndexType) -> Value {
        match index {
            IndexType::I64 => value,
            IndexType::I32 => self.ins().ireduce(types::I32, value),
        }
    }

    fn tag_id(&mut self, tag: &TagAccess) -> Value {
        self.load_tag_id(tag)
    }

    fn builtin(&mut self, entry: Builtin, args: &[Value]) -> Option<Value> {
        self.call_builtin(entry, args)
    }

    fn call(
        &mut self,
        callee: &Callee<Value>,
        ty: &FuncType,
        args: &[Value],
        on_throw: Option<Block>,
        results: &mut Vec<Value>,
    ) {
        self.emit_call(callee, ty, args, on_throw, results);
    }

    fn return_call(&mut self, callee: &Callee<Value>, ty: &FuncType, args: &[Value]) {
        self.emit_return_call(callee, ty, args);
    }
}
