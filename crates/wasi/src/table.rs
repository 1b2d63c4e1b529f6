//! The table of descriptors: small numbers, dense, lowest free first.
//!
//! Invariant: no slot below `first_free` is free, so the lowest free number is found
//! by looking upwards from there. At most `limit` descriptors are open at once;
//! beyond that is `nfile`.
//!
//! What this file deliberately does not do: hand out two descriptors mutably.

use crate::descriptor::Descriptor;
use crate::errno::Errno;

#[derive(Debug)]
pub(crate) struct Table {
    slots: Vec<Option<Descriptor>>,
    first_free: usize,
    open: usize,
    limit: usize,
}

impl Table {
    pub(crate) fn new(limit: usize) -> Table {
        Table { slots: Vec::new(), first_free: 0, open: 0, limit }
    }

    pub(crate) fn get(&self, fd: u32) -> Result<&Descriptor, Errno> {
        self.slots.get(fd as usize).and_then(Option::as_ref).ok_or(Errno::BADF)
    }

    pub(crate) fn get_mut(&mut self, fd: u32) -> Result<&mut Descriptor, Errno> {
        self.slots.get_mut(fd as usize).and_then(Option::as_mut).ok_or(Errno::BADF)
    }

    /// Every open descriptor.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Descriptor> {
        self.slots.iter().flatten()
    }

    /// Fails if no descriptor can be added. Asked before the host opens anything.
    pub(crate) fn check_room(&self) -> Result<(), Errno> {
        if self.open < self.limit { Ok(()) } else { Err(Errno::NFILE) }
    }

    /// Adds a descriptor under the lowest free number.
    pub(crate) fn insert(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        self.check_room()?;
        let mut at = self.first_free;
        while self.slots.get(at).is_some_and(Option::is_some) {
            at += 1;
        }
        let fd = u32::try_from(at).ok().filter(|fd| *fd <= i32::MAX as u32).ok_or(Errno::NFILE)?;
        if at == self.slots.len() {
            self.slots.push(Some(descriptor));
        } else {
            self.slots[at] = Some(descriptor);
        }
        self.first_free = at + 1;
        self.open += 1;
        Ok(fd)
    }

    /// Takes a descriptor out.
    pub(crate) fn remove(&mut self, fd: u32) -> Result<Descriptor, Errno> {
        let slot = self.slots.get_mut(fd as usize).ok_or(Errno::BADF)?;
        let descriptor = slot.take().ok_or(Errno::BADF)?;
        self.first_free = self.first_free.min(fd as usize);
        self.open -= 1;
        Ok(descriptor)
    }

    /// Moves what `from` stands for to `to`, which must be open and is closed.
    pub(crate) fn renumber(&mut self, from: u32, to: u32) -> Result<(), Errno> {
        self.get(from)?;
        self.get(to)?;
        if from != to {
            let moved = self.remove(from)?;
            *self.get_mut(to)? = moved;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdio::VirtualStream;

    fn descriptor(mark: u64) -> Descriptor {
        Descriptor::stream(VirtualStream::Null, mark)
    }

    #[test]
    fn the_lowest_free_number_is_given_first() {
        let mut table = Table::new(10);
        for expected in 0..6 {
            assert_eq!(table.insert(descriptor(0)), Ok(expected));
        }
        for fd in [4, 1, 3] {
            table.remove(fd).unwrap();
        }
        assert_eq!(table.insert(descriptor(0)), Ok(1));
        assert_eq!(table.insert(descriptor(0)), Ok(3));
        assert_eq!(table.insert(descriptor(0)), Ok(4));
        assert_eq!(table.insert(descriptor(0)), Ok(6));
    }

    #[test]
    fn a_full_table_says_nfile_until_something_is_closed() {
        let mut table = Table::new(1);
        table.insert(descriptor(0)).unwrap();
        assert_eq!(table.insert(descriptor(0)), Err(Errno::NFILE));
        table.remove(0).unwrap();
        assert_eq!(table.insert(descriptor(0)), Ok(0));
    }

    #[test]
    fn renumber_needs_both_numbers_and_moves_one() {
        let mut table = Table::new(10);
        table.insert(descriptor(1)).unwrap();
        table.insert(descriptor(2)).unwrap();
        assert_eq!(table.renumber(0, 7), Err(Errno::BADF));
        assert_eq!(table.renumber(0, 0), Ok(()));
        assert_eq!(table.renumber(1, 0), Ok(()));
        assert_eq!(table.get(0).unwrap().base, 2);
        assert!(table.get(1).is_err());
        assert_eq!(table.insert(descriptor(3)), Ok(1));
    }
}
