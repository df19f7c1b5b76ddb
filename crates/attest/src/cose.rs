//! COSE_Sign1 (RFC 9052, 4.2) as Nitro's documents are signed: ES384, nothing but the algorithm in the protected header, and
//! nothing at all in the other.

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};

use crate::cbor::{Cbor, CborError, Item};

/// `{1: -35}`: the algorithm is ES384 (RFC 9053, 2.1).
const ES384_ONLY: [u8; 4] = [0xa1, 0x01, 0x38, 0x22];
/// Of COSE_Sign1, which may stand before it.
const TAG: u64 = 18;

/// Bytes that are no COSE_Sign1 of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CoseError {
    #[error(transparent)]
    Cbor(#[from] CborError),
    #[error("it is no COSE_Sign1: an array of four")]
    Form,
    #[error("its protected header is not the algorithm ES384 alone")]
    Algorithm,
    #[error("its unprotected header, which nobody signed, is not empty")]
    Unprotected,
}

/// A signed document, whose signature was not looked at yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CoseSign1<'a> {
    pub(crate) payload: &'a [u8],
    signature: &'a [u8],
}

impl<'a> CoseSign1<'a> {
    /// Reads exactly one.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, CoseError> {
        let mut cbor = Cbor::new(bytes);
        let mut fields = cbor.item()?;
        if fields == Item::Tag(TAG) {
            fields = cbor.item()?;
        }
        if fields != Item::Array(4) {
            return Err(CoseError::Form);
        }
        if cbor.bytes()? != ES384_ONLY {
            return Err(CoseError::Algorithm);
        }
        if cbor.map()? != 0 {
            return Err(CoseError::Unprotected);
        }
        let (payload, signature) = (cbor.bytes()?, cbor.bytes()?);
        cbor.end()?;
        Ok(Self { payload, signature })
    }

    /// Whether the holder of this key (an uncompressed point on P-384) signed it.
    pub(crate) fn is_signed_by(&self, point: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point)
            .verify(&to_be_signed(self.payload), self.signature)
            .is_ok()
    }
}

/// The `Sig_structure` (RFC 9052, 4.4): what is really signed.
pub(crate) fn to_be_signed(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len().saturating_add(32));
    bytes.extend_from_slice(b"\x84\x6aSignature1\x44");
    bytes.extend_from_slice(&ES384_ONLY);
    bytes.push(0x40);
    crate::cbor::write_bytes(payload, &mut bytes);
    bytes
}
