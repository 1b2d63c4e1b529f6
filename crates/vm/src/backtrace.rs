//! Walks the frames of WebAssembly code.
//!
//! Frame pointers chain the frames of one activation; the chain ends where it leaves the
//! WebAssembly stack, since the outermost frame returns to the host's. Records in `call.rs` chain
//! the activations. Every frame pointer is checked against the stack's bounds and must grow: a
//! damaged chain ends the walk, it does not break it.

use std::ops::ControlFlow;

use crate::StoreRuntime;
use crate::call::UnwindSite;

/// A frame of machine code, innermost first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// A program counter in the frame's function.
    pub pc: usize,
    /// Whether `pc` is the address after a call, so that the call is what lies just before it;
    /// otherwise it is the very instruction that faulted.
    pub is_return_address: bool,
}

/// Shows the frames of a store to `see`, innermost first, until it breaks off. For use by host
/// code that WebAssembly called; outside WebAssembly there are no frames. The frames of stubs are
/// among them: not every address lies in published code.
///
/// # Safety
/// `store` is live, and this thread is the one that runs it.
pub unsafe fn capture(store: *const StoreRuntime, mut see: impl FnMut(Frame) -> ControlFlow<()>) {
    // SAFETY: by contract.
    let _ = unsafe { walk_activations(store, &mut see) };
}

/// The frames that were unwound from `site`, then those of the activations that are still alive;
/// at most `limit`.
///
/// # Safety
/// As for [`capture`], and nothing ran on the stack since it was unwound.
pub(crate) unsafe fn capture_unwound(
    store: *const StoreRuntime,
    site: UnwindSite,
    limit: usize,
) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut see = |frame| {
        if frames.len() >= limit {
            return ControlFlow::Break(());
        }
        frames.push(frame);
        ControlFlow::Continue(())
    };
    // SAFETY: by contract.
    let _ = unsafe {
        walk_frames(store, site, &mut see).is_continue()
            && walk_activations(store, &mut see).is_continue()
    };
    frames
}

type See<'a> = &'a mut dyn FnMut(Frame) -> ControlFlow<()>;

/// Sees the return address and the frame pointer of a frame that waits for a call.
pub(crate) type SeeWaiting<'a> = &'a mut dyn FnMut(usize, usize) -> ControlFlow<()>;

/// # Safety
/// As for [`capture`].
unsafe fn walk_activations(store: *const StoreRuntime, see: See<'_>) -> ControlFlow<()> {
    let mut waiting = |pc, _| see(Frame { pc, is_return_address: true });
    // SAFETY: by contract.
    unsafe { walk_waiting(store, &mut waiting) }
}

/// Shows every frame of every activation of a store; all of them wait for a call.
///
/// # Safety
/// As for [`capture`].
pub(crate) unsafe fn walk_waiting(
    store: *const StoreRuntime,
    see: SeeWaiting<'_>,
) -> ControlFlow<()> {
    // SAFETY: the store is live; a record in the chain lives until its call has ended.
    unsafe {
        if !(*store).is_inside_wasm() {
            return ControlFlow::Continue(());
        }
        let (mut pc, mut fp) = ((*store).vm.exit_pc, (*store).vm.exit_fp);
        let mut suspended = (*store).suspended;
        loop {
            see(pc, fp)?;
            walk_callers(store, fp, see)?;
            if suspended.is_null() {
                return ControlFlow::Continue(());
            }
            (pc, fp) = ((*suspended).exit_pc, (*suspended).exit_fp);
            suspended = (*suspended).outer;
        }
    }
}

/// # Safety
/// The stack of `store` is mapped.
unsafe fn walk_frames(
    store: *const StoreRuntime,
    site: UnwindSite,
    see: See<'_>,
) -> ControlFlow<()> {
    see(Frame { pc: site.pc, is_return_address: !site.is_exact })?;
    let mut waiting = |pc, _| see(Frame { pc, is_return_address: true });
    // SAFETY: by contract.
    unsafe { walk_callers(store, site.fp, &mut waiting) }
}

/// Shows the callers of the frame at `fp` within its activation.
///
/// # Safety
/// The stack of `store` is mapped.
unsafe fn walk_callers(
    store: *const StoreRuntime,
    mut fp: usize,
    see: SeeWaiting<'_>,
) -> ControlFlow<()> {
    // SAFETY: by contract.
    let (low, top) = unsafe { ((*store).vm.stack_low as usize, (*store).stack_top as usize) };
    let is_frame = |fp: usize| fp >= low && fp <= top - 16 && fp.is_multiple_of(8);
    while is_frame(fp) {
        // SAFETY: both words lie within the stack.
        let (next, pc) = unsafe { (*(fp as *const usize), *((fp + 8) as *const usize)) };
        // The outermost frame returns to `enter`, whose frame is on the host stack.
        if next <= fp || !is_frame(next) {
            break;
        }
        see(pc, next)?;
        fp = next;
    }
    ControlFlow::Continue(())
}
