//! Walks the frames of WebAssembly code.
//!
//! Frame pointers chain the frames on one stack; the chain ends where it leaves it. Where that is
//! the stack of a continuation, the walk goes on at the `resume` that runs it. Records in `call.rs`
//! chain the activations. Every frame pointer is checked against the stack's bounds and must grow: a
//! damaged chain ends the walk, it does not break it.

use std::ops::ControlFlow;

use crate::StoreRuntime;
use crate::call::{StackBounds, UnwindSite};
use crate::continuation::VMContinuation;

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

/// The frames that were unwound from `site`, of an activation that began on the stack of these
/// bounds, then those of the activations that are still alive; at most `limit`.
///
/// # Safety
/// As for [`capture`], and nothing ran on the stacks since they were unwound.
pub(crate) unsafe fn capture_unwound(
    store: *const StoreRuntime,
    site: UnwindSite,
    bounds: StackBounds,
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
        walk_unwound(site, bounds, &mut see).is_continue()
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
        let mut site = UnwindSite::left(store);
        let mut bounds = (*store).own_bounds();
        let mut suspended = (*store).suspended;
        loop {
            walk_activation(site, bounds, see)?;
            let Some(outer) = suspended.as_ref() else { return ControlFlow::Continue(()) };
            (site, bounds) = (outer.site(), outer.bounds);
            suspended = outer.outer;
        }
    }
}

/// # Safety
/// As for [`walk_activation`].
unsafe fn walk_unwound(site: UnwindSite, bounds: StackBounds, see: See<'_>) -> ControlFlow<()> {
    let mut is_exact = site.is_exact;
    let mut waiting = |pc, _| {
        let is_return_address = !std::mem::take(&mut is_exact);
        see(Frame { pc, is_return_address })
    };
    // SAFETY: by contract.
    unsafe { walk_activation(site, bounds, &mut waiting) }
}

/// Shows the frames of an activation: those of the continuations that run, each on its own stack,
/// then those on the stack of these bounds, which it began on.
///
/// # Safety
/// The stacks are mapped, and the continuations live.
unsafe fn walk_activation(
    site: UnwindSite,
    bounds: StackBounds,
    see: SeeWaiting<'_>,
) -> ControlFlow<()> {
    let (mut pc, mut fp) = (site.pc, site.fp);
    let mut running = site.continuation;
    // SAFETY: by contract.
    unsafe {
        while let Some(continuation) = running.as_ref() {
            walk_stack(pc, fp, continuation.bounds(), see)?;
            (pc, fp) = continuation.resumer();
            running = continuation.parent;
        }
        walk_stack(pc, fp, bounds, see)
    }
}

/// Shows the frames of continuations that wait together, by their root.
///
/// # Safety
/// The root waits.
pub(crate) unsafe fn walk_continuation(
    root: *const VMContinuation,
    see: SeeWaiting<'_>,
) -> ControlFlow<()> {
    // SAFETY: by contract.
    unsafe {
        let mut at = (*root).leaf.cast_const();
        let (mut pc, mut fp) = (*at).waits_at();
        loop {
            walk_stack(pc, fp, (*at).bounds(), see)?;
            if at == root {
                return ControlFlow::Continue(());
            }
            (pc, fp) = (*at).resumer();
            at = (*at).parent;
        }
    }
}

/// Shows a frame and its callers on the same stack.
///
/// # Safety
/// The stack is mapped.
unsafe fn walk_stack(
    pc: usize,
    mut fp: usize,
    bounds: StackBounds,
    see: SeeWaiting<'_>,
) -> ControlFlow<()> {
    see(pc, fp)?;
    while bounds.has_frame(fp) {
        // SAFETY: both words lie within the stack.
        let (next, pc) = unsafe { (*(fp as *const usize), *((fp + 8) as *const usize)) };
        // The outermost frame of an activation returns to `enter`, whose frame is on the host
        // stack; that of a continuation to where it started, which has no frame.
        if next <= fp || !bounds.has_frame(next) {
            break;
        }
        see(pc, next)?;
        fp = next;
    }
    ControlFlow::Continue(())
}
