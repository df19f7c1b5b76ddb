//! What holds for sealed objects of every version.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest;
use moho_terms::{Entropy, EntropyUnavailable};

use super::SealedError;
use super::stream::CHUNK_BITS;
use crate::crypto::TAG;

pub(super) const MIB: usize = 1 << CHUNK_BITS;
pub(super) const SEALED_CHUNK: usize = MIB + TAG;

/// Different bytes on each call, the same in each test.
#[derive(Default)]
pub(super) struct Counter(AtomicU64);

impl Entropy for Counter {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        let call = self.0.fetch_add(1, Ordering::Relaxed);
        let sum = digest::digest(&digest::SHA256, &call.to_be_bytes());
        for (byte, random) in bytes.iter_mut().zip(sum.as_ref()) {
            *byte = *random;
        }
        Ok(())
    }
}

pub(super) fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|i| u8::try_from(i.wrapping_mul(31) >> 3 & 0xff).unwrap())
        .collect()
}

/// A version: how it seals and opens, and how long its header is.
pub(super) struct Form {
    pub(super) sealed: fn(&[u8]) -> Vec<u8>,
    pub(super) opened: fn(&[u8]) -> Result<Vec<u8>, SealedError>,
    pub(super) header: usize,
}

impl Form {
    pub(super) fn opens_at_every_interesting_size(&self) {
        for length in [0, 1, 15, 16, 17, MIB - 1, MIB, MIB + 1, 2 * MIB, 2 * MIB + 5] {
            let plain = pattern(length);
            let bytes = (self.sealed)(&plain);
            let tags = TAG * length.div_ceil(MIB).max(1);
            assert_eq!(bytes.len(), self.header + length + tags, "{length}");
            assert_eq!((self.opened)(&bytes).unwrap(), plain, "{length}");
        }
    }

    pub(super) fn is_cut_nowhere_between_chunks(&self) {
        let bytes = (self.sealed)(&pattern(2 * MIB + 5));
        for (chunks, error) in [
            SealedError::Truncated,
            SealedError::Chunk(0),
            SealedError::Chunk(1),
        ]
        .into_iter()
        .enumerate()
        {
            let end = self.header + chunks * SEALED_CHUNK;
            assert_eq!((self.opened)(&bytes[..end]).unwrap_err(), error, "{end} bytes");
        }
    }

    pub(super) fn takes_no_more_at_its_end(&self) {
        for length in [0, 40, MIB] {
            let bytes = (self.sealed)(&pattern(length));
            for more in [
                vec![0],
                vec![0; TAG],
                vec![0; SEALED_CHUNK],
                bytes[self.header..].to_vec(),
                bytes.clone(),
            ] {
                let longer = [bytes.as_slice(), &more].concat();
                assert!(
                    (self.opened)(&longer).is_err(),
                    "{length} and {} bytes",
                    more.len()
                );
            }
        }
    }

    pub(super) fn opens_chunks_only_in_their_place(&self) {
        // Two equal full chunks and an equal last one: only their place tells them apart.
        let bytes = (self.sealed)(&vec![9; 3 * MIB]);
        let (header, body) = bytes.split_at(self.header);
        let chunk = |n: usize| &body[n * SEALED_CHUNK..(n + 1) * SEALED_CHUNK];
        let orders: [&[usize]; 8] = [
            &[1, 0, 2],
            &[0, 2, 1],
            &[2, 1, 0],
            &[0, 1],
            &[0, 2],
            &[0, 1, 1, 2],
            &[0, 1, 2, 2],
            &[0, 0, 2],
        ];
        for order in orders {
            let altered = order
                .iter()
                .fold(header.to_vec(), |all, n| [all.as_slice(), chunk(*n)].concat());
            let refused = (self.opened)(&altered);
            assert!(matches!(refused, Err(SealedError::Chunk(_))), "{order:?}");
        }
        assert!((self.opened)(&[header, chunk(0), chunk(1), chunk(2)].concat()).is_ok());
    }
}
