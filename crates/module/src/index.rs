//! Index spaces of a module, one newtype each, so that a table index can never be used as a
//! memory index. A `…Index` is a place in one module; [`TypeId`] is a place in an engine.

use serde::{Deserialize, Serialize};

macro_rules! index_types {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u32);

        impl $name {
            /// The index as an array position.
            pub fn index(self) -> usize {
                self.0 as usize
            }

            /// The index for an array position that is known to be below 2³².
            pub fn new(position: usize) -> Self {
                debug_assert!(position <= u32::MAX as usize);
                Self(position as u32)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    )*};
}

index_types! {
    /// A type of the module's type section, rec groups flattened.
    TypeIndex;
    /// A function: imports first, then definitions.
    FuncIndex;
    /// A function defined in the module: `FuncIndex` less the imported functions.
    DefinedFuncIndex;
    /// A table: imports first, then definitions.
    TableIndex;
    /// A table defined in the module.
    DefinedTableIndex;
    /// A linear memory: imports first, then definitions.
    MemoryIndex;
    /// A memory defined in the module.
    DefinedMemoryIndex;
    /// A global: imports first, then definitions.
    GlobalIndex;
    /// A global defined in the module.
    DefinedGlobalIndex;
    /// A tag: imports first, then definitions.
    TagIndex;
    /// A tag defined in the module.
    DefinedTagIndex;
    /// An element segment.
    ElemIndex;
    /// A data segment.
    DataIndex;
    /// A place among the functions whose reference can be taken: they own a `VMFuncRef`.
    FuncRefIndex;
    /// A canonical type of an engine. Two types are equal exactly when their ids are.
    /// The value 0 is never handed out: it marks an empty table slot.
    TypeId;
}

impl TypeId {
    /// The type of objects that stand for data of the host.
    pub const HOST: TypeId = TypeId(1);
}
