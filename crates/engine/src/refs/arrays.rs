//! `ArrayRef`: arrays of the collected heap (spec: exec/values, array instances).

use super::objects::{Storage, invalid};
use super::{ArrayRef, GcRef};
use crate::error::Result;
use crate::roots::Rooted;
use crate::store::{AsContext, AsContextMut, StoreContext, StoreContextMut, StoreId, StoreInner};
use crate::types::ArrayType;
use crate::values::Val;
use selkie_module::heap::Slot;

/// What making arrays of one type in one store needs to know, found out once.
///
/// ```
/// use selkie_engine::{ArrayRef, ArrayRefPre, ArrayType, Engine, FieldType, Mutability};
/// use selkie_engine::{StorageType, Store, Val};
/// let engine = Engine::default();
/// let ty = ArrayType::new(&engine, FieldType::new(Mutability::Var, StorageType::I8))?;
/// let mut store = Store::new(&engine, ());
/// let bytes = ArrayRefPre::new(&mut store, ty);
/// let zeros = ArrayRef::new(&mut store, &bytes, &Val::I32(0), 5)?;
/// zeros.bytes_mut(&mut store)?.copy_from_slice(b"hello");
/// assert_eq!(zeros.get(&mut store, 4)?.i32(), Some(i32::from(b'o')));
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ArrayRefPre {
    store: StoreId,
    ty: ArrayType,
    element: Storage,
}

impl ArrayRefPre {
    /// For arrays of a type, which must be one of the store's engine: making arrays of another
    /// engine's type is an error.
    pub fn new(mut store: impl AsContextMut, ty: ArrayType) -> ArrayRefPre {
        let element = element(&ty);
        ArrayRefPre { store: store.as_context_mut().inner().id, ty, element }
    }

    /// The type.
    pub fn ty(&self) -> &ArrayType {
        &self.ty
    }

    fn check(&self, store: &StoreInner) -> Result<()> {
        store.check(self.store)?;
        self.ty.defined().check_engine(&store.engine)
    }

    /// An array of zeros or nulls.
    fn make(&self, store: &mut StoreInner, len: u32) -> Result<u64> {
        let ty = self.ty.defined().id();
        store.make_object(|store| store.alloc_array(ty, len).map(u64::from))
    }
}

/// How elements of a type are stored.
fn element(ty: &ArrayType) -> Storage {
    let types = ty.engine().types();
    let field = ty.raw();
    Storage::new(0, Slot::new(field.storage, |heap| types.heap_top(heap)), field)
}

impl ArrayRef {
    /// A new array of `len` elements, each `value`. Of a packed integer the low bits are kept.
    ///
    /// # Errors
    /// The type belongs to another engine, or `pre` to another store; the value is not of the
    /// element type; the heap has no room.
    pub fn new(
        mut store: impl AsContextMut,
        pre: &ArrayRefPre,
        value: &Val,
        len: u32,
    ) -> Result<Rooted<ArrayRef>> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        pre.check(inner)?;
        pre.element.check(inner, value)?;
        let made = pre.make(inner, len)?;
        // Making it may have moved what the value refers to.
        match value.to_raw(inner)? {
            0 => {}
            bits => inner.objects()?.array_fill(made as u32, 0, len, bits)?,
        }
        Ok(inner.root(made))
    }

    /// A new array of these elements. Of packed integers the low bits are kept.
    ///
    /// # Errors
    /// The type belongs to another engine, or `pre` to another store; a value is not of the element
    /// type; the heap has no room.
    pub fn new_fixed(
        mut store: impl AsContextMut,
        pre: &ArrayRefPre,
        values: &[Val],
    ) -> Result<Rooted<ArrayRef>> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        pre.check(inner)?;
        for (index, value) in values.iter().enumerate() {
            pre.element.check(inner, value).map_err(|e| e.context(format!("element {index}")))?;
        }
        let made = pre.make(inner, u32::try_from(values.len()).unwrap_or(u32::MAX))?;
        for (index, value) in (0..).zip(values) {
            let bits = value.to_raw(inner)?;
            inner.objects()?.array_set(made as u32, index, bits)?;
        }
        Ok(inner.root(made))
    }

    /// Its type.
    ///
    /// # Errors
    /// The reference's scope has ended, or it belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> Result<ArrayType> {
        let context = store.as_context();
        let inner = context.inner();
        inner.array_type(inner.raw_of(self.root())?)
    }

    /// Whether it is of a type.
    ///
    /// # Errors
    /// The reference's scope has ended, or it belongs to another store, or the type to another
    /// engine.
    pub fn matches_ty(&self, store: impl AsContext, ty: &ArrayType) -> Result<bool> {
        let own = self.ty(&store)?;
        ty.defined().check_engine(&store.as_context().inner().engine)?;
        Ok(own.matches(ty))
    }

    /// The number of elements.
    ///
    /// # Errors
    /// The reference's scope has ended, or it belongs to another store.
    #[allow(clippy::len_without_is_empty)] // wants a store
    pub fn len(&self, store: impl AsContext) -> Result<u32> {
        let context = store.as_context();
        let inner = context.inner();
        let raw = inner.raw_of(self.root())?;
        Ok(inner.heap_of_objects()?.array_len(raw as u32)?)
    }

    /// An element. Packed integers are extended by zeros; a reference is rooted in the innermost
    /// scope.
    ///
    /// # Errors
    /// Out of bounds; the reference's scope has ended, or it belongs to another store.
    pub fn get(&self, mut store: impl AsContextMut, index: u32) -> Result<Val> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        let (raw, element) = self.element(inner, index)?;
        let bits = inner.heap_of_objects()?.array_get(raw, index)?;
        Ok(element.value(inner, bits))
    }

    /// Writes an element. Of a packed integer the low bits are kept.
    ///
    /// # Errors
    /// Out of bounds; elements are immutable; the value is not of their type; the reference's scope
    /// has ended, or it belongs to another store.
    pub fn set(&self, mut store: impl AsContextMut, index: u32, value: Val) -> Result<()> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        let (raw, element) = self.element(inner, index)?;
        must_be_mutable(&element)?;
        element.check(inner, &value)?;
        let bits = value.to_raw(inner)?;
        Ok(inner.objects()?.array_set(raw, index, bits)?)
    }

    /// All elements, each as [`ArrayRef::get`] answers it.
    ///
    /// # Errors
    /// The reference's scope has ended, or it belongs to another store.
    pub fn elems<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> Result<impl ExactSizeIterator<Item = Val> + 'a> {
        let inner = store.into().into_inner();
        let raw = inner.raw_of(self.root())? as u32;
        let element = element(&inner.array_type(raw.into())?);
        let len = inner.heap_of_objects()?.array_len(raw)?;
        // The store is borrowed, so nothing moves in between.
        Ok((0..len as usize).map(move |index| {
            let bits = inner.heap_of_objects().and_then(|h| Ok(h.array_get(raw, index as u32)?));
            element.value(inner, bits.expect("the object has as many elements as it says"))
        }))
    }

    /// The elements of an array of numbers as they lie in memory: packed, little-endian.
    ///
    /// # Errors
    /// The elements are references; the reference's scope has ended, or it belongs to another
    /// store.
    pub fn bytes<'a, T: 'static>(&self, store: impl Into<StoreContext<'a, T>>) -> Result<&'a [u8]> {
        let inner = store.into().inner();
        let raw = inner.raw_of(self.root())?;
        must_be_numbers(&element(&inner.array_type(raw)?))?;
        Ok(inner.heap_of_objects()?.array_bytes(raw as u32)?)
    }

    /// As [`ArrayRef::bytes`], for writing.
    ///
    /// # Errors
    /// As [`ArrayRef::bytes`]; elements are immutable.
    pub fn bytes_mut<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> Result<&'a mut [u8]> {
        let inner = store.into().into_inner();
        let raw = inner.raw_of(self.root())?;
        let element = element(&inner.array_type(raw)?);
        must_be_numbers(&element)?;
        must_be_mutable(&element)?;
        Ok(inner.objects()?.array_bytes_mut(raw as u32)?)
    }

    /// The object, and how its elements are stored, if there is one of that index.
    fn element(&self, store: &StoreInner, index: u32) -> Result<(u32, Storage)> {
        let raw = store.raw_of(self.root())?;
        let element = element(&store.array_type(raw)?);
        let len = store.heap_of_objects()?.array_len(raw as u32)?;
        if index >= len {
            return Err(invalid(format!("the array has {len} elements, none of index {index}")));
        }
        Ok((raw as u32, element))
    }
}

fn must_be_mutable(element: &Storage) -> Result<()> {
    if element.is_mutable { Ok(()) } else { Err(invalid("the elements are immutable".into())) }
}

fn must_be_numbers(element: &Storage) -> Result<()> {
    if !element.is_ref() { Ok(()) } else { Err(invalid("the elements are references".into())) }
}
