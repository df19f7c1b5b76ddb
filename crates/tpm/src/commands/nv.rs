//! What manufacturers leave in a TPM's memory: certificates of endorsement keys.

use crate::error::TpmError;
use crate::tpm::{Authorization, Code, Tpm};
use crate::wire::Writer;

const NV_READ_PUBLIC: Code = Code("TPM2_NV_ReadPublic", 0x0169);
const NV_READ: Code = Code("TPM2_NV_Read", 0x014e);
/// `TPM_RH_OWNER`
const OWNER: u32 = 0x4000_0001;
/// Bytes that are read at a time: every TPM gives so many.
const PIECE: u16 = 512;
/// Longest content that is looked at.
const LONGEST: u16 = 4096;
/// `TPM_RC_HANDLE` of the first handle: there is no such index.
const NO_INDEX: u32 = 0x18b;

impl Tpm {
    /// The content of an NV index that the owner may read; `None` if there is none.
    pub(crate) fn nv_read(&self, index: u32) -> Result<Option<Vec<u8>>, TpmError> {
        let answer = match self.ask(NV_READ_PUBLIC, &[index], &[]) {
            Err(TpmError::Refused { code, .. }) if code.number() == NO_INDEX => return Ok(None),
            answer => answer?,
        };
        let mut reader = answer.parameters()?;
        let public = reader.buffer()?;
        let mut public = crate::wire::Reader::new(NV_READ_PUBLIC.0, public);
        public.take(10)?;
        public.buffer()?;
        let size = public.u16()?;
        public.end()?;
        if size > LONGEST {
            return Err(reader.malformed("an index has more than any certificate"));
        }
        let mut content = Vec::new();
        let mut offset = 0_u16;
        while offset < size {
            let piece = size.saturating_sub(offset).min(PIECE);
            let mut parameters = Writer::default();
            parameters.u16(piece).u16(offset);
            let authorized = (&[OWNER, index][..], &[Authorization::Empty][..]);
            let answer = self.ask_authorized(NV_READ, authorized, &parameters.0)?;
            let mut reader = answer.parameters()?;
            let bytes = reader.buffer()?;
            if bytes.len() != usize::from(piece) {
                return Err(reader.malformed("it has another length than was asked for"));
            }
            content.extend_from_slice(bytes);
            offset = offset.saturating_add(piece);
        }
        Ok(Some(content))
    }
}
