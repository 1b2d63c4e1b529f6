//! The process's own signal handlers: those it had before an engine was made, and those it gets
//! later, see what is not WebAssembly's.
//!
//! Each test runs in a process of its own: this binary again, with a variable that says so.

#![allow(unsafe_code)]

use crate::instantiate;
use selkie::Trap;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

static SEEN: AtomicU32 = AtomicU32::new(0);

const VARIABLE: &str = "SELKIE_SIGNALS";

fn is_child() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

fn child(test: &str) -> std::process::Output {
    let exe = std::env::current_exe().unwrap();
    let name = format!("process_signals::{test}");
    let arguments = ["--exact", &name, "--nocapture", "--test-threads=1"];
    Command::new(exe).args(arguments).env(VARIABLE, "1").output().unwrap()
}

extern "C" fn count(_signal: libc::c_int) {
    SEEN.fetch_add(1, Ordering::Relaxed);
}

extern "C" fn leave(_signal: libc::c_int) {
    // SAFETY: `_exit` may be called in a signal handler.
    unsafe { libc::_exit(77) }
}

fn install(signal: libc::c_int, handler: extern "C" fn(libc::c_int)) {
    // SAFETY: a zeroed `sigaction` is a valid one; the handler only does what a signal handler
    // may do.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        assert_eq!(libc::sigaction(signal, &action, std::ptr::null_mut()), 0);
    }
}

/// Traps through a fault, and checks that it does.
fn trap() {
    let (mut store, instance) = instantiate(
        r#"(module (memory 1) (func (export "f") (param i32) (result i32) local.get 0 i32.load)
            (func (export "d") (param i32) (result i32) i32.const 1 local.get 0 i32.div_s))"#,
    );
    let f = instance.get_typed_func::<i32, i32>(&mut store, "f").unwrap();
    assert_eq!(f.call(&mut store, -8).unwrap_err().trap(), Some(Trap::MemoryOutOfBounds));
    let d = instance.get_typed_func::<i32, i32>(&mut store, "d").unwrap();
    assert_eq!(d.call(&mut store, 0).unwrap_err().trap(), Some(Trap::IntegerDivideByZero));
}

#[test]
fn a_fault_of_the_host_reaches_the_handler_from_before() {
    if is_child() {
        install(libc::SIGSEGV, leave);
        trap();
        // SAFETY: deliberately none: this is the fault of a host's own bug.
        unsafe { std::ptr::null_mut::<u8>().wrapping_add(8).write_volatile(1) };
        return;
    }
    let status = child("a_fault_of_the_host_reaches_the_handler_from_before").status;
    assert_eq!(status.code(), Some(77), "{status:?}");
}

#[test]
fn a_fault_of_the_host_without_a_handler_ends_the_process() {
    if is_child() {
        trap();
        // SAFETY: deliberately none: this is the fault of a host's own bug.
        unsafe { std::ptr::null_mut::<u8>().wrapping_add(8).write_volatile(1) };
        return;
    }
    let status = child("a_fault_of_the_host_without_a_handler_ends_the_process").status;
    assert_eq!(status.signal(), Some(libc::SIGSEGV), "{status:?}");
}

#[test]
fn other_signals_are_left_alone() {
    if is_child() {
        install(libc::SIGUSR1, count);
        install(libc::SIGALRM, count);
        trap();
        for signal in [libc::SIGUSR1, libc::SIGALRM] {
            // SAFETY: both signals have a handler that only counts.
            assert_eq!(unsafe { libc::raise(signal) }, 0);
        }
        trap();
        assert_eq!(SEEN.load(Ordering::Relaxed), 2);
        return;
    }
    let output = child("other_signals_are_left_alone");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn signals_that_arrive_while_a_guest_runs_are_handled() {
    if is_child() {
        install(libc::SIGALRM, count);
        let (mut store, instance) = instantiate(
            r#"(module (func (export "spin") (param i32) (result i32)
                loop (result i32)
                    local.get 0  i32.const 1  i32.sub  local.tee 0  br_if 0
                    local.get 0
                end))"#,
        );
        let every = libc::timeval { tv_sec: 0, tv_usec: 500 };
        let timer = libc::itimerval { it_interval: every, it_value: every };
        // SAFETY: the timer is a valid one, and its signal has a handler.
        let set = unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut()) };
        assert_eq!(set, 0);
        let spin = instance.get_typed_func::<i32, i32>(&mut store, "spin").unwrap();
        while SEEN.load(Ordering::Relaxed) < 20 {
            assert_eq!(spin.call(&mut store, 2_000_000).unwrap(), 0);
        }
        trap();
        return;
    }
    let output = child("signals_that_arrive_while_a_guest_runs_are_handled");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn an_overflow_of_the_hosts_own_stack_is_not_taken_for_a_guests() {
    if is_child() {
        trap();
        fn deep(n: u64) -> u64 {
            let waste = std::hint::black_box([n; 64]);
            if n == u64::MAX { 0 } else { deep(std::hint::black_box(n + 1)) + waste[7] }
        }
        std::hint::black_box(deep(0));
        return;
    }
    let output = child("an_overflow_of_the_hosts_own_stack_is_not_taken_for_a_guests");
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{:?}", output.status);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("overflowed its stack"), "{said}");
}
