//! The target: which instructions the host has, and how Cranelift is to use them.
//!
//! Invariant: with the features demanded here, no instruction of the numeric table needs a call
//! to a library function.

use cranelift_codegen::isa::{self, OwnedTargetIsa, TargetIsa};
use cranelift_codegen::settings::{self, Configurable, Flags};

/// Flags that hold for all code. Each has a reason:
/// frame pointers let the runtime walk the stack without tables; probes touch every 64 KiB of a
/// large frame, well within the guard below each stack; unwinding needs no tables because traps
/// leave through the saved host stack pointer.
const FLAGS: &[(&str, &str)] = &[
    ("opt_level", "speed"),
    ("regalloc_algorithm", "backtracking"),
    ("enable_alias_analysis", "true"),
    ("preserve_frame_pointers", "true"),
    ("enable_probestack", "true"),
    ("probestack_strategy", "inline"),
    ("probestack_size_log2", "16"),
    ("unwind_info", "false"),
    ("is_pic", "false"),
    ("use_colocated_libcalls", "false"),
    ("machine_code_cfg_info", "false"),
    ("enable_multi_ret_implicit_sret", "false"),
    ("log2_min_function_alignment", "4"),
];

/// What the code of every module may assume: rounding and lane operations without library calls.
const REQUIRED: &[&str] = &["has_sse3", "has_ssse3", "has_sse41", "has_sse42", "has_popcnt"];

/// How much is done for a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// All there is.
    Full,
    /// What takes time and memory in proportion to the function's size, whatever it looks like.
    Plain,
}

/// What the flags are for plain code. Each value has its place in the frame.
const PLAIN_FLAGS: &[(&str, &str)] =
    &[("opt_level", "none"), ("regalloc_algorithm", "single_pass")];

/// The targets of a host, by effort and by whether NaNs are canonical.
pub(crate) struct Isas {
    full: [OwnedTargetIsa; 2],
    plain: [OwnedTargetIsa; 2],
}

impl Isas {
    /// Those of the processor this runs on.
    pub(crate) fn for_host() -> Result<Isas, String> {
        let both = |effort| -> Result<[OwnedTargetIsa; 2], String> {
            Ok([for_host(effort, false)?, for_host(effort, true)?])
        };
        Ok(Isas { full: both(Effort::Full)?, plain: both(Effort::Plain)? })
    }

    pub(crate) fn get(&self, effort: Effort, canonical_nans: bool) -> &dyn TargetIsa {
        let isas = match effort {
            Effort::Full => &self.full,
            Effort::Plain => &self.plain,
        };
        &*isas[usize::from(canonical_nans)]
    }
}

/// The target for the processor this runs on.
fn for_host(effort: Effort, canonical_nans: bool) -> Result<OwnedTargetIsa, String> {
    let mut builder =
        isa::lookup_by_name("x86_64-unknown-linux-gnu").map_err(|error| error.to_string())?;
    let features = host_features();
    for required in REQUIRED {
        if !features.contains(required) {
            let name = required.trim_start_matches("has_");
            return Err(format!("the processor has no {name} instructions"));
        }
    }
    for feature in features {
        builder.enable(feature).map_err(|error| format!("{feature}: {error}"))?;
    }
    builder.finish(flags(effort, canonical_nans)?).map_err(|error| error.to_string())
}

fn flags(effort: Effort, canonical_nans: bool) -> Result<Flags, String> {
    let mut flags = settings::builder();
    let mut set = |name: &str, value: &str| {
        flags.set(name, value).map_err(|error| format!("{name}={value}: {error}"))
    };
    let plain = PLAIN_FLAGS.iter().filter(|_| effort == Effort::Plain);
    for (name, value) in FLAGS.iter().chain(plain) {
        set(name, value)?;
    }
    set("enable_nan_canonicalization", if canonical_nans { "true" } else { "false" })?;
    // The verifier costs more than compiling: for development.
    set("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" })?;
    Ok(Flags::new(flags))
}

/// Cranelift's names of the features this processor has.
#[cfg(target_arch = "x86_64")]
fn host_features() -> Vec<&'static str> {
    use std::arch::is_x86_feature_detected as has;
    let all = [
        ("has_sse3", has!("sse3")),
        ("has_ssse3", has!("ssse3")),
        ("has_cmpxchg16b", has!("cmpxchg16b")),
        ("has_sse41", has!("sse4.1")),
        ("has_sse42", has!("sse4.2")),
        ("has_popcnt", has!("popcnt")),
        ("has_avx", has!("avx")),
        ("has_avx2", has!("avx2")),
        ("has_fma", has!("fma")),
        ("has_bmi1", has!("bmi1")),
        ("has_bmi2", has!("bmi2")),
        ("has_lzcnt", has!("lzcnt")),
        ("has_avx_vnni", has!("avxvnni")),
        ("has_avx512bitalg", has!("avx512bitalg")),
        ("has_avx512dq", has!("avx512dq")),
        ("has_avx512f", has!("avx512f")),
        ("has_avx512vl", has!("avx512vl")),
        ("has_avx512vbmi", has!("avx512vbmi")),
        ("has_avx512vnni", has!("avx512vnni")),
    ];
    all.into_iter().filter_map(|(name, present)| present.then_some(name)).collect()
}

/// Other processors have no code generator here yet.
#[cfg(not(target_arch = "x86_64"))]
fn host_features() -> Vec<&'static str> {
    Vec::new()
}

/// The version of Cranelift, the target, its features and the flags.
pub(crate) fn fingerprint(isa: &dyn TargetIsa) -> String {
    let mut text = format!("cranelift {} {}", cranelift_codegen::VERSION, isa.triple());
    for flag in isa.flags().iter().chain(isa.isa_flags()) {
        // The verifier does not change the code.
        if flag.name != "enable_verifier" {
            text.push_str(&format!(" {}={}", flag.name, flag.value_string()));
        }
    }
    text
}
