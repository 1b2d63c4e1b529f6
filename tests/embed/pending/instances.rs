//! Start functions that wait.

use super::{Host, Later, block_on, linker, poll_once};
use selkie::{Caller, Engine, ErrorKind, Func, Instance, Module, Store};

const STARTS: &str = r#"(module
    (import "host" "later" (func $later (param i64) (result i64)))
    (global $seen (mut i64) (i64.const 0))
    (func $start (global.set $seen (call $later (i64.const 41))))
    (func (export "seen") (result i64) (global.get $seen))
    (start $start))"#;

#[test]
fn start_functions_wait_in_every_way_to_instantiate() {
    let engine = Engine::default();
    let module = Module::new(&engine, STARTS).unwrap();
    let linker = linker(&engine);
    let mut store = Store::new(&engine, Host { pending: 2, ..Host::default() });
    let later = Func::wrap_async(&mut store, |_: Caller<'_, Host>, (x,): (i64,)| {
        Box::new(async move {
            Later(1).await;
            x + 1
        })
    });
    let pre = linker.instantiate_pre(&module).unwrap();
    for way in 0..3 {
        let instance = match way {
            0 => block_on(linker.instantiate_async(&mut store, &module)),
            1 => block_on(pre.instantiate_async(&mut store)),
            _ => block_on(Instance::new_async(&mut store, &module, &[later.into()])),
        };
        let seen = instance.unwrap().get_typed_func::<(), i64>(&mut store, "seen").unwrap();
        assert_eq!(seen.call(&mut store, ()).unwrap(), 42);
    }
    let error = linker.instantiate(&mut store, &module).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn an_instance_whose_start_was_dropped_is_nobodys() {
    let engine = Engine::default();
    let module = Module::new(&engine, STARTS).unwrap();
    let linker = linker(&engine);
    let mut store = Store::new(&engine, Host { pending: 2, ..Host::default() });
    for polls in 0..3 {
        let mut start = Box::pin(linker.instantiate_async(&mut store, &module));
        for _ in 0..polls {
            assert!(poll_once(start.as_mut()).is_pending());
        }
    }
    let instance = block_on(linker.instantiate_async(&mut store, &module)).unwrap();
    let seen = instance.get_typed_func::<(), i64>(&mut store, "seen").unwrap();
    assert_eq!(seen.call(&mut store, ()).unwrap(), 42);
}
