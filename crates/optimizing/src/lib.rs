//! Floor 2: the optimizing tier.
//!
//! One walk over a body (`selkie_compile::Translator`) becomes one Cranelift function; Cranelift
//! makes machine code of it; what the runtime must know about that code becomes sites. Every
//! decision about checks, places and call kinds arrives as a plan: this crate carries plans out
//! and makes none of its own. It is the only crate that knows Cranelift.
#![forbid(unsafe_code)]

mod abi;
mod crowding;
mod emit;
mod isa;
mod safepoints;
mod sites;
mod worker;

use isa::{Effort, Isas};
use selkie_compile::driver::{Compiler, Worker};
use selkie_compile::{CompileError, CompileUnit};
use selkie_module::DefinedFuncIndex;

/// Compiles for the processor it runs on.
pub struct OptimizingCompiler {
    isas: Isas,
    fingerprint: String,
}

impl OptimizingCompiler {
    /// A compiler for this host.
    ///
    /// # Errors
    /// The host's processor lacks what generated code relies on; the text says what.
    pub fn new() -> Result<OptimizingCompiler, String> {
        let isas = Isas::for_host()?;
        let fingerprint = isa::fingerprint(isas.get(Effort::Full, false));
        Ok(OptimizingCompiler { isas, fingerprint })
    }

    /// Names everything besides the unit that shapes the code: Cranelift's version, the target
    /// and its features, the flags. Artifacts of different fingerprints are not interchangeable.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The instructions chosen for one function, as text.
    ///
    /// # Errors
    /// As compiling.
    pub fn disassemble(
        &self,
        unit: &CompileUnit<'_>,
        func: DefinedFuncIndex,
    ) -> Result<String, CompileError> {
        worker::CraneliftWorker::new(&self.isas).disassemble(unit, func)
    }

    /// One function as Cranelift's intermediate form, before it is optimized.
    ///
    /// # Errors
    /// As compiling.
    pub fn print_clif(
        &self,
        unit: &CompileUnit<'_>,
        func: DefinedFuncIndex,
    ) -> Result<String, CompileError> {
        worker::CraneliftWorker::new(&self.isas).print_clif(unit, func)
    }
}

impl Compiler for OptimizingCompiler {
    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(worker::CraneliftWorker::new(&self.isas))
    }
}
