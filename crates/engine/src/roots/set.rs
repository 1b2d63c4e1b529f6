//! The references that the host holds in one store, for the collector to see and rewrite.
//!
//! Two lists. What a scope roots is pushed onto a stack and popped when the scope ends; what the
//! host owns has a place until its last handle is gone, which is noticed at the next collection,
//! or when the list has doubled. Every place knows the generation in which it was filled, and so
//! does every handle: a handle that outlived its place never reads what came there after it.

use super::Root;
use crate::error::{Error, ErrorKind, Result};
use crate::store::StoreId;
use std::sync::{Arc, Weak};

/// Marks places in the list of owned references.
const OWNED: usize = 1 << (usize::BITS - 1);
/// Owned references below which the list is never swept for its size.
const MIN_SWEEP: usize = 64;

/// The references that the host holds.
pub(crate) struct RootSet {
    scoped: Vec<Scoped>,
    owned: Vec<Owned>,
    /// Free places of `owned`.
    free: Vec<usize>,
    /// Grows whenever a place is freed or an owned one is filled, so that no handle fits twice.
    generation: u64,
    /// Length of `owned` at which it is swept before it grows.
    sweep_at: usize,
}

struct Scoped {
    raw: u64,
    generation: u64,
}

struct Owned {
    raw: u64,
    generation: u64,
    /// Dead when no handle is left.
    handles: Weak<()>,
}

impl Default for RootSet {
    fn default() -> RootSet {
        let (scoped, owned, free) = (Vec::new(), Vec::new(), Vec::new());
        RootSet { scoped, owned, free, generation: 1, sweep_at: MIN_SWEEP }
    }
}

impl RootSet {
    /// Begins a scope; what it answers ends it.
    #[inline(always)]
    pub(crate) fn enter(&self) -> usize {
        self.scoped.len()
    }

    /// Ends a scope: its references, and those of scopes inside, are the host's no more.
    #[inline(always)]
    pub(crate) fn exit(&mut self, scope: usize) {
        if self.scoped.len() > scope {
            self.drop_scoped(scope);
        }
    }

    #[cold]
    fn drop_scoped(&mut self, scope: usize) {
        self.scoped.truncate(scope);
        self.generation += 1;
    }

    /// Makes room for so many references.
    pub(crate) fn reserve(&mut self, count: usize) {
        self.scoped.reserve(count);
    }

    /// Roots a reference in the innermost scope.
    pub(crate) fn push(&mut self, store: StoreId, raw: u64) -> Root {
        let generation = self.generation;
        self.scoped.push(Scoped { raw, generation });
        Root { store, generation, place: self.scoped.len() - 1 }
    }

    /// Roots a reference until all clones of the answered token are gone.
    pub(crate) fn own(&mut self, store: StoreId, raw: u64) -> (Root, Arc<()>) {
        if self.free.is_empty() && self.owned.len() >= self.sweep_at {
            self.sweep();
        }
        self.generation += 1;
        let token = Arc::new(());
        let generation = self.generation;
        let owned = Owned { raw, generation, handles: Arc::downgrade(&token) };
        let place = match self.free.pop() {
            Some(place) => {
                self.owned[place] = owned;
                place
            }
            None => {
                self.owned.push(owned);
                self.owned.len() - 1
            }
        };
        (Root { store, generation, place: place | OWNED }, token)
    }

    /// The reference of a handle whose store is this one's.
    pub(crate) fn get(&self, root: Root) -> Result<u64> {
        let found = if root.place & OWNED == 0 {
            self.scoped.get(root.place).map(|at| (at.raw, at.generation))
        } else {
            let owned = self.owned.get(root.place & !OWNED);
            let owned = owned.filter(|at| at.handles.strong_count() > 0);
            owned.map(|at| (at.raw, at.generation))
        };
        match found {
            Some((raw, generation)) if generation == root.generation => Ok(raw),
            _ => Err(gone()),
        }
    }

    /// Shows every reference, to be read and rewritten.
    pub(crate) fn each_root(&mut self, see: &mut dyn FnMut(&mut u64)) {
        self.sweep();
        self.scoped.iter_mut().for_each(|root| see(&mut root.raw));
        self.owned.iter_mut().for_each(|root| see(&mut root.raw));
    }

    /// Frees the places that no handle names any more. What a free place holds is null.
    fn sweep(&mut self) {
        for (place, owned) in self.owned.iter_mut().enumerate() {
            if owned.generation != 0 && owned.handles.strong_count() == 0 {
                *owned = Owned { raw: 0, generation: 0, handles: Weak::new() };
                self.free.push(place);
            }
        }
        // The list shrinks where its end is free.
        let used = self.owned.iter().rposition(|owned| owned.generation != 0);
        self.owned.truncate(used.map_or(0, |last| last + 1));
        let len = self.owned.len();
        self.free.retain(|place| *place < len);
        let live = len - self.free.len();
        self.sweep_at = (2 * live).max(MIN_SWEEP);
    }

    #[cfg(test)]
    fn places(&self) -> usize {
        self.owned.len()
    }
}

#[cold]
fn gone() -> Error {
    let message =
        "a reference was used after its scope ended; an `OwnedRooted` lives as long as it is kept";
    Error::new(ErrorKind::Invalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: StoreId = StoreId::for_tests();

    #[test]
    fn a_place_that_is_filled_again_is_not_read_by_the_handle_before() {
        let mut roots = RootSet::default();
        let scope = roots.enter();
        let first = roots.push(STORE, 8);
        assert_eq!(roots.get(first).ok(), Some(8));
        roots.exit(scope);
        assert!(roots.get(first).is_err());
        let second = roots.push(STORE, 16);
        assert_eq!(second.place, first.place);
        assert!(roots.get(first).is_err());
        assert_eq!(roots.get(second).ok(), Some(16));
    }

    #[test]
    fn an_outer_scope_that_ends_first_ends_those_inside() {
        let mut roots = RootSet::default();
        let (outer, _) = (roots.enter(), roots.push(STORE, 8));
        let (inner, kept) = (roots.enter(), roots.push(STORE, 16));
        roots.exit(outer);
        assert!(roots.get(kept).is_err());
        let after = roots.push(STORE, 24);
        roots.exit(inner);
        assert_eq!(roots.get(after).ok(), Some(24));
    }

    #[test]
    fn owned_places_are_used_again_when_their_handles_are_gone() {
        let mut roots = RootSet::default();
        let (kept, _token) = roots.own(STORE, 8);
        for i in 0..100_000 {
            let (root, token) = roots.own(STORE, 16);
            assert_eq!(roots.get(root).ok(), Some(16), "{i}");
            drop(token);
            assert!(roots.get(root).is_err());
        }
        assert!(roots.places() <= 2 * MIN_SWEEP, "{}", roots.places());
        assert_eq!(roots.get(kept).ok(), Some(8));
    }

    #[test]
    fn collections_see_what_is_held_and_move_it() {
        let mut roots = RootSet::default();
        let scoped = roots.push(STORE, 8);
        let (owned, token) = roots.own(STORE, 16);
        let (dead, dropped) = roots.own(STORE, 24);
        drop(dropped);
        let mut seen = Vec::new();
        roots.each_root(&mut |raw| {
            seen.push(*raw);
            *raw += 100;
        });
        assert_eq!(seen, [8, 16]);
        assert_eq!(roots.get(scoped).ok(), Some(108));
        assert_eq!(roots.get(owned).ok(), Some(116));
        assert!(roots.get(dead).is_err());
        drop(token);
        roots.each_root(&mut |_| ());
        assert_eq!(roots.places(), 0);
    }
}
