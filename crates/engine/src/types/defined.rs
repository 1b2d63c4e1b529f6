//! Defined types: functions, structs, arrays, continuations (spec: syntax/types, composite types).
//!
//! A handle knows its engine. Two handles are equal exactly when they are the same type of the same
//! engine; one of another engine matches nothing and is refused where it would be used.

use super::{FieldType, ValType};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use selkie_module::{
    CompositeType, FieldType as RawFieldType, FuncType as RawFuncType, SubType, TypeId, TypeRef,
};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Whether a type may have subtypes.
///
/// ```
/// use selkie_engine::{Engine, Finality, FuncType};
/// let engine = Engine::default();
/// let open = FuncType::with_finality_and_supertype(&engine, Finality::NonFinal, None, [], [])?;
/// let below = FuncType::with_finality_and_supertype(&engine, Finality::Final, Some(&open), [], [])?;
/// assert!(below.matches(&open));
/// let below = Some(&below);
/// assert!(FuncType::with_finality_and_supertype(&engine, Finality::Final, below, [], []).is_err());
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finality {
    /// It may not.
    Final,
    /// It may.
    NonFinal,
}

/// What the handles have in common.
#[derive(Clone)]
pub(crate) struct Defined {
    engine: Engine,
    id: TypeId,
    ty: Arc<SubType>,
}

/// Supertypes above a type at most (spec: appendix/implementation).
const MAX_SUPERTYPES: usize = 63;
/// Fields of a struct at most, as in modules.
const MAX_FIELDS: usize = 10_000;

impl Defined {
    pub(crate) fn from_id(engine: &Engine, id: TypeId) -> Defined {
        Defined { engine: engine.clone(), id, ty: engine.defined_type(id) }
    }

    fn register(
        engine: &Engine,
        finality: Finality,
        supertype: Option<&Defined>,
        composite: CompositeType,
    ) -> Result<Defined> {
        if let Some(supertype) = supertype {
            check_supertype(engine, supertype, &composite)?;
        }
        let id = engine.register_type(SubType {
            is_final: finality == Finality::Final,
            supertype: supertype.map(|ty| TypeRef::Engine(ty.id)),
            ..SubType::new(composite)
        })?;
        Ok(Defined::from_id(engine, id))
    }

    pub(crate) fn id(&self) -> TypeId {
        self.id
    }

    pub(crate) fn composite(&self) -> &CompositeType {
        &self.ty.composite
    }

    pub(crate) fn sub_type(&self) -> &SubType {
        &self.ty
    }

    pub(crate) fn written(&self) -> TypeRef {
        TypeRef::Engine(self.id)
    }

    /// Whether threads may share its values.
    pub(crate) fn is_shared(&self) -> bool {
        self.ty.is_shared
    }

    pub(crate) fn check_engine(&self, engine: &Engine) -> Result<()> {
        if Engine::same(&self.engine, engine) { Ok(()) } else { Err(other_engine()) }
    }

    fn finality(&self) -> Finality {
        if self.ty.is_final { Finality::Final } else { Finality::NonFinal }
    }

    fn supertype(&self) -> Option<Defined> {
        match self.ty.supertype {
            Some(TypeRef::Engine(id)) => Some(Defined::from_id(&self.engine, id)),
            _ => None,
        }
    }

    fn matches(&self, other: &Defined) -> bool {
        Engine::same(&self.engine, &other.engine)
            && (self.id == other.id || self.engine.types().is_subtype(self.id, other.id))
    }
}

/// spec: valid/types, subtypes
fn check_supertype(engine: &Engine, supertype: &Defined, composite: &CompositeType) -> Result<()> {
    supertype.check_engine(engine)?;
    if supertype.ty.is_final {
        let message = "the supertype is final; make it with `Finality::NonFinal`";
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    if supertype.ty.descriptor.is_some() || supertype.ty.describes.is_some() {
        let message = "only modules make types below those with descriptors, and below descriptors";
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    if supertype.ty.is_shared {
        let message = "only modules make types below shared ones";
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    let types = engine.types();
    if types.display(supertype.id).len() > MAX_SUPERTYPES {
        let message = format!("a type has at most {MAX_SUPERTYPES} supertypes");
        return Err(Error::new(ErrorKind::Limit, message));
    }
    if !types.composite_matches(composite, supertype.composite()) {
        let message = "the type does not match its supertype";
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    Ok(())
}

#[cold]
fn other_engine() -> Error {
    let message = "a type was used with an engine it does not belong to";
    Error::new(ErrorKind::Invalid, message)
}

impl PartialEq for Defined {
    fn eq(&self, other: &Defined) -> bool {
        self.id == other.id && Engine::same(&self.engine, &other.engine)
    }
}

impl Eq for Defined {}

impl Hash for Defined {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

macro_rules! defined_types {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $name(Defined);

        impl $name {
            /// The engine it belongs to.
            pub fn engine(&self) -> &Engine {
                &self.0.engine
            }

            /// Whether it may have subtypes.
            pub fn finality(&self) -> Finality {
                self.0.finality()
            }

            /// The type it was declared below.
            pub fn supertype(&self) -> Option<$name> {
                self.0.supertype().map($name)
            }

            /// Whether it is `other` or was declared below it.
            pub fn matches(&self, other: &$name) -> bool {
                self.0.matches(&other.0)
            }

            pub(crate) fn defined(&self) -> &Defined {
                &self.0
            }
        }

        impl From<Defined> for $name {
            fn from(defined: Defined) -> $name {
                $name(defined)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}#{} {self}", stringify!($name), self.0.id.0)
            }
        }
    )*};
}

defined_types! {
    /// The type of a function.
    ///
    /// ```
    /// use selkie_engine::{Engine, FuncType, ValType};
    /// let ty = FuncType::new(&Engine::default(), [ValType::I32], [ValType::I64]);
    /// assert_eq!(ty.param(0), Some(ValType::I32));
    /// assert_eq!(ty.results().len(), 1);
    /// assert_eq!(ty.to_string(), "(i32) -> (i64)");
    /// ```
    FuncType;

    /// The type of a struct.
    ///
    /// ```
    /// use selkie_engine::{Engine, FieldType, Finality, Mutability, StorageType, StructType, ValType};
    /// let engine = Engine::default();
    /// let x = FieldType::new(Mutability::Const, StorageType::ValType(ValType::F64));
    /// let point = StructType::with_finality_and_supertype(&engine, Finality::NonFinal, None, [x.clone()])?;
    /// let wider = StructType::with_finality_and_supertype(
    ///     &engine, Finality::Final, Some(&point), [x.clone(), x])?;
    /// assert!(wider.matches(&point) && !point.matches(&wider));
    /// assert_eq!(point.to_string(), "(struct f64)");
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    StructType;

    /// The type of an array.
    ///
    /// ```
    /// use selkie_engine::{ArrayType, Engine, FieldType, Mutability, StorageType};
    /// let ty = ArrayType::new(&Engine::default(), FieldType::new(Mutability::Var, StorageType::I16))?;
    /// assert_eq!(ty.element_type(), StorageType::I16);
    /// assert_eq!(ty.to_string(), "(array (mut i16))");
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    ArrayType;

    /// The type of a continuation. Modules define such types; the host reads them from imports,
    /// exports and values.
    ///
    /// ```
    /// use selkie_engine::{Config, Engine, ExternType, Module};
    /// let mut config = Config::new();
    /// config.wasm_stack_switching(true);
    /// let module = Module::new(&Engine::new(&config)?, r#"(module
    ///     (type $f (func (param i32)))
    ///     (type $c (cont $f))
    ///     (global (export "c") (ref null $c) (ref.null $c)))"#)?;
    /// let Some(ExternType::Global(ty)) = module.get_export("c") else { panic!() };
    /// let reference = ty.content.as_ref().expect("a reference");
    /// let ty = reference.heap_type().as_concrete_cont().expect("to a continuation");
    /// assert_eq!(ty.func_type().to_string(), "(i32) -> ()");
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    ContType;
}

impl FuncType {
    /// A final function type.
    ///
    /// # Panics
    /// Where [`FuncType::try_new`] would be an error.
    pub fn new(
        engine: &Engine,
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> FuncType {
        match FuncType::try_new(engine, params, results) {
            Ok(ty) => ty,
            Err(error) => panic!("{error}"),
        }
    }

    /// A final function type.
    ///
    /// # Errors
    /// A type in it belongs to another engine; the engine knows too many types.
    pub fn try_new(
        engine: &Engine,
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> Result<FuncType> {
        FuncType::with_finality_and_supertype(engine, Finality::Final, None, params, results)
    }

    /// A function type with a place among others.
    ///
    /// # Errors
    /// As [`FuncType::try_new`]; the supertype is final or does not match.
    pub fn with_finality_and_supertype(
        engine: &Engine,
        finality: Finality,
        supertype: Option<&FuncType>,
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> Result<FuncType> {
        let ty = RawFuncType {
            params: params.into_iter().map(|ty| ty.to_raw(engine)).collect::<Result<_>>()?,
            results: results.into_iter().map(|ty| ty.to_raw(engine)).collect::<Result<_>>()?,
        };
        let supertype = supertype.map(FuncType::defined);
        Ok(FuncType(Defined::register(engine, finality, supertype, CompositeType::Func(ty))?))
    }

    /// The type of these, whose references are canonical in `engine`.
    ///
    /// # Errors
    /// The engine knows too many types.
    pub(crate) fn from_raw(engine: &Engine, ty: RawFuncType) -> Result<FuncType> {
        let composite = CompositeType::Func(ty);
        Ok(FuncType(Defined::register(engine, Finality::Final, None, composite)?))
    }

    /// The type of a function by its id.
    pub(crate) fn from_id(engine: &Engine, id: TypeId) -> FuncType {
        FuncType(Defined::from_id(engine, id))
    }

    /// The same type for `engine`: another engine's is made again where nothing in it keeps it
    /// there.
    ///
    /// # Errors
    /// The type is of another engine and names defined types.
    pub(crate) fn in_engine(&self, engine: &Engine) -> Result<FuncType> {
        if self.0.check_engine(engine).is_ok() {
            return Ok(self.clone());
        }
        if self.finality() == Finality::NonFinal || self.supertype().is_some() {
            return Err(other_engine());
        }
        FuncType::try_new(engine, self.params(), self.results())
    }

    /// Parameter types.
    pub fn params(&self) -> impl ExactSizeIterator<Item = ValType> + '_ {
        self.raw().params.iter().map(|ty| ValType::from_raw(&self.0.engine, *ty))
    }

    /// The type of a parameter.
    pub fn param(&self, index: usize) -> Option<ValType> {
        self.params().nth(index)
    }

    /// Result types.
    pub fn results(&self) -> impl ExactSizeIterator<Item = ValType> + '_ {
        self.raw().results.iter().map(|ty| ValType::from_raw(&self.0.engine, *ty))
    }

    /// The type of a result.
    pub fn result(&self, index: usize) -> Option<ValType> {
        self.results().nth(index)
    }

    pub(crate) fn id(&self) -> TypeId {
        self.0.id
    }

    pub(crate) fn raw(&self) -> &RawFuncType {
        self.0.ty.as_func().expect("handles of function types are made for function types only")
    }
}

impl StructType {
    /// A final struct type.
    ///
    /// # Errors
    /// A type in it belongs to another engine; it has more than 10,000 fields; the engine knows
    /// too many types.
    pub fn new(engine: &Engine, fields: impl IntoIterator<Item = FieldType>) -> Result<StructType> {
        StructType::with_finality_and_supertype(engine, Finality::Final, None, fields)
    }

    /// A struct type with a place among others.
    ///
    /// # Errors
    /// As [`StructType::new`]; the supertype is final or does not match.
    pub fn with_finality_and_supertype(
        engine: &Engine,
        finality: Finality,
        supertype: Option<&StructType>,
        fields: impl IntoIterator<Item = FieldType>,
    ) -> Result<StructType> {
        let fields: Vec<RawFieldType> = fields
            .into_iter()
            .take(MAX_FIELDS + 1)
            .map(|ty| ty.to_raw(engine))
            .collect::<Result<_>>()?;
        if fields.len() > MAX_FIELDS {
            let message = format!("a struct has at most {MAX_FIELDS} fields");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let supertype = supertype.map(StructType::defined);
        let composite = CompositeType::Struct(fields.into());
        Ok(StructType(Defined::register(engine, finality, supertype, composite)?))
    }

    /// Its fields.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = FieldType> + '_ {
        self.raw().iter().map(|ty| FieldType::from_raw(&self.0.engine, *ty))
    }

    /// A field.
    pub fn field(&self, index: usize) -> Option<FieldType> {
        self.fields().nth(index)
    }

    pub(crate) fn raw(&self) -> &[RawFieldType] {
        if let CompositeType::Struct(fields) = &self.0.ty.composite { fields } else { &[] }
    }
}

impl ArrayType {
    /// A final array type.
    ///
    /// # Errors
    /// The element's type belongs to another engine; the engine knows too many types.
    pub fn new(engine: &Engine, element: FieldType) -> Result<ArrayType> {
        ArrayType::with_finality_and_supertype(engine, Finality::Final, None, element)
    }

    /// An array type with a place among others.
    ///
    /// # Errors
    /// As [`ArrayType::new`]; the supertype is final or does not match.
    pub fn with_finality_and_supertype(
        engine: &Engine,
        finality: Finality,
        supertype: Option<&ArrayType>,
        element: FieldType,
    ) -> Result<ArrayType> {
        let composite = CompositeType::Array(element.to_raw(engine)?);
        let supertype = supertype.map(ArrayType::defined);
        Ok(ArrayType(Defined::register(engine, finality, supertype, composite)?))
    }

    /// The element as a field: what is stored, and whether it can be written.
    pub fn field_type(&self) -> FieldType {
        FieldType::from_raw(&self.0.engine, self.raw())
    }

    /// What an element stores.
    pub fn element_type(&self) -> super::StorageType {
        self.field_type().element_type().clone()
    }

    /// Whether elements can be written.
    pub fn mutability(&self) -> super::Mutability {
        self.field_type().mutability()
    }

    pub(crate) fn raw(&self) -> RawFieldType {
        let CompositeType::Array(element) = self.0.ty.composite else {
            unreachable!("handles of array types are made for array types only")
        };
        element
    }
}

impl ContType {
    /// The type of the function that is suspended.
    pub fn func_type(&self) -> FuncType {
        match self.0.ty.composite {
            CompositeType::Cont(TypeRef::Engine(id)) => FuncType::from_id(&self.0.engine, id),
            _ => unreachable!("handles of continuation types are made for such types only"),
        }
    }
}

impl fmt::Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.raw().fmt(f)
    }
}

impl fmt::Display for StructType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(struct")?;
        self.fields().try_for_each(|field| write!(f, " {field}"))?;
        f.write_str(")")
    }
}

impl fmt::Display for ArrayType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(array {})", self.field_type())
    }
}

impl fmt::Display for ContType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(cont {})", self.func_type())
    }
}
