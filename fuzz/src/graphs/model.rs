//! The model: objects in a list, which only grows.

use super::{LOCALS, SHARED, Step};

/// Steps after which a program is given up.
const MAX_STEPS: u64 = 20_000;
/// How deep a digest follows references.
const DIGEST_DEPTH: u32 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Null,
    Small(i32),
    Object(usize),
}

#[derive(Clone, Debug)]
enum Object {
    Node { number: u64, any: Value, next: Value, more: Option<u32> },
    Refs(Vec<Value>),
    Bytes(Vec<u8>),
}

struct Model<'p> {
    functions: &'p [Vec<Step>],
    objects: Vec<Object>,
    globals: [Value; SHARED as usize],
    table: [Value; SHARED as usize],
    number: u64,
    steps: u64,
}

pub(super) fn answer(functions: &[Vec<Step>]) -> Option<u64> {
    let mut model = Model {
        functions,
        objects: Vec::new(),
        globals: [Value::Null; SHARED as usize],
        table: [Value::Null; SHARED as usize],
        number: 1,
        steps: 0,
    };
    let result = model.call(0, Value::Null, Value::Null)?;
    model.mix_digest(result);
    for shared in model.globals.into_iter().chain(model.table) {
        model.mix_digest(shared);
    }
    Some(model.number)
}

impl Model<'_> {
    fn mix(&mut self, value: u64) {
        self.number = self.number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(13) ^ value;
    }

    fn mix_digest(&mut self, value: Value) {
        let digest = self.digest(value, DIGEST_DEPTH);
        self.mix(digest);
    }

    fn call(&mut self, function: usize, a: Value, b: Value) -> Option<Value> {
        let mut locals = [Value::Null; LOCALS as usize];
        locals[0] = a;
        locals[1] = b;
        let functions = self.functions;
        self.run(&functions[function], &mut locals)?;
        Some(locals[2])
    }

    fn run(&mut self, steps: &[Step], locals: &mut [Value]) -> Option<()> {
        steps.iter().try_for_each(|step| self.step(step, locals))
    }

    fn make(&mut self, object: Object) -> Value {
        self.objects.push(object);
        Value::Object(self.objects.len() - 1)
    }

    fn is_node(&self, value: Value) -> bool {
        matches!(value, Value::Object(at) if matches!(self.objects[at], Object::Node { .. }))
    }

    fn node_or_null(&self, value: Value) -> Value {
        if self.is_node(value) { value } else { Value::Null }
    }

    fn step(&mut self, step: &Step, locals: &mut [Value]) -> Option<()> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return None;
        }
        let at = |place: &u64| *place as usize;
        match step {
            Step::Node { to, any, next } | Step::Leaf { to, any, next } => {
                let more = matches!(step, Step::Leaf { .. }).then_some(self.number as u32);
                let (any, next) = (locals[at(any)], self.node_or_null(locals[at(next)]));
                locals[at(to)] = self.make(Object::Node { number: self.number, any, next, more });
            }
            Step::Refs { to, of, length } => {
                locals[at(to)] = self.make(Object::Refs(vec![locals[at(of)]; at(length)]));
            }
            Step::Three { to, of } => {
                let refs = of.iter().map(|of| locals[at(of)]).collect();
                locals[at(to)] = self.make(Object::Refs(refs));
            }
            Step::Bytes { to, length } => {
                locals[at(to)] = self.make(Object::Bytes(vec![self.number as u8; at(length)]));
            }
            Step::Small { to } => {
                locals[at(to)] = Value::Small((self.number as i32) << 1 >> 1);
            }
            Step::Null { to } => locals[at(to)] = Value::Null,
            Step::Copy { to, from } => locals[at(to)] = locals[at(from)],
            Step::Read { to, from, place } => self.read(locals, at(to), at(from), at(place)),
            Step::Write { to, place, value } => {
                self.write(locals[at(to)], at(place), locals[at(value)]);
            }
            Step::Elements { to, from, place } => {
                self.elements(locals[at(to)], locals[at(from)], at(place));
            }
            Step::Look { at: place } => {
                let digest = self.digest(locals[at(place)], 1);
                self.mix(digest);
            }
            Step::Same { a, b } => self.mix((locals[at(a)] == locals[at(b)]).into()),
            Step::Share { from, place, in_table: true } => {
                self.table[at(place)] = locals[at(from)];
            }
            Step::Share { from, place, .. } => self.globals[at(place)] = locals[at(from)],
            Step::Fetch { to, place, in_table: true } => locals[at(to)] = self.table[at(place)],
            Step::Fetch { to, place, .. } => locals[at(to)] = self.globals[at(place)],
            Step::Call { to, function, a, b } => {
                locals[at(to)] = self.call(*function, locals[at(a)], locals[at(b)])?;
            }
            Step::Repeat { times, steps } => {
                for _ in 0..*times {
                    self.run(steps, locals)?;
                }
            }
            Step::Either { odd, even } => {
                let steps = if self.number & 1 == 1 { odd } else { even };
                self.run(steps, locals)?;
            }
            Step::Collect => {}
        }
        Some(())
    }

    fn read(&mut self, locals: &mut [Value], to: usize, from: usize, place: usize) {
        let Value::Object(object) = locals[from] else { return };
        match &self.objects[object] {
            Object::Node { any, next, .. } => {
                locals[to] = if place.is_multiple_of(2) { *any } else { *next };
            }
            Object::Refs(refs) if !refs.is_empty() => locals[to] = refs[place % refs.len()],
            Object::Bytes(bytes) if !bytes.is_empty() => {
                let byte = bytes[place % bytes.len()];
                self.mix(byte.into());
            }
            _ => {}
        }
    }

    fn write(&mut self, to: Value, place: usize, value: Value) {
        let Value::Object(object) = to else { return };
        let (number, node) = (self.number, self.node_or_null(value));
        match &mut self.objects[object] {
            Object::Node { number: own, any, next, .. } => {
                *own = number;
                match place % 2 {
                    0 => *any = value,
                    _ => *next = node,
                }
            }
            Object::Refs(refs) if !refs.is_empty() => {
                let len = refs.len();
                refs[place % len] = value;
            }
            Object::Bytes(bytes) if !bytes.is_empty() => {
                let len = bytes.len();
                bytes[place % len] = number as u8;
            }
            _ => {}
        }
    }

    /// As many elements as fit, from `place` on to the beginning.
    fn elements(&mut self, to: Value, from: Value, place: usize) {
        let (Value::Object(to), Value::Object(from)) = (to, from) else { return };
        let Object::Refs(source) = &self.objects[from] else { return };
        let Some(source) = source.get(place..).map(<[Value]>::to_vec) else { return };
        if let Object::Refs(target) = &mut self.objects[to] {
            let count = source.len().min(target.len());
            target[..count].copy_from_slice(&source[..count]);
        }
    }

    fn digest(&self, value: Value, depth: u32) -> u64 {
        let mixed = |sum: u64, value: u64| sum.wrapping_mul(31).wrapping_add(value);
        let Value::Object(object) = value else {
            return match value {
                Value::Null => 3,
                Value::Small(small) => mixed(5, small as i64 as u64),
                Value::Object(_) => 0,
            };
        };
        match &self.objects[object] {
            Object::Node { number, any, next, more } => {
                let mut sum = mixed(7, *number);
                sum = mixed(sum, more.map_or(1, u64::from));
                if depth > 0 {
                    sum = mixed(sum, self.digest(*any, depth - 1));
                    sum = mixed(sum, self.digest(*next, depth - 1));
                }
                sum
            }
            Object::Refs(refs) => {
                let mut sum = mixed(11, refs.len() as u64);
                // The first few: a digest of all would take too long.
                for value in refs.iter().take(if depth > 0 { 4 } else { 0 }) {
                    sum = mixed(sum, self.digest(*value, depth - 1));
                }
                sum
            }
            Object::Bytes(bytes) => bytes
                .iter()
                .fold(mixed(13, bytes.len() as u64), |sum, byte| mixed(sum, u64::from(*byte))),
        }
    }
}
