//! What a deterministic guest sees of the host's files: the same in every run that finds the same
//! names and bytes.
//!
//! Numbers of files are given in the order in which the guest first sees them, times are the start
//! of virtual time, directories are listed by name. A file that is removed may leave its number
//! to the next one, as the file system does.
//!
//! Invariant: what is remembered is bounded: [`MAX_NUMBERS`] files, [`MAX_LISTING_BYTES`] of
//! listings that are open. Beyond, the guest is told that there is no memory.

use crate::errno::Errno;
use crate::layout::Filestat;
use crate::virtual_clocks::VirtualClocks;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Files that are told apart.
const MAX_NUMBERS: usize = 1 << 20;

/// Bytes of all listings of open directories together.
const MAX_LISTING_BYTES: usize = 64 << 20;

/// What was given to the guest instead of the host's own.
#[derive(Debug, Default)]
pub(crate) struct Stable {
    numbers: HashMap<(u64, u64), u64>,
    listings: Arc<AtomicUsize>,
}

impl Stable {
    /// The number of a file, by the host's device and number.
    pub(crate) fn number(&mut self, dev: u64, ino: u64) -> Result<u64, Errno> {
        let next = self.numbers.len() as u64 + 1;
        if let Some(known) = self.numbers.get(&(dev, ino)) {
            return Ok(*known);
        }
        if self.numbers.len() == MAX_NUMBERS {
            return Err(Errno::NOMEM);
        }
        self.numbers.insert((dev, ino), next);
        Ok(next)
    }

    /// The attributes of a file without what differs from host to host.
    pub(crate) fn filestat(&mut self, stat: Filestat) -> Result<Filestat, Errno> {
        if stat.dev == 0 && stat.ino == 0 {
            return Ok(stat);
        }
        let ino = self.number(stat.dev, stat.ino)?;
        let time = VirtualClocks::start_ns();
        Ok(Filestat { dev: 1, ino, atim: time, mtim: time, ctim: time, ..stat })
    }

    /// Room for a listing; it comes back when the answer is dropped.
    pub(crate) fn room(&self, bytes: usize) -> Result<Room, Errno> {
        let before = self.listings.fetch_add(bytes, Ordering::Relaxed);
        let room = Room { listings: self.listings.clone(), bytes };
        if before.saturating_add(bytes) > MAX_LISTING_BYTES { Err(Errno::NOMEM) } else { Ok(room) }
    }
}

/// Room that a listing takes.
#[derive(Debug)]
pub(crate) struct Room {
    listings: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.listings.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_numbered_as_they_are_seen() {
        let mut stable = Stable::default();
        for (file, number) in [((7, 900), 1), ((7, 12), 2), ((7, 900), 1), ((8, 900), 3)] {
            assert_eq!(stable.number(file.0, file.1), Ok(number));
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut stable = Stable::default();
        assert!((0..MAX_NUMBERS as u64).all(|ino| stable.number(1, ino) == Ok(ino + 1)));
        assert_eq!(stable.number(2, 0), Err(Errno::NOMEM));
        assert_eq!(stable.number(1, 5), Ok(6));
        let half = stable.room(MAX_LISTING_BYTES / 2).unwrap();
        assert!(stable.room(MAX_LISTING_BYTES / 2 + 1).is_err());
        drop(half);
        drop(stable.room(MAX_LISTING_BYTES).unwrap());
    }
}
