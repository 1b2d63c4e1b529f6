//! What structs and arrays store (spec: syntax/types, aggregate types).

use super::ValType;
use crate::engine::Engine;
use crate::error::Result;
use selkie_module::{FieldType as RawFieldType, StorageType as RawStorageType};
use std::fmt;

/// Whether something can be written after it was made: a field, the elements of an array, a
/// global.
///
/// ```
/// use selkie_engine::{ArrayType, Engine, FieldType, Mutability, StorageType};
/// let engine = Engine::default();
/// let [constant, variable] = [Mutability::Const, Mutability::Var]
///     .map(|mutability| FieldType::new(mutability, StorageType::I8));
/// assert!(ArrayType::new(&engine, variable.clone())?.mutability().is_var());
/// assert!(!constant.matches(&variable) && !variable.matches(&constant));
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mutability {
    /// It cannot.
    Const,
    /// It can.
    Var,
}

impl Mutability {
    /// Whether it can be written.
    pub fn is_var(self) -> bool {
        self == Mutability::Var
    }

    pub(crate) fn from_raw(mutable: bool) -> Mutability {
        if mutable { Mutability::Var } else { Mutability::Const }
    }
}

/// What a field or element stores: a value, or an integer of which only the low bits are kept.
///
/// ```
/// use selkie_engine::{StorageType, ValType};
/// assert_eq!(StorageType::I8.unpack(), ValType::I32);
/// assert_eq!(StorageType::from(ValType::F32).unpack(), ValType::F32);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StorageType {
    /// Eight bits of an `i32`.
    I8,
    /// Sixteen bits of an `i32`.
    I16,
    /// A whole value.
    ValType(ValType),
}

impl StorageType {
    /// The type of the value that is read and written.
    pub fn unpack(&self) -> ValType {
        match self {
            StorageType::I8 | StorageType::I16 => ValType::I32,
            StorageType::ValType(ty) => ty.clone(),
        }
    }

    /// The value type, if a whole value is stored.
    pub fn as_val_type(&self) -> Option<&ValType> {
        if let StorageType::ValType(ty) = self { Some(ty) } else { None }
    }

    /// Whether everything stored as this may be read as `other` (spec: valid/matching).
    pub fn matches(&self, other: &StorageType) -> bool {
        match (self, other) {
            (StorageType::ValType(a), StorageType::ValType(b)) => a.matches(b),
            (a, b) => a == b,
        }
    }
}

impl From<ValType> for StorageType {
    fn from(ty: ValType) -> StorageType {
        StorageType::ValType(ty)
    }
}

/// A field of a struct, or the elements of an array.
///
/// ```
/// use selkie_engine::{FieldType, Mutability, ValType};
/// let field = FieldType::new(Mutability::Var, ValType::I64);
/// assert!(field.mutability().is_var());
/// assert_eq!(field.to_string(), "(mut i64)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldType {
    mutability: Mutability,
    storage: StorageType,
}

impl FieldType {
    /// A field that stores this.
    pub fn new(mutability: Mutability, storage: impl Into<StorageType>) -> FieldType {
        FieldType { mutability, storage: storage.into() }
    }

    /// Whether it can be written.
    pub fn mutability(&self) -> Mutability {
        self.mutability
    }

    /// What it stores.
    pub fn element_type(&self) -> &StorageType {
        &self.storage
    }

    /// Whether a subtype may have this field where its supertype has `other` (spec:
    /// valid/matching): what can be written must be of the same type.
    pub fn matches(&self, other: &FieldType) -> bool {
        let is_var = self.mutability.is_var() || other.mutability.is_var();
        if is_var { self == other } else { self.storage.matches(&other.storage) }
    }

    pub(crate) fn from_raw(engine: &Engine, raw: RawFieldType) -> FieldType {
        let storage = match raw.storage {
            RawStorageType::I8 => StorageType::I8,
            RawStorageType::I16 => StorageType::I16,
            RawStorageType::Val(ty) => StorageType::ValType(ValType::from_raw(engine, ty)),
        };
        FieldType { mutability: Mutability::from_raw(raw.mutable), storage }
    }

    pub(crate) fn to_raw(&self, engine: &Engine) -> Result<RawFieldType> {
        let storage = match &self.storage {
            StorageType::I8 => RawStorageType::I8,
            StorageType::I16 => RawStorageType::I16,
            StorageType::ValType(ty) => RawStorageType::Val(ty.to_raw(engine)?),
        };
        Ok(RawFieldType { storage, mutable: self.mutability.is_var() })
    }
}

impl fmt::Display for StorageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StorageType::I8 => f.write_str("i8"),
            StorageType::I16 => f.write_str("i16"),
            StorageType::ValType(ty) => ty.fmt(f),
        }
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mutability {
            Mutability::Const => self.storage.fmt(f),
            Mutability::Var => write!(f, "(mut {})", self.storage),
        }
    }
}
