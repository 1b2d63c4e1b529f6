//! Selkie against wasmi: generated modules give the same results, traps, memories and globals.

use selkie_fuzz::campaign::{self, Outcome};
use selkie_fuzz::generate::{Numbers, deterministic_module};
use selkie_fuzz::oracle::same_as_other_engine;
use std::process::ExitCode;

fn main() -> ExitCode {
    campaign::run("differential", |seed| {
        let mut numbers = Numbers::new(seed);
        match deterministic_module(&mut numbers) {
            Some(module) => same_as_other_engine(&module, &numbers),
            None => Outcome::Useless,
        }
    })
}
