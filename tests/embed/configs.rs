//! `Config` and `Engine`.

use selkie::{Config, Engine, ErrorKind, Feature, Features, Module, Store};

fn with(feature: Feature, on: bool) -> Engine {
    let mut config = Config::new();
    config.wasm_feature(feature, on);
    Engine::new(&config).unwrap()
}

#[test]
fn what_is_not_enabled_is_refused_with_the_flag_that_enables_it() {
    for (feature, text) in [
        (Feature::simd, "(module (func (result v128) v128.const i64x2 0 0))"),
        (Feature::multi_memory, "(module (memory 1) (memory 1))"),
        (Feature::memory64, "(module (memory i64 1))"),
        (Feature::threads, "(module (memory 1 1 shared))"),
        (Feature::tail_call, "(module (func return_call 0))"),
        (Feature::custom_page_sizes, "(module (memory 1 (pagesize 1)))"),
        (Feature::bulk_memory, "(module (memory 1) (data \"\") (func data.drop 0))"),
        (Feature::multi_value, "(module (func (result i32 i32) i32.const 1 i32.const 2))"),
        (Feature::sign_extension, "(module (func i32.const 0 i32.extend8_s drop))"),
        (
            Feature::wide_arithmetic,
            "(module (func (param i64 i64) (result i64 i64)
            local.get 0 local.get 1 i64.mul_wide_u))",
        ),
        (Feature::extended_const, "(module (global i32 (i32.add (i32.const 1) (i32.const 2))))"),
        (Feature::stack_switching, "(module (type $f (func)) (type (cont $f)))"),
        (Feature::custom_descriptors, "(module (type (func)) (func (param (ref (exact 0)))))"),
        (Feature::function_references, "(module (type $t (func)) (func (param (ref $t))))"),
    ] {
        Module::new(&with(feature, true), text).unwrap();
        // Other proposals may include this one.
        let mut features = Features::default();
        for other in [Feature::gc, Feature::function_references, Feature::exceptions, feature] {
            features.set(other, false);
        }
        let mut config = Config::new();
        config.set_features(features);
        let error = Module::new(&Engine::new(&config).unwrap(), text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{}: {error}", feature.flag());
        let flag = format!("-W {}", feature.flag());
        assert!(error.to_string().contains(&flag), "{}: {error}", feature.flag());
    }
}

#[test]
fn each_switch_named_after_a_proposal_turns_that_one() {
    type Switch = fn(&mut Config, bool) -> &mut Config;
    let switches: &[(Feature, Switch)] = &[
        (Feature::simd, Config::wasm_simd),
        (Feature::threads, Config::wasm_threads),
        (Feature::memory64, Config::wasm_memory64),
        (Feature::gc, Config::wasm_gc),
        (Feature::legacy_exceptions, Config::wasm_legacy_exceptions),
    ];
    for (feature, switch) in switches {
        for on in [false, true] {
            let mut expected = Features::default();
            expected.set(*feature, on);
            let mut config = Config::new();
            assert_eq!(switch(&mut config, on).features(), expected, "{}", feature.flag());
        }
    }
}

#[test]
fn an_engine_is_one_engine_however_often_cloned() {
    let engine = Engine::default();
    assert!(Engine::same(&engine, &engine.clone()));
    assert!(!Engine::same(&engine, &Engine::default()));
    let store = Store::new(&engine, ());
    assert!(Engine::same(store.engine(), &engine));
}

#[test]
fn canonical_nans_are_canonical() {
    let mut config = Config::new();
    config.canonical_nans(true);
    let engine = Engine::new(&config).unwrap();
    let text = r#"(module (func (export "f") (param f64) (result i64)
        local.get 0  f64.const 1  f64.add  i64.reinterpret_f64))"#;
    let module = Module::new(&engine, text).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = selkie::Instance::new(&mut store, &module, &[]).unwrap();
    let f = instance.get_typed_func::<f64, i64>(&mut store, "f").unwrap();
    let strange = f64::from_bits(0xfff4_5678_9abc_def0);
    assert_eq!(f.call(&mut store, strange).unwrap(), 0x7ff8_0000_0000_0000);
    assert_eq!(f.call(&mut store, 1.0).unwrap() as u64, 2f64.to_bits());
}

#[test]
fn backtraces_have_as_many_frames_as_asked_for() {
    let text = r#"(module (func $f (export "f") (param i32)
        local.get 0  i32.eqz  if  unreachable  end
        local.get 0  i32.const 1  i32.sub  call $f  nop))"#;
    for (asked, expected) in [(0, 0), (1, 1), (5, 5), (64, 21)] {
        let mut config = Config::new();
        config.backtrace_frames(asked);
        let engine = Engine::new(&config).unwrap();
        let module = Module::new(&engine, text).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = selkie::Instance::new(&mut store, &module, &[]).unwrap();
        let f = instance.get_typed_func::<i32, ()>(&mut store, "f").unwrap();
        let error = f.call(&mut store, 20).unwrap_err();
        assert_eq!(error.backtrace().map_or(0, |b| b.frames().len()), expected, "{asked}");
    }
}

#[test]
fn the_largest_guard_is_no_small_one() {
    let text = r#"(module (memory 1) (func (export "f") (param i32) (result i32)
        local.get 0 i32.load offset=4294967295))"#;
    let mut config = Config::new();
    config.memory_guard_bytes(u64::MAX);
    // More than there is: an error, or a memory that works; never a guard that wrapped to none.
    let engine = Engine::new(&config).unwrap();
    assert!(engine.fingerprint().contains("memory guards: 18446744073709486080"));
    let module = Module::new(&engine, text).unwrap();
    let mut store = Store::new(&engine, ());
    match selkie::Instance::new(&mut store, &module, &[]) {
        Err(error) => assert_eq!(error.kind(), ErrorKind::Limit, "{error}"),
        Ok(instance) => {
            let f = instance.get_typed_func::<u32, u32>(&mut store, "f").unwrap();
            assert!(f.call(&mut store, u32::MAX).unwrap_err().trap().is_some());
        }
    }
}

#[test]
fn stacks_that_no_system_has_are_told_apart() {
    let absurd = |set: fn(&mut Config, usize) -> &mut Config| {
        let mut config = Config::new();
        set(&mut config, usize::MAX);
        let error = Store::try_new(&Engine::new(&config).unwrap(), ()).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
        error.to_string()
    };
    assert!(absurd(Config::max_wasm_stack_bytes).starts_with("bytes of WebAssembly's stack: "));
    let continuations = absurd(Config::continuation_stack_bytes);
    assert!(continuations.starts_with("bytes of a continuation's stack: "), "{continuations}");
}
