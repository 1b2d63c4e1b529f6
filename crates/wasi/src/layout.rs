//! The structures of WASI as they lie in guest memory: sizes, offsets, constants.
//!
//! All offsets of both generations stand here and nowhere else. `Snapshot` names
//! the generation where they differ: in `filestat`, in the numbers of `whence` and
//! in `subscription`.
//!
//! What this file deliberately does not do: touch memory or the host.

use crate::errno::Errno;
use rustix::fs::Stat;

/// Which generation of WASI a call belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Snapshot {
    /// `wasi_unstable`.
    Unstable,
    /// `wasi_snapshot_preview1`.
    Preview1,
}

/// The type of a file, with the numbers of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum FileType {
    Unknown = 0,
    BlockDevice = 1,
    CharacterDevice = 2,
    Directory = 3,
    RegularFile = 4,
    SocketDgram = 5,
    SocketStream = 6,
    SymbolicLink = 7,
}

impl From<rustix::fs::FileType> for FileType {
    fn from(host: rustix::fs::FileType) -> FileType {
        use rustix::fs::FileType as Host;
        match host {
            Host::RegularFile => FileType::RegularFile,
            Host::Directory => FileType::Directory,
            Host::Symlink => FileType::SymbolicLink,
            Host::CharacterDevice => FileType::CharacterDevice,
            Host::BlockDevice => FileType::BlockDevice,
            // A socket found in a directory cannot be told apart further; one that
            // is held open is asked by `descriptor.rs`.
            Host::Socket => FileType::SocketStream,
            Host::Fifo | Host::Unknown => FileType::Unknown,
        }
    }
}

/// `fdflags`.
pub(crate) mod fdflags {
    pub(crate) const APPEND: u16 = 1 << 0;
    pub(crate) const DSYNC: u16 = 1 << 1;
    pub(crate) const NONBLOCK: u16 = 1 << 2;
    pub(crate) const RSYNC: u16 = 1 << 3;
    pub(crate) const SYNC: u16 = 1 << 4;
    pub(crate) const ALL: u16 = (1 << 5) - 1;
    /// Those that the host can only set while opening.
    pub(crate) const AT_OPEN: u16 = DSYNC | RSYNC | SYNC;
}

/// `oflags` of `path_open`.
pub(crate) mod oflags {
    pub(crate) const CREAT: u32 = 1 << 0;
    pub(crate) const DIRECTORY: u32 = 1 << 1;
    pub(crate) const EXCL: u32 = 1 << 2;
    pub(crate) const TRUNC: u32 = 1 << 3;
    pub(crate) const ALL: u32 = (1 << 4) - 1;
}

/// `fstflags` of the two `set_times` functions.
pub(crate) mod fstflags {
    pub(crate) const ATIM: u32 = 1 << 0;
    pub(crate) const ATIM_NOW: u32 = 1 << 1;
    pub(crate) const MTIM: u32 = 1 << 2;
    pub(crate) const MTIM_NOW: u32 = 1 << 3;
    pub(crate) const ALL: u32 = (1 << 4) - 1;
}

/// The one bit of `lookupflags`.
pub(crate) const SYMLINK_FOLLOW: u32 = 1;

/// `event`: the same in both generations.
pub(crate) const EVENT_SIZE: u32 = 32;
/// `dirent`, followed by the name.
pub(crate) const DIRENT_SIZE: usize = 24;
/// `fdstat`.
pub(crate) const FDSTAT_SIZE: u32 = 24;

/// Where the parts of a `subscription` lie.
pub(crate) struct SubscriptionLayout {
    pub(crate) size: u32,
    pub(crate) tag: usize,
    pub(crate) fd: usize,
    pub(crate) clock_id: usize,
    pub(crate) timeout: usize,
    pub(crate) clock_flags: usize,
}

impl Snapshot {
    /// The layout of `subscription`; the older one has a `userdata` more.
    pub(crate) fn subscription(self) -> SubscriptionLayout {
        let (size, shift) = match self {
            Snapshot::Unstable => (56, 8),
            Snapshot::Preview1 => (48, 0),
        };
        SubscriptionLayout {
            size,
            tag: 8,
            fd: 16,
            clock_id: 16 + shift,
            timeout: 24 + shift,
            clock_flags: 40 + shift,
        }
    }

    /// The size of `filestat`.
    pub(crate) fn filestat_size(self) -> u32 {
        match self {
            Snapshot::Unstable => 56,
            Snapshot::Preview1 => 64,
        }
    }

    /// Translates a number of `whence`.
    pub(crate) fn whence(self, raw: u32) -> Result<Whence, Errno> {
        match (self, raw) {
            (Snapshot::Preview1, 0) | (Snapshot::Unstable, 2) => Ok(Whence::Set),
            (Snapshot::Preview1, 1) | (Snapshot::Unstable, 0) => Ok(Whence::Cur),
            (Snapshot::Preview1, 2) | (Snapshot::Unstable, 1) => Ok(Whence::End),
            _ => Err(Errno::INVAL),
        }
    }
}

/// From where `fd_seek` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whence {
    Set,
    Cur,
    End,
}

/// The attributes of a file, ready to be laid out for the guest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filestat {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) filetype: FileType,
    pub(crate) nlink: u64,
    pub(crate) size: u64,
    pub(crate) atim: u64,
    pub(crate) mtim: u64,
    pub(crate) ctim: u64,
}

/// Host seconds and nanoseconds as one timestamp; times before 1970 become 0 and
/// times after 2554 the last one that can be told.
fn timestamp(seconds: i64, nanoseconds: u64) -> u64 {
    u64::try_from(seconds)
        .map_or(0, |s| s.saturating_mul(1_000_000_000).saturating_add(nanoseconds))
}

#[allow(clippy::unnecessary_cast, reason = "the host's widths differ between architectures")]
impl From<&Stat> for Filestat {
    fn from(stat: &Stat) -> Filestat {
        Filestat {
            dev: stat.st_dev,
            ino: stat.st_ino,
            filetype: rustix::fs::FileType::from_raw_mode(stat.st_mode).into(),
            nlink: stat.st_nlink as u64,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            atim: timestamp(stat.st_atime, stat.st_atime_nsec as u64),
            mtim: timestamp(stat.st_mtime, stat.st_mtime_nsec as u64),
            ctim: timestamp(stat.st_ctime, stat.st_ctime_nsec as u64),
        }
    }
}

impl Filestat {
    /// What is known of something that is no file of the host.
    pub(crate) fn anonymous(filetype: FileType) -> Filestat {
        Filestat { dev: 0, ino: 0, filetype, nlink: 0, size: 0, atim: 0, mtim: 0, ctim: 0 }
    }

    /// The bytes for the guest: the first `snapshot.filestat_size()` of them count.
    pub(crate) fn encode(&self, snapshot: Snapshot) -> [u8; 64] {
        let mut out = [0; 64];
        out[0..8].copy_from_slice(&self.dev.to_le_bytes());
        out[8..16].copy_from_slice(&self.ino.to_le_bytes());
        out[16] = self.filetype as u8;
        let rest = match snapshot {
            Snapshot::Preview1 => {
                out[24..32].copy_from_slice(&self.nlink.to_le_bytes());
                32
            }
            Snapshot::Unstable => {
                let nlink = u32::try_from(self.nlink).unwrap_or(u32::MAX);
                out[20..24].copy_from_slice(&nlink.to_le_bytes());
                24
            }
        };
        for (index, value) in [self.size, self.atim, self.mtim, self.ctim].iter().enumerate() {
            out[rest + index * 8..][..8].copy_from_slice(&value.to_le_bytes());
        }
        out
    }
}

/// The bytes of an `fdstat`.
pub(crate) fn encode_fdstat(
    filetype: FileType,
    flags: u16,
    base: u64,
    inheriting: u64,
) -> [u8; FDSTAT_SIZE as usize] {
    let mut out = [0; FDSTAT_SIZE as usize];
    out[0] = filetype as u8;
    out[2..4].copy_from_slice(&flags.to_le_bytes());
    out[8..16].copy_from_slice(&base.to_le_bytes());
    out[16..24].copy_from_slice(&inheriting.to_le_bytes());
    out
}

/// The bytes of a `dirent`, without the name that follows it.
pub(crate) fn encode_dirent(
    next: u64,
    ino: u64,
    name_len: u32,
    filetype: FileType,
) -> [u8; DIRENT_SIZE] {
    let mut out = [0; DIRENT_SIZE];
    out[0..8].copy_from_slice(&next.to_le_bytes());
    out[8..16].copy_from_slice(&ino.to_le_bytes());
    out[16..20].copy_from_slice(&name_len.to_le_bytes());
    out[20] = filetype as u8;
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_the_epoch_are_zero_and_far_ones_saturate() {
        assert_eq!(timestamp(-5, 7), 0);
        assert_eq!(timestamp(1, 7), 1_000_000_007);
        assert_eq!(timestamp(i64::MAX, 0), u64::MAX);
    }

    #[test]
    fn the_older_filestat_has_a_short_link_count() {
        let mut stat = Filestat::anonymous(FileType::RegularFile);
        (stat.nlink, stat.size, stat.ctim) = (u64::MAX, 9, 11);
        let new = stat.encode(Snapshot::Preview1);
        let old = stat.encode(Snapshot::Unstable);
        assert_eq!((new[24], new[32], new[56]), (0xff, 9, 11));
        assert_eq!((old[20], old[24], old[48]), (0xff, 9, 11));
    }

    #[test]
    fn whence_differs_between_the_generations() {
        assert_eq!(Snapshot::Preview1.whence(0), Ok(Whence::Set));
        assert_eq!(Snapshot::Unstable.whence(0), Ok(Whence::Cur));
        assert_eq!(Snapshot::Preview1.whence(3), Err(Errno::INVAL));
    }
}
