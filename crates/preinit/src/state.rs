//! Reading the state of an instance, and judging whether a module can state it.
//!
//! Invariant: state that a module cannot state is an error that names the item; nothing is lost
//! silently.

use crate::parts::{Parts, malformed};
use crate::probe::{Item, Names};
use crate::scan::CodeUses;
use crate::sparse::pieces;
use selkie_engine::{
    AnyRef, AsContextMut, Error, ErrorKind, Func, Instance, Result, RootScope, Rooted, Trap, V128,
    Val,
};
use std::collections::{BTreeSet, HashMap};
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{ConstExpr, HeapType, Ieee32, Ieee64};
use wasmparser::{ElementItems, ElementKind, Operator};

/// Pieces of all memories together, at most; engines take ten times as many segments.
const MAX_PIECES: usize = 10_000;

/// What an instance consists of at the end of the initialisation.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) memories: Vec<MemoryState>,
    /// By defined global: its value, if it can have changed.
    pub(crate) globals: Vec<Option<ConstExpr>>,
    /// By table: its elements.
    pub(crate) tables: Vec<Vec<Entry>>,
    pub(crate) dropped_datas: BTreeSet<u32>,
    pub(crate) dropped_elems: BTreeSet<u32>,
}

/// A memory: its size in its own pages, and what is not zero in it.
#[derive(Debug)]
pub(crate) struct MemoryState {
    pub(crate) pages: u64,
    pub(crate) pieces: Vec<(u64, Vec<u8>)>,
}

/// A reference that a constant expression can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Entry {
    Null,
    Func(u32),
    I31(i32),
}

impl Entry {
    /// The expression; `heap` is the type of the place, for null.
    pub(crate) fn expr(self, heap: HeapType) -> ConstExpr {
        match self {
            Entry::Null => ConstExpr::ref_null(heap),
            Entry::Func(func) => ConstExpr::ref_func(func),
            Entry::I31(value) => ConstExpr::extended([
                wasm_encoder::Instruction::I32Const(value),
                wasm_encoder::Instruction::RefI31,
            ]),
        }
    }
}

/// Reads all state of an instance of the probe.
///
/// # Errors
/// Something cannot be stated; the instance is not one of the probe.
pub(crate) fn read<C: AsContextMut>(
    store: &mut C,
    instance: Instance,
    parts: &Parts<'_>,
    uses: &CodeUses,
    names: &Names,
) -> Result<State> {
    let mut reader = Reader { store, instance, parts, names, funcs: HashMap::new() };
    reader.learn_funcs()?;
    Ok(State {
        memories: reader.memories()?,
        globals: reader.globals()?,
        tables: reader.tables()?,
        dropped_datas: reader.dropped(&uses.dropped_datas, Item::Data)?,
        dropped_elems: reader.dropped_elems(uses)?,
    })
}

struct Reader<'r, 'a, C> {
    store: &'r mut C,
    instance: Instance,
    parts: &'r Parts<'a>,
    names: &'r Names,
    /// The index of each function that can be referred to; none where two have one identity.
    funcs: HashMap<Func, Option<u32>>,
}

impl<C: AsContextMut> Reader<'_, '_, C> {
    fn learn_funcs(&mut self) -> Result<()> {
        for index in self.parts.referable_funcs()? {
            let name = self.names.of(Item::Func, index);
            let func = self.instance.get_func(&mut *self.store, &name).ok_or_else(stranger)?;
            self.funcs.entry(func).and_modify(|known| *known = None).or_insert(Some(index));
        }
        Ok(())
    }

    fn memories(&mut self) -> Result<Vec<MemoryState>> {
        let limit = MAX_PIECES / self.parts.memories.len().max(1);
        let mut states = Vec::new();
        for i in 0..self.parts.memories.len() as u32 {
            let name = self.names.of(Item::Memory, i);
            let memory = self.instance.get_memory(&mut *self.store, &name).ok_or_else(stranger)?;
            let bytes = memory.data(&*self.store);
            let found = pieces(bytes, limit).into_iter();
            let pieces = found.map(|piece| (piece.start as u64, bytes[piece].to_vec())).collect();
            states.push(MemoryState { pages: memory.size(&*self.store), pieces });
        }
        Ok(states)
    }

    fn globals(&mut self) -> Result<Vec<Option<ConstExpr>>> {
        let mut values = Vec::new();
        for (i, global) in self.parts.globals.iter().enumerate() {
            let index = self.parts.imported.globals + i as u32;
            if !global.ty.mutable && !global.ty.content_type.is_reference_type() {
                values.push(None);
                continue;
            }
            let name = self.names.of(Item::Global, index);
            let found = self.instance.get_global(&mut *self.store, &name).ok_or_else(stranger)?;
            let mut scope = RootScope::new(&mut *self.store);
            let value = found.get(&mut scope);
            let place = || format!("global {index}");
            if !global.ty.mutable {
                // It is made anew from the same expression; only what it leads to may differ.
                refuse_changeable(&mut scope, &value, place)?;
                values.push(None);
                continue;
            }
            values.push(Some(match value {
                Val::I32(value) => ConstExpr::i32_const(value),
                Val::I64(value) => ConstExpr::i64_const(value),
                Val::F32(bits) => ConstExpr::f32_const(Ieee32::new(bits)),
                Val::F64(bits) => ConstExpr::f64_const(Ieee64::new(bits)),
                Val::V128(V128(bits)) => ConstExpr::v128_const(bits as i128),
                reference => {
                    let entry = entry(&mut scope, &self.funcs, &reference, place)?;
                    entry.expr(heap_of(global.ty.content_type)?)
                }
            }));
        }
        Ok(values)
    }

    fn tables(&mut self) -> Result<Vec<Vec<Entry>>> {
        let mut tables = Vec::new();
        for i in 0..self.parts.tables.len() as u32 {
            let name = self.names.of(Item::Table, i);
            let table = self.instance.get_table(&mut *self.store, &name).ok_or_else(stranger)?;
            let mut entries = Vec::new();
            for at in 0..table.size(&*self.store) {
                let mut scope = RootScope::new(&mut *self.store);
                let value = table.get(&mut scope, at).ok_or_else(stranger)?;
                let place = || format!("table {i}, element {at},");
                entries.push(entry(&mut scope, &self.funcs, &value, place)?);
            }
            tables.push(entries);
        }
        Ok(tables)
    }

    /// Which of the segments that may have been dropped have been.
    fn dropped(&mut self, maybe: &BTreeSet<u32>, item: Item) -> Result<BTreeSet<u32>> {
        let mut dropped = BTreeSet::new();
        for index in maybe {
            let name = self.names.of(item, *index);
            // What there is no function for cannot be told from a dropped one by any code either.
            let Some(func) = self.instance.get_func(&mut *self.store, &name) else { continue };
            match func.call(&mut *self.store, &[], &mut []) {
                Ok(()) => {}
                Err(error) => match error.trap() {
                    Some(Trap::MemoryOutOfBounds | Trap::TableOutOfBounds) => {
                        dropped.insert(*index);
                    }
                    _ => return Err(error.context("while reading the state")),
                },
            }
        }
        Ok(dropped)
    }

    fn dropped_elems(&mut self, uses: &CodeUses) -> Result<BTreeSet<u32>> {
        let dropped = self.dropped(&uses.dropped_elems, Item::Elem)?;
        for (i, elem) in self.parts.elems.iter().enumerate() {
            let is_live = matches!(elem.kind, ElementKind::Passive)
                && uses.names_elems
                && !dropped.contains(&(i as u32));
            if is_live && makes_objects(&elem.items)? {
                return Err(unsayable(&format!("element segment {i}"), OBJECT));
            }
        }
        Ok(dropped)
    }
}

fn entry<C: AsContextMut>(
    store: &mut C,
    funcs: &HashMap<Func, Option<u32>>,
    value: &Val,
    place: impl Fn() -> String,
) -> Result<Entry> {
    let what = match value {
        null if null.is_null_ref() => return Ok(Entry::Null),
        Val::FuncRef(Some(func)) => match funcs.get(func) {
            Some(Some(index)) => return Ok(Entry::Func(*index)),
            Some(None) => "a function that several imports stand for",
            None => "a function of another instance or of the host",
        },
        Val::AnyRef(Some(reference)) => match reference.as_i31(&*store)? {
            Some(value) => return Ok(Entry::I31(value.get_i32())),
            None => OBJECT,
        },
        Val::ExternRef(_) => "a reference to something of the host's",
        Val::ExnRef(_) => "an exception",
        Val::ContRef(_) => "a continuation",
        _ => "a value that is no reference",
    };
    Err(unsayable(&place(), what))
}

const OBJECT: &str = "an object of the collected heap";

/// An object that a constant expression makes anew is as it was if nothing in it can be written.
fn refuse_changeable<C: AsContextMut>(
    store: &mut C,
    value: &Val,
    place: impl Fn() -> String,
) -> Result<()> {
    let Val::AnyRef(Some(reference)) = value else { return Ok(()) };
    if is_unchangeable(store, reference)? { Ok(()) } else { Err(unsayable(&place(), OBJECT)) }
}

fn is_unchangeable<C: AsContextMut>(store: &mut C, reference: &Rooted<AnyRef>) -> Result<bool> {
    let is_fixed = |field: &selkie_engine::FieldType| {
        let is_reference = field.element_type().as_val_type().is_some_and(|ty| ty.is_ref());
        !field.mutability().is_var() && !is_reference
    };
    if reference.is_i31(&*store)? {
        return Ok(true);
    }
    if let Some(object) = reference.as_struct(&*store)? {
        return Ok(object.ty(&*store)?.fields().all(|field| is_fixed(&field)));
    }
    if let Some(object) = reference.as_array(&*store)? {
        return Ok(is_fixed(&object.ty(&*store)?.field_type()));
    }
    // Something of the host's, which it passes in again.
    Ok(true)
}

fn makes_objects(items: &ElementItems<'_>) -> Result<bool> {
    let ElementItems::Expressions(_, exprs) = items else { return Ok(false) };
    for expr in exprs.clone() {
        for operator in expr.map_err(malformed)?.get_operators_reader() {
            let is_plain = matches!(
                operator.map_err(malformed)?,
                Operator::RefFunc { .. }
                    | Operator::RefNull { .. }
                    | Operator::GlobalGet { .. }
                    | Operator::I32Const { .. }
                    | Operator::RefI31
                    | Operator::End
            );
            if !is_plain {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The heap type of a global's type, which is one of references.
fn heap_of(ty: wasmparser::ValType) -> Result<HeapType> {
    match ty {
        wasmparser::ValType::Ref(ty) => {
            RoundtripReencoder.heap_type(ty.heap_type()).map_err(crate::parts::unencodable)
        }
        _ => Err(stranger()),
    }
}

fn unsayable(place: &str, what: &str) -> Error {
    let message = format!(
        "{place} holds {what}, which no module can begin with; let the initializer leave it null, \
         and make it when the module runs"
    );
    Error::new(ErrorKind::Unsupported, message)
}

fn stranger() -> Error {
    let message = "the instance is not one of the module that is being initialised";
    Error::new(ErrorKind::Invalid, message)
}
