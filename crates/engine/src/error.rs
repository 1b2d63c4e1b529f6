//! The one public error: a pointer in size, with a kind to act on and words to read.

use crate::backtrace::WasmBacktrace;
use crate::exceptions::ThrownException;
use crate::limits::LimitExceeded;
use selkie_compile::CompileError;
use selkie_module::{DecodeError, TrapCode};
use selkie_vm::ResourceError;
use std::error::Error as StdError;
use std::fmt;

/// Results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Bytes that are not a valid module, or arguments that do not fit.
    Invalid,
    /// Valid, but beyond what this engine or its configuration does.
    Unsupported,
    /// An import that is missing or of another type.
    Link,
    /// A configured limit, or the system's, was reached.
    Limit,
    /// WebAssembly trapped.
    Trap,
    /// WebAssembly threw and nobody caught.
    Exception,
    /// A host function failed.
    Host,
    /// Reading or writing outside the engine failed.
    Io,
    /// A defect of the engine.
    Bug,
}

/// Why something failed. Shows as one line, outermost context first; `{:?}` adds the backtrace.
///
/// ```
/// use selkie_engine::{Engine, ErrorKind, Module};
/// let error = Module::new(&Engine::default(), "(module (func (result i32)))").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Invalid);
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    context: Vec<String>,
    source: Source,
    backtrace: Option<WasmBacktrace>,
}

enum Source {
    Message(String),
    Trap(TrapCode),
    Other(Box<dyn StdError + Send + Sync>),
}

impl Error {
    /// An error of a kind with a message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::from_source(kind, Source::Message(message.into()))
    }

    /// An error of a host function with a message.
    pub fn msg(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Host, message)
    }

    fn from_source(kind: ErrorKind, source: Source) -> Error {
        Error(Box::new(Inner { kind, context: Vec::new(), source, backtrace: None }))
    }

    /// What the error is about.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The trap, where the error is one.
    pub fn trap(&self) -> Option<TrapCode> {
        match self.0.source {
            Source::Trap(code) => Some(code),
            _ => None,
        }
    }

    /// The error of type `E` that a host function returned or the system gave.
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        match &self.0.source {
            Source::Other(error) => error.downcast_ref(),
            Source::Trap(code) => (code as &(dyn StdError + 'static)).downcast_ref(),
            Source::Message(_) => None,
        }
    }

    /// What the error is made of, where that is an error of its own.
    pub(crate) fn source_error(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0.source {
            Source::Other(error) => Some(&**error),
            Source::Message(_) | Source::Trap(_) => None,
        }
    }

    /// The WebAssembly frames that were active, where any were.
    pub fn backtrace(&self) -> Option<&WasmBacktrace> {
        self.0.backtrace.as_ref()
    }

    /// Says what was being done.
    #[must_use]
    pub fn context(mut self, what: impl Into<String>) -> Error {
        self.0.context.push(what.into());
        self
    }

    pub(crate) fn with_backtrace(mut self, backtrace: WasmBacktrace) -> Error {
        if self.0.backtrace.is_none() && !backtrace.is_empty() {
            self.0.backtrace = Some(backtrace);
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for context in self.0.context.iter().rev() {
            write!(f, "{context}: ")?;
        }
        match &self.0.source {
            Source::Message(message) => f.write_str(message),
            Source::Trap(code) => write!(f, "wasm trap: {code}"),
            Source::Other(error) => write!(f, "{error}"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        match &self.0.backtrace {
            Some(backtrace) => write!(f, "\n{backtrace}"),
            None => Ok(()),
        }
    }
}

/// Any error of a host function becomes an [`Error`] that can be downcast again.
impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Error {
        let any = &error as &(dyn StdError + 'static);
        if let Some(code) = any.downcast_ref::<TrapCode>() {
            return Error::from_source(ErrorKind::Trap, Source::Trap(*code));
        }
        let kind = if any.is::<DecodeError>() {
            ErrorKind::Invalid
        } else if let Some(error) = any.downcast_ref::<CompileError>() {
            compile_kind(error)
        } else if any.is::<ResourceError>() || any.is::<LimitExceeded>() {
            ErrorKind::Limit
        } else if any.is::<ThrownException>() {
            ErrorKind::Exception
        } else if any.is::<std::io::Error>() {
            ErrorKind::Io
        } else {
            ErrorKind::Host
        };
        Error::from_source(kind, Source::Other(Box::new(error)))
    }
}

fn compile_kind(error: &CompileError) -> ErrorKind {
    match error {
        CompileError::Invalid(_) => ErrorKind::Invalid,
        CompileError::Unsupported(_) => ErrorKind::Unsupported,
        CompileError::TooLarge(_) => ErrorKind::Limit,
        _ => ErrorKind::Bug,
    }
}
