//! Reading what is to be run or looked at: a file or standard input, of the right kind.
//!
//! Invariant: of a stream, which may never end, no more than its first bytes are read unless they
//! are of a kind we can use, and never more than [`LIMIT_BYTES`].

use crate::kinds::{HEAD_BYTES, Kind, kind, no_script};
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
        let bytes = read_stream(std::io::stdin().lock(), "standard input", refusal)?;
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
    if !meta.is_file() {
        let bytes = read_stream(file, &label, refusal)?;
        return sorted(bytes, label, Some(path.into()));
    }
    if meta.len() > LIMIT_BYTES {
        return Err(too_large(&label));
    }
    let mut bytes = Vec::new();
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
    read_rest(file, &label, &mut bytes)?;
    sorted(bytes, label, Some(path.into()))
}

/// What cannot be used, and what to do about it.
type Refusal = (&'static str, &'static str);

fn refusal(head: &[u8]) -> Option<Refusal> {
    match kind(head) {
        Kind::Other(what, todo) => Some((what, todo)),
        Kind::Module | Kind::Text | Kind::Artifact => None,
    }
}

/// Reads a text for the script runner: any text will do.
pub(crate) fn read_text(name: &OsStr) -> Result<(String, String), Failure> {
    let (label, bytes) = if name == "-" {
        let label = "standard input".to_string();
        let bytes = read_stream(std::io::stdin().lock(), &label, no_script)?;
        (label, bytes)
    } else {
        let label = shown(&name.to_string_lossy());
        let file = File::open(name).map_err(|error| cannot_read(name, &label, &error))?;
        let bytes = read_stream(file, &label, no_script)?;
        (label, bytes)
    };
    Ok(match String::from_utf8(bytes) {
        Ok(text) => (label, text),
        // Strings in scripts may hold any bytes that are no characters; parsers want text.
        Err(error) => (label, String::from_utf8_lossy(error.as_bytes()).into_owned()),
    })
}

fn read_stream(
    mut reader: impl Read,
    label: &str,
    refusal: fn(&[u8]) -> Option<Refusal>,
) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let head = reader.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut bytes);
    head.map_err(|error| Failure::error(format!("cannot read {label}: {error}")))?;
    if let Some((what, todo)) = refusal(&bytes) {
        return Err(Failure::error(format!("{label} {what}; {todo}")));
    }
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
