//! Modules of every proposal do the same however their code is made and whenever the
//! collector works.

use selkie_fuzz::campaign::{self, Outcome};
use selkie_fuzz::everything::same_both_ways;
use selkie_fuzz::generate::{Numbers, module_of_everything};
use std::process::ExitCode;

fn main() -> ExitCode {
    campaign::run("everything", |seed| {
        let mut numbers = Numbers::new(seed);
        match module_of_everything(&mut numbers) {
            Some(module) => same_both_ways(&module, &numbers),
            None => Outcome::Useless,
        }
    })
}
