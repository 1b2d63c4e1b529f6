//! What a linear memory holds at first: made once for a module, shown by each of its instances.
//!
//! An image is a list of runs of whole pages; what lies between them is zero. Long runs are parts
//! of a sealed file in memory, which instances map for themselves and copy page by page as they
//! write; short ones are copied at once, which costs less than a mapping.
//!
//! Invariant: contents never change. No image is much larger than the segments it was made of.

use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags};

use super::restore;
use crate::ResourceError;
use crate::mmap::{Mapping, page_bytes};

/// Runs of at least so many bytes are mapped. Mapping one costs a system call and, for each page
/// that is read, a fault; below this, copying all of it takes less.
const MAPPED_MIN_BYTES: usize = 64 << 10;
/// Segments nearer to each other than this are in one run.
const GAP_BYTES: usize = 64 << 10;
/// Mapped runs at most: each is a mapping of each instance.
const MAX_MAPPED_RUNS: usize = 64;
/// What an image may have besides twice the bytes of its segments.
const SPARE_BYTES: usize = 1 << 20;

/// Initial contents of linear memories.
#[derive(Debug)]
pub struct MemoryImage {
    /// Ascending, with something between them.
    runs: Box<[Run]>,
    contents: Contents,
}

/// Pages in a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// Where it lies in a memory, a multiple of pages.
    pub(super) at: usize,
    /// A multiple of pages.
    pub(super) bytes: usize,
    /// Where it lies in the contents.
    pub(super) offset: usize,
}

impl Run {
    fn end(&self) -> usize {
        self.at + self.bytes
    }

    /// Whether instances map it.
    pub(super) fn is_mapped(&self) -> bool {
        self.bytes >= MAPPED_MIN_BYTES
    }
}

#[derive(Debug)]
enum Contents {
    Bytes(Box<[u8]>),
    File { file: OwnedFd, view: Mapping },
}

impl Contents {
    /// A file in memory that nobody can change any more, of which these parts are not zero.
    fn in_file(total: usize, parts: &[(usize, &[u8])]) -> Result<Contents, ResourceError> {
        let fail = |errno| ResourceError::system("make a memory image", total, errno);
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = rustix::fs::memfd_create("selkie-image", flags).map_err(fail)?;
        rustix::fs::ftruncate(&file, total as u64).map_err(fail)?;
        for (at, bytes) in parts {
            write_all_at(file.as_fd(), bytes, *at as u64)?;
        }
        let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(&file, seals).map_err(fail)?;
        let view = Mapping::readable_file(file.as_fd(), total)?;
        Ok(Contents::File { file, view })
    }
}

impl MemoryImage {
    /// The image of a memory into which these segments were copied, each at its place, in order.
    /// `None` where it would be out of proportion to them, or consist of too many parts.
    ///
    /// # Errors
    /// The system has no room for it.
    pub fn new(segments: &[(u64, &[u8])]) -> Result<Option<MemoryImage>, ResourceError> {
        let Some(runs) = runs_of(segments, GAP_BYTES) else { return Ok(None) };
        let total = total_bytes(&runs);
        let mapped = mapped_runs(&runs);
        let given: usize = segments.iter().map(|(_, bytes)| bytes.len()).sum();
        if mapped > MAX_MAPPED_RUNS || total > given.saturating_mul(2).saturating_add(SPARE_BYTES) {
            return Ok(None);
        }
        let mut bytes = vec![0; total];
        for (at, segment) in segments.iter().filter(|(_, segment)| !segment.is_empty()) {
            let place = place_of(&runs, *at as usize);
            bytes[place..place + segment.len()].copy_from_slice(segment);
        }
        let contents = match mapped {
            0 => Contents::Bytes(bytes.into()),
            _ => Contents::in_file(total, &[(0, &bytes)])?,
        };
        Ok(Some(MemoryImage { runs: runs.into(), contents }))
    }

    /// The image of a memory with these contents: `parts` are whole pages, ascending and apart.
    ///
    /// # Errors
    /// The system has no room for it.
    pub(super) fn of_contents(parts: &[(u64, &[u8])]) -> Result<MemoryImage, ResourceError> {
        let mut gap = GAP_BYTES;
        let mut runs = Vec::new();
        // All of the memory is one run at last.
        while gap > 0 {
            runs = runs_of(parts, gap).ok_or(ResourceError::OutOfRange)?;
            if mapped_runs(&runs) <= MAX_MAPPED_RUNS {
                break;
            }
            gap = gap.checked_mul(4).unwrap_or(0);
        }
        let total = total_bytes(&runs);
        let placed: Vec<(usize, &[u8])> =
            parts.iter().map(|(at, bytes)| (place_of(&runs, *at as usize), *bytes)).collect();
        let contents = match mapped_runs(&runs) {
            0 => {
                let mut bytes = vec![0; total];
                for (place, part) in placed {
                    bytes[place..place + part.len()].copy_from_slice(part);
                }
                Contents::Bytes(bytes.into())
            }
            _ => Contents::in_file(total, &placed)?,
        };
        Ok(MemoryImage { runs: runs.into(), contents })
    }

    /// Behind the last byte that is not known to be zero.
    pub fn end(&self) -> u64 {
        self.runs.last().map_or(0, Run::end) as u64
    }

    /// Bytes that the image itself takes, once for all instances.
    pub fn bytes(&self) -> usize {
        total_bytes(&self.runs)
    }

    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The runs that overlap a range.
    pub(super) fn runs_in(&self, range: &Range<usize>) -> &[Run] {
        let first = self.runs.partition_point(|run| run.end() <= range.start);
        let behind = self.runs.partition_point(|run| run.at < range.end);
        &self.runs[first..behind.max(first)]
    }

    /// The file that mapped runs are parts of.
    pub(super) fn file(&self) -> Option<BorrowedFd<'_>> {
        match &self.contents {
            Contents::File { file, .. } => Some(file.as_fd()),
            Contents::Bytes(_) => None,
        }
    }

    fn contents(&self) -> &[u8] {
        match &self.contents {
            Contents::Bytes(bytes) => bytes,
            // SAFETY: the whole file is mapped for reading as long as `self` lives, and it is
            // sealed: nobody can change it or make it shorter.
            Contents::File { view, .. } => unsafe {
                std::slice::from_raw_parts(view.addr(), self.bytes())
            },
        }
    }

    /// Writes what the pages of a range held at first.
    ///
    /// # Safety
    /// The range of a memory at `base`, whole pages, may be written, and nobody else uses it.
    pub(super) unsafe fn restore(&self, base: *mut u8, range: Range<usize>) {
        let contents = self.contents();
        let mut at = range.start;
        for run in self.runs_in(&range) {
            let (start, end) = (run.at.max(at), run.end().min(range.end));
            let from = &contents[run.offset + (start - run.at)..][..end - start];
            // SAFETY: both parts lie in the range, which the caller answers for.
            unsafe {
                restore::clear(base.add(at), start - at);
                restore::restore(base.add(start), from.as_ptr(), from.len());
            }
            at = end;
        }
        // SAFETY: as above.
        unsafe { restore::clear(base.add(at), range.end - at) };
    }
}

fn total_bytes(runs: &[Run]) -> usize {
    runs.last().map_or(0, |run| run.offset + run.bytes)
}

fn mapped_runs(runs: &[Run]) -> usize {
    runs.iter().filter(|run| run.is_mapped()).count()
}

/// The runs that segments make, those nearer to each other than `gap` bytes in one; `None` where one
/// has no place in an address space.
fn runs_of(segments: &[(u64, &[u8])], gap: usize) -> Option<Vec<Run>> {
    let page = page_bytes();
    let mut parts: Vec<Range<usize>> = Vec::new();
    for (at, bytes) in segments.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        let at = usize::try_from(*at).ok()?;
        let end = at.checked_add(bytes.len())?.checked_next_multiple_of(page)?;
        parts.push(at / page * page..end);
    }
    parts.sort_by_key(|part| part.start);
    let mut runs: Vec<Run> = Vec::new();
    for part in parts {
        match runs.last_mut() {
            Some(run) if part.start <= run.end().saturating_add(gap) => {
                run.bytes = run.bytes.max(part.end - run.at);
            }
            _ => runs.push(Run { at: part.start, bytes: part.len(), offset: 0 }),
        }
    }
    let mut offset = 0usize;
    for run in &mut runs {
        run.offset = offset;
        offset = offset.checked_add(run.bytes)?;
    }
    Some(runs)
}

/// Where a byte of a memory that lies in a run is in the contents.
fn place_of(runs: &[Run], at: usize) -> usize {
    let run = &runs[runs.partition_point(|run| run.end() <= at)];
    run.offset + (at - run.at)
}

fn write_all_at(file: BorrowedFd<'_>, mut bytes: &[u8], mut at: u64) -> Result<(), ResourceError> {
    while !bytes.is_empty() {
        let written = match rustix::io::pwrite(file, bytes, at) {
            Err(rustix::io::Errno::INTR) => continue,
            // A file in memory takes less than it was given only where there is no memory.
            Ok(0) => return Err(ResourceError::OutOfMemory { bytes: bytes.len() }),
            done => done.map_err(|errno| {
                ResourceError::system("write a memory image", bytes.len(), errno)
            })?,
        };
        bytes = &bytes[written..];
        at += written as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(segments: &[(u64, &[u8])]) -> MemoryImage {
        MemoryImage::new(segments).unwrap().unwrap()
    }

    fn restored(image: &MemoryImage, range: Range<usize>) -> Vec<u8> {
        let mut bytes = vec![255; range.end];
        // SAFETY: the vector is this long and ours.
        unsafe { image.restore(bytes.as_mut_ptr(), range) };
        bytes
    }

    #[test]
    fn later_segments_write_over_earlier_ones_and_gaps_are_zero() {
        let image = image(&[(4100, b"abcdef"), (4102, b"XY"), (8192, b""), (300_000, b"far")]);
        assert_eq!(image.runs().len(), 2);
        assert_eq!(image.end(), 303_104);
        let bytes = restored(&image, 0..303_104);
        assert_eq!(&bytes[4099..4107], b"\0abXYef\0");
        assert_eq!(&bytes[299_999..300_004], b"\0far\0");
        assert_eq!(bytes.iter().filter(|byte| **byte != 0).count(), 9);
    }

    #[test]
    fn a_part_is_restored_to_the_byte_and_nothing_around_it() {
        let long: Vec<u8> = (0..200_000_u32).map(|i| (i % 250) as u8 + 1).collect();
        for segments in [vec![(0, &long[..])], vec![(4096, &long[..9000])]] {
            let image = image(&segments);
            assert_eq!(image.file().is_some(), segments[0].1.len() > MAPPED_MIN_BYTES);
            let bytes = restored(&image, 8192..16_384);
            assert!(bytes[..8192].iter().all(|byte| *byte == 255));
            let from = 8192 - segments[0].0 as usize;
            let have = &segments[0].1[from..segments[0].1.len().min(from + 8192)];
            assert_eq!(&bytes[8192..8192 + have.len()], have);
            assert!(bytes[8192 + have.len()..].iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn images_out_of_proportion_are_not_made() {
        let far: Vec<(u64, &[u8])> = (0..1000).map(|i| (i * 200_000, &b"x"[..])).collect();
        assert!(MemoryImage::new(&far).unwrap().is_none());
        let long = vec![1; MAPPED_MIN_BYTES];
        let many: Vec<(u64, &[u8])> = (0..65).map(|i| (i * (1 << 20), &long[..])).collect();
        assert!(MemoryImage::new(&many).unwrap().is_none());
        assert!(MemoryImage::new(&[(u64::MAX, b"x")]).unwrap().is_none());
        assert_eq!(image(&[]).bytes(), 0);
    }
}
