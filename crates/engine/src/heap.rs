//! The store's collected heap: made when first needed, and what makes objects in it.
//!
//! Invariant: whoever may allocate holds no reference but where [`StoreInner::each_root`] shows it.
//! Values on their way into an object wait in [`StoreInner::held`].

use crate::error::{Error, Result};
use crate::raw;
use crate::store::StoreInner;
use selkie_module::heap::{MAX_BYTES, ObjectLayout, Slot};
use selkie_module::{TrapCode, TypeId};
use selkie_vm::{Collection, GcStats, Heap, HeapConfig, Roots, TableKind, VMAllocation};
use std::mem::ManuallyDrop;

/// A value on its way into an object.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    /// Its bits, low half first; of a reference the first half only.
    halves: [u64; 2],
    is_traced: bool,
}

impl Held {
    pub(crate) fn new(bits: u128, is_traced: bool) -> Held {
        Held { halves: [bits as u64, (bits >> 64) as u64], is_traced }
    }

    /// What the collector does not look at.
    pub(crate) fn number(bits: u128) -> Held {
        Held::new(bits, false)
    }

    pub(crate) fn reference(raw: u64) -> Held {
        Held::new(raw.into(), true)
    }

    pub(crate) fn bits(self) -> u128 {
        u128::from(self.halves[0]) | u128::from(self.halves[1]) << 64
    }
}

impl StoreInner {
    /// The heap, made if there is none yet.
    ///
    /// # Errors
    /// The system has no address space for it.
    pub(crate) fn ensure_heap(&mut self) -> Result<&mut Heap> {
        self.publish_types()?;
        if self.heap.is_none() {
            let config = HeapConfig {
                limit_bytes: self.limits.gc_heap_bytes.min(MAX_BYTES),
                is_stressed: self.engine.config().gc_stress,
                ..HeapConfig::default()
            };
            let heap = Heap::new(self.engine.type_table()?.clone(), &config)?;
            self.heap = Some(Box::new(heap));
        }
        let missing = || Error::new(crate::ErrorKind::Bug, "the heap was made and is not there");
        self.heap.as_deref_mut().ok_or_else(missing)
    }

    /// Lets descriptors of all types that the engine knows be found by machine code.
    fn publish_types(&mut self) -> Result<()> {
        self.engine.publish_types()?;
        self.runtime.vm.types = self.engine.type_table()?.base();
        Ok(())
    }

    /// Where references are counted from; null without a heap.
    pub(crate) fn heap_base(&self) -> *mut u8 {
        self.heap.as_ref().map_or(std::ptr::null_mut(), |heap| heap.base())
    }

    /// Lets the heap work while the store shows its roots.
    fn with_heap<R>(
        &mut self,
        work: impl FnOnce(&mut Heap, &mut VMAllocation, &mut dyn Roots) -> Result<R, TrapCode>,
    ) -> Result<R, TrapCode> {
        // Away from the store while it looks at the store's roots.
        let Some(heap) = self.heap.take() else { return Err(TrapCode::AllocationTooLarge) };
        // Should the collector fail, its memory is lost rather than unmapped: frames and objects of
        // machine code may still lead there.
        let mut heap = ManuallyDrop::new(heap);
        heap.set_outside_bytes(self.strings.used_bytes());
        let mut window = self.runtime.vm.gc;
        let done = work(&mut heap, &mut window, &mut raw::StoreRoots::new(self));
        self.runtime.vm.gc = window;
        self.heap = Some(ManuallyDrop::into_inner(heap));
        self.host_data.drop_dead();
        done
    }

    /// The heap that an object is in.
    pub(crate) fn objects(&mut self) -> Result<&mut Heap, TrapCode> {
        self.heap.as_deref_mut().ok_or(TrapCode::CastFailure)
    }

    /// Room for an object, whose contents must be written before anything else is allocated.
    pub(crate) fn gc_alloc(&mut self, bytes: u64) -> Result<u64, TrapCode> {
        self.with_heap(|heap, window, roots| heap.alloc(window, bytes, roots)).map(u64::from)
    }

    /// An exception of a tag of this type, whose parameters are zero.
    pub(crate) fn alloc_exception(&mut self, ty: TypeId, tag: u32) -> Result<u64, TrapCode> {
        self.with_heap(|heap, window, roots| heap.alloc_exception(window, ty, tag, roots))
            .map(u64::from)
    }

    /// Collects.
    pub(crate) fn collect(&mut self, kind: Collection) {
        let collect = |heap: &mut Heap, window: &mut VMAllocation, roots: &mut dyn Roots| {
            heap.collect(kind, window, roots);
            Ok(())
        };
        // Without a heap there is nothing to collect.
        let _ = self.with_heap(collect);
    }

    /// What the heap has done and has.
    pub(crate) fn gc_stats(&self) -> GcStats {
        self.heap.as_deref().map_or_else(GcStats::default, |heap| heap.stats(&self.runtime.vm.gc))
    }

    /// Collects everything, and leaves so much of the limit to what the store keeps outside.
    pub(crate) fn collect_beside(&mut self, outside_bytes: u64) {
        let collect = |heap: &mut Heap, window: &mut VMAllocation, roots: &mut dyn Roots| {
            heap.set_outside_bytes(outside_bytes);
            heap.collect(Collection::Full, window, roots);
            Ok(())
        };
        // As in `collect`.
        let _ = self.with_heap(collect);
    }

    /// A host object for a place in the list of external references.
    pub(crate) fn new_handle(&mut self, ty: TypeId, place: u32) -> Result<u64, TrapCode> {
        let made =
            self.with_heap(|heap, window, roots| heap.alloc_handle(window, ty, place, roots));
        made.map(u64::from)
    }

    /// A struct of the values held last: its fields, then its descriptor where it has one.
    pub(crate) fn struct_of_held(
        &mut self,
        ty: TypeId,
        layout: &ObjectLayout,
    ) -> Result<u64, TrapCode> {
        let made = self.alloc_struct(ty)?;
        let descriptor = layout.descriptor.map(|at| (at, Slot::Ref));
        let places = layout.fields.iter().copied().chain(descriptor);
        let values = self.take_held(places.clone().count());
        let heap = self.objects()?;
        for ((at, slot), value) in places.zip(values) {
            heap.store(made, at, slot, value.bits())?;
        }
        Ok(made.into())
    }

    /// A struct of zeros.
    pub(crate) fn alloc_struct(&mut self, ty: TypeId) -> Result<u32, TrapCode> {
        self.with_heap(|heap, window, roots| heap.alloc_struct(window, ty, roots))
    }

    /// An array of the values held last.
    pub(crate) fn array_of_held(&mut self, ty: TypeId, length: u32) -> Result<u64, TrapCode> {
        let made = self.alloc_array(ty, length)?;
        let values = self.take_held(length as usize);
        let heap = self.objects()?;
        for (index, value) in values.into_iter().enumerate() {
            heap.array_set(made, index as u32, value.bits())?;
        }
        Ok(made.into())
    }

    /// An array whose elements are all the value held last.
    pub(crate) fn array_filled_with_held(
        &mut self,
        ty: TypeId,
        length: u32,
    ) -> Result<u64, TrapCode> {
        let made = self.alloc_array(ty, length)?;
        let value = self.held.pop().unwrap_or_default().bits();
        if value != 0 {
            self.objects()?.array_fill(made, 0, length, value)?;
        }
        Ok(made.into())
    }

    /// An array of zeros.
    pub(crate) fn alloc_array(&mut self, ty: TypeId, length: u32) -> Result<u32, TrapCode> {
        self.with_heap(|heap, window, roots| heap.alloc_array(window, ty, length, roots))
    }

    fn take_held(&mut self, count: usize) -> Vec<Held> {
        self.held.split_off(self.held.len().saturating_sub(count))
    }

    /// Shows every reference to an object that is neither in the heap nor in a frame.
    pub(crate) fn each_root(&mut self, see: &mut dyn FnMut(&mut [u64])) {
        for held in self.held.iter_mut().filter(|held| held.is_traced) {
            see(&mut held.halves[..1]);
        }
        self.roots.each_root(see);
        for instance in &mut self.instances {
            for global in &instance.module.traced_globals {
                let at = instance.context.at(instance.module.layout.global(*global));
                see(raw::global_reference(at));
            }
            for values in instance.elem_values.iter_mut().flatten() {
                see(values);
            }
        }
        for global in self.host.globals.iter_mut().filter(|global| global.is_traced) {
            see(raw::global_reference(&raw mut *global.value));
        }
        for table in &mut self.tables {
            if table.storage.kind() == TableKind::Ref {
                see(raw::table_references(&mut table.storage));
            }
        }
    }

    /// Hears that nobody can reach an object any longer that stood for data of the host.
    pub(crate) fn host_data_died(&mut self, place: u32) {
        self.host_data.died(place);
    }
}
