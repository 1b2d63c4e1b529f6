//! `ModuleInfo`: everything about a module except its code. Built once by decoding, written into
//! artifacts, shared by all instances. Index spaces list imports first, then definitions.

use crate::const_expr::ConstExpr;
use crate::heap::ObjectLayout;
use crate::index::*;
use crate::types::*;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// An import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Import {
    pub module: String,
    pub name: String,
    pub ty: EntityType,
}

/// A place in one of the index spaces that can be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum EntityIndex {
    Func(FuncIndex),
    Table(TableIndex),
    Memory(MemoryIndex),
    Global(GlobalIndex),
    Tag(TagIndex),
}

/// An export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Export {
    pub name: String,
    pub index: EntityIndex,
}

/// When a data segment is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum DataMode {
    Passive,
    Active { memory: MemoryIndex, offset: ConstExpr },
}

/// A data segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSegment {
    /// When it is written.
    pub mode: DataMode,
    /// Its bytes, relative to the start of the module's data section.
    pub range: Range<u32>,
}

/// When an element segment is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ElemMode {
    Passive,
    Declared,
    Active { table: TableIndex, offset: ConstExpr },
}

/// What an element segment holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ElemItems {
    Funcs(Box<[FuncIndex]>),
    Exprs(Box<[ConstExpr]>),
}

impl ElemItems {
    /// The number of elements.
    pub fn len(&self) -> usize {
        match self {
            ElemItems::Funcs(f) => f.len(),
            ElemItems::Exprs(e) => e.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An element segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ElemSegment {
    pub mode: ElemMode,
    pub ty: RefType,
    pub items: ElemItems,
}

/// What is known of a module without its code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleInfo {
    /// The type section, rec groups flattened.
    pub types: Vec<SubType>,
    /// The extent of each rec group in `types`.
    pub rec_groups: Vec<Range<u32>>,
    /// Imports in order.
    pub imports: Vec<Import>,
    /// Exports in order.
    pub exports: Vec<Export>,
    /// The type of every function.
    pub funcs: Vec<TypeIndex>,
    /// How many of `funcs` are imported.
    pub num_imported_funcs: usize,
    /// The type of every table.
    pub tables: Vec<TableType>,
    /// How many of `tables` are imported.
    pub num_imported_tables: usize,
    /// The initial value of each defined table's elements, where one is written.
    pub table_inits: Vec<Option<ConstExpr>>,
    /// The type of every memory.
    pub memories: Vec<MemoryType>,
    /// How many of `memories` are imported.
    pub num_imported_memories: usize,
    /// The type of every global.
    pub globals: Vec<GlobalType>,
    /// How many of `globals` are imported.
    pub num_imported_globals: usize,
    /// The initial value of each defined global.
    pub global_inits: Vec<ConstExpr>,
    /// The function type of every tag.
    pub tags: Vec<TypeIndex>,
    /// How many of `tags` are imported.
    pub num_imported_tags: usize,
    /// The start function.
    pub start: Option<FuncIndex>,
    /// Element segments.
    pub elems: Vec<ElemSegment>,
    /// Data segments.
    pub datas: Vec<DataSegment>,
    /// Functions whose reference can be taken, in ascending order; a `FuncRefIndex` counts here.
    pub func_refs: Vec<FuncIndex>,
    /// Offset in the module of the code section's first byte of content: what DWARF counts from.
    pub code_start: u32,
}

impl ModuleInfo {
    /// The function type of a type index that validation has shown to be one.
    pub fn func_type_at(&self, index: TypeIndex) -> Option<&FuncType> {
        self.types.get(index.index())?.as_func()
    }

    /// The function type of a function. `index` must be in range, as validation guarantees.
    pub fn func_type(&self, index: FuncIndex) -> &FuncType {
        self.types[self.funcs[index.index()].index()]
            .as_func()
            .expect("validation: functions have function types")
    }

    /// The function type of a tag. `index` must be in range, as validation guarantees.
    pub fn tag_type(&self, index: TagIndex) -> &FuncType {
        self.types[self.tags[index.index()].index()]
            .as_func()
            .expect("validation: tags have function types")
    }

    /// The function as a defined one; `None` for imports.
    pub fn defined_func(&self, index: FuncIndex) -> Option<DefinedFuncIndex> {
        index.index().checked_sub(self.num_imported_funcs).map(DefinedFuncIndex::new)
    }

    /// The index of a defined function among all functions.
    pub fn func_index(&self, index: DefinedFuncIndex) -> FuncIndex {
        FuncIndex::new(index.index() + self.num_imported_funcs)
    }

    /// The table as a defined one; `None` for imports.
    pub fn defined_table(&self, index: TableIndex) -> Option<DefinedTableIndex> {
        index.index().checked_sub(self.num_imported_tables).map(DefinedTableIndex::new)
    }

    /// The memory as a defined one; `None` for imports.
    pub fn defined_memory(&self, index: MemoryIndex) -> Option<DefinedMemoryIndex> {
        index.index().checked_sub(self.num_imported_memories).map(DefinedMemoryIndex::new)
    }

    /// The global as a defined one; `None` for imports.
    pub fn defined_global(&self, index: GlobalIndex) -> Option<DefinedGlobalIndex> {
        index.index().checked_sub(self.num_imported_globals).map(DefinedGlobalIndex::new)
    }

    /// The tag as a defined one; `None` for imports.
    pub fn defined_tag(&self, index: TagIndex) -> Option<DefinedTagIndex> {
        index.index().checked_sub(self.num_imported_tags).map(DefinedTagIndex::new)
    }

    /// The place of a function's `VMFuncRef`; `None` when its reference cannot be taken.
    pub fn func_ref(&self, index: FuncIndex) -> Option<FuncRefIndex> {
        self.func_refs.binary_search(&index).ok().map(FuncRefIndex::new)
    }

    /// The type of an exportable item.
    pub fn entity_type(&self, index: EntityIndex) -> EntityType {
        match index {
            EntityIndex::Func(i) => EntityType::Func(TypeRef::Module(self.funcs[i.index()])),
            EntityIndex::Table(i) => EntityType::Table(self.tables[i.index()]),
            EntityIndex::Memory(i) => EntityType::Memory(self.memories[i.index()]),
            EntityIndex::Global(i) => EntityType::Global(self.globals[i.index()]),
            EntityIndex::Tag(i) => EntityType::Tag(TypeRef::Module(self.tags[i.index()])),
        }
    }

    /// Every constant expression of the module.
    pub fn const_exprs(&self) -> impl Iterator<Item = &ConstExpr> {
        let elems = self.elems.iter().flat_map(|elem| {
            let offset = match &elem.mode {
                ElemMode::Active { offset, .. } => Some(offset),
                _ => None,
            };
            let items = match &elem.items {
                ElemItems::Exprs(exprs) => &exprs[..],
                ElemItems::Funcs(_) => &[],
            };
            offset.into_iter().chain(items)
        });
        let datas = self.datas.iter().filter_map(|data| match &data.mode {
            DataMode::Active { offset, .. } => Some(offset),
            DataMode::Passive => None,
        });
        let tables = self.table_inits.iter().flatten();
        self.global_inits.iter().chain(tables).chain(elems).chain(datas)
    }

    /// Where the parts of a struct lie; for types of something else, an object without any.
    pub fn object_layout(&self, ty: TypeIndex) -> ObjectLayout {
        let ty = &self.types[ty.index()];
        let fields: &[FieldType] = match &ty.composite {
            CompositeType::Struct(fields) => fields,
            _ => &[],
        };
        let descriptor = ty.fields_before_descriptor(|above| match above {
            TypeRef::Module(i) => self.types.get(i.index()),
            _ => None,
        });
        ObjectLayout::of_struct(fields, descriptor, |heap| self.heap_top(heap))
    }

    /// The hierarchy a heap type of this module belongs to.
    pub fn heap_top(&self, heap: HeapType) -> HeapTop {
        heap.top(|r| match r {
            TypeRef::Module(i) => &self.types[i.index()].composite,
            _ => unreachable!("types of a module name types of the module"),
        })
    }

    /// Whether values of a type are references that the collector traces.
    pub fn is_traced(&self, ty: ValType) -> bool {
        matches!(ty, ValType::Ref(r) if self.heap_top(r.heap) != HeapTop::Func)
    }

    /// Whether a table holds functions (and so `VMFuncSlot`s).
    pub fn is_func_table(&self, index: TableIndex) -> bool {
        self.heap_top(self.tables[index.index()].element.heap) == HeapTop::Func
    }
}
