//! Fuel: generated modules, endless ones too, consume the same however their code is made.

use selkie_fuzz::campaign::{self, Outcome};
use selkie_fuzz::fuel::sums_are_equal;
use selkie_fuzz::generate::{Numbers, endless_module};
use std::process::ExitCode;

fn main() -> ExitCode {
    campaign::run("fuel", |seed| {
        let mut numbers = Numbers::new(seed);
        match endless_module(&mut numbers) {
            Some(module) => sums_are_equal(&module, &numbers),
            None => Outcome::Useless,
        }
    })
}
