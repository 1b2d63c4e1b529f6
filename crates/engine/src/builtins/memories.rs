//! Instructions on linear memories that machine code leaves to the runtime.

use super::pieces::{BYTES, Order};
use super::{FAILED, Result, Stopped};
use crate::entry::{Guest, Stop};
use crate::instance::create;
use crate::memory::MemoryBody;
use crate::raw;
use crate::store::{InstanceId, StoreInner};
use selkie_module::{DataIndex, MemoryIndex, TrapCode};
use selkie_vm::{Interrupts, SharedMemory, TrapResult, WaitOutcome};
use std::time::Duration;

/// Bytes that are given back to the system at a stretch: pages at a time, not byte by byte.
const DISCARDED_BYTES: u64 = 16 * BYTES;

pub(crate) fn memory_grow(
    store: &mut StoreInner,
    id: InstanceId,
    memory: u32,
    delta: u64,
) -> Result<u64> {
    let memory = store.instance(id).memory(MemoryIndex(memory));
    Ok(store.grow_memory(memory, delta).unwrap_or(FAILED))
}

#[inline]
pub(crate) fn memory_copy(
    guest: &mut Guest<'_>,
    _: InstanceId,
    dst_memory: u64,
    dst: u64,
    src_memory: u64,
    src: u64,
    len: u64,
) -> Stopped<()> {
    let source = raw::check_range(raw::memory_at(src_memory), src, len)?;
    let target = raw::check_range(raw::memory_at(dst_memory), dst, len)?;
    if !guest.needs_pieces(len, BYTES) {
        target.copy_from(&source);
        return Ok(());
    }
    guest.in_pieces(len, BYTES, Order::of_copy(dst, src), |_, start, len| -> Result<()> {
        let source = raw::check_range(raw::memory_at(src_memory), src + start, len)?;
        raw::check_range(raw::memory_at(dst_memory), dst + start, len)?.copy_from(&source);
        Ok(())
    })
}

#[inline]
pub(crate) fn memory_fill(
    guest: &mut Guest<'_>,
    _: InstanceId,
    memory: u64,
    dst: u64,
    value: u32,
    len: u64,
) -> Stopped<()> {
    let target = raw::check_range(raw::memory_at(memory), dst, len)?;
    if !guest.needs_pieces(len, BYTES) {
        target.fill(value as u8);
        return Ok(());
    }
    guest.in_pieces(len, BYTES, Order::Upward, |_, start, len| -> Result<()> {
        raw::check_range(raw::memory_at(memory), dst + start, len)?.fill(value as u8);
        Ok(())
    })
}

pub(crate) fn memory_init(
    guest: &mut Guest<'_>,
    id: InstanceId,
    memory: u32,
    data: u32,
    dst: u64,
    src: u32,
    len: u32,
) -> Stopped<()> {
    let (memory, data) = (MemoryIndex(memory), DataIndex(data));
    let (src, len) = (u64::from(src), u64::from(len));
    create::check_memory_init(guest, id, memory, data, dst, src, len)?;
    guest.in_pieces(len, BYTES, Order::Upward, |guest, start, len| {
        create::memory_init(guest, id, memory, data, dst + start, src + start, len)
    })
}

pub(crate) fn memory_discard(
    guest: &mut Guest<'_>,
    id: InstanceId,
    memory: u32,
    start: u64,
    bytes: u64,
) -> Stopped<()> {
    let memory = guest.instance(id).memory(MemoryIndex(memory)) as usize;
    let pages = guest.memories[memory].pages_of(start, bytes)?;
    let count = pages.end - pages.start;
    guest.in_pieces(count, DISCARDED_BYTES, Order::Upward, |guest, start, bytes| {
        guest.memories[memory].discard(pages.start + start, bytes)
    })
}

pub(crate) fn data_drop(store: &mut StoreInner, id: InstanceId, data: u32) -> Result<()> {
    store.instance_mut(id).drop_data(DataIndex(data));
    Ok(())
}

pub(crate) fn memory_notify(
    store: &mut StoreInner,
    id: InstanceId,
    memory: u32,
    address: u64,
    count: u32,
) -> Result<u32> {
    let memory = store.instance(id).memory(MemoryIndex(memory));
    match &store.memories[memory as usize].body {
        MemoryBody::Shared(shared) => shared.notify(address, count),
        MemoryBody::Own(_) => Ok(0),
    }
}

pub(crate) fn memory_wait32(
    guest: &mut Guest<'_>,
    id: InstanceId,
    memory: u32,
    address: u64,
    expected: u32,
    timeout_ns: u64,
) -> Stopped<u32> {
    wait(guest, id, memory, |shared, interrupts| {
        shared.wait32(address, expected, timeout_ns as i64, interrupts)
    })
}

pub(crate) fn memory_wait64(
    guest: &mut Guest<'_>,
    id: InstanceId,
    memory: u32,
    address: u64,
    expected: u64,
    timeout_ns: u64,
) -> Stopped<u32> {
    wait(guest, id, memory, |shared, interrupts| {
        shared.wait64(address, expected, timeout_ns as i64, interrupts)
    })
}

fn wait(
    guest: &mut Guest<'_>,
    id: InstanceId,
    memory: u32,
    wait: impl FnOnce(&SharedMemory, Option<&mut dyn Interrupts>) -> TrapResult<WaitOutcome>,
) -> Stopped<u32> {
    let memory = guest.instance(id).memory(MemoryIndex(memory));
    let MemoryBody::Shared(shared) = &guest.memories[memory as usize].body else {
        return Err(TrapCode::ExpectedSharedMemory.into());
    };
    if guest.interruption.is_none() {
        return Ok(wait(shared, None)? as u32);
    }
    let shared = shared.clone();
    let mut waiter = Waiter { guest, stop: None };
    let outcome = wait(&shared, Some(&mut waiter));
    match waiter.stop {
        Some(stop) => Err(stop),
        None => Ok(outcome? as u32),
    }
}

/// A guest that waits and may be interrupted.
struct Waiter<'g, 's> {
    guest: &'g mut Guest<'s>,
    /// Why it does not go on.
    stop: Option<Stop>,
}

impl Interrupts for Waiter<'_, '_> {
    fn patience(&self) -> Option<Duration> {
        self.guest.interruption.as_deref().and_then(|it| it.patience())
    }

    fn is_raised(&self) -> bool {
        self.guest.is_interrupted()
    }

    fn goes_on(&mut self) -> bool {
        self.stop = self.guest.check_interrupt().err();
        self.stop.is_none()
    }
}
