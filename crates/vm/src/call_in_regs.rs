//! Calls of functions whose arguments and result all travel in registers, on the shortest way.
//!
//! What [`call()`](crate::call()) finds out step by step is one question here, to which the answer
//! is yes for a call from outside, by a store that ran on this thread's own stack last. Otherwise
//! `call` must be used. Invariant: both leave store and thread in the same state.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use crate::arch::{self, FloatArgs, IntArgs};
use crate::call::{StoreRuntime, Unwind, end_unwound};
use crate::context::CallRegs;
use crate::thread::{self, ThreadState};

type Int = MaybeUninit<u64>;
type Float = MaybeUninit<f64>;

/// A store that can be entered as it stands, on this thread.
#[derive(Debug)]
pub struct Ready<'s> {
    store: *mut StoreRuntime,
    thread: *const ThreadState,
    borrow: PhantomData<&'s mut StoreRuntime>,
}

impl Ready<'_> {
    /// `None` when something must be prepared first, which [`call()`](crate::call()) does.
    ///
    /// # Safety
    /// `store` is live, at a stable address, and this thread has exclusive use of it as long as the
    /// answer lives.
    #[inline(always)]
    pub unsafe fn new<'s>(store: *mut StoreRuntime) -> Option<Ready<'s>> {
        let thread = thread::state();
        // SAFETY: the state lives as long as this thread, which runs this function. The rest is by
        // contract.
        unsafe {
            let is_room = arch::stack_pointer() >= (*thread).host_limit.get();
            // The thread is inside no store, so this one is not inside on its stack; and if it were
            // inside on another one, that would be the stack it names.
            let is_ready = is_room && (*thread).has_idle((*store).vm.stack_low, (*store).stack_top);
            is_ready.then_some(Ready { store, thread, borrow: PhantomData })
        }
    }

    /// Calls WebAssembly code as [`call()`](crate::call()) does, with `owner` as
    /// `VMStoreContext::owner`. Answers the first integer and the first float result; what the type
    /// does not have is uninitialised.
    ///
    /// # Errors
    /// As for [`call()`](crate::call()).
    ///
    /// # Safety
    /// - As for [`call()`](crate::call()); nothing was called on this thread since this was made.
    /// - The type has no vectors, no arguments on the stack and one result at most. Without
    ///   `HAS_FLOATS` it has no floats.
    #[inline(always)]
    pub unsafe fn call<const HAS_FLOATS: bool>(
        self,
        owner: *mut u8,
        code: *const u8,
        regs: &MaybeUninit<CallRegs>,
    ) -> Result<(Int, Float), Box<Unwind>> {
        let (store, regs) = (self.store, regs.as_ptr());
        let mut floats: FloatArgs = [MaybeUninit::uninit(); _];
        // SAFETY: the block is readable, and what is read may be uninitialised. The stack is the
        // thread's, which nobody uses. The rest is by contract.
        unsafe {
            let ints: IntArgs =
                std::array::from_fn(|i| (&raw const (*regs).ints[i]).cast::<Int>().read());
            if HAS_FLOATS {
                floats =
                    std::array::from_fn(|i| (&raw const (*regs).floats[i]).cast::<Float>().read());
            }
            debug_assert!(!(*store).is_inside_wasm());
            let start = (*store).stack_top;
            (*store).vm.owner = owner;
            (*self.thread).current.set(store);
            let done = arch::enter_in_regs(store, start, code, ints, floats);
            (*self.thread).current.set(std::ptr::null_mut());
            (*store).vm.host_sp = std::ptr::null_mut();
            if done.has_returned { Ok((done.int, done.float)) } else { Err(end_unwound(store)) }
        }
    }
}
