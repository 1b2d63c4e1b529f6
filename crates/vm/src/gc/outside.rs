//! Objects that stand for something outside the heap: data of the host, continuations.
//!
//! The owner keeps what they stand for in a list of its own and must hear when an object has died.
//! So host objects are listed here when they are made, the young apart from the old: a minor
//! collection looks at the young ones only. Continuations come and go too fast for that: machine
//! code makes their objects, and notes each in the owner's list, where at most one stands for each.

use selkie_module::heap::ObjectKind;

use super::Roots;
use crate::ResourceError;

/// The objects of one kind.
#[derive(Debug)]
pub(super) struct Outside {
    kind: ObjectKind,
    young: Vec<u32>,
    old: Vec<u32>,
}

/// What became of an object.
pub(super) enum Fate {
    /// It lies here now.
    Lives(u32),
    /// It stood for this place of the owner's list.
    Died(u32),
}

impl Outside {
    pub(super) fn new(kind: ObjectKind) -> Outside {
        Outside { kind, young: Vec::new(), old: Vec::new() }
    }

    /// Makes room for one more. Collections then need no memory for the lists.
    pub(super) fn reserve(&mut self) -> Result<(), ResourceError> {
        let bytes = size_of::<u32>() * (self.young.len() + self.old.len() + 1);
        let refused = |_| ResourceError::OutOfMemory { bytes };
        self.young.try_reserve(1).map_err(refused)?;
        self.old.try_reserve(self.young.len() + 1).map_err(refused)
    }

    /// Lists an object, for which [`Outside::reserve`] has been called.
    pub(super) fn add(&mut self, at: u32, is_young: bool) {
        if is_young { self.young.push(at) } else { self.old.push(at) }
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = u32> + '_ {
        self.young.iter().chain(&self.old).copied()
    }

    /// After a minor collection: sorts the young ones by their fate and tells `died` of the dead.
    pub(super) fn after_minor(
        &mut self,
        is_young: impl Fn(u32) -> bool,
        fate: impl Fn(u32) -> Fate,
        died: &mut dyn FnMut(ObjectKind, u32),
    ) {
        let (kind, old) = (self.kind, &mut self.old);
        self.young.retain_mut(|at| match fate(*at) {
            Fate::Lives(now) if is_young(now) => {
                *at = now;
                true
            }
            Fate::Lives(now) => {
                old.push(now);
                false
            }
            Fate::Died(place) => {
                died(kind, place);
                false
            }
        });
    }

    /// In a full collection, after which all are old.
    pub(super) fn after_full(
        &mut self,
        fate: impl Fn(u32) -> Fate,
        died: &mut dyn FnMut(ObjectKind, u32),
    ) {
        let kind = self.kind;
        self.old.append(&mut self.young);
        self.old.retain_mut(|at| match fate(*at) {
            Fate::Lives(now) => {
                *at = now;
                true
            }
            Fate::Died(place) => {
                died(kind, place);
                false
            }
        });
    }
}

/// After a collection: tells the owner where the objects of its continuations are, and which of
/// them died.
pub(super) fn move_continuations(roots: &mut dyn Roots, fate: impl Fn(u32) -> Fate) {
    for place in 0..roots.continuations().len() {
        let slot = &mut roots.continuations()[place];
        if slot.object == 0 {
            continue;
        }
        match fate(slot.object) {
            Fate::Lives(now) => slot.object = now,
            Fate::Died(_) => {
                slot.object = 0;
                roots.died(ObjectKind::Cont, place as u32);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Objects whose offset is divisible by 16 live on, 1000 further; the others stood for their
    /// own offset.
    fn fate(at: u32) -> Fate {
        if at.is_multiple_of(16) { Fate::Lives(at + 1000) } else { Fate::Died(at) }
    }

    #[test]
    fn the_dead_are_reported_once_and_the_living_move_to_the_list_of_their_age() {
        let mut outside = Outside::new(ObjectKind::Host);
        for at in [8, 16, 24, 32] {
            outside.reserve().unwrap();
            outside.add(at, true);
        }
        outside.reserve().unwrap();
        outside.add(4000, false);
        let mut dead = Vec::new();
        let mut died = |kind, place| dead.push((kind, place));
        outside.after_minor(|at| at < 1020, fate, &mut died);
        assert_eq!(outside.young, [1016]);
        assert_eq!(outside.old, [4000, 1032]);
        outside.after_full(fate, &mut died);
        assert_eq!(outside.all().collect::<Vec<_>>(), [5000]);
        assert_eq!(dead, [8, 24, 1032, 1016].map(|place| (ObjectKind::Host, place)));
    }
}
