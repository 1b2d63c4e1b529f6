//! Whether an engine did right: what it does with a module is compared with what another engine
//! does.
//!
//! What is compared is what a guest or an embedder can see: results and traps of each exported
//! function, called one after the other on the same instance, and at the end memories and
//! globals. Each engine is driven by its own file; both speak in [`Seen`].

mod ours;
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

/// Runs a module in both engines and compares.
pub fn same_as_other_engine(module: &[u8], numbers: &mut Numbers) -> Outcome {
    match compare(module, &mut numbers.clone(), When::AtTheEnd) {
        Ok(Some(comparisons)) => Outcome::Right(comparisons),
        Ok(None) => Outcome::Useless,
        // Once more, to say after which call.
        Err(how) => match compare(module, numbers, When::AfterEachCall) {
            Err(how) => Outcome::Wrong(how, module.to_vec()),
            Ok(_) => Outcome::Wrong(how, module.to_vec()),
        },
    }
}

/// When memories and globals are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    AtTheEnd,
    AfterEachCall,
}

fn compare(module: &[u8], numbers: &mut Numbers, when: When) -> Result<Option<u64>, String> {
    let Some(Ok(theirs)) = unless_it_panics(|| theirs::instantiate(module)) else {
        return Ok(None);
    };
    let ours = ours::instantiate(module)?;
    let (mut ours, mut theirs) = match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        (Err(Trapped::Resources), _) | (_, Err(Trapped::Resources)) => return Ok(None),
        (Err(ours), Err(theirs)) if ours == theirs => return Ok(Some(1)),
        (ours, theirs) => {
            let (ours, theirs) = (ours.err(), theirs.err());
            return Err(format!("instantiation: ours {ours:?}, theirs {theirs:?}"));
        }
    };
    let functions = ours.functions();
    if when == When::AfterEachCall {
        same_state(ours.state(), theirs.state())
            .map_err(|how| format!("after instantiation: {how}"))?;
    }
    let mut comparisons = 1;
    for _ in 0..ROUNDS {
        for (name, kinds) in &functions {
            let arguments: Vec<Value> = kinds.iter().map(|kind| kind.argument(numbers)).collect();
            let our_result = ours.call(name, &arguments)?;
            let Some(their_result) = unless_it_panics(|| theirs.call(name, &arguments)) else {
                return Ok(Some(comparisons));
            };
            let their_result = their_result?;
            let resources = Seen::Trap(Trapped::Resources);
            if our_result == resources || their_result == resources {
                // How far the stack reaches is each engine's own; state may differ from here on.
                return Ok(Some(comparisons));
            }
            if our_result != their_result {
                return Err(format!(
                    "{name}({arguments:x?}): ours {our_result:x?}, theirs {their_result:x?}"
                ));
            }
            comparisons += 1;
            if when == When::AfterEachCall {
                same_state(ours.state(), theirs.state())
                    .map_err(|how| format!("after {name}({arguments:x?}): {how}"))?;
            }
        }
    }
    same_state(ours.state(), theirs.state())?;
    Ok(Some(comparisons + 1))
}

/// What the other engine says, unless its own assertions fail: then it has nothing to say. A panic
/// of ours is caught by nobody here.
fn unless_it_panics<R>(theirs: impl FnOnce() -> R) -> Option<R> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(theirs)).ok()
}

/// Memories, whole, and globals, by their names.
pub(crate) type State = (BTreeMap<String, Vec<u8>>, BTreeMap<String, Value>);

fn same_state(ours: State, theirs: State) -> Result<(), String> {
    for (name, ours) in &ours.0 {
        let Some(theirs) = theirs.0.get(name) else { return Err(format!("no memory {name}")) };
        if ours.len() != theirs.len() {
            return Err(format!("memory {name}: {} bytes, theirs {}", ours.len(), theirs.len()));
        }
        if let Some(byte) = ours.iter().zip(theirs).position(|(a, b)| a != b) {
            let (ours, theirs) = (ours[byte], theirs[byte]);
            return Err(format!("memory {name} at {byte:#x}: ours {ours:#x}, theirs {theirs:#x}"));
        }
    }
    if ours.1 != theirs.1 {
        return Err(format!("globals: ours {:x?}, theirs {:x?}", ours.1, theirs.1));
    }
    Ok(())
}

/// Decodes, validates and compiles bytes of any kind; whatever they are, that must end with a
/// module or an error, and validation and compilation must agree.
pub fn never_panics(bytes: &[u8]) -> Outcome {
    ours::judge(bytes)
}
