//! Continuations (the stack switching proposal).
//!
//! What goes from one stack to another lies in a frame until the other side reads it, which it does
//! before anything can be collected: arguments in the frame of the `suspend` or `switch` that they
//! go to, a payload in the frame of the `suspend` that it comes from. The object that stands for
//! what suspends is made before that, while everything else is where the collector sees it.

use super::Translator;
use crate::emitter::{Const, Emitter};
use crate::error::CompileError;
use crate::ops::Numeric;
use crate::plan::{FieldAccess, NullCheck, TagAccess};
use selkie_module::builtins::{Builtin, StackSwitch};
use selkie_module::heap::{self, Slot};
use selkie_module::{CompositeType, FuncType, TagIndex, TrapCode, TypeIndex, TypeRef, ValType};
use wasmparser::{Handle, Operator, ResumeTable};

/// Values that one call of the runtime binds.
const BOUND_AT_ONCE: usize = 64;
/// Clauses of one `resume`. Each suspension looks at those of every `resume` that it passes.
const MAX_CLAUSES: usize = 1000;

fn check_clauses(table: &ResumeTable) -> Result<(), CompileError> {
    if table.len() <= MAX_CLAUSES {
        return Ok(());
    }
    let what = format!("a `resume` with {} clauses; at most {MAX_CLAUSES} run", table.len());
    Err(CompileError::TooLarge(what))
}

impl<'a, E: Emitter> Translator<'_, 'a, E> {
    /// Walks an operator of continuations; `false` if it is none.
    pub(super) fn continuation_operator(
        &mut self,
        op: &Operator<'_>,
        offset: u64,
    ) -> Result<bool, CompileError> {
        match op {
            Operator::ContNew { cont_type_index } => {
                self.cont_new(TypeIndex(*cont_type_index), offset);
            }
            Operator::ContBind { argument_index, result_index } => {
                self.cont_bind(TypeIndex(*argument_index), TypeIndex(*result_index), offset);
            }
            Operator::Suspend { tag_index } => self.suspend(TagIndex(*tag_index), offset),
            Operator::Resume { cont_type_index, resume_table } => {
                check_clauses(resume_table)?;
                self.resume(TypeIndex(*cont_type_index), resume_table, offset);
            }
            Operator::ResumeThrow { cont_type_index, tag_index, resume_table } => {
                check_clauses(resume_table)?;
                let (ty, tag) = (TypeIndex(*cont_type_index), TagIndex(*tag_index));
                self.resume_throw(ty, tag, resume_table, offset);
            }
            Operator::ResumeThrowRef { cont_type_index, resume_table } => {
                check_clauses(resume_table)?;
                self.resume_throw_ref(TypeIndex(*cont_type_index), resume_table, offset);
            }
            Operator::Switch { cont_type_index, tag_index } => {
                self.switch(TypeIndex(*cont_type_index), TagIndex(*tag_index), offset);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The function type of a continuation type.
    fn cont_func(&self, ty: TypeIndex) -> &'a FuncType {
        let func = match &self.unit.info.types[ty.index()].composite {
            CompositeType::Cont(TypeRef::Module(func)) => self.unit.info.func_type_at(*func),
            _ => None,
        };
        func.expect("validation: continuation types name function types of the module")
    }

    fn pop_args(&mut self, count: usize) -> Vec<E::Value> {
        self.stack.split_off(self.stack.len() - count)
    }

    /// An object that stands for no continuation yet.
    fn cont_object(&mut self, ty: TypeIndex, offset: u64) -> E::Value {
        let object = self.object(ty, heap::HANDLE_BYTES, offset);
        self.forget(object);
        object
    }

    /// Lets an object stand for nothing.
    fn forget(&mut self, object: E::Value) {
        let nothing = self.imm(0);
        self.emitter.store_field(&FieldAccess::initial(heap::INDEX, Slot::I32), object, nothing);
    }

    /// The place of the continuation that an object stands for. Traps where there is none.
    fn place_of(&mut self, object: E::Value, offset: u64) -> E::Value {
        self.mark(offset);
        let null = NullCheck::Faults(TrapCode::NullContinuationReference);
        let access = FieldAccess { null, ..FieldAccess::initial(heap::INDEX, Slot::I32) };
        let place = self.emitter.load_field(&access, false, object);
        self.emitter.trap_if_null(place, TrapCode::ContinuationConsumed);
        place
    }

    fn cont_new(&mut self, ty: TypeIndex, offset: u64) {
        let func = self.pop();
        self.mark(offset);
        self.emitter.trap_if_null(func, TrapCode::NullFunctionReference);
        let object = self.cont_object(ty, offset);
        let place = self.entry(Builtin::cont_new, &[func], offset);
        let place = place.expect("the entry returns a place");
        self.emitter.stand_for(object, place);
        self.push(object);
    }

    fn cont_bind(&mut self, from: TypeIndex, to: TypeIndex, offset: u64) {
        let bound = self.pop();
        let types = &self.cont_func(from).params;
        let types = &types[..types.len() - self.cont_func(to).params.len()];
        let args = self.pop_args(types.len());
        let place = self.place_of(bound, offset);
        let object = self.cont_object(to, offset);
        // Consumed first: where not all can be bound, nobody shall go on with what was.
        self.forget(bound);
        for (args, types) in args.chunks(BOUND_AT_ONCE).zip(types.chunks(BOUND_AT_ONCE)) {
            let traced = types
                .iter()
                .rev()
                .fold(0u64, |bits, ty| bits << 1 | u64::from(self.unit.info.is_traced(*ty)));
            let values = self.emitter.value_place(args.len());
            self.emitter.put_values(values, args);
            let count = self.imm(args.len() as u32);
            let traced = self.emitter.constant(Const::I64(traced as i64));
            self.entry(Builtin::cont_bind, &[place, values, count, traced], offset);
        }
        self.emitter.stand_for(object, place);
        self.push(object);
    }

    /// Waits until somebody goes on here; what they bring is pushed.
    fn wait_there(
        &mut self,
        way: StackSwitch,
        args: &[E::Value],
        values: E::Value,
        types: &[ValType],
        offset: u64,
    ) {
        self.mark(offset);
        let on_throw = self.landing();
        self.emitter.switch_stacks(way, args, &[], on_throw, &mut self.stack);
        self.emitter.take_values(values, types, &mut self.stack);
    }

    fn suspend(&mut self, tag: TagIndex, offset: u64) {
        let ty = self.unit.info.tag_type(tag);
        let args = self.pop_args(ty.params.len());
        self.mark(offset);
        // Its type is that of the clause that is given it, which writes it.
        let object = self.emitter.new_object(heap::HANDLE_BYTES);
        let values = self.emitter.value_place(args.len().max(ty.results.len()));
        self.emitter.put_values(values, &args);
        let event = self.emitter.event(&TagAccess::new(self.unit, tag), false);
        let args = [event, object, values];
        self.wait_there(StackSwitch::Suspend, &args, values, &ty.results, offset);
    }

    fn switch(&mut self, ty: TypeIndex, tag: TagIndex, offset: u64) {
        let target = self.pop();
        let params = &self.cont_func(ty).params;
        let mut args = self.pop_args(params.len() - 1);
        let own = params.last().and_then(|ty| ty.named());
        let own = own.expect("validation: the last parameter is a continuation");
        let results = &self.cont_func(own).params;

        let place = self.place_of(target, offset);
        let object = self.cont_object(own, offset);
        let continuation = self.emitter.continuation(place);
        args.push(object);
        let argument_place = self.emitter.argument_place(continuation);
        self.emitter.put_values(argument_place, &args);
        let values = self.emitter.value_place(results.len());
        let event = self.emitter.event(&TagAccess::new(self.unit, tag), true);
        let args = [event, object, values, continuation, target];
        self.wait_there(StackSwitch::Switch, &args, values, results, offset);
    }

    fn resume(&mut self, ty: TypeIndex, table: &ResumeTable, offset: u64) {
        let object = self.pop();
        let func = self.cont_func(ty);
        let args = self.pop_args(func.params.len());
        let place = self.place_of(object, offset);
        let continuation = self.emitter.continuation(place);
        let values = self.emitter.argument_place(continuation);
        self.emitter.put_values(values, &args);
        let resume = self.resume_place(table);
        let args = [continuation, resume, object];
        self.run(StackSwitch::Resume, &args, func, table, offset);
    }

    fn resume_throw(&mut self, ty: TypeIndex, tag: TagIndex, table: &ResumeTable, offset: u64) {
        let object = self.pop();
        let args = self.pop_args(self.unit.info.tag_type(tag).params.len());
        let place = self.place_of(object, offset);
        let exception = self.exception(tag, &args, offset);
        self.throw_into(ty, object, place, exception, table, offset);
    }

    fn resume_throw_ref(&mut self, ty: TypeIndex, table: &ResumeTable, offset: u64) {
        let object = self.pop();
        let exception = self.pop();
        let place = self.place_of(object, offset);
        self.emitter.trap_if_null(exception, TrapCode::NullExceptionReference);
        self.throw_into(ty, object, place, exception, table, offset);
    }

    fn throw_into(
        &mut self,
        ty: TypeIndex,
        object: E::Value,
        place: E::Value,
        exception: E::Value,
        table: &ResumeTable,
        offset: u64,
    ) {
        let continuation = self.emitter.continuation(place);
        let resume = self.resume_place(table);
        let args = [continuation, resume, object, exception];
        self.run(StackSwitch::ResumeThrow, &args, self.cont_func(ty), table, offset);
    }

    /// The clauses of a `resume`, where the continuation finds them.
    fn resume_place(&mut self, table: &ResumeTable) -> E::Value {
        let mut events = Vec::with_capacity(table.len());
        for handle in &table.handlers {
            let (tag, is_switch) = match *handle {
                Handle::OnLabel { tag, .. } => (tag, false),
                Handle::OnSwitch { tag } => (tag, true),
            };
            let access = TagAccess::new(self.unit, TagIndex(tag));
            events.push(self.emitter.event(&access, is_switch));
        }
        self.emitter.resume_place(&events)
    }

    /// Runs a continuation; `args` are those of the way, the `VMResume` second. The results are
    /// pushed, or a clause's label is branched to.
    fn run(
        &mut self,
        way: StackSwitch,
        args: &[E::Value],
        func: &FuncType,
        table: &ResumeTable,
        offset: u64,
    ) {
        self.mark(offset);
        let on_throw = self.landing();
        self.emitter.switch_stacks(way, args, &func.results, on_throw, &mut self.stack);
        let resume = args[1];
        let mut outcome = None;
        for (number, handle) in (1..).zip(&table.handlers) {
            let Handle::OnLabel { tag, label } = *handle else { continue };
            let outcome = *outcome.get_or_insert_with(|| self.emitter.resume_outcome(resume));
            let number = self.imm(number);
            let is_this = self.emitter.numeric(Numeric::I32Eq, &[outcome, number]);
            let next = self.emitter.label(&[]);
            self.emitter.branch_unless(is_this, next, None);
            self.clause(resume, TagIndex(tag), label);
            self.emitter.bind(next, &mut self.stack);
        }
    }

    /// Branches to a clause's label with the payload and the continuation.
    fn clause(&mut self, resume: E::Value, tag: TagIndex, label: u32) {
        let (object, payload) = self.emitter.clause_values(resume);
        let ty = self.frames[self.frames.len() - 1 - label as usize].last_carried;
        let ty = ty.expect("validation: a clause's label takes a continuation last");
        let id = self.emitter.type_id(ty);
        self.emitter.store_field(&FieldAccess::initial(heap::TYPE_ID, Slot::I32), object, id);
        let mut args = std::mem::take(&mut self.scratch);
        let payload_types = &self.unit.info.tag_type(tag).params;
        self.carried_values += payload_types.len();
        self.emitter.take_values(payload, payload_types, &mut args);
        args.push(object);
        let (label, _) = self.branch_target(label);
        self.emitter.jump(label, &args);
        args.clear();
        self.scratch = args;
    }
}
