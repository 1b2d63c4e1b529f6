//! Continuations: computations with a stack of their own, which wait to be resumed.
//!
//! ```text
//! activation's stack      continuation A          continuation B
//!   … resume A ────────▶    … resume B ────────▶    … suspend
//!        ◀──────────────────── parent ◀─────────────── parent
//! ```
//!
//! The continuations that run form a chain by their parents, the innermost in
//! [`VMStoreContext::continuation`](crate::VMStoreContext). A `suspend` cuts the chain above the
//! one whose `resume` handles it: the part below waits as a whole, known by its outermost
//! continuation, the *root*, which remembers the innermost, the *leaf*, where it goes on. The ways
//! between the stacks are assembly (`arch`); here is what makes, shows and ends continuations.
//!
//! Invariants: a continuation is unfinished work in exactly one of four states: it runs, it waits
//! and an object of the heap stands for its root, it has just been made, or it is in the list of
//! those that finished. Its place never changes, and the stack goes with it. Values on their way
//! lie in the frame that waits for them, where they are read before anything can be collected;
//! only those bound in advance stay, and are shown to the collector.

use std::sync::Arc;

use selkie_module::abi::{FuncAbi, Loc, RESULT_SLOT_BYTES};
use selkie_module::layout::resume::VALUE_BYTES;
use selkie_module::{FuncType, ValType};

use crate::call::StackBounds;
use crate::context::{CallRegs, VMFuncRef};
use crate::stack::{self, StackMemory};
use crate::{ResourceError, StoreRuntime, arch};

/// Usable bytes of a continuation's stack when nobody says otherwise.
pub const DEFAULT_CONTINUATION_STACK_BYTES: usize = 256 << 10;
/// Continuations of a store when nobody says otherwise.
const DEFAULT_LIMIT: u32 = 1 << 14;
/// What a function's arguments and results may take of its continuation's stack.
const MAX_START_BYTES: usize = stack::MIN_STACK_BYTES - (8 << 10);

/// A `resume` that waits for its continuation; `layout::resume` states the whole.
#[repr(C)]
pub struct VMResume {
    pub(crate) outcome: u32,
    pub(crate) count: u32,
    pub(crate) reference: u64,
    pub(crate) payload: *const u8,
}

/// A computation with a stack of its own.
#[repr(C)]
pub struct VMContinuation {
    /// Where the next argument of its `resume` goes. Of roots.
    pub(crate) arguments: *mut u8,
    /// Who resumed it; null: the activation's own stack. Of roots that wait, nothing.
    pub(crate) parent: *mut VMContinuation,
    /// Where that `resume` waits.
    pub(crate) parent_sp: *mut u8,
    pub(crate) parent_fp: usize,
    pub(crate) resume: *mut VMResume,
    /// The innermost of those that wait together. Of roots.
    pub(crate) leaf: *mut VMContinuation,
    /// Where it waits: the return address lies at `sp`. Of leaves.
    pub(crate) sp: *mut u8,
    pub(crate) fp: usize,
    /// Its place in the store's list.
    pub(crate) place: u32,
    /// How many of `bound_slots` hold references; set to 0 by whoever waits anew.
    pub(crate) bound: u32,
    pub(crate) store: *mut StoreRuntime,
    /// The next in the list of those that finished.
    pub(crate) next: *mut VMContinuation,
    /// What its function is called with: code, stack pointer, where results go that do not fit
    /// into registers (null for none).
    pub(crate) code: *const u8,
    pub(crate) call_sp: *mut u8,
    pub(crate) results: *mut u8,
    context: *mut u8,
    plan: Option<Arc<StartPlan>>,
    /// Arguments bound in advance that are references.
    bound_slots: Vec<*mut u64>,
    stack: StackMemory,
}

impl std::fmt::Debug for VMContinuation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VMContinuation").field("place", &self.place).finish_non_exhaustive()
    }
}

/// A place in the list of continuations, as machine code and the collector see it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct VMContinuationSlot {
    /// The continuation; null where there is none.
    pub continuation: *mut VMContinuation,
    /// The object of the heap that stands for it; 0 while there is none.
    pub object: u32,
    /// Whether its frames may refer to young objects although the object is old; the collector's.
    pub has_young: u32,
}

impl VMContinuationSlot {
    /// A place without a continuation.
    pub const VACANT: VMContinuationSlot =
        VMContinuationSlot { continuation: std::ptr::null_mut(), object: 0, has_young: 0 };
}

/// How the arguments of a function's first call are placed. Made once for each type.
#[derive(Debug)]
pub struct StartPlan {
    /// Where each parameter goes, and whether it takes 16 bytes there.
    params: Box<[(Loc, bool)]>,
    stack_bytes: usize,
    area_bytes: usize,
}

impl StartPlan {
    /// The plan for a function type.
    pub fn new(ty: &FuncType) -> StartPlan {
        let abi = FuncAbi::new(ty);
        let is_vector = ty.params.iter().map(|ty| *ty == ValType::V128);
        StartPlan {
            params: abi.params.iter().copied().zip(is_vector).collect(),
            stack_bytes: abi.stack_bytes as usize,
            area_bytes: abi.result_area_bytes.next_multiple_of(RESULT_SLOT_BYTES) as usize,
        }
    }

    /// Bytes of the arguments while they wait.
    fn waiting_bytes(&self) -> usize {
        self.params.len() * VALUE_BYTES as usize
    }
}

/// The continuations of a store.
#[derive(Debug)]
pub(crate) struct Continuations {
    /// By place; the first is never used.
    slots: Vec<VMContinuationSlot>,
    /// Places without a continuation.
    vacant: Vec<u32>,
    stack_bytes: usize,
    limit: u32,
}

impl Continuations {
    pub(crate) fn new() -> Continuations {
        let stack_bytes = DEFAULT_CONTINUATION_STACK_BYTES;
        Continuations { slots: Vec::new(), vacant: Vec::new(), stack_bytes, limit: DEFAULT_LIMIT }
    }

    /// How many there are, those that finished among them.
    fn count(&self) -> usize {
        self.slots.len().saturating_sub(1 + self.vacant.len())
    }
}

impl Drop for Continuations {
    fn drop(&mut self) {
        for slot in self.slots.drain(..).filter(|slot| !slot.continuation.is_null()) {
            // SAFETY: made by `Box::into_raw`; the store is gone, so nothing runs on the stack.
            unsafe { Box::from_raw(slot.continuation) }.stack.release();
        }
    }
}

impl StoreRuntime {
    /// Sets the usable bytes of continuations' stacks, rounded up as for
    /// [`StoreRuntime::new`]. Those that exist stay.
    pub fn set_continuation_stack_bytes(&mut self, bytes: usize) -> Result<(), ResourceError> {
        self.continuations.stack_bytes = stack::usable_size(bytes)?;
        Ok(())
    }

    /// Usable bytes of a continuation's stack.
    pub fn continuation_stack_bytes(&self) -> usize {
        self.continuations.stack_bytes
    }

    /// Sets how many stacks continuations may have. Those that exist stay.
    pub fn set_continuation_limit(&mut self, limit: u32) {
        self.continuations.limit = limit;
    }

    /// How many stacks continuations have, those that wait for reuse among them.
    pub fn continuation_count(&self) -> usize {
        self.continuations.count()
    }

    /// How many of them have not finished.
    pub fn unfinished_continuation_count(&self) -> usize {
        let (mut at, mut finished) = (self.vm.finished, 0);
        // SAFETY: what finished is live as long as it is in that list.
        while let Some(continuation) = unsafe { at.as_ref() } {
            at = continuation.next;
            finished += 1;
        }
        self.continuation_count() - finished
    }

    /// Whether a continuation has finished whose stack the next one takes.
    pub fn has_finished_continuation(&self) -> bool {
        !self.vm.finished.is_null()
    }

    /// All continuations by place, for the collector.
    pub fn continuation_slots(&mut self) -> &mut [VMContinuationSlot] {
        &mut self.continuations.slots
    }
}

/// Makes a continuation that will call a function, and answers its place. No object stands for it
/// yet. `None` where limits or the system allow no more.
///
/// # Safety
/// - `store` is live, at a stable address, and this thread has exclusive use of it.
/// - `func` stays callable as long as the store lives; `plan` is that of its type.
pub unsafe fn new_continuation(
    store: *mut StoreRuntime,
    func: &VMFuncRef,
    plan: &Arc<StartPlan>,
) -> Option<u32> {
    let needed = 64 + plan.area_bytes + plan.stack_bytes + plan.waiting_bytes();
    if needed > MAX_START_BYTES {
        return None;
    }
    // SAFETY: by contract.
    unsafe {
        let made = match (*store).vm.finished {
            at if at.is_null() => add(store)?,
            at => {
                (*store).vm.finished = (*at).next;
                at
            }
        };
        VMContinuation::prepare(made, func, plan);
        Some((*made).place)
    }
}

/// A continuation with a stack.
///
/// # Safety
/// As for [`new_continuation`].
unsafe fn add(store: *mut StoreRuntime) -> Option<*mut VMContinuation> {
    // SAFETY: by contract.
    let all = unsafe { &mut (*store).continuations };
    if all.count() >= all.limit as usize {
        return None;
    }
    let place = match all.vacant.pop() {
        Some(place) => place,
        None => {
            // So that giving one up needs no memory. This comes first: once the list has moved,
            // machine code must be told.
            all.vacant.try_reserve(all.slots.len() + 2).ok()?;
            all.slots.try_reserve(2).ok()?;
            if all.slots.is_empty() {
                all.slots.push(VMContinuationSlot::VACANT);
            }
            all.slots.push(VMContinuationSlot::VACANT);
            u32::try_from(all.slots.len() - 1).ok()?
        }
    };
    // SAFETY: by contract.
    unsafe { (*store).vm.continuations = all.slots.as_mut_ptr() };
    let Ok(stack) = StackMemory::acquire(all.stack_bytes) else {
        all.vacant.push(place);
        return None;
    };
    let made = Box::into_raw(Box::new(VMContinuation::new(store, place, stack)));
    all.slots[place as usize].continuation = made;
    Some(made)
}

impl VMContinuation {
    fn new(store: *mut StoreRuntime, place: u32, stack: StackMemory) -> VMContinuation {
        VMContinuation {
            arguments: std::ptr::null_mut(),
            parent: std::ptr::null_mut(),
            parent_sp: std::ptr::null_mut(),
            parent_fp: 0,
            resume: std::ptr::null_mut(),
            leaf: std::ptr::null_mut(),
            sp: std::ptr::null_mut(),
            fp: 0,
            place,
            bound: 0,
            store,
            next: std::ptr::null_mut(),
            code: std::ptr::null(),
            call_sp: std::ptr::null_mut(),
            results: std::ptr::null_mut(),
            context: std::ptr::null_mut(),
            plan: None,
            bound_slots: Vec::new(),
            stack,
        }
    }

    /// Lets it begin with a call of `func`. From the top of the stack downwards: the area of
    /// results, the continuation's own address (where the call returns to), the stack arguments,
    /// the arguments as they wait, and the address that the first `resume` goes to.
    ///
    /// # Safety
    /// `at` is live, and nothing runs on its stack, which all of this fits into.
    unsafe fn prepare(at: *mut VMContinuation, func: &VMFuncRef, plan: &Arc<StartPlan>) {
        // SAFETY: by contract. The address that is kept must be `at` itself: one that came from a
        // reference would not outlive it.
        unsafe {
            let base = (*at).stack.top().wrapping_sub(16 + plan.area_bytes);
            (*at).results = match plan.area_bytes {
                0 => std::ptr::null_mut(),
                _ => base.wrapping_add(16),
            };
            (*at).call_sp = base.wrapping_sub(plan.stack_bytes);
            (*at).arguments = (*at).call_sp.wrapping_sub(plan.waiting_bytes());
            (*at).sp = (*at).arguments.wrapping_sub(16);
            (*at).fp = 0;
            (*at).leaf = at;
            (*at).bound = 0;
            (*at).code = func.code;
            (*at).context = func.context;
            (*at).plan = Some(plan.clone());
            base.cast::<*mut VMContinuation>().write(at);
            (*at).sp.cast::<usize>().write(arch::start_address());
        }
    }

    /// Return address and frame pointer of the `resume` that runs it.
    pub(crate) fn resumer(&self) -> (usize, usize) {
        // SAFETY: the address lies where that stack pointer points to as long as it waits.
        (unsafe { *self.parent_sp.cast::<usize>() }, self.parent_fp)
    }

    /// Of a leaf that waits: where it goes on, and the frame pointer there.
    pub(crate) fn waits_at(&self) -> (usize, usize) {
        // SAFETY: as for `resumer`.
        (unsafe { *self.sp.cast::<usize>() }, self.fp)
    }

    /// Where the references are that were bound in advance. Of roots that wait.
    pub(crate) fn bound_slots(&self) -> &[*mut u64] {
        self.bound_slots.get(..self.bound as usize).unwrap_or(&[])
    }

    /// Of its stack.
    pub(crate) fn bounds(&self) -> StackBounds {
        // SAFETY: the stack is ours.
        let low = unsafe { stack::low_of(self.stack.top()) };
        StackBounds { low: low as usize, top: self.stack.top() as usize }
    }
}

/// Puts the arguments of a continuation's function where its type says. Called by the code that a
/// first `resume` goes to, on the host's stack.
///
/// # Safety
/// `continuation` runs, has not called its function yet, and all its arguments have been written.
pub(crate) unsafe extern "C" fn place_arguments(
    continuation: *mut VMContinuation,
) -> *const CallRegs {
    // SAFETY: by contract; places lie in the registers' block, or below the end of the stack
    // arguments, as `FuncAbi` counts them.
    unsafe {
        let VMContinuation { store, call_sp, results, context, .. } = *continuation;
        let regs = &raw mut (*store).start_regs;
        (*regs).ints[0] = context as u64;
        if !results.is_null() {
            (*regs).ints[1] = results as u64;
        }
        let Some(plan) = (*continuation).plan.take() else { return regs };
        let mut from = call_sp.wrapping_sub(plan.waiting_bytes());
        for (loc, is_vector) in &plan.params {
            match *loc {
                Loc::Int(i) => (*regs).ints[i as usize] = from.cast::<u64>().read(),
                Loc::Float(i) => (*regs).floats[i as usize] = from.cast::<u128>().read(),
                Loc::Memory(at) if *is_vector => {
                    call_sp.add(at as usize).cast::<u128>().write(from.cast::<u128>().read());
                }
                Loc::Memory(at) => {
                    call_sp.add(at as usize).cast::<u64>().write(from.cast::<u64>().read());
                }
            }
            from = from.add(VALUE_BYTES as usize);
        }
        regs
    }
}

/// Appends arguments to those that a continuation has been bound to. Answers `false` where there is
/// no memory to remember them; the continuation has ended then, since it takes others now than the
/// type says that it had before.
///
/// # Safety
/// - `store` is live, and this thread has exclusive use of it.
/// - `place` is that of a continuation that waits, whose next parameters are of these values'
///   types; `values` is readable for `count` values; bit i of `traced` tells whether value i is a
///   traced reference.
/// - Where the answer is `false`, the object that stood for it is not used any longer.
pub unsafe fn bind(
    store: *mut StoreRuntime,
    place: u32,
    values: *const u8,
    count: u32,
    traced: u64,
) -> bool {
    // SAFETY: by contract.
    unsafe {
        let all = &(*store).continuations;
        let root = all.slots[place as usize].continuation;
        let root = &mut *root;
        root.bound_slots.truncate(root.bound as usize);
        if root.bound_slots.try_reserve(traced.count_ones() as usize).is_err() {
            drop_continuation(store, place);
            return false;
        }
        let bytes = (count * VALUE_BYTES) as usize;
        std::ptr::copy_nonoverlapping(values, root.arguments, bytes);
        for value in (0..count.min(u64::BITS)).filter(|value| traced >> value & 1 == 1) {
            root.bound_slots.push(root.arguments.add((value * VALUE_BYTES) as usize).cast());
        }
        root.bound = root.bound_slots.len() as u32;
        root.arguments = root.arguments.add(bytes);
        true
    }
}

/// Ends continuations that will not go on: `first` and those it was resumed by, up to `last` or,
/// where that is null, all of them.
///
/// # Safety
/// `first` is null or live, its parents are, and nothing of them runs or will.
pub(crate) unsafe fn discard(mut first: *mut VMContinuation, last: *mut VMContinuation) {
    while !first.is_null() {
        // SAFETY: by contract.
        unsafe {
            let parent = (*first).parent;
            stack::trim_below((*first).stack.top());
            finish(first);
            if first == last {
                return;
            }
            first = parent;
        }
    }
}

/// Puts a continuation to those that finished.
///
/// # Safety
/// It is live, in no other list, and nothing of it runs or will.
unsafe fn finish(continuation: *mut VMContinuation) {
    // SAFETY: by contract; the store that a continuation belongs to outlives it.
    unsafe {
        let finished = &raw mut (*(*continuation).store).vm.finished;
        (*continuation).plan = None;
        (*continuation).next = *finished;
        *finished = continuation;
    }
}

/// Ends a continuation that waits and that nobody can resume any longer, with all that wait with it.
///
/// # Safety
/// `store` is live, and this thread has exclusive use of it; no object stands for `place` any
/// longer. A place without a continuation is passed over.
pub unsafe fn drop_continuation(store: *mut StoreRuntime, place: u32) {
    // SAFETY: by contract.
    unsafe {
        let all = &mut (*store).continuations;
        let slot = all.slots.get_mut(place as usize).filter(|slot| !slot.continuation.is_null());
        let Some(VMContinuationSlot { continuation, object, .. }) = slot else { return };
        *object = 0;
        let root = *continuation;
        discard((*root).leaf, root);
    }
}

/// Ends what runs inside of `outer`, or everything where that is null: control leaves it. What
/// lies on the stacks stays readable until something else runs on them.
///
/// # Safety
/// `store` is live, and this thread has exclusive use of it; `outer` is among those that run.
pub(crate) unsafe fn leave_until(store: *mut StoreRuntime, outer: *mut VMContinuation) {
    // SAFETY: by contract.
    unsafe {
        let mut at = (*store).vm.continuation;
        while at != outer {
            let parent = (*at).parent;
            finish(at);
            at = parent;
        }
        (*store).vm.continuation = outer;
    }
}

/// Gives the stacks of finished continuations back, but for `kept` of them.
///
/// # Safety
/// `store` is live, and this thread has exclusive use of it.
pub unsafe fn release_finished(store: *mut StoreRuntime, kept: usize) {
    // SAFETY: by contract; what finished is no longer used, and is in no other list.
    unsafe {
        let mut link = &raw mut (*store).vm.finished;
        for _ in 0..kept {
            if (*link).is_null() {
                return;
            }
            link = &raw mut (**link).next;
        }
        let mut at = std::mem::replace(&mut *link, std::ptr::null_mut());
        while !at.is_null() {
            let continuation = Box::from_raw(at);
            at = continuation.next;
            let all = &mut (*store).continuations;
            all.slots[continuation.place as usize] = VMContinuationSlot::VACANT;
            all.vacant.push(continuation.place);
            continuation.stack.release();
        }
    }
}
