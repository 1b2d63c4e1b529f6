//! Where references lie while calls are under way: what the stack maps of compiled code say, and
//! how often references are written and read back.

#[path = "compiled/build.rs"]
mod compiled;

use compiled::{clif, compile, disassembly, linked};
use selkie_compile::Tuning;
use selkie_compile::driver::CompiledFunc;
use selkie_module::frames::check::check;

/// Types, a function that may collect, and the function in question, which comes first.
fn module(func: &str) -> String {
    format!(
        "(module
            (type $cell (struct (field $head i32) (field $tail (mut (ref null $cell)))))
            (type $numbers (array (mut i64)))
            {func}
            (func $other (param (ref null $cell)) (result (ref null $cell))
                (loop $l (br_if $l (i32.const 0))) (local.get 0)))"
    )
}

fn first(func: &str) -> CompiledFunc {
    compile(&module(func), Tuning::default()).swap_remove(0)
}

/// The number of references in each map.
fn kept(func: &str) -> Vec<usize> {
    first(func).stack_maps.iter().map(|map| map.slots.len()).collect()
}

/// How often references are read back from their slots.
fn read_back(func: &str) -> usize {
    let text = clif(&module(func), Tuning::default());
    let region = text.lines().find(|line| line.contains("references in frames"));
    let region = region.and_then(|line| line.trim().split(' ').next()).unwrap_or("none");
    text.lines()
        .filter(|line| line.contains("load.i64") && line.contains(&format!(" {region} ")))
        .count()
}

#[test]
fn functions_without_calls_have_no_maps_and_no_slots() {
    let func = "(func (param (ref null $cell)) (result i32) (local $n i32)
        (loop $l
            (local.set $n (i32.add (local.get $n) (struct.get $cell $head (local.get 0))))
            (local.set 0 (struct.get $cell $tail (local.get 0)))
            (br_if $l (i32.eqz (ref.is_null (local.get 0)))))
        (local.get $n))";
    assert!(kept(func).is_empty());
    assert!(!disassembly(&module(func), Tuning::default()).contains("rsp)"));
}

#[test]
fn what_is_used_after_a_call_is_in_its_map_and_nothing_else() {
    // The argument dies in the call; the other parameter lives on.
    let func = "(func (param (ref null $cell) (ref null $cell)) (result i32)
        (drop (call $other (local.get 0)))
        (struct.get $cell $head (local.get 1)))";
    assert_eq!(kept(func), [1]);
    let unused = "(func (param (ref null $cell) (ref null $cell)) (result (ref null $cell))
        (call $other (local.get 0)))";
    assert!(kept(unused).is_empty());
}

#[test]
fn what_waits_on_the_operand_stack_is_kept_over_allocations() {
    let func = "(func (param (ref null $cell)) (result (ref $cell))
        (struct.new $cell (i32.const 1)
            (struct.new $cell (i32.const 2) (struct.new $cell (i32.const 3) (local.get 0)))))";
    // Each of the three slow paths keeps what the next allocation will hold.
    assert_eq!(kept(func).len(), 3);
    assert!(kept(func).iter().all(|slots| *slots == 1));
}

#[test]
fn numbers_and_functions_are_in_no_map() {
    let func = "(func (param i64 funcref (ref null $numbers)) (result i64)
        (drop (call $other (ref.null $cell)))
        (drop (ref.is_null (local.get 1)))
        (i64.add (local.get 0) (array.get $numbers (local.get 2) (i32.const 0))))";
    assert_eq!(kept(func), [1]);
}

#[test]
fn a_reference_is_read_back_once_after_a_call_however_often_it_is_used() {
    let func = "(func (param (ref null $cell)) (result i32) (local $i i32) (local $n i32)
        (drop (call $other (local.get 0)))
        (loop $l
            (local.set $n (i32.add (local.get $n) (struct.get $cell $head (local.get 0))))
            (local.set $n (i32.xor (local.get $n) (struct.get $cell $head (local.get 0))))
            (br_if $l (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
        (local.get $n))";
    assert_eq!(kept(func), [1]);
    assert_eq!(read_back(func), 1);
}

#[test]
fn calls_that_never_collect_keep_nothing() {
    let func = "(func (param (ref null $cell)) (result i32)
        (drop (memory.grow (i32.const 1)))
        (struct.get $cell $head (local.get 0)))";
    let text = module(func).replace("(type $cell", "(memory 1) (type $cell");
    let funcs = compile(&text, Tuning::default());
    assert!(funcs[0].stack_maps.is_empty());
}

#[test]
fn references_that_meet_after_different_calls_are_passed_on() {
    // On one way the parameter is read back, on the other it was never written.
    let func = "(func (param (ref null $cell) i32) (result i32)
        (if (local.get 1) (then (drop (call $other (ref.null $cell)))))
        (struct.get $cell $head (local.get 0)))";
    assert_eq!(kept(func), [1]);
    assert_eq!(read_back(func), 1);
}

#[test]
fn a_function_with_very_many_references_compiles_and_keeps_all_of_them() {
    const REFERENCES: usize = 700;
    let locals = "(ref null $cell) ".repeat(REFERENCES);
    let made: String = (0..REFERENCES)
        .map(|i| format!("(local.set {i} (struct.new $cell (i32.const {i}) (ref.null $cell)))\n"))
        .collect();
    let used: String = (0..REFERENCES)
        .map(|i| {
            format!(
                "(local.set $n (i32.add (local.get $n) (struct.get $cell $head (local.get {i}))))\n"
            )
        })
        .collect();
    let func = format!(
        "(func (result i32) (local {locals}) (local $n i32)
            {made} (drop (call $other (ref.null $cell))) {used} (local.get $n))"
    );
    assert_eq!(kept(&func).iter().max(), Some(&REFERENCES));
}

#[test]
fn the_tables_of_linked_code_pass_the_checker_and_damaged_ones_do_not() {
    let code = linked(&module(
        "(func (param (ref null $cell)) (result (ref null $cell))
            (struct.set $cell $tail (local.get 0) (call $other (local.get 0)))
            (call $other (local.get 0)))",
    ));
    assert_eq!(check(&code.frames, &code.funcs, &code.sites), Ok(()));
    // The return address of the first map, one further.
    let mut damaged = code.frames.clone();
    damaged[4] = damaged[4].wrapping_add(1);
    assert!(check(&damaged, &code.funcs, &code.sites).is_err());
}
