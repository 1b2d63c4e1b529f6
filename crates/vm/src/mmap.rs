//! Address space: reserve it, open parts of it, give it back. All lengths are in bytes and
//! rounded up to pages here, so that callers need not.

use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

use rustix::mm::{Advice, MapFlags, MprotectFlags, MremapFlags, ProtFlags};

use crate::ResourceError;

/// Bytes of a page of the host.
#[inline]
pub fn page_bytes() -> usize {
    // x86-64 has one base page size; an arch module with several would ask the system here.
    4096
}

/// `bytes` rounded up to pages; `None` on overflow.
pub(crate) fn round_to_pages(bytes: usize) -> Option<usize> {
    bytes.checked_next_multiple_of(page_bytes())
}

/// A range of address space that this process owns until it is dropped.
#[derive(Debug)]
pub(crate) struct Mapping {
    addr: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping is an address range, not bound to any thread; all access to its contents goes
// through raw pointers whose users answer for synchronisation.
unsafe impl Send for Mapping {}
// SAFETY: as above; shared access through `&Mapping` only reads the two fields.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Reserves address space without access or memory behind it.
    pub(crate) fn reserve(bytes: usize) -> Result<Mapping, ResourceError> {
        Mapping::anonymous(bytes, ProtFlags::empty(), MapFlags::NORESERVE)
    }

    /// Reserves zeroed, readable and writable memory, taken from the system as it is touched.
    pub(crate) fn zeroed(bytes: usize) -> Result<Mapping, ResourceError> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        Mapping::anonymous(bytes, access, MapFlags::NORESERVE)
    }

    /// A stack: reserved without access, marked as a stack (which keeps huge pages away).
    pub(crate) fn stack(bytes: usize) -> Result<Mapping, ResourceError> {
        Mapping::anonymous(bytes, ProtFlags::empty(), MapFlags::NORESERVE | MapFlags::STACK)
    }

    fn anonymous(bytes: usize, access: ProtFlags, flags: MapFlags) -> Result<Self, ResourceError> {
        let len = round_to_pages(bytes.max(1)).ok_or(ResourceError::LimitExceeded {
            requested: bytes as u64,
            limit: usize::MAX as u64,
        })?;
        // SAFETY: no fixed address, hence no existing mapping is replaced.
        let addr = unsafe {
            rustix::mm::mmap_anonymous(std::ptr::null_mut(), len, access, flags | MapFlags::PRIVATE)
        }
        .map_err(|errno| ResourceError::system("reserve address space", len, errno))?;
        Ok(Mapping::from_raw(addr, len))
    }

    /// Maps a part of a file for reading and executing. `offset` is a multiple of the page size.
    pub(crate) fn executable_file(
        fd: BorrowedFd<'_>,
        offset: u64,
        bytes: usize,
    ) -> Result<Mapping, ResourceError> {
        let len = round_to_pages(bytes.max(1)).ok_or(ResourceError::OutOfRange)?;
        // SAFETY: no fixed address, hence no existing mapping is replaced.
        let addr = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::EXEC,
                MapFlags::PRIVATE,
                fd,
                offset,
            )
        }
        .map_err(|errno| ResourceError::system("map code from a file", len, errno))?;
        Ok(Mapping::from_raw(addr, len))
    }

    /// Maps a whole file for reading.
    pub(crate) fn readable_file(
        fd: BorrowedFd<'_>,
        bytes: usize,
    ) -> Result<Mapping, ResourceError> {
        let len = round_to_pages(bytes.max(1)).ok_or(ResourceError::OutOfRange)?;
        // SAFETY: no fixed address, hence no existing mapping is replaced.
        let addr = unsafe {
            let flags = MapFlags::PRIVATE;
            rustix::mm::mmap(std::ptr::null_mut(), len, ProtFlags::READ, flags, fd, 0)
        }
        .map_err(|errno| ResourceError::system("map a file", len, errno))?;
        Ok(Mapping::from_raw(addr, len))
    }

    fn from_raw(addr: *mut c_void, len: usize) -> Mapping {
        Mapping { addr: NonNull::new(addr.cast()).expect("mmap never returns the zero page"), len }
    }

    /// First byte.
    pub(crate) fn addr(&self) -> *mut u8 {
        self.addr.as_ptr()
    }

    /// Bytes, a multiple of the page size.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Opens pages for reading and writing. `start` is page-aligned, `bytes` is rounded up.
    pub(crate) fn allow_write(&self, start: usize, bytes: usize) -> Result<(), ResourceError> {
        self.protect(start, bytes, MprotectFlags::READ | MprotectFlags::WRITE)
    }

    /// Opens pages for reading alone.
    pub(crate) fn allow_read(&self, start: usize, bytes: usize) -> Result<(), ResourceError> {
        self.protect(start, bytes, MprotectFlags::READ)
    }

    /// Closes pages. What they hold stays.
    pub(crate) fn close(&self, start: usize, bytes: usize) -> Result<(), ResourceError> {
        self.protect(start, bytes, MprotectFlags::empty())
    }

    /// Lets the whole mapping be zero in child processes.
    pub(crate) fn empty_in_children(&self) -> Result<(), ResourceError> {
        // SAFETY: nothing changes in this process; in a child nobody but our own code reads it.
        unsafe { rustix::mm::madvise(self.addr().cast(), self.len, Advice::LinuxWipeOnFork) }
            .map_err(|errno| ResourceError::system("mark memory for children", self.len, errno))
    }

    /// Opens the whole mapping for reading and executing, and closes it for writing.
    pub(crate) fn allow_execute(&self) -> Result<(), ResourceError> {
        self.protect(0, self.len, MprotectFlags::READ | MprotectFlags::EXEC)
    }

    fn protect(
        &self,
        start: usize,
        bytes: usize,
        access: MprotectFlags,
    ) -> Result<(), ResourceError> {
        if bytes == 0 {
            return Ok(());
        }
        let len = self.check_range(start, bytes)?;
        // SAFETY: the range lies inside this mapping, which nobody else owns; those who hold
        // pointers into it expect exactly this change, since only their owner calls us.
        unsafe { rustix::mm::mprotect(self.addr().add(start).cast(), len, access) }
            .map_err(|errno| ResourceError::system("change page protection", len, errno))
    }

    /// Gives the pages back to the system; they read as zero afterwards.
    pub(crate) fn discard(&self, start: usize, bytes: usize) -> Result<(), ResourceError> {
        if bytes == 0 {
            return Ok(());
        }
        let len = self.check_range(start, bytes)?;
        // SAFETY: the range lies inside this mapping; its owner gives the contents up.
        unsafe { rustix::mm::madvise(self.addr().add(start).cast(), len, Advice::LinuxDontNeed) }
            .map_err(|errno| ResourceError::system("give pages back", len, errno))
    }

    /// Replaces pages by a private, writable view of a file. All three are multiples of the page
    /// size.
    pub(crate) fn map_file_over(
        &self,
        start: usize,
        bytes: usize,
        fd: BorrowedFd<'_>,
        file_offset: u64,
    ) -> Result<(), ResourceError> {
        let len = self.check_range(start, bytes)?;
        // SAFETY: the fixed range lies inside this mapping, which we own, and its former contents
        // are given up by the caller.
        unsafe {
            rustix::mm::mmap(
                self.addr().add(start).cast(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE,
                fd,
                file_offset,
            )
        }
        .map(|_| ())
        .map_err(|errno| ResourceError::system("map a memory image", len, errno))
    }

    /// Replaces pages by zeroed, writable ones that nothing is behind yet, whatever was there.
    pub(crate) fn map_zero_over(&self, start: usize, bytes: usize) -> Result<(), ResourceError> {
        if bytes == 0 {
            return Ok(());
        }
        let len = self.check_range(start, bytes)?;
        // SAFETY: the fixed range lies inside this mapping, which we own, and its former contents
        // are given up by the caller.
        unsafe {
            rustix::mm::mmap_anonymous(
                self.addr().add(start).cast(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE,
            )
        }
        .map(|_| ())
        .map_err(|errno| ResourceError::system("give pages back", len, errno))
    }

    /// Moves the pages that lie at the front to the front of another mapping, and gives the rest up.
    /// Nothing is copied. Where the system cannot do that, the mapping comes back as it was.
    pub(crate) fn move_front(self, bytes: usize, target: &Mapping) -> Result<(), Mapping> {
        let (Ok(len), true) = (self.check_range(0, bytes), bytes <= target.len) else {
            return Err(self);
        };
        if len == 0 {
            return Ok(());
        }
        // SAFETY: both ranges are parts of mappings that we own, and whoever holds pointers to
        // either expects the move; what the target held is given up.
        let moved = unsafe {
            let (from, to) = (self.addr().cast(), target.addr().cast());
            rustix::mm::mremap_fixed(from, len, len, MremapFlags::MAYMOVE, to)
        };
        if moved.is_err() {
            return Err(self);
        }
        // Nothing is mapped any longer where the pages were, or something that is not ours.
        let rest = ManuallyDrop::new(self);
        if rest.len > len {
            drop(Mapping::from_raw(rest.addr().wrapping_add(len).cast(), rest.len - len));
        }
        Ok(())
    }

    fn check_range(&self, start: usize, bytes: usize) -> Result<usize, ResourceError> {
        let len = round_to_pages(bytes).ok_or(ResourceError::OutOfRange)?;
        let end = start.checked_add(len).ok_or(ResourceError::OutOfRange)?;
        if !start.is_multiple_of(page_bytes()) || end > self.len {
            return Err(ResourceError::OutOfRange);
        }
        Ok(len)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by us and is given up here; owners of pointers into it are
        // gone by their own contracts.
        let unmapped = unsafe { rustix::mm::munmap(self.addr().cast(), self.len) };
        debug_assert!(unmapped.is_ok(), "unmapping our own range");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserving_all_of_the_address_space_is_an_error() {
        assert!(Mapping::reserve(usize::MAX).is_err());
        assert!(Mapping::reserve(1 << 60).is_err());
    }

    #[test]
    fn moved_pages_keep_their_contents_and_the_rest_is_given_up() {
        let source = Mapping::zeroed(1 << 20).unwrap();
        let target = Mapping::zeroed(1 << 21).unwrap();
        // SAFETY: it is writable, and only this test knows it.
        unsafe { source.addr().add(5000).write(7) };
        source.move_front(8192, &target).unwrap();
        // SAFETY: as above.
        let bytes = unsafe { (target.addr().add(5000).read(), target.addr().add(8192).read()) };
        assert_eq!(bytes, (7, 0));
        assert!(target.move_front(1 << 22, &Mapping::zeroed(1).unwrap()).is_err());
    }

    #[test]
    fn ranges_outside_the_mapping_are_refused() {
        let mapping = Mapping::reserve(8192).unwrap();
        assert!(mapping.allow_write(4096, 8192).is_err());
        assert!(mapping.allow_write(1, 100).is_err());
        assert!(mapping.allow_write(4096, 4096).is_ok());
    }
}
