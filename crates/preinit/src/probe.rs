//! The module that is run: the original with everything that holds state exported under names of
//! ours, and with functions that tell which segments have been dropped.
//!
//! Invariant: what the module had keeps its index, and its code is not touched: it cannot tell the
//! difference. What is added stands behind: a type, functions, tables of no elements, exports; a
//! memory of no pages only where there is none at all.

use crate::parts::{Parts, contents, extended, unencodable};
use crate::scan::CodeUses;
use selkie_engine::Result;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    Encode, ExportKind, Function, Instruction, MemorySection, SectionId, TableType,
};
use wasmparser::{DataKind, ElementItems, ElementKind};

/// The names of what is exported for us alone.
#[derive(Debug)]
pub(crate) struct Names {
    prefix: String,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Item {
    Memory,
    Table,
    Global,
    Func,
    /// The function that traps when the data segment has been dropped.
    Data,
    /// The function that traps when the element segment has been dropped.
    Elem,
}

impl Names {
    /// Names that the module does not have.
    fn unlike(parts: &Parts<'_>) -> Names {
        let mut prefix = String::from("preinit");
        while parts.exports.iter().any(|export| export.name.starts_with(&prefix)) {
            prefix.push('_');
        }
        Names { prefix }
    }

    pub(crate) fn of(&self, item: Item, index: u32) -> String {
        format!("{}:{item:?}:{index}", self.prefix)
    }
}

/// What is added to a module.
struct Probe<'p, 'a> {
    parts: &'p Parts<'a>,
    names: &'p Names,
    exports: Vec<u8>,
    export_count: u32,
    /// Bodies of functions that take and return nothing.
    bodies: Vec<Function>,
    tables: Vec<TableType>,
}

/// The module that is run, and how to find things in it.
pub(crate) fn probe(parts: &Parts<'_>, uses: &CodeUses) -> Result<(Vec<u8>, Names)> {
    let names = Names::unlike(parts);
    let mut probe = Probe {
        parts,
        names: &names,
        exports: Vec::new(),
        export_count: 0,
        bodies: Vec::new(),
        tables: Vec::new(),
    };
    probe.export_state()?;
    probe.ask_for_datas(uses);
    probe.ask_for_elems(uses)?;
    let bytes = probe.finish()?;
    Ok((bytes, names))
}

impl Probe<'_, '_> {
    fn export(&mut self, item: Item, kind: ExportKind, name_index: u32, index: u32) {
        self.names.of(item, name_index).as_str().encode(&mut self.exports);
        kind.encode(&mut self.exports);
        index.encode(&mut self.exports);
        self.export_count += 1;
    }

    fn export_state(&mut self) -> Result<()> {
        let parts = self.parts;
        for i in 0..parts.memories.len() as u32 {
            self.export(Item::Memory, ExportKind::Memory, i, i);
        }
        for i in 0..parts.tables.len() as u32 {
            self.export(Item::Table, ExportKind::Table, i, i);
        }
        for (i, global) in parts.globals.iter().enumerate() {
            // Those that cannot be written may still hold objects that can.
            if global.ty.mutable || global.ty.content_type.is_reference_type() {
                let index = parts.imported.globals + i as u32;
                self.export(Item::Global, ExportKind::Global, index, index);
            }
        }
        for func in parts.referable_funcs()? {
            self.export(Item::Func, ExportKind::Func, func, func);
        }
        Ok(())
    }

    /// Reading nothing behind the first byte is out of bounds of a dropped segment only.
    fn ask_for_datas(&mut self, uses: &CodeUses) {
        for (i, data) in self.parts.datas.iter().enumerate() {
            let index = i as u32;
            let is_asked = matches!(data.kind, DataKind::Passive)
                && !data.data.is_empty()
                && uses.dropped_datas.contains(&index);
            if is_asked {
                let is_64 = self.parts.memories.first().is_some_and(|memory| memory.memory64);
                let init = Instruction::MemoryInit { mem: 0, data_index: index };
                self.ask(Item::Data, index, is_64, &init);
            }
        }
    }

    fn ask_for_elems(&mut self, uses: &CodeUses) -> Result<()> {
        for (i, elem) in self.parts.elems.iter().enumerate() {
            let index = i as u32;
            let is_asked = matches!(elem.kind, ElementKind::Passive)
                && len(&elem.items) > 0
                && uses.dropped_elems.contains(&index);
            if !is_asked {
                continue;
            }
            let mut element = match &elem.items {
                ElementItems::Functions(_) => wasm_encoder::RefType::FUNCREF,
                ElementItems::Expressions(ty, _) => {
                    RoundtripReencoder.ref_type(*ty).map_err(unencodable)?
                }
            };
            // Such tables need no value to begin with.
            element.nullable = true;
            let before = self.parts.tables.len() + self.tables.len();
            let init = Instruction::TableInit { elem_index: index, table: before as u32 };
            self.tables.push(TableType {
                element_type: element,
                table64: false,
                minimum: 0,
                maximum: None,
                shared: false,
            });
            self.ask(Item::Elem, index, false, &init);
        }
        Ok(())
    }

    fn ask(&mut self, item: Item, index: u32, is_64: bool, init: &Instruction<'_>) {
        let mut body = Function::new([]);
        body.instruction(&if is_64 { Instruction::I64Const(0) } else { Instruction::I32Const(0) });
        body.instruction(&Instruction::I32Const(1));
        body.instruction(&Instruction::I32Const(0));
        body.instruction(init);
        body.instruction(&Instruction::End);
        let func = self.parts.imported.funcs + self.parts.funcs + self.bodies.len() as u32;
        self.bodies.push(body);
        self.export(item, ExportKind::Func, index, func);
    }

    fn finish(self) -> Result<Vec<u8>> {
        let parts = self.parts;
        let mut changed = Vec::new();
        let mut extend = |id: SectionId, count: usize, entries: &[u8]| -> Result<()> {
            if count > 0 {
                let bytes = extended(parts.section(id), count as u32, entries)?;
                changed.push((id, Some(bytes)));
            }
            Ok(())
        };
        if !self.bodies.is_empty() {
            extend(SectionId::Type, 1, &[0x60, 0, 0])?;
        }
        let (mut funcs, mut code, mut tables) = (Vec::new(), Vec::new(), Vec::new());
        for body in &self.bodies {
            parts.types.encode(&mut funcs);
            body.encode(&mut code);
        }
        self.tables.iter().for_each(|table| table.encode(&mut tables));
        extend(SectionId::Function, self.bodies.len(), &funcs)?;
        extend(SectionId::Code, self.bodies.len(), &code)?;
        extend(SectionId::Table, self.tables.len(), &tables)?;
        extend(SectionId::Export, self.export_count as usize, &self.exports)?;
        if !self.bodies.is_empty() && parts.memories.is_empty() {
            let mut memories = MemorySection::new();
            memories.memory(wasm_encoder::MemoryType {
                minimum: 0,
                maximum: None,
                memory64: false,
                shared: false,
                page_size_log2: None,
            });
            changed.push((SectionId::Memory, Some(contents(&memories))));
        }
        Ok(parts.assemble(&changed, |_, data| Some(data.to_vec())))
    }
}

/// How many items a segment has.
pub(crate) fn len(items: &ElementItems<'_>) -> u32 {
    match items {
        ElementItems::Functions(items) => items.count(),
        ElementItems::Expressions(_, items) => items.count(),
    }
}
