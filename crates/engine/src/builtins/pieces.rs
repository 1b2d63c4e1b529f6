//! Work on very many bytes or elements, done a piece at a time, so that guests can be interrupted
//! in between. Without interruption, and where one piece is all, nothing is different.
//!
//! Invariant: between two pieces everything is as it would be had the guest asked for fewer, and
//! whoever is asked may do anything to the store: places of objects and memories are found anew for
//! each piece.

use crate::entry::{Guest, Stop};
use crate::heap::Held;

/// Bytes of linear memory in a piece: where all its pages are new, they take some tenths of a
/// millisecond.
pub(crate) const BYTES: u64 = 1 << 20;
/// The same in elements of tables and arrays, of which each may take some tens of nanoseconds.
pub(crate) const ELEMENTS: u64 = 1 << 14;

/// In which order pieces are handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Upward,
    Downward,
}

impl Order {
    /// For copies within one place: what is still to be read is not overwritten.
    pub(crate) fn of_copy(to: u64, from: u64) -> Order {
        if to <= from { Order::Upward } else { Order::Downward }
    }
}

/// Where a reference is held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldPlace(usize);

impl Guest<'_> {
    /// Whether so much work is done in pieces.
    #[inline]
    pub(crate) fn needs_pieces(&self, count: u64, piece: u64) -> bool {
        count > piece && self.interruption.is_some()
    }

    /// Works on `count` bytes or elements, `piece` of them at a time: tells the work where each
    /// piece begins and how many there are in it.
    #[inline]
    pub(crate) fn in_pieces<E>(
        &mut self,
        count: u64,
        piece: u64,
        order: Order,
        mut work: impl FnMut(&mut Self, u64, u64) -> Result<(), E>,
    ) -> Result<(), Stop>
    where
        Stop: From<E>,
    {
        if !self.needs_pieces(count, piece) {
            return Ok(work(self, 0, count)?);
        }
        let mut done = 0;
        while done < count {
            let here = piece.min(count - done);
            let start = if order == Order::Upward { done } else { count - done - here };
            work(self, start, here)?;
            done += here;
            self.check_interrupt()?;
        }
        Ok(())
    }

    /// Does work while references of the guest are kept up to date where [`Guest::reference`] finds
    /// them.
    pub(crate) fn holding<const N: usize, R>(
        &mut self,
        references: [u64; N],
        work: impl FnOnce(&mut Self, [HeldPlace; N]) -> R,
    ) -> R {
        let height = self.held.len();
        self.held.extend(references.map(Held::reference));
        let done = work(self, std::array::from_fn(|i| HeldPlace(height + i)));
        self.held.truncate(height);
        done
    }

    /// The reference at a place, as it is now.
    pub(crate) fn reference(&self, place: HeldPlace) -> u64 {
        self.held[place.0].bits() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{AsContextMut, Store};
    use crate::{Config, Engine};

    fn pieces(interrupts: bool, order: Order, count: u64) -> Vec<(u64, u64)> {
        let engine = Engine::new(Config::new().epoch_interruption(interrupts)).unwrap();
        let mut store = Store::new(&engine, ());
        let mut context = store.as_context_mut();
        let mut seen = Vec::new();
        let done = Guest::new(&mut context).in_pieces(count, 10, order, |_, start, count| {
            seen.push((start, count));
            Ok::<(), Stop>(())
        });
        assert!(done.is_ok());
        seen
    }

    #[test]
    fn pieces_cover_everything_once_in_their_order() {
        assert_eq!(pieces(true, Order::Upward, 25), [(0, 10), (10, 10), (20, 5)]);
        assert_eq!(pieces(true, Order::Downward, 25), [(15, 10), (5, 10), (0, 5)]);
        assert_eq!(pieces(true, Order::Upward, 10), [(0, 10)]);
        assert_eq!(pieces(true, Order::Upward, 0), [(0, 0)]);
        assert_eq!(pieces(false, Order::Downward, 25), [(0, 25)]);
    }
}
