//! Exceptions that leave WebAssembly, and those that the host throws into it.
//!
//! An exception that nobody caught in an activation becomes an [`Error`] of kind
//! [`ErrorKind::Exception`](crate::ErrorKind::Exception), in which a [`ThrownException`] keeps it
//! rooted. A host function that returns such an error throws on in the activation around it.

use crate::error::{Error, Result};
use crate::func::Caller;
use crate::refs::{ExnRef, GcRef};
use crate::roots::{OwnedRooted, Rooted};
use crate::store::{Store, StoreContextMut, StoreInner};
use crate::types::FuncType;
use selkie_module::ValType as RawValType;
use selkie_module::heap::ObjectLayout;
use std::fmt;

/// An exception on its way outwards, as errors carry it. Shows as one line with its
/// parameters.
///
/// ```
/// use selkie_engine::{Engine, ErrorKind, Instance, Module, Store, ThrownException, Val};
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module
///     (tag $failed (param i32 f64))
///     (func (export "run") (throw $failed (i32.const 7) (f64.const 0.5))))"#)?;
/// let mut store = Store::new(&engine, ());
/// let run = Instance::new(&mut store, &module, &[])?.get_typed_func::<(), ()>(&mut store, "run")?;
/// let error = run.call(&mut store, ()).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Exception);
/// assert_eq!(error.to_string(), "wasm exception: (i32 7, f64 0.5)");
/// let thrown: &ThrownException = error.downcast_ref().expect("it is one");
/// assert_eq!(thrown.exception().field(&mut store, 0)?.i32(), Some(7));
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ThrownException {
    exception: OwnedRooted<ExnRef>,
    ty: FuncType,
    /// The parameters' bits; of references only whether they are null.
    params: Box<[u128]>,
}

impl ThrownException {
    /// The exception, rooted as long as this or a clone of it is kept.
    pub fn exception(&self) -> &OwnedRooted<ExnRef> {
        &self.exception
    }

    /// `raw` is a reference to an exception.
    #[cold]
    pub(crate) fn new(store: &mut StoreInner, raw: u64) -> ThrownException {
        let ty = store.exception_type(raw);
        let layout = {
            let types = store.engine.types();
            ObjectLayout::of_exception(&ty.raw().params, |heap| types.heap_top(heap))
        };
        let heap = store.heap.as_deref();
        let load = |(at, slot): &(u32, _)| {
            let bits = heap.and_then(|heap| heap.load(raw as u32, *at, *slot).ok());
            bits.unwrap_or_default()
        };
        let params = layout.fields.iter().map(load).collect();
        ThrownException { exception: store.root_owned(raw), ty, params }
    }
}

impl fmt::Display for ThrownException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wasm exception: (")?;
        for (place, (bits, ty)) in self.params.iter().zip(&self.ty.raw().params).enumerate() {
            f.write_str(if place == 0 { "" } else { ", " })?;
            match ty {
                RawValType::I32 => write!(f, "i32 {}", *bits as i32)?,
                RawValType::I64 => write!(f, "i64 {}", *bits as i64)?,
                RawValType::F32 => write!(f, "f32 {}", f32::from_bits(*bits as u32))?,
                RawValType::F64 => write!(f, "f64 {}", f64::from_bits(*bits as u64))?,
                RawValType::V128 => write!(f, "v128 {bits:#034x}")?,
                RawValType::Ref(r) if *bits == 0 => write!(f, "{r} null")?,
                RawValType::Ref(r) => write!(f, "{r} not null")?,
            }
        }
        f.write_str(")")
    }
}

impl std::error::Error for ThrownException {}

impl StoreInner {
    fn throw<R>(&mut self, exception: Rooted<ExnRef>) -> Result<R> {
        let raw = self.raw_of(exception.root())?;
        Err(ThrownException::new(self, raw).into())
    }
}

impl<T> Store<T> {
    /// The error that throws an exception, for a host function to return. See
    /// [`ExnRef`](crate::ExnRef).
    ///
    /// # Errors
    /// Always: the exception, or else that its scope has ended or that it belongs to another
    /// store.
    pub fn throw<R>(&mut self, exception: Rooted<ExnRef>) -> Result<R> {
        crate::AsContextMut::as_context_mut(self).throw(exception)
    }
}

impl<T> StoreContextMut<'_, T> {
    /// As [`Store::throw`].
    ///
    /// # Errors
    /// Always.
    pub fn throw<R>(&mut self, exception: Rooted<ExnRef>) -> Result<R> {
        self.inner().throw(exception)
    }
}

impl<T> Caller<'_, T> {
    /// As [`Store::throw`].
    ///
    /// # Errors
    /// Always.
    pub fn throw<R>(&mut self, exception: Rooted<ExnRef>) -> Result<R> {
        self.store.throw(exception)
    }
}

impl Error {
    /// The exception that an error of kind [`ErrorKind::Exception`](crate::ErrorKind::Exception)
    /// carries, also where it was wrapped in another error of the host's.
    pub fn exception(&self) -> Option<&OwnedRooted<ExnRef>> {
        let mut at = self.source_error();
        while let Some(error) = at {
            if let Some(thrown) = error.downcast_ref::<ThrownException>() {
                return Some(thrown.exception());
            }
            at = error.source();
        }
        None
    }
}
