//! What can be said about a caller before its body is there: enough that strangers cannot make anybody hold one.

use moho_terms::Timestamp;

use super::header::{self, Authorization};
use super::{Authenticator, AuthnError, HttpHead, SigningName, authorization, bearer, check_skew, presented};

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
        let authorization = authorization(head)?;
        if let Some(key) = bearer::bearer_credentials(authorization) {
            return self.by_bearer_key(key, services, now).map(drop);
        }
        let authorization = Authorization::parse(authorization)?;
        let (signed_at, _, service) = authorization.scope(head, &self.region, services)?;
        check_skew(signed_at, now, service)?;
        let token = header::single(head, "x-amz-security-token")?;
        let session = presented::open(&self.tokens, authorization.access_key_id(), token)?.session;
        if session.expires_at() <= now {
            Err(AuthnError::Expired {
                at: session.expires_at(),
            })
        } else {
            Ok(())
        }
    }
}
