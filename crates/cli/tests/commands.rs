//! `inspect`, `disas`, `validate`, `wast` and `--invoke`.

#[path = "place/scratch.rs"]
mod place;
use place::{ADD, ECHO, Place};

#[test]
fn inspect_shows_what_a_module_has_and_wants() {
    let place = Place::new("commands-inspect");
    place.module("echo.wasm", ECHO);
    let out = place.run(&["inspect", "echo.wasm"]).ok();
    for words in ["`fd_write`", "`_start`: func () -> ()", "memory 4", "code", "arguments"] {
        assert!(out.contains(words), "{words} in {out}");
    }
    place.file(
        "big.wat",
        "(module (memory i64 1 2) (table 3 funcref) (func (result v128) (v128.const i64x2 0 0)))",
    );
    let out = place.run(&["inspect", "big.wat"]).ok();
    for words in ["memory i64 1 2", "table 3 funcref", "simd", "memory64"] {
        assert!(out.contains(words), "{words} in {out}");
    }
}

#[test]
fn inspect_speaks_json_about_modules_and_artifacts() {
    let place = Place::new("commands-json");
    place.module("echo.wasm", ECHO);
    place.run(&["compile", "echo.wasm"]).ok();
    for (file, kind) in [("echo.wasm", "module"), ("echo.cwasm", "artifact")] {
        let json: serde_json::Value =
            serde_json::from_str(&place.run(&["inspect", "--json", file]).ok()).unwrap();
        assert_eq!(json["kind"], kind);
        assert_eq!(json["imports"][0]["module"], "wasi_snapshot_preview1");
        assert_eq!(json["functions"]["imported"], 4);
        assert_eq!(json["functions"]["defined"], 1);
    }
    let size =
        |file| place.run(&["inspect", "--code-size", file]).ok().trim().parse::<u64>().unwrap();
    assert!(size("echo.wasm") > 0);
    assert_eq!(size("echo.wasm"), size("echo.cwasm"));
}

#[test]
fn disas_shows_one_function_or_all_in_three_forms() {
    let place = Place::new("commands-disas");
    place.file(
        "two.wat",
        r#"(module (import "a" "b" (func))
        (func $first (result i32) i32.const 7) (func $second (export "two")))"#,
    );
    let all = place.run(&["disas", "two.wat"]).ok();
    assert!(all.contains("function 1 `first`") && all.contains("function 2 `second`"), "{all}");
    for wanted in ["1", "first"] {
        let one = place.run(&["disas", "--function", wanted, "two.wat"]).ok();
        assert!(one.contains("first") && !one.contains("second"), "{one}");
    }
    assert!(
        place.run(&["disas", "--clif", "--function", "two", "two.wat"]).ok().contains("block0")
    );
    assert!(place.run(&["disas", "--walk", "two.wat"]).ok().contains("return"));
    place.run(&["disas", "--function", "0", "two.wat"]).fails(1, "imported");
    place.run(&["disas", "--function", "9", "two.wat"]).fails(1, "the last is 2");
    place.run(&["disas", "--function", "frist", "two.wat"]).fails(1, "did you mean `first`?");
    place
        .run(&["disas", "--walk", "--clif", "two.wat"])
        .fails(2, "'--walk' cannot be used with '--clif'");
}

#[test]
fn validate_looks_at_every_file() {
    let place = Place::new("commands-validate");
    place.file("good.wat", ADD);
    place.file("bad.wat", "(module (func (result i32)))");
    assert_eq!(place.run(&["validate", "good.wat", "good.wat"]).ok(), "");
    let done = place.run(&["validate", "bad.wat", "absent.wat", "good.wat"]).fails(1, "bad.wat");
    assert!(done.err.contains("absent.wat"), "{done:?}");
}

#[test]
fn wast_runs_every_script() {
    let place = Place::new("commands-wast");
    let good =
        format!("{ADD} (assert_return (invoke \"add\" (i32.const 1) (i32.const 2)) (i32.const 3))");
    place.file("good.wast", &good);
    place.file("bad.wast", good.replace("(i32.const 3))", "(i32.const 4))"));
    assert!(place.run(&["wast", "good.wast"]).ok().contains("1 assertion holds"));
    let done = place.run(&["wast", "bad.wast", "good.wast"]).fails(1, "bad.wast:");
    assert!(done.out.contains("good.wast"), "{done:?}");
}

#[test]
fn invoke_takes_and_prints_values_of_every_kind() {
    let place = Place::new("commands-invoke");
    place.file(
        "values.wat",
        r#"(module
        (func (export "i64") (param i64) (result i64) local.get 0)
        (func (export "f32") (param f32) (result f32) local.get 0)
        (func (export "f64") (param f64) (result f64) local.get 0)
        (func (export "v128") (param v128) (result v128) local.get 0)
        (func (export "null") (param externref) (result externref) local.get 0)
        (func (export "two") (result i32 f64) i32.const -1 f64.const 0.5)
        (func (export "trap") unreachable))"#,
    );
    for (name, value, shown) in [
        ("i64", "-9223372036854775808", "-9223372036854775808"),
        ("i64", "0xffffffffffffffff", "-1"),
        ("f32", "1.5", "1.5"),
        ("f64", "-inf", "-inf"),
        ("v128", "0x1", "0x00000000000000000000000000000001"),
        ("null", "null", "null"),
    ] {
        let out = place.run(&["--invoke", name, "values.wat", value]).ok();
        assert_eq!(out, format!("{shown}\n"), "{name} {value}");
    }
    assert_eq!(place.run(&["--invoke", "two", "values.wat"]).ok(), "-1\n0.5\n");
    place.run(&["--invoke", "trap", "values.wat"]).fails(134, "unreachable");
}

#[test]
fn a_library_is_initialized_before_it_is_called() {
    let place = Place::new("commands-initialize");
    place.file(
        "reactor.wat",
        r#"(module (global $g (mut i32) (i32.const 0))
        (func (export "_initialize") (global.set $g (i32.const 5)))
        (func (export "get") (result i32) (global.get $g)))"#,
    );
    assert_eq!(place.run(&["--invoke", "get", "reactor.wat"]).ok(), "5\n");
}

#[test]
fn the_example_greets_whom_it_is_told_to() {
    let place = Place::new("commands-seal");
    let seal = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/seal.wat");
    let out = place.run(&[seal]).ok();
    assert!(out.contains("Hello, world!") && out.contains("=.Y.="), "{out}");
    assert_eq!(out.lines().count(), 12);
    let out = place.run(&[seal, "Ada\x1b[2J"]).ok();
    assert!(out.contains("Hello, Ada?[2J!"), "{out}");
}
