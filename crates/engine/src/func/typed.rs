//! `TypedFunc`: a function whose Rust types were checked once.

use super::enter::{self, Owner};
use super::pending::PendingCall;
use super::{Func, WasmParams, WasmResults};
use crate::error::Result;
use crate::store::{AsContextMut, StoreContextMut, StoreInner};
use selkie_module::ValType;
use selkie_vm::VMFuncRef;
use std::marker::PhantomData;

/// A function with known Rust types; calling it checks nothing but the store.
///
/// ```
/// use selkie_engine::{Engine, Func, Store, TypedFunc};
/// let mut store = Store::new(&Engine::default(), ());
/// let func = Func::wrap(&mut store, |a: i32, b: f64| f64::from(a) + b);
/// let typed: TypedFunc<(i32, f64), f64> = func.typed(&store)?;
/// assert_eq!(typed.call(&mut store, (1, 0.5))?, 1.5);
/// # Ok::<(), selkie_engine::Error>(())
/// ```
pub struct TypedFunc<P, R> {
    func: Func,
    check: Check,
    types: PhantomData<fn(P) -> R>,
}

/// When arguments are checked against the function's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// Their Rust types suffice, and were looked at once.
    Done,
    /// The function wants a defined type that the Rust type does not name.
    EachCall,
}

/// Whether any of them is a reference: others need no check at a call.
const fn has_refs(types: &[ValType]) -> bool {
    let mut i = 0;
    while i < types.len() {
        if matches!(types[i], ValType::Ref(_)) {
            return true;
        }
        i += 1;
    }
    false
}

impl<P, R> Clone for TypedFunc<P, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P, R> Copy for TypedFunc<P, R> {}

impl<P, R> std::fmt::Debug for TypedFunc<P, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.func.fmt(f)
    }
}

impl<P: WasmParams, R: WasmResults> TypedFunc<P, R> {
    pub(crate) fn new(func: Func, check: Check) -> TypedFunc<P, R> {
        TypedFunc { func, check, types: PhantomData }
    }

    /// The function without its types.
    pub fn func(&self) -> Func {
        self.func
    }

    /// Calls.
    ///
    /// # Errors
    /// The function or an argument belongs to another store; an argument's scope has ended, or it is
    /// not of the defined type that the function wants; the call traps or a host function fails.
    #[inline(always)]
    pub fn call(&self, mut store: impl AsContextMut, params: P) -> Result<R> {
        let mut context = store.as_context_mut();
        let func = self.check_call(context.inner(), &params)?;
        enter::call_typed(Owner::new(&mut context), &func, params)
    }

    /// Calls, and waits for what the host functions wait for that it calls; see
    /// [`Func::call_async`].
    ///
    /// ```
    /// use selkie_engine::{Caller, Engine, Linker, Module, Store};
    /// use std::task::{Context, Poll, Waker};
    /// let engine = Engine::default();
    /// let mut linker = Linker::new(&engine);
    /// linker.func_wrap_async("host", "price", |_: Caller<'_, ()>, (item,): (i32,)| {
    ///     Box::new(async move { item * 100 }) // after having asked somebody, say
    /// })?;
    /// let module = Module::new(&engine, r#"(module
    ///     (import "host" "price" (func $price (param i32) (result i32)))
    ///     (func (export "run") (result i32)
    ///         (i32.add (call $price (i32.const 3)) (call $price (i32.const 4)))))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let instance = linker.instantiate(&mut store, &module)?;
    /// let run = instance.get_typed_func::<(), i32>(&mut store, "run")?;
    /// let mut call = Box::pin(run.call_async(&mut store, ()));
    /// let done = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    /// assert!(matches!(done, Poll::Ready(Ok(700))));
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`TypedFunc::call`]; there is no stack for the call.
    pub fn call_async<S: AsContextMut>(
        &self,
        mut store: S,
        params: P,
    ) -> impl Future<Output = Result<R>> + use<S, P, R> {
        let this = *self;
        async move {
            let mut context = store.as_context_mut();
            let mut call = this.begin_async(&mut context, params)?;
            (&mut call).await?;
            Ok(call.typed_results())
        }
    }

    fn begin_async<'s, T>(
        &self,
        context: &'s mut StoreContextMut<'_, T>,
        params: P,
    ) -> Result<PendingCall<'s, T>> {
        let func = self.check_call(context.inner(), &params)?;
        PendingCall::typed::<P, R>(context, &func, params)
    }

    /// What is called; the parameters fit it.
    #[inline(always)]
    fn check_call(&self, store: &StoreInner, params: &P) -> Result<VMFuncRef> {
        if const { has_refs(P::TYPES) } && self.check == Check::EachCall {
            let ty = store.type_of_func(self.func)?;
            params.check(store, &ty.raw().params)?;
        }
        store.func_ref(self.func)
    }
}
