//! Who calls: signatures and bearer keys in, [`Authenticated`] out.
//!
//! [`Authenticator`] keeps no state but one key: session tokens are sealed with it and carry everything needed to check
//! a signature. What was checked is remembered in a type: there is no `Authenticated` without a `SignatureValid`,
//! except through the bootstrap [`Door`](crate::bootstrap::Door).

mod error;
mod issue;
mod signing_name;

use std::sync::Arc;

use moho_terms::{AccountId, Region, Secret, Timestamp};

pub use error::AuthnError;
pub use issue::{IssueError, SessionGrant, TemporaryCredentials};
pub use signing_name::SigningName;

use crate::session::RoleSession;

/// The part of a request that a signature covers.
#[derive(Clone, Copy)]
pub struct HttpHead<'a> {
    /// The method, such as `POST`.
    pub method: &'a str,
    /// The path exactly as sent: not decoded, not normalised.
    pub raw_path: &'a str,
    /// What follows the `?`, exactly as sent; empty if nothing does.
    pub raw_query: &'a str,
    /// HTTP/1.1's `Host`, HTTP/2's `:authority`.
    pub authority: &'a str,
    /// Every header with its name in lower case, in the order sent, duplicates kept.
    pub headers: &'a [(&'a str, &'a str)],
    /// SHA-256 of the body as sent.
    pub body_sha256: &'a [u8; 32],
}

/// How the caller proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// A SigV4 signature in the `Authorization` header.
    SigV4 {
        /// The service it is scoped to.
        service: SigningName,
    },
    /// A bearer key. Authorising anything then also takes the service's `CallWithBearerToken`.
    Bearer {
        /// The service it was presented to.
        service: SigningName,
    },
    /// The bootstrap door.
    Bootstrap,
}

/// A signature was recomputed and found equal.
#[derive(Debug)]
#[expect(dead_code, reason = "filled in next")]
struct SignatureValid(());

/// A caller whose proof was checked. Made by [`Authenticator::authenticate`] and the bootstrap door only.
#[derive(Debug)]
pub struct Authenticated {
    session: Arc<RoleSession>,
    scheme: Scheme,
}

impl Authenticated {
    pub(crate) fn bootstrap(_account: AccountId, _now: Timestamp) -> Option<Self> {
        None
    }

    /// On whose behalf.
    #[must_use]
    pub fn session(&self) -> &RoleSession {
        &self.session
    }

    /// How it was proven.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    #[expect(dead_code, reason = "filled in next")]
    pub(crate) fn shared_session(&self) -> Arc<RoleSession> {
        Arc::clone(&self.session)
    }
}

/// Checks callers' proofs, and issues what they will prove themselves with.
pub struct Authenticator {
    #[expect(dead_code, reason = "filled in next")]
    region: Region,
}

/// The session key does not have 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session key has 32 bytes")]
pub struct SessionKeyError;

impl Authenticator {
    /// An authenticator for `region`. `session_key` has 32 bytes and seals session tokens: nodes that share it accept
    /// each other's.
    ///
    /// # Errors
    /// [`SessionKeyError`] if the key has another size.
    pub fn new(session_key: &Secret, region: Region) -> Result<Self, SessionKeyError> {
        if session_key.len() == 32 {
            Ok(Self { region })
        } else {
            Err(SessionKeyError)
        }
    }

    /// Who sent this request. `services` are the signing names that its route accepts; a bearer key takes the first.
    ///
    /// # Errors
    /// [`AuthnError`]: who is to blame and how; journal it with
    /// [`Authorizer::journal_authn_failure`](crate::authz::Authorizer::journal_authn_failure).
    pub fn authenticate(
        &self,
        head: &HttpHead<'_>,
        services: &[SigningName],
        now: Timestamp,
    ) -> Result<Authenticated, AuthnError> {
        let _: (&HttpHead<'_>, &[SigningName], Timestamp) = (head, services, now);
        Err(AuthnError::Missing)
    }
}
