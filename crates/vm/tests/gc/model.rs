//! Random graphs of objects, mirrored in ordinary Rust data and compared with it.

use std::collections::{HashMap, HashSet};

use selkie_module::TypeId;
use selkie_module::heap::{ObjectKind, Slot, array_bytes};
use selkie_vm::{Collection, HeapConfig};

use crate::world::*;

/// What a slot holds in the mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Null,
    I31(u32),
    Object(usize),
}

/// An object in the mirror.
#[derive(Clone, Debug)]
enum Mirror {
    Pair([Value; 2]),
    Wide(Vec<Value>),
    Refs(Vec<Value>),
    Bytes(Vec<u8>),
    Longs(Vec<u64>),
    Numbers(u64, u128),
    Exception(u32, u32, Value),
    Host(u32),
    /// Its place, and what its stack holds.
    Cont(u32, Vec<Value>),
}

struct Model {
    world: World,
    random: Random,
    objects: Vec<Mirror>,
    /// What the root slots hold.
    roots: Vec<Value>,
    /// Places of host objects and continuations that have not been reported dead.
    places: HashSet<(u8, u32)>,
    /// Those whose objects were out of reach at the last full collection must have been reported.
    next_place: u32,
    max_length: u32,
}

const ROOTS: usize = 40;

impl Model {
    fn new(seed: u64, config: &HeapConfig, max_length: u32) -> Model {
        let mut world = World::new(config);
        world.owner.slots = vec![0; ROOTS];
        Model {
            world,
            random: Random::new(seed),
            objects: Vec::new(),
            roots: vec![Value::Null; ROOTS],
            places: HashSet::new(),
            next_place: 0,
            max_length,
        }
    }

    fn any_root(&mut self) -> usize {
        self.random.below(ROOTS as u32) as usize
    }

    /// A value to store, as the mirror and as the heap have it.
    fn any_value(&mut self) -> (Value, u32) {
        match self.random.below(8) {
            0 => (Value::Null, 0),
            1 => {
                let number = self.random.below(1 << 31);
                (Value::I31(number), number << 1 | 1)
            }
            _ => {
                let root = self.any_root();
                (self.roots[root], self.world.root(root))
            }
        }
    }

    fn length(&mut self) -> u32 {
        let most = match self.random.below(20) {
            0 => self.max_length,
            _ => 30,
        };
        self.random.below(most)
    }

    /// Makes an object and puts it into a root slot.
    fn make(&mut self) {
        let root = self.any_root();
        let (at, mirror) = match self.random.below(20) {
            0..8 => self.make_pair(),
            8..12 => self.make_refs(),
            12 => self.make_bytes(),
            13 => self.make_longs(),
            14 => self.make_numbers(),
            15 => self.make_wide(),
            16 => self.make_exception(),
            17 => self.make_cont(),
            _ => self.make_host(),
        };
        self.objects.push(mirror);
        self.roots[root] = Value::Object(self.objects.len() - 1);
        self.world.owner.slots[root] = at.into();
    }

    fn make_pair(&mut self) -> (u32, Mirror) {
        // Values are read after the allocation, which may have moved them.
        let at = self.world.pair();
        let ((car, car_value), (cdr, cdr_value)) = (self.any_value(), self.any_value());
        self.world.set(at, CAR, car_value);
        self.world.set(at, CDR, cdr_value);
        (at, Mirror::Pair([car, cdr]))
    }

    fn make_wide(&mut self) -> (u32, Mirror) {
        let World { heap, window, owner } = &mut self.world;
        let at = heap.alloc_struct(window, WIDE, owner).unwrap();
        let (value, bits) = self.any_value();
        let field = self.random.below(WIDE_REFS);
        self.world.set(at, 4 + 4 * field, bits);
        let mut fields = vec![Value::Null; WIDE_REFS as usize];
        fields[field as usize] = value;
        (at, Mirror::Wide(fields))
    }

    fn make_refs(&mut self) -> (u32, Mirror) {
        let length = self.length();
        let at = self.world.refs(length);
        let mut elements = vec![Value::Null; length as usize];
        for _ in 0..length.min(5) {
            let index = self.random.below(length);
            let (value, bits) = self.any_value();
            self.world.set_element(at, index, bits);
            elements[index as usize] = value;
        }
        (at, Mirror::Refs(elements))
    }

    fn make_bytes(&mut self) -> (u32, Mirror) {
        let length = self.length();
        let at = self.world.bytes(length);
        let bytes: Vec<u8> = (0..length).map(|_| self.random.below(256) as u8).collect();
        self.world.heap.array_write(at, 0, &bytes).unwrap();
        (at, Mirror::Bytes(bytes))
    }

    fn make_longs(&mut self) -> (u32, Mirror) {
        let length = self.length();
        let at = self.world.make(LONGS, array_bytes(length, 3).unwrap(), length).unwrap();
        let long = u64::from(self.random.below(u32::MAX)) << 20;
        self.world.heap.array_fill(at, 0, length, long.into()).unwrap();
        (at, Mirror::Longs(vec![long; length as usize]))
    }

    fn make_numbers(&mut self) -> (u32, Mirror) {
        let at = self.world.make(NUMBERS, 32, 0).unwrap();
        let (long, wide) = (u64::from(self.random.below(9)) << 40, u128::MAX - 5);
        self.world.heap.store(at, 8, Slot::I64, long.into()).unwrap();
        self.world.heap.store(at, 16, Slot::V128, wide).unwrap();
        (at, Mirror::Numbers(long, wide))
    }

    fn make_exception(&mut self) -> (u32, Mirror) {
        let tag = self.random.below(1000);
        let World { heap, window, owner } = &mut self.world;
        let at = heap.alloc_exception(window, EXCEPTION, tag, owner).unwrap();
        let (value, bits) = self.any_value();
        self.world.heap.store(at, 8, Slot::I32, (tag * 7).into()).unwrap();
        self.world.heap.store(at, 12, Slot::Ref, bits.into()).unwrap();
        (at, Mirror::Exception(tag, tag * 7, value))
    }

    fn make_host(&mut self) -> (u32, Mirror) {
        self.next_place += 1;
        self.places.insert((ObjectKind::Host as u8, self.next_place));
        (self.world.host(self.next_place), Mirror::Host(self.next_place))
    }

    fn make_cont(&mut self) -> (u32, Mirror) {
        self.next_place += 1;
        self.places.insert((ObjectKind::Cont as u8, self.next_place));
        let at = self.world.cont(self.next_place);
        let values: Vec<_> = (0..4).map(|_| self.any_value()).collect();
        let (mirror, stack) = values.into_iter().map(|(v, bits)| (v, u64::from(bits))).unzip();
        self.world.owner.stacks.insert(self.next_place, stack);
        (at, Mirror::Cont(self.next_place, mirror))
    }

    /// An object that can be reached: from a root some steps on.
    fn any_object(&mut self) -> Option<(usize, u32)> {
        let root = self.any_root();
        let (mut value, mut at) = (self.roots[root], self.world.root(root));
        for _ in 0..self.random.below(4) {
            let Value::Object(object) = value else { break };
            let next = match &self.objects[object] {
                Mirror::Pair(fields) => {
                    let field = self.random.below(2);
                    (fields[field as usize], self.world.get(at, CAR + 4 * field))
                }
                Mirror::Refs(elements) if !elements.is_empty() => {
                    let index = self.random.below(elements.len() as u32);
                    (elements[index as usize], self.world.element(at, index))
                }
                _ => break,
            };
            if !matches!(next.0, Value::Object(_)) {
                break;
            }
            (value, at) = next;
        }
        match value {
            Value::Object(object) => Some((object, at)),
            _ => None,
        }
    }

    /// Changes an object that exists.
    fn mutate(&mut self) {
        let Some((object, at)) = self.any_object() else { return };
        let (value, bits) = self.any_value();
        let by_machine = self.random.one_in(2);
        match &mut self.objects[object] {
            Mirror::Pair(fields) => {
                let field = self.random.below(2);
                fields[field as usize] = value;
                if by_machine {
                    self.world.set(at, CAR + 4 * field, bits);
                } else {
                    self.world.heap.store(at, CAR + 4 * field, Slot::Ref, bits.into()).unwrap();
                }
            }
            Mirror::Wide(fields) => {
                let field = self.random.below(WIDE_REFS);
                fields[field as usize] = value;
                self.world.set(at, 4 + 4 * field, bits);
            }
            Mirror::Refs(elements) if !elements.is_empty() => {
                let index = self.random.below(elements.len() as u32);
                let len = self.random.below(elements.len() as u32 - index) + 1;
                let range = index as usize..(index + len) as usize;
                match self.random.below(4) {
                    0 => {
                        elements[range].fill(value);
                        self.world.heap.array_fill(at, index, len, bits.into()).unwrap();
                    }
                    1 => {
                        let to = self.random.below(elements.len() as u32 - len + 1);
                        elements.copy_within(range, to as usize);
                        self.world.heap.array_copy(at, to, at, index, len).unwrap();
                    }
                    2 => {
                        elements[range].fill(value);
                        let refs = vec![u64::from(bits); len as usize];
                        self.world.heap.array_write_refs(at, index, &refs).unwrap();
                    }
                    _ => {
                        elements[index as usize] = value;
                        self.world.set_element(at, index, bits);
                    }
                }
            }
            Mirror::Bytes(bytes) if !bytes.is_empty() => {
                let index = self.random.below(bytes.len() as u32);
                bytes[index as usize] ^= 0x55;
                self.world.heap.array_bytes_mut(at).unwrap()[index as usize] ^= 0x55;
            }
            Mirror::Exception(_, _, field) => {
                *field = value;
                self.world.heap.store(at, 12, Slot::Ref, bits.into()).unwrap();
            }
            Mirror::Cont(place, stack) => {
                stack[0] = value;
                self.world.put_on_stack(*place, 0, bits);
            }
            _ => {}
        }
    }

    fn step(&mut self) {
        match self.random.below(16) {
            0 => {
                let root = self.any_root();
                let (value, bits) = self.any_value();
                self.roots[root] = value;
                self.world.owner.slots[root] = bits.into();
            }
            1..9 => self.make(),
            _ => self.mutate(),
        }
    }

    /// Walks heap and mirror side by side; answers the places that can be reached.
    fn compare(&self) -> HashSet<(u8, u32)> {
        let world = &self.world;
        let roots = world.owner.slots.iter().map(|slot| *slot as u32);
        let mut pairs: Vec<(u32, Value)> = roots.zip(self.roots.iter().copied()).collect();
        let mut known: HashMap<u32, usize> = HashMap::new();
        let mut seen: HashMap<usize, u32> = HashMap::new();
        let mut waiting = Vec::new();
        let mut places = HashSet::new();
        loop {
            for (bits, value) in pairs.drain(..) {
                match value {
                    Value::Null => assert_eq!(bits, 0),
                    Value::I31(number) => assert_eq!(bits, number << 1 | 1),
                    Value::Object(object) => {
                        match (known.insert(bits, object), seen.insert(object, bits)) {
                            (None, None) => waiting.push((bits, object)),
                            before => assert_eq!(before, (Some(object), Some(bits))),
                        }
                    }
                }
            }
            let Some((at, object)) = waiting.pop() else { break };
            let ty = world.heap.type_of(at).unwrap();
            let expect = |want: TypeId| assert_eq!(ty, want, "{:?}", self.objects[object]);
            match &self.objects[object] {
                Mirror::Pair(fields) => {
                    expect(PAIR);
                    pairs
                        .extend([(world.get(at, CAR), fields[0]), (world.get(at, CDR), fields[1])]);
                }
                Mirror::Wide(fields) => {
                    expect(WIDE);
                    let values = (0..WIDE_REFS).map(|field| world.get(at, 4 + 4 * field));
                    pairs.extend(values.zip(fields.iter().copied()));
                }
                Mirror::Refs(elements) => {
                    expect(REFS);
                    assert_eq!(world.heap.array_len(at), Ok(elements.len() as u32));
                    let values = (0..elements.len() as u32).map(|index| world.element(at, index));
                    pairs.extend(values.zip(elements.iter().copied()));
                }
                Mirror::Bytes(bytes) => {
                    expect(BYTES);
                    assert_eq!(world.heap.array_bytes(at), Ok(&bytes[..]));
                }
                Mirror::Longs(longs) => {
                    expect(LONGS);
                    assert_eq!(world.heap.array_len(at), Ok(longs.len() as u32));
                    for (index, long) in longs.iter().enumerate() {
                        let found = world.heap.array_get(at, index as u32);
                        assert_eq!(found, Ok(u128::from(*long)));
                    }
                }
                Mirror::Numbers(long, wide) => {
                    expect(NUMBERS);
                    assert_eq!(world.heap.load(at, 8, Slot::I64), Ok(u128::from(*long)));
                    assert_eq!(world.heap.load(at, 16, Slot::V128), Ok(*wide));
                }
                Mirror::Exception(tag, number, value) => {
                    expect(EXCEPTION);
                    assert_eq!(world.heap.tag_of(at), Ok(*tag));
                    assert_eq!(world.heap.load(at, 8, Slot::I32), Ok(u128::from(*number)));
                    pairs.push((world.get(at, 12), *value));
                }
                Mirror::Host(place) => {
                    expect(TypeId::HOST);
                    assert_eq!(world.heap.place_of(at), Ok(*place));
                    places.insert((ObjectKind::Host as u8, *place));
                }
                Mirror::Cont(place, stack) => {
                    expect(CONT);
                    assert_eq!(world.heap.place_of(at), Ok(*place));
                    places.insert((ObjectKind::Cont as u8, *place));
                    let slots = world.owner.stacks[place].iter().map(|bits| *bits as u32);
                    pairs.extend(slots.zip(stack.iter().copied()));
                }
            }
        }
        places
    }

    /// Takes reports of deaths and compares them with what can be reached.
    fn check(&mut self, after_full: bool) {
        self.world.verify();
        let reachable = self.compare();
        for (kind, place) in self.world.owner.dead.drain(..) {
            let dead = (kind as u8, place);
            assert!(self.places.remove(&dead), "{kind:?} {place} died twice");
            assert!(!reachable.contains(&dead), "{kind:?} {place} can be reached");
            self.world.owner.stacks.remove(&place);
        }
        assert!(reachable.is_subset(&self.places));
        if after_full {
            assert_eq!(self.places, reachable, "all that is out of reach is reported");
        }
    }
}

fn run(seed: u64, config: &HeapConfig, steps: u32, max_length: u32) -> Model {
    let mut model = Model::new(seed, config, max_length);
    for step in 0..steps {
        model.step();
        if model.random.one_in(400) {
            let full = model.random.one_in(4);
            let kind = if full { Collection::Full } else { Collection::Minor };
            model.world.collect(kind);
            model.check(full);
        } else if step % 500 == 0 {
            model.check(false);
        }
    }
    model.world.collect(Collection::Full);
    model.check(true);
    model
}

#[test]
fn graphs_stay_what_they_are() {
    for seed in 0..12 {
        run(seed, &config(64 << 20), 20_000, 3000);
    }
}

#[test]
fn graphs_stay_what_they_are_when_each_allocation_collects() {
    for seed in 100..106 {
        let config = HeapConfig { is_stressed: true, ..config(64 << 20) };
        let model = run(seed, &config, 3000, 300);
        assert!(model.world.stats().minor_collections > 800);
    }
}

#[test]
fn graphs_stay_what_they_are_when_the_mark_stack_overflows() {
    for seed in 200..206 {
        let config = HeapConfig { mark_stack_entries: 0, ..config(64 << 20) };
        run(seed, &config, 10_000, 3000);
    }
}

#[test]
fn graphs_stay_what_they_are_with_a_tiny_nursery_and_many_large_arrays() {
    for seed in 300..306 {
        let config = HeapConfig { initial_nursery_bytes: 0, ..config(256 << 20) };
        run(seed, &config, 10_000, 40_000);
    }
}
