//! Activations: left by host functions and builtins, gone on with here and on other threads, thrown
//! into, ended. The guests are assembly of this file.
#![cfg(target_arch = "x86_64")]
#![allow(clippy::unwrap_used, reason = "the functions around the tests are tests, too")]

#[path = "machine/world.rs"]
mod world;

use std::ops::ControlFlow;

use selkie_module::TrapCode;
use selkie_module::builtins::Builtin;
use selkie_vm::*;
use world::{Guest, World, guest, trap};

// rsi: a host context, rdx: its stub. Calls it twice, with a stack argument each time, and adds the
// answers to what it keeps in registers over both calls.
guest!(
    calls_twice,
    "push rbp",
    "mov rbp, rsp",
    "push rbx",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "push rdi",
    "push rsi",
    "push rdx",
    "mov ebx, 1",
    "mov r12d, 10",
    "mov r13d, 100",
    "mov r14d, 1000",
    "mov r15d, 10000",
    "sub rsp, 16",
    "mov qword ptr [rsp], 30",
    "mov rdi, rsi",
    "call rdx",
    "add rbx, rax",
    "sub rsp, 16",
    "mov qword ptr [rsp], 40",
    "mov rdi, [rbp - 56]",
    "call qword ptr [rbp - 64]",
    "add rax, rbx",
    "add rax, r12",
    "add rax, r13",
    "add rax, r14",
    "add rax, r15",
    "cvttsd2si rcx, xmm0",
    "mov r15, [rbp - 40]",
    "mov r14, [rbp - 32]",
    "mov r13, [rbp - 24]",
    "mov r12, [rbp - 16]",
    "mov rbx, [rbp - 8]",
    "leave",
    "ret",
);

/// Always leaves, and notes its stack argument with whoever polls.
unsafe extern "C" fn leaves(
    context: *mut VMHostContext,
    _: *mut CallRegs,
    stack: *const u8,
) -> u32 {
    // SAFETY: the stub passes valid pointers; the guest passes one stack argument. The poller is
    // a number, and nothing here has anything to drop.
    unsafe {
        let store = (*context).store;
        let noted = poller(store).cast::<u64>();
        assert!(!noted.is_null(), "it can be left");
        noted.write(stack.cast::<u64>().read());
        suspend(store, 16)
    }
}

const LEAVES: VMHostFunc = VMHostFunc { entry: leaves, direct: std::ptr::null() };

/// A world with an activation of a guest that has not begun.
struct Call {
    world: World,
    host: Box<VMHostContext>,
    guest: Guest,
    activation: Option<Activation>,
    regs: CallRegs,
    noted: u64,
}

// SAFETY: the addresses in it lead to what it owns, and to code.
unsafe impl Send for Call {}

impl Call {
    fn new(guest: Guest) -> Box<Call> {
        let mut world = World::new();
        let host = world.host(&LEAVES);
        let host_at = &raw const *host as u64;
        let regs = world.regs(&[host_at, host_call_stub_suspendable() as u64]);
        // SAFETY: the store is at a stable address and this thread's own.
        let activation = unsafe { Activation::new(&raw mut *world.store, 0) }.unwrap();
        Box::new(Call { world, host, guest, activation: Some(activation), regs, noted: 0 })
    }

    fn enter(&mut self, is_new: bool) -> Progress {
        let store = &raw mut *self.world.store;
        let poller = (&raw mut self.noted).cast();
        let activation = self.activation.as_mut().unwrap();
        // SAFETY: the guest takes these arguments; the activation was made for this store and is
        // new, or was left.
        unsafe {
            match is_new {
                true => activation.begin(store, self.guest.memory.base(), &mut self.regs, poller),
                false => activation.go_on(store, &mut self.regs, poller),
            }
        }
    }

    fn begin(&mut self) -> Progress {
        self.enter(true)
    }

    fn go_on_with(&mut self, result: u64) -> Progress {
        self.regs = CallRegs::ZERO;
        self.regs.ints[0] = result;
        self.regs.floats[0] = u128::from(7f64.to_bits());
        self.enter(false)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        assert!(!self.world.store.is_inside_wasm());
        if let Some(activation) = self.activation.take() {
            // SAFETY: nothing of it runs.
            unsafe { activation.end(&raw mut *self.world.store) }
        }
    }
}

#[test]
fn a_call_is_left_and_goes_on_with_all_that_it_kept() {
    let mut call = Call::new(calls_twice());
    assert!(matches!(call.begin(), Progress::Suspended));
    assert_eq!(call.noted, 30);
    assert!(!call.world.store.is_inside_wasm());
    assert!(matches!(call.go_on_with(100_000), Progress::Suspended));
    assert_eq!(call.noted, 40);
    assert!(matches!(call.go_on_with(1_000_000), Progress::Returned));
    assert_eq!((call.regs.ints[0], call.regs.ints[1]), (1_111_111, 7));
}

#[test]
fn it_goes_on_on_threads_that_never_ran_webassembly() {
    let mut call = Call::new(calls_twice());
    assert!(matches!(call.begin(), Progress::Suspended));
    for last in [false, true] {
        call = std::thread::spawn(move || {
            let progress = call.go_on_with(5);
            assert_eq!(matches!(progress, Progress::Returned), last, "{progress:?}");
            call
        })
        .join()
        .unwrap();
    }
    assert_eq!(call.regs.ints[0], 11_111 + 10);
}

#[test]
fn it_is_ended_wherever_it_waits() {
    for entered in 0..3 {
        let mut call = Call::new(calls_twice());
        for round in 0..entered {
            call.enter(round == 0);
        }
        drop(call);
    }
}

guest!(nothing, "xor eax, eax", "ret");

#[test]
fn while_it_waits_its_store_is_as_if_it_were_not() {
    let (mut call, nothing) = (Call::new(calls_twice()), nothing());
    assert!(matches!(call.begin(), Progress::Suspended));
    let mut regs = call.world.regs(&[]);
    call.world.call(&nothing, &mut regs).unwrap();
    // SAFETY: this thread has exclusive use of the store.
    unsafe {
        let store = &raw mut *call.world.store;
        assert!(poller(store).is_null());
        capture(store, |_| panic!("nobody is inside"));
        // In its place, its frames are there, and other calls are inside of it.
        let (world, activation) = (&raw mut call.world, call.activation.as_mut().unwrap());
        let frames = activation.within(store, || {
            (*world).call(&nothing, &mut regs).unwrap();
            assert!((*store).is_inside_wasm() && poller(store).is_null());
            let mut frames = 0;
            capture(store, |_| {
                frames += 1;
                ControlFlow::Continue(())
            });
            frames
        });
        assert_eq!(frames, 1);
    }
    assert!(matches!(call.go_on_with(0), Progress::Suspended));
}

#[test]
fn activations_are_inside_of_each_other_up_to_a_limit() {
    fn nest(store: *mut StoreRuntime, depth: u32) -> u32 {
        // SAFETY: this thread has exclusive use of the store.
        unsafe {
            match Activation::new(store, 0) {
                Ok(mut activation) => {
                    let found = activation.within(store, || nest(store, depth + 1));
                    activation.end(store);
                    found
                }
                Err(unwind) => {
                    assert_eq!(trap(Err(unwind)).0, TrapCode::StackOverflow);
                    depth
                }
            }
        }
    }
    let mut world = World::new();
    for _ in 0..2 {
        assert_eq!(nest(&raw mut *world.store, 0), 1000);
    }
}

// rsi: the store's context, rdx: a stub. Fills all registers, calls a builtin that may suspend at the very end of
// its stack, and adds up what has changed.
guest!(
    keeps_all,
    "push rbp",
    "mov rbp, rsp",
    "push rdi",
    "mov r11, rdx",
    "mov eax, 1",
    "mov ecx, 2",
    "mov edx, 3",
    "mov ebx, 4",
    "mov r8d, 8",
    "mov r9d, 9",
    "mov r10d, 10",
    "mov r12d, 12",
    "mov r13d, 13",
    "mov r14d, 14",
    "mov r15d, 15",
    "pcmpeqd xmm0, xmm0",
    "movdqa xmm7, xmm0",
    "movdqa xmm15, xmm0",
    // No room but for the return address: whoever writes below it faults.
    "mov r13, rsp",
    "mov rsp, [rsi + 32]",
    "add rsp, 8",
    "call r11",
    "mov rsp, r13",
    "mov r13d, 13",
    "pcmpeqd xmm1, xmm1",
    "pcmpeqd xmm0, xmm1",
    "pand xmm0, xmm7",
    "pand xmm0, xmm15",
    "movmskps r11d, xmm0",
    "add rax, rcx",
    "add rax, rdx",
    "add rax, rbx",
    "add rax, r8",
    "add rax, r9",
    "add rax, r10",
    "add rax, r12",
    "add rax, r13",
    "add rax, r14",
    "add rax, r15",
    "add rax, r11",
    "xor rcx, rcx",
    "cmp rdi, [rbp - 8]",
    "cmovne rax, rcx",
    "leave",
    "ret",
);
const ALL_KEPT: u64 = 1 + 2 + 3 + 4 + 8 + 9 + 10 + 12 + 13 + 14 + 15 + 15;

unsafe extern "C" fn returns(_: *mut VMContext, store: *mut StoreRuntime) {
    // SAFETY: the guest passes its store.
    unsafe { assert!((*store).is_inside_wasm()) }
}

unsafe extern "C" fn leaves_all(_: *mut VMContext, store: *mut StoreRuntime) {
    // SAFETY: the guest passes its store; called through the stub of a builtin that may suspend.
    unsafe { suspend_builtin(store) }
}

#[test]
fn a_builtin_that_may_suspend_keeps_all_registers_and_needs_no_room() {
    for (entry, suspends) in [(returns as *const u8, false), (leaves_all as *const u8, true)] {
        let mut call = Call::new(keeps_all());
        call.world.set_builtin(Builtin::out_of_fuel, entry);
        call.regs.ints[1] = &raw mut *call.world.store as u64;
        call.regs.ints[2] = builtin_stubs()[Builtin::out_of_fuel as usize] as u64;
        let mut progress = call.begin();
        if suspends {
            assert!(matches!(progress, Progress::Suspended));
            progress = std::thread::scope(|scope| {
                let call = SendMut(&mut call);
                scope.spawn(move || call.go_on()).join().unwrap()
            });
        }
        assert!(matches!(progress, Progress::Returned), "{progress:?}");
        assert_eq!(call.regs.ints[0], ALL_KEPT);
    }
}

/// A call that another thread goes on with.
struct SendMut<'c>(&'c mut Call);

impl SendMut<'_> {
    fn go_on(self) -> Progress {
        self.0.go_on_with(u64::MAX)
    }
}

guest!(recurse, "2:", "push rbp", "mov rbp, rsp", "sub rsp, 48", "call 2b", "leave", "ret");

#[test]
fn the_end_of_its_stack_is_a_trap() {
    for _ in 0..3 {
        let mut call = Call::new(recurse());
        match call.begin() {
            Progress::Unwound(unwind) => {
                let (code, frames) = trap(Err(unwind));
                assert_eq!(code, TrapCode::StackOverflow);
                assert_eq!(frames.len(), 64);
            }
            progress => panic!("{progress:?}"),
        }
    }
}

#[test]
fn a_host_function_alone_is_left_and_answers() {
    let mut call = Call::new(nothing());
    let store = &raw mut *call.world.store;
    let host = &raw mut *call.host;
    let mut stack_args = [std::mem::MaybeUninit::new(0u8); 16];
    stack_args[0] = std::mem::MaybeUninit::new(77);
    // SAFETY: as in `Call`; the host function takes 16 bytes of stack arguments.
    unsafe {
        let mut activation = Activation::new(store, 32).unwrap();
        activation.set_stack_args(&stack_args).unwrap();
        activation.result_area().cast::<[u8; 32]>().write([1; 32]);
        call.regs.ints[0] = host as u64;
        let poller = (&raw mut call.noted).cast();
        let code = host_call_stub_suspendable();
        let progress = activation.begin(store, code, &mut call.regs, poller);
        assert!(matches!(progress, Progress::Suspended));
        assert_eq!(call.noted, 77);
        call.regs.ints = [1, 2, 3, 4, 5, 6, 7, 8];
        call.regs.floats = [9; 8];
        let progress = activation.go_on(store, &mut call.regs, poller);
        assert!(matches!(progress, Progress::Returned));
        assert_eq!(call.regs.ints, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(call.regs.floats, [9; 8]);
        assert_eq!(activation.result_area().cast::<[u8; 32]>().read(), [1; 32]);
        activation.end(store);
    }
}
