//! Exceptions: `throw`, `throw_ref`, `try_table`, and where a call goes on that throws.
//!
//! A stack of handlers accompanies the control stack, across inlined bodies too. The first call
//! or throw inside a handler gives it a landing label, which carries the exception; where the
//! handler closes, the code at that label finds the clause that catches. Invariant: a handler
//! whose body throws nowhere leaves no trace in the code, and neither does one whose exceptions
//! are all thrown in its sight: those are branches.

use super::control::{Frame, Kind};
use super::{Translator, block_types};
use crate::Numeric;
use crate::emitter::Emitter;
use crate::plan::{FieldAccess, TagAccess};
use selkie_module::builtins::Builtin;
use selkie_module::heap::{self, ObjectLayout, Slot};
use selkie_module::{HeapType, RefType, TagIndex, TrapCode, ValType};
use wasmparser::Catch;

/// What a landing label carries.
const EXCEPTION: ValType = ValType::Ref(RefType { nullable: false, heap: HeapType::Exn });
/// Clauses that a `throw` is compared with before it leaves that to the running code: nested
/// handlers can be as many as a module has bytes, and so can throws inside them.
const MAX_COMPARED_CLAUSES: usize = 64;

/// Where exceptions of the code inside a block go.
pub(super) struct Handler<E: Emitter> {
    /// Place of the block on the control stack.
    pub(super) frame: usize,
    /// Where calls that throw go on; made when the first needs it.
    pub(super) landing: Option<E::Label>,
    /// What it catches, where that is known already: legacy clauses follow the body.
    clauses: Option<Box<[Clause]>>,
}

/// A clause of a `try_table`.
#[derive(Clone, Copy)]
struct Clause {
    /// What it catches; `None` for everything.
    tag: Option<TagIndex>,
    /// Whether its label takes the exception itself, behind the parameters.
    takes_exception: bool,
    /// Place on the control stack of the block whose label it is.
    frame: usize,
}

/// Who catches, as far as it is known before the code runs.
enum Catcher {
    /// A clause of this function.
    Clause(Clause),
    /// Nobody in this function.
    Nobody,
    Unknown,
}

/// What is known about two tags before they exist.
enum Equality {
    Same,
    Different,
    Unknown,
}

impl<E: Emitter> Handler<E> {
    /// A handler whose clauses are not known yet.
    pub(super) fn of_later_clauses(frame: usize) -> Handler<E> {
        Handler { frame, landing: None, clauses: None }
    }
}

impl<E: Emitter> Translator<'_, '_, E> {
    pub(super) fn try_table(&mut self, try_table: &wasmparser::TryTable) {
        let at = self.frames.len();
        let clause = |catch: &Catch| {
            let (tag, takes_exception, label) = match *catch {
                Catch::One { tag, label } => (Some(TagIndex(tag)), false, label),
                Catch::OneRef { tag, label } => (Some(TagIndex(tag)), true, label),
                Catch::All { label } => (None, false, label),
                Catch::AllRef { label } => (None, true, label),
            };
            Clause { tag, takes_exception, frame: at - 1 - label as usize }
        };
        let clauses: Box<[Clause]> = try_table.catches.iter().map(clause).collect();
        if clauses.is_empty() {
            return self.block(try_table.ty);
        }
        let (params, results) = block_types(self.unit, try_table.ty);
        self.carried_values += results.len();
        let end = self.emitter.label(&results);
        let height = self.stack.len() - params.len();
        let kind = Kind::TryTable { end };
        self.push_frame(Frame::new(kind, height, &params, &results));
        self.handlers.push(Handler { frame: at, landing: None, clauses: Some(clauses) });
    }

    /// `end` of a `try_table`, whose frame is closed already.
    pub(super) fn end_try_table(&mut self, end: E::Label, mut frame: Frame<E>, offset: u64) {
        let handler = self.handlers.pop().expect("a try_table opened its handler");
        let clauses = handler.clauses.unwrap_or_default();
        if let Some(exception) = self.land(handler.landing, end, &mut frame) {
            self.dispatch(&clauses, exception, offset);
        }
        self.join(end, &frame);
    }

    /// Leaves the body of a handler for its block's end and goes on at its landing label. `None`
    /// where nothing lands; the body then still flows on.
    pub(super) fn land(
        &mut self,
        landing: Option<E::Label>,
        end: E::Label,
        frame: &mut Frame<E>,
    ) -> Option<E::Value> {
        let landing = landing?;
        self.leave_for(end, frame);
        self.emitter.bind(landing, &mut self.stack);
        let exception = self.pop();
        self.reachable = true;
        Some(exception)
    }

    /// Jumps to a block's end, where the code is reachable, and forgets the block's operands.
    pub(super) fn leave_for(&mut self, end: E::Label, frame: &mut Frame<E>) {
        if self.reachable {
            let args = &self.stack[self.stack.len() - frame.results..];
            self.emitter.jump(end, args);
            frame.branched = true;
        }
        self.stack.truncate(frame.height);
        self.reachable = false;
    }

    /// Finds the clause that catches, or passes the exception on.
    fn dispatch(&mut self, clauses: &[Clause], exception: E::Value, offset: u64) {
        let mut thrown = None;
        for clause in clauses {
            let Some(tag) = clause.tag else {
                let args: &[E::Value] = if clause.takes_exception { &[exception] } else { &[] };
                return self.branch_to_frame(clause.frame, args);
            };
            let next = self.skip_unless_tag(tag, exception, &mut thrown);
            let mut args = std::mem::take(&mut self.scratch);
            self.parameters(tag, exception, &mut args);
            if clause.takes_exception {
                args.push(exception);
            }
            self.branch_to_frame(clause.frame, &args);
            args.clear();
            self.scratch = args;
            self.emitter.bind(next, &mut self.stack);
            self.reachable = true;
        }
        self.pass_on(exception, offset);
    }

    /// Compares an exception's tag; the label is where code goes on if it is another. `thrown`
    /// keeps the exception's tag.
    pub(super) fn skip_unless_tag(
        &mut self,
        tag: TagIndex,
        exception: E::Value,
        thrown: &mut Option<E::Value>,
    ) -> E::Label {
        let place = FieldAccess::of_exception(heap::TAG, Slot::I32);
        let thrown =
            *thrown.get_or_insert_with(|| self.emitter.load_field(&place, false, exception));
        let wanted = self.emitter.tag_id(&TagAccess::new(self.unit, tag));
        let is_same = self.emitter.numeric(Numeric::I32Eq, &[thrown, wanted]);
        let next = self.emitter.label(&[]);
        self.emitter.branch_unless(is_same, next, None);
        next
    }

    /// Pushes the parameters of an exception whose tag is known to be `tag`.
    pub(super) fn parameters(
        &mut self,
        tag: TagIndex,
        exception: E::Value,
        out: &mut Vec<E::Value>,
    ) {
        for (at, slot) in &self.exception_layout(tag).fields {
            let place = FieldAccess::of_exception(*at, *slot);
            out.push(self.emitter.load_field(&place, false, exception));
        }
    }

    fn exception_layout(&self, tag: TagIndex) -> ObjectLayout {
        let info = self.unit.info;
        ObjectLayout::of_exception(&info.tag_type(tag).params, |heap| info.heap_top(heap))
    }

    fn branch_to_frame(&mut self, frame: usize, args: &[E::Value]) {
        let (label, _) = self.branch_target_at(frame);
        self.emitter.jump(label, args);
        self.reachable = false;
    }

    /// Where a call at this place goes on if it throws; `None` when not in this function.
    pub(super) fn landing(&mut self) -> Option<E::Label> {
        let innermost = self.handlers.len().checked_sub(1)?;
        Some(self.landing_of(innermost))
    }

    /// The landing label of a handler.
    pub(super) fn landing_of(&mut self, handler: usize) -> E::Label {
        if let Some(landing) = self.handlers[handler].landing {
            return landing;
        }
        self.carried_values += 1;
        let landing = self.emitter.label(&[EXCEPTION]);
        self.handlers[handler].landing = Some(landing);
        landing
    }

    /// `throw`.
    pub(super) fn throw(&mut self, tag: TagIndex, offset: u64) {
        self.mark(offset);
        let params = self.unit.info.tag_type(tag).params.len();
        let mut args = self.stack.split_off(self.stack.len() - params);
        let catcher = self.catcher(tag);
        if let Catcher::Clause(clause) = catcher
            && !clause.takes_exception
        {
            // Nobody looks at the exception, so there need not be one.
            let args: &[E::Value] = if clause.tag.is_some() { &args } else { &[] };
            return self.branch_to_frame(clause.frame, args);
        }
        let exception = self.exception(tag, &args, offset);
        match catcher {
            Catcher::Clause(clause) => {
                if clause.tag.is_none() {
                    args.clear();
                }
                args.push(exception);
                self.branch_to_frame(clause.frame, &args);
            }
            Catcher::Nobody => self.leave_function(exception),
            Catcher::Unknown => self.raise(exception),
        }
    }

    /// A new exception.
    pub(super) fn exception(&mut self, tag: TagIndex, args: &[E::Value], offset: u64) -> E::Value {
        let layout = self.exception_layout(tag);
        let access = TagAccess::new(self.unit, tag);
        let exception = self.object(access.ty, layout.bytes, offset);
        let id = self.emitter.tag_id(&access);
        self.emitter.store_field(&FieldAccess::initial(heap::TAG, Slot::I32), exception, id);
        for ((at, slot), value) in layout.fields.iter().zip(args) {
            self.emitter.store_field(&FieldAccess::initial(*at, *slot), exception, *value);
        }
        exception
    }

    /// `throw_ref`.
    pub(super) fn throw_ref(&mut self, offset: u64) {
        self.mark(offset);
        let exception = self.pop();
        if self.is_nullable() {
            self.emitter.trap_if_null(exception, TrapCode::NullExceptionReference);
        }
        self.raise(exception);
    }

    /// Who catches what is thrown here.
    fn catcher(&self, thrown: TagIndex) -> Catcher {
        let mut compared = 0;
        for handler in self.handlers.iter().rev() {
            let Some(clauses) = &handler.clauses else { return Catcher::Unknown };
            for clause in clauses {
                compared += 1;
                if compared > MAX_COMPARED_CLAUSES {
                    return Catcher::Unknown;
                }
                match clause.tag.map_or(Equality::Same, |tag| self.compare(tag, thrown)) {
                    Equality::Same => return Catcher::Clause(*clause),
                    Equality::Different => {}
                    Equality::Unknown => return Catcher::Unknown,
                }
            }
        }
        Catcher::Nobody
    }

    /// Two imported tags may be one. A tag that the module defines is new with each instance.
    fn compare(&self, a: TagIndex, b: TagIndex) -> Equality {
        let is_imported = |tag| self.unit.info.defined_tag(tag).is_none();
        if a == b {
            Equality::Same
        } else if is_imported(a) && is_imported(b) {
            Equality::Unknown
        } else {
            Equality::Different
        }
    }

    /// Throws an exception that is not null: to the innermost handler, or to the caller.
    pub(super) fn raise(&mut self, exception: E::Value) {
        match self.landing() {
            Some(landing) => self.emitter.jump(landing, &[exception]),
            None => self.leave_function(exception),
        }
        self.reachable = false;
    }

    /// Passes on an exception that landed here and was not caught.
    pub(super) fn pass_on(&mut self, exception: E::Value, offset: u64) {
        self.mark(offset);
        self.raise(exception);
    }

    /// Throws to the caller.
    pub(super) fn leave_function(&mut self, exception: E::Value) {
        self.emitter.builtin(Builtin::throw, &[exception]);
        self.emitter.trap(TrapCode::Unreachable);
        self.reachable = false;
    }
}
