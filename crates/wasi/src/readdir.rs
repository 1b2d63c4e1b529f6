//! Reading directories: the host's entries as WASI writes them, a batch at a time.
//!
//! A batch is read from the host, laid out as the guest will see it, and handed out
//! as the guest asks, so that a guest with a small buffer costs no more system calls
//! than one with a large buffer. A cookie is the number of entries before it: the
//! host's own offsets take 64 bits, and the C library of 32-bit guests keeps only half
//! of a cookie in `telldir`. Going back is going on from the last checkpoint before.
//!
//! Invariants:
//! - At most one batch ([`BATCH_BYTES`] of the host's entries) and [`MAX_CHECKPOINTS`]
//!   checkpoints are held for each open directory, whatever its size, and no batch
//!   once its end was reached.
//! - Reading on never skips an entry because others were removed in between: it
//!   continues at the host's offset. Only going back counts entries again.
//! - The cookie 0 reads the directory anew.
//! - `..` carries the number of the directory itself: the parent may lie outside of
//!   what the guest was given.
//! - Entries whose names are not UTF-8 are left out: preview 1 has no way to name
//!   them, and failing would hide all the others.

use crate::descriptor::retry;
use crate::errno::Errno;
use crate::layout::{DIRENT_SIZE, FileType, encode_dirent};
use crate::stable::{Room, Stable};
use rustix::fd::BorrowedFd;
use rustix::fs::{AtFlags, RawDir, SeekFrom, fstat, seek, statat};
use std::mem::MaybeUninit;

/// How much is asked of the host at once.
const BATCH_BYTES: usize = 16 * 1024;

/// How many places are remembered for going back.
const MAX_CHECKPOINTS: usize = 32;

/// A place in the directory: how many entries come before it, and the host's offset.
#[derive(Clone, Copy, Debug)]
struct Checkpoint {
    cookie: u64,
    offset: u64,
}

/// The entries of an open directory, from some cookie on.
#[derive(Debug)]
pub(crate) struct DirStream {
    /// Entries laid out for the guest.
    batch: Vec<u8>,
    /// The cookies of the first of them and of what comes after the last.
    first: u64,
    end: u64,
    /// Where in `batch` the next entry is, and its cookie.
    at: usize,
    cookie: u64,
    /// The host's offset of what comes after `batch`.
    offset: u64,
    /// Whether nothing comes after `batch`.
    is_last: bool,
    /// Whether anything was read yet.
    is_started: bool,
    /// The beginnings of batches, one of every `stride`, ascending.
    checkpoints: Vec<Checkpoint>,
    stride: u64,
    batches: u64,
    /// The room that a sorted listing takes.
    room: Option<Room>,
}

impl Default for DirStream {
    fn default() -> DirStream {
        DirStream {
            batch: Vec::new(),
            first: 0,
            end: 0,
            at: 0,
            cookie: 0,
            offset: 0,
            is_last: false,
            is_started: false,
            checkpoints: Vec::new(),
            stride: 1,
            batches: 0,
            room: None,
        }
    }
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
                    self.forget_batch();
                    break;
                }
                self.fetch(dir)?;
                continue;
            }
            let len = entry_len(&self.batch[self.at..]);
            let taken = len.min(out.len() - filled);
            out[filled..filled + taken].copy_from_slice(&self.batch[self.at..self.at + taken]);
            filled += taken;
            if taken == len {
                self.at += len;
                self.cookie += 1;
            }
        }
        Ok(filled)
    }

    /// As [`DirStream::read`], with the whole directory sorted by name and numbers that the host does
    /// not decide. The listing is held from the cookie 0 on until its end was read.
    pub(crate) fn read_sorted(
        &mut self,
        dir: BorrowedFd<'_>,
        cookie: u64,
        out: &mut [u8],
        stable: &mut Stable,
    ) -> Result<usize, Errno> {
        if self.room.is_none() || cookie == 0 {
            self.list(dir, stable)?;
        }
        if cookie != self.cookie {
            (self.at, self.cookie) = (0, 0);
            while self.cookie < cookie && self.at < self.batch.len() {
                self.at += entry_len(&self.batch[self.at..]);
                self.cookie += 1;
            }
        }
        let mut filled = 0;
        while filled < out.len() && self.at < self.batch.len() {
            let entry = &self.batch[self.at..];
            let entry = &entry[..entry_len(entry)];
            let taken = entry.len().min(out.len() - filled);
            out[filled..filled + taken].copy_from_slice(&entry[..taken]);
            filled += taken;
            if taken == entry.len() {
                self.at += taken;
                self.cookie += 1;
            }
        }
        if filled < out.len() {
            *self = DirStream { is_started: true, ..DirStream::default() };
        }
        Ok(filled)
    }

    /// Reads the whole directory.
    fn list(&mut self, dir: BorrowedFd<'_>, stable: &mut Stable) -> Result<(), Errno> {
        if self.is_started {
            seek(dir, SeekFrom::Start(0))?;
        }
        *self = DirStream { is_started: true, ..DirStream::default() };
        let own = retry(|| fstat(dir))?;
        let mut found: Vec<(Vec<u8>, u64, FileType)> = Vec::new();
        let mut bytes = 0;
        let mut buffer = [const { MaybeUninit::<u8>::uninit() }; BATCH_BYTES];
        let mut entries = RawDir::new(dir, &mut buffer);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if std::str::from_utf8(name).is_err() {
                continue;
            }
            bytes += DIRENT_SIZE + name.len();
            // Asked again for each, so that no list becomes longer than there is room for.
            drop(stable.room(bytes)?);
            let filetype = match FileType::from(entry.file_type()) {
                FileType::Unknown => ask_filetype(dir, name),
                known => known,
            };
            let ino = if name == b".." { own.st_ino } else { entry.ino() };
            found.push((name.to_vec(), ino, filetype));
        }
        let room = stable.room(bytes)?;
        // Names differ, so nothing else decides.
        found.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        for (at, (name, ino, filetype)) in found.into_iter().enumerate() {
            let ino = stable.number(own.st_dev, ino)?;
            let len = u32::try_from(name.len()).map_err(|_| Errno::OVERFLOW)?;
            self.batch.extend_from_slice(&encode_dirent(at as u64 + 1, ino, len, filetype));
            self.batch.extend_from_slice(&name);
        }
        self.room = Some(room);
        Ok(())
    }

    fn forget_batch(&mut self) {
        self.batch = Vec::new();
        self.at = 0;
        self.first = self.end;
    }

    /// Makes `cookie` the next entry, or the end if there are fewer.
    fn go_to(&mut self, dir: BorrowedFd<'_>, cookie: u64) -> Result<(), Errno> {
        if cookie == 0 {
            // A fresh stream stands at the beginning already.
            if self.is_started {
                seek(dir, SeekFrom::Start(0))?;
                *self = DirStream::default();
            }
            return Ok(());
        }
        if cookie == self.cookie {
            return Ok(());
        }
        if cookie < self.first {
            let back = self.checkpoints.iter().rev().find(|place| place.cookie <= cookie);
            let Checkpoint { cookie, offset } =
                back.copied().unwrap_or(Checkpoint { cookie: 0, offset: 0 });
            seek(dir, SeekFrom::Start(offset))?;
            (self.end, self.offset, self.is_last) = (cookie, offset, false);
            self.forget_batch();
        }
        while cookie >= self.end && !self.is_last {
            self.fetch(dir)?;
        }
        if cookie >= self.end {
            self.at = self.batch.len();
        } else {
            self.at = 0;
            for _ in self.first..cookie {
                self.at += entry_len(&self.batch[self.at..]);
            }
        }
        self.cookie = cookie;
        Ok(())
    }

    /// Remembers where the next batch begins, sparsely enough.
    fn remember(&mut self) {
        let known = self.checkpoints.last().is_some_and(|last| last.cookie >= self.end);
        if known || !self.batches.is_multiple_of(self.stride) {
            return;
        }
        if self.checkpoints.len() == MAX_CHECKPOINTS {
            let mut keep = false;
            self.checkpoints.retain(|_| {
                keep = !keep;
                keep
            });
            self.stride *= 2;
        }
        self.checkpoints.push(Checkpoint { cookie: self.end, offset: self.offset });
    }

    /// Reads the next batch, or notes that there is none.
    fn fetch(&mut self, dir: BorrowedFd<'_>) -> Result<(), Errno> {
        self.remember();
        self.batch.clear();
        self.at = 0;
        self.first = self.end;
        self.is_started = true;
        self.batches += 1;
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
            self.offset = entry.next_entry_cookie();
            if std::str::from_utf8(name).is_ok() {
                let filetype = match FileType::from(entry.file_type()) {
                    FileType::Unknown => ask_filetype(dir, name),
                    known => known,
                };
                let len = u32::try_from(name.len()).map_err(|_| Errno::OVERFLOW)?;
                self.end += 1;
                self.batch.extend_from_slice(&encode_dirent(self.end, entry.ino(), len, filetype));
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

/// The length of the entry that `bytes` begin with.
fn entry_len(bytes: &[u8]) -> usize {
    DIRENT_SIZE + crate::guest::u32_at(bytes, 16) as usize
}

/// The type of an entry that the file system did not tell.
#[cold]
fn ask_filetype(dir: BorrowedFd<'_>, name: &[u8]) -> FileType {
    statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
        .map_or(FileType::Unknown, |stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).into())
}
