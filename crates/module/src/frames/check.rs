//! An independent look at the tables of frames: whether what they say can be true of the code.
//!
//! Nothing here shares a line with what makes the tables. It cannot tell whether a reference was
//! forgotten; stress tests do that. It tells of every entry that belongs to no call, names a place
//! outside its frame, or leads out of its function.

use super::{FrameTables, Landing, StackMap};
use crate::sites::{self, FuncRange};

/// What is wrong with the tables of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameFault {
    /// Entries do not ascend.
    Order {
        /// Where, in bytes from the code's start.
        offset: u32,
    },
    /// An entry at a place that no call returns to.
    NoCall {
        /// Where.
        offset: u32,
    },
    /// A map names a slot that is no aligned word of the frame, or one twice.
    Slot {
        /// Where.
        offset: u32,
        /// The slot's distance below the frame pointer.
        below: u32,
    },
    /// An exception would go on outside the function that called, or with a frame of no frame's
    /// size.
    Landing {
        /// Where.
        offset: u32,
    },
}

impl std::fmt::Display for FrameFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FrameFault::Order { offset } => write!(f, "frames out of order at {offset:#x}"),
            FrameFault::NoCall { offset } => write!(f, "no call returns to {offset:#x}"),
            FrameFault::Slot { offset, below } => {
                write!(f, "the frame at {offset:#x} has no slot {below} bytes below its pointer")
            }
            FrameFault::Landing { offset } => {
                write!(f, "exceptions go astray from the call that returns to {offset:#x}")
            }
        }
    }
}

impl std::error::Error for FrameFault {}

/// Bytes of the largest frame that machine code is believed to have.
const MAX_FRAME_BYTES: u32 = 64 << 20;
/// Bytes of a slot, and its alignment.
const SLOT_BYTES: u32 = 8;

/// Checks the tables of frames against the functions of a module and their packed sites.
///
/// # Errors
/// The first entry that cannot be true.
pub fn check(frames: &[u8], funcs: &[FuncRange], sites: &[u8]) -> Result<(), FrameFault> {
    let tables = FrameTables::new(frames);
    let (map_offsets, landing_offsets) = tables.offsets();
    ascending(&map_offsets)?;
    ascending(&landing_offsets)?;
    let (maps, landings) = (tables.stack_maps(), tables.landings());
    let (mut maps, mut landings) = (maps.into_iter().peekable(), landings.into_iter().peekable());
    for func in funcs {
        // The return address of a last call is the first byte behind its function.
        let end = func.start + func.len;
        let table = sites.get(func.sites as usize..).unwrap_or_default();
        let returns = Returns { start: func.start, offsets: sites::returns(table) };
        while let Some(map) = maps.next_if(|map| map.offset <= end) {
            check_map(&map, &returns)?;
        }
        while let Some(landing) = landings.next_if(|landing| landing.offset <= end) {
            check_landing(&landing, func, &returns)?;
        }
    }
    match (maps.next(), landings.next()) {
        (Some(StackMap { offset, .. }), _) | (_, Some(Landing { offset, .. })) => {
            Err(FrameFault::NoCall { offset })
        }
        _ => Ok(()),
    }
}

fn ascending(offsets: &[u32]) -> Result<(), FrameFault> {
    match offsets.windows(2).find(|pair| pair[0] >= pair[1]) {
        Some(pair) => Err(FrameFault::Order { offset: pair[1] }),
        None => Ok(()),
    }
}

/// Where the calls of a function return to.
struct Returns {
    start: u32,
    offsets: Vec<u32>,
}

impl Returns {
    fn check(&self, offset: u32) -> Result<(), FrameFault> {
        let at = offset.checked_sub(self.start);
        let is_known = at.is_some_and(|at| self.offsets.binary_search(&at).is_ok());
        if is_known { Ok(()) } else { Err(FrameFault::NoCall { offset }) }
    }
}

fn check_map(map: &StackMap, returns: &Returns) -> Result<(), FrameFault> {
    let offset = map.offset;
    returns.check(offset)?;
    let mut last = 0;
    for below in map.slots.iter().copied() {
        let is_word = below.is_multiple_of(SLOT_BYTES) && below <= MAX_FRAME_BYTES;
        if !is_word || below <= last {
            return Err(FrameFault::Slot { offset, below });
        }
        last = below;
    }
    Ok(())
}

fn check_landing(landing: &Landing, func: &FuncRange, returns: &Returns) -> Result<(), FrameFault> {
    returns.check(landing.offset)?;
    let is_inside = landing.pad > func.start && landing.pad < func.start + func.len;
    let is_frame = landing.stack_bytes.is_multiple_of(16) && landing.stack_bytes <= MAX_FRAME_BYTES;
    match is_inside && is_frame {
        true => Ok(()),
        false => Err(FrameFault::Landing { offset: landing.offset }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::pack;
    use crate::sites::SitePositions;

    /// Two functions of 100 bytes at 0 and 128 with calls that return to 10, 40 and 100.
    fn module() -> (Vec<FuncRange>, Vec<u8>) {
        let mut sites = Vec::new();
        let calls = [(10, 0, 1), (40, 0, 2), (50, 11, 3), (100, 0, 4)];
        sites::pack(&mut sites, calls.into_iter(), &SitePositions::default());
        let funcs = [0, 128].map(|start| FuncRange { start, len: 100, sites: 0 });
        (funcs.into(), sites)
    }

    fn map(offset: u32, slots: &[u32]) -> StackMap {
        StackMap { offset, slots: slots.into() }
    }

    fn fault(maps: &[StackMap], landings: &[Landing]) -> Option<FrameFault> {
        let (funcs, sites) = module();
        check(&pack(maps, landings), &funcs, &sites).err()
    }

    #[test]
    fn what_belongs_to_calls_and_frames_is_accepted() {
        let maps = [map(10, &[8, 16]), map(100, &[24]), map(138, &[8])];
        let landings = [Landing { offset: 40, pad: 60, stack_bytes: 48 }];
        assert_eq!(fault(&maps, &landings), None);
    }

    #[test]
    fn each_fault_is_told() {
        assert_eq!(fault(&[map(11, &[8])], &[]), Some(FrameFault::NoCall { offset: 11 }));
        // A trap is no call.
        assert_eq!(fault(&[map(50, &[8])], &[]), Some(FrameFault::NoCall { offset: 50 }));
        assert_eq!(fault(&[map(300, &[8])], &[]), Some(FrameFault::NoCall { offset: 300 }));
        let slot = |below| Some(FrameFault::Slot { offset: 10, below });
        assert_eq!(fault(&[map(10, &[12])], &[]), slot(12));
        assert_eq!(fault(&[map(10, &[8, 8])], &[]), slot(8));
        assert_eq!(fault(&[map(10, &[0])], &[]), slot(0));
        assert_eq!(fault(&[map(10, &[1 << 30])], &[]), slot(1 << 30));
        let landing = |pad, stack_bytes| Landing { offset: 10, pad, stack_bytes };
        let astray = Some(FrameFault::Landing { offset: 10 });
        assert_eq!(fault(&[], &[landing(130, 16)]), astray);
        assert_eq!(fault(&[], &[landing(60, 20)]), astray);
        assert_eq!(
            fault(&[map(40, &[8]), map(10, &[8])], &[]),
            Some(FrameFault::Order { offset: 10 })
        );
    }
}
