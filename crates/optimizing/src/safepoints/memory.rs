//! The plain way, for functions with very many references: each that lives over a call is written to
//! its slot where it is made, and read from there at each use.

use super::Numbers;
use super::liveness::{Liveness, home};
use super::rewrite::slot_flags;
use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{
    Block, Function, Inst, InstBuilder, MemFlagsData, StackSlot, UserStackMapEntry, Value,
    ValueDef, types,
};
use std::collections::HashMap;

pub(super) fn place(
    func: &mut Function,
    numbers: &Numbers,
    live: &Liveness,
    slots: &HashMap<u32, StackSlot>,
    order: &[Block],
) {
    let flags = slot_flags(func);
    for block in order {
        let mut next = func.layout.first_inst(*block);
        while let Some(inst) = next {
            next = func.layout.next_inst(inst);
            read_uses(func, numbers, slots, flags, inst);
            for number in live.over_call.get(&inst).into_iter().flatten() {
                let entry = UserStackMapEntry { ty: types::I64, slot: slots[number], offset: 0 };
                func.dfg.append_user_stack_map_entry(inst, entry);
            }
        }
    }
    for number in &live.over_calls {
        write(func, numbers.values[*number as usize], slots[number], flags);
    }
}

/// Lets an instruction use what the slots hold.
fn read_uses(
    func: &mut Function,
    numbers: &Numbers,
    slots: &HashMap<u32, StackSlot>,
    flags: MemFlagsData,
    inst: Inst,
) {
    let uses: Vec<Value> = func.dfg.inst_values(inst).collect();
    let mut read: HashMap<Value, Value> = HashMap::new();
    for value in uses {
        let slot = numbers.of(value).and_then(|number| slots.get(&number));
        let Some(slot) = slot.filter(|_| !read.contains_key(&value)) else { continue };
        let mut at = FuncCursor::new(func).at_inst(inst);
        let address = at.ins().stack_addr(types::I64, *slot, 0);
        read.insert(value, at.ins().load(types::I64, flags, address, 0));
    }
    if !read.is_empty() {
        func.dfg.map_inst_values(inst, |value| read.get(&value).copied().unwrap_or(value));
    }
}

/// Writes a value to its slot where it is made.
fn write(func: &mut Function, value: Value, slot: StackSlot, flags: MemFlagsData) {
    let before = match func.dfg.value_def(value) {
        ValueDef::Result(inst, _) => func.layout.next_inst(inst),
        _ => home(func, value).and_then(|block| func.layout.first_inst(block)),
    };
    if let Some(inst) = before {
        let mut at = FuncCursor::new(func).at_inst(inst);
        let address = at.ins().stack_addr(types::I64, slot, 0);
        at.ins().store(flags, value, address, 0);
    }
}
