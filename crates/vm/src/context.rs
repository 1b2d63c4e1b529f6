//! The structures that machine code reads and writes, in Rust.
//!
//! Their layout is stated in `selkie_module::layout`; the assertions at the end hold both together
//! at compile time. Nothing here has behaviour.

use std::sync::atomic::{AtomicU32, AtomicU64};

use selkie_module::layout;

use crate::StoreRuntime;
use crate::continuation::{VMContinuation, VMContinuationSlot, VMResume};

/// The head of an instance's context; its variable part follows in memory.
#[derive(Debug)]
#[repr(C, align(16))]
pub struct VMContext {
    /// `layout::context::MAGIC_INSTANCE`.
    pub magic: u32,
    /// The store's context.
    pub store: *mut StoreRuntime,
    /// [`builtin_stubs`](crate::builtin_stubs).
    pub builtins: *const *const u8,
    /// Canonical ids (`TypeId`) of the module's types.
    pub type_ids: *const u32,
    /// The instance's id in its store.
    pub instance: u64,
    /// Base of the store's collected heap; null for modules that do not need one.
    pub heap_base: *mut u8,
    /// Not zero when somebody wants to interrupt what runs in the store; null where code does not
    /// ask.
    pub interrupt: *const AtomicU32,
}

/// The context of a host function.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct VMHostContext {
    /// `layout::context::MAGIC_HOST`.
    pub magic: u32,
    /// The store's context.
    pub store: *mut StoreRuntime,
    /// What to call.
    pub func: *const VMHostFunc,
    /// Context of the instance that imported the function; null for none.
    pub caller: *mut VMContext,
}

/// What the host call stubs call. The engine embeds it at the head of its own host functions.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct VMHostFunc {
    /// Called by [`host_call_stub`](crate::host_call_stub) and its integer variant with the
    /// context, the registers (arguments in, results out) and the first stack argument. Answers
    /// how many bytes of stack arguments to pop. Never unwinds.
    pub entry: unsafe extern "C" fn(*mut VMHostContext, *mut CallRegs, *const u8) -> u32,
    /// Called by [`host_call_direct_stub`](crate::host_call_direct_stub): an `extern "C"` function
    /// whose first parameter is the context and whose others (at most five integers, eight floats)
    /// and single result are the WebAssembly ones. Null where the type does not allow it.
    pub direct: *const u8,
}

/// An imported function, ready to be called.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct VMFuncImport {
    /// Machine code.
    pub code: *const u8,
    /// The context to call it with; for host functions the address of `host`.
    pub context: *mut u8,
    /// Inline context of a host function.
    pub host: VMHostContext,
}

/// What a function reference points to.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct VMFuncRef {
    /// Machine code; null while the reference has not been filled.
    pub code: *const u8,
    /// The context to call it with.
    pub context: *mut u8,
    /// Canonical type id.
    pub type_id: u32,
}

/// An element of a table of functions.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct VMFuncSlot {
    /// Machine code.
    pub code: *const u8,
    /// The context to call it with.
    pub context: *mut u8,
    /// Canonical type id; 0 while the slot is empty.
    pub type_id: u32,
    /// Address of the `VMFuncRef`, `layout::func_slot::LAZY` or `layout::func_slot::NULL`.
    pub func_ref: u64,
}

impl VMFuncSlot {
    /// A slot that holds null.
    pub const NULL: VMFuncSlot = VMFuncSlot {
        code: std::ptr::null(),
        context: std::ptr::null_mut(),
        type_id: 0,
        func_ref: layout::func_slot::NULL,
    };
    /// A slot that has never been written.
    pub const LAZY: VMFuncSlot =
        VMFuncSlot { func_ref: layout::func_slot::LAZY, ..VMFuncSlot::NULL };
}

/// A table as machine code sees it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct VMTable {
    /// The elements.
    pub base: *mut u8,
    /// Their number.
    pub length: u64,
}

/// A linear memory as machine code sees it. The length is atomic because a shared memory grows
/// while others look; everybody else uses `get_mut` or relaxed loads.
#[derive(Debug)]
#[repr(C)]
pub struct VMMemory {
    /// The first byte.
    pub base: *mut u8,
    /// Length in bytes.
    pub length: AtomicU64,
}

/// A global of any type.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
pub struct VMGlobal {
    /// The value, little-endian, upper bytes free.
    pub bytes: [u8; 16],
}

/// A tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct VMTag {
    /// Identity: two tags are equal when these are.
    pub id: u64,
}

/// Where machine code makes objects: it takes what it needs from `bump` on, as long as that does
/// not reach beyond `limit`. All zero: nothing can be had without the collector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct VMAllocation {
    /// Where the next object goes, in bytes from the heap's base: the reference to it.
    pub bump: u64,
    /// What no new object may reach beyond, in bytes from the heap's base.
    pub limit: u64,
}

/// The descriptor of a canonical type, for casts and the collector.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct VMType {
    /// An `ObjectKind`.
    pub kind: u8,
    /// Log2 of an array element's bytes.
    pub element_bytes_log2: u8,
    /// The number of types above it, at most 255.
    pub depth: u8,
    /// 1 where array elements are traced references.
    pub elements_are_refs: u8,
    /// Bytes of an object; for arrays those before the first element.
    pub object_bytes: u32,
    /// Offsets of traced references.
    pub refs: *const u32,
    /// Their number.
    pub ref_count: u32,
    /// Nothing.
    pub(crate) reserved: u32,
    /// Ids of the types above it and its own, by depth; 0 beyond its own.
    pub display: [u32; layout::vm_type::DISPLAY_LEN as usize],
}

/// What is per store and reachable from every context. Always the head of a [`StoreRuntime`].
#[derive(Debug)]
#[repr(C)]
pub struct VMStoreContext {
    /// Host stack pointer of the innermost entry; null outside WebAssembly.
    pub host_sp: *mut u8,
    /// Frame pointer of the frame that last left for the host.
    pub exit_fp: usize,
    /// Its return address.
    pub exit_pc: usize,
    /// The WebAssembly stack pointer at that moment.
    pub wasm_sp: *mut u8,
    /// Lowest usable address of the stack that the innermost activation began on.
    pub stack_low: *mut u8,
    /// What the builtin stubs call.
    pub builtin_impls: *const *const u8,
    /// The engine's store.
    pub owner: *mut u8,
    /// Fuel left; below zero when more was consumed than there was.
    pub fuel: i64,
    /// Where the next objects of the collected heap go.
    pub gc: VMAllocation,
    /// The engine's type descriptors, by type id.
    pub types: *const VMType,
    /// The trap that is unwinding; 0 for none.
    pub trap: u32,
    /// The continuation that runs; null while the activation's own stack is in use.
    pub continuation: *mut VMContinuation,
    /// All continuations, by place.
    pub continuations: *mut VMContinuationSlot,
    /// Those whose function has returned.
    pub finished: *mut VMContinuation,
}

/// Register arguments before a call, register results after it.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
pub struct CallRegs {
    /// Integer registers in the order of `selkie_module::abi`.
    pub ints: [u64; 8],
    /// Float and vector registers, all 128 bits.
    pub floats: [u128; 8],
}

impl CallRegs {
    /// All zero.
    pub const ZERO: CallRegs = CallRegs { ints: [0; 8], floats: [0; 8] };
}

macro_rules! check_layout {
    ($($ty:ident = $module:ident { $($field:ident @ $name:ident),* $(,)? })*) => {$(
        const _: () = {
            $(assert!(std::mem::offset_of!($ty, $field) == layout::$module::$name as usize);)*
        };
    )*};
}

check_layout! {
    VMContext = context {
        magic @ MAGIC, store @ STORE, builtins @ BUILTINS, type_ids @ TYPE_IDS,
        instance @ INSTANCE, heap_base @ HEAP_BASE, interrupt @ INTERRUPT,
    }
    VMHostContext = host_context { func @ FUNC, caller @ CALLER }
    VMHostContext = context { magic @ MAGIC, store @ STORE }
    VMFuncImport = func_import { code @ CODE, context @ CONTEXT, host @ HOST }
    VMFuncRef = func_ref { code @ CODE, context @ CONTEXT, type_id @ TYPE_ID }
    VMFuncSlot = func_slot {
        code @ CODE, context @ CONTEXT, type_id @ TYPE_ID, func_ref @ FUNC_REF,
    }
    VMTable = table { base @ BASE, length @ LENGTH }
    VMMemory = memory { base @ BASE, length @ LENGTH }
    VMType = vm_type {
        kind @ KIND, element_bytes_log2 @ ELEMENT_BYTES_LOG2, depth @ DEPTH,
        elements_are_refs @ ELEMENTS_ARE_REFS, object_bytes @ OBJECT_BYTES, refs @ REFS,
        ref_count @ REF_COUNT, display @ DISPLAY,
    }
    VMStoreContext = store {
        host_sp @ HOST_SP, exit_fp @ EXIT_FP, exit_pc @ EXIT_PC, wasm_sp @ WASM_SP,
        stack_low @ STACK_LOW, builtin_impls @ BUILTIN_IMPLS, owner @ OWNER, fuel @ FUEL,
        gc @ GC_BUMP, types @ TYPES, trap @ TRAP, continuation @ CONTINUATION,
        continuations @ CONTINUATIONS, finished @ FINISHED,
    }
    VMContinuation = continuation { arguments @ ARGUMENTS }
    VMContinuationSlot = continuation_slot { continuation @ CONTINUATION, object @ OBJECT, has_young @ HAS_YOUNG }
    VMResume = resume {
        outcome @ OUTCOME, count @ COUNT, reference @ REFERENCE, payload @ PAYLOAD,
    }
}

const _: () = {
    assert!(size_of::<VMContext>() == layout::context::HEADER_BYTES as usize);
    assert!(size_of::<VMHostContext>() == layout::host_context::BYTES as usize);
    assert!(size_of::<VMFuncImport>() == layout::func_import::BYTES as usize);
    assert!(size_of::<VMFuncRef>() == layout::func_ref::BYTES as usize);
    assert!(size_of::<VMFuncSlot>() == layout::func_slot::BYTES as usize);
    assert!(size_of::<VMTable>() == layout::table::BYTES as usize);
    assert!(size_of::<VMMemory>() == layout::memory::BYTES as usize);
    assert!(size_of::<VMGlobal>() == layout::global::BYTES as usize);
    assert!(size_of::<VMType>() == layout::vm_type::BYTES as usize);
    assert!(size_of::<VMTag>() == layout::tag::BYTES as usize);
    assert!(size_of::<VMContinuationSlot>() == layout::continuation_slot::BYTES as usize);
    assert!(size_of::<VMResume>() == layout::resume::EVENTS as usize);
    assert!(size_of::<VMStoreContext>() == layout::store::BYTES as usize);
    let limit = layout::store::GC_BUMP as usize + std::mem::offset_of!(VMAllocation, limit);
    assert!(limit == layout::store::GC_LIMIT as usize);
    // Contexts point to the whole; machine code sees its head.
    assert!(std::mem::offset_of!(StoreRuntime, vm) == 0);
};
