//! Generated modules: a snapshot of an instance goes on as the instance does, and whatever an
//! instance did, the next one of the same module is as the first one was.

use super::cell::config;
use crate::campaign::Outcome;
use crate::generate::Numbers;
use selkie::{Config, Engine, Extern, Instance, InstancePre, Linker, Module, Store, Val};

/// Instances that are made of a module.
const ROUNDS: usize = 12;

/// What can be seen of an instance.
type Seen = Vec<String>;

/// Makes instances of a module one after the other, calls them, and lets them go on as twins.
pub fn twins_agree(bytes: &[u8], numbers: &mut Numbers) -> Outcome {
    let config = config(numbers);
    match compare(bytes, &config, numbers) {
        Ok(0) => Outcome::Useless,
        Ok(comparisons) => Outcome::Right(comparisons),
        Err(how) => Outcome::Wrong(format!("{how}; {config:?}"), bytes.to_vec()),
    }
}

fn compare(bytes: &[u8], config: &Config, numbers: &mut Numbers) -> Result<u64, String> {
    let engine = Engine::new(config).map_err(|error| error.to_string())?;
    let Ok(module) = Module::new(&engine, bytes) else { return Err("not compiled".into()) };
    let pre = Linker::new(&engine).instantiate_pre(&module).map_err(|error| error.to_string())?;
    let Some((mut store, instance)) = make(&engine, &pre) else { return Ok(0) };
    let first = look(&mut store, instance);
    drop(store);
    let mut comparisons = 0;
    for round in 0..ROUNDS {
        let (mut store, instance) = make(&engine, &pre).ok_or("no instance")?;
        let found = look(&mut store, instance);
        differ(&format!("instance {round}"), &found, &first)?;
        for _ in 0..numbers.below(6) {
            call(&mut store, instance, numbers.clone());
            numbers.next_u64();
        }
        // What refers to objects has none.
        let Ok(snapshot) = instance.snapshot(&mut store) else { continue };
        let before = look(&mut store, instance);
        for _ in 0..3 {
            let (mut other, twin) = make(&engine, &snapshot).ok_or("no instance of a snapshot")?;
            differ("a snapshot", &look(&mut other, twin), &before)?;
            // Whatever it does, the next one begins where the snapshot was taken.
            call(&mut other, twin, numbers.clone());
            comparisons += 1;
        }
        let (mut other, twin) = instance.fork(&mut store, ()).map_err(|error| error.to_string())?;
        give_fuel(&mut other);
        for _ in 0..4 {
            let numbers_now = numbers.clone();
            numbers.next_u64();
            let ends = call(&mut store, instance, numbers_now.clone());
            let twin_ends = call(&mut other, twin, numbers_now);
            if ends != twin_ends {
                return Err(format!("an instance answers {ends:?}, its fork {twin_ends:?}"));
            }
            differ("a fork", &look(&mut other, twin), &look(&mut store, instance))?;
            comparisons += 1;
        }
    }
    Ok(comparisons)
}

fn give_fuel(store: &mut Store<()>) {
    if store.engine().config().tuning().consume_fuel {
        // Far more than modules do that end by themselves.
        let _ = store.set_fuel(1 << 50);
    }
}

fn make(engine: &Engine, pre: &InstancePre<()>) -> Option<(Store<()>, Instance)> {
    let mut store = Store::new(engine, ());
    give_fuel(&mut store);
    if engine.config().tuning().epoch_interruption {
        store.set_epoch_deadline(u64::MAX).ok()?;
    }
    let instance = pre.instantiate(&mut store).ok()?;
    Some((store, instance))
}

fn differ(what: &str, found: &Seen, expected: &Seen) -> Result<(), String> {
    match found.iter().zip(expected).find(|(found, expected)| found != expected) {
        Some((found, expected)) => Err(format!("{what} has {found} instead of {expected}")),
        None if found.len() != expected.len() => Err(format!("{what} has other exports")),
        None => Ok(()),
    }
}

/// Calls a function with edges as arguments: how that ends, in words.
fn call(store: &mut Store<()>, instance: Instance, mut numbers: Numbers) -> Option<String> {
    let exports = instance.exports(&mut *store).into_iter();
    let funcs: Vec<_> = exports.filter_map(|(_, item)| item.into_func()).collect();
    let func = *funcs.get(numbers.below(funcs.len()))?;
    let ty = func.ty(&*store);
    let argument = |default: Val| match default {
        Val::I32(_) => Val::I32(numbers.edge_u64() as i32),
        Val::I64(_) => Val::I64(numbers.edge_u64() as i64),
        other => other,
    };
    let defaults: Option<Vec<_>> = ty.params().map(|ty| Val::default_for_ty(&ty)).collect();
    let arguments: Vec<_> = defaults?.into_iter().map(argument).collect();
    let mut results = vec![Val::I32(0); ty.results().len()];
    Some(match func.call(&mut *store, &arguments, &mut results) {
        Ok(()) => results.iter().map(shown).collect(),
        Err(error) => error.to_string(),
    })
}

/// A value, references by whether there is one.
fn shown(value: &Val) -> String {
    match value {
        Val::FuncRef(func) => format!("function: {} ", func.is_some()),
        Val::I32(_) | Val::I64(_) | Val::F32(_) | Val::F64(_) | Val::V128(_) => {
            format!("{value:?} ")
        }
        _ => "reference ".into(),
    }
}

fn look(store: &mut Store<()>, instance: Instance) -> Seen {
    let exports = instance.exports(&mut *store).into_iter();
    let look = |(name, item): (String, Extern)| {
        let seen = match item {
            Extern::Memory(memory) => {
                let bytes = memory.data(&*store);
                let places = bytes.iter().enumerate().filter(|(_, byte)| **byte != 0);
                // FNV-1a over places and bytes: pages of zeros cost little.
                let mix = |sum: u64, part: u64| (sum ^ part).wrapping_mul(0x0100_0000_01b3);
                let sum = places.fold(0xcbf2_9ce4_8422_2325, |sum, (at, byte)| {
                    mix(mix(sum, at as u64), u64::from(*byte))
                });
                format!("{} bytes, sum {sum:x}", bytes.len())
            }
            Extern::Table(table) => {
                let len = table.size(&*store);
                let elements = (0..len).filter_map(|at| table.get(&mut *store, at));
                elements.map(|value| shown(&value)).collect()
            }
            Extern::Global(global) => shown(&global.get(&mut *store)),
            _ => String::new(),
        };
        format!("{name}: {seen}")
    };
    exports.map(look).collect()
}
