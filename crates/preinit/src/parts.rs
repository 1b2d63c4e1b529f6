//! A module taken apart: its sections as they lie in the file, and of those that hold or name
//! state, the entries.
//!
//! Invariant: nothing here is believed to be valid beyond what parsing shows; the engine validates
//! what is made of it. What this file deliberately does not do: look into function bodies
//! (`scan.rs`).

use selkie_engine::{Error, ErrorKind, Result};
use std::ops::Range;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{ConstExpr, CustomSection, Encode, RawSection, SectionId};
use wasmparser::{
    BinaryReader, Data, Element, ElementItems, Export, ExternalKind, FunctionBody, Global,
    MemoryType, Operator, Parser, Payload, Table, TableInit, TypeRef,
};

/// Sections in the order that the format wants (spec: binary/modules), by their ids.
const ORDER: [SectionId; 13] = [
    SectionId::Type,
    SectionId::Import,
    SectionId::Function,
    SectionId::Table,
    SectionId::Memory,
    SectionId::Tag,
    SectionId::Global,
    SectionId::Export,
    SectionId::Start,
    SectionId::Element,
    SectionId::DataCount,
    SectionId::Code,
    SectionId::Data,
];

/// A section as it lies in the file.
#[derive(Clone, Copy, Debug)]
struct Section<'a> {
    id: u8,
    contents: &'a [u8],
    /// The name and the data of a custom section.
    custom: Option<(&'a str, &'a [u8])>,
}

/// What becomes of a custom section, by its name: its data, or none to leave it out.
pub(crate) type Customs = fn(&str, &[u8]) -> Option<Vec<u8>>;

/// How many items are imported, of the kinds that may be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Imported {
    pub(crate) funcs: u32,
    pub(crate) globals: u32,
}

/// A module taken apart.
#[derive(Default)]
pub(crate) struct Parts<'a> {
    sections: Vec<Section<'a>>,
    pub(crate) imported: Imported,
    pub(crate) types: u32,
    /// Functions that are defined.
    pub(crate) funcs: u32,
    pub(crate) tables: Vec<Table<'a>>,
    pub(crate) memories: Vec<MemoryType>,
    pub(crate) globals: Vec<Global<'a>>,
    pub(crate) exports: Vec<Export<'a>>,
    pub(crate) elems: Vec<Element<'a>>,
    pub(crate) datas: Vec<Data<'a>>,
    pub(crate) has_data_count: bool,
    pub(crate) bodies: Vec<FunctionBody<'a>>,
}

impl<'a> Parts<'a> {
    /// Takes a module apart.
    ///
    /// # Errors
    /// It is none in the binary format, or cannot be parsed; it imports state, which belongs to
    /// whoever provides it and cannot be written into this module.
    pub(crate) fn of(bytes: &'a [u8]) -> Result<Parts<'a>> {
        if !bytes.starts_with(b"\0asm\x01\0\0\0") {
            let message = "only a core module in the binary format can be initialised";
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let mut parts = Parts::default();
        for payload in Parser::new(0).parse_all(bytes) {
            parts.add(bytes, payload.map_err(malformed)?)?;
        }
        parts.refuse_shared()?;
        Ok(parts)
    }

    fn add(&mut self, bytes: &'a [u8], payload: Payload<'a>) -> Result<()> {
        if let Some((id, range)) = payload.as_section() {
            let custom = match &payload {
                Payload::CustomSection(custom) => Some((custom.name(), custom.data())),
                _ => None,
            };
            self.sections.push(Section { id, contents: part(bytes, range), custom });
        }
        match payload {
            Payload::TypeSection(types) => {
                for group in types {
                    self.types += group.map_err(malformed)?.types().len() as u32;
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    self.import(&import.map_err(malformed)?)?;
                }
            }
            Payload::FunctionSection(funcs) => self.funcs = funcs.count(),
            Payload::TableSection(tables) => self.tables = all(tables)?,
            Payload::MemorySection(memories) => self.memories = all(memories)?,
            Payload::GlobalSection(globals) => self.globals = all(globals)?,
            Payload::ExportSection(exports) => self.exports = all(exports)?,
            Payload::ElementSection(elems) => self.elems = all(elems)?,
            Payload::DataSection(datas) => self.datas = all(datas)?,
            Payload::DataCountSection { .. } => self.has_data_count = true,
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, import: &wasmparser::Import<'_>) -> Result<()> {
        let state = match import.ty {
            TypeRef::Func(_) | TypeRef::FuncExact(_) => {
                self.imported.funcs += 1;
                return Ok(());
            }
            TypeRef::Tag(_) => return Ok(()),
            TypeRef::Global(ty) if !ty.mutable => {
                self.imported.globals += 1;
                return Ok(());
            }
            TypeRef::Global(_) => "a global that can be written",
            TypeRef::Memory(_) => "a memory",
            TypeRef::Table(_) => "a table",
        };
        let message = format!(
            "the import `{}` `{}` is {state}: its state belongs to whoever provides it and cannot \
             be kept in the module; link the module so that it defines it",
            import.module, import.name
        );
        Err(Error::new(ErrorKind::Unsupported, message))
    }

    fn refuse_shared(&self) -> Result<()> {
        let memories = self.memories.iter().map(|memory| memory.shared);
        let tables = self.tables.iter().map(|table| table.ty.shared);
        let globals = self.globals.iter().map(|global| global.ty.shared);
        let found = [
            ("memory", memories.enumerate().find(|(_, is_shared)| *is_shared)),
            ("table", tables.enumerate().find(|(_, is_shared)| *is_shared)),
            ("global", globals.enumerate().find(|(_, is_shared)| *is_shared)),
        ];
        let Some((what, Some((i, _)))) = found.into_iter().find(|(_, found)| found.is_some())
        else {
            return Ok(());
        };
        let message = format!(
            "{what} {i} is shared between threads, whose state cannot be kept in the module; \
             build it without threads"
        );
        Err(Error::new(ErrorKind::Unsupported, message))
    }

    /// The contents of a section, if there is one of this kind.
    pub(crate) fn section(&self, id: SectionId) -> Option<&'a [u8]> {
        let found = self.sections.iter().find(|section| section.id == id as u8);
        found.map(|section| section.contents)
    }

    /// The functions to which there can be references before any code runs: those in exports,
    /// segments, globals and tables. Code can refer to no others.
    pub(crate) fn referable_funcs(&self) -> Result<Vec<u32>> {
        let mut funcs = exported_funcs(&self.exports).collect::<Vec<_>>();
        for elem in &self.elems {
            match &elem.items {
                ElementItems::Functions(items) => {
                    for func in items.clone() {
                        funcs.push(func.map_err(malformed)?);
                    }
                }
                ElementItems::Expressions(_, exprs) => {
                    for expr in exprs.clone() {
                        named_funcs(&expr.map_err(malformed)?, &mut funcs)?;
                    }
                }
            }
        }
        for global in &self.globals {
            named_funcs(&global.init_expr, &mut funcs)?;
        }
        for table in &self.tables {
            if let TableInit::Expr(expr) = &table.init {
                named_funcs(expr, &mut funcs)?;
            }
        }
        funcs.sort_unstable();
        funcs.dedup();
        Ok(funcs)
    }

    /// The module with some sections replaced, left out (`None`) or added. Everything else stays
    /// where and as it is, but for custom sections, which `customs` decides.
    pub(crate) fn assemble(
        &self,
        changed: &[(SectionId, Option<Vec<u8>>)],
        customs: Customs,
    ) -> Vec<u8> {
        let mut module = wasm_encoder::Module::new();
        let mut added: Vec<_> = changed
            .iter()
            .filter(|(id, contents)| contents.is_some() && self.section(*id).is_none())
            .collect();
        added.sort_by_key(|(id, _)| rank(*id as u8));
        let mut added = added.into_iter().peekable();
        // What comes before the first that is there.
        let mut next = self.rank_from(0);
        for (i, section) in self.sections.iter().enumerate() {
            while let Some((id, contents)) = added.next_if(|(id, _)| rank(*id as u8) < next) {
                raw(&mut module, *id as u8, contents.as_deref());
            }
            if let Some((name, data)) = section.custom {
                if let Some(data) = customs(name, data) {
                    let name = name.into();
                    module.section(&CustomSection { name, data: data.into() });
                }
                continue;
            }
            match changed.iter().find(|(id, _)| *id as u8 == section.id) {
                Some((id, contents)) => raw(&mut module, *id as u8, contents.as_deref()),
                None => raw(&mut module, section.id, Some(section.contents)),
            }
            // Names and debug information stay behind what they speak of.
            next = self.rank_from(i + 1);
        }
        for (id, contents) in added {
            raw(&mut module, *id as u8, contents.as_deref());
        }
        module.finish()
    }

    /// The rank of the first section from this one on that is not a custom one.
    fn rank_from(&self, at: usize) -> usize {
        let known = self.sections[at..].iter().find(|section| section.custom.is_none());
        known.map_or(usize::MAX, |section| rank(section.id))
    }
}

fn raw(module: &mut wasm_encoder::Module, id: u8, contents: Option<&[u8]>) {
    if let Some(data) = contents {
        module.section(&RawSection { id, data });
    }
}

/// The place of a section in the order of the format; unknown ones stay where they are.
fn rank(id: u8) -> usize {
    ORDER.iter().position(|known| *known as u8 == id).unwrap_or(0)
}

fn part(bytes: &[u8], range: Range<u64>) -> &[u8] {
    bytes.get(range.start as usize..range.end as usize).unwrap_or_default()
}

fn all<'a, T: wasmparser::FromReader<'a>>(
    section: wasmparser::SectionLimited<'a, T>,
) -> Result<Vec<T>> {
    section.into_iter().collect::<Result<_, _>>().map_err(malformed)
}

/// A section's contents with more entries behind those it has.
pub(crate) fn extended(contents: Option<&[u8]>, count: u32, entries: &[u8]) -> Result<Vec<u8>> {
    let contents = contents.unwrap_or(&[0]);
    let mut before = BinaryReader::new(contents, 0);
    let known = before.read_var_u32().map_err(malformed)?;
    let mut bytes = Vec::new();
    known.saturating_add(count).encode(&mut bytes);
    bytes.extend_from_slice(part(contents, before.original_position()..contents.len() as u64));
    bytes.extend_from_slice(entries);
    Ok(bytes)
}

/// The contents of a section, as an encoder has made it.
pub(crate) fn contents(section: &impl Encode) -> Vec<u8> {
    let mut sized = Vec::new();
    section.encode(&mut sized);
    let mut reader = BinaryReader::new(&sized, 0);
    // What an encoder writes begins with its size.
    let _ = reader.read_var_u32();
    part(&sized, reader.original_position()..sized.len() as u64).to_vec()
}

pub(crate) fn exported_funcs<'p>(exports: &'p [Export<'_>]) -> impl Iterator<Item = u32> + 'p {
    let funcs = exports.iter().filter(|export| export.kind == ExternalKind::Func);
    funcs.map(|export| export.index)
}

/// The functions that a constant expression refers to.
pub(crate) fn named_funcs(expr: &wasmparser::ConstExpr<'_>, funcs: &mut Vec<u32>) -> Result<()> {
    for operator in expr.get_operators_reader() {
        if let Operator::RefFunc { function_index } = operator.map_err(malformed)? {
            funcs.push(function_index);
        }
    }
    Ok(())
}

/// A constant expression as it is.
pub(crate) fn same_expr(expr: &wasmparser::ConstExpr<'_>) -> Result<ConstExpr> {
    RoundtripReencoder.const_expr(expr.clone()).map_err(unencodable)
}

pub(crate) fn malformed(error: wasmparser::Error) -> Error {
    Error::new(ErrorKind::Invalid, error.to_string())
}

pub(crate) fn unencodable(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unsupported, format!("the module cannot be written again: {error}"))
}
