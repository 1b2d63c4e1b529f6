//! Values and patterns in the words of scripts, for messages.

use super::values::host_number;
use selkie::{AnyRef, AsContext, Val};
use std::fmt::Debug;
use wast::core::{HeapType as ScriptHeap, NanPattern, V128Pattern, WastRetCore};

/// A value as a script would write it: `i32.const 4`.
pub(super) fn value(store: &impl AsContext, value: &Val) -> String {
    match value {
        Val::I32(v) => format!("i32.const {v}"),
        Val::I64(v) => format!("i64.const {v}"),
        Val::F32(bits) => format!("f32.const {}", f32_text(*bits)),
        Val::F64(bits) => format!("f64.const {}", f64_text(*bits)),
        Val::V128(v) => {
            let lanes = v.0.to_le_bytes();
            let lane = |i: usize| i32::from_le_bytes([0, 1, 2, 3].map(|byte| lanes[4 * i + byte]));
            format!("v128.const i32x4 {}", list([0, 1, 2, 3].map(|i| format!("{:#010x}", lane(i)))))
        }
        Val::FuncRef(None) => "ref.null func".into(),
        Val::ExternRef(None) => "ref.null extern".into(),
        Val::AnyRef(None) => "ref.null any".into(),
        Val::ExnRef(None) => "ref.null exn".into(),
        Val::ContRef(None) => "ref.null cont".into(),
        Val::FuncRef(Some(_)) => "ref.func".into(),
        Val::ExternRef(Some(r)) => match host_number(store, r) {
            Some(number) => format!("ref.extern {number}"),
            None => "ref.extern".into(),
        },
        Val::AnyRef(Some(r)) => any(store, r).unwrap_or("ref.any").into(),
        Val::ExnRef(Some(_)) => "ref.exn".into(),
        Val::ContRef(Some(_)) => "ref.cont".into(),
    }
}

/// The word for the kind of a reference.
fn any(store: &impl AsContext, reference: &AnyRef) -> selkie::Result<&'static str> {
    Ok(match reference {
        r if r.is_struct(store)? => "ref.struct",
        r if r.is_array(store)? => "ref.array",
        r if r.is_i31(store)? => "ref.i31",
        _ => "ref.any",
    })
}

/// Several values.
pub(super) fn values(store: &impl AsContext, all: &[Val]) -> String {
    match all {
        [] => "nothing".into(),
        all => all.iter().map(|v| value(store, v)).collect::<Vec<_>>().join(", "),
    }
}

/// What a script expects, as it is written there.
pub(super) fn pattern(expected: &WastRetCore<'_>) -> String {
    match expected {
        WastRetCore::I32(v) => format!("i32.const {v}"),
        WastRetCore::I64(v) => format!("i64.const {v}"),
        WastRetCore::F32(v) => format!("f32.const {}", nan(v, |v| f32_text(v.bits))),
        WastRetCore::F64(v) => format!("f64.const {}", nan(v, |v| f64_text(v.bits))),
        WastRetCore::V128(v) => format!("v128.const {}", lanes(v)),
        WastRetCore::RefNull(None) => "ref.null".into(),
        WastRetCore::RefNull(Some(heap)) => format!("ref.null {}", heap_type(heap)),
        WastRetCore::RefExtern(None) => "ref.extern".into(),
        WastRetCore::RefExtern(Some(v)) => format!("ref.extern {v}"),
        WastRetCore::RefHost(v) => format!("ref.host {v}"),
        WastRetCore::RefFunc(_) => "ref.func".into(),
        WastRetCore::RefAny => "ref.any".into(),
        WastRetCore::RefEq => "ref.eq".into(),
        WastRetCore::RefArray => "ref.array".into(),
        WastRetCore::RefStruct => "ref.struct".into(),
        WastRetCore::RefI31 | WastRetCore::RefI31Shared => "ref.i31".into(),
        WastRetCore::Either(choices) => {
            let choices: Vec<String> = choices.iter().map(pattern).collect();
            format!("either {}", choices.join(" or "))
        }
    }
}

fn heap_type(heap: &ScriptHeap<'_>) -> String {
    match heap {
        ScriptHeap::Abstract { ty, .. } => format!("{ty:?}").to_ascii_lowercase(),
        _ => "of a defined type".into(),
    }
}

fn nan<T>(pattern: &NanPattern<T>, text: impl Fn(&T) -> String) -> String {
    match pattern {
        NanPattern::CanonicalNan => "nan:canonical".into(),
        NanPattern::ArithmeticNan => "nan:arithmetic".into(),
        NanPattern::Value(value) => text(value),
    }
}

fn lanes(pattern: &V128Pattern) -> String {
    match pattern {
        V128Pattern::I8x16(v) => format!("i8x16 {}", list(v.map(|lane| format!("{lane:#04x}")))),
        V128Pattern::I16x8(v) => format!("i16x8 {}", list(v.map(|lane| format!("{lane:#06x}")))),
        V128Pattern::I32x4(v) => format!("i32x4 {}", list(v.map(|lane| format!("{lane:#010x}")))),
        V128Pattern::I64x2(v) => format!("i64x2 {}", list(v.map(|lane| format!("{lane:#018x}")))),
        V128Pattern::F32x4(v) => {
            format!("f32x4 {}", list(v.each_ref().map(|lane| nan(lane, |v| f32_text(v.bits)))))
        }
        V128Pattern::F64x2(v) => {
            format!("f64x2 {}", list(v.each_ref().map(|lane| nan(lane, |v| f64_text(v.bits)))))
        }
    }
}

fn list<const N: usize>(lanes: [String; N]) -> String {
    lanes.join(" ")
}

fn f32_text(bits: u32) -> String {
    let value = f32::from_bits(bits);
    float_text(&value, value.is_nan(), value.is_sign_negative(), u64::from(bits & 0x7f_ffff))
}

fn f64_text(bits: u64) -> String {
    let value = f64::from_bits(bits);
    float_text(&value, value.is_nan(), value.is_sign_negative(), bits & ((1 << 52) - 1))
}

/// spec: text/values, floating-point; a NaN shows its payload.
fn float_text(value: &dyn Debug, is_nan: bool, is_negative: bool, payload: u64) -> String {
    if !is_nan {
        return format!("{value:?}");
    }
    format!("{}nan:{payload:#x}", if is_negative { "-" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use selkie::V128;

    #[test]
    fn values_are_written_as_in_scripts() {
        let store = selkie::Store::new(&selkie::Engine::default(), ());
        for (given, text) in [
            (Val::I32(-4), "i32.const -4"),
            (Val::F32(1.5_f32.to_bits()), "f32.const 1.5"),
            (Val::F32(0xffc0_0000), "f32.const -nan:0x400000"),
            (Val::F64(f64::NEG_INFINITY.to_bits()), "f64.const -inf"),
            (Val::ExternRef(None), "ref.null extern"),
            (Val::AnyRef(None), "ref.null any"),
            (Val::V128(V128(1)), "v128.const i32x4 0x00000001 0x00000000 0x00000000 0x00000000"),
        ] {
            assert_eq!(value(&store, &given), text);
        }
    }
}
