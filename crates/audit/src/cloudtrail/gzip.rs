//! One gzip member (RFC 1952): how log files and digests are packed.

use std::io::{self, Read as _, Write as _};

use flate2::bufread::GzDecoder;
use flate2::{Compression, GzBuilder};

/// Bytes that are not one gzip member of a bounded size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GzipError {
    /// Not gzip, or broken.
    #[error("not a sound gzip member")]
    Broken,
    /// Something stands behind the member: readers would disagree whether it belongs to the file.
    #[error("there are bytes behind the gzip member")]
    Trailing,
    /// What is inside has more bytes than any real file.
    #[error("more than {limit} bytes uncompressed")]
    TooLarge {
        /// The most there may be.
        limit: usize,
    },
}

/// One member. The header holds no time, no name and no system, so that the same bytes always pack to the same bytes.
///
/// # Errors
/// None that memory does not make.
pub fn pack(bytes: &[u8]) -> io::Result<Vec<u8>> {
    // RFC 1952 §2.3.1: 255 is an unknown system.
    let mut packer = GzBuilder::new()
        .mtime(0)
        .operating_system(255)
        .write(Vec::new(), Compression::default());
    packer.write_all(bytes)?;
    packer.finish()
}

/// What is in the only member, at most `limit` bytes of it.
pub(crate) fn unpack(bytes: &[u8], limit: usize) -> Result<Vec<u8>, GzipError> {
    let mut rest = bytes;
    let mut plain = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    GzDecoder::new(&mut rest)
        .take(most)
        .read_to_end(&mut plain)
        .map_err(|_broken| GzipError::Broken)?;
    if plain.len() > limit {
        return Err(GzipError::TooLarge { limit });
    }
    // `take` stops one byte past the limit, so the member's own end, with its checksum, was seen.
    if rest.is_empty() {
        Ok(plain)
    } else {
        Err(GzipError::Trailing)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_header_says_nothing_of_when_and_where() {
        let packed = pack(b"{}").unwrap();
        assert_eq!(packed[..4], [0x1f, 0x8b, 8, 0]);
        assert_eq!(packed[4..8], [0; 4], "no time");
        assert_eq!(packed[9], 255, "no system");
        assert_eq!(packed, pack(b"{}").unwrap());
    }

    #[test]
    fn what_is_behind_too_large_or_broken_is_refused() {
        let packed = pack(&[b'a'; 1000]).unwrap();
        assert_eq!(unpack(&packed, 1000), Ok(vec![b'a'; 1000]));
        assert_eq!(unpack(&packed, 999), Err(GzipError::TooLarge { limit: 999 }));
        assert_eq!(
            unpack(&[&packed[..], b"x"].concat(), 1000),
            Err(GzipError::Trailing)
        );
        assert_eq!(
            unpack(&[&packed[..], &packed].concat(), 5000),
            Err(GzipError::Trailing)
        );
        for end in 0..packed.len() {
            assert_eq!(unpack(&packed[..end], 1000), Err(GzipError::Broken), "{end}");
        }
        let mut wrong = packed.clone();
        let sum = packed.len() - 8;
        wrong[sum] ^= 1;
        assert_eq!(unpack(&wrong, 1000), Err(GzipError::Broken));
    }

    proptest! {
        #[test]
        fn packing_and_unpacking_agree(bytes: Vec<u8>) {
            prop_assert_eq!(unpack(&pack(&bytes).unwrap(), bytes.len()), Ok(bytes));
        }

        #[test]
        fn any_bytes_are_unpacked_or_refused(bytes: Vec<u8>) {
            let _either = unpack(&bytes, 4096);
            let _either = unpack(&[&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255], &bytes[..]].concat(), 4096);
        }
    }
}
