//! Tables and element segments.

use super::Translator;
use super::memory::narrower;
use crate::emitter::Emitter;
use crate::plan::TableAccess;
use selkie_module::TableIndex;
use selkie_module::builtins::Builtin;
use selkie_module::fuel::Bulk;
use wasmparser::Operator;

impl<E: Emitter> Translator<'_, '_, E> {
    pub(super) fn table_access(&self, table: u32) -> TableAccess {
        TableAccess::new(self.unit, TableIndex(table))
    }

    pub(super) fn table_operator(&mut self, op: &Operator<'_>, offset: u64) -> bool {
        match *op {
            Operator::TableGet { table } => self.table_get(table, offset),
            Operator::TableSet { table } => self.table_set(table, offset),
            Operator::TableSize { table } => {
                let access = self.table_access(table);
                let size = self.emitter.table_size(&access);
                self.push(size);
            }
            Operator::TableGrow { table } => {
                let index = self.table_access(table).index;
                let delta = self.pop();
                let value = self.pop();
                let delta = self.emitter.widen(delta, index);
                let table = self.imm(table);
                if let Some(old) = self.entry(Builtin::table_grow, &[table, delta, value], offset) {
                    self.pay_for_growth(old, delta, offset);
                    let old = self.emitter.narrow(old, index);
                    self.push(old);
                }
            }
            Operator::TableFill { table } => {
                let index = self.table_access(table).index;
                let [dst, value, len] = self.pop3();
                let (dst, len) = (self.emitter.widen(dst, index), self.emitter.widen(len, index));
                self.pay_for(Bulk::Elements, len, offset);
                let table = self.imm(table);
                self.entry(Builtin::table_fill, &[table, dst, value, len], offset);
            }
            Operator::TableCopy { dst_table, src_table } => {
                self.table_copy(dst_table, src_table, offset);
            }
            Operator::TableInit { elem_index, table } => {
                let index = self.table_access(table).index;
                let [dst, src, len] = self.pop3();
                let dst = self.emitter.widen(dst, index);
                self.pay_for(Bulk::Elements, len, offset);
                let (table, elem) = (self.imm(table), self.imm(elem_index));
                self.entry(Builtin::table_init, &[table, elem, dst, src, len], offset);
            }
            Operator::ElemDrop { elem_index } => {
                let elem = self.imm(elem_index);
                self.entry(Builtin::elem_drop, &[elem], offset);
            }
            _ => return false,
        }
        true
    }

    fn table_get(&mut self, table: u32, offset: u64) {
        self.mark(offset);
        let access = self.table_access(table);
        let index = self.pop();
        if !access.is_func {
            let value = self.emitter.table_get(&access, index);
            return self.push(value);
        }
        let index = self.emitter.widen(index, access.index);
        let table = self.imm(table);
        let value = self.entry(Builtin::table_get_func, &[table, index], offset);
        self.stack.extend(value);
    }

    fn table_set(&mut self, table: u32, offset: u64) {
        self.mark(offset);
        let access = self.table_access(table);
        let value = self.pop();
        let index = self.pop();
        if !access.is_func {
            return self.emitter.table_set(&access, index, value);
        }
        let index = self.emitter.widen(index, access.index);
        let table = self.imm(table);
        self.entry(Builtin::table_set_func, &[table, index, value], offset);
    }

    fn table_copy(&mut self, dst_table: u32, src_table: u32, offset: u64) {
        let dst_index = self.table_access(dst_table).index;
        let src_index = self.table_access(src_table).index;
        let [dst, src, len] = self.pop3();
        let dst = self.emitter.widen(dst, dst_index);
        let src = self.emitter.widen(src, src_index);
        let len = self.emitter.widen(len, narrower(dst_index, src_index));
        self.pay_for(Bulk::Elements, len, offset);
        let (to, from) = (self.imm(dst_table), self.imm(src_table));
        self.entry(Builtin::table_copy, &[to, dst, from, src, len], offset);
    }
}
