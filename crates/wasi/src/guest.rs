//! Guest memory as bytes: checked reads, writes and slices.
//!
//! Invariant: every address and length comes from the guest and is checked here
//! before it is used; what lies outside is `fault`, an overflowing product or sum
//! counts as outside. Alignment is of no concern: everything is read and written
//! byte-wise, little-endian.
//!
//! What this file deliberately does not do: keep anything, or know any structure
//! of WASI (`layout.rs` does).

use crate::errno::Errno;
use std::io::{IoSlice, IoSliceMut};

/// The bytes `ptr .. ptr + len`.
pub(crate) fn bytes(mem: &[u8], ptr: u32, len: u32) -> Result<&[u8], Errno> {
    let start = ptr as usize;
    let end = start.checked_add(len as usize).ok_or(Errno::FAULT)?;
    mem.get(start..end).ok_or(Errno::FAULT)
}

/// The bytes `ptr .. ptr + len`, to be written.
pub(crate) fn bytes_mut(mem: &mut [u8], ptr: u32, len: u32) -> Result<&mut [u8], Errno> {
    let start = ptr as usize;
    let end = start.checked_add(len as usize).ok_or(Errno::FAULT)?;
    mem.get_mut(start..end).ok_or(Errno::FAULT)
}

/// The `count` elements of `size` bytes at `ptr`.
pub(crate) fn array(mem: &[u8], ptr: u32, count: u32, size: u32) -> Result<&[u8], Errno> {
    bytes(mem, ptr, count.checked_mul(size).ok_or(Errno::FAULT)?)
}

/// Fails unless `len` bytes at `ptr` may be written. Called before a side effect
/// whose result goes there, so that no result is lost.
pub(crate) fn check(mem: &[u8], ptr: u32, len: u32) -> Result<(), Errno> {
    bytes(mem, ptr, len).map(|_| ())
}

/// Copies `value` to `ptr`.
pub(crate) fn write(mem: &mut [u8], ptr: u32, value: &[u8]) -> Result<(), Errno> {
    let len = u32::try_from(value.len()).map_err(|_| Errno::FAULT)?;
    bytes_mut(mem, ptr, len)?.copy_from_slice(value);
    Ok(())
}

/// Writes a 32-bit number.
pub(crate) fn write_u32(mem: &mut [u8], ptr: u32, value: u32) -> Result<(), Errno> {
    write(mem, ptr, &value.to_le_bytes())
}

/// Writes a 64-bit number.
pub(crate) fn write_u64(mem: &mut [u8], ptr: u32, value: u64) -> Result<(), Errno> {
    write(mem, ptr, &value.to_le_bytes())
}

/// Writes a count of bytes that cannot exceed guest memory.
pub(crate) fn write_len(mem: &mut [u8], ptr: u32, len: usize) -> Result<(), Errno> {
    write_u32(mem, ptr, u32::try_from(len).map_err(|_| Errno::OVERFLOW)?)
}

/// A number inside a structure already sliced out of memory.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    let mut raw = [0; 2];
    raw.copy_from_slice(&bytes[at..at + 2]);
    u16::from_le_bytes(raw)
}

/// A number inside a structure already sliced out of memory.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut raw = [0; 4];
    raw.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(raw)
}

/// A number inside a structure already sliced out of memory.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut raw = [0; 8];
    raw.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(raw)
}

/// The kernel takes no more vectors than this at once; further ones make the
/// transfer a short one, as POSIX allows.
const IOV_MAX: usize = 1024;

/// Up to this many vectors are described on the stack.
const IOV_STACK: usize = 8;

/// Start and end of a buffer in guest memory.
#[derive(Clone, Copy, Default)]
struct Span {
    start: usize,
    end: usize,
}

/// The non-empty buffers of an `iovec` array, each inside memory.
struct Spans {
    few: [Span; IOV_STACK],
    many: Vec<Span>,
    count: usize,
}

impl Spans {
    fn decode(mem: &[u8], iovs: u32, iovs_len: u32) -> Result<Spans, Errno> {
        let table = array(mem, iovs, iovs_len, 8)?;
        let mut spans = Spans { few: Default::default(), many: Vec::new(), count: 0 };
        for entry in table.chunks_exact(8) {
            let (ptr, len) = (u32_at(entry, 0), u32_at(entry, 4));
            let span = Span { start: ptr as usize, end: ptr as usize + len as usize };
            if span.end > mem.len() {
                return Err(Errno::FAULT);
            }
            // The check above still runs for what is not used.
            if len != 0 && spans.count < IOV_MAX {
                spans.push(span);
            }
        }
        Ok(spans)
    }

    fn push(&mut self, span: Span) {
        if self.count < IOV_STACK {
            self.few[self.count] = span;
        } else {
            if self.many.is_empty() {
                self.many.extend_from_slice(&self.few);
            }
            self.many.push(span);
        }
        self.count += 1;
    }

    fn all(&self) -> &[Span] {
        if self.count <= IOV_STACK { &self.few[..self.count] } else { &self.many }
    }
}

/// What is read into.
pub(crate) enum Sink<'a, 'm> {
    /// One buffer: the common case, no vector needed.
    One(&'a mut [u8]),
    /// Several disjoint buffers, in the guest's order.
    Many(&'a mut [IoSliceMut<'m>]),
}

/// What is written from.
pub(crate) enum Source<'a, 'm> {
    /// One buffer: the common case, no vector needed.
    One(&'a [u8]),
    /// Several buffers, in the guest's order.
    Many(&'a [IoSlice<'m>]),
}

impl<'a, 'm> Sink<'a, 'm> {
    /// How many bytes fit.
    pub(crate) fn len(&self) -> usize {
        match self {
            Sink::One(buffer) => buffer.len(),
            Sink::Many(buffers) => buffers.iter().map(|buffer| buffer.len()).sum(),
        }
    }

    /// As much of it as one read is to fill.
    pub(crate) fn at_most(self, bytes: usize) -> Sink<'a, 'm> {
        if self.len() <= bytes {
            return self;
        }
        let first = match self {
            Sink::One(buffer) => buffer,
            Sink::Many([]) => &mut [],
            Sink::Many([first, ..]) => &mut **first,
        };
        let end = first.len().min(bytes);
        Sink::One(&mut first[..end])
    }
}

impl Source<'_, '_> {
    /// How many bytes it has.
    pub(crate) fn len(&self) -> usize {
        match self {
            Source::One(buffer) => buffer.len(),
            Source::Many(buffers) => buffers.iter().map(|buffer| buffer.len()).sum(),
        }
    }
}

/// Lets somebody else write to bytes of the guest's memory: the system, or the embedder, who may ask
/// the system.
pub(crate) fn hand_out(buffer: &mut [u8]) -> Result<&mut [u8], Errno> {
    if selkie_engine::prepare_for_system(buffer) { Ok(buffer) } else { Err(Errno::NOMEM) }
}

/// Hands the buffers of an `iovec` array to `transfer`, in place.
/// Buffers that overlap are a `fault`.
pub(crate) fn with_sink<R>(
    mem: &mut [u8],
    iovs: u32,
    iovs_len: u32,
    transfer: impl FnOnce(Sink<'_, '_>) -> Result<R, Errno>,
) -> Result<R, Errno> {
    if iovs_len == 1 {
        let entry = bytes(mem, iovs, 8)?;
        let (ptr, len) = (u32_at(entry, 0), u32_at(entry, 4));
        return transfer(Sink::One(hand_out(bytes_mut(mem, ptr, len)?)?));
    }
    let spans = Spans::decode(mem, iovs, iovs_len)?;
    match spans.all() {
        [] => transfer(Sink::One(&mut [])),
        [span] => transfer(Sink::One(hand_out(&mut mem[span.start..span.end])?)),
        few if few.len() <= IOV_STACK => {
            let mut slices: [IoSliceMut<'_>; IOV_STACK] =
                std::array::from_fn(|_| IoSliceMut::new(&mut []));
            let mut order: [u16; IOV_STACK] = std::array::from_fn(|i| i as u16);
            let slices = &mut slices[..few.len()];
            split_disjoint(mem, few, &mut order[..few.len()], slices)?;
            transfer(Sink::Many(slices))
        }
        many => {
            let mut slices: Vec<IoSliceMut<'_>> =
                many.iter().map(|_| IoSliceMut::new(&mut [])).collect();
            let mut order: Vec<u16> = (0..many.len()).map(|i| i as u16).collect();
            split_disjoint(mem, many, &mut order, &mut slices)?;
            transfer(Sink::Many(&mut slices))
        }
    }
}

/// Cuts `mem` into the buffers of `spans`, which may come in any order.
fn split_disjoint<'m>(
    mut mem: &'m mut [u8],
    spans: &[Span],
    order: &mut [u16],
    slices: &mut [IoSliceMut<'m>],
) -> Result<(), Errno> {
    order.sort_unstable_by_key(|index| spans[usize::from(*index)].start);
    let mut cut = 0;
    for index in order.iter().map(|index| usize::from(*index)) {
        let Span { start, end } = spans[index];
        let gap = start.checked_sub(cut).ok_or(Errno::FAULT)?;
        let (_, rest) = mem.split_at_mut(gap);
        let (buffer, rest) = rest.split_at_mut(end - start);
        slices[index] = IoSliceMut::new(hand_out(buffer)?);
        mem = rest;
        cut = end;
    }
    Ok(())
}

/// Hands the buffers of a `ciovec` array to `transfer`, in place.
pub(crate) fn with_source<R>(
    mem: &[u8],
    iovs: u32,
    iovs_len: u32,
    transfer: impl FnOnce(Source<'_, '_>) -> Result<R, Errno>,
) -> Result<R, Errno> {
    if iovs_len == 1 {
        let entry = bytes(mem, iovs, 8)?;
        let (ptr, len) = (u32_at(entry, 0), u32_at(entry, 4));
        return transfer(Source::One(bytes(mem, ptr, len)?));
    }
    let spans = Spans::decode(mem, iovs, iovs_len)?;
    match spans.all() {
        [] => transfer(Source::One(&[])),
        [span] => transfer(Source::One(&mem[span.start..span.end])),
        few if few.len() <= IOV_STACK => {
            let mut slices: [IoSlice<'_>; IOV_STACK] = std::array::from_fn(|_| IoSlice::new(&[]));
            for (slice, span) in slices.iter_mut().zip(few) {
                *slice = IoSlice::new(&mem[span.start..span.end]);
            }
            transfer(Source::Many(&slices[..few.len()]))
        }
        many => {
            let slices: Vec<IoSlice<'_>> =
                many.iter().map(|span| IoSlice::new(&mem[span.start..span.end])).collect();
            transfer(Source::Many(&slices))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A memory whose first bytes are an iovec array of `entries`.
    fn memory(entries: &[(u32, u32)]) -> Vec<u8> {
        let mut mem = vec![0; 1 << 16];
        for (index, (ptr, len)) in entries.iter().enumerate() {
            mem[index * 8..][..4].copy_from_slice(&ptr.to_le_bytes());
            mem[index * 8 + 4..][..4].copy_from_slice(&len.to_le_bytes());
        }
        mem
    }

    fn fill(mem: &mut [u8], count: u32) -> Result<Vec<usize>, Errno> {
        with_sink(mem, 0, count, |sink| match sink {
            Sink::One(buffer) => {
                buffer.fill(1);
                Ok(vec![buffer.len()])
            }
            Sink::Many(buffers) => {
                for (index, buffer) in buffers.iter_mut().enumerate() {
                    buffer.fill(index as u8 + 1);
                }
                Ok(buffers.iter().map(|b| b.len()).collect())
            }
        })
    }

    #[test]
    fn buffers_in_any_order_keep_the_order_of_the_guest() {
        let mut mem = memory(&[(5000, 3), (4000, 2), (6000, 1)]);
        assert_eq!(fill(&mut mem, 3), Ok(vec![3, 2, 1]));
        assert_eq!((mem[5000], mem[4000], mem[6000]), (1, 2, 3));
    }

    #[test]
    fn overlapping_buffers_are_a_fault() {
        let mut mem = memory(&[(4000, 10), (4009, 10)]);
        assert_eq!(fill(&mut mem, 2), Err(Errno::FAULT));
    }

    #[test]
    fn empty_buffers_are_passed_over() {
        let mut mem = memory(&[(4000, 0), (4009, 10), (0, 0)]);
        assert_eq!(fill(&mut mem, 3), Ok(vec![10]));
    }

    #[test]
    fn more_buffers_than_fit_the_stack_are_all_used() {
        let entries: Vec<_> = (0..20).map(|i| (10_000 - i * 8, 4)).collect();
        let mut mem = memory(&entries);
        assert_eq!(fill(&mut mem, 20), Ok(vec![4; 20]));
        assert_eq!((mem[10_000], mem[10_000 - 19 * 8]), (1, 20));
    }

    #[test]
    fn an_array_length_that_overflows_is_a_fault() {
        let mut mem = memory(&[]);
        assert_eq!(fill(&mut mem, u32::MAX), Err(Errno::FAULT));
        assert_eq!(fill(&mut mem, 0x2000_0001), Err(Errno::FAULT));
    }

    #[test]
    fn the_last_byte_of_memory_may_be_used_and_none_after_it() {
        let mut mem = memory(&[(65_535, 1)]);
        assert_eq!(fill(&mut mem, 1), Ok(vec![1]));
        let mut mem = memory(&[(65_535, 2)]);
        assert_eq!(fill(&mut mem, 1), Err(Errno::FAULT));
        let mut mem = memory(&[(u32::MAX, u32::MAX), (0, 1)]);
        assert_eq!(fill(&mut mem, 2), Err(Errno::FAULT));
    }
}
