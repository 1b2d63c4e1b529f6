//! From the elements of tables to table and element sections.
//!
//! Plain tables of functions are written as the first version of WebAssembly had them, so that
//! every engine takes them, and engines that prepare tables before anything runs can.

use crate::parts::{Parts, same_expr, unencodable};
use crate::probe::len;
use crate::rewrite::{Declared, MAX_SEGMENTS, too_many};
use crate::scan::CodeUses;
use crate::state::{Entry, State};
use selkie_engine::Result;
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    ConstExpr, ElementMode, ElementSection, ElementSegment, Elements, RefType, TableSection,
    TableType,
};
use wasmparser::{ElementItems, ElementKind, TableInit};

/// Segments for one table, at most; beyond, one segment takes in what lies between them.
const MAX_RUNS: usize = 10_000;

/// Writes tables and element segments.
pub(crate) struct TableWriter<'w, 'a> {
    pub(crate) parts: &'w Parts<'a>,
    pub(crate) uses: &'w CodeUses,
    pub(crate) state: &'w State,
}

impl TableWriter<'_, '_> {
    /// The tables with their sizes of now, and the segments that fill them.
    pub(crate) fn write(&self, declared: &mut Declared) -> Result<(TableSection, ElementSection)> {
        let (mut tables, mut filling) = (TableSection::new(), VecDeque::new());
        for (i, table) in self.parts.tables.iter().enumerate() {
            let entries = &self.state.tables[i];
            let mut ty = RoundtripReencoder.table_type(table.ty).map_err(unencodable)?;
            ty.minimum = entries.len() as u64;
            let initial = match &table.init {
                TableInit::RefNull => Entry::Null,
                TableInit::Expr(expr) if entries.is_empty() => {
                    crate::parts::named_funcs(expr, &mut declared.funcs)?;
                    tables.table_with_init(ty, &same_expr(expr)?);
                    continue;
                }
                TableInit::Expr(_) => most_frequent(entries),
            };
            if matches!(table.init, TableInit::RefNull) {
                tables.table(ty);
            } else {
                declared.entry(initial);
                tables.table_with_init(ty, &initial.expr(ty.element_type.heap_type));
            }
            fill(&mut filling, i as u32, &ty, entries, initial);
            entries.iter().for_each(|entry| declared.entry(*entry));
        }
        let mut elems = ElementSection::new();
        if self.uses.names_elems {
            self.keep_places(&mut elems, &mut filling, declared)?;
        }
        for segment in filling {
            segment.write(&mut elems);
        }
        // One more may declare functions.
        if elems.len() >= MAX_SEGMENTS {
            return Err(too_many("element segments"));
        }
        Ok((tables, elems))
    }

    /// Segments that code may name keep their numbers. In the place of one that is gone stands one
    /// of its type that fills a table, which is gone when code runs, or one without elements.
    fn keep_places(
        &self,
        elems: &mut ElementSection,
        filling: &mut VecDeque<Segment>,
        declared: &mut Declared,
    ) -> Result<()> {
        for (i, elem) in self.parts.elems.iter().enumerate() {
            let is_live = matches!(elem.kind, ElementKind::Passive)
                && !self.state.dropped_elems.contains(&(i as u32))
                && len(&elem.items) > 0;
            if is_live {
                declared.items(&elem.items)?;
                RoundtripReencoder.parse_element(elems, elem.clone()).map_err(unencodable)?;
                continue;
            }
            let elements = match &elem.items {
                ElementItems::Functions(_) => Elements::Functions(Cow::Borrowed(&[])),
                ElementItems::Expressions(ty, _) => {
                    let ty = RoundtripReencoder.ref_type(*ty).map_err(unencodable)?;
                    Elements::Expressions(ty, Cow::Borrowed(&[]))
                }
            };
            match filling.pop_front_if(|segment| of_one_type(&segment.elements, &elements)) {
                Some(segment) => segment.write(elems),
                None => {
                    elems.segment(ElementSegment { mode: ElementMode::Passive, elements });
                }
            }
        }
        Ok(())
    }
}

/// A segment that fills a part of a table.
struct Segment {
    /// None is the first, as the first version of WebAssembly had it.
    table: Option<u32>,
    offset: ConstExpr,
    elements: Elements<'static>,
}

impl Segment {
    fn write(self, elems: &mut ElementSection) {
        let mode = ElementMode::Active { table: self.table, offset: &self.offset };
        elems.segment(ElementSegment { mode, elements: self.elements });
    }
}

fn of_one_type(a: &Elements<'_>, b: &Elements<'_>) -> bool {
    match (a, b) {
        (Elements::Functions(_), Elements::Functions(_)) => true,
        (Elements::Expressions(a, _), Elements::Expressions(b, _)) => a == b,
        _ => false,
    }
}

/// What fills most of a table that must begin with something; the least where several do.
fn most_frequent(entries: &[Entry]) -> Entry {
    let mut counts: HashMap<Entry, usize> = HashMap::new();
    for entry in entries {
        *counts.entry(*entry).or_default() += 1;
    }
    let best = counts.into_iter().max_by_key(|(entry, count)| (*count, std::cmp::Reverse(*entry)));
    best.map_or(Entry::Null, |(entry, _)| entry)
}

fn fill(
    filling: &mut VecDeque<Segment>,
    table: u32,
    ty: &TableType,
    entries: &[Entry],
    initial: Entry,
) {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        if *entry == initial {
            continue;
        }
        match runs.last_mut().filter(|run| run.end == at) {
            Some(run) => run.end = at + 1,
            None => runs.push(at..at + 1),
        }
    }
    if let (true, [first, .., last]) = (runs.len() > MAX_RUNS, &runs[..]) {
        runs = std::iter::once(first.start..last.end).collect();
    }
    for run in runs {
        let start = run.start;
        let offset = match ty.table64 {
            true => ConstExpr::i64_const(start as i64),
            false => ConstExpr::i32_const(start as i32),
        };
        let entries = &entries[run];
        let funcs: Option<Vec<u32>> = entries.iter().map(|entry| func(*entry)).collect();
        let (table, elements) = match funcs {
            Some(funcs) if ty.element_type == RefType::FUNCREF => {
                ((table != 0).then_some(table), Elements::Functions(funcs.into()))
            }
            _ => {
                let heap = ty.element_type.heap_type;
                let exprs: Vec<_> = entries.iter().map(|entry| entry.expr(heap)).collect();
                (Some(table), Elements::Expressions(ty.element_type, exprs.into()))
            }
        };
        filling.push_back(Segment { table, offset, elements });
    }
}

fn func(entry: Entry) -> Option<u32> {
    match entry {
        Entry::Func(func) => Some(func),
        Entry::Null | Entry::I31(_) => None,
    }
}
