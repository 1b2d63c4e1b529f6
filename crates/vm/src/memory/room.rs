//! The address space of a memory: a mapping of its own, or a slot among others.

use super::dense::Slot;
use crate::ResourceError;
use crate::budget::Guarded;
use crate::mmap::{Mapping, round_to_pages};

/// Where a memory lies. All lengths in bytes, all starts relative to the first byte.
#[derive(Debug)]
pub(super) enum Room {
    /// Pages are opened as they are needed. A guard is counted as long as it is there.
    Own(Mapping, Option<Guarded>),
    /// All pages are open.
    Shared(Slot),
}

impl Room {
    /// Address space for a memory and its guard.
    pub(super) fn new(bytes: usize, guard_bytes: usize) -> Result<Room, ResourceError> {
        if guard_bytes == 0
            && let Some(slot) = Slot::new(bytes)
        {
            return slot.map(Room::Shared);
        }
        let total = round_to_pages(bytes)
            .zip(round_to_pages(guard_bytes))
            .and_then(|(bytes, guard)| bytes.checked_add(guard));
        let too_large =
            ResourceError::LimitExceeded { requested: bytes as u64, limit: isize::MAX as u64 };
        let total = total.ok_or(too_large)?;
        let guarded = if guard_bytes > 0 { Some(Guarded::new()?) } else { None };
        Ok(Room::Own(Mapping::reserve(total)?, guarded))
    }

    pub(super) fn addr(&self) -> *mut u8 {
        match self {
            Room::Own(mapping, _) => mapping.addr(),
            Room::Shared(slot) => slot.addr(),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Room::Own(mapping, _) => mapping.len(),
            Room::Shared(slot) => slot.len(),
        }
    }

    /// The mapping, if it is one of its own: only there can pages be protected, and files be mapped.
    pub(super) fn mapping(&self) -> Option<&Mapping> {
        match self {
            Room::Own(mapping, _) => Some(mapping),
            Room::Shared(_) => None,
        }
    }

    /// Opens pages for reading and writing.
    pub(super) fn allow_write(&self, start: usize, bytes: usize) -> Result<(), ResourceError> {
        self.mapping().map_or(Ok(()), |mapping| mapping.allow_write(start, bytes))
    }

    /// Moves the pages at the front to the front of other address space, without copying anything,
    /// and gives the rest up. Where that is not possible, it comes back as it was.
    pub(super) fn move_front(self, bytes: usize, target: &Room) -> Result<(), Room> {
        match (self, target.mapping()) {
            (Room::Own(mapping, guarded), Some(target)) => {
                mapping.move_front(bytes, target).map_err(|mapping| Room::Own(mapping, guarded))
            }
            (room, _) => Err(room),
        }
    }

    /// Gives pages back to the system; they show what they were mapped with afterwards.
    pub(super) fn discard(&self, start: usize, bytes: usize) -> Result<(), ResourceError> {
        match self {
            Room::Own(mapping, _) => mapping.discard(start, bytes),
            Room::Shared(slot) => slot.discard(start, bytes),
        }
    }

    /// Makes pages read as zero whatever they were mapped with.
    pub(super) fn map_zero_over(&self, start: usize, bytes: usize) -> Result<(), ResourceError> {
        match self {
            Room::Own(mapping, _) => mapping.map_zero_over(start, bytes),
            Room::Shared(slot) => slot.discard(start, bytes),
        }
    }
}
