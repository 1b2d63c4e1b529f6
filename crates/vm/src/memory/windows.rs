//! Knowing what a guest has written without asking: pages are closed for writing until they are
//! needed.
//!
//! A memory whose earlier users wrote to a few places only has *windows*: those pages can be
//! written, all others of its initial length can be read. What lies outside the windows has
//! therefore not been touched, which no system call has to tell. The first write outside faults;
//! the handler opens the page, makes it part of a window, and the instruction runs again: guests,
//! and host code that copies, notice nothing. System calls do not fault but fail, so whoever lets
//! the system write into a memory opens the range first.
//!
//! A user that needs many more pages than the former ones makes everything open: its memory has
//! *escaped*, and is asked about afterwards.
//!
//! The fault handler finds windows in a list by address: watched memories begin at least 4 GiB
//! apart. Invariant: windows are listed exactly while their memory is watched, and a place of the
//! list that is about another memory is never followed.

use std::ops::Range;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use crate::mmap::{Mapping, page_bytes};

/// Windows of a memory at most. Each is a mapping of the process, and so is what lies behind it.
pub(super) const MAX_WINDOWS: usize = 64;
/// Bytes of all windows at most: cleaning them costs this much, written or not.
pub(super) const MAX_WINDOW_BYTES: usize = 512 << 10;
/// Places that one user may have opened for it. Each costs some microseconds, more than asking the
/// system once.
const MAX_FAULTS: usize = 12;
/// Windows of all memories, about: none is watched anew beyond them. A process has 65,530 mappings unless it is told otherwise.
const MAX_WINDOWS_OF_ALL: usize = 8 << 10;

const ESCAPED: usize = usize::MAX;
const PLACE_SHIFT: u32 = 32;
/// User addresses have 47 bits.
const PLACES: usize = 1 << (47 - PLACE_SHIFT);

static ALL: AtomicUsize = AtomicUsize::new(0);
static BASES: [AtomicUsize; PLACES] = [const { AtomicUsize::new(0) }; PLACES];
static LISTED: [AtomicPtr<Windows>; PLACES] =
    [const { AtomicPtr::new(std::ptr::null_mut()) }; PLACES];

/// The windows of one memory. Belongs to whoever owns the memory; the fault handler changes it on
/// the thread that uses the memory.
#[derive(Debug)]
pub(super) struct Windows {
    base: usize,
    /// From the base on: what is closed where there is no window.
    watched_bytes: usize,
    /// Their number; or [`ESCAPED`].
    count: AtomicUsize,
    starts: [AtomicUsize; MAX_WINDOWS],
    ends: [AtomicUsize; MAX_WINDOWS],
    bytes: AtomicUsize,
    faults: AtomicUsize,
    /// What it has added to the number of all.
    counted: AtomicUsize,
}

/// Windows at an address that the list of all leads to.
#[derive(Debug)]
pub(super) struct Watch {
    place: NonNull<Windows>,
}

// SAFETY: windows are numbers, all of them atomic, and belong to no thread.
unsafe impl Send for Watch {}
// SAFETY: as above.
unsafe impl Sync for Watch {}

impl Watch {
    fn new(windows: Windows) -> Watch {
        Watch { place: NonNull::from(Box::leak(Box::new(windows))) }
    }
}

impl std::ops::Deref for Watch {
    type Target = Windows;

    fn deref(&self) -> &Windows {
        // SAFETY: made by `new`, and freed with `self`.
        unsafe { self.place.as_ref() }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // SAFETY: made by `new` from a box, and dropped once. Unlisted first, by its own `drop`.
        drop(unsafe { Box::from_raw(self.place.as_ptr()) });
    }
}

impl Windows {
    /// Closes the first `watched_bytes` of a memory but for some ranges, and watches it. `None`
    /// where that is not worth it or not possible: then all of it is open.
    ///
    /// The memory reserves 4 GiB at least, and these ranges are ascending and apart.
    pub(super) fn watch(
        mapping: &Mapping,
        watched_bytes: usize,
        open: &[Range<usize>],
    ) -> Option<Watch> {
        let bytes: usize = open.iter().map(Range::len).sum();
        let place = mapping.addr() as usize >> PLACE_SHIFT;
        if open.len() > MAX_WINDOWS || bytes > MAX_WINDOW_BYTES || place >= PLACES {
            return None;
        }
        debug_assert!(mapping.len() >= 1 << PLACE_SHIFT);
        let counted = open.len() + 1;
        if ALL.fetch_add(counted, Ordering::Relaxed) + counted > MAX_WINDOWS_OF_ALL {
            ALL.fetch_sub(counted, Ordering::Relaxed);
            return None;
        }
        let windows = Watch::new(Windows {
            base: mapping.addr() as usize,
            watched_bytes,
            count: AtomicUsize::new(open.len()),
            starts: [const { AtomicUsize::new(0) }; MAX_WINDOWS],
            ends: [const { AtomicUsize::new(0) }; MAX_WINDOWS],
            bytes: AtomicUsize::new(bytes),
            faults: AtomicUsize::new(0),
            counted: AtomicUsize::new(counted),
        });
        for (i, range) in open.iter().enumerate() {
            windows.starts[i].store(range.start, Ordering::Relaxed);
            windows.ends[i].store(range.end, Ordering::Relaxed);
        }
        let closed = mapping.allow_read(0, watched_bytes);
        let opened = open.iter().try_for_each(|r| mapping.allow_write(r.start, r.len()));
        if closed.and(opened).is_err() {
            // All or nothing: a memory is never closed without somebody who opens it.
            windows.open_all();
            return None;
        }
        LISTED[place].store(windows.place.as_ptr(), Ordering::Release);
        BASES[place].store(windows.base, Ordering::Release);
        Some(windows)
    }

    /// The windows, in no order; `None` when the memory has escaped.
    pub(super) fn ranges(&self) -> Option<impl Iterator<Item = Range<usize>>> {
        let count = self.count.load(Ordering::Relaxed);
        let range =
            |i: usize| self.starts[i].load(Ordering::Relaxed)..self.ends[i].load(Ordering::Relaxed);
        (count != ESCAPED).then(|| (0..count).map(range))
    }

    /// Begins anew for the next user.
    pub(super) fn forget_faults(&self) {
        // A store costs more than a look where several memories are in turn.
        if self.faults.load(Ordering::Relaxed) != 0 {
            self.faults.store(0, Ordering::Relaxed);
        }
    }

    /// Opens everything. `false` where the system refuses.
    pub(super) fn open_all(&self) -> bool {
        self.count.store(ESCAPED, Ordering::Relaxed);
        allow_write(self.base, self.watched_bytes)
    }

    /// Opens a range for whoever may not fault.
    pub(super) fn open(&self, range: Range<usize>) -> bool {
        let page = page_bytes();
        let end = range.end.next_multiple_of(page).min(self.watched_bytes);
        let mut at = range.start / page * page;
        while at < end {
            let Some(mut ranges) = self.ranges() else { return true };
            if let Some(window) = ranges.find(|window| window.contains(&at)) {
                at = window.end;
                continue;
            }
            let starts = self.ranges().into_iter().flatten().map(|window| window.start);
            let next = starts.filter(|start| *start > at).min().map_or(end, |next| next.min(end));
            if !self.open_pages(at..next) {
                return false;
            }
            at = next;
        }
        true
    }

    /// Opens pages that are in no window.
    fn open_pages(&self, pages: Range<usize>) -> bool {
        let count = self.count.load(Ordering::Relaxed);
        let bytes = self.bytes.load(Ordering::Relaxed) + pages.len();
        let faults = self.faults.fetch_add(1, Ordering::Relaxed);
        if count == ESCAPED || faults >= MAX_FAULTS || bytes > MAX_WINDOW_BYTES {
            return self.open_all();
        }
        let before = (0..count).find(|i| self.ends[*i].load(Ordering::Relaxed) == pages.start);
        let behind = (0..count).find(|i| self.starts[*i].load(Ordering::Relaxed) == pages.end);
        if before.is_none() && behind.is_none() && count == MAX_WINDOWS
            || !allow_write(self.base + pages.start, pages.len())
        {
            return self.open_all();
        }
        match (before, behind) {
            (Some(window), _) => self.ends[window].store(pages.end, Ordering::Relaxed),
            (None, Some(window)) => self.starts[window].store(pages.start, Ordering::Relaxed),
            (None, None) => {
                self.starts[count].store(pages.start, Ordering::Relaxed);
                self.ends[count].store(pages.end, Ordering::Relaxed);
                self.count.store(count + 1, Ordering::Relaxed);
                self.counted.fetch_add(1, Ordering::Relaxed);
                ALL.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.bytes.store(bytes, Ordering::Relaxed);
        true
    }
}

impl Drop for Windows {
    fn drop(&mut self) {
        let place = self.base >> PLACE_SHIFT;
        if BASES[place].load(Ordering::Relaxed) == self.base {
            BASES[place].store(0, Ordering::Release);
            LISTED[place].store(std::ptr::null_mut(), Ordering::Release);
        }
        ALL.fetch_sub(self.counted.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// Lets the system write to bytes of a guest's memory for this process: pages that no instance has
/// written may be closed, which a system call reports as an error (`EFAULT`) where an instruction
/// would fault and run again. Nothing to be done for any other bytes. `false` where the system does
/// not allow it.
pub fn prepare_for_system(bytes: &mut [u8]) -> bool {
    let (start, len) = (bytes.as_ptr() as usize, bytes.len());
    if len == 0 {
        return true;
    }
    // SAFETY: the bytes are borrowed exclusively, so that their memory, if they are part of one, is
    // not dropped meanwhile, and nobody else opens pages of it.
    let Some(windows) = (unsafe { windows_at(start) }) else { return true };
    windows.open(start - windows.base..(start - windows.base).saturating_add(len))
}

/// The windows of the watched memory that an address lies in.
///
/// # Safety
/// If it lies in one, that is not dropped while the answer is in use.
unsafe fn windows_at<'w>(address: usize) -> Option<&'w Windows> {
    let place = address >> PLACE_SHIFT;
    // A memory of 4 GiB begins in this part of the address space or in the one before.
    [place, place.wrapping_sub(1)].into_iter().find_map(|place| {
        let base = BASES.get(place)?.load(Ordering::Acquire);
        // The windows of another memory may go at any time, and are not looked at.
        if base == 0 || !(base..base + (1 << PLACE_SHIFT)).contains(&address) {
            return None;
        }
        // SAFETY: listed windows are live, and these stay by contract.
        unsafe { LISTED[place].load(Ordering::Acquire).as_ref() }
    })
}

/// Opens the page at an address that a write faulted at, if it is one of a watched memory. For the
/// fault handler: takes no lock and allocates nothing.
pub(crate) fn open_for_write(address: usize) -> bool {
    // SAFETY: who faults inside a memory uses it, and it is not dropped while that goes on.
    let Some(windows) = (unsafe { windows_at(address) }) else { return false };
    let at = (address - windows.base) / page_bytes() * page_bytes();
    // Everything is open where it has escaped: the fault is another one.
    at < windows.watched_bytes
        && windows.ranges().is_some_and(|mut ranges| !ranges.any(|range| range.contains(&at)))
        && windows.open_pages(at..at + page_bytes())
}

/// Opens pages of a memory for reading and writing.
fn allow_write(address: usize, bytes: usize) -> bool {
    use rustix::mm::MprotectFlags;
    let access = MprotectFlags::READ | MprotectFlags::WRITE;
    // SAFETY: the pages lie in the initial length of a live memory, which its users may write.
    unsafe { rustix::mm::mprotect(address as *mut _, bytes, access) }.is_ok()
}
