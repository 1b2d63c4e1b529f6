//! Memory, control, calls, tables: every shape the walk can ask for compiles under every tuning.

#[path = "compiled/build.rs"]
mod compiled;

use compiled::{compile, linked, try_compile, tunings};
use selkie_compile::Tuning;
use selkie_module::TrapCode;
use selkie_module::sites::{self, SiteKind};

const MEMORIES: &[&str] = &[
    "(memory 1)",
    "(memory 1 1)",
    "(memory i64 1)",
    "(memory i64 1 1)",
    "(memory 1 2 shared)",
    "(memory i64 1 2 shared)",
    "(import \"e\" \"m\" (memory 1))",
    "(import \"e\" \"m\" (memory i64 1))",
    "(import \"e\" \"m\" (memory 1 2 shared))",
    "(memory 100 (pagesize 1))",
];

const LOADS: &[(&str, &str)] = &[
    ("i32.load", "i32"),
    ("i64.load", "i64"),
    ("f32.load", "f32"),
    ("f64.load", "f64"),
    ("i32.load8_s", "i32"),
    ("i32.load8_u", "i32"),
    ("i32.load16_s", "i32"),
    ("i32.load16_u", "i32"),
    ("i64.load8_s", "i64"),
    ("i64.load8_u", "i64"),
    ("i64.load16_s", "i64"),
    ("i64.load16_u", "i64"),
    ("i64.load32_s", "i64"),
    ("i64.load32_u", "i64"),
    ("v128.load", "v128"),
    ("v128.load8x8_s", "v128"),
    ("v128.load8x8_u", "v128"),
    ("v128.load16x4_s", "v128"),
    ("v128.load16x4_u", "v128"),
    ("v128.load32x2_s", "v128"),
    ("v128.load32x2_u", "v128"),
    ("v128.load8_splat", "v128"),
    ("v128.load16_splat", "v128"),
    ("v128.load32_splat", "v128"),
    ("v128.load64_splat", "v128"),
    ("v128.load32_zero", "v128"),
    ("v128.load64_zero", "v128"),
    ("i32.atomic.load", "i32"),
    ("i64.atomic.load", "i64"),
    ("i32.atomic.load8_u", "i32"),
    ("i32.atomic.load16_u", "i32"),
    ("i64.atomic.load8_u", "i64"),
    ("i64.atomic.load16_u", "i64"),
    ("i64.atomic.load32_u", "i64"),
];

const STORES: &[(&str, &str)] = &[
    ("i32.store", "i32"),
    ("i64.store", "i64"),
    ("f32.store", "f32"),
    ("f64.store", "f64"),
    ("i32.store8", "i32"),
    ("i32.store16", "i32"),
    ("i64.store8", "i64"),
    ("i64.store16", "i64"),
    ("i64.store32", "i64"),
    ("v128.store", "v128"),
    ("i32.atomic.store", "i32"),
    ("i64.atomic.store", "i64"),
    ("i32.atomic.store8", "i32"),
    ("i32.atomic.store16", "i32"),
    ("i64.atomic.store8", "i64"),
    ("i64.atomic.store16", "i64"),
    ("i64.atomic.store32", "i64"),
];

/// Functions for every access of a memory at a static offset, without the module around them.
fn all_accesses(index: &str, offset: u64) -> String {
    let mut text = String::new();
    for (name, ty) in LOADS {
        text.push_str(&format!(
            "(func (param {index}) (result {ty}) ({name} offset={offset} (local.get 0)))\n"
        ));
    }
    for (name, ty) in STORES {
        text.push_str(&format!(
            "(func (param {index} {ty}) ({name} offset={offset} (local.get 0) (local.get 1)))\n"
        ));
    }
    for lanes in [8, 16, 32, 64] {
        text.push_str(&format!(
            "(func (param {index} v128) (result v128)
                (v128.load{lanes}_lane offset={offset} 1 (local.get 0) (local.get 1)))
             (func (param {index} v128)
                (v128.store{lanes}_lane offset={offset} 1 (local.get 0) (local.get 1)))\n"
        ));
    }
    for op in ["add", "sub", "and", "or", "xor", "xchg", "cmpxchg"] {
        for (ty, width) in [
            ("i32", ""),
            ("i32", "8"),
            ("i32", "16"),
            ("i64", ""),
            ("i64", "8"),
            ("i64", "16"),
            ("i64", "32"),
        ] {
            let suffix = if width.is_empty() { "" } else { "_u" };
            let more = if op == "cmpxchg" { "(local.get 1)" } else { "" };
            text.push_str(&format!(
                "(func (param {index} {ty}) (result {ty})
                    ({ty}.atomic.rmw{width}.{op}{suffix} offset={offset}
                        (local.get 0) (local.get 1) {more}))\n"
            ));
        }
    }
    text
}

#[test]
fn every_access_of_every_memory_compiles_and_can_trap() {
    for tuning in tunings().into_iter().take(4) {
        for memory in MEMORIES {
            let index = if memory.contains("i64") { "i64" } else { "i32" };
            for offset in [0, 8, 65536, (1 << 25) - 16, 0x7fff_ffff, 0xffff_fff0] {
                let text = format!("(module {memory}\n{})", all_accesses(index, offset));
                for func in compile(&text, tuning.clone()) {
                    let code = TrapCode::MemoryOutOfBounds as u8;
                    assert!(func.sites.iter().any(|site| site.trap == code), "{memory} {offset}");
                }
            }
        }
    }
}

#[test]
fn an_unused_load_still_traps() {
    for tuning in tunings().into_iter().take(4) {
        let funcs = compile(
            "(module (memory 1) (func (param i32) (drop (i32.load (local.get 0)))))",
            tuning,
        );
        assert!(funcs[0].sites.iter().any(|s| s.trap == TrapCode::MemoryOutOfBounds as u8));
    }
}

#[test]
fn runtime_entries_of_memories_and_tables_compile() {
    for (memory, index) in [("(memory 1 2 shared)", "i32"), ("(memory i64 1 2 shared)", "i64")] {
        let text = format!(
            "(module {memory} (data $d \"x\") (table $t 1 externref) (table $f {index} 1 funcref)
              (elem $e func 0)
              (func (result {index}) memory.size)
              (func (param {index}) (result {index}) (memory.grow (local.get 0)))
              (func (param {index}) (memory.fill (local.get 0) (i32.const 1) (local.get 0)))
              (func (param {index}) (memory.copy (local.get 0) (local.get 0) (local.get 0)))
              (func (param {index}) (memory.init $d (local.get 0) (i32.const 0) (i32.const 1)))
              (func data.drop $d)
              (func (param {index}) (result i32)
                (memory.atomic.notify (local.get 0) (i32.const 1)))
              (func (param {index}) (result i32)
                (memory.atomic.wait32 offset=4 (local.get 0) (i32.const 1) (i64.const 1)))
              (func (param {index}) (result i32)
                (memory.atomic.wait64 offset=3 (local.get 0) (i64.const 1) (i64.const 1)))
              (func atomic.fence)
              (func (result i32) (table.size $t))
              (func (result {index}) (table.size $f))
              (func (param i32) (result externref) (table.get $t (local.get 0)))
              (func (param i32 externref) (table.set $t (local.get 0) (local.get 1)))
              (func (param {index}) (result funcref) (table.get $f (local.get 0)))
              (func (param {index} funcref) (table.set $f (local.get 0) (local.get 1)))
              (func (param externref i32) (result i32) (table.grow $t (local.get 0) (local.get 1)))
              (func (param funcref {index}) (table.fill $f (local.get 1) (local.get 0) (local.get 1)))
              (func (param {index}) (table.copy $f $f (local.get 0) (local.get 0) (local.get 0)))
              (func (param {index}) (table.init $f $e (local.get 0) (i32.const 0) (i32.const 1)))
              (func elem.drop $e)
              (func (result funcref) (ref.func 0)))"
        );
        for tuning in tunings().into_iter().take(4) {
            compile(&text, tuning);
        }
    }
}

#[test]
fn globals_of_every_type_compile() {
    let mut text = String::from("(module\n");
    let types = ["i32", "i64", "f32", "f64", "v128", "funcref", "externref"];
    for (at, ty) in types.iter().enumerate() {
        text.push_str(&format!("(import \"e\" \"a{at}\" (global {ty}))"));
        text.push_str(&format!("(import \"e\" \"b{at}\" (global (mut {ty})))"));
    }
    for (at, ty) in types.iter().enumerate() {
        text.push_str(&format!("(global {ty} (global.get {}))", at * 2));
        text.push_str(&format!("(global (mut {ty}) (global.get {}))", at * 2));
    }
    text.push_str("(global i32 (i32.const 7))");
    for (at, ty) in types.iter().enumerate() {
        for (base, mutable) in [(0, false), (1, true), (14, false), (15, true)] {
            let global = base + at * 2;
            text.push_str(&format!("(func (result {ty}) (global.get {global}))"));
            if mutable {
                text.push_str(&format!("(func (param {ty}) (global.set {global} (local.get 0)))"));
            }
        }
    }
    text.push_str("(func (result i32) (global.get 28)))");
    compile(&text, Tuning::default());
}

#[test]
fn control_of_every_shape_compiles() {
    let text = "(module
      (func (param i32) (result i32)
        (block (result i32) (br_if 0 (i32.const 1) (local.get 0)) (drop) (i32.const 2)))
      (func (param i32) (result i32)
        (if (result i32) (local.get 0) (then (i32.const 1)) (else (unreachable))))
      (func (param i32) (result v128 i32)
        (if (result v128 i32) (local.get 0)
          (then (f64x2.splat (f64.const 1)) (i32.const 1))
          (else (i8x16.splat (local.get 0)) (i32.const 2))))
      (func (param i32 i32) (result i32)
        (local.get 0)
        (loop (param i32) (result i32)
          (i32.sub (i32.const 1)) (local.tee 0) (br_if 0 (local.get 0))))
      (func (param i32) (result i32)
        (block (block (block (br_table 0 1 2 1 0 (local.get 0))) (return (i32.const 1)))
          (return (i32.const 2))) (i32.const 3))
      (func (param i32) (result i32)
        (block (result i32)
          (block (result i32) (br_table 0 1 0 1 1 (i32.const 5) (local.get 0)))
          (return (i32.add (i32.const 1)))))
      (func (param i32) (loop (br_table 0 0 (local.get 0))))
      (func (loop br 0))
      (func (result i32) (loop (result i32) (br 0)))
      (func (param i32) (if (local.get 0) (then (loop (br_if 0 (local.get 0))))))
      (func unreachable)
      (func (result i32) (block (result i32) (unreachable) (if (result i32) (then (i32.const 0))
        (else (block (br 1 (i32.const 4))) (i32.const 1)))))
      (func (param externref) (result i32) (ref.is_null (local.get 0)))
      (func (param funcref) (result funcref)
        (block $n (return (br_on_null $n (local.get 0)))) (ref.null func))
      (func (param funcref) (block $v (result (ref func))
        (br_on_non_null $v (local.get 0)) (return)) (drop))
      (func (param funcref) (drop (ref.as_non_null (local.get 0))))
      (func (param i32 f32 f32) (result f32) (select (local.get 1) (local.get 2) (local.get 0)))
      (func (param i32 v128) (result v128)
        (select (f32x4.neg (local.get 1)) (i16x8.neg (local.get 1)) (local.get 0)))
      (func (param i32 externref) (result externref)
        (select (result externref) (local.get 1) (ref.null extern) (local.get 0)))
      (func (param i64 i64) (result i64 i64)
        (i64.mul_wide_u (local.get 0) (local.get 1)) (i64.mul_wide_s (local.get 0) (local.get 1))
        (i64.add128) (local.get 0) (local.get 1) (i64.sub128))
      (func (local i64 f32 f64 v128 funcref) (local.set 3 (f32x4.neg (local.get 3))))
    )";
    for tuning in tunings().into_iter().take(8) {
        compile(text, tuning);
    }
}

#[test]
fn hints_move_unlikely_code_out_of_the_way() {
    let text = |hint: &str| {
        format!(
            "(module (import \"e\" \"f\" (func $f)) (func (param i32) (result i32)
               (block (br_if 0 (local.get 0)) (call $f))
               (@metadata.code.branch_hint \"{hint}\")
               (if (local.get 0) (then (call $f)))
               (i32.const 7)))"
        )
    };
    let likely = compile(&text("\\01"), Tuning::default());
    let unlikely = compile(&text("\\00"), Tuning::default());
    assert_ne!(likely[0].code, unlikely[0].code);
}

#[test]
fn a_jump_table_of_many_targets_compiles() {
    let targets = "0 1 ".repeat(50_000);
    let text = format!(
        "(module (func (param i32) (result i32) (local i32 i32 i64)
           (local.set 1 (local.get 0))
           (block (block (br_table {targets} (local.get 0))) (return (local.get 1)))
           (i32.add (local.get 1) (local.get 2))))"
    );
    let funcs = compile(&text, Tuning::default());
    let bytes = funcs[0].code.len();
    assert!(bytes < 1_000_000, "{bytes} bytes");
}

#[test]
fn thousands_of_locals_compile() {
    let locals = "i32 i64 f64 v128 ".repeat(12_000);
    compile(&format!("(module (func (local {locals})))"), Tuning::default());
}

const CALLS: &str = "(module
  (type $t (func (param i32 i64 f32 f64 v128) (result i32)))
  (type $open (sub (func (param i32) (result i32))))
  (type $many (func (param f32) (result i32 i64 f32 f64 v128 i32 i32 i32 i32 i32 i32 i32)))
  (import \"e\" \"f\" (func $f (type $t)))
  (import \"e\" \"m\" (func $m (type $many)))
  (table $a 10 funcref) (table $b 10 10 funcref) (table $c i64 3 funcref)
  (func $g (type $t) (local.get 0) (drop (v128.const i64x2 1 2)) (loop))
  (func (type $t) (call $g (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)))
  (func (type $t) (call $f (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)))
  (func (type $t) (return_call $g (local.get 0) (local.get 1) (local.get 2) (local.get 3)
    (i16x8.neg (local.get 4))))
  (func (type $t) (return_call $f (local.get 0) (local.get 1) (local.get 2) (local.get 3)
    (local.get 4)))
  (func (type $open) (call_indirect $a (type $open) (local.get 0) (local.get 0)))
  (func (type $open) (call_indirect $b (type $open) (local.get 0) (i32.const 3)))
  (func (type $open) (call_indirect $c (type $open) (local.get 0) (i64.const 3)))
  (func (type $open) (return_call_indirect $a (type $open) (local.get 0) (local.get 0)))
  (func (param (ref null $open)) (result i32) (call_ref $open (i32.const 1) (local.get 0)))
  (func (param (ref null $open)) (result i32) (return_call_ref $open (i32.const 1) (local.get 0)))
  (func $area (type $many) (return_call $m (local.get 0)))
  (func (type $many) (call $area (local.get 0)))
  (func (type $many) (call_indirect $a (type $many) (local.get 0) (i32.const 1)))
  (func (type $many) (return_call_indirect $a (type $many) (local.get 0) (i32.const 1)))
)";

#[test]
fn calls_of_every_kind_compile() {
    for tuning in tunings().into_iter().take(4) {
        compile(CALLS, tuning);
    }
}

#[test]
fn linked_calls_point_at_their_functions() {
    let linked = linked(CALLS);
    let caller = linked.funcs[1];
    let code = &linked.code[caller.start as usize..(caller.start + caller.len) as usize];
    let target = linked.funcs[0].start;
    let reaches = code.windows(5).enumerate().any(|(at, bytes)| {
        let distance = i32::from_le_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]);
        let next = i64::from(caller.start) + at as i64 + 5;
        bytes[0] == 0xe8 && next + i64::from(distance) == i64::from(target)
    });
    assert!(reaches);
}

#[test]
fn sites_say_where_a_trap_and_a_call_stand() {
    let text = "(module (memory 1) (func $f (loop)) (func (param i32 i32) (result i32)
        (drop (i32.load (local.get 0)))
        (call $f)
        (i32.div_u (local.get 0) (local.get 1))))";
    let bytes = compiled::bytes(text);
    let funcs = compile(text, Tuning::default());
    let opcode_at = |position: u32| bytes[position as usize];
    let found: Vec<(u8, u8)> =
        funcs[1].sites.iter().map(|site| (site.trap, opcode_at(site.position))).collect();
    let oob = TrapCode::MemoryOutOfBounds as u8;
    let zero = TrapCode::IntegerDivideByZero as u8;
    assert!(found.contains(&(oob, 0x28)), "{found:?}");
    assert!(found.contains(&(0, 0x10)), "{found:?}");
    assert!(found.contains(&(zero, 0x6e)), "{found:?}");
}

#[test]
fn sites_in_inlined_bodies_name_both_places() {
    let text = "(module (func $f (param i32) (if (local.get 0) (then (unreachable))))
        (func (param i32) (call $f (local.get 0))))";
    let funcs = compile(text, Tuning::default());
    let trap = funcs[1].sites.iter().find(|s| s.trap == TrapCode::Unreachable as u8);
    let frames = funcs[1].positions.frames(trap.expect("the trap is inlined").position);
    assert_eq!(frames.len(), 2);
    assert_eq!(frames[0].0, Some(0));
    assert_eq!(frames[1].0, None);
}

#[test]
fn site_tables_of_linked_code_are_found_again() {
    let linked = linked(CALLS);
    for func in &linked.funcs {
        let table = &linked.sites[func.sites as usize..];
        let found = (0..=func.len)
            .filter(|pc| {
                let is_site = |kind| sites::find(table, *pc, kind).is_some();
                is_site(SiteKind::Trap) || is_site(SiteKind::Return)
            })
            .count();
        assert!(found <= func.len as usize);
    }
}

#[test]
fn equal_modules_give_equal_code_on_any_number_of_threads() {
    let mut text = String::from("(module (memory 1)\n");
    for _ in 0..8 {
        text.push_str(&all_accesses("i32", 8));
    }
    text.push(')');
    let one = try_compile(&text, Tuning::default(), 1).expect("valid");
    let two = try_compile(&text, Tuning::default(), 2).expect("valid");
    assert_eq!(one, two);
}

#[test]
fn an_invalid_body_is_an_error_and_not_a_panic() {
    let valid = "(module (func (result i32) (i32.const 1)) (func (i32.const 1) (drop)))";
    let mut bytes = compiled::bytes(valid);
    let last_const = bytes.iter().rposition(|b| *b == 0x41).expect("there is a constant");
    bytes[last_const] = 0x44;
    let features = selkie_module::Features::all();
    let Ok(module) = selkie_module::decode::decode(&bytes, features) else { return };
    let unit = selkie_compile::CompileUnit::new(&module, &bytes, features, Tuning::default());
    let compiler = selkie_optimizing::OptimizingCompiler::new().expect("a host");
    assert!(selkie_compile::compile_all(&compiler, &unit, 1, None).is_err());
}
