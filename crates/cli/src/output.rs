//! Standard output of our own: never panics when it is closed, never claims what was not written.

use crate::report::Failure;
use std::io::{ErrorKind, Write};

/// Writes a text to standard output.
///
/// # Errors
/// It cannot be written. A closed pipe ends the command without words.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    bytes(text.as_bytes())
}

/// Writes a line to standard output.
///
/// # Errors
/// As [`text`].
pub(crate) fn line(line: &str) -> Result<(), Failure> {
    text(&format!("{line}\n"))
}

/// Writes bytes to standard output.
///
/// # Errors
/// As [`text`].
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::silent(),
        _ => Failure::error(format!("cannot write to standard output: {error}")),
    })
}

/// Writes a line to standard error, and does not mind when that is closed.
pub(crate) fn note(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
