//! Calls that can be left for later: each has a WebAssembly stack of its own, which stays as it is.
//!
//! ```text
//!  begin ──▶ WebAssembly ──▶ host function ──▶ … ──▶ return
//!    ▲            ▲                │ suspend
//!  caller ◀───────┼────────────────┘
//!    └─ go_on ────┘   (later, perhaps on another thread)
//! ```
//!
//! WebAssembly never has frames of the host on its stack, so leaving it for later is to go back to
//! whoever entered it, as unwinding does, and to remember where it stands. Going on enters it there
//! with other values in the registers. While nobody is inside, the store's context is what it was
//! before the call, and the frames that wait are not looked at: nobody can use the store then.
//!
//! Invariants: an activation is entered only while it waits; whoever enters it, or runs host code in
//! its place ([`Activation::within`]), puts the store's context back before returning. The
//! continuations that it was left on wait where they are, for nobody but it.

use std::mem::MaybeUninit;

use selkie_module::TrapCode;

use crate::arch::{self, ENTRY_BYTES, KeptRegs, SavedRegs};
use crate::call::{StackBounds, Suspended, Unwind, check_host_stack, take_unwind};
use crate::context::{CallRegs, VMStoreContext};
use crate::continuation::{VMContinuation, discard, leave_until};
use crate::stack::{self, MIN_STACK_BYTES, StackMemory};
use crate::throw::landing;
use crate::{ResourceError, StoreRuntime, thread};

/// Usable bytes of their stacks when nobody says otherwise: address space, of which two pages are
/// touched by a call that is not deep.
pub const DEFAULT_STACK_BYTES: usize = 2 << 20;
/// Activations inside of each other, so that ending all of them at once needs no more of the host's
/// stack than any thread has.
const MAX_DEPTH: u32 = 1000;
/// What the results that do not fit registers may take, and the stack arguments.
const MAX_START_BYTES: usize = MIN_STACK_BYTES / 4;
const REGS_BYTES: usize = size_of::<CallRegs>();
/// Bytes between the area of results and the stack arguments: the store, and padding.
const BASE_BYTES: usize = 16;

/// `VMStoreContext::host_sp` where host code runs in an activation's place without having been
/// called by it: inside WebAssembly, but with nothing to unwind to.
pub(crate) const NO_HOST_SP: *mut u8 = std::ptr::without_provenance_mut(16);

/// A call on a stack of its own.
#[derive(Debug)]
pub struct Activation {
    stack: StackMemory,
    /// Where it goes on.
    at: Waiting,
    depth: u32,
    /// Where results begin that do not fit registers. They lie between here and the registers'
    /// block at the top.
    results: *mut u8,
    /// Whoever polls it, for the host functions that it calls.
    poller: *mut u8,
    /// How it was left; `None` when it was not, or was unwound.
    left: Option<Left>,
}

/// What must be put back for an activation to go on, besides the two pointers to its stack.
#[derive(Debug)]
enum Left {
    /// By a host function, with these bytes of stack arguments to pop.
    ByHost { popped: u32, kept: KeptRegs },
    /// By a builtin.
    ByBuiltin(Box<SavedRegs>),
}

/// Where WebAssembly waits for the host: what the store's context says then.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    exit_pc: usize,
    exit_fp: usize,
    /// The return address lies there. Before the beginning: where to begin.
    wasm_sp: *mut u8,
    continuation: *mut VMContinuation,
}

/// How far an activation came.
#[derive(Debug)]
pub enum Progress {
    /// It has returned; the registers hold its results.
    Returned,
    /// It was left by [`suspend`].
    Suspended,
    /// It has ended otherwise.
    Unwound(Box<Unwind>),
}

/// How an activation is entered.
enum Way {
    /// It has not begun: calls this code.
    Begin(*const u8),
    /// At the return address.
    Return(Left),
    /// At a landing pad, with its frame and stack pointer.
    Land { pad: usize, fp: usize, sp: usize },
}

impl Activation {
    /// A call that has not begun and has no stack arguments yet. Its results that do not fit
    /// registers will go to [`Activation::result_area`], of so many bytes.
    ///
    /// # Errors
    /// There is no stack for it, or there are too many inside of each other.
    ///
    /// # Safety
    /// `store` is live, at a stable address, and this thread has exclusive use of it; so is
    /// everything else that is done with the activation, and its end.
    pub unsafe fn new(
        store: *mut StoreRuntime,
        area_bytes: usize,
    ) -> Result<Activation, Box<Unwind>> {
        let area_bytes = area_bytes.next_multiple_of(16);
        // SAFETY: by contract.
        let (bytes, depth) =
            unsafe { ((*store).activation_stack_bytes(), (*store).activation_depth + 1) };
        if area_bytes > MAX_START_BYTES || depth > MAX_DEPTH {
            return Err(Unwind::trap(TrapCode::StackOverflow));
        }
        let stack = StackMemory::acquire(bytes).map_err(|source| {
            Unwind::Resource(ResourceError::Stack { bytes, source: Box::new(source) })
        })?;
        let results = stack.top().wrapping_sub(REGS_BYTES + area_bytes);
        let base = results.wrapping_sub(BASE_BYTES);
        debug_assert!((base as usize).is_multiple_of(16));
        // SAFETY: the stack is ours, and all of this fits into the least that a stack has.
        unsafe { base.cast::<*mut StoreRuntime>().write(store) };
        let continuation = std::ptr::null_mut();
        let at = Waiting { exit_pc: 0, exit_fp: 0, wasm_sp: base, continuation };
        let poller = std::ptr::null_mut();
        Ok(Activation { stack, at, depth, results, poller, left: None })
    }

    /// Copies the stack arguments to where the function will find them.
    ///
    /// # Errors
    /// They take too much of the stack.
    ///
    /// # Safety
    /// It has not begun.
    pub unsafe fn set_stack_args(&mut self, args: &[MaybeUninit<u8>]) -> Result<(), Box<Unwind>> {
        if args.len() > MAX_START_BYTES {
            return Err(Unwind::trap(TrapCode::StackOverflow));
        }
        debug_assert!(args.len().is_multiple_of(16));
        self.at.wasm_sp = self.results.wrapping_sub(BASE_BYTES + args.len());
        // SAFETY: the stack is ours, and nothing else lies there yet.
        unsafe {
            let from = args.as_ptr().cast::<u8>();
            std::ptr::copy_nonoverlapping(from, self.at.wasm_sp, args.len());
        }
        Ok(())
    }

    /// A block for its arguments and results, which lies on its stack so that it need not be moved
    /// about. Not initialised. Valid while this lives.
    pub fn regs(&self) -> *mut CallRegs {
        self.stack.top().wrapping_sub(REGS_BYTES).cast()
    }

    /// Where results go that do not fit registers. Valid while this lives.
    pub fn result_area(&self) -> *mut u8 {
        self.results
    }

    fn bounds(&self) -> StackBounds {
        let top = self.stack.top();
        // SAFETY: the stack is ours.
        StackBounds { low: unsafe { stack::low_of(top) } as usize, top: top as usize }
    }

    /// Begins: calls `code`, as [`crate::call()`] does. `poller` is what [`poller`] answers until
    /// this function returns.
    ///
    /// # Safety
    /// As for [`crate::call()`], on the store that it was made for, and it has not begun.
    pub unsafe fn begin(
        &mut self,
        store: *mut StoreRuntime,
        code: *const u8,
        regs: *mut CallRegs,
        poller: *mut u8,
    ) -> Progress {
        // SAFETY: by contract.
        unsafe { self.enter(store, Way::Begin(code), regs, poller) }
    }

    /// Goes on where it was left. Where that was by a host function, `regs` holds that function's
    /// results.
    ///
    /// # Safety
    /// As for [`Activation::begin`], and it was left and has not gone on since.
    pub unsafe fn go_on(
        &mut self,
        store: *mut StoreRuntime,
        regs: *mut CallRegs,
        poller: *mut u8,
    ) -> Progress {
        let left = self.left.take().expect("who goes on was left");
        // SAFETY: by contract.
        unsafe { self.enter(store, Way::Return(left), regs, poller) }
    }

    /// Throws an exception where it was left by a host function. `None` where nobody in it lands:
    /// then nothing has changed.
    ///
    /// # Safety
    /// As for [`Activation::go_on`]; `exception` is a reference to an exception of the store.
    pub unsafe fn throw(
        &mut self,
        store: *mut StoreRuntime,
        exception: u64,
        regs: *mut CallRegs,
        poller: *mut u8,
    ) -> Option<Progress> {
        // SAFETY: by contract.
        unsafe {
            let place = self.within(store, || {
                landing(store).inspect(|place| leave_until(store, place.continuation))
            })?;
            self.at.continuation = place.continuation;
            self.left = None;
            (*regs).ints[0] = exception;
            let way = Way::Land { pad: place.pad, fp: place.fp, sp: place.sp };
            Some(self.enter(store, way, regs, poller))
        }
    }

    /// Runs host code as if this activation, which was left, had called it just now: what it calls
    /// is inside of this, and it finds its frames.
    ///
    /// # Safety
    /// As for [`Activation::go_on`].
    pub unsafe fn within<R>(&mut self, store: *mut StoreRuntime, run: impl FnOnce() -> R) -> R {
        // SAFETY: by contract.
        unsafe {
            let outer = Suspended::of(store);
            let _put_back = self.put_in(store, &outer);
            run()
        }
    }

    /// Makes the store's context that of this activation, until the answer is dropped.
    ///
    /// # Safety
    /// As for [`Activation::within`]; `outer` was just read, and outlives the answer.
    unsafe fn put_in<'a>(&self, store: *mut StoreRuntime, outer: &'a Suspended) -> PutBack<'a> {
        // SAFETY: by contract.
        unsafe {
            let depth = std::mem::replace(&mut (*store).activation_depth, self.depth);
            if (*store).is_inside_wasm() {
                (*store).suspended = outer;
            }
            (*store).set_own_bounds(self.bounds());
            (*store).running = std::ptr::null_mut();
            let vm: *mut VMStoreContext = &raw mut (*store).vm;
            (*vm).exit_pc = self.at.exit_pc;
            (*vm).exit_fp = self.at.exit_fp;
            (*vm).wasm_sp = self.at.wasm_sp;
            (*vm).continuation = self.at.continuation;
            (*vm).host_sp = NO_HOST_SP;
            PutBack { store, outer, depth }
        }
    }

    /// # Safety
    /// As for [`Activation::go_on`].
    unsafe fn enter(
        &mut self,
        store: *mut StoreRuntime,
        way: Way,
        regs: *mut CallRegs,
        poller: *mut u8,
    ) -> Progress {
        if let Err(unwind) = check_room() {
            return Progress::Unwound(unwind);
        }
        // SAFETY: by contract. Nobody but the functions that `suspend` and `poller` are touches
        // `this` while WebAssembly runs, and no reference to it is in use then.
        unsafe {
            let thread = &*thread::state();
            self.poller = poller;
            let this: *mut Activation = self;
            let outer = Suspended::of(store);
            let put_back = (*this).put_in(store, &outer);
            (*store).running = this;
            let previous = thread.current.replace(store);
            let has_returned = jump(store, (*this).at, way, regs);
            thread.current.set(previous);
            (*this).poller = std::ptr::null_mut();
            if has_returned {
                (*this).at.continuation = std::ptr::null_mut();
                return Progress::Returned;
            }
            let vm: *const VMStoreContext = &raw const (*store).vm;
            (*this).at = Waiting {
                exit_pc: (*vm).exit_pc,
                exit_fp: (*vm).exit_fp,
                wasm_sp: (*vm).wasm_sp,
                continuation: (*vm).continuation,
            };
            drop(put_back);
            if (*this).left.is_some() {
                return Progress::Suspended;
            }
            let bounds = (*this).bounds();
            let unfinished = std::mem::replace(&mut (*this).at.continuation, std::ptr::null_mut());
            let unwind = take_unwind(store, bounds, unfinished);
            if matches!(*unwind, Unwind::Trap { code: TrapCode::StackOverflow, .. }) {
                stack::trim_below((*this).stack.top());
            }
            Progress::Unwound(unwind)
        }
    }

    /// Ends it: what waits will not go on.
    ///
    /// # Safety
    /// `store` is live, and this thread has exclusive use of it; nothing of the activation runs.
    pub unsafe fn end(self, _store: *mut StoreRuntime) {
        // SAFETY: by contract.
        unsafe { discard(self.at.continuation, std::ptr::null_mut()) };
        self.stack.release();
    }
}

/// Puts the store's context back, also where host code panics.
struct PutBack<'a> {
    store: *mut StoreRuntime,
    outer: &'a Suspended,
    depth: u32,
}

impl Drop for PutBack<'_> {
    fn drop(&mut self) {
        // SAFETY: as for `put_in`, which made this.
        unsafe {
            self.outer.restore(self.store);
            (*self.store).activation_depth = self.depth;
        }
    }
}

/// Whether host code may go deeper here.
///
/// # Errors
/// The host's stack, or something that the thread needs once, is not to be had.
pub fn check_room() -> Result<(), Box<Unwind>> {
    // SAFETY: the state lives as long as this thread, which runs this function.
    let thread = unsafe { &*thread::state() };
    let sp = arch::stack_pointer();
    if sp < thread.host_limit.get() { check_host_stack(thread, sp) } else { Ok(()) }
}

/// Enters, and answers whether the activation's function has returned.
///
/// # Safety
/// As for [`Activation::go_on`].
unsafe fn jump(store: *mut StoreRuntime, at: Waiting, way: Way, regs: *mut CallRegs) -> bool {
    // SAFETY: by contract; the return address lies where WebAssembly left its stack.
    let done = unsafe {
        match way {
            Way::Begin(code) => arch::begin(store, at.wasm_sp, code, regs),
            Way::Return(Left::ByHost { popped, kept }) => {
                let pc = at.wasm_sp.cast::<usize>().read();
                let sp = at.wasm_sp.wrapping_add(ENTRY_BYTES + popped as usize);
                arch::go_on(store, sp, at.exit_fp, pc, regs, &raw const kept)
            }
            Way::Return(Left::ByBuiltin(saved)) => {
                arch::go_on_restored(store, at.wasm_sp, at.exit_fp, &raw const *saved, regs)
            }
            Way::Land { pad, fp, sp } => {
                // A call with a landing pad loses all registers.
                let kept = KeptRegs::default();
                arch::go_on(store, sp as *mut u8, fp, pad, regs, &raw const kept)
            }
        }
    };
    done != 0
}

/// Who polls the innermost activation; null where that cannot be left.
///
/// # Safety
/// `store` is live, and this thread has exclusive use of it.
pub unsafe fn poller(store: *const StoreRuntime) -> *mut u8 {
    // SAFETY: by contract; what runs lives.
    unsafe { (*store).running.as_ref().map_or(std::ptr::null_mut(), |running| running.poller) }
}

/// Leaves the innermost activation for later: whoever entered it last learns that it waits. It goes
/// on where it called the host function that calls this, with `popped` bytes of stack arguments
/// fewer.
///
/// # Safety
/// - As for [`crate::raise_trap`], and [`poller`] is not null.
/// - This is a host function, called by [`host_call_stub_suspendable`](crate::host_call_stub_suspendable).
pub unsafe fn suspend(store: *mut StoreRuntime, popped: u32) -> ! {
    // SAFETY: by contract.
    unsafe {
        let kept = KeptRegs::below((*store).vm.host_sp);
        (*(*store).running).left = Some(Left::ByHost { popped, kept });
        arch::unwind(store)
    }
}

/// As [`suspend`], for a builtin whose code keeps all registers.
///
/// # Safety
/// As for [`suspend`], but this is an entry of a builtin that
/// [may suspend](selkie_module::builtins::Builtin::may_suspend).
pub unsafe fn suspend_builtin(store: *mut StoreRuntime) -> ! {
    // SAFETY: by contract; the stub has put the registers just below where the host was left.
    unsafe {
        let saved = Box::new(SavedRegs::below((*store).vm.host_sp));
        (*(*store).running).left = Some(Left::ByBuiltin(saved));
        arch::unwind(store)
    }
}
