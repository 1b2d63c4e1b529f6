//! `Func`, `TypedFunc` and `Val`.

use crate::instantiate;
use selkie::{ErrorKind, ExternRef, Func, Rooted, Val, ValType};

#[test]
fn all_types_of_numbers_go_in_and_out() {
    let (mut store, instance) = instantiate(
        r#"(module (func (export "f")
            (param i32 i64 f32 f64 i32 i64 f32 f64 i32 i64) (result i64 f64 i32 f32)
            local.get 9  local.get 7  local.get 8  local.get 6))"#,
    );
    type Params = (i32, i64, f32, f64, i32, i64, f32, f64, i32, i64);
    let f = instance.get_typed_func::<Params, (i64, f64, i32, f32)>(&mut store, "f").unwrap();
    let results = f.call(&mut store, (0, 0, 0., 0., 0, 0, 1.5, -2.25, i32::MIN, i64::MAX)).unwrap();
    assert_eq!(results, (i64::MAX, -2.25, i32::MIN, 1.5));
}

#[test]
fn vectors_and_many_values_go_through_untyped_calls() {
    let (mut store, instance) = instantiate(
        r#"(module (func (export "f") (param v128 i32) (result i32 v128 i64 i64 i64 i64 i64 i64)
            local.get 1  local.get 0  i64.const 1  i64.const 2  i64.const 3
            i64.const 4  i64.const 5  i64.const 6))"#,
    );
    let f = instance.get_func(&mut store, "f").unwrap();
    let vector = selkie::V128(0x0123_4567_89ab_cdef_1122_3344_5566_7788);
    let mut results = [Val::I32(0); 8];
    f.call(&mut store, &[Val::V128(vector), Val::I32(-5)], &mut results).unwrap();
    assert_eq!(results[0].i32(), Some(-5));
    assert_eq!(results[1].v128(), Some(vector));
    let rest: Vec<_> = results[2..].iter().map(|value| value.i64().unwrap()).collect();
    assert_eq!(rest, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn calls_that_do_not_fit_are_refused() {
    let (mut store, instance) =
        instantiate(r#"(module (func (export "f") (param i32) (result i64) i64.const 1))"#);
    let f = instance.get_func(&mut store, "f").unwrap();
    let mut one = [Val::I32(0)];
    for (params, results) in [
        (&[][..], 1),
        (&[Val::I64(1)][..], 1),
        (&[Val::I32(1), Val::I32(2)][..], 1),
        (&[Val::FuncRef(None)][..], 1),
        (&[Val::I32(1)][..], 0),
    ] {
        let error = f.call(&mut store, params, &mut one[..results]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
    f.call(&mut store, &[Val::I32(1)], &mut one).unwrap();
    assert_eq!(one[0].i64(), Some(1));
    assert!(f.typed::<i32, i32>(&store).is_err());
    assert!(f.typed::<(), i64>(&store).is_err());
    assert!(f.typed::<(i32, i32), i64>(&store).is_err());
    let error = instance.get_typed_func::<(), ()>(&mut store, "absent").unwrap_err();
    assert!(error.to_string().contains("absent"), "{error}");
}

#[test]
fn payloads_of_nans_survive() {
    let (mut store, instance) = instantiate(
        r#"(module (func (export "f") (param f32 f64) (result f32 f64) local.get 0 local.get 1))"#,
    );
    let f = instance.get_func(&mut store, "f").unwrap();
    let (single, double) = (0x7fa1_2345, 0xfff4_5678_9abc_def0);
    let mut results = [Val::I32(0); 2];
    f.call(&mut store, &[Val::F32(single), Val::F64(double)], &mut results).unwrap();
    assert!(matches!(results, [Val::F32(a), Val::F64(b)] if a == single && b == double));
}

#[test]
fn functions_are_values() {
    let (mut store, instance) = instantiate(
        r#"(module (table (export "t") 2 funcref)
            (func (export "same") (param funcref) (result funcref) local.get 0)
            (func (export "call") (param funcref) (result i32)
                i32.const 0  local.get 0  table.set 0
                i32.const 0  call_indirect (result i32)))"#,
    );
    let host = Func::wrap(&mut store, || 42_i32);
    let same = instance.get_func(&mut store, "same").unwrap();
    let call = instance.get_func(&mut store, "call").unwrap();
    let mut results = [Val::I32(0)];
    same.call(&mut store, &[host.into()], &mut results).unwrap();
    let back = results[0].func_ref().unwrap().unwrap();
    assert_eq!(back.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(), 42);
    call.call(&mut store, &[host.into()], &mut results).unwrap();
    assert_eq!(results[0].i32(), Some(42));
    call.call(&mut store, &[Val::FuncRef(None)], &mut results).unwrap_err();
    // A function of another type goes in, and the call traps.
    let error = call.call(&mut store, &[same.into()], &mut results).unwrap_err();
    assert_eq!(error.trap(), Some(selkie::Trap::IndirectCallTypeMismatch));
}

#[test]
fn external_references_come_back_as_they_went() {
    let (mut store, instance) = instantiate(
        r#"(module (table $t 4 externref)
            (func (export "keep") (param i32 externref) local.get 0 local.get 1 table.set $t)
            (func (export "give") (param i32) (result externref) local.get 0 table.get $t))"#,
    );
    let keep = instance.get_func(&mut store, "keep").unwrap();
    let give = instance.get_func(&mut store, "give").unwrap();
    let reference = ExternRef::new(&mut store, vec![1, 2, 3]).unwrap();
    keep.call(&mut store, &[Val::I32(2), reference.into()], &mut []).unwrap();
    let mut results = [Val::I32(0)];
    give.call(&mut store, &[Val::I32(2)], &mut results).unwrap();
    let back = results[0].extern_ref().unwrap().unwrap();
    assert!(Rooted::ref_eq(&store, &back, &reference).unwrap());
    let data = back.data(&store).unwrap().unwrap();
    assert_eq!(data.downcast_ref::<Vec<i32>>(), Some(&vec![1, 2, 3]));
    give.call(&mut store, &[Val::I32(0)], &mut results).unwrap();
    assert!(matches!(results[0], Val::ExternRef(None)));
}

#[test]
fn a_host_function_can_be_called_without_any_module() {
    let engine = selkie::Engine::default();
    let mut store = selkie::Store::new(&engine, 10);
    let add = Func::wrap(&mut store, |caller: selkie::Caller<'_, i32>, x: i32| x + caller.data());
    let typed = add.typed::<i32, i32>(&store).unwrap();
    assert_eq!(typed.call(&mut store, 5).unwrap(), 15);
    assert!(add.ty(&store).params().eq([ValType::I32]));
    assert_eq!(typed.func().ty(&store), add.ty(&store));
}
