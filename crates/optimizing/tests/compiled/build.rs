//! From module text to compiled and linked code, for the tests beside.

#![allow(dead_code, reason = "each test file uses a part")]

use selkie_compile::driver::CompiledFunc;
use selkie_compile::{CompileError, CompileUnit, LinkedCode, Tuning, compile_all, link};
use selkie_module::{DefinedFuncIndex, Features, decode};
use selkie_optimizing::OptimizingCompiler;

pub(crate) fn bytes(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|e| panic!("{e}: {text:.300}"))
}

/// Runs `with` on the unit of a module.
pub(crate) fn with_unit<T>(
    text: &str,
    tuning: Tuning,
    with: impl FnOnce(&CompileUnit<'_>) -> T,
) -> T {
    let bytes = bytes(text);
    let module =
        decode::decode(&bytes, Features::all()).unwrap_or_else(|e| panic!("{e}: {text:.300}"));
    with(&CompileUnit::new(&module, &bytes, Features::all(), tuning))
}

pub(crate) fn try_compile(
    text: &str,
    tuning: Tuning,
    threads: usize,
) -> Result<Vec<CompiledFunc>, CompileError> {
    let compiler = OptimizingCompiler::new().expect("the host has what is needed");
    with_unit(text, tuning, |unit| compile_all(&compiler, unit, threads, None))
}

pub(crate) fn compile(text: &str, tuning: Tuning) -> Vec<CompiledFunc> {
    try_compile(text, tuning, 1).unwrap_or_else(|e| panic!("{e}: {text:.300}"))
}

pub(crate) fn linked(text: &str) -> LinkedCode {
    link(compile(text, Tuning::default())).expect("small modules link")
}

/// Instructions of the first function.
pub(crate) fn disassembly(text: &str, tuning: Tuning) -> String {
    let compiler = OptimizingCompiler::new().expect("the host has what is needed");
    with_unit(text, tuning, |unit| {
        compiler
            .disassemble(unit, DefinedFuncIndex(0))
            .unwrap_or_else(|e| panic!("{e}: {text:.300}"))
    })
}

/// The first function before optimization.
pub(crate) fn clif(text: &str, tuning: Tuning) -> String {
    let compiler = OptimizingCompiler::new().expect("the host has what is needed");
    with_unit(text, tuning, |unit| {
        compiler
            .print_clif(unit, DefinedFuncIndex(0))
            .unwrap_or_else(|e| panic!("{e}: {text:.300}"))
    })
}

/// All combinations of decisions that change emitted code.
pub(crate) fn tunings() -> Vec<Tuning> {
    let mut all = Vec::new();
    for bits in 0..16 {
        let on = |bit: u32| bits & (1 << bit) != 0;
        all.push(Tuning {
            guard_pages: on(0),
            spectre_checks: on(1),
            canonical_nans: on(2),
            relaxed_simd_deterministic: on(3),
            ..Tuning::default()
        });
    }
    all
}
