//! `ExternRef`: references of the host's that WebAssembly can hold and pass but not look into.

use super::{AnyRef, GcRef, reference_types};
use crate::error::Result;
use crate::roots::Rooted;
use crate::store::{AsContext, AsContextMut, StoreContext, StoreContextMut, StoreInner};
use selkie_module::{TrapCode, TypeId};
use selkie_vm::Collection;
use std::any::Any;

reference_types! {
    /// An external reference: to data of the host's, or a converted internal one. WebAssembly can
    /// hold and pass it, but not look into it.
    ///
    /// [`ExternRef::new`] says when data is dropped, and what of it counts against limits.
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

impl ExternRef {
    /// A reference to `data`, which is dropped when a collection has found that nobody can reach it
    /// any more, or with its store.
    ///
    /// Everything that allocates in the store may collect, and whoever collects drops: `data`'s
    /// `Drop` may run inside of any call into WebAssembly and any function that makes an object,
    /// this one and [`Store::gc`](crate::Store::gc) among them, on the thread that calls. A `Drop`
    /// that takes a lock which that thread holds around such a call waits for ever. What it should
    /// not do there it can put off, for instance by sending it to a channel.
    ///
    /// How much memory `data` takes is not known to the store. Only the number of references
    /// counts: each takes 8 bytes of the collected heap, which
    /// [`StoreLimits::gc_heap_bytes`](crate::StoreLimits::gc_heap_bytes) limits, and when they have
    /// become many, making another one collects first. A host that keeps much behind few references
    /// calls [`Store::gc`](crate::Store::gc) itself when it is time.
    ///
    /// ```
    /// use selkie_engine::{Engine, ExternRef, RootScope, Store};
    /// use std::sync::mpsc::{Sender, channel};
    /// struct File(&'static str, Sender<&'static str>);
    /// impl Drop for File {
    ///     fn drop(&mut self) {
    ///         let _ = self.1.send(self.0); // whoever may wait closes it
    ///     }
    /// }
    /// let (sender, dropped) = channel();
    /// let mut store = Store::new(&Engine::default(), ());
    /// {
    ///     let mut scope = RootScope::new(&mut store);
    ///     ExternRef::new(&mut scope, File("notes", sender))?;
    /// }
    /// assert!(dropped.try_recv().is_err()); // nobody can reach it, and nobody has collected
    /// store.gc();
    /// assert_eq!(dropped.try_recv(), Ok("notes"));
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    ///
    /// # Errors
    /// The heap has no room, or the store has 2³² such references.
    pub fn new(
        mut store: impl AsContextMut,
        data: impl Any + Send + Sync,
    ) -> Result<Rooted<ExternRef>> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        if inner.host_data.is_due() {
            inner.collect(Collection::Full);
            inner.host_data.collected();
        }
        let data = Box::new(data);
        let made = inner.make_object(|store| store.new_host_object(data))?;
        Ok(inner.root(made))
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
        let raw = inner.raw_of(self.root())?;
        Ok(inner.host_data_of(raw))
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
        let raw = inner.raw_of(self.root())?;
        Ok(inner.host_data_of_mut(raw))
    }
}

impl StoreInner {
    /// An object for data of the host's, in the heap that has been made.
    pub(crate) fn new_host_object(
        &mut self,
        data: Box<dyn Any + Send + Sync>,
    ) -> Result<u64, TrapCode> {
        let place = self.host_data.add(data).map_err(|_| TrapCode::AllocationTooLarge)?;
        self.new_handle(TypeId::HOST, place).inspect_err(|_| {
            self.host_data.died(place);
            self.host_data.drop_dead();
        })
    }

    /// The host's data behind an external reference; `None` for null and converted references.
    #[inline]
    pub(crate) fn host_data_of(&self, raw: u64) -> Option<&(dyn Any + Send + Sync)> {
        self.host_data.get(self.host_place(raw)?)
    }

    /// As [`StoreInner::host_data_of`], to change it.
    pub(crate) fn host_data_of_mut(&mut self, raw: u64) -> Option<&mut (dyn Any + Send + Sync)> {
        let place = self.host_place(raw)?;
        self.host_data.get_mut(place)
    }

    /// Of what can be an external reference only host objects have a place.
    fn host_place(&self, raw: u64) -> Option<u32> {
        self.heap.as_deref()?.place_of(raw as u32).ok()
    }
}
