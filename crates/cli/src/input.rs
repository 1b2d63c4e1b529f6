//! Reading what is to be run or looked at: a file or standard input, of the right kind.

use crate::kinds::{HEAD_BYTES, Kind, kind};
use crate::options;
use crate::report::Failure;
use crate::text::{nearest, shown};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// No module is larger: offsets in the binary format have 32 bits.
const LIMIT_BYTES: u64 = u32::MAX as u64;

/// Something to run or look at.
#[derive(Debug)]
pub(crate) struct Input {
    /// How it is called in messages, harmless and in quotes.
    pub(crate) shown: String,
    /// Where it lies, unless it came from standard input.
    pub(crate) path: Option<PathBuf>,
    pub(crate) content: Content,
}

/// What was read.
#[derive(Debug)]
pub(crate) enum Content {
    /// A core module in the binary format.
    Module(Vec<u8>),
    /// A module in the text format.
    Text(Vec<u8>),
    /// Compiled code.
    Artifact(Artifact),
}

/// Compiled code, of whomever: `trusted.rs` says whose is run.
#[derive(Debug)]
pub(crate) enum Artifact {
    /// In a file, of which only the first bytes have been read.
    File(File),
    /// From a stream.
    Bytes(Vec<u8>),
}

/// Reads a file, or standard input when it is named `-`.
///
/// # Errors
/// It cannot be read, or is of a kind we cannot use.
pub(crate) fn read(name: &OsStr) -> Result<Input, Failure> {
    if name == "-" {
        let bytes = read_all(std::io::stdin().lock(), "standard input")?;
        return sorted(bytes, "standard input".into(), None);
    }
    let path = Path::new(name);
    let label = shown(&path.to_string_lossy());
    let cannot = |error: std::io::Error| cannot_read(name, &label, &error);
    let mut file = File::open(path).map_err(cannot)?;
    let meta = file.metadata().map_err(cannot)?;
    if meta.is_dir() {
        return Err(Failure::error(format!("{label} is a directory; name a file in it")));
    }
    let mut bytes = Vec::new();
    if meta.is_file() {
        if meta.len() > LIMIT_BYTES {
            return Err(too_large(&label));
        }
        (&mut file).take(16).read_to_end(&mut bytes).map_err(cannot)?;
        if kind(&bytes) == Kind::Artifact {
            return Ok(Input {
                shown: label,
                path: Some(path.into()),
                content: Content::Artifact(Artifact::File(file)),
            });
        }
        // One more than there should be: then the end is seen without asking for more room.
        bytes.reserve_exact(meta.len() as usize + 1);
    }
    read_rest(file, &label, &mut bytes)?;
    sorted(bytes, label, Some(path.into()))
}

/// Reads a text for the script runner: any text will do.
pub(crate) fn read_text(name: &OsStr) -> Result<(String, String), Failure> {
    let (label, bytes) = if name == "-" {
        ("standard input".to_string(), read_all(std::io::stdin().lock(), "standard input")?)
    } else {
        let label = shown(&name.to_string_lossy());
        let file = File::open(name).map_err(|error| cannot_read(name, &label, &error))?;
        let bytes = read_all(file, &label)?;
        (label, bytes)
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok((label, text)),
        Err(error) if error.as_bytes().starts_with(b"\0asm") => {
            Err(Failure::error(format!("{label} is a module, not a script; use `selkie run`")))
        }
        // Strings in scripts may hold any bytes that are no characters; parsers want text.
        Err(error) => Ok((label, String::from_utf8_lossy(error.as_bytes()).into_owned())),
    }
}

fn read_all(reader: impl Read, label: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    read_rest(reader, label, &mut bytes)?;
    Ok(bytes)
}

fn read_rest(reader: impl Read, label: &str, bytes: &mut Vec<u8>) -> Result<(), Failure> {
    let room = LIMIT_BYTES + 1 - bytes.len() as u64;
    let read = reader.take(room).read_to_end(bytes);
    read.map_err(|error| Failure::error(format!("cannot read {label}: {error}")))?;
    if bytes.len() as u64 > LIMIT_BYTES {
        return Err(too_large(label));
    }
    Ok(())
}

fn too_large(label: &str) -> Failure {
    Failure::error(format!("{label} is larger than 4 GiB, which no module can be"))
}

fn cannot_read(name: &OsStr, label: &str, error: &std::io::Error) -> Failure {
    let failure = Failure::error(format!("cannot read {label}: {error}"));
    if error.kind() != ErrorKind::NotFound {
        return failure;
    }
    let mut definition = options::definition();
    definition.build();
    let words = definition.get_subcommands().map(|command| command.get_name());
    let name = name.to_string_lossy();
    match nearest(&name, words).filter(|_| !name.contains(['.', '/'])) {
        Some(word) => failure.hint(&format!("did you mean the command `{word}`?")),
        None => failure,
    }
}

fn sorted(bytes: Vec<u8>, shown: String, path: Option<PathBuf>) -> Result<Input, Failure> {
    let content = match kind(&bytes[..bytes.len().min(HEAD_BYTES)]) {
        Kind::Module => Content::Module(bytes),
        Kind::Text => Content::Text(bytes),
        Kind::Artifact => Content::Artifact(Artifact::Bytes(bytes)),
        Kind::Other(what, todo) => return Err(Failure::error(format!("{shown} {what}; {todo}"))),
    };
    Ok(Input { shown, path, content })
}

impl Input {
    /// The module in the binary format.
    ///
    /// # Errors
    /// The text is not a module's; the input is compiled code already.
    pub(crate) fn into_binary(self) -> Result<Vec<u8>, Failure> {
        match self.content {
            Content::Module(bytes) => Ok(bytes),
            Content::Text(bytes) => to_binary(&bytes, self.path.as_deref()),
            Content::Artifact(_) => Err(Failure::error(format!(
                "{} is an artifact of `selkie compile`; name the module it was made from",
                self.shown
            ))),
        }
    }
}

/// Encodes a module's text.
pub(crate) fn to_binary(text: &[u8], path: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let parsed = wat::Parser::new().parse_bytes(path, text);
    parsed.map(|binary| binary.into_owned()).map_err(|error| Failure::error(error.to_string()))
}
