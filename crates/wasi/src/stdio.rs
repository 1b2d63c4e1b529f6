//! Standard streams: what stands behind descriptors 0, 1 and 2.
//!
//! A stream is the host's own ([`Stdin::Inherit`]), nothing, bytes in memory or
//! anything of the embedder's that reads or writes. Streams of the host are used
//! unbuffered, by plain system calls.
//!
//! What this file deliberately does not do: know of descriptors or guest memory.

use crate::errno::Errno;
use std::fmt;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// What the guest reads from standard input.
#[derive(Default)]
pub enum Stdin {
    /// The standard input of this process.
    Inherit,
    /// Nothing: the first read says so.
    #[default]
    Null,
    /// These bytes.
    Bytes(Vec<u8>),
    /// Whatever this reads.
    Reader(Box<dyn Read + Send>),
}

/// Where the guest's standard output or error goes.
#[derive(Default)]
pub enum Output {
    /// The standard output or error of this process.
    Inherit,
    /// Nowhere.
    #[default]
    Null,
    /// Into memory, to be looked at by the embedder.
    Capture(Capture),
    /// Whatever this writes.
    Writer(Box<dyn Write + Send>),
}

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stdin::Inherit => "Inherit",
            Stdin::Null => "Null",
            Stdin::Bytes(_) => "Bytes",
            Stdin::Reader(_) => "Reader",
        })
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Output::Inherit => "Inherit",
            Output::Null => "Null",
            Output::Capture(_) => "Capture",
            Output::Writer(_) => "Writer",
        })
    }
}

/// Output kept in memory. Clones share the same bytes, so one can be given to the
/// guest and another kept to read what it wrote.
///
/// ```
/// let out = selkie_wasi::Capture::new(1 << 20);
/// let _given_to_the_guest = out.clone();
/// assert!(out.contents().is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct Capture {
    bytes: Arc<Mutex<Vec<u8>>>,
    limit_bytes: usize,
}

impl Capture {
    /// Keeps at most `limit_bytes`; a guest that writes more is told `nospc`.
    pub fn new(limit_bytes: usize) -> Capture {
        Capture { bytes: Arc::default(), limit_bytes }
    }

    /// A copy of what was written so far.
    pub fn contents(&self) -> Vec<u8> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn append(&self, data: &[u8]) -> Result<usize, Errno> {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let room = self.limit_bytes.saturating_sub(bytes.len());
        let taken = data.len().min(room);
        if taken == 0 && !data.is_empty() {
            return Err(Errno::NOSPC);
        }
        bytes.extend_from_slice(&data[..taken]);
        Ok(taken)
    }
}

/// A stream that is no descriptor of the host.
pub(crate) enum VirtualStream {
    Null,
    Bytes { bytes: Vec<u8>, position: usize },
    Reader(Box<dyn Read + Send>),
    Capture(Capture),
    Writer(Box<dyn Write + Send>),
}

impl VirtualStream {
    /// Reads into `buffer`; 0 bytes mean the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        match self {
            VirtualStream::Null => Ok(0),
            VirtualStream::Bytes { bytes, position } => {
                let rest = &bytes[*position..];
                let len = rest.len().min(buffer.len());
                buffer[..len].copy_from_slice(&rest[..len]);
                *position += len;
                Ok(len)
            }
            VirtualStream::Reader(reader) => {
                let len = reader.read(buffer)?;
                // A reader that claims more than it was given must not be believed.
                if len > buffer.len() { Err(Errno::IO) } else { Ok(len) }
            }
            VirtualStream::Capture(_) | VirtualStream::Writer(_) => Err(Errno::BADF),
        }
    }

    /// Writes `data` or a part of it.
    pub(crate) fn write(&mut self, data: &[u8]) -> Result<usize, Errno> {
        match self {
            VirtualStream::Null => Ok(data.len()),
            VirtualStream::Capture(capture) => capture.append(data),
            VirtualStream::Writer(writer) => {
                let len = writer.write(data)?;
                writer.flush()?;
                if len > data.len() { Err(Errno::IO) } else { Ok(len) }
            }
            VirtualStream::Bytes { .. } | VirtualStream::Reader(_) => Err(Errno::BADF),
        }
    }
}

impl fmt::Debug for VirtualStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VirtualStream")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_capture_is_no_space_and_keeps_what_fitted() {
        let capture = Capture::new(4);
        assert_eq!(capture.append(b"abcdef"), Ok(4));
        assert_eq!(capture.append(b"g"), Err(Errno::NOSPC));
        assert_eq!(capture.append(b""), Ok(0));
        assert_eq!(capture.contents(), b"abcd");
    }

    #[test]
    fn bytes_are_read_once_and_then_end() {
        let mut stream = VirtualStream::Bytes { bytes: b"abc".to_vec(), position: 0 };
        let mut buffer = [0; 2];
        assert_eq!(stream.read(&mut buffer), Ok(2));
        assert_eq!(stream.read(&mut buffer), Ok(1));
        assert_eq!(stream.read(&mut buffer), Ok(0));
        assert_eq!(stream.write(b"x"), Err(Errno::BADF));
    }
}
