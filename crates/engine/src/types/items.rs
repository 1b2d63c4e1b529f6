//! Types of what is imported and exported (spec: syntax/types, external types).

use super::{FuncType, Mutability, RefType, ValType};
use crate::engine::Engine;
use crate::error::Result;
use selkie_module::{
    EntityType, GlobalType as RawGlobalType, IndexType, Limits, MemoryType,
    TableType as RawTableType, TypeRef,
};

/// The type of a table.
///
/// ```
/// use selkie_engine::{Engine, RefType, Store, Table, TableType, Val};
/// let mut store = Store::new(&Engine::default(), ());
/// let table = Table::new(&mut store, TableType::new(RefType::ANYREF, 1, Some(3)), Val::AnyRef(None))?;
/// table.grow(&mut store, 2, Val::AnyRef(None))?;
/// assert_eq!(table.ty(&store), TableType::new(RefType::ANYREF, 3, Some(3)));
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TableType {
    /// What elements are.
    pub element: RefType,
    /// Elements at least and at most.
    pub limits: Limits,
    /// `i32` or `i64` indices.
    pub index: IndexType,
    /// Whether the table may be shared between threads.
    pub shared: bool,
}

impl TableType {
    /// A table with 32-bit indices, not shared: `min` elements, at most `max`.
    pub fn new(element: RefType, min: u32, max: Option<u32>) -> TableType {
        let limits = Limits { min: min.into(), max: max.map(u64::from) };
        TableType { element, limits, index: IndexType::I32, shared: false }
    }

    pub(crate) fn from_raw(engine: &Engine, raw: RawTableType) -> TableType {
        let RawTableType { element, limits, index, shared } = raw;
        TableType { element: RefType::from_raw(engine, element), limits, index, shared }
    }

    pub(crate) fn to_raw(&self, engine: &Engine) -> Result<RawTableType> {
        let TableType { ref element, limits, index, shared } = *self;
        Ok(RawTableType { element: element.to_raw(engine)?, limits, index, shared })
    }
}

/// The type of a global.
///
/// ```
/// use selkie_engine::{Engine, Error, ExternType, GlobalType, Module, Mutability, ValType};
/// let module = Module::new(&Engine::default(), r#"(module
///     (global (export "counter") (mut i64) (i64.const 0)))"#)?;
/// let ty = GlobalType::new(ValType::I64, Mutability::Var);
/// assert_eq!(module.get_export("counter"), Some(ExternType::Global(ty)));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GlobalType {
    /// What it holds.
    pub content: ValType,
    /// Whether it can be written.
    pub mutability: Mutability,
    /// Whether the global may be shared between threads.
    pub shared: bool,
}

impl GlobalType {
    /// A global of one thread.
    pub fn new(content: ValType, mutability: Mutability) -> GlobalType {
        GlobalType { content, mutability, shared: false }
    }

    pub(crate) fn from_raw(engine: &Engine, raw: RawGlobalType) -> GlobalType {
        GlobalType {
            content: ValType::from_raw(engine, raw.content),
            mutability: Mutability::from_raw(raw.mutable),
            shared: raw.shared,
        }
    }

    pub(crate) fn to_raw(&self, engine: &Engine) -> Result<RawGlobalType> {
        let content = self.content.to_raw(engine)?;
        Ok(RawGlobalType { content, mutable: self.mutability.is_var(), shared: self.shared })
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
            TypeRef::Engine(id) => FuncType::from_id(engine, id),
            _ => FuncType::new(engine, [], []),
        };
        match ty {
            EntityType::Func(r) | EntityType::ExactFunc(r) => ExternType::Func(func(r)),
            EntityType::Tag(r) => ExternType::Tag(func(r)),
            EntityType::Table(t) => ExternType::Table(TableType::from_raw(engine, t)),
            EntityType::Memory(m) => ExternType::Memory(m),
            EntityType::Global(g) => ExternType::Global(GlobalType::from_raw(engine, g)),
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
                let shared = if ty.shared { "shared " } else { "" };
                let index = if ty.index == IndexType::I64 { "i64 " } else { "" };
                let Limits { min, max: at_most } = ty.limits;
                write!(f, "table {shared}{index}{min}{} {}", max(at_most), ty.element)
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
            ExternType::Global(ty) => {
                let content = &ty.content;
                match (ty.shared, ty.mutability.is_var()) {
                    (false, false) => write!(f, "global {content}"),
                    (false, true) => write!(f, "global (mut {content})"),
                    (true, false) => write!(f, "global (shared {content})"),
                    (true, true) => write!(f, "global (shared mut {content})"),
                }
            }
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
