//! `JsString`, and modules that import `wasm:js-string` and string constants.

use selkie::{
    Config, Engine, ErrorKind, Extern, ExternRef, Feature, Instance, JsString, Linker, Module,
    RootScope, Rooted, Store, StoreLimits, Trap,
};

type Text = Option<Rooted<ExternRef>>;

/// Builds strings in loops, and keeps them where it is told to.
const BUILDER: &str = r#"(module
    (import "wasm:js-string" "fromCharCode" (func $unit (param i32) (result (ref extern))))
    (import "wasm:js-string" "concat"
        (func $concat (param externref externref) (result (ref extern))))
    (import "wasm:js-string" "charCodeAt" (func $at (param externref i32) (result i32)))
    (import "wasm:js-string" "length" (func $length (param externref) (result i32)))
    (import "'" "x" (global $x (ref extern)))
    (table $kept 0 1000000 externref)
    ;; Appends n units that count up, as letters; hashes the string.
    (func (export "append") (param $n i32) (result i32)
        (local $text externref) (local $i i32) (local $hash i32)
        (local.set $text (global.get $x))
        (loop $more
            (local.set $text (call $concat (local.get $text)
                (call $unit (i32.add (i32.const 97) (i32.rem_u (local.get $i) (i32.const 26))))))
            (br_if $more (i32.lt_u
                (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
        (loop $next
            (local.set $hash (i32.add (i32.mul (local.get $hash) (i32.const 31))
                (call $at (local.get $text) (local.get $i))))
            (br_if $next (i32.ge_s
                (local.tee $i (i32.sub (local.get $i) (i32.const 1))) (i32.const 0))))
        (local.get $hash))
    ;; Doubles "x" so many times, and reads its end, which brings all of it into one piece.
    (func (export "double") (param $times i32) (result externref)
        (local $text externref)
        (local.set $text (global.get $x))
        (loop $more
            (local.set $text (call $concat (local.get $text) (local.get $text)))
            (br_if $more (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
        (drop (call $at (local.get $text)
            (i32.sub (call $length (local.get $text)) (i32.const 1))))
        (local.get $text))
    ;; Keeps n references to new strings of one unit.
    (func (export "keep") (param $n i32)
        (drop (table.grow $kept (ref.null extern) (local.get $n)))
        (loop $more
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (table.set $kept (local.get $n) (call $unit (i32.const 120)))
            (br_if $more (local.get $n)))))"#;

fn with_limit(gc_heap_bytes: u64) -> (Store<()>, Instance) {
    let engine = Engine::default();
    let module = Module::new(&engine, BUILDER).unwrap();
    let mut store = Store::new(&engine, ());
    store.set_limits(StoreLimits { gc_heap_bytes, ..StoreLimits::default() });
    let instance = Linker::new(&engine).instantiate(&mut store, &module).unwrap();
    (store, instance)
}

fn units(store: &Store<()>, text: &Rooted<ExternRef>) -> Vec<u16> {
    JsString::of(store, text).unwrap().unwrap().units()
}

#[test]
fn strings_that_the_host_makes_are_those_it_reads() {
    let mut store = Store::new(&Engine::default(), ());
    for text in ["", "a", "plain", "naïve", "a€😀", "\u{10ffff}\0"] {
        let string = JsString::new(&mut store, text).unwrap();
        assert_eq!(units(&store, &string), text.encode_utf16().collect::<Vec<_>>());
        let string = JsString::of(&store, &string).unwrap().unwrap();
        assert_eq!(string.to_string_lossy(), text);
        assert_eq!(string.len(), text.encode_utf16().count());
        assert_eq!(string.is_empty(), text.is_empty());
    }
    let lone = [0x61, 0xd800, 0xdc00, 0xdc00];
    let string = JsString::from_utf16(&mut store, &lone).unwrap();
    assert_eq!(units(&store, &string), lone);
    let string = JsString::of(&store, &string).unwrap().unwrap();
    assert_eq!(string.to_string_lossy(), "a\u{10000}\u{fffd}");
    assert_eq!(format!("{string:?}"), "JsString(\"a\u{10000}\u{fffd}\", 4 units)");
}

#[test]
fn a_string_is_told_from_other_data_and_is_the_data_of_its_reference() {
    let mut store = Store::new(&Engine::default(), ());
    let other = ExternRef::new(&mut store, "no JsString".to_string()).unwrap();
    assert!(JsString::of(&store, &other).unwrap().is_none());
    let string = JsString::new(&mut store, "text").unwrap();
    let data = string.data(&store).unwrap().unwrap();
    assert_eq!(data.downcast_ref::<JsString>().unwrap().len(), 4);
}

#[test]
fn references_to_strings_end_with_their_scope_and_stay_in_their_store() {
    let engine = Engine::default();
    let (mut store, other) = (Store::new(&engine, ()), Store::new(&engine, ()));
    let string = JsString::new(&mut store, "text").unwrap();
    assert_eq!(JsString::of(&other, &string).unwrap_err().kind(), ErrorKind::Invalid);
    let inside = JsString::new(RootScope::new(&mut store), "text").unwrap();
    assert_eq!(JsString::of(&store, &inside).unwrap_err().kind(), ErrorKind::Invalid);
    assert!(JsString::of(&store, &string).unwrap().is_some());
}

#[test]
fn a_clone_outlives_its_store_and_goes_to_other_threads() {
    let clone = {
        let (mut store, instance) = with_limit(u64::MAX);
        let double = instance.get_typed_func::<i32, Text>(&mut store, "double").unwrap();
        let text = double.call(&mut store, 12).unwrap().unwrap();
        JsString::of(&store, &text).unwrap().unwrap().clone()
    };
    let text = std::thread::spawn(move || clone.to_string_lossy()).join().unwrap();
    assert_eq!(text, "x".repeat(1 << 12));
}

#[test]
fn appending_to_a_string_takes_time_and_memory_in_proportion_to_its_length() {
    // Copying the string each time would move 80 gigabytes.
    let (mut store, instance) = with_limit(6 << 20);
    let append = instance.get_typed_func::<i32, i32>(&mut store, "append").unwrap();
    let n = 400_000;
    let appended = (0..n).map(|i| 97 + i % 26);
    let all: Vec<i32> = std::iter::once(120).chain(appended).collect();
    let hash = all.iter().rev().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(*unit));
    assert_eq!(append.call(&mut store, n).unwrap(), hash);
}

#[test]
fn strings_obey_the_limit_of_the_store_and_are_freed_when_nobody_reaches_them() {
    let (mut store, instance) = with_limit(8 << 20);
    let double = instance.get_typed_func::<i32, Text>(&mut store, "double").unwrap();
    for _ in 0..100 {
        // 4 MiB each: what the call before made must be gone.
        let mut scope = RootScope::new(&mut store);
        let text = double.call(&mut scope, 22).unwrap().unwrap();
        assert_eq!(JsString::of(&scope, &text).unwrap().unwrap().len(), 1 << 22);
        drop(scope);
        let mut scope = RootScope::new(&mut store);
        let error = double.call(&mut scope, 24).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::AllocationTooLarge));
    }
    let held = double.call(&mut store, 22).unwrap().unwrap();
    let error = double.call(&mut store, 22).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::AllocationTooLarge), "one is still held");
    assert_eq!(units(&store, &held).len(), 1 << 22);
    // It is the host that asked, so it is no trap.
    let error = JsString::new(&mut store, &"x".repeat(8 << 20)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
}

#[test]
fn very_many_small_strings_obey_the_limit_too() {
    let (mut store, instance) = with_limit(16 << 20);
    let keep = instance.get_typed_func::<i32, ()>(&mut store, "keep").unwrap();
    keep.call(&mut store, 20_000).unwrap();
    let error = keep.call(&mut store, 500_000).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::AllocationTooLarge));
}

#[test]
fn a_string_that_would_be_too_long_is_a_trap() {
    let (mut store, instance) = with_limit(u64::MAX);
    let double = instance.get_typed_func::<i32, Text>(&mut store, "double").unwrap();
    const { assert!(JsString::MAX_LEN < 1 << 30) };
    let error = double.call(&mut store, 30).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::AllocationTooLarge));
}

#[test]
fn references_survive_collections_at_every_allocation() {
    let engine = Engine::new(Config::new().gc_stress(true)).unwrap();
    let module = Module::new(&engine, BUILDER).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine).instantiate(&mut store, &module).unwrap();
    let append = instance.get_typed_func::<i32, i32>(&mut store, "append").unwrap();
    let calm = {
        let (mut store, instance) = with_limit(u64::MAX);
        let append = instance.get_typed_func::<i32, i32>(&mut store, "append").unwrap();
        append.call(&mut store, 500).unwrap()
    };
    assert_eq!(append.call(&mut store, 500).unwrap(), calm);
}

/// What linking this module says.
fn link(configure: fn(&mut Config), set: fn(&mut Linker<()>), text: &str) -> selkie::Result<()> {
    let mut config = Config::new();
    configure(&mut config);
    let engine = Engine::new(&config)?;
    let module = Module::new(&engine, text)?;
    let mut linker = Linker::new(&engine);
    set(&mut linker);
    linker.instantiate(Store::new(&engine, ()), &module).map(drop)
}

const LENGTH: &str =
    r#"(module (import "wasm:js-string" "length" (func (param externref) (result i32))))"#;
const CONSTANT: &str = r#"(module (import "'" "text" (global externref)))"#;

#[test]
fn the_proposal_can_be_switched_off() {
    for text in [LENGTH, CONSTANT] {
        link(|_| {}, |_| {}, text).unwrap();
        let off = |config: &mut Config| {
            config.wasm_feature(Feature::js_string_builtins, false);
        };
        let error = link(off, |_| {}, text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Link);
        assert!(error.to_string().contains("unknown import"), "{error}");
    }
}

#[test]
fn constants_come_from_the_module_that_the_linker_names() {
    let other = r#"(module (import "S" "text" (global (ref extern))))"#;
    let named = |linker: &mut Linker<()>| {
        linker.imported_string_constants(Some("S"));
    };
    link(|_| {}, named, other).unwrap();
    assert_eq!(link(|_| {}, named, CONSTANT).unwrap_err().kind(), ErrorKind::Link);
    let none = |linker: &mut Linker<()>| {
        linker.imported_string_constants(None);
    };
    for text in [CONSTANT, other] {
        assert_eq!(link(|_| {}, none, text).unwrap_err().kind(), ErrorKind::Link);
    }
    link(|_| {}, none, LENGTH).unwrap();
}

#[test]
fn what_the_embedder_defines_goes_before_what_every_module_may_import() {
    let engine = Engine::default();
    let text = r#"(module
        (import "wasm:js-string" "length" (func $length (param externref) (result i32)))
        (import "'" "text" (global $text externref))
        (func (export "run") (result i32) (call $length (global.get $text))))"#;
    let module = Module::new(&engine, text).unwrap();
    let mut linker = Linker::new(&engine);
    linker.define_unknown_imports_as_traps(&module).unwrap();
    let mut store = Store::new(&engine, ());
    let run = |linker: &Linker<()>, store: &mut Store<()>| {
        let instance = linker.instantiate(&mut *store, &module).unwrap();
        instance.get_typed_func::<(), i32>(&mut *store, "run").unwrap().call(store, ()).unwrap()
    };
    assert_eq!(run(&linker, &mut store), 4);
    linker.func_wrap("wasm:js-string", "length", |_: Text| -7).unwrap();
    assert_eq!(run(&linker, &mut store), -7);
}

#[test]
fn a_linker_hands_out_the_functions_and_constants() {
    let engine = Engine::default();
    let linker: Linker<()> = Linker::new(&engine);
    let mut store = Store::new(&engine, ());
    assert!(linker.contains("wasm:js-string", "compare") && linker.contains("'", "anything"));
    assert!(!linker.contains("wasm:js-string", "indexOf"));
    assert!(linker.get(&mut store, "wasm:js-string", "indexOf").is_none());
    let length = linker.get(&mut store, "wasm:js-string", "length").and_then(Extern::into_func);
    let length = length.unwrap().typed::<Text, i32>(&store).unwrap();
    let constant = linker.get(&mut store, "'", "naïve").and_then(Extern::into_global).unwrap();
    let text = constant.get(&mut store).unwrap_extern_ref();
    assert_eq!(length.call(&mut store, text).unwrap(), 5);
    // By place, as any other import.
    let module = Module::new(&engine, CONSTANT).unwrap();
    Instance::new(&mut store, &module, &[constant.into()]).unwrap();
}

#[test]
fn instances_of_a_module_with_constants_each_have_their_own() {
    let engine = Engine::default();
    let text = r#"(module
        (import "'" "one" (global $one externref)) (import "'" "two" (global $two externref))
        (export "one" (global $one)) (export "two" (global $two)))"#;
    let module = Module::new(&engine, text).unwrap();
    let pre = Linker::new(&engine).instantiate_pre(&module).unwrap();
    let mut store = Store::new(&engine, ());
    let instances = [0; 2].map(|_| pre.instantiate(&mut store).unwrap());
    for instance in instances {
        for name in ["one", "two"] {
            let global = instance.get_global(&mut store, name).unwrap();
            let string = global.get(&mut store).unwrap_extern_ref().unwrap();
            assert_eq!(JsString::of(&store, &string).unwrap().unwrap().to_string_lossy(), name);
        }
    }
}
