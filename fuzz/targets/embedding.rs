//! Stores, instances, snapshots and calls in any order hold what a model of them holds.

use selkie_fuzz::campaign;
use selkie_fuzz::embedding::holds_what_its_model_says;
use selkie_fuzz::generate::Numbers;
use std::process::ExitCode;

fn main() -> ExitCode {
    campaign::run("embedding", |seed| holds_what_its_model_says(&mut Numbers::new(seed)))
}
