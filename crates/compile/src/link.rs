//! Puts compiled functions together: places them, patches calls, packs the site tables.
//!
//! Functions stand in index order, aligned, so that equal modules give equal bytes. Sites of a
//! function are kept as a packed stream that is read only when something traps.

use crate::driver::{CompiledFunc, RelocKind, Site};
use crate::error::CompileError;
use selkie_module::frames::{self, Landing, StackMap};
use selkie_module::sites::{self, FuncRange, SitePositions};

/// Linked machine code, independent of where it will be mapped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkedCode {
    /// The code.
    pub code: Vec<u8>,
    /// The extent of each defined function, in order.
    pub funcs: Vec<FuncRange>,
    /// Packed sites.
    pub sites: Vec<u8>,
    /// Packed tables of frames.
    pub frames: Vec<u8>,
    /// Whether any function reaches into the collected heap or asks for types.
    pub uses_heap: bool,
}

/// Where a function may start: at a cache line, so that how its loops and jump tables fall into
/// lines does not depend on its neighbours; anywhere reasonable when it is too short to have any.
fn alignment(code_bytes: usize) -> usize {
    if code_bytes < 128 { 16 } else { 64 }
}

/// Relative calls reach two GiB; leave room for the last function.
const MAX_CODE_BYTES: usize = 0x7ff0_0000;

/// Links all functions of a module, in index order.
///
/// # Errors
/// The code does not fit into the reach of relative calls.
pub fn link(funcs: Vec<CompiledFunc>) -> Result<LinkedCode, CompileError> {
    let mut linked = LinkedCode::default();
    let total = funcs
        .iter()
        .fold(0, |end: usize, f| end.next_multiple_of(alignment(f.code.len())) + f.code.len());
    if total > MAX_CODE_BYTES {
        return Err(CompileError::TooLarge(format!("{total} bytes of machine code")));
    }
    linked.code.reserve_exact(total);
    linked.funcs.reserve_exact(funcs.len());
    let mut relocs = Vec::with_capacity(funcs.len());
    let (mut maps, mut landings) = (Vec::new(), Vec::new());
    for func in funcs {
        let start = linked.code.len().next_multiple_of(alignment(func.code.len()));
        // int3: a jump into padding stops at once.
        linked.code.resize(start, 0xcc);
        linked.code.extend_from_slice(&func.code);
        linked.funcs.push(FuncRange {
            start: start as u32,
            len: func.code.len() as u32,
            sites: pack_sites(&mut linked.sites, &func.sites, &func.positions),
        });
        relocs.push(func.relocs);
        linked.uses_heap |= func.uses_heap;
        place_frames(start as u32, func.stack_maps, func.landings, &mut maps, &mut landings);
    }
    linked.frames = frames::pack(&maps, &landings);
    for (from, relocs) in relocs.into_iter().enumerate() {
        for reloc in relocs {
            let RelocKind::Call32 = reloc.kind;
            let at = linked.funcs[from].start as usize + reloc.offset as usize;
            let target = linked.funcs[reloc.target.index()].start as i64;
            let relative = (target - (at as i64 + 4)) as i32;
            linked.code[at..at + 4].copy_from_slice(&relative.to_le_bytes());
        }
    }
    Ok(linked)
}

/// Moves the frames' tables of a function that starts at `start` to those of the module.
fn place_frames(
    start: u32,
    func_maps: Vec<StackMap>,
    func_landings: Vec<Landing>,
    maps: &mut Vec<StackMap>,
    landings: &mut Vec<Landing>,
) {
    let moved = |map: StackMap| StackMap { offset: start + map.offset, ..map };
    maps.extend(func_maps.into_iter().map(moved));
    landings.extend(func_landings.into_iter().map(|landing| Landing {
        offset: start + landing.offset,
        pad: start + landing.pad,
        ..landing
    }));
}

fn pack_sites(out: &mut Vec<u8>, list: &[Site], positions: &SitePositions) -> u32 {
    let start = out.len() as u32;
    sites::pack(out, list.iter().map(|s| (s.offset, s.trap, s.position)), positions);
    start
}
