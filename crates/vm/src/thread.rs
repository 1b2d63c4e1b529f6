//! What a thread has while it runs WebAssembly: the store it is inside, a stack of its own and some
//! to spare, the limit of its host stack, and an alternate signal stack.
//!
//! The hot part is constant-initialised and without destructor, so that reading it is one
//! instruction and safe in a signal handler. The cold part is made once per thread and cleans up
//! when the thread ends.

use std::cell::Cell;

use crate::mmap::Mapping;
use crate::stack::{self, StackMemory};
use crate::{ResourceError, StoreRuntime};

/// Host stack that must be left for a call into WebAssembly.
const HOST_RESERVE_BYTES: usize = 256 << 10;
/// The least alternate signal stack our handler accepts, and what it installs otherwise.
const SIGNAL_STACK_MIN_BYTES: usize = 32 << 10;
const SIGNAL_STACK_BYTES: usize = 64 << 10;
/// What lies below the top of the main thread's stack is its own, up to this: the kernel puts
/// nothing nearer than twice as much.
const MAIN_STACK_CERTAIN_BYTES: usize = 64 << 20;
const MAIN_STACK_UNIT_BYTES: usize = 4096;

pub(crate) struct ThreadState {
    /// The store this thread is inside of; null outside WebAssembly.
    pub(crate) current: Cell<*mut StoreRuntime>,
    /// Host stack pointers below this need a closer look. All of them do before `prepare`.
    pub(crate) host_limit: Cell<usize>,
    /// Lowest address of the host stack.
    host_low: Cell<usize>,
    /// Top of the stack that this thread's outermost calls run on; null for none yet. In use
    /// exactly while `current` is not null.
    own_stack: Cell<*mut u8>,
    /// Lowest usable address of that stack; for none an address that is no stack's.
    own_low: Cell<*mut u8>,
    /// Stacks that nobody uses; null where there is none.
    spares: [Cell<*mut u8>; SPARES],
    /// The one of them that goes next when there is no room.
    oldest: Cell<usize>,
}

/// Not the null that a store has which never ran.
const NO_STACK: *mut u8 = std::ptr::without_provenance_mut(usize::MAX);

/// Stacks that a thread keeps for the next calls that need one.
const SPARES: usize = 8;

thread_local! {
    static STATE: ThreadState = const {
        ThreadState {
            current: Cell::new(std::ptr::null_mut()),
            host_limit: Cell::new(usize::MAX),
            host_low: Cell::new(0),
            own_stack: Cell::new(std::ptr::null_mut()),
            own_low: Cell::new(NO_STACK),
            spares: [const { Cell::new(std::ptr::null_mut()) }; SPARES],
            oldest: Cell::new(0),
        }
    };
    static OWNED: Owned = Owned::new();
}

/// The state of this thread. Without a destructor it lives as long as the thread.
///
/// A pointer, because a large closure for `LocalKey::with` is not inlined and costs two calls.
#[inline(always)]
pub(crate) fn state() -> *const ThreadState {
    STATE.with(|state| state as *const ThreadState)
}

/// A stack of this size that the thread keeps.
pub(crate) fn take_spare(usable_bytes: usize) -> Option<StackMemory> {
    // SAFETY: the state lives as long as this thread, which runs this function.
    let spares = unsafe { &(*state()).spares };
    let fits = |place: &&Cell<*mut u8>| {
        let top = place.get();
        // SAFETY: the places hold tops of stacks that this thread owns.
        !top.is_null() && unsafe { stack::usable_bytes_of(top) } == usable_bytes
    };
    let top = spares.iter().find(fits)?.replace(std::ptr::null_mut());
    // SAFETY: the places hold what `into_raw` gave, and this one was emptied just now.
    Some(unsafe { StackMemory::from_raw(top) })
}

/// Leaves a stack to the thread. Answers the one that must go instead: itself, where the thread
/// never ran WebAssembly or is about to end.
pub(crate) fn keep_spare(stack: StackMemory) -> Option<StackMemory> {
    // SAFETY: as in `take_spare`.
    let state = unsafe { &*state() };
    if state.host_limit.get() == usize::MAX {
        return Some(stack);
    }
    if let Some(place) = state.spares.iter().find(|place| place.get().is_null()) {
        place.set(stack.into_raw());
        return None;
    }
    let oldest = state.oldest.replace((state.oldest.get() + 1) % SPARES);
    let top = state.spares[oldest].replace(stack.into_raw());
    // SAFETY: as in `take_spare`.
    Some(unsafe { StackMemory::from_raw(top) })
}

/// Whether a call may go on with this host stack pointer.
pub(crate) enum HostStack {
    Enough,
    Exhausted,
}

impl ThreadState {
    /// The closer look: prepares the thread if it is new, then compares again.
    #[cold]
    pub(crate) fn check_host_stack(&self, sp: usize) -> Result<HostStack, ResourceError> {
        if self.host_limit.get() == usize::MAX {
            self.prepare()?;
        }
        // A stack pointer outside the thread's own stack belongs to a fiber of the embedder,
        // about which nothing is known.
        let low = self.host_low.get();
        let is_exhausted = sp >= low && sp < self.host_limit.get();
        Ok(if is_exhausted { HostStack::Exhausted } else { HostStack::Enough })
    }

    fn prepare(&self) -> Result<(), ResourceError> {
        crate::signals::install_handlers()?;
        // While the thread ends its owned part may be gone already: such a late call is refused.
        let ready = OWNED.try_with(|owned| owned.signal_stack_error.get());
        match ready {
            Ok(None) => {}
            Ok(Some(errno)) => {
                return Err(ResourceError::System {
                    action: "install a signal stack",
                    bytes: SIGNAL_STACK_BYTES,
                    source: std::io::Error::from_raw_os_error(errno),
                });
            }
            Err(_) => return Err(ResourceError::OutOfMemory { bytes: SIGNAL_STACK_BYTES }),
        }
        let (low, bytes) = host_stack_bounds()?;
        self.host_low.set(low);
        self.host_limit.set(low.saturating_add(HOST_RESERVE_BYTES.min(bytes / 4)));
        Ok(())
    }

    /// Top of the thread's own stack if it has this size and nobody uses it.
    #[inline(always)]
    pub(crate) fn idle_stack(&self, usable_bytes: usize) -> Option<*mut u8> {
        let top = self.own_stack.get();
        let is_idle = self.current.get().is_null() && !top.is_null();
        // SAFETY: `own_stack` holds the top of a stack that this thread owns.
        (is_idle && unsafe { stack::usable_bytes_of(top) } == usable_bytes).then_some(top)
    }

    /// Whether a stack between these addresses is the thread's own, and nobody uses it.
    #[inline(always)]
    pub(crate) fn has_idle(&self, low: *mut u8, top: *mut u8) -> bool {
        self.current.get().is_null() && self.own_stack.get() == top && self.own_low.get() == low
    }

    /// Makes a stack the thread's own. Only while the thread is inside no store: the former one
    /// goes to the pool.
    pub(crate) fn keep_stack(&self, stack: StackMemory) {
        debug_assert!(self.current.get().is_null());
        self.drop_stack();
        let top = stack.into_raw();
        self.own_stack.set(top);
        // SAFETY: `into_raw` gives the top of a stack.
        self.own_low.set(unsafe { stack::low_of(top) });
    }

    fn drop_stack(&self) {
        let top = self.own_stack.replace(std::ptr::null_mut());
        self.own_low.set(NO_STACK);
        if !top.is_null() {
            // SAFETY: `own_stack` holds what `into_raw` gave, and was emptied just now.
            unsafe { StackMemory::from_raw(top) }.release();
        }
    }
}

/// Lowest address and size of this thread's host stack.
fn host_stack_bounds() -> Result<(usize, usize), ResourceError> {
    let Some((top, limit_bytes)) = main_stack() else { return thread_stack_bounds() };
    if limit_bytes <= MAIN_STACK_CERTAIN_BYTES {
        return Ok((top - limit_bytes, limit_bytes));
    }
    let certain = (top - MAIN_STACK_CERTAIN_BYTES, MAIN_STACK_CERTAIN_BYTES);
    Ok(thread_stack_bounds().unwrap_or(certain))
}

/// Top and greatest size of the main thread's stack, if that is where this function runs.
///
/// The C library reads the same from /proc, which takes longer than all else that a first call
/// does, and is not possible where a process gave up its right to open files.
fn main_stack() -> Option<(usize, usize)> {
    let top = main_stack_top()?;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a local of the right type.
    if unsafe { libc::getrlimit(libc::RLIMIT_STACK, &mut limit) } != 0 {
        return None;
    }
    let limit_bytes = usize::try_from(limit.rlim_cur).ok()? & !(MAIN_STACK_UNIT_BYTES - 1);
    let used_bytes = top.checked_sub(crate::arch::stack_pointer())?;
    let is_here = used_bytes <= limit_bytes.min(MAIN_STACK_CERTAIN_BYTES);
    is_here.then_some((top, limit_bytes))
}

/// Where the main thread's stack begins, if the kernel tells.
fn main_stack_top() -> Option<usize> {
    // SAFETY: the call takes no pointer; its answer, unless null, is the string that the kernel put
    // at the upper end of the stack when the program began. It stays there.
    let name = unsafe {
        let name = libc::getauxval(libc::AT_EXECFN) as *const libc::c_char;
        (!name.is_null()).then(|| std::ffi::CStr::from_ptr(name))?
    };
    let end = name.as_ptr() as usize + name.count_bytes();
    Some(end.next_multiple_of(MAIN_STACK_UNIT_BYTES))
}

/// Lowest address and size of this thread's stack, as the C library knows them.
fn thread_stack_bounds() -> Result<(usize, usize), ResourceError> {
    let mut low = std::ptr::null_mut();
    let mut bytes = 0;
    // SAFETY: the attribute object is initialised by the first call (checked), read by the second
    // and destroyed by the third; all pointers are to locals.
    let found = unsafe {
        let mut attr = std::mem::zeroed::<libc::pthread_attr_t>();
        if libc::pthread_getattr_np(libc::pthread_self(), &mut attr) != 0 {
            return Err(ResourceError::last_os("ask for the bounds of the host stack"));
        }
        let found = libc::pthread_attr_getstack(&attr, &mut low, &mut bytes);
        libc::pthread_attr_destroy(&mut attr);
        found
    };
    if found != 0 {
        return Err(ResourceError::last_os("ask for the bounds of the host stack"));
    }
    Ok((low as usize, bytes))
}

/// What must be cleaned up when the thread ends.
struct Owned {
    signal_stack: Option<Mapping>,
    signal_stack_error: Cell<Option<i32>>,
}

impl Owned {
    fn new() -> Owned {
        match ensure_signal_stack() {
            Ok(signal_stack) => Owned { signal_stack, signal_stack_error: Cell::new(None) },
            Err(error) => {
                let errno = match &error {
                    ResourceError::System { source, .. } => source.raw_os_error(),
                    _ => None,
                };
                Owned {
                    signal_stack: None,
                    signal_stack_error: Cell::new(Some(errno.unwrap_or(libc::ENOMEM))),
                }
            }
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the thread still lives.
        let state = unsafe { &*state() };
        state.host_limit.set(usize::MAX);
        state.drop_stack();
        for place in &state.spares {
            let top = place.replace(std::ptr::null_mut());
            if !top.is_null() {
                // SAFETY: as in `take_spare`.
                unsafe { StackMemory::from_raw(top) }.share();
            }
        }
        if let Some(mapping) = &self.signal_stack
            && current_signal_stack().is_some_and(|s| s.ss_sp.cast() == mapping.addr())
        {
            let off = libc::stack_t {
                ss_sp: std::ptr::null_mut(),
                ss_flags: libc::SS_DISABLE,
                ss_size: 0,
            };
            // SAFETY: turns off the stack we installed; this is not a signal handler, so it is
            // not in use.
            unsafe { libc::sigaltstack(&off, std::ptr::null_mut()) };
        }
    }
}

fn current_signal_stack() -> Option<libc::stack_t> {
    // SAFETY: an all-zero `stack_t` is valid, and the call only writes to it.
    unsafe {
        let mut now = std::mem::zeroed::<libc::stack_t>();
        (libc::sigaltstack(std::ptr::null(), &mut now) == 0).then_some(now)
    }
}

/// Installs an alternate signal stack unless there is a large enough one. The lowest page stays
/// closed, so that overflowing it cannot go unnoticed.
fn ensure_signal_stack() -> Result<Option<Mapping>, ResourceError> {
    let is_enough = |s: libc::stack_t| {
        s.ss_flags & libc::SS_DISABLE == 0 && s.ss_size >= SIGNAL_STACK_MIN_BYTES
    };
    if current_signal_stack().is_some_and(is_enough) {
        return Ok(None);
    }
    let page = crate::page_bytes();
    let mapping = Mapping::reserve(page + SIGNAL_STACK_BYTES)?;
    mapping.allow_write(page, SIGNAL_STACK_BYTES)?;
    // The system is told the closed page, too: `ss_sp` then is the mapping's own address.
    let stack = libc::stack_t {
        ss_sp: mapping.addr().cast(),
        ss_flags: 0,
        ss_size: page + SIGNAL_STACK_BYTES,
    };
    // SAFETY: the range stays mapped until `Owned` is dropped, which turns it off first.
    if unsafe { libc::sigaltstack(&stack, std::ptr::null_mut()) } != 0 {
        return Err(ResourceError::last_os("install a signal stack"));
    }
    Ok(Some(mapping))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_stack_ends_where_the_kernel_says() {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let line = maps.lines().find(|line| line.ends_with("[stack]")).unwrap();
        let (_, rest) = line.split_once('-').unwrap();
        let (top, _) = rest.split_once(' ').unwrap();
        assert_eq!(main_stack_top(), Some(usize::from_str_radix(top, 16).unwrap()));
    }

    #[test]
    fn other_threads_are_not_taken_for_the_main_one() {
        let bounds = || {
            assert_eq!(main_stack(), None);
            host_stack_bounds().unwrap()
        };
        let (low, bytes) = std::thread::spawn(bounds).join().unwrap();
        assert!(bytes >= 64 << 10, "{bytes} bytes from {low:#x}");
    }
}
