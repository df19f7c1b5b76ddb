//! SigV4's signature: who signed what, for which day, region and service.

use aws_lc_rs::{constant_time, digest, hmac};
use moho_terms::Timestamp;
use zeroize::Zeroizing;

use super::AuthnError;
use super::recent::{self, Recent};
use moho_terms::hex;

/// How many signing keys are remembered at least.
const REMEMBERED: usize = 512;

/// The only algorithm there is.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How every scope ends.
pub(super) const TERMINATOR: &str = "aws4_request";

/// What a signature is good for.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) date: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

/// A signature was recomputed and found equal. Made by [`SigningKeys::verify`] only.
#[derive(Debug)]
pub(super) struct SignatureValid(());

/// The signing keys of those who called lately: making one takes five times as much hashing as using it.
pub(super) struct SigningKeys(Recent<hmac::Key>);

impl SigningKeys {
    pub(super) fn new() -> Self {
        Self(Recent::new(REMEMBERED))
    }

    /// Recomputes the signature of a canonical request and compares, in constant time.
    pub(super) fn verify(
        &self,
        secret_access_key: &[u8],
        (scope, signed_at): (Scope<'_>, Timestamp),
        canonical_request: &str,
        signature: &[u8; 32],
    ) -> Result<SignatureValid, AuthnError> {
        let name = name(secret_access_key, scope);
        let known = self.0.get(&name);
        let key = known
            .clone()
            .unwrap_or_else(|| signing_key(secret_access_key, scope));
        let expected = hmac::sign(
            &key,
            string_to_sign(scope, signed_at, canonical_request).as_bytes(),
        );
        match constant_time::verify_slices_are_equal(expected.as_ref(), signature) {
            Ok(()) => {
                if known.is_none() {
                    self.0.insert(name, key);
                }
                Ok(SignatureValid(()))
            }
            Err(_unequal) => Err(AuthnError::BadSignature),
        }
    }

    /// The key that a signature was found valid with, for those that hang on it.
    pub(super) fn key(
        &self,
        secret_access_key: &[u8],
        scope: Scope<'_>,
        _proof: &SignatureValid,
    ) -> hmac::Key {
        self.0
            .get(&name(secret_access_key, scope))
            .unwrap_or_else(|| signing_key(secret_access_key, scope))
    }

    /// A key that nobody has.
    pub(super) fn foreign_key() -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, b"nobody has this key")
    }

    /// A signing key without a signature that was valid.
    #[cfg(test)]
    pub(super) fn of_tests(&self, secret_access_key: &[u8], scope: Scope<'_>) -> hmac::Key {
        self.key(secret_access_key, scope, &SignatureValid(()))
    }
}

/// Under what a signing key is remembered.
fn name(secret_access_key: &[u8], scope: Scope<'_>) -> recent::Key {
    recent::key(&[
        secret_access_key,
        scope.date.as_bytes(),
        scope.region.as_bytes(),
        scope.service.as_bytes(),
    ])
}

/// Signs a canonical request.
pub(super) fn sign(
    secret_access_key: &[u8],
    scope: Scope<'_>,
    signed_at: Timestamp,
    canonical_request: &str,
) -> hmac::Tag {
    let text = string_to_sign(scope, signed_at, canonical_request);
    hmac::sign(&signing_key(secret_access_key, scope), text.as_bytes())
}

/// The text that is signed.
pub(super) fn string_to_sign(scope: Scope<'_>, signed_at: Timestamp, canonical_request: &str) -> String {
    let Scope {
        date,
        region,
        service,
    } = scope;
    let time = signed_at.iso8601_basic();
    let request = hex::encode(digest::digest(&digest::SHA256, canonical_request.as_bytes()).as_ref());
    format!("{ALGORITHM}\n{time}\n{date}/{region}/{service}/{TERMINATOR}\n{request}")
}

fn signing_key(secret_access_key: &[u8], scope: Scope<'_>) -> hmac::Key {
    let mut prefixed = Zeroizing::new(Vec::with_capacity(secret_access_key.len().saturating_add(4)));
    prefixed.extend_from_slice(b"AWS4");
    prefixed.extend_from_slice(secret_access_key);
    let mut key = hmac::Key::new(hmac::HMAC_SHA256, &prefixed);
    for part in [scope.date, scope.region, scope.service, TERMINATOR] {
        key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref());
    }
    key
}
