//! `AnyRef` and `EqRef`: references whose object may be one of several kinds.

use super::casts::casts;
use super::{ArrayRef, ExternRef, GcRef, I31, StructRef, reference_types};
use crate::error::Result;
use crate::roots::Rooted;
use crate::store::{AsContext, AsContextMut};
use crate::types::HeapType;
use selkie_module::{HeapTop, HeapType as RawHeapType};

reference_types! {
    /// Any reference that WebAssembly can look into: a struct, an array or an [`I31`]; or an
    /// external one that was converted.
    ///
    /// ```
    /// use selkie_engine::{AnyRef, Engine, HeapType, I31, Store};
    /// let mut store = Store::new(&Engine::default(), ());
    /// let seven = AnyRef::from_i31(&mut store, I31::wrapping_u32(7));
    /// assert_eq!(seven.as_i31(&store)?.map(I31::get_u32), Some(7));
    /// assert!(seven.matches_ty(&store, &HeapType::Eq)? && !seven.is_struct(&store)?);
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    AnyRef: Any;
    /// A reference that WebAssembly can compare: a struct, an array or an [`I31`].
    ///
    /// ```
    /// use selkie_engine::{EqRef, Engine, I31, Rooted, Store};
    /// let mut store = Store::new(&Engine::default(), ());
    /// let [one, uno] = [1, 1].map(|value| EqRef::from_i31(&mut store, I31::wrapping_u32(value)));
    /// assert!(Rooted::ref_eq(&store, &one, &uno)?);
    /// assert!(Rooted::ref_eq(&store, &one, &one.to_anyref())?);
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    EqRef: Eq;
}

impl AnyRef {
    /// The reference that is an integer.
    pub fn from_i31(mut store: impl AsContextMut, value: I31) -> Rooted<AnyRef> {
        store.as_context_mut().inner().root(value.to_raw())
    }

    /// An external reference as WebAssembly sees it inside (spec: `any.convert_extern`). It is
    /// rooted where it was.
    ///
    /// # Errors
    /// The reference's scope has ended, or it belongs to another store.
    pub fn convert_extern(
        store: impl AsContext,
        external: Rooted<ExternRef>,
    ) -> Result<Rooted<AnyRef>> {
        store.as_context().inner().raw_of(external.root())?;
        Ok(external.cast())
    }
}

impl EqRef {
    /// The reference that is an integer.
    pub fn from_i31(mut store: impl AsContextMut, value: I31) -> Rooted<EqRef> {
        store.as_context_mut().inner().root(value.to_raw())
    }
}

macro_rules! typed {
    ($($name:ident),*) => {$(
        impl $name {
            /// The least type it is of; that of a converted external reference is
            /// [`HeapType::Any`].
            ///
            /// # Errors
            /// The reference's scope has ended, or it belongs to another store.
            pub fn ty(&self, store: impl AsContext) -> Result<HeapType> {
                let context = store.as_context();
                let raw = context.inner().raw_of(self.root())?;
                Ok(context.inner().any_type(raw))
            }

            /// Whether it is of a type.
            ///
            /// # Errors
            /// The reference's scope has ended, or it belongs to another store, or the type to
            /// another engine.
            pub fn matches_ty(&self, store: impl AsContext, ty: &HeapType) -> Result<bool> {
                let context = store.as_context();
                let inner = context.inner();
                let raw = inner.raw_of(self.root())?;
                let heap = ty.to_raw(&inner.engine)?;
                Ok(ty.hierarchy() == HeapTop::Any && inner.ref_matches(raw, heap))
            }

            /// Whether it is an integer.
            ///
            /// # Errors
            /// The reference's scope has ended, or it belongs to another store.
            pub fn is_i31(&self, store: impl AsContext) -> Result<bool> {
                Ok(self.as_i31(store)?.is_some())
            }

            /// The integer, if it is one.
            ///
            /// # Errors
            /// The reference's scope has ended, or it belongs to another store.
            pub fn as_i31(&self, store: impl AsContext) -> Result<Option<I31>> {
                let context = store.as_context();
                let raw = context.inner().raw_of(self.root())?;
                let is_i31 = context.inner().ref_matches(raw, RawHeapType::I31);
                Ok(is_i31.then(|| I31::from_raw(raw)))
            }

            /// The integer.
            ///
            /// # Errors
            /// The reference's scope has ended, or it belongs to another store.
            ///
            /// # Panics
            /// It is none.
            #[track_caller]
            pub fn unwrap_i31(&self, store: impl AsContext) -> Result<I31> {
                Ok(self.as_i31(store)?.expect("the reference is no i31"))
            }
        }
    )*};
}

typed!(AnyRef, EqRef);

// Grammar: type: test, cast that answers an option, cast that panics -> type it is cast to.
casts! {
    AnyRef: is_eqref, as_eqref, unwrap_eqref -> EqRef;
    AnyRef: is_struct, as_struct, unwrap_struct -> StructRef;
    AnyRef: is_array, as_array, unwrap_array -> ArrayRef;
    EqRef: is_struct, as_struct, unwrap_struct -> StructRef;
    EqRef: is_array, as_array, unwrap_array -> ArrayRef;
}
