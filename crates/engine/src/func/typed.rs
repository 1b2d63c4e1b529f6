//! `TypedFunc`: a function whose Rust types were checked once.

use super::enter::{self, Owner};
use super::{Func, WasmParams, WasmResults};
use crate::error::Result;
use crate::store::AsContextMut;
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
    #[inline]
    pub fn call(&self, mut store: impl AsContextMut, params: P) -> Result<R> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        let func = inner.func_ref(self.func)?;
        if self.check == Check::EachCall {
            let ty = inner.type_of_func(self.func)?;
            params.check(inner, &ty.raw().params)?;
        }
        enter::call_typed(Owner::new(&mut context), &func, params)
    }
}
