//! Small modules that cost much to compile: time and memory must grow with the size of the input,
//! and what is beyond a limit must be refused with a clear error.

// What a test builds on must be there.
#![allow(clippy::unwrap_used)]

use selkie::{Config, Engine, ErrorKind, Features, Linker, Module, Store};
use selkie_compile::text::print_function;
use selkie_compile::{CompileUnit, Tuning};
use selkie_module::DefinedFuncIndex;
use selkie_module::decode::decode;
use selkie_tests::growth::{grows_linearly, time_to_compile};
use std::time::{Duration, Instant};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, DataSegment, DataSegmentMode, ElementSection,
    Elements, Function, FunctionSection, Instruction as I, MemorySection, MemoryType,
    Module as Encoder, TableSection, TypeSection, ValType,
};

fn engine() -> Engine {
    let mut config = Config::new();
    config.compile_threads(2);
    Engine::new(&config).unwrap()
}

/// One function of type `[] -> []` with this body.
fn one_function(body: impl FnOnce(&mut Function)) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut function = Function::new([]);
    body(&mut function);
    function.instruction(&I::End);
    let mut code = CodeSection::new();
    code.function(&function);
    let mut module = Encoder::new();
    module.section(&types).section(&functions).section(&code);
    module.finish()
}

/// Most memory this process has had so far, in bytes.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn blocks_nested_a_hundred_thousand_deep_compile_in_linear_time() {
    grows_linearly(
        |depth| {
            one_function(|f| {
                for _ in 0..depth {
                    f.instruction(&I::Block(BlockType::Empty));
                }
                for _ in 0..depth {
                    f.instruction(&I::End);
                }
            })
        },
        25_000,
    );
}

/// An absolute bound: in builds that have them, the code generator's own assertions look at every
/// block around each block, and a ratio would measure nothing else.
#[test]
fn loops_and_ifs_nested_five_thousand_deep_compile_soon() {
    let depth = 5_000;
    let module = one_function(|f| {
        for _ in 0..depth / 2 {
            f.instruction(&I::Loop(BlockType::Empty)).instruction(&I::I32Const(0));
            f.instruction(&I::If(BlockType::Empty));
        }
        for _ in 0..depth / 2 * 2 {
            f.instruction(&I::End);
        }
    });
    let time = time_to_compile(&module);
    assert!(time < Duration::from_secs(10), "{time:?}");
}

#[test]
fn br_tables_inside_br_tables_compile_in_linear_time() {
    grows_linearly(
        |count| {
            one_function(|f| {
                let depth = 100;
                for _ in 0..depth {
                    f.instruction(&I::Block(BlockType::Empty));
                }
                for _ in 0..count {
                    let targets: Vec<u32> = (0..depth).collect();
                    f.instruction(&I::Block(BlockType::Empty)).instruction(&I::I32Const(3));
                    f.instruction(&I::BrTable(targets.into(), 0)).instruction(&I::End);
                }
                for _ in 0..depth {
                    f.instruction(&I::End);
                }
            })
        },
        500,
    );
}

#[test]
fn long_chains_of_arithmetic_compile_in_linear_time() {
    grows_linearly(
        |count| {
            one_function(|f| {
                f.instruction(&I::I32Const(1));
                for step in 0..count {
                    f.instruction(&I::I32Const(step as i32)).instruction(&I::I32Xor);
                }
                f.instruction(&I::Drop);
            })
        },
        20_000,
    );
}

/// A function of some text, with one to call.
fn function_of_text(locals: usize, body: &str) -> Vec<u8> {
    let locals = "i32 ".repeat(locals);
    let text = format!(
        "(module (import \"host\" \"f\" (func $f (result i32)))
            (func (export \"run\") (param i32) (result i32) (local {locals}) {body}))"
    );
    wat::parse_str(text).unwrap()
}

/// Sums of the results of `if`s. Optimized, all would be made at the end, and everything be alive
/// until then.
fn sums(count: usize) -> Vec<u8> {
    let step = "(i32.add (if (result i32) (local.get 0) (then (call $f)) (else (i32.const 3))))";
    function_of_text(0, &format!("(i32.const 0) {}", step.repeat(count)))
}

/// Locals that are set, then many calls, then a sum of all locals.
fn locals(count: usize) -> Vec<u8> {
    let set: String = (1..=count).map(|n| format!("(local.set {n} (call $f))")).collect();
    let branches = "(if (local.get 0) (then (drop (call $f))))".repeat(count);
    let sum: String = (1..=count).map(|n| format!("(i32.add (local.get {n}))")).collect();
    function_of_text(count, &format!("{set} {branches} (i32.const 0) {sum}"))
}

#[test]
fn sums_of_many_branches_compile_in_linear_time() {
    grows_linearly(sums, 4_000);
}

#[test]
fn many_locals_over_many_calls_compile_in_linear_time() {
    grows_linearly(locals, 2_000);
}

#[test]
fn what_is_too_crowded_to_be_optimized_computes_the_same() {
    for (module, count, plain, called) in [(sums(8_000), 8_000, 3, 2), (locals(3_500), 3_500, 2, 2)]
    {
        let engine = engine();
        let module = Module::from_binary(&engine, &module).unwrap();
        let mut linker = Linker::new(&engine);
        linker.func_wrap("host", "f", || 2).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
        assert_eq!(run.call(&mut store, 0).unwrap(), count * plain);
        assert_eq!(run.call(&mut store, 1).unwrap(), count * called);
    }
}

#[test]
fn calls_of_small_functions_do_not_multiply_by_inlining() {
    // Each function calls the one before twice: put in place without a bound, code would double
    // with each.
    let count = 64;
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    let mut code = CodeSection::new();
    for index in 0..count {
        functions.function(0);
        let mut function = Function::new([]);
        if index > 0 {
            function.instruction(&I::Call(index - 1)).instruction(&I::Call(index - 1));
        }
        function.instruction(&I::End);
        code.function(&function);
    }
    let mut module = Encoder::new();
    module.section(&types).section(&functions).section(&code);
    let module = Module::from_binary(&engine(), &module.finish()).unwrap();
    assert!(module.code_bytes() < 1 << 20, "{} bytes of code", module.code_bytes());
}

#[test]
fn copies_in_place_stay_in_proportion() {
    let copies = |count: usize| {
        let mut text = String::from("(module (memory 1) (func (param i32)");
        for _ in 0..count {
            text += "(memory.copy (local.get 0) (i32.const 0) (i32.const 128))";
        }
        let bytes = wat::parse_str(text + "))").unwrap();
        let module = decode(&bytes, Features::default()).unwrap();
        let unit = CompileUnit::new(&module, &bytes, Features::default(), Tuning::default());
        let walk = print_function(&unit, DefinedFuncIndex::new(0)).unwrap();
        let in_place = walk.lines().filter(|line| line.trim_start().starts_with("copy ")).count();
        let calls = walk.lines().filter(|line| line.contains("entry memory_copy")).count();
        assert_eq!(in_place + calls, count);
        in_place
    };
    assert_eq!(copies(30), 30);
    // A copy takes eleven bytes of the body, and each byte of it allows four in place.
    let many = copies(10_000);
    assert!((3_000..4_000).contains(&many), "{many} copies in place");
}

fn many_functions(count: u32) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    let mut code = CodeSection::new();
    let mut empty = Function::new([]);
    empty.instruction(&I::End);
    for _ in 0..count {
        functions.function(0);
        code.function(&empty);
    }
    let mut module = Encoder::new();
    module.section(&types).section(&functions).section(&code);
    module.finish()
}

#[test]
fn many_functions_compile_in_linear_time() {
    grows_linearly(|count| many_functions(count as u32), 5_000);
}

#[test]
fn a_million_functions_validate_and_one_more_is_refused() {
    let start = Instant::now();
    Module::validate(&engine(), &many_functions(1_000_000)).unwrap();
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    assert!(Module::validate(&engine(), &many_functions(1_000_001)).is_err());
    assert!(peak_bytes() < 4 << 30, "{} bytes", peak_bytes());
}

#[test]
fn a_million_types_in_one_group_end_with_a_module_or_an_error() {
    let mut types = TypeSection::new();
    let member = |at: u32| wasm_encoder::SubType {
        is_final: true,
        supertype_idxs: Vec::new(),
        composite_type: wasm_encoder::CompositeType {
            inner: wasm_encoder::CompositeInnerType::Func(wasm_encoder::FuncType::new(
                vec![if at.is_multiple_of(2) { ValType::I32 } else { ValType::I64 }],
                vec![],
            )),
            shared: false,
            descriptor: None,
            describes: None,
        },
    };
    types.ty().rec((0..1_000_000).map(member).collect::<Vec<_>>());
    let mut module = Encoder::new();
    module.section(&types);
    let start = Instant::now();
    let outcome = Module::from_binary(&engine(), &module.finish());
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    if let Err(error) = outcome {
        assert_ne!(error.kind(), ErrorKind::Bug, "{error}");
    }
}

#[test]
fn a_chain_of_many_type_groups_is_registered_in_linear_time() {
    let make = |count: usize| {
        let mut types = TypeSection::new();
        for at in 0..count {
            types.ty().function((0..at % 7).map(|_| ValType::I32), [ValType::F64]);
        }
        let mut module = Encoder::new();
        module.section(&types);
        module.finish()
    };
    grows_linearly(make, 50_000);
}

#[test]
fn a_million_segments_end_with_a_module_or_an_error() {
    let mut data = DataSection::new();
    for _ in 0..1_000_000 {
        data.segment(DataSegment { mode: DataSegmentMode::Passive, data: [] });
    }
    let mut elements = ElementSection::new();
    for _ in 0..1_000_000 {
        elements.segment(wasm_encoder::ElementSegment {
            mode: wasm_encoder::ElementMode::Passive,
            elements: Elements::Functions((&[][..]).into()),
        });
    }
    for (name, module) in [
        ("data", Encoder::new().section(&data).clone().finish()),
        ("elements", Encoder::new().section(&elements).clone().finish()),
    ] {
        let start = Instant::now();
        if let Err(error) = Module::from_binary(&engine(), &module) {
            assert_ne!(error.kind(), ErrorKind::Bug, "{name}: {error}");
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{name}: {:?}", start.elapsed());
    }
}

#[test]
fn claims_cost_nothing_before_they_are_kept() {
    // Sections that claim four thousand million entries and hold none.
    for section in 1..=13_u8 {
        let claim = [0xff, 0xff, 0xff, 0xff, 0x0f];
        let module = [&b"\0asm\x01\0\0\0"[..], &[section, claim.len() as u8], &claim].concat();
        let before = peak_bytes();
        assert!(Module::from_binary(&engine(), &module).is_err(), "section {section}");
        let grown = peak_bytes().saturating_sub(before);
        assert!(grown < 512 << 20, "section {section}: {grown} bytes");
    }
}

#[test]
fn large_memories_and_tables_are_refused_or_cost_nothing_until_used() {
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 0,
        maximum: Some(1 << 48),
        memory64: true,
        shared: false,
        page_size_log2: None,
    });
    let mut tables = TableSection::new();
    tables.table(wasm_encoder::TableType {
        element_type: wasm_encoder::RefType::FUNCREF,
        table64: false,
        minimum: 10_000_000,
        maximum: None,
        shared: false,
    });
    let mut data = DataSection::new();
    data.segment(DataSegment {
        mode: DataSegmentMode::Active { memory_index: 0, offset: &ConstExpr::i64_const(1 << 40) },
        data: *b"x",
    });
    let mut module = Encoder::new();
    module.section(&tables).section(&memories).section(&data);
    let engine = engine();
    let module = Module::from_binary(&engine, &module.finish()).unwrap();
    let mut store = selkie::Store::new(&engine, ());
    let error = selkie::Instance::new(&mut store, &module, &[]).unwrap_err();
    assert_eq!(error.trap(), Some(selkie::Trap::MemoryOutOfBounds), "{error}");
}
