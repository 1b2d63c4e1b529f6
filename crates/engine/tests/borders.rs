//! Group 3: accesses at the very borders of memories, wide offsets, dirty upper halves of registers,
//! arguments beyond the registers, vectors everywhere.

use selkie_engine::{Config, Engine, Instance, Module, Result, Store, Trap, V128, Val};

/// Guard pages, explicit checks, explicit checks without speculation barriers.
fn engines() -> Vec<(&'static str, Engine)> {
    let engine = |config: &mut Config| Engine::new(config).expect("a valid configuration");
    vec![
        ("guard pages", engine(&mut Config::new())),
        ("explicit checks", engine(Config::new().guard_pages(false))),
        ("no spectre checks", engine(Config::new().guard_pages(false).spectre_checks(false))),
        ("a small guard", engine(Config::new().memory_guard_bytes(64 << 10))),
        ("no inlining", engine(Config::new().inlining(false))),
    ]
}

fn call(instance: Instance, store: &mut Store<()>, name: &str, args: &[Val]) -> Result<Vec<Val>> {
    let func = instance.get_func(&mut *store, name).expect("exported");
    let mut results = vec![Val::I32(0); func.ty(&*store).results().len()];
    func.call(&mut *store, args, &mut results)?;
    Ok(results)
}

/// One access for each combination: an index type, a width, a static offset.
fn access_module(memory64: bool, offsets: &[u64]) -> String {
    let (memory, index) = if memory64 { ("i64 1 3", "i64") } else { ("1 3", "i32") };
    let mut text = format!("(module (memory (export \"memory\") {memory})");
    text.push_str(&format!(
        "(func (export \"grow\") (result {index}) (memory.grow ({index}.const 1)))"
    ));
    for offset in offsets {
        for (width, load, ty) in [
            (1, "i32.load8_u", "i32"),
            (2, "i32.load16_s", "i32"),
            (4, "f32.load", "f32"),
            (8, "i64.load", "i64"),
            (16, "v128.load", "v128"),
        ] {
            // The loaded value is dropped: the access must trap all the same.
            text.push_str(&format!(
                "(func (export \"load{width}+{offset}\") (param {index})
                    (drop ({load} offset={offset} (local.get 0))))"
            ));
            let store = match width {
                1 => "i32.store8",
                2 => "i32.store16",
                4 => "f32.store",
                8 => "i64.store",
                _ => "v128.store",
            };
            let zero = if ty == "v128" {
                "(v128.const i64x2 0 0)".to_string()
            } else {
                format!("({ty}.const 0)")
            };
            text.push_str(&format!(
                "(func (export \"store{width}+{offset}\") (param {index})
                    ({store} offset={offset} (local.get 0) {zero}))"
            ));
        }
    }
    text.push(')');
    text
}

fn check_borders(name: &str, engine: &Engine, memory64: bool, offsets: &[u64]) -> Result<()> {
    let module = Module::new(engine, access_module(memory64, offsets))?;
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    for pages in 1..=3u64 {
        let length = u128::from(pages << 16);
        for &offset in offsets {
            for width in [1u64, 2, 4, 8, 16] {
                let last = (length as u64).wrapping_sub(offset).wrapping_sub(width);
                let around = [last.wrapping_sub(1), last, last.wrapping_add(1)];
                let far = [0, 1, u64::from(u32::MAX), 1 << 31, u64::MAX, 1 << 32, 1 << 63];
                for index in around.into_iter().chain(far) {
                    let index = if memory64 { index } else { u64::from(index as u32) };
                    let end = u128::from(index) + u128::from(offset) + u128::from(width);
                    let arg =
                        if memory64 { Val::I64(index as i64) } else { Val::I32(index as i32) };
                    for kind in ["load", "store"] {
                        let export = format!("{kind}{width}+{offset}");
                        let done = call(instance, &mut store, &export, &[arg]);
                        let trap = done.err().and_then(|e| e.trap());
                        let expected = (end > length).then_some(Trap::MemoryOutOfBounds);
                        assert_eq!(trap, expected, "{name}: {export} at {index}, {pages} pages");
                    }
                }
            }
        }
        call(instance, &mut store, "grow", &[])?;
    }
    Ok(())
}

#[test]
fn accesses_of_32_bit_memories_trap_exactly_out_of_bounds() -> Result<()> {
    let offsets =
        [0, 1, 65_535, 65_536, (32 << 20) - 8, 32 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1];
    engines().iter().try_for_each(|(name, engine)| check_borders(name, engine, false, &offsets))
}

#[test]
fn accesses_of_64_bit_memories_trap_exactly_out_of_bounds() -> Result<()> {
    let offsets = [0, 1, 65_536, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 63, u64::MAX - 15, u64::MAX];
    engines().iter().try_for_each(|(name, engine)| check_borders(name, engine, true, &offsets))
}

#[test]
fn an_index_with_a_dirty_upper_half_addresses_its_low_half() -> Result<()> {
    for (name, engine) in engines() {
        let module = Module::new(
            &engine,
            r#"(module
                (memory 1) (data (i32.const 8) "\2a")
                (table 4 funcref) (elem (i32.const 1) $f)
                (func $f (result i32) i32.const 7)
                (func (export "load") (param i64) (result i32)
                    (i32.load8_u (i32.wrap_i64 (local.get 0))))
                (func (export "sum") (param i64 i64) (result i32)
                    (i32.load8_u (i32.wrap_i64 (i64.add (local.get 0) (local.get 1)))))
                (func (export "call") (param i64) (result i32)
                    (call_indirect (result i32) (i32.wrap_i64 (local.get 0))))
                (func (export "table") (param i64) (result i32)
                    (block $a (block $b
                        (br_table $a $b (i32.wrap_i64 (local.get 0)))) (return (i32.const 1)))
                    (i32.const 0)))"#,
        )?;
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[])?;
        let dirty = |low: i64| Val::I64(0x7fff_ffff_0000_0000 | low);
        let mut one = |export: &str, args: &[Val]| -> Result<Option<i32>> {
            Ok(call(instance, &mut store, export, args)?[0].i32())
        };
        assert_eq!(one("load", &[dirty(8)])?, Some(42), "{name}");
        assert_eq!(one("sum", &[dirty(3), dirty(5)])?, Some(42), "{name}");
        assert_eq!(one("call", &[dirty(1)])?, Some(7), "{name}");
        assert_eq!(one("table", &[dirty(0)])?, Some(0), "{name}");
    }
    Ok(())
}

#[test]
fn arguments_and_results_of_every_kind_and_number_arrive() -> Result<()> {
    // Sixteen parameters of each type, all results of one kind, in turn.
    for (name, engine) in engines() {
        let kinds = ["i32", "i64", "f32", "f64", "v128"];
        let types: Vec<&str> = (0..40).map(|i| kinds[i % 5]).collect();
        for results in [1usize, 5, 20, 40] {
            let list = types.join(" ");
            let returned = types[..results].join(" ");
            let gets: String = (0..40).map(|i| format!("(local.get {i})")).collect();
            let some: String = (0..results).map(|i| format!("(local.get {i})")).collect();
            let text = format!(
                "(module
                    (type $t (func (param {list}) (result {returned})))
                    (table funcref (elem $pick))
                    (func $pick (type $t) {some})
                    (func (export \"direct\") (type $t) {gets} call $pick)
                    (func (export \"indirect\") (type $t)
                        {gets} (call_indirect (type $t) (i32.const 0)))
                    (func (export \"tail\") (type $t) {gets} return_call $pick)
                    (func (export \"tail_indirect\") (type $t)
                        {gets} (return_call_indirect (type $t) (i32.const 0))))"
            );
            let module = Module::new(&engine, text)?;
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[])?;
            let args: Vec<Val> = types.iter().enumerate().map(|(i, ty)| value(i, ty)).collect();
            for export in ["direct", "indirect", "tail", "tail_indirect"] {
                let got = call(instance, &mut store, export, &args)?;
                for (i, (got, sent)) in got.iter().zip(&args).enumerate() {
                    assert_eq!(bits(got), bits(sent), "{name}: {export}, {results} results, {i}");
                }
            }
        }
    }
    Ok(())
}

fn value(i: usize, ty: &str) -> Val {
    let n = 0x0123_4567_89ab_cdef_u64.wrapping_mul(i as u64 + 1);
    match ty {
        "i32" => Val::I32(n as i32),
        "i64" => Val::I64(n as i64),
        "f32" => Val::F32(n as u32),
        "f64" => Val::F64(n),
        _ => Val::V128(V128(u128::from(n) << 64 | u128::from(!n))),
    }
}

fn bits(value: &Val) -> u128 {
    match *value {
        Val::I32(v) => u128::from(v as u32),
        Val::I64(v) => u128::from(v as u64),
        Val::F32(v) => u128::from(v),
        Val::F64(v) => u128::from(v),
        Val::V128(v) => v.0,
        _ => 0,
    }
}

#[test]
fn tail_calls_between_frames_of_different_sizes_use_constant_stack() -> Result<()> {
    let text = r#"(module
        (func $small (export "run") (param i64) (result i64)
            (if (i64.eqz (local.get 0)) (then (return (i64.const 11))))
            (return_call $large (i64.sub (local.get 0) (i64.const 1))
                (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5)
                (i64.const 6) (i64.const 7) (i64.const 8) (i64.const 9) (i64.const 10)))
        (func $large (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64)
            (if (i64.ne (i64.add (local.get 9) (local.get 10)) (i64.const 19))
                (then unreachable))
            (return_call $small (local.get 0))))"#;
    for (name, engine) in engines() {
        let module = Module::new(&engine, text)?;
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[])?;
        let run = instance.get_typed_func::<i64, i64>(&mut store, "run")?;
        assert_eq!(run.call(&mut store, 1_000_000)?, 11, "{name}");
    }
    Ok(())
}

#[test]
fn copysign_and_splat_of_loads_do_not_widen_them() -> Result<()> {
    // The last bytes of the memory: a widened load would cross its end.
    let text = r#"(module (memory 1)
        (func (export "copysign") (param f64) (result f64)
            (f64.copysign (local.get 0) (f64.load (i32.const 65528))))
        (func (export "copysign32") (param f32) (result f32)
            (f32.copysign (local.get 0) (f32.load (i32.const 65532))))
        (func (export "splat8") (result v128) (v128.load8_splat (i32.const 65535)))
        (func (export "splat64") (result v128) (v128.load64_splat (i32.const 65528)))
        (func (export "extend") (result v128) (v128.load32x2_u (i32.const 65528)))
        (func (export "sqrt") (result v128)
            (f32x4.sqrt (f32x4.splat (f32.load (i32.const 65532)))))
        (func (export "lane") (result v128)
            (v128.load8_lane 15 (i32.const 65535) (v128.const i64x2 -1 -1))))"#;
    for (name, engine) in engines() {
        let module = Module::new(&engine, text)?;
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[])?;
        call(instance, &mut store, "copysign", &[Val::F64(1)])?;
        call(instance, &mut store, "copysign32", &[Val::F32(1)])?;
        for export in ["splat8", "splat64", "extend", "sqrt"] {
            let got = call(instance, &mut store, export, &[])?;
            assert_eq!(bits(&got[0]), 0, "{name}: {export}");
        }
        let lane = call(instance, &mut store, "lane", &[])?;
        assert_eq!(bits(&lane[0]), u128::MAX >> 8, "{name}");
    }
    Ok(())
}

#[test]
fn memory_growth_is_seen_by_code_that_holds_the_base() -> Result<()> {
    let text = r#"(module (memory 1)
        (func (export "run") (result i32) (local $i i32) (local $sum i32)
            (loop $l
                (i32.store (i32.const 0) (local.get $i))
                (drop (memory.grow (i32.const 1)))
                (i32.store (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 4))
                           (local.get $i))
                (local.set $sum (i32.add (local.get $sum) (i32.load (i32.const 0))))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $l (i32.lt_u (local.get $i) (i32.const 100))))
            (local.get $sum)))"#;
    for (name, engine) in engines() {
        let module = Module::new(&engine, text)?;
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[])?;
        let run = instance.get_typed_func::<(), i32>(&mut store, "run")?;
        assert_eq!(run.call(&mut store, ())?, 4950, "{name}");
    }
    Ok(())
}
