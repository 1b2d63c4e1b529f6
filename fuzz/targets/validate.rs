//! Damaged modules: decoding, validating and compiling end with a module or an error.

use selkie_fuzz::campaign::{self, Outcome};
use selkie_fuzz::generate::{Numbers, any_module, damaged};
use selkie_fuzz::oracle::never_panics;
use std::process::ExitCode;

fn main() -> ExitCode {
    campaign::run("validate", |seed| {
        let mut numbers = Numbers::new(seed);
        match any_module(&mut numbers) {
            Some(module) if numbers.below(8) == 0 => never_panics(&module),
            Some(module) => never_panics(&damaged(module, &mut numbers)),
            None => Outcome::Useless,
        }
    })
}
