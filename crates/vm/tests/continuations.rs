//! Continuations: stacks of their own, the ways between them, and what becomes of them when control
//! leaves by a trap.
//!
//! Guests call the ways between stacks through the context's `type_ids`, which they have no other
//! use for; the heap is a piece of memory whose first word is where the next object goes.
#![cfg(target_arch = "x86_64")]
#![allow(clippy::unwrap_used, reason = "the functions around the tests are tests, too")]

#[path = "machine/world.rs"]
mod world;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use selkie_module::builtins::{Builtin, StackSwitch};
use selkie_module::layout::resume::SWITCH;
use selkie_module::{FuncType, TrapCode, ValType};
use selkie_vm::*;
use world::{Guest, World, guest, trap, trap_in_a_callee};

const EVENT: u64 = 7;
const OTHER_EVENT: u64 = 99;
const HEAP_WORDS: usize = 1 << 16;

thread_local! {
    /// Whether this thread is refused memory.
    static REFUSES: Cell<bool> = const { Cell::new(false) };
}

/// The system's memory, unless it is to be refused.
struct Refusing;

// SAFETY: the system answers, or nobody does.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match REFUSES.get() {
            true => std::ptr::null_mut(),
            // SAFETY: by contract.
            false => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: by contract.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static MEMORY: Refusing = Refusing;

struct Stage {
    world: World,
    heap: Box<[u32]>,
}

/// What `resume` answered.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Returned(u64),
    /// Payload and object.
    Suspended(u64, u64),
}

extern "C" fn unhandled(context: *mut VMContext) {
    // SAFETY: called by a stub, with nothing to drop.
    unsafe { raise_trap((*context).store, TrapCode::UnhandledTag) }
}

impl Stage {
    fn new() -> Stage {
        let mut world = World::new();
        let mut heap = vec![0; HEAP_WORDS].into_boxed_slice();
        heap[0] = 8;
        world.context.heap_base = heap.as_mut_ptr().cast();
        world.context.type_ids = builtin_stubs()[StackSwitch::Resume.stub()..].as_ptr().cast();
        world.set_builtin(Builtin::unhandled_tag, unhandled as *const u8);
        Stage { world, heap }
    }

    /// A continuation of a function, and the object that stands for it.
    fn make(&mut self, guest: &Guest, ty: &FuncType) -> Option<(u32, u64)> {
        let func = VMFuncRef {
            code: guest.memory.base(),
            context: (&raw mut *self.world.context).cast(),
            type_id: 0,
        };
        let plan = Arc::new(StartPlan::new(ty));
        // SAFETY: the store is at a stable address and the guests live as long as the tests.
        let place = unsafe { new_continuation(&raw mut *self.world.store, &func, &plan) }?;
        let object = self.heap[0];
        self.heap[0] += 8;
        self.heap[object as usize / 4 + 1] = place;
        self.slot(place).object = object;
        Some((place, object.into()))
    }

    fn slot(&mut self, place: u32) -> &mut VMContinuationSlot {
        &mut self.world.store.continuation_slots()[place as usize]
    }

    fn address(&mut self, place: u32) -> u64 {
        self.slot(place).continuation as u64
    }

    /// The place that an object stands for.
    fn place(&self, object: u64) -> u32 {
        self.heap[object as usize / 4 + 1]
    }

    fn bind(&mut self, place: u32, values: &[u64]) {
        let values: Vec<[u64; 2]> = values.iter().map(|value| [*value, 0]).collect();
        let store = &raw mut *self.world.store;
        // SAFETY: the continuation waits; the tests' types have so many parameters.
        assert!(unsafe { bind(store, place, values.as_ptr().cast(), values.len() as u32, 0) });
    }

    fn try_resume(&mut self, object: u64, event: u64, args: &[u64]) -> Result<Answer, Box<Unwind>> {
        let place = self.place(object);
        assert_ne!(place, 0, "consumed");
        self.bind(place, args);
        let continuation = self.address(place);
        let mut regs = self.world.regs(&[continuation, object, event]);
        self.world.call(&resume_once(), &mut regs)?;
        let [result, outcome, reference, payload, ..] = regs.ints;
        Ok(match outcome as u32 {
            0 => Answer::Returned(result),
            _ => Answer::Suspended(payload, reference),
        })
    }

    fn resume(&mut self, object: u64, args: &[u64]) -> Answer {
        self.try_resume(object, EVENT, args).unwrap()
    }
}

fn ty(params: &[ValType], results: &[ValType]) -> FuncType {
    FuncType { params: params.into(), results: results.into() }
}

fn ints(params: usize) -> FuncType {
    ty(&vec![ValType::I64; params], &[ValType::I64])
}

guest!(
    resume_once,
    "push rbp",
    "mov rbp, rsp",
    "sub rsp, 48",
    "mov dword ptr [rsp], 0",
    "mov dword ptr [rsp + 4], 1",
    "mov [rsp + 24], rcx",
    "mov rcx, rdx",
    "mov rdx, rsp",
    "mov rax, [rdi + 24]",
    "call [rax]",
    "mov ecx, [rsp]",
    "mov rdx, [rsp + 8]",
    "mov rsi, [rsp + 16]",
    "test ecx, ecx",
    "jz 2f",
    "mov rsi, [rsi]",
    "2:",
    "mov rsp, rbp",
    "pop rbp",
    "ret",
);

// Suspends with the sum of all it was given, until that is 0.
guest!(
    adder,
    "push rbp",
    "mov rbp, rsp",
    "sub rsp, 48",
    "mov [rbp - 8], rdi",
    "mov [rbp - 16], rsi",
    "2:",
    "mov rax, [rbp - 16]",
    "mov [rsp], rax",
    "mov rdi, [rbp - 8]",
    "mov esi, 7",
    "mov rax, [rdi + 40]",
    "mov edx, [rax]",
    "add dword ptr [rax], 8",
    "mov rcx, rsp",
    "mov rax, [rdi + 24]",
    "call [rax + 16]",
    "mov rax, [rsp]",
    "add [rbp - 16], rax",
    "test rax, rax",
    "jnz 2b",
    "mov rax, [rbp - 16]",
    "mov rsp, rbp",
    "pop rbp",
    "ret",
);

#[test]
fn a_continuation_goes_on_where_it_suspended_until_it_returns() {
    let (mut stage, adder) = (Stage::new(), adder());
    let (_, first) = stage.make(&adder, &ints(1)).unwrap();
    let Answer::Suspended(100, second) = stage.resume(first, &[100]) else { panic!() };
    assert_eq!(stage.place(first), 0);
    let Answer::Suspended(111, third) = stage.resume(second, &[11]) else { panic!() };
    assert_eq!([stage.place(first), stage.place(second)], [0, 0]);
    assert_eq!(stage.resume(third, &[0]), Answer::Returned(111));
    assert_eq!(stage.place(third), 0);
    assert!(stage.world.store.vm.continuation.is_null());
}

#[test]
fn a_finished_continuation_gives_its_stack_to_the_next() {
    let (mut stage, adder) = (Stage::new(), adder());
    for round in 0..100 {
        let (_, first) = stage.make(&adder, &ints(1)).unwrap();
        let Answer::Suspended(_, second) = stage.resume(first, &[round]) else { panic!() };
        assert_eq!(stage.resume(second, &[0]), Answer::Returned(round));
    }
    assert_eq!(stage.world.store.continuation_count(), 1);
}

#[test]
fn a_thousand_wait_at_once_and_each_has_its_own_state() {
    let (mut stage, adder) = (Stage::new(), adder());
    let mut waiting = Vec::new();
    for number in 0..1000 {
        let (_, first) = stage.make(&adder, &ints(1)).unwrap();
        let Answer::Suspended(_, second) = stage.resume(first, &[number]) else { panic!() };
        waiting.push(second);
    }
    for (number, object) in waiting.into_iter().enumerate().rev() {
        assert_eq!(stage.resume(object, &[0]), Answer::Returned(number as u64));
    }
}

#[test]
fn no_more_continuations_are_made_than_the_limit_allows() {
    let (mut stage, adder) = (Stage::new(), adder());
    stage.world.store.set_continuation_stack_bytes(MIN_STACK_BYTES).unwrap();
    stage.world.store.set_continuation_limit(3);
    let made: Vec<_> = (0..4).map(|_| stage.make(&adder, &ints(1))).collect();
    assert_eq!(made.iter().flatten().count(), 3);
    let (place, _) = made[1].unwrap();
    // SAFETY: nothing else knows of it.
    unsafe { drop_continuation(&raw mut *stage.world.store, place) };
    assert_eq!(stage.make(&adder, &ints(1)).map(|(place, _)| place), Some(place));
    assert!(stage.make(&adder, &ints(1)).is_none());
}

#[test]
fn released_stacks_count_no_longer() {
    let (mut stage, adder) = (Stage::new(), adder());
    let places: Vec<u32> = (0..5).map(|_| stage.make(&adder, &ints(1)).unwrap().0).collect();
    let store = &raw mut *stage.world.store;
    // SAFETY: nothing else knows of them.
    unsafe {
        places.iter().for_each(|place| drop_continuation(store, *place));
        release_finished(store, 2);
    }
    assert_eq!(stage.world.store.continuation_count(), 2);
    assert!(stage.make(&adder, &ints(1)).is_some());
}

#[test]
fn a_suspension_that_nobody_handles_is_a_trap_and_ends_the_continuation() {
    let (mut stage, adder) = (Stage::new(), adder());
    for _ in 0..10 {
        let (_, object) = stage.make(&adder, &ints(1)).unwrap();
        let answer = stage.try_resume(object, OTHER_EVENT, &[1]);
        let (code, frames) = trap(answer.map(drop));
        assert_eq!(code, TrapCode::UnhandledTag);
        assert!(adder.contains(frames[0].pc));
    }
    assert_eq!(stage.world.store.continuation_count(), 1);
    assert!(stage.world.store.vm.continuation.is_null());
}

#[test]
fn without_any_continuation_a_suspension_is_a_trap() {
    let (mut stage, adder) = (Stage::new(), adder());
    let mut regs = stage.world.regs(&[1]);
    let (code, _) = trap(stage.world.call(&adder, &mut regs));
    assert_eq!(code, TrapCode::UnhandledTag);
}

#[test]
fn what_an_outer_handler_takes_waits_together_with_all_it_resumed() {
    let (mut stage, adder, relay) = (Stage::new(), adder(), resume_once());
    let (inner, object) = stage.make(&adder, &ints(1)).unwrap();
    stage.bind(inner, &[5]);
    let args = [stage.address(inner), object, OTHER_EVENT];
    let (outer, relay) = stage.make(&relay, &ints(3)).unwrap();
    let Answer::Suspended(5, both) = stage.resume(relay, &args) else { panic!() };
    assert_eq!(stage.place(both), outer);
    assert_eq!(stage.place(object), 0);
    let Answer::Suspended(8, both) = stage.resume(both, &[3]) else { panic!() };
    // The inner one returns to the relay, which returns its result.
    assert_eq!(stage.resume(both, &[0]), Answer::Returned(8));
    assert_eq!(stage.world.store.continuation_count(), 2);
}

#[test]
fn those_that_wait_together_are_dropped_together() {
    let (mut stage, adder, relay) = (Stage::new(), adder(), resume_once());
    let (inner, object) = stage.make(&adder, &ints(1)).unwrap();
    stage.bind(inner, &[5]);
    let args = [stage.address(inner), object, OTHER_EVENT];
    let (outer, relay) = stage.make(&relay, &ints(3)).unwrap();
    let Answer::Suspended(..) = stage.resume(relay, &args) else { panic!() };
    let store = &raw mut *stage.world.store;
    // SAFETY: nothing else knows of it.
    unsafe {
        drop_continuation(store, outer);
        release_finished(store, 0);
    }
    assert_eq!(stage.world.store.continuation_count(), 0);
}

#[test]
fn what_cannot_be_bound_for_want_of_memory_ends() {
    let (mut stage, adder) = (Stage::new(), adder());
    let (place, _) = stage.make(&adder, &ints(70)).unwrap();
    let values = [[0_u64; 2]; 64];
    let store = &raw mut *stage.world.store;
    let bind = |count, traced| {
        // SAFETY: the continuation takes so many more; nobody uses its object.
        unsafe { bind(store, place, values.as_ptr().cast(), count, traced) }
    };
    assert!(bind(64, u64::MAX));
    REFUSES.set(true);
    let is_bound = bind(6, 0b111111);
    REFUSES.set(false);
    assert!(!is_bound);
    assert_eq!(stage.slot(place).object, 0);
    assert!(stage.world.store.has_finished_continuation());
    // Its stack is used again, and nothing is bound.
    let (again, object) = stage.make(&adder, &ints(1)).unwrap();
    assert_eq!(again, place);
    assert!(matches!(stage.resume(object, &[5]), Answer::Suspended(5, _)));
}

// Switches to a continuation, with the object that stands for itself from now on as its argument;
// answers what it is given then, and 1 more.
guest!(
    switcher,
    "push rbp",
    "mov rbp, rsp",
    "sub rsp, 48",
    "mov r8, rsi",
    "mov r9, rdx",
    "mov rax, [rdi + 40]",
    "mov edx, [rax]",
    "add dword ptr [rax], 8",
    "mov rax, [r8]",
    "mov [rax], rdx",
    "mov rsi, 0x100000007",
    "mov rcx, rsp",
    "mov rax, [rdi + 24]",
    "call [rax + 24]",
    "mov rax, [rsp]",
    "inc rax",
    "mov rsp, rbp",
    "pop rbp",
    "ret",
);

guest!(second_argument, "mov rax, rsi", "ret");

#[test]
fn a_switch_puts_another_continuation_in_the_place_of_the_one_that_ran() {
    let (mut stage, switcher, target) = (Stage::new(), switcher(), second_argument());
    let (target_place, target) = stage.make(&target, &ints(1)).unwrap();
    let args = [stage.address(target_place), target];
    let (place, object) = stage.make(&switcher, &ints(2)).unwrap();
    let answer = stage.try_resume(object, EVENT | SWITCH, &args).unwrap();
    let Answer::Returned(waiting) = answer else { panic!("{answer:?}") };
    assert_eq!(stage.place(waiting), place);
    assert_eq!(stage.place(target), 0);
    assert_eq!(stage.resume(waiting, &[41]), Answer::Returned(42));
}

#[test]
fn a_switch_that_only_a_suspension_would_be_handled_for_is_a_trap() {
    let (mut stage, switcher, target) = (Stage::new(), switcher(), second_argument());
    let (target_place, target) = stage.make(&target, &ints(1)).unwrap();
    let args = [stage.address(target_place), target];
    let (_, object) = stage.make(&switcher, &ints(2)).unwrap();
    let (code, _) = trap(stage.try_resume(object, EVENT, &args).map(drop));
    assert_eq!(code, TrapCode::UnhandledTag);
    // What it would have gone to is whole.
    assert_eq!(stage.place(target), target_place);
}

guest!(
    many_kinds,
    "mov [rsi], rdx",
    "mov [rsi + 16], rcx",
    "mov [rsi + 32], r8",
    "mov [rsi + 48], r9",
    "mov rax, [rsp + 8]",
    "mov [rsi + 64], rax",
    "mov rax, [rsp + 16]",
    "mov [rsi + 80], rax",
    "mov rax, [rsp + 24]",
    "mov [rsi + 96], rax",
    "movq [rsi + 112], xmm7",
    "mov rax, [rsp + 32]",
    "mov [rsi + 128], rax",
    "ret 32",
);

#[test]
fn arguments_and_results_beyond_the_registers_are_where_the_type_says() {
    let (mut stage, guest) = (Stage::new(), many_kinds());
    let params = [[ValType::I64; 7].as_slice(), &[ValType::F64; 9]].concat();
    let many = ty(&params, &[ValType::I64; 9]);
    let (_, object) = stage.make(&guest, &many).unwrap();
    let args: Vec<u64> = (1..=16).collect();
    let Answer::Returned(area) = stage.resume(object, &args) else { panic!() };
    // SAFETY: nothing has run on that stack since.
    let results: Vec<u64> =
        (0..9).map(|i| unsafe { *(area as *const [u64; 2]).add(i) }[0]).collect();
    assert_eq!(results, [1, 2, 3, 4, 5, 6, 7, 15, 16]);
}

#[test]
fn a_backtrace_goes_on_at_the_resume() {
    let (mut stage, guest) = (Stage::new(), trap_in_a_callee());
    let (_, object) = stage.make(&guest, &ints(0)).unwrap();
    let continuation = {
        let place = stage.place(object);
        stage.address(place)
    };
    let resumer = resume_once();
    let mut regs = stage.world.regs(&[continuation, object, EVENT]);
    let (code, frames) = trap(stage.world.call(&resumer, &mut regs));
    assert_eq!(code, TrapCode::Unreachable);
    let guests = frames.iter().filter(|frame| guest.contains(frame.pc)).count();
    let resumers = frames.iter().filter(|frame| resumer.contains(frame.pc)).count();
    assert_eq!((guests, resumers), (2, 1), "{frames:?}");
    assert!(resumer.contains(frames.last().unwrap().pc));
}

guest!(endless, "push rbp", "mov rbp, rsp", "call selkie_guest_endless", "pop rbp", "ret");

#[test]
fn recursion_on_a_continuation_s_stack_is_the_usual_trap_and_the_stack_is_used_again() {
    let (mut stage, guest) = (Stage::new(), endless());
    for _ in 0..20 {
        let (_, object) = stage.make(&guest, &ints(0)).unwrap();
        let (code, _) = trap(stage.try_resume(object, EVENT, &[]).map(drop));
        assert_eq!(code, TrapCode::StackOverflow);
    }
    assert_eq!(stage.world.store.continuation_count(), 1);
}

// Resumes and suspends rdx times.
guest!(
    many_round_trips,
    "push rbp",
    "mov rbp, rsp",
    "sub rsp, 80",
    "mov [rbp - 8], rdi",
    "mov [rbp - 16], rsi",
    "mov [rbp - 24], rdx",
    "mov [rbp - 32], rcx",
    "mov dword ptr [rsp + 4], 1",
    "mov qword ptr [rsp + 24], 7",
    "2:",
    "mov rdi, [rbp - 8]",
    "mov rsi, [rbp - 16]",
    "mov rcx, [rbp - 24]",
    "mov dword ptr [rsp], 0",
    "mov rax, [rsi]",
    "mov qword ptr [rax], 1",
    "mov rax, [rdi + 40]",
    "mov dword ptr [rax], 8",
    "mov rdx, rsp",
    "mov rax, [rdi + 24]",
    "call [rax]",
    "mov rdx, [rsp + 8]",
    "mov [rbp - 24], rdx",
    "dec qword ptr [rbp - 32]",
    "jnz 2b",
    "mov rsp, rbp",
    "pop rbp",
    "ret",
);

#[test]
fn a_round_trip_costs_little() {
    const ROUND_TRIPS: u64 = 10_000_000;
    let (mut stage, adder, guest) = (Stage::new(), adder(), many_round_trips());
    let (place, object) = stage.make(&adder, &ints(1)).unwrap();
    let args = [stage.address(place), object, ROUND_TRIPS];
    let start = Instant::now();
    let mut regs = stage.world.regs(&args);
    stage.world.call(&guest, &mut regs).unwrap();
    let each = start.elapsed().as_nanos() as f64 / ROUND_TRIPS as f64;
    println!("resume and suspend: {each:.1} ns");
    // Far above what it is, and far below what a system call would make of it.
    assert!(each < 300.0, "{each} ns");
}
