//! Artifacts: a compiled module as bytes.
//!
//! ```text
//! magic "\0selkie\0" · format u32 · sections u32 · BLAKE3 of the fingerprint [32]
//! per section: kind u32 · reserved u32 · offset u64 · length u64 · BLAKE3 of its bytes [32]
//! BLAKE3 of all of the above [32]
//! the sections, each starting at a multiple of 16, code at a multiple of 4096
//! ```
//!
//! Nothing is believed before its hash is checked: damage of any bit is found. The hashes do not
//! authenticate: whoever can write an artifact decides what runs.

use crate::error::{Error, ErrorKind, Result};
use selkie_module::ModuleInfo;
use selkie_module::sites::FuncRange;
use serde::{Deserialize, Serialize};
use std::ops::Range;

const MAGIC: &[u8; 8] = b"\0selkie\0";
/// Changes whenever the meaning of any section changes.
const FORMAT: u32 = 4;
const HEADER_BYTES: usize = 48;
const ENTRY_BYTES: usize = 56;

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
enum Section {
    Meta = 1,
    Code = 2,
    Sites = 3,
    Data = 4,
    Names = 5,
    Debug = 6,
    Fingerprint = 7,
    Frames = 8,
    Front = 9,
}

const SECTIONS: [Section; 9] = [
    Section::Fingerprint,
    Section::Meta,
    Section::Sites,
    Section::Frames,
    Section::Data,
    Section::Names,
    Section::Debug,
    Section::Front,
    Section::Code,
];

/// The part that is decoded when an artifact is loaded.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Meta {
    pub(crate) info: ModuleInfo,
    pub(crate) funcs: Vec<FuncRange>,
    /// Whether its code reaches into the collected heap or asks for types.
    pub(crate) uses_heap: bool,
    /// Whether it does without guard pages though the settings allow them.
    pub(crate) is_checked: bool,
    /// DWARF sections: name and extent in the debug section.
    pub(crate) debug: Vec<(String, Range<u32>)>,
}

/// A compiled module in parts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Artifact {
    pub(crate) meta: Meta,
    pub(crate) code: Bytes,
    pub(crate) sites: Bytes,
    pub(crate) frames: Bytes,
    pub(crate) data: Bytes,
    /// The module's bytes before its data, for compiling it once more.
    pub(crate) front: Bytes,
    pub(crate) names: Bytes,
    pub(crate) debug: Bytes,
}

/// Bytes of their own, or a part of a larger whole.
#[derive(Clone, Default)]
pub(crate) struct Bytes {
    whole: Option<std::sync::Arc<dyn AsRef<[u8]> + Send + Sync>>,
    range: Range<usize>,
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.range.len())
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.whole {
            Some(whole) => &(**whole).as_ref()[self.range.clone()],
            None => &[],
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Bytes {
        let range = 0..bytes.len();
        Bytes { whole: Some(std::sync::Arc::new(bytes)), range }
    }
}

/// Whether bytes claim to be an artifact.
pub(crate) fn is_artifact(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

impl Artifact {
    fn section(&self, section: Section) -> &[u8] {
        match section {
            Section::Meta | Section::Fingerprint => &[],
            Section::Code => &self.code,
            Section::Sites => &self.sites,
            Section::Frames => &self.frames,
            Section::Data => &self.data,
            Section::Names => &self.names,
            Section::Debug => &self.debug,
            Section::Front => &self.front,
        }
    }

    /// The artifact as bytes.
    pub(crate) fn serialize(&self, fingerprint: &str) -> Result<Vec<u8>> {
        let meta = postcard::to_allocvec(&self.meta)?;
        let mut out = Vec::new();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&(SECTIONS.len() as u32).to_le_bytes());
        out.extend_from_slice(blake3::hash(fingerprint.as_bytes()).as_bytes());
        let content = |section: Section| match section {
            Section::Meta => &meta[..],
            Section::Fingerprint => fingerprint.as_bytes(),
            _ => self.section(section),
        };
        let mut at = HEADER_BYTES + SECTIONS.len() * ENTRY_BYTES + 32;
        for section in SECTIONS {
            let bytes = content(section);
            at = at.next_multiple_of(alignment(section));
            out.extend_from_slice(&(section as u32).to_le_bytes());
            out.extend_from_slice(&0u32.to_le_bytes());
            out.extend_from_slice(&(at as u64).to_le_bytes());
            out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            out.extend_from_slice(&hash(bytes));
            at += bytes.len();
        }
        let head = blake3::hash(&out);
        out.extend_from_slice(head.as_bytes());
        out.reserve_exact(at - out.len());
        for section in SECTIONS {
            out.resize(out.len().next_multiple_of(alignment(section)), 0);
            out.extend_from_slice(content(section));
        }
        Ok(out)
    }

    /// Reads and checks an artifact. Answers also where its code lies in `whole`, for mapping.
    pub(crate) fn load(
        whole: std::sync::Arc<dyn AsRef<[u8]> + Send + Sync>,
        fingerprint: &str,
    ) -> Result<(Artifact, Range<usize>)> {
        let bytes: &[u8] = (*whole).as_ref();
        if !is_artifact(bytes) {
            return Err(damaged("it does not begin like one"));
        }
        let head_end = HEADER_BYTES + SECTIONS.len() * ENTRY_BYTES;
        let head = bytes.get(..head_end).ok_or_else(|| damaged("it ends in its header"))?;
        if read_u32(head, 8) != FORMAT || head[16..48] != hash(fingerprint.as_bytes()) {
            return Err(foreign(bytes, fingerprint));
        }
        if bytes.get(head_end..head_end + 32) != Some(&hash(head)[..]) {
            return Err(damaged("its header has changed"));
        }
        let mut artifact = Artifact::default();
        let mut code_range = 0..0;
        let mut end = head_end + 32;
        for (i, section) in SECTIONS.into_iter().enumerate() {
            let entry = &head[HEADER_BYTES + i * ENTRY_BYTES..][..ENTRY_BYTES];
            let range = section_range(entry, bytes.len())?;
            // Between sections lies padding, which no hash covers.
            let padding = bytes.get(end..range.start).unwrap_or(&[1]);
            if padding.iter().any(|byte| *byte != 0) {
                return Err(damaged("there is something between its sections"));
            }
            end = range.end;
            let content = &bytes[range.clone()];
            if hash(content)[..] != entry[24..56] {
                return Err(damaged("its contents have changed"));
            }
            let part = Bytes { whole: Some(whole.clone()), range: range.clone() };
            match section {
                // Equal to ours, as its hash was.
                Section::Fingerprint => {}
                Section::Meta => artifact.meta = postcard::from_bytes(content)?,
                Section::Code => (artifact.code, code_range) = (part, range),
                Section::Sites => artifact.sites = part,
                Section::Frames => artifact.frames = part,
                Section::Data => artifact.data = part,
                Section::Names => artifact.names = part,
                Section::Debug => artifact.debug = part,
                Section::Front => artifact.front = part,
            }
        }
        if end != bytes.len() {
            return Err(damaged("there is something behind its last section"));
        }
        Ok((artifact, code_range))
    }
}

fn alignment(section: Section) -> usize {
    if section == Section::Code { 4096 } else { 16 }
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn read_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn section_range(entry: &[u8], total: usize) -> Result<Range<usize>> {
    let (start, len) = (read_u64(entry, 8), read_u64(entry, 16));
    match start.checked_add(len) {
        Some(end) if end <= total as u64 => Ok(start as usize..end as usize),
        _ => Err(damaged("it is cut short")),
    }
}

/// Says why an artifact that is not for this engine is not.
fn foreign(bytes: &[u8], ours: &str) -> Error {
    let entry = bytes.get(HEADER_BYTES..HEADER_BYTES + ENTRY_BYTES);
    let theirs = entry.filter(|_| read_u32(bytes, 8) == FORMAT).and_then(|entry| {
        let content = &bytes[section_range(entry, bytes.len()).ok()?];
        let is_whole = hash(content)[..] == entry[24..56];
        std::str::from_utf8(content).ok().filter(|_| is_whole)
    });
    let what = match theirs {
        None => "by another version".to_string(),
        Some(theirs) => differences(ours, theirs),
    };
    let message = format!(
        "this artifact was made {what}; compile the module again with `selkie compile`, or run it \
         with what it was made with"
    );
    Error::new(ErrorKind::Unsupported, message)
}

/// The names of the lines that differ between two fingerprints.
fn differences(ours: &str, theirs: &str) -> String {
    let differing: Vec<&str> = ours
        .lines()
        .zip(theirs.lines())
        .filter(|(ours, theirs)| ours != theirs)
        .map(|(ours, _)| ours.split(':').next().unwrap_or(ours))
        .collect();
    match differing[..] {
        [] => "with other settings".to_string(),
        _ => format!("with another {}", differing.join(", another ")),
    }
}

fn damaged(why: &str) -> Error {
    let message =
        format!("this is not a usable artifact: {why}; make it again with `selkie compile`");
    Error::new(ErrorKind::Invalid, message)
}
