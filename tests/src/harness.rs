//! Runs named trials and judges them by the list of expected failures.
//!
//! Invariant: each trial runs on a thread of its own with a stack of a known size and within a
//! known time, so that neither a deep nor an endless one takes the others with it. Trials are
//! plain functions; what they run is not known here.

use crate::expected::Expected;
use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Stack of a trial's thread. Scripts nest deeply, and so does what reads them.
const STACK_BYTES: usize = 64 << 20;

/// Longest time of a trial unless it says otherwise.
const LIMIT_S: u64 = 300;

/// What a trial does; an error is what went wrong, to be read by a person.
pub type Body = Box<dyn FnOnce() -> Result<(), String> + Send>;

/// Makes what a trial needs, or says why that is not possible here.
pub type Preparation = Box<dyn FnOnce() -> Result<Body, Missing>>;

/// What a trial needs is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It cannot be had on this machine: the trial is skipped.
    Here(String),
    /// It is not what it should be: the trial fails.
    Wrong(String),
}

/// A trial that has a name but does not run yet.
pub struct Case {
    name: String,
    limit_s: u64,
    preparation: Preparation,
    /// Whether the trial runs on every machine.
    everywhere: bool,
}

impl Case {
    /// A trial. The name begins with the kind: `spec/wasm-v2/br_if`.
    pub fn new(
        name: impl Into<String>,
        body: impl FnOnce() -> Result<(), String> + Send + 'static,
    ) -> Case {
        let preparation: Preparation = Box::new(|| Ok(Box::new(body) as Body));
        Case { name: name.into(), limit_s: LIMIT_S, preparation, everywhere: true }
    }

    /// A trial that cannot run here, and why.
    pub fn skipped(name: impl Into<String>, why: impl Into<String>) -> Case {
        let why = why.into();
        Case::prepared(name, || Err(Missing::Here(why)))
    }

    /// A trial that needs something made or fetched before; that is done only if it runs, before
    /// any trial, so that a trial that cannot run counts as ignored and not as passed.
    pub fn prepared(
        name: impl Into<String>,
        preparation: impl FnOnce() -> Result<Body, Missing> + 'static,
    ) -> Case {
        let preparation = Box::new(preparation);
        Case { name: name.into(), limit_s: LIMIT_S, preparation, everywhere: false }
    }

    /// The trial with another limit of time.
    #[must_use]
    pub fn within_seconds(mut self, limit_s: u64) -> Case {
        self.limit_s = limit_s;
        self
    }
}

/// Runs all trials of a kind as the command line asks.
pub fn run(kind: &str, cases: Vec<Case>) -> ExitCode {
    let arguments = Arguments::from_args();
    let expected = Expected::load();
    let names: Vec<String> = cases.iter().map(|case| case.name.clone()).collect();
    let all_present = cases.iter().all(|case| case.everywhere);
    let mut trials: Vec<Trial> =
        cases.into_iter().map(|case| trial(case, &expected, &arguments)).collect();
    if all_present {
        let unused: Vec<String> =
            expected.unused(kind, &names).into_iter().map(String::from).collect();
        trials.push(Trial::test(format!("{kind}/expected.toml names trials only"), move || {
            if unused.is_empty() {
                Ok(())
            } else {
                Err(format!("no such trial: {unused:?}").into())
            }
        }));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(case: Case, expected: &Expected, arguments: &Arguments) -> Trial {
    let Case { name, limit_s, preparation, .. } = case;
    if arguments.list || is_filtered(&name, arguments) {
        return Trial::test(name, || Ok(()));
    }
    let body = match preparation() {
        Ok(body) => body,
        Err(Missing::Wrong(why)) => Box::new(|| Err(why)),
        Err(Missing::Here(why)) => {
            eprintln!("skipped: {name}: {why}");
            return Trial::test(name, || Ok(())).with_ignored_flag(true);
        }
    };
    let Some(reason) = expected.reason(&name).map(String::from) else {
        return Trial::test(name, move || run_body(body, limit_s).map_err(Failed::from));
    };
    Trial::test(name, move || match run_body(body, limit_s) {
        Err(_) => Ok(()),
        Ok(()) => Err(format!("passes, but expected.toml lists it: {reason}").into()),
    })
    .with_kind("expected to fail")
}

/// Whether the command line leaves a trial out.
fn is_filtered(name: &str, arguments: &Arguments) -> bool {
    let is = |filter: &String| match arguments.exact {
        true => name == filter,
        false => name.contains(filter.as_str()),
    };
    arguments.filter.as_ref().is_some_and(|filter| !is(filter)) || arguments.skip.iter().any(is)
}

/// Runs a body on its own thread; a panic or too long a time is an error.
fn run_body(body: Body, limit_s: u64) -> Result<(), String> {
    let (send, receive) = channel();
    let thread = std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(move || drop(send.send(body())))
        .map_err(|e| format!("no thread: {e}"))?;
    match receive.recv_timeout(Duration::from_secs(limit_s)) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => Err(format!("still running after {limit_s} seconds")),
        Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Ok(()) => Err("ended without a result".into()),
            Err(payload) => Err(format!("panicked: {}", panic_message(&*payload))),
        },
    }
}

fn panic_message(payload: &(dyn std::any::Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "with something that is no text"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_message() {
        let result = run_body(Box::new(|| panic!("of {}", "reason")), 10);
        assert_eq!(result, Err("panicked: of reason".into()));
    }

    #[test]
    fn an_endless_trial_is_an_error() {
        let endless = || loop {
            std::thread::sleep(Duration::from_secs(1));
        };
        let result = run_body(Box::new(endless), 0);
        assert_eq!(result, Err("still running after 0 seconds".into()));
    }
}
