//! The process: its end, signals to itself, yielding, randomness.

use crate::ctx::WasiCtx;
use crate::errno::{Errno, Exit, Failure};
use crate::guest;
use crate::patience::PART_BYTES;
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
    let buffer = guest::hand_out(guest::bytes_mut(mem, buf, buf_len)?)?;
    if cx.watch.is_none() {
        return cx.random.fill(buffer);
    }
    // What was filled before a pause stays: it has been paid for with time.
    let done = std::mem::take(&mut cx.paused.done);
    let mut filled = done;
    for part in buffer.get_mut(done..).unwrap_or_default().chunks_mut(PART_BYTES) {
        if filled > done && cx.watch.as_ref().is_some_and(|watch| watch.is_raised()) {
            cx.paused.done = filled;
            return Err(Errno::PAUSE);
        }
        cx.random.fill(part)?;
        filled += part.len();
    }
    Ok(())
}
