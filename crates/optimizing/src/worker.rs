//! One thread of the tier: compiles function after function, reusing its memory.

use crate::emit::CraneliftEmitter;
use crate::{safepoints, sites};
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::UserFuncName;
use cranelift_codegen::isa::{OwnedTargetIsa, TargetIsa};
use cranelift_codegen::{CodegenError, Context};
use cranelift_frontend::FunctionBuilderContext;
use selkie_compile::driver::{CompiledFunc, Worker};
use selkie_compile::translate::{Positions, TranslatorScratch};
use selkie_compile::{CompileError, CompileUnit, Translator};
use selkie_module::DefinedFuncIndex;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A thread's scratch space.
pub(crate) struct CraneliftWorker<'c> {
    isas: &'c [OwnedTargetIsa; 2],
    context: Context,
    builder: FunctionBuilderContext,
    walk: TranslatorScratch,
}

impl<'c> CraneliftWorker<'c> {
    pub(crate) fn new(isas: &'c [OwnedTargetIsa; 2]) -> CraneliftWorker<'c> {
        CraneliftWorker {
            isas,
            context: Context::new(),
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
            worker.translate(unit, func)?;
            worker.context.set_disasm(true);
            worker.generate(unit)?;
            let compiled = worker.context.compiled_code();
            Ok(compiled.and_then(|compiled| compiled.vcode.clone()).unwrap_or_default())
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

    fn isa(&self, unit: &CompileUnit<'_>) -> &'c dyn TargetIsa {
        &*self.isas[usize::from(unit.tuning.canonical_nans)]
    }

    /// Walks the body into `context.func`; answers also whether it needs the collected heap.
    fn translate(
        &mut self,
        unit: &CompileUnit<'_>,
        func: DefinedFuncIndex,
    ) -> Result<(Positions, bool), CompileError> {
        let isa = self.isa(unit);
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
        Ok((positions, uses_heap))
    }

    fn generate(&mut self, unit: &CompileUnit<'_>) -> Result<(), CompileError> {
        let isa = self.isa(unit);
        match self.context.compile(isa, &mut ControlPlane::default()) {
            Ok(_) => Ok(()),
            Err(error) => Err(explain(error.inner)),
        }
    }

    fn compile_one(
        &mut self,
        unit: &CompileUnit<'_>,
        func: DefinedFuncIndex,
    ) -> Result<CompiledFunc, CompileError> {
        let (positions, uses_heap) = self.translate(unit, func)?;
        self.generate(unit)?;
        let Some(compiled) = self.context.compiled_code() else {
            return Err(CompileError::Bug("no code came out".to_string()));
        };
        let mut compiled = CompiledFunc {
            code: compiled.code_buffer().to_vec(),
            relocs: sites::relocs(compiled, &self.context.func.params)?,
            sites: sites::sites(compiled),
            positions: positions.map,
            stack_maps: sites::stack_maps(compiled),
            landings: sites::landings(compiled),
            uses_heap,
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
