//! Runs one target: for how long, from which seed, and what happens with a finding.
//!
//! Invariant: each finding is a file in `artifacts/` and a line with the seed that makes it
//! again; the exit code says whether there was one.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// What one input showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The engine did right in this number of comparisons.
    Right(u64),
    /// Nothing could be said about this input.
    Useless,
    /// The engine did wrong: how, and the module.
    Wrong(String, Vec<u8>),
}

struct Options {
    seconds: u64,
    seed: u64,
    count: Option<u64>,
}

/// Runs `target` with one seed after the other until the time is over, and prints a closing line.
pub fn run(
    name: &str,
    target: impl Fn(u64) -> Outcome + std::panic::RefUnwindSafe + Send,
) -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{name}: {message}\nusage: {name} [--seconds N] [--seed N] [--count N]");
            return ExitCode::from(2);
        }
    };
    // Deeply nested modules need room, in this engine's decoder as in the other's.
    std::thread::scope(|scope| {
        let campaign = || campaign(name, &options, target);
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        match thread.spawn_scoped(scope, campaign).map(|thread| thread.join()) {
            Ok(Ok(code)) => code,
            _ => ExitCode::FAILURE,
        }
    })
}

/// Stack of the thread that runs a target.
const STACK_BYTES: usize = 64 << 20;

fn campaign(
    name: &str,
    options: &Options,
    target: impl Fn(u64) -> Outcome + std::panic::RefUnwindSafe,
) -> ExitCode {
    let start = Instant::now();
    let (mut inputs, mut comparisons, mut useless, mut findings) = (0_u64, 0_u64, 0_u64, 0_u64);
    let goes_on = |inputs: u64| match options.count {
        Some(count) => inputs < count,
        None => start.elapsed() < Duration::from_secs(options.seconds),
    };
    while goes_on(inputs) {
        let seed = options.seed.wrapping_add(inputs);
        inputs += 1;
        match std::panic::catch_unwind(|| target(seed)) {
            Ok(Outcome::Right(count)) => comparisons += count,
            Ok(Outcome::Useless) => useless += 1,
            Ok(Outcome::Wrong(how, module)) => {
                findings += 1;
                println!("{name}: seed {seed}: {how}{}", kept(name, seed, &module));
            }
            Err(_) => {
                findings += 1;
                println!("{name}: seed {seed}: panicked");
            }
        }
    }
    println!(
        "{name}: {inputs} inputs from seed {} in {:.0} s, {comparisons} comparisons, {useless} \
         without use, {findings} findings",
        options.seed,
        start.elapsed().as_secs_f64()
    );
    if findings == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { seconds: 30, seed: 0, count: None };
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a number"))?;
        let number = value.parse().map_err(|e| format!("{name} {value}: {e}"))?;
        match name.as_str() {
            "--seconds" => options.seconds = number,
            "--seed" => options.seed = number,
            "--count" => options.count = Some(number),
            _ => return Err(format!("no option {name}")),
        }
    }
    Ok(options)
}

/// Writes a module beside the project and says where.
fn kept(name: &str, seed: u64, module: &[u8]) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts");
    let file = folder.join(format!("{name}-{seed}.wasm"));
    match std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, module)) {
        Ok(()) => format!("\n  the module is {}", file.display()),
        Err(error) => format!("\n  the module could not be kept: {error}"),
    }
}
