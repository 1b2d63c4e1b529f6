//! Types: made by hosts, taken from modules, compared, written.

use selkie::{
    ArrayType, Engine, ErrorKind, ExternType, FieldType, Finality, Func, FuncType, HeapType,
    Module, Mutability, RefType, StorageType, Store, StructType, ValType,
};

const VAR: Mutability = Mutability::Var;
const CONST: Mutability = Mutability::Const;

fn structure(engine: &Engine, supertype: Option<&StructType>, fields: &[FieldType]) -> StructType {
    let fields = fields.iter().cloned();
    StructType::with_finality_and_supertype(engine, Finality::NonFinal, supertype, fields).unwrap()
}

fn reference(nullable: bool, heap: HeapType) -> ValType {
    ValType::Ref(RefType::new(nullable, heap))
}

#[test]
fn a_type_of_the_host_is_that_of_a_module_which_says_the_same() {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
            (type $pair (struct (field (mut i8)) (field f64)))
            (type $bytes (array (mut i8)))
            (global (export "pair") (ref null $pair) (ref.null $pair))
            (table (export "bytes") 1 (ref null $bytes))
            (func (export "f") (param (ref $pair)) (result (ref null $bytes)) unreachable))"#,
    )
    .unwrap();
    let byte = FieldType::new(VAR, StorageType::I8);
    let pair =
        StructType::new(&engine, [byte.clone(), FieldType::new(CONST, ValType::F64)]).unwrap();
    let bytes = ArrayType::new(&engine, byte).unwrap();
    let pair_heap = HeapType::ConcreteStruct(pair);
    let bytes_heap = HeapType::ConcreteArray(bytes);
    let Some(ExternType::Global(global)) = module.get_export("pair") else { panic!() };
    assert_eq!(global.content, reference(true, pair_heap.clone()));
    let Some(ExternType::Table(table)) = module.get_export("bytes") else { panic!() };
    assert_eq!(table.element, RefType::new(true, bytes_heap.clone()));
    let func = FuncType::new(&engine, [reference(false, pair_heap)], [reference(true, bytes_heap)]);
    assert_eq!(module.get_export("f"), Some(ExternType::Func(func)));
}

#[test]
fn a_recursive_type_tells_of_itself_without_end() {
    let engine = Engine::default();
    let text = r#"(module (rec (type $list (struct (field i32) (field (ref null $list)))))
        (global (export "list") (ref null $list) (ref.null $list)))"#;
    let module = Module::new(&engine, text).unwrap();
    let Some(ExternType::Global(ty)) = module.get_export("list") else { panic!() };
    let head = ty.content.as_ref().unwrap().heap.as_concrete_struct().unwrap().clone();
    let mut at = head.clone();
    for _ in 0..1000 {
        let next = at.field(1).unwrap();
        let next = next.element_type().as_val_type().unwrap().as_ref().unwrap();
        at = next.heap.as_concrete_struct().unwrap().clone();
    }
    assert_eq!(at, head);
    assert!(head.to_string().starts_with("(struct i32 (ref null "), "{head}");
}

#[test]
fn subtypes_match_their_supertypes_and_no_others() {
    let engine = Engine::default();
    let number = FieldType::new(CONST, ValType::I32);
    let animal = structure(&engine, None, &[]);
    let dog = structure(&engine, Some(&animal), std::slice::from_ref(&number));
    let cat = structure(&engine, Some(&animal), &[number.clone(), number.clone()]);
    assert_eq!(dog.supertype(), Some(animal.clone()));
    assert_eq!(dog.finality(), Finality::NonFinal);
    let heap = |ty: &StructType| HeapType::ConcreteStruct(ty.clone());
    for (sub, sup, expected) in [
        (&dog, &animal, true),
        (&cat, &animal, true),
        (&dog, &dog, true),
        (&animal, &dog, false),
        (&cat, &dog, false),
    ] {
        assert_eq!(sub.matches(sup), expected, "{sub} {sup}");
        assert_eq!(heap(sub).matches(&heap(sup)), expected);
        // Null may go wherever null is allowed, and nowhere else.
        assert_eq!(reference(true, heap(sub)).matches(&reference(true, heap(sup))), expected);
        assert!(!reference(true, heap(sub)).matches(&reference(false, heap(sup))));
    }
    // An equal type that was declared below nothing is another type.
    assert_ne!(structure(&engine, None, std::slice::from_ref(&number)), dog);
    // One that was declared in the same way is the same.
    assert_eq!(structure(&engine, Some(&animal), std::slice::from_ref(&number)), dog);
}

#[test]
fn supertypes_that_do_not_fit_are_refused() {
    let engine = Engine::default();
    let open = |fields: &[FieldType]| structure(&engine, None, fields);
    let below = |supertype: &StructType, fields: &[FieldType]| {
        let (finality, fields) = (Finality::NonFinal, fields.iter().cloned());
        StructType::with_finality_and_supertype(&engine, finality, Some(supertype), fields)
    };
    let any = FieldType::new(CONST, ValType::ANYREF);
    let var_any = FieldType::new(VAR, ValType::ANYREF);
    let i31 = FieldType::new(CONST, ValType::I31REF);
    let var_i31 = FieldType::new(VAR, ValType::I31REF);
    let byte = FieldType::new(CONST, StorageType::I8);
    below(&open(std::slice::from_ref(&any)), std::slice::from_ref(&i31)).unwrap();
    below(&open(std::slice::from_ref(&var_any)), std::slice::from_ref(&var_any)).unwrap();
    for (sup, sub) in [
        (&any, &var_i31),
        (&var_any, &any),
        (&var_any, &var_i31),
        (&i31, &any),
        (&byte, &FieldType::new(CONST, StorageType::I16)),
        (&byte, &FieldType::new(CONST, ValType::I32)),
    ] {
        let (sup, sub) = (std::slice::from_ref(sup), std::slice::from_ref(sub));
        let error = below(&open(sup), sub).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{sup:?} {sub:?}: {error}");
        assert!(!sub[0].matches(&sup[0]));
    }
    below(&open(std::slice::from_ref(&any)), &[]).unwrap_err();
    let last = StructType::new(&engine, []).unwrap();
    assert!(below(&last, &[]).unwrap_err().to_string().contains("final"));
    // Functions: parameters the other way round.
    let func = |sup: Option<&FuncType>, param, result| {
        FuncType::with_finality_and_supertype(&engine, Finality::NonFinal, sup, [param], [result])
    };
    let sup = func(None, ValType::I31REF, ValType::ANYREF).unwrap();
    let sub = func(Some(&sup), ValType::ANYREF, ValType::I31REF).unwrap();
    assert!(sub.matches(&sup) && !sup.matches(&sub));
    func(Some(&sub), ValType::I31REF, ValType::I31REF).unwrap_err();
}

#[test]
fn what_is_too_long_or_too_deep_is_refused() {
    let engine = Engine::default();
    let byte = FieldType::new(CONST, StorageType::I8);
    StructType::new(&engine, vec![byte.clone(); 10_000]).unwrap();
    let error = StructType::new(&engine, std::iter::repeat(byte.clone())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    let mut at = structure(&engine, None, &[]);
    for _ in 0..63 {
        at = structure(&engine, Some(&at), &[]);
    }
    let error = StructType::with_finality_and_supertype(&engine, Finality::Final, Some(&at), []);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Limit);
}

#[test]
fn types_of_another_engine_are_told_apart_and_refused() {
    let (ours, theirs) = (Engine::default(), Engine::default());
    let field = FieldType::new(CONST, ValType::I32);
    let [our_pair, their_pair] = [&ours, &theirs].map(|engine| structure(engine, None, &[]));
    assert!(our_pair != their_pair && !our_pair.matches(&their_pair));
    let foreign = || reference(true, HeapType::ConcreteStruct(their_pair.clone()));
    let invalid = |error: selkie::Error| assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    invalid(FuncType::try_new(&ours, [foreign()], []).unwrap_err());
    invalid(FuncType::try_new(&ours, [], [foreign()]).unwrap_err());
    invalid(StructType::new(&ours, [field.clone(), FieldType::new(VAR, foreign())]).unwrap_err());
    invalid(ArrayType::new(&ours, FieldType::new(VAR, foreign())).unwrap_err());
    let (finality, above) = (Finality::Final, Some(&their_pair));
    let below = StructType::with_finality_and_supertype(&ours, finality, above, [field]);
    invalid(below.unwrap_err());
    // A type that names none of the engine's own is made again where it is used.
    let mut store = Store::new(&ours, ());
    let plain = FuncType::new(&theirs, [ValType::I32], []);
    let func = Func::new(&mut store, plain.clone(), |_, _, _| Ok(()));
    assert_eq!(func.ty(&store), FuncType::new(&ours, [ValType::I32], []));
    assert_ne!(func.ty(&store), plain);
}

#[test]
fn each_hierarchy_has_its_top_its_bottom_and_its_order() {
    use HeapType as H;
    let engine = Engine::default();
    let func = H::ConcreteFunc(FuncType::new(&engine, [], []));
    let structure = H::ConcreteStruct(StructType::new(&engine, []).unwrap());
    let array = ArrayType::new(&engine, FieldType::new(VAR, StorageType::I8)).unwrap();
    let array = H::ConcreteArray(array);
    // Each with all that it is below, besides itself.
    let below: &[(&H, &[&H])] = &[
        (&H::NoFunc, &[&H::Func, &func]),
        (&func, &[&H::Func]),
        (&H::Func, &[]),
        (&H::NoExtern, &[&H::Extern]),
        (&H::Extern, &[]),
        (&H::NoExn, &[&H::Exn]),
        (&H::Exn, &[]),
        (&H::NoCont, &[&H::Cont]),
        (&H::Cont, &[]),
        (&H::None, &[&H::Any, &H::Eq, &H::I31, &H::Struct, &H::Array, &structure, &array]),
        (&structure, &[&H::Struct, &H::Eq, &H::Any]),
        (&array, &[&H::Array, &H::Eq, &H::Any]),
        (&H::Struct, &[&H::Eq, &H::Any]),
        (&H::Array, &[&H::Eq, &H::Any]),
        (&H::I31, &[&H::Eq, &H::Any]),
        (&H::Eq, &[&H::Any]),
        (&H::Any, &[]),
    ];
    for (sub, above) in below {
        for (other, _) in below {
            let expected = sub == other || above.contains(other);
            assert_eq!(sub.matches(other), expected, "{sub} {other}");
        }
        assert!(sub.matches(&sub.top()) && sub.bottom().matches(sub), "{sub}");
    }
}

#[test]
fn types_are_written_as_in_text() {
    let engine = Engine::default();
    for (ty, text) in [
        (ValType::FUNCREF, "funcref"),
        (ValType::NULLREF, "nullref"),
        (ValType::NULLFUNCREF, "nullfuncref"),
        (ValType::NULLEXTERNREF, "nullexternref"),
        (reference(false, HeapType::Any), "(ref any)"),
        (ValType::V128, "v128"),
    ] {
        assert_eq!(ty.to_string(), text);
    }
    let fields = [
        FieldType::new(VAR, StorageType::I16),
        FieldType::new(CONST, reference(false, HeapType::Eq)),
    ];
    let ty = StructType::new(&engine, fields.clone()).unwrap();
    assert_eq!(ty.to_string(), "(struct (mut i16) (ref eq))");
    assert!(ty.fields().eq(fields));
    let ty = ArrayType::new(&engine, FieldType::new(CONST, ValType::EXTERNREF)).unwrap();
    assert_eq!(ty.to_string(), "(array externref)");
}
