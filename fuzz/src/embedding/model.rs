//! What a store holds, in plain Rust.

use super::guest::Shape;
use std::sync::Arc;

/// Bytes of a page.
pub(super) const PAGE: usize = 65_536;

/// A function as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// A function of an instance of the store: which instance, which function.
    Of(usize, i32),
    /// A function of the host's, which answers [`Entry::HOST`].
    Host,
}

impl Entry {
    pub(super) const HOST: i32 = 99;
}

pub(super) type Slot = Option<Entry>;

#[derive(Clone, Debug)]
pub(super) struct Memory {
    pub(super) bytes: Vec<u8>,
    pub(super) max_pages: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) slots: Vec<Slot>,
    pub(super) max: usize,
}

/// What belongs to an instance, with the places of its memories and its table in the store.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub(super) shape: Arc<Shape>,
    pub(super) memories: [usize; 2],
    pub(super) table: usize,
    pub(super) own: Own,
}

/// Globals, and whether the segments are dropped.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Own {
    pub(super) number: i64,
    /// Ten times this is added to what its functions answer.
    pub(super) id: i32,
    pub(super) kept: Slot,
    pub(super) is_dropped: bool,
}

/// What a store may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caps {
    pub(super) memory_bytes: usize,
    pub(super) elements: usize,
}

/// A store.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) memories: Vec<Memory>,
    pub(super) tables: Vec<Table>,
    pub(super) instances: Vec<Instance>,
}

/// What an instance begins with. Its functions are those of instance 0.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) shape: Arc<Shape>,
    pub(super) memories: [Memory; 2],
    pub(super) table: Table,
    pub(super) own: Own,
    /// Whether the start function has run.
    pub(super) has_started: bool,
}

impl Piece {
    /// Whether a store may have it.
    pub(super) fn fits(&self, caps: Caps) -> bool {
        self.memories.iter().all(|memory| memory.bytes.len() <= caps.memory_bytes)
            && self.table.slots.len() <= caps.elements
    }
}

impl State {
    /// What an entry answers.
    pub(super) fn answer(&self, slot: Slot) -> Option<i32> {
        Some(match slot? {
            Entry::Of(at, function) => {
                function.wrapping_add(self.instances[at].own.id.wrapping_mul(10))
            }
            Entry::Host => Entry::HOST,
        })
    }

    /// Puts an instance that begins with this into the store.
    pub(super) fn add(&mut self, piece: &Piece) {
        let at = self.instances.len();
        let moved = |slot: Slot| match slot {
            Some(Entry::Of(_, function)) => Some(Entry::Of(at, function)),
            other => other,
        };
        let (first, table) = (self.memories.len(), self.tables.len());
        self.memories.extend(piece.memories.iter().cloned());
        let slots = piece.table.slots.iter().copied().map(moved).collect();
        self.tables.push(Table { slots, max: piece.table.max });
        let own = Own { kept: moved(piece.own.kept), ..piece.own.clone() };
        let shape = piece.shape.clone();
        let memories = [first, first + 1];
        self.instances.push(Instance { shape, memories, table, own });
        if !piece.has_started {
            self.start(at);
        }
    }

    /// Puts an instance into the store that has the first memory and the table of another.
    pub(super) fn add_beside(&mut self, other: usize, shape: &Arc<Shape>) {
        let at = self.instances.len();
        let piece = shape.piece();
        let Instance { memories: [first, _], table, .. } = self.instances[other].clone();
        for (place, bytes) in &shape.data {
            self.memories[first].bytes[*place..*place + bytes.len()].copy_from_slice(bytes);
        }
        for (place, function) in &shape.elements {
            self.tables[table].slots[*place] = Some(Entry::Of(at, *function));
        }
        let second = self.memories.len();
        self.memories.push(piece.memories[1].clone());
        let kept = piece.own.kept.map(|_| Entry::Of(at, 1));
        let (shape, memories) = (shape.clone(), [first, second]);
        self.instances.push(Instance { shape, memories, table, own: Own { kept, ..piece.own } });
    }

    fn start(&mut self, at: usize) {
        let instance = &mut self.instances[at];
        if instance.shape.starts {
            instance.own.number = 7;
            let byte = &mut self.memories[instance.memories[0]].bytes[60];
            *byte = byte.wrapping_add(1);
        }
    }

    /// What instances of a snapshot begin with; `None` where there can be none.
    pub(super) fn piece(&self, at: usize) -> Option<Piece> {
        let Instance { shape, memories, table, own } = self.instances[at].clone();
        let is_own = |slot: &Slot| match slot {
            None => true,
            Some(Entry::Of(of, _)) => *of == at,
            Some(Entry::Host) => false,
        };
        let table = self.tables[table].clone();
        if shape.imports || shape.throws || !table.slots.iter().chain([&own.kept]).all(is_own) {
            return None;
        }
        let memories = memories.map(|memory| self.memories[memory].clone());
        Some(Piece { shape, memories, table, own, has_started: true })
    }
}
