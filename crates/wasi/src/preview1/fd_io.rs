//! Reading and writing: one system call each, straight from and to guest memory.

use crate::ctx::WasiCtx;
use crate::descriptor::{pread, pwrite};
use crate::errno::Errno;
use crate::guest::{self, Sink, Source};
use crate::layout::FileType;
use crate::patience::{self, PART_BYTES};
use crate::rights;

/// Reads at the descriptor's offset into `iovs`, and writes how much to `nread`.
pub fn fd_read(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    nread: u32,
) -> Result<(), Errno> {
    let descriptor = cx.table.get_mut(fd)?;
    descriptor.need(rights::FD_READ)?;
    guest::check(mem, nread, 4)?;
    let is_pipe = cx.stable.is_some() && descriptor.filetype()? == FileType::Unknown;
    let watch = cx.watch.as_ref();
    let len = guest::with_sink(mem, iovs, iovs_len, |sink| match is_pipe {
        true => descriptor.read_full(sink, watch),
        false => descriptor.read(sink, watch),
    })?;
    guest::write_len(mem, nread, len)
}

/// Writes `iovs` at the descriptor's offset, and how much was written to `nwritten`.
pub fn fd_write(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    nwritten: u32,
) -> Result<(), Errno> {
    let descriptor = cx.table.get_mut(fd)?;
    descriptor.need(rights::FD_WRITE)?;
    guest::check(mem, nwritten, 4)?;
    let len = guest::with_source(mem, iovs, iovs_len, |source| {
        descriptor.write(source, cx.watch.as_ref())
    })?;
    guest::write_len(mem, nwritten, len)
}

/// Reads at `offset`, leaving the descriptor's own offset alone.
pub fn fd_pread(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    offset: u64,
    nread: u32,
) -> Result<(), Errno> {
    let descriptor = cx.table.get_mut(fd)?;
    descriptor.need(rights::FD_READ | rights::FD_SEEK)?;
    let file = descriptor.file(Errno::SPIPE)?;
    guest::check(mem, nread, 4)?;
    let watch = cx.watch.as_ref();
    let len = guest::with_sink(mem, iovs, iovs_len, |sink| match watch {
        Some(watch) if sink.len() > PART_BYTES => {
            let mut at = offset;
            patience::read_parts(sink, watch, |part| {
                let len = pread(file.fd(), Sink::One(part), at)?;
                at += len as u64;
                Ok(len)
            })
        }
        _ => pread(file.fd(), sink, offset),
    })?;
    guest::write_len(mem, nread, len)
}

/// Writes at `offset`, leaving the descriptor's own offset alone. A file that appends
/// gets the data at its end, as Linux has it.
pub fn fd_pwrite(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    offset: u64,
    nwritten: u32,
) -> Result<(), Errno> {
    let descriptor = cx.table.get_mut(fd)?;
    descriptor.need(rights::FD_WRITE | rights::FD_SEEK)?;
    let file = descriptor.file(Errno::SPIPE)?;
    guest::check(mem, nwritten, 4)?;
    let watch = cx.watch.as_ref();
    let len = guest::with_source(mem, iovs, iovs_len, |source| match watch {
        Some(watch) if source.len() > PART_BYTES => {
            let mut at = offset;
            patience::write_parts(source, PART_BYTES, watch, |part| {
                let len = pwrite(file.fd(), Source::One(part), at)?;
                at += len as u64;
                Ok(len)
            })
        }
        _ => pwrite(file.fd(), source, offset),
    })?;
    guest::write_len(mem, nwritten, len)
}
