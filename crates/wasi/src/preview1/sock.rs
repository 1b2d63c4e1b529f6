//! Sockets: those the embedder granted, and the connections they accept.

use super::fd::checked_fdflags;
use crate::ctx::WasiCtx;
use crate::descriptor::{Descriptor, Handle, HostFile, retry, socket_filetype};
use crate::errno::Errno;
use crate::grant::Grant;
use crate::guest::{self, Sink, Source};
use crate::layout::fdflags;
use crate::patience;
use crate::rights;
use rustix::event::PollFlags;
use rustix::fd::AsFd;
use rustix::net::{
    RecvAncillaryBuffer, RecvFlags, ReturnFlags, Shutdown, SocketFlags, accept_with, recvmsg,
    shutdown,
};
use selkie_engine::InterruptWatch;
use std::io::IoSliceMut;

const RECV_PEEK: u32 = 1;
const RECV_WAITALL: u32 = 2;
const RECV_DATA_TRUNCATED: u16 = 1;

/// The descriptor, if it is a socket (`notsock` otherwise) and has the right.
/// With it comes the watch to wait with, unless the socket does not wait.
fn socket(
    cx: &mut WasiCtx,
    fd: u32,
    needed: u64,
) -> Result<(&mut Descriptor, Option<&InterruptWatch>), Errno> {
    let descriptor = cx.table.get_mut(fd)?;
    descriptor.filetype()?;
    if !descriptor.file(Errno::NOTSOCK)?.is_socket() {
        return Err(Errno::NOTSOCK);
    }
    descriptor.need(needed)?;
    let waits = descriptor.flags & fdflags::NONBLOCK == 0;
    Ok((descriptor, cx.watch.as_ref().filter(|_| waits)))
}

/// Accepts a connection, and writes its number to `connection`. Of the flags only
/// `nonblock` can be set.
pub fn sock_accept(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    flags: u32,
    connection: u32,
) -> Result<(), Errno> {
    let flags = checked_fdflags(flags)?;
    if flags & !fdflags::NONBLOCK != 0 {
        return Err(Errno::INVAL);
    }
    guest::check(mem, connection, 4)?;
    cx.table.check_room()?;
    let (listener, watch) = socket(cx, fd, rights::SOCK_ACCEPT)?;
    let inherited = listener.inheriting;
    let mut host_flags = SocketFlags::CLOEXEC;
    host_flags.set(SocketFlags::NONBLOCK, flags & fdflags::NONBLOCK != 0);
    let listener = listener.file(Errno::NOTSOCK)?;
    if let Some(watch) = watch {
        patience::wait_for(listener.fd(), PollFlags::IN, watch)?;
    }
    let accepted = retry(|| accept_with(listener.fd(), host_flags))?;
    let filetype = socket_filetype(accepted.as_fd());
    let file = HostFile::new(Handle::Owned(accepted), Some(filetype), Grant::FULL);
    let number = cx.table.insert(Descriptor::host(file, inherited, 0, flags))?;
    guest::write_u32(mem, connection, number)
}

/// Receives a message into `ri_data`; writes its length and whether it was cut off.
#[expect(clippy::too_many_arguments, reason = "the specification has that many")]
pub fn sock_recv(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    ri_data: u32,
    ri_data_len: u32,
    ri_flags: u32,
    ro_datalen: u32,
    ro_flags: u32,
) -> Result<(), Errno> {
    if ri_flags & !(RECV_PEEK | RECV_WAITALL) != 0 {
        return Err(Errno::INVAL);
    }
    let mut flags = RecvFlags::empty();
    flags.set(RecvFlags::PEEK, ri_flags & RECV_PEEK != 0);
    flags.set(RecvFlags::WAITALL, ri_flags & RECV_WAITALL != 0);
    let (descriptor, watch) = socket(cx, fd, rights::FD_READ)?;
    let file = descriptor.file(Errno::NOTSOCK)?;
    guest::check(mem, ro_datalen, 4)?;
    guest::check(mem, ro_flags, 2)?;
    let received = guest::with_sink(mem, ri_data, ri_data_len, |sink| match sink {
        Sink::One(buffer) => receive(file, &mut [IoSliceMut::new(buffer)], flags, watch),
        Sink::Many(buffers) => receive(file, buffers, flags, watch),
    })?;
    let truncated = received.flags.contains(ReturnFlags::TRUNC);
    guest::write_len(mem, ro_datalen, received.bytes)?;
    let out_flags = if truncated { RECV_DATA_TRUNCATED } else { 0 };
    guest::write(mem, ro_flags, &out_flags.to_le_bytes())
}

/// How many bytes were received, and whether the message was cut off.
struct Received {
    bytes: usize,
    flags: ReturnFlags,
}

fn receive(
    file: &HostFile,
    buffers: &mut [IoSliceMut<'_>],
    flags: RecvFlags,
    watch: Option<&InterruptWatch>,
) -> Result<Received, Errno> {
    let receive = |buffers: &mut [IoSliceMut<'_>], flags| {
        let message =
            retry(|| recvmsg(file.fd(), buffers, &mut RecvAncillaryBuffer::default(), flags))?;
        Ok(Received { bytes: message.bytes, flags: message.flags })
    };
    let Some(watch) = watch else { return receive(buffers, flags) };
    // Waiting for all of it is done here, too.
    let now = flags.difference(RecvFlags::WAITALL) | RecvFlags::DONTWAIT;
    let receive_more = |buffers: &mut [IoSliceMut<'_>]| {
        patience::when_ready(file.fd(), PollFlags::IN, watch, || receive(buffers, now))
    };
    let mut all = receive_more(buffers)?;
    if !flags.contains(RecvFlags::WAITALL) || flags.contains(RecvFlags::PEEK) {
        return Ok(all);
    }
    let mut rest = buffers;
    IoSliceMut::advance_slices(&mut rest, all.bytes);
    while !rest.is_empty() {
        match receive_more(rest) {
            Ok(more) if more.bytes > 0 => {
                all = Received { bytes: all.bytes + more.bytes, ..more };
                IoSliceMut::advance_slices(&mut rest, more.bytes);
            }
            // As a signal would end it: what came is told.
            _ => break,
        }
    }
    Ok(all)
}

/// Sends a message from `si_data`, and writes how much of it was sent. There are no
/// flags; a closed peer is `pipe`, without a signal.
pub fn sock_send(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    fd: u32,
    si_data: u32,
    si_data_len: u32,
    si_flags: u32,
    so_datalen: u32,
) -> Result<(), Errno> {
    if si_flags != 0 {
        return Err(Errno::INVAL);
    }
    let (descriptor, watch) = socket(cx, fd, rights::FD_WRITE)?;
    let flags = descriptor.flags;
    let file = descriptor.file(Errno::NOTSOCK)?;
    guest::check(mem, so_datalen, 4)?;
    let send = |source: Source<'_, '_>| file.send(source, flags, watch);
    let len = guest::with_source(mem, si_data, si_data_len, send)?;
    guest::write_len(mem, so_datalen, len)
}

/// Shuts down receiving (1), sending (2) or both (3).
pub fn sock_shutdown(cx: &mut WasiCtx, _mem: &mut [u8], fd: u32, how: u32) -> Result<(), Errno> {
    let how = match how {
        1 => Some(Shutdown::Read),
        2 => Some(Shutdown::Write),
        3 => Some(Shutdown::Both),
        _ => None,
    };
    let file = socket(cx, fd, rights::SOCK_SHUTDOWN)?.0.file(Errno::NOTSOCK)?;
    Ok(shutdown(file.fd(), how.ok_or(Errno::INVAL)?)?)
}
