//! Which pages of a private mapping have been written, as the system knows it.
//!
//! A page counts as written when the process has a copy of its own: it is there or swapped out, and
//! is neither the system's page of zeros nor still a page of the file that was mapped. That says
//! too much for pages written by a former user of the mapping, never too little.
//!
//! `PAGEMAP_SCAN` (Linux 6.7) tells it at once; before that, the numbers in `pagemap` do, one for
//! each page. A process without `/proc` gets no answer.

use std::fs::File;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

use crate::mmap::{Mapping, page_bytes};

/// Ranges that an answer holds at most: more of them are `None`.
pub(super) const MAX_RANGES: usize = 256;

/// `struct page_region` of the kernel.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct PageRegion {
    start: u64,
    end: u64,
    categories: u64,
}

/// `struct pm_scan_arg` of the kernel.
#[derive(Default)]
#[repr(C)]
struct ScanArg {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: libc::c_ulong =
    3 << 30 | (size_of::<ScanArg>() as libc::c_ulong) << 16 | (b'f' as libc::c_ulong) << 8 | 16;
const PAGE_IS_FILE: u64 = 1 << 2;
const PAGE_IS_PRESENT: u64 = 1 << 3;
const PAGE_IS_SWAPPED: u64 = 1 << 4;
const PAGE_IS_PFNZERO: u64 = 1 << 5;

/// The pages of a range that have been written, ascending, in bytes from `base`; `None` where the
/// system does not tell, or where they are more than `max_bytes` or than [`MAX_RANGES`] ranges.
pub(super) fn written(
    base: *mut u8,
    range: Range<usize>,
    max_bytes: usize,
) -> Option<Vec<Range<usize>>> {
    static SCAN_IS_UNKNOWN: AtomicBool = AtomicBool::new(false);
    if range.is_empty() {
        return Some(Vec::new());
    }
    with_pagemap(|pagemap| {
        if !SCAN_IS_UNKNOWN.load(Ordering::Relaxed) {
            match scan(pagemap, base, &range) {
                Ok(found) => return found,
                Err(_) => SCAN_IS_UNKNOWN.store(true, Ordering::Relaxed),
            }
        }
        read(pagemap, base, &range)
    })?
    .filter(|found| found.iter().map(Range::len).sum::<usize>() <= max_bytes)
}

fn scan(
    pagemap: &File,
    base: *mut u8,
    range: &Range<usize>,
) -> Result<Option<Vec<Range<usize>>>, std::io::Error> {
    let mut regions = [PageRegion::default(); MAX_RANGES];
    let mut arg = ScanArg {
        size: size_of::<ScanArg>() as u64,
        start: (base as usize + range.start) as u64,
        end: (base as usize + range.end) as u64,
        vec: regions.as_mut_ptr() as u64,
        vec_len: regions.len() as u64,
        category_inverted: PAGE_IS_FILE | PAGE_IS_PFNZERO,
        category_mask: PAGE_IS_FILE | PAGE_IS_PFNZERO,
        category_anyof_mask: PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
        // Nothing to tell neighbours apart by: they are one range.
        return_mask: PAGE_IS_FILE,
        ..ScanArg::default()
    };
    // SAFETY: the call reads the argument, writes to it and to the regions that it names, which
    // are ours and as long as it says; it changes no page.
    let count = unsafe { libc::ioctl(pagemap.as_raw_fd(), PAGEMAP_SCAN, &raw mut arg) };
    let count = usize::try_from(count).map_err(|_| std::io::Error::last_os_error())?;
    if arg.walk_end != arg.end {
        return Ok(None);
    }
    let offset = |address: u64| address as usize - base as usize;
    Ok(Some(regions[..count].iter().map(|r| offset(r.start)..offset(r.end)).collect()))
}

/// The same from the number of each page: bit 63 present, 62 swapped, 61 of a file.
fn read(pagemap: &File, base: *mut u8, range: &Range<usize>) -> Option<Vec<Range<usize>>> {
    let page = page_bytes();
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut buffer = [0; 8 * 512];
    let mut at = range.start;
    while at < range.end {
        let count = ((range.end - at) / page).min(buffer.len() / 8);
        let entries = &mut buffer[..count * 8];
        pagemap.read_exact_at(entries, ((base as usize + at) / page * 8) as u64).ok()?;
        for entry in entries.chunks_exact(8) {
            let is_there = entry[7] & 0b1100_0000 != 0;
            let is_of_file = entry[7] & 0b0010_0000 != 0;
            if is_there && !is_of_file {
                let count = found.len();
                match found.last_mut() {
                    Some(last) if last.end == at => last.end += page,
                    _ if count == MAX_RANGES => return None,
                    _ => found.push(at..at + page),
                }
            }
            at += page;
        }
    }
    Some(found)
}

/// `/proc/self/pagemap`, opened once. It speaks of the process that opened it, so a child of that
/// opens it anew: a page that the system empties in children says who we are.
fn with_pagemap<R>(ask: impl FnOnce(&File) -> R) -> Option<R> {
    static PAGEMAP: RwLock<Option<File>> = RwLock::new(None);
    let is_ours = is_parent()?;
    let known = PAGEMAP.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(file) = known.as_ref().filter(|_| is_ours.load(Ordering::Acquire) == 1) {
        return Some(ask(file));
    }
    drop(known);
    let mut known = PAGEMAP.write().unwrap_or_else(PoisonError::into_inner);
    *known = None;
    let file = known.insert(File::open("/proc/self/pagemap").ok()?);
    is_ours.store(1, Ordering::Release);
    Some(ask(file))
}

/// 1 in the process that has opened `pagemap`, 0 in its children until they do.
fn is_parent() -> Option<&'static AtomicU32> {
    static PAGE: OnceLock<Option<Mapping>> = OnceLock::new();
    let page = PAGE.get_or_init(|| {
        let page = Mapping::zeroed(page_bytes()).ok()?;
        page.empty_in_children().ok()?;
        Some(page)
    });
    // SAFETY: the mapping is readable and writable, zeroed, aligned to pages, never unmapped, and
    // used for nothing else.
    page.as_ref().map(|page| unsafe { &*page.addr().cast::<AtomicU32>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touched() -> (Mapping, Vec<Range<usize>>) {
        let mapping = Mapping::zeroed(64 * 4096).unwrap();
        let pages = [0, 3, 4, 5, 63];
        for page in pages {
            // SAFETY: the mapping is writable and this test's own.
            unsafe { mapping.addr().add(page * 4096 + 7).write(1) };
        }
        // Reading brings in the page of zeros, which nobody has written.
        // SAFETY: as above.
        assert_eq!(unsafe { mapping.addr().add(9 * 4096).read_volatile() }, 0);
        let page = |first: usize, behind: usize| first * 4096..behind * 4096;
        (mapping, vec![page(0, 1), page(3, 6), page(63, 64)])
    }

    #[test]
    fn written_pages_are_found_and_no_others() {
        let (mapping, want) = touched();
        let all = 0..mapping.len();
        assert_eq!(written(mapping.addr(), all.clone(), usize::MAX), Some(want.clone()));
        assert_eq!(written(mapping.addr(), 4096..8192, usize::MAX), Some(vec![]));
        assert_eq!(written(mapping.addr(), 0..0, usize::MAX), Some(vec![]));
        assert_eq!(written(mapping.addr(), all.clone(), 4 * 4096), None);
        assert_eq!(written(mapping.addr(), all, 5 * 4096), Some(want));
    }

    #[test]
    fn the_older_way_finds_all_that_the_newer_one_does() {
        let (mapping, want) = touched();
        let all = 0..mapping.len();
        let found = with_pagemap(|pagemap| read(pagemap, mapping.addr(), &all)).unwrap().unwrap();
        for range in want {
            assert!(found.iter().any(|f| f.start <= range.start && range.end <= f.end));
        }
    }

    #[test]
    fn too_many_ranges_are_no_answer() {
        let mapping = Mapping::zeroed(2 * (MAX_RANGES + 1) * 4096).unwrap();
        for i in 0..=MAX_RANGES {
            // SAFETY: the mapping is writable and this test's own.
            unsafe { mapping.addr().add(i * 2 * 4096).write(1) };
        }
        let half = 0..mapping.len() / 2;
        assert!(written(mapping.addr(), half.clone(), usize::MAX).is_some());
        assert_eq!(written(mapping.addr(), 0..mapping.len(), usize::MAX), None);
        let whole = 0..mapping.len();
        assert_eq!(with_pagemap(|p| read(p, mapping.addr(), &whole)), Some(None));
    }
}
