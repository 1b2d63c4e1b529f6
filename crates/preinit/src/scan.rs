//! What function bodies tell: which segments they use and drop, which functions they refer to.

use crate::parts::malformed;
use selkie_engine::Result;
use std::collections::BTreeSet;
use wasmparser::{FunctionBody, Operator};

/// What the code of a module does to segments and references.
#[derive(Debug, Default)]
pub(crate) struct CodeUses {
    /// Functions named by `ref.func`, each of which must be declared outside of code.
    pub(crate) ref_funcs: BTreeSet<u32>,
    /// Data segments that may be dropped.
    pub(crate) dropped_datas: BTreeSet<u32>,
    /// Element segments that may be dropped.
    pub(crate) dropped_elems: BTreeSet<u32>,
    /// Whether any instruction names a data segment, so that their numbers matter.
    pub(crate) names_datas: bool,
    /// Whether any instruction names an element segment.
    pub(crate) names_elems: bool,
}

impl CodeUses {
    /// Looks through all bodies.
    ///
    /// # Errors
    /// A body cannot be parsed.
    pub(crate) fn of(bodies: &[FunctionBody<'_>]) -> Result<CodeUses> {
        let mut uses = CodeUses::default();
        for body in bodies {
            let mut operators = body.get_operators_reader().map_err(malformed)?;
            while !operators.eof() {
                uses.see(&operators.read().map_err(malformed)?);
            }
        }
        Ok(uses)
    }

    fn see(&mut self, operator: &Operator<'_>) {
        match *operator {
            Operator::RefFunc { function_index } => {
                self.ref_funcs.insert(function_index);
            }
            Operator::DataDrop { data_index } => {
                self.names_datas = true;
                self.dropped_datas.insert(data_index);
            }
            Operator::ElemDrop { elem_index } => {
                self.names_elems = true;
                self.dropped_elems.insert(elem_index);
            }
            Operator::MemoryInit { .. }
            | Operator::ArrayNewData { .. }
            | Operator::ArrayInitData { .. } => self.names_datas = true,
            Operator::TableInit { .. }
            | Operator::ArrayNewElem { .. }
            | Operator::ArrayInitElem { .. } => self.names_elems = true,
            _ => {}
        }
    }
}
