//! A program as a module in the text format.

use super::{LOCALS, SHARED, Step};
use std::fmt::Write;

/// Types, what is shared, and the functions that are the same in every program. They say in
/// WebAssembly what `model` says in Rust.
const HEAD: &str = r#"(module
  (import "host" "collect" (func $collect))
  (rec
    (type $node (sub (struct
      (field $number (mut i64)) (field $any (mut eqref)) (field $next (mut (ref null $node))))))
    (type $leaf (sub final $node (struct
      (field $number (mut i64)) (field $any (mut eqref)) (field $next (mut (ref null $node)))
      (field $more (mut i32))))))
  (type $refs (array (mut eqref)))
  (type $bytes (array (mut i8)))
  (global $n (mut i64) (i64.const 1))
  (table $shared 3 eqref)
  (func $mix (param $value i64)
    (global.set $n (i64.xor (local.get $value)
      (i64.rotl (i64.mul (global.get $n) (i64.const 0x9e3779b97f4a7c15)) (i64.const 13)))))
  (func $mixed (param $sum i64) (param $value i64) (result i64)
    (i64.add (i64.mul (local.get $sum) (i64.const 31)) (local.get $value)))
  (func $node_or_null (param $r eqref) (result (ref null $node))
    (block $no (result eqref)
      (return (br_on_cast_fail $no eqref (ref $node) (local.get $r))))
    (drop) (ref.null $node))
  (func $digest (param $r eqref) (param $depth i32) (result i64)
    (local $sum i64) (local $node (ref null $node)) (local $refs (ref null $refs))
    (local $bytes (ref null $bytes)) (local $i i32)
    (if (ref.is_null (local.get $r)) (then (return (i64.const 3))))
    (if (ref.test (ref i31) (local.get $r))
      (then (return (call $mixed (i64.const 5)
        (i64.extend_i32_s (i31.get_s (ref.cast (ref i31) (local.get $r))))))))
    (if (ref.test (ref $node) (local.get $r))
      (then
        (local.set $node (ref.cast (ref $node) (local.get $r)))
        (local.set $sum (call $mixed (i64.const 7) (struct.get $node $number (local.get $node))))
        (local.set $sum (call $mixed (local.get $sum)
          (if (result i64) (ref.test (ref $leaf) (local.get $node))
            (then (i64.extend_i32_u
              (struct.get $leaf $more (ref.cast (ref $leaf) (local.get $node)))))
            (else (i64.const 1)))))
        (if (local.get $depth)
          (then
            (local.set $depth (i32.sub (local.get $depth) (i32.const 1)))
            (local.set $sum (call $mixed (local.get $sum)
              (call $digest (struct.get $node $any (local.get $node)) (local.get $depth))))
            (local.set $sum (call $mixed (local.get $sum)
              (call $digest (struct.get $node $next (local.get $node)) (local.get $depth))))))
        (return (local.get $sum))))
    (if (ref.test (ref $refs) (local.get $r))
      (then
        (local.set $refs (ref.cast (ref $refs) (local.get $r)))
        (local.set $sum (call $mixed (i64.const 11)
          (i64.extend_i32_u (array.len (local.get $refs)))))
        (block $done
          (br_if $done (i32.eqz (local.get $depth)))
          (loop $more
            (br_if $done (i32.ge_u (local.get $i) (i32.const 4)))
            (br_if $done (i32.ge_u (local.get $i) (array.len (local.get $refs))))
            (local.set $sum (call $mixed (local.get $sum)
              (call $digest (array.get $refs (local.get $refs) (local.get $i))
                (i32.sub (local.get $depth) (i32.const 1)))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br $more)))
        (return (local.get $sum))))
    (local.set $bytes (ref.cast (ref $bytes) (local.get $r)))
    (local.set $sum (call $mixed (i64.const 13)
      (i64.extend_i32_u (array.len (local.get $bytes)))))
    (block $done
      (loop $more
        (br_if $done (i32.ge_u (local.get $i) (array.len (local.get $bytes))))
        (local.set $sum (call $mixed (local.get $sum)
          (i64.extend_i32_u (array.get_u $bytes (local.get $bytes) (local.get $i)))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $more)))
    (local.get $sum))
  (func $read (param $from eqref) (param $else eqref) (param $place i32) (result eqref)
    (local $len i32)
    (if (ref.test (ref $node) (local.get $from))
      (then
        (if (i32.and (local.get $place) (i32.const 1))
          (then (return (struct.get $node $next (ref.cast (ref $node) (local.get $from))))))
        (return (struct.get $node $any (ref.cast (ref $node) (local.get $from))))))
    (if (ref.test (ref $refs) (local.get $from))
      (then
        (local.set $len (array.len (ref.cast (ref array) (local.get $from))))
        (if (local.get $len)
          (then (return (array.get $refs (ref.cast (ref $refs) (local.get $from))
            (i32.rem_u (local.get $place) (local.get $len))))))))
    (if (ref.test (ref $bytes) (local.get $from))
      (then
        (local.set $len (array.len (ref.cast (ref array) (local.get $from))))
        (if (local.get $len)
          (then (call $mix (i64.extend_i32_u
            (array.get_u $bytes (ref.cast (ref $bytes) (local.get $from))
              (i32.rem_u (local.get $place) (local.get $len)))))))))
    (local.get $else))
  (func $write (param $to eqref) (param $place i32) (param $value eqref)
    (local $node (ref null $node)) (local $len i32)
    (if (ref.test (ref $node) (local.get $to))
      (then
        (local.set $node (ref.cast (ref $node) (local.get $to)))
        (struct.set $node $number (local.get $node) (global.get $n))
        (if (i32.and (local.get $place) (i32.const 1))
          (then (struct.set $node $next (local.get $node)
            (call $node_or_null (local.get $value))))
          (else (struct.set $node $any (local.get $node) (local.get $value))))))
    (if (ref.test (ref $refs) (local.get $to))
      (then
        (local.set $len (array.len (ref.cast (ref array) (local.get $to))))
        (if (local.get $len)
          (then (array.set $refs (ref.cast (ref $refs) (local.get $to))
            (i32.rem_u (local.get $place) (local.get $len)) (local.get $value))))))
    (if (ref.test (ref $bytes) (local.get $to))
      (then
        (local.set $len (array.len (ref.cast (ref array) (local.get $to))))
        (if (local.get $len)
          (then (array.set $bytes (ref.cast (ref $bytes) (local.get $to))
            (i32.rem_u (local.get $place) (local.get $len))
            (i32.wrap_i64 (global.get $n))))))))
  (func $elements (param $to eqref) (param $from eqref) (param $place i32)
    (local $count i32) (local $room i32)
    (if (i32.eqz (ref.test (ref $refs) (local.get $to))) (then (return)))
    (if (i32.eqz (ref.test (ref $refs) (local.get $from))) (then (return)))
    (local.set $count (array.len (ref.cast (ref $refs) (local.get $from))))
    (if (i32.lt_u (local.get $count) (local.get $place)) (then (return)))
    (local.set $count (i32.sub (local.get $count) (local.get $place)))
    (local.set $room (array.len (ref.cast (ref $refs) (local.get $to))))
    (if (i32.gt_u (local.get $count) (local.get $room))
      (then (local.set $count (local.get $room))))
    (array.copy $refs $refs
      (ref.cast (ref $refs) (local.get $to)) (i32.const 0)
      (ref.cast (ref $refs) (local.get $from)) (local.get $place) (local.get $count)))
"#;

pub(super) fn module(functions: &[Vec<Step>]) -> String {
    let mut text = HEAD.to_string();
    let mut out = |line: std::fmt::Arguments<'_>| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {line}");
    };
    for place in 0..SHARED {
        out(format_args!("(global $g{place} (mut eqref) (ref.null eq))"));
    }
    for (place, steps) in functions.iter().enumerate() {
        out(format_args!("(func $f{place} (param $r0 eqref) (param $r1 eqref) (result eqref)"));
        for local in 2..LOCALS {
            out(format_args!("(local $r{local} eqref)"));
        }
        for counter in 0..3 {
            out(format_args!("(local $i{counter} i32)"));
        }
        out(format_args!("{}", body(steps, 0)));
        out(format_args!("(local.get $r2))"));
    }
    out(format_args!("(func (export \"run\") (result i64)"));
    out(format_args!(
        "(call $mix (call $digest (call $f0 (ref.null eq) (ref.null eq)) (i32.const 4)))"
    ));
    for place in 0..SHARED {
        out(format_args!("(call $mix (call $digest (global.get $g{place}) (i32.const 4)))"));
    }
    for place in 0..SHARED {
        out(format_args!(
            "(call $mix (call $digest (table.get $shared (i32.const {place})) (i32.const 4)))"
        ));
    }
    out(format_args!("(global.get $n)))"));
    text
}

fn body(steps: &[Step], depth: usize) -> String {
    steps.iter().map(|step| line(step, depth)).collect::<Vec<_>>().join("\n  ")
}

fn line(step: &Step, depth: usize) -> String {
    let r = |local: &u64| format!("(local.get $r{local})");
    match step {
        Step::Node { to, any, next } => format!(
            "(local.set $r{to} (struct.new $node (global.get $n) {} (call $node_or_null {})))",
            r(any),
            r(next)
        ),
        Step::Leaf { to, any, next } => format!(
            "(local.set $r{to} (struct.new $leaf (global.get $n) {} (call $node_or_null {}) \
             (i32.wrap_i64 (global.get $n))))",
            r(any),
            r(next)
        ),
        Step::Refs { to, of, length } => {
            format!("(local.set $r{to} (array.new $refs {} (i32.const {length})))", r(of))
        }
        Step::Three { to, of } => format!(
            "(local.set $r{to} (array.new_fixed $refs 3 {} {} {}))",
            r(&of[0]),
            r(&of[1]),
            r(&of[2])
        ),
        Step::Bytes { to, length } => format!(
            "(local.set $r{to} (array.new $bytes (i32.wrap_i64 (global.get $n)) (i32.const {length})))"
        ),
        Step::Small { to } => {
            format!("(local.set $r{to} (ref.i31 (i32.wrap_i64 (global.get $n))))")
        }
        Step::Null { to } => format!("(local.set $r{to} (ref.null eq))"),
        Step::Copy { to, from } => format!("(local.set $r{to} {})", r(from)),
        Step::Read { to, from, place } => {
            format!("(local.set $r{to} (call $read {} {} (i32.const {place})))", r(from), r(to))
        }
        Step::Write { to, place, value } => {
            format!("(call $write {} (i32.const {place}) {})", r(to), r(value))
        }
        Step::Elements { to, from, place } => {
            format!("(call $elements {} {} (i32.const {place}))", r(to), r(from))
        }
        Step::Look { at } => format!("(call $mix (call $digest {} (i32.const 1)))", r(at)),
        Step::Same { a, b } => {
            format!("(call $mix (i64.extend_i32_u (ref.eq {} {})))", r(a), r(b))
        }
        Step::Share { from, place, in_table: true } => {
            format!("(table.set $shared (i32.const {place}) {})", r(from))
        }
        Step::Share { from, place, .. } => format!("(global.set $g{place} {})", r(from)),
        Step::Fetch { to, place, in_table: true } => {
            format!("(local.set $r{to} (table.get $shared (i32.const {place})))")
        }
        Step::Fetch { to, place, .. } => format!("(local.set $r{to} (global.get $g{place}))"),
        Step::Call { to, function, a, b } => {
            format!("(local.set $r{to} (call $f{function} {} {}))", r(a), r(b))
        }
        Step::Repeat { times, steps } => {
            let body = body(steps, depth + 1);
            format!(
                "(local.set $i{depth} (i32.const {times}))\n  (loop $again{depth}\n  {body}\n  \
                 (br_if $again{depth} (local.tee $i{depth} \
                 (i32.sub (local.get $i{depth}) (i32.const 1)))))"
            )
        }
        Step::Either { odd, even } => {
            let (odd, even) = (body(odd, depth + 1), body(even, depth + 1));
            format!(
                "(if (i32.wrap_i64 (i64.and (global.get $n) (i64.const 1)))\n  \
                 (then {odd})\n  (else {even}))"
            )
        }
        Step::Collect => "(call $collect)".to_string(),
    }
}
