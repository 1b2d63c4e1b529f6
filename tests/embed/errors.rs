//! `Error`, `Trap` and backtraces.

use crate::instantiate;
use selkie::{
    Config, Engine, Error, ErrorKind, Instance, LimitExceeded, Module, ResourceError, Store,
    StoreLimits, Trap, Val,
};
use selkie_tests::toolchains;

#[test]
fn each_trap_has_the_specifications_words() {
    let (mut store, instance) = instantiate(
        r#"(module (memory 1) (table 2 funcref) (elem (i32.const 0) $f) (type $v (func))
            (func $f (param i32))
            (func (export "unreachable") unreachable)
            (func (export "out of bounds memory access") i32.const -1 i32.load drop)
            (func (export "out of bounds table access") i32.const 2 table.get 0 drop)
            (func (export "undefined element") i32.const 2 call_indirect (type $v))
            (func (export "uninitialized element") i32.const 1 call_indirect (type $v))
            (func (export "indirect call type mismatch") i32.const 0 call_indirect (type $v))
            (func (export "integer divide by zero") i32.const 1 i32.const 0 i32.rem_u drop)
            (func (export "integer overflow") f64.const 1e30 i64.trunc_f64_s drop)
            (func (export "invalid conversion to integer") f32.const nan i32.trunc_f32_u drop)
            (func (export "null function reference") ref.null $v call_ref $v)
            (func (export "null reference") ref.null $v ref.as_non_null drop)
            (func $deep (export "call stack exhausted") call $deep))"#,
    );
    for (name, export) in instance.exports(&mut store) {
        let func = export.into_func().unwrap();
        let error = func.call(&mut store, &[], &mut []).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Trap, "{name}");
        let trap = error.trap().unwrap();
        assert_eq!(trap.to_string(), name);
        assert!(error.to_string().contains(&name), "{error}");
        assert_eq!(error.downcast_ref::<Trap>(), Some(&trap));
    }
}

#[test]
fn what_exceeds_a_limit_before_anything_ran_says_which() {
    let engine = Engine::default();
    let module = Module::new(&engine, "(module (memory 17) (table 3 funcref))").unwrap();
    let limits = StoreLimits::default();
    let error = |limits| {
        let mut store = Store::new(&engine, ());
        store.set_limits(limits);
        let error = Instance::new(&mut store, &module, &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
        *error.downcast_ref::<LimitExceeded>().unwrap()
    };
    let (bytes, limit_bytes) = (17 << 16, 1 << 20);
    let memory = error(StoreLimits { memory_bytes: limit_bytes, ..limits });
    assert_eq!(memory, LimitExceeded::Memory { bytes, limit_bytes });
    let table = error(StoreLimits { table_elements: 2, ..limits });
    assert_eq!(table, LimitExceeded::Table { elements: 3, limit_elements: 2 });

    let mut config = Config::new();
    config.max_wasm_stack_bytes(1 << 50);
    let engine = Engine::new(&config).unwrap();
    let module = Module::new(&engine, r#"(module (func (export "f")))"#).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let func = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap();
    let error = func.call(&mut store, ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert!(matches!(
        error.downcast_ref(),
        Some(ResourceError::Stack { bytes: 0x4_0000_0000_0000, .. })
    ));
}

#[test]
fn contexts_are_shown_outermost_first() {
    let error = Error::msg("no tea").context("cannot pour").context("breakfast");
    assert_eq!(error.to_string(), "breakfast: cannot pour: no tea");
    assert_eq!(error.kind(), ErrorKind::Host);
    assert_eq!(size_of::<Error>(), size_of::<usize>());
    let error = Error::from(std::io::Error::other("disk"));
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.downcast_ref::<std::io::Error>().is_some());
}

#[test]
fn a_backtrace_names_functions_of_all_instances_and_offsets() {
    let engine = Engine::default();
    let a =
        Module::new(&engine, r#"(module (func $thrower (export "throw") unreachable))"#).unwrap();
    let b = Module::new(
        &engine,
        r#"(module (import "a" "throw" (func $throw)) (table 1 funcref) (elem (i32.const 0) $mid)
            (func $mid call $throw nop)
            (func $"with space" (export "outer") i32.const 0 call_indirect nop))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, ());
    let a = Instance::new(&mut store, &a, &[]).unwrap();
    let throw = a.get_export(&mut store, "throw").unwrap();
    let b = Instance::new(&mut store, &b, &[throw]).unwrap();
    let outer = b.get_func(&mut store, "outer").unwrap();
    let error = outer.call(&mut store, &[], &mut []).unwrap_err();
    let frames = error.backtrace().unwrap().frames();
    let names: Vec<_> = frames.iter().map(|frame| frame.func_name().unwrap()).collect();
    assert_eq!(names, ["thrower", "mid", "with space"]);
    assert_eq!(frames.iter().map(|f| f.func_index()).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(frames.iter().all(|frame| frame.module_offset().is_some_and(|at| at > 8)));
    let text = format!("{error:?}");
    assert!(text.contains("unreachable") && text.contains("with space"), "{text}");
}

#[test]
fn a_frame_stands_at_its_call_also_where_the_next_instruction_traps() {
    let bytes = wat::parse_str(
        r#"(module
            (func $fail (unreachable))
            (func (export "f") (call $fail) (unreachable)))"#,
    )
    .unwrap();
    let mut config = Config::new();
    config.inlining(false);
    let engine = Engine::new(&config).unwrap();
    let module = Module::new(&engine, &bytes).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let f = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap();
    let error = f.call(&mut store, ()).unwrap_err();
    let frames = error.backtrace().unwrap().frames();
    let opcodes: Vec<_> =
        frames.iter().map(|frame| bytes[frame.module_offset().unwrap() as usize]).collect();
    assert_eq!(opcodes, [0x00, 0x10], "unreachable, call");
}

#[test]
fn frames_that_repeat_are_told_once() {
    let text = r#"(module (func $down (export "f") (param i32) (result i32)
        (if (i32.eqz (local.get 0)) (then unreachable))
        (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1))))))"#;
    let (mut store, instance) = instantiate(text);
    let f = instance.get_typed_func::<i32, i32>(&mut store, "f").unwrap();
    let error = f.call(&mut store, 40).unwrap_err();
    assert_eq!(error.backtrace().unwrap().frames().len(), 41);
    let text = error.backtrace().unwrap().to_string();
    assert!(text.contains("and 39 more of these"), "{text}");
    assert_eq!(text.matches("down").count(), 2, "{text}");
}

#[test]
fn an_inlined_function_still_has_its_frame() {
    let text = r#"(module (memory 1)
        (func $divide (param i32) (result i32) i32.const 100 local.get 0 i32.div_u)
        (func $middle (param i32) (result i32) local.get 0 call $divide i32.const 1 i32.add)
        (func (export "f") (param i32) (result i32) local.get 0 call $middle))"#;
    let mut all = Vec::new();
    for inlining in [true, false] {
        let mut config = Config::new();
        config.inlining(inlining);
        let engine = Engine::new(&config).unwrap();
        let module = Module::new(&engine, text).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let f = instance.get_func(&mut store, "f").unwrap();
        let error = f.call(&mut store, &[Val::I32(0)], &mut [Val::I32(0)]).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::IntegerDivideByZero));
        let frames = error.backtrace().unwrap().frames();
        all.push(frames.iter().map(|f| (f.func_name(), f.module_offset())).collect::<Vec<_>>());
    }
    let names: Vec<_> = all[0].iter().map(|(name, _)| name.clone().unwrap()).collect();
    assert_eq!(names, ["divide", "middle", "f"]);
    assert_eq!(all[0], all[1]);
}

const BUGGY: &str = "\
#include <stdlib.h>
__attribute__((noinline)) static int divide(int a, int b) {
    return a / b;
}
int main(int argc, char **argv) {
    volatile int zero = argc - 1;
    return divide(42, zero);
}
";

#[test]
fn a_backtrace_of_a_c_program_has_files_and_lines() {
    let zig = match toolchains::zig() {
        Ok(zig) => zig,
        Err(missing) => {
            eprintln!("skipped: no C compiler: {missing:?}");
            return;
        }
    };
    let scratch = selkie_tests::scratch::Scratch::new().unwrap();
    let (source, wasm) = (scratch.path().join("buggy.c"), scratch.path().join("buggy.wasm"));
    std::fs::write(&source, BUGGY).unwrap();
    let mut cc = std::process::Command::new(zig);
    // Without the sanitizer the division itself traps.
    cc.args(["cc", "-target", "wasm32-wasi", "-g", "-O1", "-fno-sanitize=all", "-o"]);
    toolchains::compile(cc.arg(&wasm).arg(&source)).unwrap();

    let engine = Engine::default();
    let module = Module::from_file(&engine, &wasm).unwrap();
    let mut linker = selkie::Linker::new(&engine);
    selkie::wasi::add_to_linker(&mut linker, |ctx: &mut selkie::wasi::WasiCtx| ctx).unwrap();
    let ctx = selkie::wasi::WasiCtx::builder().arg("buggy").build();
    let mut store = Store::new(&engine, ctx);
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start").unwrap();
    let error = start.call(&mut store, ()).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::IntegerDivideByZero), "{error:?}");
    let frames = error.backtrace().unwrap().frames();
    let places: Vec<_> = frames
        .iter()
        .filter_map(|frame| {
            let (file, line) = frame.file_line()?;
            let file = file.rsplit('/').next().unwrap_or(file).to_string();
            Some((frame.func_name()?, file, line))
        })
        .collect();
    let place = |function: &str, line| (function.to_string(), "buggy.c".to_string(), line);
    assert_eq!(places[0], place("divide", 3), "{places:?}");
    // What links C to WASI gives a `main` with parameters another name.
    let main = ["main", "__main_argc_argv"].map(|name| place(name, 7));
    assert!(main.iter().any(|place| places.contains(place)), "{places:?}");
}
