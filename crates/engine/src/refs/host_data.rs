//! The data of the host that external references refer to.
//!
//! An object of the heap holds the place of its data in this list. Invariant: data is dropped
//! exactly once, when its object has died or with the store, and never while the collector works,
//! as dropping it runs code of the host.

use crate::error::{Error, ErrorKind, Result};
use std::any::Any;

type Data = Box<dyn Any + Send + Sync>;

/// Data below which the collector is never asked for its number's sake.
const MIN_DUE: usize = 1 << 14;

/// The list of one store.
pub(crate) struct HostData {
    places: Vec<Option<Data>>,
    free: Vec<u32>,
    /// What died and has not been dropped yet.
    dead: Vec<Data>,
    /// So much data is a reason to collect. The objects are small, so that the heap itself would
    /// notice only late how much the host keeps for it.
    due: usize,
}

impl Default for HostData {
    fn default() -> HostData {
        HostData { places: Vec::new(), free: Vec::new(), dead: Vec::new(), due: MIN_DUE }
    }
}

impl HostData {
    /// Lists data, and answers its place.
    ///
    /// # Errors
    /// There are 2³² of them.
    pub(crate) fn add(&mut self, data: Data) -> Result<u32> {
        if let Some(place) = self.free.pop() {
            self.places[place as usize] = Some(data);
            return Ok(place);
        }
        let full =
            |_| Error::new(ErrorKind::Limit, "a store has room for 2^32 external references");
        let place = u32::try_from(self.places.len()).map_err(full)?;
        self.places.push(Some(data));
        Ok(place)
    }

    pub(crate) fn get(&self, place: u32) -> Option<&(dyn Any + Send + Sync)> {
        self.places.get(place as usize)?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, place: u32) -> Option<&mut (dyn Any + Send + Sync)> {
        self.places.get_mut(place as usize)?.as_deref_mut()
    }

    /// Notes that nobody can reach what is in a place; to be called by the collector.
    pub(crate) fn died(&mut self, place: u32) {
        if let Some(data) = self.places.get_mut(place as usize).and_then(Option::take) {
            self.dead.push(data);
            self.free.push(place);
        }
    }

    /// Drops what died.
    pub(crate) fn drop_dead(&mut self) {
        drop(std::mem::take(&mut self.dead));
    }

    /// Whether there is so much that it is time to collect.
    pub(crate) fn is_due(&self) -> bool {
        self.places.len() - self.free.len() >= self.due
    }

    /// Sets the next time, after a collection.
    pub(crate) fn collected(&mut self) {
        self.due = (2 * (self.places.len() - self.free.len())).max(MIN_DUE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_used_again_and_data_is_dropped_when_asked_for() {
        let counted = std::sync::Arc::new(());
        let count = || std::sync::Arc::strong_count(&counted) - 1;
        let mut list = HostData::default();
        let places = [0; 3].map(|_| list.add(Box::new(counted.clone())).ok());
        assert_eq!(places, [Some(0), Some(1), Some(2)]);
        list.died(1);
        list.died(1);
        assert!(list.get(1).is_none() && list.get(2).is_some() && list.get(3).is_none());
        assert_eq!(count(), 3);
        list.drop_dead();
        assert_eq!(count(), 2);
        assert_eq!(list.add(Box::new(counted.clone())).ok(), Some(1));
        drop(list);
        assert_eq!(count(), 0);
    }

    #[test]
    fn twice_as_much_as_lived_is_a_reason_to_collect() {
        let mut list = HostData::default();
        let places: Vec<u32> =
            (0..MIN_DUE as u32).map(|i| list.add(Box::new(i)).unwrap_or(0)).collect();
        assert!(list.is_due());
        list.collected();
        assert!(!list.is_due());
        for place in places {
            list.died(place);
            list.add(Box::new(())).unwrap_or(0);
        }
        assert!(!list.is_due());
        (0..MIN_DUE).for_each(|i| drop(list.add(Box::new(i))));
        assert!(list.is_due());
    }
}
