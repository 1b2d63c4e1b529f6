//! References to objects: those of the collected heap, and external ones.
//!
//! A reference type of this module is what a [`Rooted`] or [`OwnedRooted`] leads to, and offers
//! what can be done with it. Each operation is given the store and checks the handle; objects are
//! told apart by the type that they begin with, never by what a handle claims.

mod any;
mod arrays;
mod casts;
mod exn;
mod externs;
mod host_data;
mod i31;
pub(crate) mod objects;
mod structs;

pub use any::{AnyRef, EqRef};
pub use arrays::ArrayRefPre;
pub use exn::ExnRef;
pub use externs::ExternRef;
pub(crate) use host_data::HostData;
pub use i31::I31;
pub use structs::StructRefPre;

use crate::raw;
use crate::roots::{OwnedRooted, Root, Rooted};
use crate::store::StoreInner;
use crate::types::HeapType;
use crate::values::Val;
use selkie_module::heap::I31_TAG;
use selkie_module::{
    AbstractHeapType, CompositeType, HeapTop, HeapType as RawHeapType, RefType as RawRefType,
    TypeId, TypeRef,
};
use selkie_vm::VMFuncRef;
use std::fmt::Debug;

/// What a [`Rooted`] reference leads to.
pub trait GcRef: sealed::Sealed + Copy + Debug + Send + Sync + 'static {
    #[doc(hidden)]
    const HEAP: RawHeapType;
    #[doc(hidden)]
    fn from_root(root: Root) -> Self;
    #[doc(hidden)]
    fn root(&self) -> Root;
}

mod sealed {
    pub trait Sealed {}
}

/// Declares reference types; each is the place it is rooted at, and nothing else.
macro_rules! reference_types {
    ($($(#[$doc:meta])* $name:ident: $heap:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name {
            root: $crate::roots::Root,
        }

        impl $crate::refs::sealed::Sealed for $name {}

        impl $crate::refs::GcRef for $name {
            const HEAP: selkie_module::HeapType = selkie_module::HeapType::$heap;
            fn from_root(root: $crate::roots::Root) -> $name {
                $name { root }
            }
            fn root(&self) -> $crate::roots::Root {
                self.root
            }
        }
    )*};
}
use reference_types;

reference_types! {
    /// A struct of the collected heap.
    ///
    /// ```
    /// use selkie_engine::{Engine, Instance, Module, Rooted, Store, StructRef, StructRefPre, Val};
    /// let engine = Engine::default();
    /// let module = Module::new(&engine, r#"(module
    ///     (type $point (struct (field $x (mut i32)) (field $y (mut i32))))
    ///     (func (export "make") (result (ref $point)) (struct.new $point (i32.const 1) (i32.const 2)))
    ///     (func (export "x") (param (ref $point)) (result i32) (struct.get $point $x (local.get 0))))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let instance = Instance::new(&mut store, &module, &[])?;
    /// let make = instance.get_typed_func::<(), Rooted<StructRef>>(&mut store, "make")?;
    /// let x = instance.get_typed_func::<Rooted<StructRef>, i32>(&mut store, "x")?;
    /// let point = make.call(&mut store, ())?;
    /// assert_eq!(point.field(&mut store, 1)?.i32(), Some(2));
    /// point.set_field(&mut store, 0, Val::I32(7))?;
    /// assert_eq!(x.call(&mut store, point)?, 7);
    /// // One more, of the same type.
    /// let ty = point.ty(&store)?;
    /// let points = StructRefPre::new(&mut store, ty);
    /// let another = StructRef::new(&mut store, &points, &[Val::I32(8), Val::I32(9)])?;
    /// assert_eq!(x.call(&mut store, another)?, 8);
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    StructRef: Struct;
    /// An array of the collected heap.
    ///
    /// ```
    /// use selkie_engine::{ArrayRef, Engine, Instance, Module, Rooted, Store};
    /// let engine = Engine::default();
    /// let module = Module::new(&engine, r#"(module
    ///     (type $text (array i8))
    ///     (data $hello "hello")
    ///     (func (export "text") (result (ref $text))
    ///         (array.new_data $text $hello (i32.const 0) (i32.const 5))))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let instance = Instance::new(&mut store, &module, &[])?;
    /// let text = instance.get_typed_func::<(), Rooted<ArrayRef>>(&mut store, "text")?;
    /// let text = text.call(&mut store, ())?;
    /// assert_eq!(text.len(&store)?, 5);
    /// assert_eq!(text.bytes(&store)?, b"hello");
    /// assert_eq!(text.get(&mut store, 1)?.i32(), Some(i32::from(b'e')));
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    ArrayRef: Array;
    /// A continuation: a computation of WebAssembly's that waits to be resumed. The host can hold
    /// it, pass it on and ask for its type, but neither look into it nor make or resume one; once
    /// WebAssembly has resumed it, resuming it again is a trap
    /// ([`Trap::ContinuationConsumed`](crate::Trap::ContinuationConsumed)). What a waiting
    /// continuation keeps is a stack, which counts against
    /// [`StoreLimits::continuations`](crate::StoreLimits::continuations).
    ///
    /// ```
    /// use selkie_engine::{Config, ContRef, Engine, Instance, Module, Rooted, Store, Trap};
    /// let engine = Engine::new(Config::new().wasm_stack_switching(true))?;
    /// let module = Module::new(&engine, r#"(module
    ///     (type $task (func (result i32)))
    ///     (type $cont (cont $task))
    ///     (elem declare func $answer)
    ///     (func $answer (result i32) (i32.const 42))
    ///     (func (export "start") (result (ref $cont)) (cont.new $cont (ref.func $answer)))
    ///     (func (export "finish") (param (ref $cont)) (result i32)
    ///         (resume $cont (local.get 0))))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let instance = Instance::new(&mut store, &module, &[])?;
    /// let start = instance.get_typed_func::<(), Rooted<ContRef>>(&mut store, "start")?;
    /// let finish = instance.get_typed_func::<Rooted<ContRef>, i32>(&mut store, "finish")?;
    /// let task = start.call(&mut store, ())?;
    /// assert_eq!(finish.call(&mut store, task)?, 42);
    /// let again = finish.call(&mut store, task).unwrap_err();
    /// assert_eq!(again.trap(), Some(Trap::ContinuationConsumed));
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    ContRef: Cont;
}

macro_rules! bottom_types {
    ($($name:ident: $word:literal, $null:ident;)*) => {$(
        #[doc = concat!("What `(ref ", $word, ")` would be: nothing. `Option<", stringify!($name), ">` as a [`WasmTy`](crate::WasmTy) is null.")]
        ///
        /// ```
        #[doc = concat!("use selkie_engine::{Engine, Func, ", stringify!($name), ", Store, ValType};")]
        /// let mut store = Store::new(&Engine::default(), ());
        #[doc = concat!("let func = Func::wrap(&mut store, |null: Option<", stringify!($name), ">| assert!(null.is_none()));")]
        #[doc = concat!("assert_eq!(func.ty(&store).param(0), Some(ValType::", stringify!($null), "));")]
        #[doc = concat!("func.typed::<Option<", stringify!($name), ">, ()>(&store)?.call(&mut store, None)?;")]
        /// # Ok::<(), selkie_engine::Error>(())
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {}
    )*};
}

bottom_types! {
    NoneRef: "none", NULLREF;
    NoFunc: "nofunc", NULLFUNCREF;
    NoExtern: "noextern", NULLEXTERNREF;
    NoExn: "noexn", NULLEXNREF;
    NoCont: "nocont", NULLCONTREF;
}

/// Conversions that change a reference's type to one above it, and values.
macro_rules! upcasts {
    ($($from:ident as $variant:ident: $($method:ident -> $to:ident),*;)*) => {$(
        $(
            impl Rooted<$from> {
                #[doc = concat!("The reference as a reference to [`", stringify!($to), "`].")]
                pub fn $method(self) -> Rooted<$to> {
                    self.cast()
                }
            }

            impl OwnedRooted<$from> {
                #[doc = concat!("The reference as a reference to [`", stringify!($to), "`].")]
                pub fn $method(self) -> OwnedRooted<$to> {
                    self.cast()
                }
            }

            impl From<Rooted<$from>> for Rooted<$to> {
                fn from(from: Rooted<$from>) -> Rooted<$to> {
                    from.cast()
                }
            }

            impl From<OwnedRooted<$from>> for OwnedRooted<$to> {
                fn from(from: OwnedRooted<$from>) -> OwnedRooted<$to> {
                    from.cast()
                }
            }
        )*

        impl From<Rooted<$from>> for Val {
            fn from(from: Rooted<$from>) -> Val {
                Val::$variant(Some(from.cast()))
            }
        }

        impl From<Option<Rooted<$from>>> for Val {
            fn from(from: Option<Rooted<$from>>) -> Val {
                Val::$variant(from.map(Rooted::cast))
            }
        }
    )*};
}

// Grammar: type as variant of `Val`: method -> type above it, ...;
upcasts! {
    AnyRef as AnyRef:;
    EqRef as AnyRef: to_anyref -> AnyRef;
    StructRef as AnyRef: to_anyref -> AnyRef, to_eqref -> EqRef;
    ArrayRef as AnyRef: to_anyref -> AnyRef, to_eqref -> EqRef;
    ExternRef as ExternRef:;
    ExnRef as ExnRef:;
    ContRef as ContRef:;
}

impl StoreInner {
    /// Whether a reference of the same hierarchy is of a type with canonical names.
    pub(crate) fn reference_matches(&self, raw: u64, ty: RawRefType) -> bool {
        match self.heap_top(ty.heap) {
            _ if raw == 0 => ty.nullable,
            HeapTop::Func => {
                let id = TypeId(raw::read_func_ref(raw as usize as *const VMFuncRef).type_id);
                let heap = RawHeapType::Exact(TypeRef::Engine(id));
                ty.heap == RawHeapType::Func || self.engine.types().heap_matches(heap, ty.heap)
            }
            _ => self.ref_matches(raw, ty.heap),
        }
    }

    /// The hierarchy of a heap type with canonical names.
    pub(crate) fn heap_top(&self, heap: RawHeapType) -> HeapTop {
        match heap {
            RawHeapType::Concrete(_) | RawHeapType::Exact(_) => self.engine.types().heap_top(heap),
            named => named.top(|_| unreachable!("only defined types are asked for")),
        }
    }

    /// Whether a reference, neither null nor to a function, is of a heap type with canonical names.
    pub(crate) fn ref_matches(&self, raw: u64, heap: RawHeapType) -> bool {
        use RawHeapType as H;
        if raw & u64::from(I31_TAG) != 0 {
            return matches!(heap.unshared(), H::I31 | H::Eq | H::Any | H::Extern);
        }
        let id = self.object_type(raw);
        if id == TypeId::HOST {
            return matches!(heap.unshared(), H::Any | H::Extern);
        }
        let types = self.engine.types();
        let ty = types.get(id);
        match (&ty.composite, heap) {
            (CompositeType::Func(_), _) => heap == H::Exn,
            // Both hierarchies hold all of these; converting between them changes nothing.
            (_, H::Extern) => !ty.is_shared,
            (_, H::Shared(AbstractHeapType::Extern)) => ty.is_shared,
            _ => types.heap_matches(H::Exact(TypeRef::Engine(id)), heap),
        }
    }

    /// Whether a reference is of an abstract heap type, or of the shared one of that name.
    pub(crate) fn is_a(&self, raw: u64, heap: RawHeapType) -> bool {
        let shared = heap.as_abstract().map(RawHeapType::Shared);
        self.ref_matches(raw, heap) || shared.is_some_and(|heap| self.ref_matches(raw, heap))
    }

    /// The least heap type of a reference in the hierarchy of `any`.
    pub(crate) fn any_type(&self, raw: u64) -> HeapType {
        if raw & u64::from(I31_TAG) != 0 {
            return HeapType::I31;
        }
        match self.object_type(raw) {
            TypeId::HOST => HeapType::Any,
            id => HeapType::from_raw(&self.engine, RawHeapType::Concrete(TypeRef::Engine(id))),
        }
    }
}
