//! Site tables: what the runtime must know about places in machine code.
//!
//! A site is a trapping instruction or a return address, with its place in the module. The sites
//! of a function are one packed stream, ascending, read from its start only when something traps
//! or a backtrace is asked for. Layout, all numbers unsigned LEB128 unless said:
//!
//! ```text
//! number of inlined calls, then each: callee, position of the call
//! number of inlined positions, then each: inlined call, module offset
//! number of sites, then each: pc minus the previous pc, trap code, position minus the previous
//!   position (zigzag)
//! ```
//!
//! The reader works on bytes that may be damaged: it returns `None` and never panics, and it does
//! not allocate while looking for a trap, because it runs inside signal handlers.

use serde::{Deserialize, Serialize};

/// The extent of a function in linked code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FuncRange {
    /// Bytes from the code's start.
    pub start: u32,
    /// Its length in bytes.
    pub len: u32,
    /// Where its sites start in the packed table.
    pub sites: u32,
}

/// A position with this bit counts in [`SitePositions::inlined`]; others are module offsets.
pub const INLINED: u32 = 1 << 31;

/// What the positions of a function mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SitePositions {
    /// Inlined calls: the callee among the defined functions, and the call's position.
    pub calls: Vec<(u32, u32)>,
    /// Inlined positions: the inlined call, and the module offset.
    pub inlined: Vec<(u32, u32)>,
}

impl SitePositions {
    /// The places a position stands for, innermost first: the inlined callee (`None` for the
    /// function itself) and the module offset.
    pub fn frames(&self, position: u32) -> Vec<(Option<u32>, u32)> {
        let mut frames = Vec::new();
        let mut at = position;
        // Calls refer to earlier ones only; the bound keeps damaged tables from looping.
        while at & INLINED != 0 && frames.len() <= self.calls.len() {
            let Some(&(call, offset)) = self.inlined.get((at & !INLINED) as usize) else { break };
            let Some(&(callee, position)) = self.calls.get(call as usize) else { break };
            frames.push((Some(callee), offset));
            at = position;
        }
        frames.push((None, at & !INLINED));
        frames
    }
}

/// Appends the sites of one function: pc offset, trap code, position, ascending by pc.
pub fn pack(
    out: &mut Vec<u8>,
    sites: impl ExactSizeIterator<Item = (u32, u8, u32)>,
    positions: &SitePositions,
) {
    write(out, positions.calls.len() as u32);
    positions.calls.iter().for_each(|(callee, position)| {
        write(out, *callee);
        write(out, *position);
    });
    write(out, positions.inlined.len() as u32);
    positions.inlined.iter().for_each(|(call, offset)| {
        write(out, *call);
        write(out, *offset);
    });
    write(out, sites.len() as u32);
    let (mut last_pc, mut last_position) = (0u32, 0u32);
    for (pc, trap, position) in sites {
        write(out, pc.wrapping_sub(last_pc));
        out.push(trap);
        let delta = position.wrapping_sub(last_position) as i32;
        write(out, ((delta << 1) ^ (delta >> 31)) as u32);
        (last_pc, last_position) = (pc, position);
    }
}

/// What a site tells of. One place can be both: where a call returns to an instruction that traps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiteKind {
    /// An instruction that trapped.
    Trap,
    /// The address that a call returns to.
    Return,
}

/// The site of a kind at exactly `pc`: trap code (0 for a return address) and position.
pub fn find(table: &[u8], pc: u32, kind: SiteKind) -> Option<(u8, u32)> {
    let mut reader = Reader { bytes: table };
    for _ in 0..2 {
        for _ in 0..reader.number()? {
            reader.number()?;
            reader.number()?;
        }
    }
    let (mut at, mut position) = (0u32, 0u32);
    for _ in 0..reader.number()? {
        at = at.wrapping_add(reader.number()?);
        let trap = reader.byte()?;
        let delta = reader.number()?;
        position = position.wrapping_add((delta >> 1) ^ (delta & 1).wrapping_neg());
        if at == pc && (trap == 0) == (kind == SiteKind::Return) {
            return Some((trap, position));
        }
        if at > pc {
            return None;
        }
    }
    None
}

/// The return addresses among the sites of a function, from its start, ascending.
pub fn returns(table: &[u8]) -> Vec<u32> {
    let mut reader = Reader { bytes: table };
    let mut all = || {
        for _ in 0..2 {
            for _ in 0..reader.number()? {
                reader.number()?;
                reader.number()?;
            }
        }
        let (mut at, mut found) = (0u32, Vec::new());
        for _ in 0..reader.number()? {
            at = at.wrapping_add(reader.number()?);
            let trap = reader.byte()?;
            reader.number()?;
            found.extend((trap == 0).then_some(at));
        }
        Some(found)
    };
    all().unwrap_or_default()
}

/// What positions of the function mean. Damaged tables give an empty answer.
pub fn positions(table: &[u8]) -> SitePositions {
    let mut reader = Reader { bytes: table };
    let mut pairs = || {
        let mut pairs = Vec::new();
        for _ in 0..reader.number()? {
            pairs.push((reader.number()?, reader.number()?));
        }
        Some(pairs)
    };
    let calls = pairs().unwrap_or_default();
    let inlined = pairs().unwrap_or_default();
    SitePositions { calls, inlined }
}

fn write(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u32> {
        let mut value = 0u32;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_are_found_at_their_exact_place() {
        let mut table = Vec::new();
        let positions = SitePositions { calls: vec![(7, 40)], inlined: vec![(0, 900), (0, 905)] };
        // The instruction behind the call traps.
        let sites = [(3, 2, 100), (9, 4, 55), (9, 0, 50), (300, 11, INLINED | 1)];
        pack(&mut table, sites.into_iter(), &positions);
        for (pc, trap, position) in sites {
            let kind = if trap == 0 { SiteKind::Return } else { SiteKind::Trap };
            assert_eq!(find(&table, pc, kind), Some((trap, position)));
        }
        assert_eq!(find(&table, 3, SiteKind::Return), None);
        assert_eq!(find(&table, 4, SiteKind::Trap), None);
        assert_eq!(find(&table, 301, SiteKind::Return), None);
        assert_eq!(super::positions(&table), positions);
        assert_eq!(positions.frames(INLINED | 1), vec![(Some(7), 905), (None, 40)]);
    }

    #[test]
    fn every_truncation_is_survived() {
        let mut table = Vec::new();
        let sites = [(3, 2, 100), (900, 0, 50)];
        pack(&mut table, sites.into_iter(), &SitePositions::default());
        for len in 0..table.len() {
            let _ = find(&table[..len], 900, SiteKind::Return);
            let _ = super::positions(&table[..len]);
        }
        assert_eq!(find(&table[..table.len() - 1], 900, SiteKind::Return), None);
    }
}
