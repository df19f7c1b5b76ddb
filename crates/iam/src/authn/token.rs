//! Session tokens: everything a node must know to check a signature, sealed, so that no node keeps any state.
//!
//! `base64(version ‖ nonce ‖ AES-256-GCM(JSON))`. The version is authenticated too. Nonces are random: one session key is
//! good for some 2³² tokens.

use std::borrow::Cow;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use moho_terms::{AccountId, Entropy, RoleName, Secret, SessionName, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{AuthnError, IssueError, SessionKeyError};
use crate::policy::{PolicyDocument, PolicyKind};
use crate::session::{Principal, RoleSession, Terms};

const VERSION: u8 = 1;
const PURPOSE: &[u8] = b"moho session token, version 1";
const NONCE_LENGTH: usize = 12;
/// The longest token: with everything else it must fit in what servers take for a header.
const MAX_TOKEN: usize = 8192;

/// Seals and opens session tokens.
pub(super) struct TokenSealer(LessSafeKey);

/// What an opened token says.
pub(super) struct Opened {
    pub(super) session: RoleSession,
    pub(super) secret_access_key: Secret,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contents<'a> {
    key: &'a str,
    secret: &'a str,
    account: AccountId,
    role: RoleName,
    name: SessionName,
    issued: u64,
    ends: u64,
    chained: bool,
    #[serde(borrow)]
    policy: Option<Cow<'a, str>>,
}

impl TokenSealer {
    pub(super) fn new(session_key: &Secret) -> Result<Self, SessionKeyError> {
        let key =
            UnboundKey::new(&AES_256_GCM, session_key.expose()).map_err(|_unspecified| SessionKeyError)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Seals a session of a role with its secret.
    pub(super) fn seal(
        &self,
        session: &RoleSession,
        secret_access_key: &Secret,
        entropy: &dyn Entropy,
    ) -> Result<Secret, IssueError> {
        let mut bytes = contents(session, secret_access_key).ok_or(IssueError::Sealing)?;
        let mut nonce = [0_u8; NONCE_LENGTH];
        entropy.fill(&mut nonce)?;
        let tag = self
            .0
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(PURPOSE),
                &mut bytes,
            )
            .map_err(|_unspecified| IssueError::Sealing)?;
        let blob = [&[VERSION], nonce.as_slice(), &bytes, tag.as_ref()].concat();
        let token = STANDARD.encode(blob);
        if token.len() > MAX_TOKEN {
            Err(IssueError::TokenTooLarge)
        } else {
            Ok(Secret::new(token.into_bytes()))
        }
    }

    /// Opens a token that this key sealed.
    pub(super) fn open(&self, token: &str) -> Result<Opened, AuthnError> {
        self.open_if_ours(token).ok_or(AuthnError::UnknownKey)
    }

    fn open_if_ours(&self, token: &str) -> Option<Opened> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let mut blob = Zeroizing::new(STANDARD.decode(token).ok()?);
        let (head, sealed) = blob.split_at_mut_checked(1 + NONCE_LENGTH)?;
        let (version, nonce) = head.split_first()?;
        if *version != VERSION {
            return None;
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = self.0.open_in_place(nonce, Aad::from(PURPOSE), sealed).ok()?;
        opened(serde_json::from_slice(plain).ok()?)
    }
}

pub(super) fn contents(session: &RoleSession, secret_access_key: &Secret) -> Option<Zeroizing<Vec<u8>>> {
    let (role, name) = match session.principal() {
        Principal::AssumedRole { role, session_name } => (role.clone(), session_name.clone()),
        Principal::Bootstrap => return None,
    };
    let contents = Contents {
        key: session.access_key_id()?.as_str(),
        secret: std::str::from_utf8(secret_access_key.expose()).ok()?,
        account: session.account(),
        role,
        name,
        issued: session.issued_at().unix_seconds(),
        ends: session.expires_at().unix_seconds(),
        chained: session.chained(),
        policy: session
            .session_policy()
            .map(|policy| Cow::Borrowed(policy.as_str())),
    };
    // Large enough that the buffer does not move and leave a copy of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_TOKEN.saturating_mul(2)));
    serde_json::to_writer(&mut *bytes, &contents).ok()?;
    Some(bytes)
}

pub(super) fn opened(contents: Contents<'_>) -> Option<Opened> {
    let session_policy = match contents.policy {
        Some(text) => Some(PolicyDocument::parse(PolicyKind::Session, &text).ok()?),
        None => None,
    };
    let terms = Terms {
        access_key_id: contents.key.parse().ok()?,
        issued_at: Timestamp::from_unix_seconds(contents.issued),
        expires_at: Timestamp::from_unix_seconds(contents.ends),
        session_policy,
        chained: contents.chained,
    };
    let session = RoleSession::of_role(contents.account, contents.role, contents.name, terms).ok()?;
    Some(Opened {
        session,
        secret_access_key: Secret::new(contents.secret.as_bytes().to_vec()),
    })
}
