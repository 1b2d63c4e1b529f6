//! The floor that machine code stands on: pages, stacks, code memory, linear memories, tables,
//! the way into WebAssembly and every way out of it (return, call to the host, trap, unwinding).
//!
//! Invariants: WebAssembly runs on a stack of its own and never on the host's; no page is writable
//! and executable at once; a fault of guest code becomes a trap, a fault of anything else goes to
//! whoever handled it before us; no failure of the operating system aborts the process.
//!
//! This crate does not know modules, instances or stores. It is the one place where `unsafe` is
//! at home: every public `unsafe fn` lists what its caller promises.

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!("selkie-vm supports 64-bit Linux only");

mod activation;
mod arch;
mod backtrace;
mod budget;
mod call;
mod call_in_regs;
mod code;
mod context;
mod continuation;
mod error;
mod file_map;
mod frame_roots;
mod gc;
mod memory;
mod mmap;
mod parking;
mod shared;
mod signals;
mod stack;
mod table;
mod thread;
mod throw;

pub use activation::{
    Activation, DEFAULT_STACK_BYTES as DEFAULT_ASYNC_STACK_BYTES, Progress, check_room, poller,
    suspend, suspend_builtin,
};
pub use arch::{
    builtin_stubs, host_call_direct_stub, host_call_stub, host_call_stub_int,
    host_call_stub_suspendable,
};
pub use backtrace::{Frame, capture};
pub use budget::max_guarded_memories;
pub use call::{RegSet, StoreRuntime, Unwind, call, raise_payload, raise_trap};
pub use call_in_regs::Ready;
pub use code::{CodeMemory, CodeObject, lookup};
pub use context::{
    CallRegs, VMAllocation, VMContext, VMFuncImport, VMFuncRef, VMFuncSlot, VMGlobal,
    VMHostContext, VMHostFunc, VMMemory, VMStoreContext, VMTable, VMTag, VMType,
};
pub use continuation::{
    DEFAULT_CONTINUATION_STACK_BYTES, StartPlan, VMContinuation, VMContinuationSlot, VMResume,
    bind, drop_continuation, new_continuation, release_finished,
};
pub use error::ResourceError;
pub use file_map::FileMap;
pub use frame_roots::{each_continuation_root, each_frame_root};
pub use gc::{Collection, GcStats, Heap, HeapConfig, Roots, TypeTable};
pub use memory::{LinearMemory, MemoryImage, MemoryPlan, prepare_for_system};
pub use mmap::page_bytes;
pub use parking::{Interrupts, WaitOutcome};
pub use shared::{SharedMemory, notify_unshared};
pub use signals::{ignore_file_size_signal, install_handlers};
pub use stack::{DEFAULT_STACK_BYTES, GUARD_BYTES, MIN_STACK_BYTES};
pub use table::{InitialTable, MAX_STABLE_ELEMENTS, TableKind, TableStorage};
pub use throw::{throw, throw_payload};

/// An operation of a guest that may trap.
pub type TrapResult<T> = Result<T, selkie_module::TrapCode>;
