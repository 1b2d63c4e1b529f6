//! Randomness: where `random_get` takes its bytes from.
//!
//! [`SystemRandom`] asks the host, [`SeededRandom`] computes; an embedder may put any [`Random`] in
//! their place.
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

/// Random bytes that a seed decides: the same in every run, and no secret.
///
/// ```
/// use selkie_wasi::{Random, SeededRandom};
/// let (mut whole, mut parts) = ([0; 100], [0; 100]);
/// SeededRandom::new(7).fill(&mut whole).unwrap();
/// let mut random = SeededRandom::new(7);
/// parts.chunks_mut(33).for_each(|part| random.fill(part).unwrap());
/// assert_eq!(whole, parts);
/// ```
#[derive(Clone, Debug)]
pub struct SeededRandom {
    stream: blake3::OutputReader,
}

impl SeededRandom {
    /// The bytes of a seed: the output of BLAKE3 without end.
    pub fn new(seed: u64) -> SeededRandom {
        let mut hasher = blake3::Hasher::new_derive_key("selkie wasi random numbers of a seed");
        hasher.update(&seed.to_le_bytes());
        SeededRandom { stream: hasher.finalize_xof() }
    }
}

impl Random for SeededRandom {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Errno> {
        self.stream.fill(buffer);
        Ok(())
    }
}
