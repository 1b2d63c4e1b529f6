//! Programs that throw and catch do what a model of them does.

use selkie_fuzz::campaign;
use selkie_fuzz::exceptions::behaves_as_its_model;
use selkie_fuzz::generate::Numbers;
use std::process::ExitCode;

fn main() -> ExitCode {
    campaign::run("exceptions", |seed| behaves_as_its_model(&mut Numbers::new(seed)))
}
