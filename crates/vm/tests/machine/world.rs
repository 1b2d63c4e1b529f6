//! Guests in assembly, and the least of a world that they run in.

#![allow(dead_code, unused_macros, unused_imports, reason = "each test program uses a part")]

use std::mem::MaybeUninit;
use std::sync::Arc;

use selkie_module::TrapCode;
use selkie_module::builtins::Builtin;
use selkie_module::layout::context;
use selkie_vm::*;

/// Machine code between two labels; `$site` labels an instruction that may trap.
macro_rules! guest {
    ($name:ident, $($line:literal),+ $(,)?) => {
        std::arch::global_asm!(
            ".pushsection .rodata.guests,\"a\",@progbits",
            concat!("selkie_guest_", stringify!($name), ":"),
            $($line,)+
            concat!("selkie_guest_", stringify!($name), "_end:"),
            ".popsection",
        );

        pub(crate) fn $name() -> $crate::world::Guest {
            unsafe extern "C" {
                #[link_name = concat!("selkie_guest_", stringify!($name))]
                static START: u8;
                #[link_name = concat!("selkie_guest_", stringify!($name), "_end")]
                static END: u8;
            }
            // SAFETY: both symbols bound one piece of read-only data.
            $crate::world::Guest::new(unsafe {
                let start = &raw const START;
                let len = (&raw const END).offset_from_unsigned(start);
                std::slice::from_raw_parts(start, len)
            })
        }
    };
}

/// Traps at each `ud2`, `idiv ecx` and at loads from `[rsi]`, by their bytes.
struct Sites(Vec<u8>);

impl CodeObject for Sites {
    fn trap_at(&self, offset: usize) -> Option<TrapCode> {
        match self.0.get(offset..)? {
            [0x0f, 0x0b, ..] => Some(TrapCode::Unreachable),
            [0xf7, 0xf9, ..] => Some(TrapCode::IntegerDivideByZero),
            [0x8b, 0x06, ..] => Some(TrapCode::MemoryOutOfBounds),
            _ => None,
        }
    }

    fn each_slot(&self, _: usize, _: &mut dyn FnMut(u32)) {}

    fn landing(&self, _: usize) -> Option<selkie_module::frames::Landing> {
        None
    }
}

pub(crate) struct Guest {
    pub(crate) memory: CodeMemory,
}

impl Guest {
    pub(crate) fn new(bytes: &[u8]) -> Guest {
        let mut memory = CodeMemory::from_bytes(bytes).unwrap();
        memory.publish(Arc::new(Sites(bytes.to_vec())));
        Guest { memory }
    }

    pub(crate) fn contains(&self, pc: usize) -> bool {
        let start = self.memory.base() as usize;
        (start..start + self.memory.len()).contains(&pc)
    }
}

/// A store and an instance's context, at stable addresses.
pub(crate) struct World {
    pub(crate) store: Box<StoreRuntime>,
    pub(crate) context: Box<VMContext>,
    impls: Vec<*const u8>,
}

impl World {
    pub(crate) fn new() -> World {
        World::with_stack(DEFAULT_STACK_BYTES)
    }

    pub(crate) fn with_stack(stack_bytes: usize) -> World {
        let mut store = Box::new(StoreRuntime::new(stack_bytes).unwrap());
        let context = Box::new(VMContext {
            magic: context::MAGIC_INSTANCE,
            store: &raw mut *store,
            builtins: builtin_stubs().as_ptr(),
            type_ids: std::ptr::null(),
            instance: 1,
            heap_base: std::ptr::null_mut(),
            interrupt: std::ptr::null(),
        });
        let impls = vec![std::ptr::null(); Builtin::ALL.len()];
        store.vm.builtin_impls = impls.as_ptr();
        World { store, context, impls }
    }

    pub(crate) fn set_builtin(&mut self, builtin: Builtin, code: *const u8) {
        self.impls[builtin as usize] = code;
    }

    pub(crate) fn regs(&mut self, ints: &[u64]) -> CallRegs {
        let mut regs = CallRegs::ZERO;
        regs.ints[0] = &raw mut *self.context as u64;
        regs.ints[1..=ints.len()].copy_from_slice(ints);
        regs
    }

    pub(crate) fn call(&mut self, guest: &Guest, regs: &mut CallRegs) -> Result<(), Box<Unwind>> {
        self.call_with(guest, regs, &[], RegSet::All)
    }

    pub(crate) fn call_with(
        &mut self,
        guest: &Guest,
        regs: &mut CallRegs,
        stack_args: &[u8],
        set: RegSet,
    ) -> Result<(), Box<Unwind>> {
        let stack_args: Vec<_> = stack_args.iter().copied().map(MaybeUninit::new).collect();
        // SAFETY: the world is at stable addresses; each test passes what its guest takes.
        unsafe { call(&raw mut *self.store, guest.memory.base(), regs, &stack_args, set) }
    }

    pub(crate) fn host(&mut self, func: &VMHostFunc) -> Box<VMHostContext> {
        Box::new(VMHostContext {
            magic: context::MAGIC_HOST,
            store: &raw mut *self.store,
            func,
            caller: &raw mut *self.context,
        })
    }
}

pub(crate) fn trap(result: Result<(), Box<Unwind>>) -> (TrapCode, Vec<Frame>) {
    match result.map_err(|unwind| *unwind) {
        Err(Unwind::Trap { code, frames }) => (code, frames),
        other => panic!("not a trap: {other:?}"),
    }
}

// Calls a function of its own, which traps.
guest!(
    trap_in_a_callee,
    "push rbp",
    "mov rbp, rsp",
    "call 2f",
    "pop rbp",
    "ret",
    "2:",
    "push rbp",
    "mov rbp, rsp",
    "ud2",
);

pub(crate) use guest;
