//! What tables and memories of a module hold at first, as far as that is the same for all instances:
//! then no instance has to write it down again.
//!
//! Segments are written in order, and one that does not fit ends the instantiation: so an image
//! contains the leading segments whose places are constant and in bounds, and nothing behind the
//! first that is not such a one.

use crate::module::ModuleInner;
use selkie_module::{
    DataMode, DefinedMemoryIndex, ElemItems, ElemMode, FuncIndex, MemoryIndex, ModuleInfo,
};
use selkie_vm::MemoryImage;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What the lazy slots of a table of functions hold, from its first element on.
pub(crate) type TableImage = Box<[Option<FuncIndex>]>;

/// What memories hold at first.
pub(crate) struct MemoryImages {
    /// By defined memory; `None` where it is zero.
    images: Box<[Option<Arc<MemoryImage>>]>,
    /// How many data segments need not be looked at any more: the active ones among them are in the
    /// images.
    pub(crate) segments: usize,
    /// Whether memories hold at first what images say, and nothing besides.
    pub(crate) is_whole: bool,
}

impl MemoryImages {
    fn new(
        info: &ModuleInfo,
        images: Box<[Option<Arc<MemoryImage>>]>,
        segments: usize,
    ) -> MemoryImages {
        let mut left = info.datas.iter().skip(segments);
        let is_whole = !left.any(|data| matches!(data.mode, DataMode::Active { .. }));
        MemoryImages { images, segments, is_whole }
    }

    /// The image of a memory.
    pub(crate) fn of(&self, memory: DefinedMemoryIndex) -> Option<Arc<MemoryImage>> {
        self.images.get(memory.index()).cloned().flatten()
    }
}

impl ModuleInner {
    /// The images of memories, made if there are none yet. For who makes many instances.
    pub(crate) fn memory_images(&self) -> &MemoryImages {
        self.memory_images.get_or_init(|| {
            let images = make_memory_images(&self.info, &self.data, &self.elems_in_images);
            // Without room for images each instance copies its segments.
            images.unwrap_or_else(|_| MemoryImages::new(&self.info, Box::default(), 0))
        })
    }

    /// The images of memories if there are some, or it is time to make them: making one costs as
    /// much as copying the segments into an instance, so a module's first instance does without.
    pub(crate) fn memory_images_if_useful(&self) -> Option<&MemoryImages> {
        if let Some(images) = self.memory_images.get() {
            return Some(images);
        }
        let is_first = self.instances_without_images.fetch_add(1, Ordering::Relaxed) == 0;
        (!is_first).then(|| self.memory_images())
    }
}

fn make_memory_images(
    info: &ModuleInfo,
    data: &[u8],
    elems_in_images: &[bool],
) -> Result<MemoryImages, selkie_vm::ResourceError> {
    let count = info.memories.len() - info.num_imported_memories;
    let mut places: Vec<Vec<(u64, &[u8])>> = vec![Vec::new(); count];
    let mut segments = 0;
    // Where an element segment may yet end the instantiation, whoever got hold of a function by an
    // earlier one finds memories without data.
    let is_certain =
        info.elems.iter().zip(elems_in_images).all(|(elem, is_in_image)| {
            *is_in_image || !matches!(elem.mode, ElemMode::Active { .. })
        });
    for data_segment in info.datas.iter().filter(|_| is_certain) {
        if let DataMode::Active { memory, offset } = &data_segment.mode {
            let range = data_segment.range.start as usize..data_segment.range.end as usize;
            let (Some(defined), Some(start), Some(bytes)) =
                (info.defined_memory(*memory), offset.as_address(), data.get(range))
            else {
                break;
            };
            if !fits(info, *memory, start, bytes.len() as u64) {
                break;
            }
            places[defined.index()].push((start, bytes));
        }
        segments += 1;
    }
    let mut images = Vec::new();
    for places in places {
        match MemoryImage::new(&places)? {
            Some(image) if image.bytes() > 0 => images.push(Some(Arc::new(image))),
            Some(_) => images.push(None),
            // One that cannot be had is as good as none: segments are written in order.
            None => return Ok(MemoryImages::new(info, Box::default(), 0)),
        }
    }
    Ok(MemoryImages::new(info, images.into(), segments))
}

/// Whether a segment lies in what a memory starts with, and the memory can show an image.
fn fits(info: &ModuleInfo, memory: MemoryIndex, start: u64, len: u64) -> bool {
    let ty = &info.memories[memory.index()];
    let end = start.checked_add(len);
    !ty.shared && end.zip(ty.min_bytes()).is_some_and(|(end, size)| end <= size)
}

/// Initial contents of the tables whose size makes a lazy image worthwhile: the leading active
/// segments at constant, in-bounds places become part of the image; the first other one ends it,
/// because segments are written in order. An image is never much larger than its segments: a
/// module cannot make it large by naming a far place.
pub(crate) fn table_images(info: &ModuleInfo) -> (Vec<TableImage>, Vec<bool>) {
    let mut images: Vec<Vec<Option<FuncIndex>>> = vec![Vec::new(); info.table_inits.len()];
    let mut included = vec![false; info.elems.len()];
    let mut functions = 0;
    for (i, elem) in info.elems.iter().enumerate() {
        let ElemMode::Active { table, offset } = &elem.mode else { continue };
        let ElemItems::Funcs(funcs) = &elem.items else { break };
        let (Some(defined), Some(start)) = (info.defined_table(*table), offset.as_address()) else {
            break;
        };
        let size = info.tables[table.index()].limits.min;
        let end = start.saturating_add(funcs.len() as u64);
        functions += funcs.len() as u64;
        if end > functions * 4 + 1024 {
            break;
        }
        if end > size || info.table_inits[defined.index()].is_some() || !info.is_func_table(*table)
        {
            break;
        }
        let image = &mut images[defined.index()];
        if image.len() < end as usize {
            image.resize(end as usize, None);
        }
        for (slot, func) in image[start as usize..].iter_mut().zip(funcs) {
            *slot = Some(*func);
        }
        included[i] = true;
    }
    (images.into_iter().map(Vec::into).collect(), included)
}
