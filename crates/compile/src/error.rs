//! What can keep a module from being compiled.

use selkie_module::DecodeError;

/// Why a module was not compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompileError {
    /// The module is not valid.
    Invalid(DecodeError),
    /// The module is valid, but this compiler has no code for a part of it.
    Unsupported(String),
    /// A function or the whole module is larger than machine code can address.
    TooLarge(String),
    /// The compiler contradicted itself: a defect of ours.
    Bug(String),
}

impl std::fmt::Display for CompileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CompileError::Invalid(e) => write!(f, "{e}"),
            CompileError::Unsupported(what) => write!(f, "not supported: {what}"),
            CompileError::TooLarge(what) => write!(f, "too large to compile: {what}"),
            CompileError::Bug(what) => write!(f, "the compiler failed: {what}"),
        }
    }
}

impl std::error::Error for CompileError {}

impl From<DecodeError> for CompileError {
    fn from(error: DecodeError) -> CompileError {
        CompileError::Invalid(error)
    }
}
