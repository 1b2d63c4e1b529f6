//! How commands fail: a status and a line for standard error.

use crate::output::note;
use crate::text::harmless;
use selkie::{ErrorKind, LimitExceeded, ResourceError, Trap};
use std::borrow::Cow;

/// Status after a trap or an uncaught exception, as a shell shows an aborted program.
pub(crate) const STATUS_TRAP: u8 = 134;
/// Status of a program whose time is over, as `timeout` has it.
pub(crate) const STATUS_TIMEOUT: u8 = 124;
/// Status of a command line that cannot be understood.
pub(crate) const STATUS_USAGE: u8 = 2;
/// Status of any other error.
pub(crate) const STATUS_ERROR: u8 = 1;

/// Characters of a line that are shown at most.
const LINE_CHARS: usize = 2000;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    status: u8,
    message: String,
}

impl Failure {
    /// Something went wrong; status 1.
    pub(crate) fn error(message: impl Into<String>) -> Failure {
        Failure { status: STATUS_ERROR, message: message.into() }
    }

    /// The command line is wrong; status 2.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure { status: STATUS_USAGE, message: message.into() }
    }

    /// The reader of our output went away: nothing is left to say.
    pub(crate) fn silent() -> Failure {
        Failure { status: STATUS_ERROR, message: String::new() }
    }

    /// An error of the engine, with what it is about.
    pub(crate) fn engine(error: &selkie::Error, about: &str) -> Failure {
        let status = match error.kind() {
            _ if error.trap() == Some(Trap::Interrupt) => STATUS_TIMEOUT,
            ErrorKind::Trap | ErrorKind::Exception => STATUS_TRAP,
            _ => STATUS_ERROR,
        };
        let separator = if about.is_empty() { "" } else { ": " };
        let mut message = format!("{about}{separator}{error}");
        if error.kind() == ErrorKind::Bug {
            message.push_str("; this is a defect of selkie, please report it");
        }
        if let Some(remedy) = remedy(error) {
            message = format!("{message}; {remedy}");
        }
        if let Some(backtrace) = error.backtrace() {
            message.push('\n');
            message.push_str(backtrace.to_string().trim_end());
        }
        Failure { status, message }
    }

    /// Adds what could be done about it.
    pub(crate) fn hint(mut self, hint: &str) -> Failure {
        self.message.push_str("; ");
        self.message.push_str(hint);
        self
    }

    /// The line, without its prefix.
    #[cfg(test)]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Prints it and answers the exit status.
    pub(crate) fn report(&self) -> u8 {
        if !self.message.is_empty() {
            let lines: Vec<_> = self.message.lines().map(shortened).collect();
            note(&format!("error: {}", harmless(&lines.join("\n"))));
        }
        self.status
    }
}

const OTHER_HEAP: &str = "-W max-gc-heap=SIZE gives the heap another size, 4G at most";

/// The option that moves the limit an error speaks of.
fn remedy(error: &selkie::Error) -> Option<&'static str> {
    match error.trap() {
        // The trap does not say which stack it was.
        Some(Trap::StackOverflow) => {
            return Some(
                "-W max-stack=SIZE gives it another size \
                 (that of a continuation: -W continuation-stack=SIZE)",
            );
        }
        Some(Trap::OutOfFuel) => return Some("-W fuel=NUMBER gives another amount"),
        Some(Trap::Interrupt) => {
            return Some("the time of -W timeout=TIME is over; a longer TIME gives more");
        }
        Some(Trap::AllocationTooLarge) => return Some(OTHER_HEAP),
        Some(Trap::TooManyContinuations) => {
            return Some(
                "-W max-continuations=NUMBER and -W max-continuation-bytes=SIZE allow more",
            );
        }
        _ => {}
    }
    Some(match (error.downcast_ref(), error.downcast_ref()) {
        (Some(LimitExceeded::Memory { .. }), _) => "-W max-memory=SIZE moves it",
        (Some(LimitExceeded::Table { .. }), _) => "-W max-table=NUMBER moves it",
        (Some(LimitExceeded::Heap { .. }), _) => OTHER_HEAP,
        (_, Some(ResourceError::Stack { .. })) => "-W max-stack=SIZE asks for less",
        (_, Some(ResourceError::System { action: "reserve address space", .. })) => {
            "the system gives this process no more (see `ulimit -v`)"
        }
        _ => return None,
    })
}

/// A line without what nobody reads: arguments and names may have megabytes.
fn shortened(line: &str) -> Cow<'_, str> {
    match line.char_indices().nth(LINE_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]).into(),
        None => line.into(),
    }
}
