//! A guest for tests: a context, some memory, and the functions of WASI as methods
//! that put strings into that memory and take results out of it.
//!
//! What this deliberately does not do: hide error numbers or check anything.

#![allow(dead_code, reason = "each test uses a part of it")]

use selkie_wasi::{DirPerms, Errno, FilePerms, PathWalk, WasiCtx, preview1};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) const READ: u64 = 1 << 1;
pub(crate) const WRITE: u64 = 1 << 6;
pub(crate) const ALL: u64 = (1 << 30) - 1;
/// All rights but those that decide how a file is opened.
pub(crate) const NEUTRAL: u64 = ALL & !(READ | WRITE);
pub(crate) const CREAT: u32 = 1;
pub(crate) const DIRECTORY: u32 = 2;
pub(crate) const EXCL: u32 = 4;
pub(crate) const TRUNC: u32 = 8;
pub(crate) const FOLLOW: u32 = 1;

/// Where methods put results and strings. The last page is left to the tests.
const RESULT: u32 = 64;
const FIRST: u32 = 1024;
const SECOND: u32 = 16 * 1024;
const IOVEC: u32 = 128;
pub(crate) const DATA: u32 = 32 * 1024;

/// A directory that is removed with all its contents.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> TempDir {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("selkie-wasi-test-{}-{next}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        TempDir(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A context and its memory.
pub(crate) struct Guest {
    pub(crate) cx: WasiCtx,
    pub(crate) mem: Vec<u8>,
}

pub(crate) const WALKS: [PathWalk; 2] = [PathWalk::Openat2, PathWalk::Manual];

impl Guest {
    /// A guest that was given `dir` with all permissions, as descriptor 3.
    pub(crate) fn new(dir: &Path, walk: PathWalk) -> Guest {
        Guest::with(dir, walk, DirPerms::all(), FilePerms::all())
    }

    pub(crate) fn with(dir: &Path, walk: PathWalk, dirs: DirPerms, files: FilePerms) -> Guest {
        let mut builder = WasiCtx::builder();
        builder.path_walk(walk).preopened_dir(dir, "/", dirs, files).unwrap();
        Guest::from(builder.build())
    }

    pub(crate) fn from(cx: WasiCtx) -> Guest {
        Guest { cx, mem: vec![0; 1 << 20] }
    }

    fn put(&mut self, at: u32, text: &str) -> (u32, u32) {
        self.mem[at as usize..][..text.len()].copy_from_slice(text.as_bytes());
        (at, text.len() as u32)
    }

    pub(crate) fn u32(&self, at: u32) -> u32 {
        u32::from_le_bytes(self.mem[at as usize..][..4].try_into().unwrap())
    }

    pub(crate) fn u64(&self, at: u32) -> u64 {
        u64::from_le_bytes(self.mem[at as usize..][..8].try_into().unwrap())
    }

    pub(crate) fn set_u32(&mut self, at: u32, value: u32) {
        self.mem[at as usize..][..4].copy_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn set_u64(&mut self, at: u32, value: u64) {
        self.mem[at as usize..][..8].copy_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn open_full(
        &mut self,
        fd: u32,
        lookup: u32,
        path: &str,
        oflags: u32,
        rights: u64,
        fdflags: u32,
    ) -> Result<u32, Errno> {
        let (at, len) = self.put(FIRST, path);
        let (cx, mem) = (&mut self.cx, &mut self.mem[..]);
        preview1::path_open(cx, mem, fd, lookup, at, len, oflags, rights, ALL, fdflags, RESULT)?;
        Ok(self.u32(RESULT))
    }

    /// Opens for reading, following links.
    pub(crate) fn open(&mut self, path: &str) -> Result<u32, Errno> {
        self.open_full(3, FOLLOW, path, 0, NEUTRAL | READ, 0)
    }

    /// Opens for reading, not following links.
    pub(crate) fn open_nofollow(&mut self, path: &str) -> Result<u32, Errno> {
        self.open_full(3, 0, path, 0, NEUTRAL | READ, 0)
    }

    /// Opens for writing, following links, as `oflags` say.
    pub(crate) fn create(&mut self, path: &str, oflags: u32) -> Result<u32, Errno> {
        self.open_full(3, FOLLOW, path, oflags, ALL, 0)
    }

    pub(crate) fn close(&mut self, fd: u32) -> Result<(), Errno> {
        preview1::fd_close(&mut self.cx, &mut self.mem, fd)
    }

    pub(crate) fn read(&mut self, fd: u32, len: u32) -> Result<Vec<u8>, Errno> {
        self.set_u32(IOVEC, DATA);
        self.set_u32(IOVEC + 4, len);
        preview1::fd_read(&mut self.cx, &mut self.mem, fd, IOVEC, 1, RESULT)?;
        let len = self.u32(RESULT) as usize;
        Ok(self.mem[DATA as usize..][..len].to_vec())
    }

    pub(crate) fn write(&mut self, fd: u32, data: &[u8]) -> Result<u32, Errno> {
        self.mem[DATA as usize..][..data.len()].copy_from_slice(data);
        self.set_u32(IOVEC, DATA);
        self.set_u32(IOVEC + 4, data.len() as u32);
        preview1::fd_write(&mut self.cx, &mut self.mem, fd, IOVEC, 1, RESULT)?;
        Ok(self.u32(RESULT))
    }

    pub(crate) fn pread(&mut self, fd: u32, len: u32, offset: u64) -> Result<Vec<u8>, Errno> {
        self.set_u32(IOVEC, DATA);
        self.set_u32(IOVEC + 4, len);
        preview1::fd_pread(&mut self.cx, &mut self.mem, fd, IOVEC, 1, offset, RESULT)?;
        let len = self.u32(RESULT) as usize;
        Ok(self.mem[DATA as usize..][..len].to_vec())
    }

    pub(crate) fn pwrite(&mut self, fd: u32, data: &[u8], offset: u64) -> Result<u32, Errno> {
        self.mem[DATA as usize..][..data.len()].copy_from_slice(data);
        self.set_u32(IOVEC, DATA);
        self.set_u32(IOVEC + 4, data.len() as u32);
        preview1::fd_pwrite(&mut self.cx, &mut self.mem, fd, IOVEC, 1, offset, RESULT)?;
        Ok(self.u32(RESULT))
    }

    pub(crate) fn seek(&mut self, fd: u32, offset: i64, whence: u32) -> Result<u64, Errno> {
        preview1::fd_seek(&mut self.cx, &mut self.mem, fd, offset, whence, RESULT)?;
        Ok(self.u64(RESULT))
    }

    pub(crate) fn tell(&mut self, fd: u32) -> Result<u64, Errno> {
        preview1::fd_tell(&mut self.cx, &mut self.mem, fd, RESULT)?;
        Ok(self.u64(RESULT))
    }

    /// Reads the whole file, following links.
    pub(crate) fn read_file(&mut self, path: &str) -> Result<Vec<u8>, Errno> {
        let fd = self.open(path)?;
        let data = self.read(fd, 4096);
        self.close(fd).unwrap();
        data
    }

    /// (type, flags, base, inheriting).
    pub(crate) fn fdstat(&mut self, fd: u32) -> Result<(u8, u16, u64, u64), Errno> {
        preview1::fd_fdstat_get(&mut self.cx, &mut self.mem, fd, DATA)?;
        let at = DATA as usize;
        let flags = u16::from_le_bytes([self.mem[at + 2], self.mem[at + 3]]);
        Ok((self.mem[at], flags, self.u64(DATA + 8), self.u64(DATA + 16)))
    }

    /// (type, size, number).
    pub(crate) fn filestat(&mut self, fd: u32) -> Result<(u8, u64, u64), Errno> {
        preview1::fd_filestat_get(&mut self.cx, &mut self.mem, fd, DATA)?;
        Ok((self.mem[DATA as usize + 16], self.u64(DATA + 32), self.u64(DATA + 8)))
    }

    /// (type, size, number).
    pub(crate) fn stat(&mut self, path: &str, lookup: u32) -> Result<(u8, u64, u64), Errno> {
        let (at, len) = self.put(FIRST, path);
        let (cx, mem) = (&mut self.cx, &mut self.mem[..]);
        preview1::path_filestat_get(cx, mem, 3, lookup, at, len, DATA)?;
        Ok((self.mem[DATA as usize + 16], self.u64(DATA + 32), self.u64(DATA + 8)))
    }

    pub(crate) fn set_times(&mut self, path: &str, lookup: u32, flags: u32) -> Result<(), Errno> {
        let (at, len) = self.put(FIRST, path);
        let (cx, mem) = (&mut self.cx, &mut self.mem[..]);
        let time = 1_000_000_007;
        preview1::path_filestat_set_times(cx, mem, 3, lookup, at, len, time, time, flags)
    }

    pub(crate) fn mkdir(&mut self, path: &str) -> Result<(), Errno> {
        let (at, len) = self.put(FIRST, path);
        preview1::path_create_directory(&mut self.cx, &mut self.mem, 3, at, len)
    }

    pub(crate) fn rmdir(&mut self, path: &str) -> Result<(), Errno> {
        let (at, len) = self.put(FIRST, path);
        preview1::path_remove_directory(&mut self.cx, &mut self.mem, 3, at, len)
    }

    pub(crate) fn unlink(&mut self, path: &str) -> Result<(), Errno> {
        let (at, len) = self.put(FIRST, path);
        preview1::path_unlink_file(&mut self.cx, &mut self.mem, 3, at, len)
    }

    pub(crate) fn symlink(&mut self, target: &str, path: &str) -> Result<(), Errno> {
        let (old, old_len) = self.put(FIRST, target);
        let (new, new_len) = self.put(SECOND, path);
        preview1::path_symlink(&mut self.cx, &mut self.mem, old, old_len, 3, new, new_len)
    }

    pub(crate) fn readlink(&mut self, path: &str, buf_len: u32) -> Result<Vec<u8>, Errno> {
        let (at, len) = self.put(FIRST, path);
        let (cx, mem) = (&mut self.cx, &mut self.mem[..]);
        preview1::path_readlink(cx, mem, 3, at, len, DATA, buf_len, RESULT)?;
        let len = self.u32(RESULT) as usize;
        Ok(self.mem[DATA as usize..][..len].to_vec())
    }

    pub(crate) fn rename(&mut self, old: &str, new_fd: u32, new: &str) -> Result<(), Errno> {
        let (old, old_len) = self.put(FIRST, old);
        let (new, new_len) = self.put(SECOND, new);
        let (cx, mem) = (&mut self.cx, &mut self.mem[..]);
        preview1::path_rename(cx, mem, 3, old, old_len, new_fd, new, new_len)
    }

    pub(crate) fn link(
        &mut self,
        old: &str,
        lookup: u32,
        new_fd: u32,
        new: &str,
    ) -> Result<(), Errno> {
        let (old, old_len) = self.put(FIRST, old);
        let (new, new_len) = self.put(SECOND, new);
        let (cx, mem) = (&mut self.cx, &mut self.mem[..]);
        preview1::path_link(cx, mem, 3, lookup, old, old_len, new_fd, new, new_len)
    }

    /// One call of `fd_readdir`: how many bytes were used, at `DATA`.
    pub(crate) fn readdir(&mut self, fd: u32, len: u32, cookie: u64) -> Result<u32, Errno> {
        preview1::fd_readdir(&mut self.cx, &mut self.mem, fd, DATA, len, cookie, RESULT)?;
        Ok(self.u32(RESULT))
    }

    /// Every entry: (name, type, number), reading through a buffer of `len` bytes.
    pub(crate) fn list(&mut self, fd: u32, len: u32) -> Result<Vec<(String, u8, u64)>, Errno> {
        let mut entries = Vec::new();
        let mut cookie = 0;
        loop {
            let used = self.readdir(fd, len, cookie)?;
            let mut at = 0;
            while at + 24 <= used {
                let name_len = self.u32(DATA + at + 16);
                if at + 24 + name_len > used {
                    break;
                }
                cookie = self.u64(DATA + at);
                let start = (DATA + at + 24) as usize;
                let name = self.mem[start..start + name_len as usize].to_vec();
                let filetype = self.mem[(DATA + at + 20) as usize];
                let ino = self.u64(DATA + at + 8);
                entries.push((String::from_utf8(name).unwrap(), filetype, ino));
                at += 24 + name_len;
            }
            if used < len {
                return Ok(entries);
            }
        }
    }
}
