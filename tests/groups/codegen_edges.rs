//! Edges of generated code: places where a compiler that is almost right reads or writes beside a
//! memory, takes the wrong branch, or drops half a register.
//!
//! Each test runs under every way of checking bounds; all must agree.

// What a test builds on must be there.
#![allow(clippy::unwrap_used)]

use selkie::{Config, Engine, Instance, Module, Store, Trap, Val};
use wasm_encoder::{
    CodeSection, ExportKind, ExportSection, Function, FunctionSection, Instruction as I,
    Module as Encoder, TypeSection, ValType,
};

/// Every way of checking bounds.
fn engines() -> Vec<Engine> {
    let mut engines = Vec::new();
    for (guard_pages, spectre, guard_bytes, inlining) in [
        (true, true, 32 << 20, true),
        (true, true, 64 << 10, false),
        (false, true, 0, true),
        (false, false, 0, false),
    ] {
        let mut config = Config::new();
        config.guard_pages(guard_pages).spectre_checks(spectre).inlining(inlining);
        config.memory_guard_bytes(guard_bytes).compile_threads(1);
        engines.push(Engine::new(&config).unwrap());
    }
    engines
}

/// Calls `name` of a fresh instance under each engine; all results must be the same.
fn results(module: impl AsRef<[u8]>, name: &str, arguments: &[Val]) -> Result<Vec<u128>, Trap> {
    let mut all: Vec<Result<Vec<u128>, Trap>> = Vec::new();
    for engine in engines() {
        let module = Module::new(&engine, &module).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let func = instance.get_func(&mut store, name).unwrap();
        let mut results = vec![Val::I32(0); func.ty(&store).results().len()];
        let outcome = func.call(&mut store, arguments, &mut results);
        all.push(match outcome {
            Ok(()) => Ok(results.iter().map(bits).collect()),
            Err(error) => Err(error.trap().unwrap_or_else(|| panic!("{error:?}"))),
        });
    }
    let first = all[0].clone();
    assert!(all.iter().all(|one| *one == first), "{name} {arguments:?}: {all:?}");
    first
}

fn bits(value: &Val) -> u128 {
    match *value {
        Val::I32(v) => u128::from(v as u32),
        Val::I64(v) => u128::from(v as u64),
        Val::F32(v) => u128::from(v),
        Val::F64(v) => u128::from(v),
        Val::V128(v) => v.0,
        _ => panic!("not a number: {value:?}"),
    }
}

/// Each load with the bytes it touches.
const LOADS: &[(&str, &str, u64)] = &[
    ("i32.load8_s", "i32", 1),
    ("i32.load8_u", "i32", 1),
    ("i32.load16_s", "i32", 2),
    ("i32.load16_u", "i32", 2),
    ("i32.load", "i32", 4),
    ("i64.load8_s", "i64", 1),
    ("i64.load8_u", "i64", 1),
    ("i64.load16_s", "i64", 2),
    ("i64.load16_u", "i64", 2),
    ("i64.load32_s", "i64", 4),
    ("i64.load32_u", "i64", 4),
    ("i64.load", "i64", 8),
    ("f32.load", "f32", 4),
    ("f64.load", "f64", 8),
    ("v128.load", "v128", 16),
    ("v128.load8x8_s", "v128", 8),
    ("v128.load8x8_u", "v128", 8),
    ("v128.load16x4_s", "v128", 8),
    ("v128.load16x4_u", "v128", 8),
    ("v128.load32x2_s", "v128", 8),
    ("v128.load32x2_u", "v128", 8),
    ("v128.load8_splat", "v128", 1),
    ("v128.load16_splat", "v128", 2),
    ("v128.load32_splat", "v128", 4),
    ("v128.load64_splat", "v128", 8),
    ("v128.load32_zero", "v128", 4),
    ("v128.load64_zero", "v128", 8),
];

/// Each store with its value's type and the bytes it touches.
const STORES: &[(&str, &str, u64)] = &[
    ("i32.store8", "i32", 1),
    ("i32.store16", "i32", 2),
    ("i32.store", "i32", 4),
    ("i64.store8", "i64", 1),
    ("i64.store16", "i64", 2),
    ("i64.store32", "i64", 4),
    ("i64.store", "i64", 8),
    ("f32.store", "f32", 4),
    ("f64.store", "f64", 8),
    ("v128.store", "v128", 16),
];

fn zero(ty: &str) -> &'static str {
    match ty {
        "i32" => "i32.const 0",
        "i64" => "i64.const 0",
        "f32" => "f32.const 0",
        "f64" => "f64.const 0",
        _ => "v128.const i64x2 0 0",
    }
}

/// A module in which function `NAME OFFSET` accesses a memory of one page, its value unused.
fn accesses(memory: &str, index: &str, offsets: &[u64]) -> String {
    let mut text = format!("(module (memory {memory} 1 1)");
    for offset in offsets {
        for (name, _, _) in LOADS {
            text += &format!(
                "(func (export \"{name} {offset}\") (param {index}) \
                 local.get 0 {name} offset={offset} drop)"
            );
        }
        for (name, ty, _) in STORES {
            text += &format!(
                "(func (export \"{name} {offset}\") (param {index}) \
                 local.get 0 {} {name} offset={offset})",
                zero(ty)
            );
        }
    }
    text + ")"
}

/// Runs all accesses of a module under all engines and compares with plain arithmetic.
fn check_accesses(memory: &str, index: &str, offsets: &[u64], indices: &[u64]) {
    let text = accesses(memory, index, offsets);
    for engine in engines() {
        let module = Module::new(&engine, &text).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        for &offset in offsets {
            for (name, _, bytes) in LOADS.iter().chain(STORES) {
                let func = instance.get_func(&mut store, &format!("{name} {offset}")).unwrap();
                for &at in indices {
                    let end = u128::from(at) + u128::from(offset) + u128::from(*bytes);
                    let argument = match index {
                        "i32" => Val::I32(at as u32 as i32),
                        _ => Val::I64(at as i64),
                    };
                    let trap = func.call(&mut store, &[argument], &mut []).err().map(|e| e.trap());
                    let expected = (end > 65536).then_some(Some(Trap::MemoryOutOfBounds));
                    assert_eq!(trap, expected, "{name} {at:#x} offset={offset:#x}");
                }
            }
        }
    }
}

#[test]
fn each_access_at_each_edge_of_a_32_bit_memory_traps_exactly_outside() {
    let offsets = [0, 1, 4, 0xffff, 0x1_0000, 0x7fff_ffff, 0xffff_0000, 0xffff_fff0, 0xffff_ffff];
    let mut indices = vec![0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_0000, 0xffff_fff8, 0xffff_ffff];
    indices.extend([1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17].map(|back| 0x1_0000 - back));
    indices.extend([0x1_0000, 0x1_0001]);
    check_accesses("", "i32", &offsets, &indices);
}

#[test]
fn each_access_at_each_edge_of_a_64_bit_memory_traps_exactly_outside() {
    let top = u64::MAX;
    let offsets = [0, 8, 0xffff, 0x1_0000, 1 << 32, (1 << 63) - 1, 1 << 63, top - 15, top - 1, top];
    let mut indices = vec![0, 1, 8, 0xffff_ffff, 1 << 32, 1 << 47, 1 << 63, top - 7, top - 1, top];
    indices.extend([1, 2, 4, 7, 8, 9, 15, 16, 17].map(|back| 0x1_0000 - back));
    indices.extend([0x1_0000, 0x1_0001]);
    check_accesses("i64", "i64", &offsets, &indices);
}

#[test]
fn loads_that_an_operation_could_swallow_read_no_byte_more() {
    // The last four bytes of a memory that ends where nothing is mapped: an operation with a
    // wider operand in memory would fault.
    let text = r#"(module (memory 1 1)
        (data (i32.const 65532) "\00\00\80\bf")
        (func (export "copysign") (param i32) (result f32)
            f32.const 2  local.get 0  f32.load  f32.copysign)
        (func (export "abs") (param i32) (result f32) local.get 0 f32.load f32.abs)
        (func (export "neg") (param i32) (result f32) local.get 0 f32.load f32.neg)
        (func (export "splat") (param i32) (result i32)
            local.get 0  f32.load  f32x4.splat  i32x4.extract_lane 3)
        (func (export "promote") (param i32) (result f64) local.get 0 f32.load f64.promote_f32)
        (func (export "lane") (param i32) (result i32)
            local.get 0  v128.const i64x2 0 0  v128.load32_lane 2  i32x4.extract_lane 2)
        (func (export "sqrt") (param i32) (result f32) local.get 0 f32.load f32.abs f32.sqrt)
        (func (export "add") (param i32) (result f32)
            f32.const 3  local.get 0  f32.load  f32.add)
        (func (export "min") (param i32) (result f32)
            f32.const 3  local.get 0  f32.load  f32.min)
        (func (export "convert") (param i32) (result i32)
            local.get 0  f32.load  i32.trunc_f32_s)
        (func (export "wide") (param i32) (result i64) local.get 0 i64.load32_u)
        (func (export "byte") (param i32) (result i32)
            local.get 0  i32.load8_u offset=3  i32.const 0xbf  i32.eq))"#;
    let one = u128::from(1f32.to_bits());
    for (name, expected) in [
        ("copysign", u128::from((-2f32).to_bits())),
        ("abs", one),
        ("neg", one),
        ("splat", u128::from((-1f32).to_bits())),
        ("promote", u128::from((-1f64).to_bits())),
        ("lane", u128::from((-1f32).to_bits())),
        ("sqrt", one),
        ("add", u128::from(2f32.to_bits())),
        ("min", u128::from((-1f32).to_bits())),
        ("convert", u128::from(-1i32 as u32)),
        ("wide", u128::from((-1f32).to_bits())),
        ("byte", 1),
    ] {
        assert_eq!(results(text, name, &[Val::I32(65532)]), Ok(vec![expected]), "{name}");
        let past = results(text, name, &[Val::I32(65533)]);
        assert_eq!(past, Err(Trap::MemoryOutOfBounds), "{name}");
    }
}

#[test]
fn a_vector_operand_at_the_last_bytes_is_read_whole_or_not_at_all() {
    let text = r#"(module (memory 1 1)
        (func (export "add") (param i32) (result i64)
            v128.const i64x2 1 2  local.get 0  v128.load  i64x2.add  i64x2.extract_lane 1)
        (func (export "shuffle") (param i32) (result i64)
            v128.const i64x2 1 2  local.get 0  v128.load
            i8x16.shuffle 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23
            i64x2.extract_lane 0))"#;
    for name in ["add", "shuffle"] {
        assert_eq!(results(text, name, &[Val::I32(65520)]), Ok(vec![2]), "{name}");
        let past = results(text, name, &[Val::I32(65521)]);
        assert_eq!(past, Err(Trap::MemoryOutOfBounds), "{name}");
    }
}

#[test]
fn the_upper_half_of_a_register_never_becomes_part_of_an_index() {
    let text = r#"(module (memory 1 1) (table 4 funcref) (elem (i32.const 1) $seven)
        (data (i32.const 16) "\2a")
        (global $wide (mut i64) (i64.const 0xffffffff00000010))
        (func $seven (result i32) i32.const 7)
        (func (export "wrap") (param i64) (result i32)
            local.get 0  i32.wrap_i64  i32.load)
        (func (export "wrap_of_global") (param i64) (result i32)
            global.get $wide  i32.wrap_i64  i32.load)
        (func (export "sum") (param i64) (result i32)
            local.get 0  i32.wrap_i64  i32.const -16  i32.add  i32.load offset=16)
        (func (export "shift") (param i64) (result i32)
            local.get 0  i64.const 0  i64.shr_u  i32.wrap_i64  i32.load)
        (func (export "sign") (param i64) (result i32)
            local.get 0  i32.wrap_i64  i32.extend8_s  i32.load)
        (func (export "table") (param i64) (result i32)
            local.get 0  i64.const 15  i64.sub  i32.wrap_i64  call_indirect (result i32))
        (func (export "branch") (param i64) (result i32)
            (block (block (block
                local.get 0  i64.const 16  i64.sub  i32.wrap_i64  br_table 0 1 2)
                i32.const 7  return)
                i32.const 8  return)
            i32.const 9)
        (func (export "select") (param i64) (result i32)
            i32.const 1  i32.const 2
            local.get 0  i64.const 16  i64.sub  i32.wrap_i64  select)
        (func (export "store") (param i64) (result i32)
            local.get 0  i32.wrap_i64  i32.const 5  i32.store
            i32.const 16  i32.load))"#;
    let dirty = [Val::I64(0x1234_5678_0000_0010)];
    for (name, expected) in [
        ("wrap", 42),
        ("wrap_of_global", 42),
        ("sum", 42),
        ("shift", 42),
        ("sign", 42),
        ("table", 7),
        ("branch", 7),
        ("select", 2),
        ("store", 5),
    ] {
        assert_eq!(results(text, name, &dirty), Ok(vec![expected]), "{name}");
    }
}

#[test]
fn an_index_that_wraps_in_32_bits_stays_in_32_bits() {
    let text = r#"(module (memory 1 1) (data (i32.const 8) "\01")
        (func (export "add") (param i32 i32) (result i32)
            local.get 0  local.get 1  i32.add  i32.load)
        (func (export "shift") (param i32 i32) (result i32)
            local.get 0  local.get 1  i32.shl  i32.load)
        (func (export "scaled") (param i32 i32) (result i32)
            local.get 0  local.get 1  i32.const 3  i32.shl  i32.add  i32.load))"#;
    let call = |name, a: i32, b: i32| results(text, name, &[Val::I32(a), Val::I32(b)]);
    assert_eq!(call("add", -8, 16), Ok(vec![1]));
    assert_eq!(call("add", i32::MIN, i32::MIN), Ok(vec![0]));
    assert_eq!(call("shift", 0x4000_0001, 3), Ok(vec![1]));
    assert_eq!(call("scaled", 0, 0x2000_0001), Ok(vec![1]));
    assert_eq!(call("scaled", 8, 0x1000_0000), Err(Trap::MemoryOutOfBounds));
}

#[test]
fn a_64_bit_table_is_indexed_by_all_64_bits() {
    let text = r#"(module (table $t i64 2 2 funcref) (elem (table $t) (i64.const 1) func $seven)
        (func $seven (result i32) i32.const 7)
        (func (export "call") (param i64) (result i32)
            local.get 0  call_indirect $t (result i32))
        (func (export "get") (param i64) (result i32) local.get 0 table.get $t ref.is_null)
        (func (export "set") (param i64) local.get 0 ref.null func table.set $t)
        (func (export "fill") (param i64) i64.const 1 ref.null func local.get 0 table.fill $t))"#;
    let call = |name, index: u64| results(text, name, &[Val::I64(index as i64)]);
    assert_eq!(call("call", 1), Ok(vec![7]));
    assert_eq!(call("call", 0), Err(Trap::UninitializedElement));
    for index in [2, 1 << 32, (1 << 32) + 1, 1 << 61, (1 << 61) + 1, 1 << 63, u64::MAX] {
        assert_eq!(call("call", index), Err(Trap::UndefinedElement), "{index:#x}");
        assert_eq!(call("get", index), Err(Trap::TableOutOfBounds), "{index:#x}");
        assert_eq!(call("set", index), Err(Trap::TableOutOfBounds), "{index:#x}");
        assert_eq!(call("fill", index), Err(Trap::TableOutOfBounds), "{index:#x}");
    }
}

#[test]
fn bulk_operations_at_the_edges_trap_before_they_write() {
    let text = r#"(module (memory 1 1) (memory i64 1 1) (data $d "abcd")
        (func (export "fill") (param i32 i32) (result i32)
            i32.const 65535  i32.const 0  i32.store8
            local.get 0  i32.const 1  local.get 1  memory.fill
            i32.const 65535  i32.load8_u)
        (func (export "fill64") (param i64 i64)
            local.get 0  i32.const 1  local.get 1  memory.fill 1)
        (func (export "copy") (param i32 i32 i32)
            local.get 0  local.get 1  local.get 2  memory.copy)
        (func (export "init") (param i32 i32 i32)
            local.get 0  local.get 1  local.get 2  memory.init $d))"#;
    let pair = |a: u64, b: u64| [Val::I32(a as i32), Val::I32(b as i32)];
    let three = |a: u32, b: u32, c: u32| [a, b, c].map(|v| Val::I32(v as i32));
    let oob = Err(Trap::MemoryOutOfBounds);
    assert_eq!(results(text, "fill", &pair(0, 0x1_0000)), Ok(vec![1]));
    assert_eq!(results(text, "fill", &pair(1, 0x1_0000)), oob);
    assert_eq!(results(text, "fill", &pair(0x1_0000, 0)), Ok(vec![0]));
    assert_eq!(results(text, "fill", &pair(0x1_0001, 0)), oob);
    assert_eq!(results(text, "fill", &pair(0xffff_ffff, 0xffff_ffff)), oob);
    for (at, length) in [(u64::MAX, 1), (1, u64::MAX), (u64::MAX, u64::MAX), (1 << 63, 1 << 63)] {
        let arguments = [Val::I64(at as i64), Val::I64(length as i64)];
        assert_eq!(results(text, "fill64", &arguments), oob, "{at:#x} {length:#x}");
    }
    assert_eq!(results(text, "copy", &three(0, 1, 0xffff)), Ok(vec![]));
    assert_eq!(results(text, "copy", &three(0, 1, 0x1_0000)), oob);
    assert_eq!(results(text, "copy", &three(0xffff_ffff, 0, 1)), oob);
    assert_eq!(results(text, "copy", &three(0, 0xffff_ffff, 0xffff_ffff)), oob);
    assert_eq!(results(text, "init", &three(65532, 0, 4)), Ok(vec![]));
    assert_eq!(results(text, "init", &three(65533, 0, 4)), oob);
    assert_eq!(results(text, "init", &three(0, 1, 4)), oob);
    assert_eq!(results(text, "init", &three(0, 0xffff_ffff, 2)), oob);
}

#[test]
fn pages_of_one_byte_end_where_they_say() {
    let text = r#"(module (memory 5 9 (pagesize 1))
        (func (export "load") (param i32) (result i32) local.get 0 i32.load8_u)
        (func (export "load32") (param i32) (result i32) local.get 0 i32.load)
        (func (export "grown") (param i32) (result i32)
            i32.const 4  memory.grow  drop  local.get 0  i32.load8_u)
        (func (export "too_far") (param i32) (result i32) i32.const 5 memory.grow))"#;
    let call = |name, at: i32| results(text, name, &[Val::I32(at)]);
    assert_eq!(call("load", 4), Ok(vec![0]));
    assert_eq!(call("load", 5), Err(Trap::MemoryOutOfBounds));
    assert_eq!(call("load32", 1), Ok(vec![0]));
    assert_eq!(call("load32", 2), Err(Trap::MemoryOutOfBounds));
    assert_eq!(call("grown", 8), Ok(vec![0]));
    assert_eq!(call("grown", 9), Err(Trap::MemoryOutOfBounds));
    assert_eq!(call("too_far", 0), Ok(vec![u128::from(u32::MAX)]));
}

/// A module with one exported function `f` from i32 to i32.
fn one_function(locals: Vec<(u32, ValType)>, body: impl FnOnce(&mut Function)) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32], [ValType::I32]);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut exports = ExportSection::new();
    exports.export("f", ExportKind::Func, 0);
    let mut function = Function::new(locals);
    body(&mut function);
    function.instruction(&I::End);
    let mut code = CodeSection::new();
    code.function(&function);
    let mut module = Encoder::new();
    module.section(&types).section(&functions).section(&exports).section(&code);
    module.finish()
}

#[test]
fn a_br_table_of_a_hundred_thousand_targets_takes_each() {
    let targets: Vec<u32> = (0..100_000).map(|at| at % 3).collect();
    let module = one_function(vec![], |f| {
        for _ in 0..4 {
            f.instruction(&I::Block(wasm_encoder::BlockType::Empty));
        }
        f.instruction(&I::LocalGet(0)).instruction(&I::BrTable(targets.into(), 3));
        for answer in [10, 11, 12] {
            f.instruction(&I::End).instruction(&I::I32Const(answer)).instruction(&I::Return);
        }
        f.instruction(&I::End).instruction(&I::I32Const(99));
    });
    for (index, expected) in
        [(0, 10), (1, 11), (2, 12), (65535, 10), (99_999, 10), (100_000, 99), (-1, 99)]
    {
        assert_eq!(results(&module, "f", &[Val::I32(index)]), Ok(vec![expected]), "{index}");
    }
}

#[test]
fn fifty_thousand_locals_hold_their_values() {
    let count = 49_900;
    let module = one_function(vec![(count, ValType::I32)], |f| {
        f.instruction(&I::LocalGet(0)).instruction(&I::LocalSet(count));
        f.instruction(&I::I32Const(5)).instruction(&I::LocalSet(1));
        f.instruction(&I::LocalGet(count)).instruction(&I::LocalGet(1)).instruction(&I::I32Add);
        f.instruction(&I::LocalGet(count / 2)).instruction(&I::I32Add);
    });
    assert_eq!(results(&module, "f", &[Val::I32(37)]), Ok(vec![42]));
}

#[test]
fn a_body_of_a_megabyte_computes_its_sum() {
    let steps: i32 = 150_000;
    let module = one_function(vec![], |f| {
        f.instruction(&I::LocalGet(0));
        for step in 0..steps {
            f.instruction(&I::I32Const(step % 1000 + 64)).instruction(&I::I32Add);
            f.instruction(&I::LocalTee(0)).instruction(&I::LocalGet(0));
            f.instruction(&I::Drop);
        }
    });
    assert!(module.len() > 1 << 20, "{}", module.len());
    let sum: i32 = (0..steps).map(|step| step % 1000 + 64).sum();
    assert_eq!(results(&module, "f", &[Val::I32(1)]), Ok(vec![u128::from((sum + 1) as u32)]));
}

#[test]
fn division_traps_where_it_must_even_when_its_value_is_unused() {
    let text = r#"(module
        (func (export "div_s") (param i32 i32) local.get 0 local.get 1 i32.div_s drop)
        (func (export "rem_s") (param i32 i32) local.get 0 local.get 1 i32.rem_s drop)
        (func (export "div_u") (param i32 i32) local.get 0 local.get 1 i32.div_u drop)
        (func (export "trunc") (param f64) local.get 0 i32.trunc_f64_s drop))"#;
    let call = |name, a: i32, b: i32| results(text, name, &[Val::I32(a), Val::I32(b)]);
    assert_eq!(call("div_s", i32::MIN, -1), Err(Trap::IntegerOverflow));
    assert_eq!(call("rem_s", i32::MIN, -1), Ok(vec![]));
    for name in ["div_s", "rem_s", "div_u"] {
        assert_eq!(call(name, 1, 0), Err(Trap::IntegerDivideByZero));
    }
    let trunc = |value: f64| results(text, "trunc", &[Val::F64(value.to_bits())]);
    assert_eq!(trunc(f64::NAN), Err(Trap::InvalidConversionToInteger));
    assert_eq!(trunc(2147483648.0), Err(Trap::IntegerOverflow));
    assert_eq!(trunc(-2147483649.0), Err(Trap::IntegerOverflow));
    assert_eq!(trunc(-2147483648.9), Ok(vec![]));
}
