//! How many bytes of machine code a peer's ELF artifact holds.
//!
//! Invariant: the file is read in small pieces; it may be larger than memory. Only what is
//! needed is read: 64-bit little-endian files, section headers, and the symbols of `.text`.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use crate::Outcome;

const SYMBOL_TABLE: u32 = 2;
const HEADER_BYTES: u64 = 64;
const SYMBOL_BYTES: u64 = 24;

struct Section {
    name: u32,
    kind: u32,
    offset: u64,
    size: u64,
}

/// The bytes of `.text` up to the end of its last symbol; the whole section when the file
/// has no symbols. The padding at the end of the section is not counted, because it says
/// how an artifact is mapped and not how much code was made.
///
/// # Errors
/// When the file cannot be read or is not such an ELF file.
pub fn text_size(path: &Path) -> Outcome<u64> {
    let describe = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut file = BufReader::new(File::open(path).map_err(describe)?);
    measure(&mut file)
        .map_err(describe)?
        .ok_or_else(|| format!("{} is not an ELF file with a .text section", path.display()))
}

fn measure(file: &mut (impl Read + Seek)) -> std::io::Result<Option<u64>> {
    let header: [u8; HEADER_BYTES as usize] = read_at(file, 0)?;
    if header[..6] != *b"\x7fELF\x02\x01" {
        return Ok(None);
    }
    let table = u64_at(&header, 40);
    let count = u64::from(u16_at(&header, 60));
    let mut sections = Vec::new();
    for index in 0..count {
        let raw: [u8; 64] = read_at(file, table.saturating_add(index * 64))?;
        sections.push(Section {
            name: u32_at(&raw, 0),
            kind: u32_at(&raw, 4),
            offset: u64_at(&raw, 24),
            size: u64_at(&raw, 32),
        });
    }
    let Some(names) = sections.get(usize::from(u16_at(&header, 62))) else { return Ok(None) };
    let names = names.offset;
    for (index, section) in sections.iter().enumerate() {
        let name: [u8; 6] = read_at(file, names.saturating_add(u64::from(section.name)))?;
        if name == *b".text\0" {
            let symbols = sections.iter().find(|s| s.kind == SYMBOL_TABLE);
            let end = match symbols {
                Some(symbols) => last_symbol_end(file, symbols, index)?,
                None => 0,
            };
            return Ok(Some(if end == 0 { section.size } else { end.min(section.size) }));
        }
    }
    Ok(None)
}

fn last_symbol_end(
    file: &mut (impl Read + Seek),
    symbols: &Section,
    section: usize,
) -> std::io::Result<u64> {
    file.seek(SeekFrom::Start(symbols.offset))?;
    let mut end = 0;
    for _ in 0..symbols.size / SYMBOL_BYTES {
        let mut raw = [0; SYMBOL_BYTES as usize];
        file.read_exact(&mut raw)?;
        if usize::from(u16_at(&raw, 6)) == section {
            end = end.max(u64_at(&raw, 8).saturating_add(u64_at(&raw, 16)));
        }
    }
    Ok(end)
}

fn read_at<const N: usize>(file: &mut (impl Read + Seek), place: u64) -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.seek(SeekFrom::Start(place))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut raw = [0; N];
    raw.copy_from_slice(&bytes[at..at + N]);
    raw
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(number(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(number(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(number(bytes, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_this_very_program_is_found() {
        let own = std::env::current_exe().unwrap();
        let size = text_size(&own).unwrap();
        assert!(size > 10_000 && size < std::fs::metadata(&own).unwrap().len());
    }

    #[test]
    fn a_file_that_is_no_elf_is_refused() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        assert!(text_size(&source).is_err());
    }
}
