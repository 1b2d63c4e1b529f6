//! Floor 3: the public API.
//!
//! An [`Engine`] compiles a [`Module`]; a [`Store`] owns what runs; a [`Linker`] names what a
//! module may import; an [`Instance`] is a module with its state; [`Func`], [`TypedFunc`],
//! [`Memory`], [`Table`] and [`Global`] are handles into a store. The shapes are those that Rust
//! embedders of WebAssembly know. Calls are synchronous or, where host functions answer futures
//! ([`Linker::func_wrap_async`]), futures themselves ([`Func::call_async`]).
//!
//! ```
//! use selkie_engine::{Engine, Linker, Module, Store};
//! let engine = Engine::default();
//! let module = Module::new(&engine, r#"(module
//!     (import "host" "log" (func $log (param i32)))
//!     (func (export "run") i32.const 42 call $log))"#)?;
//! let mut linker = Linker::new(&engine);
//! linker.func_wrap("host", "log", |mut caller: selkie_engine::Caller<'_, Vec<i32>>, x: i32| {
//!     caller.data_mut().push(x);
//! })?;
//! let mut store = Store::new(&engine, Vec::new());
//! let instance = linker.instantiate(&mut store, &module)?;
//! instance.get_typed_func::<(), ()>(&mut store, "run")?.call(&mut store, ())?;
//! assert_eq!(store.data(), &[42]);
//! # Ok::<(), selkie_engine::Error>(())
//! ```
// Allowed in `raw`, `entry`, `entry::host_futures`, `func::enter`, `func::pending` and `trusted` only.
#![deny(unsafe_code)]

mod artifact;
mod backtrace;
mod builtins;
mod code;
mod config;
mod const_eval;
mod continuations;
#[cfg(feature = "dwarf")]
mod dwarf;
mod engine;
mod entry;
mod error;
mod exceptions;
mod fuel;
mod func;
mod global;
mod heap;
mod images;
mod instance;
mod interrupt;
mod limits;
mod linker;
mod memory;
mod module;
mod raw;
mod refs;
mod roots;
mod shards;
mod store;
mod strings;
mod table;
mod trusted;
mod types;
mod values;

pub use backtrace::{FrameInfo, WasmBacktrace};
pub use config::Config;
pub use engine::Engine;
pub use error::{Error, ErrorKind, Result};
pub use exceptions::ThrownException;
pub use func::{Caller, Func, IntoFunc, TypedFunc, WasmParams, WasmResults, WasmRet, WasmTy};
pub use global::{Extern, Global, Tag};
pub use instance::Instance;
pub use instance::pre::InstancePre;
pub use instance::warm::IdleInstances;
pub use interrupt::{Deadline, InterruptHandle, InterruptWatch, UpdateDeadline};
pub use limits::{LimitExceeded, ResourceLimiter, StoreLimits, StoreUsage};
pub use linker::Linker;
pub use memory::{Memory, SharedMemory};
pub use module::Module;
pub use refs::{
    AnyRef, ArrayRef, ArrayRefPre, ContRef, EqRef, ExnRef, ExternRef, GcRef, I31, NoCont, NoExn,
    NoExtern, NoFunc, NoneRef, StructRef, StructRefPre,
};
pub use roots::{OwnedRooted, RootScope, Rooted, RootedGcRef};
pub use selkie_compile::{CompileError, Tuning};
/// ```
/// use selkie_engine::{Engine, Instance, Module, Store, Trap};
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module
///     (func (export "div") (param i32 i32) (result i32)
///         (i32.div_s (local.get 0) (local.get 1))))"#)?;
/// let mut store = Store::new(&engine, ());
/// let instance = Instance::new(&mut store, &module, &[])?;
/// let div = instance.get_typed_func::<(i32, i32), i32>(&mut store, "div")?;
/// let error = div.call(&mut store, (1, 0)).unwrap_err();
/// assert_eq!(error.trap(), Some(Trap::IntegerDivideByZero));
/// assert_eq!(div.call(&mut store, (6, 2))?, 3); // the store lives on
/// # Ok::<(), selkie_engine::Error>(())
/// ```
pub use selkie_module::TrapCode as Trap;
pub use selkie_module::features::Feature;
pub use selkie_module::{DecodeError, Features};
pub use selkie_vm::{GcStats, ResourceError, prepare_for_system};
pub use store::{AsContext, AsContextMut, Store, StoreContext, StoreContextMut};
pub use strings::JsString;
pub use table::Table;
pub use types::{
    AbstractHeapType, ArrayType, ContType, ExportType, ExternType, FieldType, Finality, FuncType,
    GlobalType, HeapType, ImportType, IndexType, Limits, MemoryType, Mutability, RefType,
    StorageType, StructType, TableType, ValType,
};
pub use values::{V128, Val};
