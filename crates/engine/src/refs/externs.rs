//! `ExternRef`: references of the host's that WebAssembly can hold and pass but not look into.

use super::{AnyRef, GcRef, reference_types};
use crate::error::Result;
use crate::roots::Rooted;
use crate::store::{AsContext, AsContextMut, StoreContext, StoreContextMut, StoreInner};
use selkie_module::TypeId;
use selkie_module::heap::ObjectKind;
use std::any::Any;

reference_types! {
    /// An external reference: to data of the host's, or a converted internal one.
    ///
    /// ```
    /// use selkie_engine::{Engine, ExternRef, Store};
    /// let mut store = Store::new(&Engine::default(), ());
    /// let reference = ExternRef::new(&mut store, vec![1])?;
    /// let data = reference.data_mut(&mut store)?.and_then(|data| data.downcast_mut::<Vec<i32>>());
    /// data.expect("it was made so").push(2);
    /// let data = reference.data(&store)?.and_then(|data| data.downcast_ref::<Vec<i32>>());
    /// assert_eq!(data, Some(&vec![1, 2]));
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    ExternRef: Extern;
}

/// The data behind external references, by the index that their objects hold.
#[derive(Default)]
pub(crate) struct HostData {
    data: Vec<Option<Box<dyn Any + Send + Sync>>>,
    free: Vec<u32>,
}

impl HostData {
    fn add(&mut self, data: Box<dyn Any + Send + Sync>) -> u32 {
        if let Some(index) = self.free.pop() {
            self.data[index as usize] = Some(data);
            return index;
        }
        self.data.push(Some(data));
        (self.data.len() - 1) as u32
    }

    /// Drops the data at a place, which may be used again.
    pub(crate) fn remove(&mut self, place: u32) {
        if let Some(data) = self.data.get_mut(place as usize).and_then(Option::take) {
            self.free.push(place);
            drop(data);
        }
    }
}

impl ExternRef {
    /// A reference to `data`, which is dropped when nobody can reach it any more, or with its
    /// store.
    ///
    /// # Errors
    /// The heap has no room.
    pub fn new(
        mut store: impl AsContextMut,
        data: impl Any + Send + Sync,
    ) -> Result<Rooted<ExternRef>> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        inner.ensure_heap()?;
        let place = inner.host_data.add(Box::new(data));
        match inner.new_handle(TypeId::HOST, place) {
            Ok(raw) => Ok(inner.root(raw)),
            Err(trap) => {
                inner.host_data.remove(place);
                Err(trap.into())
            }
        }
    }

    /// An internal reference as it is outside (spec: `extern.convert_any`). It is rooted where it
    /// was.
    ///
    /// # Errors
    /// The reference's scope has ended, or it belongs to another store.
    pub fn convert_any(
        store: impl AsContext,
        internal: Rooted<AnyRef>,
    ) -> Result<Rooted<ExternRef>> {
        store.as_context().inner().raw_of(internal.root())?;
        Ok(internal.cast())
    }

    /// The host's data; `None` for a converted reference.
    ///
    /// # Errors
    /// The reference's scope has ended, or it belongs to another store.
    pub fn data<'a, T: 'static>(
        &self,
        store: impl Into<StoreContext<'a, T>>,
    ) -> Result<Option<&'a (dyn Any + Send + Sync)>> {
        let inner = store.into().inner();
        let index = inner.host_index(inner.raw_of(self.root())?);
        let data = index.and_then(|index| inner.host_data.data.get(index)?.as_deref());
        Ok(data)
    }

    /// The host's data, to change it; `None` for a converted reference.
    ///
    /// # Errors
    /// The reference's scope has ended, or it belongs to another store.
    pub fn data_mut<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> Result<Option<&'a mut (dyn Any + Send + Sync)>> {
        let inner = store.into().into_inner();
        let index = inner.host_index(inner.raw_of(self.root())?);
        let data = index.and_then(|index| inner.host_data.data.get_mut(index)?.as_deref_mut());
        Ok(data)
    }
}

impl StoreInner {
    /// The place of the data that a reference refers to, if it refers to data of the host's.
    fn host_index(&self, raw: u64) -> Option<usize> {
        let heap = self.heap.as_deref()?;
        let is_host = heap.kind_of(raw as u32) == Some(ObjectKind::Host);
        is_host.then(|| heap.place_of(raw as u32).ok())?.map(|place| place as usize)
    }
}
