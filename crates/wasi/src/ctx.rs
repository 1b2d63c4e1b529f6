//! The context of a guest: everything WASI gives it, and the builder for it.
//!
//! A context made by [`WasiCtxBuilder::new`] gives nothing: no arguments, no
//! environment, no directories, standard streams that are empty or swallow all.
//! Every grant is a call on the builder.
//!
//! What this file deliberately does not do: any function of WASI (`preview1.rs`).

use crate::clocks::{Clocks, SystemClocks};
use crate::descriptor::{Descriptor, Handle, HostFile, socket_filetype};
use crate::grant::{DirPerms, FilePerms, Grant};
use crate::layout::FileType;
use crate::path::{PathWalk, Walk};
use crate::patience::Paused;
use crate::random::{Random, SeededRandom, SystemRandom};
use crate::rights;
use crate::stable::Stable;
use crate::stdio::{Output, Stdin, VirtualStream};
use crate::table::Table;
use crate::virtual_clocks::VirtualClocks;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::process::{Resource, getrlimit};
use selkie_engine::InterruptWatch;
use std::fmt;
use std::io;
use std::path::Path;

/// How many descriptors a guest may have open at most, unless the embedder says otherwise.
const MAX_DEFAULT_DESCRIPTORS: usize = 1 << 16;

/// How many it may have open here: so many that it leaves as many to others in this process.
fn default_descriptor_limit() -> usize {
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(most / 2)
        .map_or(MAX_DEFAULT_DESCRIPTORS, |half| half.min(MAX_DEFAULT_DESCRIPTORS))
}

/// Strings as the guest receives them: each ends in NUL.
#[derive(Debug, Default)]
pub(crate) struct Strings {
    pub(crate) bytes: Vec<u8>,
    pub(crate) offsets: Vec<usize>,
}

impl Strings {
    fn push(&mut self, parts: &[&[u8]]) {
        self.offsets.push(self.bytes.len());
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.bytes.push(0);
    }
}

/// What a guest has and holds: its arguments, environment, descriptors and clocks.
pub struct WasiCtx {
    pub(crate) args: Strings,
    pub(crate) env: Strings,
    pub(crate) table: Table,
    pub(crate) walk: Walk,
    pub(crate) clocks: Box<dyn Clocks>,
    pub(crate) random: Box<dyn Random>,
    /// Where everything must be the same in every run.
    pub(crate) stable: Option<Box<Stable>>,
    /// Whether the embedder chose clocks and randomness itself.
    has_own_clocks: bool,
    has_own_random: bool,
    /// Tells whether somebody wants to interrupt the guest, during a call of one that can be.
    pub(crate) watch: Option<InterruptWatch>,
    pub(crate) paused: Paused,
}

impl WasiCtx {
    /// A call has ended: nothing of it is needed any more.
    pub(crate) fn forget_call(&mut self) {
        self.watch = None;
        self.paused = Paused::default();
    }

    /// Begins a context that grants nothing.
    pub fn builder() -> WasiCtxBuilder {
        WasiCtxBuilder::new()
    }

    /// Lets the guest see nothing that differs between two runs, but for what it was given.
    pub(crate) fn make_deterministic(&mut self) {
        if self.stable.is_some() {
            return;
        }
        self.stable = Some(Box::default());
        if !self.has_own_clocks {
            self.clocks = Box::new(VirtualClocks::new());
        }
        if !self.has_own_random {
            self.random = Box::new(SeededRandom::new(0));
        }
    }

    /// The granted directories that are open, as they were opened, with what may be done in
    /// them: for walls that stand behind this one and must let the same things through.
    pub fn preopened_dirs(&self) -> impl Iterator<Item = (BorrowedFd<'_>, DirPerms, FilePerms)> {
        let granted = self.table.all().filter(|descriptor| descriptor.preopen.is_some());
        granted
            .filter_map(|descriptor| descriptor.dir(0).ok())
            .map(|(fd, grant)| (fd, grant.dir, grant.file))
    }
}

impl fmt::Debug for WasiCtx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WasiCtx").field("table", &self.table).finish_non_exhaustive()
    }
}

/// Says what a guest is given.
///
/// ```
/// use selkie_wasi::{DirPerms, FilePerms, WasiCtx};
///
/// let dir = std::env::temp_dir();
/// let ctx = WasiCtx::builder()
///     .args(&["program", "--verbose"])
///     .env("LANG", "C.UTF-8")
///     .inherit_stdio()
///     .preopened_dir(dir, "/tmp", DirPerms::READ, FilePerms::READ)?
///     .build();
/// # drop(ctx);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "nothing is granted before `build`"]
pub struct WasiCtxBuilder {
    args: Strings,
    env: Strings,
    stdin: Stdin,
    stdout: Output,
    stderr: Output,
    preopens: Vec<Descriptor>,
    path_walk: PathWalk,
    descriptor_limit: Option<usize>,
    clocks: Option<Box<dyn Clocks>>,
    random: Option<Box<dyn Random>>,
    deterministic: bool,
}

impl fmt::Debug for WasiCtxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WasiCtxBuilder").field("preopens", &self.preopens).finish_non_exhaustive()
    }
}

impl Default for WasiCtxBuilder {
    fn default() -> WasiCtxBuilder {
        WasiCtxBuilder::new()
    }
}

impl WasiCtxBuilder {
    /// Begins with nothing granted.
    pub fn new() -> WasiCtxBuilder {
        WasiCtxBuilder {
            args: Strings::default(),
            env: Strings::default(),
            stdin: Stdin::Null,
            stdout: Output::Null,
            stderr: Output::Null,
            preopens: Vec::new(),
            path_walk: PathWalk::Auto,
            descriptor_limit: None,
            clocks: None,
            random: None,
            deterministic: false,
        }
    }

    /// Adds an argument. The first is the name of the program.
    pub fn arg(&mut self, arg: impl AsRef<str>) -> &mut Self {
        self.args.push(&[arg.as_ref().as_bytes()]);
        self
    }

    /// Adds several arguments.
    pub fn args(&mut self, args: &[impl AsRef<str>]) -> &mut Self {
        for arg in args {
            self.arg(arg);
        }
        self
    }

    /// Adds the arguments of this process. Those that are not UTF-8 get replacement
    /// characters.
    pub fn inherit_args(&mut self) -> &mut Self {
        for arg in std::env::args_os() {
            self.arg(arg.to_string_lossy());
        }
        self
    }

    /// Adds a variable to the environment.
    pub fn env(&mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> &mut Self {
        self.env.push(&[name.as_ref().as_bytes(), b"=", value.as_ref().as_bytes()]);
        self
    }

    /// Adds several variables to the environment.
    pub fn envs(&mut self, env: &[(impl AsRef<str>, impl AsRef<str>)]) -> &mut Self {
        for (name, value) in env {
            self.env(name, value);
        }
        self
    }

    /// Adds the environment of this process.
    pub fn inherit_env(&mut self) -> &mut Self {
        for (name, value) in std::env::vars_os() {
            self.env(name.to_string_lossy(), value.to_string_lossy());
        }
        self
    }

    /// Says what the guest reads from standard input.
    pub fn stdin(&mut self, stdin: Stdin) -> &mut Self {
        self.stdin = stdin;
        self
    }

    /// Says where standard output goes.
    pub fn stdout(&mut self, stdout: Output) -> &mut Self {
        self.stdout = stdout;
        self
    }

    /// Says where standard error goes.
    pub fn stderr(&mut self, stderr: Output) -> &mut Self {
        self.stderr = stderr;
        self
    }

    /// Gives the guest the standard input of this process.
    pub fn inherit_stdin(&mut self) -> &mut Self {
        self.stdin(Stdin::Inherit)
    }

    /// Gives the guest the standard output of this process.
    pub fn inherit_stdout(&mut self) -> &mut Self {
        self.stdout(Output::Inherit)
    }

    /// Gives the guest the standard error of this process.
    pub fn inherit_stderr(&mut self) -> &mut Self {
        self.stderr(Output::Inherit)
    }

    /// Gives the guest all three standard streams of this process.
    pub fn inherit_stdio(&mut self) -> &mut Self {
        self.inherit_stdin().inherit_stdout().inherit_stderr()
    }

    /// Grants a directory of the host under the name `guest_path`.
    ///
    /// Directories and sockets get the numbers from 3 on in the order of the calls.
    /// Most programs look for directories from 3 on and stop at the first number that
    /// is none, so directories come first.
    ///
    /// # Errors
    /// If the directory cannot be opened.
    pub fn preopened_dir(
        &mut self,
        host_path: impl AsRef<Path>,
        guest_path: impl AsRef<str>,
        dir_perms: DirPerms,
        file_perms: FilePerms,
    ) -> io::Result<&mut Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = openat(CWD, host_path.as_ref(), flags, Mode::empty())?;
        let grant = Grant { dir: dir_perms, file: file_perms };
        let file = HostFile::new(Handle::Owned(fd), Some(FileType::Directory), grant);
        let mut descriptor = Descriptor::host(file, rights::DIRECTORY, rights::INHERITING, 0);
        descriptor.preopen = Some(guest_path.as_ref().into());
        self.preopens.push(descriptor);
        Ok(self)
    }

    /// Grants a socket: a listening one of any kind, or a connected one.
    ///
    /// # Errors
    /// If it is not a socket.
    pub fn preopened_socket(&mut self, socket: impl Into<OwnedFd>) -> io::Result<&mut Self> {
        let fd: OwnedFd = socket.into();
        rustix::net::sockopt::socket_type(&fd)?;
        let filetype = socket_filetype(fd.as_fd());
        let file = HostFile::new(Handle::Owned(fd), Some(filetype), Grant::FULL);
        self.preopens.push(Descriptor::host(file, rights::LISTENER, rights::SOCKET, 0));
        Ok(self)
    }

    /// Chooses how paths are resolved. For tests, mostly.
    pub fn path_walk(&mut self, path_walk: PathWalk) -> &mut Self {
        self.path_walk = path_walk;
        self
    }

    /// Limits the number of descriptors open at once; more are `nfile`. Those granted
    /// here are always there. By default half of what this process may have open, at most
    /// 65536, so that one guest alone cannot keep others from opening anything.
    pub fn descriptor_limit(&mut self, limit: usize) -> &mut Self {
        self.descriptor_limit = Some(limit);
        self
    }

    /// Replaces the clocks.
    pub fn clocks(&mut self, clocks: impl Clocks + 'static) -> &mut Self {
        self.clocks = Some(Box::new(clocks));
        self
    }

    /// Replaces the source of randomness.
    pub fn random(&mut self, random: impl Random + 'static) -> &mut Self {
        self.random = Some(Box::new(random));
        self
    }

    /// Replaces the source of randomness by the numbers of a seed, which are no secret.
    pub fn random_seed(&mut self, seed: u64) -> &mut Self {
        self.random(SeededRandom::new(seed))
    }

    /// Whether the guest sees the same in every run. Default no; guests of an engine that is
    /// [deterministic](selkie_engine::Config::deterministic) do in any case.
    ///
    /// Clocks are [`VirtualClocks`] and random numbers those of the seed 0, where nothing else was
    /// chosen here. Directories are listed by name; files have numbers in the order in which they
    /// are seen, and one time. Descriptors are always ready for `poll_oneoff`, and reads from a
    /// pipe wait until they are full or it ends, so that its pace does not show. What remains is what the guest is given: arguments,
    /// environment, the contents of files, whether its streams are terminals, what comes through
    /// sockets; and limits of the host that it runs into.
    pub fn deterministic(&mut self, on: bool) -> &mut Self {
        self.deterministic = on;
        self
    }

    /// Makes the context. The builder is left empty, as new.
    pub fn build(&mut self) -> WasiCtx {
        let given = std::mem::take(self);
        let preopens = given.preopens;
        let limit = given.descriptor_limit.unwrap_or_else(default_descriptor_limit);
        let mut table = Table::new(limit.max(3 + preopens.len()));
        let walk = match preopens.iter().find_map(|preopen| preopen.dir(0).ok()) {
            Some((dir, _)) => given.path_walk.choose(dir),
            None => given.path_walk.choose(CWD),
        };
        let streams = [
            stdin(given.stdin),
            output(given.stdout, Handle::Stdout),
            output(given.stderr, Handle::Stderr),
        ];
        for descriptor in streams.into_iter().chain(preopens) {
            table.insert(descriptor).expect("the limit has room for what is granted");
        }
        let mut ctx = WasiCtx {
            args: given.args,
            env: given.env,
            table,
            walk,
            has_own_clocks: given.clocks.is_some(),
            has_own_random: given.random.is_some(),
            clocks: given.clocks.unwrap_or_else(|| Box::new(SystemClocks::new())),
            random: given.random.unwrap_or_else(|| Box::new(SystemRandom)),
            stable: None,
            watch: None,
            paused: Paused::default(),
        };
        if given.deterministic {
            ctx.make_deterministic();
        }
        ctx
    }
}

/// Standard streams may be files of the host's: what changes more than their content at the place
/// that the host chose is not granted.
const NOT_FOR_STREAMS: u64 =
    rights::FD_FILESTAT_SET_SIZE | rights::FD_FILESTAT_SET_TIMES | rights::FD_ALLOCATE;
const INPUT_RIGHTS: u64 = rights::DEVICE & !(rights::FD_WRITE | NOT_FOR_STREAMS);
const OUTPUT_RIGHTS: u64 = rights::DEVICE & !(rights::FD_READ | NOT_FOR_STREAMS);

fn inherited(handle: Handle, base: u64) -> Descriptor {
    Descriptor::host(HostFile::new(handle, None, Grant::FULL), base, 0, 0)
}

fn stdin(stdin: Stdin) -> Descriptor {
    let stream = match stdin {
        Stdin::Inherit => return inherited(Handle::Stdin, INPUT_RIGHTS),
        Stdin::Null => VirtualStream::Null,
        Stdin::Bytes(bytes) => VirtualStream::Bytes { bytes, position: 0 },
        Stdin::Reader(reader) => VirtualStream::Reader(reader),
    };
    Descriptor::stream(stream, INPUT_RIGHTS & rights::STREAM)
}

fn output(output: Output, handle: Handle) -> Descriptor {
    let stream = match output {
        Output::Inherit => return inherited(handle, OUTPUT_RIGHTS),
        Output::Null => VirtualStream::Null,
        Output::Capture(capture) => VirtualStream::Capture(capture),
        Output::Writer(writer) => VirtualStream::Writer(writer),
    };
    Descriptor::stream(stream, OUTPUT_RIGHTS & rights::STREAM)
}
