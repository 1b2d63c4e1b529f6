//! Linear memory: where it is found and what each access must check.
//!
//! Invariant: for every index the guest can compute, an access either touches only bytes
//! `offset + index .. offset + index + width` below the current length, or touches an address
//! that is inaccessible for the life of the memory, or traps before it touches anything.

use super::Place;
use crate::unit::{CompileUnit, Tuning};
use selkie_module::{IndexType, MemoryIndex, MemoryType};

/// What an access must check before it touches memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoundsCheck {
    /// Nothing: whatever the 32-bit index, the access falls into the reservation or its guard.
    Guard,
    /// `index + end_bytes <= length`, in arithmetic that cannot wrap. `index_is_wide` says that
    /// the index has 64 bits, so that the sum itself may overflow and must be checked.
    Explicit {
        /// Static offset plus width: the first byte behind the access, relative to the index.
        end_bytes: u64,
        /// Whether the index has 64 bits.
        index_is_wide: bool,
    },
    /// No index can be in bounds: the access always traps.
    AlwaysTraps,
}

/// How a memory is reached and what is known about it before it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// Which memory.
    pub memory: MemoryIndex,
    /// Where its `VMMemory` is.
    pub place: Place,
    /// Width of indices.
    pub index: IndexType,
    /// log₂ of the page size.
    pub page_size_log2: u8,
    /// Whether the base address is the same for the life of the instance.
    pub is_base_fixed: bool,
    /// The length in bytes where it can never change.
    pub fixed_length: Option<u64>,
    /// The least bytes the memory can have: it starts with them and never shrinks.
    pub min_bytes: u64,
    /// Whether other threads may change bytes and length at any time.
    pub is_shared: bool,
    /// Whether guard pages stand behind the reservation of a full 32-bit index space.
    is_guarded: bool,
    /// Bytes behind the 4 GiB that indices reach which are never accessible.
    guard_bytes: u64,
    /// The most bytes the memory can have.
    max_bytes: u64,
}

/// One access, decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryAccess {
    /// The memory.
    pub plan: MemoryPlan,
    /// Static offset.
    pub offset: u64,
    /// Bytes touched.
    pub width: u8,
    /// What to check.
    pub check: BoundsCheck,
}

impl MemoryPlan {
    /// The plan for a memory of the module.
    pub fn new(unit: &CompileUnit<'_>, memory: MemoryIndex) -> MemoryPlan {
        let ty = unit.info.memories[memory.index()];
        let place = match unit.info.defined_memory(memory) {
            Some(defined) if !ty.shared => Place::Inline(unit.layout.memory(defined)),
            _ => Place::Pointer(unit.layout.memory_pointer(memory)),
        };
        MemoryPlan::for_type(memory, place, &ty, &unit.tuning)
    }

    /// The plan for a memory type under a tuning. The engine allocates by the same rules, which
    /// it takes from [`MemoryPlan::reserves_index_space`].
    pub fn for_type(
        memory: MemoryIndex,
        place: Place,
        ty: &MemoryType,
        tuning: &Tuning,
    ) -> MemoryPlan {
        let is_guarded = MemoryPlan::reserves_index_space(ty, tuning);
        let has_fixed_length = ty.limits.max == Some(ty.limits.min) && !ty.shared;
        MemoryPlan {
            memory,
            place,
            index: ty.index,
            page_size_log2: ty.page_size_log2,
            is_base_fixed: is_guarded || ty.shared || has_fixed_length,
            // An imported memory may have a smaller maximum than its type asks for, never another
            // length once minimum and maximum are equal.
            fixed_length: ty.min_bytes().filter(|_| has_fixed_length),
            min_bytes: ty.min_bytes().unwrap_or(0),
            is_shared: ty.shared,
            is_guarded,
            guard_bytes: tuning.memory_guard_bytes,
            max_bytes: ty.max_bytes(),
        }
    }

    /// Whether a memory of this type gets its whole index space reserved, with a guard behind.
    /// Decided by the type alone, so that exporter and importer agree.
    pub fn reserves_index_space(ty: &MemoryType, tuning: &Tuning) -> bool {
        tuning.guard_pages
            && tuning.memory_reservation_bytes >= 1 << 32
            && ty.index == IndexType::I32
            && ty.page_size_log2 == 16
    }

    /// Decides one access of `width` bytes at a static `offset`.
    pub fn access(&self, offset: u64, width: u8) -> MemoryAccess {
        MemoryAccess { plan: *self, offset, width, check: self.check(offset, width) }
    }

    fn check(&self, offset: u64, width: u8) -> BoundsCheck {
        let Some(end_bytes) = offset.checked_add(u64::from(width)) else {
            return BoundsCheck::AlwaysTraps;
        };
        if end_bytes > self.max_bytes {
            return BoundsCheck::AlwaysTraps;
        }
        // The highest index is 2³²−1, so the last byte touched is below 4 GiB + end − 1.
        if self.is_guarded && end_bytes <= self.guard_bytes {
            return BoundsCheck::Guard;
        }
        BoundsCheck::Explicit { end_bytes, index_is_wide: self.index == IndexType::I64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use selkie_module::Limits;

    fn memory(index: IndexType, max: Option<u64>, page_size_log2: u8) -> MemoryType {
        MemoryType { limits: Limits { min: 1, max }, shared: false, index, page_size_log2 }
    }

    fn plan(ty: &MemoryType, tuning: &Tuning) -> MemoryPlan {
        MemoryPlan::for_type(MemoryIndex(0), Place::Inline(0), ty, tuning)
    }

    /// The promise, checked against a model: for a set of border indices, the planned check and
    /// the address space together let exactly the in-bounds accesses through.
    #[test]
    fn every_border_access_is_in_bounds_guarded_or_checked() {
        let tuning = Tuning::default();
        let offsets = [
            0,
            1,
            4095,
            65535,
            65536,
            (32 << 20) - 16,
            (32 << 20) - 1,
            32 << 20,
            (1 << 31) - 1,
            (1 << 32) - 1,
            1 << 32,
            u64::MAX - 16,
            u64::MAX,
        ];
        let types = [
            memory(IndexType::I32, None, 16),
            memory(IndexType::I32, Some(1), 16),
            memory(IndexType::I64, None, 16),
            memory(IndexType::I64, Some(1 << 20), 16),
            memory(IndexType::I32, None, 0),
        ];
        for ty in &types {
            let plan = plan(ty, &tuning);
            for &offset in &offsets {
                for width in [1u8, 2, 4, 8, 16] {
                    check_promise(ty, &plan.access(offset, width), &tuning);
                }
            }
        }
    }

    fn check_promise(ty: &MemoryType, access: &MemoryAccess, tuning: &Tuning) {
        let end = u128::from(access.offset) + u128::from(access.width);
        match access.check {
            BoundsCheck::Guard => {
                assert_eq!(ty.index, IndexType::I32);
                let last = u128::from(u32::MAX) + end;
                let safe = (1u128 << 32) + u128::from(tuning.memory_guard_bytes);
                assert!(last <= safe, "{access:?}");
            }
            BoundsCheck::Explicit { end_bytes, index_is_wide } => {
                assert_eq!(u128::from(end_bytes), end);
                assert_eq!(index_is_wide, ty.index == IndexType::I64);
                // A narrow index plus the end must not wrap in 64 bits.
                assert!(index_is_wide || end + u128::from(u32::MAX) < 1 << 64);
            }
            BoundsCheck::AlwaysTraps => assert!(end > u128::from(ty.max_bytes())),
        }
    }

    #[test]
    fn without_guard_pages_every_access_is_checked() {
        let tuning = Tuning { guard_pages: false, ..Tuning::default() };
        let plan = plan(&memory(IndexType::I32, None, 16), &tuning);
        assert!(matches!(plan.access(0, 1).check, BoundsCheck::Explicit { .. }));
        assert!(!plan.is_base_fixed);
    }

    #[test]
    fn a_small_guard_checks_larger_offsets() {
        let tuning = Tuning { memory_guard_bytes: 64 << 10, ..Tuning::default() };
        let plan = plan(&memory(IndexType::I32, None, 16), &tuning);
        assert_eq!(plan.access((64 << 10) - 8, 8).check, BoundsCheck::Guard);
        assert!(matches!(plan.access((64 << 10) - 7, 8).check, BoundsCheck::Explicit { .. }));
    }
}
