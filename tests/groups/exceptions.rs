//! Exceptions at their borders: handlers without end, clauses without end, throwing where the
//! stack is almost used up, and what is left of a call that was given up.

// What a test builds on must be there.
#![allow(clippy::unwrap_used)]

use selkie::{Config, Engine, Instance, Module, Store, Trap};
use selkie_tests::growth::time_to_compile;
use std::time::{Duration, Instant};
use wasm_encoder::{
    BlockType, Catch, CodeSection, Function, FunctionSection, Instruction as I, Module as Encoder,
    TagKind, TagSection, TagType, TypeSection, ValType,
};

/// A module with `tags` tags without parameters, a function 0 that may throw and is too large to
/// be inlined, and one with this body and two locals.
fn module(tags: u32, body: impl FnOnce(&mut Function)) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    functions.function(0).function(0);
    let mut tag_section = TagSection::new();
    for _ in 0..tags {
        tag_section.tag(TagType { kind: TagKind::Exception, func_type_idx: 0 });
    }
    let mut thrower = Function::new([]);
    for _ in 0..30 {
        thrower.instruction(&I::I32Const(1)).instruction(&I::Drop);
    }
    thrower.instruction(&I::Throw(0)).instruction(&I::End);
    let mut function = Function::new([(2, ValType::I32)]);
    body(&mut function);
    function.instruction(&I::End);
    let mut code = CodeSection::new();
    code.function(&thrower).function(&function);
    let mut module = Encoder::new();
    module.section(&types).section(&functions).section(&tag_section).section(&code);
    module.finish()
}

/// An absolute bound, as for loops: in builds that have them, the code generator's own assertions
/// look at every block around each block.
#[test]
fn handlers_nested_thousands_deep_compile_soon() {
    let depth = 3_000;
    let nested = module(2, |f| {
        for _ in 0..depth {
            let clauses = [Catch::One { tag: 1, label: 0 }];
            f.instruction(&I::Block(BlockType::Empty));
            f.instruction(&I::TryTable(BlockType::Empty, clauses[..].to_vec().into()));
        }
        f.instruction(&I::Call(0));
        for _ in 0..depth {
            f.instruction(&I::End).instruction(&I::End);
        }
    });
    assert!(time_to_compile(&nested) < Duration::from_secs(10));
    let legacy = module(2, |f| {
        for _ in 0..depth {
            f.instruction(&I::Try(BlockType::Empty));
        }
        f.instruction(&I::Call(0));
        for _ in 0..depth {
            f.instruction(&I::Catch(1)).instruction(&I::End);
        }
    });
    assert!(time_to_compile(&legacy) < Duration::from_secs(10));
}

/// An absolute bound here and in the two tests behind, as above: each block lies inside of all before.
#[test]
fn throws_inside_many_handlers_compile_soon() {
    let throws = module(2, |f| {
        for _ in 0..100 {
            let clauses = vec![Catch::One { tag: 1, label: 0 }];
            f.instruction(&I::TryTable(BlockType::Empty, clauses.into()));
        }
        for _ in 0..10_000 {
            f.instruction(&I::LocalGet(0)).instruction(&I::If(BlockType::Empty));
            f.instruction(&I::Throw(0)).instruction(&I::End);
        }
        for _ in 0..100 {
            f.instruction(&I::End);
        }
    });
    assert!(time_to_compile(&throws) < Duration::from_secs(10));
}

#[test]
fn calls_in_one_handler_compile_soon() {
    let calls = module(1, |f| {
        f.instruction(&I::Block(BlockType::Empty));
        let clauses = vec![Catch::All { label: 0 }];
        f.instruction(&I::TryTable(BlockType::Empty, clauses.into()));
        for i in 0..10_000 {
            f.instruction(&I::I32Const(i)).instruction(&I::LocalSet(i as u32 % 2));
            f.instruction(&I::Call(0));
        }
        f.instruction(&I::End).instruction(&I::End);
        f.instruction(&I::LocalGet(0)).instruction(&I::Drop);
    });
    assert!(time_to_compile(&calls) < Duration::from_secs(10));
}

#[test]
fn as_many_clauses_as_a_handler_may_have_compile_soon() {
    let clauses = module(2, |f| {
        let clauses = vec![Catch::One { tag: 1, label: 0 }; 9_000];
        f.instruction(&I::TryTable(BlockType::Empty, clauses.into()));
        f.instruction(&I::Call(0)).instruction(&I::End);
    });
    assert!(time_to_compile(&clauses) < Duration::from_secs(10));
}

/// More ways into one block than lead there straight.
#[test]
fn thousands_of_calls_and_branches_meet_with_what_they_bring() {
    let branches: String = (0..3000)
        .map(|n| {
            format!("(drop (br_if $out (i32.const {n}) (i32.eq (local.get 0) (i32.const {n}))))")
        })
        .collect();
    let calls: String = (0..3000)
        .map(|n| format!("(local.set 1 (i32.const {n})) (call $at (local.get 0) (local.get 1))"))
        .collect();
    let text = format!(
        r#"(module (tag $t)
        (func $at (param i32 i32)
            (if (i32.eq (local.get 0) (local.get 1)) (then (throw $t))))
        (func (export "branches") (param i32) (result i32)
            (block $out (result i32) {branches} (i32.const -1)))
        (func (export "calls") (param i32) (result i32) (local i32)
            (block $caught (try_table (catch $t $caught) {calls}) (return (i32.const -1)))
            (local.get 1)))"#
    );
    for inlining in [true, false] {
        let engine = Engine::new(Config::new().inlining(inlining)).unwrap();
        let module = Module::new(&engine, &text).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        for name in ["branches", "calls"] {
            let func = instance.get_typed_func::<i32, i32>(&mut store, name).unwrap();
            for n in [0, 1, 1022, 1023, 1024, 1025, 2046, 2047, 2048, 2049, 2999] {
                assert_eq!(func.call(&mut store, n).unwrap(), n, "{name}");
            }
            assert_eq!(func.call(&mut store, 3000).unwrap(), -1, "{name}");
        }
    }
}

const DEEP: &str = r#"(module
    (tag $t (param i32))
    (func $down (param i32) (result i32)
        (if (i32.eqz (local.get 0)) (then (throw $t (i32.const 42))))
        (i32.add (call $down (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
    (func (export "deep") (param i32) (result i32)
        (block $caught (result i32)
            (try_table (result i32) (catch $t $caught) (call $down (local.get 0)))))
    (func (export "all") (param i32) (result i32)
        (block $all
            (try_table (catch_all $all) (return (call $down (local.get 0)))))
        (i32.const 7)))"#;

#[test]
fn throwing_at_the_last_frame_of_the_stack_is_caught_and_one_frame_more_is_a_trap() {
    let mut config = Config::new();
    config.max_wasm_stack_bytes(64 << 10).compile_threads(1);
    let engine = Engine::new(&config).unwrap();
    let module = Module::new(&engine, DEEP).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    for (name, caught) in [("deep", 42), ("all", 7)] {
        let deep = instance.get_typed_func::<i32, i32>(&mut store, name).unwrap();
        let mut fits = |depth| match deep.call(&mut store, depth) {
            Ok(found) => {
                assert_eq!(found, caught);
                true
            }
            Err(error) => {
                assert_eq!(error.trap(), Some(Trap::StackOverflow), "{error}");
                false
            }
        };
        let (mut low, mut high) = (1, 1 << 20);
        assert!(fits(low) && !fits(high));
        while high - low > 1 {
            let middle = (low + high) / 2;
            *(if fits(middle) { &mut low } else { &mut high }) = middle;
        }
        assert!((100..10_000).contains(&low), "{low}");
        for depth in low.saturating_sub(40)..low + 40 {
            assert_eq!(fits(depth), depth <= low);
        }
    }
}

#[test]
fn deep_stacks_are_left_in_linear_time() {
    let engine = Engine::default();
    let module = Module::new(&engine, DEEP).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let deep = instance.get_typed_func::<i32, i32>(&mut store, "deep").unwrap();
    let mut time = |depth: i32| {
        let start = Instant::now();
        for _ in 0..20 {
            assert_eq!(deep.call(&mut store, depth).unwrap(), 42);
        }
        start.elapsed()
    };
    time(8_000);
    let (first, second) = (time(2_000), time(8_000));
    let allowed = first.max(Duration::from_millis(2)) * 9;
    assert!(second <= allowed, "{first:?}, four times as deep: {second:?}");
}
