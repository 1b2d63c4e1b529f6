//! One operation of `instantiate`: a store with a number in it, an instance, a call, and the end of
//! both; in each engine by its fastest way.

pub mod ours;
pub mod wasmi;
pub mod wasmtime;

use selkie_benches::Outcome;

use crate::contest::{Contender, Side, Work};
use crate::guests::{ARGUMENT, Guest, Purpose};

/// What the data of a store is.
pub type Data = u64;

/// All engines and configurations that are wanted, ready to make instances of a guest. Those that
/// do not reset what a guest before has written are refused.
///
/// # Errors
/// When an engine cannot compile the guest, or answers something else.
pub fn contenders(guest: &Guest, wants: impl Fn(&str) -> bool) -> Outcome<Vec<Contender>> {
    let mut contenders = Vec::new();
    if wants("selkie") {
        contenders.push(contender(Side::Ours, "", guest, || ours::Maker::new(guest))?);
    }
    for wasmtime::Configuration { name, make } in wasmtime::CONFIGURATIONS {
        if wants(&format!("wasmtime {name}")) {
            let maker = || wasmtime::Maker::new(guest, &make());
            contenders.push(contender(Side::Wasmtime, name, guest, maker)?);
        }
    }
    if wants("wasmi") {
        contenders.push(contender(Side::Wasmi, "", guest, || wasmi::Maker::new(guest))?);
    }
    Ok(contenders)
}

/// Makes instances of one guest.
pub trait Maker: Send + Sync + 'static {
    /// A function that was looked for once, if that helps.
    type Export: Send + Sync;
    /// An instance with its store.
    type Live: 'static;

    /// An export.
    ///
    /// # Errors
    /// When there is none.
    fn export(&self, name: &str) -> Outcome<Self::Export>;

    /// An instance in a store of its own.
    ///
    /// # Errors
    /// When a limit is reached.
    fn instantiate(&self, data: Data) -> Outcome<Self::Live>;

    /// Calls a function from a number to a number.
    ///
    /// # Errors
    /// When it traps.
    fn call(&self, live: &mut Self::Live, export: &Self::Export, argument: i32) -> Outcome<i32>;

    /// The bytes of the exported memory.
    ///
    /// # Errors
    /// When there is none.
    fn memory<'a>(&self, live: &'a mut Self::Live) -> Outcome<&'a mut [u8]>;
}

/// What checks is gone before anything is measured: pages that were only looked at stay mapped,
/// and then finding out which were written takes longer.
fn contender<M: Maker>(
    side: Side,
    configuration: &'static str,
    guest: &Guest,
    make: impl Fn() -> Outcome<M>,
) -> Outcome<Contender> {
    let work = make().and_then(|maker| check(&maker, guest.purpose)).and_then(|()| {
        let maker = make()?;
        match guest.purpose {
            Purpose::Call(answers) => calls(maker, answers.run),
            Purpose::Write(pages) => Ok(writes(maker, pages)),
            Purpose::Nothing => Ok(ends_at_once(maker)),
        }
    });
    let work = work.map_err(|e| format!("{} {configuration}: {e}", side.name()))?;
    Ok(Contender { side, configuration, work })
}

/// Whether instances are as the first one was, whatever those before them wrote.
fn check<M: Maker>(maker: &M, purpose: Purpose) -> Outcome<()> {
    let mut fresh: Option<Vec<u8>> = None;
    for _ in 0..4 {
        let mut live = maker.instantiate(0)?;
        match purpose {
            Purpose::Call(answers) => {
                let call =
                    |live: &mut M::Live, name| maker.call(live, &maker.export(name)?, ARGUMENT);
                expect("look", answers.look, call(&mut live, "look")?)?;
                expect("run", answers.run, call(&mut live, "run")?)?;
            }
            Purpose::Write(pages) => {
                let bytes = maker.memory(&mut live)?;
                if *fresh.get_or_insert_with(|| bytes.to_vec()) != *bytes {
                    return Err("a new instance's memory is not as it was".to_owned());
                }
                write(bytes, pages);
            }
            Purpose::Nothing => {}
        }
    }
    Ok(())
}

fn expect(what: &str, expected: i32, answer: i32) -> Outcome<()> {
    if answer == expected { Ok(()) } else { Err(format!("`{what}` answers {answer}")) }
}

fn ends_at_once<M: Maker>(maker: M) -> Work {
    Box::new(move |count| (0..count).try_for_each(|i| maker.instantiate(i.into()).map(drop)))
}

fn calls<M: Maker>(maker: M, answer: i32) -> Outcome<Work> {
    let run = maker.export("run")?;
    Ok(Box::new(move |count| {
        (0..count).try_for_each(|i| {
            let mut live = maker.instantiate(i.into())?;
            expect("run", answer, maker.call(&mut live, &run, ARGUMENT)?)
        })
    }))
}

fn writes<M: Maker>(maker: M, pages: usize) -> Work {
    Box::new(move |count| {
        (0..count).try_for_each(|i| {
            let mut live = maker.instantiate(i.into())?;
            write(maker.memory(&mut live)?, pages);
            Ok(())
        })
    })
}

fn write(bytes: &mut [u8], pages: usize) {
    let distance = bytes.len() / pages;
    bytes.iter_mut().step_by(distance).for_each(|byte| *byte = 0xa5);
}
