//! What a caller presents, whichever way it came, and the one check of it.

use std::borrow::Cow;

use moho_terms::{AccessKeyId, Secret, Timestamp};

use super::AuthnError;
use super::signature::{self, Scope, SignatureValid};
use super::token::{Opened, TokenSealer};
use crate::session::RoleSession;

/// A key id, a token and a signature over a request: nothing is checked yet.
pub(super) struct Presented<'a> {
    pub(super) access_key_id: &'a str,
    pub(super) session_token: Option<&'a str>,
    pub(super) scope: Scope<'a>,
    pub(super) signed_at: Timestamp,
    pub(super) signature: [u8; 32],
    pub(super) canonical_request: Cow<'a, str>,
}

impl Presented<'_> {
    /// Whose it is. A key that was never issued costs the whole signature too, as one that is wrong does.
    pub(super) fn check(
        &self,
        tokens: &TokenSealer,
        now: Timestamp,
    ) -> Result<(RoleSession, SignatureValid), AuthnError> {
        let opened = open(tokens, self.access_key_id, self.session_token);
        let stand_in = Secret::new(vec![b'x'; 40]);
        let secret = opened
            .as_ref()
            .map_or(&stand_in, |opened| &opened.secret_access_key);
        let verified = signature::verify(
            secret.expose(),
            self.scope,
            self.signed_at,
            &self.canonical_request,
            &self.signature,
        );
        let session = opened?.session;
        let valid = verified?;
        if session.expires_at() <= now {
            Err(AuthnError::Expired {
                at: session.expires_at(),
            })
        } else {
            Ok((session, valid))
        }
    }
}

/// There are only temporary credentials, so there must be a token, and it must be of this very key.
pub(super) fn open(
    tokens: &TokenSealer,
    access_key_id: &str,
    session_token: Option<&str>,
) -> Result<Opened, AuthnError> {
    let opened = tokens.open(session_token.ok_or(AuthnError::UnknownKey)?)?;
    if opened.session.access_key_id().map(AccessKeyId::as_str) == Some(access_key_id) {
        Ok(opened)
    } else {
        Err(AuthnError::UnknownKey)
    }
}
