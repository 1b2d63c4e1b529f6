//! Offsets that machine code and the runtime share. Only 64-bit hosts.
//!
//! The fixed structures stand first, as constants (`vm` checks each against its `repr(C)` twin at
//! compile time); then the part of the context whose size depends on the module.
//!
//! ```text
//! VMContext   magic · store context · builtins · type ids · instance id · heap base ·
//!             interruption                                                             (64 bytes)
//!             imported functions   VMFuncImport        each 48
//!             imported tables      *VMTable            each 8
//!             imported memories    *VMMemory           each 8     (shared ones defined here, too)
//!             imported globals     *VMGlobal           each 8
//!             imported tags        *VMTag              each 8
//!             defined tables       VMTable             each 16
//!             defined memories     VMMemory            each 16
//!             defined globals      VMGlobal            each 16, aligned 16
//!             defined tags         VMTag               each 8
//!             function references  VMFuncRef           each 24
//! ```

use crate::{
    DefinedGlobalIndex, DefinedMemoryIndex, DefinedTableIndex, DefinedTagIndex, FuncIndex,
    FuncRefIndex, GlobalIndex, MemoryIndex, ModuleInfo, TableIndex, TagIndex,
};

/// Fields at the head of every context that machine code receives.
pub mod context {
    /// `u32`: [`MAGIC_INSTANCE`] or [`MAGIC_HOST`].
    pub const MAGIC: u32 = 0;
    /// `*mut VMStoreContext`. At the same place in instance and host contexts.
    pub const STORE: u32 = 8;
    /// `*const [*const u8]`: the entry stubs of the builtins, in table order.
    pub const BUILTINS: u32 = 16;
    /// `*const [TypeId]`: canonical ids of the module's types, by type index.
    pub const TYPE_IDS: u32 = 24;
    /// `u64`: the instance's id in its store.
    pub const INSTANCE: u32 = 32;
    /// `*mut u8`: base of the store's collected heap; null for modules that do not need one.
    pub const HEAP_BASE: u32 = 40;
    /// `*const u32`: not zero when somebody wants to interrupt what runs in the store.
    pub const INTERRUPT: u32 = 48;
    /// Bytes before the variable part.
    pub const HEADER_BYTES: u32 = 64;
    /// Marks an instance's context.
    pub const MAGIC_INSTANCE: u32 = u32::from_le_bytes(*b"slki");
    /// Marks a host function's context.
    pub const MAGIC_HOST: u32 = u32::from_le_bytes(*b"slkh");
}

/// `VMHostContext`: what a host function receives as its context.
pub mod host_context {
    /// `*const VMHostFunc`.
    pub const FUNC: u32 = 16;
    /// `*mut VMContext` of the instance that imported it; null for none.
    pub const CALLER: u32 = 24;
    /// Its size.
    pub const BYTES: u32 = 32;
}

/// `VMFuncImport`: an imported function, ready to be called.
pub mod func_import {
    /// Machine code.
    pub const CODE: u32 = 0;
    /// The context to call it with; for host functions, the address of `HOST` just below.
    pub const CONTEXT: u32 = 8;
    /// An inline `VMHostContext`.
    pub const HOST: u32 = 16;
    /// Its size.
    pub const BYTES: u32 = 48;
}

/// `VMFuncRef`: what a function reference points to.
pub mod func_ref {
    /// Machine code; null while the reference has not been filled.
    pub const CODE: u32 = 0;
    /// The context to call it with.
    pub const CONTEXT: u32 = 8;
    /// `u32`: its canonical type id.
    pub const TYPE_ID: u32 = 16;
    /// Its size.
    pub const BYTES: u32 = 24;
}

/// `VMFuncSlot`: an element of a table of functions. A slot repeats what its reference says, so
/// that an indirect call reads one cache line.
pub mod func_slot {
    /// Machine code.
    pub const CODE: u32 = 0;
    /// The context to call it with.
    pub const CONTEXT: u32 = 8;
    /// `u32`: canonical type id; 0 while the slot is empty.
    pub const TYPE_ID: u32 = 16;
    /// `*VMFuncRef`; in an empty slot [`LAZY`] or [`NULL`].
    pub const FUNC_REF: u32 = 24;
    /// Its size: 32, so that the index is shifted.
    pub const BYTES: u32 = 32;
    /// Never written: holds what the table's initial image says.
    pub const LAZY: u64 = 0;
    /// Holds null.
    pub const NULL: u64 = 1;
}

/// `VMTable`.
pub mod table {
    /// `*mut u8`: the elements.
    pub const BASE: u32 = 0;
    /// `u64`: current number of elements.
    pub const LENGTH: u32 = 8;
    /// Its size.
    pub const BYTES: u32 = 16;
    /// Bytes of an element that is not a function.
    pub const REF_BYTES: u32 = 8;
}

/// `VMMemory`.
pub mod memory {
    /// `*mut u8`: the first byte.
    pub const BASE: u32 = 0;
    /// `u64` (atomic where shared): current length in bytes.
    pub const LENGTH: u32 = 8;
    /// Its size.
    pub const BYTES: u32 = 16;
}

/// `VMGlobal`: 16 bytes, holding any value.
pub mod global {
    /// Its size.
    pub const BYTES: u32 = 16;
}

/// `VMTag`.
pub mod tag {
    /// Its size.
    pub const BYTES: u32 = 8;
}

/// `VMType`: the descriptor of a canonical type; a [`TypeShape`](crate::heap::TypeShape) in memory.
pub mod vm_type {
    /// `u8`: an [`ObjectKind`](crate::heap::ObjectKind).
    pub const KIND: u32 = 0;
    /// `u8`: log2 of an array element's bytes.
    pub const ELEMENT_BYTES_LOG2: u32 = 1;
    /// `u8`: the number of types above it, at most 255.
    pub const DEPTH: u32 = 2;
    /// `u8`: 1 where array elements are traced references.
    pub const ELEMENTS_ARE_REFS: u32 = 3;
    /// `u32`: bytes of an object; for arrays those before the first element.
    pub const OBJECT_BYTES: u32 = 4;
    /// `*const u32`: offsets of traced references.
    pub const REFS: u32 = 8;
    /// `u32`: their number.
    pub const REF_COUNT: u32 = 16;
    /// `[u32; DISPLAY_LEN]`: ids of the types above it and its own, by depth; 0 beyond its own.
    pub const DISPLAY: u32 = 24;
    /// Depths that the display covers.
    pub const DISPLAY_LEN: u32 = 10;
    /// Its size: 64, so that ids are shifted.
    pub const BYTES: u32 = 64;
}

/// `VMStoreContext`: what is per store and reachable from every context.
pub mod store {
    /// `*mut u8`: the host stack pointer of the innermost entry into WebAssembly; host code called
    /// from WebAssembly runs just below it, and a trap resumes it. Null outside WebAssembly.
    pub const HOST_SP: u32 = 0;
    /// Frame pointer of the WebAssembly frame that last left for the host.
    pub const EXIT_FP: u32 = 8;
    /// Its return address.
    pub const EXIT_PC: u32 = 16;
    /// The WebAssembly stack pointer at that moment.
    pub const WASM_SP: u32 = 24;
    /// Lowest usable address of the stack that the innermost activation began on.
    pub const STACK_LOW: u32 = 32;
    /// `*const [*const u8]`: what the entry stubs call, in table order.
    pub const BUILTIN_IMPLS: u32 = 40;
    /// `*mut StoreInner` of the engine.
    pub const OWNER: u32 = 48;
    /// `i64`: fuel left; below zero when more was consumed than there was.
    pub const FUEL: u32 = 56;
    /// `u64`: where the next object goes, in bytes from the heap's base.
    pub const GC_BUMP: u32 = 64;
    /// `u64`: what no new object may reach beyond, in bytes from the heap's base.
    pub const GC_LIMIT: u32 = 72;
    /// `*const VMType`: the engine's type descriptors, by type id.
    pub const TYPES: u32 = 80;
    /// `u32`: the `TrapCode` that a signal handler or an entry raised.
    pub const TRAP: u32 = 88;
    /// `*mut VMContinuation`: the one that runs; null while the activation's own stack is in use.
    pub const CONTINUATION: u32 = 96;
    /// `*mut VMContinuationSlot`: all continuations, by place.
    pub const CONTINUATIONS: u32 = 104;
    /// `*mut VMContinuation`: those whose function has returned, for use by others.
    pub const FINISHED: u32 = 112;
    /// Its size.
    pub const BYTES: u32 = 120;
}

/// `VMContinuation`: a stack of its own, and where it goes on.
pub mod continuation {
    /// `*mut u8`: where the next argument of its `resume` goes, 16 bytes each.
    pub const ARGUMENTS: u32 = 0;
}

/// `VMContinuationSlot`: a place in a store's list of continuations. Place 0 is never used: in an
/// object it says that the continuation has been consumed.
pub mod continuation_slot {
    /// `*mut VMContinuation`.
    pub const CONTINUATION: u32 = 0;
    /// `u32`: the object that stands for it; 0 for none.
    pub const OBJECT: u32 = 8;
    /// `u32`: whether its frames may refer to young objects; set with the object.
    pub const HAS_YOUNG: u32 = 12;
    /// Its size: 16, so that places are shifted.
    pub const BYTES: u32 = 16;
}

/// `VMResume`: a `resume` that waits for its continuation, in the frame of its function.
pub mod resume {
    /// `u32`: 0 when the continuation returned, otherwise 1 more than the clause that applies.
    pub const OUTCOME: u32 = 0;
    /// `u32`: the number of clauses.
    pub const COUNT: u32 = 4;
    /// `u64`: the continuation that a clause is given, a reference of the heap.
    pub const REFERENCE: u32 = 8;
    /// `*const u8`: the values that a clause is given, 16 bytes each.
    pub const PAYLOAD: u32 = 16;
    /// `[u64]`: the events of the clauses: id of the tag, and [`SWITCH`] in clauses of `switch`.
    pub const EVENTS: u32 = 24;
    /// What tells a `switch` from a `suspend` with the same tag.
    pub const SWITCH: u64 = 1 << 32;
    /// Bytes of a value on its way between stacks.
    pub const VALUE_BYTES: u32 = 16;
}

/// Where things lie in the context of one module's instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextLayout {
    func_imports: u32,
    table_imports: u32,
    memory_imports: u32,
    global_imports: u32,
    tag_imports: u32,
    tables: u32,
    memories: u32,
    globals: u32,
    tags: u32,
    func_refs: u32,
    bytes: u32,
}

impl ContextLayout {
    /// The layout for a module. Sizes cannot overflow: each index space is limited at decoding.
    pub fn new(info: &ModuleInfo) -> ContextLayout {
        let mut at = context::HEADER_BYTES;
        let mut area = |count: usize, bytes: u32, align: u32| {
            let start = at.next_multiple_of(align);
            at = start + count as u32 * bytes;
            start
        };
        let func_imports = area(info.num_imported_funcs, func_import::BYTES, 8);
        let table_imports = area(info.num_imported_tables, 8, 8);
        // A shared memory lives outside its instance: it has a pointer slot and no definition.
        let memory_imports = area(info.memories.len(), 8, 8);
        let global_imports = area(info.num_imported_globals, 8, 8);
        let tag_imports = area(info.num_imported_tags, 8, 8);
        let tables = area(info.tables.len() - info.num_imported_tables, table::BYTES, 8);
        let memories = area(info.memories.len() - info.num_imported_memories, memory::BYTES, 8);
        let globals = area(info.globals.len() - info.num_imported_globals, global::BYTES, 16);
        let tags = area(info.tags.len() - info.num_imported_tags, tag::BYTES, 8);
        let func_refs = area(info.func_refs.len(), func_ref::BYTES, 8);
        let bytes = area(0, 0, 16);
        ContextLayout {
            func_imports,
            table_imports,
            memory_imports,
            global_imports,
            tag_imports,
            tables,
            memories,
            globals,
            tags,
            func_refs,
            bytes,
        }
    }

    /// Bytes of a whole context, a multiple of 16.
    pub fn bytes(&self) -> u32 {
        self.bytes
    }

    /// `VMFuncImport` of an imported function.
    pub fn func_import(&self, index: FuncIndex) -> u32 {
        self.func_imports + index.0 * func_import::BYTES
    }

    /// Pointer to an imported table.
    pub fn table_import(&self, index: TableIndex) -> u32 {
        self.table_imports + index.0 * 8
    }

    /// `VMTable` of a defined table.
    pub fn table(&self, index: DefinedTableIndex) -> u32 {
        self.tables + index.0 * table::BYTES
    }

    /// Pointer to a memory that is imported or shared. Every memory has the slot; for a memory
    /// that is neither it points to the definition in the same context.
    pub fn memory_pointer(&self, index: MemoryIndex) -> u32 {
        self.memory_imports + index.0 * 8
    }

    /// `VMMemory` of a defined, unshared memory.
    pub fn memory(&self, index: DefinedMemoryIndex) -> u32 {
        self.memories + index.0 * memory::BYTES
    }

    /// Pointer to an imported global.
    pub fn global_import(&self, index: GlobalIndex) -> u32 {
        self.global_imports + index.0 * 8
    }

    /// `VMGlobal` of a defined global.
    pub fn global(&self, index: DefinedGlobalIndex) -> u32 {
        self.globals + index.0 * global::BYTES
    }

    /// Pointer to an imported tag.
    pub fn tag_import(&self, index: TagIndex) -> u32 {
        self.tag_imports + index.0 * 8
    }

    /// `VMTag` of a defined tag.
    pub fn tag(&self, index: DefinedTagIndex) -> u32 {
        self.tags + index.0 * tag::BYTES
    }

    /// `VMFuncRef` of a function whose reference can be taken.
    pub fn func_ref(&self, index: FuncRefIndex) -> u32 {
        self.func_refs + index.0 * func_ref::BYTES
    }
}
