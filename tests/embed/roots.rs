//! References that the host holds: scopes, owners, and what is refused after them.

use selkie::{
    AnyRef, Caller, Engine, Error, ErrorKind, ExternRef, Func, I31, Instance, Linker, Module,
    OwnedRooted, RootScope, Rooted, Store, Val,
};
use std::sync::{Arc, Mutex};

fn number(store: impl selkie::AsContextMut, value: u32) -> Rooted<AnyRef> {
    AnyRef::from_i31(store, I31::wrapping_u32(value))
}

fn value(store: impl selkie::AsContext, reference: &AnyRef) -> Result<u32, Error> {
    Ok(reference.unwrap_i31(store)?.get_u32())
}

fn gone<R>(outcome: Result<R, Error>) {
    let Err(error) = outcome else { panic!("it was accepted") };
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("scope"), "{error}");
}

#[test]
fn a_reference_lives_as_long_as_its_scope_and_those_around_it_longer() {
    let mut store = Store::new(&Engine::default(), ());
    let outermost = number(&mut store, 1);
    let (outer, inner) = {
        let mut outer_scope = RootScope::new(&mut store);
        let outer = number(&mut outer_scope, 2);
        let inner = {
            let mut inner_scope = RootScope::new(&mut outer_scope);
            let inner = number(&mut inner_scope, 3);
            assert_eq!(value(&inner_scope, &outermost).unwrap(), 1);
            assert_eq!(value(&inner_scope, &outer).unwrap(), 2);
            assert_eq!(value(&inner_scope, &inner).unwrap(), 3);
            inner
        };
        gone(value(&outer_scope, &inner));
        // What comes into the place of one that is gone is not taken for it.
        let after = number(&mut outer_scope, 4);
        gone(value(&outer_scope, &inner));
        assert_eq!(value(&outer_scope, &after).unwrap(), 4);
        assert_eq!(value(&outer_scope, &outer).unwrap(), 2);
        (outer, inner)
    };
    assert_eq!(value(&store, &outermost).unwrap(), 1);
    gone(value(&store, &outer));
    gone(value(&store, &inner));
}

#[test]
fn a_scope_that_is_forgotten_ends_with_the_one_around_it() {
    let mut store = Store::new(&Engine::default(), ());
    let forgotten = {
        let mut outer = RootScope::new(&mut store);
        let mut inner = RootScope::new(&mut outer);
        let reference = number(&mut inner, 5);
        std::mem::forget(inner);
        assert_eq!(value(&outer, &reference).unwrap(), 5);
        reference
    };
    gone(value(&store, &forgotten));
}

#[test]
fn every_use_after_the_scope_is_an_error() {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module (table (export "t") 1 anyref) (global (export "g") (mut anyref) (ref.null any))
            (func (export "f") (param anyref)))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let old = number(RootScope::new(&mut store), 7);
    gone(old.ty(&store));
    gone(old.is_i31(&store));
    gone(old.as_i31(&store));
    gone(old.as_struct(&store));
    gone(old.as_array(&store));
    gone(old.is_eqref(&store));
    gone(old.matches_ty(&store, &selkie::HeapType::Any));
    gone(old.to_owned_rooted(&mut store));
    gone(ExternRef::convert_any(&store, old));
    let other = number(&mut store, 7);
    gone(Rooted::ref_eq(&store, &old, &other));
    gone(Rooted::ref_eq(&store, &other, &old));
    gone(Val::from(old).ty(&store));
    let table = instance.get_table(&mut store, "t").unwrap();
    gone(table.set(&mut store, 0, old.into()));
    gone(table.fill(&mut store, 0, old.into(), 1));
    gone(table.grow(&mut store, 1, old.into()));
    gone(instance.get_global(&mut store, "g").unwrap().set(&mut store, old.into()));
    let f = instance.get_func(&mut store, "f").unwrap();
    gone(f.call(&mut store, &[old.into()], &mut []));
    gone(f.typed::<Option<Rooted<AnyRef>>, ()>(&store).unwrap().call(&mut store, Some(old)));
}

#[test]
fn references_of_another_store_are_refused() {
    let engine = Engine::default();
    let (mut a, mut b) = (Store::new(&engine, ()), Store::new(&engine, ()));
    // The same places are filled in both.
    let of_a = number(&mut a, 1);
    let of_b = number(&mut b, 2);
    let owned = of_a.to_owned_rooted(&mut a).unwrap();
    let _ = of_b.to_owned_rooted(&mut b).unwrap();
    for error in [
        value(&b, &of_a).unwrap_err(),
        value(&b, &owned).unwrap_err(),
        owned.to_rooted(&mut b).unwrap_err(),
        of_a.to_owned_rooted(&mut b).unwrap_err(),
        Rooted::ref_eq(&b, &of_a, &of_b).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("store"), "{error}");
    }
    assert_eq!(value(&a, &of_a).unwrap(), 1);
}

#[test]
fn an_owned_reference_lives_until_its_last_clone_is_dropped() {
    let mut store = Store::new(&Engine::default(), ());
    let owned: OwnedRooted<AnyRef> = {
        let mut scope = RootScope::new(&mut store);
        number(&mut scope, 9).to_owned_rooted(&mut scope).unwrap()
    };
    let clone = owned.clone();
    drop(owned);
    assert_eq!(value(&store, &clone).unwrap(), 9);
    let scoped = clone.to_rooted(&mut store).unwrap();
    // A cast is rooted where the original is.
    let cast = clone.as_eqref(&store).unwrap().unwrap();
    drop(clone);
    gone(cast.is_i31(&store));
    assert_eq!(value(&store, &scoped).unwrap(), 9);
}

#[test]
fn owned_references_go_to_other_threads_with_their_store() {
    let mut store = Store::new(&Engine::default(), ());
    let owned = number(&mut store, 11).to_owned_rooted(&mut store).unwrap();
    let clone = owned.clone();
    let dropped_elsewhere = std::thread::spawn(move || drop(clone));
    let read_elsewhere = std::thread::spawn(move || value(&store, &owned).unwrap());
    dropped_elsewhere.join().unwrap();
    assert_eq!(read_elsewhere.join().unwrap(), 11);
}

#[test]
fn values_are_as_small_as_their_largest_number_allows() {
    fn travels<T: Copy + Send + Sync + 'static>() -> usize {
        size_of::<T>()
    }
    assert_eq!(travels::<Val>(), 32);
    assert_eq!(travels::<Option<Rooted<AnyRef>>>(), 24);
}

#[test]
fn a_million_references_in_scopes_take_the_room_of_one() {
    let mut store = Store::new(&Engine::default(), ());
    let mut before = None;
    for i in 0..1_000_000 {
        let mut scope = RootScope::new(&mut store);
        let reference = number(&mut scope, i);
        assert_eq!(value(&scope, &reference).unwrap(), i);
        if let Some(before) = before.replace(reference) {
            gone(value(&scope, &before));
        }
    }
    let before = before.unwrap();
    // The place is used again, whichever reference was there.
    let words = |reference: &AnyRef| format!("{reference:?}").matches("place: 0").count();
    assert_eq!(words(&before), 1, "{before:?}");
}

#[test]
fn what_a_host_function_roots_is_gone_when_it_returns() {
    let kept: Arc<Mutex<Vec<Rooted<AnyRef>>>> = Arc::default();
    let engine = Engine::default();
    let mut linker: Linker<()> = Linker::new(&engine);
    let keep = kept.clone();
    linker
        .func_wrap("h", "same", move |mut caller: Caller<'_, ()>, given: Option<Rooted<AnyRef>>| {
            let made = number(&mut caller, 2);
            let mut kept = keep.lock().unwrap();
            for old in kept.drain(..) {
                gone(value(&caller, &old));
            }
            kept.extend(given.into_iter().chain([made]));
            for now in &*kept {
                value(&caller, now).unwrap();
            }
            given
        })
        .unwrap();
    let module = Module::new(
        &engine,
        r#"(module (import "h" "same" (func $same (param anyref) (result anyref)))
            (func (export "f") (param anyref) (result anyref)
                (call $same (call $same (call $same (local.get 0))))))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    type Any = Option<Rooted<AnyRef>>;
    let f = instance.get_typed_func::<Any, Any>(&mut store, "f").unwrap();
    let given = number(&mut store, 1);
    let back = f.call(&mut store, Some(given)).unwrap().unwrap();
    assert_eq!(value(&store, &back).unwrap(), 1);
    assert_eq!(value(&store, &given).unwrap(), 1);
    for old in kept.lock().unwrap().drain(..) {
        gone(value(&store, &old));
    }
    assert!(f.call(&mut store, None).unwrap().is_none());
}

#[test]
fn what_a_failing_host_function_roots_is_gone_too() {
    let kept: Arc<Mutex<Option<Rooted<AnyRef>>>> = Arc::default();
    let mut store = Store::new(&Engine::default(), ());
    for panics in [false, true] {
        let keep = kept.clone();
        let func = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>| -> Result<(), Error> {
            *keep.lock().unwrap() = Some(number(&mut caller, 3));
            if panics { panic!("as it is meant to") } else { Err(Error::msg("failed")) }
        });
        let call = || func.call(&mut store, &[], &mut []);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
        assert_eq!(outcome.is_err(), panics);
        gone(value(&store, &kept.lock().unwrap().take().unwrap()));
    }
}

#[test]
fn a_call_inside_a_call_leaves_the_references_of_the_outer_one() {
    let mut store = Store::new(&Engine::default(), ());
    let inner = Func::wrap(&mut store, |mut caller: Caller<'_, ()>, given: Rooted<AnyRef>| {
        let more = value(&caller, &given).unwrap() + 1;
        number(&mut caller, more)
    });
    let inner = inner.typed::<Rooted<AnyRef>, Rooted<AnyRef>>(&store).unwrap();
    let outer = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>, count: u32| {
        let mut at = number(&mut caller, 0);
        let first = at;
        for _ in 0..count {
            at = inner.call(&mut caller, at).unwrap();
        }
        assert_eq!(value(&caller, &first).unwrap(), 0);
        value(&caller, &at).unwrap()
    });
    let outer = outer.typed::<u32, u32>(&store).unwrap();
    assert_eq!(outer.call(&mut store, 100).unwrap(), 100);
}
