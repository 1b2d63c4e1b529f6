//! The types of the functions that a store called last with values.
//!
//! A function knows its type by its id; finding the type by that takes a lock that all of the
//! engine's threads share. A store finds those it used last without. A type is taken out while a
//! call uses it; whoever needs the same type meanwhile asks the engine.

use crate::engine::Engine;
use crate::types::FuncType;
use selkie_module::TypeId;

/// Types that are kept: an id's place is its remainder.
const PLACES: usize = 8;

/// Types by their ids.
#[derive(Default)]
pub(crate) struct CalledTypes([Option<FuncType>; PLACES]);

impl CalledTypes {
    /// The type of an id.
    #[inline]
    pub(crate) fn take(&mut self, engine: &Engine, id: TypeId) -> FuncType {
        match self.0[id.0 as usize % PLACES].take() {
            Some(ty) if ty.id() == id => ty,
            _ => FuncType::from_id(engine, id),
        }
    }

    /// Keeps a type for the next call.
    #[inline]
    pub(crate) fn keep(&mut self, ty: FuncType) {
        let place = ty.id().0 as usize % PLACES;
        self.0[place] = Some(ty);
    }
}
