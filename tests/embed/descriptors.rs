//! Structs with descriptors and exact types, seen from the host.

use selkie::{
    Config, Engine, Error, ErrorKind, Finality, HeapType, Instance, Linker, Module, Rooted, Store,
    StructRef, StructRefPre, StructType, Val, ValType,
};

const MODULE: &str = r#"(module
    (rec
        (type $a (sub (descriptor $b) (struct (field i32))))
        (type $b (sub (describes $a) (struct (field i64)))))
    (func (export "a") (result (ref (exact $a)))
        (struct.new_desc $a (i32.const 1) (struct.new $b (i64.const 2))))
    (func (export "b") (result (ref (exact $b))) (struct.new $b (i64.const 3)))
    (func (export "name") (param (ref $a)) (result i64)
        (struct.get $b 0 (ref.get_desc $a (local.get 0))))
    (func (export "exact") (param (ref (exact $a)))))"#;

fn engine() -> Engine {
    let mut config = Config::new();
    config.wasm_custom_descriptors(true).gc_stress(true);
    Engine::new(&config).unwrap()
}

fn invalid<R>(outcome: Result<R, Error>, words: &str) {
    let Err(error) = outcome else { panic!("it was accepted; expected: {words}") };
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains(words), "{error}; expected: {words}");
}

fn instance(store: &mut Store<()>) -> Instance {
    let module = Module::new(store.engine(), MODULE).unwrap();
    Linker::new(store.engine()).instantiate(store, &module).unwrap()
}

fn made_by(store: &mut Store<()>, instance: Instance, name: &str) -> Rooted<StructRef> {
    let func = instance.get_func(&mut *store, name).unwrap();
    let mut results = [Val::I32(0)];
    func.call(&mut *store, &[], &mut results).unwrap();
    results[0].unwrap_any_ref().unwrap().unwrap_struct(&*store).unwrap()
}

#[test]
fn the_descriptor_of_a_struct_is_a_struct() {
    let mut store = Store::new(&engine(), ());
    let instance = instance(&mut store);
    let a = made_by(&mut store, instance, "a");
    store.gc();
    let descriptor = a.descriptor(&mut store).unwrap().unwrap();
    assert_eq!(descriptor.field(&mut store, 0).unwrap().i64(), Some(2));
    assert!(descriptor.descriptor(&mut store).unwrap().is_none());
    assert_eq!(a.fields(&mut store).unwrap().len(), 1);
    assert_eq!(a.field(&mut store, 0).unwrap().i32(), Some(1));
}

#[test]
fn structs_with_descriptors_are_made_with_one_of_the_very_type() {
    let mut store = Store::new(&engine(), ());
    let instance = instance(&mut store);
    let (a, b) = (made_by(&mut store, instance, "a"), made_by(&mut store, instance, "b"));
    let [pre_a, pre_b] = [a, b].map(|made| {
        let ty = made.ty(&store).unwrap();
        StructRefPre::new(&mut store, ty)
    });
    let five = [Val::I32(5)];
    invalid(StructRef::new(&mut store, &pre_a, &five), "`with_descriptor`");
    invalid(StructRef::with_descriptor(&mut store, &pre_a, &five, a), "the descriptor");
    let long = [Val::I64(1)];
    invalid(StructRef::with_descriptor(&mut store, &pre_b, &long, b), "have no descriptors");
    let made = StructRef::with_descriptor(&mut store, &pre_a, &five, b).unwrap();
    let name = instance.get_func(&mut store, "name").unwrap();
    let mut results = [Val::I32(0)];
    name.call(&mut store, &[made.into()], &mut results).unwrap();
    assert_eq!(results[0].i64(), Some(3));
    assert_eq!(made.field(&mut store, 0).unwrap().i32(), Some(5));
}

#[test]
fn exact_types_are_shown_matched_and_checked() {
    let mut store = Store::new(&engine(), ());
    let instance = instance(&mut store);
    let func = instance.get_func(&mut store, "a").unwrap();
    let result = func.ty(&store).result(0).unwrap();
    let ValType::Ref(exact) = &result else { panic!("{result}") };
    let HeapType::ExactStruct(ty) = &exact.heap else { panic!("{result}") };
    assert!(result.to_string().starts_with("(ref (exact "), "{result}");
    let inexact = HeapType::ConcreteStruct(ty.clone());
    assert!(exact.heap.matches(&inexact) && exact.heap.matches(&HeapType::Struct));
    assert!(!inexact.matches(&exact.heap) && HeapType::None.matches(&exact.heap));
    let (a, b) = (made_by(&mut store, instance, "a"), made_by(&mut store, instance, "b"));
    assert!(Val::from(a).matches_ty(&store, &result).unwrap());
    let wanted = instance.get_func(&mut store, "exact").unwrap();
    wanted.call(&mut store, &[a.into()], &mut []).unwrap();
    assert!(wanted.call(&mut store, &[b.into()], &mut []).is_err());
    let below = StructType::with_finality_and_supertype(
        store.engine(),
        Finality::Final,
        Some(ty),
        ty.fields(),
    );
    assert_eq!(below.unwrap_err().kind(), ErrorKind::Unsupported);
}
