//! Calls, tail calls, inlining, and what is refused.

use super::{Translator, TranslatorScratch};
use crate::emitter::{Callee, Emitter};
use crate::error::CompileError;
use crate::inline::MAX_DEPTH;
use selkie_module::{DefinedFuncIndex, FuncIndex, FuncType, TrapCode, TypeIndex};
use wasmparser::Operator;

impl<'a, E: Emitter> Translator<'_, 'a, E> {
    pub(super) fn call_operator(
        &mut self,
        op: &Operator<'_>,
        offset: u64,
        scratch: &mut TranslatorScratch,
    ) -> Result<(), CompileError> {
        match *op {
            Operator::Call { function_index } => {
                return self.call_function(FuncIndex(function_index), offset, scratch);
            }
            Operator::CallIndirect { type_index, table_index } => {
                let callee = self.indirect(TypeIndex(type_index), table_index);
                self.call(&callee, TypeIndex(type_index), offset);
            }
            Operator::CallRef { type_index } => {
                let callee = Callee::Ref(self.pop());
                self.call(&callee, TypeIndex(type_index), offset);
            }
            Operator::ReturnCall { function_index } => {
                let func = FuncIndex(function_index);
                let callee = self.known_callee(func);
                self.return_call(&callee, self.unit.info.funcs[func.index()], offset);
            }
            Operator::ReturnCallIndirect { type_index, table_index } => {
                let callee = self.indirect(TypeIndex(type_index), table_index);
                self.return_call(&callee, TypeIndex(type_index), offset);
            }
            Operator::ReturnCallRef { type_index } => {
                let callee = Callee::Ref(self.pop());
                self.return_call(&callee, TypeIndex(type_index), offset);
            }
            Operator::RefAsNonNull => {
                self.mark(offset);
                let value = self.pop();
                self.emitter.trap_if_null(value, TrapCode::NullReference);
                self.push(value);
            }
            ref other => return Err(CompileError::Unsupported(refusal(other))),
        }
        Ok(())
    }

    fn func_type(&self, ty: TypeIndex) -> &'a FuncType {
        let ty = self.unit.info.func_type_at(ty);
        ty.expect("validation: call types are function types")
    }

    fn indirect(&mut self, type_index: TypeIndex, table: u32) -> Callee<E::Value> {
        let index = self.pop();
        let table = self.table_access(table);
        let may_have_subtypes = !self.unit.info.types[type_index.index()].is_final;
        Callee::Indirect { table, type_index, may_have_subtypes, index }
    }

    fn known_callee(&self, func: FuncIndex) -> Callee<E::Value> {
        match self.unit.info.defined_func(func) {
            Some(defined) => Callee::Direct(defined),
            None => Callee::Import(self.unit.layout.func_import(func)),
        }
    }

    fn call(&mut self, callee: &Callee<E::Value>, ty: TypeIndex, offset: u64) {
        let ty = self.func_type(ty);
        self.mark(offset);
        let args = self.stack.split_off(self.stack.len() - ty.params.len());
        self.emitter.call(callee, ty, &args, &mut self.stack);
    }

    fn return_call(&mut self, callee: &Callee<E::Value>, ty: TypeIndex, offset: u64) {
        let ty = self.func_type(ty);
        self.mark(offset);
        let args = self.stack.split_off(self.stack.len() - ty.params.len());
        self.emitter.return_call(callee, ty, &args);
        self.reachable = false;
    }

    fn call_function(
        &mut self,
        func: FuncIndex,
        offset: u64,
        scratch: &mut TranslatorScratch,
    ) -> Result<(), CompileError> {
        let defined = self.unit.info.defined_func(func);
        if let Some(callee) = defined
            && let Some(cost) = self.inline_cost(callee)
        {
            self.inline_budget_bytes -= cost;
            return self.inline_call(func, callee, offset, scratch);
        }
        let callee = self.known_callee(func);
        self.call(&callee, self.unit.info.funcs[func.index()], offset);
        Ok(())
    }

    /// What inlining costs: small enough, not too deep, not recursive, within the caller's budget.
    fn inline_cost(&self, callee: DefinedFuncIndex) -> Option<u64> {
        let cost = self.unit.inline.cost_bytes(callee)?;
        let fits = self.bodies.len() <= MAX_DEPTH
            && cost <= self.inline_budget_bytes
            && self.bodies.iter().all(|body| body.func != callee);
        fits.then_some(cost)
    }

    /// Walks the callee in place of the call. The body's frame leaves the results on the stack.
    fn inline_call(
        &mut self,
        func: FuncIndex,
        callee: DefinedFuncIndex,
        offset: u64,
        scratch: &mut TranslatorScratch,
    ) -> Result<(), CompileError> {
        let unit = self.unit;
        let source = &unit.functions[callee.index()];
        let ty = unit.info.func_type(func);
        let args = self.stack.split_off(self.stack.len() - ty.params.len());
        let call_position = self.positions.at(offset);
        self.positions.open(callee.0, call_position);
        self.push_body(source, ty, &args);
        self.walk(source, scratch)?;
        self.bodies.pop();
        self.positions.close();
        Ok(())
    }
}

/// Says what an instruction belongs to.
fn refusal(op: &Operator<'_>) -> String {
    let name = format!("{op:?}");
    let name = name.split([' ', '{', '(']).next().unwrap_or_default().to_string();
    let proposal = match op {
        Operator::TryTable { .. } | Operator::Throw { .. } | Operator::ThrowRef => "exceptions",
        Operator::Try { .. }
        | Operator::Catch { .. }
        | Operator::CatchAll
        | Operator::Rethrow { .. }
        | Operator::Delegate { .. } => "legacy exceptions",
        _ if name.starts_with("Cont") || name.starts_with("Resume") || name.contains("Suspend") => {
            "stack switching"
        }
        _ => "garbage collection",
    };
    format!("the {proposal} instruction {name} cannot be compiled")
}
