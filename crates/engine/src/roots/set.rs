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
    /// What scopes have rooted, innermost last.
    scoped: Vec<u64>,
    /// The generation of each place of `scoped`.
    generations: Vec<u64>,
    /// What the host owns; null in free places.
    owned: Vec<u64>,
    /// Who holds each place of `owned`.
    holders: Vec<Holder>,
    /// Free places of `owned`.
    free: Vec<usize>,
    /// Grows whenever places are popped or an owned one is filled, so that no handle fits twice.
    generation: u64,
    /// Length of `owned` at which it is swept before it grows.
    sweep_at: usize,
}

struct Holder {
    generation: u64,
    /// Dead when no handle is left.
    handles: Weak<()>,
}

impl Holder {
    /// Of a free place. No handle is of generation 0.
    const NONE: Holder = Holder { generation: 0, handles: Weak::new() };

    fn is_gone(&self) -> bool {
        self.handles.strong_count() == 0
    }
}

impl Default for RootSet {
    fn default() -> RootSet {
        RootSet {
            scoped: Vec::new(),
            generations: Vec::new(),
            owned: Vec::new(),
            holders: Vec::new(),
            free: Vec::new(),
            generation: 1,
            sweep_at: MIN_SWEEP,
        }
    }
}

impl RootSet {
    /// How many references it holds, those of handles that are gone but have not been noticed yet
    /// among them.
    pub(crate) fn len(&self) -> usize {
        self.scoped.len() + self.owned.len() - self.free.len()
    }

    /// Begins a scope; what it answers ends it.
    #[inline(always)]
    pub(crate) fn enter(&self) -> usize {
        self.scoped.len()
    }

    /// Ends a scope: its references, and those of scopes inside, are the host's no more.
    #[inline(always)]
    pub(crate) fn exit(&mut self, scope: usize) {
        if self.scoped.len() > scope {
            self.pop(scope);
        }
    }

    #[cold]
    fn pop(&mut self, scope: usize) {
        self.scoped.truncate(scope);
        self.generations.truncate(scope);
        self.generation += 1;
    }

    /// Makes room for so many references.
    pub(crate) fn reserve(&mut self, count: usize) {
        self.scoped.reserve(count);
        self.generations.reserve(count);
    }

    /// Roots a reference in the innermost scope.
    pub(crate) fn push(&mut self, store: StoreId, raw: u64) -> Root {
        self.scoped.push(raw);
        self.generations.push(self.generation);
        Root { store, generation: self.generation, place: self.scoped.len() - 1 }
    }

    /// Roots a reference until all clones of the answered token are gone.
    pub(crate) fn own(&mut self, store: StoreId, raw: u64) -> (Root, Arc<()>) {
        if self.free.is_empty() && self.owned.len() >= self.sweep_at {
            self.sweep();
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.owned.push(0);
            self.holders.push(Holder::NONE);
            self.owned.len() - 1
        });
        let token = Arc::new(());
        self.generation += 1;
        let generation = self.generation;
        self.owned[place] = raw;
        self.holders[place] = Holder { generation, handles: Arc::downgrade(&token) };
        (Root { store, generation, place: place | OWNED }, token)
    }

    /// The reference of a handle whose store is this one's.
    ///
    /// # Errors
    /// Its scope has ended, or its owner is gone.
    pub(crate) fn get(&self, root: Root) -> Result<u64> {
        let Root { place, generation, .. } = root;
        let found = if place & OWNED == 0 {
            let is_here = self.generations.get(place) == Some(&generation);
            is_here.then(|| self.scoped[place])
        } else {
            let place = place & !OWNED;
            let holder = self.holders.get(place);
            let is_here = holder.is_some_and(|h| h.generation == generation && !h.is_gone());
            is_here.then(|| self.owned[place])
        };
        found.ok_or_else(gone)
    }

    /// Shows every reference, to be read and rewritten.
    pub(crate) fn each_root(&mut self, see: &mut dyn FnMut(&mut [u64])) {
        self.sweep();
        see(&mut self.scoped);
        see(&mut self.owned);
    }

    /// Frees the places that no handle names any more.
    fn sweep(&mut self) {
        for (place, holder) in self.holders.iter_mut().enumerate() {
            if holder.generation != 0 && holder.is_gone() {
                *holder = Holder::NONE;
                self.owned[place] = 0;
                self.free.push(place);
            }
        }
        let used = self.holders.iter().rposition(|holder| holder.generation != 0);
        let len = used.map_or(0, |last| last + 1);
        self.owned.truncate(len);
        self.holders.truncate(len);
        self.free.retain(|place| *place < len);
        self.sweep_at = (2 * (len - self.free.len())).max(MIN_SWEEP);
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
            let clone = token.clone();
            drop(token);
            assert_eq!(roots.get(root).ok(), Some(16), "{i}");
            drop(clone);
            assert!(roots.get(root).is_err());
        }
        assert!(roots.owned.len() <= 2 * MIN_SWEEP, "{}", roots.owned.len());
        assert_eq!(roots.get(kept).ok(), Some(8));
    }

    #[test]
    fn the_list_of_owned_references_grows_with_those_that_live() {
        let mut roots = RootSet::default();
        let held: Vec<_> = (0..10_000).map(|i| roots.own(STORE, i << 3)).collect();
        let alive = held.iter().all(|(root, _)| roots.get(*root).is_ok());
        assert!(alive && roots.owned.len() == 10_000);
        for (i, (root, token)) in held.into_iter().enumerate() {
            assert_eq!(roots.get(root).ok(), Some((i as u64) << 3));
            drop(token);
        }
        roots.each_root(&mut |_| ());
        assert_eq!((roots.owned.len(), roots.free.len()), (0, 0));
    }

    #[test]
    fn collections_see_what_is_held_and_move_it() {
        let mut roots = RootSet::default();
        let scoped = roots.push(STORE, 8);
        let (dead, dropped) = roots.own(STORE, 24);
        let (owned, _token) = roots.own(STORE, 16);
        drop(dropped);
        let mut seen = Vec::new();
        roots.each_root(&mut |references| {
            seen.extend_from_slice(references);
            references.iter_mut().filter(|raw| **raw != 0).for_each(|raw| *raw += 100);
        });
        assert_eq!(seen, [8, 0, 16]);
        assert_eq!(roots.get(scoped).ok(), Some(108));
        assert_eq!(roots.get(owned).ok(), Some(116));
        assert!(roots.get(dead).is_err());
    }
}
