//! The 64×64→128-bit product in halves becomes one multiplication, and only that does.

#[path = "compiled/build.rs"]
mod compiled;

use compiled::{clif, compile, disassembly};
use selkie_compile::Tuning;

/// Both halves of `a·b` as compilers write them; `{…}` are places where a test makes a mistake.
fn product(shift: u32, mask: u64, second_cross: &str) -> String {
    format!(
        "(local.set 2 (i64.mul (i64.and (local.get 0) (i64.const {mask}))
                               (i64.and (local.get 1) (i64.const 0xffffffff))))
         (local.set 3 (i64.add
           (i64.mul (i64.shr_u (local.get 0) (i64.const 32))
                    (i64.and (local.get 1) (i64.const 0xffffffff)))
           (i64.shr_u (local.get 2) (i64.const {shift}))))
         (local.set 4 (i64.add
           (i64.and (local.get 3) (i64.const 0xffffffff))
           {second_cross}))
         (i64.or (i64.shl (local.get 4) (i64.const 32))
                 (i64.and (i64.const 0xffffffff) (local.get 2)))
         (i64.add
           (i64.add
             (i64.mul (i64.shr_u (local.get 1) (i64.const 32))
                      (i64.shr_u (local.get 0) (i64.const 32)))
             (i64.shr_u (local.get 3) (i64.const 32)))
           (i64.shr_u (local.get 4) (i64.const 32)))"
    )
}

const SECOND_CROSS: &str = "(i64.mul (i64.and (local.get 0) (i64.const 0xffffffff))
                                     (i64.shr_u (local.get 1) (i64.const 32)))";

fn function(body: &str) -> String {
    format!("(module (func (param i64 i64) (result i64 i64) (local i64 i64 i64) {body}))")
}

/// Multiplications left in the code.
fn multiplications(text: &str) -> usize {
    let code = disassembly(text, Tuning::default());
    code.lines()
        .filter(|line| line.trim_start().starts_with("mul") || line.contains("imul"))
        .count()
}

#[test]
fn halves_of_a_product_are_one_multiplication() {
    let text = function(&product(32, 0xffff_ffff, SECOND_CROSS));
    assert_eq!(multiplications(&text), 1, "{}", disassembly(&text, Tuning::default()));
}

#[test]
fn the_sum_of_masked_crosses_is_recognized() {
    let text = function(
        "(local.set 2 (i64.mul (i64.and (local.get 0) (i64.const 0xffffffff))
                               (i64.and (local.get 1) (i64.const 0xffffffff))))
         (local.set 3 (i64.mul (i64.shr_u (local.get 0) (i64.const 32))
                               (i64.extend_i32_u (i32.wrap_i64 (local.get 1)))))
         (local.set 4 (i64.mul (i64.shr_u (local.get 1) (i64.const 32))
                               (i64.extend_i32_u (i32.wrap_i64 (local.get 0)))))
         (i64.const 0)
         (i64.add (i64.add (i64.shr_u (local.get 3) (i64.const 32))
                           (i64.shr_u (local.get 4) (i64.const 32)))
                  (i64.add (i64.mul (i64.shr_u (local.get 0) (i64.const 32))
                                    (i64.shr_u (local.get 1) (i64.const 32)))
                           (i64.shr_u
                             (i64.add (i64.add (i64.and (local.get 3) (i64.const 0xffffffff))
                                               (i64.shr_u (local.get 2) (i64.const 32)))
                                      (i64.and (local.get 4) (i64.const 0xffffffff)))
                             (i64.const 32))))",
    );
    assert_eq!(multiplications(&text), 1);
}

#[test]
fn what_only_resembles_a_product_is_left_alone() {
    let squared_cross = SECOND_CROSS.replace("local.get 1", "local.get 0");
    for body in [
        product(31, 0xffff_ffff, SECOND_CROSS),
        product(32, 0xffff_fffe, SECOND_CROSS),
        product(32, 0xffff_ffff, &squared_cross),
        product(32, 0xffff_ffff, "(local.get 0)"),
    ] {
        let text = clif(&function(&body), Tuning::default());
        assert!(!text.contains("isplit"), "{text}");
    }
}

#[test]
fn the_compilers_multiplication_function_is_put_in_place_of_its_calls() {
    let with_high_halves = "
      (func $product (param i32 i64 i64 i64 i64) (local i64)
        (i64.store offset=8 (local.get 0)
          (i64.add (i64.add (i64.add
            (i64.add (i64.mul (local.get 4) (local.get 1)) (i64.mul (local.get 2) (local.get 3)))
            (i64.mul (local.tee 2 (i64.shr_u (local.get 3) (i64.const 32)))
                     (local.tee 4 (i64.shr_u (local.get 1) (i64.const 32)))))
            (i64.shr_u
              (local.tee 3 (i64.add
                (i64.shr_u
                  (local.tee 5 (i64.mul
                    (local.tee 3 (i64.and (local.get 3) (i64.const 0xffffffff)))
                    (local.tee 1 (i64.and (local.get 1) (i64.const 0xffffffff)))))
                  (i64.const 32))
                (i64.mul (local.get 3) (local.get 4))))
              (i64.const 32)))
            (i64.shr_u
              (local.tee 1 (i64.add (i64.and (local.get 3) (i64.const 0xffffffff))
                                    (i64.mul (local.get 2) (local.get 1))))
              (i64.const 32))))
        (i64.store (local.get 0)
          (i64.or (i64.shl (local.get 1) (i64.const 32))
                  (i64.and (local.get 5) (i64.const 0xffffffff)))))";
    let text = format!(
        "(module (memory 1)
           (func (param i64 i64) (result i64)
             (call $product (i32.const 16) (local.get 0) (i64.const 0)
                            (local.get 1) (i64.const 0))
             (i64.load offset=8 (i32.const 16)))
           {with_high_halves})"
    );
    assert_eq!(multiplications(&text), 1, "{}", disassembly(&text, Tuning::default()));
    assert!(compile(&text, Tuning::default())[0].relocs.is_empty());
}

#[test]
fn sums_of_any_depth_are_looked_at_only_so_far() {
    let terms = "(local.get 0) (i64.add) ".repeat(30_000);
    let shift = "(i64.shr_u (i64.const 32)) (local.get 1) (i64.add) (local.get 0) (i64.shr_u) \
                 (i64.const 32) (i64.shr_u) (local.get 1) (i64.add)";
    let text = function(&format!("(local.get 0) {terms} {shift} (local.get 1)"));
    compile(&text, Tuning::default());
}
