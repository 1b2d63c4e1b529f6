//! Script interpreter: runs `.wast` files, the form of the official test suite.
//!
//! A [`WastRunner`] holds an engine; every script gets a store of its own. Running stops at the
//! first directive that is not as the script says. Messages of traps and of link errors are
//! compared as the specification's own interpreter does, by prefix; for modules that must be
//! refused only the refusal counts.
//!
//! What this module deliberately does not do: run components, or judge custom sections (which
//! never make a module invalid).

mod agent;
mod spectest;
mod values;
mod words;

use agent::Agent;
use selkie::{Config, Engine, StoreLimits};
use std::time::Duration;
use wast::Wast;
use wast::lexer::Lexer;
use wast::parser::{ParseBuffer, parse};

/// Runs scripts under one configuration.
///
/// ```
/// use selkie_cli::wast::WastRunner;
/// let runner = WastRunner::new(&selkie::Config::new()).map_err(|error| error.to_string())?;
/// let summary = runner.run_file("add.wast", r#"
///     (module (func (export "add") (param i32 i32) (result i32)
///         local.get 0 local.get 1 i32.add))
///     (assert_return (invoke "add" (i32.const 2) (i32.const 3)) (i32.const 5))"#)?;
/// assert_eq!(summary.assertions, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct WastRunner {
    engine: Engine,
    allowance: Allowance,
}

/// What each store of a script has.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    fuel: u64,
    timeout: Option<Duration>,
    /// Whether it is interrupted wherever it asks.
    is_interrupted: bool,
    limits: StoreLimits,
}

/// What a script that passed did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Assertions that held.
    pub assertions: usize,
    /// Directives that are no assertion: modules, invocations, registrations, threads.
    pub commands: usize,
    /// Assertions about custom sections, which are not judged.
    pub passed_over: usize,
}

/// Why a script failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WastError {
    /// The script's name.
    pub file: String,
    /// Line of the directive, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for WastError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

impl std::error::Error for WastError {}

impl WastRunner {
    /// A runner whose scripts are validated and run under `config`.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn new(config: &Config) -> selkie::Result<WastRunner> {
        let engine = Engine::new(config)?;
        let limits = StoreLimits::default();
        let allowance = Allowance { fuel: u64::MAX, timeout: None, is_interrupted: false, limits };
        Ok(WastRunner { engine, allowance })
    }

    /// Fuel that each store of a script has, where the configuration counts it. Default: more
    /// than any script uses.
    #[must_use]
    pub fn with_fuel(self, units: u64) -> WastRunner {
        WastRunner { allowance: Allowance { fuel: units, ..self.allowance }, ..self }
    }

    /// How long what each store of a script runs may take, all together, where the configuration
    /// interrupts guests. Default: any time.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> WastRunner {
        let timeout = Some(timeout);
        WastRunner { allowance: Allowance { timeout, ..self.allowance }, ..self }
    }

    /// Interrupts what scripts run wherever it asks, collects all garbage, and lets it go on; needs a
    /// configuration that interrupts guests. Slow, and changes nothing that a script could see.
    #[must_use]
    pub fn with_interruptions(self) -> WastRunner {
        WastRunner { allowance: Allowance { is_interrupted: true, ..self.allowance }, ..self }
    }

    /// Limits that each store of a script has. Default: those of [`StoreLimits`].
    #[must_use]
    pub fn with_limits(self, limits: StoreLimits) -> WastRunner {
        WastRunner { allowance: Allowance { limits, ..self.allowance }, ..self }
    }

    /// Runs a script; `name` is for messages only.
    ///
    /// # Errors
    /// The text is no script, or a directive is not as the script says.
    pub fn run_file(&self, name: &str, text: &str) -> Result<Summary, WastError> {
        let located = |error: wast::Error| WastError {
            file: name.to_string(),
            line: error.span().linecol_in(text).0 + 1,
            message: error.message(),
        };
        let mut lexer = Lexer::new(text);
        // Scripts test such characters on purpose.
        lexer.allow_confusing_unicode(true);
        let buffer = ParseBuffer::new_with_lexer(lexer).map_err(located)?;
        let script = parse::<Wast<'_>>(&buffer).map_err(located)?;
        let failed = |(line, message)| WastError { file: name.to_string(), line, message };
        std::thread::scope(|scope| {
            let agent = Agent::new(&self.engine, self.allowance, text, scope)
                .map_err(|message| (1, message))?;
            agent.run(script.directives)
        })
        .map_err(failed)
    }
}

#[cfg(test)]
mod tests;
