//! One thread of the tier: compiles function after function, reusing its memory.

use crate::emit::CraneliftEmitter;
use crate::isa::{Effort, Isas};
use crate::{crowding, safepoints, sites};
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::UserFuncName;
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::{CodegenError, CompiledCode, Context};
use cranelift_frontend::FunctionBuilderContext;
use selkie_compile::driver::{CompiledFunc, Worker};
use selkie_compile::translate::{Positions, TranslatorScratch};
use selkie_compile::{CompileError, CompileUnit, Translator};
use selkie_module::DefinedFuncIndex;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A thread's scratch space.
pub(crate) struct CraneliftWorker<'c> {
    isas: &'c Isas,
    context: Context,
    registers: regalloc2::Ctx,
    builder: FunctionBuilderContext,
    walk: TranslatorScratch,
}

/// What is known of a function besides its intermediate form.
struct Walked {
    positions: Positions,
    uses_heap: bool,
}

impl<'c> CraneliftWorker<'c> {
    pub(crate) fn new(isas: &'c Isas) -> CraneliftWorker<'c> {
        CraneliftWorker {
            isas,
            context: Context::new(),
            registers: regalloc2::Ctx::default(),
            builder: FunctionBuilderContext::new(),
            walk: TranslatorScratch::default(),
        }
    }

    /// The chosen instructions as text.
    pub(crate) fn disassemble(
        &mut self,
        unit: &CompileUnit<'_>,
        func: DefinedFuncIndex,
    ) -> Result<String, CompileError> {
        self.guarded(func, |worker| {
            let (_, compiled) = worker.machine_code(unit, func, true)?;
            Ok(compiled.vcode.unwrap_or_default())
        })
    }

    /// The intermediate form as text.
    pub(crate) fn print_clif(
        &mut self,
        unit: &CompileUnit<'_>,
        func: DefinedFuncIndex,
    ) -> Result<String, CompileError> {
        self.guarded(func, |worker| {
            worker.translate(unit, func)?;
            Ok(worker.context.func.display().to_string())
        })
    }

    /// Runs a step; a panic in it is a defect of the compiler, and costs the module, not the host.
    fn guarded<T>(
        &mut self,
        func: DefinedFuncIndex,
        step: impl FnOnce(&mut Self) -> Result<T, CompileError>,
    ) -> Result<T, CompileError> {
        let outcome = catch_unwind(AssertUnwindSafe(|| step(self)));
        if !matches!(outcome, Ok(Ok(_))) {
            // What was half built is not reused.
            *self = CraneliftWorker::new(self.isas);
        }
        outcome.unwrap_or_else(|payload| {
            let said = payload
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| payload.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            Err(CompileError::Bug(format!("function {}: {said}", func.0)))
        })
    }

    fn isa(&self, unit: &CompileUnit<'_>, effort: Effort) -> &'c dyn TargetIsa {
        self.isas.get(effort, unit.tuning.canonical_nans)
    }

    /// Walks the body into `context.func`.
    fn translate(
        &mut self,
        unit: &CompileUnit<'_>,
        func: DefinedFuncIndex,
    ) -> Result<Walked, CompileError> {
        let isa = self.isa(unit, Effort::Full);
        self.context.clear();
        self.context.func.name = UserFuncName::user(0, func.0);
        let mut emitter =
            CraneliftEmitter::new(&mut self.context.func, &mut self.builder, unit, isa);
        let positions = Translator::new(unit, &mut emitter).function(func, &mut self.walk)?;
        let (uses_heap, traced) = emitter.finish();
        if !traced.is_empty() {
            safepoints::place(&mut self.context.func, &traced).map_err(|_| {
                let what = "a function keeps too many references alive at once; split it";
                CompileError::TooLarge(what.to_string())
            })?;
        }
        Ok(Walked { positions, uses_heap })
    }

    /// Walks a body and optimizes it as far as is possible in bounds; answers how far that was.
    fn optimized(
        &mut self,
        unit: &CompileUnit<'_>,
        func: DefinedFuncIndex,
    ) -> Result<(Walked, Effort), CompileError> {
        let walked = self.translate(unit, func)?;
        if !crowding::is_large(&self.context.func) {
            self.optimize(unit, Effort::Full)?;
            if !crowding::is_crowded(&self.context.func, &self.context.cfg) {
                return Ok((walked, Effort::Full));
            }
            self.translate(unit, func)?;
        }
        self.optimize(unit, Effort::Plain)?;
        Ok((walked, Effort::Plain))
    }

    fn optimize(&mut self, unit: &CompileUnit<'_>, effort: Effort) -> Result<(), CompileError> {
        let isa = self.isa(unit, effort);
        self.context.verify_if(isa).map_err(explain)?;
        self.context.optimize(isa, &mut ControlPlane::default()).map_err(explain)
    }

    /// Walks a body and makes machine code of it.
    fn machine_code(
        &mut self,
        unit: &CompileUnit<'_>,
        func: DefinedFuncIndex,
        wants_text: bool,
    ) -> Result<(Walked, CompiledCode), CompileError> {
        let (walked, effort) = self.optimized(unit, func)?;
        let isa = self.isa(unit, effort);
        let (func, domtree) = (&self.context.func, &self.context.domtree);
        let control = &mut ControlPlane::default();
        let stencil = isa.compile_function(func, domtree, &mut self.registers, wants_text, control);
        Ok((walked, stencil.map_err(explain)?.apply_params(&func.params)))
    }

    fn compile_one(
        &mut self,
        unit: &CompileUnit<'_>,
        func: DefinedFuncIndex,
    ) -> Result<CompiledFunc, CompileError> {
        let (walked, compiled) = self.machine_code(unit, func, false)?;
        let mut compiled = CompiledFunc {
            code: compiled.code_buffer().to_vec(),
            relocs: sites::relocs(&compiled, &self.context.func.params)?,
            sites: sites::sites(&compiled),
            positions: walked.positions.map,
            stack_maps: sites::stack_maps(&compiled),
            landings: sites::landings(&compiled),
            uses_heap: walked.uses_heap,
        };
        compiled.drop_unused_positions();
        Ok(compiled)
    }
}

impl Worker for CraneliftWorker<'_> {
    fn compile(
        &mut self,
        unit: &CompileUnit<'_>,
        func: DefinedFuncIndex,
    ) -> Result<CompiledFunc, CompileError> {
        self.guarded(func, |worker| worker.compile_one(unit, func))
    }
}

fn explain(error: CodegenError) -> CompileError {
    match error {
        CodegenError::ImplLimitExceeded | CodegenError::CodeTooLarge => {
            CompileError::TooLarge("a function exceeds the limits of the optimizing tier".into())
        }
        CodegenError::Verifier(errors) => CompileError::Bug(errors.to_string()),
        other => CompileError::Bug(other.to_string()),
    }
}
