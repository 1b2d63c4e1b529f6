//! Clocks, as the guest asks for them.

use crate::clocks::ClockId;
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::guest;

/// Writes the resolution of clock `id`; an unknown clock is `inval`.
pub fn clock_res_get(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    id: u32,
    resolution: u32,
) -> Result<(), Errno> {
    let value = cx.clocks.resolution(ClockId::from_raw(id)?)?;
    guest::write_u64(mem, resolution, value)
}

/// Writes the time of clock `id`; an unknown clock is `inval`. The wanted precision
/// is always reached.
pub fn clock_time_get(
    cx: &mut WasiCtx,
    mem: &mut [u8],
    id: u32,
    _precision: u64,
    time: u32,
) -> Result<(), Errno> {
    let value = cx.clocks.now(ClockId::from_raw(id)?)?;
    guest::write_u64(mem, time, value)
}
