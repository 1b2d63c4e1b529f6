//! Reading directories: the host's entries as WASI writes them, a batch at a time.
//!
//! A batch is read from the host, laid out as the guest will see it, and handed out
//! as the guest asks, so that a guest with a small buffer costs no more system calls
//! than one with a large buffer. A cookie is the host's own offset of the next entry.
//!
//! Invariants:
//! - At most one batch ([`BATCH_BYTES`] of the host's entries) is held for each open
//!   directory, whatever its size, and none once its end was reached.
//! - The cookie 0 reads the directory anew.
//! - `..` carries the number of the directory itself: the parent may lie outside of
//!   what the guest was given.
//! - Entries whose names are not UTF-8 are left out: preview 1 has no way to name
//!   them, and failing would hide all the others.

use crate::descriptor::retry;
use crate::errno::Errno;
use crate::layout::{DIRENT_SIZE, FileType, encode_dirent};
use rustix::fd::BorrowedFd;
use rustix::fs::{AtFlags, RawDir, SeekFrom, fstat, seek, statat};
use std::mem::MaybeUninit;

/// How much is asked of the host at once.
const BATCH_BYTES: usize = 16 * 1024;

/// The entries of an open directory, from some cookie on.
#[derive(Debug, Default)]
pub(crate) struct DirStream {
    /// Entries laid out for the guest.
    batch: Vec<u8>,
    /// The cookie of the first of them.
    first_cookie: u64,
    /// Where in `batch` the next entry is, and its cookie.
    at: usize,
    cookie: u64,
    /// Whether nothing comes after `batch`.
    is_last: bool,
    /// Whether anything was read yet.
    is_started: bool,
}

impl DirStream {
    /// Fills `out` with entries from `cookie` on; the last may be cut off.
    pub(crate) fn read(
        &mut self,
        dir: BorrowedFd<'_>,
        cookie: u64,
        out: &mut [u8],
    ) -> Result<usize, Errno> {
        self.go_to(dir, cookie)?;
        let mut filled = 0;
        while filled < out.len() {
            if self.at == self.batch.len() {
                if self.is_last {
                    self.batch = Vec::new();
                    self.at = 0;
                    self.first_cookie = self.cookie;
                    break;
                }
                self.fetch(dir)?;
                continue;
            }
            let (len, next) = entry_at(&self.batch[self.at..]);
            let taken = len.min(out.len() - filled);
            out[filled..filled + taken].copy_from_slice(&self.batch[self.at..self.at + taken]);
            filled += taken;
            if taken == len {
                self.at += len;
                self.cookie = next;
            }
        }
        Ok(filled)
    }

    /// Makes `cookie` the next entry.
    fn go_to(&mut self, dir: BorrowedFd<'_>, cookie: u64) -> Result<(), Errno> {
        if cookie != 0 && self.is_started {
            if cookie == self.cookie {
                return Ok(());
            }
            if let Some(at) = self.find(cookie) {
                (self.at, self.cookie) = (at, cookie);
                return Ok(());
            }
        }
        // A fresh stream stands at the beginning already.
        if cookie != 0 || self.is_started {
            let offset = i64::try_from(cookie).map_err(|_| Errno::INVAL)?;
            seek(dir, SeekFrom::Start(offset as u64))?;
        }
        *self = DirStream { first_cookie: cookie, cookie, ..DirStream::default() };
        Ok(())
    }

    /// Where in the batch the entry with this cookie lies.
    fn find(&self, cookie: u64) -> Option<usize> {
        let (mut at, mut current) = (0, self.first_cookie);
        while current != cookie {
            if at == self.batch.len() {
                return None;
            }
            let (len, next) = entry_at(&self.batch[at..]);
            at += len;
            current = next;
        }
        // The very end of a batch that was given back is no place to go on from.
        (at < self.batch.len()).then_some(at)
    }

    /// Reads the next batch, or notes that there is none.
    fn fetch(&mut self, dir: BorrowedFd<'_>) -> Result<(), Errno> {
        self.batch.clear();
        self.at = 0;
        self.first_cookie = self.cookie;
        self.is_started = true;
        let mut buffer = [const { MaybeUninit::<u8>::uninit() }; BATCH_BYTES];
        let mut entries = RawDir::new(dir, &mut buffer);
        let (mut own_ino, mut parent_at) = (None, None);
        loop {
            let Some(entry) = entries.next() else {
                self.is_last = true;
                break;
            };
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." {
                own_ino = Some(entry.ino());
            } else if name == b".." {
                parent_at = Some(self.batch.len());
            }
            let next = entry.next_entry_cookie();
            if std::str::from_utf8(name).is_ok() {
                let filetype = match FileType::from(entry.file_type()) {
                    FileType::Unknown => ask_filetype(dir, name),
                    known => known,
                };
                let len = u32::try_from(name.len()).map_err(|_| Errno::OVERFLOW)?;
                self.batch.extend_from_slice(&encode_dirent(next, entry.ino(), len, filetype));
                self.batch.extend_from_slice(name);
            }
            if entries.is_buffer_empty() && !self.batch.is_empty() {
                break;
            }
        }
        if let Some(at) = parent_at {
            let ino = match own_ino {
                Some(ino) => ino,
                None => retry(|| fstat(dir))?.st_ino,
            };
            self.batch[at + 8..at + 16].copy_from_slice(&ino.to_le_bytes());
        }
        Ok(())
    }
}

/// The length of the entry that `bytes` begin with, and the cookie after it.
fn entry_at(bytes: &[u8]) -> (usize, u64) {
    let next = crate::guest::u64_at(bytes, 0);
    let name_len = crate::guest::u32_at(bytes, 16);
    (DIRENT_SIZE + name_len as usize, next)
}

/// The type of an entry that the file system did not tell.
#[cold]
fn ask_filetype(dir: BorrowedFd<'_>, name: &[u8]) -> FileType {
    statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
        .map_or(FileType::Unknown, |stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).into())
}
