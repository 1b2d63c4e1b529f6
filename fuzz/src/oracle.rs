//! Whether an engine did right: what it does with a module is compared with what another engine
//! does.
//!
//! What is compared is what a guest or an embedder can see: results and traps of each exported
//! function, called one after the other on the same instance, and at the end memories and
//! globals. Each engine is driven by its own file; both speak in [`Seen`].

mod ours;
mod rewrite;
mod theirs;

use crate::campaign::Outcome;
use crate::generate::Numbers;
use std::collections::BTreeMap;

/// What a call or an instantiation gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Results, as bits.
    Values(Vec<Value>),
    /// It trapped.
    Trap(Trapped),
}

/// A value that engines can agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    I32(u32),
    I64(u64),
    F32(u32),
    F64(u64),
    V128(u128),
    /// A reference: null or not.
    Ref {
        is_null: bool,
    },
}

/// Traps, as far as engines name them alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trapped {
    Unreachable,
    Memory,
    /// Any access to a table, and what `call_indirect` finds outside one.
    Table,
    NullElement,
    Signature,
    DivideByZero,
    Overflow,
    Conversion,
    /// The stack, or any limit that is the engine's own choice.
    Resources,
}

/// An engine with an instance in it.
pub(crate) trait Machine {
    /// The exported functions with the types of their parameters, in order of the module.
    fn functions(&mut self) -> Vec<(String, Vec<Kind>)>;
    /// Calls one.
    fn call(&mut self, name: &str, arguments: &[Value]) -> Result<Seen, String>;
    /// What the exported memories and globals hold.
    fn state(&mut self) -> State;
}

/// Types of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    I32,
    I64,
    F32,
    F64,
    V128,
    Ref,
}

impl Kind {
    fn argument(self, numbers: &mut Numbers) -> Value {
        let number = numbers.edge_u64();
        match self {
            Kind::I32 => Value::I32(number as u32),
            Kind::I64 => Value::I64(number),
            Kind::F32 => Value::F32(canonical_f32(number as u32)),
            Kind::F64 => Value::F64(canonical_f64(number)),
            Kind::V128 => Value::V128(u128::from(number) << 64 | u128::from(numbers.next_u64())),
            Kind::Ref => Value::Ref { is_null: true },
        }
    }
}

/// Arguments have no NaN with a payload: what becomes of it is the engine's choice.
fn canonical_f32(bits: u32) -> u32 {
    if f32::from_bits(bits).is_nan() { 0x7fc0_0000 } else { bits }
}

fn canonical_f64(bits: u64) -> u64 {
    if f64::from_bits(bits).is_nan() { 0x7ff8_0000_0000_0000 } else { bits }
}

/// How often each function is called.
const ROUNDS: usize = 3;

/// Memories, whole, and globals, by their names.
pub(crate) type State = (BTreeMap<String, Vec<u8>>, BTreeMap<String, Value>);

/// What one engine did with a module.
#[derive(Debug, Default)]
struct Trace {
    /// The trap that ended instantiation.
    start: Option<Trapped>,
    calls: Vec<Call>,
    /// At the end; nothing where resources ran out.
    state: Option<State>,
}

#[derive(Debug)]
struct Call {
    name: String,
    arguments: Vec<Value>,
    seen: Seen,
    /// Where it was asked for.
    state: Option<State>,
}

/// When memories and globals are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    AtTheEnd,
    AfterEachCall,
}

/// Runs a module in both engines and compares.
///
/// A difference counts only if the other engine stands by it: it must do the same with the module
/// written a little differently. Where it does not, the defect is its own.
pub fn same_as_other_engine(module: &[u8], numbers: &Numbers) -> Outcome {
    let run = |module: &[u8], look| both(module, numbers, look);
    let (ours, theirs) = match run(module, Look::AtTheEnd) {
        Ok(Some(traces)) => traces,
        Ok(None) => return Outcome::Useless,
        Err(how) => return Outcome::Wrong(how, module.to_vec()),
    };
    let Some(how) = difference(&ours, &theirs) else {
        return Outcome::Right(ours.calls.len() as u64 + 1);
    };
    if let Some(rewritten) = rewrite::with_empty_blocks(module)
        && let Ok(Some((_, again))) = run(&rewritten, Look::AtTheEnd)
        && difference(&theirs, &again).is_some()
    {
        return Outcome::Useless;
    }
    // Once more, to say after which call.
    let closer = match run(module, Look::AfterEachCall) {
        Ok(Some((ours, theirs))) => difference(&ours, &theirs),
        _ => None,
    };
    Outcome::Wrong(closer.unwrap_or(how), module.to_vec())
}

/// Calls a module's functions, makes a module of the state they leave, and compares how both go on;
/// then the new module in both engines.
pub fn goes_on_as_its_instance(module: &[u8], numbers: &mut Numbers) -> Outcome {
    let outcome = ours::initialised(module, |machine, functions| {
        let rounds = numbers.below(ROUNDS);
        for (name, kinds) in (0..rounds).flat_map(|_| functions) {
            let arguments: Vec<Value> = kinds.iter().map(|kind| kind.argument(numbers)).collect();
            machine.call(name, &arguments)?;
        }
        Ok(())
    });
    let (ready, now, functions) = match outcome {
        Ok(Some(parts)) => parts,
        Ok(None) => return Outcome::Useless,
        Err(how) => return Outcome::Wrong(how, module.to_vec()),
    };
    let look = Look::AtTheEnd;
    let traces = ours::instantiate(&ready).and_then(|fresh| {
        let now = observe(Ok(now), &functions, &mut numbers.clone(), look)?;
        Ok((now, observe(fresh, &functions, &mut numbers.clone(), look)?))
    });
    match traces {
        Err(how) => Outcome::Wrong(how, module.to_vec()),
        Ok((instance, fresh)) => match difference(&fresh, &instance) {
            Some(how) => Outcome::Wrong(format!("the new module: {how}"), module.to_vec()),
            None => same_as_other_engine(&ready, numbers),
        },
    }
}

/// Both engines' traces; `None` where the other engine cannot run the module.
fn both(module: &[u8], numbers: &Numbers, look: Look) -> Result<Option<(Trace, Trace)>, String> {
    let mut ours = ours::instantiate(module)?;
    let functions = ours.as_mut().map(Machine::functions).unwrap_or_default();
    let ours = observe(ours, &functions, &mut numbers.clone(), look)?;
    let theirs = || {
        let theirs = theirs::instantiate(module).map_err(|error| error.to_string())?;
        observe(theirs, &functions, &mut numbers.clone(), look)
    };
    // It may also panic, which is no concern of ours.
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(theirs)) {
        Ok(Ok(theirs)) => Ok(Some((ours, theirs))),
        Ok(Err(_)) | Err(_) => Ok(None),
    }
}

fn observe(
    machine: Result<impl Machine, Trapped>,
    functions: &[(String, Vec<Kind>)],
    numbers: &mut Numbers,
    look: Look,
) -> Result<Trace, String> {
    let mut trace = Trace::default();
    let mut machine = match machine {
        Ok(machine) => machine,
        Err(trapped) => {
            trace.start = Some(trapped);
            return Ok(trace);
        }
    };
    for (name, kinds) in (0..ROUNDS).flat_map(|_| functions) {
        let arguments: Vec<Value> = kinds.iter().map(|kind| kind.argument(numbers)).collect();
        let seen = machine.call(name, &arguments)?;
        let ended = seen == Seen::Trap(Trapped::Resources);
        let state = (look == Look::AfterEachCall).then(|| machine.state());
        trace.calls.push(Call { name: name.clone(), arguments, seen, state });
        if ended {
            // How far the stack reaches is each engine's own; so is what follows.
            return Ok(trace);
        }
    }
    trace.state = Some(machine.state());
    Ok(trace)
}

/// The first difference of two traces, as far as both go.
fn difference(ours: &Trace, theirs: &Trace) -> Option<String> {
    if ours.start != theirs.start {
        let resources = [ours.start, theirs.start].contains(&Some(Trapped::Resources));
        let how = || format!("instantiation: {:?}, theirs {:?}", ours.start, theirs.start);
        return (!resources).then(how);
    }
    for (ours, theirs) in ours.calls.iter().zip(&theirs.calls) {
        let resources = Seen::Trap(Trapped::Resources);
        if ours.seen == resources || theirs.seen == resources {
            return None;
        }
        let call = || format!("{}({:x?})", ours.name, ours.arguments);
        if ours.seen != theirs.seen {
            return Some(format!("{}: {:x?}, theirs {:x?}", call(), ours.seen, theirs.seen));
        }
        if let (Some(ours), Some(theirs)) = (&ours.state, &theirs.state)
            && let Some(how) = state_difference(ours, theirs)
        {
            return Some(format!("after {}: {how}", call()));
        }
    }
    state_difference(ours.state.as_ref()?, theirs.state.as_ref()?)
}

fn state_difference(ours: &State, theirs: &State) -> Option<String> {
    for (name, ours) in &ours.0 {
        let Some(theirs) = theirs.0.get(name) else { return Some(format!("no memory {name}")) };
        if ours.len() != theirs.len() {
            return Some(format!("memory {name}: {} bytes, theirs {}", ours.len(), theirs.len()));
        }
        if let Some(byte) = ours.iter().zip(theirs).position(|(a, b)| a != b) {
            let (ours, theirs) = (ours[byte], theirs[byte]);
            return Some(format!("memory {name} at {byte:#x}: {ours:#x}, theirs {theirs:#x}"));
        }
    }
    (ours.1 != theirs.1).then(|| format!("globals: {:x?}, theirs {:x?}", ours.1, theirs.1))
}

/// Decodes, validates and compiles bytes of any kind; whatever they are, that must end with a
/// module or an error, and validation and compilation must agree.
pub fn never_panics(bytes: &[u8]) -> Outcome {
    ours::judge(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(value: u32) -> Trace {
        let seen = Seen::Values(vec![Value::I32(value)]);
        let call = Call { name: "f".into(), arguments: vec![], seen, state: None };
        Trace { start: None, calls: vec![call], state: Some(State::default()) }
    }

    #[test]
    fn a_difference_in_a_result_or_at_the_end_is_found() {
        assert_eq!(difference(&trace(1), &trace(1)), None);
        assert!(difference(&trace(1), &trace(2)).is_some());
        let mut other = trace(1);
        let state = (BTreeMap::new(), BTreeMap::from([("g".into(), Value::I32(1))]));
        other.state = Some(state);
        assert!(difference(&trace(1), &other).is_some());
    }

    #[test]
    fn nothing_is_said_about_what_follows_the_end_of_resources() {
        let mut ended = trace(1);
        ended.calls[0].seen = Seen::Trap(Trapped::Resources);
        ended.state = None;
        assert_eq!(difference(&ended, &trace(2)), None);
    }

    #[test]
    fn a_module_means_the_same_when_rewritten() {
        let mut useful = 0;
        for seed in 0..40 {
            let mut numbers = Numbers::new(seed);
            let Some(module) = crate::generate::deterministic_module(&mut numbers) else {
                continue;
            };
            let Some(rewritten) = rewrite::with_empty_blocks(&module) else { continue };
            let run = |module: &[u8]| {
                let mut machine = ours::instantiate(module).unwrap();
                let functions = machine.as_mut().map(Machine::functions).unwrap_or_default();
                observe(machine, &functions, &mut numbers.clone(), Look::AtTheEnd).unwrap()
            };
            assert_eq!(difference(&run(&module), &run(&rewritten)), None, "seed {seed}");
            useful += 1;
        }
        assert!(useful > 20);
    }
}
