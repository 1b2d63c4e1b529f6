//! Floor 0: what a WebAssembly module *is*.
//!
//! Decoding, types, and every table that generated code and the runtime share: layouts of the
//! VM context, the calling convention, trap codes, runtime entries, proposals. Nothing here
//! compiles or runs anything, and nothing here knows a crate of ours.
#![forbid(unsafe_code)]

pub mod abi;
pub mod builtins;
pub mod const_expr;
pub mod decode;
pub mod features;
pub mod frames;
pub mod fuel;
pub mod heap;
pub mod index;
pub mod info;
pub mod layout;
pub mod registry;
pub mod sites;
pub mod traps;
pub mod types;

pub use const_expr::{ConstExpr, ConstOp};
pub use decode::{DecodeError, FunctionSource, ParsedModule};
pub use features::Features;
pub use index::*;
pub use info::*;
pub use layout::ContextLayout;
pub use registry::TypeRegistry;
pub use traps::TrapCode;
pub use types::*;
