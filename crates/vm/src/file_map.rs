//! A file as bytes, without reading it first.

use crate::ResourceError;
use crate::mmap::Mapping;
use std::os::fd::BorrowedFd;

/// A whole file mapped for reading. The file must not be changed while the map lives; a file that
/// is made shorter lets reads fault.
#[derive(Debug)]
pub struct FileMap {
    mapping: Option<Mapping>,
    len: usize,
}

impl FileMap {
    /// Maps a file.
    pub fn new(fd: BorrowedFd<'_>) -> Result<FileMap, ResourceError> {
        let size = rustix::fs::fstat(fd)
            .map_err(|errno| ResourceError::system("ask for a file's size", 0, errno))?
            .st_size;
        let len = usize::try_from(size).map_err(|_| ResourceError::OutOfRange)?;
        let mapping = if len == 0 { None } else { Some(Mapping::readable_file(fd, len)?) };
        Ok(FileMap { mapping, len })
    }
}

impl AsRef<[u8]> for FileMap {
    fn as_ref(&self) -> &[u8] {
        match &self.mapping {
            // SAFETY: `len` bytes of the mapping are backed by the file, are readable, and by the
            // type's contract do not change while it lives.
            Some(mapping) => unsafe { std::slice::from_raw_parts(mapping.addr(), self.len) },
            None => &[],
        }
    }
}
