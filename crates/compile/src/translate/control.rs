//! The control stack: blocks, loops, ifs, branches.

use super::legacy::Caught;
use super::{Translator, block_types};
use crate::emitter::Emitter;
use selkie_module::{TypeIndex, ValType};
use wasmparser::BlockType;

/// An open block.
pub(super) struct Frame<E: Emitter> {
    pub(super) kind: Kind<E>,
    /// Operand stack height below the block's parameters.
    pub(super) height: usize,
    params: usize,
    pub(super) results: usize,
    /// The defined type, if it is one, that the last value of a branch to it refers to.
    pub(super) last_carried: Option<TypeIndex>,
    /// Whether anything branches to `label`.
    pub(super) branched: bool,
}

pub(super) enum Kind<E: Emitter> {
    /// Opened in unreachable code: nothing is known and nothing is emitted.
    Dead,
    Block {
        end: E::Label,
    },
    Loop {
        head: E::Label,
    },
    If {
        end: E::Label,
        otherwise: E::Label,
        /// The parameters, for an `else`.
        params: Box<[E::Value]>,
    },
    Else {
        end: E::Label,
    },
    /// With clauses; its handler is the innermost one.
    TryTable {
        end: E::Label,
    },
    /// The body of a legacy `try`; its handler is the innermost one.
    Try {
        end: E::Label,
    },
    /// A clause of a legacy `try`.
    Catch(Caught<E>),
}

impl<E: Emitter> Frame<E> {
    pub(super) fn block(
        end: E::Label,
        params: &[ValType],
        results: &[ValType],
        height: usize,
    ) -> Frame<E> {
        Frame::new(Kind::Block { end }, height, params, results)
    }

    pub(super) fn new(
        kind: Kind<E>,
        height: usize,
        params: &[ValType],
        results: &[ValType],
    ) -> Frame<E> {
        let carried = if matches!(kind, Kind::Loop { .. }) { params } else { results };
        let last_carried = carried.last().and_then(|ty| ty.named());
        let (params, results) = (params.len(), results.len());
        Frame { kind, height, params, results, last_carried, branched: false }
    }

    /// Whether nothing leads to the frame's end but its own code.
    pub(super) fn ends_straight(&self) -> bool {
        match self.kind {
            Kind::Loop { .. } => true,
            Kind::Block { .. } | Kind::Else { .. } => !self.branched,
            _ => false,
        }
    }

    /// Where a branch to the frame goes, and how many values it carries.
    fn target(&self) -> Option<(E::Label, usize)> {
        match &self.kind {
            Kind::Dead => None,
            Kind::Loop { head } => Some((*head, self.params)),
            Kind::Block { end }
            | Kind::If { end, .. }
            | Kind::Else { end }
            | Kind::TryTable { end }
            | Kind::Try { end }
            | Kind::Catch(Caught { end, .. }) => Some((*end, self.results)),
        }
    }
}

impl<E: Emitter> Translator<'_, '_, E> {
    pub(super) fn push_frame(&mut self, frame: Frame<E>) {
        self.frames.push(frame);
    }

    fn push_dead_frame(&mut self) {
        let height = self.stack.len();
        self.frames.push(Frame::new(Kind::Dead, height, &[], &[]));
    }

    pub(super) fn block(&mut self, ty: BlockType) {
        if !self.reachable {
            return self.push_dead_frame();
        }
        let (params, results) = block_types(self.unit, ty);
        self.carried_values += results.len();
        let label = self.emitter.label(&results);
        let height = self.stack.len() - params.len();
        self.frames.push(Frame::block(label, &params, &results, height));
    }

    pub(super) fn loop_(&mut self, ty: BlockType, offset: u64) {
        if !self.reachable {
            return self.push_dead_frame();
        }
        let (params, results) = block_types(self.unit, ty);
        self.carried_values += params.len();
        let height = self.stack.len() - params.len();
        let args = self.stack.split_off(height);
        let head = self.emitter.begin_loop(&params, &args, &mut self.stack);
        self.frames.push(Frame::new(Kind::Loop { head }, height, &params, &results));
        self.check_fuel(offset);
        self.check_interrupt(offset);
    }

    pub(super) fn if_(&mut self, ty: BlockType, offset: u64) {
        if !self.reachable {
            return self.push_dead_frame();
        }
        let hint = self.hint(offset);
        let condition = self.pop();
        let (params, results) = block_types(self.unit, ty);
        self.carried_values += results.len();
        let end = self.emitter.label(&results);
        let otherwise = self.emitter.label(&[]);
        self.emitter.branch_unless(condition, otherwise, hint);
        let height = self.stack.len() - params.len();
        let kept = self.stack[height..].into();
        let kind = Kind::If { end, otherwise, params: kept };
        self.frames.push(Frame::new(kind, height, &params, &results));
    }

    pub(super) fn else_(&mut self) {
        let reachable = self.reachable;
        let frame = self.frames.last_mut().expect("validation: else stands in an if");
        let Kind::If { end, otherwise, params } = &mut frame.kind else { return };
        let (end, otherwise, params) = (*end, *otherwise, std::mem::take(params));
        if reachable {
            let args = &self.stack[self.stack.len() - frame.results..];
            self.emitter.jump(end, args);
            frame.branched = true;
        }
        self.stack.truncate(frame.height);
        self.emitter.bind(otherwise, &mut self.stack);
        self.stack.extend_from_slice(&params);
        frame.kind = Kind::Else { end };
        self.reachable = true;
    }

    /// `end` of any block; the outermost one of a body leaves its results on the stack.
    pub(super) fn end(&mut self, offset: u64) {
        let mut frame = self.frames.pop().expect("validation: end closes a block");
        match std::mem::replace(&mut frame.kind, Kind::Dead) {
            Kind::Dead => {}
            Kind::Loop { head } => {
                self.emitter.end_loop(head);
                if !self.reachable {
                    self.stack.truncate(frame.height);
                }
            }
            Kind::Block { end } | Kind::Else { end } => self.join(end, &frame),
            Kind::TryTable { end } => self.end_try_table(end, frame, offset),
            Kind::Try { end } => self.end_try(end, frame, offset),
            Kind::Catch(caught) => self.end_catch(caught, frame, offset),
            Kind::If { end, otherwise, params } => {
                // Without an else the parameters are the results.
                if self.reachable {
                    let args = &self.stack[self.stack.len() - frame.results..];
                    self.emitter.jump(end, args);
                }
                self.stack.truncate(frame.height);
                self.emitter.bind(otherwise, &mut self.stack);
                self.stack.extend_from_slice(&params);
                self.reachable = true;
                frame.branched = true;
                self.join(end, &frame);
            }
        }
    }

    /// Falls into `end`. A label that nothing branches to is never bound: code just goes on.
    pub(super) fn join(&mut self, end: E::Label, frame: &Frame<E>) {
        if !frame.branched {
            if !self.reachable {
                self.stack.truncate(frame.height);
            }
            return;
        }
        if self.reachable {
            let args = &self.stack[self.stack.len() - frame.results..];
            self.emitter.jump(end, args);
        }
        self.stack.truncate(frame.height);
        self.emitter.bind(end, &mut self.stack);
        self.reachable = true;
    }

    /// The target of a branch from reachable code: such a frame is never dead.
    pub(super) fn branch_target(&mut self, depth: u32) -> (E::Label, usize) {
        self.branch_target_at(self.frames.len() - 1 - depth as usize)
    }

    /// The same for a place on the control stack.
    pub(super) fn branch_target_at(&mut self, at: usize) -> (E::Label, usize) {
        let frame = &mut self.frames[at];
        frame.branched = true;
        frame.target().expect("frames around reachable code are alive")
    }

    pub(super) fn br(&mut self, depth: u32) {
        let (label, arity) = self.branch_target(depth);
        let args = &self.stack[self.stack.len() - arity..];
        self.emitter.jump(label, args);
        self.reachable = false;
    }

    pub(super) fn br_if(&mut self, depth: u32, offset: u64) {
        let hint = self.hint(offset);
        let condition = self.pop();
        let (label, arity) = self.branch_target(depth);
        let args = &self.stack[self.stack.len() - arity..];
        self.emitter.branch_if(condition, label, args, hint);
    }

    pub(super) fn br_table(&mut self, table: &wasmparser::BrTable<'_>) -> wasmparser::Result<()> {
        let index = self.pop();
        let (default, arity) = self.branch_target(table.default());
        let mut targets = Vec::with_capacity(table.len() as usize);
        for depth in table.targets() {
            targets.push(self.branch_target(depth?).0);
        }
        let args = &self.stack[self.stack.len() - arity..];
        self.emitter.br_table(index, &targets, default, args);
        self.reachable = false;
        Ok(())
    }

    /// `return`: from an inlined body it is a branch to the body's end.
    pub(super) fn return_(&mut self) {
        let first_frame = self.body().first_frame;
        if self.bodies.len() > 1 {
            return self.br((self.frames.len() - 1 - first_frame) as u32);
        }
        let results = self.frames[first_frame].results;
        let args = &self.stack[self.stack.len() - results..];
        self.emitter.ret(args);
        self.reachable = false;
    }

    /// `br_on_null` / `br_on_non_null`: branches on a test of the top reference.
    pub(super) fn br_on_null(&mut self, depth: u32, when_null: bool) {
        let reference = self.pop();
        let is_null = self.emitter.ref_is_null(reference);
        if when_null {
            let (label, arity) = self.branch_target(depth);
            let args = &self.stack[self.stack.len() - arity..];
            self.emitter.branch_if(is_null, label, args, None);
            self.push(reference);
            return;
        }
        let is_value = self.emitter.numeric(crate::Numeric::I32Eqz, &[is_null]);
        self.push(reference);
        let (label, arity) = self.branch_target(depth);
        let args = &self.stack[self.stack.len() - arity..];
        self.emitter.branch_if(is_value, label, args, None);
        self.pop();
    }
}
