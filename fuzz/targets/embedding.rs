//! Stores, instances, snapshots and calls in any order hold what a model of them holds.

use selkie_fuzz::campaign::{self, Outcome};
use selkie_fuzz::embedding::{holds_what_its_model_says, twins_agree};
use selkie_fuzz::generate::{Numbers, deterministic_module};
use std::process::ExitCode;

fn main() -> ExitCode {
    campaign::run("embedding", |seed| {
        let mut numbers = Numbers::new(seed);
        if seed % 4 != 0 {
            return holds_what_its_model_says(&mut numbers);
        }
        match deterministic_module(&mut numbers) {
            Some(module) => twins_agree(&module, &mut numbers),
            None => Outcome::Useless,
        }
    })
}
