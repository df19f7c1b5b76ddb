//! Structures of TPM 2.0 (TCG TPM 2.0 Library, Part 2), read in place: big-endian numbers, and buffers behind two bytes of length.

/// Bytes that are not the structure expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum TpmError {
    /// They end in the middle of it.
    #[error("it ends in the middle of a structure")]
    CutShort,
    /// There are bytes behind its end.
    #[error("there are bytes behind its end")]
    Trailing,
    /// A value is none that this structure may have here.
    #[error("{0}")]
    Value(&'static str),
}

/// What is left to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wire<'a>(&'a [u8]);

impl<'a> Wire<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], TpmError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(TpmError::CutShort)?;
        self.0 = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], TpmError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(TpmError::CutShort)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, TpmError> {
        self.fixed().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, TpmError> {
        self.fixed().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, TpmError> {
        self.fixed().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, TpmError> {
        self.fixed().map(u64::from_be_bytes)
    }

    /// A number as firmware's event logs have it: little-endian.
    pub(super) fn u16_le(&mut self) -> Result<u16, TpmError> {
        self.fixed().map(u16::from_le_bytes)
    }

    /// The same of four bytes.
    pub(super) fn u32_le(&mut self) -> Result<u32, TpmError> {
        self.fixed().map(u32::from_le_bytes)
    }

    /// A `TPM2B`: two bytes of length, and so many.
    pub(super) fn buffer(&mut self) -> Result<&'a [u8], TpmError> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    /// That nothing is left.
    pub(super) fn end(self) -> Result<(), TpmError> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(TpmError::Trailing)
        }
    }
}
