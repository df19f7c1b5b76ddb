//! What can be said about a caller before its body is there: enough that strangers cannot make anybody hold one.

use moho_terms::Timestamp;

use super::claim::SignatureClaim;
use super::{Authenticator, AuthnError, HttpHead, Proof, SigningName};

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
    ) -> Result<(), AuthnError> {
        match Proof::of(head)? {
            Proof::BearerKey(key) => self.by_bearer_key(key, services, now).map(drop),
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
    ) -> Result<(), AuthnError> {
        claim.scope(head, (&self.region, services), now)?;
        let access_key_id = claim.credential.access_key_id;
        self.known(access_key_id, claim.session_token)?
            .unless_ended(now)
            .map(drop)
    }
}
