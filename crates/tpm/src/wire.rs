//! Bytes to and from a TPM: big-endian numbers, buffers behind two bytes of length; read in place, never beyond what is there.

use crate::error::TpmError;

/// A command's bytes as they are put together.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn u8(&mut self, number: u8) -> &mut Self {
        self.0.push(number);
        self
    }

    pub(crate) fn u16(&mut self, number: u16) -> &mut Self {
        self.bytes(&number.to_be_bytes())
    }

    pub(crate) fn u32(&mut self, number: u32) -> &mut Self {
        self.bytes(&number.to_be_bytes())
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// A `TPM2B`.
    pub(crate) fn buffer(&mut self, bytes: &[u8], what: &'static str) -> Result<&mut Self, TpmError> {
        let length = u16::try_from(bytes.len()).map_err(|_too_long| TpmError::TooLong(what))?;
        Ok(self.u16(length).bytes(bytes))
    }
}

/// What is left of an answer.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    command: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(command: &'static str, rest: &'a [u8]) -> Self {
        Self { command, rest }
    }

    pub(crate) fn malformed(&self, problem: &'static str) -> TpmError {
        TpmError::Malformed {
            command: self.command,
            problem,
        }
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], TpmError> {
        let cut_short = self.malformed("it ends in the middle of a structure");
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(cut_short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], TpmError> {
        let cut_short = self.malformed("it ends in the middle of a structure");
        let (taken, rest) = self.rest.split_first_chunk().ok_or(cut_short)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, TpmError> {
        self.fixed().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, TpmError> {
        self.fixed().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, TpmError> {
        self.fixed().map(u32::from_be_bytes)
    }

    /// A `TPM2B`.
    pub(crate) fn buffer(&mut self) -> Result<&'a [u8], TpmError> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// That nothing is left.
    pub(crate) fn end(self) -> Result<(), TpmError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.malformed("there are bytes behind its end"))
        }
    }
}
