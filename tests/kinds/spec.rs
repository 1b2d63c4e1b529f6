//! The official suites.
fn main() {}
