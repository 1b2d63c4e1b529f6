//! Fuel: a module consumes the same however its code is made, exactly that amount is enough, and
//! one unit less is not.
//!
//! Modules need not end by themselves: that they do is what fuel is for. Nothing is said about
//! what follows a call that ends otherwise than by returning, as the state that it leaves may
//! depend on how far it came.

use crate::campaign::Outcome;
use crate::generate::Numbers;
use selkie::{
    Config, Engine, Error, ErrorKind, ExternType, Instance, Module, Result, Store, StoreLimits,
    Trap, Val,
};
use std::sync::LazyLock;

/// What a call may consume.
const UNITS: u64 = 50_000;
/// How often each function is called.
const ROUNDS: usize = 2;

/// Engines whose code differs as much as it can.
static ENGINES: LazyLock<[Engine; 2]> = LazyLock::new(|| {
    let mut plain = Config::new();
    plain.compile_threads(1).max_wasm_stack_bytes(1 << 20).consume_fuel(true);
    let mut other = plain.clone();
    other.inlining(false).guard_pages(false).gc_stress(true);
    [plain, other].map(|config| Engine::new(&config).expect("these settings fit every host"))
});

/// An instance with the fuel it was given for being made.
struct Machine {
    store: Store<()>,
    instance: Instance,
}

/// How something ended, and what it consumed.
#[derive(Debug)]
struct Ended {
    result: Result<()>,
    units: u64,
}

impl Ended {
    fn is_exhausted(&self) -> bool {
        self.result.as_ref().is_err_and(|error| error.trap() == Some(Trap::OutOfFuel))
    }
}

/// Instantiates with an amount of fuel.
fn instantiate(engine: &Engine, module: &Module, units: u64) -> Result<(u64, Machine), Error> {
    let mut store = Store::new(engine, ());
    store.set_limits(StoreLimits { gc_heap_bytes: 16 << 20, ..StoreLimits::default() });
    store.set_fuel(units)?;
    let instance = Instance::new(&mut store, module, &[])?;
    Ok((units - store.get_fuel()?, Machine { store, instance }))
}

impl Machine {
    fn functions(&self) -> Vec<String> {
        let module = self.instance.module(&self.store);
        let is_func = |ty: &ExternType| matches!(ty, ExternType::Func(_));
        let functions = module.exports().filter(|export| is_func(export.ty()));
        functions.map(|export| export.name().to_string()).collect()
    }

    /// Calls a function with numbers of a seed; `None` where its arguments cannot be made.
    fn call(&mut self, name: &str, seed: u64, units: u64) -> Option<Ended> {
        let func = self.instance.get_func(&mut self.store, name)?;
        let ty = func.ty(&self.store);
        let mut numbers = Numbers::new(seed);
        let arguments: Option<Vec<Val>> =
            ty.params().map(|ty| argument(&Val::default_for_ty(&ty)?, &mut numbers)).collect();
        let mut results = vec![Val::I32(0); ty.results().len()];
        self.store.set_fuel(units).ok()?;
        let result = func.call(&mut self.store, &arguments?, &mut results);
        Some(Ended { result, units: units - self.store.get_fuel().ok()? })
    }
}

fn argument(default: &Val, numbers: &mut Numbers) -> Option<Val> {
    let number = numbers.edge_u64();
    Some(match default {
        Val::I32(_) => Val::I32(number as i32),
        Val::I64(_) => Val::I64(number as i64),
        Val::F32(_) => Val::F32(number as u32),
        Val::F64(_) => Val::F64(number),
        other => *other,
    })
}

/// Runs a module under both engines, and under the first again with what it consumed.
pub fn sums_are_equal(bytes: &[u8], numbers: &Numbers) -> Outcome {
    match compare(bytes, &mut numbers.clone()) {
        Ok(0) => Outcome::Useless,
        Ok(comparisons) => Outcome::Right(comparisons),
        Err(how) => Outcome::Wrong(how, bytes.to_vec()),
    }
}

fn compare(bytes: &[u8], numbers: &mut Numbers) -> Result<u64, String> {
    let compile = |engine: &Engine| Module::new(engine, bytes);
    let (Ok(ours), Ok(others)) = (compile(&ENGINES[0]), compile(&ENGINES[1])) else {
        return Err("not compiled".into());
    };
    let (Ok((units, mut first)), Ok((other_units, mut second))) =
        (instantiate(&ENGINES[0], &ours, UNITS), instantiate(&ENGINES[1], &others, UNITS))
    else {
        return Ok(0);
    };
    if units != other_units {
        return Err(format!("instantiation consumes {units} or {other_units}"));
    }
    let exactly = instantiate(&ENGINES[0], &ours, units);
    let (_, mut exact) = exactly.map_err(|error| format!("{units} are not enough: {error}"))?;
    if units > 0 && instantiate(&ENGINES[0], &ours, units - 1).is_ok() {
        return Err(format!("less than {units} are enough for instantiation"));
    }
    let mut comparisons = 1;
    let functions = first.functions();
    for name in (0..ROUNDS).flat_map(|_| functions.clone()) {
        let seed = numbers.next_u64();
        let machines = [&mut first, &mut second];
        let [Some(one), Some(other)] = machines.map(|machine| machine.call(&name, seed, UNITS))
        else {
            continue;
        };
        match (&one.result, &other.result) {
            (Ok(()), Ok(())) if one.units == other.units => {}
            (Ok(()), Ok(())) => {
                return Err(format!("{name} consumes {} or {}", one.units, other.units));
            }
            (Ok(()), Err(error)) | (Err(error), Ok(())) if !is_limit(error) => {
                return Err(format!("{name} returns, or not: {error}"));
            }
            _ => return Ok(comparisons),
        }
        let again = exact.call(&name, seed, one.units);
        let Some(Ended { result: Ok(()), .. }) = again else {
            return Err(format!("{} are not enough for {name}: {again:?}", one.units));
        };
        comparisons += 2;
    }
    last_unit(&ours, &mut first, numbers).map(|more| comparisons + more)
}

/// Stacks and heaps end where code and the collector have it.
fn is_limit(error: &Error) -> bool {
    let traps = [Trap::StackOverflow, Trap::AllocationTooLarge, Trap::OutOfMemory];
    error.kind() == ErrorKind::Limit || error.trap().is_some_and(|trap| traps.contains(&trap))
}

/// What each function consumes in a new instance, less one unit, is not enough.
fn last_unit(module: &Module, any: &mut Machine, numbers: &mut Numbers) -> Result<u64, String> {
    let mut comparisons = 0;
    for name in any.functions() {
        let seed = numbers.next_u64();
        let call = |units| instantiate(&ENGINES[0], module, UNITS).ok()?.1.call(&name, seed, units);
        let Some(Ended { result: Ok(()), units: units @ 1.. }) = call(UNITS) else { continue };
        if !call(units - 1).is_some_and(|ended| ended.is_exhausted()) {
            return Err(format!("{name} consumes {units}, but less is enough"));
        }
        comparisons += 1;
    }
    Ok(comparisons)
}
