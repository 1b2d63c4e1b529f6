//! Runtime entries that machine code calls.
//!
//! Grammar of the table: `name(param: type, …) -> type;`, where a type is `i32`, `i64`, `ptr`, or
//! `ref` for a reference that the collector traces.
//! The context pointer comes first and is not written. At most five parameters follow, so that
//! every argument travels in an integer register. An entry that fails does not return: it
//! unwinds to the call that entered WebAssembly.
//!
//! A row needs an implementation in the engine; its table of entries is built from this one and
//! does not compile with a row missing.

/// Machine types of an entry's parameters and result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BuiltinType {
    I32,
    I64,
    Ptr,
    Ref,
}

/// Passes the table to the macro named by the argument.
#[macro_export]
macro_rules! for_each_builtin {
    ($mac:ident) => {
        $mac! {
            /// `memory.grow`: the old size in pages, or -1.
            memory_grow(memory: i32, delta: i64) -> i64;
            /// `memory.copy`; memories by the address of their `VMMemory`, both may be one.
            memory_copy(dst_memory: ptr, dst: i64, src_memory: ptr, src: i64, len: i64);
            /// `memory.fill` with the low byte of `value`; the memory as in `memory_copy`.
            memory_fill(memory: ptr, dst: i64, value: i32, len: i64);
            /// `memory.init`.
            memory_init(memory: i32, data: i32, dst: i64, src: i32, len: i32);
            /// `memory.discard`: pages that the range touches read as zero and are given back.
            memory_discard(memory: i32, start: i64, bytes: i64);
            /// `data.drop`.
            data_drop(data: i32);
            /// `memory.atomic.notify`: waiters woken. The address is checked and aligned.
            memory_notify(memory: i32, address: i64, count: i32) -> i32;
            /// `memory.atomic.wait32`: 0 ok, 1 not equal, 2 timed out.
            memory_wait32(memory: i32, address: i64, expected: i32, timeout_ns: i64) -> i32;
            /// `memory.atomic.wait64`.
            memory_wait64(memory: i32, address: i64, expected: i64, timeout_ns: i64) -> i32;
            /// `table.grow`: the old size, or -1. `value` is a reference as tables store it.
            table_grow(table: i32, delta: i64, value: ptr) -> i64;
            /// `table.fill`.
            table_fill(table: i32, dst: i64, value: ptr, len: i64);
            /// `table.copy`; both tables may be one.
            table_copy(dst_table: i32, dst: i64, src_table: i32, src: i64, len: i64);
            /// `table.init`.
            table_init(table: i32, elem: i32, dst: i64, src: i32, len: i32);
            /// `elem.drop`.
            elem_drop(elem: i32);
            /// `table.get` on a table of functions: checks, fills the slot if needed.
            table_get_func(table: i32, index: i64) -> ptr;
            /// `table.set` on a table of functions: checks, writes the whole slot.
            table_set_func(table: i32, index: i64, func: ptr);
            /// The slow path of `call_indirect`: `index` is within bounds but the slot's type is
            /// not the wanted one. Fills a lazy slot and returns its address when the type now
            /// matches; otherwise traps as the specification says.
            call_indirect_slow(table: i32, index: i64, type_index: i32) -> ptr;
            /// `ref.func`: the address of the function's `VMFuncRef`, filled.
            ref_func(func_ref: i32) -> ptr;
            /// Memory for a new object that did not fit in front of the collector's limit; may
            /// collect. The caller writes all of the object before anything else can collect.
            gc_alloc(bytes: i64) -> ref;
            /// `array.new`; the value by its bits, low half first.
            array_new(type_index: i32, length: i32, low: i64, high: i64) -> ref;
            /// `array.new_data`.
            array_new_data(type_index: i32, data: i32, start: i32, length: i32) -> ref;
            /// `array.new_elem`.
            array_new_elem(type_index: i32, elem: i32, start: i32, length: i32) -> ref;
            /// `array.fill`; the value by its bits, low half first.
            array_fill(array: ref, index: i32, low: i64, high: i64, length: i32);
            /// `array.copy`; both arrays may be one.
            array_copy(to: ref, to_index: i32, from: ref, from_index: i32, length: i32);
            /// Copies bytes between two places of the collected heap, which may overlap.
            move_bytes(to: ptr, from: ptr, bytes: i64);
            /// `array.init_data`.
            array_init_data(array: ref, index: i32, data: i32, start: i32, length: i32);
            /// `array.init_elem`.
            array_init_elem(array: ref, index: i32, elem: i32, start: i32, length: i32);
            /// Whether a canonical type is the wanted one or below it, for types deeper than
            /// descriptors show.
            is_subtype(found: i32, wanted: i32) -> i32;
            /// Throws an exception, which is not null, to the nearest landing pad of this
            /// activation, or out of it. Does not return.
            throw(exception: ref);
            /// A continuation that will call a function which is not null: its place. No object
            /// stands for it yet.
            cont_new(func: ptr) -> i32;
            /// Appends arguments to those bound to a continuation: at most 64 values of 16 bytes;
            /// the bits of `traced` say which are references that the collector traces.
            cont_bind(place: i32, values: ptr, count: i32, traced: i64);
            /// Nobody handles a `suspend` or `switch`.
            unhandled_tag();
            /// The counter of fuel is below zero. Returns where there is fuel that was not counted
            /// yet, perhaps later. `store` is the `VMStoreContext`.
            out_of_fuel(store: ptr);
            /// Somebody wants to interrupt what runs in the store: returns if it goes on, perhaps later.
            /// `store` is the `VMStoreContext`.
            interrupted(store: ptr);
        }
    };
}

macro_rules! define_builtins {
    ($($(#[$doc:meta])* $name:ident($($param:ident: $ty:ident),*) $(-> $ret:ident)?;)*) => {
        /// A runtime entry, by its place in the table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(non_camel_case_types)]
        #[repr(u32)]
        pub enum Builtin { $($(#[$doc])* $name,)* }

        impl Builtin {
            /// Every entry, in table order.
            pub const ALL: &'static [Builtin] = &[$(Builtin::$name),*];

            /// The entry's name.
            pub fn name(self) -> &'static str {
                match self { $(Builtin::$name => stringify!($name),)* }
            }

            /// Whether the entry may collect, and so move every object, in an engine that
            /// interrupts its guests or in one that does not.
            pub fn may_collect(self, is_interrupting: bool) -> bool {
                !QUIET.contains(&self) && (is_interrupting || !LONG.contains(&self))
            }

            /// Whether the entry may leave the call for later. Its caller keeps all registers, the
            /// first parameter is the `VMStoreContext`, and there is no result.
            pub const fn may_suspend(self) -> bool {
                matches!(self, Builtin::out_of_fuel | Builtin::interrupted)
            }

            /// Parameter types after the context.
            pub fn params(self) -> &'static [BuiltinType] {
                match self { $(Builtin::$name => &[$(builtin_type!($ty)),*],)* }
            }

            /// Result type.
            pub fn result(self) -> Option<BuiltinType> {
                match self { $(Builtin::$name => builtin_result!($($ret)?),)* }
            }
        }
    };
}

/// Entries that never collect.
const QUIET: &[Builtin] = &[
    Builtin::memory_grow,
    Builtin::data_drop,
    Builtin::memory_notify,
    Builtin::elem_drop,
    Builtin::table_get_func,
    Builtin::table_set_func,
    Builtin::call_indirect_slow,
    Builtin::ref_func,
    Builtin::move_bytes,
    Builtin::is_subtype,
    Builtin::cont_bind,
    // While a call waits to go on, nobody uses its store.
    Builtin::out_of_fuel,
];

/// Entries that may run for long, and ask in between whether they are interrupted where an engine
/// interrupts its guests: whoever answers may collect. Otherwise they never do.
const LONG: &[Builtin] = &[
    Builtin::memory_copy,
    Builtin::memory_fill,
    Builtin::memory_init,
    Builtin::memory_wait32,
    Builtin::memory_wait64,
    Builtin::table_grow,
    Builtin::table_fill,
    Builtin::table_copy,
    Builtin::table_init,
    Builtin::array_fill,
    Builtin::array_copy,
    Builtin::array_init_data,
    Builtin::array_init_elem,
];

/// Ways between stacks that machine code calls. Their stubs follow those of the builtins. Each takes
/// the context first, all arguments in integer registers, keeps no register but the frame
/// pointer, and goes on in another stack; the call returns when somebody comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum StackSwitch {
    /// `resume`: continuation, `VMResume`, object. Returns the results of the continuation's
    /// function as that function would, or the address of the area that they are in.
    Resume,
    /// `resume_throw_ref`: continuation, `VMResume`, object, exception. Returns as `Resume`.
    ResumeThrow,
    /// `suspend`: event, a new object, payload. Returns when the payload's place holds the results.
    Suspend,
    /// `switch`: event, a new object, payload's place, continuation, object. Returns as `Suspend`.
    Switch,
}

impl StackSwitch {
    /// Every way, in order.
    pub const ALL: &'static [StackSwitch] =
        &[StackSwitch::Resume, StackSwitch::ResumeThrow, StackSwitch::Suspend, StackSwitch::Switch];

    /// The place of its stub behind those of the builtins.
    pub const fn stub(self) -> usize {
        Builtin::ALL.len() + self as usize
    }

    /// How many parameters follow the context.
    pub const fn params(self) -> usize {
        match self {
            StackSwitch::Resume | StackSwitch::Suspend => 3,
            StackSwitch::ResumeThrow => 4,
            StackSwitch::Switch => 5,
        }
    }
}

macro_rules! builtin_type {
    (i32) => {
        BuiltinType::I32
    };
    (i64) => {
        BuiltinType::I64
    };
    (ptr) => {
        BuiltinType::Ptr
    };
    (ref) => {
        BuiltinType::Ref
    };
}

macro_rules! builtin_result {
    () => {
        None
    };
    ($ty:ident) => {
        Some(builtin_type!($ty))
    };
}

for_each_builtin!(define_builtins);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_fits_the_argument_registers() {
        for entry in Builtin::ALL {
            assert!(entry.params().len() <= 5, "{}", entry.name());
        }
    }

    #[test]
    fn entries_that_may_suspend_know_the_store_and_have_no_result() {
        for entry in Builtin::ALL.iter().filter(|entry| entry.may_suspend()) {
            assert_eq!(entry.params().first(), Some(&BuiltinType::Ptr), "{}", entry.name());
            assert_eq!(entry.result(), None, "{}", entry.name());
        }
    }
}
