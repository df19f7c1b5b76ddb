//! The bootstrap door: how the first credentials come to be on a machine that trusts nobody yet.
//!
//! It exists only under the development root, admits only the user the server itself runs as, and is gone once an
//! identity provider is set. Whoever enters may only assume roles of the account; that is authorised and journaled
//! like everything else.

use std::fmt;

use moho_terms::{AccountId, ArnError, Timestamp};

use crate::authn::Authenticated;
use crate::policy::{PolicyDocument, PolicyError, PolicyKind, builtin};
use crate::session::Session;

/// What stands behind the root key, said in every start-up line, health answer and response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attestation {
    /// A key file on disk: nothing is proven about the machine.
    Development,
    /// A root key sealed to a measured state.
    Measured,
}

impl Attestation {
    /// `development` or `measured`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Measured => "measured",
        }
    }
}

/// `attestation: development` or `attestation: measured`.
impl fmt::Display for Attestation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "attestation: {}", self.as_str())
    }
}

/// Whether the organisation has somewhere else to get its principals from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityProvider {
    /// None yet: the door is the only way in.
    None,
    /// At least one was set, now or ever: the door stays shut for good.
    Set,
}

/// Why the door does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DoorClosed {
    /// The root is not the development root.
    #[error("the bootstrap door exists only under the development root: sign in with an identity provider")]
    NotDevelopment,
    /// An identity provider is set.
    #[error(
        "the bootstrap door closed for good when an identity provider was set: log in with it (`moho login`), or let a session that still lives make another (AssumeRole)"
    )]
    IdentityProviderSet,
    /// The peer is not the user the server runs as.
    #[error(
        "the bootstrap door admits only the user the server runs as: run `moho credentials` as that user"
    )]
    Stranger,
    /// The policy of whoever enters does not parse.
    #[error("the bootstrap policy is broken")]
    Policy(#[from] PolicyError),
    /// The principal cannot be named.
    #[error("the bootstrap principal has no name")]
    Name(#[from] ArnError),
}

impl DoorClosed {
    /// A short stable code for the journal.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotDevelopment => "door/not-development",
            Self::IdentityProviderSet => "door/identity-provider-set",
            Self::Stranger => "door/stranger",
            Self::Policy(_) => "door/policy",
            Self::Name(_) => "door/name",
        }
    }
}

/// The open door. Ask for it again on each use: its two conditions may have changed.
#[derive(Debug)]
pub struct Door {
    policy: PolicyDocument,
}

impl Door {
    /// Opens the door, if it may be open.
    ///
    /// # Errors
    /// [`DoorClosed`] outside development and once an identity provider is set.
    pub fn open(attestation: Attestation, identity_provider: IdentityProvider) -> Result<Self, DoorClosed> {
        match (attestation, identity_provider) {
            (Attestation::Development, IdentityProvider::None) => Ok(Self {
                policy: PolicyDocument::parse(PolicyKind::Session, builtin::BOOTSTRAP)?,
            }),
            (Attestation::Development, IdentityProvider::Set) => Err(DoorClosed::IdentityProviderSet),
            (Attestation::Measured, _) => Err(DoorClosed::NotDevelopment),
        }
    }

    /// Admits a peer of the local socket as the bootstrap principal of `account`, for one request at `now`. The user
    /// ids are those of the peer (`SO_PEERCRED`) and of the server itself; they must be the same, even for root.
    ///
    /// # Errors
    /// [`DoorClosed::Stranger`] if the peer is another user.
    pub fn admit(
        &self,
        peer_uid: u32,
        own_uid: u32,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Authenticated, DoorClosed> {
        if peer_uid != own_uid {
            return Err(DoorClosed::Stranger);
        }
        Ok(Authenticated::through_the_door(Session::bootstrap(
            account,
            self.policy.clone(),
            now,
        )?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_door_opens_only_in_development_without_a_provider() {
        assert!(Door::open(Attestation::Development, IdentityProvider::None).is_ok());
        let closed = |attestation, provider| Door::open(attestation, provider).unwrap_err();
        assert_eq!(
            closed(Attestation::Development, IdentityProvider::Set),
            DoorClosed::IdentityProviderSet
        );
        assert_eq!(
            closed(Attestation::Measured, IdentityProvider::None),
            DoorClosed::NotDevelopment
        );
        assert_eq!(
            closed(Attestation::Measured, IdentityProvider::Set),
            DoorClosed::NotDevelopment
        );
    }

    #[test]
    fn only_the_servers_own_user_is_admitted() {
        let door = Door::open(Attestation::Development, IdentityProvider::None).unwrap();
        let (account, now) = (
            "123456789012".parse().unwrap(),
            Timestamp::from_unix_seconds(1_795_305_600),
        );
        for (peer, own) in [(0, 1000), (1000, 0), (1001, 1000)] {
            assert_eq!(
                door.admit(peer, own, account, now).unwrap_err(),
                DoorClosed::Stranger
            );
        }
        let admitted = door.admit(1000, 1000, account, now).unwrap();
        assert_eq!(
            admitted.session().principal_arn().as_str(),
            "arn:aws:iam::123456789012:bootstrap"
        );
        assert_eq!(admitted.session().access_key_id(), None);
        assert_eq!(admitted.scheme(), crate::authn::Scheme::Bootstrap);
    }

    #[test]
    fn the_word_is_what_every_start_up_line_says() {
        assert_eq!(Attestation::Development.to_string(), "attestation: development");
    }
}
