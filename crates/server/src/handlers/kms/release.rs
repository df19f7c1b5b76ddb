//! To whom a plaintext goes: whoever asked for it, or the holder of a key in verified evidence.

use std::sync::Arc;

use moho_attest::evidence::{KeyRelease, Refusal, Verified, nitro};
use moho_kms::Recipient;
use moho_terms::{ContentBytes, Secret};
use moho_wire::Failure;

use super::super::blocking;
use super::{Asked, shown};
use crate::road::from_kms;

/// An attestation document, verified in full. Its signatures take milliseconds, so not where other requests wait.
pub(crate) async fn verified(asked: &Asked, document: Vec<u8>) -> Result<Verified<KeyRelease>, Failure> {
    let platform = Arc::clone(&asked.platform);
    blocking(move || {
        let now = platform.clock.now();
        nitro::verify(&document, &platform.nitro_roots, now)
            .and_then(|genuine| genuine.for_key_release(now))
            .map_err(|refusal| refused(&refusal))
    })
    .await
}

/// In the words of who reads a refusal to mend it: which check failed, of which part, and what was found.
fn refused(refusal: &Refusal) -> Failure {
    shown::invalid(&format!("The attestation document is not valid: {refusal}."))
}

/// To whom.
pub(crate) enum ReleaseTo {
    /// Whoever asked.
    Caller,
    /// The holder of a key in verified evidence; whoever asked sees ciphertext.
    Recipient(Recipient),
}

/// A plaintext as a reply carries it: in one of AWS's two members, never in both.
pub(crate) struct Released {
    pub(crate) plaintext: Option<Secret>,
    pub(crate) ciphertext_for_recipient: Option<ContentBytes>,
}

impl ReleaseTo {
    /// The plaintext, for whom it is.
    pub(crate) fn release(&self, asked: &Asked, plain: Secret) -> Result<Released, Failure> {
        match self {
            Self::Caller => Ok(Released {
                plaintext: Some(plain),
                ciphertext_for_recipient: None,
            }),
            Self::Recipient(recipient) => {
                let enclosed = recipient.enclose(plain, &*asked.platform.entropy);
                let enclosed = enclosed.map_err(|error| from_kms(&error))?;
                Ok(Released {
                    plaintext: None,
                    ciphertext_for_recipient: Some(ContentBytes::new(enclosed)),
                })
            }
        }
    }
}
