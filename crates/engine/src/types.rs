//! Types as embedders see them: canonical in an engine.

use crate::engine::Engine;
use selkie_module::{EntityType, FuncType as RawFuncType, TypeId};
pub use selkie_module::{
    GlobalType, HeapType, IndexType, Limits, MemoryType, RefType, TableType, ValType,
};

/// The type of a function, canonical in its engine.
///
/// ```
/// use selkie_engine::{Engine, FuncType, ValType};
/// let ty = FuncType::new(&Engine::default(), [ValType::I32], [ValType::I64]);
/// assert_eq!(ty.params(), &[ValType::I32]);
/// ```
#[derive(Clone, Debug)]
pub struct FuncType {
    pub(crate) id: TypeId,
    ty: RawFuncType,
}

impl FuncType {
    /// A function type. Concrete reference types in it must be canonical types of `engine`.
    pub fn new(
        engine: &Engine,
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> FuncType {
        let ty = RawFuncType {
            params: params.into_iter().collect(),
            results: results.into_iter().collect(),
        };
        FuncType { id: engine.register_func_type(&ty), ty }
    }

    pub(crate) fn from_id(engine: &Engine, id: TypeId) -> FuncType {
        FuncType { id, ty: engine.func_type(id) }
    }

    /// Parameter types.
    pub fn params(&self) -> &[ValType] {
        &self.ty.params
    }

    /// Result types.
    pub fn results(&self) -> &[ValType] {
        &self.ty.results
    }

    pub(crate) fn raw(&self) -> &RawFuncType {
        &self.ty
    }
}

impl PartialEq for FuncType {
    fn eq(&self, other: &FuncType) -> bool {
        self.ty == other.ty
    }
}

impl std::fmt::Display for FuncType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.ty.fmt(f)
    }
}

/// The type of an import or export.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // the variants are the specification's words
pub enum ExternType {
    Func(FuncType),
    Table(TableType),
    Memory(MemoryType),
    Global(GlobalType),
    Tag(FuncType),
}

impl ExternType {
    pub(crate) fn from_entity(engine: &Engine, ty: EntityType) -> ExternType {
        let func = |r| match r {
            selkie_module::TypeRef::Engine(id) => FuncType::from_id(engine, id),
            _ => FuncType::new(engine, [], []),
        };
        match ty {
            EntityType::Func(r) => ExternType::Func(func(r)),
            EntityType::Tag(r) => ExternType::Tag(func(r)),
            EntityType::Table(t) => ExternType::Table(t),
            EntityType::Memory(m) => ExternType::Memory(m),
            EntityType::Global(g) => ExternType::Global(g),
        }
    }
}

impl std::fmt::Display for ExternType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let max = |max: Option<u64>| max.map_or(String::new(), |max| format!(" {max}"));
        match self {
            ExternType::Func(ty) => write!(f, "func {ty}"),
            ExternType::Tag(ty) => write!(f, "tag {ty}"),
            ExternType::Table(ty) => {
                write!(f, "table {}{} {}", ty.limits.min, max(ty.limits.max), ty.element)
            }
            ExternType::Memory(ty) => {
                let index = if ty.index == IndexType::I64 { "i64 " } else { "" };
                write!(f, "memory {index}{}{}", ty.limits.min, max(ty.limits.max))?;
                if ty.shared {
                    f.write_str(" shared")?;
                }
                match ty.page_size_log2 {
                    16 => Ok(()),
                    log2 => write!(f, " (pagesize {})", 1u64 << log2),
                }
            }
            ExternType::Global(ty) if ty.mutable => write!(f, "global (mut {})", ty.content),
            ExternType::Global(ty) => write!(f, "global {}", ty.content),
        }
    }
}

/// An import of a module.
///
/// ```
/// use selkie_engine::{Engine, Module};
/// let module = Module::new(&Engine::default(), r#"(module (import "env" "memory" (memory 1 4)))"#)?;
/// let import = module.imports().next().expect("there is one");
/// assert_eq!((import.module(), import.name()), ("env", "memory"));
/// assert_eq!(import.ty().to_string(), "memory 1 4");
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ImportType<'m> {
    pub(crate) module: &'m str,
    pub(crate) name: &'m str,
    pub(crate) ty: ExternType,
}

impl<'m> ImportType<'m> {
    /// The module half of the name.
    pub fn module(&self) -> &'m str {
        self.module
    }

    /// The item half of the name.
    pub fn name(&self) -> &'m str {
        self.name
    }

    /// What is wanted.
    pub fn ty(&self) -> &ExternType {
        &self.ty
    }
}

/// An export of a module.
///
/// ```
/// use selkie_engine::{Engine, Module};
/// let module = Module::new(&Engine::default(), r#"(module (func (export "run") (param i32)))"#)?;
/// let exports: Vec<_> = module.exports().map(|e| format!("{}: {}", e.name(), e.ty())).collect();
/// assert_eq!(exports, ["run: func (i32) -> ()"]);
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ExportType<'m> {
    pub(crate) name: &'m str,
    pub(crate) ty: ExternType,
}

impl<'m> ExportType<'m> {
    /// Its name.
    pub fn name(&self) -> &'m str {
        self.name
    }

    /// What it is.
    pub fn ty(&self) -> &ExternType {
        &self.ty
    }
}
