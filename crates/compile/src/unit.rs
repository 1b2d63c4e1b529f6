//! `CompileUnit`: all that the walk over any one function may look at. Immutable and shared by
//! the threads that compile.

use crate::inline::InlinePlan;
use selkie_module::decode::BranchHints;
use selkie_module::heap::ObjectLayout;
use selkie_module::{ContextLayout, Features, FunctionSource, ModuleInfo, ParsedModule, TypeIndex};

/// Decisions about generated code that hold for a whole artifact. They are part of its identity:
/// code made under one tuning never runs in an engine with another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tuning {
    /// Address space reserved for a memory with 32-bit indices that cannot move, in bytes.
    pub memory_reservation_bytes: u64,
    /// Inaccessible address space behind every reservation, in bytes.
    pub memory_guard_bytes: u64,
    /// Whether guard pages may replace bounds checks.
    pub guard_pages: bool,
    /// Whether explicit checks also hold under speculation.
    pub spectre_checks: bool,
    /// Whether NaN results are made canonical.
    pub canonical_nans: bool,
    /// Whether relaxed vector instructions use the deterministic choices of the specification.
    pub relaxed_simd_deterministic: bool,
    /// Whether small functions are inlined.
    pub inlining: bool,
    /// Whether code counts what it does in fuel.
    pub consume_fuel: bool,
    /// Whether code asks, where it could go on for ever, if it is interrupted.
    pub epoch_interruption: bool,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning {
            memory_reservation_bytes: 4 << 30,
            memory_guard_bytes: 32 << 20,
            guard_pages: true,
            spectre_checks: true,
            canonical_nans: false,
            relaxed_simd_deterministic: false,
            inlining: true,
            consume_fuel: false,
            epoch_interruption: false,
        }
    }
}

/// What the walk may look at.
pub struct CompileUnit<'a> {
    /// The module without code.
    pub info: &'a ModuleInfo,
    /// Where things lie in its contexts.
    pub layout: ContextLayout,
    /// Where the fields of struct types lie, by type index; empty for other types.
    pub objects: Vec<ObjectLayout>,
    /// The function bodies.
    pub functions: &'a [FunctionSource<'a>],
    /// Branch hints of the module, sorted by function.
    pub branch_hints: &'a BranchHints,
    /// Decisions that hold everywhere.
    pub tuning: Tuning,
    /// Which functions are put in place of calls to them.
    pub inline: InlinePlan,
    /// The module's bytes and the enabled proposals, to explain errors.
    pub bytes: &'a [u8],
    /// The enabled proposals.
    pub features: Features,
}

impl<'a> CompileUnit<'a> {
    /// A unit for a decoded module.
    pub fn new(
        module: &'a ParsedModule<'a>,
        bytes: &'a [u8],
        features: Features,
        tuning: Tuning,
    ) -> CompileUnit<'a> {
        let inline = InlinePlan::new(&module.info, &module.functions, tuning.inlining);
        CompileUnit {
            info: &module.info,
            layout: ContextLayout::new(&module.info),
            objects: (0..module.info.types.len())
                .map(|at| module.info.object_layout(TypeIndex::new(at)))
                .collect(),
            functions: &module.functions,
            branch_hints: &module.branch_hints,
            tuning,
            inline,
            bytes,
            features,
        }
    }
}
