//! x86-64: entering activations that can be left, and builtins that leave them.
//!
//! All ways in save the host in the same way, so that the way out does not depend on which one was
//! taken last: from `HOST_SP` upwards lie the address where `unwind` goes on, the registers' block,
//! a word for alignment, and what System V keeps.
//!
//! The first call has no frame pointer: it is 0, and whoever walks frames stops there.

use std::arch::naked_asm;

use selkie_module::layout::store;

use super::FLOATS;
use crate::StoreRuntime;
use crate::context::CallRegs;

/// Saves the host. In: rdi store, and the register that holds the block.
macro_rules! save_host {
    ($block:literal) => {
        concat!(
            "push rbp
             push rbx
             push r12
             push r13
             push r14
             push r15
             sub rsp, 8
             push ",
            $block,
            "
             lea rax, [rip + 4f]
             push rax
             mov [rdi + {HOST_SP}], rsp"
        )
    };
}

/// Where `unwind` goes on, then what both ways out share: answers eax.
macro_rules! restore_host {
    () => {
        "4:
         add rsp, 8
         xor eax, eax
         5:
         add rsp, 8
         pop r15
         pop r14
         pop r13
         pop r12
         pop rbx
         pop rbp
         ret"
    };
}

/// Begins: calls `code` with the arguments in `regs`, and the stack arguments from `start` on.
/// Behind those lies the store's address, by which the way back is found when the function returns,
/// perhaps to another entry. Answers 0 when it did not return.
///
/// # Safety
/// As for [`crate::call()`]; `start` is 16-aligned.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn begin(
    store: *mut StoreRuntime,
    start: *mut u8,
    code: *const u8,
    regs: *mut CallRegs,
) -> u32 {
    naked_asm!(
        save_host!("rcx"),
        "mov rsp, rsi
         mov r11, rdx
         mov rax, rcx
         xor ebp, ebp
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
         call r11
         mov r11, [rsp]
         mov rsp, [r11 + {HOST_SP}]
         mov r11, [rsp + 8]
         mov [r11], rax
         mov [r11 + 8], rcx
         mov [r11 + 16], rdx
         mov [r11 + 24], rsi
         mov [r11 + 32], rdi
         mov [r11 + 40], r8
         mov [r11 + 48], r9
         mov [r11 + 56], r10
         movaps [r11 + {FLOATS}], xmm0
         movaps [r11 + {FLOATS} + 16], xmm1
         movaps [r11 + {FLOATS} + 32], xmm2
         movaps [r11 + {FLOATS} + 48], xmm3
         movaps [r11 + {FLOATS} + 64], xmm4
         movaps [r11 + {FLOATS} + 80], xmm5
         movaps [r11 + {FLOATS} + 96], xmm6
         movaps [r11 + {FLOATS} + 112], xmm7
         mov eax, 1
         add rsp, 16
         jmp 5f",
        restore_host!(),
        HOST_SP = const store::HOST_SP,
        FLOATS = const FLOATS,
    )
}

/// The registers that a call keeps, in the order in which the stub of host functions that may
/// suspend puts them below the place where the host was left: r15 to r12, rbx.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct KeptRegs([u64; 5]);

impl KeptRegs {
    /// # Safety
    /// A host function is running that was called by `host_call_suspendable`; `host_sp` is where
    /// the host was left.
    pub(crate) unsafe fn below(host_sp: *mut u8) -> KeptRegs {
        // SAFETY: by contract.
        unsafe { host_sp.wrapping_sub(size_of::<KeptRegs>()).cast::<KeptRegs>().read() }
    }
}

/// Goes on at `pc`, with the results of the host function that was called there in `regs`, which
/// takes the results of the activation, and with the registers that a call keeps.
///
/// # Safety
/// The activation was left at a call that this is the return of, or `pc` is a landing pad in it;
/// `sp` and `fp` are those that the code expects there.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn go_on(
    store: *mut StoreRuntime,
    sp: *mut u8,
    fp: usize,
    pc: usize,
    regs: *mut CallRegs,
    kept: *const KeptRegs,
) -> u32 {
    naked_asm!(
        save_host!("r8"),
        "mov rsp, rsi
         mov rbp, rdx
         mov r11, rcx
         mov r15, [r9]
         mov r14, [r9 + 8]
         mov r13, [r9 + 16]
         mov r12, [r9 + 24]
         mov rbx, [r9 + 32]
         movaps xmm0, [r8 + {FLOATS}]
         movaps xmm1, [r8 + {FLOATS} + 16]
         movaps xmm2, [r8 + {FLOATS} + 32]
         movaps xmm3, [r8 + {FLOATS} + 48]
         movaps xmm4, [r8 + {FLOATS} + 64]
         movaps xmm5, [r8 + {FLOATS} + 80]
         movaps xmm6, [r8 + {FLOATS} + 96]
         movaps xmm7, [r8 + {FLOATS} + 112]
         mov rax, [r8]
         mov rcx, [r8 + 8]
         mov rdx, [r8 + 16]
         mov rsi, [r8 + 24]
         mov rdi, [r8 + 32]
         mov r9, [r8 + 48]
         mov r10, [r8 + 56]
         mov r8, [r8 + 40]
         jmp r11",
        restore_host!(),
        HOST_SP = const store::HOST_SP,
        FLOATS = const FLOATS,
    )
}

/// All registers of WebAssembly code but the frame and stack pointers, as `keep_all` puts them below
/// the place where the host was left.
#[derive(Clone, Debug)]
#[repr(C, align(16))]
pub(crate) struct SavedRegs {
    vectors: [u128; 16],
    /// r15 to r8, rdi, rsi, rbx, rdx, rcx, rax.
    ints: [u64; 14],
}

const INTS: usize = std::mem::offset_of!(SavedRegs, ints);
const _: () = assert!(size_of::<SavedRegs>() == 368);

impl SavedRegs {
    /// # Safety
    /// A builtin is running that was called through a stub with `keep_all`; `host_sp` is where the
    /// host was left.
    pub(crate) unsafe fn below(host_sp: *mut u8) -> SavedRegs {
        let place = host_sp.wrapping_sub(size_of::<SavedRegs>()).cast::<SavedRegs>();
        // SAFETY: by contract.
        unsafe { place.read() }
    }
}

/// Saves all registers on the host's stack. In: rdi context, rsi store. Out: rsp 16-aligned.
/// Nothing is written to the WebAssembly stack, where there may be no room.
macro_rules! keep_all {
    () => {
        "mov [rsi + {WASM_SP}], rsp
         mov [rsi + {EXIT_FP}], rbp
         mov rsp, [rsi + {HOST_SP}]
         push rax
         push rcx
         push rdx
         push rbx
         push rsi
         push rdi
         push r8
         push r9
         push r10
         push r11
         push r12
         push r13
         push r14
         push r15
         mov rax, [rsi + {WASM_SP}]
         mov rax, [rax]
         mov [rsi + {EXIT_PC}], rax
         sub rsp, 256
         movaps [rsp], xmm0
         movaps [rsp + 16], xmm1
         movaps [rsp + 32], xmm2
         movaps [rsp + 48], xmm3
         movaps [rsp + 64], xmm4
         movaps [rsp + 80], xmm5
         movaps [rsp + 96], xmm6
         movaps [rsp + 112], xmm7
         movaps [rsp + 128], xmm8
         movaps [rsp + 144], xmm9
         movaps [rsp + 160], xmm10
         movaps [rsp + 176], xmm11
         movaps [rsp + 192], xmm12
         movaps [rsp + 208], xmm13
         movaps [rsp + 224], xmm14
         movaps [rsp + 240], xmm15"
    };
}

/// Loads the vector registers from a block.
macro_rules! load_vectors {
    ($block:literal) => {
        concat!(
            "movaps xmm0, [",
            $block,
            "]
             movaps xmm1, [",
            $block,
            " + 16]
             movaps xmm2, [",
            $block,
            " + 32]
             movaps xmm3, [",
            $block,
            " + 48]
             movaps xmm4, [",
            $block,
            " + 64]
             movaps xmm5, [",
            $block,
            " + 80]
             movaps xmm6, [",
            $block,
            " + 96]
             movaps xmm7, [",
            $block,
            " + 112]
             movaps xmm8, [",
            $block,
            " + 128]
             movaps xmm9, [",
            $block,
            " + 144]
             movaps xmm10, [",
            $block,
            " + 160]
             movaps xmm11, [",
            $block,
            " + 176]
             movaps xmm12, [",
            $block,
            " + 192]
             movaps xmm13, [",
            $block,
            " + 208]
             movaps xmm14, [",
            $block,
            " + 224]
             movaps xmm15, [",
            $block,
            " + 240]"
        )
    };
}

/// Back from where `keep_all` went.
macro_rules! come_back_with_all {
    () => {
        "add rsp, 256
         pop r15
         pop r14
         pop r13
         pop r12
         pop r11
         pop r10
         pop r9
         pop r8
         pop rdi
         pop rsi
         pop rbx
         pop rdx
         pop rcx
         pop rax
         mov rsp, [rsi + {WASM_SP}]
         ret"
    };
}

/// Goes on after a builtin that the activation was left in, with the registers that it had.
///
/// # Safety
/// As for [`go_on`]; the return address lies at `sp`.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn go_on_restored(
    store: *mut StoreRuntime,
    sp: *mut u8,
    fp: usize,
    saved: *const SavedRegs,
    regs: *mut CallRegs,
) -> u32 {
    naked_asm!(
        save_host!("r8"),
        "mov rsp, rsi
         mov rbp, rdx
         mov rax, rcx",
        load_vectors!("rax"),
        "mov r15, [rax + {INTS}]
         mov r14, [rax + {INTS} + 8]
         mov r13, [rax + {INTS} + 16]
         mov r12, [rax + {INTS} + 24]
         mov r11, [rax + {INTS} + 32]
         mov r10, [rax + {INTS} + 40]
         mov r9, [rax + {INTS} + 48]
         mov r8, [rax + {INTS} + 56]
         mov rdi, [rax + {INTS} + 64]
         mov rsi, [rax + {INTS} + 72]
         mov rbx, [rax + {INTS} + 80]
         mov rdx, [rax + {INTS} + 88]
         mov rcx, [rax + {INTS} + 96]
         mov rax, [rax + {INTS} + 104]
         ret",
        restore_host!(),
        HOST_SP = const store::HOST_SP,
        INTS = const INTS,
    )
}
