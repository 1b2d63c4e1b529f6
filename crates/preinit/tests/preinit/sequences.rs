//! Whatever was called before, a module made of the state goes on as the instance does.

use crate::guests::{Guest, binary};
use selkie_engine::{Engine, Linker, Store, Val};
use selkie_preinit::Preinit;

/// Functions that change state of every kind, each from two numbers.
const MODULE: &str = r#"(module (type $t (func (param i32 i32) (result i64)))
    (memory 1 3) (table $t 8 20 funcref) (table $n 4 (ref $t) (ref.func $add))
    (data (i32.const 40) "active") (data $d "dropped or not") (data $e "another")
    (elem (table $t) (i32.const 1) func $add $mul) (elem $p func $mul $set $add)
    (global $i (mut i32) (i32.const 3)) (global $l (mut i64) (i64.const 4))
    (global $d (mut f64) (f64.const 0.5)) (global $r (mut funcref) (ref.null func))
    (func $add (type $t) (i64.extend_i32_u (i32.add (local.get 0) (local.get 1))))
    (func $mul (type $t) (i64.mul (i64.extend_i32_u (local.get 0)) (global.get $l)))
    (func $set (type $t)
        (global.set $i (local.get 0)) (global.set $l (i64.extend_i32_s (local.get 1)))
        (global.set $d (f64.div (global.get $d) (f64.convert_i32_s (local.get 0))))
        (i64.xor (global.get $l) (i64.reinterpret_f64 (global.get $d))))
    (func (export "0") (type $t) (call $set (local.get 0) (local.get 1)))
    (func (export "1") (type $t)
        (i32.store (local.get 0) (local.get 1)) (i64.load (i32.and (local.get 1) (i32.const 0xfff8))))
    (func (export "2") (type $t)
        (memory.fill (local.get 0) (local.get 1) (i32.and (local.get 1) (i32.const 0x1ff)))
        (i64.load (local.get 0)))
    (func (export "3") (type $t)
        (i64.extend_i32_s (memory.grow (i32.and (local.get 1) (i32.const 1)))))
    (func (export "4") (type $t)
        (table.set $t (i32.and (local.get 0) (i32.const 15))
            (table.get $t (i32.and (local.get 1) (i32.const 15)))) (i64.const 1))
    (func (export "5") (type $t)
        (i64.extend_i32_s (table.grow $t (global.get $r) (i32.and (local.get 1) (i32.const 1)))))
    (func (export "6") (type $t)
        (global.set $r (table.get $t (i32.and (local.get 0) (i32.const 15))))
        (i64.extend_i32_u (ref.is_null (global.get $r))))
    (func (export "7") (type $t)
        (call_indirect $t (type $t) (local.get 0) (local.get 1)
            (i32.and (local.get 0) (i32.const 7))))
    (func (export "8") (type $t)
        (memory.init $d (local.get 0) (i32.and (local.get 1) (i32.const 7)) (i32.const 4))
        (i64.load (local.get 0)))
    (func (export "9") (type $t)
        (if (i32.eqz (i32.and (local.get 0) (i32.const 7))) (then (data.drop $d)))
        (if (i32.eqz (i32.and (local.get 1) (i32.const 7))) (then (elem.drop $p)))
        (i64.const 9))
    (func (export "10") (type $t)
        (table.init $t $p (i32.and (local.get 0) (i32.const 15)) (i32.and (local.get 1) (i32.const 1))
            (i32.const 2)) (i64.const 10))
    (func (export "11") (type $t)
        (table.copy $t $t (i32.and (local.get 0) (i32.const 7)) (i32.and (local.get 1) (i32.const 7))
            (i32.const 3))
        (table.set $n (i32.and (local.get 0) (i32.const 3)) (ref.func $set))
        (call_ref $t (local.get 0) (local.get 1) (table.get $n (i32.and (local.get 1) (i32.const 3)))))
    (func (export "12") (type $t)
        (memory.init $e (i32.const 9) (i32.const 0) (i32.and (local.get 0) (i32.const 3)))
        (i64.load (i32.const 9))))"#;

/// Numbers as they come, small ones and addresses more often.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as u32
    }

    fn call(&mut self) -> (String, [Val; 2]) {
        let number = |random: &mut Random| match random.next() % 4 {
            0 => random.next() % 16,
            1 => random.next() % 65536,
            2 => 65536 + random.next() % 65536,
            _ => random.next(),
        };
        let name = (self.next() % 13).to_string();
        (name, [Val::I32(number(self) as i32), Val::I32(number(self) as i32)])
    }
}

#[test]
fn a_module_goes_on_as_its_instance() {
    let engine = Engine::default();
    let wasm = binary(MODULE);
    let preinit = Preinit::new();
    let prepared = preinit.prepare(&engine, &wasm).unwrap();
    for seed in 0..150 {
        let mut random = Random(seed);
        let mut store = Store::new(&engine, ());
        let instance = prepared.start(&mut store, &Linker::new(&engine)).unwrap();
        let mut now = Guest { store, instance };
        for _ in 0..seed {
            let (name, params) = random.call();
            now.call(&name, &params);
        }
        let ready = prepared.finish(&mut now.store, now.instance).unwrap();
        let mut earlier = Guest::new(&engine, &ready);
        for i in 0..60 {
            let (name, params) = random.call();
            let answers = (now.call(&name, &params), earlier.call(&name, &params));
            assert_eq!(answers.0, answers.1, "seed {seed}, call {i}: {name} {params:?}");
        }
        if seed % 10 == 0 {
            // Taking the state of the new one gives it again.
            let again = preinit.prepare(&engine, &ready).unwrap();
            let mut store = Store::new(&engine, ());
            let instance = again.start(&mut store, &Linker::new(&engine)).unwrap();
            let twice = again.finish(&mut store, instance).unwrap();
            let mut guest = Guest::new(&engine, &twice);
            let mut fresh = Guest::new(&engine, &ready);
            for _ in 0..60 {
                let (name, params) = random.call();
                assert_eq!(guest.call(&name, &params), fresh.call(&name, &params), "seed {seed}");
            }
        }
    }
}
