//! Strings made by putting others together, and their units brought into one piece when somebody
//! wants to see them.
//!
//! Appending a little to a long string, again and again, must not copy the long one each time. A
//! rope remembers its two halves instead. Short additions are gathered at its ends, so that a rope
//! takes about as much memory as its units, however small the steps were. Invariant: no function
//! here recurses, freeing included: a rope can be as deep as it is long.

use super::account::Charge;
use super::text::{Buffer, Text, piece_bytes};
use super::units::Units;
use selkie_module::TrapCode;
use std::sync::{Arc, Mutex, PoisonError};

/// Units of a string at most.
pub(super) const MAX_UNITS: usize = 1 << 29;
/// Strings up to this length are always in one piece.
const FLAT_UNITS: usize = 64;
/// The end of a rope gathers additions up to this length.
const GATHERED_UNITS: usize = 256;
/// What a rope takes besides its halves, with what the allocator adds.
const ROPE_BYTES: u64 = 160;

/// Units that are handled without asking whether to go on.
pub(super) const PIECE_UNITS: usize = 1 << 18;
/// What a piece of a rope costs besides its units.
pub(super) const PIECE_COST_UNITS: usize = 64;

/// A string in either form.
#[derive(Clone, Debug)]
pub(super) enum Form {
    Flat(Text),
    Rope(Arc<Rope>),
}

/// Two strings, one behind the other.
#[derive(Debug)]
pub(super) struct Rope {
    len: u32,
    /// Whether one of its pieces is.
    is_wide: bool,
    state: Mutex<State>,
    _charge: Charge,
}

#[derive(Clone, Debug)]
enum State {
    Halves(Form, Form),
    Flat(Text),
}

/// How two strings are going to be put together.
pub(super) enum Join {
    /// Both are short.
    Copy(Text, Text),
    /// The first with the second copied to its last piece.
    Append(Form, Text, Text),
    /// The second with the first copied to its first piece.
    Prepend(Text, Text, Form),
    /// As halves.
    Halves(Form, Form),
}

impl Form {
    fn rope(left: Form, right: Form, charge: Charge) -> Form {
        Form::Rope(Arc::new(Rope {
            len: (left.len() + right.len()) as u32,
            is_wide: left.is_wide() || right.is_wide(),
            state: Mutex::new(State::Halves(left, right)),
            _charge: charge,
        }))
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Form::Flat(text) => text.len(),
            Form::Rope(rope) => rope.len as usize,
        }
    }

    fn is_wide(&self) -> bool {
        match self {
            Form::Flat(text) => text.units().is_wide(),
            Form::Rope(rope) => rope.is_wide,
        }
    }

    fn state(&self) -> State {
        match self {
            Form::Flat(text) => State::Flat(text.clone()),
            Form::Rope(rope) => rope.state(),
        }
    }

    /// The form in that state, without the rope around units that are in one piece by now.
    fn settled(form: &Form, state: State) -> Form {
        match state {
            State::Flat(text) => Form::Flat(text),
            State::Halves(..) => form.clone(),
        }
    }

    /// The flat string, if it is one by now.
    pub(super) fn flat(&self) -> Option<Text> {
        match self.state() {
            State::Flat(text) => Some(text),
            State::Halves(..) => None,
        }
    }

    /// Shows the pieces of a string, the last one first: a rope that was made by appending is then
    /// walked with hardly anything to remember.
    pub(super) fn each_piece_from_end(
        &self,
        mut see: impl FnMut(Units<'_>),
    ) -> Result<(), TrapCode> {
        self.try_each_piece_from_end(|piece| {
            see(piece);
            Ok(())
        })
    }

    /// As [`Form::each_piece_from_end`], until one fails.
    pub(super) fn try_each_piece_from_end<E: From<TrapCode>>(
        &self,
        mut see: impl FnMut(Units<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut before: Vec<Form> = Vec::new();
        let mut next = Some(self.clone());
        while let Some(form) = next {
            next = match form.state() {
                State::Flat(text) => {
                    see(text.units())?;
                    before.pop()
                }
                State::Halves(left, right) => {
                    before.try_reserve(1).map_err(|_| TrapCode::AllocationTooLarge)?;
                    before.push(left);
                    Some(right)
                }
            };
        }
        Ok(())
    }
}

impl Rope {
    fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What [`Rope::flatten`] must be given.
    pub(super) fn flat_bytes(&self) -> u64 {
        piece_bytes(self.len as usize, self.is_wide)
    }

    /// Brings its units into one piece, and lets go of the halves. Asks in between whether it goes
    /// on; if not, nothing has changed.
    pub(super) fn flatten<E: From<TrapCode>>(
        self: &Arc<Rope>,
        charge: Charge,
        mut ask: impl FnMut() -> Result<(), E>,
    ) -> Result<Text, E> {
        let mut end = self.len as usize;
        let mut buffer = Buffer::with_capacity(end, self.is_wide)?;
        while buffer.units().len() < end {
            buffer.grow_to(end.min(buffer.units().len() + PIECE_UNITS));
            ask()?;
        }
        let form = Form::Rope(self.clone());
        let mut unasked = 0;
        form.try_each_piece_from_end(|mut piece| {
            while piece.len() > 0 {
                let (before, last) = piece.split_at(piece.len().saturating_sub(PIECE_UNITS));
                end = buffer.write_before(end, last);
                piece = before;
                unasked += last.len() + PIECE_COST_UNITS;
                if unasked > PIECE_UNITS {
                    unasked = 0;
                    ask()?;
                }
            }
            Ok::<(), E>(())
        })?;
        debug_assert_eq!(end, 0);
        let text = Text::new(buffer, charge);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let halves = std::mem::replace(&mut *state, State::Flat(text.clone()));
        drop(state);
        drop(halves); // not under the lock: this may free much
        Ok(text)
    }
}

impl Drop for Rope {
    fn drop(&mut self) {
        // Nothing is allocated for a rope whose halves are flat or in use elsewhere.
        let mut ropes = Vec::new();
        self.give_up_halves(&mut ropes);
        while let Some(mut rope) = ropes.pop() {
            rope.give_up_halves(&mut ropes);
        }
    }
}

impl Rope {
    /// Moves those of its halves out that are ropes nobody else uses.
    fn give_up_halves(&mut self, ropes: &mut Vec<Rope>) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let State::Halves(left, right) = std::mem::replace(state, State::Flat(Text::EMPTY)) {
            let only_users = [left, right].into_iter().filter_map(|half| match half {
                Form::Rope(rope) => Arc::into_inner(rope),
                Form::Flat(_) => None,
            });
            ropes.extend(only_users);
        }
    }
}

impl Join {
    /// Decides how, for two strings that are not empty; [`TrapCode::AllocationTooLarge`] when the
    /// result is longer than strings can be.
    pub(super) fn new(first: &Form, second: &Form) -> Result<Join, TrapCode> {
        let (first_len, second_len) = (first.len(), second.len());
        if first_len + second_len > MAX_UNITS {
            return Err(TrapCode::AllocationTooLarge);
        }
        debug_assert!(first_len > 0 && second_len > 0);
        Ok(match (first.state(), second.state()) {
            (State::Flat(first), State::Flat(second)) if first_len + second_len <= FLAT_UNITS => {
                Join::Copy(first, second)
            }
            (State::Halves(left, Form::Flat(last)), State::Flat(second))
                if last.len() + second_len <= GATHERED_UNITS =>
            {
                Join::Append(left, last, second)
            }
            (State::Flat(first), State::Halves(Form::Flat(next), right))
                if first_len + next.len() <= GATHERED_UNITS =>
            {
                Join::Prepend(first, next, right)
            }
            (a, b) => Join::Halves(Form::settled(first, a), Form::settled(second, b)),
        })
    }

    /// What [`Join::make`] must be given.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Join::Copy(first, second) => joined_bytes(first, second),
            Join::Append(_, first, second) | Join::Prepend(first, second, _) => {
                ROPE_BYTES + joined_bytes(first, second)
            }
            Join::Halves(..) => ROPE_BYTES,
        }
    }

    pub(super) fn make(self, mut charge: Charge) -> Result<Form, TrapCode> {
        Ok(match self {
            Join::Copy(first, second) => Form::Flat(joined(&first, &second, charge)?),
            Join::Append(left, last, second) => {
                let rope = charge.split(ROPE_BYTES);
                Form::rope(left, Form::Flat(joined(&last, &second, charge)?), rope)
            }
            Join::Prepend(first, next, right) => {
                let rope = charge.split(ROPE_BYTES);
                Form::rope(Form::Flat(joined(&first, &next, charge)?), right, rope)
            }
            Join::Halves(first, second) => Form::rope(first, second, charge),
        })
    }
}

fn is_wide(first: &Text, second: &Text) -> bool {
    first.units().is_wide() || second.units().is_wide()
}

fn joined_bytes(first: &Text, second: &Text) -> u64 {
    piece_bytes(first.len() + second.len(), is_wide(first, second))
}

fn joined(first: &Text, second: &Text, charge: Charge) -> Result<Text, TrapCode> {
    let mut buffer = Buffer::with_capacity(first.len() + second.len(), is_wide(first, second))?;
    buffer.push(first.units());
    buffer.push(second.units());
    Ok(Text::new(buffer, charge))
}

#[cfg(test)]
mod tests;
