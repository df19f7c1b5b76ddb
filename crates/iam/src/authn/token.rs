//! Session tokens: everything a node must know to check a signature and to decide, sealed, so that no node keeps any
//! state: `base64(sealed JSON)`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use moho_terms::{
    AccountId, Arn, Entropy, RoleName, Secret, SessionName, SourceIdentity, Timestamp, UserName,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::sealing::{Kind, Sealer};
use super::{IssueError, SessionKeyError};
use crate::policy::{PolicyDocument, PolicyKind};
use crate::session::{Narrowing, PolicyRef, Principal, RoleRef, Session, SessionTags, Terms, UserRef};

/// The longest token: with everything else it must fit in what servers take for a header.
const MAX_TOKEN: usize = 8192;
/// The most bytes that session policies and tags may take in a token. What is left is enough for the rest, however long
/// names and paths are.
const PACKED: usize = 4608;

/// Seals and opens session tokens.
pub(super) struct TokenSealer(Sealer);

/// What an opened token says.
pub(super) struct Opened {
    pub(super) session: Session,
    pub(super) secret_access_key: Secret,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contents<'a> {
    key: &'a str,
    secret: &'a str,
    account: AccountId,
    who: Who,
    issued: u64,
    ends: u64,
    #[serde(default, skip_serializing_if = "is_false")]
    chained: bool,
    #[serde(borrow, default, skip_serializing_if = "Packed::is_empty")]
    packed: Packed<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<SourceIdentity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum Who {
    Role {
        path: String,
        name: RoleName,
        id: String,
        session: SessionName,
    },
    User {
        path: String,
        name: UserName,
        id: String,
    },
    Federated {
        name: SessionName,
        path: String,
        user: UserName,
        id: String,
    },
}

/// What callers can make as large as they like, up to a limit.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Packed<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    policy: Option<Cow<'a, str>>,
    /// ARNs with unique ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    managed: Vec<(Arn, String)>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    transitive: BTreeSet<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl<'a> Packed<'a> {
    fn of(session: &'a Session) -> Self {
        Self {
            policy: session
                .session_policy()
                .map(|policy| Cow::Borrowed(policy.as_str())),
            managed: session
                .session_policies()
                .iter()
                .map(|policy| (policy.arn.clone(), policy.id.clone()))
                .collect(),
            tags: session.tags().all().clone(),
            transitive: session.tags().transitive().clone(),
        }
    }

    fn is_empty(&self) -> bool {
        self.policy.is_none() && self.managed.is_empty() && self.tags.is_empty()
    }

    /// How much of the room for policies and tags this takes, in hundredths, rounded up.
    fn percent(&self) -> Option<u32> {
        let bytes = serde_json::to_vec(self).ok()?.len();
        u32::try_from(bytes.saturating_mul(100).div_ceil(PACKED)).ok()
    }
}

impl TokenSealer {
    pub(super) fn new(session_key: &Secret) -> Result<Self, SessionKeyError> {
        Sealer::new(session_key, Kind::SessionToken).map(Self)
    }

    /// Seals a session with its secret.
    pub(super) fn seal(
        &self,
        session: &Session,
        secret_access_key: &Secret,
        entropy: &dyn Entropy,
    ) -> Result<Secret, IssueError> {
        if let Some(percent) = packed_percent(session).filter(|percent| *percent > 100) {
            return Err(if session.narrowing().is_empty() {
                IssueError::TagsTooLarge { percent }
            } else {
                IssueError::PolicyTooLarge { percent }
            });
        }
        let plain = contents(session, secret_access_key).ok_or(IssueError::Sealing)?;
        let token = STANDARD.encode(self.0.seal("", plain, entropy)?);
        if token.len() > MAX_TOKEN {
            Err(IssueError::TokenTooLarge)
        } else {
            Ok(Secret::new(token.into_bytes()))
        }
    }

    /// Opens a token that this key sealed; `None` if it is none.
    pub(super) fn open(&self, token: &str) -> Option<Opened> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let mut blob = Zeroizing::new(STANDARD.decode(token).ok()?);
        opened(serde_json::from_slice(self.0.open("", &mut blob)?).ok()?)
    }
}

/// How much of the room for policies and tags a session takes, in hundredths; `None` if it has neither.
pub(super) fn packed_percent(session: &Session) -> Option<u32> {
    let packed = Packed::of(session);
    if packed.is_empty() { None } else { packed.percent() }
}

pub(super) fn contents(session: &Session, secret_access_key: &Secret) -> Option<Zeroizing<Vec<u8>>> {
    let contents = Contents {
        key: session.access_key_id()?.as_str(),
        secret: std::str::from_utf8(secret_access_key.expose()).ok()?,
        account: session.account(),
        who: who(session.principal())?,
        issued: session.issued_at().unix_seconds(),
        ends: session.expires_at()?.unix_seconds(),
        chained: session.chained(),
        packed: Packed::of(session),
        source: session.source_identity().cloned(),
        provider: session.federated_provider().map(str::to_owned),
    };
    // Large enough that the buffer does not move and leave a copy of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_TOKEN.saturating_mul(2)));
    serde_json::to_writer(&mut *bytes, &contents).ok()?;
    Some(bytes)
}

fn who(principal: &Principal) -> Option<Who> {
    match principal.clone() {
        Principal::AssumedRole { role, session_name } => Some(Who::Role {
            path: role.path,
            name: role.name,
            id: role.id,
            session: session_name,
        }),
        Principal::User(user) => Some(Who::User {
            path: user.path,
            name: user.name,
            id: user.id,
        }),
        Principal::FederatedUser { name, user } => Some(Who::Federated {
            name,
            path: user.path,
            user: user.name,
            id: user.id,
        }),
        Principal::WebIdentity(_) | Principal::Bootstrap | Principal::Service(_) => None,
    }
}

pub(super) fn opened(contents: Contents<'_>) -> Option<Opened> {
    let Packed {
        policy,
        managed,
        tags,
        transitive,
    } = contents.packed;
    let policy = match policy {
        Some(text) => Some(PolicyDocument::parse(PolicyKind::Session, &text).ok()?),
        None => None,
    };
    let managed = managed.into_iter().map(|(arn, id)| PolicyRef { arn, id });
    let terms = Terms {
        access_key_id: Some(contents.key.parse().ok()?),
        issued_at: Timestamp::from_unix_seconds(contents.issued),
        expires_at: Some(Timestamp::from_unix_seconds(contents.ends)),
        narrowing: Narrowing::new(policy, managed.collect()).ok()?,
        tags: SessionTags::parse(tags, transitive).ok()?,
        source_identity: contents.source,
        federated_provider: contents.provider,
        chained: contents.chained,
    };
    let principal = match contents.who {
        Who::Role {
            path,
            name,
            id,
            session,
        } => Principal::AssumedRole {
            role: RoleRef { path, name, id },
            session_name: session,
        },
        Who::User { path, name, id } => Principal::User(UserRef { path, name, id }),
        Who::Federated { name, path, user, id } => Principal::FederatedUser {
            name,
            user: UserRef { path, name: user, id },
        },
    };
    Some(Opened {
        session: Session::new(contents.account, principal, terms).ok()?,
        secret_access_key: Secret::new(contents.secret.as_bytes().to_vec()),
    })
}
