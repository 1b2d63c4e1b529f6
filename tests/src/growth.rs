//! How compile time grows with the input.

use selkie::{Config, Engine, ErrorKind, Module};
use std::time::{Duration, Instant};

/// How long a module takes to compile, or to be refused because of a limit: one that is said
/// clearly is as good as code.
///
/// # Panics
/// When it is refused for another reason.
pub fn time_to_compile(module: &[u8]) -> Duration {
    let engine = Engine::new(Config::new().compile_threads(2)).expect("the defaults fit");
    let start = Instant::now();
    if let Err(error) = Module::from_binary(&engine, module) {
        assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    }
    start.elapsed()
}

/// Four times the input may take a little more than four times as long, never sixteen times.
///
/// # Panics
/// When it does.
pub fn grows_linearly(make: impl Fn(usize) -> Vec<u8>, size: usize) {
    let (small, large) = (make(size), make(size * 4));
    // Other tests run beside this one: what counts is the best of a few attempts.
    let best = |module: &[u8]| {
        (0..3).map(|_| time_to_compile(module)).min().expect("three attempts were made")
    };
    let (first, second) = (best(&small), best(&large));
    let allowed = first.max(Duration::from_millis(20)) * 9;
    assert!(second <= allowed, "{size}: {first:?}, four times that: {second:?}");
}
