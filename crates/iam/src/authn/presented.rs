//! What a caller presents, whichever way it came, and the one check of it.

use std::borrow::Cow;
use std::sync::Arc;

use moho_terms::{AccessKeyId, Secret, Timestamp};

use super::signature::{Scope, SignatureValid};
use super::{Authenticator, AuthnError, recent};
use crate::session::Session;

/// A key id, a token and a signature over a request: nothing is checked yet.
pub(super) struct Presented<'a> {
    pub(super) access_key_id: &'a str,
    pub(super) session_token: Option<&'a str>,
    pub(super) scope: Scope<'a>,
    pub(super) signed_at: Timestamp,
    pub(super) signature: [u8; 32],
    pub(super) canonical_request: Cow<'a, str>,
}

/// Credentials that are known here, and whose they are.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) session: Arc<Session>,
    pub(super) secret_access_key: Arc<Secret>,
}

impl Known {
    pub(super) fn new(session: Session, secret_access_key: Secret) -> Self {
        Self {
            session: Arc::new(session),
            secret_access_key: Arc::new(secret_access_key),
        }
    }

    pub(super) fn unless_ended(self, now: Timestamp) -> Result<Self, AuthnError> {
        match self.session.expires_at() {
            Some(at) if at <= now => Err(AuthnError::Expired { at }),
            Some(_) | None => Ok(self),
        }
    }
}

impl Presented<'_> {
    /// Whose it is. A key that was never issued costs the whole signature too, as one that is wrong does.
    pub(super) fn check(
        &self,
        authenticator: &Authenticator,
        now: Timestamp,
    ) -> Result<(Known, SignatureValid), AuthnError> {
        let known = authenticator.known(self.access_key_id, self.session_token);
        let stand_in = Secret::new(vec![b'x'; 40]);
        let secret = known.as_ref().map_or(&stand_in, |known| &known.secret_access_key);
        let verified = authenticator.signing_keys.verify(
            secret.expose(),
            (self.scope, self.signed_at),
            &self.canonical_request,
            &self.signature,
        );
        let known = known?;
        let valid = verified?;
        Ok((known.unless_ended(now)?, valid))
    }
}

impl Authenticator {
    /// The credentials of this id. Temporary ones come with their token, which must be of this very key; others come
    /// without one.
    pub(super) fn known(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
    ) -> Result<Known, AuthnError> {
        let known = match session_token {
            Some(token) => self.temporary(token),
            None => match self.fixed.as_ref().filter(|fixed| fixed.is(access_key_id)) {
                Some(fixed) => Some(fixed.known()),
                None => self
                    .access_key(access_key_id)?
                    .map(|(session, secret)| Known::new(session, secret)),
            },
        };
        known
            .filter(|known| known.session.access_key_id().map(AccessKeyId::as_str) == Some(access_key_id))
            .ok_or(AuthnError::UnknownKey)
    }

    /// The credentials that a token carries; opened once for many requests.
    fn temporary(&self, token: &str) -> Option<Known> {
        let name = recent::key(&[token.as_bytes()]);
        if let Some(known) = self.recent_tokens.get(&name) {
            return Some(known);
        }
        let opened = self.tokens.open(token)?;
        let known = Known::new(opened.session, opened.secret_access_key);
        self.recent_tokens.insert(name, known.clone());
        Some(known)
    }
}
