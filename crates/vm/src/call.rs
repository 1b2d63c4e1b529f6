//! Calls into WebAssembly from Rust, and the two ways to give one up.
//!
//! The outermost call of a store runs on the thread's own stack; a nested call
//! (the host was called and calls again) goes on where the stack stands. `raise_trap` and
//! `raise_payload` end the innermost call with an error. The host's own stack is checked at each
//! call, so that recursion through the host is a trap like any other.

use std::any::Any;
use std::mem::MaybeUninit;

use selkie_module::TrapCode;

use crate::ResourceError;
use crate::activation::{self, Activation};
use crate::arch::{self, ENTRY_BYTES};
use crate::backtrace::{Frame, capture_unwound};
use crate::context::{CallRegs, VMAllocation, VMStoreContext};
use crate::continuation::{Continuations, VMContinuation, discard};
use crate::stack::{self, MIN_STACK_BYTES, StackMemory, usable_size};
use crate::thread::{self, HostStack, ThreadState};
use crate::throw::Landings;

/// WebAssembly stack that must be left for a nested call, besides its arguments.
const NESTED_RESERVE_BYTES: usize = 512 + ENTRY_BYTES;
/// Stack arguments a call may have: more than the parameters of any type need.
const MAX_STACK_ARG_BYTES: usize = MIN_STACK_BYTES / 2;
/// Frames that a trap remembers unless told otherwise.
const DEFAULT_BACKTRACE_FRAMES: usize = 64;

/// Where unwinding began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnwindSite {
    pub(crate) pc: usize,
    pub(crate) fp: usize,
    /// Whether `pc` is a faulting instruction rather than a return address.
    pub(crate) is_exact: bool,
    /// Whose stack that is on.
    pub(crate) continuation: *const VMContinuation,
}

impl UnwindSite {
    const NOWHERE: UnwindSite =
        UnwindSite { pc: 0, fp: 0, is_exact: false, continuation: std::ptr::null() };

    /// Where WebAssembly left for the host.
    ///
    /// # Safety
    /// `store` is live.
    pub(crate) unsafe fn left(store: *const StoreRuntime) -> UnwindSite {
        // SAFETY: by contract.
        let vm = unsafe { &raw const (*store).vm };
        // SAFETY: as above.
        unsafe {
            UnwindSite {
                pc: (*vm).exit_pc,
                fp: (*vm).exit_fp,
                is_exact: false,
                continuation: (*vm).continuation,
            }
        }
    }
}

/// Addresses of a stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StackBounds {
    pub(crate) low: usize,
    pub(crate) top: usize,
}

impl StackBounds {
    /// Whether a frame pointer can be one of this stack: the two words there lie on it.
    pub(crate) fn has_frame(self, fp: usize) -> bool {
        fp >= self.low && fp <= self.top - 16 && fp.is_multiple_of(8)
    }
}

/// What a nested call overwrites of the store's context.
#[derive(Debug)]
pub(crate) struct Suspended {
    pub(crate) exit_pc: usize,
    pub(crate) exit_fp: usize,
    /// The next one out.
    pub(crate) outer: *const Suspended,
    pub(crate) continuation: *mut VMContinuation,
    /// Of the stack that it began on.
    pub(crate) bounds: StackBounds,
    wasm_sp: *mut u8,
    host_sp: *mut u8,
    running: *mut Activation,
}

impl Suspended {
    /// Reads the store's context; nothing is in a chain yet.
    ///
    /// # Safety
    /// `store` is live.
    pub(crate) unsafe fn of(store: *const StoreRuntime) -> Suspended {
        // SAFETY: by contract.
        unsafe {
            Suspended {
                exit_pc: (*store).vm.exit_pc,
                exit_fp: (*store).vm.exit_fp,
                outer: (*store).suspended,
                continuation: (*store).vm.continuation,
                bounds: (*store).own_bounds(),
                wasm_sp: (*store).vm.wasm_sp,
                host_sp: (*store).vm.host_sp,
                running: (*store).running,
            }
        }
    }

    /// Makes the store's context what it was. Answers the continuation that ran until now.
    ///
    /// # Safety
    /// `store` is the one that this was read from.
    pub(crate) unsafe fn restore(&self, store: *mut StoreRuntime) -> *mut VMContinuation {
        // SAFETY: by contract.
        unsafe {
            (*store).suspended = self.outer;
            (*store).set_own_bounds(self.bounds);
            (*store).running = self.running;
            let vm = &raw mut (*store).vm;
            (*vm).exit_pc = self.exit_pc;
            (*vm).exit_fp = self.exit_fp;
            (*vm).wasm_sp = self.wasm_sp;
            (*vm).host_sp = self.host_sp;
            std::mem::replace(&mut (*vm).continuation, self.continuation)
        }
    }

    /// Where it waits.
    pub(crate) fn site(&self) -> UnwindSite {
        let Suspended { exit_pc: pc, exit_fp: fp, continuation, .. } = *self;
        UnwindSite { pc, fp, is_exact: false, continuation }
    }
}

/// A store's context together with what only Rust needs. Machine code holds its address, so it
/// must not move once a context points to it.
#[repr(C)]
pub struct StoreRuntime {
    /// What machine code sees.
    pub vm: VMStoreContext,
    pub(crate) stack_bytes: usize,
    backtrace_frames: usize,
    pub(crate) unwound: UnwindSite,
    /// Highest address of the stack that the innermost activation began on.
    pub(crate) stack_top: *mut u8,
    /// The innermost activation that waits for a nested one; null for none.
    pub(crate) suspended: *const Suspended,
    /// What runs on a stack of its own and may be left for later; null where the innermost
    /// activation is none of these.
    pub(crate) running: *mut Activation,
    /// How many of them there are inside of each other.
    pub(crate) activation_depth: u32,
    activation_stack_bytes: usize,
    payload: Option<Box<dyn Any + Send>>,
    /// The exception that is unwinding; 0 for none.
    pub(crate) exception: u64,
    pub(crate) landings: Landings,
    pub(crate) continuations: Continuations,
    /// What a continuation's function is called with.
    pub(crate) start_regs: CallRegs,
}

impl std::fmt::Debug for StoreRuntime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreRuntime").field("vm", &self.vm).finish_non_exhaustive()
    }
}

impl StoreRuntime {
    /// Outside WebAssembly, all pointers null; `stack_bytes` is the WebAssembly stack its calls
    /// shall have, rounded up to pages and to a least size.
    pub fn new(stack_bytes: usize) -> Result<StoreRuntime, ResourceError> {
        Ok(StoreRuntime {
            vm: VMStoreContext {
                host_sp: std::ptr::null_mut(),
                exit_fp: 0,
                exit_pc: 0,
                wasm_sp: std::ptr::null_mut(),
                stack_low: std::ptr::null_mut(),
                builtin_impls: std::ptr::null(),
                owner: std::ptr::null_mut(),
                fuel: 0,
                gc: VMAllocation::default(),
                types: std::ptr::null(),
                trap: 0,
                continuation: std::ptr::null_mut(),
                continuations: std::ptr::null_mut(),
                finished: std::ptr::null_mut(),
            },
            stack_bytes: usable_size(stack_bytes)?,
            backtrace_frames: DEFAULT_BACKTRACE_FRAMES,
            unwound: UnwindSite::NOWHERE,
            stack_top: std::ptr::null_mut(),
            suspended: std::ptr::null(),
            running: std::ptr::null_mut(),
            activation_depth: 0,
            activation_stack_bytes: activation::DEFAULT_STACK_BYTES,
            payload: None,
            exception: 0,
            landings: Landings::default(),
            continuations: Continuations::new(),
            start_regs: CallRegs::ZERO,
        })
    }

    /// How many frames a trap remembers at most; 0 for none.
    pub fn set_backtrace_frames(&mut self, frames: usize) {
        self.backtrace_frames = frames;
    }

    /// How many frames a trap remembers at most.
    pub fn backtrace_frames(&self) -> usize {
        self.backtrace_frames
    }

    /// Whether WebAssembly of this store is being run.
    pub fn is_inside_wasm(&self) -> bool {
        !self.vm.host_sp.is_null()
    }

    /// Sets the usable bytes of the stacks of calls that can be left, rounded up as for
    /// [`StoreRuntime::new`].
    pub fn set_activation_stack_bytes(&mut self, bytes: usize) -> Result<(), ResourceError> {
        self.activation_stack_bytes = usable_size(bytes)?;
        Ok(())
    }

    pub(crate) fn activation_stack_bytes(&self) -> usize {
        self.activation_stack_bytes
    }

    /// Of the stack that the innermost activation began on.
    pub(crate) fn own_bounds(&self) -> StackBounds {
        StackBounds { low: self.vm.stack_low as usize, top: self.stack_top as usize }
    }

    pub(crate) fn set_own_bounds(&mut self, bounds: StackBounds) {
        self.vm.stack_low = bounds.low as *mut u8;
        self.stack_top = bounds.top as *mut u8;
    }

    /// Of the stack that is in use.
    pub(crate) fn current_bounds(&self) -> StackBounds {
        // SAFETY: what runs is live.
        match unsafe { self.vm.continuation.as_ref() } {
            Some(continuation) => continuation.bounds(),
            None => self.own_bounds(),
        }
    }
}

/// Why a call did not return.
#[derive(Debug)]
pub enum Unwind {
    /// A trap.
    Trap {
        /// Its code.
        code: TrapCode,
        /// Frames at the trap, innermost first. Empty where none were wanted.
        frames: Vec<Frame>,
    },
    /// Nothing ran, as there is no stack to run on.
    Resource(ResourceError),
    /// What `raise_payload` was given.
    Payload(Box<dyn Any + Send>),
    /// An exception that nobody caught.
    Exception {
        /// A reference of the store's heap, valid until something is collected.
        exception: u64,
        /// Frames at the throw, innermost first. Empty where none were wanted.
        frames: Vec<Frame>,
    },
}

impl Unwind {
    #[cold]
    pub(crate) fn trap(code: TrapCode) -> Box<Unwind> {
        Box::new(Unwind::Trap { code, frames: Vec::new() })
    }
}

/// Which registers a call's parameters and results need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegSet {
    /// Integer registers, and at most one result.
    IntOne,
    /// Integer registers only; `CallRegs::floats` is neither read nor written.
    Int,
    /// All registers.
    All,
}

/// Calls WebAssembly code. Arguments are in `regs` and `stack_args`, as `selkie_module::abi`
/// places them; `regs` holds the results afterwards. Registers without an argument may be
/// uninitialised.
///
/// # Safety
/// - `store` is live, at a stable address, and this thread has exclusive use of it.
/// - `code` is the entry of machine code (or a host call stub) whose type fits the arguments, and
///   its context, the first argument, leads to `store`.
/// - `regs` is valid for reads and writes; `stack_args.len()` is what the type says.
/// - The code stays alive during the call; so does all it can reach.
/// - No Rust reference to what the code may change is live.
pub unsafe fn call(
    store: *mut StoreRuntime,
    code: *const u8,
    regs: *mut CallRegs,
    stack_args: &[MaybeUninit<u8>],
    set: RegSet,
) -> Result<(), Box<Unwind>> {
    // SAFETY: the state lives as long as this thread, which runs this function.
    let thread = unsafe { &*thread::state() };
    let sp = arch::stack_pointer();
    if sp < thread.host_limit.get() {
        check_host_stack(thread, sp)?;
    }
    let entry = Entry { code, regs, stack_args, set };
    // SAFETY: the contract of this function is that of the two. A thread that is inside no store
    // does not use its stack; the store may still be inside WebAssembly, on the thread of a host
    // function that lent it to this one: then the call is a nested one.
    unsafe {
        let is_outermost = (*store).vm.host_sp.is_null();
        match thread.idle_stack((*store).stack_bytes) {
            Some(top) if is_outermost && stack_args.len() <= MAX_STACK_ARG_BYTES => {
                call_outermost(thread, store, top, &entry)
            }
            _ => call_slow(thread, store, &entry),
        }
    }
}

/// What is called, and with what.
struct Entry<'a> {
    code: *const u8,
    regs: *mut CallRegs,
    stack_args: &'a [MaybeUninit<u8>],
    set: RegSet,
}

#[cold]
pub(crate) fn check_host_stack(thread: &ThreadState, sp: usize) -> Result<(), Box<Unwind>> {
    match thread.check_host_stack(sp) {
        Ok(HostStack::Enough) => Ok(()),
        Ok(HostStack::Exhausted) => Err(Unwind::trap(TrapCode::StackOverflow)),
        Err(_) => Err(Unwind::trap(TrapCode::OutOfMemory)),
    }
}

/// # Safety
/// As for [`call`], outside WebAssembly; `top` is that of a stack of the store's size that nobody
/// uses.
#[inline(always)]
unsafe fn call_outermost(
    thread: &ThreadState,
    store: *mut StoreRuntime,
    top: *mut u8,
    entry: &Entry<'_>,
) -> Result<(), Box<Unwind>> {
    // SAFETY: by contract.
    unsafe {
        // Stacks of one size with one top have one lower end, too.
        if (*store).stack_top != top {
            (*store).stack_top = top;
            (*store).vm.stack_low = stack::low_of(top);
        }
        let has_returned = switch(thread, store, top, entry);
        (*store).vm.host_sp = std::ptr::null_mut();
        if has_returned {
            return Ok(());
        }
        Err(end_unwound(store))
    }
}

/// What is left of an outermost call that did not return.
///
/// # Safety
/// As for [`take_unwind`]; the store is outside again, and its context still names the stack.
#[cold]
pub(crate) unsafe fn end_unwound(store: *mut StoreRuntime) -> Box<Unwind> {
    // SAFETY: by contract.
    unsafe {
        let unfinished = std::mem::replace(&mut (*store).vm.continuation, std::ptr::null_mut());
        let unwind = take_unwind(store, (*store).own_bounds(), unfinished);
        if matches!(*unwind, Unwind::Trap { code: TrapCode::StackOverflow, .. }) {
            // A stack that was used to its end is rarely needed that deep again.
            stack::trim_below((*store).stack_top);
        }
        unwind
    }
}

/// The first call of a thread, a nested call, a call of a second store while a first one waits.
///
/// # Safety
/// As for [`call`].
#[inline(never)]
unsafe fn call_slow(
    thread: &ThreadState,
    store: *mut StoreRuntime,
    entry: &Entry<'_>,
) -> Result<(), Box<Unwind>> {
    if entry.stack_args.len() > MAX_STACK_ARG_BYTES {
        return Err(Unwind::trap(TrapCode::StackOverflow));
    }
    // SAFETY: by contract. The borrowed stack is ours until it is released, which is after the
    // backtrace was taken from it.
    unsafe {
        if (*store).is_inside_wasm() {
            return call_nested(thread, store, entry);
        }
        let bytes = (*store).stack_bytes;
        let stack = StackMemory::acquire(bytes).map_err(|source| {
            Unwind::Resource(ResourceError::Stack { bytes, source: Box::new(source) })
        })?;
        let top = stack.top();
        if thread.current.get().is_null() {
            thread.keep_stack(stack);
            return call_outermost(thread, store, top, entry);
        }
        let result = call_outermost(thread, store, top, entry);
        stack.release();
        result
    }
}

/// # Safety
/// As for [`call`], inside WebAssembly, called by host code that WebAssembly called.
unsafe fn call_nested(
    thread: &ThreadState,
    store: *mut StoreRuntime,
    entry: &Entry<'_>,
) -> Result<(), Box<Unwind>> {
    // SAFETY: the store is live; a stub stored `wasm_sp` when it left for the host.
    unsafe {
        let vm = &raw mut (*store).vm;
        let wasm_sp = (*vm).wasm_sp;
        let start = wasm_sp.wrapping_sub(wasm_sp as usize % 16);
        let bounds = (*store).current_bounds();
        let room = (start as usize).saturating_sub(bounds.low);
        if room < entry.stack_args.len() + NESTED_RESERVE_BYTES {
            return Err(Unwind::trap(TrapCode::StackOverflow));
        }
        let suspended = Suspended::of(store);
        (*store).suspended = &raw const suspended;
        // A `suspend` inside finds no handler outside: the host's frames lie between. Nor can it
        // be left for later, for the same reason.
        (*store).running = std::ptr::null_mut();
        (*vm).continuation = std::ptr::null_mut();
        (*store).set_own_bounds(bounds);
        let has_returned = switch(thread, store, start, entry);
        let unfinished = suspended.restore(store);
        if has_returned { Ok(()) } else { Err(take_unwind(store, bounds, unfinished)) }
    }
}

/// Runs the code and answers whether it returned. Leaves `HOST_SP` and, after a nested call, where
/// WebAssembly left as they come.
///
/// # Safety
/// As for [`call`]; `start` is 16-aligned and has room for the arguments below.
#[inline(always)]
unsafe fn switch(
    thread: &ThreadState,
    store: *mut StoreRuntime,
    start: *mut u8,
    entry: &Entry<'_>,
) -> bool {
    let (args, bytes) = (entry.stack_args.as_ptr().cast::<u8>(), entry.stack_args.len());
    debug_assert!(bytes.is_multiple_of(16) && (start as usize).is_multiple_of(16));
    let previous = thread.current.replace(store);
    // SAFETY: by contract.
    let has_returned = unsafe {
        match entry.set {
            RegSet::IntOne => {
                arch::enter_int_one(store, start, entry.code, entry.regs, args, bytes)
            }
            RegSet::Int => arch::enter_int(store, start, entry.code, entry.regs, args, bytes),
            RegSet::All => arch::enter(store, start, entry.code, entry.regs, args, bytes),
        }
    };
    thread.current.set(previous);
    has_returned
}

/// # Safety
/// The innermost call was unwound just now: nothing ran on its stacks since, and the store's
/// context is again what it was before that call, which began on the stack of these bounds.
/// `unfinished` is the continuation that ran.
#[cold]
pub(crate) unsafe fn take_unwind(
    store: *mut StoreRuntime,
    bounds: StackBounds,
    unfinished: *mut VMContinuation,
) -> Box<Unwind> {
    // SAFETY: by contract; control has left all that ran.
    unsafe {
        let unwind = read_unwind(store, bounds);
        discard(unfinished, std::ptr::null_mut());
        unwind
    }
}

/// # Safety
/// As for [`take_unwind`].
unsafe fn read_unwind(store: *mut StoreRuntime, bounds: StackBounds) -> Box<Unwind> {
    // SAFETY: the store is live, and nobody holds a reference into it.
    unsafe {
        if let Some(payload) = (*store).payload.take() {
            return Box::new(Unwind::Payload(payload));
        }
        let limit = (*store).backtrace_frames;
        let frames = match limit {
            0 => Vec::new(),
            _ => capture_unwound(store, (*store).unwound, bounds, limit),
        };
        let exception = std::mem::replace(&mut (*store).exception, 0);
        if exception != 0 {
            return Box::new(Unwind::Exception { exception, frames });
        }
        let number = std::mem::replace(&mut (*store).vm.trap, 0);
        let code = u8::try_from(number)
            .ok()
            .and_then(TrapCode::from_number)
            .expect("whoever unwinds has stored a payload, an exception or the number of a trap");
        Box::new(Unwind::Trap { code, frames })
    }
}

/// Ends the innermost call with a trap.
///
/// # Safety
/// - `store` is live and inside WebAssembly, and this is host code that its WebAssembly called,
///   on the thread of that call.
/// - No frame between here and that call has anything to drop.
#[cold]
pub unsafe fn raise_trap(store: *mut StoreRuntime, code: TrapCode) -> ! {
    // SAFETY: by contract.
    unsafe {
        (*store).vm.trap = code as u32;
        raise(store)
    }
}

/// Ends the innermost call with a value for whoever called: an error of a host function, or a
/// panic that was caught.
///
/// # Safety
/// As for [`raise_trap`].
#[cold]
pub unsafe fn raise_payload(store: *mut StoreRuntime, payload: Box<dyn Any + Send>) -> ! {
    // SAFETY: by contract.
    unsafe {
        (*store).payload = Some(payload);
        raise(store)
    }
}

/// # Safety
/// As for [`raise_trap`].
pub(crate) unsafe fn raise(store: *mut StoreRuntime) -> ! {
    // SAFETY: by contract; the stub that called the host stored where WebAssembly left.
    unsafe {
        if (*store).vm.host_sp.is_null() || (*store).vm.host_sp == activation::NO_HOST_SP {
            // There is nothing to return to: going on would run on a stack that is gone.
            std::process::abort();
        }
        (*store).unwound = UnwindSite::left(store);
        arch::unwind(store)
    }
}
