//! Slots of the frame for the references that live over calls. Two references that are never alive
//! at once share a slot.

use super::Numbers;
use super::liveness::{Liveness, home};
use cranelift_codegen::ir::{Block, Function, StackSlot, StackSlotData, StackSlotKind};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// Bytes of a slot, and log2 of its alignment.
const BYTES: u32 = 8;
const ALIGN_SHIFT: u8 = 3;

/// The slot of each reference that lives over a call, by its number.
///
/// Blocks count as wholes: a reference is taken to live from the first block it is alive in to the
/// last, in the order of the code.
pub(super) fn assign(
    func: &mut Function,
    numbers: &Numbers,
    live: &Liveness,
    order: &[Block],
) -> HashMap<u32, StackSlot> {
    let mut extents: HashMap<u32, (usize, usize)> = HashMap::new();
    let mut extend = |number: u32, at: usize| {
        let extent = extents.entry(number).or_insert((at, at));
        *extent = (extent.0.min(at), extent.1.max(at));
    };
    let places: HashMap<Block, usize> = order.iter().enumerate().map(|(at, b)| (*b, at)).collect();
    for (block, at) in &places {
        for number in live.at_start[*block].iter().chain(&live.at_end[*block]) {
            extend(*number, *at);
        }
    }
    for number in &live.over_calls {
        let at = home(func, numbers.values[*number as usize]).and_then(|block| places.get(&block));
        at.into_iter().for_each(|at| extend(*number, *at));
    }
    let mut wanted: Vec<(usize, usize, u32)> = live
        .over_calls
        .iter()
        .map(|number| {
            let (first, last) = extents.get(number).copied().unwrap_or_default();
            (first, last, *number)
        })
        .collect();
    wanted.sort_unstable();
    let mut taken: BinaryHeap<Reverse<(usize, StackSlot)>> = BinaryHeap::new();
    let mut slots = HashMap::new();
    for (first, last, number) in wanted {
        let free = taken.peek().is_some_and(|Reverse((end, _))| *end < first);
        let slot = match free.then(|| taken.pop()).flatten() {
            Some(Reverse((_, slot))) => slot,
            None => func.create_sized_stack_slot(StackSlotData::new(
                StackSlotKind::ExplicitSlot,
                BYTES,
                ALIGN_SHIFT,
            )),
        };
        taken.push(Reverse((last, slot)));
        slots.insert(number, slot);
    }
    slots
}
