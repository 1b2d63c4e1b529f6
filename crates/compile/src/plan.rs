//! The decisions of the compiler, each made once, here.
//!
//! [`MemoryPlan::access`] is the sandbox: it decides for every access what must be checked. An
//! emitter that carries out its answer literally cannot reach outside a linear memory.

mod access;
pub mod fuel;
mod memory;
mod object;

pub use access::{GlobalAccess, Place, TableAccess, TagAccess};
pub use memory::{BoundsCheck, MemoryAccess, MemoryPlan};
pub use object::{
    Barrier, BytesAccess, CastPlan, CastTarget, ElementAccess, FieldAccess, NullCheck,
    element_slot, element_storage,
};
