//! Flat strings: a range of units that lie in one piece, which other strings may share.

use super::account::Charge;
use super::units::Units;
use selkie_module::TrapCode;
use std::sync::Arc;

/// Shorter parts of a string are copied: a few units must not keep many alive, and sharing costs
/// more than copying them does.
const SHARED_UNITS: usize = 32;
/// What a piece takes besides its units: the counts, the charge, and what the allocator adds.
const PIECE_BYTES: u64 = 96;

/// Every string of one unit below 256, side by side.
static LATIN1: [u8; 256] = {
    let mut units = [0; 256];
    let mut unit = 0;
    while unit < 256 {
        units[unit] = unit as u8;
        unit += 1;
    }
    units
};

/// A flat string.
#[derive(Clone, Debug)]
pub(super) struct Text {
    piece: Piece,
    start: u32,
    len: u32,
}

#[derive(Clone, Debug)]
enum Piece {
    Fixed(&'static [u8]),
    Shared(Arc<Shared>),
}

#[derive(Debug)]
struct Shared {
    units: Buffer,
    _charge: Charge,
}

/// Units that are owned: a piece, or one that is being made.
#[derive(Debug)]
pub(super) enum Buffer {
    Latin1(Vec<u8>),
    Wide(Vec<u16>),
}

/// What a piece of so many units takes, to be charged before it is made.
pub(super) fn piece_bytes(len: usize, is_wide: bool) -> u64 {
    PIECE_BYTES + ((len as u64) << u32::from(is_wide))
}

impl Buffer {
    /// An empty buffer with room for so many units.
    ///
    /// # Errors
    /// The system has no memory.
    pub(super) fn with_capacity(len: usize, is_wide: bool) -> Result<Buffer, TrapCode> {
        fn reserved<T>(len: usize) -> Result<Vec<T>, TrapCode> {
            let mut units = Vec::new();
            units.try_reserve_exact(len).map_err(|_| TrapCode::AllocationTooLarge)?;
            Ok(units)
        }
        Ok(match is_wide {
            false => Buffer::Latin1(reserved(len)?),
            true => Buffer::Wide(reserved(len)?),
        })
    }

    /// Adds zeros up to a length for which it has room.
    pub(super) fn grow_to(&mut self, len: usize) {
        match self {
            Buffer::Latin1(units) => units.resize(len, 0),
            Buffer::Wide(units) => units.resize(len, 0),
        }
    }

    pub(super) fn units(&self) -> Units<'_> {
        match self {
            Buffer::Latin1(units) => Units::Latin1(units),
            Buffer::Wide(units) => Units::Wide(units),
        }
    }

    /// Adds units. Wide ones go into a narrow buffer where their values fit it: whoever made the
    /// buffer knows.
    pub(super) fn push(&mut self, more: Units<'_>) {
        match (self, more) {
            (Buffer::Latin1(units), Units::Latin1(more)) => units.extend_from_slice(more),
            (Buffer::Latin1(units), Units::Wide(more)) => {
                units.extend(more.iter().map(|unit| *unit as u8));
            }
            (Buffer::Wide(units), Units::Latin1(more)) => {
                units.extend(more.iter().map(|unit| u16::from(*unit)));
            }
            (Buffer::Wide(units), Units::Wide(more)) => units.extend_from_slice(more),
        }
    }

    /// Overwrites what lies before `end`, and answers where that begins.
    pub(super) fn write_before(&mut self, end: usize, piece: Units<'_>) -> usize {
        let start = end.saturating_sub(piece.len());
        match (self, piece) {
            (Buffer::Latin1(units), Units::Latin1(piece)) => {
                if let Some(to) = units.get_mut(start..end) {
                    to.copy_from_slice(piece);
                }
            }
            (Buffer::Wide(units), piece) => {
                if let Some(to) = units.get_mut(start..end) {
                    piece.copy_to(to);
                }
            }
            (Buffer::Latin1(_), Units::Wide(_)) => {
                debug_assert!(false, "a buffer is wide where one of its pieces is");
            }
        }
        start
    }
}

impl Text {
    pub(super) const EMPTY: Text = Text { piece: Piece::Fixed(&[]), start: 0, len: 0 };

    /// The string that needs no memory of its own, if these units have one.
    pub(super) fn fixed(units: Units<'_>) -> Option<Text> {
        match (units.len(), units.get(0)) {
            (0, _) => Some(Text::EMPTY),
            (1, Some(unit)) => Text::unit(unit),
            _ => None,
        }
    }

    /// The string of one unit, where that needs no memory of its own.
    pub(super) fn unit(unit: u16) -> Option<Text> {
        let start = u8::try_from(unit).ok()?;
        Some(Text { piece: Piece::Fixed(&LATIN1), start: start.into(), len: 1 })
    }

    /// A string of units for which [`piece_bytes`] have been charged.
    pub(super) fn new(units: Buffer, charge: Charge) -> Text {
        let len = units.units().len() as u32;
        Text { piece: Piece::Shared(Arc::new(Shared { units, _charge: charge })), start: 0, len }
    }

    /// A copy of units, for which [`piece_bytes`] have been charged; as narrow as `is_wide` says.
    pub(super) fn copied(
        units: Units<'_>,
        is_wide: bool,
        charge: Charge,
    ) -> Result<Text, TrapCode> {
        let mut buffer = Buffer::with_capacity(units.len(), is_wide)?;
        buffer.push(units);
        Ok(Text::new(buffer, charge))
    }

    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    #[inline]
    pub(super) fn units(&self) -> Units<'_> {
        let all = match &self.piece {
            Piece::Fixed(units) => Units::Latin1(units),
            Piece::Shared(shared) => shared.units.units(),
        };
        all.slice(self.start as usize..self.start as usize + self.len as usize)
    }

    /// A part that takes no memory of its own: all of it, none, one unit, or enough to be shared.
    /// The range lies inside.
    pub(super) fn part(&self, start: usize, end: usize) -> Option<Text> {
        let part = Text {
            piece: self.piece.clone(),
            start: self.start + start as u32,
            len: (end - start) as u32,
        };
        let is_shared = part.len() >= SHARED_UNITS || part.len() == self.len();
        if is_shared { Some(part) } else { Text::fixed(part.units()) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::account::Account;
    use super::*;

    fn text(units: &[u16]) -> (Arc<Account>, Text) {
        let account = Arc::new(Account::default());
        let units = Units::Wide(units);
        let is_wide = !units.fits_latin1();
        let charge = account.charge(piece_bytes(units.len(), is_wide)).expect("there is no limit");
        let text = Text::copied(units, is_wide, charge).expect("there is memory");
        (account, text)
    }

    #[test]
    fn flat_strings_are_as_narrow_as_their_units_allow() {
        let (account, narrow) = text(&[0x61, 0xff]);
        assert!(matches!(narrow.units(), Units::Latin1(b"a\xff")));
        assert_eq!(account.used_bytes(), PIECE_BYTES + 2);
        let (account, wide) = text(&[0x61, 0x100]);
        assert!(matches!(wide.units(), Units::Wide([0x61, 0x100])));
        assert_eq!(account.used_bytes(), PIECE_BYTES + 4);
    }

    #[test]
    fn long_parts_share_and_short_ones_do_not() {
        let (account, whole) = text(&[0x62; 100]);
        assert_eq!(whole.part(10, 90).map(|part| part.len()), Some(80));
        assert!(whole.part(10, 20).is_none());
        assert!(whole.part(10, 11).is_some_and(|unit| matches!(unit.piece, Piece::Fixed(_))));
        assert!(whole.part(100, 100).is_some_and(|none| none.len() == 0));
        let part = whole.part(50, 100).and_then(|part| part.part(1, 49)).expect("it is long");
        drop(whole);
        assert_eq!(part.units().len(), 48);
        assert_ne!(account.used_bytes(), 0);
        drop(part);
        assert_eq!(account.used_bytes(), 0);
    }

    #[test]
    fn a_handle_to_a_flat_string_is_small() {
        assert_eq!(size_of::<Text>(), 24);
    }
}
