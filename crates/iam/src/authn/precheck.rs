//! What can be said about a caller before its body is there: enough that strangers cannot make anybody hold one.

use moho_terms::{AccessKeyId, Timestamp};

use super::claim::SignatureClaim;
use super::{Authenticator, AuthnError, HttpHead, Proof, SigningName};

/// What a caller has shown before its body is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prechecked {
    /// A bearer key, which proves who it is without a body.
    Proven,
    /// The id of an access key that there is. Whether the caller has that key, only its whole request shows.
    Claims(AccessKeyId),
}

impl Authenticator {
    /// Whether a request may be worth its body. A bearer key is checked whole; of a signature everything but the
    /// signature itself, which covers the body. `body_sha256` in `head` is not looked at.
    ///
    /// That this succeeds proves nothing: [`authenticate`](Self::authenticate) makes the only proof.
    ///
    /// # Errors
    /// [`AuthnError`]: [`authenticate`](Self::authenticate) would refuse the request, whatever its body; journal it.
    pub fn precheck(
        &self,
        head: &HttpHead<'_>,
        services: &[SigningName],
        now: Timestamp,
    ) -> Result<Prechecked, AuthnError> {
        match Proof::of(head)? {
            Proof::BearerKey(key) => self
                .by_bearer_key(key, services, now)
                .map(|_caller| Prechecked::Proven),
            Proof::Header(authorization) => {
                self.precheck_claim(&authorization.claim(head)?, head, services, now)
            }
            Proof::Query(presigned) => self.precheck_claim(&presigned.claim()?, head, services, now),
        }
    }

    fn precheck_claim(
        &self,
        claim: &SignatureClaim<'_>,
        head: &HttpHead<'_>,
        services: &[SigningName],
        now: Timestamp,
    ) -> Result<Prechecked, AuthnError> {
        claim.scope(head, (&self.region, services), now)?;
        let access_key_id = claim.credential.access_key_id;
        self.known(access_key_id, claim.session_token)?
            .unless_ended(now)?;
        let known = access_key_id.parse();
        Ok(Prechecked::Claims(
            known.map_err(|_no_id| AuthnError::UnknownKey)?,
        ))
    }
}
