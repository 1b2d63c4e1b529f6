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
        self.settle_fuel();
        self.mark(offset);
        let args = self.stack.split_off(self.stack.len() - ty.params.len());
        let on_throw = self.landing();
        self.emitter.call(callee, ty, &args, on_throw, &mut self.stack);
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

/// Says which instruction it is that no part of the walk knows.
fn refusal(op: &Operator<'_>) -> String {
    format!("`{}` does not run yet", spec_name(op))
}

/// An instruction's name in the text format, made from its name in Rust.
fn spec_name(op: &Operator<'_>) -> String {
    const SPACES: [&str; 9] =
        ["struct", "array", "ref", "i31", "any", "extern", "memory", "table", "global"];
    let in_rust = format!("{op:?}");
    let mut name = String::new();
    for c in in_rust.chars().take_while(char::is_ascii_alphanumeric) {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    // The text format has these in the type that follows.
    let name = name.trim_end_matches("_nullable").trim_end_matches("_non_null");
    match name.split_once('_') {
        Some((space, rest)) if SPACES.contains(&space) => {
            let rest = rest.strip_prefix("atomic_").map(|rest| format!("atomic.{rest}"));
            let rest = rest.unwrap_or_else(|| name[space.len() + 1..].to_string());
            format!("{space}.{rest}")
        }
        _ => name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_that_do_not_run_are_called_as_in_the_text_format() {
        for (op, name) in [
            (Operator::StructNew { struct_type_index: 0 }, "struct.new"),
            (Operator::RefI31, "ref.i31"),
            (Operator::I31GetS, "i31.get_s"),
            (Operator::AnyConvertExtern, "any.convert_extern"),
        ] {
            assert_eq!(refusal(&op), format!("`{name}` does not run yet"));
        }
    }
}
