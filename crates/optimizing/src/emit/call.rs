//! Calls of functions and runtime entries.

use super::CraneliftEmitter;
use crate::abi::{self, POINTER};
use crate::sites::code;
use cranelift_codegen::ir::{
    Block, ExtFuncData, ExternalName, FuncRef, InstBuilder, SigRef, StackSlotData, StackSlotKind,
    UserExternalName, Value, types,
};
use selkie_compile::emitter::Callee;
use selkie_module::abi::{RESULT_SLOT_BYTES, uses_result_area};
use selkie_module::builtins::{Builtin, BuiltinType};
use selkie_module::layout::{context, func_import, func_ref, func_slot};
use selkie_module::{DefinedFuncIndex, FuncRefIndex, FuncType, TrapCode};

/// Where a call goes.
#[derive(Clone, Copy)]
pub(super) enum Target {
    /// A function of the module.
    Known(FuncRef),
    /// Code at an address.
    Address(Value),
}

impl CraneliftEmitter<'_> {
    fn signature(&mut self, ty: &FuncType) -> SigRef {
        if let Some(known) = self.signatures.get(ty) {
            return *known;
        }
        let made = self.builder.import_signature(abi::signature(ty));
        self.signatures.insert(ty.clone(), made);
        made
    }

    fn function(&mut self, func: DefinedFuncIndex) -> FuncRef {
        if let Some(known) = self.functions.get(&func) {
            return *known;
        }
        let signature = self.signature(self.info.func_type(self.info.func_index(func)));
        let name = UserExternalName { namespace: 0, index: func.0 };
        let name = self.builder.func.declare_imported_user_function(name);
        let made = self.builder.import_function(ExtFuncData {
            name: ExternalName::user(name),
            signature,
            colocated: true,
            patchable: false,
        });
        self.functions.insert(func, made);
        made
    }

    /// The code and the context of a callee.
    fn target(&mut self, callee: &Callee<Value>) -> (Target, Value) {
        let fixed = self.regions.fixed;
        match *callee {
            Callee::Direct(func) => (Target::Known(self.function(func)), self.context),
            Callee::Import(at) => {
                let (vmctx, at) = (self.context, at as i32);
                let code = self.ins().load(POINTER, fixed, vmctx, at + func_import::CODE as i32);
                let context =
                    self.ins().load(POINTER, fixed, vmctx, at + func_import::CONTEXT as i32);
                (Target::Address(code), context)
            }
            Callee::Indirect { ref table, type_index, index, .. } => {
                let slot = self.callable_slot(table, type_index, index);
                let flags = self.regions.table;
                let code = self.ins().load(POINTER, flags, slot, func_slot::CODE as i32);
                let context = self.ins().load(POINTER, flags, slot, func_slot::CONTEXT as i32);
                (Target::Address(code), context)
            }
            Callee::Ref(reference) => {
                // Null faults at the null page.
                let null = Some(code(TrapCode::NullFunctionReference));
                let flags = self.regions.context;
                let code = self.ins().load(
                    POINTER,
                    flags.with_trap_code(null),
                    reference,
                    func_ref::CODE as i32,
                );
                let context = self.ins().load(POINTER, flags, reference, func_ref::CONTEXT as i32);
                (Target::Address(code), context)
            }
        }
    }

    /// The context, the result area if any, and the arguments.
    pub(super) fn arguments(
        &mut self,
        context: Value,
        area: Option<Value>,
        args: &[Value],
    ) -> Vec<Value> {
        let mut all = Vec::with_capacity(2 + args.len());
        all.push(context);
        all.extend(area);
        for arg in args {
            let arg = self.canonical(*arg);
            all.push(arg);
        }
        all
    }

    /// The address of the area for a callee's results. Results are read at once, so that all
    /// calls share one.
    fn area_for(&mut self, results: usize) -> Value {
        let bytes = results as u32 * RESULT_SLOT_BYTES;
        let slot = match self.callee_area {
            Some(slot) => slot,
            None => {
                let align_shift = RESULT_SLOT_BYTES.trailing_zeros() as u8;
                let data = StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, align_shift);
                self.builder.create_sized_stack_slot(data)
            }
        };
        self.callee_area = Some(slot);
        let size = &mut self.builder.func.sized_stack_slots[slot].size;
        *size = bytes.max(*size);
        self.ins().stack_addr(POINTER, slot, 0)
    }

    pub(super) fn emit_call(
        &mut self,
        callee: &Callee<Value>,
        ty: &FuncType,
        args: &[Value],
        on_throw: Option<Block>,
        results: &mut Vec<Value>,
    ) {
        let (target, context) = self.target(callee);
        let area = uses_result_area(&ty.results).then(|| self.area_for(ty.results.len()));
        let args = self.arguments(context, area, args);
        let signature = self.signature(ty);
        let first = results.len();
        if on_throw.is_some() {
            self.call_in_try(target, signature, &args, on_throw, results);
        } else {
            let call = match target {
                Target::Known(func) => self.ins().call(func, &args),
                Target::Address(code) => self.ins().call_indirect(signature, code, &args),
            };
            results.extend_from_slice(self.builder.inst_results(call));
        }
        let Some(area) = area else {
            self.trace_values(&ty.results, &results[first..]);
            return;
        };
        results.truncate(first);
        let flags = self.regions.stack;
        for (place, ty) in ty.results.iter().enumerate() {
            let offset = place as i32 * RESULT_SLOT_BYTES as i32;
            let value = self.ins().load(abi::value_type(*ty), flags, area, offset);
            results.push(value);
        }
        self.trace_values(&ty.results, &results[first..]);
    }

    /// The callee has the caller's result types, so that the caller's own area, where it has one,
    /// is the callee's.
    pub(super) fn emit_return_call(
        &mut self,
        callee: &Callee<Value>,
        ty: &FuncType,
        args: &[Value],
    ) {
        let (target, context) = self.target(callee);
        let args = self.arguments(context, self.result_area, args);
        match target {
            Target::Known(func) => self.ins().return_call(func, &args),
            Target::Address(code) => {
                let signature = self.signature(ty);
                self.ins().return_call_indirect(signature, code, &args)
            }
        };
    }

    /// Calls a runtime entry through its stub.
    pub(super) fn call_builtin(&mut self, entry: Builtin, args: &[Value]) -> Option<Value> {
        let signature = match self.builtins.get(&entry) {
            Some(known) => *known,
            None => {
                let made = self.builder.import_signature(abi::builtin_signature(entry));
                self.builtins.insert(entry, made);
                made
            }
        };
        let (vmctx, fixed) = (self.context, self.regions.fixed_in_place);
        let stubs = self.ins().load(POINTER, fixed, vmctx, context::BUILTINS as i32);
        let stub = self.ins().load(POINTER, fixed, stubs, entry as i32 * 8);
        self.uses_heap |=
            entry.result() == Some(BuiltinType::Ref) || entry.params().contains(&BuiltinType::Ref);
        let args = self.arguments(vmctx, None, args);
        let call = self.ins().call_indirect(signature, stub, &args);
        if !entry.may_collect(self.tuning.epoch_interruption) {
            self.quiet.insert(call);
        }
        let result = self.builder.inst_results(call).first().copied();
        if let (Some(BuiltinType::Ref), Some(value)) = (entry.result(), result) {
            self.traced.push(value);
        }
        result
    }

    /// The address of a function reference in the context, filled.
    pub(super) fn emit_ref_func(&mut self, offset: u32, place: FuncRefIndex) -> Value {
        let (vmctx, flags) = (self.context, self.regions.context);
        let at = offset as i32 + func_ref::CODE as i32;
        let code = self.ins().load(POINTER, flags, vmctx, at);
        let from = self.builder.current_block();
        let [fill, ready] = [self.builder.create_block(), self.builder.create_block()];
        self.builder.set_cold_block(fill);
        self.ins().brif(code, ready, &[], fill, &[]);
        self.builder.seal_block(fill);
        self.builder.switch_to_block(fill);
        let place = self.ins().iconst(types::I32, i64::from(place.0));
        self.call_builtin(Builtin::ref_func, &[place]);
        self.ins().jump(ready, &[]);
        self.builder.seal_block(ready);
        self.builder.switch_to_block(ready);
        self.addresses.follow(from, ready);
        self.ins().iadd_imm_s(vmctx, i64::from(offset))
    }
}
