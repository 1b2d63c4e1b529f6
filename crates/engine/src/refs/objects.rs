//! What the store does with objects of its heap for the host: making, reading, writing.
//!
//! Values are checked before an object is made, and written after: making it may collect, which
//! moves what the values refer to, and rewrites their handles.

use crate::error::{Error, ErrorKind, Result};
use crate::limits::LimitExceeded;
use crate::store::StoreInner;
use crate::types::{ArrayType, StructType};
use crate::values::Val;
use selkie_module::heap::{I31_TAG, MAX_BYTES, Slot};
use selkie_module::{
    CompositeType, FieldType as RawFieldType, StorageType as RawStorageType, TrapCode, TypeId,
    ValType as RawValType,
};
use selkie_vm::Heap;

/// How a field, an element or a parameter of an exception is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Storage {
    /// From the object's start; of no meaning for elements.
    pub(crate) offset: u32,
    pub(crate) slot: Slot,
    pub(crate) is_mutable: bool,
    /// The type of values that are read and written.
    value: RawValType,
}

impl Storage {
    pub(crate) fn new(offset: u32, slot: Slot, field: RawFieldType) -> Storage {
        let value = match field.storage {
            RawStorageType::I8 | RawStorageType::I16 => RawValType::I32,
            RawStorageType::Val(ty) => ty,
        };
        Storage { offset, slot, is_mutable: field.mutable, value }
    }

    /// Whether what is stored is an address or a reference, which the host must not see.
    pub(crate) fn is_ref(&self) -> bool {
        self.value.is_ref()
    }

    /// Refuses a value that cannot be stored.
    pub(crate) fn check(&self, store: &StoreInner, value: &Val) -> Result<()> {
        if value.matches(store, self.value)? {
            return Ok(());
        }
        Err(invalid(format!("the value is not of type {}", self.value)))
    }

    /// The value of stored bits.
    pub(crate) fn value(&self, store: &mut StoreInner, bits: u128) -> Val {
        Val::from_raw(bits, self.value, store)
    }
}

pub(crate) fn invalid(message: String) -> Error {
    Error::new(ErrorKind::Invalid, message)
}

impl StoreInner {
    /// The heap that objects are in.
    ///
    /// # Errors
    /// There is none: then nothing can refer to an object of it.
    pub(crate) fn heap_of_objects(&self) -> Result<&Heap> {
        self.heap.as_deref().ok_or_else(|| Error::new(ErrorKind::Bug, "an object without a heap"))
    }

    /// The type that an object begins with; id 0 for what is no object.
    pub(crate) fn object_type(&self, raw: u64) -> TypeId {
        let heap = self.heap.as_deref().filter(|_| raw & u64::from(I31_TAG) == 0);
        heap.and_then(|heap| heap.type_of(raw as u32)).unwrap_or(TypeId(0))
    }

    /// The type of a struct.
    pub(crate) fn struct_type(&self, raw: u64) -> Result<StructType> {
        let defined = crate::types::Defined::from_id(&self.engine, self.object_type(raw));
        match defined.composite() {
            CompositeType::Struct(_) => Ok(defined.into()),
            _ => Err(Error::new(ErrorKind::Bug, "a struct of another kind")),
        }
    }

    /// The type of an array.
    pub(crate) fn array_type(&self, raw: u64) -> Result<ArrayType> {
        let defined = crate::types::Defined::from_id(&self.engine, self.object_type(raw));
        match defined.composite() {
            CompositeType::Array(_) => Ok(defined.into()),
            _ => Err(Error::new(ErrorKind::Bug, "an array of another kind")),
        }
    }

    /// Lets `make` make an object, with a heap to make it in.
    ///
    /// # Errors
    /// The heap has no room.
    pub(crate) fn make_object(
        &mut self,
        make: impl FnOnce(&mut StoreInner) -> Result<u64, TrapCode>,
    ) -> Result<u64> {
        self.ensure_heap()?;
        make(self).map_err(|code| match code {
            TrapCode::AllocationTooLarge => {
                let limit_bytes = self.limits.gc_heap_bytes.min(MAX_BYTES);
                LimitExceeded::Heap { limit_bytes }.into()
            }
            other => other.into(),
        })
    }

    /// A field of a struct, or a parameter of an exception.
    pub(crate) fn read_field(&mut self, raw: u64, storage: &Storage) -> Result<Val> {
        let bits = self.heap_of_objects()?.load(raw as u32, storage.offset, storage.slot)?;
        Ok(storage.value(self, bits))
    }

    /// Writes bits of a value that has been checked.
    pub(crate) fn write_field(&mut self, raw: u64, storage: &Storage, bits: u128) -> Result<()> {
        Ok(self.objects()?.store(raw as u32, storage.offset, storage.slot, bits)?)
    }
}
