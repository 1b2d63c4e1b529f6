//! What can go wrong when the operating system or a limit says no. A guest's own faults are
//! [`TrapCode`](selkie_module::TrapCode)s and not here.

use std::fmt;

/// A resource that could not be had.
#[derive(Debug)]
#[non_exhaustive]
pub enum ResourceError {
    /// A system call failed.
    System {
        /// What was being done, for the message.
        action: &'static str,
        /// Bytes it was about; 0 where sizes play no part.
        bytes: usize,
        /// The system's answer.
        source: std::io::Error,
    },
    /// More bytes or elements than the plan, the reservation or the address space allow.
    LimitExceeded {
        /// What was asked for, in bytes or elements.
        requested: u64,
        /// The limit.
        limit: u64,
    },
    /// A range that does not lie inside the memory or file it speaks of.
    OutOfRange,
    /// No stack for WebAssembly; what calls it has not run.
    Stack {
        /// Bytes it should have had.
        bytes: usize,
        /// Why there is none.
        source: Box<ResourceError>,
    },
    /// The allocator has no memory left.
    OutOfMemory {
        /// Bytes asked for.
        bytes: usize,
    },
}

impl ResourceError {
    pub(crate) fn system(action: &'static str, bytes: usize, errno: rustix::io::Errno) -> Self {
        ResourceError::System { action, bytes, source: errno.into() }
    }

    pub(crate) fn last_os(action: &'static str) -> Self {
        ResourceError::System { action, bytes: 0, source: std::io::Error::last_os_error() }
    }
}

impl fmt::Display for ResourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResourceError::System { action, bytes: 0, source } => {
                write!(f, "cannot {action}: {source}")
            }
            ResourceError::System { action, bytes, source } => {
                write!(f, "cannot {action} ({bytes} bytes): {source}")
            }
            ResourceError::LimitExceeded { requested, limit } => {
                write!(f, "{requested} requested, the limit is {limit}")
            }
            ResourceError::Stack { bytes, source } => {
                write!(f, "no stack of {bytes} bytes for WebAssembly: {source}")
            }
            ResourceError::OutOfRange => f.write_str("range outside the memory or file"),
            ResourceError::OutOfMemory { bytes } => write!(f, "no memory for {bytes} bytes"),
        }
    }
}

impl std::error::Error for ResourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ResourceError::System { source, .. } => Some(source),
            ResourceError::Stack { source, .. } => Some(source),
            _ => None,
        }
    }
}
