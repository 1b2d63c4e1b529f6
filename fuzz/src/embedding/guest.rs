//! A guest whose exports each do one thing, and what that is in the model.
//!
//! Every export takes three numbers, `a`, `b` and `c`, and answers one.

use super::model::{Caps, Entry, Instance, Memory, Own, PAGE, Piece, Slot, State, Table};
use crate::generate::Numbers;
use selkie::Trap;
use std::fmt::{self, Write};
use std::sync::Arc;

/// How a guest differs from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Pages that its memories begin with and may have.
    pub(super) pages: [(usize, usize); 2],
    /// Elements that its table begins with and may have.
    pub(super) slots: (usize, usize),
    pub(super) data: Vec<(usize, Vec<u8>)>,
    pub(super) elements: Vec<(usize, i32)>,
    /// Whether segments are not as simple as they can be.
    has_expressions: bool,
    pub(super) keeps: bool,
    pub(super) starts: bool,
    /// Whether it can throw; then it uses the collected heap.
    pub(super) throws: bool,
    /// Whether its first memory and its table are those of another instance.
    pub(super) imports: bool,
}

/// A passive segment of data, and one of functions.
const EXTRA: &[u8; 16] = b"0123456789abcdef";
const SPARE: [i32; 3] = [2, 0, 1];

impl Shape {
    pub(super) fn new(numbers: &mut Numbers) -> Shape {
        let mut pages = || {
            let first = 1 + numbers.below(4);
            (first, first + numbers.below(4))
        };
        let pages = [pages(), pages()];
        let slots = 4 + numbers.below(20);
        let data = (0..numbers.below(4)).map(|_| {
            let len = [1, 7, 100, 5000][numbers.below(4)];
            let at = numbers.below(pages[0].0 * PAGE - len);
            (at, numbers.bytes(len))
        });
        let data = data.collect();
        let elements =
            (0..numbers.below(5)).map(|_| (numbers.below(slots), numbers.below(3) as i32));
        Shape {
            pages,
            data,
            elements: elements.collect(),
            slots: (slots, slots + numbers.below(40)),
            has_expressions: numbers.below(4) == 0,
            keeps: numbers.below(2) == 0,
            starts: numbers.below(2) == 0,
            throws: numbers.below(6) == 0,
            imports: false,
        }
    }

    /// The same guest with the first memory and the table of another instance.
    pub(super) fn importing(&self) -> Shape {
        Shape { imports: true, starts: false, ..self.clone() }
    }

    pub(super) fn piece(self: &Arc<Shape>) -> Piece {
        let memory = |(first, max_pages)| Memory { bytes: vec![0; first * PAGE], max_pages };
        let mut memories = self.pages.map(memory);
        for (at, bytes) in &self.data {
            memories[0].bytes[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        let mut slots = vec![None; self.slots.0];
        for (at, function) in &self.elements {
            slots[*at] = Some(Entry::Of(0, *function));
        }
        let kept = self.keeps.then_some(Entry::Of(0, 1));
        Piece {
            shape: self.clone(),
            memories,
            table: Table { slots, max: self.slots.1 },
            own: Own { number: 42, id: 0, kept, is_dropped: false },
            has_started: false,
        }
    }

    /// The guest in the text format.
    pub(super) fn text(&self) -> String {
        let mut text = String::from("(module (type $answer (func (result i32)))\n");
        let [(first, max), (first2, max2)] = self.pages;
        let (slots, max_slots) = self.slots;
        let mut line = |parts: std::fmt::Arguments<'_>| {
            // Strings do not fail.
            let _ = text.write_fmt(parts);
            text.push('\n');
        };
        if self.imports {
            line(format_args!(r#"(import "a" "memory" (memory $m {first} {max}))"#));
            line(format_args!(r#"(import "a" "table" (table $t {slots} {max_slots} funcref))"#));
        } else {
            line(format_args!(r#"(import "host" "poke" (func $poke (param i32) (result i32)))"#));
            line(format_args!(r#"(import "host" "later" (func $later (param i32) (result i32)))"#));
            line(format_args!("(memory $m {first} {max}) (table $t {slots} {max_slots} funcref)"));
        }
        line(format_args!(r#"(memory $n (export "second") {first2} {max2})"#));
        line(format_args!(r#"(export "memory" (memory $m)) (export "table" (table $t))"#));
        line(format_args!(r#"(global $number (export "g.number") (mut i64) (i64.const 42))"#));
        line(format_args!(r#"(global $id (export "g.id") (mut i32) (i32.const 0))"#));
        let kept = if self.keeps { "ref.func $f1" } else { "ref.null func" };
        line(format_args!(r#"(global $kept (export "g.kept") (mut funcref) ({kept}))"#));
        for (at, bytes) in &self.data {
            let bytes: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
            let offset = match self.has_expressions {
                true => format!("i32.add (i32.const {at}) (i32.const 0)"),
                false => format!("i32.const {at}"),
            };
            line(format_args!(r#"(data (memory $m) ({offset}) "{bytes}")"#));
        }
        for (at, function) in &self.elements {
            let items = match self.has_expressions {
                true => format!("funcref (ref.func $f{function})"),
                false => format!("func $f{function}"),
            };
            line(format_args!("(elem (table $t) (i32.const {at}) {items})"));
        }
        line(format_args!(r#"(data $extra "0123456789abcdef")"#));
        line(format_args!("(elem $spare func $f2 $f0 $f1)"));
        for k in 0..3 {
            let answer = "(i32.mul (global.get $id) (i32.const 10))";
            line(format_args!("(func $f{k} (type $answer) (i32.add (i32.const {k}) {answer}))"));
        }
        line(format_args!("{PICK}"));
        if self.starts {
            line(format_args!("(start $start) {START}"));
        }
        if self.throws {
            line(format_args!("(tag $tag (param i32))"));
        }
        for op in self.ops() {
            let (name, body) = (op.name, op.body);
            let ty = "(param $a i32) (param $b i32) (param $c i32) (result i32)";
            line(format_args!(r#"(func ${name} (export "{name}") {ty} {body})"#));
        }
        text.push(')');
        text
    }

    /// What it can do.
    pub(super) fn ops(&self) -> impl Iterator<Item = &'static Op> {
        let can = |op: &&Op| match op.needs {
            Needs::Nothing => true,
            Needs::Host => !self.imports,
            Needs::Tag => self.throws,
        };
        OPS.iter().filter(can)
    }
}

const PICK: &str = "(func $pick (param $k i32) (result funcref)
    (if (i32.eqz (local.get $k)) (then (return (ref.func $f0))))
    (if (i32.eq (local.get $k) (i32.const 1)) (then (return (ref.func $f1))))
    (ref.null func))";
const START: &str = "(func $start
    (drop (call $poke (i32.const 12)))
    (global.set $number (i64.const 7))
    (i32.store8 (i32.const 60) (i32.add (i32.load8_u (i32.const 60)) (i32.const 1))))";

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Trap(Trap),
    /// An error of the host's.
    Host,
    /// A synchronous call of what waits.
    CannotWait,
    Thrown,
    Panic,
    /// It does not.
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    Nothing,
    Host,
    Tag,
}

/// An export: what it is, and what it does.
pub(super) struct Op {
    pub(super) name: &'static str,
    body: &'static str,
    needs: Needs,
    pub(super) model: fn(&mut View<'_>, i32, i32, i32) -> Result<i32, End>,
}

/// A store as an instance sees it during a call.
#[derive(Debug)]
pub(super) struct View<'s> {
    pub(super) state: &'s mut State,
    pub(super) at: usize,
    pub(super) caps: Caps,
    pub(super) is_async: bool,
    /// Snapshots that the host took during the call.
    pub(super) taken: Vec<Option<Piece>>,
    /// Whether it may be cut short from here on.
    pub(super) may_stop: bool,
    pub(super) spins: bool,
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! op {
    ($name:literal, $needs:ident, $model:expr, $body:literal) => {
        Op { name: $name, body: $body, needs: Needs::$needs, model: $model }
    };
}

const OPS: &[Op] = &[
    op!(
        "fill",
        Nothing,
        |v, a, b, c| v.fill(0, a, b, c),
        "(memory.fill (local.get $a) (local.get $b) (local.get $c)) (i32.const 0)"
    ),
    op!(
        "fill2",
        Nothing,
        |v, a, b, c| v.fill(1, a, b, c),
        "(memory.fill $n (local.get $a) (local.get $b) (local.get $c)) (i32.const 0)"
    ),
    op!(
        "store",
        Nothing,
        |v, a, b, _| v.write(0, a as u32 as usize + 3, &i64::from(b).to_le_bytes()),
        "(i64.store offset=3 (local.get $a) (i64.extend_i32_s (local.get $b))) (i32.const 0)"
    ),
    op!("load", Nothing, |v, a, _, _| v.load(a), "(i32.load8_u (local.get $a))"),
    op!(
        "copy",
        Nothing,
        |v, a, b, c| v.copy([0, 0], a, b, c),
        "(memory.copy (local.get $a) (local.get $b) (local.get $c)) (i32.const 0)"
    ),
    op!(
        "across",
        Nothing,
        |v, a, b, c| v.copy([0, 1], a, b, c),
        "(memory.copy $m $n (local.get $a) (local.get $b) (local.get $c)) (i32.const 0)"
    ),
    op!(
        "init",
        Nothing,
        |v, a, b, c| v.init(a, b, c),
        "(memory.init $extra (local.get $a) (local.get $b) (local.get $c)) (i32.const 0)"
    ),
    op!(
        "drop",
        Nothing,
        |v, _, _, _| v.drop_segments(),
        "(data.drop $extra) (elem.drop $spare) (i32.const 0)"
    ),
    op!("grow", Nothing, |v, a, _, _| Ok(v.grow(0, a as u32)), "(memory.grow (local.get $a))"),
    op!("grow2", Nothing, |v, a, _, _| Ok(v.grow(1, a as u32)), "(memory.grow $n (local.get $a))"),
    op!(
        "set",
        Nothing,
        |v, a, b, _| {
            let slot = v.pick(b);
            v.set_slots(a, slot, 1)
        },
        "(table.set $t (local.get $a) (call $pick (local.get $b))) (i32.const 0)"
    ),
    op!(
        "slots",
        Nothing,
        |v, a, b, c| {
            let slot = v.pick(b);
            v.set_slots(a, slot, c)
        },
        "(table.fill $t (local.get $a) (call $pick (local.get $b)) (local.get $c)) (i32.const 0)"
    ),
    op!(
        "wider",
        Nothing,
        |v, a, b, _| {
            let slot = v.pick(b);
            Ok(v.grow_table(a as u32, slot))
        },
        "(table.grow $t (call $pick (local.get $b)) (local.get $a))"
    ),
    op!(
        "move",
        Nothing,
        |v, a, b, c| v.copy_slots(a, b, c),
        "(table.copy $t $t (local.get $a) (local.get $b) (local.get $c)) (i32.const 0)"
    ),
    op!(
        "spare",
        Nothing,
        |v, a, b, c| v.init_slots(a, b, c),
        "(table.init $t $spare (local.get $a) (local.get $b) (local.get $c)) (i32.const 0)"
    ),
    op!(
        "call",
        Nothing,
        |v, a, _, _| v.call(a),
        "(call_indirect $t (type $answer) (local.get $a))"
    ),
    op!(
        "keep",
        Nothing,
        |v, a, b, _| {
            let slot = v.pick(b);
            v.own().kept = slot;
            v.own().number = i64::from(a);
            Ok(0)
        },
        "(global.set $kept (call $pick (local.get $b))) (global.set $number (i64.extend_i32_s (local.get $a))) (i32.const 0)"
    ),
    op!(
        "number",
        Nothing,
        |v, a, _, _| {
            v.own().number = i64::from(a);
            Ok(a)
        },
        "(global.set $number (i64.extend_i32_s (local.get $a))) (local.get $a)"
    ),
    op!(
        "trap",
        Nothing,
        |v, a, b, _| {
            v.own().number = -1;
            v.write(0, a as u32 as usize, &[b as u8])?;
            Err(End::Trap(Trap::Unreachable))
        },
        "(global.set $number (i64.const -1)) (i32.store8 (local.get $a) (local.get $b)) unreachable"
    ),
    op!(
        "throw",
        Tag,
        |v, a, b, _| {
            v.write(0, a as u32 as usize, &[b as u8])?;
            Err(End::Thrown)
        },
        "(i32.store8 (local.get $a) (local.get $b)) (throw $tag (local.get $b))"
    ),
    op!(
        "spin",
        Nothing,
        |v, a, _, _| {
            v.spins = true;
            let own = v.own();
            own.number = own.number.wrapping_add(i64::from(a & 0x3fff | 1));
            Ok(0)
        },
        "(local.set $a (i32.or (i32.const 1) (i32.and (local.get $a) (i32.const 0x3fff))))
         (loop $again
            (global.set $number (i64.add (global.get $number) (i64.const 1)))
            (br_if $again (local.tee $a (i32.sub (local.get $a) (i32.const 1)))))
         (i32.const 0)"
    ),
    op!(
        "deep",
        Nothing,
        |_, _, _, _| Err(End::Trap(Trap::StackOverflow)),
        "(i32.add (call $deep (local.get $a) (local.get $b) (local.get $c)) (i32.const 1))"
    ),
    op!(
        "forever",
        Nothing,
        |v, a, b, _| {
            v.write(0, a as u32 as usize, &[b as u8])?;
            Err(End::Never)
        },
        "(i32.store8 (local.get $a) (local.get $b)) (loop $again (br $again)) (i32.const 0)"
    ),
    op!(
        "host",
        Host,
        |v, a, b, c| {
            v.write(0, a as u32 as usize, &[b as u8])?;
            v.poke(c)?;
            v.write(0, a.wrapping_add(1) as u32 as usize, &[b as u8])
        },
        "(i32.store8 (local.get $a) (local.get $b)) (drop (call $poke (local.get $c)))
         (i32.store8 (i32.add (local.get $a) (i32.const 1)) (local.get $b)) (i32.const 0)"
    ),
    op!(
        "wait",
        Host,
        |v, a, b, c| {
            v.write(0, a as u32 as usize, &[b as u8])?;
            if !v.is_async {
                return Err(End::CannotWait);
            }
            if c == 1 {
                return Err(End::Host);
            }
            v.write(0, a.wrapping_add(1) as u32 as usize, &[b as u8])
        },
        "(i32.store8 (local.get $a) (local.get $b)) (drop (call $later (local.get $c)))
         (i32.store8 (i32.add (local.get $a) (i32.const 1)) (local.get $b)) (i32.const 0)"
    ),
];

const OUTSIDE: Result<i32, End> = Err(End::Trap(Trap::MemoryOutOfBounds));
const OUTSIDE_TABLE: Result<i32, End> = Err(End::Trap(Trap::TableOutOfBounds));

/// The range of a bulk operation, if it is inside.
fn range(at: i32, len: i32, end: usize) -> Option<std::ops::Range<usize>> {
    let (at, len) = (at as u32 as usize, len as u32 as usize);
    (at + len <= end).then_some(at..at + len)
}

impl View<'_> {
    fn instance(&self) -> &Instance {
        &self.state.instances[self.at]
    }

    fn own(&mut self) -> &mut Own {
        &mut self.state.instances[self.at].own
    }

    fn memory(&mut self, which: usize) -> &mut Memory {
        let memory = self.instance().memories[which];
        &mut self.state.memories[memory]
    }

    fn table(&mut self) -> &mut Table {
        let table = self.instance().table;
        &mut self.state.tables[table]
    }

    fn pick(&self, function: i32) -> Slot {
        matches!(function, 0 | 1).then_some(Entry::Of(self.at, function))
    }

    pub(super) fn write(&mut self, which: usize, at: usize, bytes: &[u8]) -> Result<i32, End> {
        match self.memory(which).bytes.get_mut(at..at + bytes.len()) {
            Some(place) => place.copy_from_slice(bytes),
            None => return OUTSIDE,
        }
        Ok(0)
    }

    fn load(&mut self, at: i32) -> Result<i32, End> {
        let byte = self.memory(0).bytes.get(at as u32 as usize).copied();
        byte.map_or(OUTSIDE, |byte| Ok(i32::from(byte)))
    }

    fn fill(&mut self, which: usize, at: i32, byte: i32, len: i32) -> Result<i32, End> {
        let bytes = &mut self.memory(which).bytes;
        let Some(range) = range(at, len, bytes.len()) else { return OUTSIDE };
        bytes[range].fill(byte as u8);
        Ok(0)
    }

    fn copy(&mut self, which: [usize; 2], to: i32, from: i32, len: i32) -> Result<i32, End> {
        let [to_end, from_end] = which.map(|memory| self.memory(memory).bytes.len());
        let (Some(to), Some(from)) = (range(to, len, to_end), range(from, len, from_end)) else {
            return OUTSIDE;
        };
        let bytes = self.memory(which[1]).bytes[from].to_vec();
        self.memory(which[0]).bytes[to].copy_from_slice(&bytes);
        Ok(0)
    }

    fn init(&mut self, to: i32, from: i32, len: i32) -> Result<i32, End> {
        let extra: &[u8] = if self.own().is_dropped { &[] } else { EXTRA };
        let bytes = &mut self.memory(0).bytes;
        let (Some(to), Some(from)) = (range(to, len, bytes.len()), range(from, len, extra.len()))
        else {
            return OUTSIDE;
        };
        bytes[to].copy_from_slice(&extra[from]);
        Ok(0)
    }

    fn drop_segments(&mut self) -> Result<i32, End> {
        self.own().is_dropped = true;
        Ok(0)
    }

    /// What `memory.grow` answers.
    pub(super) fn grow(&mut self, which: usize, delta: u32) -> i32 {
        let cap = self.caps.memory_bytes;
        let memory = self.memory(which);
        let pages = memory.bytes.len() / PAGE;
        let wanted = pages + delta as usize;
        if wanted > memory.max_pages || delta > 0 && wanted * PAGE > cap {
            return -1;
        }
        memory.bytes.resize(wanted * PAGE, 0);
        pages as i32
    }

    /// What `table.grow` answers.
    pub(super) fn grow_table(&mut self, delta: u32, slot: Slot) -> i32 {
        let cap = self.caps.elements;
        let table = self.table();
        let len = table.slots.len();
        let wanted = len + delta as usize;
        if wanted > table.max || delta > 0 && wanted > cap {
            return -1;
        }
        table.slots.resize(wanted, slot);
        len as i32
    }

    pub(super) fn set_slots(&mut self, at: i32, slot: Slot, len: i32) -> Result<i32, End> {
        let slots = &mut self.table().slots;
        let Some(range) = range(at, len, slots.len()) else { return OUTSIDE_TABLE };
        slots[range].fill(slot);
        Ok(0)
    }

    fn copy_slots(&mut self, to: i32, from: i32, len: i32) -> Result<i32, End> {
        let slots = &mut self.table().slots;
        let end = slots.len();
        let (Some(to), Some(from)) = (range(to, len, end), range(from, len, end)) else {
            return OUTSIDE_TABLE;
        };
        slots.copy_within(from, to.start);
        Ok(0)
    }

    fn init_slots(&mut self, to: i32, from: i32, len: i32) -> Result<i32, End> {
        let at = self.at;
        let spare: &[i32] = if self.own().is_dropped { &[] } else { &SPARE };
        let slots = &mut self.table().slots;
        let (Some(to), Some(from)) = (range(to, len, slots.len()), range(from, len, spare.len()))
        else {
            return OUTSIDE_TABLE;
        };
        for (slot, function) in slots[to].iter_mut().zip(&spare[from]) {
            *slot = Some(Entry::Of(at, *function));
        }
        Ok(0)
    }

    fn call(&mut self, at: i32) -> Result<i32, End> {
        match self.table().slots.get(at as u32 as usize).copied() {
            None => Err(End::Trap(Trap::UndefinedElement)),
            Some(None) => Err(End::Trap(Trap::UninitializedElement)),
            Some(slot) => Ok(self.state.answer(slot).unwrap_or(0)),
        }
    }

    /// What the host does when it is asked to; see [`super::host`].
    fn poke(&mut self, kind: i32) -> Result<i32, End> {
        match kind {
            1 => return Err(End::Host),
            2 | 8 => self.may_stop = true,
            3 => return self.write(0, 5, &[0x77]),
            4 => self.own().number = 1234,
            6 => {
                let piece = self.state.piece(self.at);
                self.taken.push(piece);
            }
            7 => return Err(End::Panic),
            9 => drop(self.grow(0, 1)),
            10 => drop(self.grow_table(1, None)),
            _ => {}
        }
        Ok(0)
    }
}
