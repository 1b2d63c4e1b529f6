//! Functions: handles, typed and untyped calls, host functions.

pub(crate) mod called_types;
pub(crate) mod enter;
pub(crate) mod host;
pub(crate) mod pending;
pub(crate) mod typed;
pub(crate) mod wasm_ty;

pub use host::{Caller, IntoFunc, WasmRet};
pub use typed::TypedFunc;
pub use wasm_ty::{WasmParams, WasmResults, WasmTy};

use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{AsContext, AsContextMut, HostFuncEntry, StoreContextMut, StoreId, StoreInner};
use crate::types::FuncType;
use crate::values::Val;
use pending::PendingCall;
use selkie_module::layout::context;
use selkie_module::{FuncType as RawFuncType, TypeId, ValType as RawValType};
use selkie_vm::{VMFuncRef, VMHostContext};
use std::sync::Arc;
use typed::Check;

/// A function of a store: WebAssembly's or the host's.
///
/// ```
/// use selkie_engine::{Engine, Func, Store, Val};
/// let mut store = Store::new(&Engine::default(), ());
/// let double = Func::wrap(&mut store, |x: i32| x * 2);
/// let mut results = [Val::I32(0)];
/// double.call(&mut store, &[Val::I32(21)], &mut results)?;
/// assert_eq!(results[0].i32(), Some(42));
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Func {
    store: StoreId,
    /// Address of the `VMFuncRef`.
    address: usize,
}

impl Func {
    /// A host function from a closure whose types say the function's type. The closure may take a
    /// [`Caller`] first, and may return a `Result`.
    pub fn wrap<T: 'static, Params, Results>(
        mut store: impl AsContextMut<Data = T>,
        func: impl IntoFunc<T, Params, Results>,
    ) -> Func {
        let mut context = store.as_context_mut();
        let func = func.into_host_func(context.engine());
        context.inner().add_host_func(Arc::new(func))
    }

    /// A host function of a type known only at run time.
    ///
    /// # Panics
    /// The type is one of another engine that cannot be made again in the store's, as it names
    /// defined types.
    pub fn new<T: 'static>(
        mut store: impl AsContextMut<Data = T>,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Func {
        let mut context = store.as_context_mut();
        let func = match host::HostFunc::untyped(context.engine(), &ty, func) {
            Ok(func) => func,
            Err(error) => panic!("{error}"),
        };
        context.inner().add_host_func(Arc::new(func))
    }

    /// As [`Func::wrap`], for a function that answers a future of its results. It is called by
    /// [`Func::call_async`] and its kin only, which wait where the future is pending; a synchronous
    /// call that comes to it fails.
    ///
    /// ```
    /// use selkie_engine::{Caller, Engine, Func, Store};
    /// let mut store = Store::new(&Engine::default(), 40);
    /// let add = Func::wrap_async(&mut store, |caller: Caller<'_, i32>, (x,): (i32,)| {
    ///     Box::new(async move { *caller.data() + x })
    /// });
    /// let error = add.typed::<i32, i32>(&store)?.call(&mut store, 2).unwrap_err();
    /// assert!(error.to_string().contains("use `call_async`"));
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    pub fn wrap_async<T: 'static, P, R>(
        mut store: impl AsContextMut<Data = T>,
        func: impl for<'a> Fn(Caller<'a, T>, P) -> Box<dyn Future<Output = R> + Send + 'a>
        + Send
        + Sync
        + 'static,
    ) -> Func
    where
        P: WasmParams + 'static,
        R: WasmRet + 'static,
    {
        let mut context = store.as_context_mut();
        let func = host::HostFunc::wrap_async(context.engine(), func);
        context.inner().add_host_func(Arc::new(func))
    }

    /// As [`Func::new`], for a function that answers a future; see [`Func::wrap_async`].
    ///
    /// # Panics
    /// As [`Func::new`].
    pub fn new_async<T: 'static>(
        mut store: impl AsContextMut<Data = T>,
        ty: FuncType,
        func: impl for<'a> Fn(
            Caller<'a, T>,
            &'a [Val],
            &'a mut [Val],
        ) -> Box<dyn Future<Output = Result<()>> + Send + 'a>
        + Send
        + Sync
        + 'static,
    ) -> Func {
        let mut context = store.as_context_mut();
        let func = match host::HostFunc::untyped_async(context.engine(), &ty, func) {
            Ok(func) => func,
            Err(error) => panic!("{error}"),
        };
        context.inner().add_host_func(Arc::new(func))
    }

    pub(crate) fn from_raw(store: StoreId, address: usize) -> Option<Func> {
        (address != 0).then_some(Func { store, address })
    }

    pub(crate) fn raw(&self) -> usize {
        self.address
    }

    pub(crate) fn store(&self) -> StoreId {
        self.store
    }

    /// Its type.
    ///
    /// # Panics
    /// It belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> FuncType {
        let context = store.as_context();
        let inner = context.inner();
        inner.assert_owns(self.store);
        inner.type_of_func(*self).expect("the store owns the function")
    }

    /// Calls with values.
    ///
    /// # Errors
    /// The numbers or types of values do not fit; the function or a value belongs to another store,
    /// or a value's scope has ended; the call traps, throws or a host function fails.
    pub fn call(
        &self,
        mut store: impl AsContextMut,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<()> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        let func = inner.func_ref(*self)?;
        let ty = inner.called_types.take(&inner.engine, TypeId(func.type_id));
        let done = check_call(inner, &ty, params, results.len()).and_then(|()| {
            enter::call_untyped(enter::Owner::new(&mut context), &func, &ty, params, results)
        });
        context.inner().called_types.keep(ty);
        done
    }

    /// Calls with values, and waits for what the host functions wait for that it calls. Nothing is
    /// done before the future is polled.
    ///
    /// The call has a WebAssembly stack of its own
    /// ([`Config::async_stack_bytes`](crate::Config::async_stack_bytes)) and needs no particular
    /// executor. While it is pending it may go to another thread, if the store's data may. When the
    /// future is dropped, everything ends that was begun in it, as if it had trapped, and the store
    /// can be used again. Calls inside of each other, each waiting for the next, may be a thousand.
    ///
    /// ```
    /// use selkie_engine::{Engine, Func, FuncType, Store, Val, ValType};
    /// use std::task::{Context, Poll, Waker};
    /// let engine = Engine::default();
    /// let mut store = Store::new(&engine, ());
    /// let ty = FuncType::new(&engine, [ValType::I32], [ValType::I32]);
    /// let double = Func::new_async(&mut store, ty, |_, params, results| {
    ///     Box::new(async move {
    ///         results[0] = Val::I32(2 * params[0].i32().unwrap_or(0));
    ///         Ok(())
    ///     })
    /// });
    /// let mut results = [Val::I32(0)];
    /// let mut call = Box::pin(double.call_async(&mut store, &[Val::I32(21)], &mut results));
    /// let done = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    /// assert!(matches!(done, Poll::Ready(Ok(()))));
    /// drop(call);
    /// assert_eq!(results[0].i32(), Some(42));
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Func::call`]; there is no stack for the call.
    pub async fn call_async(
        &self,
        mut store: impl AsContextMut,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<()> {
        let mut context = store.as_context_mut();
        let (mut call, ty) = self.begin_async(&mut context, params, results.len())?;
        (&mut call).await?;
        call.untyped_results(&ty, results);
        Ok(())
    }

    fn begin_async<'s, T>(
        &self,
        context: &'s mut StoreContextMut<'_, T>,
        params: &[Val],
        results: usize,
    ) -> Result<(PendingCall<'s, T>, FuncType)> {
        let inner = context.inner();
        let func = inner.func_ref(*self)?;
        let ty = FuncType::from_id(&inner.engine, TypeId(func.type_id));
        check_call(inner, &ty, params, results)?;
        Ok((PendingCall::untyped(context, &func, &ty, params)?, ty))
    }

    /// The function with its types checked once, for fast calls.
    ///
    /// A parameter that is a reference to a defined type may be given as the Rust type of its kind,
    /// as [`StructRef`](crate::StructRef): each call then checks the argument's own type.
    ///
    /// # Errors
    /// The function has another type, or belongs to another store.
    pub fn typed<P: WasmParams, R: WasmResults>(
        &self,
        store: impl AsContext,
    ) -> Result<TypedFunc<P, R>> {
        let context = store.as_context();
        let ty = context.inner().type_of_func(*self)?;
        let engine = &context.inner().engine;
        let (params, results) = (P::TYPES, R::TYPES);
        let fit = params_fit(engine, params, &ty.raw().params);
        if let Some(check) = fit
            && results_fit(engine, &ty.raw().results, results)
        {
            return Ok(TypedFunc::new(*self, check));
        }
        let wanted = FuncType::from_raw(
            engine,
            RawFuncType { params: params.into(), results: results.into() },
        )?;
        let message = format!("the function has type {ty}, not {wanted}");
        Err(Error::new(ErrorKind::Link, message))
    }
}

/// Whether values, and room for results, fit a function's type.
fn check_call(store: &StoreInner, ty: &FuncType, params: &[Val], results: usize) -> Result<()> {
    let raw = ty.raw();
    if params.len() != raw.params.len() || results != raw.results.len() {
        let message = format!(
            "the function has type {ty}; it was called with {} parameters and room for {results} results",
            params.len(),
        );
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    for (i, (value, expected)) in params.iter().zip(&raw.params).enumerate() {
        if !value.matches(store, *expected)? {
            let message = format!("parameter {i} is not of type {expected}");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
    }
    Ok(())
}

/// Whether Rust types are a function's, which are numbers and vectors: these are the same in every
/// module, and nobody has to be asked what they are.
pub(crate) fn is_plain_fit<P: WasmParams, R: WasmResults>(ty: &RawFuncType) -> bool {
    let is_plain = |types: &[RawValType]| !types.iter().any(|ty| matches!(ty, RawValType::Ref(_)));
    *ty.params == *P::TYPES && *ty.results == *R::TYPES && is_plain(P::TYPES) && is_plain(R::TYPES)
}

/// Whether parameters of Rust types can be passed, and if so, whether each call has to look at them.
fn params_fit(engine: &Engine, given: &[RawValType], wanted: &[RawValType]) -> Option<Check> {
    let types = engine.types();
    let mut check = Check::Done;
    for (given, wanted) in given.iter().zip(wanted) {
        match (given, wanted) {
            _ if types.val_matches(*given, *wanted) => {}
            (RawValType::Ref(given), RawValType::Ref(wanted))
                if types.heap_matches(wanted.heap, given.heap) =>
            {
                check = Check::EachCall;
            }
            _ => return None,
        }
    }
    (given.len() == wanted.len()).then_some(check)
}

fn results_fit(engine: &Engine, given: &[RawValType], wanted: &[RawValType]) -> bool {
    let types = engine.types();
    given.len() == wanted.len()
        && given.iter().zip(wanted).all(|(given, wanted)| types.val_matches(*given, *wanted))
}

impl StoreInner {
    /// The type of a function.
    ///
    /// # Errors
    /// The function belongs to another store.
    pub(crate) fn type_of_func(&self, func: Func) -> Result<FuncType> {
        let id = TypeId(self.func_ref(func)?.type_id);
        Ok(FuncType::from_id(&self.engine, id))
    }

    pub(crate) fn add_host_func(&mut self, func: Arc<host::HostFunc>) -> Func {
        let context = VMHostContext {
            magic: context::MAGIC_HOST,
            store: &raw mut self.runtime,
            func: func.vm(),
            caller: std::ptr::null_mut(),
        };
        let func_ref = VMFuncRef {
            code: func.stub(),
            context: std::ptr::null_mut(),
            type_id: func.ty().id().0,
        };
        let mut entry = Box::new(HostFuncEntry { context, func_ref });
        entry.func_ref.context = (&raw mut entry.context).cast();
        let address = &raw const entry.func_ref as usize;
        self.host.funcs.push(entry);
        self.host.keep.push(func);
        Func { store: self.id, address }
    }
}
