//! The references that frames of WebAssembly hold while a call is under way.
//!
//! Every frame but the innermost waits for a call, and so does the innermost when host code asks:
//! the stack map at its return address says which of its slots hold references.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use crate::StoreRuntime;
use crate::backtrace::{walk_continuation, walk_waiting};
use crate::code::{self, CodeObject};

/// Finds code objects for many addresses, most of which lie in the one that was found last.
#[derive(Default)]
pub(crate) struct CodeFinder {
    last: Option<(Range<usize>, Arc<dyn CodeObject>)>,
}

impl CodeFinder {
    /// The code object that a call lies in which returns to `pc`, and that place in it.
    pub(crate) fn call(&mut self, pc: usize) -> Option<(&dyn CodeObject, usize)> {
        // The call is the last thing in its function where it never returns.
        let at = pc.wrapping_sub(1);
        if !self.last.as_ref().is_some_and(|(range, _)| range.contains(&at)) {
            self.last = Some(code::region(at)?);
        }
        let (range, object) = self.last.as_ref()?;
        Some((&**object, pc - range.start))
    }
}

/// Shows the slots of all frames of a store that hold references, for reading and writing.
///
/// # Safety
/// `store` is live, this thread is the one that runs it, and host code that its WebAssembly called
/// is what runs now, if anything of it runs.
pub unsafe fn each_frame_root(store: *const StoreRuntime, see: &mut dyn FnMut(&mut [u64])) {
    let mut finder = CodeFinder::default();
    let mut frame = |pc: usize, fp: usize| {
        // SAFETY: by contract.
        unsafe { each_slot(&mut finder, pc, fp, see) };
        ControlFlow::Continue(())
    };
    // SAFETY: by contract.
    let _ = unsafe { walk_waiting(store, &mut frame) };
}

/// Shows the slots that hold references of the continuations that wait together, by the place of
/// their root: those of their frames, and the arguments bound in advance.
///
/// # Safety
/// `store` is live, this thread has exclusive use of it, and an object stands for the place, or
/// none has a continuation there.
pub unsafe fn each_continuation_root(
    store: *mut StoreRuntime,
    place: u32,
    see: &mut dyn FnMut(&mut [u64]),
) {
    // SAFETY: by contract.
    let slot = unsafe { (&mut *store).continuation_slots().get(place as usize) };
    let Some(slot) = slot.filter(|slot| !slot.continuation.is_null()) else { return };
    let root = slot.continuation;
    let mut finder = CodeFinder::default();
    let mut frame = |pc: usize, fp: usize| {
        // SAFETY: by contract.
        unsafe { each_slot(&mut finder, pc, fp, see) };
        ControlFlow::Continue(())
    };
    // SAFETY: by contract; bound arguments lie on the stack of what waits.
    unsafe {
        let _ = walk_continuation(root, &mut frame);
        for bound in (*root).bound_slots() {
            see(std::slice::from_raw_parts_mut(*bound, 1));
        }
    }
}

/// # Safety
/// The frame is mapped and waits for the call that returns to `pc`.
unsafe fn each_slot(
    finder: &mut CodeFinder,
    pc: usize,
    fp: usize,
    see: &mut dyn FnMut(&mut [u64]),
) {
    if let Some((object, offset)) = finder.call(pc) {
        object.each_slot(offset, &mut |below| {
            let slot = fp.wrapping_sub(below as usize) as *mut u64;
            // SAFETY: the stack map tells of a word in this frame; the slice is the only reference
            // to it.
            see(unsafe { std::slice::from_raw_parts_mut(slot, 1) });
        });
    }
}
