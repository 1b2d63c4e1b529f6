//! Modules of every proposal: code made in two ways, with a collector that works when it
//! suits or at every allocation, answers the same and leaves the same memories behind.
//!
//! Modules need not end: fuel ends them. Where fuel or room ends a call, nothing is said about what
//! follows, as the state that it leaves may depend on how far it came.

use crate::campaign::Outcome;
use crate::generate::Numbers;
use selkie::{
    Config, Engine, Error, ErrorKind, Extern, Features, Instance, Module, Store, StoreLimits, Trap,
    Val,
};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;
use wasmparser::{Operator, Parser, Payload};

/// What instantiation and each call may consume.
const UNITS: u64 = 20_000;

/// Engines whose code differs as much as it can.
static ENGINES: LazyLock<[Engine; 2]> = LazyLock::new(|| {
    let mut plain = Config::new();
    plain.set_features(Features::all()).consume_fuel(true).compile_threads(1);
    plain.max_wasm_stack_bytes(1 << 20).canonical_nans(true).relaxed_simd_deterministic(true);
    let mut other = plain.clone();
    other.inlining(false).guard_pages(false).gc_stress(true);
    [plain, other].map(|config| Engine::new(&config).expect("these settings fit every host"))
});

/// What can be seen of how something ended.
#[derive(Debug, PartialEq)]
enum Seen {
    Values(Vec<String>),
    Trap(Trap),
    Failed(ErrorKind),
}

impl Seen {
    fn of(error: &Error) -> Seen {
        error.trap().map_or(Seen::Failed(error.kind()), Seen::Trap)
    }

    /// Whether what follows depends on how far it came, or on how much room there was.
    fn is_an_end(&self) -> bool {
        use Trap::{AllocationTooLarge, OutOfFuel, OutOfMemory, StackOverflow};
        matches!(
            self,
            Seen::Trap(OutOfFuel | StackOverflow | AllocationTooLarge | OutOfMemory)
                | Seen::Failed(ErrorKind::Limit)
        )
    }
}

struct Machine {
    store: Store<()>,
    instance: Instance,
}

impl Machine {
    fn new(engine: &Engine, bytes: &[u8]) -> Result<Result<Machine, Seen>, String> {
        let module =
            Module::new(engine, bytes).map_err(|error| format!("not compiled: {error}"))?;
        let mut store = Store::new(engine, ());
        let limits = StoreLimits { gc_heap_bytes: 8 << 20, ..StoreLimits::default() };
        store.set_limits(limits);
        store.set_fuel(UNITS).map_err(|error| error.to_string())?;
        match Instance::new(&mut store, &module, &[]) {
            Ok(instance) => Ok(Ok(Machine { store, instance })),
            Err(error) if error.kind() == ErrorKind::Bug => Err(format!("a defect: {error}")),
            Err(error) => Ok(Err(Seen::of(&error))),
        }
    }

    fn exports(&mut self) -> Vec<(String, Extern)> {
        self.instance.exports(&mut self.store).into_iter().collect()
    }

    /// Calls a function with numbers of a seed; `None` where its arguments cannot be made.
    fn call(&mut self, name: &str, seed: u64) -> Result<Option<Seen>, String> {
        let Some(func) = self.instance.get_func(&mut self.store, name) else { return Ok(None) };
        let ty = func.ty(&self.store);
        let mut numbers = Numbers::new(seed);
        let arguments = ty.params().map(|ty| argument(Val::default_for_ty(&ty)?, &mut numbers));
        let Some(arguments) = arguments.collect::<Option<Vec<Val>>>() else { return Ok(None) };
        let mut results = vec![Val::I32(0); ty.results().len()];
        self.store.set_fuel(UNITS).map_err(|error| error.to_string())?;
        match func.call(&mut self.store, &arguments, &mut results) {
            Ok(()) => Ok(Some(Seen::Values(results.iter().map(|v| self.show(v)).collect()))),
            Err(error) if error.kind() == ErrorKind::Bug => Err(format!("a defect: {error}")),
            Err(error) => Ok(Some(Seen::of(&error))),
        }
    }

    /// A value as far as it is the same in both stores.
    fn show(&self, value: &Val) -> String {
        let Val::AnyRef(Some(reference)) = value else {
            let number = match value {
                Val::I32(v) => format!("{v}"),
                Val::I64(v) => format!("{v}"),
                Val::F32(v) => format!("{v:x}"),
                Val::F64(v) => format!("{v:x}"),
                Val::V128(v) => format!("{v:?}"),
                reference => format!("null: {}", reference.is_null_ref()),
            };
            return number;
        };
        let store = &self.store;
        let i31 = reference.as_i31(store).ok().flatten().map(|i31| i31.get_i32());
        let is_struct = reference.is_struct(store).ok();
        format!("{i31:?} {is_struct:?} {:?}", reference.is_array(store).ok())
    }

    /// What memories hold that only this store sees.
    fn memories(&mut self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for (name, export) in self.exports() {
            if let Some(memory) = export.into_memory() {
                (name, memory.data(&self.store)).hash(&mut hasher);
            }
        }
        hasher.finish()
    }
}

fn argument(default: Val, numbers: &mut Numbers) -> Option<Val> {
    let number = numbers.edge_u64();
    Some(match default {
        Val::I32(_) => Val::I32(number as i32),
        Val::I64(_) => Val::I64(number as i64),
        Val::F32(_) => Val::F32(number as u32),
        Val::F64(_) => Val::F64(number),
        other => other,
    })
}

/// Whether the module may wait for another thread, which does not exist.
fn may_wait(bytes: &[u8]) -> bool {
    let bodies = Parser::new(0).parse_all(bytes).flatten().filter_map(|payload| match payload {
        Payload::CodeSectionEntry(body) => body.get_operators_reader().ok(),
        _ => None,
    });
    bodies.flat_map(|operators| operators.into_iter().flatten()).any(|op| {
        matches!(op, Operator::MemoryAtomicWait32 { .. } | Operator::MemoryAtomicWait64 { .. })
    })
}

/// Runs a module in both engines.
pub fn same_both_ways(bytes: &[u8], numbers: &Numbers) -> Outcome {
    if may_wait(bytes) {
        return Outcome::Useless;
    }
    match compare(bytes, &mut numbers.clone()) {
        Ok(0) => Outcome::Useless,
        Ok(comparisons) => Outcome::Right(comparisons),
        Err(how) => Outcome::Wrong(how, bytes.to_vec()),
    }
}

fn compare(bytes: &[u8], numbers: &mut Numbers) -> Result<u64, String> {
    let machines = (Machine::new(&ENGINES[0], bytes)?, Machine::new(&ENGINES[1], bytes)?);
    let (mut first, mut second) = match machines {
        (Ok(first), Ok(second)) => (first, second),
        (Err(one), Err(other)) if one == other => return Ok(1),
        (Err(end), _) | (_, Err(end)) if end.is_an_end() => return Ok(0),
        (one, other) => {
            let (one, other) = (one.err(), other.err());
            return Err(format!("instantiation ends with {one:?} or {other:?}"));
        }
    };
    let mut comparisons = 1;
    for (name, _) in first.exports() {
        let seed = numbers.next_u64();
        let (one, other) = (first.call(&name, seed)?, second.call(&name, seed)?);
        let (Some(one), Some(other)) = (one, other) else { continue };
        if one.is_an_end() || other.is_an_end() {
            return Ok(comparisons);
        }
        if one != other {
            return Err(format!("{name} ends with {one:?} or {other:?}"));
        }
        comparisons += 1;
    }
    if first.memories() != second.memories() {
        return Err("memories differ".into());
    }
    Ok(comparisons + 1)
}
