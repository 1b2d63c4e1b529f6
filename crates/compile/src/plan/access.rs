//! Where globals and tables are found, and what is known about them before they exist.

use crate::emitter::Const;
use crate::unit::CompileUnit;
use selkie_module::{
    ConstOp, GlobalIndex, IndexType, RefType, TableIndex, TagIndex, TypeIndex, ValType,
    layout::{func_slot, table},
};

/// Where a runtime structure lies, seen from the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the context itself, at this offset.
    Inline(u32),
    /// Behind a pointer at this offset of the context. The pointer never changes.
    Pointer(u32),
}

/// How a global is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobalAccess {
    /// An immutable global whose value the module itself writes.
    Constant(Const),
    /// A `VMGlobal` in memory.
    Memory {
        /// Where.
        place: Place,
        /// What it holds.
        ty: ValType,
        /// Whether its value never changes once the instance runs.
        is_immutable: bool,
    },
}

impl GlobalAccess {
    /// The access for a global of the module.
    pub fn new(unit: &CompileUnit<'_>, index: GlobalIndex) -> GlobalAccess {
        let global = unit.info.globals[index.index()];
        let place = match unit.info.defined_global(index) {
            Some(defined) => {
                let init = &unit.info.global_inits[defined.index()].0;
                if let (false, [op]) = (global.mutable, &init[..])
                    && let Some(constant) = numeric_constant(*op)
                {
                    return GlobalAccess::Constant(constant);
                }
                Place::Inline(unit.layout.global(defined))
            }
            None => Place::Pointer(unit.layout.global_import(index)),
        };
        GlobalAccess::Memory { place, ty: global.content, is_immutable: !global.mutable }
    }
}

fn numeric_constant(op: ConstOp) -> Option<Const> {
    Some(match op {
        ConstOp::I32(v) => Const::I32(v),
        ConstOp::I64(v) => Const::I64(v),
        ConstOp::F32(v) => Const::F32(v),
        ConstOp::F64(v) => Const::F64(v),
        ConstOp::V128(v) => Const::V128(v),
        _ => return None,
    })
}

/// How a table is reached and what is known about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableAccess {
    /// Which table.
    pub table: TableIndex,
    /// Where its `VMTable` is.
    pub place: Place,
    /// Width of indices.
    pub index: IndexType,
    /// What it holds.
    pub element: RefType,
    /// Whether it holds `VMFuncSlot`s.
    pub is_func: bool,
    /// Bytes of an element.
    pub element_bytes: u32,
    /// Number of elements where it can never change.
    pub fixed_length: Option<u64>,
}

impl TableAccess {
    /// The access for a table of the module.
    pub fn new(unit: &CompileUnit<'_>, index: TableIndex) -> TableAccess {
        let ty = unit.info.tables[index.index()];
        let is_func = unit.info.is_func_table(index);
        TableAccess {
            table: index,
            place: match unit.info.defined_table(index) {
                Some(defined) => Place::Inline(unit.layout.table(defined)),
                None => Place::Pointer(unit.layout.table_import(index)),
            },
            index: ty.index,
            element: ty.element,
            is_func,
            element_bytes: if is_func { func_slot::BYTES } else { table::REF_BYTES },
            fixed_length: (ty.limits.max == Some(ty.limits.min)).then_some(ty.limits.min),
        }
    }
}

/// How a tag is reached and what is known about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagAccess {
    /// Which tag.
    pub tag: TagIndex,
    /// Where its `VMTag` is.
    pub place: Place,
    /// Its function type.
    pub ty: TypeIndex,
}

impl TagAccess {
    /// The access for a tag of the module.
    pub fn new(unit: &CompileUnit<'_>, tag: TagIndex) -> TagAccess {
        let place = match unit.info.defined_tag(tag) {
            Some(defined) => Place::Inline(unit.layout.tag(defined)),
            None => Place::Pointer(unit.layout.tag_import(tag)),
        };
        TagAccess { tag, place, ty: unit.info.tags[tag.index()] }
    }
}
