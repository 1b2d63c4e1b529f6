//! Types as embedders see them: canonical in an engine, comparable, and able to tell what they
//! consist of.
//!
//! Inside, types are those of `selkie_module`, where a defined type is an id. At this border an id
//! becomes a handle that knows its engine, so that a type of another engine is never taken for one
//! of ours: `to_raw` refuses it.

mod defined;
mod fields;
mod items;
mod val;

pub(crate) use defined::Defined;
pub use defined::{ArrayType, ContType, Finality, FuncType, StructType};
pub use fields::{FieldType, Mutability, StorageType};
pub use items::{ExportType, ExternType, GlobalType, ImportType, TableType};
pub use selkie_module::{AbstractHeapType, IndexType, Limits, MemoryType};
pub use val::{HeapType, RefType, ValType};
