//! A CPython that can be called when it is ready, made of one that is a command.
//!
//! The command runs a program that imports what requests need, says where things are, and leaves
//! by `os._exit`: its host unwinds, and everything in the guest stays as it stands, inside the call
//! of `os._exit`. From there on the guest can be called as if that call had called back: through the
//! slot of a type, as CPython itself calls objects. All it takes is that the table of functions is
//! exported.

use std::path::PathBuf;

use selkie_benches::Outcome;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{ExportKind, ExportSection, Module, RawSection};
use wasmparser::{Parser, Payload};

/// The name of the table of functions.
pub const TABLE: &str = "__indirect_function_table";

/// What the command is told to run.
pub const BOOT: &str = "\
import sys, os, json, re, time, array
room = array.array('B', bytes(65536))
space = {'sys': sys, 'json': json, 're': re}
def serve():
    time.perf_counter()
    count = int.from_bytes(room[:4], 'little')
    exec(room[4:4 + count].tobytes(), space)
    sys.stdout.flush()
json.loads(json.dumps([re.findall('a', 'banana')]))
print(id(serve), id(()), id(type(serve)), room.buffer_info()[0], flush=True)
os._exit(0)
";

/// Where things are in a guest that is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// The function that serves a request.
    pub serve: u32,
    /// An empty tuple.
    pub nothing: u32,
    /// The type of functions.
    pub type_of_serve: u32,
    /// Room for a request: its length in four bytes, and its text.
    pub room: u32,
}

/// `PyTypeObject::tp_call` where pointers have four bytes: a function of the table that takes a
/// callable, arguments and keywords, and answers an object, or null when it raised an exception.
pub const TP_CALL_OFFSET: u32 = 64;

impl Places {
    /// From what [`BOOT`] prints.
    ///
    /// # Errors
    /// When that is something else.
    pub fn parse(output: &[u8]) -> Outcome<Places> {
        let text = String::from_utf8_lossy(output);
        let numbers: Vec<u32> = text.split_whitespace().filter_map(|n| n.parse().ok()).collect();
        let &[serve, nothing, type_of_serve, room] = &numbers[..] else {
            return Err(format!("the guest did not get ready; it says {text:?}"));
        };
        Ok(Places { serve, nothing, type_of_serve, room })
    }
}

/// A text as it lies in [`Places::room`].
#[must_use]
pub fn in_room(text: &str) -> Vec<u8> {
    [&(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

/// The command with its first table exported, without debug information.
///
/// # Errors
/// When it is no module.
pub fn with_table(wasm: &[u8]) -> Outcome<Vec<u8>> {
    let failed = |e: &dyn std::fmt::Display| format!("python.wasm: {e}");
    let mut module = Module::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(|e| failed(&e))?;
        if let Payload::ExportSection(section) = payload {
            let mut exports = ExportSection::new();
            RoundtripReencoder
                .parse_export_section(&mut exports, section)
                .map_err(|e| failed(&e))?;
            exports.export(TABLE, ExportKind::Table, 0);
            module.section(&exports);
        } else if let Some((id, range)) = payload.as_section()
            && id != 0
        {
            module
                .section(&RawSection { id, data: &wasm[range.start as usize..range.end as usize] });
        }
    }
    Ok(module.finish())
}

/// A file with these bytes, whose name changes with them, for artifacts to be kept beside.
///
/// # Errors
/// When it cannot be written.
pub fn file(name: &str, bytes: &[u8]) -> Outcome<PathBuf> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let folder = crate::artifact::folder();
    let path = folder.join(format!("{name}-{:016x}.wasm", hasher.finish()));
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(&path, bytes))
        .map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}
