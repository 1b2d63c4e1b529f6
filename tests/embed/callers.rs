//! `Caller`, and host functions that fail, panic, or call back.

use selkie::{Caller, Engine, Error, ErrorKind, Linker, Module, Store, Trap};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[derive(Debug, PartialEq)]
struct OutOfTea(u32);

impl fmt::Display for OutOfTea {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cups short", self.0)
    }
}

impl std::error::Error for OutOfTea {}

const MODULE: &str = r#"(module
    (import "host" "act" (func $act (param i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 16) "from the guest")
    (global $calls (mut i32) (i32.const 0))
    (func $inner (param i32) (result i32)
        global.get $calls  i32.const 1  i32.add  global.set $calls
        local.get 0  call $act)
    (func (export "run") (param i32) (result i32) local.get 0 call $inner i32.const 1 i32.add)
    (func (export "calls") (result i32) global.get $calls)
    (func (export "trap") (result i32) unreachable))"#;

fn setup(
    act: impl Fn(Caller<'_, Vec<i32>>, i32) -> Result<i32, Error> + Send + Sync + 'static,
) -> (Store<Vec<i32>>, selkie::Instance) {
    let engine = Engine::default();
    let module = Module::new(&engine, MODULE).unwrap();
    let mut linker = Linker::new(&engine);
    linker.func_wrap("host", "act", act).unwrap();
    let mut store = Store::new(&engine, Vec::new());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    (store, instance)
}

#[test]
fn a_host_function_reads_the_callers_memory_and_the_stores_data() {
    let (mut store, instance) = setup(|mut caller, length| {
        let memory = caller.memory().unwrap();
        let mut text = vec![0; length as usize];
        memory.read(&caller, 16, &mut text)?;
        assert_eq!(text, b"from the guest");
        let (bytes, data) = memory.data_and_store_mut(&mut caller);
        bytes[16] = b'F';
        data.push(length);
        Ok(caller.get_export("absent").is_none().into())
    });
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
    assert_eq!(run.call(&mut store, 14).unwrap(), 2);
    assert_eq!(store.data(), &[14]);
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    assert_eq!(&memory.data(&store)[16..20], b"From");
}

#[test]
fn an_error_of_a_host_function_arrives_as_it_left() {
    let (mut store, instance) = setup(|_, x| if x > 0 { Err(OutOfTea(3).into()) } else { Ok(x) });
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
    for round in 1..=3 {
        let error = run.call(&mut store, 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Host);
        assert_eq!(error.downcast_ref::<OutOfTea>(), Some(&OutOfTea(3)));
        assert!(error.to_string().contains("3 cups short"), "{error}");
        let frames = error.backtrace().unwrap().frames();
        let names: Vec<_> = frames.iter().map(|f| f.func_name().unwrap()).collect();
        assert_eq!(names, ["inner", "run"]);
        let calls = instance.get_typed_func::<(), i32>(&mut store, "calls").unwrap();
        assert_eq!(calls.call(&mut store, ()).unwrap(), 2 * round - 1);
        assert_eq!(run.call(&mut store, -5).unwrap(), -4);
    }
}

#[test]
fn a_trap_can_be_raised_by_a_host_function() {
    let (mut store, instance) = setup(|_, _| Err(Trap::IntegerOverflow.into()));
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
    let error = run.call(&mut store, 1).unwrap_err();
    assert_eq!((error.kind(), error.trap()), (ErrorKind::Trap, Some(Trap::IntegerOverflow)));
}

#[test]
fn a_panic_of_a_host_function_goes_on_to_the_embedder() {
    let (mut store, instance) = setup(|_, x| if x > 0 { panic!("the kettle fell") } else { Ok(x) });
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
    for _ in 0..3 {
        let payload = catch_unwind(AssertUnwindSafe(|| run.call(&mut store, 1))).unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"the kettle fell"));
        assert_eq!(run.call(&mut store, -1).unwrap(), 0);
    }
}

#[test]
fn a_host_function_calls_back_and_errors_pass_through_both() {
    let (mut store, instance) = setup(|mut caller, x| {
        caller.data_mut().push(x);
        let instance = caller.instance().unwrap();
        if x == 0 {
            let trap = instance.get_typed_func::<(), i32>(&mut caller, "trap")?;
            return trap.call(&mut caller, ());
        }
        let run = instance.get_typed_func::<i32, i32>(&mut caller, "run")?;
        match run.call(&mut caller, x - 1) {
            Err(error) if x == 5 => {
                assert_eq!(error.trap(), Some(Trap::Unreachable));
                Ok(100)
            }
            other => other,
        }
    });
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
    let error = run.call(&mut store, 3).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::Unreachable));
    // The host function at 5 catches, and those outside of it go on.
    assert_eq!(run.call(&mut store, 7).unwrap(), 103);
    assert_eq!(store.data(), &[3, 2, 1, 0, 7, 6, 5, 4, 3, 2, 1, 0]);
}

#[test]
fn a_caller_grows_memory_under_the_guests_feet() {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module (import "h" "grow" (func $grow)) (memory (export "memory") i64 1)
            (func (export "f") (result i32)
                i64.const 0  i32.const 3  i32.store8
                call $grow
                i64.const 70000  i32.const 4  i32.store8
                i64.const 0  i32.load8_u  i64.const 70000  i32.load8_u  i32.add))"#,
    )
    .unwrap();
    let mut linker = Linker::new(&engine);
    linker
        .func_wrap("h", "grow", |mut caller: Caller<'_, ()>| -> Result<(), Error> {
            let memory = caller.memory().unwrap();
            memory.grow(&mut caller, 300).map(drop)
        })
        .unwrap();
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let f = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
    assert_eq!(f.call(&mut store, ()).unwrap(), 7);
}
