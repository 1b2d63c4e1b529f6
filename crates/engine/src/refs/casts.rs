//! Casts to a type below (spec: `ref.test`, `ref.cast`).

/// A row makes a test and two casts.
macro_rules! casts {
    ($($from:ident: $is:ident, $cast:ident, $unwrap:ident -> $to:ident;)*) => {$(
        impl $from {
            #[doc = concat!("Whether it is a [`", stringify!($to), "`].")]
            ///
            /// # Errors
            /// The reference's scope has ended, or it belongs to another store.
            pub fn $is(&self, store: impl $crate::store::AsContext) -> $crate::Result<bool> {
                use $crate::refs::GcRef;
                let context = store.as_context();
                let raw = context.inner().raw_of(self.root())?;
                Ok(context.inner().is_a(raw, <$to as GcRef>::HEAP))
            }

            #[doc = concat!("The reference as one to a [`", stringify!($to), "`], if it is one. It is rooted where this one is.")]
            ///
            /// # Errors
            /// The reference's scope has ended, or it belongs to another store.
            pub fn $cast(
                &self,
                store: impl $crate::store::AsContext,
            ) -> $crate::Result<Option<$crate::roots::Rooted<$to>>> {
                use $crate::refs::GcRef;
                let is = self.$is(store)?;
                Ok(is.then(|| $crate::roots::Rooted::from_root(self.root())))
            }

            #[doc = concat!("The reference as one to a [`", stringify!($to), "`].")]
            ///
            /// # Errors
            /// The reference's scope has ended, or it belongs to another store.
            ///
            /// # Panics
            /// It is none.
            #[track_caller]
            pub fn $unwrap(
                &self,
                store: impl $crate::store::AsContext,
            ) -> $crate::Result<$crate::roots::Rooted<$to>> {
                let cast = self.$cast(store)?;
                Ok(cast.expect(concat!("the reference is no ", stringify!($to))))
            }
        }
    )*};
}
pub(super) use casts;
