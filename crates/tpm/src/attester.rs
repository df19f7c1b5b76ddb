//! An attester (RFC 9334): an attestation key, quotes by it, and the proof of which TPM it is of.

use zeroize::Zeroizing;

use crate::commands::{PcrSelection, PcrValues, Primary};
use crate::error::TpmError;
use crate::templates;
use crate::tpm::Tpm;

/// Where manufacturers leave the certificate of the RSA-2048 endorsement key (TCG EK Credential Profile 2.5, 2.2.1.4).
const RSA_CERTIFICATE: u32 = 0x01c0_0002;
/// And of that on P-256.
const ECC_CERTIFICATE: u32 = 0x01c0_000a;
/// How often a quote is taken again because registers changed between it and their reading.
const TRIES: u32 = 8;

/// Which endorsement key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endorsement {
    /// RSA-2048, which every TPM 2.0 for PCs has.
    Rsa,
    /// P-256.
    Ecc,
}

/// A quote with what it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted {
    /// `TPMS_ATTEST`
    pub attest: Vec<u8>,
    /// `TPMT_SIGNATURE`
    pub signature: Vec<u8>,
    /// The registers that it is over.
    pub registers: PcrValues,
}

/// An attestation key of a TPM, for as long as this lives.
pub struct Attester<'t> {
    tpm: &'t Tpm,
    key: Primary<'t>,
}

impl<'t> Attester<'t> {
    /// Makes the attestation key: restricted, on P-256, the same each time on this TPM.
    ///
    /// # Errors
    /// [`TpmError`].
    pub fn new(tpm: &'t Tpm) -> Result<Self, TpmError> {
        let key = tpm.endorsement_primary(&templates::attestation_key())?;
        Ok(Self { tpm, key })
    }

    /// The key's `TPMT_PUBLIC`.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        &self.key.public
    }

    /// Quotes these registers. `qualifying_data` is what whoever verifies asked to be told again, or is bound to.
    ///
    /// # Errors
    /// [`TpmError`]; also if registers change faster than they can be quoted.
    pub fn quote(&self, qualifying_data: &[u8], selection: &PcrSelection) -> Result<Quoted, TpmError> {
        for _ in 0..TRIES {
            let before = self.tpm.pcr_read(selection)?;
            let (attest, signature) = self.tpm.quote(&self.key, qualifying_data, selection)?;
            let registers = self.tpm.pcr_read(selection)?;
            if before == registers {
                return Ok(Quoted {
                    attest,
                    signature,
                    registers,
                });
            }
        }
        Err(TpmError::Malformed {
            command: "TPM2_Quote",
            problem: "registers change faster than they can be quoted",
        })
    }

    /// The certificate of an endorsement key as its manufacturer left it, in DER; `None` if there is none.
    ///
    /// # Errors
    /// [`TpmError`].
    pub fn endorsement_certificate(&self, which: Endorsement) -> Result<Option<Vec<u8>>, TpmError> {
        self.tpm.nv_read(match which {
            Endorsement::Rsa => RSA_CERTIFICATE,
            Endorsement::Ecc => ECC_CERTIFICATE,
        })
    }

    /// The endorsement key's `TPMT_PUBLIC`.
    ///
    /// # Errors
    /// [`TpmError`].
    pub fn endorsement_public(&self, which: Endorsement) -> Result<Vec<u8>, TpmError> {
        self.endorsement_key(which).map(|key| key.public)
    }

    /// Answers a challenge that only the TPM with this attestation key and this endorsement key can: the secret of a credential that
    /// was made for both (Part 1, 24).
    ///
    /// # Errors
    /// [`TpmError::Refused`] if it was made for others.
    pub fn activate(
        &self,
        which: Endorsement,
        (credential_blob, encrypted_secret): (&[u8], &[u8]),
    ) -> Result<Zeroizing<Vec<u8>>, TpmError> {
        let endorsement = self.endorsement_key(which)?;
        let challenge = (credential_blob, encrypted_secret);
        self.tpm.activate_credential((&self.key, &endorsement), challenge)
    }

    fn endorsement_key(&self, which: Endorsement) -> Result<Primary<'t>, TpmError> {
        self.tpm.endorsement_primary(&match which {
            Endorsement::Rsa => templates::endorsement_key_rsa(),
            Endorsement::Ecc => templates::endorsement_key_ecc(),
        })
    }
}
