//! Values of scripts: arguments become values of a store, results are compared with patterns.

use super::words;
use crate::text::counted;
use selkie::{AnyRef, AsContext, AsContextMut, ExternRef, HeapType, Rooted, V128, Val};
use wast::WastRet;
use wast::core::{
    AbstractHeapType, HeapType as ScriptHeap, NanPattern, V128Pattern, WastArgCore, WastRetCore,
};
use wast::token::{F32, F64};

/// An argument as a value.
pub(super) fn argument(mut store: impl AsContextMut, arg: &WastArgCore<'_>) -> Result<Val, String> {
    Ok(match arg {
        WastArgCore::I32(v) => Val::I32(*v),
        WastArgCore::I64(v) => Val::I64(*v),
        WastArgCore::F32(v) => Val::F32(v.bits),
        WastArgCore::F64(v) => Val::F64(v.bits),
        WastArgCore::V128(v) => Val::V128(V128(u128::from_le_bytes(v.to_le_bytes()))),
        WastArgCore::RefNull(heap) => Val::null_ref(&heap_type(heap)?),
        WastArgCore::RefExtern(v) => host_value(store, *v)?.into(),
        WastArgCore::RefHost(v) => {
            let external = host_value(&mut store, *v)?;
            let internal = AnyRef::convert_extern(store, external);
            internal.map_err(|e| e.to_string())?.into()
        }
    })
}

/// Host values of scripts are told apart by a number.
fn host_value(store: impl AsContextMut, number: u32) -> Result<Rooted<ExternRef>, String> {
    ExternRef::new(store, number).map_err(|e| e.to_string())
}

fn heap_type(heap: &ScriptHeap<'_>) -> Result<HeapType, String> {
    // Shared or not, values look alike.
    let ScriptHeap::Abstract { ty, .. } = heap else {
        return Err(format!("the reference type {heap:?} is not supported here"));
    };
    Ok(match ty {
        AbstractHeapType::Func => HeapType::Func,
        AbstractHeapType::Extern => HeapType::Extern,
        AbstractHeapType::Exn => HeapType::Exn,
        AbstractHeapType::Cont => HeapType::Cont,
        AbstractHeapType::Any => HeapType::Any,
        AbstractHeapType::Eq => HeapType::Eq,
        AbstractHeapType::Struct => HeapType::Struct,
        AbstractHeapType::Array => HeapType::Array,
        AbstractHeapType::I31 => HeapType::I31,
        AbstractHeapType::NoFunc => HeapType::NoFunc,
        AbstractHeapType::NoExtern => HeapType::NoExtern,
        AbstractHeapType::None => HeapType::None,
        AbstractHeapType::NoExn => HeapType::NoExn,
        AbstractHeapType::NoCont => HeapType::NoCont,
    })
}

/// Compares the results of a call with what a script expects.
pub(super) fn check_results(
    store: &impl AsContext,
    results: &[Val],
    expected: &[WastRet<'_>],
) -> Result<(), String> {
    if results.len() != expected.len() {
        let given = counted(results.len(), "result", "results");
        return Err(format!("{given}, but {} expected", expected.len()));
    }
    for (i, (result, expected)) in results.iter().zip(expected).enumerate() {
        let WastRet::Core(expected) = expected else {
            return Err("values of components are not supported".into());
        };
        if !matches(store, result, expected) {
            return Err(format!(
                "result {i} is `{}`, but `{}` was expected",
                words::value(store, result),
                words::pattern(expected)
            ));
        }
    }
    Ok(())
}

fn matches(store: &impl AsContext, value: &Val, expected: &WastRetCore<'_>) -> bool {
    match (value, expected) {
        (_, WastRetCore::Either(choices)) => choices.iter().any(|c| matches(store, value, c)),
        (Val::I32(v), WastRetCore::I32(e)) => v == e,
        (Val::I64(v), WastRetCore::I64(e)) => v == e,
        (Val::F32(v), WastRetCore::F32(e)) => f32_matches(*v, e),
        (Val::F64(v), WastRetCore::F64(e)) => f64_matches(*v, e),
        (Val::V128(v), WastRetCore::V128(e)) => v128_matches(v.0.to_le_bytes(), e),
        (null, WastRetCore::RefNull(heap)) => null_matches(null, heap.as_ref()),
        (Val::FuncRef(Some(_)), WastRetCore::RefFunc(_)) => true,
        (Val::ExternRef(Some(r)), WastRetCore::RefExtern(e)) => {
            e.is_none_or(|e| host_number(store, r) == Some(e))
        }
        (Val::AnyRef(Some(r)), expected) => any_matches(store, r, expected).unwrap_or(false),
        _ => false,
    }
}

/// The number of a host value.
pub(super) fn host_number(store: &impl AsContext, value: &ExternRef) -> Option<u32> {
    value.data(store.as_context()).ok()??.downcast_ref().copied()
}

fn any_matches(
    store: &impl AsContext,
    value: &Rooted<AnyRef>,
    expected: &WastRetCore<'_>,
) -> selkie::Result<bool> {
    match expected {
        WastRetCore::RefAny => Ok(true),
        WastRetCore::RefEq => value.is_eqref(store),
        WastRetCore::RefStruct => value.is_struct(store),
        WastRetCore::RefArray => value.is_array(store),
        WastRetCore::RefI31 | WastRetCore::RefI31Shared => value.is_i31(store),
        WastRetCore::RefHost(e) => {
            let external = ExternRef::convert_any(store, *value)?;
            Ok(host_number(store, &external) == Some(*e))
        }
        _ => Ok(false),
    }
}

fn null_matches(value: &Val, heap: Option<&ScriptHeap<'_>>) -> bool {
    let wanted = heap.map(|heap| heap_type(heap).map(|heap| Val::null_ref(&heap)));
    match wanted {
        // A defined type does not tell its hierarchy here.
        None | Some(Err(_)) => value.is_null_ref(),
        Some(Ok(null)) => {
            value.is_null_ref() && std::mem::discriminant(value) == std::mem::discriminant(&null)
        }
    }
}

/// spec: a canonical NaN has the top bit of its fraction alone; an arithmetic one has it at least.
fn f32_matches(bits: u32, expected: &NanPattern<F32>) -> bool {
    match expected {
        NanPattern::CanonicalNan => bits & 0x7fff_ffff == 0x7fc0_0000,
        NanPattern::ArithmeticNan => bits & 0x7fc0_0000 == 0x7fc0_0000,
        NanPattern::Value(value) => bits == value.bits,
    }
}

fn f64_matches(bits: u64, expected: &NanPattern<F64>) -> bool {
    match expected {
        NanPattern::CanonicalNan => bits & (u64::MAX >> 1) == 0x7ff8_0000_0000_0000,
        NanPattern::ArithmeticNan => bits & 0x7ff8_0000_0000_0000 == 0x7ff8_0000_0000_0000,
        NanPattern::Value(value) => bits == value.bits,
    }
}

fn v128_matches(bytes: [u8; 16], expected: &V128Pattern) -> bool {
    macro_rules! lanes {
        ($int:ty, $expected:expr, $matches:expr) => {{
            let lanes = bytes.chunks_exact(size_of::<$int>());
            lanes.zip($expected).all(|(lane, expected)| {
                let lane = <$int>::from_le_bytes(lane.try_into().expect("chunks of that size"));
                $matches(lane, expected)
            })
        }};
    }
    match expected {
        V128Pattern::I8x16(e) => lanes!(i8, e, |lane, e: &i8| lane == *e),
        V128Pattern::I16x8(e) => lanes!(i16, e, |lane, e: &i16| lane == *e),
        V128Pattern::I32x4(e) => lanes!(i32, e, |lane, e: &i32| lane == *e),
        V128Pattern::I64x2(e) => lanes!(i64, e, |lane, e: &i64| lane == *e),
        V128Pattern::F32x4(e) => lanes!(u32, e, f32_matches),
        V128Pattern::F64x2(e) => lanes!(u64, e, f64_matches),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_nans_are_arithmetic_but_not_the_other_way_round() {
        assert!(f32_matches(0xffc0_0000, &NanPattern::CanonicalNan));
        assert!(f32_matches(0xffc0_0000, &NanPattern::ArithmeticNan));
        assert!(!f32_matches(0x7fc0_0001, &NanPattern::CanonicalNan));
        assert!(f32_matches(0x7fc0_0001, &NanPattern::ArithmeticNan));
        assert!(!f64_matches(0x7ff0_0000_0000_0001, &NanPattern::ArithmeticNan));
    }

    #[test]
    fn vectors_are_compared_lane_by_lane() {
        let mut bytes = [0; 16];
        bytes[12] = 7;
        assert!(v128_matches(bytes, &V128Pattern::I32x4([0, 0, 0, 7])));
        assert!(!v128_matches(bytes, &V128Pattern::I32x4([7, 0, 0, 0])));
    }
}
