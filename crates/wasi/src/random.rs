//! Randomness: where `random_get` takes its bytes from.
//!
//! [`SystemRandom`] asks the host; an embedder may put any [`Random`] in its place.
//! Bytes go straight into the guest's buffer: its size costs no host memory.

use crate::errno::Errno;
use rustix::io::Errno as Host;
use rustix::rand::{GetRandomFlags, getrandom};

/// A source of random bytes.
pub trait Random: Send {
    /// Fills the whole of `buffer`.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Errno>;
}

/// The random source of the host's kernel.
#[derive(Debug, Default)]
pub struct SystemRandom;

/// The most that is asked of the kernel at once.
const CHUNK: usize = 1 << 20;

impl Random for SystemRandom {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Errno> {
        let mut rest = buffer;
        while !rest.is_empty() {
            let wanted = rest.len().min(CHUNK);
            match getrandom(&mut rest[..wanted], GetRandomFlags::empty()) {
                Ok(filled) => rest = &mut rest[filled..],
                Err(Host::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
