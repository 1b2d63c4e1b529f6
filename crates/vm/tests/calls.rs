//! Entering machine code, leaving it in every way there is, and what a fault becomes.
//!
//! The guests are assembly of this file, copied into code memory, so that nothing here depends on
//! a compiler of ours.
#![cfg(target_arch = "x86_64")]
#![allow(clippy::unwrap_used, reason = "the functions around the tests are tests, too")]

#[path = "machine/world.rs"]
mod world;

use std::any::Any;
use std::mem::offset_of;
use std::ops::ControlFlow;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use selkie_module::TrapCode;
use selkie_module::builtins::Builtin;
use selkie_vm::*;
use world::{Guest, World, guest, trap, trap_in_a_callee};

guest!(sum_of_ints, "lea rax, [rsi + rdx]", "add rax, rcx", "add rax, r8", "add rax, r9", "ret");

#[test]
fn integer_arguments_arrive_and_the_result_comes_back() {
    let (mut world, guest) = (World::new(), sum_of_ints());
    for set in [RegSet::IntOne, RegSet::Int, RegSet::All] {
        let mut regs = world.regs(&[1, 20, 300, 4000, 50_000]);
        world.call_with(&guest, &mut regs, &[], set).unwrap();
        assert_eq!(regs.ints[0], 54_321);
    }
    assert!(!world.store.is_inside_wasm());
}

guest!(
    all_results,
    "mov eax, 1",
    "mov ecx, 2",
    "mov edx, 3",
    "mov esi, 4",
    "mov edi, 5",
    "mov r8d, 6",
    "mov r9d, 7",
    "mov r10d, 8",
    "xor ebx, ebx",
    "xor r12d, r12d",
    "xor r13d, r13d",
    "xor r14d, r14d",
    "xor r15d, r15d",
    "mov r11, -1",
    "ret",
);

#[test]
fn eight_integer_results_come_back_and_no_register_of_the_host_is_lost() {
    let (mut world, guest) = (World::new(), all_results());
    let kept: Vec<u64> = (0..20).map(|i| std::hint::black_box(i) * 3).collect();
    for set in [RegSet::Int, RegSet::All] {
        let mut regs = world.regs(&[]);
        world.call_with(&guest, &mut regs, &[], set).unwrap();
        assert_eq!(regs.ints, [1, 2, 3, 4, 5, 6, 7, 8]);
    }
    assert_eq!(kept.iter().sum::<u64>(), 570);
}

guest!(
    rotate_floats,
    "movaps xmm8, xmm0",
    "movaps xmm0, xmm1",
    "movaps xmm1, xmm2",
    "movaps xmm2, xmm3",
    "movaps xmm3, xmm4",
    "movaps xmm4, xmm5",
    "movaps xmm5, xmm6",
    "movaps xmm6, xmm7",
    "movaps xmm7, xmm8",
    "ret",
);

#[test]
fn all_bits_of_the_vector_registers_travel_both_ways() {
    let (mut world, guest) = (World::new(), rotate_floats());
    let mut regs = world.regs(&[]);
    for (i, float) in regs.floats.iter_mut().enumerate() {
        *float = u128::MAX / (i as u128 + 3);
    }
    let mut want = regs.floats;
    want.rotate_left(1);
    world.call(&guest, &mut regs).unwrap();
    assert_eq!(regs.floats, want);
}

guest!(
    stack_arguments,
    "push rbp",
    "mov rbp, rsp",
    "mov rax, [rbp + 16]",
    "imul rax, [rbp + 40]",
    // A misaligned stack would fault here.
    "movaps [rsp - 16], xmm0",
    "pop rbp",
    "ret 32",
);

#[test]
fn stack_arguments_are_copied_aligned_and_popped_by_the_callee() {
    let (mut world, guest) = (World::new(), stack_arguments());
    let args: Vec<u8> = [6_u64, 0, 0, 7].iter().flat_map(|v| v.to_le_bytes()).collect();
    for set in [RegSet::IntOne, RegSet::Int, RegSet::All] {
        let mut regs = world.regs(&[]);
        world.call_with(&guest, &mut regs, &args, set).unwrap();
        assert_eq!(regs.ints[0], 42);
    }
}

#[test]
fn ud2_at_a_site_is_a_trap_with_its_frames() {
    let (mut world, guest) = (World::new(), trap_in_a_callee());
    let mut regs = world.regs(&[]);
    for _ in 0..3 {
        let (code, frames) = trap(world.call(&guest, &mut regs));
        assert_eq!(code, TrapCode::Unreachable);
        let start = guest.memory.base() as usize;
        let ud2 = start + guest.memory.len() - 2;
        assert_eq!(frames[0], Frame { pc: ud2, is_return_address: false });
        assert_eq!(frames[1], Frame { pc: start + 9, is_return_address: true });
        assert_eq!(frames.len(), 2);
        assert!(!world.store.is_inside_wasm());
    }
    world.store.set_backtrace_frames(1);
    assert_eq!(trap(world.call(&guest, &mut regs)).1.len(), 1);
    world.store.set_backtrace_frames(0);
    assert_eq!(trap(world.call(&guest, &mut regs)).1.len(), 0);
}

guest!(divide, "mov eax, esi", "mov ecx, edx", "cdq", "idiv ecx", "ret");

#[test]
fn a_division_fault_is_the_trap_of_its_site() {
    let (mut world, guest) = (World::new(), divide());
    let mut regs = world.regs(&[84, 2]);
    world.call(&guest, &mut regs).unwrap();
    assert_eq!(regs.ints[0], 42);
    let mut regs = world.regs(&[84, 0]);
    assert_eq!(trap(world.call(&guest, &mut regs)).0, TrapCode::IntegerDivideByZero);
}

guest!(load, "mov eax, [rsi]", "ret");

#[test]
fn a_load_from_a_guard_is_a_trap() {
    let (mut world, guest) = (World::new(), load());
    let plan = MemoryPlan {
        reservation_bytes: 1 << 32,
        guard_bytes: 1 << 16,
        min_bytes: 65536,
        max_bytes: 1 << 32,
        may_move: false,
    };
    let mut memory = LinearMemory::new(&plan, None).unwrap();
    memory.write(65532, &[1, 2, 3, 4]).unwrap();
    let base = memory.base() as u64;
    let mut regs = world.regs(&[base + 65532]);
    world.call(&guest, &mut regs).unwrap();
    assert_eq!(regs.ints[0], 0x0403_0201);
    for address in [base + 65536, base + (1 << 32) + 65532] {
        let mut regs = world.regs(&[address]);
        assert_eq!(trap(world.call(&guest, &mut regs)).0, TrapCode::MemoryOutOfBounds);
    }
    memory.grow_to(131_072).unwrap();
    let mut regs = world.regs(&[base + 65536]);
    world.call(&guest, &mut regs).unwrap();
    assert_eq!(regs.ints[0], 0);
}

guest!(recurse, "2:", "push rbp", "mov rbp, rsp", "sub rsp, 48", "call 2b", "leave", "ret");

#[test]
fn endless_recursion_is_a_stack_overflow_on_any_thread_and_any_size() {
    for stack_bytes in [1, DEFAULT_STACK_BYTES, 8 << 20] {
        std::thread::spawn(move || {
            let (mut world, guest) = (World::with_stack(stack_bytes), recurse());
            for _ in 0..3 {
                let mut regs = world.regs(&[]);
                let (code, frames) = trap(world.call(&guest, &mut regs));
                assert_eq!(code, TrapCode::StackOverflow);
                assert_eq!(frames.len(), 64);
                assert!(frames.iter().all(|f| guest.contains(f.pc)));
            }
        })
        .join()
        .unwrap();
    }
}

// rsi: a host context; calls it with (7, 5.0 in xmm0, stack 30) and adds 1 to the answer.
guest!(
    call_host,
    "push rbp",
    "mov rbp, rsp",
    "push rsi",
    "sub rsp, 24",
    "mov qword ptr [rsp], 30",
    "mov rdi, rsi",
    "mov esi, 7",
    "call rdx",
    "add rax, 1",
    "mov rsi, [rbp - 8]",
    "leave",
    "ret",
);

unsafe extern "C" fn add_all(_: *mut VMHostContext, regs: *mut CallRegs, stack: *const u8) -> u32 {
    // SAFETY: the stub passes valid pointers; the guest passes one stack argument.
    unsafe {
        let float = f64::from_bits((*regs).floats[0] as u64);
        let sum = (*regs).ints[1] + float as u64 + stack.cast::<u64>().read();
        (*regs).ints = [sum, 2, 3, 4, 5, 6, 7, 8];
        (*regs).floats[7] = 77;
    }
    16
}

#[test]
fn a_host_function_sees_its_arguments_and_pops_them() {
    let (mut world, guest) = (World::new(), call_host());
    let func = VMHostFunc { entry: add_all, direct: std::ptr::null() };
    let host = world.host(&func);
    let host = &raw const *host as u64;
    let mut regs = world.regs(&[host, host_call_stub() as u64]);
    regs.floats[0] = u128::from(5.0_f64.to_bits());
    world.call(&guest, &mut regs).unwrap();
    assert_eq!(regs.ints[0], 7 + 5 + 30 + 1);
    assert_eq!(regs.ints[3], host, "the guest's frame was left alone");
    assert_eq!((regs.ints[7], regs.floats[7]), (8, 77));
}

unsafe extern "C" fn double(_: *mut VMHostContext, regs: *mut CallRegs, _: *const u8) -> u32 {
    // SAFETY: the stub passes valid registers.
    unsafe { (*regs).ints[0] = (*regs).ints[1] * 2 };
    0
}

extern "C" fn triple_direct(_: *mut VMHostContext, value: u64) -> u64 {
    // Host code needs an aligned stack and much of it.
    let buffer = std::hint::black_box([value; 20_000]);
    buffer[..3].iter().sum()
}

guest!(
    call_host_plainly,
    "push rbp",
    "mov rbp, rsp",
    "mov rdi, rsi",
    "mov esi, 7",
    "call rdx",
    "pop rbp",
    "ret",
);

#[test]
fn the_integer_and_the_direct_stub_call_the_host() {
    let (mut world, guest) = (World::with_stack(1), call_host_plainly());
    let func = VMHostFunc { entry: double, direct: triple_direct as *const u8 };
    let host = world.host(&func);
    let host = &raw const *host as u64;
    for (stub, want) in
        [(host_call_stub(), 14), (host_call_stub_int(), 14), (host_call_direct_stub(), 21)]
    {
        let mut regs = world.regs(&[host, stub as u64]);
        world.call(&guest, &mut regs).unwrap();
        assert_eq!(regs.ints[0], want);
    }
}

#[test]
fn a_host_function_can_be_called_without_a_guest() {
    let mut world = World::new();
    let func = VMHostFunc { entry: double, direct: std::ptr::null() };
    let mut host = world.host(&func);
    let mut regs = CallRegs::ZERO;
    regs.ints[..2].copy_from_slice(&[&raw mut *host as u64, 21]);
    // SAFETY: the stub is an entry whose context leads to the store.
    unsafe { call(&raw mut *world.store, host_call_stub(), &mut regs, &[], RegSet::All) }.unwrap();
    assert_eq!(regs.ints[0], 42);
}

// Calls the builtin `memory_grow` of the context with (1, 2), its registers full.
guest!(
    call_builtin,
    "push rbp",
    "mov rbp, rsp",
    "mov ebx, 1000",
    "mov r12d, 2000",
    "mov esi, 1",
    "mov edx, 2",
    "mov rax, [rdi + 16]",
    "call [rax]",
    "add rax, rbx",
    "add rax, r12",
    "pop rbp",
    "ret",
);

extern "C" fn grow_on_host_stack(context: *mut VMContext, memory: u32, delta: u64) -> u64 {
    let here = &raw const memory as usize;
    // SAFETY: the stub passes the context on; the store is live.
    let (low, host_sp) = unsafe {
        let store = &*(*context).store;
        (store.vm.stack_low as usize, store.vm.host_sp as usize)
    };
    assert!(!(low..low + DEFAULT_STACK_BYTES).contains(&here), "on the host stack");
    assert!(here < host_sp && host_sp - here < 4096);
    u64::from(memory) * 10 + delta
}

#[test]
fn a_builtin_runs_on_the_host_stack_and_keeps_saved_registers() {
    let (mut world, guest) = (World::new(), call_builtin());
    world.set_builtin(Builtin::memory_grow, grow_on_host_stack as *const u8);
    let mut regs = world.regs(&[]);
    world.call(&guest, &mut regs).unwrap();
    assert_eq!(regs.ints[0], 3012);
}

extern "C" fn trap_from_builtin(context: *mut VMContext, _: u32, _: u64) -> u64 {
    // SAFETY: called by WebAssembly; nothing in this frame is dropped.
    unsafe { raise_trap((*context).store, TrapCode::OutOfMemory) }
}

#[test]
fn a_builtin_can_trap() {
    let (mut world, guest) = (World::new(), call_builtin());
    world.set_builtin(Builtin::memory_grow, trap_from_builtin as *const u8);
    let mut regs = world.regs(&[]);
    let (code, frames) = trap(world.call(&guest, &mut regs));
    assert_eq!((code, frames.len()), (TrapCode::OutOfMemory, 1));
    assert!(frames[0].is_return_address && guest.contains(frames[0].pc));
}

/// What a nesting host function needs; its `VMHostFunc` comes first.
#[repr(C)]
struct Nesting {
    func: VMHostFunc,
    world: *mut World,
    inner: Guest,
    outcome: Option<Result<(), Box<Unwind>>>,
    frames: Vec<Frame>,
    is_fatal: bool,
}

unsafe extern "C" fn nest(context: *mut VMHostContext, regs: *mut CallRegs, _: *const u8) -> u32 {
    // SAFETY: the function is the head of a `Nesting`, which outlives the call; the world is used
    // through this pointer only while the guest runs. Nothing is left to drop before raising.
    unsafe {
        let this = (*context).func.cast_mut().cast::<Nesting>();
        let store = (*context).store;
        let frames = &mut (*this).frames;
        frames.clear();
        capture(store, |frame| {
            frames.push(frame);
            ControlFlow::Continue(())
        });
        let mut inner_regs = CallRegs::ZERO;
        inner_regs.ints[0] = (*context).caller as u64;
        let before = ((*store).vm.exit_pc, (*store).vm.wasm_sp, (*store).vm.host_sp);
        let code = (*this).inner.memory.base();
        let outcome = call(store, code, &mut inner_regs, &[], RegSet::Int);
        assert_eq!(before, ((*store).vm.exit_pc, (*store).vm.wasm_sp, (*store).vm.host_sp));
        if (*this).is_fatal {
            let payload: Box<dyn Any + Send> = Box::new(outcome.is_err());
            drop(outcome);
            raise_payload(store, payload);
        }
        (*this).outcome = Some(outcome);
        (*regs).ints[0] = 40;
    }
    0
}

fn nesting(world: &mut World, inner: Guest, is_fatal: bool) -> Nesting {
    Nesting {
        func: VMHostFunc { entry: nest, direct: std::ptr::null() },
        world,
        inner,
        outcome: None,
        frames: Vec::new(),
        is_fatal,
    }
}

#[test]
fn a_trap_in_a_nested_call_ends_that_call_only() {
    let (mut world, guest) = (World::new(), call_host_plainly());
    let nesting = nesting(&mut world, trap_in_a_callee(), false);
    let host = world.host(&nesting.func);
    let mut regs = world.regs(&[&raw const *host as u64, host_call_stub_int() as u64]);
    world.call(&guest, &mut regs).unwrap();
    assert_eq!(regs.ints[0], 40);
    assert_eq!(nesting.frames.len(), 1);
    assert!(guest.contains(nesting.frames[0].pc));
    let (code, frames) = trap(nesting.outcome.unwrap());
    assert_eq!((code, frames.len()), (TrapCode::Unreachable, 3));
    assert!(nesting.inner.contains(frames[0].pc) && nesting.inner.contains(frames[1].pc));
    assert!(guest.contains(frames[2].pc));
    assert!(!nesting.world.is_null());
}

#[test]
fn a_payload_reaches_the_caller() {
    let (mut world, guest) = (World::new(), call_host_plainly());
    let nesting = nesting(&mut world, trap_in_a_callee(), true);
    let host = world.host(&nesting.func);
    let mut regs = world.regs(&[&raw const *host as u64, host_call_stub_int() as u64]);
    match world.call(&guest, &mut regs).map_err(|unwind| *unwind) {
        Err(Unwind::Payload(payload)) => assert!(*payload.downcast::<bool>().unwrap()),
        other => panic!("not a payload: {other:?}"),
    }
    assert!(!world.store.is_inside_wasm());
}

unsafe extern "C" fn panic_inside(ctx: *mut VMHostContext, _: *mut CallRegs, _: *const u8) -> u32 {
    let caught = std::panic::catch_unwind(|| {
        if std::hint::black_box(true) {
            std::panic::resume_unwind(Box::new("selkie"));
        }
    });
    match caught {
        Ok(()) => 0,
        // SAFETY: called by WebAssembly; nothing is left to drop.
        Err(payload) => unsafe { raise_payload((*ctx).store, payload) },
    }
}

#[test]
fn a_panic_that_was_caught_is_a_payload() {
    let (mut world, guest) = (World::new(), call_host_plainly());
    let func = VMHostFunc { entry: panic_inside, direct: std::ptr::null() };
    let host = world.host(&func);
    let mut regs = world.regs(&[&raw const *host as u64, host_call_stub() as u64]);
    match world.call(&guest, &mut regs).map_err(|unwind| *unwind) {
        Err(Unwind::Payload(p)) => assert_eq!(p.downcast_ref::<&str>(), Some(&"selkie")),
        other => panic!("not a payload: {other:?}"),
    }
}

/// Calls the outer guest again, endlessly, and hands on what comes back.
unsafe extern "C" fn recurse_through_host(
    context: *mut VMHostContext,
    regs: *mut CallRegs,
    _: *const u8,
) -> u32 {
    // SAFETY: the caller's registers are copied; the outcome is taken apart before raising.
    unsafe {
        let this = (*context).func.cast_mut().cast::<Nesting>();
        let mut again = CallRegs::ZERO;
        again.ints[0] = (*context).caller as u64;
        again.ints[1] = context as u64;
        again.ints[2] = host_call_stub_int() as u64;
        let code = (*this).inner.memory.base();
        let outcome = call((*context).store, code, &mut again, &[], RegSet::Int);
        let Err(unwind) = outcome else {
            (*regs).ints[0] = 0;
            return 0;
        };
        let code = match &*unwind {
            Unwind::Trap { code, .. } => *code,
            _ => TrapCode::Unreachable,
        };
        drop(unwind);
        raise_trap((*context).store, code)
    }
}

#[test]
fn recursion_through_the_host_is_a_stack_overflow() {
    for (wasm_bytes, host_bytes) in [(1, 8 << 20), (64 << 20, 1 << 20), (64 << 20, 64 << 10)] {
        let run = move || {
            let mut world = World::with_stack(wasm_bytes);
            world.store.set_backtrace_frames(5);
            let mut nesting = nesting(&mut world, call_host_plainly(), false);
            nesting.func.entry = recurse_through_host;
            let host = world.host(&nesting.func);
            let mut regs = world.regs(&[&raw const *host as u64, host_call_stub_int() as u64]);
            let guest = call_host_plainly();
            assert_eq!(trap(world.call(&guest, &mut regs)).0, TrapCode::StackOverflow);
            let mut regs = world.regs(&[1, 1, 1, 1, 1]);
            world.call(&sum_of_ints(), &mut regs).unwrap();
        };
        std::thread::Builder::new().stack_size(host_bytes).spawn(run).unwrap().join().unwrap();
    }
}

/// Runs `another` store's guest from inside a host call.
unsafe extern "C" fn other_store(_: *mut VMHostContext, regs: *mut CallRegs, _: *const u8) -> u32 {
    let mut world = World::new();
    let mut inner = world.regs(&[1, 2, 3, 4, 5]);
    world.call(&sum_of_ints(), &mut inner).unwrap();
    let mut trapping = world.regs(&[]);
    assert_eq!(trap(world.call(&trap_in_a_callee(), &mut trapping)).1.len(), 2);
    // SAFETY: the stub passes valid registers.
    unsafe { (*regs).ints[0] = inner.ints[0] };
    0
}

guest!(
    host_then_trap,
    "push rbp",
    "mov rbp, rsp",
    "mov rdi, rsi",
    "call rdx",
    "cmp eax, 15",
    "jne 2f",
    "ud2",
    "2:",
    "pop rbp",
    "ret",
);

#[test]
fn stores_nest_and_the_outer_one_still_traps() {
    let (mut world, guest) = (World::new(), host_then_trap());
    let func = VMHostFunc { entry: other_store, direct: std::ptr::null() };
    let host = world.host(&func);
    let mut regs = world.regs(&[&raw const *host as u64, host_call_stub_int() as u64]);
    assert_eq!(trap(world.call(&guest, &mut regs)).0, TrapCode::Unreachable);
}

#[test]
fn a_store_may_move_between_threads_between_calls() {
    struct Sent(World, Guest);
    // SAFETY: nothing of the world is bound to a thread while no call is under way.
    unsafe impl Send for Sent {}
    let mut sent = Sent(World::new(), trap_in_a_callee());
    for _ in 0..4 {
        sent = std::thread::spawn(move || {
            let mut sent = sent;
            let Sent(world, guest) = &mut sent;
            let mut regs = world.regs(&[]);
            assert_eq!(trap(world.call(guest, &mut regs)).0, TrapCode::Unreachable);
            sent
        })
        .join()
        .unwrap();
    }
}

/// Runs one of the `#[test]`s of this file in a process of its own, where it acts instead.
fn run_child(name: &str) -> std::process::ExitStatus {
    let this = std::env::current_exe().unwrap();
    Command::new(this)
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env("SELKIE_CHILD", name)
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap()
}

fn is_child() -> bool {
    std::env::var_os("SELKIE_CHILD").is_some()
}

/// Reads an address that nobody may read, outside any guest.
fn fault() {
    // SAFETY: deliberately none: the process ends here, as the test wants it.
    unsafe { std::ptr::with_exposed_provenance::<u8>(8).read_volatile() };
}

fn warm_up() {
    let mut world = World::new();
    let mut regs = world.regs(&[]);
    trap(world.call(&trap_in_a_callee(), &mut regs));
}

#[test]
fn a_fault_of_the_host_goes_to_the_handler_before_us() {
    extern "C" fn exit_77(_: i32, info: *mut libc::siginfo_t, _: *mut std::ffi::c_void) {
        // SAFETY: `_exit` is async-signal-safe; the kernel passes a valid `info`.
        unsafe { libc::_exit(if (*info).si_addr() as usize == 8 { 77 } else { 78 }) }
    }
    if is_child() {
        // SAFETY: installs a handler that only exits.
        unsafe {
            let mut action = std::mem::zeroed::<libc::sigaction>();
            action.sa_sigaction = exit_77 as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO;
            libc::sigaction(libc::SIGSEGV, &action, std::ptr::null_mut());
        }
        warm_up();
        fault();
    }
    let status = run_child("a_fault_of_the_host_goes_to_the_handler_before_us");
    assert_eq!(status.code(), Some(77), "{status}");
}

#[test]
fn a_fault_of_the_host_without_a_handler_kills() {
    if is_child() {
        // SAFETY: takes the standard library's own handler away.
        unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
        warm_up();
        fault();
    }
    let status = run_child("a_fault_of_the_host_without_a_handler_kills");
    assert_eq!(status.signal(), Some(libc::SIGSEGV), "{status}");
}

unsafe extern "C" fn fault_inside(_: *mut VMHostContext, _: *mut CallRegs, _: *const u8) -> u32 {
    fault();
    0
}

#[test]
fn a_fault_of_a_host_function_is_not_a_trap() {
    if is_child() {
        let (mut world, guest) = (World::new(), call_host_plainly());
        let func = VMHostFunc { entry: fault_inside, direct: std::ptr::null() };
        let host = world.host(&func);
        let mut regs = world.regs(&[&raw const *host as u64, host_call_stub() as u64]);
        let _ = world.call(&guest, &mut regs);
        return;
    }
    let status = run_child("a_fault_of_a_host_function_is_not_a_trap");
    assert_eq!(status.signal(), Some(libc::SIGSEGV), "{status}");
}

guest!(fault_off_site, "mov rax, [rsi + 8]", "ret");

#[test]
fn a_fault_of_an_instruction_without_a_site_is_not_a_trap() {
    if is_child() {
        let (mut world, guest) = (World::new(), fault_off_site());
        let mut regs = world.regs(&[0]);
        let _ = world.call(&guest, &mut regs);
        return;
    }
    let status = run_child("a_fault_of_an_instruction_without_a_site_is_not_a_trap");
    assert_eq!(status.signal(), Some(libc::SIGSEGV), "{status}");
}

guest!(spin, "2:", "dec rsi", "jnz 2b", "mov eax, 9", "ret");

#[test]
fn other_signals_are_handled_while_a_guest_runs() {
    static SEEN: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    extern "C" fn count(_: i32) {
        SEEN.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
    // SAFETY: the handler is async-signal-safe and runs on whatever stack it interrupts.
    unsafe { libc::signal(libc::SIGUSR1, count as *const () as usize) };
    let (mut world, guest) = (World::new(), spin());
    // SAFETY: asks for the calling thread.
    let this_thread = unsafe { libc::pthread_self() };
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..20 {
                // SAFETY: the thread outlives the scope.
                unsafe { libc::pthread_kill(this_thread, libc::SIGUSR1) };
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        let mut regs = world.regs(&[100_000_000]);
        world.call(&guest, &mut regs).unwrap();
        assert_eq!(regs.ints[0], 9);
    });
    assert!(SEEN.load(std::sync::atomic::Ordering::Relaxed) > 0);
}

guest!(spin_at, "mov rax, rsp", "mov rsp, rsi", "2:", "dec rdx", "jnz 2b", "mov rsp, rax", "ret");

#[test]
fn a_signal_that_finds_no_room_on_the_guests_stack_is_a_stack_overflow() {
    extern "C" fn ignore(_: i32) {}
    // SAFETY: the handler does nothing.
    unsafe { libc::signal(libc::SIGUSR2, ignore as *const () as usize) };
    let (mut world, guest) = (World::new(), spin_at());
    let mut regs = world.regs(&[1, 1, 1, 1, 1]);
    world.call(&sum_of_ints(), &mut regs).unwrap();
    let low = world.store.vm.stack_low as u64;
    // SAFETY: asks for the calling thread.
    let this_thread = unsafe { libc::pthread_self() };
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            // SAFETY: the thread outlives the scope.
            unsafe { libc::pthread_kill(this_thread, libc::SIGUSR2) };
        });
        let mut regs = world.regs(&[low + 64, u64::MAX]);
        assert_eq!(trap(world.call(&guest, &mut regs)).0, TrapCode::StackOverflow);
    });
}

#[test]
fn many_threads_trap_at_once() {
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let (mut world, guest) = (World::with_stack(1), trap_in_a_callee());
                    let mut regs = world.regs(&[]);
                    assert_eq!(trap(world.call(&guest, &mut regs)).0, TrapCode::Unreachable);
                }
            });
        }
    });
}

#[test]
fn call_registers_lie_where_the_stubs_expect_them() {
    assert_eq!((offset_of!(CallRegs, ints), offset_of!(CallRegs, floats)), (0, 64));
}
