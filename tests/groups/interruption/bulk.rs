//! Instructions that handle very much at once.

use super::{Guest, ends_in_time, engine, module};

/// An instruction, again and again: each of them alone takes longer than a guest may be late.
fn again_and_again(instruction: &str) -> String {
    format!("(loop $l {instruction} (br $l))")
}

#[test]
fn bulk_instructions_on_memory_end() {
    // Pages that are only read show the page of zeros: little of this is ever resident.
    let fill = again_and_again("(memory.fill (i32.const 0) (i32.const 1) (i32.const -1))");
    ends_in_time("memory.fill of 4 GiB", &module("(memory 65536)", &fill));
    for (what, to, from) in
        [("up", "(i32.const 0)", "(i32.const 4096)"), ("down", "(i32.const 4096)", "(i32.const 0)")]
    {
        let copy = again_and_again(&format!("(memory.copy {to} {from} (i32.const 0x7ff00000))"));
        ends_in_time(&format!("memory.copy {what}"), &module("(memory 32768)", &copy));
    }
    let fill = again_and_again("(memory.fill (i64.const 0) (i32.const 1) (i64.const 0x180000000))");
    ends_in_time("memory.fill with 64 bits", &module("(memory i64 98304)", &fill));
}

#[test]
fn what_was_filled_before_an_interruption_stays() {
    let engine = engine();
    let text = module(
        "(memory (export \"memory\") 32768)",
        "(memory.fill (i32.const 65536) (i32.const 1) (i32.const 0x7ff00000))",
    );
    let mut guest = Guest::new(&engine, &text);
    guest.lateness();
    let memory = guest.instance.get_memory(&mut guest.store, "memory").unwrap();
    let bytes = memory.data(&guest.store);
    // In order: ones, and behind them what was there before.
    let end = bytes[65536..].partition_point(|byte| *byte == 1) + 65536;
    assert!(end > 65536 && end < bytes.len(), "{end}");
    assert!(bytes[..65536].iter().all(|byte| *byte == 0));
    assert_eq!((bytes[end - 1], bytes[end], bytes[bytes.len() - 1]), (1, 0, 0));
}

#[test]
fn growing_a_memory_that_moves_ends() {
    // Each growth beyond the room that there is moves all of it.
    let text = module(
        "(memory i64 4096)",
        "(memory.fill (i64.const 0) (i32.const 1) (i64.const 0x4000000))
         (loop $l (br_if $l (i64.ne (memory.grow (i64.const 40)) (i64.const -1))))
         (loop $l (br $l))",
    );
    ends_in_time("memory.grow", &text);
}

#[test]
fn bulk_instructions_on_tables_end() {
    let fill = "(table.fill $t (i32.const 0) (ref.func $f) (i32.const 9000000))";
    let items = "(table $t 9000000 funcref) (func $f) (elem declare func $f)";
    ends_in_time("table.fill of functions", &module(items, &again_and_again(fill)));
    let copy = "(table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 8999999))";
    ends_in_time("table.copy of functions", &module(items, &again_and_again(copy)));
    let fill = "(table.fill $t (i32.const 0) (ref.i31 (i32.const 1)) (i32.const 9000000))";
    let items = "(table $t 9000000 anyref)";
    ends_in_time("table.fill of objects", &module(items, &again_and_again(fill)));
    let grow = "(drop (table.grow $t (ref.func $f) (i32.const 9000000)))";
    let items = "(table $t 0 funcref) (func $f) (elem declare func $f)";
    let run = format!("{grow} (loop $l (br $l))");
    ends_in_time("table.grow", &module(items, &run));
    let many = " $f".repeat(100_000);
    let items = format!("(table $t 100000 funcref) (func $f) (elem $e func {many})");
    let init = "(table.init $t $e (i32.const 0) (i32.const 0) (i32.const 100000))";
    ends_in_time("table.init", &module(&items, &again_and_again(init)));
}

#[test]
fn a_table_whose_growth_was_interrupted_is_filled_as_far_as_it_goes() {
    let engine = engine();
    let text = module(
        "(table $t (export \"t\") 0 funcref) (func $f) (elem declare func $f)
         (func (export \"ok\") (result i32) (local $i i32)
            (local.set $i (table.size $t))
            (loop $l
                (if (i32.eqz (local.get $i)) (then (return (i32.const 1))))
                (local.set $i (i32.sub (local.get $i) (i32.const 1)))
                (br_if $l (i32.eqz (ref.is_null (table.get $t (local.get $i))))))
            (i32.const 0))",
        "(drop (table.grow $t (ref.func $f) (i32.const 9000000))) (loop $l (br $l))",
    );
    let mut guest = Guest::new(&engine, &text);
    guest.lateness();
    guest.store.set_deadline(None::<std::time::Instant>).unwrap();
    assert_eq!(guest.call("ok").unwrap(), 1);
    let table = guest.instance.get_table(&mut guest.store, "t").unwrap();
    assert!(table.size(&guest.store) > 0);
}

#[test]
fn bulk_instructions_on_arrays_end() {
    let items =
        "(type $a (array (mut i8))) (type $w (array (mut i64))) (type $r (array (mut anyref)))
        (global $a (mut (ref null $a)) (ref.null $a))";
    let with = |ty: &str, length: u32, body: &str| {
        format!(
            "(local $x (ref ${ty}))
             (local.set $x (array.new_default ${ty} (i32.const {length})))
             {}",
            again_and_again(body)
        )
    };
    let length = 100_000_000;
    let fill =
        format!("(array.fill $a (local.get $x) (i32.const 0) (i32.const 1) (i32.const {length}))");
    ends_in_time("array.fill of bytes", &module(items, &with("a", length, &fill)));
    for (what, to, from) in [("up", 0, 1), ("down", 1, 0)] {
        let copy = format!(
            "(array.copy $a $a (local.get $x) (i32.const {to})
                (local.get $x) (i32.const {from}) (i32.const {}))",
            length - 1
        );
        let what = format!("array.copy of bytes {what}");
        ends_in_time(&what, &module(items, &with("a", length, &copy)));
    }
    let length = 10_000_000;
    let fill =
        format!("(array.fill $w (local.get $x) (i32.const 0) (i64.const 1) (i32.const {length}))");
    ends_in_time("array.fill of words", &module(items, &with("w", length, &fill)));
    let fill = format!(
        "(array.fill $r (local.get $x) (i32.const 0) (ref.i31 (i32.const 1)) (i32.const {length}))
         (array.copy $r $r (local.get $x) (i32.const 0) (local.get $x) (i32.const 1)
            (i32.const {}))",
        length - 1
    );
    ends_in_time(
        "array.fill and array.copy of references",
        &module(items, &with("r", length, &fill)),
    );
    let new = format!("(drop (array.new $w (i64.const 1) (i32.const {length})))");
    ends_in_time("array.new", &module(items, &again_and_again(&new)));
}

#[test]
fn strings_end() {
    let length = 50_000_000;
    let text = module(
        "(type $a (array (mut i16)))
         (import \"wasm:js-string\" \"fromCharCodeArray\"
            (func $from (param (ref null $a) i32 i32) (result (ref extern))))
         (import \"wasm:js-string\" \"concat\"
            (func $concat (param externref externref) (result (ref extern))))
         (import \"wasm:js-string\" \"charCodeAt\" (func $at (param externref i32) (result i32)))
         (import \"wasm:js-string\" \"equals\"
            (func $equals (param externref externref) (result i32)))",
        &format!(
            "(local $a (ref $a)) (local $s externref)
             (local.set $a (array.new $a (i32.const 0x100) (i32.const {length})))
             (loop $l
                (local.set $s (call $from (local.get $a) (i32.const 0) (i32.const {length})))
                (local.set $s (call $concat (local.get $s) (local.get $s)))
                (drop (call $at (local.get $s) (i32.const 5)))
                (drop (call $equals (local.get $s)
                    (call $concat (local.get $s) (ref.null extern)))) 
                (br $l))"
        )
        .replace("(ref.null extern)", "(call $from (local.get $a) (i32.const 0) (i32.const 0))"),
    );
    ends_in_time("strings of many units", &text);
}
