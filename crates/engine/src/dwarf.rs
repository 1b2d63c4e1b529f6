//! Files and lines from the DWARF sections that a module carries. Read when the first backtrace
//! is resolved. Damaged DWARF gives no lines, never an error.
//!
//! DWARF is the guest's word. The reader below recurses with the nesting of entries and keeps the
//! address ranges of all units, so both are measured first, and what is out of proportion is not
//! read at all.

use crate::backtrace::Location;
use crate::code::ModuleCode;
use std::sync::{Arc, Mutex, PoisonError};

type Reader = gimli::EndianReader<gimli::LittleEndian, Arc<[u8]>>;

/// The line tables of a module.
pub(crate) struct Lines {
    context: Mutex<addr2line::Context<Reader>>,
}

impl Lines {
    pub(crate) fn new(code: &ModuleCode) -> Option<Lines> {
        if code.debug.is_empty() {
            return None;
        }
        let load = |id: gimli::SectionId| -> Result<Reader, gimli::Error> {
            let found = code.debug.iter().find(|(name, _)| name == id.name());
            let bytes = found.and_then(|(_, range)| {
                code.debug_bytes.get(range.start as usize..range.end as usize)
            });
            let bytes: Arc<[u8]> = bytes.unwrap_or_default().into();
            Ok(Reader::new(bytes, gimli::LittleEndian))
        };
        let dwarf = gimli::Dwarf::load(load).ok()?;
        if !is_in_proportion(&dwarf).unwrap_or(false) {
            return None;
        }
        let context = addr2line::Context::from_dwarf(dwarf).ok()?;
        Some(Lines { context: Mutex::new(context) })
    }

    /// The places of an offset in the code section, innermost inlined one first.
    pub(crate) fn at(&self, offset: u64) -> Vec<Location> {
        let context = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        let mut locations = Vec::new();
        let Ok(mut frames) = context.find_frames(offset).skip_all_loads() else {
            return locations;
        };
        while let Ok(Some(frame)) = frames.next() {
            let at = frame.location.as_ref();
            locations.push(Location {
                function: frame
                    .function
                    .as_ref()
                    .and_then(|f| f.raw_name().ok().map(|n| n.into_owned())),
                file: at.and_then(|l| l.file.map(str::to_string)),
                line: at.and_then(|l| l.line),
                column: at.and_then(|l| l.column),
            });
        }
        locations
    }
}

/// Nesting of entries that is still read.
const MAX_DEPTH: isize = 256;
/// Address ranges of units, taken together, that are still read.
const MAX_RANGES: usize = 1 << 20;

fn is_in_proportion(dwarf: &gimli::Dwarf<Reader>) -> gimli::Result<bool> {
    let mut ranges_left = MAX_RANGES;
    let mut units = dwarf.units();
    while let Some(header) = units.next()? {
        let unit = dwarf.unit(header)?;
        let mut ranges = dwarf.unit_ranges(&unit)?;
        while ranges.next()?.is_some() {
            let Some(left) = ranges_left.checked_sub(1) else { return Ok(false) };
            ranges_left = left;
        }
        let mut entries = unit.entries_raw(None)?;
        while !entries.is_empty() {
            if entries.next_depth() > MAX_DEPTH {
                return Ok(false);
            }
            if let Some(abbreviation) = entries.read_abbreviation()? {
                entries.skip_attributes(abbreviation.attributes())?;
            }
        }
    }
    Ok(true)
}
