//! The earlier exception instructions: `try` with `catch`, `catch_all`, `delegate`, `rethrow`
//! (the exception handling proposal before exception references).
//!
//! A `try` opens a handler whose clauses are not known before its body ends. Each `catch` is then
//! code of its own, entered where the exception's tag is the clause's; the block's end is where
//! body and clauses meet.

use super::Translator;
use super::control::{Frame, Kind};
use super::exceptions::Handler;
use crate::emitter::Emitter;
use crate::translate::block_types;
use selkie_module::TagIndex;
use wasmparser::BlockType;

/// The clauses of a `try` while they are walked.
pub(super) struct Caught<E: Emitter> {
    pub(super) end: E::Label,
    /// The exception; `None` where the body throws nowhere, and its clauses are unreachable.
    exception: Option<E::Value>,
    /// The exception's tag, once a clause asked for it.
    tag: Option<E::Value>,
    /// Where code goes on when no clause so far catches; `None` after `catch_all`.
    next: Option<E::Label>,
}

impl<E: Emitter> Translator<'_, '_, E> {
    pub(super) fn try_(&mut self, ty: BlockType) {
        let (params, results) = block_types(self.unit, ty);
        self.carried_values += results.len();
        let end = self.emitter.label(&results);
        let height = self.stack.len() - params.len();
        self.handlers.push(Handler::of_later_clauses(self.frames.len()));
        let kind = Kind::Try { end };
        self.push_frame(Frame::new(kind, height, &params, &results));
    }

    /// `catch`, or `catch_all` without a tag.
    pub(super) fn catch(&mut self, tag: Option<TagIndex>) {
        let mut frame = self.frames.pop().expect("validation: a clause stands in a try");
        let mut caught = match std::mem::replace(&mut frame.kind, Kind::Dead) {
            Kind::Try { end } => self.end_body(end, &mut frame),
            Kind::Catch(mut caught) => {
                self.leave_for(caught.end, &mut frame);
                if let Some(next) = caught.next.take() {
                    self.emitter.bind(next, &mut self.stack);
                    self.reachable = true;
                }
                caught
            }
            // The whole block is unreachable.
            _ => return self.push_frame(frame),
        };
        if let Some(exception) = caught.exception.filter(|_| self.reachable)
            && let Some(tag) = tag
        {
            caught.next = Some(self.skip_unless_tag(tag, exception, &mut caught.tag));
            let mut params = std::mem::take(&mut self.stack);
            self.parameters(tag, exception, &mut params);
            self.stack = params;
        }
        frame.kind = Kind::Catch(caught);
        self.push_frame(frame);
    }

    /// The first clause ends the body, and with it the handler.
    fn end_body(&mut self, end: E::Label, frame: &mut Frame<E>) -> Caught<E> {
        let handler = self.handlers.pop().expect("a try opened its handler");
        let exception = self.land(handler.landing, end, frame);
        if exception.is_none() {
            self.leave_for(end, frame);
        }
        Caught { end, exception, tag: None, next: None }
    }

    /// `end` of a `try` without clauses.
    pub(super) fn end_try(&mut self, end: E::Label, mut frame: Frame<E>, offset: u64) {
        let handler = self.handlers.pop().expect("a try opened its handler");
        if let Some(exception) = self.land(handler.landing, end, &mut frame) {
            self.pass_on(exception, offset);
        }
        self.join(end, &frame);
    }

    /// `end` behind the clauses of a `try`.
    pub(super) fn end_catch(&mut self, caught: Caught<E>, mut frame: Frame<E>, offset: u64) {
        if let (Some(next), Some(exception)) = (caught.next, caught.exception) {
            self.leave_for(caught.end, &mut frame);
            self.emitter.bind(next, &mut self.stack);
            self.reachable = true;
            self.pass_on(exception, offset);
        }
        self.join(caught.end, &frame);
    }

    /// `delegate`: what the body throws goes on as if the block with this label had thrown it.
    pub(super) fn delegate(&mut self, depth: u32, offset: u64) {
        let mut frame = self.frames.pop().expect("validation: delegate closes a try");
        let Kind::Try { end } = frame.kind else { return };
        let handler = self.handlers.pop().expect("a try opened its handler");
        if let Some(exception) = self.land(handler.landing, end, &mut frame) {
            let target = self.frames.len() - 1 - depth as usize;
            match self.handlers.iter().rposition(|handler| handler.frame <= target) {
                Some(handler) => {
                    let landing = self.landing_of(handler);
                    self.emitter.jump(landing, &[exception]);
                    self.reachable = false;
                }
                None => {
                    self.mark(offset);
                    self.leave_function(exception);
                }
            }
        }
        self.join(end, &frame);
    }

    /// `rethrow`: throws what the clause around it has caught.
    pub(super) fn rethrow(&mut self, depth: u32, offset: u64) {
        self.mark(offset);
        let frame = &self.frames[self.frames.len() - 1 - depth as usize];
        let exception = match &frame.kind {
            Kind::Catch(caught) => caught.exception,
            _ => None,
        };
        let exception = exception.expect("validation: rethrow names a clause, and it is reachable");
        self.raise(exception);
    }
}
