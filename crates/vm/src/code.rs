//! Machine code in memory, and the registry that tells which code a program counter lies in.
//!
//! Pages are written first and become executable afterwards, never both. The registry is read by
//! the signal handler. It may take the lock there: a fault that is ours happened in machine code,
//! which holds no lock; a fault inside the registry itself is recognised by a thread-local flag
//! and is not ours. Writers hold the lock for a map insertion only.

use std::any::Any;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, PoisonError, RwLock};

use selkie_module::TrapCode;
use selkie_module::frames::Landing;

use crate::ResourceError;
use crate::mmap::{Mapping, page_bytes};

/// What the runtime knows about published code. Kept alive by the registry: an object that owned
/// its own [`CodeMemory`] would never be dropped.
pub trait CodeObject: Any + Send + Sync {
    /// The trap that a fault of the instruction at `offset` (from the start of the code) means;
    /// `None` for an instruction that must not fault. Called inside a signal handler: no
    /// allocation, no locks, no system calls.
    fn trap_at(&self, offset: usize) -> Option<TrapCode>;

    /// Shows the slots that hold references in a frame whose call returns to `return_offset` (from
    /// the start of the code), by their distance below the frame pointer.
    fn each_slot(&self, return_offset: usize, see: &mut dyn FnMut(u32));

    /// Where an exception goes on that was thrown by the call that returns to `return_offset`.
    fn landing(&self, return_offset: usize) -> Option<Landing>;
}

struct Region {
    start: usize,
    object: Arc<dyn CodeObject>,
}

/// Published code by the address of its last byte.
static REGISTRY: RwLock<BTreeMap<usize, Region>> = RwLock::new(BTreeMap::new());

thread_local! {
    static IN_REGISTRY: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f` with the flag set that keeps the signal handler away from the lock.
fn guarded<R>(f: impl FnOnce() -> R) -> R {
    struct Reset(bool);
    impl Drop for Reset {
        fn drop(&mut self) {
            IN_REGISTRY.set(self.0);
        }
    }
    let _reset = Reset(IN_REGISTRY.replace(true));
    f()
}

/// The code object that `pc` lies in, and the offset from its start.
pub fn lookup(pc: usize) -> Option<(Arc<dyn CodeObject>, usize)> {
    guarded(|| {
        let registry = REGISTRY.read().unwrap_or_else(PoisonError::into_inner);
        let (_, region) = registry.range(pc..).next()?;
        (region.start <= pc).then(|| (region.object.clone(), pc - region.start))
    })
}

/// The extent of the code that `pc` lies in, and its object.
pub(crate) fn region(pc: usize) -> Option<(Range<usize>, Arc<dyn CodeObject>)> {
    guarded(|| {
        let registry = REGISTRY.read().unwrap_or_else(PoisonError::into_inner);
        let (last, region) = registry.range(pc..).next()?;
        (region.start <= pc).then(|| (region.start..last + 1, region.object.clone()))
    })
}

/// The trap at `pc`, for the signal handler.
pub(crate) fn trap_at(pc: usize) -> Option<TrapAt> {
    if IN_REGISTRY.get() {
        return None;
    }
    guarded(|| {
        let registry = REGISTRY.read().unwrap_or_else(PoisonError::into_inner);
        let (_, region) = registry.range(pc..).next()?;
        (region.start <= pc).then(|| TrapAt { code: region.object.trap_at(pc - region.start) })
    })
}

/// Proof that a program counter lies in published code.
pub(crate) struct TrapAt {
    pub(crate) code: Option<TrapCode>,
}

/// Executable memory. Published code is found by the signal handler until it is dropped.
#[derive(Debug)]
pub struct CodeMemory {
    mapping: Mapping,
    len: usize,
    is_published: bool,
}

impl CodeMemory {
    /// A copy of these bytes.
    pub fn from_bytes(code: &[u8]) -> Result<CodeMemory, ResourceError> {
        CodeMemory::with_writer(code.len(), |target, _| target.copy_from_slice(code))
    }

    /// Memory of `len` bytes that `write` fills; its second argument is the address the code will
    /// run at, for relocations. The bytes are traps before they are written.
    pub fn with_writer(
        len: usize,
        write: impl FnOnce(&mut [u8], usize),
    ) -> Result<CodeMemory, ResourceError> {
        let mapping = Mapping::zeroed(len)?;
        // SAFETY: the mapping is readable and writable, not shared with anybody yet, and lives
        // longer than the slice.
        let bytes = unsafe { std::slice::from_raw_parts_mut(mapping.addr(), mapping.len()) };
        const BREAKPOINT: u8 = 0xcc;
        bytes[len..].fill(BREAKPOINT);
        write(&mut bytes[..len], mapping.addr() as usize);
        mapping.allow_execute()?;
        Ok(CodeMemory { mapping, len, is_published: false })
    }

    /// The code at `offset` of a file: mapped where `offset` is a multiple of the page size,
    /// copied otherwise. The file must not change while the code lives.
    pub fn from_file(
        fd: BorrowedFd<'_>,
        offset: u64,
        len: usize,
    ) -> Result<CodeMemory, ResourceError> {
        check_file_range(fd, offset, len as u64)?;
        if offset.is_multiple_of(page_bytes() as u64) {
            let mapping = Mapping::executable_file(fd, offset, len)?;
            return Ok(CodeMemory { mapping, len, is_published: false });
        }
        let mut read = Ok(());
        let memory =
            CodeMemory::with_writer(len, |target, _| read = read_exact_at(fd, target, offset))?;
        read.map(|()| memory)
    }

    /// Address of the first byte.
    pub fn base(&self) -> *const u8 {
        self.mapping.addr()
    }

    /// Bytes of code.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no code at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The code as data, constants included.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping is readable, `len` bytes long at least, never written after
        // construction, and lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.mapping.addr(), self.len) }
    }

    /// Makes the code known to the signal handler and to [`lookup`]. Publishing again replaces
    /// the object.
    pub fn publish(&mut self, object: Arc<dyn CodeObject>) {
        if self.len == 0 {
            return;
        }
        let start = self.mapping.addr() as usize;
        let region = Region { start, object };
        let replaced = guarded(|| {
            REGISTRY
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(start + self.len - 1, region)
        });
        self.is_published = true;
        // Dropped outside the lock: the object's destructor is not ours.
        drop(replaced);
    }
}

impl Drop for CodeMemory {
    fn drop(&mut self) {
        if !self.is_published {
            return;
        }
        let last = self.mapping.addr() as usize + self.len - 1;
        let removed =
            guarded(|| REGISTRY.write().unwrap_or_else(PoisonError::into_inner).remove(&last));
        drop(removed);
    }
}

/// Whether a file has these bytes: reading a mapping past its end would fault.
pub(crate) fn check_file_range(
    fd: BorrowedFd<'_>,
    offset: u64,
    len: u64,
) -> Result<(), ResourceError> {
    let stat = rustix::fs::fstat(fd)
        .map_err(|errno| ResourceError::system("ask for the size of a file", 0, errno))?;
    let end = offset.checked_add(len).ok_or(ResourceError::OutOfRange)?;
    if u64::try_from(stat.st_size).is_ok_and(|size| end <= size) {
        Ok(())
    } else {
        Err(ResourceError::OutOfRange)
    }
}

/// Reads exactly `target.len()` bytes at `offset`.
pub(crate) fn read_exact_at(
    fd: BorrowedFd<'_>,
    mut target: &mut [u8],
    mut offset: u64,
) -> Result<(), ResourceError> {
    while !target.is_empty() {
        match rustix::io::pread(fd, &mut *target, offset) {
            Ok(0) => return Err(ResourceError::OutOfRange),
            Ok(read) => {
                target = &mut target[read..];
                offset += read as u64;
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(ResourceError::system("read from a file", 0, errno)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;

    struct AlwaysUnreachable;

    impl CodeObject for AlwaysUnreachable {
        fn trap_at(&self, offset: usize) -> Option<TrapCode> {
            (offset == 0).then_some(TrapCode::Unreachable)
        }

        fn each_slot(&self, _: usize, _: &mut dyn FnMut(u32)) {}

        fn landing(&self, _: usize) -> Option<Landing> {
            None
        }
    }

    /// `mov eax, 42; ret`
    const ANSWER: &[u8] = &[0xb8, 42, 0, 0, 0, 0xc3];

    fn run(memory: &CodeMemory) -> u32 {
        // SAFETY: `ANSWER` is a function of the C convention.
        unsafe { std::mem::transmute::<*const u8, extern "C" fn() -> u32>(memory.base())() }
    }

    #[test]
    fn copied_code_runs() {
        assert_eq!(run(&CodeMemory::from_bytes(ANSWER).unwrap()), 42);
    }

    #[test]
    fn code_from_a_file_runs_at_any_offset() {
        let fd = rustix::fs::memfd_create("code", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let mut file = std::fs::File::from(fd);
        file.write_all(&vec![0xcc; 4096]).unwrap();
        file.write_all(ANSWER).unwrap();
        file.write_all(ANSWER).unwrap();
        for offset in [4096, 4096 + ANSWER.len() as u64] {
            let memory = CodeMemory::from_file(file.as_fd(), offset, ANSWER.len()).unwrap();
            assert_eq!(run(&memory), 42);
        }
        let past_end = CodeMemory::from_file(file.as_fd(), 4096, 4096);
        assert!(matches!(past_end, Err(ResourceError::OutOfRange)));
    }

    #[test]
    fn published_code_is_found_until_it_is_dropped() {
        let mut memory = CodeMemory::from_bytes(ANSWER).unwrap();
        let start = memory.base() as usize;
        assert!(lookup(start).is_none());
        memory.publish(Arc::new(AlwaysUnreachable));
        assert_eq!(lookup(start + 5).map(|(_, offset)| offset), Some(5));
        assert!(lookup(start + ANSWER.len()).is_none());
        assert!(lookup(start - 1).is_none());
        assert_eq!(trap_at(start).and_then(|t| t.code), Some(TrapCode::Unreachable));
        drop(memory);
        assert!(lookup(start).is_none());
    }

    #[test]
    fn the_handler_stays_away_while_the_thread_is_in_the_registry() {
        let mut memory = CodeMemory::from_bytes(ANSWER).unwrap();
        memory.publish(Arc::new(AlwaysUnreachable));
        assert!(guarded(|| trap_at(memory.base() as usize)).is_none());
    }
}
