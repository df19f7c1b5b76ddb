//! Sealing under keys that come of the session key: one for each kind of thing, so that none can pass for another.
//!
//! A sealed thing is `version ‖ nonce ‖ AES-256-GCM`. Version, kind and what it is bound to are authenticated. Nonces are
//! random: one session key is good for some 2³² things of a kind.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf;
use moho_terms::{Entropy, EntropyUnavailable, Secret};
use zeroize::Zeroizing;

use super::SessionKeyError;

const VERSION: u8 = 2;
const NONCE_LENGTH: usize = 12;

/// What is sealed, each under a key of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    SessionToken,
    AccessKey,
    AuthorizationMessage,
}

impl Kind {
    fn label(self) -> &'static [u8] {
        match self {
            Self::SessionToken => b"moho session token, version 2",
            Self::AccessKey => b"moho long-lived access key, version 2",
            Self::AuthorizationMessage => b"moho authorization message, version 2",
        }
    }
}

/// Why something could not be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum SealError {
    #[error(transparent)]
    Entropy(#[from] EntropyUnavailable),
    #[error("the cipher failed")]
    Cipher,
}

/// Seals and opens things of one kind.
pub(super) struct Sealer {
    key: LessSafeKey,
    kind: Kind,
}

impl Sealer {
    /// The key for `kind` that comes of `session_key`, which has 32 bytes.
    pub(super) fn new(session_key: &Secret, kind: Kind) -> Result<Self, SessionKeyError> {
        if session_key.len() != 32 {
            return Err(SessionKeyError);
        }
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, b"moho session key").extract(session_key.expose());
        let label = [kind.label()];
        let key = extracted
            .expand(&label, &AES_256_GCM)
            .map_err(|_unspecified| SessionKeyError)?;
        Ok(Self {
            key: LessSafeKey::new(UnboundKey::from(key)),
            kind,
        })
    }

    /// Seals `plain`, which only opens again with the same `bound_to`.
    pub(super) fn seal(
        &self,
        bound_to: &str,
        mut plain: Zeroizing<Vec<u8>>,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0_u8; NONCE_LENGTH];
        entropy.fill(&mut nonce)?;
        let tag = self
            .key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(self.aad(bound_to)),
                &mut plain,
            )
            .map_err(|_unspecified| SealError::Cipher)?;
        Ok([&[VERSION], nonce.as_slice(), &plain, tag.as_ref()].concat())
    }

    /// Opens `sealed` in place; `None` if it is not one of ours.
    pub(super) fn open<'s>(&self, bound_to: &str, sealed: &'s mut [u8]) -> Option<&'s [u8]> {
        let (head, rest) = sealed.split_at_mut_checked(1 + NONCE_LENGTH)?;
        let (version, nonce) = head.split_first()?;
        if *version != VERSION {
            return None;
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = self
            .key
            .open_in_place(nonce, Aad::from(self.aad(bound_to)), rest)
            .ok()?;
        Some(plain)
    }

    fn aad(&self, bound_to: &str) -> Vec<u8> {
        [self.kind.label(), b"\0", bound_to.as_bytes()].concat()
    }
}
