//! What bulk instructions and instantiation cost in fuel, beyond what each instruction costs
//! (`selkie_compile::plan::fuel`). Machine code and the runtime count by these numbers alone, so
//! that a sum never depends on which of them did the work.

use crate::{DataMode, DataSegment, ElemMode, ElemSegment, ModuleInfo};

/// What a bulk instruction handles many of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bulk {
    /// Bytes of linear memory.
    Bytes,
    /// Elements of tables and arrays, fields, code units of strings.
    Elements,
}

impl Bulk {
    /// Log2 of how many one unit of fuel pays for.
    pub const fn per_unit_log2(self) -> u32 {
        match self {
            Bulk::Bytes => 6,
            Bulk::Elements => 3,
        }
    }

    /// Units for so many: each that is begun counts.
    pub const fn units(self, count: u64) -> u64 {
        count.div_ceil(1 << self.per_unit_log2())
    }
}

/// Units for instantiating a module: one for each instruction of its constant expressions, and what
/// is written into tables and memories before its start function runs. Arrays that expressions
/// make are paid for when their length is known.
pub fn instantiation_units(info: &ModuleInfo) -> u64 {
    let expressions = info.const_exprs().map(|expr| expr.0.len() as u64);
    let defined_tables = info.tables.iter().skip(info.num_imported_tables);
    let filled = info.table_inits.iter().zip(defined_tables).filter(|(init, _)| init.is_some());
    let tables = filled.map(|(_, ty)| Bulk::Elements.units(ty.limits.min));
    let is_active = |elem: &&ElemSegment| matches!(elem.mode, ElemMode::Active { .. });
    let elems = info.elems.iter().filter(is_active);
    let elems = elems.map(|elem| Bulk::Elements.units(elem.items.len() as u64));
    let is_active = |data: &&DataSegment| matches!(data.mode, DataMode::Active { .. });
    let datas = info.datas.iter().filter(is_active);
    let datas = datas.map(|data| Bulk::Bytes.units(data.range.len() as u64));
    expressions.chain(tables).chain(elems).chain(datas).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_begun_is_paid_for() {
        assert_eq!([0, 1, 64, 65].map(|n| Bulk::Bytes.units(n)), [0, 1, 1, 2]);
        assert_eq!([0, 1, 8, 9].map(|n| Bulk::Elements.units(n)), [0, 1, 1, 2]);
        assert_eq!(Bulk::Elements.units(u64::MAX), 1 << 61);
    }
}
