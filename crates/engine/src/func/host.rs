//! Host functions: closures that WebAssembly calls.

use super::{Func, WasmParams, WasmResults, WasmTy};
use crate::engine::Engine;
use crate::entry;
use crate::entry::host_futures::{self, HostFuture};
use crate::error::Result;
use crate::global::Extern;
use crate::instance::Instance;
use crate::memory::Memory;
use crate::store::{AsContext, AsContextMut, InstanceId, StoreContext, StoreContextMut};
use crate::types::FuncType;
use crate::values::Val;
use selkie_module::{FuncType as RawFuncType, ValType};
use selkie_vm::VMHostFunc;
use std::any::Any;

/// A closure with what machine code needs to call it.
#[repr(C)]
pub struct HostFunc {
    vm: VMHostFunc,
    ty: FuncType,
    /// The code that machine code jumps to.
    stub: *const u8,
    /// The closure, of the type that `vm.entry` expects.
    closure: Box<dyn Any + Send + Sync>,
}

impl HostFunc {
    pub(crate) fn new(
        ty: FuncType,
        vm: VMHostFunc,
        closure: Box<dyn Any + Send + Sync>,
    ) -> HostFunc {
        let is_int = |ty: &ValType| matches!(ty, ValType::I32 | ValType::I64 | ValType::Ref(_));
        let ints_only = ty.raw().params.iter().chain(&ty.raw().results).all(is_int);
        let stub = match ints_only {
            _ if !vm.direct.is_null() => selkie_vm::host_call_direct_stub(),
            true => selkie_vm::host_call_stub_int(),
            false => selkie_vm::host_call_stub(),
        };
        HostFunc { vm, ty, stub, closure }
    }

    /// The same function, which may leave the call for later.
    pub(crate) fn suspendable(self) -> HostFunc {
        HostFunc { stub: selkie_vm::host_call_stub_suspendable(), ..self }
    }

    /// A function of a type known only at run time.
    ///
    /// # Errors
    /// The type was made for another engine and cannot be made again in this one.
    pub(crate) fn untyped<T: 'static>(
        engine: &Engine,
        ty: &FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<HostFunc> {
        Ok(entry::untyped(ty.in_engine(engine)?, func))
    }

    /// A function that answers futures, from a closure over tuples.
    pub(crate) fn wrap_async<T, P, R, F>(engine: &Engine, func: F) -> HostFunc
    where
        T: 'static,
        P: WasmParams + 'static,
        R: WasmRet + 'static,
        F: for<'a> Fn(Caller<'a, T>, P) -> HostFuture<'a, R> + Send + Sync + 'static,
    {
        host_futures::typed(type_of::<P, R>(engine), func)
    }

    /// As [`HostFunc::untyped`], for a function that answers futures.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn untyped_async<T: 'static>(
        engine: &Engine,
        ty: &FuncType,
        func: impl for<'a> Fn(Caller<'a, T>, &'a [Val], &'a mut [Val]) -> HostFuture<'a, Result<()>>
        + Send
        + Sync
        + 'static,
    ) -> Result<HostFunc> {
        Ok(host_futures::untyped(ty.in_engine(engine)?, func))
    }

    /// What machine code's way to the function begins with. The address is valid while the
    /// function lives.
    pub(crate) fn vm(&self) -> *const VMHostFunc {
        &raw const self.vm
    }

    /// The code that machine code jumps to.
    pub(crate) fn stub(&self) -> *const u8 {
        self.stub
    }

    pub(crate) fn ty(&self) -> &FuncType {
        &self.ty
    }

    pub(crate) fn closure(&self) -> &(dyn Any + Send + Sync) {
        &*self.closure
    }
}

/// What a host function knows of its call: the store, and the instance that calls.
///
/// ```
/// use selkie_engine::{Caller, Engine, Error, Linker, Module, Store};
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module
///     (import "host" "log" (func $log (param i32 i32)))
///     (memory (export "memory") 1)
///     (data (i32.const 16) "hello")
///     (func (export "run") (call $log (i32.const 16) (i32.const 5))))"#)?;
/// let mut linker = Linker::new(&engine);
/// linker.func_wrap("host", "log", |mut caller: Caller<'_, Vec<String>>, at: u32, len: u32| {
///     let memory = caller.memory().ok_or_else(|| Error::msg("the guest exports no memory"))?;
///     let mut text = vec![0; len as usize];
///     memory.read(&caller, at as usize, &mut text)?;
///     caller.data_mut().push(String::from_utf8_lossy(&text).into_owned());
///     Ok::<(), Error>(())
/// })?;
/// let mut store = Store::new(&engine, Vec::new());
/// let instance = linker.instantiate(&mut store, &module)?;
/// instance.get_typed_func::<(), ()>(&mut store, "run")?.call(&mut store, ())?;
/// assert_eq!(store.data(), &["hello"]);
/// # Ok::<(), selkie_engine::Error>(())
/// ```
pub struct Caller<'a, T: 'static> {
    pub(crate) store: StoreContextMut<'a, T>,
    pub(crate) instance: Option<InstanceId>,
}

impl<T> Caller<'_, T> {
    /// The embedder's data.
    pub fn data(&self) -> &T {
        self.store.data()
    }

    /// The embedder's data.
    pub fn data_mut(&mut self) -> &mut T {
        self.store.data_mut()
    }

    /// The store's engine.
    pub fn engine(&self) -> &Engine {
        self.store.engine()
    }

    /// As [`Store::gc`](crate::Store::gc).
    pub fn gc(&mut self) {
        self.store.gc();
    }

    /// An export of the instance that imported the function; `None` also when the host called.
    pub fn get_export(&mut self, name: &str) -> Option<Extern> {
        let instance = self.instance?;
        self.store.inner().export(instance, name)
    }

    /// The memory that the calling instance exports as `memory`.
    pub fn memory(&mut self) -> Option<Memory> {
        let instance = self.store.inner().instance(self.instance?);
        let index = instance.memory(instance.module.memory_export?);
        let store = self.store.inner().id;
        Some(Memory { store, index })
    }

    /// The instance that imported the function.
    pub fn instance(&mut self) -> Option<Instance> {
        let id = self.instance?;
        Some(Instance::from_id(self.store.inner(), id))
    }
}

impl<T> AsContext for Caller<'_, T> {
    type Data = T;
    fn as_context(&self) -> StoreContext<'_, T> {
        self.store.as_context()
    }
}

impl<T> AsContextMut for Caller<'_, T> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        self.store.as_context_mut()
    }
}

/// What a host function may return: results, or a `Result` of them.
pub trait WasmRet {
    /// The results.
    type Ok: WasmResults;
    #[doc(hidden)]
    fn into_result(self) -> Result<Self::Ok>;
}

impl<R: WasmResults> WasmRet for R {
    type Ok = R;
    fn into_result(self) -> Result<R> {
        Ok(self)
    }
}

impl<R: WasmResults> WasmRet for Result<R> {
    type Ok = R;
    fn into_result(self) -> Result<R> {
        self
    }
}

/// Closures that can be host functions: up to 17 parameters, optionally a [`Caller`] first.
pub trait IntoFunc<T, Params, Results>: Send + Sync + 'static {
    #[doc(hidden)]
    fn into_host_func(self, engine: &Engine) -> HostFunc;
}

fn type_of<P: WasmParams, R: WasmRet>(engine: &Engine) -> FuncType {
    let (params, results) = (P::TYPES.into(), <R::Ok as WasmResults>::TYPES.into());
    let ty = FuncType::from_raw(engine, RawFuncType { params, results });
    ty.expect("an engine that knows millions of types knows those of the host's functions")
}

macro_rules! into_func {
    ($(($($name:ident),*);)*) => {$(
        #[allow(non_snake_case)]
        impl<T: 'static, F, R, $($name),*> IntoFunc<T, ($($name,)*), R> for F
        where
            F: Fn($($name),*) -> R + Send + Sync + 'static,
            R: WasmRet + 'static,
            $($name: WasmTy,)*
        {
            fn into_host_func(self, engine: &Engine) -> HostFunc {
                let ty = type_of::<($($name,)*), R>(engine);
                entry::typed(ty, move |_: Caller<'_, T>, ($($name,)*): ($($name,)*)| self($($name),*))
            }
        }

        #[allow(non_snake_case)]
        impl<T: 'static, F, R, $($name),*> IntoFunc<T, (Caller<'_, T>, $($name,)*), R> for F
        where
            F: Fn(Caller<'_, T>, $($name),*) -> R + Send + Sync + 'static,
            R: WasmRet + 'static,
            $($name: WasmTy,)*
        {
            fn into_host_func(self, engine: &Engine) -> HostFunc {
                let ty = type_of::<($($name,)*), R>(engine);
                entry::typed(ty, move |caller: Caller<'_, T>, ($($name,)*): ($($name,)*)| {
                    self(caller, $($name),*)
                })
            }
        }
    )*};
}

into_func! {
    ();
    (A1);
    (A1, A2);
    (A1, A2, A3);
    (A1, A2, A3, A4);
    (A1, A2, A3, A4, A5);
    (A1, A2, A3, A4, A5, A6);
    (A1, A2, A3, A4, A5, A6, A7);
    (A1, A2, A3, A4, A5, A6, A7, A8);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16, A17);
}

/// A linker's function as a handle of a store.
pub(crate) fn into_func(
    store: &mut crate::store::StoreInner,
    func: &std::sync::Arc<HostFunc>,
) -> Func {
    store.add_host_func(func.clone())
}
