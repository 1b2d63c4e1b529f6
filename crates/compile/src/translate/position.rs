//! Where code comes from.
//!
//! The walk gives the emitter one number for each place that can trap or call, with the meaning
//! that [`SitePositions`] keeps. For code of the function itself it is the operator's offset in
//! the module; code of inlined callees counts in a side table.

use selkie_module::sites::{INLINED, SitePositions};

/// Hands out positions while the walk goes in and out of inlined callees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    /// What they mean.
    pub map: SitePositions,
    /// The open inlined calls, innermost last.
    open: Vec<u32>,
}

impl Positions {
    /// The position of an operator.
    pub(super) fn at(&mut self, offset: u64) -> u32 {
        let offset = offset as u32 & !INLINED;
        let Some(&call) = self.open.last() else { return offset };
        let inlined = &mut self.map.inlined;
        if inlined.last() != Some(&(call, offset)) {
            inlined.push((call, offset));
        }
        (inlined.len() - 1) as u32 | INLINED
    }

    pub(super) fn open(&mut self, callee: u32, call_position: u32) {
        self.open.push(self.map.calls.len() as u32);
        self.map.calls.push((callee, call_position));
    }

    pub(super) fn close(&mut self) {
        self.open.pop();
    }
}
