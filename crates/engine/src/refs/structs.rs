//! `StructRef`: structs of the collected heap (spec: exec/values, structure instances).

use super::objects::{Storage, invalid};
use super::{GcRef, StructRef};
use crate::error::Result;
use crate::roots::Rooted;
use crate::store::{AsContext, AsContextMut, StoreContextMut, StoreId, StoreInner};
use crate::types::StructType;
use crate::values::Val;
use selkie_module::heap::ObjectLayout;

/// What making structs of one type in one store needs to know, found out once.
///
/// ```
/// use selkie_engine::{Engine, FieldType, Mutability, Store, StructRef, StructRefPre, StructType};
/// use selkie_engine::{RootScope, Val, ValType};
/// let engine = Engine::default();
/// let pair = [ValType::I32, ValType::F64].map(|ty| FieldType::new(Mutability::Const, ty));
/// let mut store = Store::new(&engine, ());
/// let pairs = StructRefPre::new(&mut store, StructType::new(&engine, pair)?);
/// for i in 0..100 {
///     let mut scope = RootScope::new(&mut store);
///     let pair = StructRef::new(&mut scope, &pairs, &[Val::I32(i), Val::from(0.5)])?;
///     assert_eq!(pair.field(&mut scope, 0)?.i32(), Some(i));
/// }
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct StructRefPre {
    store: StoreId,
    ty: StructType,
    storages: Box<[Storage]>,
}

impl StructRefPre {
    /// For structs of a type, which must be one of the store's engine.
    pub fn new(mut store: impl AsContextMut, ty: StructType) -> StructRefPre {
        let store = store.as_context_mut().inner().id;
        let storages = storages(&ty);
        StructRefPre { store, ty, storages }
    }

    /// The type.
    pub fn ty(&self) -> &StructType {
        &self.ty
    }
}

/// How the fields of a type are stored.
fn storages(ty: &StructType) -> Box<[Storage]> {
    let types = ty.engine().types();
    let layout = ObjectLayout::of_struct(ty.raw(), |heap| types.heap_top(heap));
    let places = layout.fields.iter().zip(ty.raw());
    places.map(|((offset, slot), field)| Storage::new(*offset, *slot, *field)).collect()
}

impl StructRef {
    /// A new struct of these fields.
    ///
    /// # Errors
    /// The type belongs to another engine, or `pre` to another store; there are more or fewer
    /// fields than the type has, or one is not of its type; the heap has no room.
    pub fn new(
        mut store: impl AsContextMut,
        pre: &StructRefPre,
        fields: &[Val],
    ) -> Result<Rooted<StructRef>> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        inner.check(pre.store)?;
        pre.ty.defined().check_engine(&inner.engine)?;
        if fields.len() != pre.storages.len() {
            let (has, given) = (pre.storages.len(), fields.len());
            return Err(invalid(format!("the struct has {has} fields, {given} were given")));
        }
        for (index, (value, storage)) in fields.iter().zip(&pre.storages).enumerate() {
            storage.check(inner, value).map_err(|e| e.context(format!("field {index}")))?;
        }
        let ty = pre.ty.defined().id();
        let made = inner.make_object(|store| store.alloc_struct(ty).map(u64::from))?;
        // Making it may have moved what the fields refer to.
        for (value, storage) in fields.iter().zip(&pre.storages) {
            let bits = value.to_raw(inner)?;
            inner.write_field(made, storage, bits)?;
        }
        Ok(inner.root(made))
    }

    /// Its type.
    ///
    /// # Errors
    /// The reference's scope has ended, or it belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> Result<StructType> {
        let context = store.as_context();
        let inner = context.inner();
        inner.struct_type(inner.raw_of(self.root())?)
    }

    /// Whether it is of a type.
    ///
    /// # Errors
    /// The reference's scope has ended, or it belongs to another store, or the type to another
    /// engine.
    pub fn matches_ty(&self, store: impl AsContext, ty: &StructType) -> Result<bool> {
        let own = self.ty(&store)?;
        ty.defined().check_engine(&store.as_context().inner().engine)?;
        Ok(own.matches(ty))
    }

    /// A field. Packed integers are extended by zeros; a reference is rooted in the innermost scope.
    ///
    /// # Errors
    /// There is no such field; the reference's scope has ended, or it belongs to another store.
    pub fn field(&self, mut store: impl AsContextMut, index: usize) -> Result<Val> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        let (raw, storage) = self.storage(inner, index)?;
        inner.read_field(raw, &storage)
    }

    /// Writes a field. Of a packed integer the low bits are kept.
    ///
    /// # Errors
    /// There is no such field, or it is immutable; the value is not of its type; the reference's
    /// scope has ended, or it belongs to another store.
    pub fn set_field(&self, mut store: impl AsContextMut, index: usize, value: Val) -> Result<()> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        let (raw, storage) = self.storage(inner, index)?;
        if !storage.is_mutable {
            return Err(invalid(format!("field {index} is immutable")));
        }
        storage.check(inner, &value).map_err(|e| e.context(format!("field {index}")))?;
        let bits = value.to_raw(inner)?;
        inner.write_field(raw, &storage, bits)
    }

    /// All fields, each as [`StructRef::field`] answers it.
    ///
    /// # Errors
    /// The reference's scope has ended, or it belongs to another store.
    pub fn fields<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> Result<impl ExactSizeIterator<Item = Val> + 'a> {
        let inner = store.into().into_inner();
        let raw = inner.raw_of(self.root())?;
        let storages = storages(&inner.struct_type(raw)?).into_vec();
        // The store is borrowed, so nothing moves in between.
        Ok(storages.into_iter().map(move |storage| {
            inner.read_field(raw, &storage).expect("the object has the fields of its type")
        }))
    }

    /// The object, and how its field of that index is stored.
    fn storage(&self, store: &StoreInner, index: usize) -> Result<(u64, Storage)> {
        let raw = store.raw_of(self.root())?;
        let ty = store.struct_type(raw)?;
        let fields = ty.raw();
        let Some(wanted) = fields.get(..=index) else {
            let has = fields.len();
            return Err(invalid(format!("the struct has {has} fields, none of index {index}")));
        };
        // A field's place depends on those before it alone.
        let types = store.engine.types();
        let layout = ObjectLayout::of_struct(wanted, |heap| types.heap_top(heap));
        let (offset, slot) = layout.fields[index];
        Ok((raw, Storage::new(offset, slot, wanted[index])))
    }
}
