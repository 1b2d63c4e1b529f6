//! The way from machine code into the engine: builtin entries and host functions.
//!
//! One of six files of this crate that may use `unsafe`. A context becomes a store and an
//! instance in exactly one place here, [`enter`]. Nothing unwinds out of these functions: an error
//! or a panic is put aside, everything is dropped, and only then the call is unwound.

#![allow(unsafe_code)]

pub(crate) mod direct;
pub(crate) mod host_futures;

use crate::backtrace::WasmBacktrace;
use crate::builtins;
use crate::error::{Error, ErrorKind, Result};
use crate::func::enter::{ArgReader, ResultWriter};
use crate::func::host::{Caller, HostFunc};
use crate::func::wasm_ty::Machine;
use crate::func::{WasmParams, WasmResults, WasmRet};
use crate::interrupt::{EpochCallback, UpdateDeadline};
use crate::roots::RootedGcRef;
use crate::store::{InstanceId, StoreBox, StoreContextMut, StoreInner};
use crate::types::FuncType;
use crate::values::Val;
use selkie_module::layout::context;
use selkie_module::{TrapCode, ValType};
use selkie_vm::{CallRegs, StoreRuntime, VMContext, VMHostContext, VMHostFunc};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::{ControlFlow, Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};

// SAFETY: a host function consists of a closure that is `Send`, a type, and code addresses.
unsafe impl Send for HostFunc {}
// SAFETY: as above, and the closure is `Sync`.
unsafe impl Sync for HostFunc {}
// SAFETY: addresses in a store lead to memory that the store owns; a store is used by one thread
// at a time, and nothing in it depends on which one.
unsafe impl Send for StoreInner {}
// SAFETY: shared access to a store only reads.
unsafe impl Sync for StoreInner {}
// SAFETY: as above, for what was part of a store and will be again.
unsafe impl Send for crate::instance::warm::Body {}
// SAFETY: contexts in a module are addresses of code that it owns and never writes.
unsafe impl Send for crate::module::ModuleInner {}
// SAFETY: as above.
unsafe impl Sync for crate::module::ModuleInner {}

/// How a builtin ends that does not return.
pub(crate) enum Stop {
    /// With a trap.
    Trap(TrapCode),
    /// By throwing an exception.
    Throw(u64),
    /// Later: [`StoreInner::leave_to_yield`] said so. Of builtins that may suspend.
    Yield,
    /// With an error of the embedder's.
    Error(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Error(error)
    }
}

impl From<Stop> for Error {
    fn from(stop: Stop) -> Error {
        match stop {
            Stop::Trap(code) => code.into(),
            Stop::Error(error) => error,
            Stop::Yield => Error::new(ErrorKind::Bug, "a call was left by nobody"),
            Stop::Throw(_) => Error::new(ErrorKind::Bug, "an exception was thrown by nobody"),
        }
    }
}

impl From<TrapCode> for Stop {
    fn from(code: TrapCode) -> Stop {
        Stop::Trap(code)
    }
}

/// A store whose guest called host code. It is borrowed a moment at a time, so that in between the
/// embedder, who knows the type of its data, can be given all of it.
pub(crate) struct Guest<'s> {
    /// Leads to the store with its data.
    store: *mut StoreInner,
    borrow: PhantomData<&'s mut StoreInner>,
}

impl<'s> Guest<'s> {
    pub(crate) fn new<T>(store: &'s mut StoreContextMut<'_, T>) -> Guest<'s> {
        let contents: *mut StoreBox<T> = store.contents;
        // The store lies at the box's start.
        Guest { store: contents.cast(), borrow: PhantomData }
    }

    /// For callbacks of the embedder's, while nothing of the store is borrowed.
    pub(crate) fn as_ptr(&mut self) -> *mut StoreInner {
        self.store
    }
}

impl Deref for Guest<'_> {
    type Target = StoreInner;
    #[inline]
    fn deref(&self) -> &StoreInner {
        // SAFETY: whoever made this has exclusive access to the store for as long as it lives.
        unsafe { &*self.store }
    }
}

impl DerefMut for Guest<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut StoreInner {
        // SAFETY: as above.
        unsafe { &mut *self.store }
    }
}

/// What is called with a store when its epoch has come.
pub(crate) fn epoch_callback<T: 'static>(
    mut callback: impl FnMut(StoreContextMut<'_, T>) -> Result<UpdateDeadline> + Send + Sync + 'static,
) -> EpochCallback {
    Box::new(move |store| {
        // SAFETY: stores keep callbacks that were made for the type of their data, and pass
        // themselves, with all of it and nothing borrowed (`Guest::as_ptr`).
        let contents = unsafe { &mut *store.cast::<StoreBox<T>>() };
        callback(StoreContextMut { contents })
    })
}

/// Runs a builtin for the instance whose context machine code passed.
///
/// # Safety
/// `context` is the context of a live instance, passed by its machine code.
unsafe fn enter<R, E>(
    context: *mut VMContext,
    f: impl FnOnce(&mut Guest<'_>, InstanceId) -> Result<R, E>,
) -> R
where
    Stop: From<E>,
{
    // SAFETY: by contract; while machine code runs the store is borrowed by the call that entered
    // it, which reaches it only through this very pointer.
    let (runtime, mut guest, id) = unsafe {
        let runtime = (*context).store;
        let guest = Guest { store: (*runtime).vm.owner.cast(), borrow: PhantomData };
        (runtime, guest, InstanceId((*context).instance as u32))
    };
    let done = catch_unwind(AssertUnwindSafe(|| f(&mut guest, id)));
    match done {
        Ok(Ok(value)) => value,
        // SAFETY: this host code was called by the store's machine code, and nothing in this
        // frame has anything left to drop; exceptions come from that machine code.
        Ok(Err(stop)) => unsafe {
            match Stop::from(stop) {
                Stop::Trap(code) => selkie_vm::raise_trap(runtime, code),
                Stop::Throw(exception) => selkie_vm::throw(runtime, exception),
                Stop::Yield => selkie_vm::suspend_builtin(runtime),
                Stop::Error(error) => {
                    selkie_vm::raise_payload(runtime, Box::new(with_backtrace(runtime, error)))
                }
            }
        },
        // SAFETY: as above; the payload is moved.
        Err(payload) => unsafe { selkie_vm::raise_payload(runtime, payload) },
    }
}

macro_rules! machine_type {
    (i32) => {
        u32
    };
    (i64) => {
        u64
    };
    (ptr) => {
        u64
    };
    (ref) => {
        u64
    };
}

macro_rules! define_entries {
    ($($(#[$doc:meta])* $name:ident($($param:ident: $ty:ident),*) $(-> $ret:ident)?;)*) => {
        mod entries {
            use super::*;
            $(
                /// # Safety
                /// Called by a builtin stub only.
                pub(super) unsafe extern "C" fn $name(
                    context: *mut VMContext,
                    $($param: machine_type!($ty),)*
                ) $(-> machine_type!($ret))? {
                    // SAFETY: stubs pass the context of the instance whose code called them.
                    unsafe { enter(context, |guest, id| builtins::$name(guest, id, $($param),*)) }
                }
            )*
        }

        /// The entries by their place in the table, for the stubs.
        pub(crate) fn builtin_impls() -> *const *const u8 {
            struct Table([*const u8; [$(stringify!($name)),*].len()]);
            // SAFETY: the table holds code addresses only.
            unsafe impl Sync for Table {}
            static TABLE: Table = Table([$(entries::$name as *const u8),*]);
            TABLE.0.as_ptr()
        }
    };
}

selkie_module::for_each_builtin!(define_entries);

/// A host function from a closure over tuples.
pub(crate) fn typed<T, P, R, F>(ty: FuncType, func: F) -> HostFunc
where
    T: 'static,
    P: WasmParams + 'static,
    R: WasmRet + 'static,
    F: Fn(Caller<'_, T>, P) -> R + Send + Sync + 'static,
{
    let vm = match direct::entry::<T, P, R, F>() {
        Some(direct) => VMHostFunc { entry: never_entered, direct },
        None => VMHostFunc { entry: typed_entry::<T, P, R, F>, direct: std::ptr::null() },
    };
    HostFunc::new(ty, vm, Box::new(func))
}

/// The entry of functions that have a direct one.
///
/// # Safety
/// None: nobody calls it.
unsafe extern "C" fn never_entered(_: *mut VMHostContext, _: *mut CallRegs, _: *const u8) -> u32 {
    unreachable!("machine code calls the direct entry")
}

/// The closure of a host function.
///
/// # Safety
/// It is an `F`: its entry was made for this closure.
#[inline(always)]
unsafe fn closure_of<F: 'static>(func: &HostFunc) -> &F {
    let closure = func.closure();
    debug_assert!(closure.is::<F>());
    // SAFETY: by contract.
    unsafe { &*std::ptr::from_ref(closure).cast::<F>() }
}

/// # Safety
/// Called by a host call stub only, with the context of a function made by [`typed`] with the
/// same types, in a store whose data is a `T`.
unsafe extern "C" fn typed_entry<T, P, R, F>(
    context: *mut VMHostContext,
    regs: *mut CallRegs,
    stack: *const u8,
) -> u32
where
    T: 'static,
    P: WasmParams + 'static,
    R: WasmRet + 'static,
    F: Fn(Caller<'_, T>, P) -> R + Send + Sync + 'static,
{
    // SAFETY: by contract; `regs` is the stub's own block.
    unsafe {
        host_call_in_block::<T>(context, |func, caller, _| {
            let in_area = <R::Ok as WasmResults>::IN_AREA;
            let closure = closure_of::<F>(func);
            let mut reader = ArgReader::new(in_area, &*regs, stack);
            let params = P::read(&mut reader, caller.store.inner());
            let stack_bytes = reader.stack_bytes();
            let again = Caller {
                store: StoreContextMut { contents: caller.store.contents },
                instance: caller.instance,
            };
            let results = closure(again, params).into_result()?;
            let mut writer = ResultWriter::new(in_area, &mut *regs);
            results.write(&mut writer, caller.store.inner())?;
            Ok(Exit::Return(stack_bytes))
        })
    }
}

type Untyped<T> = dyn Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync;

/// A host function over values.
pub(crate) fn untyped<T: 'static>(
    ty: FuncType,
    func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
) -> HostFunc {
    let vm = VMHostFunc { entry: untyped_entry::<T>, direct: std::ptr::null() };
    let func: Box<Untyped<T>> = Box::new(func);
    HostFunc::new(ty, vm, Box::new(func))
}

/// # Safety
/// As [`typed_entry`], for [`untyped`].
unsafe extern "C" fn untyped_entry<T: 'static>(
    context: *mut VMHostContext,
    regs: *mut CallRegs,
    stack: *const u8,
) -> u32 {
    // SAFETY: by contract; `regs` is the stub's own block.
    unsafe {
        host_call_in_block::<T>(context, |func, caller, _| {
            let ty = func.ty().raw();
            let in_area = selkie_module::abi::uses_result_area(&ty.results);
            let closure = closure_of::<Box<Untyped<T>>>(func);
            let store = caller.store.inner();
            let mut reader = ArgReader::new(in_area, &*regs, stack);
            let mut params = ValueBuffer::new();
            let params =
                params.fill(&ty.params, |ty| Val::from_raw(reader.take(ty), ty, &mut *store));
            let stack_bytes = reader.stack_bytes();
            // Where null is no value of the type, nothing else is at hand: it must be overwritten.
            let mut results = ValueBuffer::new();
            let results = results.fill(&ty.results, |ty| Val::from_raw(0, ty, &mut *store));
            let again = Caller {
                store: StoreContextMut { contents: caller.store.contents },
                instance: caller.instance,
            };
            closure(again, params, results)?;
            let store = caller.store.inner();
            ResultWriter::new(in_area, &mut *regs).put_all(results, func.ty(), store)?;
            Ok(Exit::Return(stack_bytes))
        })
    }
}

impl Ends for Exit {
    #[inline(always)]
    fn keeps_roots(&self) -> bool {
        matches!(self, Exit::Suspend(_))
    }
}

/// How a host function ends that did not fail, with the bytes of stack arguments that it took.
enum Exit {
    /// Its results are in place.
    Return(u32),
    /// It has left its future, and its scope of roots, to the poll that the call is part of.
    Suspend(u32),
}

/// The result of a direct entry.
struct Direct<M>(M);

/// How a host function ends that did not fail.
trait Ends {
    /// Whether what it rooted stays rooted.
    fn keeps_roots(&self) -> bool;
}

impl<M: Machine> Ends for Direct<M> {
    #[inline(always)]
    fn keeps_roots(&self) -> bool {
        false
    }
}

/// Runs a host function that reads and writes the stub's block.
///
/// # Safety
/// As for [`host_call`].
#[inline(always)]
unsafe fn host_call_in_block<T: 'static>(
    context: *mut VMHostContext,
    f: impl FnOnce(&HostFunc, &mut Caller<'_, T>, usize) -> Result<Exit>,
) -> u32 {
    // SAFETY: by contract.
    match unsafe { host_call(context, f) } {
        Exit::Return(stack_bytes) => stack_bytes,
        // SAFETY: this host code was called by the store's machine code, and nothing in this frame
        // has anything to drop; the poll that this call is part of was given the future.
        Exit::Suspend(stack_bytes) => unsafe { selkie_vm::suspend((*context).store, stack_bytes) },
    }
}

/// Runs a host function.
///
/// # Safety
/// `context` is a live host context in a store whose data is a `T`, passed by a host call stub.
#[inline(always)]
unsafe fn host_call<T: 'static, X: Ends>(
    context: *mut VMHostContext,
    f: impl FnOnce(&HostFunc, &mut Caller<'_, T>, usize) -> Result<X>,
) -> X {
    // SAFETY: by contract; see `enter` for the borrow of the store. `VMHostFunc` is the head of a
    // `HostFunc`, which the store keeps alive.
    let (runtime, func, store, instance) = unsafe {
        let VMHostContext { store: runtime, func, caller, .. } = *context;
        let store = &mut *(*runtime).vm.owner.cast::<StoreBox<T>>();
        let instance = (!caller.is_null()).then(|| InstanceId((*caller).instance as u32));
        (runtime, &*func.cast::<HostFunc>(), store, instance)
    };
    if let Err(code) = store.inner.check_fuel() {
        // SAFETY: this host code was called by the store's machine code, and nothing in this
        // frame has anything to drop.
        unsafe { selkie_vm::raise_trap(runtime, code) }
    }
    // What the host roots in this call is rooted no longer.
    let scope = store.inner.roots.enter();
    let mut caller = Caller { store: StoreContextMut { contents: &mut *store }, instance };
    let done = catch_unwind(AssertUnwindSafe(|| f(func, &mut caller, scope)));
    if let Ok(Ok(done)) = done {
        if !done.keeps_roots() {
            store.inner.roots.exit(scope);
        }
        return done;
    }
    store.inner.roots.exit(scope);
    match done.map(Result::err) {
        // SAFETY: this host code was called by the store's machine code, and nothing in this frame
        // has anything to drop.
        Ok(error) => unsafe { fail(runtime, &raw mut store.inner, error) },
        // SAFETY: as above.
        Err(panic) => unsafe { selkie_vm::raise_payload(runtime, panic) },
    }
}

/// Ends a host call with an error.
///
/// # Safety
/// As for [`selkie_vm::raise_payload`]; the store is the runtime's, and nobody else uses it.
#[cold]
#[inline(never)]
unsafe fn fail(runtime: *mut StoreRuntime, store: *mut StoreInner, error: Option<Error>) -> ! {
    let error = error.unwrap_or_else(|| unreachable!("who succeeds has returned"));
    // SAFETY: by contract; the borrow ends at once.
    let exception = error.exception().and_then(|it| unsafe { (*store).raw_of(it.root()) }.ok());
    let payload = || -> Box<dyn std::any::Any + Send> { Box::new(with_backtrace(runtime, error)) };
    // SAFETY: this host code was called by the store's machine code; all that was made here has
    // been dropped or moved into the payload. The exception is one of the store, and nothing has
    // been collected since it was read.
    unsafe {
        match exception {
            Some(exception) => selkie_vm::throw_payload(runtime, exception, payload),
            None => selkie_vm::raise_payload(runtime, payload()),
        }
    }
}

/// Room for the values of a call; few of them lie on the stack.
struct ValueBuffer {
    few: [MaybeUninit<Val>; ValueBuffer::FEW],
    many: Vec<Val>,
}

impl ValueBuffer {
    const FEW: usize = 8;

    #[inline(always)]
    fn new() -> ValueBuffer {
        ValueBuffer { few: [MaybeUninit::uninit(); _], many: Vec::new() }
    }

    /// One value for each type.
    #[inline(always)]
    fn fill(&mut self, types: &[ValType], mut value: impl FnMut(ValType) -> Val) -> &mut [Val] {
        if types.len() > ValueBuffer::FEW {
            self.many = types.iter().map(|ty| value(*ty)).collect();
            return &mut self.many;
        }
        for (place, ty) in self.few.iter_mut().zip(types) {
            place.write(value(*ty));
        }
        // SAFETY: as many were written just now, and that is not more than there are.
        unsafe { std::slice::from_raw_parts_mut(self.few.as_mut_ptr().cast(), types.len()) }
    }
}

/// An error of a host function, with the frames that called it.
#[cold]
pub(crate) fn with_backtrace(runtime: *const StoreRuntime, error: Error) -> Error {
    let mut frames = Vec::new();
    // SAFETY: called by host code that the store's machine code called, on its thread.
    unsafe {
        let limit = (*runtime).backtrace_frames();
        if limit > 0 {
            selkie_vm::capture(runtime, |frame| {
                frames.push(frame);
                if frames.len() < limit {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
        }
    }
    error.with_backtrace(WasmBacktrace::capture(&frames))
}

const _: () = assert!(context::MAGIC == 0);
