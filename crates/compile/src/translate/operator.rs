//! One operator: dispatch, and everything that needs no state of its own.

use super::{MAX_CARRIED_VALUES, Translator, TranslatorScratch, explain};
use crate::emitter::{Const, Emitter, Lanes, WideOp};
use crate::error::CompileError;
use crate::memory_ops;
use crate::ops::Numeric;
use crate::plan::GlobalAccess;
use selkie_module::builtins::Builtin;
use selkie_module::{FuncIndex, GlobalIndex, TagIndex, TrapCode, ValType};
use wasmparser::Operator;

impl<E: Emitter> Translator<'_, '_, E> {
    /// Walks one validated operator.
    pub(super) fn operator(
        &mut self,
        op: &Operator<'_>,
        offset: u64,
        scratch: &mut TranslatorScratch,
    ) -> Result<(), CompileError> {
        match op {
            Operator::Block { blockty } => self.block(*blockty),
            Operator::Loop { blockty } => self.loop_(*blockty, offset),
            Operator::If { blockty } => self.if_(*blockty, offset),
            Operator::Else => self.else_(),
            Operator::End => self.end(offset),
            Operator::TryTable { .. } | Operator::Try { .. } if !self.reachable => {
                self.block(wasmparser::BlockType::Empty);
            }
            Operator::TryTable { try_table } => self.try_table(try_table),
            Operator::Try { blockty } => self.try_(*blockty),
            Operator::Catch { tag_index } => self.catch(Some(TagIndex(*tag_index))),
            Operator::CatchAll => self.catch(None),
            // Closes a `try` without an `end`.
            Operator::Delegate { relative_depth } => self.delegate(*relative_depth, offset),
            _ if !self.reachable => {}
            _ => {
                self.reachable_operator(op, offset, scratch)?;
                self.constant_on_top = match *op {
                    Operator::I32Const { value } => Some(u64::from(value as u32)),
                    Operator::I64Const { value } => Some(value as u64),
                    _ => None,
                };
                return Ok(());
            }
        }
        self.constant_on_top = None;
        if self.carried_values > MAX_CARRIED_VALUES {
            let what = "the blocks of a function carry too many values";
            return Err(CompileError::TooLarge(what.to_string()));
        }
        Ok(())
    }

    fn reachable_operator(
        &mut self,
        op: &Operator<'_>,
        offset: u64,
        scratch: &mut TranslatorScratch,
    ) -> Result<(), CompileError> {
        if let Some(numeric) = Numeric::of(op) {
            self.numeric(numeric, offset);
        } else if !self.value_operator(op)
            && !self.lane_operator(op)
            && !self.memory_operator(op, offset)
            && !self.table_operator(op, offset)
            && !self.heap_operator(op, offset)
            && !self.shared_operator(op, offset)
            && !self.continuation_operator(op, offset)?
        {
            match op {
                Operator::Unreachable => {
                    self.mark(offset);
                    self.emitter.trap(TrapCode::Unreachable);
                    self.reachable = false;
                }
                Operator::Br { relative_depth } => self.br(*relative_depth),
                Operator::BrIf { relative_depth } => self.br_if(*relative_depth, offset),
                Operator::BrTable { targets } => {
                    self.br_table(targets).map_err(|e| explain(self.unit, &e))?;
                }
                Operator::Return => self.return_(),
                Operator::Throw { tag_index } => self.throw(TagIndex(*tag_index), offset),
                Operator::ThrowRef => self.throw_ref(offset),
                Operator::Rethrow { relative_depth } => self.rethrow(*relative_depth, offset),
                Operator::BrOnNull { relative_depth } => self.br_on_null(*relative_depth, true),
                Operator::BrOnNonNull { relative_depth } => {
                    self.br_on_null(*relative_depth, false);
                }
                _ => return self.call_operator(op, offset, scratch),
            }
        }
        Ok(())
    }

    fn numeric(&mut self, op: Numeric, offset: u64) {
        if op.can_trap() {
            self.mark(offset);
        }
        let at = self.stack.len() - op.params().len();
        let value = self.emitter.numeric(op, &self.stack[at..]);
        self.stack.truncate(at);
        self.push(value);
    }

    /// Constants, locals, globals, references, parametric and wide instructions.
    fn value_operator(&mut self, op: &Operator<'_>) -> bool {
        let value = match *op {
            Operator::Nop => return true,
            Operator::Drop => {
                let value = self.pop();
                self.emitter.drop(value);
                return true;
            }
            Operator::I32Const { value } => self.emitter.constant(Const::I32(value)),
            Operator::I64Const { value } => self.emitter.constant(Const::I64(value)),
            Operator::F32Const { value } => self.emitter.constant(Const::F32(value.bits())),
            Operator::F64Const { value } => self.emitter.constant(Const::F64(value.bits())),
            Operator::V128Const { value } => {
                self.emitter.constant(Const::V128(u128::from_le_bytes(*value.bytes())))
            }
            Operator::LocalGet { local_index } => {
                let local = self.body().locals[local_index as usize];
                self.emitter.local_get(local)
            }
            Operator::LocalSet { local_index } => {
                let value = self.pop();
                let local = self.body().locals[local_index as usize];
                self.emitter.local_set(local, value);
                return true;
            }
            Operator::LocalTee { local_index } => {
                let value = self.pop();
                let local = self.body().locals[local_index as usize];
                self.emitter.local_set(local, value);
                self.emitter.local_get(local)
            }
            Operator::GlobalGet { global_index } => {
                let access = GlobalAccess::new(self.unit, GlobalIndex(global_index));
                match access {
                    GlobalAccess::Constant(value) => self.emitter.constant(value),
                    GlobalAccess::Memory { .. } => self.emitter.global_get(&access),
                }
            }
            Operator::GlobalSet { global_index } => {
                let value = self.pop();
                let access = GlobalAccess::new(self.unit, GlobalIndex(global_index));
                self.emitter.global_set(&access, value);
                return true;
            }
            Operator::Select => self.select(ValType::I32),
            Operator::TypedSelect { ty } => self.select(selkie_module::decode::val_type(ty)),
            Operator::RefNull { .. } => self.emitter.constant(Const::Null),
            Operator::RefIsNull => {
                let value = self.pop();
                self.emitter.ref_is_null(value)
            }
            Operator::RefFunc { function_index } => self.ref_func(FuncIndex(function_index)),
            Operator::I64Add128 => return self.wide(WideOp::Add128, 4),
            Operator::I64Sub128 => return self.wide(WideOp::Sub128, 4),
            Operator::I64MulWideS => return self.wide(WideOp::MulWideS, 2),
            Operator::I64MulWideU => return self.wide(WideOp::MulWideU, 2),
            _ => return false,
        };
        self.push(value);
        true
    }

    /// `select`; the type matters only where it is written, and the emitter knows numbers' types.
    fn select(&mut self, ty: ValType) -> E::Value {
        let condition = self.pop();
        let if_false = self.pop();
        let if_true = self.pop();
        self.emitter.select(ty, condition, if_true, if_false)
    }

    fn wide(&mut self, op: WideOp, operands: usize) -> bool {
        let at = self.stack.len() - operands;
        let (low, high) = self.emitter.wide(op, &self.stack[at..]);
        self.stack.truncate(at);
        self.push(low);
        self.push(high);
        true
    }

    fn ref_func(&mut self, func: FuncIndex) -> E::Value {
        let place = self.unit.info.func_ref(func);
        let place = place.expect("validation: ref.func names a declared function");
        // An imported function has its reference elsewhere; only the runtime knows where.
        if self.unit.info.defined_func(func).is_some() {
            return self.emitter.ref_func(self.unit.layout.func_ref(place), place);
        }
        let place = self.emitter.constant(Const::I32(place.0 as i32));
        let func = self.emitter.builtin(Builtin::ref_func, &[place]);
        func.expect("ref_func returns a reference")
    }

    /// Instructions with lane immediates.
    fn lane_operator(&mut self, op: &Operator<'_>) -> bool {
        use Lanes::*;
        match *op {
            Operator::I8x16ExtractLaneS { lane } => self.extract(I8x16, lane, true),
            Operator::I8x16ExtractLaneU { lane } => self.extract(I8x16, lane, false),
            Operator::I16x8ExtractLaneS { lane } => self.extract(I16x8, lane, true),
            Operator::I16x8ExtractLaneU { lane } => self.extract(I16x8, lane, false),
            Operator::I32x4ExtractLane { lane } => self.extract(I32x4, lane, false),
            Operator::I64x2ExtractLane { lane } => self.extract(I64x2, lane, false),
            Operator::F32x4ExtractLane { lane } => self.extract(F32x4, lane, false),
            Operator::F64x2ExtractLane { lane } => self.extract(F64x2, lane, false),
            Operator::I8x16ReplaceLane { lane } => self.replace(I8x16, lane),
            Operator::I16x8ReplaceLane { lane } => self.replace(I16x8, lane),
            Operator::I32x4ReplaceLane { lane } => self.replace(I32x4, lane),
            Operator::I64x2ReplaceLane { lane } => self.replace(I64x2, lane),
            Operator::F32x4ReplaceLane { lane } => self.replace(F32x4, lane),
            Operator::F64x2ReplaceLane { lane } => self.replace(F64x2, lane),
            Operator::I8x16Shuffle { lanes } => {
                let b = self.pop();
                let a = self.pop();
                let value = self.emitter.shuffle(lanes, a, b);
                self.push(value);
            }
            _ => return false,
        }
        true
    }

    fn extract(&mut self, lanes: Lanes, lane: u8, signed: bool) {
        let vector = self.pop();
        let value = self.emitter.extract_lane(lanes, lane, signed, vector);
        self.push(value);
    }

    fn replace(&mut self, lanes: Lanes, lane: u8) {
        let value = self.pop();
        let vector = self.pop();
        let value = self.emitter.replace_lane(lanes, lane, vector, value);
        self.push(value);
    }

    /// Whether the operator is one of linear memory; walks it.
    fn memory_operator(&mut self, op: &Operator<'_>, offset: u64) -> bool {
        if let Some((load, memarg)) = memory_ops::load(op) {
            self.load(load, &memarg, offset);
        } else if let Some((store, memarg)) = memory_ops::store(op) {
            self.store(store, &memarg, offset);
        } else if let Some((atomic, memarg)) = memory_ops::atomic(op) {
            self.atomic(atomic, &memarg, offset);
        } else {
            return self.vector_memory_operator(op, offset) || self.bulk_operator(op, offset);
        }
        true
    }
}
