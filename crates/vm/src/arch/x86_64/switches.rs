//! x86-64: the ways between WebAssembly stacks.
//!
//! Each is called by machine code, which keeps nothing but the frame pointer over the call, and
//! waits at the return address on top of its stack. Going on elsewhere is a jump to the address on
//! top of that other stack. It is a jump, not a return: the processor foresees it.
//!
//! A way that nobody handles leaves everything as it was and becomes a call of the builtin that
//! traps.

use std::arch::naked_asm;
use std::mem::offset_of;

use selkie_module::builtins::Builtin;
use selkie_module::fuel::Bulk;
use selkie_module::heap::INDEX;
use selkie_module::layout::{context, continuation_slot as slot, resume as record, store};

use super::{FLOATS, stubs};
use crate::continuation::{VMContinuation, place_arguments};

const PLACE: usize = offset_of!(VMContinuation, place);
const PARENT: usize = offset_of!(VMContinuation, parent);
const PARENT_SP: usize = offset_of!(VMContinuation, parent_sp);
const PARENT_FP: usize = offset_of!(VMContinuation, parent_fp);
const RESUME: usize = offset_of!(VMContinuation, resume);
const LEAF: usize = offset_of!(VMContinuation, leaf);
const SP: usize = offset_of!(VMContinuation, sp);
const FP: usize = offset_of!(VMContinuation, fp);

const _: () = assert!(slot::BYTES == 1 << 4);

/// Consumes: the object no longer stands for the continuation.
/// In: rdi context, r11 store. Changes r13 and r14.
macro_rules! consume {
    ($object:literal, $continuation:literal) => {
        concat!(
            "mov r14, [rdi + {HEAP_BASE}]
             mov dword ptr [r14 + ",
            $object,
            " + {INDEX}], 0
             mov r13d, [",
            $continuation,
            " + {PLACE}]
             shl r13, 4
             add r13, [r11 + {CONTINUATIONS}]
             mov dword ptr [r13 + {OBJECT}], 0"
        )
    };
}

/// Puts a continuation below the one that runs. In: rsi continuation, rdx `VMResume`, r11 store.
/// Changes rax.
macro_rules! attach {
    () => {
        "mov rax, [r11 + {CONTINUATION}]
         mov [rsi + {PARENT}], rax
         mov [rsi + {PARENT_SP}], rsp
         mov [rsi + {PARENT_FP}], rbp
         mov [rsi + {RESUME}], rdx"
    };
}

/// Goes on in the leaf in rax. In: r11 store. Leaves both registers.
macro_rules! go_on {
    () => {
        "mov [r11 + {CONTINUATION}], rax
         mov rsp, [rax + {SP}]
         mov rbp, [rax + {FP}]
         pop rcx
         jmp rcx"
    };
}

/// Finds who handles an event, from the innermost `resume` outwards; jumps to 9 where nobody does.
/// It is paid for like other bulk: a store that does not count has fuel for ever.
/// In: rsi event, r11 store. Out: rax the continuation whose `resume` handles it, r10 that
/// `VMResume`, rbx which clause. Changes r12 and r15.
macro_rules! find_handler {
    () => {
        "mov rax, [r11 + {CONTINUATION}]
         xor r15d, r15d
         2:
         test rax, rax
         jz 8f
         mov r10, [rax + {RESUME}]
         mov r12d, [r10 + {COUNT}]
         xor ebx, ebx
         3:
         inc r15
         cmp ebx, r12d
         je 4f
         cmp rsi, [r10 + rbx * 8 + {EVENTS}]
         je 5f
         inc ebx
         jmp 3b
         4:
         mov rax, [rax + {PARENT}]
         jmp 2b
         8:
         shr r15, {FUEL_SHIFT}
         sub [r11 + {FUEL}], r15
         jmp 9f
         5:
         shr r15, {FUEL_SHIFT}
         sub [r11 + {FUEL}], r15"
    };
}

/// Lets everything that runs, up to the root in rax, wait as a whole, for which an object stands.
/// In: rdi context, rdx the object, rcx where its results will go, r11 store. Changes r12 to r14.
macro_rules! wait {
    () => {
        "mov r12, [r11 + {CONTINUATION}]
         mov [rax + {LEAF}], r12
         mov [rax + {ARGUMENTS}], rcx
         mov dword ptr [rax + {BOUND}], 0
         mov [r12 + {SP}], rsp
         mov [r12 + {FP}], rbp
         mov r13d, [rax + {PLACE}]
         mov r14, [rdi + {HEAP_BASE}]
         mov [r14 + rdx + {INDEX}], r13d
         shl r13, 4
         add r13, [r11 + {CONTINUATIONS}]
         mov [r13 + {OBJECT}], edx
         mov dword ptr [r13 + {HAS_YOUNG}], 1"
    };
}

/// Nobody handles an event: traps in the frame of whoever called.
macro_rules! unhandled {
    () => {
        "9:
         jmp {unhandled}"
    };
}

/// A way: all of them know the same names. Those that one does not use stand in a comment of it,
/// since an operand without use is an error.
macro_rules! way {
    ($($line:expr),+ $(,)?) => {
        naked_asm!(
            $($line,)+
            "# {STORE} {HEAP_BASE} {HOST_SP} {WASM_SP} {EXIT_FP} {EXIT_PC} {BUILTIN_IMPLS}",
            "# {THROW} {FUEL} {FUEL_SHIFT} {CONTINUATION} {CONTINUATIONS} {OBJECT}",
            "# {HAS_YOUNG} {INDEX} {OUTCOME} {COUNT} {REFERENCE} {PAYLOAD} {EVENTS}",
            "# {ARGUMENTS} {BOUND} {PLACE} {PARENT} {PARENT_SP} {PARENT_FP} {RESUME} {LEAF}",
            "# {SP} {FP} {unhandled}",
            STORE = const context::STORE,
            HEAP_BASE = const context::HEAP_BASE,
            HOST_SP = const store::HOST_SP,
            WASM_SP = const store::WASM_SP,
            EXIT_FP = const store::EXIT_FP,
            EXIT_PC = const store::EXIT_PC,
            BUILTIN_IMPLS = const store::BUILTIN_IMPLS,
            THROW = const 8 * (Builtin::throw as u32),
            FUEL = const store::FUEL,
            FUEL_SHIFT = const Bulk::Elements.per_unit_log2(),
            CONTINUATION = const store::CONTINUATION,
            CONTINUATIONS = const store::CONTINUATIONS,
            OBJECT = const slot::OBJECT,
            HAS_YOUNG = const slot::HAS_YOUNG,
            INDEX = const INDEX,
            OUTCOME = const record::OUTCOME,
            COUNT = const record::COUNT,
            REFERENCE = const record::REFERENCE,
            PAYLOAD = const record::PAYLOAD,
            EVENTS = const record::EVENTS,
            ARGUMENTS = const offset_of!(VMContinuation, arguments),
            BOUND = const offset_of!(VMContinuation, bound),
            PLACE = const PLACE,
            PARENT = const PARENT,
            PARENT_SP = const PARENT_SP,
            PARENT_FP = const PARENT_FP,
            RESUME = const RESUME,
            LEAF = const LEAF,
            SP = const SP,
            FP = const FP,
            unhandled = sym stubs::unhandled_tag,
        )
    };
}

/// `StackSwitch::Resume`. In: rdi context, rsi continuation, rdx `VMResume`, rcx object.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn resume() {
    way!(
        "mov r11, [rdi + {STORE}]",
        consume!("rcx", "rsi"),
        attach!(),
        "mov rax, [rsi + {LEAF}]",
        go_on!(),
    )
}

/// `StackSwitch::ResumeThrow`. In: as for `resume`, and r8 the exception, which is thrown as if
/// the place where the continuation waits had called the host.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn resume_throw() {
    way!(
        "mov r11, [rdi + {STORE}]",
        consume!("rcx", "rsi"),
        attach!(),
        "mov rax, [rsi + {LEAF}]
         mov [r11 + {CONTINUATION}], rax
         mov rcx, [rax + {FP}]
         mov [r11 + {EXIT_FP}], rcx
         mov rcx, [rax + {SP}]
         mov [r11 + {WASM_SP}], rcx
         mov rcx, [rcx]
         mov [r11 + {EXIT_PC}], rcx
         mov rsi, r8
         mov rsp, [r11 + {HOST_SP}]
         mov rax, [r11 + {BUILTIN_IMPLS}]
         call qword ptr [rax + {THROW}]
         ud2",
    )
}

/// `StackSwitch::Suspend`. In: rdi context, rsi event, rdx object, rcx payload.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn suspend() {
    way!(
        "mov r11, [rdi + {STORE}]",
        find_handler!(),
        wait!(),
        "inc ebx
         mov [r10 + {OUTCOME}], ebx
         mov [r10 + {REFERENCE}], rdx
         mov [r10 + {PAYLOAD}], rcx
         mov rbx, [rax + {PARENT}]
         mov [r11 + {CONTINUATION}], rbx
         mov rsp, [rax + {PARENT_SP}]
         mov rbp, [rax + {PARENT_FP}]
         pop rcx
         jmp rcx",
        unhandled!(),
    )
}

/// `StackSwitch::Switch`. In: rdi context, rsi event, rdx object of what waits from now on, rcx
/// where its results will go, r8 the continuation that takes its place, r9 that one's object.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn switch() {
    way!(
        "mov r11, [rdi + {STORE}]",
        find_handler!(),
        wait!(),
        consume!("r9", "r8"),
        "mov rcx, [rax + {PARENT}]
         mov [r8 + {PARENT}], rcx
         mov rcx, [rax + {PARENT_SP}]
         mov [r8 + {PARENT_SP}], rcx
         mov rcx, [rax + {PARENT_FP}]
         mov [r8 + {PARENT_FP}], rcx
         mov [r8 + {RESUME}], r10
         mov rax, [r8 + {LEAF}]",
        go_on!(),
        unhandled!(),
    )
}

/// Where a continuation goes on that has not begun: calls its function, and when that returns
/// goes back to whoever resumed last, the results in their registers. The frame pointer is 0: for
/// whoever walks frames the stack ends here.
/// In: rax continuation, r11 store.
#[unsafe(naked)]
unsafe extern "C" fn start() {
    naked_asm!(
        "mov rbx, rax
         mov rsp, [r11 + {HOST_SP}]
         mov rdi, rax
         call {place_arguments}
         movaps xmm0, [rax + {FLOATS}]
         movaps xmm1, [rax + {FLOATS} + 16]
         movaps xmm2, [rax + {FLOATS} + 32]
         movaps xmm3, [rax + {FLOATS} + 48]
         movaps xmm4, [rax + {FLOATS} + 64]
         movaps xmm5, [rax + {FLOATS} + 80]
         movaps xmm6, [rax + {FLOATS} + 96]
         movaps xmm7, [rax + {FLOATS} + 112]
         mov rdi, [rax]
         mov rsi, [rax + 8]
         mov rdx, [rax + 16]
         mov rcx, [rax + 24]
         mov r8, [rax + 32]
         mov r9, [rax + 40]
         mov rsp, [rbx + {CALL_SP}]
         call qword ptr [rbx + {CODE}]
         mov r11, [rsp]
         mov r12, [r11 + {OWN_STORE}]
         mov rbx, [r11 + {PARENT}]
         mov [r12 + {CONTINUATION}], rbx
         mov rbx, [r12 + {FINISHED}]
         mov [r11 + {NEXT}], rbx
         mov [r12 + {FINISHED}], r11
         mov rbx, [r11 + {RESULTS}]
         test rbx, rbx
         cmovnz rax, rbx
         mov rsp, [r11 + {PARENT_SP}]
         mov rbp, [r11 + {PARENT_FP}]
         pop rbx
         jmp rbx",
        HOST_SP = const store::HOST_SP,
        CONTINUATION = const store::CONTINUATION,
        FINISHED = const store::FINISHED,
        FLOATS = const FLOATS,
        CALL_SP = const offset_of!(VMContinuation, call_sp),
        CODE = const offset_of!(VMContinuation, code),
        OWN_STORE = const offset_of!(VMContinuation, store),
        NEXT = const offset_of!(VMContinuation, next),
        RESULTS = const offset_of!(VMContinuation, results),
        PARENT = const PARENT,
        PARENT_SP = const PARENT_SP,
        PARENT_FP = const PARENT_FP,
        place_arguments = sym place_arguments,
    )
}

/// The address that the first `resume` of a continuation goes to.
pub(crate) fn start_address() -> usize {
    start as *const () as usize
}
