//! Reads a header in order, never past its limits, digesting what it has read.

use std::fs::File;
use std::os::unix::fs::FileExt;

use aws_lc_rs::digest::{Context, SHA256};

use super::GgufError;

/// Larger headers are refused; the largest vocabularies of today need about 15 MiB.
pub(super) const HEADER_LIMIT: u64 = 64 << 20;
const CHUNK: usize = 64 << 10;

/// Where a header is.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    File(&'a File),
    Bytes(&'a [u8]),
}

impl Source<'_> {
    /// Fills `bytes` from an offset.
    fn read_exact_at(self, bytes: &mut [u8], offset: u64) -> Result<(), GgufError> {
        match self {
            Self::File(file) => read_exact_at(file, bytes, offset),
            Self::Bytes(all) => {
                let from = usize::try_from(offset).ok();
                let found = from.and_then(|from| all.get(from..from.checked_add(bytes.len())?));
                bytes.copy_from_slice(found.ok_or(GgufError::Truncated)?);
                Ok(())
            }
        }
    }
}

/// Hands out a header's bytes from first to last.
pub(super) struct HeaderReader<'a> {
    source: Source<'a>,
    /// Nothing at or past this offset is read.
    limit: u64,
    /// Whether the limit is [`HEADER_LIMIT`] rather than the file's end.
    capped: bool,
    /// Offset of the buffer's first byte.
    base: u64,
    buffer: Vec<u8>,
    used: usize,
    digest: Context,
}

impl<'a> HeaderReader<'a> {
    pub(super) fn new(source: Source<'a>, length: u64) -> Self {
        let limit = length.min(HEADER_LIMIT);
        let digest = Context::new(&SHA256);
        Self {
            source,
            limit,
            capped: length > limit,
            base: 0,
            buffer: Vec::new(),
            used: 0,
            digest,
        }
    }

    /// Where the next byte is in the file.
    fn offset(&self) -> u64 {
        self.base.saturating_add(self.used as u64)
    }

    /// The next `count` bytes.
    pub(super) fn bytes(&mut self, count: u64) -> Result<&[u8], GgufError> {
        self.expect(count)?;
        let count = usize::try_from(count).map_err(|_too_large| GgufError::Truncated)?;
        if self.buffer.len().saturating_sub(self.used) < count {
            self.refill(count)?;
        }
        let end = self.used.saturating_add(count);
        let taken = self.buffer.get(self.used..end).ok_or(GgufError::Truncated)?;
        self.used = end;
        Ok(taken)
    }

    /// Fails unless at least `count` bytes are left, so that nobody allocates on a mere announcement.
    pub(super) fn expect(&self, count: u64) -> Result<(), GgufError> {
        if count <= self.limit.saturating_sub(self.offset()) {
            Ok(())
        } else if self.capped {
            Err(GgufError::TooLarge {
                what: "bytes",
                limit: HEADER_LIMIT,
            })
        } else {
            Err(GgufError::Truncated)
        }
    }

    /// Digests and drops what was handed out, then reads on so that `count` bytes are there.
    fn refill(&mut self, count: usize) -> Result<(), GgufError> {
        self.digest
            .update(self.buffer.get(..self.used).unwrap_or_default());
        self.base = self.offset();
        self.buffer.drain(..self.used);
        self.used = 0;
        let have = self.buffer.len();
        let at = self.base.saturating_add(have as u64);
        let room = usize::try_from(self.limit.saturating_sub(at)).unwrap_or(usize::MAX);
        self.buffer.resize(
            have.saturating_add(count.max(CHUNK).saturating_sub(have).min(room)),
            0,
        );
        let fresh = self.buffer.get_mut(have..).unwrap_or_default();
        self.source.read_exact_at(fresh, at)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        let bytes = self.bytes(N as u64)?;
        bytes.try_into().map_err(|_other_length| GgufError::Truncated)
    }

    pub(super) fn u32(&mut self) -> Result<u32, GgufError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, GgufError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn text(&mut self) -> Result<String, GgufError> {
        let length = self.u64()?;
        let bytes = self.bytes(length)?;
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|_not_utf8| GgufError::Text)
    }

    /// Where the header ended, and the digest of it.
    pub(super) fn finish(mut self) -> (u64, Context) {
        self.digest
            .update(self.buffer.get(..self.used).unwrap_or_default());
        (self.offset(), self.digest)
    }
}

/// Fills `bytes` from the file at an offset; a file that has become shorter is [`GgufError::Truncated`].
pub(super) fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> Result<(), GgufError> {
    file.read_exact_at(bytes, offset).map_err(|error| {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            GgufError::Truncated
        } else {
            GgufError::Io(error)
        }
    })
}
