//! Host functions that answer futures: called by machine code, polled at once, and left to the call
//! that polls them where they are pending.
//!
//! One of six files of this crate that may use `unsafe`. A future borrows the store for a lifetime
//! that is erased here: whoever takes it over drops it before the borrow ends
//! (`func::pending`).

#![allow(unsafe_code)]

use super::{Exit, closure_of, host_call_in_block};
use crate::error::{Error, ErrorKind, Result};
use crate::func::enter::{ArgReader, ResultWriter};
use crate::func::host::{Caller, HostFunc};
use crate::func::pending::{HostCall, HostWait, Left, PollFrame};
use crate::func::{WasmParams, WasmResults, WasmRet};
use crate::store::{StoreContextMut, StoreInner};
use crate::types::FuncType;
use crate::values::Val;
use selkie_module::abi::uses_result_area;
use selkie_vm::{CallRegs, VMHostContext, VMHostFunc};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A future of a host function's, as embedders make it.
pub(crate) type HostFuture<'a, R> = Box<dyn Future<Output = R> + Send + 'a>;
/// The same, when nobody looks at how long it may live.
type ErasedFuture<R> = Pin<Box<dyn Future<Output = R> + Send>>;

/// A future that is gone as soon as it has ended: what it does then must not come between the
/// results and whoever waits for them, since it may collect.
struct Once<R>(Option<ErasedFuture<R>>);

impl<R> Once<R> {
    /// # Safety
    /// This is dropped before what the future borrows is gone: the store, and the values it is
    /// given.
    unsafe fn new(future: HostFuture<'_, R>) -> Once<R> {
        let future = Box::into_pin(future);
        // SAFETY: only the lifetime changes, and by contract nobody uses the future after it.
        let future =
            unsafe { std::mem::transmute::<Pin<HostFuture<'_, R>>, ErasedFuture<R>>(future) };
        Once(Some(future))
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<R> {
        let Some(future) = &mut self.0 else { return Poll::Pending };
        let result = std::task::ready!(future.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(result)
    }
}

/// A host function from a closure over tuples.
pub(crate) fn typed<T, P, R, F>(ty: FuncType, func: F) -> HostFunc
where
    T: 'static,
    P: WasmParams + 'static,
    R: WasmRet + 'static,
    F: for<'a> Fn(Caller<'a, T>, P) -> HostFuture<'a, R> + Send + Sync + 'static,
{
    let vm = VMHostFunc { entry: typed_entry::<T, P, R, F>, direct: std::ptr::null() };
    HostFunc::new(ty, vm, Box::new(func)).suspendable()
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
    F: for<'a> Fn(Caller<'a, T>, P) -> HostFuture<'a, R> + Send + Sync + 'static,
{
    // SAFETY: by contract; `regs` is the stub's own block.
    unsafe {
        host_call_in_block::<T>(context, |func, caller, scope| {
            let frame = PollFrame::of((*context).store).ok_or_else(not_polled)?;
            let in_area = <R::Ok as WasmResults>::IN_AREA;
            let area = in_area.then(|| (*regs).ints[1] as *mut u8);
            let closure = closure_of::<F>(func);
            let mut reader = ArgReader::new(in_area, &*regs, stack);
            let params = P::read(&mut reader, caller.store.inner());
            let popped = reader.stack_bytes();
            let store: *mut StoreInner = (*(*context).store).vm.owner.cast();
            let future = Once::new(closure(again(caller), params));
            let mut call = TypedCall { future, store, area };
            match call.poll(frame.context(), &mut *regs) {
                Poll::Ready(result) => result.map(|()| Exit::Return(popped)),
                Poll::Pending => {
                    let call = Box::new(call);
                    frame.leave(Left::Host(HostWait { call, scope }));
                    Ok(Exit::Suspend(popped))
                }
            }
        })
    }
}

type Untyped<T> = dyn for<'a> Fn(Caller<'a, T>, &'a [Val], &'a mut [Val]) -> HostFuture<'a, Result<()>>
    + Send
    + Sync;

/// A host function over values.
pub(crate) fn untyped<T: 'static>(
    ty: FuncType,
    func: impl for<'a> Fn(Caller<'a, T>, &'a [Val], &'a mut [Val]) -> HostFuture<'a, Result<()>>
    + Send
    + Sync
    + 'static,
) -> HostFunc {
    let vm = VMHostFunc { entry: untyped_entry::<T>, direct: std::ptr::null() };
    let func: Box<Untyped<T>> = Box::new(func);
    HostFunc::new(ty, vm, Box::new(func)).suspendable()
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
        host_call_in_block::<T>(context, |func, caller, scope| {
            let frame = PollFrame::of((*context).store).ok_or_else(not_polled)?;
            let ty = func.ty().raw();
            let in_area = uses_result_area(&ty.results);
            let area = in_area.then(|| (*regs).ints[1] as *mut u8);
            let closure = closure_of::<Box<Untyped<T>>>(func);
            let inner = caller.store.inner();
            let mut reader = ArgReader::new(in_area, &*regs, stack);
            let params: Box<[Val]> =
                ty.params.iter().map(|t| Val::from_raw(reader.take(*t), *t, inner)).collect();
            let popped = reader.stack_bytes();
            // Where null is no value of the type, nothing else is at hand: it must be overwritten.
            let results: Box<[Val]> =
                ty.results.iter().map(|t| Val::from_raw(0, *t, inner)).collect();
            let (params, results) = (Values::new(params), Values::new(results));
            let store: *mut StoreInner = (*(*context).store).vm.owner.cast();
            let (of, to) = (&*params.0, &mut *results.0);
            let future = Once::new(closure(again(caller), of, to));
            let ty = func.ty().clone();
            let mut call = UntypedCall { future, _params: params, results, ty, store, area };
            match call.poll(frame.context(), &mut *regs) {
                Poll::Ready(result) => result.map(|()| Exit::Return(popped)),
                Poll::Pending => {
                    let call = Box::new(call);
                    frame.leave(Left::Host(HostWait { call, scope }));
                    Ok(Exit::Suspend(popped))
                }
            }
        })
    }
}

/// A caller for the embedder's function, which lives as long as what the entry was given.
fn again<'a, T>(caller: &mut Caller<'a, T>) -> Caller<'a, T> {
    let contents: *mut _ = caller.store.contents;
    // SAFETY: the entry does not use its own caller while the other one, or what borrows from it,
    // is in use.
    let store = StoreContextMut { contents: unsafe { &mut *contents } };
    Caller { store, instance: caller.instance }
}

#[cold]
fn not_polled() -> Error {
    let message = "an asynchronous function was called inside a synchronous call; use `call_async`";
    Error::new(ErrorKind::Invalid, message)
}

/// A typed function's future.
struct TypedCall<R> {
    future: Once<R>,
    store: *mut StoreInner,
    /// Where results go that do not fit registers.
    area: Option<*mut u8>,
}

// SAFETY: the future is `Send`; the addresses lead to the store and to the frame that waits for the
// results, both of which go where the call goes that waits for this.
unsafe impl<R> Send for TypedCall<R> {}

impl<R: WasmRet> HostCall for TypedCall<R> {
    fn poll(&mut self, context: &mut Context<'_>, regs: &mut CallRegs) -> Poll<Result<()>> {
        let results = std::task::ready!(self.future.poll(context));
        Poll::Ready(results.into_result().and_then(|results| {
            // SAFETY: the function's caller waits for results in the area whose address it gave.
            let mut writer = unsafe { ResultWriter::to(self.area, regs) };
            // SAFETY: the future has ended, and with it its use of the store.
            results.write(&mut writer, unsafe { &*self.store })
        }))
    }
}

/// An untyped function's future.
struct UntypedCall {
    /// ORDER: dropped before the values that it borrows.
    future: Once<Result<()>>,
    _params: Values,
    results: Values,
    ty: FuncType,
    store: *mut StoreInner,
    area: Option<*mut u8>,
}

// SAFETY: as for `TypedCall`; values are `Send`.
unsafe impl Send for UntypedCall {}

impl HostCall for UntypedCall {
    fn poll(&mut self, context: &mut Context<'_>, regs: &mut CallRegs) -> Poll<Result<()>> {
        let result = std::task::ready!(self.future.poll(context));
        Poll::Ready(result.and_then(|()| {
            // SAFETY: as in `TypedCall`; the values are borrowed by the future alone, which has
            // ended.
            let (mut writer, store, results) =
                unsafe { (ResultWriter::to(self.area, regs), &*self.store, &*self.results.0) };
            writer.put_all(results, &self.ty, store)
        }))
    }
}

/// Values at a fixed address, which others borrow.
struct Values(*mut [Val]);

impl Values {
    fn new(values: Box<[Val]>) -> Values {
        Values(Box::into_raw(values))
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        // SAFETY: from `Box::into_raw`; who borrowed the values was dropped before.
        drop(unsafe { Box::from_raw(self.0) });
    }
}
