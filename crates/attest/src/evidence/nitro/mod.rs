//! Attestation documents of AWS Nitro: of an Enclave (`pcrs`), and of an EC2 instance's NitroTPM (`nitrotpm_pcrs`).
//!
//! A document is a COSE_Sign1 over a CBOR map, signed by a certificate inside it that lives for hours and whose chain, also
//! inside, begins at AWS's root (AWS Nitro Enclaves User Guide, "Verifying the root of trust"; EC2 User Guide, "Attest an
//! instance"). Each stored document is therefore expired: whoever verifies says at what time.

mod document;
#[cfg(test)]
pub(crate) mod issuer;
#[cfg(test)]
mod tests;

use moho_terms::Timestamp;

use super::claims::{Claims, EvidenceKind, Genuine, Workload};
use super::refusal::{Check, Part, Refusal};
use crate::cose::{CoseError, CoseSign1};
use crate::x509::{PublicKey, TrustAnchors, verify_chain};
use document::Document;

/// Longest document that is looked at, in bytes: NSM's answers have 16 KiB at most.
pub const LONGEST: usize = 16 * 1024;

/// Verifies a document of either kind at `now`: form, algorithm, chain, signature, and that it is of nothing in debug mode.
///
/// # Errors
/// [`Refusal`]: which check, of which part, and what was found.
pub fn verify(document: &[u8], anchors: &TrustAnchors, now: Timestamp) -> Result<Genuine<Claims>, Refusal> {
    if document.len() > LONGEST {
        let found = format!(
            "it has {} bytes, and {LONGEST} at most are looked at",
            document.len()
        );
        return Err(Refusal::new(Check::Encoding, Part::Document, found));
    }
    let signed = CoseSign1::read(document).map_err(|error| {
        let check = match error {
            CoseError::Algorithm => Check::Algorithm,
            CoseError::Cbor(_) | CoseError::Form | CoseError::Unprotected => Check::Encoding,
        };
        Refusal::new(check, Part::Document, error.to_string())
    })?;
    let read = Document::read(signed.payload)?;
    let leaf = verify_chain(anchors, &read.authorities, read.certificate, now)?;
    let PublicKey::P384(point) = leaf.key else {
        let found = "its key is not on P-384, as ES384 needs";
        return Err(Refusal::new(Check::Algorithm, Part::Leaf, found));
    };
    if !leaf.uses.sign() {
        let found = "its key is not one for signing";
        return Err(Refusal::new(Check::Chain, Part::Leaf, found));
    }
    if !signed.is_signed_by(point) {
        let found = "it was not signed by the key of its own certificate, or was altered";
        return Err(Refusal::new(Check::Signature, Part::Document, found));
    }
    not_debug(&read)?;
    Ok(Genuine::assertion(read.into_claims()))
}

/// A document of this kind.
///
/// # Errors
/// [`Refusal`], [`Check::Kind`] among them if it is a document of the other kind.
pub fn verify_kind(
    document: &[u8],
    kind: EvidenceKind,
    anchors: &TrustAnchors,
    now: Timestamp,
) -> Result<Genuine<Claims>, Refusal> {
    let genuine = verify(document, anchors, now)?;
    let found = genuine.claims().kind;
    if found == kind {
        return Ok(genuine);
    }
    let found = format!(
        "it is evidence of kind {}, and {} was asked for",
        found.name(),
        kind.name()
    );
    Err(Refusal::new(Check::Kind, Part::Document, found))
}

/// An enclave in debug mode has zeros where its image should be, and a signature and chain that hold; a NitroTPM that measured
/// no boot has them, too.
fn not_debug(document: &Document<'_>) -> Result<(), Refusal> {
    let refused = |found: &str| Err(Refusal::new(Check::Mode, Part::Document, found));
    let untouched = |index: &u8| document.registers.is_untouched(*index);
    let of_instance = document.kind == EvidenceKind::NitroTpm;
    if of_instance && untouched(&4) {
        return refused("PCR4 is zero: nothing says what was booted");
    }
    if !of_instance && [0, 1, 2].iter().any(untouched) {
        return refused(
            "PCR0, PCR1 or PCR2 is zero: the enclave runs in debug mode, and whoever started it reads what it does",
        );
    }
    Ok(())
}

impl Document<'_> {
    fn into_claims(self) -> Claims {
        let mut claims = Claims::of(self.kind, self.module_id.to_owned());
        claims.issued_at = Some(self.timestamp);
        claims.registers = Some(self.registers);
        claims.nonce = self.nonce.map(<[u8]>::to_vec);
        claims.user_data = self.user_data.map(<[u8]>::to_vec);
        claims.public_key = self.public_key.map(<[u8]>::to_vec);
        if self.kind == EvidenceKind::Nitro {
            claims.workload = Workload::Image;
        }
        claims
    }
}
