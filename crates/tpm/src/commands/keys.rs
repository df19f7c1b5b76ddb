//! Primary keys, quotes by them, and credentials activated for them.

use zeroize::Zeroizing;

use super::pcr::PcrSelection;
use crate::error::TpmError;
use crate::tpm::{Authorization, Code, Loaded, Tpm};
use crate::wire::Writer;

const CREATE_PRIMARY: Code = Code("TPM2_CreatePrimary", 0x0131);
const QUOTE: Code = Code("TPM2_Quote", 0x0158);
const START_AUTH_SESSION: Code = Code("TPM2_StartAuthSession", 0x0176);
const POLICY_SECRET: Code = Code("TPM2_PolicySecret", 0x0151);
const ACTIVATE_CREDENTIAL: Code = Code("TPM2_ActivateCredential", 0x0147);

/// `TPM_RH_ENDORSEMENT`
const ENDORSEMENT: u32 = 0x4000_000b;
/// `TPM_RH_NULL`
const NOTHING: u32 = 0x4000_0007;
const POLICY_SESSION: u8 = 1;
const NULL: u16 = 0x0010;
const SHA256: u16 = 0x000b;

/// A primary key, loaded.
pub(crate) struct Primary<'t> {
    pub(crate) loaded: Loaded<'t>,
    /// Its `TPMT_PUBLIC`.
    pub(crate) public: Vec<u8>,
}

impl Tpm {
    /// `TPM2_CreatePrimary` in the endorsement hierarchy: the same key each time, as long as the hierarchy's seed stays.
    pub(crate) fn endorsement_primary(&self, template: &[u8]) -> Result<Primary<'_>, TpmError> {
        let mut parameters = Writer::default();
        // No password, nothing sealed; then the template; nothing from outside, and no registers.
        parameters.u16(4).u16(0).u16(0);
        parameters.buffer(template, "a template")?;
        parameters.u16(0).u32(0);
        let authorized = (&[ENDORSEMENT][..], &[Authorization::Empty][..]);
        let answer = self.ask_authorized(CREATE_PRIMARY, authorized, &parameters.0)?;
        let (handle, mut reader) = answer.handle()?;
        let loaded = self.loaded(handle);
        let public = reader.buffer()?.to_vec();
        Ok(Primary { loaded, public })
    }

    /// `TPM2_Quote` by the key's own scheme: `TPMS_ATTEST` and `TPMT_SIGNATURE`.
    pub(crate) fn quote(
        &self,
        key: &Primary<'_>,
        qualifying_data: &[u8],
        selection: &PcrSelection,
    ) -> Result<(Vec<u8>, Vec<u8>), TpmError> {
        let mut parameters = Writer::default();
        parameters.buffer(qualifying_data, "qualifying data")?;
        parameters.u16(NULL);
        selection.write(&mut parameters);
        let authorized = (&[key.loaded.handle][..], &[Authorization::Empty][..]);
        let answer = self.ask_authorized(QUOTE, authorized, &parameters.0)?;
        let mut reader = answer.parameters()?;
        let attest = reader.buffer()?.to_vec();
        Ok((attest, reader.rest().to_vec()))
    }

    /// A policy session that the endorsement hierarchy's empty password satisfies, as an endorsement key asks for.
    fn endorsement_session(&self) -> Result<Loaded<'_>, TpmError> {
        let mut parameters = Writer::default();
        // The caller's nonce protects nothing in a session without a key; it must have 16 bytes all the same.
        parameters.buffer(&[0; 16], "a nonce")?;
        parameters.u16(0).u8(POLICY_SESSION).u16(NULL).u16(SHA256);
        let answer = self.ask(START_AUTH_SESSION, &[NOTHING, NOTHING], &parameters.0)?;
        let (handle, _nonce) = answer.handle()?;
        let session = self.loaded(handle);
        let mut parameters = Writer::default();
        // No nonce of the TPM's, nothing about a command, no reference, no end.
        parameters.u16(0).u16(0).u16(0).u32(0);
        let authorized = (&[ENDORSEMENT, handle][..], &[Authorization::Empty][..]);
        self.ask_authorized(POLICY_SECRET, authorized, &parameters.0)?;
        Ok(session)
    }

    /// `TPM2_ActivateCredential`: the secret that somebody made for this key and this endorsement key together.
    pub(crate) fn activate_credential(
        &self,
        (key, endorsement): (&Primary<'_>, &Primary<'_>),
        (credential_blob, encrypted_secret): (&[u8], &[u8]),
    ) -> Result<Zeroizing<Vec<u8>>, TpmError> {
        let session = self.endorsement_session()?;
        let mut parameters = Writer::default();
        parameters.buffer(credential_blob, "a credential")?;
        parameters.buffer(encrypted_secret, "a credential's secret")?;
        let handles = [key.loaded.handle, endorsement.loaded.handle];
        let authorized = (
            &handles[..],
            &[Authorization::Empty, Authorization::Policy(&session)][..],
        );
        let answer = self.ask_authorized(ACTIVATE_CREDENTIAL, authorized, &parameters.0)?;
        let mut reader = answer.parameters()?;
        let secret = Zeroizing::new(reader.buffer()?.to_vec());
        reader.end()?;
        Ok(secret)
    }
}
