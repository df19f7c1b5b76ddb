//! Sums of sealed bytes, by which whoever may open nothing still finds every bit that a disk has lost.
//!
//! A CRC-64/NVME of the head with the first chunk, and of each further chunk, in the row that the tree vouches for. It is no
//! proof against whoever alters bytes on purpose: those are found when a chunk is opened.

use crc_fast::{CrcAlgorithm, Digest};
use moho_kms::Sealer;

/// Bytes of a sum.
const SUM: usize = 8;

/// The sums of a segment that is being written.
#[derive(Default)]
pub(super) struct Summing(Vec<u8>);

impl Summing {
    /// The next chunk, sealed; with the first one comes the head.
    pub(super) fn add(&mut self, head: &[u8], chunk: &[u8]) {
        let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
        if self.0.is_empty() {
            digest.update(head);
        }
        digest.update(chunk);
        self.0.extend_from_slice(&digest.finalize().to_be_bytes());
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// How the sealed bytes of a segment are laid out, as its lengths say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    head: u64,
    sealed: u64,
    chunks: u32,
}

impl Layout {
    /// `None` if there is no such segment.
    pub(crate) fn of(plain_length: u64, sealed_length: u64) -> Option<Self> {
        let chunks = plain_length.div_ceil(Sealer::CHUNK as u64).max(1);
        let tags = chunks.checked_mul(Sealer::TAG as u64)?;
        let head = sealed_length.checked_sub(plain_length.checked_add(tags)?)?;
        Some(Self {
            head,
            sealed: sealed_length,
            chunks: u32::try_from(chunks).ok()?,
        })
    }

    pub(crate) fn chunks(&self) -> u32 {
        self.chunks
    }

    /// Bytes before the first chunk.
    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    /// Where a chunk is, the first one with the head.
    pub(crate) fn span(&self, chunk: u32) -> std::ops::Range<u64> {
        let step = (Sealer::CHUNK as u64).saturating_add(Sealer::TAG as u64);
        let at = |number: u64| {
            self.head
                .saturating_add(number.saturating_mul(step))
                .min(self.sealed)
        };
        let from = if chunk == 0 { 0 } else { at(u64::from(chunk)) };
        from..at(u64::from(chunk).saturating_add(1))
    }
}

/// Whether these are the bytes that had the sum of this number.
pub(crate) fn fits(sums: &[u8], chunk: u32, bytes: &[u8]) -> bool {
    let at = usize::try_from(chunk).unwrap_or(usize::MAX);
    let sum = sums.as_chunks::<SUM>().0.get(at);
    sum.is_some_and(|sum| u64::from_be_bytes(*sum) == crc_fast::crc64_nvme(bytes))
}

/// Whether there is one sum for each chunk.
pub(crate) fn are_for(sums: &[u8], layout: &Layout) -> bool {
    let chunks = usize::try_from(layout.chunks).unwrap_or(usize::MAX);
    Some(sums.len()) == chunks.checked_mul(SUM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_follows_from_lengths() {
        let chunk = Sealer::CHUNK as u64;
        let empty = Layout::of(0, 100 + 16).unwrap();
        assert_eq!((empty.head(), empty.chunks(), empty.span(0)), (100, 1, 0..116));
        let two = Layout::of(chunk + 1, 100 + chunk + 1 + 32).unwrap();
        assert_eq!((two.head(), two.chunks()), (100, 2));
        assert_eq!(two.span(0), 0..100 + chunk + 16);
        assert_eq!(two.span(1), 100 + chunk + 16..100 + chunk + 33);
        assert_eq!(Layout::of(chunk, 100 + chunk + 16).unwrap().chunks(), 1);
        assert_eq!(Layout::of(10, 20), None);
    }

    #[test]
    fn every_flipped_bit_has_another_sum() {
        let mut summing = Summing::default();
        let (head, chunks) = (vec![1; 100], [vec![2; 1000], vec![3; 7]]);
        chunks.iter().for_each(|chunk| summing.add(&head, chunk));
        let sums = summing.finish();
        let mut first = [head, chunks[0].clone()].concat();
        assert!(fits(&sums, 0, &first) && fits(&sums, 1, &chunks[1]));
        for bit in 0..first.len() * 8 {
            first[bit / 8] ^= 1 << (bit % 8);
            assert!(!fits(&sums, 0, &first), "{bit}");
            first[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(!fits(&sums, 1, &[3; 6]) && !fits(&sums, 2, &[]));
    }
}
