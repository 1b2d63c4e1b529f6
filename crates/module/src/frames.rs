//! What the runtime knows about frames of machine code: where they keep references, and where an
//! exception goes on in them.
//!
//! Both are tables by return address, because a frame that waits for a call is known by where
//! that call returns to. Places in a frame are told by their distance *below* the frame pointer.
//! Layout, every number 32 bits, little-endian:
//!
//! ```text
//! stack maps: count · return addresses, ascending · for each where its slots begin in the pool
//! landing pads: count · return addresses, ascending · for each pad and stack pointer below frame
//! pool: for each distinct map the number of slots, then their distances, ascending
//! ```
//!
//! The reader works on bytes that may be damaged: it answers `None` and never panics. It does not
//! allocate.

pub mod check;

use std::collections::HashMap;

/// The slots of a frame that hold references while a call is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackMap {
    /// Return address, in bytes from the code's start.
    pub offset: u32,
    /// Distances of the slots below the frame pointer, in bytes, ascending.
    pub slots: Box<[u32]>,
}

/// Where an exception that a call throws goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landing {
    /// Return address, in bytes from the code's start.
    pub offset: u32,
    /// Where code goes on, in bytes from the code's start.
    pub pad: u32,
    /// How far the stack pointer lies below the frame pointer there, in bytes.
    pub stack_bytes: u32,
}

/// Packs the tables of a module; both lists ascend by offset.
pub fn pack(maps: &[StackMap], landings: &[Landing]) -> Vec<u8> {
    let mut pool: Vec<u32> = Vec::new();
    let mut known: HashMap<&[u32], u32> = HashMap::new();
    let mut places = Vec::with_capacity(maps.len());
    for map in maps {
        let place = *known.entry(&map.slots).or_insert_with(|| {
            let place = pool.len() as u32;
            pool.push(map.slots.len() as u32);
            pool.extend_from_slice(&map.slots);
            place
        });
        places.push(place);
    }
    let mut words = Vec::with_capacity(2 + 2 * maps.len() + 3 * landings.len() + pool.len());
    words.push(maps.len() as u32);
    words.extend(maps.iter().map(|map| map.offset));
    words.extend(places);
    words.push(landings.len() as u32);
    words.extend(landings.iter().map(|landing| landing.offset));
    words.extend(landings.iter().flat_map(|landing| [landing.pad, landing.stack_bytes]));
    words.extend(pool);
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

/// Reads packed tables.
#[derive(Clone, Copy, Debug)]
pub struct FrameTables<'a> {
    bytes: &'a [u8],
}

impl<'a> FrameTables<'a> {
    /// The tables in these bytes.
    pub fn new(bytes: &'a [u8]) -> FrameTables<'a> {
        FrameTables { bytes }
    }

    /// The slots that hold references in a frame whose call returns to `offset`, by their distance
    /// below the frame pointer. `None`: it holds none.
    pub fn slots(&self, offset: u32) -> Option<impl Iterator<Item = u32> + use<'a>> {
        let count = self.word(0)? as usize;
        let at = self.search(1, count, offset)?;
        let landings = self.word(1 + 2 * count)? as usize;
        let pool = 2 + 2 * count + 3 * landings;
        let first = pool + self.word(1 + count + at)? as usize;
        let slots = self.word(first)? as usize;
        let start = (first + 1).checked_mul(4)?;
        let bytes = self.bytes.get(start..start.checked_add(slots.checked_mul(4)?)?)?;
        Some(bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)))
    }

    /// Where an exception thrown by the call that returns to `offset` goes on in its frame.
    pub fn landing(&self, offset: u32) -> Option<Landing> {
        let maps = self.word(0)? as usize;
        let head = 1 + 2 * maps;
        let count = self.word(head)? as usize;
        let at = self.search(head + 1, count, offset)?;
        let pair = head + 1 + count + 2 * at;
        Some(Landing { offset, pad: self.word(pair)?, stack_bytes: self.word(pair + 1)? })
    }

    /// The return addresses of both tables as they stand there, for checkers.
    pub fn offsets(&self) -> (Vec<u32>, Vec<u32>) {
        let table = |head: usize| {
            let count = self.word(head).unwrap_or(0) as usize;
            (0..count).map_while(|at| self.word(head + 1 + at)).collect()
        };
        let maps: Vec<u32> = table(0);
        let landings = table(1 + 2 * maps.len());
        (maps, landings)
    }

    /// Every stack map, for checkers.
    pub fn stack_maps(&self) -> Vec<StackMap> {
        let offsets = self.offsets().0.into_iter();
        offsets
            .filter_map(|offset| Some(StackMap { offset, slots: self.slots(offset)?.collect() }))
            .collect()
    }

    /// Every landing pad, for checkers.
    pub fn landings(&self) -> Vec<Landing> {
        let offsets = self.offsets().1.into_iter();
        offsets.filter_map(|offset| self.landing(offset)).collect()
    }

    fn word(&self, at: usize) -> Option<u32> {
        let start = at.checked_mul(4)?;
        let bytes = self.bytes.get(start..start.checked_add(4)?)?;
        Some(u32::from_le_bytes(*bytes.first_chunk()?))
    }

    /// The place of `wanted` among `count` ascending words from `first` on.
    fn search(&self, first: usize, count: usize, wanted: u32) -> Option<usize> {
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            let found = self.word(first.checked_add(middle)?)?;
            match found.cmp(&wanted) {
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables() -> (Vec<StackMap>, Vec<Landing>) {
        let map = |offset, slots: &[u32]| StackMap { offset, slots: slots.into() };
        let maps = vec![map(10, &[8, 16]), map(30, &[]), map(70, &[8, 16]), map(71, &[24])];
        let landing = |offset, pad| Landing { offset, pad, stack_bytes: 48 };
        (maps, vec![landing(30, 90), landing(70, 95)])
    }

    #[test]
    fn what_was_packed_is_found_at_its_return_address() {
        let (maps, landings) = tables();
        let bytes = pack(&maps, &landings);
        let tables = FrameTables::new(&bytes);
        assert_eq!(tables.stack_maps(), maps);
        assert_eq!(tables.landings(), landings);
        for offset in [0, 11, 72] {
            assert!(tables.slots(offset).is_none());
            assert!(tables.landing(offset).is_none());
        }
    }

    #[test]
    fn every_truncation_and_every_damaged_byte_is_survived() {
        let (maps, landings) = tables();
        let bytes = pack(&maps, &landings);
        for len in 0..bytes.len() {
            let tables = FrameTables::new(&bytes[..len]);
            let _ = (tables.stack_maps(), tables.landings());
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] = 0xff;
            let tables = FrameTables::new(&damaged);
            let _ = (tables.slots(70).map(Iterator::count), tables.landing(70));
        }
    }

    #[test]
    fn a_module_without_any_needs_eight_bytes_and_no_bytes_at_all_are_none() {
        assert_eq!(pack(&[], &[]).len(), 8);
        assert!(FrameTables::new(&[]).landing(0).is_none());
    }
}
