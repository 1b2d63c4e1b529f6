//! Modules that begin with the state of an instance go on as it does, here and in wasmi.

use selkie_fuzz::campaign::{self, Outcome};
use selkie_fuzz::generate::{Numbers, deterministic_module};
use selkie_fuzz::oracle::goes_on_as_its_instance;
use std::process::ExitCode;

fn main() -> ExitCode {
    campaign::run("preinit", |seed| {
        let mut numbers = Numbers::new(seed);
        match deterministic_module(&mut numbers) {
            Some(module) => goes_on_as_its_instance(&module, &mut numbers),
            None => Outcome::Useless,
        }
    })
}
