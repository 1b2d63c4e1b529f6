//! Inputs from a seed: modules that are valid, terminate and give the same results everywhere,
//! and bytes that are almost a module.

use arbitrary::Unstructured;
use wasm_smith::{Config, Module};

/// How often a loop may turn or a function be called before a module ends itself.
const FUEL: u32 = 20_000;

/// A stream of numbers that depends on its seed alone (SplitMix64, Steele et al. 2014).
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Numbers {
        Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5e1_c1e)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next_u64() % end.max(1) as u64) as usize
    }

    /// Numbers that are interesting as arguments: edges as often as any.
    pub fn edge_u64(&mut self) -> u64 {
        const EDGES: &[u64] = &[
            0,
            1,
            2,
            7,
            8,
            0x7f,
            0x80,
            0xffff,
            0x1_0000,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            0x1_0000_0000,
            0x3ff0_0000_0000_0000,
            0x7fff_ffff_ffff_ffff,
            0x8000_0000_0000_0000,
            0xffff_ffff_ffff_fff8,
            u64::MAX,
        ];
        let number = self.next_u64();
        match number % 4 {
            0 => EDGES[self.below(EDGES.len())],
            1 => number >> 40,
            _ => number,
        }
    }

    /// That many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> =
            (0..count.div_ceil(8)).flat_map(|_| self.next_u64().to_le_bytes()).collect();
        bytes.truncate(count);
        bytes
    }
}

/// A module that both engines can run, that ends, and whose results the specification fixes:
/// NaNs are made canonical inside the module, sizes are small and have maxima.
pub fn deterministic_module(numbers: &mut Numbers) -> Option<Vec<u8>> {
    let size = 200 + numbers.below(6000);
    let bytes = numbers.bytes(size);
    let mut module = Module::new(deterministic(numbers), &mut Unstructured::new(&bytes)).ok()?;
    module.ensure_termination(FUEL).ok()?;
    Some(module.to_bytes())
}

fn deterministic(numbers: &mut Numbers) -> Config {
    Config {
        allow_start_export: true,
        canonicalize_nans: true,
        export_everything: true,
        max_imports: 0,
        min_funcs: 1,
        max_funcs: 1 + numbers.below(12),
        max_instructions: 20 + numbers.below(400),
        max_memories: 1 + numbers.below(3),
        min_memories: 1,
        max_tables: 1 + numbers.below(3),
        max_globals: 8,
        max_memory32_bytes: 16 << 16,
        max_memory64_bytes: 16 << 16,
        memory_max_size_required: true,
        max_table_elements: 200,
        table_max_size_required: true,
        memory64_enabled: numbers.below(3) == 0,
        custom_page_sizes_enabled: numbers.below(4) == 0,
        simd_enabled: numbers.below(2) == 0,
        tail_call_enabled: true,
        wide_arithmetic_enabled: numbers.below(3) == 0,
        exceptions_enabled: false,
        gc_enabled: false,
        relaxed_simd_enabled: false,
        threads_enabled: false,
        compact_imports_enabled: false,
        ..Config::default()
    }
}

/// A module that can be run, which may never end and never traps of itself: with exceptions and
/// objects, and with what is done to many bytes and elements.
pub fn endless_module(numbers: &mut Numbers) -> Option<Vec<u8>> {
    let size = 200 + numbers.below(4000);
    let bytes = numbers.bytes(size);
    let config = Config {
        exceptions_enabled: true,
        gc_enabled: true,
        disallow_traps: numbers.below(4) != 0,
        ..deterministic(numbers)
    };
    Some(Module::new(config, &mut Unstructured::new(&bytes)).ok()?.to_bytes())
}

/// A module with everything that can be generated and runs. It may not end.
pub fn module_of_everything(numbers: &mut Numbers) -> Option<Vec<u8>> {
    let size = 200 + numbers.below(4000);
    let bytes = numbers.bytes(size);
    let mut half = || numbers.below(2) == 0;
    let (threads, shared) = (half(), half());
    let config = Config {
        exceptions_enabled: half(),
        gc_enabled: true,
        relaxed_simd_enabled: half(),
        custom_descriptors_enabled: half(),
        multibyte_array_access_enabled: half(),
        threads_enabled: threads,
        shared_everything_threads_enabled: threads && shared,
        acquire_release_atomics_enabled: threads,
        disallow_traps: half(),
        ..deterministic(numbers)
    };
    Some(Module::new(config, &mut Unstructured::new(&bytes)).ok()?.to_bytes())
}

/// A module of any shape, with everything that can be generated, not meant to be run.
pub fn any_module(numbers: &mut Numbers) -> Option<Vec<u8>> {
    let size = 100 + numbers.below(4000);
    let bytes = numbers.bytes(size);
    let config = Config {
        custom_page_sizes_enabled: true,
        custom_descriptors_enabled: numbers.below(2) == 0,
        shared_everything_threads_enabled: numbers.below(2) == 0,
        acquire_release_atomics_enabled: numbers.below(2) == 0,
        multibyte_array_access_enabled: numbers.below(2) == 0,
        generate_custom_sections: true,
        max_memories: 3,
        max_tables: 3,
        ..Config::default()
    };
    Some(Module::new(config, &mut Unstructured::new(&bytes)).ok()?.to_bytes())
}

/// The bytes with a few of them changed, removed or said twice.
pub fn damaged(mut bytes: Vec<u8>, numbers: &mut Numbers) -> Vec<u8> {
    for _ in 0..1 + numbers.below(6) {
        if bytes.is_empty() {
            break;
        }
        let at = numbers.below(bytes.len());
        match numbers.below(6) {
            0 => bytes[at] ^= 1 << numbers.below(8),
            1 => bytes[at] = numbers.next_u64() as u8,
            2 => bytes[at] = [0, 0x7f, 0x80, 0xff][numbers.below(4)],
            3 => bytes.truncate(at),
            4 => {
                let end = (at + 1 + numbers.below(16)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let end = (at + 1 + numbers.below(32)).min(bytes.len());
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_depends_on_its_seed_alone() {
        let make = |seed| deterministic_module(&mut Numbers::new(seed));
        assert_eq!(make(7), make(7));
        assert_ne!(make(7), make(8));
    }
}
