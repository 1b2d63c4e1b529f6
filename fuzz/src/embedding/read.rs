//! What a store really holds, beside what it may hold.

use super::host::Data;
use super::model::{Instance as Expected, Memory as Bytes, Slot, State};
use crate::generate::Numbers;
use selkie::{Instance, Memory, Store, Table, Val};

type Found<T> = Result<T, String>;

/// How much of it is read.
pub(super) enum Amount<'n> {
    All,
    /// Some places, so that not all of it is touched.
    Some(&'n mut Numbers),
}

/// Compares a store with what it held before and holds after a call that may have been cut short, and
/// answers which of both it is, everywhere.
pub(super) fn settle(
    store: &mut Store<Data>,
    handles: &[Instance],
    [before, after]: [&State; 2],
    spins: bool,
    amount: &mut Amount<'_>,
) -> Found<State> {
    let mut state = after.clone();
    for (at, handle) in handles.iter().enumerate() {
        let Expected { memories, table, .. } = after.instances[at];
        for (name, memory) in ["memory", "second"].into_iter().zip(memories) {
            let export = handle.get_memory(&mut *store, name).ok_or("no memory")?;
            let both = [before, after].map(|state| &state.memories[memory]);
            let seen = bytes(store, export, both, amount);
            seen.map(|seen| state.memories[memory].bytes = seen)
                .map_err(|how| format!("instance {at}, {name}: {how}"))?;
        }
        let export = handle.get_table(&mut *store, "table").ok_or("no table")?;
        let seen = slots(store, export, [before, after], table, amount);
        state.tables[table].slots = seen.map_err(|how| format!("instance {at}, table: {how}"))?;

        let owns = [before, after].map(|state| &state.instances[at].own);
        let own = &mut state.instances[at].own;
        let number = global(store, *handle, "g.number")?.i64().ok_or("not a number")?;
        let numbers = owns.map(|own| own.number);
        let is_between = spins && (numbers[0]..=numbers[1]).contains(&number);
        if !is_between && !numbers.contains(&number) {
            return Err(format!("instance {at}: number {number} instead of {numbers:?}"));
        }
        own.number = number;
        let id = global(store, *handle, "g.id")?.i32().ok_or("not a number")?;
        if id != own.id {
            return Err(format!("instance {at}: id {id} instead of {}", own.id));
        }
        let kept = global(store, *handle, "g.kept")?;
        let choices = owns.map(|own| own.kept);
        own.kept = which(store, after, kept, choices)
            .map_err(|how| format!("instance {at}, the function it keeps: {how}"))?;
    }
    Ok(state)
}

fn global(store: &mut Store<Data>, instance: Instance, name: &str) -> Found<Val> {
    let global = instance.get_global(&mut *store, name).ok_or("no global")?;
    Ok(global.get(store))
}

fn bytes(
    store: &mut Store<Data>,
    memory: Memory,
    [before, after]: [&Bytes; 2],
    amount: &mut Amount<'_>,
) -> Found<Vec<u8>> {
    let (before, after) = (&before.bytes, &after.bytes);
    let len = memory.data_size(&*store);
    if len != before.len() && len != after.len() {
        return Err(format!("{len} bytes instead of {} or {}", before.len(), after.len()));
    }
    if let Amount::Some(numbers) = amount {
        for _ in 0..8 {
            let mut seen = [0; 64];
            let at = numbers.below(len - seen.len());
            memory.read(&*store, at, &mut seen).map_err(|error| error.to_string())?;
            if seen[..] != after[at..at + seen.len()] {
                return Err(format!("other bytes at {at}: {seen:?}"));
            }
        }
        return Ok(after.clone());
    }
    let seen = memory.data(&*store);
    if seen == after {
        return Ok(after.clone());
    }
    for (at, byte) in seen.iter().enumerate() {
        let choices = [before.get(at), after.get(at)];
        if !choices.contains(&Some(byte)) {
            return Err(format!("byte {at} is {byte} instead of {choices:?}"));
        }
    }
    Ok(seen.to_vec())
}

fn slots(
    store: &mut Store<Data>,
    table: Table,
    [before, after]: [&State; 2],
    which_table: usize,
    amount: &mut Amount<'_>,
) -> Found<Vec<Slot>> {
    let states = [before, after];
    let choices = states.map(|state| &state.tables[which_table].slots);
    let len = table.size(&*store) as usize;
    if choices.iter().all(|slots| slots.len() != len) {
        let expected = choices.map(|slots| slots.len());
        return Err(format!("{len} elements instead of {expected:?}"));
    }
    let mut seen = choices[1].clone();
    seen.resize(len, None);
    let places: Vec<usize> = match amount {
        Amount::All => (0..len).collect(),
        Amount::Some(numbers) => (0..2).map(|_| numbers.below(len)).collect(),
    };
    for at in places {
        let value = table.get(&mut *store, at as u64).ok_or("no element")?;
        let both = choices.map(|slots| slots.get(at).copied().flatten());
        let found = which(store, after, value, both);
        seen[at] = found.map_err(|how| format!("element {at}: {how}"))?;
    }
    Ok(seen)
}

/// Which of two functions a value is, by what it answers.
fn which(store: &mut Store<Data>, state: &State, value: Val, choices: [Slot; 2]) -> Found<Slot> {
    let answer = match value {
        Val::FuncRef(None) => None,
        Val::FuncRef(Some(func)) => {
            let typed = func.typed::<(), i32>(&*store).map_err(|error| error.to_string())?;
            Some(typed.call(store, ()).map_err(|error| format!("it fails: {error}"))?)
        }
        other => return Err(format!("{other:?}")),
    };
    // What is new is said first.
    let found = choices.into_iter().rev().find(|slot| state.answer(*slot) == answer);
    found.ok_or_else(|| format!("{answer:?} instead of one of {choices:?}"))
}
