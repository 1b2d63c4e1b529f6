//! Each kind of state comes through, and a module cannot tell that it was initialised earlier.

use crate::guests::{Guest, binary, initialised};
use selkie_engine::{Config, Engine, Linker, Module, Store, Val};
use selkie_preinit::Preinit;

/// The module runs here with the same answer to `get` whether it was initialised earlier or now.
#[track_caller]
fn comes_through(text: &str) -> Vec<u8> {
    comes_through_in(&Engine::default(), text)
}

#[track_caller]
fn comes_through_in(engine: &Engine, text: &str) -> Vec<u8> {
    let wasm = binary(text);
    let mut now = Guest::new(engine, &wasm);
    assert_eq!(now.call("wizer-initialize", &[]), "[]");
    let mut store = Store::new(engine, ());
    let ready = Preinit::new().run(&mut store, &Linker::new(engine), &wasm).unwrap();
    let mut earlier = Guest::new(engine, &ready);
    assert!(!earlier.exports().iter().any(|name| name.contains("init")));
    for _ in 0..2 {
        let answer = now.call("get", &[]);
        assert_eq!(earlier.call("get", &[]), answer);
        assert!(answer.starts_with('['), "{answer}");
    }
    ready
}

#[test]
fn memories() {
    comes_through(
        r#"(module (memory 1 4) (data (i32.const 8) "old") (data (i32.const 65533) "end")
        (func (export "wizer-initialize")
            (drop (memory.grow (i32.const 2)))
            (i32.store8 (i32.const 8) (i32.const 0))
            (i64.store (i32.const 190000) (i64.const -1)))
        (func (export "get") (result i32 i64 i32 i32)
            (i32.load (i32.const 8)) (i64.load (i32.const 190000)) (memory.size)
            (i32.load8_u (i32.const 65535))))"#,
    );
    let several = r#"(module (memory $a i64 1) (memory $b 1) (memory $c 0 1)
        (func (export "wizer-initialize")
            (i64.store $a (i64.const 65528) (i64.const 7))
            (i64.store $b (i32.const 1) (i64.const 8))
            (drop (memory.grow $c (i32.const 1))))
        (func (export "get") (result i64 i64 i32)
            (i64.load $a (i64.const 65528)) (i64.load $b (i32.const 1)) (memory.size $c)))"#;
    comes_through(several);
    let mut config = Config::new();
    config.wasm_custom_page_sizes(true);
    comes_through_in(
        &Engine::new(&config).unwrap(),
        r#"(module (memory 3 (pagesize 1))
        (func (export "wizer-initialize")
            (drop (memory.grow (i32.const 5))) (i32.store8 (i32.const 7) (i32.const 9)))
        (func (export "get") (result i32 i32) (i32.load8_u (i32.const 7)) memory.size))"#,
    );
}

#[test]
fn globals_of_every_type_with_every_bit() {
    comes_through(
        r#"(module
        (global $i (mut i32) (i32.const 1)) (global $l (mut i64) (i64.const 1))
        (global $f (mut f32) (f32.const 1)) (global $d (mut f64) (f64.const 1))
        (global $v (mut v128) (v128.const i64x2 1 1)) (global $fixed i32 (i32.const 5))
        (global $r (mut funcref) (ref.null func)) (global $e (mut externref) (ref.null extern))
        (global $a (mut anyref) (ref.null any)) (global $gone (mut funcref) (ref.func $one))
        (func $one (result i32) (i32.const 1))
        (func (export "wizer-initialize")
            (global.set $i (i32.const -7)) (global.set $l (i64.const 0x8000000000000000))
            (global.set $f (f32.const nan:0x200001)) (global.set $d (f64.const -nan:0x4000000000001))
            (global.set $v (v128.const i64x2 -1 77)) (global.set $r (ref.func $one))
            (global.set $a (ref.i31 (i32.const -5))) (global.set $gone (ref.null func)))
        (func (export "get") (result i32 i64 i32 i64 v128 i32 i32 i32 i32)
            (global.get $i) (global.get $l) (i32.reinterpret_f32 (global.get $f))
            (i64.reinterpret_f64 (global.get $d)) (global.get $v)
            (call_ref 0 (ref.cast (ref 0) (global.get $r)))
            (i31.get_s (ref.cast (ref i31) (global.get $a))) (global.get $fixed)
            (ref.is_null (global.get $gone)))
        )"#
        .replace("(module", "(module (type (func (result i32)))")
        .as_str(),
    );
}

#[test]
fn tables_that_were_written_grown_filled_and_copied() {
    comes_through(
        r#"(module (type $t (func (result i32)))
        (table $a 10 40 funcref) (table $b i64 3 funcref)
        (elem (table $a) (i32.const 2) func $one $two $three)
        (func $one (type $t) (i32.const 1)) (func $two (type $t) (i32.const 2))
        (func $three (type $t) (i32.const 3)) (func $hidden (type $t) (i32.const 4))
        (elem declare func $hidden)
        (func (export "wizer-initialize")
            (table.set $a (i32.const 3) (ref.null func))
            (drop (table.grow $a (ref.func $hidden) (i32.const 7)))
            (table.fill $a (i32.const 0) (ref.func $three) (i32.const 2))
            (table.copy $a $a (i32.const 7) (i32.const 2) (i32.const 3))
            (table.copy $b $a (i64.const 1) (i32.const 16) (i32.const 1)))
        (func $call (param i32) (result i32)
            (if (result i32) (ref.is_null (table.get $a (local.get 0)))
                (then (i32.const 99))
                (else (call_indirect $a (type $t) (local.get 0)))))
        (func (export "get") (result i32 i32 i32 i32 i32 i32 i32 i32 i32 i64)
            (call $call (i32.const 0)) (call $call (i32.const 1)) (call $call (i32.const 2))
            (call $call (i32.const 3)) (call $call (i32.const 4)) (call $call (i32.const 8))
            (call $call (i32.const 16)) (call_indirect $b (type $t) (i64.const 1))
            (table.size $a) (table.size $b)))"#,
    );
}

#[test]
fn tables_of_other_types() {
    comes_through(
        r#"(module (type $t (func (result i32)))
        (func $one (type $t) (i32.const 1)) (func $two (type $t) (i32.const 2))
        (table $n 4 (ref $t) (ref.func $one)) (table $i 3 i31ref) (table $e 2 externref)
        (elem declare func $two)
        (func (export "wizer-initialize")
            (table.set $n (i32.const 1) (ref.func $two))
            (drop (table.grow $n (ref.func $two) (i32.const 9)))
            (table.set $i (i32.const 1) (ref.i31 (i32.const 33)))
            (drop (table.grow $e (ref.null extern) (i32.const 3))))
        (func (export "get") (result i32 i32 i32 i32 i32 i32)
            (call_ref $t (table.get $n (i32.const 0))) (call_ref $t (table.get $n (i32.const 1)))
            (call_ref $t (table.get $n (i32.const 12))) (table.size $n)
            (i31.get_u (table.get $i (i32.const 1))) (table.size $e)))"#,
    );
}

#[test]
fn segments_dropped_and_not() {
    let ready = comes_through(
        r#"(module (memory 1) (table 5 funcref)
        (data $live "live") (data $gone "gone") (data (i32.const 0) "active") (data $empty "")
        (elem $here func $one $one) (elem $away funcref (ref.func $one) (ref.null func))
        (func $one (result i32) (i32.const 1))
        (func (export "wizer-initialize")
            (memory.init $gone (i32.const 100) (i32.const 0) (i32.const 4)) (data.drop $gone)
            (data.drop $empty)
            (table.init $away (i32.const 0) (i32.const 0) (i32.const 2)) (elem.drop $away))
        (func (export "get") (result i32 i32 i32)
            (memory.init $live (i32.const 200) (i32.const 0) (i32.const 4))
            (memory.init $gone (i32.const 0) (i32.const 0) (i32.const 0))
            (table.init $here (i32.const 3) (i32.const 1) (i32.const 1))
            (i32.load (i32.const 100)) (i32.load (i32.const 200))
            (call_indirect (result i32) (i32.const 3)))
        (func (export "from_data") (memory.init $gone (i32.const 0) (i32.const 0) (i32.const 1)))
        (func (export "from_elem") (table.init $away (i32.const 0) (i32.const 0) (i32.const 1)))
        (func (export "drop_live") (data.drop $live) (elem.drop $here)))"#,
    );
    let mut guest = Guest::new(&Engine::default(), &ready);
    assert_eq!(guest.call("from_data", &[]), "wasm trap: out of bounds memory access");
    assert_eq!(guest.call("from_elem", &[]), "wasm trap: out of bounds table access");
    assert_eq!(guest.call("drop_live", &[]), "[]");
    assert!(guest.call("get", &[]).contains("out of bounds"));
}

#[test]
fn segments_are_told_apart_without_memory_and_tables() {
    let ready = comes_through(
        r#"(module (type $bytes (array i8)) (type $funcs (array funcref))
        (data $a "a") (data $b "b") (elem $c func $one) (elem $d func $one)
        (func $one)
        (func (export "wizer-initialize") (data.drop $b) (elem.drop $d))
        (func (export "get") (result i32)
            (i32.add (array.len (array.new_data $bytes $a (i32.const 0) (i32.const 1)))
                (array.len (array.new_elem $funcs $c (i32.const 0) (i32.const 1)))))
        (func (export "b") (drop (array.new_data $bytes $b (i32.const 0) (i32.const 1))))
        (func (export "d") (drop (array.new_elem $funcs $d (i32.const 0) (i32.const 1)))))"#,
    );
    let mut guest = Guest::new(&Engine::default(), &ready);
    assert!(guest.call("b", &[]).contains("out of bounds"));
    assert!(guest.call("d", &[]).contains("out of bounds"));
}

#[test]
fn unchangeable_objects_and_what_refers_to_nothing_stay() {
    comes_through(
        r#"(module (type $s (struct (field i32))) (type $a (array i64))
        (global $s (ref $s) (struct.new $s (i32.const 8)))
        (global $a (ref null $a) (array.new_fixed $a 2 (i64.const 1) (i64.const 2)))
        (global $i i31ref (ref.i31 (i32.const 4)))
        (tag $t) (global $x (mut exnref) (ref.null exn))
        (func (export "wizer-initialize"))
        (func (export "get") (result i32 i64 i32)
            (struct.get $s 0 (global.get $s)) (array.get $a (global.get $a) (i32.const 1))
            (i31.get_u (global.get $i))))"#,
    );
}

#[test]
fn start_and_initialize_run_once_and_first() {
    let text = r#"(module (global $log (mut i32) (i32.const 0))
        (func $note (param i32) (global.set $log
            (i32.add (i32.mul (global.get $log) (i32.const 10)) (local.get 0))))
        (start $start) (func $start (call $note (i32.const 1)))
        (func (export "_initialize") (call $note (i32.const 2)))
        (func (export "wizer-initialize") (call $note (i32.const 3)))
        (func (export "log") (result i32) (global.get $log)))"#;
    let engine = Engine::default();
    let mut guest = Guest::new(&engine, &initialised(&Preinit::new(), text).unwrap());
    assert_eq!(guest.call("log", &[]), "[I32(123)]");
    assert_eq!(guest.exports(), ["log"]);
    let mut only = Preinit::new();
    only.init_func("_initialize");
    let mut guest = Guest::new(&engine, &initialised(&only, text).unwrap());
    assert_eq!(guest.call("log", &[]), "[I32(12)]");
    assert_eq!(guest.exports(), ["wizer-initialize", "log"]);
    let mut kept = Preinit::new();
    kept.keep_init_func(true);
    let mut guest = Guest::new(&engine, &initialised(&kept, text).unwrap());
    assert_eq!(guest.exports(), ["wizer-initialize", "log"]);
}

#[test]
fn exports_are_renamed() {
    let text = r#"(module (memory (export "memory") 1)
        (func (export "wizer.initialize")) (func (export "_start") unreachable)
        (func (export "wizer.resume")))"#;
    let mut preinit = Preinit::new();
    preinit.rename_func("_start", "wizer.resume");
    let mut guest = Guest::new(&Engine::default(), &initialised(&preinit, text).unwrap());
    assert_eq!(guest.exports(), ["memory", "_start"]);
    assert_eq!(guest.call("_start", &[]), "[]");
    preinit.rename_func("_start", "wizer.initialize");
    let twice = initialised(&preinit, text).unwrap_err().to_string();
    assert!(twice.contains("cannot both be renamed `_start`"), "{twice}");
    let mut missing = Preinit::new();
    missing.rename_func("a", "memory");
    let missing = initialised(&missing, text).unwrap_err().to_string();
    assert!(missing.contains("no function is exported as `memory`"), "{missing}");
}

#[test]
fn functions_that_only_code_and_the_initializers_export_named_can_still_be_referred_to() {
    comes_through(
        r#"(module (func $init (export "wizer-initialize"))
        (func (export "get") (result i32) (ref.is_null (ref.func $init))))"#,
    );
}

#[test]
fn code_names_and_debug_information_stay_as_they_are() {
    let wasm = binary(
        r#"(module $m (memory 1) (data $bytes "bytes") (table 1 funcref) (elem $elem func $f)
        (@custom ".debug_info" (after code) "debug") (@custom "sourceMappingURL" "x")
        (@custom "first" (before first) "1")
        (func $f (export "wizer-initialize")
            (i32.store (i32.const 0) (i32.const 7)) (data.drop $bytes))
        (func $g (export "g") (param $p i32) unreachable))"#,
    );
    let engine = Engine::default();
    let ready =
        Preinit::new().run(&mut Store::new(&engine, ()), &Linker::new(&engine), &wasm).unwrap();
    let section = |bytes: &[u8], wanted: u8| {
        let payloads = wasmparser::Parser::new(0).parse_all(bytes).map(Result::unwrap);
        let mut sections = payloads.filter_map(|payload| payload.as_section());
        let (_, range) = sections.find(|(id, _)| *id == wanted).unwrap();
        bytes[range.start as usize..range.end as usize].to_vec()
    };
    for id in [1, 3, 10] {
        assert_eq!(section(&wasm, id), section(&ready, id), "section {id}");
    }
    let payloads = wasmparser::Parser::new(0).parse_all(&ready).map(Result::unwrap);
    let customs: Vec<_> = payloads
        .filter_map(|payload| match payload {
            wasmparser::Payload::CustomSection(custom) => Some(custom.name().to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(customs, ["first", ".debug_info", "name"]);
    let text = String::from_utf8_lossy(&ready);
    assert!(!text.contains("bytes") && !text.contains("elem"), "names of segments are gone");
    let mut guest = Guest::new(&engine, &ready);
    let func = guest.instance.get_func(&mut guest.store, "g").unwrap();
    let error = func.call(&mut guest.store, &[Val::I32(0)], &mut []).unwrap_err();
    assert!(format!("{error:?}").contains(" - g"), "{error:?}");
}

#[test]
fn plain_modules_stay_plain() {
    // The first version of WebAssembly, and of what came later nothing.
    let ready = initialised(
        &Preinit::new(),
        r#"(module (table 3 funcref) (elem (i32.const 1) $f $f) (memory 1)
        (global $g (mut f64) (f64.const 0))
        (func $f) (func (export "wizer-initialize")
            (f64.store (i32.const 5) (f64.const 1.5)) (global.set $g (f64.const 2.5))))"#,
    );
    let mut validator = wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::MVP);
    validator.validate_all(&ready.unwrap()).unwrap();
}

#[test]
fn initialising_twice_is_initialising_once() {
    let text = r#"(module (memory 1) (table 9 funcref) (global $g (mut i32) (i32.const 0))
        (elem (i32.const 1) $f) (data "passive") (func $f)
        (func (export "wizer-initialize")
            (global.set $g (i32.const 1)) (i32.store8 (i32.const 70) (i32.const 1))
            (table.set (i32.const 7) (ref.func $f)) (data.drop 0)))"#;
    let engine = Engine::default();
    let once = initialised(&Preinit::new(), text).unwrap();
    // Nothing is left to be run, so only the state is taken again.
    let mut store = Store::new(&engine, ());
    let preinit = Preinit::new();
    let prepared = preinit.prepare(&engine, &once).unwrap();
    let instance = prepared.start(&mut store, &Linker::new(&engine)).unwrap();
    let twice = prepared.finish(&mut store, instance).unwrap();
    assert!(once == twice);
    assert_eq!(Module::new(&engine, &twice).unwrap().exports().len(), 0);
}
