//! The one walk over function bodies.
//!
//! Invariants: the operand stack holds exactly the values that validation says are there while
//! code is reachable; in unreachable code nothing is emitted and nothing is pushed, only nesting
//! is tracked; every operator is validated before it is looked at here. Small callees are walked
//! in place ([`crate::inline`]), each validated again by its own validator.

mod calls;
mod continuations;
mod control;
mod descriptors;
mod exceptions;
mod fuel;
mod heap;
mod interrupt;
mod legacy;
mod memory;
mod operator;
mod position;
mod shared;
mod table;

pub use position::Positions;

use crate::emitter::Emitter;
use crate::error::CompileError;
use crate::inline::InlinePlan;
use crate::unit::CompileUnit;
use control::Frame;
use exceptions::Handler;
use selkie_module::{DecodeError, DefinedFuncIndex, FuncType, FunctionSource, ValType};
use wasmparser::{FuncToValidate, FuncValidatorAllocations};

/// Values that the labels of one function may carry, all together. An emitter keeps something for
/// each; a few bytes of module can ask for a thousand.
const MAX_CARRIED_VALUES: usize = 4 << 20;

/// Walks one function body and tells an emitter. Scratch space is kept between functions.
pub struct Translator<'u, 'a, E: Emitter> {
    unit: &'u CompileUnit<'a>,
    emitter: &'u mut E,
    stack: Vec<E::Value>,
    frames: Vec<Frame<E>>,
    /// Where exceptions go, innermost last.
    handlers: Vec<Handler<E>>,
    reachable: bool,
    bodies: Vec<Body<E>>,
    positions: Positions,
    inline_budget_bytes: u64,
    /// Bytes that may still be copied and filled in place of calls.
    in_place_bytes: u64,
    /// The static type of the reference that the operator looks into, where it is known.
    looked_into: Option<wasmparser::RefType>,
    /// What the last operator pushed, if it was an integer constant.
    constant_on_top: Option<u64>,
    /// Fuel of operators that were walked and not told to the emitter yet.
    outstanding_fuel: u64,
    /// Operators that were walked since code last asked whether it is interrupted.
    unasked_operators: u32,
    /// Values that labels carry, all labels together.
    carried_values: usize,
    /// Values in transit: arguments, results.
    scratch: Vec<E::Value>,
}

/// The function being walked, or one that is inlined into it.
struct Body<E: Emitter> {
    func: DefinedFuncIndex,
    locals: Vec<E::Local>,
    /// Place of the body's outermost frame.
    first_frame: usize,
    /// Offset in the module of the body's first byte: branch hints count from here.
    start: u64,
    hints: std::ops::Range<usize>,
}

/// Validator allocations that a thread reuses.
#[derive(Default)]
pub struct TranslatorScratch {
    validators: Vec<FuncValidatorAllocations>,
}

impl<'u, 'a, E: Emitter> Translator<'u, 'a, E> {
    /// A walk that will tell `emitter`.
    pub fn new(unit: &'u CompileUnit<'a>, emitter: &'u mut E) -> Self {
        Translator {
            unit,
            emitter,
            stack: Vec::new(),
            frames: Vec::new(),
            handlers: Vec::new(),
            reachable: true,
            bodies: Vec::new(),
            positions: Positions::default(),
            inline_budget_bytes: 0,
            in_place_bytes: 0,
            looked_into: None,
            constant_on_top: None,
            outstanding_fuel: 0,
            unasked_operators: 0,
            carried_values: 0,
            scratch: Vec::new(),
        }
    }

    /// Walks a function. Returns what the positions told to the emitter mean.
    ///
    /// # Errors
    /// The function is invalid, or uses what no emitter knows.
    pub fn function(
        mut self,
        func: DefinedFuncIndex,
        scratch: &mut TranslatorScratch,
    ) -> Result<Positions, CompileError> {
        let source = &self.unit.functions[func.index()];
        let ty = self.unit.info.func_type(self.unit.info.func_index(func));
        let range = source.body.range();
        self.inline_budget_bytes = InlinePlan::budget_bytes(range.end - range.start);
        self.in_place_bytes = memory::in_place_bytes(range.end - range.start);
        let mut params = std::mem::take(&mut self.scratch);
        self.emitter.begin(ty, &mut params);
        self.push_body(source, ty, &params);
        params.clear();
        self.scratch = params;
        self.check_fuel(range.start);
        self.check_interrupt(range.start);
        self.walk(source, scratch)?;
        let results = std::mem::take(&mut self.stack);
        if self.reachable {
            self.settle_fuel();
            self.emitter.ret(&results);
        }
        Ok(self.positions)
    }

    /// Opens a body: its parameters become locals, its outermost frame a block of its results.
    fn push_body(&mut self, source: &FunctionSource<'a>, ty: &FuncType, params: &[E::Value]) {
        let locals = ty
            .params
            .iter()
            .zip(params)
            .map(|(ty, value)| self.emitter.local(*ty, Some(*value)))
            .collect();
        let func_index = self.unit.info.func_index(source.index);
        let hints = self.unit.branch_hints;
        let place = hints.binary_search_by_key(&func_index, |(f, _)| *f);
        self.bodies.push(Body {
            func: source.index,
            locals,
            first_frame: self.frames.len(),
            start: source.body.range().start,
            hints: place.map_or(0..0, |at| at..at + 1),
        });
        let label = self.emitter.label(&ty.results);
        self.push_frame(Frame::block(label, &[], &ty.results, self.stack.len()));
    }

    fn walk(
        &mut self,
        source: &FunctionSource<'a>,
        scratch: &mut TranslatorScratch,
    ) -> Result<(), CompileError> {
        let to_validate = FuncToValidate {
            resources: source.to_validate.resources.clone(),
            index: source.to_validate.index,
            ty: source.to_validate.ty,
            features: source.to_validate.features,
        };
        let allocations = scratch.validators.pop().unwrap_or_default();
        let mut validator = to_validate.into_validator(allocations);
        let done = self.walk_validated(source, &mut validator, scratch);
        scratch.validators.push(validator.into_allocations());
        done
    }

    fn walk_validated(
        &mut self,
        source: &FunctionSource<'a>,
        validator: &mut wasmparser::FuncValidator<wasmparser::ValidatorResources>,
        scratch: &mut TranslatorScratch,
    ) -> Result<(), CompileError> {
        let invalid = |e| explain(self.unit, &e);
        let mut reader = source.body.get_binary_reader();
        validator.read_locals(&mut reader).map_err(invalid)?;
        self.declare_locals(source).map_err(invalid)?;
        let mut operators = wasmparser::OperatorsReader::new(reader);
        while !operators.eof() {
            let offset = operators.original_position();
            let op = operators.read().map_err(invalid)?;
            self.looked_into = heap::looked_into(&op).and_then(|depth| {
                match validator.get_operand_type(depth)?? {
                    wasmparser::ValType::Ref(ty) => Some(ty),
                    _ => None,
                }
            });
            validator.op(offset, &op).map_err(invalid)?;
            self.count_fuel(&op);
            self.count_unasked(offset);
            self.operator(&op, offset, scratch)?;
            if self.emitter.is_exhausted() {
                let what = "a function has too many locals alive over too many blocks; split it";
                return Err(CompileError::TooLarge(what.to_string()));
            }
        }
        operators.finish().map_err(invalid)
    }

    fn declare_locals(&mut self, source: &FunctionSource<'a>) -> wasmparser::Result<()> {
        for group in source.body.get_locals_reader()? {
            let (count, ty) = group?;
            let ty = selkie_module::decode::val_type(ty);
            for _ in 0..count {
                let local = self.emitter.local(ty, None);
                self.body().locals.push(local);
            }
        }
        Ok(())
    }

    fn body(&mut self) -> &mut Body<E> {
        self.bodies.last_mut().expect("a body is open while operators are walked")
    }

    /// Tells the emitter where following code comes from.
    fn mark(&mut self, offset: u64) {
        let position = self.positions.at(offset);
        self.emitter.at(position);
    }

    fn push(&mut self, value: E::Value) {
        self.stack.push(value);
    }

    fn pop(&mut self) -> E::Value {
        self.stack.pop().expect("validation: operands are present in reachable code")
    }

    fn hint(&mut self, offset: u64) -> Option<bool> {
        let hints = self.unit.branch_hints;
        let body = self.body();
        let (_, hints) = &hints[body.hints.clone()].first()?;
        let at = u32::try_from(offset - body.start).ok()?;
        let place = hints.binary_search_by_key(&at, |(offset, _)| *offset).ok()?;
        Some(hints[place].1)
    }
}

fn explain(unit: &CompileUnit<'_>, error: &wasmparser::BinaryReaderError) -> CompileError {
    CompileError::Invalid(DecodeError::explain(error, unit.bytes, unit.features))
}

/// The types of a block, as far as the walk needs them.
fn block_types(
    unit: &CompileUnit<'_>,
    ty: wasmparser::BlockType,
) -> (Box<[ValType]>, Box<[ValType]>) {
    match ty {
        wasmparser::BlockType::Empty => (Box::new([]), Box::new([])),
        wasmparser::BlockType::Type(ty) => {
            (Box::new([]), Box::new([selkie_module::decode::val_type(ty)]))
        }
        wasmparser::BlockType::FuncType(index) => {
            let ty = unit
                .info
                .func_type_at(selkie_module::TypeIndex(index))
                .expect("validation: block types are function types");
            (ty.params.clone(), ty.results.clone())
        }
    }
}
