//! Floor 1: from function bodies to linked code, without knowing any machine.
//!
//! [`Translator`] walks a body once: it validates, resolves and decides, and tells an
//! [`Emitter`] what to emit. Decisions are data made in [`plan`]; emitters only carry them out.
//! [`driver`] runs a [`Compiler`] over all functions, [`link()`] puts the results together.
#![forbid(unsafe_code)]

pub mod driver;
pub mod emitter;
pub mod error;
pub mod inline;
pub mod link;
pub mod memory_ops;
pub mod ops;
pub mod plan;
pub mod text;
pub mod translate;
pub mod unit;

pub use driver::{CompiledFunc, Compiler, Reloc, RelocKind, Site, compile_all};
pub use emitter::{Callee, Const, Emitter, WideOp};
pub use error::CompileError;
pub use link::{LinkedCode, link};
pub use ops::Numeric;
pub use plan::{
    BoundsCheck, GlobalAccess, MemoryAccess, MemoryPlan, Place, TableAccess, TagAccess,
};
pub use translate::Translator;
pub use unit::{CompileUnit, Tuning};
