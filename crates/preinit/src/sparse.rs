//! From the bytes of a memory to the few pieces that are worth writing down.
//!
//! Invariant: outside of the pieces every byte is zero; the pieces do not touch, ascend, and are
//! no more than was asked for.

use std::ops::Range;

/// Zeros between two pieces up to which they become one: a segment of its own takes about ten
/// bytes of a file, and more time than so many bytes when it is written to a memory.
const JOIN_BYTES: usize = 64;

/// What is looked at once while searching through zeros.
const BLOCK_BYTES: usize = 64;

/// The pieces of `bytes` that are not zero, at most `limit` of them, which is at least one.
pub(crate) fn pieces(bytes: &[u8], limit: usize) -> Vec<Range<usize>> {
    let mut pieces: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while let Some(start) = next_non_zero(bytes, at) {
        at = end_of_piece(bytes, start);
        pieces.push(start..at);
    }
    join_nearest(pieces, limit.max(1))
}

fn next_non_zero(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = &bytes[from..];
    let zeros = rest.chunks(BLOCK_BYTES).take_while(|block| block.iter().all(|byte| *byte == 0));
    let skipped = (zeros.count() * BLOCK_BYTES).min(rest.len());
    let found = rest[skipped..].iter().position(|byte| *byte != 0)?;
    Some(from + skipped + found)
}

/// Where the piece ends that begins at `start`: behind the last byte that is not zero before more
/// than [`JOIN_BYTES`] zeros.
fn end_of_piece(bytes: &[u8], start: usize) -> usize {
    let mut end = start + 1;
    for (at, byte) in bytes.iter().enumerate().skip(end) {
        if *byte != 0 {
            end = at + 1;
        } else if at - end >= JOIN_BYTES {
            break;
        }
    }
    end
}

/// Joins those with the fewest zeros between them until there are few enough.
fn join_nearest(pieces: Vec<Range<usize>>, limit: usize) -> Vec<Range<usize>> {
    if pieces.len() <= limit {
        return pieces;
    }
    let gap = |i: usize| pieces[i + 1].start - pieces[i].end;
    let mut by_gap: Vec<usize> = (0..pieces.len() - 1).collect();
    by_gap.sort_by_key(|i| gap(*i));
    let mut is_joined = vec![false; pieces.len()];
    for i in &by_gap[..pieces.len() - limit] {
        is_joined[i + 1] = true;
    }
    let mut joined: Vec<Range<usize>> = Vec::with_capacity(limit);
    for (piece, is_joined) in pieces.into_iter().zip(is_joined) {
        match joined.last_mut().filter(|_| is_joined) {
            Some(last) => last.end = piece.end,
            None => joined.push(piece),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(len: usize, set: &[usize]) -> Vec<u8> {
        let mut bytes = vec![0; len];
        set.iter().for_each(|at| bytes[*at] = 1);
        bytes
    }

    fn ends(bytes: &[u8], limit: usize) -> Vec<(usize, usize)> {
        pieces(bytes, limit).into_iter().map(|piece| (piece.start, piece.end)).collect()
    }

    #[test]
    fn nothing_but_zeros_has_no_pieces() {
        assert_eq!(ends(&[], 10), []);
        assert_eq!(ends(&memory(1000, &[]), 10), []);
    }

    #[test]
    fn near_bytes_share_a_piece_and_far_ones_do_not() {
        assert_eq!(ends(&memory(1000, &[0]), 10), [(0, 1)]);
        assert_eq!(ends(&memory(1000, &[999]), 10), [(999, 1000)]);
        let edge = 10 + 1 + JOIN_BYTES;
        assert_eq!(ends(&memory(1000, &[10, edge]), 10), [(10, edge + 1)]);
        assert_eq!(ends(&memory(1000, &[10, edge + 1]), 10), [(10, 11), (edge + 1, edge + 2)]);
    }

    #[test]
    fn the_nearest_are_joined_where_there_are_too_many() {
        let bytes = memory(10_000, &[0, 1000, 1500, 4000, 4100, 9000]);
        assert_eq!(pieces(&bytes, 6).len(), 6);
        assert_eq!(ends(&bytes, 3), [(0, 1501), (4000, 4101), (9000, 9001)]);
        assert_eq!(ends(&bytes, 1), [(0, 9001)]);
        assert_eq!(ends(&bytes, 0), [(0, 9001)]);
    }

    #[test]
    fn what_is_left_out_is_zero() {
        let mut state = 1u64;
        for round in 0..200 {
            let mut bytes = vec![0u8; 5000];
            for _ in 0..round {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                bytes[(state >> 33) as usize % 5000] = (state >> 20) as u8;
            }
            let found = pieces(&bytes, 20);
            let mut copy = vec![0u8; 5000];
            for piece in &found {
                assert!(bytes[piece.start] != 0 && bytes[piece.end - 1] != 0);
                copy[piece.clone()].copy_from_slice(&bytes[piece.clone()]);
            }
            assert!(copy == bytes && found.len() <= 20);
        }
    }
}
