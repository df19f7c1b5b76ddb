//! Credentials that somebody chose, for tools on a developer's machine that can only send fixed ones. They exist under the
//! development root of trust only, and the server takes them on loopback addresses only.

use moho_terms::{AccessKeyId, AccountId, ArnError, Secret, SessionName, Timestamp};

use super::Authenticator;
use super::presented::Known;
use crate::bootstrap::Attestation;
use crate::session::{Principal, RoleRef};
use crate::session::{RoleFacts, Session, Terms};

/// Why there are no fixed credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FixedCredentialsError {
    /// The root of trust is a real one.
    #[error("fixed credentials exist only under the development root of trust")]
    NotDevelopment,
    /// The role is of another account.
    #[error("the role that fixed credentials act as is not in their account")]
    OtherAccount,
    /// The principal cannot be named.
    #[error(transparent)]
    Name(#[from] ArnError),
}

/// Fixed credentials and as whom they act.
pub struct FixedCredentials {
    /// What tools send as the access key id.
    pub id: AccessKeyId,
    /// What they sign with.
    pub secret: Secret,
    /// The account.
    pub account: AccountId,
}

pub(super) struct Fixed(Known);

impl Fixed {
    pub(super) fn is(&self, access_key_id: &str) -> bool {
        self.0.session.access_key_id().map(AccessKeyId::as_str) == Some(access_key_id)
    }

    pub(super) fn known(&self) -> Known {
        self.0.clone()
    }
}

impl Authenticator {
    /// This authenticator, which takes `fixed` too. Whoever signs with them acts as a session of `role` called
    /// `session_name`, which does not end.
    ///
    /// # Errors
    /// [`FixedCredentialsError`] if the root of trust is not the development one, or the role is of another account.
    pub fn with_fixed_credentials(
        mut self,
        fixed: &FixedCredentials,
        (role, session_name): (&RoleFacts, SessionName),
        attestation: Attestation,
        now: Timestamp,
    ) -> Result<Self, FixedCredentialsError> {
        if attestation != Attestation::Development {
            return Err(FixedCredentialsError::NotDevelopment);
        }
        if role.arn.account() != fixed.account.as_str() {
            return Err(FixedCredentialsError::OtherAccount);
        }
        let terms = Terms::new(Some(fixed.id.clone()), now, None);
        let principal = Principal::AssumedRole {
            role: RoleRef {
                path: role.path.clone(),
                name: role.name.clone(),
                id: role.id.clone(),
            },
            session_name,
        };
        let session = Session::new(fixed.account, principal, terms)?;
        let secret = Secret::new(fixed.secret.expose().to_vec());
        self.fixed = Some(Fixed(Known::new(session, secret)));
        Ok(self)
    }
}
