//! One operation of `instantiate`: a store with a number in it, an instance, a call, and the end of
//! both; in each engine by its fastest way.

pub mod ours;
pub mod wasmi;
pub mod wasmtime;

use selkie_benches::Outcome;

use crate::contest::{Contender, Side, Work};
use crate::guests::{ARGUMENT, Guest};

/// What the data of a store is.
pub type Data = u64;

/// All engines and configurations, ready to make instances of a guest. Those that do not reset
/// what a guest before has written are refused.
///
/// # Errors
/// When an engine cannot compile the guest, or answers something else.
pub fn contenders(guest: &Guest) -> Outcome<Vec<Contender>> {
    let mut contenders = vec![contender(Side::Ours, "", ours::Maker::new(guest)?, guest)?];
    for wasmtime::Configuration { name, make } in wasmtime::CONFIGURATIONS {
        let maker = wasmtime::Maker::new(guest, &make())?;
        contenders.push(contender(Side::Wasmtime, name, maker, guest)?);
    }
    contenders.push(contender(Side::Wasmi, "", wasmi::Maker::new(guest)?, guest)?);
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
}

fn contender<M: Maker>(
    side: Side,
    configuration: &'static str,
    maker: M,
    guest: &Guest,
) -> Outcome<Contender> {
    let work: Work = match guest.answers {
        None => Box::new(move |count| {
            for i in 0..count {
                maker.instantiate(i.into())?;
            }
            Ok(())
        }),
        Some(answers) => {
            let (run, look) = (maker.export("run")?, maker.export("look")?);
            let wrong = |what: &str, answer| {
                format!("{} {configuration}: {what} answers {answer}", side.name())
            };
            for _ in 0..3 {
                let mut live = maker.instantiate(0)?;
                match maker.call(&mut live, &look, ARGUMENT)? {
                    answer if answer == answers.look => {}
                    answer => return Err(wrong("`look`", answer)),
                }
                maker.call(&mut live, &run, ARGUMENT)?;
            }
            Box::new(move |count| {
                for i in 0..count {
                    let mut live = maker.instantiate(i.into())?;
                    match maker.call(&mut live, &run, ARGUMENT)? {
                        answer if answer == answers.run => {}
                        answer => return Err(format!("`run` answers {answer}")),
                    }
                }
                Ok(())
            })
        }
    };
    Ok(Contender { side, configuration, work })
}
