//! `--invoke`: arguments from text to values, results to text.

use crate::report::Failure;
use crate::text::{counted, nearest, shown, some_of};
use selkie::{
    AnyRef, AsContext, AsContextMut, ExternType, Func, FuncType, HeapType, I31, Instance, Store,
    V128, Val, ValType,
};
use std::ffi::OsString;

/// Calls an export and answers its results as lines.
///
/// The outer error is a call that cannot be made; the inner one is the call's own.
pub(crate) fn call<T>(
    store: &mut Store<T>,
    instance: Instance,
    name: &str,
    args: &[OsString],
) -> Result<selkie::Result<Vec<String>>, Failure> {
    let func = find(store, instance, name)?;
    let ty = func.ty(&*store);
    let values = arguments(&mut *store, name, &ty, args)?;
    let mut results = vec![Val::I32(0); ty.results().len()];
    let outcome = func.call(&mut *store, &values, &mut results);
    Ok(outcome.map(|()| results.iter().map(|value| show(&*store, value)).collect()))
}

fn find<T>(store: &mut Store<T>, instance: Instance, name: &str) -> Result<Func, Failure> {
    if let Some(func) = instance.get_func(&mut *store, name) {
        return Ok(func);
    }
    let exports = function_names(store, instance);
    let message = format!("no function is exported as {}", shown(name));
    Err(match nearest(name, exports.iter().map(String::as_str)) {
        Some(near) => Failure::error(message).hint(&format!("did you mean {}?", shown(near))),
        None if exports.is_empty() => Failure::error(message).hint("it exports no function"),
        None => {
            let exports: Vec<String> = exports.iter().map(|name| shown(name)).collect();
            Failure::error(message).hint(&format!("it exports {}", some_of(&exports, 12)))
        }
    })
}

/// The names of exported functions.
pub(crate) fn function_names<T>(store: &Store<T>, instance: Instance) -> Vec<String> {
    let module = instance.module(store);
    let functions = module.exports().filter(|e| matches!(e.ty(), ExternType::Func(_)));
    functions.map(|export| export.name().to_string()).collect()
}

fn arguments(
    mut store: impl AsContextMut,
    name: &str,
    ty: &FuncType,
    args: &[OsString],
) -> Result<Vec<Val>, Failure> {
    if args.len() != ty.params().len() {
        let name = shown(name);
        let given = counted(args.len(), "argument is given", "arguments are given");
        return Err(Failure::usage(format!("{name} has the type {ty}, but {given}")));
    }
    let with_types = args.iter().zip(ty.params()).enumerate();
    with_types
        .map(|(i, (arg, ty))| {
            let arg = arg.to_string_lossy();
            parse(&mut store, &arg, &ty).ok_or_else(|| {
                Failure::usage(format!("argument {}: {} is no {ty}", i + 1, shown(&arg)))
            })
        })
        .collect()
}

fn parse(store: impl AsContextMut, text: &str, ty: &ValType) -> Option<Val> {
    Some(match ty {
        ValType::I32 => Val::I32(integer(text, 32)? as i32),
        ValType::I64 => Val::I64(integer(text, 64)? as i64),
        ValType::F32 => Val::from(text.parse::<f32>().ok()?),
        ValType::F64 => Val::from(text.parse::<f64>().ok()?),
        ValType::V128 => Val::V128(V128(match text.strip_prefix("0x") {
            Some(digits) => u128::from_str_radix(digits, 16).ok()?,
            None => text.parse().ok()?,
        })),
        ValType::Ref(r) if text == "null" && r.nullable => Val::null_ref(&r.heap),
        ValType::Ref(r) if r.heap == HeapType::I31 => {
            AnyRef::from_i31(store, I31::wrapping_i32(integer(text, 31)? as i32)).into()
        }
        ValType::Ref(_) => return None,
    })
}

/// An integer of so many bits, signed or not, decimal or hexadecimal.
fn integer(text: &str, bits: u32) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = match digits.strip_prefix("0x") {
        Some(hex) if !hex.starts_with(['+', '-']) => i128::from_str_radix(hex, 16).ok()?,
        Some(_) => return None,
        None => digits.parse::<i128>().ok()?,
    };
    let value = if negative { value.checked_neg()? } else { value };
    (-(1 << (bits - 1))..(1 << bits)).contains(&value).then_some(value)
}

fn show(store: impl AsContext, value: &Val) -> String {
    match value {
        Val::I32(v) => v.to_string(),
        Val::I64(v) => v.to_string(),
        Val::F32(bits) => f32::from_bits(*bits).to_string(),
        Val::F64(bits) => f64::from_bits(*bits).to_string(),
        Val::V128(v) => format!("{:#034x}", v.0),
        null if null.is_null_ref() => "null".into(),
        Val::FuncRef(_) => "funcref".into(),
        Val::ExternRef(_) => "externref".into(),
        Val::AnyRef(Some(reference)) => {
            any(store, reference).unwrap_or_else(|_| "anyref".to_string())
        }
        Val::AnyRef(None) => "null".into(),
        Val::ExnRef(_) => "exnref".into(),
        Val::ContRef(_) => "contref".into(),
    }
}

/// A reference by its kind; integers as integers.
fn any(store: impl AsContext, reference: &AnyRef) -> selkie::Result<String> {
    if let Some(value) = reference.as_i31(&store)? {
        return Ok(value.get_i32().to_string());
    }
    Ok(match reference {
        r if r.is_struct(&store)? => "structref",
        r if r.is_array(&store)? => "arrayref",
        _ => "anyref",
    }
    .to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_may_be_signed_or_not_but_must_fit() {
        assert_eq!(integer("4294967295", 32), Some(0xffff_ffff));
        assert_eq!(integer("-2147483648", 32), Some(-0x8000_0000));
        assert_eq!(integer("0xff", 32), Some(255));
        assert_eq!(integer("-0x1", 64), Some(-1));
        for wrong in ["4294967296", "-2147483649", "", "1.5", "--1", "0x-1", "0x", "+-1"] {
            assert_eq!(integer(wrong, 32), None, "{wrong}");
        }
    }

    #[test]
    fn values_are_shown_as_they_are_written() {
        let mut store = Store::new(&selkie::Engine::default(), ());
        for (text, ty) in [
            ("-7", ValType::I32),
            ("1.5", ValType::F64),
            ("NaN", ValType::F32),
            ("-1073741824", ValType::I31REF),
            ("null", ValType::ANYREF),
            ("null", ValType::EXTERNREF),
        ] {
            let value = parse(&mut store, text, &ty).unwrap();
            assert_eq!(show(&store, &value), text);
        }
        assert!(parse(&mut store, "-1073741825", &ValType::I31REF).is_none());
        assert!(parse(&mut store, "1", &ValType::ANYREF).is_none());
    }
}
