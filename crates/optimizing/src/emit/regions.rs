//! Disjoint kinds of memory, and the flags of accesses to them.
//!
//! Invariant: a byte belongs to one region for the life of the function. Two memories of a module
//! may be one, so all linear memories share a region; so do all tables and all globals.

use crate::sites::code;
use cranelift_codegen::ir::{AliasRegion, AliasRegionData, Function, MemFlagsData};
use selkie_module::TrapCode;

/// The flags for each kind of access.
#[derive(Clone, Copy)]
pub(super) struct Regions {
    /// What never changes while the instance lives.
    pub(super) fixed: MemFlagsData,
    /// The same, but loaded where it is used: for paths that are rarely taken, whose needs are not
    /// to occupy registers elsewhere.
    pub(super) fixed_in_place: MemFlagsData,
    /// The context: bases and lengths that calls and growth may change.
    pub(super) context: MemFlagsData,
    /// Linear memory; an access may fault.
    pub(super) memory: MemFlagsData,
    /// Elements of tables, already checked.
    pub(super) table: MemFlagsData,
    /// Globals.
    pub(super) global: MemFlagsData,
    /// Stack slots and result areas.
    pub(super) stack: MemFlagsData,
    /// Objects of the collected heap.
    pub(super) object: MemFlagsData,
    /// What the collector and machine code tell each other.
    pub(super) collector: MemFlagsData,
    /// Card marks.
    pub(super) cards: MemFlagsData,
    /// The counter of fuel.
    pub(super) fuel: MemFlagsData,
    /// What tells that somebody wants to interrupt the guest. Any thread may write it at any time:
    /// it is read wherever the walk says so, as a call that may follow each read keeps Cranelift
    /// from taking one read for another.
    pub(super) interrupt: MemFlagsData,
    memory_region: AliasRegion,
}

impl Regions {
    pub(super) fn new(func: &mut Function) -> Regions {
        let mut region = |user_id, description: &'static str| {
            let data = AliasRegionData { user_id, description: description.into() };
            func.dfg.alias_regions.insert(data)
        };
        let context = region(0, "context");
        let memory = region(1, "memory");
        let table = region(2, "table");
        let global = region(3, "global");
        let stack = region(4, "stack");
        let object = region(5, "object");
        let collector = region(6, "collector");
        let cards = region(7, "cards");
        let fuel = region(8, "fuel");
        // 9 are references in frames (`safepoints::rewrite`).
        let interrupt = region(10, "interrupt");
        let sure = MemFlagsData::new().with_notrap();
        let in_memory = MemFlagsData::new()
            .with_trap_code(Some(code(TrapCode::MemoryOutOfBounds)))
            .with_alias_region(Some(memory));
        Regions {
            fixed: sure.with_readonly().with_can_move().with_aligned(),
            fixed_in_place: sure.with_readonly().with_aligned(),
            context: sure.with_aligned().with_alias_region(Some(context)),
            memory: in_memory,
            table: sure.with_aligned().with_alias_region(Some(table)),
            global: sure.with_alias_region(Some(global)),
            stack: sure.with_alias_region(Some(stack)),
            object: sure.with_alias_region(Some(object)),
            collector: sure.with_aligned().with_alias_region(Some(collector)),
            cards: sure.with_alias_region(Some(cards)),
            fuel: sure.with_aligned().with_alias_region(Some(fuel)),
            interrupt: sure.with_aligned().with_alias_region(Some(interrupt)),
            memory_region: memory,
        }
    }

    /// An access to an element that may lie at the null page, where it faults as `trap`.
    pub(super) fn faulting_element(&self, trap: TrapCode) -> MemFlagsData {
        self.table.with_trap_code(Some(code(trap)))
    }

    /// An access to an object that may be null, where it faults as `trap`.
    pub(super) fn faulting_object(&self, trap: TrapCode) -> MemFlagsData {
        self.object.with_trap_code(Some(code(trap)))
    }

    /// An access to linear memory whose address is aligned.
    pub(super) fn aligned_memory(&self) -> MemFlagsData {
        self.memory.with_aligned().with_alias_region(Some(self.memory_region))
    }
}
