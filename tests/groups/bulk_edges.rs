//! Edges of `memory.copy` and `memory.fill`, whose code depends on whether the length is known:
//! every length around the border between the two, at both ends of a memory, over itself, and
//! beyond the end, where nothing may have been written.

// What a test builds on must be there.
#![allow(clippy::unwrap_used)]

use selkie::{Config, Engine, Instance, Memory, Module, Store, Trap, TypedFunc};
use std::fmt::Write;

/// Lengths that are known to the compiler; some of them are emitted in place.
const LENGTHS: std::ops::RangeInclusive<usize> = 0..=140;
const PAGE: usize = 65536;

/// Memories by their text, with the type of their indices and their length in bytes.
const MEMORIES: &[(&str, &str, usize)] = &[
    ("(memory (export \"m\") 1)", "i32", PAGE),
    ("(memory (export \"m\") 1 1)", "i32", PAGE),
    ("(memory (export \"m\") 1 2 shared)", "i32", PAGE),
    ("(memory (export \"m\") i64 1)", "i64", PAGE),
    ("(memory (export \"m\") 300 (pagesize 1))", "i32", 300),
];

struct Guest {
    store: Store<()>,
    memory: Memory,
    instance: Instance,
    is_wide: bool,
}

impl Guest {
    fn new(engine: &Engine, memory: &str, index: &str) -> Guest {
        let mut text = format!("(module {memory}");
        for length in LENGTHS {
            let _ = write!(
                text,
                "(func (export \"copy{length}\") (param {index} {index})
                    (memory.copy (local.get 0) (local.get 1) ({index}.const {length})))
                 (func (export \"fill{length}\") (param {index} i32)
                    (memory.fill (local.get 0) (local.get 1) ({index}.const {length})))"
            );
        }
        text.push(')');
        let module = Module::new(engine, text).unwrap();
        let mut store = Store::new(engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let memory = instance.get_memory(&mut store, "m").unwrap();
        Guest { store, memory, instance, is_wide: index == "i64" }
    }

    fn call(&mut self, name: &str, a: usize, b: usize) -> Result<(), Option<Trap>> {
        let done = match (self.is_wide, name.starts_with("copy")) {
            (true, true) => {
                self.typed::<(u64, u64)>(name).call(&mut self.store, (a as u64, b as u64))
            }
            (true, false) => {
                self.typed::<(u64, u32)>(name).call(&mut self.store, (a as u64, b as u32))
            }
            (false, _) => {
                self.typed::<(u32, u32)>(name).call(&mut self.store, (a as u32, b as u32))
            }
        };
        done.map_err(|error| error.trap())
    }

    fn typed<P: selkie::WasmParams>(&mut self, name: &str) -> TypedFunc<P, ()> {
        self.instance.get_typed_func(&mut self.store, name).unwrap()
    }

    /// Puts bytes into the memory that tell their place.
    fn restart(&mut self, model: &mut [u8]) {
        for (at, byte) in model.iter_mut().enumerate() {
            *byte = (at * 7 + at / 256) as u8;
        }
        self.memory.write(&mut self.store, 0, model).unwrap();
    }

    fn assert_equals(&self, model: &[u8], what: &str) {
        let mut bytes = vec![0; model.len()];
        self.memory.read(&self.store, 0, &mut bytes).unwrap();
        assert!(bytes == model, "{what}");
    }
}

fn for_each_guest(mut test: impl FnMut(&mut Guest, usize, &str)) {
    for (guard_pages, spectre) in [(true, true), (false, true), (false, false)] {
        let mut config = Config::new();
        config.guard_pages(guard_pages).spectre_checks(spectre);
        let engine = Engine::new(&config).unwrap();
        for (memory, index, bytes) in MEMORIES {
            let mut guest = Guest::new(&engine, memory, index);
            test(&mut guest, *bytes, &format!("{memory}, guard pages {guard_pages}"));
        }
    }
}

#[test]
fn copies_of_every_length_are_exact_also_over_themselves() {
    for_each_guest(|guest, bytes, what| {
        let mut model = vec![0; bytes];
        for length in LENGTHS {
            guest.restart(&mut model);
            let end = bytes - length;
            for (dst, src) in [
                (0, end),
                (end, 0),
                (20, 20),
                (21, 20),
                (20, 21),
                (20, 20 + length / 2),
                (20 + length / 2, 20),
                (end, end.saturating_sub(3)),
            ] {
                guest.call(&format!("copy{length}"), dst, src).unwrap();
                model.copy_within(src..src + length, dst);
            }
            guest.assert_equals(&model, &format!("{what}, {length} bytes"));
        }
    });
}

#[test]
fn fills_of_every_length_are_exact() {
    for_each_guest(|guest, bytes, what| {
        let mut model = vec![0; bytes];
        for length in LENGTHS {
            guest.restart(&mut model);
            for (dst, value) in [(0, 0), (30, 0x1234_56a5), (bytes - length, 0xff)] {
                guest.call(&format!("fill{length}"), dst, value).unwrap();
                model[dst..dst + length].fill(value as u8);
            }
            guest.assert_equals(&model, &format!("{what}, {length} bytes"));
        }
    });
}

#[test]
fn what_reaches_beyond_the_end_traps_and_writes_nothing() {
    for_each_guest(|guest, bytes, what| {
        let mut model = vec![0; bytes];
        guest.restart(&mut model);
        let outside = Err(Some(Trap::MemoryOutOfBounds));
        let far = if guest.is_wide { usize::MAX } else { u32::MAX as usize };
        for length in LENGTHS {
            let end = bytes - length;
            for (dst, src) in [(end + 1, 0), (0, end + 1), (far, 0), (0, far), (far - length, 0)] {
                let outcome = guest.call(&format!("copy{length}"), dst, src);
                assert_eq!(outcome, outside, "{what}: copy {length} to {dst} from {src}");
            }
            for dst in [end + 1, bytes + 1, far, far - length] {
                let outcome = guest.call(&format!("fill{length}"), dst, 1);
                assert_eq!(outcome, outside, "{what}: fill {length} at {dst}");
            }
        }
        guest.assert_equals(&model, what);
    });
}
