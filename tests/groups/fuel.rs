//! Fuel: equal runs consume equal amounts whatever code was made of them, a run that is given
//! exactly its sum ends as if it had more, and with less it ends with one trap, wherever it is.

// What a test builds on must be there.
#![allow(clippy::unwrap_used)]
// Loading artifacts is `unsafe`, because sound ones cannot be told from forged ones.
#![allow(unsafe_code)]

use selkie::{
    Caller, Config, Engine, Error, ErrorKind, Instance, Linker, Module, Result, Store, Trap,
};

fn metered(configure: impl FnOnce(&mut Config)) -> Engine {
    let mut config = Config::new();
    config.consume_fuel(true).compile_threads(1);
    configure(&mut config);
    Engine::new(&config).unwrap()
}

fn engine() -> Engine {
    metered(|_| {})
}

/// Choices that make other code of the same instructions, or run it otherwise.
fn engines() -> Vec<(&'static str, Engine)> {
    vec![
        ("defaults", engine()),
        (
            "without inlining",
            metered(|config| {
                config.inlining(false);
            }),
        ),
        (
            "with every check",
            metered(|config| {
                config.guard_pages(false);
            }),
        ),
        (
            "collecting always",
            metered(|config| {
                config.gc_stress(true);
            }),
        ),
        (
            "without both",
            metered(|config| {
                config.inlining(false).gc_stress(true);
            }),
        ),
    ]
}

/// What guests of this file may import.
fn linker(engine: &Engine) -> Linker<Vec<u64>> {
    let mut linker = Linker::new(engine);
    linker.func_wrap("host", "nothing", || {}).unwrap();
    let back = |mut caller: Caller<'_, Vec<u64>>, n: i32| -> Result<i32> {
        let left = caller.get_fuel()?;
        caller.data_mut().push(left);
        let instance = caller.instance().unwrap();
        let called = instance.get_typed_func::<i32, i32>(&mut caller, "called")?;
        called.call(&mut caller, n)
    };
    linker.func_wrap("host", "back", back).unwrap();
    linker
}

/// Instantiates, calls `run`, and answers the result with the fuel that is left.
fn run(engine: &Engine, module: &Module, fuel: u64, n: i32) -> (Result<i32>, u64) {
    let mut store = Store::new(engine, Vec::new());
    store.set_fuel(fuel).unwrap();
    let result = linker(engine).instantiate(&mut store, module).and_then(|instance| {
        let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
        run.call(&mut store, n)
    });
    (result, store.get_fuel().unwrap())
}

const PLENTY: u64 = 1 << 40;

/// The result and the sum of a run that has plenty.
fn measure(engine: &Engine, module: &Module, n: i32) -> (i32, u64) {
    let (result, left) = run(engine, module, PLENTY, n);
    (result.unwrap(), PLENTY - left)
}

/// The sum of a body of `run` that is given `n`.
fn sum(items: &str, body: &str, n: i32) -> u64 {
    let text = format!(
        "(module {items} (func (export \"run\") (param $n i32) (result i32) (local $i i32) {body}))"
    );
    let engine = engine();
    measure(&engine, &Module::new(&engine, &text).unwrap(), n).1
}

fn is_exhausted(result: &Result<i32>) -> bool {
    result.as_ref().is_err_and(|error| error.trap() == Some(Trap::OutOfFuel))
}

#[test]
fn an_instruction_costs_one_and_structure_nothing() {
    for (items, body, n, expected) in [
        ("", "local.get $n", 5, 1),
        ("", "nop nop local.get $n nop", 5, 1),
        ("", "block (result i32) local.get $n end", 5, 1),
        ("", "local.get $n drop i32.const 1", 5, 2),
        ("", "local.get $n return", 5, 2),
        ("", "local.get $n return i32.const 1 i32.add unreachable", 5, 2),
        ("", "local.get $n if (result i32) i32.const 1 else i32.const 2 nop end", 5, 3),
        ("", "local.get $n if (result i32) i32.const 1 nop else i32.const 2 end", 0, 3),
        ("", "local.get $n if nop end i32.const 2", 0, 3),
        ("", "block local.get $n br_if 0 i32.const 1 drop end i32.const 2", 1, 3),
        ("", "block local.get $n br_if 0 i32.const 1 drop end i32.const 2", 0, 4),
        ("", "block block local.get $n br_table 0 1 end i32.const 1 return end i32.const 2", 0, 4),
        ("", "block block local.get $n br_table 0 1 end i32.const 1 return end i32.const 2", 1, 3),
        ("(func $id (param i32) (result i32) local.get 0)", "local.get $n call $id", 5, 3),
        ("(func $n)", "call $n call $n local.get $n", 5, 3),
        ("(import \"host\" \"nothing\" (func $h))", "call $h local.get $n", 5, 2),
        ("(global $g (mut i32) i32.const 3)", "global.get $g", 5, 2),
        ("(memory 1)", "local.get $n i32.load i32.const 4 i32.load i32.add", 5, 5),
        ("(memory 1)", "i32.const 0 v128.load i32x4.extract_lane 1", 5, 3),
    ] {
        assert_eq!(sum(items, body, n), expected, "{items} {body} with {n}");
    }
}

#[test]
fn loops_cost_as_often_as_they_run() {
    let body = "loop $again local.get $i i32.const 1 i32.add local.tee $i local.get $n i32.lt_u \
                br_if $again end local.get $i";
    for n in [1, 2, 10, 1000] {
        assert_eq!(sum("", body, n), 7 * n as u64 + 1);
    }
}

#[test]
fn bulk_instructions_cost_in_proportion_to_what_they_handle() {
    const ITEMS: &str = "(memory 2) (table $t 5000 funcref) (elem $e func $f $f $f $f $f $f $f $f $f)
        (data $d \"0123456789012345678901234567890123456789012345678901234567890123456789\")
        (type $a (array (mut i32))) (type $b (array (mut i8))) (type $fs (array (mut funcref)))
        (type $rs (array (mut anyref))) (type $s (struct (field i32 i32 i32 i32 i32 i32 i32 i32 i32)))
        (func $f)";
    // What stands for `#` is the number of bytes or elements, on the stack or in place.
    let fixed = sum(ITEMS, "i32.const 0", 0);
    for (body, per_unit, max) in [
        ("(memory.fill (i32.const 0) (i32.const 1) #)", 64, 1 << 17),
        ("(memory.copy (i32.const 0) (i32.const 0) #)", 64, 1 << 17),
        ("(memory.init $d (i32.const 0) (i32.const 0) #)", 64, 70),
        ("(table.fill $t (i32.const 0) (ref.func $f) #)", 8, 5000),
        ("(table.copy $t $t (i32.const 0) (i32.const 0) #)", 8, 5000),
        ("(table.init $t $e (i32.const 0) (i32.const 0) #)", 8, 9),
        ("(drop (array.new $a (i32.const 7) #))", 8, 5000),
        ("(drop (array.new_default $a #))", 8, 5000),
        ("(drop (array.new_data $b $d (i32.const 0) #))", 8, 70),
        ("(drop (array.new_elem $fs $e (i32.const 0) #))", 8, 9),
        (
            "(array.fill $a (array.new_default $a (i32.const 5000)) (i32.const 0) (i32.const 1) #)",
            8,
            5000,
        ),
        (
            "(array.init_data $b $d (array.new_default $b (i32.const 70)) (i32.const 0) (i32.const 0) #)",
            8,
            70,
        ),
        (
            "(array.init_elem $fs $e (array.new_default $fs (i32.const 9)) (i32.const 0) (i32.const 0) #)",
            8,
            9,
        ),
        (
            "(array.copy $a $a (array.new_default $a (i32.const 5000)) (i32.const 0)
            (array.new_default $a (i32.const 5000)) (i32.const 0) #)",
            8,
            5000,
        ),
        (
            "(array.copy $rs $rs (array.new_default $rs (i32.const 5000)) (i32.const 0)
            (array.new_default $rs (i32.const 5000)) (i32.const 0) #)",
            8,
            5000,
        ),
    ] {
        let of =
            |length: &str, n| sum(ITEMS, &format!("{} i32.const 0", body.replace('#', length)), n);
        let nothing = of("(local.get $n)", 0);
        assert!(nothing > fixed, "{body}");
        for n in [1, 7, 8, 9, 63, 64, 65, 70, 128, 129, 5000, 1 << 17] {
            if n <= max {
                let expected = nothing + (n as u64).div_ceil(per_unit);
                assert_eq!(of("(local.get $n)", n), expected, "{body} with {n}");
                assert_eq!(
                    of(&format!("(i32.const {n})"), n),
                    expected,
                    "{body} with {n} in place"
                );
            }
        }
    }
    let of = |body: &str| sum(ITEMS, &format!("{body} i32.const 0"), 0) - fixed;
    assert_eq!(of("(drop (struct.new_default $s))"), 1 + 2);
    let nines = "(i32.const 1)".repeat(9);
    assert_eq!(of(&format!("(drop (array.new_fixed $a 9 {nines}))")), 9 + 1 + 2);
    assert_eq!(of("(drop (table.grow $t (ref.null func) (i32.const 9)))"), 3 + 2);
    // What does not happen costs nothing.
    assert_eq!(of("(drop (table.grow $t (ref.null func) (i32.const -1)))"), 3);
    assert_eq!(of("(drop (memory.grow (i32.const -1)))"), 2);
}

#[test]
fn instantiation_costs_its_expressions_and_segments() {
    let engine = engine();
    let consumed = |text: &str| {
        let mut store = Store::new(&engine, Vec::new());
        store.set_fuel(PLENTY).unwrap();
        linker(&engine).instantiate(&mut store, &Module::new(&engine, text).unwrap()).unwrap();
        PLENTY - store.get_fuel().unwrap()
    };
    assert_eq!(consumed("(module)"), 0);
    assert_eq!(consumed("(module (memory 100) (table 1000 funcref))"), 0);
    assert_eq!(consumed("(module (global i32 i32.const 1))"), 1);
    assert_eq!(consumed("(module (global i32 (i32.add (i32.const 1) (i32.const 2))))"), 3);
    let data = |bytes: usize| {
        consumed(&format!("(module (memory 1) (data (i32.const 0) \"{}\"))", "x".repeat(bytes)))
    };
    assert_eq!([0, 1, 64, 65, 6400].map(data), [1, 2, 2, 3, 101]);
    assert_eq!(consumed("(module (memory 1) (data \"passive\"))"), 0);
    let elems = |count: usize| {
        let functions = "$f ".repeat(count);
        consumed(&format!(
            "(module (func $f) (table 99 funcref) (elem (i32.const 0) func {functions}))"
        ))
    };
    assert_eq!([0, 1, 8, 9, 80].map(elems), [1, 2, 2, 3, 11]);
    // Also where the image of a table makes the writing lazy, and where it does not.
    let imported = "(module (import \"m\" \"t\" (table 99 funcref)) (func $f)
        (elem (i32.const 0) func $f $f $f $f $f $f $f $f $f))";
    let mut store = Store::new(&engine, Vec::new());
    let mut linker = linker(&engine);
    let exports = Module::new(&engine, "(module (table (export \"t\") 99 funcref))").unwrap();
    let exports = linker.instantiate(&mut store, &exports).unwrap();
    linker.instance(&mut store, "m", exports).unwrap();
    store.set_fuel(100).unwrap();
    linker.instantiate(&mut store, &Module::new(&engine, imported).unwrap()).unwrap();
    assert_eq!(100 - store.get_fuel().unwrap(), 3);
    assert_eq!(consumed("(module (func $f) (table 80 funcref (ref.func $f)))"), 11);
    assert_eq!(consumed("(module (table 9 anyref (ref.i31 (i32.const 1))))"), 2 + 2);
    assert_eq!(
        consumed(
            "(module (type $a (array i32)) (global (ref $a) (array.new $a (i32.const 5) (i32.const 800))))"
        ),
        3 + 100
    );
    assert_eq!(
        consumed(
            "(module (type $a (array i32)) (elem (ref $a) (array.new_default $a (i32.const 8)) (array.new_default $a (i32.const 9))))"
        ),
        4 + 1 + 2
    );
    assert_eq!(consumed("(module (func $f nop i32.const 1 drop) (start $f))"), 1);
    assert_eq!(consumed("(module (import \"host\" \"nothing\" (func $f)) (start $f))"), 0);
}

/// Programs with calls, branches, exceptions, objects: name, text.
const PROGRAMS: &[(&str, &str)] = &[
    (
        "small functions",
        r#"(module
        (func $max (param i32 i32) (result i32)
            (if (result i32) (i32.gt_s (local.get 0) (local.get 1))
                (then (local.get 0)) (else (local.get 1))))
        (func $early (param i32) (result i32)
            (if (i32.and (local.get 0) (i32.const 1)) (then (return (i32.const 1))))
            (block $out (br_if $out (i32.eqz (local.get 0))) (return (i32.const 3)))
            (i32.const 2))
        (func $both (param i32) (result i32)
            (call $max (call $early (local.get 0)) (call $early (i32.shr_u (local.get 0) (i32.const 1)))))
        (func (export "run") (param i32) (result i32) (local i32)
            (loop $again
                (local.set 1 (i32.add (local.get 1) (call $both (local.get 0))))
                (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
            (local.get 1)))"#,
    ),
    (
        "bodies that write many bytes",
        r#"(module (memory 1)
        (func $fill (memory.fill (i32.const 0) (i32.const 1) (i32.const 128)))
        (func $copy (memory.copy (i32.const 128) (i32.const 0) (i32.const 100)))
        (func $more (call $fill) (call $copy) (call $fill) (call $copy) (call $fill) (call $copy))
        (func $most (call $more) (call $more) (call $more) (call $more) (call $more) (call $more))
        (func (export "run") (param i32) (result i32)
            (call $most) (call $most) (call $more) (i32.load (i32.const 200))))"#,
    ),
    (
        "recursion",
        r#"(module
        (func $fib (export "run") (param i32) (result i32)
            (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
                (then (local.get 0))
                (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                    (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"#,
    ),
    (
        "tables and references",
        r#"(module (type $f (func (param i32) (result i32)))
        (table 3 funcref) (elem (i32.const 0) $a $b $c)
        (func $a (type $f) (i32.add (local.get 0) (i32.const 1)))
        (func $b (type $f) (call_ref $f (i32.mul (local.get 0) (i32.const 3)) (ref.func $a)))
        (func $c (type $f) (return_call_ref $f (local.get 0) (ref.func $b)))
        (func (export "run") (param i32) (result i32) (local i32)
            (loop $again
                (local.set 1 (call_indirect (type $f) (local.get 1) (i32.rem_u (local.get 0) (i32.const 3))))
                (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
            (local.get 1)))"#,
    ),
    (
        "tail calls",
        r#"(module (table 1 funcref) (elem (i32.const 0) $even)
        (func $even (export "run") (param i32) (result i32)
            (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
            (return_call $odd (i32.sub (local.get 0) (i32.const 1))))
        (func $odd (param i32) (result i32)
            (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
            (return_call_indirect (param i32) (result i32)
                (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))))"#,
    ),
    (
        "exceptions",
        r#"(module (tag $e (param i32)) (tag $x)
        (func $throw (param i32) (throw $e (local.get 0)))
        (func $maybe (param i32) (result i32)
            (block $caught (result i32)
                (try_table (catch $e $caught)
                    (if (i32.and (local.get 0) (i32.const 1)) (then (call $throw (local.get 0))))
                    (if (i32.and (local.get 0) (i32.const 2)) (then (throw $e (i32.const 7)))))
                (i32.const 3)))
        (func $again (param i32) (result i32) (local exnref)
            (block $outer (result i32 exnref)
                (block $inner (result exnref)
                    (try_table (result i32) (catch_all_ref $inner)
                        (call $throw (local.get 0)) (i32.const 1))
                    (return))
                (local.set 1)
                (try_table (result i32 exnref) (catch_ref $e $outer)
                    (throw_ref (local.get 1))))
            (drop))
        (func (export "run") (param i32) (result i32) (local i32)
            (loop $again
                (local.set 1 (i32.add (local.get 1) (call $maybe (local.get 0))))
                (local.set 1 (i32.add (local.get 1) (call $again (local.get 0))))
                (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
            (local.get 1)))"#,
    ),
    (
        "exceptions through many frames",
        r#"(module (tag $e)
        (func $down (param i32)
            (if (i32.eqz (local.get 0)) (then (throw $e)))
            (call $down (i32.sub (local.get 0) (i32.const 1)))
            (call $down (i32.const 0)))
        (func (export "run") (param i32) (result i32)
            (block $caught (try_table (catch $e $caught) (call $down (local.get 0))))
            (i32.const 1)))"#,
    ),
    (
        "the host calls back",
        r#"(module
        (import "host" "back" (func $back (param i32) (result i32)))
        (import "host" "nothing" (func $nothing))
        (func $once (param i32) (result i32) (call $nothing) (call $back (local.get 0)))
        (func (export "called") (param i32) (result i32)
            (if (result i32) (local.get 0)
                (then (call $once (i32.sub (local.get 0) (i32.const 1))))
                (else (i32.const 5))))
        (func (export "run") (param i32) (result i32) (call $once (local.get 0))))"#,
    ),
    (
        "objects",
        r#"(module
        (type $cell (struct (field i32) (field (mut (ref null $cell)))))
        (type $a (array (mut (ref null $cell))))
        (func $cons (param i32 (ref null $cell)) (result (ref $cell))
            (struct.new $cell (local.get 0) (local.get 1)))
        (func $sum (param (ref null $cell)) (result i32)
            (block $end
                (br_on_null $end (local.get 0)) (drop)
                (return (i32.add (struct.get $cell 0 (local.get 0))
                    (call $sum (struct.get $cell 1 (local.get 0))))))
            (i32.const 0))
        (func $kind (param anyref) (result i32)
            (block $cell (result (ref $cell))
                (br_on_cast $cell anyref (ref $cell) (local.get 0)) (drop) (return (i32.const 0)))
            (struct.get $cell 0))
        (func (export "run") (param i32) (result i32) (local (ref null $cell)) (local $a (ref null $a))
            (local.set $a (array.new_default $a (local.get 0)))
            (loop $again
                (local.set 1 (call $cons (local.get 0) (local.get 1)))
                (array.set $a (local.get $a) (i32.sub (local.get 0) (i32.const 1)) (local.get 1))
                (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
            (array.copy $a $a (local.get $a) (i32.const 0) (local.get $a) (i32.const 1) (i32.const 2))
            (i32.add (i32.add (call $sum (local.get 1)) (call $kind (local.get 1)))
                (call $kind (ref.i31 (i32.const 1))))))"#,
    ),
    (
        "strings",
        r#"(module (type $a (array (mut i16)))
        (import "wasm:js-string" "concat"
            (func $concat (param externref externref) (result (ref extern))))
        (import "wasm:js-string" "length" (func $length (param externref) (result i32)))
        (import "wasm:js-string" "equals" (func $equals (param externref externref) (result i32)))
        (import "wasm:js-string" "charCodeAt" (func $at (param externref i32) (result i32)))
        (import "wasm:js-string" "substring"
            (func $part (param externref i32 i32) (result (ref extern))))
        (import "wasm:js-string" "fromCharCodeArray"
            (func $from (param (ref null $a) i32 i32) (result (ref extern))))
        (func (export "run") (param i32) (result i32) (local externref)
            (local.set 1 (call $from (array.new $a (i32.const 97) (i32.const 100))
                (i32.const 0) (i32.const 50)))
            (loop $again
                (local.set 1 (call $concat (local.get 1) (local.get 1)))
                (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
            (i32.add
                (i32.add (call $length (local.get 1)) (call $at (local.get 1) (i32.const 60)))
                (call $equals (local.get 1)
                    (call $part (local.get 1) (i32.const 1) (call $length (local.get 1)))))))"#,
    ),
    (
        "start and constants",
        r#"(module (memory 1)
        (global $g (mut i32) (i32.add (i32.const 40) (i32.const 2)))
        (data (i32.const 0) "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz")
        (func $twice (global.set $g (i32.mul (global.get $g) (i32.const 2))))
        (func $start (call $twice) (call $twice))
        (start $start)
        (func (export "run") (param i32) (result i32) (global.get $g)))"#,
    ),
];

#[test]
fn sums_do_not_depend_on_how_code_is_made_or_runs() {
    let engines = engines();
    for (name, text) in PROGRAMS {
        for n in [3, 12] {
            let mut seen = Vec::new();
            for (how, engine) in &engines {
                let module = Module::new(engine, text).unwrap();
                let measured = measure(engine, &module, n);
                assert_eq!(measured, measure(engine, &module, n), "{name}, {how}: again");
                seen.push((how, measured));
            }
            assert!(seen.iter().all(|(_, one)| *one == seen[0].1), "{name} with {n}: {seen:?}");
        }
    }
}

#[test]
fn exactly_the_sum_is_enough_and_anything_less_ends_in_one_trap() {
    for (how, engine) in engines() {
        for (name, text) in PROGRAMS {
            let module = Module::new(&engine, text).unwrap();
            let (result, sum) = measure(&engine, &module, 5);
            let (exact, left) = run(&engine, &module, sum, 5);
            assert_eq!((exact.unwrap(), left), (result, 0), "{name}, {how}");
            // Every place where it may end, but not each of very many.
            for fuel in (0..sum).rev().take(300).chain((0..sum).step_by(97)) {
                let (short, left) = run(&engine, &module, fuel, 5);
                assert!(is_exhausted(&short), "{name}, {how}: {fuel} of {sum}: {short:?}");
                assert_eq!(left, 0, "{name}, {how}: {fuel} of {sum}");
            }
        }
    }
}

#[test]
fn whatever_would_not_end_ends() {
    for (how, text) in [
        ("a loop", "(module (func (export \"run\") (loop (br 0))))"),
        (
            "a loop of switches",
            "(module (func (export \"run\") (loop (br_table 0 0 0 (i32.const 1)))))",
        ),
        (
            "loops in loops",
            "(module (func (export \"run\") (loop (loop (br_if 1 (i32.const 1))) )))",
        ),
        ("tail calls", "(module (func $f (export \"run\") (return_call $f)))"),
        (
            "tail calls through a table",
            "(module (table 1 funcref) (elem (i32.const 0) $f)
                (func $f (export \"run\") (return_call_indirect (i32.const 0))))",
        ),
        (
            "tail calls of references",
            "(module (type $t (func)) (elem declare func $f)
                (func $f (export \"run\") (return_call_ref $t (ref.func $f))))",
        ),
        (
            "caught exceptions",
            "(module (tag $e) (func $throw (throw $e))
                (func (export \"run\") (loop $l (try_table (catch $e $l) (call $throw)))))",
        ),
        (
            "exceptions caught where they are thrown",
            "(module (tag $e) (func (export \"run\") (loop $l (try_table (catch $e $l) (throw $e)))))",
        ),
        (
            "objects",
            "(module (type $s (struct (field i64)))
                (func (export \"run\") (loop (drop (struct.new_default $s)) (br 0))))",
        ),
    ] {
        let engine = engine();
        let module = Module::new(&engine, text).unwrap();
        let mut store = Store::new(&engine, ());
        store.set_fuel(PLENTY).unwrap();
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
        for fuel in [0, 1, 2, 3, 100_000] {
            store.set_fuel(fuel).unwrap();
            let error = run.call(&mut store, ()).unwrap_err();
            assert_eq!(error.trap(), Some(Trap::OutOfFuel), "{how}: {error}");
            assert_eq!(store.get_fuel().unwrap(), 0);
        }
    }
}

#[test]
fn recursion_ends_with_the_fuel_before_it_ends_with_the_stack() {
    let engine = engine();
    for text in [
        "(module (func $f (export \"run\") (call $f)))",
        "(module (func $f (export \"run\") (call $g)) (func $g (call $f)))",
        "(module (table 1 funcref) (elem (i32.const 0) $f)
            (func $f (export \"run\") (call_indirect (i32.const 0))))",
        "(module (type $t (func)) (elem declare func $f)
            (func $f (export \"run\") (call_ref $t (ref.func $f))))",
    ] {
        let module = Module::new(&engine, text).unwrap();
        let mut store = Store::new(&engine, ());
        store.set_fuel(PLENTY).unwrap();
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
        store.set_fuel(5000).unwrap();
        let error = run.call(&mut store, ()).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::OutOfFuel), "{text}");
        assert!(error.backtrace().is_some_and(|trace| trace.frames().len() > 10), "{text}");
        store.set_fuel(PLENTY).unwrap();
        assert_eq!(run.call(&mut store, ()).unwrap_err().trap(), Some(Trap::StackOverflow));
    }
}

#[test]
fn a_start_function_ends_with_the_fuel() {
    let engine = engine();
    let module = Module::new(&engine, "(module (func $f (loop (br 0))) (start $f))").unwrap();
    let mut store = Store::new(&engine, ());
    store.set_fuel(1000).unwrap();
    let error = Instance::new(&mut store, &module, &[]).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::OutOfFuel));
    store.set_fuel(0).unwrap();
    // Nor is anything written that is not paid for.
    let text = format!(
        "(module (import \"m\" \"memory\" (memory 1)) (data (i32.const 0) \"{}\"))",
        "x".repeat(640)
    );
    let module = Module::new(&engine, &text).unwrap();
    let mut linker = Linker::new(&engine);
    let memory = Module::new(&engine, "(module (memory (export \"memory\") 1))").unwrap();
    let memory = linker.instantiate(&mut store, &memory).unwrap();
    linker.instance(&mut store, "m", memory).unwrap();
    store.set_fuel(10).unwrap();
    let error = linker.instantiate(&mut store, &module).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::OutOfFuel));
    let memory = memory.get_memory(&mut store, "memory").unwrap();
    assert_eq!(memory.data(&store)[0], 0);
    store.set_fuel(11).unwrap();
    linker.instantiate(&mut store, &module).unwrap();
    assert_eq!((memory.data(&store)[639], store.get_fuel().unwrap()), (b'x', 0));
}

#[test]
fn what_is_not_paid_for_is_not_done() {
    let engine = engine();
    let text = r#"(module (import "host" "nothing" (func $nothing))
        (memory (export "memory") 65536)
        (func (export "fill") (param i32) (memory.fill (i32.const 0) (i32.const 1) (local.get 0)))
        (func (export "host") (call $nothing)))"#;
    let module = Module::new(&engine, text).unwrap();
    let mut store = Store::new(&engine, 0);
    let mut linker = Linker::new(&engine);
    linker
        .func_wrap("host", "nothing", |mut caller: Caller<'_, u32>| *caller.data_mut() += 1)
        .unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let fill = instance.get_typed_func::<i32, ()>(&mut store, "fill").unwrap();
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    let units = 4 + u64::from(u32::MAX).div_ceil(64);
    store.set_fuel(units - 1).unwrap();
    assert_eq!(fill.call(&mut store, -1).unwrap_err().trap(), Some(Trap::OutOfFuel));
    assert_eq!(memory.data(&store)[0], 0);
    store.set_fuel(5).unwrap();
    fill.call(&mut store, 64).unwrap();
    assert_eq!((memory.data(&store)[63], store.get_fuel().unwrap()), (1, 0));
    // A host function that is not paid for is not called.
    let host = instance.get_typed_func::<(), ()>(&mut store, "host").unwrap();
    assert_eq!(host.call(&mut store, ()).unwrap_err().trap(), Some(Trap::OutOfFuel));
    assert_eq!(*store.data(), 0);
    store.set_fuel(1).unwrap();
    host.call(&mut store, ()).unwrap();
    assert_eq!(*store.data(), 1);
}

#[test]
fn a_store_goes_on_where_it_stood_once_it_has_fuel_again() {
    let engine = engine();
    let text = r#"(module (global $n (export "n") (mut i64) (i64.const 0))
        (func (export "run") (loop
            (global.set $n (i64.add (global.get $n) (i64.const 1))) (br 0)))
        (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))"#;
    let module = Module::new(&engine, text).unwrap();
    let mut store = Store::new(&engine, ());
    // A new store has no fuel.
    assert_eq!(store.get_fuel().unwrap(), 0);
    assert_eq!(Instance::new(&mut store, &module, &[]).unwrap_err().trap(), Some(Trap::OutOfFuel));
    store.set_fuel(1).unwrap();
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
    let add = instance.get_typed_func::<(i32, i32), i32>(&mut store, "add").unwrap();
    let n = instance.get_global(&mut store, "n").unwrap();
    for round in 1..=50 {
        store.set_fuel(499).unwrap();
        assert_eq!(run.call(&mut store, ()).unwrap_err().trap(), Some(Trap::OutOfFuel));
        assert_eq!(n.get(&mut store).i64(), Some(round * 100));
        assert_eq!(add.call(&mut store, (1, 2)).unwrap_err().trap(), Some(Trap::OutOfFuel));
        store.set_fuel(3).unwrap();
        assert_eq!(add.call(&mut store, (1, 2)).unwrap(), 3);
    }
}

#[test]
fn a_host_function_sees_what_is_left_and_may_give_more() {
    let engine = engine();
    let text = r#"(module (import "host" "tick" (func $tick (param i32)))
        (func (export "run") (local i32) (loop
            (call $tick (local.tee 0 (i32.add (local.get 0) (i32.const 1)))) (br 0))))"#;
    let mut linker = Linker::new(&engine);
    let tick = |mut caller: Caller<'_, Vec<u64>>, n: i32| -> Result<()> {
        let left = caller.get_fuel()?;
        caller.data_mut().push(left);
        if n < 10 { caller.set_fuel(100) } else { Ok(()) }
    };
    linker.func_wrap("host", "tick", tick).unwrap();
    let mut store = Store::new(&engine, Vec::new());
    let instance = linker.instantiate(&mut store, &Module::new(&engine, text).unwrap()).unwrap();
    let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
    store.set_fuel(8).unwrap();
    assert_eq!(run.call(&mut store, ()).unwrap_err().trap(), Some(Trap::OutOfFuel));
    // Five instructions up to the first call, six around the loop.
    let mut expected = vec![8 - 5];
    expected.extend([100 - 6; 9]);
    expected.extend((1..=15).map(|round| 94 - 6 * round));
    assert_eq!(*store.data(), expected);
}

#[test]
fn callers_and_called_share_one_store_of_fuel_across_the_host() {
    let engine = engine();
    let text = r#"(module
        (import "host" "back" (func $back (param i32) (result i32)))
        (func (export "called") (param i32) (result i32) (loop (br 0)) (unreachable))
        (func (export "run") (param i32) (result i32) (call $back (local.get 0))))"#;
    let module = Module::new(&engine, text).unwrap();
    let (result, left) = run(&engine, &module, 1000, 0);
    assert!(is_exhausted(&result), "{result:?}");
    assert_eq!(left, 0);
    // A host that makes light of it gains its guest nothing.
    let mut linker = Linker::new(&engine);
    let back = |mut caller: Caller<'_, u32>, n: i32| -> i32 {
        *caller.data_mut() += 1;
        let instance = caller.instance().unwrap();
        let called = instance.get_typed_func::<i32, i32>(&mut caller, "called").unwrap();
        called.call(&mut caller, n).unwrap_or(-1)
    };
    linker.func_wrap("host", "back", back).unwrap();
    let mut store = Store::new(&engine, 0);
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
    store.set_fuel(1000).unwrap();
    assert_eq!(run.call(&mut store, 0).unwrap_err().trap(), Some(Trap::OutOfFuel));
    assert_eq!(*store.data(), 1);
}

#[test]
fn stores_have_fuel_of_their_own() {
    let engine = engine();
    let module = Module::new(&engine, PROGRAMS[2].1).unwrap();
    let (_, sum) = measure(&engine, &module, 10);
    let mut stores: Vec<_> = (0..2)
        .map(|_| {
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
            (store, run)
        })
        .collect();
    stores[0].0.set_fuel(sum).unwrap();
    stores[1].0.set_fuel(2 * sum).unwrap();
    for (store, run) in &mut stores {
        assert_eq!(run.call(&mut *store, 10).unwrap(), 55);
    }
    assert_eq!(stores[0].0.get_fuel().unwrap(), 0);
    assert_eq!(stores[1].0.get_fuel().unwrap(), sum);
}

#[test]
fn the_largest_amount_is_counted_down_like_any_other() {
    let engine = engine();
    let mut store = Store::new(&engine, ());
    for fuel in [u64::MAX, u64::MAX - 1, i64::MAX as u64, i64::MAX as u64 + 1] {
        store.set_fuel(fuel).unwrap();
        assert_eq!(store.get_fuel().unwrap(), fuel);
        let module = Module::new(&engine, PROGRAMS[2].1).unwrap();
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
        assert_eq!(run.call(&mut store, 10).unwrap(), 55);
        assert_eq!(fuel - store.get_fuel().unwrap(), measure(&engine, &module, 10).1);
    }
}

#[test]
fn what_ran_before_a_trap_or_an_exception_is_paid_for() {
    let engine = engine();
    let consumed = |end: &str| {
        let text = format!(
            r#"(module (tag $e) (func (export "run") (param i32)
                (loop $again (br_if $again
                    (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
                {end}))"#
        );
        let mut store = Store::new(&engine, ());
        let module = Module::new(&engine, &text).unwrap();
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let run = instance.get_typed_func::<i32, ()>(&mut store, "run").unwrap();
        store.set_fuel(PLENTY).unwrap();
        let error = run.call(&mut store, 1000).unwrap_err();
        (error.kind(), PLENTY - store.get_fuel().unwrap())
    };
    assert_eq!(consumed("unreachable"), (ErrorKind::Trap, 5001));
    assert_eq!(consumed("(throw $e)"), (ErrorKind::Exception, 5001));
    // Up to the last branch, call or loop it is exact.
    let (kind, units) = consumed("(drop (i32.div_u (i32.const 1) (i32.const 0)))");
    assert_eq!(kind, ErrorKind::Trap);
    assert!((5000..=5003).contains(&units), "{units}");
}

#[test]
fn without_metering_there_is_no_fuel_to_speak_of() {
    let mut store = Store::new(&Engine::default(), ());
    for error in [store.set_fuel(1).unwrap_err(), store.get_fuel().unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("Config::consume_fuel"), "{error}");
    }
}

#[test]
fn artifacts_with_and_without_metering_are_told_apart() {
    fn load(engine: &Engine, bytes: &[u8]) -> Result<Module, Error> {
        // SAFETY: the bytes were made by this process.
        unsafe { Module::deserialize(engine, bytes) }
    }
    let engines = [engine(), Engine::default()];
    let text = "(module (func (export \"run\") (param i32) (result i32) (local.get 0)))";
    let made = engines.each_ref().map(|engine| engine.precompile_module(text.as_bytes()).unwrap());
    for (i, artifact) in made.iter().enumerate() {
        load(&engines[i], artifact).unwrap();
        let error = load(&engines[1 - i], artifact).unwrap_err();
        assert!(error.to_string().contains("counting fuel"), "{error}");
    }
    let module = load(&engines[0], &made[0]).unwrap();
    assert!(is_exhausted(&run(&engines[0], &module, 0, 1).0));
    assert_eq!(run(&engines[0], &module, 1, 7).0.unwrap(), 7);
}
