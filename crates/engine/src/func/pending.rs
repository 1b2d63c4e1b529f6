//! Calls that wait for the host's futures: what `call_async` polls.
//!
//! A call begins on a WebAssembly stack of its own. When a host function's future is pending, the
//! call leaves WebAssembly as it stands and waits with that future; polling goes on with the future
//! and, when it is ready, in WebAssembly. A poll finds what it needs in a [`PollFrame`], which the
//! runtime names to whoever is called from inside it.
//!
//! Invariants: the future of a host function is dropped before the call that it belongs to lets go
//! of the store; between two polls the store is as if there were no such call.
//!
//! One of six files of this crate that may use `unsafe`.

#![allow(unsafe_code)]

use super::enter::{self, Owner, ResultReader};
use super::{WasmParams, WasmResults};
use crate::entry::with_backtrace;
use crate::error::Result;
use crate::roots::RootedGcRef;
use crate::store::{StoreBox, StoreContextMut, StoreInner};
use crate::types::FuncType;
use crate::values::Val;
use selkie_vm::{Activation, CallRegs, Progress, StoreRuntime, VMFuncRef};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A host function's future that was pending, with what is done with its results.
pub(crate) trait HostCall: Send {
    /// Polls the future; when it is ready, puts its results where machine code expects them.
    fn poll(&mut self, context: &mut Context<'_>, regs: &mut CallRegs) -> Poll<Result<()>>;
}

/// A host function that a call waits for.
pub(crate) struct HostWait {
    pub(crate) call: Box<dyn HostCall>,
    /// What the host rooted in it.
    pub(crate) scope: usize,
}

/// Why a call was left.
pub(crate) enum Left {
    Host(HostWait),
    /// So that others can run.
    Yield,
}

/// What a poll tells those who are called inside it, and they tell the poll.
pub(crate) struct PollFrame {
    context: *mut Context<'static>,
    left: Option<Left>,
}

impl PollFrame {
    /// That of the poll which the store's innermost activation is part of; `None` where that
    /// activation cannot be left.
    ///
    /// # Safety
    /// Host code that the store's machine code called is what runs, on that thread. What is answered
    /// is used before that host code returns, and only one at a time.
    pub(crate) unsafe fn of<'f>(runtime: *const StoreRuntime) -> Option<&'f mut PollFrame> {
        // SAFETY: by contract; pollers are given as `PollFrame` in this file alone.
        unsafe { selkie_vm::poller(runtime).cast::<PollFrame>().as_mut() }
    }

    pub(crate) fn context(&mut self) -> &mut Context<'static> {
        // SAFETY: the context is borrowed by the poll that this frame belongs to and that nobody
        // has left; it is handed on for as long as the frame is borrowed.
        unsafe { &mut *self.context }
    }

    pub(crate) fn leave(&mut self, left: Left) {
        self.left = Some(left);
    }
}

impl StoreInner {
    /// Notes that the innermost activation is about to be left so that others can run, and goes on
    /// when it is polled next. Answers whether that is possible; a builtin then answers
    /// [`Stop::Yield`](crate::entry::Stop).
    pub(crate) fn leave_to_yield(&mut self) -> bool {
        // SAFETY: builtins alone call this, with the store that was entered.
        let frame = unsafe { PollFrame::of(&raw const self.runtime) };
        frame.map(|frame| frame.leave(Left::Yield)).is_some()
    }
}

/// How far a call is.
enum State {
    New,
    Waiting(HostWait),
    Yielded,
    Done,
}

/// A call that can be pending. A future of whether it succeeded; the results are read afterwards.
pub(crate) struct PendingCall<'s, T: 'static> {
    inner: Inner,
    /// It is a borrow of the store in all but name.
    borrow: PhantomData<&'s mut StoreBox<T>>,
}

// SAFETY: the addresses in it lead to the store, which it borrows exclusively and which is `Send`
// with its data; to the stack and the frames of the call, which belong to it and which no thread
// keeps anything about between polls; and to code, which is shared. The future of the host function
// that it waits for is `Send`.
unsafe impl<T: Send> Send for PendingCall<'_, T> {}

struct Inner {
    store: *mut StoreInner,
    activation: Option<Activation>,
    state: State,
    code: *const u8,
    area_bytes: usize,
}

impl<'s, T> PendingCall<'s, T> {
    /// A call of a function whose type is `P -> R`.
    pub(crate) fn typed<P: WasmParams, R: WasmResults>(
        store: &'s mut StoreContextMut<'_, T>,
        func: &VMFuncRef,
        params: P,
    ) -> Result<PendingCall<'s, T>> {
        let area_bytes = enter::area_bytes_of::<R>();
        PendingCall::new(store, func.code, area_bytes, |owner, call| {
            enter::prepare_typed::<P, R>(owner, func, params, call)
        })
    }

    /// A call of a function with values that fit its type.
    pub(crate) fn untyped(
        store: &'s mut StoreContextMut<'_, T>,
        func: &VMFuncRef,
        ty: &FuncType,
        params: &[Val],
    ) -> Result<PendingCall<'s, T>> {
        PendingCall::new(store, func.code, enter::area_bytes(ty), |owner, call| {
            enter::prepare_untyped(owner, func, ty, params, call)
        })
    }

    /// A call of a start function: no parameters, no results.
    pub(crate) fn start(
        store: &'s mut StoreContextMut<'_, T>,
        code: *const u8,
        context: *mut u8,
    ) -> Result<PendingCall<'s, T>> {
        PendingCall::new(store, code, 0, |_, call| {
            let mut regs = CallRegs::ZERO;
            regs.ints[0] = context as u64;
            enter::regs_of(call).write(regs);
            Ok(())
        })
    }

    #[inline(always)]
    fn new(
        store: &'s mut StoreContextMut<'_, T>,
        code: *const u8,
        area_bytes: usize,
        prepare: impl FnOnce(&mut Owner<'s>, &mut Activation) -> Result<()>,
    ) -> Result<PendingCall<'s, T>> {
        let mut owner = Owner::new(store);
        let store = owner.store;
        // SAFETY: the store is borrowed exclusively as long as the answer lives.
        let activation = unsafe {
            Activation::new(&raw mut (*store).runtime, area_bytes)
                .map_err(|unwind| enter::unwound(&mut *store, unwind))?
        };
        let (state, activation) = (State::New, Some(activation));
        let mut inner = Inner { store, activation, state, code, area_bytes };
        if let Some(activation) = &mut inner.activation {
            prepare(&mut owner, activation)?;
        }
        Ok(PendingCall { inner, borrow: PhantomData })
    }

    /// The results of a call of type `P -> R` that has succeeded.
    pub(crate) fn typed_results<R: WasmResults>(mut self) -> R {
        let (mut reader, store) = self.inner.results();
        R::read(&mut reader, store)
    }

    /// The results of a call that has succeeded.
    pub(crate) fn untyped_results(mut self, ty: &FuncType, results: &mut [Val]) {
        let (mut reader, store) = self.inner.results();
        reader.take_all(ty, results, store);
    }
}

impl<T> Future for PendingCall<'_, T> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        // SAFETY: the store is borrowed exclusively and lives.
        unsafe { self.inner.poll(context) }
    }
}

impl Inner {
    /// Where results lie.
    fn results(&mut self) -> (ResultReader<'_>, &mut StoreInner) {
        let Some(activation) =
            self.activation.as_mut().filter(|_| matches!(self.state, State::Done))
        else {
            panic!("a call that succeeded has ended")
        };
        let (area, slots) = (activation.result_area().cast::<u128>(), self.area_bytes / 16);
        // SAFETY: the area has so many bytes, is aligned, and lives as long as the activation.
        let area = (slots > 0).then(|| unsafe { std::slice::from_raw_parts(area, slots) });
        // SAFETY: the store is borrowed exclusively as long as this lives.
        (ResultReader::new(enter::regs_of(activation), area), unsafe { &mut *self.store })
    }

    /// # Safety
    /// The store lives, and nobody else uses it.
    unsafe fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        let mut frame =
            PollFrame { context: (&raw mut *context).cast::<Context<'static>>(), left: None };
        // SAFETY: by contract. What host code borrows of the store inside this poll derives from
        // `vm.owner`, and nothing here holds a reference while it runs.
        let progress = unsafe {
            let _owner = SetOwner::new(self.store);
            match self.advance(&mut frame) {
                Poll::Ready(progress) => progress,
                Poll::Pending => return Poll::Pending,
            }
        };
        let store = self.store;
        match progress {
            Ok(Progress::Suspended) => {
                self.state = match frame.left.take() {
                    Some(Left::Host(wait)) => State::Waiting(wait),
                    Some(Left::Yield) | None => {
                        context.waker().wake_by_ref();
                        State::Yielded
                    }
                };
                Poll::Pending
            }
            // SAFETY: by contract.
            Ok(Progress::Returned) => unsafe { Poll::Ready(Ok((*store).check_fuel()?)) },
            Ok(Progress::Unwound(unwind)) => {
                // ORDER: an error that is a panic leaves here.
                self.end();
                // SAFETY: by contract.
                Poll::Ready(Err(enter::unwound(unsafe { &mut *store }, unwind)))
            }
            Err(error) => {
                self.end();
                Poll::Ready(Err(error))
            }
        }
    }

    /// Goes on as far as possible; pending where that is not at all.
    ///
    /// # Safety
    /// As for [`Inner::poll`].
    unsafe fn advance(&mut self, frame: &mut PollFrame) -> Poll<Result<Progress>> {
        let context = frame.context;
        let poller = (&raw mut *frame).cast::<u8>();
        let state = std::mem::replace(&mut self.state, State::Done);
        let Some(activation) = &mut self.activation else {
            panic!("a call was polled after it had ended")
        };
        // SAFETY: by contract: the activation was made for this store, and is in the state that
        // `state` says. The function's code and context come from a reference of this store, with
        // arguments of its type; modules live as long as the store.
        unsafe {
            let runtime = &raw mut (*self.store).runtime;
            let regs = activation.regs();
            match state {
                State::New => Poll::Ready(Ok(activation.begin(runtime, self.code, regs, poller))),
                State::Yielded => Poll::Ready(Ok(activation.go_on(runtime, regs, poller))),
                State::Done => panic!("a call was polled after it had ended"),
                State::Waiting(wait) => {
                    let mut wait = Scoped { wait: Some(wait), store: self.store };
                    let result = match wait.poll(&mut *context, &mut *regs, activation) {
                        Poll::Ready(result) => result,
                        Poll::Pending => {
                            self.state = wait.take().map_or(State::Done, State::Waiting);
                            return Poll::Pending;
                        }
                    };
                    activation.within(runtime, || drop(wait));
                    let Err(error) = result else {
                        return Poll::Ready(Ok(activation.go_on(runtime, regs, poller)));
                    };
                    let thrown = error.exception();
                    let raw = thrown.and_then(|it| (*self.store).raw_of(it.root()).ok());
                    let thrown = raw.and_then(|raw| activation.throw(runtime, raw, regs, poller));
                    Poll::Ready(thrown.ok_or_else(|| {
                        activation.within(runtime, || with_backtrace(runtime, error))
                    }))
                }
            }
        }
    }

    /// Lets go of everything but the store.
    fn end(&mut self) {
        if let State::Waiting(wait) = std::mem::replace(&mut self.state, State::Done) {
            drop(Scoped { wait: Some(wait), store: self.store });
        }
        if let Some(activation) = self.activation.take() {
            // SAFETY: the store is borrowed exclusively as long as this lives, and nothing of the
            // activation runs between polls.
            unsafe { activation.end(&raw mut (*self.store).runtime) }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end();
    }
}

/// A host function that a call waits for. Ends with its future first, then with its roots.
struct Scoped {
    wait: Option<HostWait>,
    store: *mut StoreInner,
}

impl Scoped {
    /// # Safety
    /// As for [`Inner::poll`]; the activation waits for this.
    unsafe fn poll(
        &mut self,
        context: &mut Context<'_>,
        regs: &mut CallRegs,
        activation: &mut Activation,
    ) -> Poll<Result<()>> {
        let Some(wait) = &mut self.wait else { return Poll::Pending };
        // What follows may be as deep as calls are inside of each other.
        if let Err(unwind) = selkie_vm::check_room() {
            // SAFETY: by contract.
            return Poll::Ready(Err(enter::unwound(unsafe { &mut *self.store }, unwind)));
        }
        // SAFETY: by contract.
        unsafe {
            let runtime = &raw mut (*self.store).runtime;
            activation.within(runtime, || wait.call.poll(context, regs))
        }
    }

    fn take(&mut self) -> Option<HostWait> {
        self.wait.take()
    }
}

impl Drop for Scoped {
    fn drop(&mut self) {
        let Some(HostWait { call, scope, .. }) = self.wait.take() else { return };
        drop(call);
        // SAFETY: the call that this belongs to borrows the store exclusively.
        unsafe { (*self.store).roots.exit(scope) };
    }
}

/// The store's owner as seen from machine code, until this is dropped.
struct SetOwner {
    store: *mut StoreInner,
    outer: *mut u8,
}

impl SetOwner {
    /// # Safety
    /// The store lives, and nobody else uses it as long as the answer lives.
    unsafe fn new(store: *mut StoreInner) -> SetOwner {
        // SAFETY: by contract.
        let outer = unsafe { std::mem::replace(&mut (*store).runtime.vm.owner, store.cast()) };
        SetOwner { store, outer }
    }
}

impl Drop for SetOwner {
    fn drop(&mut self) {
        // SAFETY: by the contract of `new`.
        unsafe { (*self.store).runtime.vm.owner = self.outer }
    }
}
