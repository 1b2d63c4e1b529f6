//! Which proposals a script may use, by the folder it lies in.
//!
//! One table. A folder of an early version of WebAssembly gets exactly that version, because its
//! scripts also say what was invalid then; everything else gets the defaults, and on top of them
//! what its own proposal needs.

use selkie_module::Features;
use selkie_module::features::Feature;

/// WebAssembly 1.0.
pub const WASM_1: &[Feature] = &[Feature::mutable_global];

/// What 2.0 added.
pub const WASM_2_ADDED: &[Feature] = &[
    Feature::bulk_memory,
    Feature::reference_types,
    Feature::sign_extension,
    Feature::saturating_float_to_int,
    Feature::multi_value,
    Feature::simd,
];

/// What 3.0 added.
pub const WASM_3_ADDED: &[Feature] = &[
    Feature::gc,
    Feature::tail_call,
    Feature::extended_const,
    Feature::function_references,
    Feature::multi_memory,
    Feature::relaxed_simd,
    Feature::exceptions,
    Feature::memory64,
];

/// Exactly these proposals.
pub fn exactly(groups: &[&[Feature]]) -> Features {
    let mut features = Features::default();
    for &feature in Feature::ALL {
        features.set(feature, groups.iter().any(|group| group.contains(&feature)));
    }
    features
}

/// The defaults, and these proposals.
pub fn defaults_and(more: &[Feature]) -> Features {
    let mut features = Features::default();
    for &feature in more {
        features.set(feature, true);
    }
    features
}

/// The defaults without these proposals.
pub fn defaults_without(less: &[Feature]) -> Features {
    let mut features = Features::default();
    for &feature in less {
        features.set(feature, false);
    }
    features
}

/// The proposals for the scripts of a folder: the part of a trial's name between its kind and the
/// file, such as `proposals/threads` or `wasm-v1`.
pub fn of_folder(folder: &str) -> Features {
    match folder {
        "wasm-v1" => exactly(&[WASM_1]),
        "wasm-v2" => exactly(&[WASM_1, WASM_2_ADDED]),
        "wasm-v3" | "wasm-latest" | "shared/core" | "shared/custom" => {
            exactly(&[WASM_1, WASM_2_ADDED, WASM_3_ADDED])
        }
        // Proposals before they met: their scripts also say that what others added is invalid.
        "proposals/multi-value" => exactly(&[WASM_1, &[Feature::multi_value]]),
        "proposals/reference-types" => exactly(&[WASM_1, WASM_2_ADDED]),
        "proposals/threads" => exactly(&[WASM_1, &[Feature::threads, Feature::bulk_memory]]),
        "proposals/memory64" => {
            defaults_without(&[Feature::multi_memory, Feature::custom_page_sizes])
        }
        "proposals/function-references" => defaults_without(&[Feature::multi_memory]),
        "shared/legacy" => defaults_and(&[Feature::legacy_exceptions]),
        "proposals/stack-switching" | "shared/stack-switching" | "own/stack-switching" => {
            defaults_and(&[Feature::stack_switching])
        }
        "proposals/custom-descriptors" | "shared/custom-descriptors" => {
            defaults_and(&[Feature::custom_descriptors])
        }
        "shared/shared-everything-threads" => defaults_and(&[Feature::shared_everything_threads]),
        _ => own_folder(folder),
    }
}

/// A folder of our own scripts bears the flag of the proposal that it is about.
fn own_folder(folder: &str) -> Features {
    let flag = folder.strip_prefix("own/");
    let named = Feature::ALL.iter().find(|feature| Some(feature.flag()) == flag);
    named.map_or_else(Features::default, |feature| defaults_and(&[*feature]))
}
