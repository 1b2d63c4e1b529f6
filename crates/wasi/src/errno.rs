//! The error numbers of WASI, and how the host's errors become them.
//!
//! One table states each number once: the name in the specification, its value
//! there, what it says, and the host errors that mean it. Preview 1 and its
//! predecessor share all of them.
//!
//! Invariant: a host error that no row names becomes `io`, never a success.
//! What this file deliberately does not do: decide *when* an error is raised.

use rustix::io::Errno as Host;
use std::fmt;

/// Declares [`Errno`]. Grammar of a row:
///
/// ```text
/// NAME = value, "spec_name", "what it says" [ <- HOST_ERROR, HOST_ERROR … ];
/// ```
macro_rules! errnos {
    ($($name:ident = $value:literal, $spec:literal, $says:literal $(<- $($host:ident),+)?;)*) => {
        impl Errno {
            $(#[doc = concat!("`", $spec, "`: ", $says, ".")]
            pub const $name: Errno = Errno($value);)*

            /// The name the specification gives to this number.
            pub const fn name(self) -> &'static str {
                match self.0 { $($value => $spec,)* _ => "unknown" }
            }

            /// What the number says, in words.
            pub const fn message(self) -> &'static str {
                match self.0 { $($value => $says,)* _ => "unknown error" }
            }

            /// Every row of the table: (value, name in the specification).
            pub const TABLE: &'static [(u16, &'static str)] = &[$(($value, $spec),)*];
        }

        impl From<Host> for Errno {
            fn from(host: Host) -> Errno {
                match host {
                    $($(Host::$($host)|+ => Errno::$name,)?)*
                    _ => Errno::IO,
                }
            }
        }
    };
}

/// An error number of WASI. Success is not one of them: it is `Ok`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(u16);

errnos! {
    TOOBIG = 1, "2big", "argument list too long" <- TOOBIG;
    ACCES = 2, "acces", "permission denied" <- ACCESS;
    ADDRINUSE = 3, "addrinuse", "address in use" <- ADDRINUSE;
    ADDRNOTAVAIL = 4, "addrnotavail", "address not available" <- ADDRNOTAVAIL;
    AFNOSUPPORT = 5, "afnosupport", "address family not supported" <- AFNOSUPPORT;
    AGAIN = 6, "again", "resource unavailable, or operation would block" <- AGAIN;
    ALREADY = 7, "already", "connection already in progress" <- ALREADY;
    BADF = 8, "badf", "bad file descriptor" <- BADF;
    BADMSG = 9, "badmsg", "bad message" <- BADMSG;
    BUSY = 10, "busy", "device or resource busy" <- BUSY;
    CANCELED = 11, "canceled", "operation canceled" <- CANCELED;
    CHILD = 12, "child", "no child processes" <- CHILD;
    CONNABORTED = 13, "connaborted", "connection aborted" <- CONNABORTED;
    CONNREFUSED = 14, "connrefused", "connection refused" <- CONNREFUSED;
    CONNRESET = 15, "connreset", "connection reset" <- CONNRESET;
    DEADLK = 16, "deadlk", "resource deadlock would occur" <- DEADLK;
    DESTADDRREQ = 17, "destaddrreq", "destination address required" <- DESTADDRREQ;
    DOM = 18, "dom", "argument out of the function's domain" <- DOM;
    DQUOT = 19, "dquot", "disk quota exceeded" <- DQUOT;
    EXIST = 20, "exist", "file exists" <- EXIST;
    FAULT = 21, "fault", "bad address" <- FAULT;
    FBIG = 22, "fbig", "file too large" <- FBIG;
    HOSTUNREACH = 23, "hostunreach", "host is unreachable" <- HOSTUNREACH;
    IDRM = 24, "idrm", "identifier removed" <- IDRM;
    ILSEQ = 25, "ilseq", "illegal byte sequence" <- ILSEQ;
    INPROGRESS = 26, "inprogress", "operation in progress" <- INPROGRESS;
    INTR = 27, "intr", "interrupted function" <- INTR;
    INVAL = 28, "inval", "invalid argument" <- INVAL;
    IO = 29, "io", "input or output error" <- IO;
    ISCONN = 30, "isconn", "socket is connected" <- ISCONN;
    ISDIR = 31, "isdir", "is a directory" <- ISDIR;
    LOOP = 32, "loop", "too many levels of symbolic links" <- LOOP;
    MFILE = 33, "mfile", "too many open files" <- MFILE;
    MLINK = 34, "mlink", "too many links" <- MLINK;
    MSGSIZE = 35, "msgsize", "message too large" <- MSGSIZE;
    MULTIHOP = 36, "multihop", "multihop attempted" <- MULTIHOP;
    NAMETOOLONG = 37, "nametoolong", "file name too long" <- NAMETOOLONG;
    NETDOWN = 38, "netdown", "network is down" <- NETDOWN;
    NETRESET = 39, "netreset", "connection aborted by network" <- NETRESET;
    NETUNREACH = 40, "netunreach", "network unreachable" <- NETUNREACH;
    NFILE = 41, "nfile", "too many files open in system" <- NFILE;
    NOBUFS = 42, "nobufs", "no buffer space available" <- NOBUFS;
    NODEV = 43, "nodev", "no such device" <- NODEV;
    NOENT = 44, "noent", "no such file or directory" <- NOENT;
    NOEXEC = 45, "noexec", "executable file format error" <- NOEXEC;
    NOLCK = 46, "nolck", "no locks available" <- NOLCK;
    NOLINK = 47, "nolink", "link has been severed" <- NOLINK;
    NOMEM = 48, "nomem", "not enough space" <- NOMEM;
    NOMSG = 49, "nomsg", "no message of the desired type" <- NOMSG;
    NOPROTOOPT = 50, "noprotoopt", "protocol not available" <- NOPROTOOPT;
    NOSPC = 51, "nospc", "no space left on device" <- NOSPC;
    NOSYS = 52, "nosys", "function not supported" <- NOSYS;
    NOTCONN = 53, "notconn", "the socket is not connected" <- NOTCONN;
    NOTDIR = 54, "notdir", "not a directory" <- NOTDIR;
    NOTEMPTY = 55, "notempty", "directory not empty" <- NOTEMPTY;
    NOTRECOVERABLE = 56, "notrecoverable", "state not recoverable" <- NOTRECOVERABLE;
    NOTSOCK = 57, "notsock", "not a socket" <- NOTSOCK;
    NOTSUP = 58, "notsup", "not supported" <- NOTSUP;
    NOTTY = 59, "notty", "inappropriate input or output control operation" <- NOTTY;
    NXIO = 60, "nxio", "no such device or address" <- NXIO;
    OVERFLOW = 61, "overflow", "value too large for its type" <- OVERFLOW;
    OWNERDEAD = 62, "ownerdead", "previous owner died" <- OWNERDEAD;
    PERM = 63, "perm", "operation not permitted" <- PERM;
    PIPE = 64, "pipe", "broken pipe" <- PIPE;
    PROTO = 65, "proto", "protocol error" <- PROTO;
    PROTONOSUPPORT = 66, "protonosupport", "protocol not supported" <- PROTONOSUPPORT;
    PROTOTYPE = 67, "prototype", "wrong protocol type for socket" <- PROTOTYPE;
    RANGE = 68, "range", "result too large" <- RANGE;
    ROFS = 69, "rofs", "read-only file system" <- ROFS;
    SPIPE = 70, "spipe", "invalid seek" <- SPIPE;
    SRCH = 71, "srch", "no such process" <- SRCH;
    STALE = 72, "stale", "stale file handle" <- STALE;
    TIMEDOUT = 73, "timedout", "connection timed out" <- TIMEDOUT;
    TXTBSY = 74, "txtbsy", "text file busy" <- TXTBSY;
    XDEV = 75, "xdev", "cross-device link" <- XDEV;
    NOTCAPABLE = 76, "notcapable", "capabilities insufficient";
}

impl Errno {
    /// The number as the guest sees it, never 0.
    pub const fn raw(self) -> u16 {
        self.0
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Errno {}

impl Errno {
    /// No number of WASI, and never seen by a guest: a function that was called with a watch has
    /// done nothing that it could not do again, and is to be called again if the guest goes on.
    pub(crate) const PAUSE: Errno = Errno(u16::MAX);
}

impl From<std::io::Error> for Errno {
    fn from(error: std::io::Error) -> Errno {
        use std::io::ErrorKind as Kind;
        if let Some(host) = error.raw_os_error() {
            return Host::from_raw_os_error(host).into();
        }
        match error.kind() {
            Kind::NotFound => Errno::NOENT,
            Kind::PermissionDenied => Errno::ACCES,
            Kind::BrokenPipe => Errno::PIPE,
            Kind::WouldBlock => Errno::AGAIN,
            Kind::InvalidInput | Kind::InvalidData => Errno::INVAL,
            Kind::TimedOut => Errno::TIMEDOUT,
            Kind::Interrupted => Errno::INTR,
            Kind::Unsupported => Errno::NOTSUP,
            Kind::OutOfMemory => Errno::NOMEM,
            _ => Errno::IO,
        }
    }
}

/// The guest asked to end the program (`proc_exit`), with this code.
///
/// It travels as an error through the guest's frames; the embedder finds it
/// there and turns it into the program's exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(pub u32);

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the program ended with exit code {}", self.0)
    }
}

impl std::error::Error for Exit {}

/// How a WASI function ends when it does not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The guest is told this number and goes on.
    Errno(Errno),
    /// The program ends.
    Exit(Exit),
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Failure {
        Failure::Errno(errno)
    }
}

impl From<Exit> for Failure {
    fn from(exit: Exit) -> Failure {
        Failure::Exit(exit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_dense_and_ends_with_notcapable() {
        for (index, (value, _)) in Errno::TABLE.iter().enumerate() {
            assert_eq!(usize::from(*value), index + 1);
        }
        assert_eq!(Errno::TABLE.last(), Some(&(76, "notcapable")));
    }

    #[test]
    fn host_errors_keep_their_meaning() {
        assert_eq!(Errno::from(Host::NOENT), Errno::NOENT);
        assert_eq!(Errno::from(Host::LOOP), Errno::LOOP);
        assert_eq!(Errno::from(Host::WOULDBLOCK), Errno::AGAIN);
        assert_eq!(Errno::from(Host::OPNOTSUPP), Errno::NOTSUP);
    }

    #[test]
    fn an_unknown_host_error_is_an_io_error() {
        assert_eq!(Errno::from(Host::from_raw_os_error(1234)), Errno::IO);
    }
}
