//! The proposals of WebAssembly, as one table.
//!
//! Grammar: `name, "flag", wasmparser feature, default, "what it is";`. From it come the switches
//! of `Config`, the command line's `-W` names and their help, and the hint in errors.

use wasmparser::WasmFeatures;

macro_rules! features {
    ($($(#[$doc:meta])* $name:ident, $flag:literal, $bit:ident, $default:literal, $about:literal;)*) => {
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

            fn bit(self) -> WasmFeatures {
                match self { $(Feature::$name => WasmFeatures::$bit,)* }
            }
        }
    };
}

features! {
    mutable_global, "mutable-global", MUTABLE_GLOBAL, true, "imported and exported mutable globals";
    saturating_float_to_int, "saturating-float-to-int", SATURATING_FLOAT_TO_INT, true, "conversions that saturate instead of trapping";
    sign_extension, "sign-extension", SIGN_EXTENSION, true, "sign extension instructions";
    reference_types, "reference-types", REFERENCE_TYPES, true, "externref, funcref and table instructions";
    multi_value, "multi-value", MULTI_VALUE, true, "several results and block parameters";
    bulk_memory, "bulk-memory", BULK_MEMORY, true, "bulk memory and table instructions";
    simd, "simd", SIMD, true, "128-bit vectors";
    relaxed_simd, "relaxed-simd", RELAXED_SIMD, true, "vector instructions with relaxed results";
    tail_call, "tail-call", TAIL_CALL, true, "return_call and return_call_indirect";
    extended_const, "extended-const", EXTENDED_CONST, true, "arithmetic in constant expressions";
    multi_memory, "multi-memory", MULTI_MEMORY, true, "several memories in a module";
    memory64, "memory64", MEMORY64, true, "64-bit memories and tables";
    threads, "threads", THREADS, true, "shared memories and atomic instructions";
    function_references, "function-references", FUNCTION_REFERENCES, true, "typed function references";
    gc, "gc", GC, true, "structs, arrays and casts";
    exceptions, "exceptions", EXCEPTIONS, true, "exceptions with exnref";
    legacy_exceptions, "legacy-exceptions", LEGACY_EXCEPTIONS, false, "the earlier exception instructions";
    wide_arithmetic, "wide-arithmetic", WIDE_ARITHMETIC, true, "128-bit addition, subtraction and multiplication";
    custom_page_sizes, "custom-page-sizes", CUSTOM_PAGE_SIZES, true, "memories with pages of one byte";
    compact_imports, "compact-imports", COMPACT_IMPORTS, true, "import sections that share module names";
    stack_switching, "stack-switching", STACK_SWITCHING, false, "continuations";
    custom_descriptors, "custom-descriptors", CUSTOM_DESCRIPTORS, false, "exact types and descriptors";
    memory_control, "memory-control", MEMORY_CONTROL, false, "memory.discard";
    shared_everything_threads, "shared-everything-threads", SHARED_EVERYTHING_THREADS, false, "shared globals, tables and functions";
}

/// A set of enabled proposals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Features(WasmFeatures);

impl Default for Features {
    fn default() -> Features {
        let mut set = Features(
            WasmFeatures::FLOATS
                | WasmFeatures::GC_TYPES
                | WasmFeatures::CALL_INDIRECT_OVERLONG
                | WasmFeatures::BULK_MEMORY_OPT,
        );
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
        self.0.set(feature.bit(), on);
    }

    /// Whether a proposal is on.
    pub fn has(&self, feature: Feature) -> bool {
        self.0.contains(feature.bit())
    }

    /// For wasmparser.
    pub fn bits(&self) -> WasmFeatures {
        self.0
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
        }
    }
}
