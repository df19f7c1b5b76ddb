//! Attested release: a request that names a recipient is answered to the key in its attestation document, or not at all.

use moho_attest::evidence::{EvidenceKind, KeyRelease, Verified};
use moho_iam::authz::Context;
use moho_kms::Recipient;
use moho_terms::hex;
use moho_wire::Failure;
use moho_wire::aws::ops::kms::shapes::RecipientInfo;

use super::super::Trip;
use crate::handlers::kms::release::{self, ReleaseTo};
use crate::handlers::kms::shown;
use crate::road::from_kms;

/// The one algorithm that a content key is encrypted to a recipient by.
const ALGORITHM: &str = "RSAES_OAEP_SHA_256";

/// To whom a plaintext goes, and what policies can ask about that.
pub(super) struct Release {
    pub(super) to: ReleaseTo,
    conditions: Vec<(String, String)>,
}

impl Release {
    /// Whom the request names: its caller, or the holder of the key in a document that is verified in full. A document with
    /// anything wrong about it is an error, whatever else the request asks.
    pub(super) async fn asked(trip: &Trip<'_>, info: Option<&RecipientInfo>) -> Result<Self, Failure> {
        let Some(info) = info else {
            return Ok(Self {
                to: ReleaseTo::Caller,
                conditions: Vec::new(),
            });
        };
        let document = info.attestation_document.as_ref();
        let document = document.ok_or_else(|| shown::missing("recipient.attestationDocument"))?;
        match info.key_encryption_algorithm.as_deref() {
            Some(ALGORITHM) => {}
            Some(_) | None => {
                let message = format!("Recipient.KeyEncryptionAlgorithm has to be {ALGORITHM}.");
                return Err(shown::invalid(&message));
            }
        }
        let evidence = release::verified(&trip.asked(), document.expose().to_vec()).await?;
        let recipient = Recipient::new(&evidence).map_err(|error| from_kms(&error))?;
        trip.calling.releases_to(&evidence);
        Ok(Self {
            to: ReleaseTo::Recipient(recipient),
            conditions: conditions(&evidence),
        })
    }

    /// The context of a decision, with what the document measured.
    pub(super) fn conditions(&self, context: Context) -> Context {
        let with = |context: Context, (key, value): &(String, String)| context.with(key, value.as_str());
        self.conditions.iter().fold(context, with)
    }
}

/// AWS's condition keys: `kms:RecipientAttestation:ImageSha384`, which is PCR0, and `…:PCR<n>` of enclaves, `…:NitroTPMPCR<n>` of
/// instances.
fn conditions(evidence: &Verified<KeyRelease>) -> Vec<(String, String)> {
    let release = evidence.claims();
    let of_instance = release.kind() == EvidenceKind::NitroTpm;
    let family = if of_instance { "NitroTPMPCR" } else { "PCR" };
    let mut conditions = Vec::new();
    for (index, value) in release.registers().iter() {
        let value = hex::encode(value);
        if !of_instance && index == 0 {
            conditions.push(("kms:RecipientAttestation:ImageSha384".to_owned(), value.clone()));
        }
        conditions.push((format!("kms:RecipientAttestation:{family}{index}"), value));
    }
    conditions
}
