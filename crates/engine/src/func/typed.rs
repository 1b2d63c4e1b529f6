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
    types: PhantomData<fn(P) -> R>,
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
    pub(crate) fn new(func: Func) -> TypedFunc<P, R> {
        TypedFunc { func, types: PhantomData }
    }

    /// The function without its types.
    pub fn func(&self) -> Func {
        self.func
    }

    /// Calls.
    ///
    /// # Errors
    /// The function belongs to another store; the call traps or a host function fails.
    #[inline]
    pub fn call(&self, mut store: impl AsContextMut, params: P) -> Result<R> {
        let mut context = store.as_context_mut();
        let func = context.inner().func_ref(self.func)?;
        enter::call_typed(Owner::new(&mut context), &func, params)
    }
}
