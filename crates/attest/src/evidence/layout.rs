//! Fixed fields of binary evidence, read in order: each of a length that its format names, numbers with their least byte first.

use super::refusal::{Check, Part, Refusal};

/// What is left to read, and of which part.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    left: &'a [u8],
    part: Part,
}

impl<'a> Layout<'a> {
    pub(super) fn new(bytes: &'a [u8], part: Part) -> Self {
        Self { left: bytes, part }
    }

    fn refused(&self, found: impl Into<String>) -> Refusal {
        Refusal::new(Check::Encoding, self.part, found)
    }

    /// How many bytes are left.
    pub(super) fn length(&self) -> usize {
        self.left.len()
    }

    /// The next so many bytes.
    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Refusal> {
        let (taken, left) = self
            .left
            .split_at_checked(length)
            .ok_or_else(|| self.refused("it ends in the middle of a field"))?;
        self.left = left;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let (taken, left) = self
            .left
            .split_first_chunk()
            .ok_or_else(|| self.refused("it ends in the middle of a field"))?;
        self.left = left;
        Ok(*taken)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Refusal> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Refusal> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Refusal> {
        self.array().map(u64::from_le_bytes)
    }

    /// All that is left, which the format says to be so many bytes.
    pub(super) fn rest(&mut self, length: u32) -> Result<&'a [u8], Refusal> {
        let left = self.length();
        if usize::try_from(length) == Ok(left) {
            return self.bytes(left);
        }
        Err(self.refused(format!(
            "a field of {length} bytes is to end it, and {left} are left"
        )))
    }

    /// So many bytes that the format reserves.
    pub(super) fn zeros(&mut self, length: usize) -> Result<(), Refusal> {
        if self.bytes(length)?.iter().all(|byte| *byte == 0) {
            Ok(())
        } else {
            Err(self.refused("bytes that have to be zero are not"))
        }
    }
}
