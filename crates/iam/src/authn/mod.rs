//! Who calls: signatures and bearer keys in, [`Authenticated`] out.
//!
//! [`Authenticator`] keeps no state but one key: session tokens are sealed with a key of it and carry everything needed to
//! check a signature and to decide. Long-lived credentials, where an organisation allows them, are looked up in a
//! [`CredentialSource`]. What was checked is remembered in a type: there is no `Authenticated` without a `SignatureValid`,
//! a `BearerSecretValid` or a `Verified<WebIdentity>`, except through the bootstrap [`Door`](crate::bootstrap::Door).

mod bearer;
mod canonical;
mod claim;
mod error;
mod fixed;
mod header;
#[doc(hidden)]
pub mod hostile_input;
mod issue;
mod long_lived;
mod message;
mod payload;
mod precheck;
mod presented;
mod presigned;
mod recent;
mod sealing;
mod signature;
mod signing_name;
mod token;

use std::sync::Arc;

use moho_terms::{Region, Secret, Timestamp};

pub use error::AuthnError;
pub use fixed::{FixedCredentials, FixedCredentialsError};
pub use issue::{
    FederationGrant, IssueError, Issuing, SessionGrant, TemporaryCredentials, source_identity_after,
    tags_after,
};
pub use long_lived::{
    CredentialSource, CredentialsUnavailable, LongLivedBearer, LongLivedKey, MakesBedrockKey, NewAccessKey,
    NewBedrockKey,
};
pub use payload::{LARGEST_CHUNK, Payload, PayloadCheck, PayloadError, Trailers, held_of_payload};
pub use precheck::Prechecked;
pub use signing_name::SigningName;

use crate::session::{Principal, Session, Terms, WebIdentity};
use crate::verified::Verified;
use bearer::BearerKey;
use claim::{SignatureClaim, check_skew};
use fixed::Fixed;
use header::Authorization;
use long_lived::BearerSecretValid;
use presented::Known;
use presigned::Presigned;
use recent::Recent;
use sealing::{Kind, Sealer};
use signature::{SignatureValid, SigningKeys};
use token::TokenSealer;

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
    /// SHA-256 of the body as sent; not looked at where the head itself says what the body is.
    pub body_sha256: &'a [u8; 32],
}

/// Whether a bearer key ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BearerLifetime {
    /// Made of temporary credentials: ends with them, after twelve hours at most.
    ShortTerm,
    /// Made for a user by IAM.
    LongTerm,
}

impl BearerLifetime {
    /// As `bedrock:BearerTokenType` says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ShortTerm => "SHORT_TERM",
            Self::LongTerm => "LONG_TERM",
        }
    }
}

/// How the caller proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// A SigV4 signature, in the `Authorization` header or in the query string.
    SigV4 {
        /// The service it is scoped to.
        service: SigningName,
    },
    /// A bearer key. Authorising anything then also takes the service's `CallWithBearerToken`.
    Bearer {
        /// The service it was presented to.
        service: SigningName,
        /// Whether it ends by itself.
        lifetime: BearerLifetime,
    },
    /// An identity provider's token, in the request that it is exchanged in.
    WebIdentity,
    /// The bootstrap door.
    Bootstrap,
    /// Nothing: it is a service of moho's own.
    OwnService,
}

impl Scheme {
    /// `sigv4`, `bearer`, `web-identity`, `bootstrap` or `own-service`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SigV4 { .. } => "sigv4",
            Self::Bearer { .. } => "bearer",
            Self::WebIdentity => "web-identity",
            Self::Bootstrap => "bootstrap",
            Self::OwnService => "own-service",
        }
    }
}

/// A caller whose proof was checked. Made by [`Authenticator::authenticate`], the bootstrap door and the verifier of
/// identity providers' tokens only, and for moho's [own services](crate::OwnServices).
#[derive(Debug)]
pub struct Authenticated {
    session: Arc<Session>,
    scheme: Scheme,
}

impl Authenticated {
    fn by_signature(session: Arc<Session>, scheme: Scheme, _proof: &SignatureValid) -> Self {
        Self { session, scheme }
    }

    fn by_bearer_secret(session: Session, service: SigningName, _proof: &BearerSecretValid) -> Self {
        Self {
            session: Arc::new(session),
            scheme: Scheme::Bearer {
                service,
                lifetime: BearerLifetime::LongTerm,
            },
        }
    }

    /// Whoever an identity provider's verified token speaks of: nobody yet, who may only ask for a session of a role, at
    /// `now`. `None` if its provider is in no account.
    #[must_use]
    pub fn by_web_identity(verified: Verified<WebIdentity>, now: Timestamp) -> Option<Self> {
        let web = verified.into_inner();
        let account = web.provider.account().parse().ok()?;
        let terms = Terms {
            federated_provider: Some(web.provider.to_string()),
            ..Terms::new(None, now, Some(now))
        };
        let session = Session::new(account, Principal::WebIdentity(Box::new(web)), terms).ok()?;
        Some(Self {
            session: Arc::new(session),
            scheme: Scheme::WebIdentity,
        })
    }

    pub(crate) fn through_the_door(session: Session) -> Self {
        Self {
            session: Arc::new(session),
            scheme: Scheme::Bootstrap,
        }
    }

    pub(crate) fn as_own_service(session: Session) -> Self {
        Self {
            session: Arc::new(session),
            scheme: Scheme::OwnService,
        }
    }

    /// On whose behalf.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// How it was proven.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    pub(crate) fn shared_session(&self) -> Arc<Session> {
        Arc::clone(&self.session)
    }
}

/// How many session tokens are remembered opened at least.
const REMEMBERED_TOKENS: usize = 512;

/// Checks callers' proofs, and issues what they will prove themselves with.
pub struct Authenticator {
    tokens: TokenSealer,
    access_keys: Sealer,
    messages: Sealer,
    region: Region,
    credentials: Option<Arc<dyn CredentialSource>>,
    fixed: Option<Fixed>,
    recent_tokens: Recent<Known>,
    signing_keys: SigningKeys,
}

/// The session key does not have 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session key has 32 bytes")]
pub struct SessionKeyError;

impl Authenticator {
    /// An authenticator for `region` that takes what it issues. `session_key` has 32 bytes; keys that come of it seal
    /// session tokens: nodes that share it accept each other's.
    ///
    /// # Errors
    /// [`SessionKeyError`] if the key has another size.
    pub fn new(session_key: &Secret, region: Region) -> Result<Self, SessionKeyError> {
        Ok(Self {
            tokens: TokenSealer::new(session_key)?,
            access_keys: Sealer::new(session_key, Kind::AccessKey)?,
            messages: Sealer::new(session_key, Kind::AuthorizationMessage)?,
            region,
            credentials: None,
            fixed: None,
            recent_tokens: Recent::new(REMEMBERED_TOKENS),
            signing_keys: SigningKeys::new(),
        })
    }

    /// Who sent this request. `services` are the signing names that its route accepts; a bearer key is presented to the
    /// first of them that takes bearer keys.
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
        match Proof::of(head)? {
            Proof::BearerKey(key) => self.by_bearer_key(key, services, now),
            Proof::Header(authorization) => {
                self.by_signature(&authorization.claim(head)?, head, services, now)
            }
            Proof::Query(presigned) => self.by_signature(&presigned.claim()?, head, services, now),
        }
    }

    fn by_signature(
        &self,
        claim: &SignatureClaim<'_>,
        head: &HttpHead<'_>,
        services: &[SigningName],
        now: Timestamp,
    ) -> Result<Authenticated, AuthnError> {
        let (presented, service) = claim.present(head, (&self.region, services), now)?;
        let (known, proof) = presented.check(self, now)?;
        let session = known.session;
        if service == SigningName::Iam && session.is_users_temporary() {
            return Err(AuthnError::UnknownKey);
        }
        Ok(Authenticated::by_signature(
            session,
            Scheme::SigV4 { service },
            &proof,
        ))
    }

    /// Who sent this head to S3, before any of its body is there: S3's heads say what their bodies are, and that is signed
    /// with them. The [`Payload`] says what the body has to pass then. `secure` is whether nobody on the way could change
    /// what no signature covers.
    ///
    /// # Errors
    /// [`AuthnError`], as [`authenticate`](Self::authenticate).
    pub fn authenticate_head(
        &self,
        head: &HttpHead<'_>,
        secure: bool,
        now: Timestamp,
    ) -> Result<(Authenticated, Payload), AuthnError> {
        match Proof::of(head)? {
            Proof::BearerKey(_) => Err(AuthnError::UnknownKey),
            Proof::Header(authorization) => {
                let claim = authorization.claim(head)?;
                let declared = payload::declared(head, false, secure)?;
                self.by_seed(&claim, head, declared, now)
            }
            Proof::Query(presigned) => {
                let declared = payload::declared(head, true, secure)?;
                self.by_seed(&presigned.claim()?, head, declared, now)
            }
        }
    }

    fn by_seed(
        &self,
        claim: &SignatureClaim<'_>,
        head: &HttpHead<'_>,
        declared: payload::Declared,
        now: Timestamp,
    ) -> Result<(Authenticated, Payload), AuthnError> {
        let rules = (&self.region, [SigningName::S3].as_slice());
        let (presented, service) = claim.present_with(head, &declared.hash, rules, now)?;
        let (known, proof) = presented.check(self, now)?;
        let secret = known.secret_access_key.expose();
        let key = self.signing_keys.key(secret, presented.scope, &proof);
        let times = (presented.scope, presented.signed_at);
        let chain = payload::Chain::new(key, times, presented.signature);
        let caller = Authenticated::by_signature(known.session, Scheme::SigV4 { service }, &proof);
        Ok((caller, declared.proven(presented.signed_at, chain)))
    }

    fn by_bearer_key(
        &self,
        key: &str,
        services: &[SigningName],
        now: Timestamp,
    ) -> Result<Authenticated, AuthnError> {
        let takes_keys =
            |service: &SigningName| matches!(service, SigningName::Bedrock | SigningName::BedrockMantle);
        let service = services
            .iter()
            .copied()
            .find(takes_keys)
            .ok_or(AuthnError::UnknownKey)?;
        if long_lived::is_long_term(key) {
            let (session, proof) = self.by_long_term_key(key, now)?;
            return Ok(Authenticated::by_bearer_secret(session, service, &proof));
        }
        let key = BearerKey::parse(key)?;
        let presented = key.present(&self.region)?;
        if key.signed_at() > now {
            check_skew(key.signed_at(), now, service)?;
        }
        let (known, proof) = presented.check(self, now)?;
        if key.expires_at() <= now {
            return Err(AuthnError::Expired { at: key.expires_at() });
        }
        Ok(Authenticated::by_signature(
            known.session,
            Scheme::Bearer {
                service,
                lifetime: BearerLifetime::ShortTerm,
            },
            &proof,
        ))
    }
}

/// Whether a query brings a signature, as those of presigned URLs do.
#[must_use]
pub fn is_presigned(raw_query: &str) -> bool {
    presigned::authenticates(raw_query)
}

/// What a request brings to prove who sends it.
enum Proof<'a> {
    BearerKey(&'a str),
    Header(Authorization<'a>),
    Query(Presigned),
}

impl<'a> Proof<'a> {
    /// The one proof: in the header or in the query, never in both.
    fn of(head: &HttpHead<'a>) -> Result<Self, AuthnError> {
        match (
            header::single(head, "authorization")?,
            presigned::authenticates(head.raw_query),
        ) {
            (None, false) => Err(AuthnError::Missing),
            (None, true) => Presigned::of_request(head).map(Self::Query),
            (Some(_), true) => Err(AuthnError::Malformed(
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
            )),
            (Some(authorization), false) => match bearer::bearer_credentials(authorization) {
                Some(key) => Ok(Self::BearerKey(key)),
                None => Authorization::parse(authorization).map(Self::Header),
            },
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
