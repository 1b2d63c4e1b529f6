//! `StructRef`: structs of the collected heap (spec: exec/values, structure instances).

use super::objects::{Storage, invalid};
use super::{GcRef, StructRef};
use crate::error::Result;
use crate::roots::Rooted;
use crate::store::{AsContext, AsContextMut, StoreContextMut, StoreId, StoreInner};
use crate::types::StructType;
use crate::values::Val;
use selkie_module::heap::Slot;
use selkie_module::{FieldType, HeapType, RefType, StorageType, ValType};

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
    descriptor: Option<Storage>,
}

impl StructRefPre {
    /// For structs of a type, which must be one of the store's engine: making structs of another
    /// engine's type is an error.
    pub fn new(mut store: impl AsContextMut, ty: StructType) -> StructRefPre {
        let store = store.as_context_mut().inner().id;
        let (storages, descriptor) = storages(&ty);
        StructRefPre { store, ty, storages, descriptor }
    }

    /// The type.
    pub fn ty(&self) -> &StructType {
        &self.ty
    }
}

/// How the fields of a type are stored, and the descriptor of its structs where they have one.
fn storages(ty: &StructType) -> (Box<[Storage]>, Option<Storage>) {
    let types = ty.engine().types();
    let sub_type = ty.defined().sub_type();
    let layout = types.struct_layout(sub_type, ty.raw());
    let places = layout.fields.iter().zip(ty.raw());
    let fields = places.map(|((offset, slot), field)| Storage::new(*offset, *slot, *field));
    let descriptor = layout.descriptor.zip(sub_type.descriptor).map(|(offset, ty)| {
        let exact = RefType { nullable: false, heap: HeapType::Exact(ty) };
        let storage = StorageType::Val(ValType::Ref(exact));
        Storage::new(offset, Slot::Ref, FieldType { storage, mutable: false })
    });
    (fields.collect(), descriptor)
}

impl StructRef {
    /// A new struct of these fields.
    ///
    /// # Errors
    /// The type belongs to another engine, or `pre` to another store; there are more or fewer
    /// fields than the type has, or one is not of its type; structs of the type have descriptors;
    /// the heap has no room.
    pub fn new(
        mut store: impl AsContextMut,
        pre: &StructRefPre,
        fields: &[Val],
    ) -> Result<Rooted<StructRef>> {
        if pre.descriptor.is_some() {
            let message = "structs of the type have descriptors; give one to `with_descriptor`";
            return Err(invalid(message.to_string()));
        }
        make(store.as_context_mut().inner(), pre, fields, None)
    }

    /// A new struct of these fields, of a type whose structs have descriptors (custom descriptors).
    ///
    /// # Errors
    /// As [`StructRef::new`]; the descriptor is not of the very type that the struct's type names,
    /// or it names none.
    pub fn with_descriptor(
        mut store: impl AsContextMut,
        pre: &StructRefPre,
        fields: &[Val],
        descriptor: Rooted<StructRef>,
    ) -> Result<Rooted<StructRef>> {
        let Some(storage) = &pre.descriptor else {
            let message = "structs of the type have no descriptors; make it with `new`";
            return Err(invalid(message.to_string()));
        };
        make(store.as_context_mut().inner(), pre, fields, Some((storage, descriptor.into())))
    }

    /// The struct's descriptor, rooted in the innermost scope, where its type says that there is
    /// one.
    ///
    /// # Errors
    /// The reference's scope has ended, or it belongs to another store.
    pub fn descriptor(&self, mut store: impl AsContextMut) -> Result<Option<Rooted<StructRef>>> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        let raw = inner.raw_of(self.root())?;
        let Some(storage) = storages(&inner.struct_type(raw)?).1 else { return Ok(None) };
        let bits = inner.heap_of_objects()?.load(raw as u32, storage.offset, storage.slot)?;
        Ok(Some(inner.root(bits as u64)))
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
        let storages = storages(&inner.struct_type(raw)?).0.into_vec();
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
        let layout = types.struct_layout(ty.defined().sub_type(), wanted);
        let (offset, slot) = layout.fields[index];
        Ok((raw, Storage::new(offset, slot, wanted[index])))
    }
}

/// A new struct of these fields, and of this descriptor.
fn make(
    store: &mut StoreInner,
    pre: &StructRefPre,
    fields: &[Val],
    descriptor: Option<(&Storage, Val)>,
) -> Result<Rooted<StructRef>> {
    store.check(pre.store)?;
    pre.ty.defined().check_engine(&store.engine)?;
    if fields.len() != pre.storages.len() {
        let (has, given) = (pre.storages.len(), fields.len());
        return Err(invalid(format!("the struct has {has} fields, {given} were given")));
    }
    for (index, (value, storage)) in fields.iter().zip(&pre.storages).enumerate() {
        storage.check(store, value).map_err(|e| e.context(format!("field {index}")))?;
    }
    if let Some((storage, value)) = &descriptor {
        storage.check(store, value).map_err(|e| e.context("the descriptor"))?;
    }
    let ty = pre.ty.defined().id();
    let made = store.make_object(|store| store.alloc_struct(ty).map(u64::from))?;
    // Making it may have moved what the fields refer to.
    let fields = fields.iter().zip(&pre.storages);
    let descriptor = descriptor.as_ref().map(|(storage, value)| (value, *storage));
    for (value, storage) in fields.chain(descriptor) {
        let bits = value.to_raw(store)?;
        store.write_field(made, storage, bits)?;
    }
    Ok(store.root(made))
}
