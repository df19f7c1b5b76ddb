//! To whom a plaintext goes: whoever asked for it, or the holder of a key in verified evidence.

use moho_kms::Recipient;
use moho_terms::{ContentBytes, Secret};
use moho_wire::Failure;

use super::Asked;
use crate::road::from_kms;

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
