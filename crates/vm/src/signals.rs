//! Faults of machine code become traps; all other faults go to whoever handled them before us.
//! First writes to memories that are watched (`memory::windows`) are no faults at all.
//!
//! A fault is ours when the kernel raised it for this thread, the thread is inside WebAssembly,
//! and the program counter lies in published code, at an instruction that may trap or with the
//! fault address in the guard of the current stack. Everything the handler reads is either
//! thread-local or behind the registry's lock (see `code.rs` for why it may take it).

use std::ffi::{c_int, c_void};
use std::sync::OnceLock;

use selkie_module::TrapCode;

use crate::call::UnwindSite;
use crate::stack::GUARD_BYTES;
use crate::{ResourceError, StoreRuntime, arch, code, memory, thread};

const SIGNALS: [c_int; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];

/// `si_code` of a signal that the kernel raised without saying more.
const SI_KERNEL: c_int = 0x80;
/// `si_code` of an access to a mapped page that does not allow it.
const SEGV_ACCERR: c_int = 2;
/// More than the kernel needs to call a handler, whatever registers there are.
const SIGNAL_FRAME_BYTES: usize = 32 << 10;

/// Who handled each signal before us.
static PREVIOUS: OnceLock<[libc::sigaction; SIGNALS.len()]> = OnceLock::new();

/// Installs the handlers, once per process. Called by itself at a thread's first call into
/// WebAssembly; an embedder that wants them in place before its own calls it earlier.
pub fn install_handlers() -> Result<(), ResourceError> {
    static DONE: OnceLock<Result<(), i32>> = OnceLock::new();
    let done = DONE.get_or_init(|| install().map_err(|e| e.raw_os_error().unwrap_or(libc::EIO)));
    done.map_err(|errno| ResourceError::System {
        action: "install signal handlers",
        bytes: 0,
        source: std::io::Error::from_raw_os_error(errno),
    })
}

/// Makes a write beyond the process's limit for file sizes an error (`EFBIG`), which whoever
/// writes can report, instead of the process's end. For programs; a library leaves it to them.
pub fn ignore_file_size_signal() {
    // SAFETY: no handler is installed. The call cannot fail: the signal exists and may be ignored.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

fn install() -> Result<(), std::io::Error> {
    // SAFETY: all-zero is a valid `sigaction`; each call reads and writes locals only; the handler
    // is async-signal-safe by construction. The previous handlers are known before ours exist.
    unsafe {
        let mut previous = [std::mem::zeroed::<libc::sigaction>(); SIGNALS.len()];
        for (signal, old) in SIGNALS.into_iter().zip(&mut previous) {
            if libc::sigaction(signal, std::ptr::null(), old) != 0 {
                return Err(std::io::Error::last_os_error());
            }
        }
        let _ = PREVIOUS.set(previous);
        for signal in SIGNALS {
            let mut ours = std::mem::zeroed::<libc::sigaction>();
            ours.sa_sigaction = handle as *const () as usize;
            ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigemptyset(&mut ours.sa_mask);
            if libc::sigaction(signal, &ours, std::ptr::null_mut()) != 0 {
                return Err(std::io::Error::last_os_error());
            }
        }
    }
    Ok(())
}

unsafe extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, state: *mut c_void) {
    // SAFETY: `__errno_location` is always valid; the others are the handler's own arguments.
    unsafe {
        let errno = *libc::__errno_location();
        if !is_first_write(signal, info) && !become_trap(signal, info, state) {
            pass_on(signal, info, state);
        }
        *libc::__errno_location() = errno;
    }
}

/// Opens the page if the fault is a write to a watched memory: the instruction runs again.
///
/// # Safety
/// The arguments are those of a signal handler.
unsafe fn is_first_write(signal: c_int, info: *mut libc::siginfo_t) -> bool {
    // SAFETY: `info` is valid by contract, and has an address where the kernel says why.
    unsafe {
        signal == libc::SIGSEGV
            && (*info).si_code == SEGV_ACCERR
            && memory::open_for_write((*info).si_addr() as usize)
    }
}

/// Turns the fault into a trap if it is ours.
///
/// # Safety
/// The arguments are those of a signal handler.
unsafe fn become_trap(signal: c_int, info: *mut libc::siginfo_t, state: *mut c_void) -> bool {
    // SAFETY: the state lives as long as this thread.
    let store = unsafe { (*thread::state()).current.get() };
    // SAFETY: `current` points to a live store while it is not null: `call` sets and resets it.
    // `info` and `state` are valid by contract.
    unsafe {
        if store.is_null() || (*store).vm.host_sp.is_null() || (*info).si_code <= 0 {
            return false;
        }
        let pc = arch::fault_pc(state);
        let Some(found) = code::trap_at(pc) else { return false };
        let is_access = signal == libc::SIGSEGV || signal == libc::SIGBUS;
        let is_overflow = is_in_guard(store, (*info).si_addr() as usize)
            || has_no_room_for_signals(store, info, arch::fault_sp(state));
        let trap = if is_access && is_overflow {
            TrapCode::StackOverflow
        } else if let Some(trap) = found.code {
            trap
        } else {
            return false;
        };
        (*store).vm.trap = trap as u32;
        let (fp, continuation) = (arch::fault_frame(state), (*store).vm.continuation);
        (*store).unwound = UnwindSite { pc, fp, is_exact: true, continuation };
        arch::resume_unwinding(state, store);
    }
    true
}

/// # Safety
/// `store` is live and inside WebAssembly.
unsafe fn is_in_guard(store: *const StoreRuntime, address: usize) -> bool {
    // SAFETY: by contract.
    let low = unsafe { (*store).current_bounds() }.low;
    address < low && address >= low - GUARD_BYTES
}

/// Another signal's handler without a stack of its own did not fit below the guest's frames: the
/// kernel then sends this signal instead, without an address.
///
/// # Safety
/// `store` is live and inside WebAssembly; `info` is valid.
unsafe fn has_no_room_for_signals(
    store: *const StoreRuntime,
    info: *mut libc::siginfo_t,
    sp: usize,
) -> bool {
    // SAFETY: by contract.
    unsafe {
        let low = (*store).current_bounds().low;
        (*info).si_code == SI_KERNEL && sp >= low && sp - low < SIGNAL_FRAME_BYTES
    }
}

/// Does what would have happened without us.
///
/// # Safety
/// The arguments are those of a signal handler.
unsafe fn pass_on(signal: c_int, info: *mut libc::siginfo_t, state: *mut c_void) {
    let place = SIGNALS.iter().position(|s| *s == signal);
    let previous = PREVIOUS.get().zip(place).map(|(all, place)| all[place]);
    // SAFETY: `info` is valid by contract; a handler is called as its flags say; restoring the
    // default action is async-signal-safe.
    unsafe {
        let is_sent = (*info).si_code <= 0;
        match previous.map_or(libc::SIG_DFL, |p| p.sa_sigaction) {
            libc::SIG_IGN if is_sent => {}
            // A fault cannot be ignored: the instruction runs again, and now kills.
            libc::SIG_DFL | libc::SIG_IGN => {
                libc::signal(signal, libc::SIG_DFL);
                if is_sent {
                    libc::raise(signal);
                }
            }
            handler if previous.is_some_and(|p| p.sa_flags & libc::SA_SIGINFO != 0) => {
                let handler = std::mem::transmute::<
                    usize,
                    extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void),
                >(handler);
                handler(signal, info, state);
            }
            handler => {
                std::mem::transmute::<usize, extern "C" fn(c_int)>(handler)(signal);
            }
        }
    }
}
