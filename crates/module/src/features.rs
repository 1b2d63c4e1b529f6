//! The proposals of WebAssembly, as one table.
//!
//! Grammar: `name, switch, "flag", wasmparser feature, default, "what it is";`, where `switch` is
//! the method of `Config`, and the feature is `NONE` where a proposal concerns linking alone. From it
//! come the switches of `Config`, the command line's `-W` names and their help, and the hint in errors.

use wasmparser::WasmFeatures;

/// Passes the table to the macro named by the argument.
#[macro_export]
macro_rules! for_each_feature {
    ($mac:ident) => {
        $mac! {
            mutable_global, wasm_mutable_global, "mutable-global", MUTABLE_GLOBAL, true, "imported and exported mutable globals";
            saturating_float_to_int, wasm_saturating_float_to_int, "saturating-float-to-int", SATURATING_FLOAT_TO_INT, true, "conversions that saturate instead of trapping";
            sign_extension, wasm_sign_extension, "sign-extension", SIGN_EXTENSION, true, "sign extension instructions";
            reference_types, wasm_reference_types, "reference-types", REFERENCE_TYPES, true, "externref, funcref and table instructions";
            multi_value, wasm_multi_value, "multi-value", MULTI_VALUE, true, "several results and block parameters";
            bulk_memory, wasm_bulk_memory, "bulk-memory", BULK_MEMORY, true, "bulk memory and table instructions";
            simd, wasm_simd, "simd", SIMD, true, "128-bit vectors";
            relaxed_simd, wasm_relaxed_simd, "relaxed-simd", RELAXED_SIMD, true, "vector instructions with relaxed results";
            tail_call, wasm_tail_call, "tail-call", TAIL_CALL, true, "return_call and return_call_indirect";
            extended_const, wasm_extended_const, "extended-const", EXTENDED_CONST, true, "arithmetic in constant expressions";
            multi_memory, wasm_multi_memory, "multi-memory", MULTI_MEMORY, true, "several memories in a module";
            memory64, wasm_memory64, "memory64", MEMORY64, true, "64-bit memories and tables";
            threads, wasm_threads, "threads", THREADS, true, "shared memories and atomic instructions";
            function_references, wasm_function_references, "function-references", FUNCTION_REFERENCES, true, "typed function references";
            gc, wasm_gc, "gc", GC, true, "structs, arrays and casts";
            exceptions, wasm_exceptions, "exceptions", EXCEPTIONS, true, "exceptions with exnref";
            legacy_exceptions, wasm_legacy_exceptions, "legacy-exceptions", LEGACY_EXCEPTIONS, true, "the earlier exception instructions";
            wide_arithmetic, wasm_wide_arithmetic, "wide-arithmetic", WIDE_ARITHMETIC, true, "128-bit addition, subtraction and multiplication";
            custom_page_sizes, wasm_custom_page_sizes, "custom-page-sizes", CUSTOM_PAGE_SIZES, true, "memories with pages of one byte";
            compact_imports, wasm_compact_imports, "compact-imports", COMPACT_IMPORTS, true, "import sections that share module names";
            stack_switching, wasm_stack_switching, "stack-switching", STACK_SWITCHING, false, "continuations";
            custom_descriptors, wasm_custom_descriptors, "custom-descriptors", CUSTOM_DESCRIPTORS, false, "exact types and descriptors";
            memory_control, wasm_memory_control, "memory-control", MEMORY_CONTROL, false, "memory.discard";
            js_string_builtins, wasm_js_string_builtins, "js-string-builtins", NONE, true, "strings for modules that import wasm:js-string or string constants";
            acquire_release_atomics, wasm_acquire_release_atomics, "acquire-release-atomics", ACQUIRE_RELEASE_ATOMICS, false, "atomic instructions that order less, and pause";
            multibyte_array_access, wasm_multibyte_array_access, "multibyte-array-access", MULTIBYTE_ARRAY_ACCESS, false, "loads and stores of linear memory on arrays";
            shared_everything_threads, wasm_shared_everything_threads, "shared-everything-threads", SHARED_EVERYTHING_THREADS, false, "shared globals, tables and functions";
        }
    };
}

macro_rules! wasmparser_feature {
    (NONE) => {
        WasmFeatures::empty()
    };
    ($bit:ident) => {
        WasmFeatures::$bit
    };
}

macro_rules! define_features {
    ($($(#[$doc:meta])* $name:ident, $switch:ident, $flag:literal, $bit:ident, $default:literal, $about:literal;)*) => {
        /// One proposal.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(non_camel_case_types)]
        pub enum Feature { $(#[doc = $about] $name,)* }

        impl Feature {
            /// Every proposal, in table order.
            pub const ALL: &'static [Feature] = &[$(Feature::$name),*];

            /// The name on the command line, after `-W`.
            pub fn flag(self) -> &'static str {
                match self { $(Feature::$name => $flag,)* }
            }

            /// What it is, in a few words.
            pub fn about(self) -> &'static str {
                match self { $(Feature::$name => $about,)* }
            }

            /// Whether it is on unless asked otherwise.
            pub fn default_enabled(self) -> bool {
                match self { $(Feature::$name => $default,)* }
            }

            fn validation(self) -> WasmFeatures {
                match self { $(Feature::$name => wasmparser_feature!($bit),)* }
            }
        }
    };
}

for_each_feature!(define_features);

/// A set of enabled proposals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Features {
    /// A bit for each row of the table.
    rows: u64,
}

const _: () = assert!(Feature::ALL.len() <= 64);

/// What is on unless a proposal that includes it is off.
const BASE: WasmFeatures = WasmFeatures::FLOATS
    .union(WasmFeatures::GC_TYPES)
    .union(WasmFeatures::CALL_INDIRECT_OVERLONG)
    .union(WasmFeatures::BULK_MEMORY_OPT);

impl Default for Features {
    fn default() -> Features {
        let mut set = Features { rows: 0 };
        for feature in Feature::ALL {
            set.set(*feature, feature.default_enabled());
        }
        set
    }
}

impl Features {
    /// Every proposal of the table.
    pub fn all() -> Features {
        let mut set = Features::default();
        Feature::ALL.iter().for_each(|f| set.set(*f, true));
        set
    }

    /// Turns one proposal on or off.
    pub fn set(&mut self, feature: Feature, on: bool) {
        let row = 1 << feature as u32;
        self.rows = if on { self.rows | row } else { self.rows & !row };
    }

    /// Whether a proposal is on.
    pub fn has(&self, feature: Feature) -> bool {
        self.rows & 1 << feature as u32 != 0
    }

    /// For wasmparser.
    pub fn bits(&self) -> WasmFeatures {
        // What is off also turns off its parts that the validator has switches of their own for.
        Feature::ALL.iter().fold(BASE, |bits, feature| match self.has(*feature) {
            true => bits | feature.validation(),
            false => bits - feature.validation(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_feature_can_be_switched_alone() {
        for &feature in Feature::ALL {
            let mut set = Features::default();
            set.set(feature, !feature.default_enabled());
            assert_eq!(set.has(feature), !feature.default_enabled(), "{}", feature.flag());
            let is_validated = !feature.validation().is_empty();
            let differs = set.bits() != Features::default().bits();
            assert_eq!(differs, is_validated, "{}", feature.flag());
        }
    }
}
