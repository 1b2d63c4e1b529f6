//! The process: its end, signals to itself, yielding, randomness.

use crate::ctx::WasiCtx;
use crate::errno::{Errno, Exit, Failure};
use crate::guest;
use std::convert::Infallible;

/// Ends the program with `code`.
pub fn proc_exit(_cx: &mut WasiCtx, _mem: &mut [u8], code: u32) -> Result<Infallible, Exit> {
    Err(Exit(code))
}

/// Sends a signal to the program itself. One that would terminate it does, with the
/// exit code a shell would show (128 + number); one that is ignored by default is;
/// stopping is `notsup`. Nothing is ever sent to the host's process.
pub fn proc_raise(_cx: &mut WasiCtx, _mem: &mut [u8], signal: u32) -> Result<(), Failure> {
    match signal {
        // none, pipe, chld, cont, urg, winch
        0 | 13 | 16 | 17 | 22 | 27 => Ok(()),
        // stop, tstp, ttin, ttou
        18..=21 => Err(Errno::NOTSUP.into()),
        1..=30 => Err(Exit(128 + signal).into()),
        _ => Err(Errno::INVAL.into()),
    }
}

/// Lets other threads run.
pub fn sched_yield(_cx: &mut WasiCtx, _mem: &mut [u8]) -> Result<(), Errno> {
    rustix::thread::sched_yield();
    Ok(())
}

/// Fills `buf` with random bytes.
pub fn random_get(cx: &mut WasiCtx, mem: &mut [u8], buf: u32, buf_len: u32) -> Result<(), Errno> {
    cx.random.fill(guest::bytes_mut(mem, buf, buf_len)?)
}
