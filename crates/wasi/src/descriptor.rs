//! Descriptors: what a number of the guest stands for.
//!
//! Invariants:
//! - A host descriptor is owned by exactly one descriptor of the guest and closed
//!   with it; the standard streams of the host are only borrowed and never closed,
//!   nor are their flags changed: other processes share them.
//! - The type of a file opened by path is asked for when it matters first, not when
//!   it is opened: reading a file from begin to end costs no `fstat`.
//! - `Position::Own` is only ever used for regular files that nobody else shares and
//!   that do not append; then seeking costs no system call.
//!
//! What this file deliberately does not do: numbers (`table.rs`), paths (`path.rs`).

use crate::errno::Errno;
use crate::grant::Grant;
use crate::guest::{Sink, Source};
use crate::layout::{FileType, Filestat, Whence, fdflags};
use crate::patience::{self, PART_BYTES, READY_BYTES};
use crate::readdir::DirStream;
use crate::rights;
use crate::stdio::VirtualStream;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{OFlags, SeekFrom, fcntl_setfl, fstat, seek};
use rustix::io::Errno as Host;
use rustix::net::{SendAncillaryBuffer, SendFlags, SocketType};
use selkie_engine::InterruptWatch;

/// What lies behind a number.
#[derive(Debug)]
pub(crate) enum Object {
    /// Something of the host.
    Host(HostFile),
    /// A stream of the embedder's.
    Stream(VirtualStream),
}

/// One entry of the table.
#[derive(Debug)]
pub(crate) struct Descriptor {
    pub(crate) object: Object,
    /// What may be done with this descriptor.
    pub(crate) base: u64,
    /// The most that descriptors opened through it may have.
    pub(crate) inheriting: u64,
    /// `fdflags`, as set by the guest.
    pub(crate) flags: u16,
    /// The name under which the guest knows a directory it began with.
    pub(crate) preopen: Option<Box<str>>,
}

/// Owned, or one of the process's standard streams.
#[derive(Debug)]
pub(crate) enum Handle {
    Owned(OwnedFd),
    Stdin,
    Stdout,
    Stderr,
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Handle::Owned(fd) => fd.as_fd(),
            Handle::Stdin => rustix::stdio::stdin(),
            Handle::Stdout => rustix::stdio::stdout(),
            Handle::Stderr => rustix::stdio::stderr(),
        }
    }
}

/// Who keeps the offset of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    /// The kernel.
    Kernel,
    /// We: the next read or write is here.
    Own(u64),
}

/// A file, directory, device, pipe or socket of the host.
#[derive(Debug)]
pub(crate) struct HostFile {
    handle: Handle,
    filetype: Option<FileType>,
    position: Position,
    pub(crate) grant: Grant,
    pub(crate) stream: Option<Box<DirStream>>,
}

/// Repeats a host call that a signal interrupted.
pub(crate) fn retry<T>(mut call: impl FnMut() -> Result<T, Host>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Host::INTR) => {}
            done => return Ok(done?),
        }
    }
}

/// Whether `fd` is ready for `events` at once.
pub(crate) fn is_ready(fd: BorrowedFd<'_>, events: PollFlags) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, events)];
    matches!(poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(1..))
}

impl HostFile {
    /// A file whose type is found out later, if `filetype` is not known yet.
    pub(crate) fn new(handle: Handle, filetype: Option<FileType>, grant: Grant) -> HostFile {
        HostFile { handle, filetype, position: Position::Kernel, grant, stream: None }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }

    /// The descriptor together with the stream of entries read through it.
    pub(crate) fn fd_and_stream(&mut self) -> (BorrowedFd<'_>, &mut Option<Box<DirStream>>) {
        (self.handle.as_fd(), &mut self.stream)
    }

    /// Whether other processes hold the same open file.
    fn is_shared(&self) -> bool {
        !matches!(self.handle, Handle::Owned(_))
    }

    pub(crate) fn is_socket(&self) -> bool {
        matches!(self.filetype, Some(FileType::SocketStream | FileType::SocketDgram))
    }

    /// The type, asked for at most once.
    pub(crate) fn filetype(&mut self) -> Result<FileType, Errno> {
        if let Some(known) = self.filetype {
            return Ok(known);
        }
        Ok(self.filestat()?.filetype)
    }

    /// The attributes; they also settle the type.
    pub(crate) fn filestat(&mut self) -> Result<Filestat, Errno> {
        let mut stat = Filestat::from(&fstat(self.fd())?);
        if stat.filetype == FileType::SocketStream {
            stat.filetype = self.filetype.unwrap_or_else(|| socket_filetype(self.handle.as_fd()));
        }
        self.filetype = Some(stat.filetype);
        Ok(stat)
    }

    /// Which rights mean something for this type.
    fn meaningful_rights(&self) -> u64 {
        match self.filetype {
            None => u64::MAX,
            Some(FileType::Directory) => rights::DIRECTORY,
            Some(FileType::RegularFile) => rights::REGULAR_FILE,
            Some(FileType::CharacterDevice) if !rustix::termios::isatty(self.fd()) => {
                rights::DEVICE
            }
            Some(FileType::BlockDevice) => rights::DEVICE,
            Some(FileType::SocketStream | FileType::SocketDgram) => rights::LISTENER,
            Some(_) => rights::STREAM,
        }
    }

    /// A non-blocking read of a shared stream is asked about first, because the
    /// stream itself must keep its flags.
    fn refuse_to_block(&self, flags: u16, events: PollFlags) -> Result<(), Errno> {
        if flags & fdflags::NONBLOCK != 0 && self.is_shared() && !is_ready(self.fd(), events) {
            return Err(Errno::AGAIN);
        }
        Ok(())
    }

    pub(crate) fn read(
        &mut self,
        sink: Sink<'_, '_>,
        flags: u16,
        watch: Option<&InterruptWatch>,
    ) -> Result<usize, Errno> {
        self.refuse_to_block(flags, PollFlags::IN)?;
        let Some(watch) = watch else { return self.read_now(sink) };
        if self.is_always_ready()? {
            if sink.len() <= PART_BYTES {
                return self.read_now(sink);
            }
            return patience::read_parts(sink, watch, |part| self.read_now(Sink::One(part)));
        }
        if flags & fdflags::NONBLOCK == 0 {
            patience::wait_for(self.fd(), PollFlags::IN, watch)?;
        }
        self.read_now(sink.at_most(PART_BYTES))
    }

    /// Whether reads and writes end by themselves.
    fn is_always_ready(&mut self) -> Result<bool, Errno> {
        use FileType::{BlockDevice, Directory, RegularFile};
        Ok(matches!(self.filetype()?, RegularFile | Directory | BlockDevice))
    }

    fn read_now(&mut self, sink: Sink<'_, '_>) -> Result<usize, Errno> {
        let fd = self.handle.as_fd();
        match (&mut self.position, sink) {
            (Position::Kernel, Sink::One(buffer)) => retry(|| rustix::io::read(fd, &mut *buffer)),
            (Position::Kernel, Sink::Many(buffers)) => retry(|| rustix::io::readv(fd, buffers)),
            (Position::Own(at), sink) => {
                let len = pread(fd, sink, *at)?;
                *at += len as u64;
                Ok(len)
            }
        }
    }

    pub(crate) fn write(
        &mut self,
        source: Source<'_, '_>,
        flags: u16,
        watch: Option<&InterruptWatch>,
    ) -> Result<usize, Errno> {
        self.refuse_to_block(flags, PollFlags::OUT)?;
        if self.is_socket() {
            return self.send(source, flags, watch);
        }
        let Some(watch) = watch else { return self.write_now(source) };
        if self.is_always_ready()? {
            if source.len() <= PART_BYTES {
                return self.write_now(source);
            }
            let write = |part: &[u8]| self.write_now(Source::One(part));
            return patience::write_parts(source, PART_BYTES, watch, write);
        }
        if flags & fdflags::NONBLOCK != 0 && !self.is_shared() {
            return self.write_now(source);
        }
        patience::write_parts(source, READY_BYTES, watch, |part| {
            patience::wait_for(self.fd(), PollFlags::OUT, watch)?;
            self.write_now(Source::One(part))
        })
    }

    fn write_now(&mut self, source: Source<'_, '_>) -> Result<usize, Errno> {
        let fd = self.handle.as_fd();
        match (&mut self.position, source) {
            (Position::Kernel, Source::One(buffer)) => retry(|| rustix::io::write(fd, buffer)),
            (Position::Kernel, Source::Many(buffers)) => retry(|| rustix::io::writev(fd, buffers)),
            (Position::Own(at), source) => {
                let len = pwrite(fd, source, *at)?;
                *at += len as u64;
                Ok(len)
            }
        }
    }

    /// Sends without the signal that a closed peer would raise.
    pub(crate) fn send(
        &self,
        source: Source<'_, '_>,
        flags: u16,
        watch: Option<&InterruptWatch>,
    ) -> Result<usize, Errno> {
        let Some(watch) = watch.filter(|_| flags & fdflags::NONBLOCK == 0) else {
            return self.send_now(&source, SendFlags::empty());
        };
        let send = |source: Source<'_, '_>| {
            let send = || self.send_now(&source, SendFlags::DONTWAIT);
            patience::when_ready(self.fd(), PollFlags::OUT, watch, send)
        };
        if self.filetype != Some(FileType::SocketStream) {
            return send(source);
        }
        patience::write_parts(source, PART_BYTES, watch, |mut part| {
            let all = part.len();
            while !part.is_empty() {
                match send(Source::One(part)) {
                    Ok(sent) => part = part.get(sent..).unwrap_or_default(),
                    Err(_) if part.len() < all => break,
                    Err(error) => return Err(error),
                }
            }
            Ok(all - part.len())
        })
    }

    fn send_now(&self, source: &Source<'_, '_>, flags: SendFlags) -> Result<usize, Errno> {
        let (fd, flags) = (self.fd(), flags | SendFlags::NOSIGNAL);
        match source {
            Source::One(buffer) => retry(|| rustix::net::send(fd, buffer, flags)),
            Source::Many(buffers) => retry(|| {
                let mut none = SendAncillaryBuffer::default();
                rustix::net::sendmsg(fd, buffers, &mut none, flags)
            }),
        }
    }

    /// Moves the offset. The type must be known.
    pub(crate) fn seek(&mut self, delta: i64, whence: Whence, flags: u16) -> Result<u64, Errno> {
        let moved = match (self.position, whence) {
            (Position::Own(_), Whence::Set) => Some(u64::try_from(delta).ok()),
            (Position::Own(at), Whence::Cur) => Some(at.checked_add_signed(delta)),
            _ => None,
        };
        let at = match moved {
            Some(at) => at.filter(|at| *at <= i64::MAX as u64).ok_or(Errno::INVAL)?,
            None => {
                let from = match whence {
                    Whence::Set => SeekFrom::Start(u64::try_from(delta).map_err(|_| Errno::INVAL)?),
                    Whence::Cur => SeekFrom::Current(delta),
                    Whence::End => SeekFrom::End(delta),
                };
                seek(self.fd(), from)?
            }
        };
        let is_ours = self.filetype == Some(FileType::RegularFile)
            && !self.is_shared()
            && flags & fdflags::APPEND == 0;
        if is_ours {
            self.position = Position::Own(at);
        }
        Ok(at)
    }

    /// Sets `fdflags` that can be set on an open file.
    pub(crate) fn set_flags(&mut self, flags: u16) -> Result<(), Errno> {
        if self.is_shared() {
            return Ok(());
        }
        if let Position::Own(at) = self.position {
            seek(self.fd(), SeekFrom::Start(at))?;
            self.position = Position::Kernel;
        }
        let mut host = OFlags::empty();
        host.set(OFlags::APPEND, flags & fdflags::APPEND != 0);
        host.set(OFlags::NONBLOCK, flags & fdflags::NONBLOCK != 0);
        Ok(fcntl_setfl(self.fd(), host)?)
    }

    /// How many bytes of a regular file lie behind the offset, or wait in a stream.
    pub(crate) fn readable_len(&mut self) -> u64 {
        if self.filetype == Some(FileType::RegularFile) {
            let size = self.filestat().map_or(0, |stat| stat.size);
            let at = match self.position {
                Position::Own(at) => at,
                Position::Kernel => rustix::fs::tell(self.fd()).unwrap_or(0),
            };
            return size.saturating_sub(at);
        }
        rustix::io::ioctl_fionread(self.fd()).unwrap_or(0)
    }
}

/// Reads at an offset, leaving the descriptor's own alone.
pub(crate) fn pread(fd: BorrowedFd<'_>, sink: Sink<'_, '_>, at: u64) -> Result<usize, Errno> {
    match sink {
        Sink::One(buffer) => retry(|| rustix::io::pread(fd, &mut *buffer, at)),
        Sink::Many(buffers) => retry(|| rustix::io::preadv(fd, buffers, at)),
    }
}

/// Writes at an offset, leaving the descriptor's own alone.
pub(crate) fn pwrite(fd: BorrowedFd<'_>, source: Source<'_, '_>, at: u64) -> Result<usize, Errno> {
    match source {
        Source::One(buffer) => retry(|| rustix::io::pwrite(fd, buffer, at)),
        Source::Many(buffers) => retry(|| rustix::io::pwritev(fd, buffers, at)),
    }
}

/// Which kind of socket `fd` is.
pub(crate) fn socket_filetype(fd: BorrowedFd<'_>) -> FileType {
    match rustix::net::sockopt::socket_type(fd) {
        Ok(SocketType::STREAM) => FileType::SocketStream,
        Ok(SocketType::DGRAM) => FileType::SocketDgram,
        _ => FileType::Unknown,
    }
}

impl Descriptor {
    /// A descriptor of something of the host's. Rights that mean nothing for its type
    /// are left out as soon as the type is known.
    pub(crate) fn host(file: HostFile, base: u64, inheriting: u64, flags: u16) -> Descriptor {
        let base = base & file.meaningful_rights();
        Descriptor { object: Object::Host(file), base, inheriting, flags, preopen: None }
    }

    /// A descriptor of a stream of the embedder's.
    pub(crate) fn stream(stream: VirtualStream, base: u64) -> Descriptor {
        Descriptor { object: Object::Stream(stream), base, inheriting: 0, flags: 0, preopen: None }
    }

    /// The type. Once it is known, rights that mean nothing for it are gone.
    pub(crate) fn filetype(&mut self) -> Result<FileType, Errno> {
        match &mut self.object {
            Object::Stream(_) => Ok(FileType::Unknown),
            Object::Host(file) => {
                if file.filetype.is_none() {
                    file.filetype()?;
                    self.base &= file.meaningful_rights();
                }
                file.filetype()
            }
        }
    }

    /// The attributes; they also settle the type.
    pub(crate) fn filestat(&mut self) -> Result<Filestat, Errno> {
        match &mut self.object {
            Object::Stream(_) => Ok(Filestat::anonymous(FileType::Unknown)),
            Object::Host(file) => {
                let stat = file.filestat()?;
                self.base &= file.meaningful_rights();
                Ok(stat)
            }
        }
    }

    /// Fails unless the descriptor has all of `needed`.
    pub(crate) fn need(&self, needed: u64) -> Result<(), Errno> {
        if self.base & needed == needed { Ok(()) } else { Err(self.refusal(needed)) }
    }

    /// Like [`Self::need`], for what only some types can do: the type is settled first.
    pub(crate) fn need_typed(&mut self, needed: u64) -> Result<(), Errno> {
        self.filetype()?;
        self.need(needed)
    }

    /// Why `needed` is missing: because of the type, or because it was not granted.
    #[cold]
    fn refusal(&self, needed: u64) -> Errno {
        let filetype = match &self.object {
            Object::Stream(_) => FileType::Unknown,
            Object::Host(file) => match file.filetype {
                Some(known) => known,
                None => return Errno::NOTCAPABLE,
            },
        };
        let is_seek = needed & (rights::FD_SEEK | rights::FD_TELL) != 0;
        match filetype {
            FileType::Directory if needed & !rights::DIRECTORY != 0 => Errno::ISDIR,
            FileType::RegularFile if needed & !rights::REGULAR_FILE != 0 => Errno::NOTDIR,
            FileType::Directory | FileType::RegularFile => Errno::NOTCAPABLE,
            _ if is_seek => Errno::SPIPE,
            _ => Errno::NOTCAPABLE,
        }
    }

    /// The host's file; streams of the embedder's have none.
    pub(crate) fn file(&mut self, otherwise: Errno) -> Result<&mut HostFile, Errno> {
        match &mut self.object {
            Object::Host(file) => Ok(file),
            Object::Stream(_) => Err(otherwise),
        }
    }

    /// The host's directory, to walk from, and its grant.
    pub(crate) fn dir(&self, needed: u64) -> Result<(BorrowedFd<'_>, Grant), Errno> {
        self.need(needed)?;
        match &self.object {
            Object::Host(file) => Ok((file.fd(), file.grant)),
            Object::Stream(_) => Err(Errno::NOTDIR),
        }
    }

    pub(crate) fn read(
        &mut self,
        sink: Sink<'_, '_>,
        watch: Option<&InterruptWatch>,
    ) -> Result<usize, Errno> {
        match &mut self.object {
            Object::Host(file) => file.read(sink, self.flags, watch),
            Object::Stream(stream) => match sink {
                Sink::One(buffer) => stream.read(buffer),
                // A short read, as POSIX allows: a second one might block.
                Sink::Many([]) => Ok(0),
                Sink::Many([first, ..]) => stream.read(first),
            },
        }
    }

    /// Reads until all is full or nothing comes any more. What came before an error counts.
    pub(crate) fn read_full(
        &mut self,
        sink: Sink<'_, '_>,
        watch: Option<&InterruptWatch>,
    ) -> Result<usize, Errno> {
        let mut done = 0;
        let mut fill = |buffer: &mut [u8]| -> Result<bool, Errno> {
            let mut at = 0;
            while at < buffer.len() {
                match self.read(Sink::One(&mut buffer[at..]), watch) {
                    Ok(0) => return Ok(false),
                    Err(_) if done > 0 => return Ok(false),
                    len => at += len.inspect(|len| done += len)?,
                }
            }
            Ok(true)
        };
        match sink {
            Sink::One(buffer) => drop(fill(buffer)?),
            Sink::Many(buffers) => {
                for buffer in buffers {
                    if !fill(buffer)? {
                        break;
                    }
                }
            }
        }
        Ok(done)
    }

    pub(crate) fn write(
        &mut self,
        source: Source<'_, '_>,
        watch: Option<&InterruptWatch>,
    ) -> Result<usize, Errno> {
        match &mut self.object {
            Object::Host(file) => file.write(source, self.flags, watch),
            Object::Stream(stream) => match source {
                Source::One(buffer) => stream.write(buffer),
                Source::Many(buffers) => {
                    let mut written = 0;
                    for buffer in buffers {
                        match stream.write(buffer) {
                            Ok(len) if len == buffer.len() => written += len,
                            Ok(len) => return Ok(written + len),
                            Err(error) if written == 0 => return Err(error),
                            Err(_) => break,
                        }
                    }
                    Ok(written)
                }
            },
        }
    }
}
