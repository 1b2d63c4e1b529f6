//! Throwing: which frame goes on, with which registers, and what an activation without a landing
//! pad ends with. The guests are assembly of this file.
#![cfg(target_arch = "x86_64")]
#![allow(clippy::unwrap_used, reason = "the functions around the tests are tests, too")]

#[path = "machine/world.rs"]
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use selkie_module::TrapCode;
use selkie_module::builtins::Builtin;
use selkie_module::frames::Landing;
use selkie_module::layout::context;
use selkie_vm::*;
use world::World;

// `thrower` throws its argument through two frames without pads. `catcher` calls it, with 48 bytes
// of its own, and answers what lands plus one; 0 where its registers are wrong. `caller` calls the
// host function whose context is its argument, in the same way.
std::arch::global_asm!(
    ".pushsection .rodata.throwing,\"a\",@progbits",
    "selkie_throwing:",
    "selkie_thrower:",
    "push rbp",
    "mov rbp, rsp",
    "sub rsp, 16",
    "call 2f",
    "ud2",
    "2: push rbp",
    "mov rbp, rsp",
    "mov rax, [rdi + {BUILTINS}]",
    "call [rax + {THROW}]",
    "ud2",
    "selkie_catcher:",
    "push rbp",
    "mov rbp, rsp",
    "sub rsp, 48",
    "mov [rbp - 8], rsi",
    "call selkie_thrower",
    "selkie_catcher_return: ud2",
    "selkie_catcher_pad:",
    "xor ecx, ecx",
    "lea rdx, [rsp + 48]",
    "cmp rdx, rbp",
    "cmovne rax, rcx",
    "cmp rax, [rbp - 8]",
    "cmovne rax, rcx",
    "add rax, 1",
    "leave",
    "ret",
    "selkie_caller:",
    "push rbp",
    "mov rbp, rsp",
    "sub rsp, 32",
    "mov rdi, rsi",
    "call rdx",
    "selkie_caller_return: jmp 3f",
    "selkie_caller_pad:",
    "add rax, 2",
    "3: leave",
    "ret",
    "selkie_throwing_end:",
    ".popsection",
    BUILTINS = const context::BUILTINS,
    THROW = const 8 * (Builtin::throw as u32),
);

unsafe extern "C" {
    static selkie_throwing: u8;
    static selkie_throwing_end: u8;
    static selkie_catcher: u8;
    static selkie_catcher_return: u8;
    static selkie_catcher_pad: u8;
    static selkie_caller: u8;
    static selkie_caller_return: u8;
    static selkie_caller_pad: u8;
}

/// How far behind the guests' start a label lies.
macro_rules! offset_of_label {
    ($label:ident) => {
        // SAFETY: both are addresses in one piece of read-only data.
        unsafe { (&raw const $label).offset_from_unsigned(&raw const selkie_throwing) }
    };
}

/// Where the guests land.
struct Pads {
    catcher: bool,
    caller: bool,
    asked: Arc<AtomicU32>,
}

impl CodeObject for Pads {
    fn trap_at(&self, _: usize) -> Option<TrapCode> {
        Some(TrapCode::Unreachable)
    }

    fn each_slot(&self, _: usize, _: &mut dyn FnMut(u32)) {}

    fn landing(&self, return_offset: usize) -> Option<Landing> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let pad = |at, pad, stack_bytes| {
            (return_offset == at).then_some(Landing {
                offset: at as u32,
                pad: pad as u32,
                stack_bytes,
            })
        };
        let (catcher, caller) = (
            pad(offset_of_label!(selkie_catcher_return), offset_of_label!(selkie_catcher_pad), 48),
            pad(offset_of_label!(selkie_caller_return), offset_of_label!(selkie_caller_pad), 32),
        );
        catcher.filter(|_| self.catcher).or(caller.filter(|_| self.caller))
    }
}

/// A world with the guests of this file.
struct Stage {
    world: World,
    memory: CodeMemory,
    asked: Arc<AtomicU32>,
}

unsafe extern "C" fn throw_builtin(context: *mut VMContext, exception: u64) {
    // SAFETY: called by the builtin's stub, with nothing to drop.
    unsafe { throw((*context).store, exception) }
}

impl Stage {
    fn new(catcher: bool, caller: bool) -> Stage {
        let mut world = World::new();
        world.set_builtin(Builtin::throw, throw_builtin as *const u8);
        let start = &raw const selkie_throwing;
        // SAFETY: both symbols bound one piece of read-only data.
        let bytes = unsafe {
            let end = &raw const selkie_throwing_end;
            std::slice::from_raw_parts(start, end.offset_from_unsigned(start))
        };
        let mut memory = CodeMemory::from_bytes(bytes).unwrap();
        let asked = Arc::new(AtomicU32::new(0));
        memory.publish(Arc::new(Pads { catcher, caller, asked: asked.clone() }));
        Stage { world, memory, asked }
    }

    fn call(&mut self, offset: usize, args: &[u64]) -> Result<u64, Box<Unwind>> {
        let mut regs = self.world.regs(args);
        let code = self.memory.base().wrapping_add(offset);
        let store = &raw mut *self.world.store;
        // SAFETY: the world is at stable addresses; each test passes what its guest takes.
        unsafe { call(store, code, &mut regs, &[], RegSet::Int)? };
        assert!(!self.world.store.is_inside_wasm());
        Ok(regs.ints[0])
    }
}

#[test]
fn the_nearest_frame_with_a_pad_goes_on_with_its_own_registers_and_the_exception() {
    let mut stage = Stage::new(true, false);
    for exception in [8, 0xffff_fff8, 16] {
        let answer = stage.call(offset_of_label!(selkie_catcher), &[exception]).unwrap();
        assert_eq!(answer, exception + 1);
    }
}

#[test]
fn a_return_address_is_looked_up_once() {
    let mut stage = Stage::new(true, false);
    for _ in 0..1000 {
        stage.call(offset_of_label!(selkie_catcher), &[24]).unwrap();
    }
    assert_eq!(stage.asked.load(Ordering::Relaxed), 3);
}

#[test]
fn an_activation_without_a_pad_ends_with_the_exception_and_its_frames() {
    let mut stage = Stage::new(false, true);
    for _ in 0..3 {
        let unwind = stage.call(offset_of_label!(selkie_catcher), &[40]).unwrap_err();
        let Unwind::Exception { exception, frames } = *unwind else { panic!("{unwind:?}") };
        assert_eq!((exception, frames.len()), (40, 3));
        let start = stage.memory.base() as usize;
        assert!(frames.iter().all(|frame| frame.is_return_address));
        assert_eq!(frames[2].pc - start, offset_of_label!(selkie_catcher_return));
    }
}

/// A host function that calls `catcher` and throws on what comes out of it.
#[repr(C)]
struct Between {
    func: VMHostFunc,
    catcher: *const u8,
    /// Payloads that were made.
    payloads: u32,
}

unsafe extern "C" fn call_catcher(
    context: *mut VMHostContext,
    regs: *mut CallRegs,
    _: *const u8,
) -> u32 {
    // SAFETY: the caller's registers are copied; nothing is left to drop where it throws.
    unsafe {
        let this = (*context).func.cast_mut().cast::<Between>();
        let mut again = CallRegs::ZERO;
        again.ints[0] = (*context).caller as u64;
        again.ints[1] = 56;
        let store = (*context).store;
        let outcome = call(store, (*this).catcher, &mut again, &[], RegSet::Int);
        match outcome.map_err(|unwind| *unwind) {
            Ok(()) => {
                (*regs).ints[0] = again.ints[0];
                0
            }
            Err(Unwind::Exception { exception, frames }) => {
                drop(frames);
                throw_payload(store, exception, || {
                    (*this).payloads += 1;
                    Box::new("on its way")
                })
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// Calls the host through `caller`; the answer, and how many payloads were made.
fn through_the_host(stage: &mut Stage) -> (Result<u64, Box<Unwind>>, u32) {
    let catcher = stage.memory.base().wrapping_add(offset_of_label!(selkie_catcher));
    let func = VMHostFunc { entry: call_catcher, direct: std::ptr::null() };
    let mut between = Box::new(Between { func, catcher, payloads: 0 });
    let mut host = stage.world.host(&between.func);
    host.func = (&raw mut *between).cast();
    let args = [&raw const *host as u64, host_call_stub_int() as u64];
    let answer = stage.call(offset_of_label!(selkie_caller), &args);
    (answer, between.payloads)
}

#[test]
fn what_leaves_a_nested_activation_lands_in_the_one_around_it() {
    // Caught inside.
    let (answer, payloads) = through_the_host(&mut Stage::new(true, true));
    assert_eq!((answer.unwrap(), payloads), (57, 0));
    // Caught outside: what the host would have made of it is not made.
    let (answer, payloads) = through_the_host(&mut Stage::new(false, true));
    assert_eq!((answer.unwrap(), payloads), (58, 0));
    // Caught nowhere.
    let (answer, payloads) = through_the_host(&mut Stage::new(false, false));
    let Unwind::Payload(payload) = *answer.unwrap_err() else { panic!("no payload") };
    assert_eq!((payload.downcast_ref(), payloads), (Some(&"on its way"), 1));
}
