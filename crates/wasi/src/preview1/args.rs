//! Arguments and environment: strings laid out once by the builder, copied on demand.

use crate::ctx::{Strings, WasiCtx};
use crate::errno::Errno;
use crate::guest;

fn sizes(strings: &Strings, mem: &mut [u8], count: u32, size: u32) -> Result<(), Errno> {
    guest::check(mem, size, 4)?;
    guest::write_len(mem, count, strings.offsets.len())?;
    guest::write_len(mem, size, strings.bytes.len())
}

fn get(strings: &Strings, mem: &mut [u8], pointers: u32, bytes: u32) -> Result<(), Errno> {
    let count = u32::try_from(strings.offsets.len()).map_err(|_| Errno::OVERFLOW)?;
    guest::array(mem, pointers, count, 4)?;
    guest::write(mem, bytes, &strings.bytes)?;
    let table = guest::bytes_mut(mem, pointers, count * 4)?;
    for (slot, offset) in table.chunks_exact_mut(4).zip(&strings.offsets) {
        // Fits: the bytes were just written there.
        slot.copy_from_slice(&(bytes + *offset as u32).to_le_bytes());
    }
    Ok(())
}

/// Copies the arguments to `argv_buf` and their addresses to `argv`.
pub fn args_get(cx: &mut WasiCtx, mem: &mut [u8], argv: u32, argv_buf: u32) -> Result<(), Errno> {
    get(&cx.args, mem, argv, argv_buf)
}

/// Writes the number of arguments and how many bytes they take.
pub fn args_sizes_get(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    argc: u32,
    argv_buf_size: u32,
) -> Result<(), Errno> {
    sizes(&cx.args, mem, argc, argv_buf_size)
}

/// Copies the environment to `environ_buf` and the addresses of its variables to
/// `environ`.
pub fn environ_get(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    environ: u32,
    environ_buf: u32,
) -> Result<(), Errno> {
    get(&cx.env, mem, environ, environ_buf)
}

/// Writes the number of variables and how many bytes they take.
pub fn environ_sizes_get(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    environc: u32,
    environ_buf_size: u32,
) -> Result<(), Errno> {
    sizes(&cx.env, mem, environc, environ_buf_size)
}
