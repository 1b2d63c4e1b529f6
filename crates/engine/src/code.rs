//! What the runtime can ask about a module's machine code: which function an address lies in,
//! why an instruction trapped, where it comes from.

use crate::artifact::Bytes;
use selkie_module::frames::{FrameTables, Landing};
use selkie_module::sites::{self, FuncRange, SiteKind};
use selkie_module::{DefinedFuncIndex, EntityIndex, FuncIndex, ModuleInfo, TrapCode};
use selkie_vm::CodeMemory;
use std::sync::{Arc, OnceLock};

/// Machine code of a module, with what is known about it.
pub(crate) struct Code {
    pub(crate) memory: CodeMemory,
    pub(crate) tables: Arc<ModuleCode>,
}

impl Code {
    /// Lets code run and be asked about.
    pub(crate) fn publish(mut memory: CodeMemory, tables: ModuleCode) -> Code {
        let tables = Arc::new(tables);
        memory.publish(tables.clone());
        Code { memory, tables }
    }

    /// Address of a defined function.
    pub(crate) fn of(&self, func: DefinedFuncIndex) -> *const u8 {
        let start = self.tables.funcs[func.index()].start as usize;
        self.memory.base().wrapping_add(start)
    }
}

/// The tables of a module's code. Registered with the floor below, which asks it about faults.
pub(crate) struct ModuleCode {
    pub(crate) info: Arc<ModuleInfo>,
    pub(crate) funcs: Vec<FuncRange>,
    pub(crate) sites: Bytes,
    pub(crate) frames: Bytes,
    pub(crate) names: Bytes,
    pub(crate) debug: Vec<(String, std::ops::Range<u32>)>,
    pub(crate) debug_bytes: Bytes,
    pub(crate) name_map: OnceLock<Vec<(u32, String)>>,
    #[cfg(feature = "dwarf")]
    pub(crate) dwarf: OnceLock<Option<crate::dwarf::Lines>>,
}

impl selkie_vm::CodeObject for ModuleCode {
    fn trap_at(&self, offset: usize) -> Option<TrapCode> {
        let (func, offset) = self.func_at(offset)?;
        let (trap, _) = sites::find(self.sites_of(func), offset, SiteKind::Trap)?;
        TrapCode::from_number(trap)
    }

    fn each_slot(&self, return_offset: usize, see: &mut dyn FnMut(u32)) {
        let offset = u32::try_from(return_offset).ok();
        let slots = offset.and_then(|offset| FrameTables::new(&self.frames).slots(offset));
        slots.into_iter().flatten().for_each(see);
    }

    fn landing(&self, return_offset: usize) -> Option<Landing> {
        FrameTables::new(&self.frames).landing(u32::try_from(return_offset).ok()?)
    }
}

impl ModuleCode {
    /// The function that a code offset lies in, and the offset from its start.
    pub(crate) fn func_at(&self, offset: usize) -> Option<(DefinedFuncIndex, u32)> {
        let offset = u32::try_from(offset).ok()?;
        let next = self.funcs.partition_point(|f| f.start <= offset);
        let index = next.checked_sub(1)?;
        let range = self.funcs[index];
        (offset - range.start < range.len)
            .then(|| (DefinedFuncIndex::new(index), offset - range.start))
    }

    /// The packed sites of a function.
    pub(crate) fn sites_of(&self, func: DefinedFuncIndex) -> &[u8] {
        self.sites.get(self.funcs[func.index()].sites as usize..).unwrap_or_default()
    }

    /// The places that an instruction stands for, innermost first: function and module offset.
    /// Several where callees were inlined. A call is told by its last byte; its site is at the
    /// return address behind it, which may already belong to the next function.
    pub(crate) fn places(&self, offset: usize, is_call: bool) -> Vec<(FuncIndex, Option<u32>)> {
        let Some((func, at)) = self.func_at(offset) else { return Vec::new() };
        let at = at + u32::from(is_call);
        let outer = self.info.func_index(func);
        let table = self.sites_of(func);
        let kind = if is_call { SiteKind::Return } else { SiteKind::Trap };
        let Some((_, position)) = sites::find(table, at, kind) else { return vec![(outer, None)] };
        let frames = sites::positions(table).frames(position);
        frames
            .into_iter()
            .map(|(callee, offset)| {
                let func = callee.map_or(outer, |c| self.info.func_index(DefinedFuncIndex(c)));
                (func, Some(offset))
            })
            .collect()
    }

    /// The name that the module's name section gives a function, or else its first export's.
    pub(crate) fn func_name(&self, func: FuncIndex) -> Option<&str> {
        let names = self.name_map.get_or_init(|| read_names(&self.names));
        if let Ok(at) = names.binary_search_by_key(&func.0, |(index, _)| *index) {
            return Some(&names[at].1);
        }
        let export = self.info.exports.iter().find(|e| e.index == EntityIndex::Func(func))?;
        Some(&export.name)
    }
}

/// Function names by index. A damaged name section gives as many as can be read.
fn read_names(section: &[u8]) -> Vec<(u32, String)> {
    let reader = wasmparser::NameSectionReader::new(wasmparser::BinaryReader::new(section, 0));
    let mut names = Vec::new();
    for part in reader {
        let Ok(wasmparser::Name::Function(map)) = part else { continue };
        names.extend(map.into_iter().flatten().map(|n| (n.index, n.name.to_string())));
    }
    names.sort_unstable();
    names.dedup_by_key(|(index, _)| *index);
    names
}
