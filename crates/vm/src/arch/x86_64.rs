//! x86-64: entering WebAssembly, leaving it, and unwinding it, in assembly.
//!
//! Two stacks take part. `enter` saves the host's registers on the host stack, remembers that
//! place in `HOST_SP`, and calls on the WebAssembly stack. A stub goes the other way: it remembers
//! the WebAssembly stack in `WASM_SP`, calls the host just below `HOST_SP`, and comes back.
//! `unwind` forgets everything below `HOST_SP` and lets `enter` answer `false`. Whatever of the
//! store context an entry changes is put back by `call.rs`.
//!
//! Both ways keep the stack pointer they return to in a register that the callee keeps (rbp
//! there, rbx here): a load in its place costs more than the rest of the switch together.
//!
//! WebAssembly code pops its stack arguments, and keeps what the System V convention keeps, as stubs
//! do; but where it may go on at a landing pad or on another stack, it expects nothing of a call but
//! the frame pointer.
//!
//! The ways between WebAssembly stacks are in `switches`, those of calls that can be left for later
//! in `activations`.
//!
//! Deliberately absent: unwind tables. No panic crosses these functions.

#[macro_use]
mod activations;
mod switches;

pub(crate) use activations::{KeptRegs, SavedRegs, begin, go_on, go_on_restored};
pub(crate) use switches::start_address;

use std::arch::{asm, naked_asm};
use std::ffi::c_void;
use std::mem::{MaybeUninit, offset_of};

use selkie_module::abi::{FLOAT_ARGS, INT_ARGS};
use selkie_module::builtins::{Builtin, StackSwitch};
use selkie_module::for_each_builtin;
use selkie_module::layout::{context, host_context, store};

use crate::StoreRuntime;
use crate::context::{CallRegs, VMHostFunc};

/// Bytes that `enter` itself writes on the WebAssembly stack, besides the stack arguments: the
/// return address.
pub(crate) const ENTRY_BYTES: usize = 8;

const INTS: usize = offset_of!(CallRegs, ints);
const FLOATS: usize = offset_of!(CallRegs, floats);

const _: () = assert!(INTS == 0 && size_of::<CallRegs>() == 192);

/// Saves what the compiler cannot be told is lost, and switches to the WebAssembly stack. Below
/// the frame pointer lie rbx, `regs` (at -16) and the address where `unwind` goes on (at -24).
/// In: rdi store, rsi start, rdx code, rcx regs, r8 stack args, r9 their bytes.
/// Out: rax regs, r11 code.
macro_rules! save_host_and_switch {
    () => {
        "push rbp
         mov rbp, rsp
         push rbx
         push rcx
         lea rax, [rip + 4f]
         push rax
         mov [rdi + {HOST_SP}], rsp
         mov rsp, rsi
         mov rax, rcx
         mov r11, rdx
         test r9, r9
         jz 3f
         sub rsp, r9
         xor ecx, ecx
         2:
         movups xmm0, [r8 + rcx]
         movups [rsp + rcx], xmm0
         add rcx, 16
         cmp rcx, r9
         jb 2b
         3:"
    };
}

/// Loads the integer arguments and calls. The frame pointer leads back to the host stack, which
/// is how backtraces see that an activation ends.
macro_rules! load_ints_and_call {
    () => {
        "mov rdi, [rax]
         mov rsi, [rax + 8]
         mov rdx, [rax + 16]
         mov rcx, [rax + 24]
         mov r8, [rax + 32]
         mov r9, [rax + 40]
         call r11"
    };
}

/// Back to the host stack; stores the first integer result. Out: r11 regs.
macro_rules! switch_back_and_store_first {
    () => {
        "mov r11, [rbp - 16]
         lea rsp, [rbp - 8]
         mov [r11], rax"
    };
}

/// Stores the other integer results.
macro_rules! store_more_ints {
    () => {
        "mov [r11 + 8], rcx
         mov [r11 + 16], rdx
         mov [r11 + 24], rsi
         mov [r11 + 32], rdi
         mov [r11 + 40], r8
         mov [r11 + 48], r9
         mov [r11 + 56], r10"
    };
}

/// Ends both ways: after a return, and (from 4 on) after `unwind`, which left `regs` on top.
macro_rules! restore_host {
    () => {
        "mov eax, 1
         jmp 5f
         4:
         add rsp, 8
         xor eax, eax
         5:
         pop rbx
         pop rbp"
    };
}

/// Calls WebAssembly with float registers. Answers `false` when it was unwound.
///
/// # Safety
/// As for [`crate::call()`]; `start` is 16-aligned, lies on a WebAssembly stack with room for
/// `ENTRY_BYTES + stack_bytes` below it; `stack_bytes` is a multiple of 16. The caller restores
/// the store context.
#[inline(always)]
pub(crate) unsafe fn enter(
    store: *mut StoreRuntime,
    start: *mut u8,
    code: *const u8,
    regs: *mut CallRegs,
    stack_args: *const u8,
    stack_bytes: usize,
) -> bool {
    let has_returned: u32;
    // SAFETY: by contract. Every register that WebAssembly may change is an output or saved here;
    // the stack is aligned on entry, since the block does not say `nostack`.
    unsafe {
        asm!(
            save_host_and_switch!(),
            "movaps xmm0, [rax + {FLOATS}]",
            "movaps xmm1, [rax + {FLOATS} + 16]",
            "movaps xmm2, [rax + {FLOATS} + 32]",
            "movaps xmm3, [rax + {FLOATS} + 48]",
            "movaps xmm4, [rax + {FLOATS} + 64]",
            "movaps xmm5, [rax + {FLOATS} + 80]",
            "movaps xmm6, [rax + {FLOATS} + 96]",
            "movaps xmm7, [rax + {FLOATS} + 112]",
            load_ints_and_call!(),
            switch_back_and_store_first!(),
            store_more_ints!(),
            "movaps [r11 + {FLOATS}], xmm0",
            "movaps [r11 + {FLOATS} + 16], xmm1",
            "movaps [r11 + {FLOATS} + 32], xmm2",
            "movaps [r11 + {FLOATS} + 48], xmm3",
            "movaps [r11 + {FLOATS} + 64], xmm4",
            "movaps [r11 + {FLOATS} + 80], xmm5",
            "movaps [r11 + {FLOATS} + 96], xmm6",
            "movaps [r11 + {FLOATS} + 112], xmm7",
            restore_host!(),
            HOST_SP = const store::HOST_SP,
            FLOATS = const FLOATS,
            in("rdi") store,
            in("rsi") start,
            in("rdx") code,
            in("rcx") regs,
            in("r8") stack_args,
            in("r9") stack_bytes,
            lateout("eax") has_returned,
            lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
            clobber_abi("sysv64"),
        );
    }
    has_returned != 0
}

/// [`enter`] for types without floats and vectors.
///
/// # Safety
/// As for [`enter`].
#[inline(always)]
pub(crate) unsafe fn enter_int(
    store: *mut StoreRuntime,
    start: *mut u8,
    code: *const u8,
    regs: *mut CallRegs,
    stack_args: *const u8,
    stack_bytes: usize,
) -> bool {
    let has_returned: u32;
    // SAFETY: as in `enter`.
    unsafe {
        asm!(
            save_host_and_switch!(),
            load_ints_and_call!(),
            switch_back_and_store_first!(),
            store_more_ints!(),
            restore_host!(),
            HOST_SP = const store::HOST_SP,
            in("rdi") store,
            in("rsi") start,
            in("rdx") code,
            in("rcx") regs,
            in("r8") stack_args,
            in("r9") stack_bytes,
            lateout("eax") has_returned,
            lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
            clobber_abi("sysv64"),
        );
    }
    has_returned != 0
}

/// [`enter`] for types without floats and vectors that have one result at most.
///
/// # Safety
/// As for [`enter`].
#[inline(always)]
pub(crate) unsafe fn enter_int_one(
    store: *mut StoreRuntime,
    start: *mut u8,
    code: *const u8,
    regs: *mut CallRegs,
    stack_args: *const u8,
    stack_bytes: usize,
) -> bool {
    let has_returned: u32;
    // SAFETY: as in `enter`.
    unsafe {
        asm!(
            save_host_and_switch!(),
            load_ints_and_call!(),
            switch_back_and_store_first!(),
            restore_host!(),
            HOST_SP = const store::HOST_SP,
            in("rdi") store,
            in("rsi") start,
            in("rdx") code,
            in("rcx") regs,
            in("r8") stack_args,
            in("r9") stack_bytes,
            lateout("eax") has_returned,
            lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
            clobber_abi("sysv64"),
        );
    }
    has_returned != 0
}

/// What a call leaves in the first result registers, and whether it returned at all.
#[derive(Clone, Copy)]
pub(crate) struct Returned {
    pub(crate) has_returned: bool,
    pub(crate) int: MaybeUninit<u64>,
    pub(crate) float: MaybeUninit<f64>,
}

/// Arguments that travel in integer registers.
pub(crate) type IntArgs = [MaybeUninit<u64>; INT_ARGS as usize];
/// Arguments that travel in float registers; of vectors only the low half does.
pub(crate) type FloatArgs = [MaybeUninit<f64>; FLOAT_ARGS as usize];

/// [`enter`] for types without vectors, whose arguments all travel in registers and that have one
/// result at most: nothing goes through memory.
///
/// # Safety
/// As for [`enter`].
#[inline(always)]
pub(crate) unsafe fn enter_in_regs(
    store: *mut StoreRuntime,
    start: *mut u8,
    code: *const u8,
    ints: IntArgs,
    floats: FloatArgs,
) -> Returned {
    let (has_returned, int, float): (u32, MaybeUninit<u64>, MaybeUninit<f64>);
    // SAFETY: as in `enter`. On the host stack lie, from `HOST_SP` upwards, the address where `unwind`
    // goes on, a word for alignment, rbx and rbp; both ways rbp leads there.
    unsafe {
        asm!(
            "lea rax, [rip + 2f]
             sub rsp, 32
             mov [rsp], rax
             mov [rsp + 16], rbx
             mov [rsp + 24], rbp
             mov [r10 + {HOST_SP}], rsp
             mov rbp, rsp
             mov rsp, r12
             call r11
             mov ecx, 1
             2:
             mov rbx, [rbp + 16]
             lea rsp, [rbp + 32]
             mov rbp, [rbp + 24]",
            HOST_SP = const store::HOST_SP,
            in("r10") store,
            in("r11") code,
            inlateout("r12") start => _,
            in("rdi") ints[0],
            in("rsi") ints[1],
            in("rdx") ints[2],
            in("rcx") ints[3],
            in("r8") ints[4],
            in("r9") ints[5],
            in("xmm0") floats[0],
            in("xmm1") floats[1],
            in("xmm2") floats[2],
            in("xmm3") floats[3],
            in("xmm4") floats[4],
            in("xmm5") floats[5],
            in("xmm6") floats[6],
            in("xmm7") floats[7],
            lateout("rax") int,
            lateout("ecx") has_returned,
            lateout("xmm0") float,
            lateout("r13") _, lateout("r14") _, lateout("r15") _,
            clobber_abi("sysv64"),
        );
    }
    Returned { has_returned: has_returned != 0, int, float }
}

/// Forgets everything since the innermost entry and lets it answer `false`: goes on where it said,
/// with ecx zero, rbp `HOST_SP`, and rsp a word above.
///
/// # Safety
/// `store` is inside WebAssembly (`HOST_SP` is set); no frame that is forgotten has anything to
/// drop.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn unwind(store: *mut StoreRuntime) -> ! {
    naked_asm!(
        "mov rbp, [rdi + {HOST_SP}]",
        "mov rsp, rbp",
        "xor ecx, ecx",
        "ret",
        HOST_SP = const store::HOST_SP,
    )
}

/// Goes on in a frame of WebAssembly, at its landing pad. The pad expects nothing but the
/// exception, in the first register for what an exception carries.
///
/// # Safety
/// `fp` and `sp` are those of a frame of the innermost activation at `pad`, which is its landing
/// pad; no frame that is forgotten has anything to drop.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn land(exception: u64, fp: usize, sp: usize, pad: usize) -> ! {
    naked_asm!("mov rax, rdi", "mov rbp, rsi", "mov rsp, rdx", "jmp rcx")
}

/// Records where WebAssembly left and switches to the host stack.
/// In: rdi context. Out: rbx the WebAssembly stack pointer, r11 store; all arguments unchanged.
/// The former rbx is the word on top of the stack, which is 8 off alignment.
macro_rules! leave {
    () => {
        "mov r11, [rdi + {CONTEXT_STORE}]
         mov rax, [rsp]
         mov r10, rsp
         mov [r11 + {EXIT_FP}], rbp
         mov [r11 + {EXIT_PC}], rax
         mov [r11 + {WASM_SP}], rsp
         mov rsp, [r11 + {HOST_SP}]
         push rbx
         mov rbx, r10"
    };
}

/// Returns to WebAssembly from where `leave` left the stack.
macro_rules! come_back {
    () => {
        "mov r11, rbx
         pop rbx
         mov rsp, r11
         ret"
    };
}

macro_rules! define_builtin_stubs {
    ($($(#[$doc:meta])* $name:ident($($param:ident: $ty:ident),*) $(-> $ret:ident)?;)*) => {
        mod stubs {
            use super::*;
            $(
                #[unsafe(naked)]
                pub(super) unsafe extern "C" fn $name() {
                    naked_asm!(
                        leave!(),
                        "mov rax, [r11 + {BUILTIN_IMPLS}]",
                        "sub rsp, 8",
                        "call qword ptr [rax + {ENTRY}]",
                        "add rsp, 8",
                        come_back!(),
                        CONTEXT_STORE = const context::STORE,
                        HOST_SP = const store::HOST_SP,
                        EXIT_FP = const store::EXIT_FP,
                        EXIT_PC = const store::EXIT_PC,
                        WASM_SP = const store::WASM_SP,
                        BUILTIN_IMPLS = const store::BUILTIN_IMPLS,
                        ENTRY = const 8 * (Builtin::$name as u32),
                    )
                }
            )*
        }

        /// The same for builtins that may leave the activation: what they are called from keeps
        /// all registers, so the stub does.
        mod keeping_stubs {
            use super::*;
            $(
                #[unsafe(naked)]
                pub(super) unsafe extern "C" fn $name() {
                    naked_asm!(
                        keep_all!(),
                        "mov rax, [rsi + {BUILTIN_IMPLS}]",
                        "call qword ptr [rax + {ENTRY}]",
                        load_vectors!("rsp"),
                        come_back_with_all!(),
                        HOST_SP = const store::HOST_SP,
                        EXIT_FP = const store::EXIT_FP,
                        EXIT_PC = const store::EXIT_PC,
                        WASM_SP = const store::WASM_SP,
                        BUILTIN_IMPLS = const store::BUILTIN_IMPLS,
                        ENTRY = const 8 * (Builtin::$name as u32),
                    )
                }
            )*
        }

        /// The stubs of the builtins, then those of [`StackSwitch`].
        static STUBS: [unsafe extern "C" fn(); Builtin::ALL.len() + StackSwitch::ALL.len()] = [
            $(if Builtin::$name.may_suspend() { keeping_stubs::$name } else { stubs::$name },)*
            switches::resume,
            switches::resume_throw,
            switches::suspend,
            switches::switch,
        ];
    };
}

for_each_builtin!(define_builtin_stubs);

/// The entry stubs of the builtins in table order, for the `BUILTINS` field of a context. A stub
/// expects the context in the first argument register and calls, on the host stack and with
/// unchanged arguments, the function at the same place of the store's `BUILTIN_IMPLS`. Behind them
/// stand the ways between stacks, `StackSwitch`.
pub fn builtin_stubs() -> &'static [*const u8] {
    // SAFETY: a function pointer has the size, alignment and validity of a non-null data pointer
    // on this target; the static lives forever.
    unsafe { std::slice::from_raw_parts(STUBS.as_ptr().cast(), STUBS.len()) }
}

/// Bytes of the block that a host call keeps below the saved rbx: registers, and a word that
/// aligns the stack.
const HOST_CALL_BYTES: usize = size_of::<CallRegs>() + 8;

/// Spills the integer arguments.
macro_rules! spill_ints {
    () => {
        "sub rsp, {BLOCK}
         mov [rsp], rdi
         mov [rsp + 8], rsi
         mov [rsp + 16], rdx
         mov [rsp + 24], rcx
         mov [rsp + 32], r8
         mov [rsp + 40], r9"
    };
}

/// Calls the host function and settles the stack pointer to return with: the return address moves
/// above the stack arguments when there are any.
macro_rules! call_host_func {
    () => {
        "mov rsi, rsp
         lea rdx, [r10 + 8]
         mov rax, [rdi + {FUNC}]
         call qword ptr [rax + {ENTRY}]
         mov eax, eax
         test rax, rax
         jz 2f
         mov rdx, [rbx]
         add rbx, rax
         mov [rbx], rdx
         2:"
    };
}

/// Loads the integer results and gives the block up.
macro_rules! load_int_results {
    () => {
        "mov rax, [rsp]
         mov rcx, [rsp + 8]
         mov rdx, [rsp + 16]
         mov rsi, [rsp + 24]
         mov rdi, [rsp + 32]
         mov r8, [rsp + 40]
         mov r9, [rsp + 48]
         mov r10, [rsp + 56]
         add rsp, {BLOCK}"
    };
}

#[unsafe(naked)]
unsafe extern "C" fn host_call() {
    naked_asm!(
        leave!(),
        spill_ints!(),
        "movaps [rsp + {FLOATS}], xmm0",
        "movaps [rsp + {FLOATS} + 16], xmm1",
        "movaps [rsp + {FLOATS} + 32], xmm2",
        "movaps [rsp + {FLOATS} + 48], xmm3",
        "movaps [rsp + {FLOATS} + 64], xmm4",
        "movaps [rsp + {FLOATS} + 80], xmm5",
        "movaps [rsp + {FLOATS} + 96], xmm6",
        "movaps [rsp + {FLOATS} + 112], xmm7",
        call_host_func!(),
        "movaps xmm0, [rsp + {FLOATS}]",
        "movaps xmm1, [rsp + {FLOATS} + 16]",
        "movaps xmm2, [rsp + {FLOATS} + 32]",
        "movaps xmm3, [rsp + {FLOATS} + 48]",
        "movaps xmm4, [rsp + {FLOATS} + 64]",
        "movaps xmm5, [rsp + {FLOATS} + 80]",
        "movaps xmm6, [rsp + {FLOATS} + 96]",
        "movaps xmm7, [rsp + {FLOATS} + 112]",
        load_int_results!(),
        come_back!(),
        CONTEXT_STORE = const context::STORE,
        HOST_SP = const store::HOST_SP,
        EXIT_FP = const store::EXIT_FP,
        EXIT_PC = const store::EXIT_PC,
        WASM_SP = const store::WASM_SP,
        BLOCK = const HOST_CALL_BYTES,
        FUNC = const host_context::FUNC,
        ENTRY = const offset_of!(VMHostFunc, entry),
        FLOATS = const FLOATS,
    )
}

/// `host_call` for functions that may leave the call for later: the registers that a call keeps lie
/// just below where the host was left (`KeptRegs`).
#[unsafe(naked)]
unsafe extern "C" fn host_call_suspendable() {
    naked_asm!(
        leave!(),
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        spill_ints!(),
        "movaps [rsp + {FLOATS}], xmm0",
        "movaps [rsp + {FLOATS} + 16], xmm1",
        "movaps [rsp + {FLOATS} + 32], xmm2",
        "movaps [rsp + {FLOATS} + 48], xmm3",
        "movaps [rsp + {FLOATS} + 64], xmm4",
        "movaps [rsp + {FLOATS} + 80], xmm5",
        "movaps [rsp + {FLOATS} + 96], xmm6",
        "movaps [rsp + {FLOATS} + 112], xmm7",
        call_host_func!(),
        "movaps xmm0, [rsp + {FLOATS}]",
        "movaps xmm1, [rsp + {FLOATS} + 16]",
        "movaps xmm2, [rsp + {FLOATS} + 32]",
        "movaps xmm3, [rsp + {FLOATS} + 48]",
        "movaps xmm4, [rsp + {FLOATS} + 64]",
        "movaps xmm5, [rsp + {FLOATS} + 80]",
        "movaps xmm6, [rsp + {FLOATS} + 96]",
        "movaps xmm7, [rsp + {FLOATS} + 112]",
        load_int_results!(),
        "add rsp, 32",
        come_back!(),
        CONTEXT_STORE = const context::STORE,
        HOST_SP = const store::HOST_SP,
        EXIT_FP = const store::EXIT_FP,
        EXIT_PC = const store::EXIT_PC,
        WASM_SP = const store::WASM_SP,
        BLOCK = const HOST_CALL_BYTES,
        FUNC = const host_context::FUNC,
        ENTRY = const offset_of!(VMHostFunc, entry),
        FLOATS = const FLOATS,
    )
}

#[unsafe(naked)]
unsafe extern "C" fn host_call_int() {
    naked_asm!(
        leave!(),
        spill_ints!(),
        call_host_func!(),
        load_int_results!(),
        come_back!(),
        CONTEXT_STORE = const context::STORE,
        HOST_SP = const store::HOST_SP,
        EXIT_FP = const store::EXIT_FP,
        EXIT_PC = const store::EXIT_PC,
        WASM_SP = const store::WASM_SP,
        BLOCK = const HOST_CALL_BYTES,
        FUNC = const host_context::FUNC,
        ENTRY = const offset_of!(VMHostFunc, entry),
    )
}

#[unsafe(naked)]
unsafe extern "C" fn host_call_direct() {
    naked_asm!(
        "mov r11, [rdi + {CONTEXT_STORE}]
         mov rax, [rsp]
         mov [r11 + {EXIT_FP}], rbp
         mov [r11 + {EXIT_PC}], rax
         mov [r11 + {WASM_SP}], rsp
         mov r10, [r11 + {HOST_SP}]
         mov rax, [rdi + {FUNC}]
         mov [r10 - 8], rbx
         mov rbx, rsp
         lea rsp, [r10 - 16]
         call qword ptr [rax + {DIRECT}]
         mov r11, rbx
         mov rbx, [rsp + 8]
         mov rsp, r11
         ret",
        CONTEXT_STORE = const context::STORE,
        HOST_SP = const store::HOST_SP,
        EXIT_FP = const store::EXIT_FP,
        EXIT_PC = const store::EXIT_PC,
        WASM_SP = const store::WASM_SP,
        FUNC = const host_context::FUNC,
        DIRECT = const offset_of!(VMHostFunc, direct),
    )
}

/// The `code` of a host function of any type: calls `VMHostFunc::entry`.
pub fn host_call_stub() -> *const u8 {
    host_call as *const u8
}

/// The `code` of a host function of any type that may leave the call for later
/// ([`suspend`](crate::suspend)): calls `VMHostFunc::entry`.
pub fn host_call_stub_suspendable() -> *const u8 {
    host_call_suspendable as *const u8
}

/// The `code` of a host function whose type has no floats and no vectors: calls
/// `VMHostFunc::entry` and leaves `CallRegs::floats` uninitialised.
pub fn host_call_stub_int() -> *const u8 {
    host_call_int as *const u8
}

/// The `code` of a host function whose arguments all travel in registers and that has at most
/// one result: calls `VMHostFunc::direct`, arguments and result staying where they are. A
/// 32-bit argument has undefined upper bits, as in System V.
pub fn host_call_direct_stub() -> *const u8 {
    host_call_direct as *const u8
}

/// The current stack pointer.
#[inline(always)]
pub(crate) fn stack_pointer() -> usize {
    let sp: usize;
    // SAFETY: reads one register.
    unsafe { asm!("mov {}, rsp", out(reg) sp, options(nomem, nostack, preserves_flags)) };
    sp
}

/// The program counter of a signal's register state.
///
/// # Safety
/// `state` is the third argument of a signal handler.
pub(crate) unsafe fn fault_pc(state: *mut c_void) -> usize {
    // SAFETY: by contract a `ucontext_t`.
    unsafe {
        (*state.cast::<libc::ucontext_t>()).uc_mcontext.gregs[libc::REG_RIP as usize] as usize
    }
}

/// The frame pointer of a signal's register state.
///
/// # Safety
/// As for [`fault_pc`].
pub(crate) unsafe fn fault_frame(state: *mut c_void) -> usize {
    // SAFETY: by contract a `ucontext_t`.
    unsafe {
        (*state.cast::<libc::ucontext_t>()).uc_mcontext.gregs[libc::REG_RBP as usize] as usize
    }
}

/// The stack pointer of a signal's register state.
///
/// # Safety
/// As for [`fault_pc`].
pub(crate) unsafe fn fault_sp(state: *mut c_void) -> usize {
    // SAFETY: by contract a `ucontext_t`.
    unsafe {
        (*state.cast::<libc::ucontext_t>()).uc_mcontext.gregs[libc::REG_RSP as usize] as usize
    }
}

/// Lets the interrupted thread continue in `unwind(store)` when the handler returns.
///
/// # Safety
/// As for [`fault_pc`], and as for [`unwind`].
pub(crate) unsafe fn resume_unwinding(state: *mut c_void, store: *mut StoreRuntime) {
    // SAFETY: by contract a `ucontext_t`; `unwind` needs nothing but rdi.
    unsafe {
        let regs = &mut (*state.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
        regs[libc::REG_RIP as usize] = unwind as *const () as i64;
        regs[libc::REG_RDI as usize] = store as i64;
    }
}
