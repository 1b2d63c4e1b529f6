//! Every row of the numeric table has code, under every tuning.

#[path = "compiled/build.rs"]
mod compiled;

use compiled::{compile, tunings};
use selkie_compile::Numeric;

/// The text format's name of a row: `I16x8ExtMulLowI8x16S` is `i16x8.extmul_low_i8x16_s`.
fn text_name(op: Numeric) -> String {
    let name = op.name().replace("ExtMul", "Extmul").replace("ExtAdd", "Extadd");
    let name = name.replace("Q15Mulr", "Q15mulr").replace("AndNot", "Andnot");
    let name = name.replace("PMin", "Pmin").replace("PMax", "Pmax");
    let mut text = String::new();
    let mut words = 0;
    for (at, c) in name.char_indices() {
        if c.is_ascii_uppercase() && at > 0 {
            words += 1;
            text.push(if words == 1 { '.' } else { '_' });
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

fn module_of_all_rows() -> String {
    let mut text = String::from("(module (memory 1)\n");
    for op in Numeric::ALL {
        text.push_str("(func");
        for ty in op.params() {
            text.push_str(&format!(" (param {ty})"));
        }
        text.push_str(&format!(" (result {})", op.result()));
        for at in 0..op.params().len() {
            text.push_str(&format!(" local.get {at}"));
        }
        text.push_str(&format!(" {})\n", text_name(*op)));
    }
    text + ")"
}

#[test]
fn every_row_compiles_under_every_tuning() {
    let text = module_of_all_rows();
    for tuning in tunings() {
        let funcs = compile(&text, tuning);
        assert_eq!(funcs.len(), Numeric::ALL.len());
        for (op, func) in Numeric::ALL.iter().zip(&funcs) {
            let traps = func.sites.iter().any(|site| site.trap != 0);
            assert_eq!(traps, op.can_trap(), "{}", op.name());
            assert!(func.relocs.is_empty(), "{} calls something", op.name());
        }
    }
}

#[test]
fn rows_compose_with_vectors_of_any_lanes() {
    // Each row's result feeds a row that reads other lanes.
    let mut text = String::from("(module\n");
    for op in Numeric::ALL {
        let all_vectors = op.params().iter().all(|ty| ty.to_string() == "v128");
        if !all_vectors || op.result().to_string() != "v128" {
            continue;
        }
        text.push_str("(func (param v128 v128) (result v128)\n");
        for at in 0..op.params().len() {
            let other = ["f64x2.neg", "i16x8.neg", "f32x4.neg"][at];
            text.push_str(&format!(" local.get {} {other}", at % 2));
        }
        text.push_str(&format!(" {} i64x2.neg)\n", text_name(*op)));
    }
    compile(&(text + ")"), selkie_compile::Tuning::default());
}
