//! The new module: the original with the sections that hold state written anew.
//!
//! Invariant: functions, types and all other items keep their indices and code keeps its bytes, so
//! names of functions and debug information stay right. Segments that code names keep their
//! numbers; those that were dropped are empty, which no code can tell from dropped.

use crate::Preinit;
use crate::parts::{Parts, contents, exported_funcs, named_funcs, unencodable};
use crate::scan::CodeUses;
use crate::state::{Entry, State};
use crate::tables::TableWriter;
use selkie_engine::{Error, ErrorKind, Result};
use std::borrow::Cow;
use std::collections::BTreeSet;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    ConstExpr, DataCountSection, DataSection, ElementMode, ElementSegment, Elements, Encode,
    ExportSection, GlobalSection, MemorySection, SectionId,
};
use wasmparser::{BinaryReader, DataKind, ElementItems, Export};

/// Segments of a kind that engines take.
pub(crate) const MAX_SEGMENTS: u32 = 100_000;

/// Functions that are declared outside of code, so that code may refer to them.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    pub(crate) funcs: Vec<u32>,
}

impl Declared {
    pub(crate) fn entry(&mut self, entry: Entry) {
        if let Entry::Func(func) = entry {
            self.funcs.push(func);
        }
    }

    pub(crate) fn items(&mut self, items: &ElementItems<'_>) -> Result<()> {
        match items {
            ElementItems::Functions(items) => {
                for func in items.clone() {
                    self.funcs.push(func.map_err(crate::parts::malformed)?);
                }
            }
            ElementItems::Expressions(_, exprs) => {
                for expr in exprs.clone() {
                    named_funcs(&expr.map_err(crate::parts::malformed)?, &mut self.funcs)?;
                }
            }
        }
        Ok(())
    }

    /// Those of `wanted` that are not declared.
    fn missing(self, wanted: &BTreeSet<u32>) -> Vec<u32> {
        let known: BTreeSet<u32> = self.funcs.into_iter().collect();
        wanted.difference(&known).copied().collect()
    }
}

/// The module that begins with `state`.
///
/// # Errors
/// An export cannot be renamed as wanted; there would be too many segments.
pub(crate) fn rewrite(
    parts: &Parts<'_>,
    uses: &CodeUses,
    state: &State,
    choices: &Preinit,
) -> Result<Vec<u8>> {
    let mut declared = Declared::default();
    let exports = exports(&parts.exports, choices);
    declared.funcs.extend(exported_funcs(&exports));
    let mut changed = vec![(SectionId::Start, None)];
    let mut change = |id, is_empty: bool, bytes: Vec<u8>| {
        changed.push((id, (!is_empty).then_some(bytes)));
    };

    let mut section = ExportSection::new();
    for export in &exports {
        RoundtripReencoder.parse_export(&mut section, *export).map_err(unencodable)?;
    }
    change(SectionId::Export, section.is_empty(), contents(&section));

    let section = memories(parts, state)?;
    change(SectionId::Memory, section.is_empty(), contents(&section));
    let section = globals(parts, state, &mut declared)?;
    change(SectionId::Global, section.is_empty(), contents(&section));

    let (section, mut elems) = TableWriter { parts, uses, state }.write(&mut declared)?;
    change(SectionId::Table, section.is_empty(), contents(&section));
    let undeclared = declared.missing(&uses.ref_funcs);
    if !undeclared.is_empty() {
        let elements = Elements::Functions(Cow::Owned(undeclared));
        elems.segment(ElementSegment { mode: ElementMode::Declared, elements });
    }
    change(SectionId::Element, elems.is_empty(), contents(&elems));

    let datas = datas(parts, uses, state)?;
    if parts.has_data_count {
        let count = contents(&DataCountSection { count: datas.len() });
        change(SectionId::DataCount, false, count);
    }
    change(SectionId::Data, datas.is_empty(), contents(&datas));
    Ok(parts.assemble(&changed, customs))
}

/// What is exported: all but the initializers, under the names that were asked for.
fn exports<'a>(all: &[Export<'a>], choices: &'a Preinit) -> Vec<Export<'a>> {
    let renamed = choices.renames.iter().filter_map(|(new, old)| {
        let found = all.iter().find(|export| export.name == old)?;
        Some(Export { name: new.as_str(), ..*found })
    });
    let is_kept = |export: &&Export<'_>| {
        let is_renamed =
            choices.renames.iter().any(|(new, old)| export.name == new || export.name == old);
        !is_renamed && !choices.is_spent(export)
    };
    all.iter().filter(is_kept).copied().chain(renamed).collect()
}

/// Whether exports can be renamed as wanted.
///
/// # Errors
/// A function is missing, or two would have one name.
pub(crate) fn check_renames(all: &[Export<'_>], choices: &Preinit) -> Result<()> {
    for (i, (new, old)) in choices.renames.iter().enumerate() {
        if !all.iter().any(|export| export.name == old && is_func(export)) {
            let message = format!("no function is exported as `{old}`, to be renamed `{new}`");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        if choices.renames[..i].iter().any(|(other, _)| other == new) {
            let message = format!("two functions cannot both be renamed `{new}`");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
    }
    Ok(())
}

pub(crate) fn is_func(export: &Export<'_>) -> bool {
    export.kind == wasmparser::ExternalKind::Func
}

fn memories(parts: &Parts<'_>, state: &State) -> Result<MemorySection> {
    let mut section = MemorySection::new();
    for (ty, now) in parts.memories.iter().zip(&state.memories) {
        let ty = RoundtripReencoder.memory_type(*ty).map_err(unencodable)?;
        section.memory(wasm_encoder::MemoryType { minimum: now.pages, ..ty });
    }
    Ok(section)
}

fn globals(parts: &Parts<'_>, state: &State, declared: &mut Declared) -> Result<GlobalSection> {
    let mut section = GlobalSection::new();
    for (global, now) in parts.globals.iter().zip(&state.globals) {
        match now {
            Some(value) => {
                declared.funcs.extend(value.get_ref_func());
                let ty = RoundtripReencoder.global_type(global.ty).map_err(unencodable)?;
                section.global(ty, value);
            }
            None => {
                named_funcs(&global.init_expr, &mut declared.funcs)?;
                RoundtripReencoder
                    .parse_global(&mut section, global.clone())
                    .map_err(unencodable)?;
            }
        }
    }
    Ok(section)
}

/// What fills memories, and segments that code may name, which keep their numbers: in the place of
/// one that is gone stands one that fills a memory, which is gone when code runs, or an empty one.
fn datas(parts: &Parts<'_>, uses: &CodeUses, state: &State) -> Result<DataSection> {
    let mut section = DataSection::new();
    let mut filling = state.memories.iter().enumerate().flat_map(|(i, memory)| {
        let is_64 = parts.memories[i].memory64;
        memory.pieces.iter().map(move |(offset, bytes)| {
            let offset = match is_64 {
                true => ConstExpr::i64_const(*offset as i64),
                false => ConstExpr::i32_const(*offset as i32),
            };
            (i as u32, offset, bytes)
        })
    });
    for (i, data) in parts.datas.iter().enumerate().filter(|_| uses.names_datas) {
        let is_live =
            matches!(data.kind, DataKind::Passive) && !state.dropped_datas.contains(&(i as u32));
        match if is_live { None } else { filling.next() } {
            Some((memory, offset, bytes)) => {
                section.active(memory, &offset, bytes.iter().copied());
            }
            None => {
                let kept = if is_live { data.data } else { &[] };
                section.passive(kept.iter().copied());
            }
        }
    }
    for (memory, offset, bytes) in filling {
        section.active(memory, &offset, bytes.iter().copied());
    }
    if section.len() > MAX_SEGMENTS {
        return Err(too_many("data segments"));
    }
    Ok(section)
}

pub(crate) fn too_many(what: &str) -> Error {
    let message = format!("the new module would have more {what} than engines take");
    Error::new(ErrorKind::Limit, message)
}

/// Names of segments would stand for others, and source maps for other places in the file.
fn customs(name: &str, data: &[u8]) -> Option<Vec<u8>> {
    match name {
        "sourceMappingURL" => None,
        "name" => Some(without_segments(data).unwrap_or_else(|| data.to_vec())),
        _ => Some(data.to_vec()),
    }
}

/// A section of names without those of segments; none where it cannot be read.
fn without_segments(names: &[u8]) -> Option<Vec<u8>> {
    const ELEMS: u8 = 8;
    const DATAS: u8 = 9;
    let mut reader = BinaryReader::new(names, 0);
    let mut kept = Vec::new();
    while !reader.eof() {
        let id = reader.read_u8().ok()?;
        let len = reader.read_var_u32().ok()?;
        let bytes = reader.read_bytes(len as usize).ok()?;
        if id != ELEMS && id != DATAS {
            kept.push(id);
            bytes.encode(&mut kept);
        }
    }
    Some(kept)
}
