//! The references that frames of WebAssembly hold while a call is under way.
//!
//! Every frame but the innermost waits for a call, and so does the innermost when host code asks:
//! the stack map at its return address says which of its slots hold references.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use crate::StoreRuntime;
use crate::backtrace::walk_waiting;
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
        if let Some((object, offset)) = finder.call(pc) {
            object.each_slot(offset, &mut |below| {
                let slot = fp.wrapping_sub(below as usize) as *mut u64;
                // SAFETY: the stack map tells of a word in this frame, which waits; the slice is
                // the only reference to it.
                see(unsafe { std::slice::from_raw_parts_mut(slot, 1) });
            });
        }
        ControlFlow::Continue(())
    };
    // SAFETY: by contract.
    let _ = unsafe { walk_waiting(store, &mut frame) };
}
