//! References that the host holds: rooted in a scope, or owned.
//!
//! The collector moves objects, so the host never holds an address. A handle names a place in a
//! list of its store that the collector rewrites. A [`Rooted`] is gone when its scope ends, an
//! [`OwnedRooted`] when its last clone is dropped. Invariant: a handle reaches the object it was
//! made for or an error, whatever was done in between and whichever store it is used with.

mod set;

use crate::error::Result;
use crate::refs::GcRef;
use crate::store::{AsContext, AsContextMut, StoreContext, StoreContextMut, StoreId, StoreInner};
pub(crate) use set::RootSet;
use std::ops::Deref;
use std::sync::Arc;

/// A place in the lists of a store.
#[derive(Clone, Copy, Debug)]
pub struct Root {
    pub(crate) store: StoreId,
    generation: u64,
    place: usize,
}

/// A reference rooted in the innermost [`RootScope`], or in the call of the host function that
/// made it, or else until its store is dropped.
///
/// It can be copied and costs nothing to drop. Using it after its scope ended, or with another
/// store, is an error.
///
/// ```
/// use selkie_engine::{AnyRef, Engine, I31, RootScope, Store};
/// let mut store = Store::new(&Engine::default(), ());
/// let inside = {
///     let mut scope = RootScope::new(&mut store);
///     let seven = AnyRef::from_i31(&mut scope, I31::wrapping_u32(7));
///     assert!(seven.is_i31(&scope)?);
///     seven
/// };
/// assert!(inside.is_i31(&store).is_err());
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Rooted<T: GcRef> {
    to: T,
}

/// A reference that is rooted as long as it, or a clone of it, is kept.
///
/// ```
/// use selkie_engine::{Engine, ExternRef, OwnedRooted, RootScope, Store};
/// let mut store = Store::new(&Engine::default(), ());
/// let kept: OwnedRooted<ExternRef> = {
///     let mut scope = RootScope::new(&mut store);
///     ExternRef::new(&mut scope, "data")?.to_owned_rooted(&mut scope)?
/// };
/// let data = kept.data(&store)?.expect("it is the host's");
/// assert_eq!(data.downcast_ref::<&str>(), Some(&"data"));
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct OwnedRooted<T: GcRef> {
    to: T,
    token: Arc<()>,
}

/// [`Rooted`] and [`OwnedRooted`]: what functions take that only look at a reference.
pub trait RootedGcRef<T: GcRef>: sealed::Sealed {
    #[doc(hidden)]
    fn root(&self) -> Root;
}

mod sealed {
    pub trait Sealed {}
    impl<T: super::GcRef> Sealed for super::Rooted<T> {}
    impl<T: super::GcRef> Sealed for super::OwnedRooted<T> {}
}

impl<T: GcRef> RootedGcRef<T> for Rooted<T> {
    fn root(&self) -> Root {
        self.to.root()
    }
}

impl<T: GcRef> RootedGcRef<T> for OwnedRooted<T> {
    fn root(&self) -> Root {
        self.to.root()
    }
}

impl<T: GcRef> Rooted<T> {
    pub(crate) fn from_root(root: Root) -> Rooted<T> {
        Rooted { to: T::from_root(root) }
    }

    /// The same place, as a reference of another type.
    pub(crate) fn cast<U: GcRef>(self) -> Rooted<U> {
        Rooted::from_root(self.to.root())
    }

    /// The reference, rooted as long as the answer is kept.
    ///
    /// # Errors
    /// Its scope has ended, or it belongs to another store.
    pub fn to_owned_rooted(&self, mut store: impl AsContextMut) -> Result<OwnedRooted<T>> {
        let mut context = store.as_context_mut();
        let raw = context.inner().raw_of(self.to.root())?;
        Ok(context.inner().root_owned(raw))
    }

    /// Whether two references are the same (spec: `ref.eq`, extended to all references).
    ///
    /// # Errors
    /// The scope of one has ended, or one belongs to another store.
    pub fn ref_eq<U: GcRef>(
        store: impl AsContext,
        a: &impl RootedGcRef<T>,
        b: &impl RootedGcRef<U>,
    ) -> Result<bool> {
        let context = store.as_context();
        let inner = context.inner();
        Ok(inner.raw_of(a.root())? == inner.raw_of(b.root())?)
    }
}

impl<T: GcRef> OwnedRooted<T> {
    /// The reference, rooted in the innermost scope.
    ///
    /// # Errors
    /// It belongs to another store.
    pub fn to_rooted(&self, mut store: impl AsContextMut) -> Result<Rooted<T>> {
        let mut context = store.as_context_mut();
        let raw = context.inner().raw_of(self.to.root())?;
        Ok(context.inner().root(raw))
    }

    /// The same place, as a reference of another type.
    pub(crate) fn cast<U: GcRef>(self) -> OwnedRooted<U> {
        OwnedRooted { to: U::from_root(self.to.root()), token: self.token }
    }
}

impl<T: GcRef> Deref for Rooted<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.to
    }
}

impl<T: GcRef> Deref for OwnedRooted<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.to
    }
}

/// A scope: references that are rooted in it are let go when it is dropped.
///
/// It stands for the store it was made with. Calls of host functions have a scope of their own.
///
/// ```
/// use selkie_engine::{AnyRef, Engine, I31, RootScope, Store};
/// let mut store = Store::new(&Engine::default(), ());
/// for i in 0..1000 {
///     let mut scope = RootScope::new(&mut store);
///     AnyRef::from_i31(&mut scope, I31::wrapping_u32(i)); // at most one is held at a time
/// }
/// ```
#[derive(Debug)]
pub struct RootScope<C: AsContextMut> {
    store: C,
    scope: usize,
}

impl<C: AsContextMut> RootScope<C> {
    /// Begins a scope in a store.
    pub fn new(mut store: C) -> RootScope<C> {
        let scope = store.as_context_mut().inner().roots.enter();
        RootScope { store, scope }
    }

    /// Makes room for so many references at once.
    pub fn reserve(&mut self, count: usize) {
        self.store.as_context_mut().inner().roots.reserve(count);
    }
}

impl<C: AsContextMut> Drop for RootScope<C> {
    fn drop(&mut self) {
        self.store.as_context_mut().inner().roots.exit(self.scope);
    }
}

impl<C: AsContextMut> AsContext for RootScope<C> {
    type Data = C::Data;
    fn as_context(&self) -> StoreContext<'_, C::Data> {
        self.store.as_context()
    }
}

impl<C: AsContextMut> AsContextMut for RootScope<C> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, C::Data> {
        self.store.as_context_mut()
    }
}

impl StoreInner {
    /// What a handle refers to.
    ///
    /// # Errors
    /// Its scope has ended, or it belongs to another store.
    pub(crate) fn raw_of(&self, root: Root) -> Result<u64> {
        self.check(root.store)?;
        self.roots.get(root)
    }

    /// A handle for a reference that is not null, in the innermost scope.
    pub(crate) fn root<T: GcRef>(&mut self, raw: u64) -> Rooted<T> {
        debug_assert_ne!(raw, 0);
        Rooted::from_root(self.roots.push(self.id, raw))
    }

    /// As [`StoreInner::root`], as long as the answer is kept.
    pub(crate) fn root_owned<T: GcRef>(&mut self, raw: u64) -> OwnedRooted<T> {
        let (root, token) = self.roots.own(self.id, raw);
        OwnedRooted { to: T::from_root(root), token }
    }

    /// As [`StoreInner::root`], `None` for null.
    pub(crate) fn root_nullable<T: GcRef>(&mut self, raw: u64) -> Option<Rooted<T>> {
        (raw != 0).then(|| self.root(raw))
    }
}
