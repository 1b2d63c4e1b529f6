//! Atomic accesses to globals, tables, structs and arrays (shared-everything threads).
//!
//! No reference and no global crosses from one store to another, and a store runs on one thread at
//! a time: nobody sees such an access half done. So each is made of plain ones, in the order in
//! which the instruction does them; only linear memories have atomic instructions of the machine.

use super::Translator;
use crate::emitter::Emitter;
use crate::ops::Numeric;
use crate::plan::{ElementAccess, FieldAccess, GlobalAccess, TableAccess};
use selkie_module::heap::Slot;
use selkie_module::{GlobalIndex, RefType, TypeIndex, ValType};
use wasmparser::Operator;

/// Which kind of thing is accessed, by the immediates.
#[derive(Clone, Copy)]
enum Part {
    Global(u32),
    Table(u32),
    Field(u32, u32),
    Element(u32),
}

/// What an access does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Get,
    GetSigned,
    Set,
    Add,
    Sub,
    And,
    Or,
    Xor,
    Xchg,
    Cmpxchg,
}

macro_rules! accesses {
    ($($name:ident($($immediate:ident),*) $part:ident $action:ident;)*) => {
        /// The access an operator is, where it is one.
        fn access(op: &Operator<'_>) -> Option<(Part, Action)> {
            match *op {
                $(Operator::$name { $($immediate,)* .. } => {
                    Some((Part::$part($($immediate),*), Action::$action))
                })*
                _ => None,
            }
        }
    };
}

// Grammar: `Operator(immediates) Part Action;`.
accesses! {
    GlobalAtomicGet(global_index) Global Get;
    GlobalAtomicSet(global_index) Global Set;
    GlobalAtomicRmwAdd(global_index) Global Add;
    GlobalAtomicRmwSub(global_index) Global Sub;
    GlobalAtomicRmwAnd(global_index) Global And;
    GlobalAtomicRmwOr(global_index) Global Or;
    GlobalAtomicRmwXor(global_index) Global Xor;
    GlobalAtomicRmwXchg(global_index) Global Xchg;
    GlobalAtomicRmwCmpxchg(global_index) Global Cmpxchg;
    TableAtomicGet(table_index) Table Get;
    TableAtomicSet(table_index) Table Set;
    TableAtomicRmwXchg(table_index) Table Xchg;
    TableAtomicRmwCmpxchg(table_index) Table Cmpxchg;
    StructAtomicGet(struct_type_index, field_index) Field Get;
    StructAtomicGetS(struct_type_index, field_index) Field GetSigned;
    StructAtomicGetU(struct_type_index, field_index) Field Get;
    StructAtomicSet(struct_type_index, field_index) Field Set;
    StructAtomicRmwAdd(struct_type_index, field_index) Field Add;
    StructAtomicRmwSub(struct_type_index, field_index) Field Sub;
    StructAtomicRmwAnd(struct_type_index, field_index) Field And;
    StructAtomicRmwOr(struct_type_index, field_index) Field Or;
    StructAtomicRmwXor(struct_type_index, field_index) Field Xor;
    StructAtomicRmwXchg(struct_type_index, field_index) Field Xchg;
    StructAtomicRmwCmpxchg(struct_type_index, field_index) Field Cmpxchg;
    ArrayAtomicGet(array_type_index) Element Get;
    ArrayAtomicGetS(array_type_index) Element GetSigned;
    ArrayAtomicGetU(array_type_index) Element Get;
    ArrayAtomicSet(array_type_index) Element Set;
    ArrayAtomicRmwAdd(array_type_index) Element Add;
    ArrayAtomicRmwSub(array_type_index) Element Sub;
    ArrayAtomicRmwAnd(array_type_index) Element And;
    ArrayAtomicRmwOr(array_type_index) Element Or;
    ArrayAtomicRmwXor(array_type_index) Element Xor;
    ArrayAtomicRmwXchg(array_type_index) Element Xchg;
    ArrayAtomicRmwCmpxchg(array_type_index) Element Cmpxchg;
}

impl Action {
    /// Operands behind those that say where.
    fn operands(self) -> usize {
        match self {
            Action::Get | Action::GetSigned => 0,
            Action::Cmpxchg => 2,
            _ => 1,
        }
    }

    /// The instructions on i32 and on i64 that make the new value of the old one and the operand.
    fn arithmetic(self) -> Option<[Numeric; 2]> {
        use Numeric::*;
        Some(match self {
            Action::Add => [I32Add, I64Add],
            Action::Sub => [I32Sub, I64Sub],
            Action::And => [I32And, I64And],
            Action::Or => [I32Or, I64Or],
            Action::Xor => [I32Xor, I64Xor],
            _ => return None,
        })
    }
}

/// Where an access goes, with the operands that say it.
enum Place<V> {
    Global(GlobalAccess),
    Table(TableAccess, V),
    Field(FieldAccess, V),
    Element(ElementAccess, V, V),
}

impl<E: Emitter> Translator<'_, '_, E> {
    pub(super) fn shared_operator(&mut self, op: &Operator<'_>, offset: u64) -> bool {
        let Some((part, action)) = access(op) else { return false };
        let values = self.stack.split_off(self.stack.len() - action.operands());
        let place = self.place(part);
        self.mark(offset);
        if action == Action::Set {
            self.put(&place, values[0]);
            return true;
        }
        let old = self.get(&place, action == Action::GetSigned);
        if let Some(new) = self.new_value(self.value_type(part), action, old, &values) {
            self.put(&place, new);
        }
        self.push(old);
        true
    }

    fn place(&mut self, part: Part) -> Place<E::Value> {
        match part {
            Part::Global(global) => {
                Place::Global(GlobalAccess::new(self.unit, GlobalIndex(global)))
            }
            Part::Table(table) => {
                let index = self.pop();
                Place::Table(self.table_access(table), index)
            }
            Part::Field(ty, field) => {
                let object = self.pop();
                Place::Field(FieldAccess::of_struct(self.unit, TypeIndex(ty), field, true), object)
            }
            Part::Element(ty) => {
                let index = self.pop();
                let array = self.pop();
                Place::Element(ElementAccess::new(self.unit, TypeIndex(ty), true), array, index)
            }
        }
    }

    /// The type of the values that are read and written, as far as arithmetic asks for it.
    fn value_type(&self, part: Part) -> ValType {
        let slot = match part {
            Part::Global(global) => return self.unit.info.globals[global as usize].content,
            Part::Table(table) => {
                return ValType::Ref(self.unit.info.tables[table as usize].element);
            }
            Part::Field(ty, field) => self.unit.objects[ty as usize].fields[field as usize].1,
            Part::Element(ty) => ElementAccess::new(self.unit, TypeIndex(ty), true).slot,
        };
        match slot {
            Slot::Ref => ValType::Ref(RefType::ANYREF),
            Slot::I64 => ValType::I64,
            _ => ValType::I32,
        }
    }

    fn get(&mut self, place: &Place<E::Value>, signed: bool) -> E::Value {
        match place {
            Place::Global(GlobalAccess::Constant(value)) => self.emitter.constant(*value),
            Place::Global(access) => self.emitter.global_get(access),
            Place::Table(access, index) => self.emitter.table_get(access, *index),
            Place::Field(access, object) => self.emitter.load_field(access, signed, *object),
            Place::Element(access, array, index) => {
                self.emitter.load_element(access, signed, *array, *index)
            }
        }
    }

    fn put(&mut self, place: &Place<E::Value>, value: E::Value) {
        match place {
            Place::Global(access) => self.emitter.global_set(access, value),
            Place::Table(access, index) => self.emitter.table_set(access, *index, value),
            Place::Field(access, object) => self.emitter.store_field(access, *object, value),
            Place::Element(access, array, index) => {
                self.emitter.store_element(access, *array, *index, value);
            }
        }
    }

    /// What is written back; nothing for an access that only reads.
    fn new_value(
        &mut self,
        ty: ValType,
        action: Action,
        old: E::Value,
        values: &[E::Value],
    ) -> Option<E::Value> {
        let is_wide = ty != ValType::I32;
        Some(match (action, values) {
            (Action::Xchg, &[new]) => new,
            (Action::Cmpxchg, &[expected, replacement]) => {
                // References are equal exactly when their bits are.
                let equal = if is_wide { Numeric::I64Eq } else { Numeric::I32Eq };
                let is_expected = self.emitter.numeric(equal, &[old, expected]);
                self.emitter.select(ty, is_expected, replacement, old)
            }
            (_, &[operand]) => {
                let [narrow, wide] = action.arithmetic()?;
                self.emitter.numeric(if is_wide { wide } else { narrow }, &[old, operand])
            }
            _ => return None,
        })
    }
}
