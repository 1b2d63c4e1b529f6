//! Throwing: from where an exception is thrown to the landing pad where it goes on.
//!
//! Frames are followed by their frame pointers, from the innermost one of the innermost
//! activation outwards; the first whose call has a landing pad takes over, its stack pointer where
//! the compiler said. What lies below is forgotten: WebAssembly frames have nothing to drop. Where
//! the stack of a continuation ends, the exception goes on at the `resume` that runs it, and the
//! continuation has ended. An activation that has no such frame is unwound, and whoever entered it
//! learns of the exception.
//!
//! Nothing is collected between throw and landing: the exception travels in a register, as the
//! heap's reference that it is, without being a root.

use std::any::Any;

use selkie_module::frames::Landing;

use crate::StoreRuntime;
use crate::arch;
use crate::call::{StackBounds, raise};
use crate::code;
use crate::continuation::{VMContinuation, leave_until};

/// What is known about return addresses. They are found here again as long as their code lives,
/// and code that a store ran lives as long as the store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Landings {
    /// Made when something is thrown: most stores never see that.
    known: Option<Box<[Known; KNOWN]>>,
}

/// Return addresses remembered: as many as a deep stack has of different ones, in little memory.
const KNOWN: usize = 64;

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The return address; 0 for nothing known.
    pc: usize,
    /// The landing pad, relative to the return address; meaningless where there is none.
    pad: i32,
    /// How far the stack pointer lies below the frame pointer there; [`NOWHERE`] without a pad.
    stack_bytes: u32,
}

/// Exceptions do not go on at this return address.
const NOWHERE: u32 = u32::MAX;

impl Landings {
    /// The landing pad of the call that returns to `pc`, and its stack pointer below the frame.
    fn find(&mut self, pc: usize) -> Option<(usize, usize)> {
        let nothing = Known { pc: 0, pad: 0, stack_bytes: NOWHERE };
        let all = self.known.get_or_insert_with(|| Box::new([nothing; KNOWN]));
        let known = &mut all[(pc ^ (pc >> 6)) % KNOWN];
        if known.pc != pc {
            *known = look_up(pc);
        }
        let is_pad = known.stack_bytes != NOWHERE;
        is_pad.then(|| (pc.wrapping_add_signed(known.pad as isize), known.stack_bytes as usize))
    }
}

fn look_up(pc: usize) -> Known {
    // The call is the last thing in its function where it never returns.
    let found = code::lookup(pc - 1).and_then(|(object, offset)| object.landing(offset + 1));
    match found {
        Some(Landing { offset, pad, stack_bytes }) => {
            Known { pc, pad: pad.wrapping_sub(offset) as i32, stack_bytes }
        }
        None => Known { pc, pad: 0, stack_bytes: NOWHERE },
    }
}

/// Throws an exception where WebAssembly left for the host.
///
/// # Safety
/// As for [`crate::raise_trap`], and `exception` is a reference to an exception of this store.
pub unsafe fn throw(store: *mut StoreRuntime, exception: u64) -> ! {
    // SAFETY: by contract.
    unsafe {
        if let Some(place) = landing(store) {
            place.land(store, exception);
        }
        (*store).exception = exception;
        raise(store)
    }
}

/// Throws an exception that came to a host function. Where nobody in the activation lands, the
/// call is ended with a payload, as [`crate::raise_payload`] does.
///
/// # Safety
/// As for [`throw()`].
pub unsafe fn throw_payload(
    store: *mut StoreRuntime,
    exception: u64,
    payload: impl FnOnce() -> Box<dyn Any + Send>,
) -> ! {
    // SAFETY: by contract; what the payload would be made of is dropped before the frame is left.
    unsafe {
        match landing(store) {
            Some(place) => {
                drop(payload);
                place.land(store, exception)
            }
            None => crate::raise_payload(store, payload()),
        }
    }
}

/// A frame that goes on at its landing pad.
pub(crate) struct Place {
    pub(crate) fp: usize,
    pub(crate) sp: usize,
    pub(crate) pad: usize,
    /// Whose stack it is on; null: the activation's own.
    pub(crate) continuation: *mut VMContinuation,
}

impl Place {
    /// # Safety
    /// The frame is one of the innermost activation of a store whose host code this is, with
    /// nothing to drop between, and the pad is its landing pad.
    unsafe fn land(&self, store: *mut StoreRuntime, exception: u64) -> ! {
        // SAFETY: by contract.
        unsafe {
            leave_until(store, self.continuation);
            arch::land(exception, self.fp, self.sp, self.pad)
        }
    }
}

/// The nearest frame of the innermost activation that has a landing pad.
///
/// # Safety
/// As for [`throw()`].
pub(crate) unsafe fn landing(store: *mut StoreRuntime) -> Option<Place> {
    // SAFETY: by contract; what runs is live.
    unsafe {
        let (mut pc, mut fp) = ((*store).vm.exit_pc, (*store).vm.exit_fp);
        let mut running = (*store).vm.continuation;
        while let Some(continuation) = running.as_ref() {
            let found = landing_on_stack(store, pc, fp, continuation.bounds());
            if let Some(place) = found {
                return Some(Place { continuation: running, ..place });
            }
            (pc, fp) = continuation.resumer();
            running = continuation.parent;
        }
        landing_on_stack(store, pc, fp, (*store).own_bounds())
    }
}

/// The nearest frame on a stack that has a landing pad.
///
/// # Safety
/// As for [`throw()`].
unsafe fn landing_on_stack(
    store: *mut StoreRuntime,
    mut pc: usize,
    mut fp: usize,
    bounds: StackBounds,
) -> Option<Place> {
    // SAFETY: by contract; both words of a frame lie within the stack, which the comparison shows.
    unsafe {
        while bounds.has_frame(fp) {
            if let Some((pad, stack_bytes)) = (*store).landings.find(pc) {
                let continuation = std::ptr::null_mut();
                return Some(Place { fp, sp: fp - stack_bytes, pad, continuation });
            }
            let next = *(fp as *const usize);
            pc = *((fp + 8) as *const usize);
            // The outermost frame of the activation returns to the host's stack.
            if next <= fp {
                return None;
            }
            fp = next;
        }
        None
    }
}
