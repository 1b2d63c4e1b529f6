//! Structs, arrays, external references: what hosts make, read and write, and what is refused.

use selkie::{
    AnyRef, ArrayRef, ArrayRefPre, ArrayType, AsContextMut, Config, Engine, Error, ErrorKind,
    ExternRef, FieldType, Func, Global, GlobalType, HeapType, I31, Instance, LimitExceeded, Module,
    Mutability, RefType, RootScope, Rooted, StorageType, Store, StoreLimits, StructRef,
    StructRefPre, StructType, Table, TableType, V128, Val, ValType,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn var(storage: impl Into<StorageType>) -> FieldType {
    FieldType::new(Mutability::Var, storage)
}

fn constant(storage: impl Into<StorageType>) -> FieldType {
    FieldType::new(Mutability::Const, storage)
}

fn structs<const N: usize>(store: &mut Store<()>, fields: [FieldType; N]) -> StructRefPre {
    let ty = StructType::new(store.engine(), fields).unwrap();
    StructRefPre::new(store, ty)
}

fn arrays(store: &mut Store<()>, element: FieldType) -> ArrayRefPre {
    let ty = ArrayType::new(store.engine(), element).unwrap();
    ArrayRefPre::new(store, ty)
}

fn invalid<R>(outcome: Result<R, Error>, words: &str) {
    let Err(error) = outcome else { panic!("it was accepted; expected: {words}") };
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains(words), "{error}; expected: {words}");
}

fn i31(store: impl AsContextMut, value: i32) -> Rooted<AnyRef> {
    AnyRef::from_i31(store, I31::new_i32(value).unwrap())
}

/// Counts how often it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A store that collects at each allocation, and one that does so rarely.
fn stores() -> [Store<()>; 2] {
    [true, false].map(|stress| {
        let mut config = Config::new();
        config.gc_stress(stress);
        Store::new(&Engine::new(&config).unwrap(), ())
    })
}

#[test]
fn fields_of_every_type_are_read_as_they_were_written() {
    for mut store in stores() {
        let pre = structs(
            &mut store,
            [
                var(StorageType::I8),
                var(ValType::V128),
                var(StorageType::I16),
                var(ValType::F32),
                var(ValType::FUNCREF),
                var(ValType::I64),
                var(ValType::ANYREF),
                var(ValType::F64),
                var(ValType::EXTERNREF),
                var(ValType::I32),
            ],
        );
        let func = Func::wrap(&mut store, || 77_i32);
        let data = ExternRef::new(&mut store, "data").unwrap();
        let inside = i31(&mut store, -5);
        let values = [
            Val::I32(0x1_ff),
            Val::V128(V128(0x0123_4567_89ab_cdef_1122_3344_5566_7788)),
            Val::I32(-2),
            Val::F32(0x7fa1_2345),
            func.into(),
            Val::I64(i64::MIN),
            inside.into(),
            Val::from(-0.0),
            data.into(),
            Val::I32(i32::MAX),
        ];
        let made = StructRef::new(&mut store, &pre, &values).unwrap();
        store.gc();
        assert_eq!(made.fields(&mut store).unwrap().len(), 10);
        let fields: Vec<Val> = made.fields(&mut store).unwrap().collect();
        // Of packed integers the low bits are kept, and extended by zeros.
        assert_eq!((fields[0].i32(), fields[2].i32()), (Some(0xff), Some(0xfffe)));
        assert_eq!(fields[1].v128(), values[1].v128());
        assert!(matches!(fields[3], Val::F32(0x7fa1_2345)));
        let called = fields[4].unwrap_func_ref().unwrap().typed::<(), i32>(&store).unwrap();
        assert_eq!(called.call(&mut store, ()).unwrap(), 77);
        assert_eq!((fields[5].i64(), fields[9].i32()), (Some(i64::MIN), Some(i32::MAX)));
        assert!(fields[7].unwrap_f64().is_sign_negative());
        let number = fields[6].unwrap_any_ref().unwrap().unwrap_i31(&store).unwrap();
        assert_eq!(number.get_i32(), -5);
        let back = fields[8].unwrap_extern_ref().unwrap();
        assert!(Rooted::ref_eq(&store, &back, &data).unwrap());
        assert_eq!(back.data(&store).unwrap().unwrap().downcast_ref(), Some(&"data"));
    }
}

#[test]
fn writing_a_field_leaves_the_others() {
    for mut store in stores() {
        let pre =
            structs(&mut store, [var(StorageType::I8), var(StorageType::I8), var(ValType::ANYREF)]);
        let values = [Val::I32(1), Val::I32(2), Val::AnyRef(None)];
        let made = StructRef::new(&mut store, &pre, &values).unwrap();
        made.set_field(&mut store, 1, Val::I32(0xffff)).unwrap();
        let other = StructRef::new(&mut store, &pre, &values).unwrap();
        made.set_field(&mut store, 2, other.into()).unwrap();
        store.gc();
        assert_eq!(made.field(&mut store, 0).unwrap().i32(), Some(1));
        assert_eq!(made.field(&mut store, 1).unwrap().i32(), Some(0xff));
        let inside = made.field(&mut store, 2).unwrap().unwrap_any_ref().unwrap();
        assert!(Rooted::ref_eq(&store, &inside, &other).unwrap());
        assert!(!Rooted::ref_eq(&store, &inside, &made).unwrap());
        // A cycle is no leak, and no endless walk.
        other.set_field(&mut store, 2, made.into()).unwrap();
        store.gc();
        let inside = inside.unwrap_struct(&store).unwrap();
        let around = inside.field(&mut store, 2).unwrap().unwrap_any_ref().unwrap();
        assert!(Rooted::ref_eq(&store, &around, &made).unwrap());
    }
}

#[test]
fn structs_that_do_not_fit_their_type_are_refused() {
    let mut store = Store::new(&Engine::default(), ());
    let not_null = ValType::Ref(RefType::new(false, HeapType::Any));
    let pre = structs(&mut store, [constant(ValType::I32), var(not_null)]);
    let some = i31(&mut store, 1);
    let good = [Val::I32(1), some.into()];
    invalid(StructRef::new(&mut store, &pre, &good[..1]), "2 fields, 1 were given");
    invalid(StructRef::new(&mut store, &pre, &[good[0], good[1], good[0]]), "3 were given");
    invalid(StructRef::new(&mut store, &pre, &[Val::I64(1), good[1]]), "field 0");
    invalid(StructRef::new(&mut store, &pre, &[good[0], Val::AnyRef(None)]), "field 1");
    let external = ExternRef::new(&mut store, 1).unwrap();
    invalid(StructRef::new(&mut store, &pre, &[good[0], external.into()]), "field 1");
    let made = StructRef::new(&mut store, &pre, &good).unwrap();
    invalid(made.field(&mut store, 2), "none of index 2");
    invalid(made.field(&mut store, usize::MAX), "none of index");
    invalid(made.set_field(&mut store, 2, Val::I32(1)), "none of index 2");
    invalid(made.set_field(&mut store, 0, Val::I32(2)), "immutable");
    invalid(made.set_field(&mut store, 1, Val::AnyRef(None)), "not of type (ref any)");
    invalid(made.set_field(&mut store, 1, Val::I32(2)), "field 1");
    assert_eq!(made.field(&mut store, 0).unwrap().i32(), Some(1));
}

#[test]
fn what_belongs_to_another_store_or_engine_is_refused() {
    let engine = Engine::default();
    let (mut a, mut b) = (Store::new(&engine, ()), Store::new(&engine, ()));
    let of_a = structs(&mut a, [var(ValType::ANYREF)]);
    let of_b = structs(&mut b, [var(ValType::ANYREF)]);
    let null = [Val::AnyRef(None)];
    let in_a = StructRef::new(&mut a, &of_a, &null).unwrap();
    let in_b = StructRef::new(&mut b, &of_b, &null).unwrap();
    invalid(StructRef::new(&mut b, &of_a, &null), "store");
    invalid(StructRef::new(&mut b, &of_b, &[in_a.into()]), "store");
    invalid(in_b.set_field(&mut b, 0, in_a.into()), "store");
    invalid(in_a.field(&mut b, 0), "store");
    invalid(in_a.ty(&b), "store");
    let array = arrays(&mut a, var(ValType::ANYREF));
    invalid(ArrayRef::new(&mut b, &array, &null[0], 1), "store");
    invalid(ArrayRef::new_fixed(&mut a, &array, &[in_b.into()]), "store");
    let other = Engine::default();
    let foreign = StructType::new(&other, []).unwrap();
    invalid(in_a.matches_ty(&a, &foreign), "engine");
    let pre = StructRefPre::new(&mut a, foreign);
    invalid(StructRef::new(&mut a, &pre, &[]), "engine");
    let foreign = ArrayType::new(&other, var(StorageType::I8)).unwrap();
    let pre = ArrayRefPre::new(&mut a, foreign);
    invalid(ArrayRef::new(&mut a, &pre, &Val::I32(0), 0), "engine");
}

#[test]
fn arrays_have_the_elements_they_were_made_of() {
    for mut store in stores() {
        let pre = arrays(&mut store, var(ValType::ANYREF));
        let seven = i31(&mut store, 7);
        let filled = ArrayRef::new(&mut store, &pre, &seven.into(), 1000).unwrap();
        let fixed = [seven.into(), Val::AnyRef(None), filled.into()];
        let fixed = ArrayRef::new_fixed(&mut store, &pre, &fixed).unwrap();
        store.gc();
        assert_eq!((filled.len(&store).unwrap(), fixed.len(&store).unwrap()), (1000, 3));
        for element in filled.elems(&mut store).unwrap().collect::<Vec<_>>() {
            let number = element.unwrap_any_ref().unwrap().unwrap_i31(&store).unwrap();
            assert_eq!(number.get_i32(), 7);
        }
        assert!(fixed.get(&mut store, 1).unwrap().unwrap_any_ref().is_none());
        let last = fixed.get(&mut store, 2).unwrap().unwrap_any_ref().unwrap();
        assert!(last.is_array(&store).unwrap() && !last.is_struct(&store).unwrap());
        assert!(Rooted::ref_eq(&store, &last, &filled).unwrap());
        filled.set(&mut store, 999, fixed.into()).unwrap();
        store.gc();
        let back = filled.get(&mut store, 999).unwrap().unwrap_any_ref().unwrap();
        assert_eq!(back.unwrap_array(&store).unwrap().len(&store).unwrap(), 3);
    }
}

#[test]
fn arrays_are_bounded_and_may_be_empty() {
    let mut store = Store::new(&Engine::default(), ());
    let pre = arrays(&mut store, var(ValType::I64));
    let empty = ArrayRef::new_fixed(&mut store, &pre, &[]).unwrap();
    assert_eq!(empty.len(&store).unwrap(), 0);
    assert_eq!(empty.elems(&mut store).unwrap().count(), 0);
    assert!(empty.bytes(&store).unwrap().is_empty());
    invalid(empty.get(&mut store, 0), "0 elements");
    invalid(empty.set(&mut store, 0, Val::I64(1)), "0 elements");
    let three = ArrayRef::new(&mut store, &pre, &Val::I64(-1), 3).unwrap();
    invalid(three.get(&mut store, 3), "none of index 3");
    invalid(three.get(&mut store, u32::MAX), "none of index");
    invalid(three.set(&mut store, 0, Val::I32(1)), "not of type i64");
    three.set(&mut store, 2, Val::I64(5)).unwrap();
    assert_eq!(three.get(&mut store, 2).unwrap().i64(), Some(5));
    assert_eq!(three.get(&mut store, 1).unwrap().i64(), Some(-1));
    let fixed = arrays(&mut store, constant(ValType::I64));
    let fixed = ArrayRef::new(&mut store, &fixed, &Val::I64(1), 1).unwrap();
    invalid(fixed.set(&mut store, 0, Val::I64(2)), "immutable");
    invalid(fixed.bytes_mut(&mut store), "immutable");
    assert_eq!(fixed.bytes(&store).unwrap(), 1_i64.to_le_bytes());
}

#[test]
fn elements_that_are_references_are_not_shown_as_bytes() {
    let mut store = Store::new(&Engine::default(), ());
    for (ty, null) in [(ValType::FUNCREF, Val::FuncRef(None)), (ValType::ANYREF, Val::AnyRef(None))]
    {
        let pre = arrays(&mut store, var(ty));
        let array = ArrayRef::new(&mut store, &pre, &null, 4).unwrap();
        invalid(array.bytes(&store), "references");
        invalid(array.bytes_mut(&mut store), "references");
    }
}

#[test]
fn what_is_too_large_for_the_heap_is_an_error_that_says_so() {
    let mut store = Store::new(&Engine::default(), ());
    let limit_bytes = 1 << 20;
    store.set_limits(StoreLimits { gc_heap_bytes: limit_bytes, ..StoreLimits::default() });
    let pre = arrays(&mut store, var(ValType::V128));
    for len in [u32::MAX, 1 << 28, 1 << 17] {
        let error = ArrayRef::new(&mut store, &pre, &Val::V128(V128(1)), len).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
        let limit = error.downcast_ref::<LimitExceeded>();
        assert_eq!(limit, Some(&LimitExceeded::Heap { limit_bytes }), "{error}");
    }
    // What is held fills the heap; what is let go makes room.
    let full = |store: &mut Store<()>| {
        let mut scope = RootScope::new(store);
        let mut made = 0;
        while ArrayRef::new(&mut scope, &pre, &Val::V128(V128(1)), 1000).is_ok() {
            made += 1;
        }
        made
    };
    let first = full(&mut store);
    assert!((10..=65).contains(&first), "{first}");
    for _ in 0..10 {
        assert!(full(&mut store) >= first - 1);
    }
    assert!(store.gc_stats().peak_committed_bytes <= limit_bytes);
}

#[test]
fn casts_tell_what_an_object_is() {
    let mut store = Store::new(&Engine::default(), ());
    let pre = structs(&mut store, [constant(ValType::I32)]);
    let structure = StructRef::new(&mut store, &pre, &[Val::I32(1)]).unwrap();
    let array = arrays(&mut store, var(StorageType::I8));
    let array = ArrayRef::new(&mut store, &array, &Val::I32(0), 1).unwrap();
    let number = i31(&mut store, 1);
    let external = ExternRef::new(&mut store, 1_u8).unwrap();
    let external = AnyRef::convert_extern(&store, external).unwrap();
    let all = [structure.to_anyref(), array.to_anyref(), number, external];
    let seen = all.map(|any| {
        [
            any.is_struct(&store).unwrap(),
            any.is_array(&store).unwrap(),
            any.is_i31(&store).unwrap(),
            any.is_eqref(&store).unwrap(),
        ]
    });
    assert_eq!(seen[0], [true, false, false, true]);
    assert_eq!(seen[1], [false, true, false, true]);
    assert_eq!(seen[2], [false, false, true, true]);
    assert_eq!(seen[3], [false, false, false, false]);
    let types = all.map(|any| any.ty(&store).unwrap());
    assert_eq!(types[0], HeapType::ConcreteStruct(pre.ty().clone()));
    assert_eq!(types[1].as_concrete_array().unwrap().element_type(), StorageType::I8);
    assert_eq!(types[2..], [HeapType::I31, HeapType::Any]);
    for (any, ty) in all.iter().zip(&types) {
        for (other, _) in types.iter().zip(&all) {
            assert_eq!(any.matches_ty(&store, other).unwrap(), ty.matches(other), "{ty} {other}");
        }
        assert!(!any.matches_ty(&store, &HeapType::None).unwrap());
        assert!(!any.matches_ty(&store, &HeapType::Extern).unwrap());
    }
    assert!(structure.matches_ty(&store, pre.ty()).unwrap());
    let cast = all[1].as_struct(&store).unwrap();
    assert!(cast.is_none());
    let wrong = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        all[1].unwrap_struct(&store).map(drop)
    }));
    assert!(wrong.is_err());
}

#[test]
fn conversions_between_outside_and_inside_keep_the_identity() {
    for mut store in stores() {
        let external = ExternRef::new(&mut store, "outside").unwrap();
        let internal = AnyRef::convert_extern(&store, external).unwrap();
        let back = ExternRef::convert_any(&store, internal).unwrap();
        assert!(Rooted::ref_eq(&store, &external, &back).unwrap());
        assert_eq!(back.data(&store).unwrap().unwrap().downcast_ref(), Some(&"outside"));
        for inside in [i31(&mut store, 3), {
            let pre = structs(&mut store, []);
            StructRef::new(&mut store, &pre, &[]).unwrap().to_anyref()
        }] {
            let outside = ExternRef::convert_any(&store, inside).unwrap();
            assert!(outside.data(&store).unwrap().is_none());
            assert!(outside.data_mut(&mut store).unwrap().is_none());
            assert_eq!(Val::from(outside).ty(&store).unwrap().to_string(), "(ref extern)");
            let back = AnyRef::convert_extern(&store, outside).unwrap();
            assert!(Rooted::ref_eq(&store, &inside, &back).unwrap());
        }
    }
}

#[test]
fn host_data_is_dropped_once_when_nobody_can_reach_it() {
    for mut store in stores() {
        let drops = Arc::new(AtomicUsize::new(0));
        let dropped = || drops.load(Ordering::Relaxed);
        let pre = structs(&mut store, [var(ValType::EXTERNREF)]);
        let kept = {
            let mut scope = RootScope::new(&mut store);
            let inside = ExternRef::new(&mut scope, Counted(drops.clone())).unwrap();
            let owned = ExternRef::new(&mut scope, Counted(drops.clone())).unwrap();
            for _ in 0..3 {
                ExternRef::new(&mut scope, Counted(drops.clone())).unwrap();
            }
            let holder = StructRef::new(&mut scope, &pre, &[inside.into()]).unwrap();
            let holder = holder.to_owned_rooted(&mut scope).unwrap();
            (holder, owned.to_owned_rooted(&mut scope).unwrap())
        };
        for _ in 0..3 {
            store.gc();
            assert_eq!(dropped(), 3);
        }
        let (holder, owned) = kept;
        drop(owned);
        store.gc();
        assert_eq!(dropped(), 4);
        holder.set_field(&mut store, 0, Val::ExternRef(None)).unwrap();
        store.gc();
        assert_eq!(dropped(), 5);
        ExternRef::new(&mut store, Counted(drops.clone())).unwrap();
        drop(store);
        assert_eq!(dropped(), 6);
    }
}

#[test]
fn data_that_is_let_go_makes_room_without_being_asked() {
    let mut store = Store::new(&Engine::default(), ());
    let drops = Arc::new(AtomicUsize::new(0));
    let made = 1_000_000;
    for _ in 0..made {
        let mut scope = RootScope::new(&mut store);
        ExternRef::new(&mut scope, Counted(drops.clone())).unwrap();
    }
    let alive = made - drops.load(Ordering::Relaxed);
    assert!(alive <= 1 << 15, "{alive}");
}

#[test]
fn data_of_the_host_can_be_changed() {
    let mut store = Store::new(&Engine::default(), ());
    let reference = ExternRef::new(&mut store, vec![1]).unwrap();
    let again = reference.to_owned_rooted(&mut store).unwrap();
    let data = reference.data_mut(&mut store).unwrap().unwrap();
    data.downcast_mut::<Vec<i32>>().unwrap().push(2);
    store.gc();
    let data = again.data(&store).unwrap().unwrap();
    assert_eq!(data.downcast_ref::<Vec<i32>>(), Some(&vec![1, 2]));
    assert!(data.downcast_ref::<String>().is_none());
}

const LISTS: &str = r#"(module
    (type $list (struct (field $head i32) (field $tail (mut (ref null $list)))))
    (type $other (struct (field f64)))
    (global (export "g") (mut (ref null $list)) (ref.null $list))
    (table (export "t") 3 10 (ref null $list))
    (func (export "push") (param i32 (ref null $list)) (result (ref $list))
        (struct.new $list (local.get 0) (local.get 1)))
    (func (export "sum") (param $at (ref null $list)) (result i32) (local $sum i32)
        (block $end
            (loop $next
                (br_if $end (ref.is_null (local.get $at)))
                (local.set $sum (i32.add (local.get $sum) (struct.get $list $head (local.get $at))))
                (local.set $at (struct.get $list $tail (local.get $at)))
                (br $next)))
        (local.get $sum))
    (func (export "other") (result (ref $other)) (struct.new_default $other)))"#;

/// A store with an instance of [`LISTS`], and the type of its lists.
fn lists(stress: bool) -> (Store<()>, Instance, StructType) {
    let mut config = Config::new();
    config.gc_stress(stress);
    let engine = Engine::new(&config).unwrap();
    let module = Module::new(&engine, LISTS).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let ty = instance.get_global(&mut store, "g").unwrap().ty(&store).content;
    let ty = ty.as_ref().unwrap().heap.as_concrete_struct().unwrap().clone();
    (store, instance, ty)
}

#[test]
fn guest_and_host_make_and_read_the_same_objects() {
    for stress in [false, true] {
        let (mut store, instance, ty) = lists(stress);
        let push = instance.get_func(&mut store, "push").unwrap();
        let sum = instance.get_func(&mut store, "sum").unwrap();
        let pre = StructRefPre::new(&mut store, ty);
        let mut results = [Val::AnyRef(None)];
        let mut total = [Val::I32(0)];
        for i in 0..100 {
            if i % 2 == 0 {
                push.call(&mut store, &[Val::I32(i), results[0]], &mut total).unwrap();
                results = total;
            } else {
                let fields = [Val::I32(i), results[0]];
                results = [StructRef::new(&mut store, &pre, &fields).unwrap().into()];
            }
        }
        sum.call(&mut store, &results, &mut total).unwrap();
        assert_eq!(total[0].i32(), Some(4950));
        let mut at = results[0].unwrap_any_ref().unwrap().unwrap_struct(&store).unwrap();
        for i in (1..100).rev() {
            assert_eq!(at.field(&mut store, 0).unwrap().i32(), Some(i));
            let tail = at.field(&mut store, 1).unwrap();
            at = tail.unwrap_any_ref().unwrap().unwrap_struct(&store).unwrap();
        }
        assert!(at.field(&mut store, 1).unwrap().is_null_ref());
    }
}

#[test]
fn typed_calls_check_arguments_of_defined_types() {
    let (mut store, instance, ty) = lists(false);
    type List = Option<Rooted<StructRef>>;
    let push = instance.get_typed_func::<(i32, List), Rooted<StructRef>>(&mut store, "push");
    let push = push.unwrap();
    let sum = instance.get_typed_func::<List, i32>(&mut store, "sum").unwrap();
    let other = instance.get_typed_func::<(), Rooted<StructRef>>(&mut store, "other").unwrap();
    let one = push.call(&mut store, (1, None)).unwrap();
    let two = push.call(&mut store, (2, Some(one))).unwrap();
    assert_eq!(sum.call(&mut store, Some(two)).unwrap(), 3);
    let other = other.call(&mut store, ()).unwrap();
    invalid(sum.call(&mut store, Some(other)), "parameter 0");
    invalid(push.call(&mut store, (1, Some(other))), "parameter 1");
    // A type that shares nothing with the parameter's, or says less of a result, does not fit.
    assert!(instance.get_typed_func::<Option<Rooted<ArrayRef>>, i32>(&mut store, "sum").is_err());
    assert!(instance.get_typed_func::<Option<Rooted<ExternRef>>, i32>(&mut store, "sum").is_err());
    assert!(instance.get_typed_func::<(i32, List), Rooted<ArrayRef>>(&mut store, "push").is_err());
    // The host's function of the very type.
    let heap = HeapType::ConcreteStruct(ty);
    let wanted =
        selkie::FuncType::new(store.engine(), [ValType::Ref(RefType::new(false, heap))], []);
    let func = Func::new(&mut store, wanted, |_, _, _| Ok(()));
    let func = func.typed::<List, ()>(&store).unwrap();
    func.call(&mut store, Some(one)).unwrap();
    invalid(func.call(&mut store, Some(other)), "parameter 0");
    invalid(func.call(&mut store, None), "parameter 0");
}

#[test]
fn tables_and_globals_hold_references_of_defined_types() {
    for stress in [false, true] {
        let (mut store, instance, ty) = lists(stress);
        let table = instance.get_table(&mut store, "t").unwrap();
        let global = instance.get_global(&mut store, "g").unwrap();
        let pre = StructRefPre::new(&mut store, ty);
        let node = |store: &mut Store<()>, head| {
            StructRef::new(store, &pre, &[Val::I32(head), Val::AnyRef(None)]).unwrap()
        };
        {
            let mut scope = RootScope::new(&mut store);
            let fields = [Val::I32(5), Val::AnyRef(None)];
            let five = StructRef::new(&mut scope, &pre, &fields).unwrap();
            global.set(&mut scope, five.into()).unwrap();
            table.fill(&mut scope, 1, five.into(), 2).unwrap();
        }
        store.gc();
        let other = structs(&mut store, [constant(ValType::F64)]);
        let other = StructRef::new(&mut store, &other, &[Val::from(1.0)]).unwrap();
        invalid(table.set(&mut store, 0, other.into()), "element type");
        invalid(global.set(&mut store, other.into()), "the global's type");
        invalid(table.fill(&mut store, 0, other.into(), 1), "element type");
        invalid(table.grow(&mut store, 1, Val::ExternRef(None)), "element type");
        assert!(table.fill(&mut store, 2, Val::AnyRef(None), 2).is_err());
        assert!(table.fill(&mut store, u64::MAX, Val::AnyRef(None), 2).is_err());
        let six = node(&mut store, 6);
        assert_eq!(table.grow(&mut store, 2, six.into()).unwrap(), 3);
        store.gc();
        let heads: Vec<Option<i32>> = (0..5)
            .map(|index| {
                let node = table.get(&mut store, index).unwrap().unwrap_any_ref()?;
                let node = node.unwrap_struct(&store).unwrap();
                node.field(&mut store, 0).unwrap().i32()
            })
            .collect();
        assert_eq!(heads, [None, Some(5), Some(5), Some(6), Some(6)]);
        let five = global.get(&mut store).unwrap_any_ref().unwrap();
        let in_table = table.get(&mut store, 1).unwrap().unwrap_any_ref().unwrap();
        assert!(Rooted::ref_eq(&store, &five, &in_table).unwrap());
    }
}

#[test]
fn tables_and_globals_of_the_host_hold_references() {
    for mut store in stores() {
        let pre = arrays(&mut store, var(ValType::I32));
        let (table, global) = {
            let mut scope = RootScope::new(&mut store);
            let array = ArrayRef::new(&mut scope, &pre, &Val::I32(8), 2).unwrap();
            let ty = TableType::new(RefType::EQREF, 2, None);
            let table = Table::new(&mut scope, ty, array.into()).unwrap();
            let ty = GlobalType::new(ValType::ARRAYREF, Mutability::Var);
            (table, Global::new(&mut scope, ty, array.into()).unwrap())
        };
        store.gc();
        let values = [table.get(&mut store, 1).unwrap(), global.get(&mut store)];
        for value in values {
            let array = value.unwrap_any_ref().unwrap().unwrap_array(&store).unwrap();
            assert_eq!(array.get(&mut store, 1).unwrap().i32(), Some(8));
        }
        let number = i31(&mut store, 1);
        table.set(&mut store, 0, number.into()).unwrap();
        invalid(global.set(&mut store, number.into()), "arrayref");
        assert!(
            table.get(&mut store, 0).unwrap().unwrap_any_ref().unwrap().is_i31(&store).unwrap()
        );
    }
}

#[test]
fn references_in_a_host_function_survive_collections_in_it() {
    for stress in [false, true] {
        let mut config = Config::new();
        config.gc_stress(stress);
        let engine = Engine::new(&config).unwrap();
        let module = Module::new(
            &engine,
            r#"(module (type $pair (struct (field i32) (field i32)))
                (import "h" "swap" (func $swap (param structref) (result structref)))
                (func (export "f") (param i32 i32) (result i32) (local (ref $pair) (ref $pair))
                    (local.set 2 (struct.new $pair (local.get 0) (local.get 1)))
                    (local.set 3 (ref.cast (ref $pair) (call $swap (local.get 2))))
                    (i32.sub
                        (struct.get $pair 0 (local.get 3))
                        (struct.get $pair 0 (local.get 2)))))"#,
        )
        .unwrap();
        let mut store = Store::new(&engine, ());
        let swap = Func::wrap(
            &mut store,
            |mut caller: selkie::Caller<'_, ()>, pair: Option<Rooted<StructRef>>| {
                let pair = pair.ok_or_else(|| Error::msg("null"))?;
                let ty = pair.ty(&caller)?;
                let pre = StructRefPre::new(&mut caller, ty);
                caller.gc();
                let fields: Vec<Val> = pair.fields(&mut caller)?.collect();
                caller.gc();
                let swapped = StructRef::new(&mut caller, &pre, &[fields[1], fields[0]])?;
                caller.gc();
                Ok::<_, Error>(Some(swapped))
            },
        );
        let instance = Instance::new(&mut store, &module, &[swap.into()]).unwrap();
        let f = instance.get_typed_func::<(i32, i32), i32>(&mut store, "f").unwrap();
        for i in 0..100 {
            assert_eq!(f.call(&mut store, (i, 3 * i)).unwrap(), 2 * i);
        }
    }
}

#[test]
fn integers_of_31_bits_have_their_borders() {
    for (given, kept) in [(0, true), (0x3fff_ffff, true), (-0x4000_0000, true)] {
        assert_eq!(I31::new_i32(given).map(I31::get_i32), kept.then_some(given));
    }
    for given in [0x4000_0000, -0x4000_0001, i32::MAX, i32::MIN] {
        assert_eq!(I31::new_i32(given), None, "{given}");
    }
    assert_eq!(I31::new_u32(0x7fff_ffff).map(I31::get_u32), Some(0x7fff_ffff));
    assert_eq!(I31::new_u32(0x8000_0000), None);
    assert_eq!(I31::wrapping_i32(i32::MIN).get_i32(), 0);
    assert_eq!(I31::wrapping_i32(0x4000_0000).get_i32(), -0x4000_0000);
    let (mut store, instance) = crate::instantiate(
        r#"(module
            (func (export "signed") (param i31ref) (result i32) (i31.get_s (local.get 0)))
            (func (export "unsigned") (param (ref i31)) (result i32) (i31.get_u (local.get 0)))
            (func (export "make") (param i32) (result (ref i31)) (ref.i31 (local.get 0))))"#,
    );
    let signed = instance.get_typed_func::<Option<I31>, i32>(&mut store, "signed").unwrap();
    let unsigned = instance.get_typed_func::<I31, u32>(&mut store, "unsigned").unwrap();
    let make = instance.get_typed_func::<i32, I31>(&mut store, "make").unwrap();
    for given in [0, 1, -1, 0x3fff_ffff, 0x4000_0000, i32::MIN, i32::MAX] {
        let made = make.call(&mut store, given).unwrap();
        assert_eq!(made, I31::wrapping_i32(given));
        assert_eq!(signed.call(&mut store, Some(made)).unwrap(), made.get_i32());
        assert_eq!(unsigned.call(&mut store, made).unwrap(), made.get_u32());
    }
    let error = signed.call(&mut store, None).unwrap_err();
    assert_eq!(error.trap(), Some(selkie::Trap::NullI31Reference), "{error}");
}

#[test]
fn what_only_looks_takes_exclusive_access_too() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let data = ExternRef::new(&mut store, 7).unwrap();
    let seen = data.data(&mut store).unwrap().and_then(|data| data.downcast_ref::<i32>());
    assert_eq!(seen, Some(&7));
    let ty = ArrayType::new(&engine, FieldType::new(Mutability::Const, StorageType::I8)).unwrap();
    let pre = ArrayRefPre::new(&mut store, ty);
    let array = ArrayRef::new(&mut store, &pre, &Val::I32(1), 2).unwrap();
    assert_eq!(array.bytes(&mut store).unwrap(), [1, 1]);
}
