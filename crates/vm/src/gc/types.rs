//! The descriptors of an engine's types, where machine code and the collector find them.
//!
//! One range of address space is reserved for all that can ever be; entries are written behind the
//! last one and then published by raising the length. So a descriptor never moves and never
//! changes, and whoever got a type id from the registry may read its entry without a lock.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use selkie_module::TypeId;
use selkie_module::heap::{ObjectKind, TypeShape};
use selkie_module::layout::vm_type;

use crate::ResourceError;
use crate::context::VMType;
use crate::mmap::Mapping;

/// Bytes opened at a time.
const STEP_BYTES: usize = 64 << 10;

/// The type descriptors of an engine, by type id.
#[derive(Debug)]
pub struct TypeTable {
    mapping: Mapping,
    max: u32,
    len: AtomicU32,
    growth: Mutex<Growth>,
}

/// What only those who add types touch.
#[derive(Debug, Default)]
struct Growth {
    open_bytes: usize,
    /// What `VMType::refs` point to.
    refs: Vec<Box<[u32]>>,
}

impl TypeTable {
    /// A table that can grow to `max` types. It begins with the two ids that no registry hands out:
    /// 0, which no object has, and [`TypeId::HOST`].
    pub fn new(max: u32) -> Result<TypeTable, ResourceError> {
        let max = max.max(TypeId::HOST.0 + 1);
        let mapping = Mapping::reserve(max as usize * size_of::<VMType>())?;
        let table = TypeTable { mapping, max, len: AtomicU32::new(0), growth: Mutex::default() };
        table.extend([ObjectKind::None, ObjectKind::Host].map(TypeShape::handle))?;
        Ok(table)
    }

    /// The first descriptor, that of type id 0.
    pub fn base(&self) -> *const VMType {
        self.mapping.addr().cast::<VMType>().cast_const()
    }

    /// The number of published descriptors: the id that the next one gets.
    #[allow(clippy::len_without_is_empty)] // two are always there
    pub fn len(&self) -> u32 {
        // ORDER: with the store in `extend`, whoever sees a length sees the entries below it.
        self.len.load(Ordering::Acquire)
    }

    /// The descriptor of a type; `None` where it has not been published.
    pub fn get(&self, id: TypeId) -> Option<&VMType> {
        if id.0 >= self.len() {
            return None;
        }
        // SAFETY: entries below the length are initialised, never change, and live as long as the
        // mapping.
        Some(unsafe { &*self.base().add(id.index()) })
    }

    /// Publishes the descriptors of the next types, in the order of their ids: all of them, or
    /// none on failure.
    pub fn extend(&self, shapes: impl IntoIterator<Item = TypeShape>) -> Result<(), ResourceError> {
        let mut growth = self.growth.lock().unwrap_or_else(PoisonError::into_inner);
        let first = self.len();
        let kept = growth.refs.len();
        let mut len = first;
        for shape in shapes {
            if let Err(error) = self.push(&mut growth, len, shape) {
                growth.refs.truncate(kept);
                return Err(error);
            }
            len += 1;
        }
        // ORDER: the entries were written before; see `len`.
        self.len.store(len, Ordering::Release);
        Ok(())
    }

    /// Writes the entry at `at`, the first one that is not in use.
    fn push(&self, growth: &mut Growth, at: u32, shape: TypeShape) -> Result<(), ResourceError> {
        if at >= self.max {
            let requested = u64::from(at) + 1;
            return Err(ResourceError::LimitExceeded { requested, limit: self.max.into() });
        }
        let end = (at as usize + 1) * size_of::<VMType>();
        if end > growth.open_bytes {
            let step = STEP_BYTES.min(self.mapping.len() - growth.open_bytes);
            self.mapping.allow_write(growth.open_bytes, step)?;
            growth.open_bytes += step;
        }
        let entry = descriptor(&shape);
        growth.refs.push(shape.refs);
        // SAFETY: the place is open and aligned, and nobody reads it before the length covers it;
        // the lock keeps other writers away.
        unsafe { self.base().cast_mut().add(at as usize).write(entry) };
        Ok(())
    }
}

/// The descriptor that says what `shape` says; it points to the list in it.
fn descriptor(shape: &TypeShape) -> VMType {
    let mut display = [0; vm_type::DISPLAY_LEN as usize];
    for (place, id) in display.iter_mut().zip(&shape.display) {
        *place = id.0;
    }
    VMType {
        kind: shape.kind as u8,
        element_bytes_log2: shape.element_bytes_log2,
        depth: shape.display.len().saturating_sub(1).min(255) as u8,
        elements_are_refs: u8::from(shape.elements_are_refs),
        object_bytes: shape.bytes,
        refs: shape.refs.as_ptr(),
        ref_count: shape.refs.len() as u32,
        reserved: 0,
        display,
    }
}

// SAFETY: published entries never change and the lists they point to live as long as the table;
// what changes is behind a lock or atomic.
unsafe impl Send for TypeTable {}
// SAFETY: as above.
unsafe impl Sync for TypeTable {}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(refs: &[u32], display: &[u32]) -> TypeShape {
        TypeShape {
            bytes: 24,
            refs: refs.into(),
            display: display.iter().copied().map(TypeId).collect(),
            ..TypeShape::handle(ObjectKind::Struct)
        }
    }

    #[test]
    fn descriptors_say_what_shapes_say_and_stay_where_they_are() {
        let table = TypeTable::new(5000).unwrap();
        assert_eq!(table.get(TypeId::HOST).unwrap().kind, ObjectKind::Host as u8);
        table.extend([shape(&[], &[]), shape(&[4, 8], &[2, 3])]).unwrap();
        let first: *const VMType = table.get(TypeId(3)).unwrap();
        let long: Vec<u32> = (0..300).collect();
        table.extend((4..5000).map(|_| shape(&[12], &long))).unwrap();
        let ty = table.get(TypeId(3)).unwrap();
        assert!(std::ptr::eq(first, ty));
        assert_eq!((ty.kind, ty.depth, ty.object_bytes, ty.ref_count), (1, 1, 24, 2));
        assert_eq!(ty.display[..3], [2, 3, 0]);
        // SAFETY: the list has two entries and lives as long as the table.
        assert_eq!(unsafe { std::slice::from_raw_parts(ty.refs, 2) }, [4, 8]);
        assert_eq!(table.get(TypeId(4999)).unwrap().depth, 255);
    }

    #[test]
    fn what_does_not_fit_is_refused_as_a_whole() {
        let table = TypeTable::new(5).unwrap();
        table.extend([shape(&[], &[])]).unwrap();
        assert!(table.extend((0..3).map(|_| shape(&[], &[]))).is_err());
        assert_eq!(table.len(), 3);
        assert!(table.get(TypeId(3)).is_none());
        table.extend((0..2).map(|_| shape(&[], &[]))).unwrap();
        assert_eq!(table.len(), 5);
    }
}
