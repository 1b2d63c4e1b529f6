//! Code units as they lie in memory: one byte each where all are below 256 (Latin-1), else two.
//!
//! Any sequence of units is a string, lone surrogates included (WTF-16). Which of the two forms
//! holds a string never shows: all that is asked here is about units.

use std::cmp::Ordering;
use std::ops::Range;

/// Code units to be read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Units<'a> {
    Latin1(&'a [u8]),
    Wide(&'a [u16]),
}

impl<'a> Units<'a> {
    pub(super) fn len(self) -> usize {
        match self {
            Units::Latin1(units) => units.len(),
            Units::Wide(units) => units.len(),
        }
    }

    pub(super) fn is_wide(self) -> bool {
        matches!(self, Units::Wide(_))
    }

    /// A unit, if there is one at that place.
    #[inline]
    pub(super) fn get(self, at: usize) -> Option<u16> {
        match self {
            Units::Latin1(units) => units.get(at).copied().map(u16::from),
            Units::Wide(units) => units.get(at).copied(),
        }
    }

    /// The units of a range; none where it does not lie inside.
    pub(super) fn slice(self, range: Range<usize>) -> Units<'a> {
        match self {
            Units::Latin1(units) => Units::Latin1(units.get(range).unwrap_or_default()),
            Units::Wide(units) => Units::Wide(units.get(range).unwrap_or_default()),
        }
    }

    /// The code point that begins at a place: a pair of surrogates makes one, a lone one is its own
    /// (ECMAScript, `CodePointAt`).
    pub(super) fn code_point(self, at: usize) -> Option<u32> {
        let first = self.get(at)?;
        let second = at.checked_add(1).and_then(|next| self.get(next));
        Some(match (first, second) {
            (0xd800..=0xdbff, Some(second @ 0xdc00..=0xdfff)) => {
                0x10000 + (u32::from(first - 0xd800) << 10) + u32::from(second - 0xdc00)
            }
            _ => first.into(),
        })
    }

    /// Whether one byte a unit suffices, whatever they take now.
    pub(super) fn fits_latin1(self) -> bool {
        match self {
            Units::Latin1(_) => true,
            // Without an early end, so that it is done for many units at once.
            Units::Wide(units) => units.iter().fold(0, |all, unit| all | unit) <= 0xff,
        }
    }

    /// Writes the units; `target` is as long.
    pub(super) fn copy_to(self, target: &mut [u16]) {
        match self {
            Units::Latin1(units) => {
                target.iter_mut().zip(units).for_each(|(to, unit)| *to = (*unit).into());
            }
            Units::Wide(units) => {
                target.iter_mut().zip(units).for_each(|(to, unit)| *to = *unit);
            }
        }
    }

    /// Writes the units as little-endian pairs of bytes; `target` is twice as long.
    pub(super) fn copy_to_bytes(self, target: &mut [u8]) {
        let pairs = target.as_chunks_mut::<2>().0.iter_mut();
        match self {
            Units::Latin1(units) => pairs.zip(units).for_each(|(to, unit)| *to = [*unit, 0]),
            Units::Wide(units) => {
                pairs.zip(units).for_each(|(to, unit)| *to = unit.to_le_bytes());
            }
        }
    }

    /// The units before a place and those from there on.
    pub(super) fn split_at(self, at: usize) -> (Units<'a>, Units<'a>) {
        (self.slice(0..at), self.slice(at..self.len()))
    }

    /// Order of the first units that differ, or else of the lengths (ECMAScript, `IsLessThan`).
    pub(super) fn compare(self, other: Units<'_>) -> Ordering {
        fn mixed(narrow: &[u8], wide: &[u16]) -> Ordering {
            narrow.iter().map(|unit| u16::from(*unit)).cmp(wide.iter().copied())
        }
        match (self, other) {
            (Units::Latin1(a), Units::Latin1(b)) => a.cmp(b),
            (Units::Wide(a), Units::Wide(b)) => a.cmp(b),
            (Units::Latin1(a), Units::Wide(b)) => mixed(a, b),
            (Units::Wide(a), Units::Latin1(b)) => mixed(b, a).reverse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_surrogates_are_one_code_point_and_lone_ones_their_own() {
        let units = [0xd83d, 0xde00, 0xdc00, 0x61, 0xd800];
        let points: Vec<_> = (0..6).map(|at| Units::Wide(&units).code_point(at)).collect();
        let expected = [0x1f600, 0xde00, 0xdc00, 0x61, 0xd800].map(Some);
        assert_eq!(points[..5], expected);
        assert_eq!(points[5], None);
        assert_eq!(Units::Wide(&units).code_point(usize::MAX), None);
    }

    #[test]
    fn either_form_of_the_same_units_is_equal_and_ordered_alike() {
        let wide = |text: &[u8]| text.iter().map(|unit| u16::from(*unit)).collect::<Vec<_>>();
        let texts: [&[u8]; 6] = [b"", b"a", b"ab", b"b", b"\xff", b"a\xff"];
        for a in texts {
            for b in texts {
                let (wide_a, wide_b) = (wide(a), wide(b));
                for left in [Units::Latin1(a), Units::Wide(&wide_a)] {
                    for right in [Units::Latin1(b), Units::Wide(&wide_b)] {
                        assert_eq!(left.compare(right), a.cmp(b));
                    }
                }
            }
        }
    }

    #[test]
    fn order_is_that_of_units_and_not_of_code_points() {
        // U+FFFF is below U+10000, but its unit is above the surrogates of the latter.
        assert_eq!(
            Units::Wide(&[0xffff]).compare(Units::Wide(&[0xd800, 0xdc00])),
            Ordering::Greater
        );
    }

    #[test]
    fn units_are_written_as_pairs_of_bytes() {
        let mut bytes = [9; 4];
        Units::Latin1(b"a\xff").copy_to_bytes(&mut bytes);
        assert_eq!(bytes, [0x61, 0, 0xff, 0]);
        Units::Wide(&[0x1234, 0xd800]).copy_to_bytes(&mut bytes);
        assert_eq!(bytes, [0x34, 0x12, 0, 0xd8]);
    }
}
