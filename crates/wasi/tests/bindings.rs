//! The bindings: every function can be imported, under both names, and what it says
//! reaches the guest.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use selkie_engine::{Engine, Instance, Linker, Module, Store};
use selkie_wasi::{
    Capture, Errno, Exit, FunctionInfo, Output, PREVIEW1, UNSTABLE, WasiCtx, add_to_linker,
};

fn run(text: &str, ctx: WasiCtx) -> (Store<WasiCtx>, Instance) {
    let engine = Engine::default();
    let module = Module::new(&engine, text).unwrap();
    let mut linker = Linker::new(&engine);
    add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx).unwrap();
    let mut store = Store::new(&engine, ctx);
    let instance = linker.instantiate(&mut store, &module).unwrap();
    (store, instance)
}

fn imports(module: &str, functions: &[FunctionInfo]) -> String {
    let mut text = String::new();
    for FunctionInfo { name, params, returns } in functions {
        let types: Vec<_> = params
            .iter()
            .map(|(_, rust)| if *rust == "u32" { "(param i32)" } else { "(param i64)" })
            .collect();
        let result = if *returns { "(result i32)" } else { "" };
        let types = types.join(" ");
        text += &format!("(import \"{module}\" \"{name}\" (func {types} {result}))\n");
    }
    text
}

#[test]
fn every_function_of_the_table_can_be_imported() {
    let preview1 = imports("wasi_snapshot_preview1", PREVIEW1);
    let unstable = imports("wasi_unstable", UNSTABLE);
    run(&format!("(module {preview1} {unstable})"), WasiCtx::builder().build());
}

#[test]
fn defining_the_functions_twice_is_an_error() {
    let mut linker = Linker::new(&Engine::default());
    add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx).unwrap();
    assert!(add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx).is_err());
}

#[test]
fn a_guest_writes_and_ends_with_its_code() {
    let out = Capture::new(100);
    let ctx = WasiCtx::builder().stdout(Output::Capture(out.clone())).build();
    let (mut store, instance) = run(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write"
                (func $fd_write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\08\00\00\00\05\00\00\00hello")
            (func (export "_start")
                (call $proc_exit (i32.add (i32.const 40)
                    (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))))))"#,
        ctx,
    );
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start").unwrap();
    let error = start.call(&mut store, ()).unwrap_err();
    assert_eq!(error.downcast_ref::<Exit>(), Some(&Exit(40)));
    assert_eq!(out.contents(), b"hello");
}

#[test]
fn a_guest_without_memory_has_no_addresses() {
    let (mut store, instance) = run(
        r#"(module
            (import "wasi_snapshot_preview1" "random_get"
                (func $random_get (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
            (func (export "random") (result i32)
                (call $random_get (i32.const 0) (i32.const 1)))
            (func (export "close") (result i32) (call $fd_close (i32.const 0))))"#,
        WasiCtx::builder().build(),
    );
    let random = instance.get_typed_func::<(), i32>(&mut store, "random").unwrap();
    assert_eq!(random.call(&mut store, ()).unwrap(), i32::from(Errno::FAULT.raw()));
    let close = instance.get_typed_func::<(), i32>(&mut store, "close").unwrap();
    assert_eq!(close.call(&mut store, ()).unwrap(), 0);
    assert_eq!(close.call(&mut store, ()).unwrap(), i32::from(Errno::BADF.raw()));
}
