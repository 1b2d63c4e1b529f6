//! Grants: what a program is given, from the command line, and the context made of them.
//!
//! Invariant: without a flag a program has its standard streams, its arguments, clocks and
//! random numbers, and nothing else. What `--dry-run` prints is what would be given.

use crate::report::Failure;
use crate::settings::WasiSettings;
use crate::text::shown;
use clap::{Args, ValueHint};
use selkie::wasi::{DirPerms, FilePerms, PathWalk, Stdin, WasiCtx, WasiCtxBuilder};
use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The options that give something.
#[derive(Args, Debug)]
pub(crate) struct GrantOptions {
    /// Grant a directory, HOST[::GUEST][:ro], under the name GUEST (HOST, if there is none); with
    /// `:ro` for reading only
    #[arg(long, value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
    dir: Vec<OsString>,
    /// Set a variable for the program; without VALUE, pass ours on
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// What the program sees as its own name
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    argv0: Option<String>,
}

/// A directory to give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DirGrant {
    host: PathBuf,
    guest: String,
    read_only: bool,
}

/// Everything a program is given.
#[derive(Debug)]
pub(crate) struct Grants {
    args: Vec<String>,
    dirs: Vec<DirGrant>,
    env: Vec<(String, String)>,
}

impl Grants {
    /// Reads grants from a command line; `program` is the name of what will run, `args` are its
    /// arguments.
    ///
    /// # Errors
    /// A grant cannot be understood; something is not UTF-8, which WASI's strings are.
    pub(crate) fn of(
        options: &GrantOptions,
        settings: &WasiSettings,
        program: &OsStr,
        args: &[OsString],
    ) -> Result<Grants, Failure> {
        let name = match &options.argv0 {
            Some(name) => name.clone(),
            None => {
                let name = Path::new(program).file_name().unwrap_or(program);
                name.to_string_lossy().into_owned()
            }
        };
        let mut all = vec![name];
        for (i, arg) in args.iter().enumerate() {
            let Some(arg) = arg.to_str() else {
                return Err(Failure::usage(format!("argument {} is not UTF-8", i + 1)));
            };
            all.push(arg.to_string());
        }
        let dirs = options.dir.iter().map(|dir| DirGrant::parse(dir));
        let dirs = dirs.collect::<Result<Vec<_>, _>>()?;
        check_names_differ(&dirs)?;
        Ok(Grants { args: all, dirs, env: environment(&options.env, settings)? })
    }

    /// Whether any directory is given.
    pub(crate) fn has_dirs(&self) -> bool {
        !self.dirs.is_empty()
    }

    /// Opens what is given.
    ///
    /// # Errors
    /// A directory cannot be opened, an address cannot be listened on.
    pub(crate) fn open(&self, settings: &WasiSettings) -> Result<WasiCtx, Failure> {
        let mut builder = WasiCtx::builder();
        builder.args(&self.args).envs(&self.env);
        if !settings.closed_streams[0] {
            builder.stdin(Stdin::Inherit);
        }
        if !settings.closed_streams[1] {
            builder.inherit_stdout();
        }
        if !settings.closed_streams[2] {
            builder.inherit_stderr();
        }
        for dir in &self.dirs {
            dir.open(&mut builder)?;
        }
        for address in &settings.tcp_listen {
            listen(&mut builder, address)?;
        }
        if let Some(limit) = settings.max_descriptors {
            builder.descriptor_limit(limit);
        }
        if let Some(seed) = settings.random_seed {
            builder.random_seed(seed);
        }
        if settings.manual_path_walk {
            builder.path_walk(PathWalk::Manual);
        }
        Ok(builder.build())
    }

    /// What would be given, for people.
    pub(crate) fn describe(&self, settings: &WasiSettings) -> String {
        let mut text = String::from("arguments:\n");
        for arg in &self.args {
            let _ = writeln!(text, "  {}", shown(arg));
        }
        text.push_str("streams:\n");
        for (name, closed) in ["input", "output", "error"].iter().zip(settings.closed_streams) {
            let state = if closed { "nothing" } else { "ours" };
            let _ = writeln!(text, "  standard {name}: {state}");
        }
        text.push_str("directories:\n");
        for dir in &self.dirs {
            let mode = if dir.read_only { "read only" } else { "read and write" };
            let host = shown(&dir.host.to_string_lossy());
            let _ = writeln!(text, "  {host} as {}: {mode}", shown(&dir.guest));
        }
        none(&mut text, self.dirs.is_empty());
        text.push_str("environment:\n");
        for (name, value) in &self.env {
            let _ = writeln!(text, "  {} = {}", shown(name), shown(value));
        }
        none(&mut text, self.env.is_empty());
        text.push_str("sockets:\n");
        for address in &settings.tcp_listen {
            let _ = writeln!(text, "  listening on {}", shown(address));
        }
        none(&mut text, settings.tcp_listen.is_empty());
        text
    }
}

fn none(text: &mut String, is_empty: bool) {
    if is_empty {
        text.push_str("  none\n");
    }
}

/// A program finds a directory by its name, so only one of several with the same would be found.
fn check_names_differ(dirs: &[DirGrant]) -> Result<(), Failure> {
    let name = |dir: &DirGrant| dir.guest.trim_end_matches('/').to_string();
    let twice = dirs.iter().enumerate().find(|(i, dir)| {
        let before = &dirs[..*i];
        before.iter().any(|other| name(other) == name(dir))
    });
    match twice {
        None => Ok(()),
        Some((_, dir)) => Err(Failure::usage(format!(
            "two directories are granted as {}; name one differently: --dir HOST::GUEST",
            shown(&dir.guest)
        ))),
    }
}

fn environment(
    given: &[String],
    settings: &WasiSettings,
) -> Result<Vec<(String, String)>, Failure> {
    let mut env = Vec::new();
    if settings.inherit_env {
        for (name, value) in std::env::vars_os() {
            // What is not UTF-8 cannot be said in WASI; a program asks for what it knows.
            if let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) {
                env.push((name, value));
            }
        }
    }
    for given in given {
        let (name, value) = match given.split_once('=') {
            Some((name, value)) => (name, Some(value.to_string())),
            None => (given.as_str(), std::env::var(given).ok()),
        };
        if name.is_empty() {
            return Err(Failure::usage("--env needs NAME[=VALUE]"));
        }
        env.retain(|(known, _)| known != name);
        env.extend(value.map(|value| (name.to_string(), value)));
    }
    Ok(env)
}

impl DirGrant {
    /// `HOST[::GUEST][:ro]`.
    fn parse(given: &OsStr) -> Result<DirGrant, Failure> {
        let wrong = |why: &str| {
            let given = shown(&given.to_string_lossy());
            Failure::usage(format!("--dir {given}: {why}; it needs HOST[::GUEST][:ro]"))
        };
        let bytes = given.as_bytes();
        let (bytes, read_only) = match bytes.strip_suffix(b":ro") {
            Some(rest) => (rest, true),
            None => (bytes.strip_suffix(b":rw").unwrap_or(bytes), false),
        };
        let colons = bytes.windows(2).position(|pair| pair == b"::");
        let (host, guest) = match colons {
            Some(at) => (&bytes[..at], &bytes[at + 2..]),
            None => (bytes, bytes),
        };
        if host.is_empty() || guest.is_empty() {
            return Err(wrong("a name is empty"));
        }
        let behind = colons.map_or(&[][..], |at| &given.as_bytes()[at + 2..]);
        if behind.windows(2).any(|pair| pair == b"::") {
            return Err(wrong("`::` stands there twice"));
        }
        let guest = std::str::from_utf8(guest).map_err(|_| wrong("the name is not UTF-8"))?;
        let host = PathBuf::from(OsStr::from_bytes(host));
        Ok(DirGrant { host, guest: guest.to_string(), read_only })
    }

    fn open(&self, builder: &mut WasiCtxBuilder) -> Result<(), Failure> {
        let (dirs, files) = if self.read_only {
            (DirPerms::READ, FilePerms::READ)
        } else {
            (DirPerms::all(), FilePerms::all())
        };
        let opened = builder.preopened_dir(&self.host, &self.guest, dirs, files);
        opened.map(drop).map_err(|error| {
            let host = shown(&self.host.to_string_lossy());
            let failure = Failure::error(format!("cannot grant {host}: {error}"));
            match error.kind() {
                std::io::ErrorKind::NotADirectory => failure.hint("grant the directory it is in"),
                std::io::ErrorKind::NotFound => failure.hint(self.remedy_of_absence()),
                _ => failure,
            }
        })
    }

    /// What to do where the directory is not there; others separate names by one colon.
    fn remedy_of_absence(&self) -> &'static str {
        if self.host.as_os_str() == self.guest.as_str() && self.guest.contains(':') {
            return "two colons separate the names: --dir HOST::GUEST";
        }
        "make it first, or correct --dir"
    }
}

fn listen(builder: &mut WasiCtxBuilder, address: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        let address = shown(address);
        Failure::error(format!(
            "cannot listen on {address}: {error}; -S tcp-listen needs ADDRESS:PORT"
        ))
    };
    let socket = std::net::TcpListener::bind(address).map_err(failed)?;
    builder.preopened_socket(socket).map_err(failed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(given: &str) -> (String, String, bool) {
        let dir = DirGrant::parse(OsStr::new(given)).unwrap();
        (dir.host.to_string_lossy().into_owned(), dir.guest, dir.read_only)
    }

    #[test]
    fn directories_have_a_host_a_guest_and_a_mode() {
        assert_eq!(parsed("data"), ("data".into(), "data".into(), false));
        assert_eq!(parsed("data:ro"), ("data".into(), "data".into(), true));
        assert_eq!(parsed("/a::/b"), ("/a".into(), "/b".into(), false));
        assert_eq!(parsed("/a::/b:ro"), ("/a".into(), "/b".into(), true));
        assert_eq!(parsed("c:d:rw"), ("c:d".into(), "c:d".into(), false));
    }

    #[test]
    fn empty_names_are_refused() {
        for given in ["", "::/b", "/a::", ":ro", "/a:::ro", "/a::/b::rw", "/a::/b::/c"] {
            let outcome = DirGrant::parse(OsStr::new(given));
            assert!(outcome.is_err(), "{given}: {outcome:?}");
        }
    }
}
