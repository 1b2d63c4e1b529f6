//! Backtraces: the WebAssembly frames that were active, with names, files and lines.

use crate::code::ModuleCode;
use selkie_module::FuncIndex;
use selkie_vm::Frame;
use std::any::Any;
use std::sync::{Arc, OnceLock};

/// The WebAssembly frames that were active when something failed, innermost first. Names, files
/// and lines are looked up when somebody asks.
///
/// ```
/// use selkie_engine::{Engine, Instance, Module, Store};
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module
///     (func $inner (result i32) (i32.div_u (i32.const 1) (i32.const 0)))
///     (func $outer (export "run") (result i32) (call $inner)))"#)?;
/// let mut store = Store::new(&engine, ());
/// let run = Instance::new(&mut store, &module, &[])?.get_typed_func::<(), i32>(&mut store, "run")?;
/// let error = run.call(&mut store, ()).unwrap_err();
/// let frames = error.backtrace().expect("it trapped inside WebAssembly").frames();
/// let names: Vec<_> = frames.iter().filter_map(|frame| frame.func_name()).collect();
/// assert_eq!(names, ["inner", "outer"]);
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Default)]
pub struct WasmBacktrace {
    captured: Vec<Captured>,
    frames: OnceLock<Vec<FrameInfo>>,
}

/// A frame as it was found: the module and the place in its code.
struct Captured {
    code: Arc<ModuleCode>,
    /// For a return address the byte before it, which belongs to the call.
    offset: usize,
    is_return_address: bool,
}

/// One frame. Shows as its place in the module, its name, and its place in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameInfo {
    func: FuncIndex,
    name: Option<String>,
    offset: Option<u32>,
    location: Option<Location>,
}

/// A place in a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) function: Option<String>,
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u32>,
    pub(crate) column: Option<u32>,
}

impl FrameInfo {
    /// Index of the function in its module.
    pub fn func_index(&self) -> u32 {
        self.func.0
    }

    /// The function's name as written in the module, demangled.
    pub fn func_name(&self) -> Option<String> {
        let from_source = self.location.as_ref().and_then(|l| l.function.clone());
        let name = from_source.or_else(|| self.name.clone())?;
        let mut demangled = format!("{:#}", rustc_demangle::demangle(cut(&name)));
        demangled.truncate(cut(&demangled).len());
        Some(demangled)
    }

    /// Bytes from the module's start.
    pub fn module_offset(&self) -> Option<u32> {
        self.offset
    }

    /// Source file and line, where the module carries DWARF.
    pub fn file_line(&self) -> Option<(&str, u32)> {
        let location = self.location.as_ref()?;
        Some((location.file.as_deref()?, location.line?))
    }
}

impl WasmBacktrace {
    /// The frames, innermost first.
    pub fn frames(&self) -> &[FrameInfo] {
        self.frames.get_or_init(|| {
            let mut frames = Vec::new();
            self.captured.iter().for_each(|frame| resolve(frame, &mut frames));
            frames
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.captured.is_empty()
    }

    pub(crate) fn capture(frames: &[Frame]) -> WasmBacktrace {
        let captured = frames.iter().filter_map(|frame| {
            let is_return_address = frame.is_return_address;
            let (object, offset) = selkie_vm::lookup(frame.pc - usize::from(is_return_address))?;
            let object: Arc<dyn Any + Send + Sync> = object;
            let code = object.downcast::<ModuleCode>().ok()?;
            Some(Captured { code, offset, is_return_address })
        });
        WasmBacktrace { captured: captured.collect(), frames: OnceLock::new() }
    }
}

fn resolve(frame: &Captured, out: &mut Vec<FrameInfo>) {
    let code = &frame.code;
    for (func, offset) in code.places(frame.offset, frame.is_return_address) {
        let name = code.func_name(func).map(str::to_string);
        let plain = FrameInfo { func, name, offset, location: None };
        let locations = offset.map_or(Vec::new(), |offset| locations(code, offset));
        if locations.is_empty() {
            out.push(plain);
            continue;
        }
        // The source compiler's own inlining gives several places for one instruction.
        let of = |location| FrameInfo { location: Some(location), ..plain.clone() };
        out.extend(locations.into_iter().map(of));
    }
}

#[cfg(feature = "dwarf")]
fn locations(code: &ModuleCode, offset: u32) -> Vec<Location> {
    let lines = code.dwarf.get_or_init(|| crate::dwarf::Lines::new(code));
    let offset = u64::from(offset.saturating_sub(code.info.code_start));
    lines.as_ref().map_or(Vec::new(), |lines| lines.at(offset))
}

#[cfg(not(feature = "dwarf"))]
fn locations(_code: &ModuleCode, _offset: u32) -> Vec<Location> {
    Vec::new()
}

impl std::fmt::Debug for WasmBacktrace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.frames()).finish()
    }
}

impl std::fmt::Display for FrameInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(offset) = self.offset {
            write!(f, "{offset:#8x} - ")?;
        }
        let name = self.func_name().unwrap_or_else(|| format!("<wasm function {}>", self.func.0));
        write!(f, "{}", printable(&name))?;
        let Some(location) = &self.location else { return Ok(()) };
        let Some(file) = &location.file else { return Ok(()) };
        write!(f, "\n             at {}", printable(file))?;
        if let Some(line) = location.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = location.column {
            write!(f, ":{column}")?;
        }
        Ok(())
    }
}

impl std::fmt::Display for WasmBacktrace {
    /// Frames in a row that are the same, as of a function that calls itself, are shown once.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "wasm backtrace:")?;
        let mut depth = 0;
        for same in self.frames().chunk_by(|a, b| a == b) {
            writeln!(f, "  {depth:>3}: {}", same[0])?;
            if same.len() > 1 {
                writeln!(f, "       and {} more of these", same.len() - 1)?;
            }
            depth += same.len();
        }
        Ok(())
    }
}

/// Names come from the guest and may be of any length.
fn cut(name: &str) -> &str {
    const MAX_NAME_BYTES: usize = 4096;
    &name[..name.floor_char_boundary(MAX_NAME_BYTES)]
}

/// Names come from the guest: control characters in them must not reach a terminal.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
