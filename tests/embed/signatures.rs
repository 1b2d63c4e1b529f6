//! Values of every kind cross the border in both directions as they are, whatever way their number
//! and types make them take: registers, stack, area of results; typed and untyped.

use selkie::{Caller, Engine, FuncType, Linker, Module, Store, V128, Val, ValType, WasmTy};

/// What the host function was given last, and what it answers.
#[derive(Default)]
struct Host {
    given: Vec<u128>,
    answer: Vec<u128>,
}

/// A number or vector by its bits.
trait Bits: WasmTy {
    const NAME: &'static str;
    fn of(bits: u128) -> Self;
    fn bits(&self) -> u128;
    fn val(&self) -> Val;
}

macro_rules! bits {
    ($($rust:ty, $name:literal: $of:expr, $bits:expr, $val:expr;)*) => {$(
        impl Bits for $rust {
            const NAME: &'static str = $name;
            fn of(bits: u128) -> Self {
                $of(bits)
            }
            fn bits(&self) -> u128 {
                $bits(*self)
            }
            fn val(&self) -> Val {
                $val(*self)
            }
        }
    )*};
}

bits! {
    i32, "i32": |bits| bits as i32, |v| u128::from(v as u32), Val::I32;
    i64, "i64": |bits| bits as i64, |v| u128::from(v as u64), Val::I64;
    f32, "f32": |bits| f32::from_bits(bits as u32), |v: f32| v.to_bits().into(),
        |v: f32| Val::F32(v.to_bits());
    f64, "f64": |bits| f64::from_bits(bits as u64), |v: f64| v.to_bits().into(),
        |v: f64| Val::F64(v.to_bits());
    V128, "v128": V128, |v: V128| v.0, Val::V128;
}

fn bits_of(val: &Val) -> u128 {
    match *val {
        Val::I32(v) => u128::from(v as u32),
        Val::I64(v) => u128::from(v as u64),
        Val::F32(v) => v.into(),
        Val::F64(v) => v.into(),
        Val::V128(v) => v.0,
        _ => unreachable!("numbers only"),
    }
}

fn val_of(ty: &ValType, bits: u128) -> Val {
    match ty {
        ValType::I32 => i32::of(bits).val(),
        ValType::I64 => i64::of(bits).val(),
        ValType::F32 => f32::of(bits).val(),
        ValType::F64 => f64::of(bits).val(),
        _ => V128::of(bits).val(),
    }
}

/// Bits that no two values share.
struct Source(u128);

impl Source {
    fn next(&mut self) -> u128 {
        self.0 = self.0.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645) | 1;
        self.0.rotate_right(61)
    }
}

/// `through` hands its parameters to the host; `inside` calls `through`.
fn module(engine: &Engine, params: &[&str], results: &[&str]) -> Module {
    let ty = format!("(param {}) (result {})", params.join(" "), results.join(" "));
    let gets: String = (0..params.len()).map(|i| format!("(local.get {i})")).collect();
    let text = format!(
        r#"(module
            (import "host" "f" (func $f {ty}))
            (func $through (export "through") {ty} (call $f {gets}))
            (func (export "inside") {ty} (call $through {gets})))"#
    );
    Module::new(engine, text).unwrap()
}

fn untyped_host(
    mut caller: Caller<'_, Host>,
    params: &[Val],
    results: &mut [Val],
    types: &[ValType],
) {
    caller.data_mut().given = params.iter().map(bits_of).collect();
    for (i, result) in results.iter_mut().enumerate() {
        *result = val_of(&types[i], caller.data().answer[i]);
    }
}

macro_rules! signatures {
    ($($name:ident($($param:ident: $ty:ty),*) -> ($($result:ident: $of:ty),*);)*) => {$(
        #[test]
        #[allow(unused, clippy::too_many_arguments, clippy::unused_unit)]
        fn $name() {
            type Params = ($($ty,)*);
            type Results = ($($of,)*);
            let engine = Engine::default();
            let (params, results) = (&[$(<$ty>::NAME),*], &[$(<$of>::NAME),*]);
            let module = module(&engine, params, results);
            let mut source = Source(0x9e37_79b9_7f4a_7c15);
            for is_typed in [true, false] {
                let mut linker = Linker::<Host>::new(&engine);
                if is_typed {
                    linker.func_wrap(
                        "host",
                        "f",
                        |mut caller: Caller<'_, Host>, $($param: $ty),*| -> Results {
                            caller.data_mut().given = vec![$($param.bits()),*];
                            let mut answer = caller.data().answer.iter().copied();
                            ($(<$of>::of(answer.next().unwrap()),)*)
                        },
                    )
                } else {
                    let params: Vec<ValType> = vec![$(<$ty>::valtype()),*];
                    let results: Vec<ValType> = vec![$(<$of>::valtype()),*];
                    let ty = FuncType::new(&engine, params, results.clone());
                    linker.func_new("host", "f", ty, move |caller, params, to| {
                        untyped_host(caller, params, to, &results);
                        Ok(())
                    })
                }
                .unwrap();
                let mut store = Store::new(&engine, Host::default());
                let instance = linker.instantiate(&mut store, &module).unwrap();
                let host = linker.get(&mut store, "host", "f").unwrap().into_func().unwrap();
                let [through, inside] =
                    ["through", "inside"].map(|it| instance.get_func(&mut store, it).unwrap());
                for _ in 0..4 {
                    for func in [through, inside, host] {
                        let typed = func.typed::<Params, Results>(&store).unwrap();
                        $(let $param = <$ty>::of(source.next());)*
                        $(let $result = <$of>::of(source.next());)*
                        let given: Vec<u128> = vec![$($param.bits()),*];
                        let answer: Vec<u128> = vec![$($result.bits()),*];

                        store.data_mut().answer = answer.clone();
                        let ($($result,)*) = typed.call(&mut store, ($($param,)*)).unwrap();
                        let answered: Vec<u128> = vec![$($result.bits()),*];
                        assert_eq!(std::mem::take(&mut store.data_mut().given), given);
                        assert_eq!(answered, answer);

                        let mut results = [$($result.val()),*].map(|_: Val| Val::I32(0));
                        func.call(&mut store, &[$($param.val()),*], &mut results).unwrap();
                        assert_eq!(std::mem::take(&mut store.data_mut().given), given);
                        assert_eq!(results.iter().map(bits_of).collect::<Vec<_>>(), answer);
                    }
                }
            }
        }
    )*};
}

signatures! {
    nothing() -> ();
    one_i32(a: i32) -> (r: i32);
    one_i64(a: i64) -> (r: i64);
    one_f32(a: f32) -> (r: f32);
    one_f64(a: f64) -> (r: f64);
    one_v128(a: V128) -> (r: V128);
    only_a_result() -> (r: f64);
    only_a_vector_result() -> (r: V128);
    a_float_for_an_integer(a: i64) -> (r: f32);
    an_integer_for_a_float(a: f32) -> (r: i32);
    the_last_integer_register(a: i64, b: i32, c: i64, d: i32, e: i64) -> (r: i64);
    one_integer_on_the_stack(a: i64, b: i32, c: i64, d: i32, e: i64, f: i32) -> (r: i32);
    the_last_float_register(
        a: f64, b: f32, c: f64, d: f32, e: f64, f: f32, g: f64, h: f32
    ) -> (r: f64);
    one_float_on_the_stack(
        a: f64, b: f32, c: f64, d: f32, e: f64, f: f32, g: f64, h: f32, i: f64
    ) -> (r: f32);
    all_registers(
        a: f64, b: i32, c: f32, d: i64, e: f64, f: i32, g: f32, h: i64, i: f64, j: i32, k: f32,
        l: f64, m: f32
    ) -> (r: i64);
    more_than_all_registers(
        a: f64, b: i32, c: f32, d: i64, e: f64, f: i32, g: f32, h: i64, i: f64, j: i32, k: f32,
        l: f64, m: f32, n: i32
    ) -> (r: f32);
    seventeen_integers(
        a: i32, b: i64, c: i32, d: i64, e: i32, f: i64, g: i32, h: i64, i: i32, j: i64, k: i32,
        l: i64, m: i32, n: i64, o: i32, p: i64, q: i32
    ) -> (r: i32);
    seventeen_of_all_kinds(
        a: V128, b: i32, c: f32, d: V128, e: f64, f: i64, g: f32, h: V128, i: i64, j: i32, k: V128,
        l: f64, m: V128, n: i32, o: f32, p: V128, q: i64
    ) -> (r: V128);
    vectors_among_others(a: i32, b: V128, c: f64, d: V128, e: i64) -> (r: i32);
    two_results(a: i32, b: f64) -> (r: f64, s: i32);
    all_integer_results(a: i64) -> (
        r: i32, s: i64, t: i32, u: i64, v: i32, w: i64, x: i32, y: i64
    );
    results_in_memory(a: i64, b: V128) -> (
        r: i32, s: i64, t: i32, u: i64, v: i32, w: i64, x: i32, y: i64, z: i32, aa: V128, ab: f32
    );
    float_results_in_memory(a: f32) -> (
        r: f32, s: f64, t: V128, u: f64, v: f32, w: f64, x: V128, y: f64, z: f32
    );
}
