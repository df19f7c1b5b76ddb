//! Services of moho's own that act by themselves, such as the delivery of access logs.
//!
//! No policy of an identity lets them do anything: what they may do is what a resource's own policy allows the service by its
//! name, and nothing else. Each of their decisions is journaled like anybody's.

use moho_terms::{AccountId, ArnError, Secret, SessionName, Timestamp};

use crate::action::sts::AssumeRole;
use crate::authn::{Authenticated, SessionKeyError};
use crate::authz::Permit;
use crate::session::{Principal, RoleFacts, RoleRef, Session, Terms};

/// Bytes of the session key.
const KEY: usize = 32;

/// A service that acts by itself, by AWS's name for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OwnService {
    /// Delivers S3's server access logs.
    S3Logging,
    /// Delivers the log of model invocations.
    Bedrock,
    /// Delivers what trails select.
    CloudTrail,
}

impl OwnService {
    /// As policies name it under `Service`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S3Logging => "logging.s3.amazonaws.com",
            Self::Bedrock => "bedrock.amazonaws.com",
            Self::CloudTrail => "cloudtrail.amazonaws.com",
        }
    }
}

/// Leave to let moho's own services act. Whoever starts moho has it, as nobody else holds the session key; it cannot be copied.
#[derive(Debug)]
pub struct OwnServices(());

/// What a permit is for is no role that one of moho's own services may act in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the permit lets no service of moho's own act in this role")]
pub struct NotInRole;

impl OwnServices {
    /// By the key that sessions are sealed under.
    ///
    /// # Errors
    /// [`SessionKeyError`] if it is none.
    pub fn of_installation(session_key: &Secret) -> Result<Self, SessionKeyError> {
        if session_key.expose().len() == KEY {
            Ok(Self(()))
        } else {
            Err(SessionKeyError)
        }
    }

    /// The service, acting now on something that belongs to `account`.
    ///
    /// # Errors
    /// [`ArnError`], which its name rules out.
    pub fn acting(
        &self,
        service: OwnService,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Authenticated, ArnError> {
        Session::of_own_service(account, service, now).map(Authenticated::as_own_service)
    }

    /// A session of the role that `permit` lets one of these services assume: what it may do is what the role may. It is for now
    /// only, and has no credentials.
    ///
    /// # Errors
    /// [`NotInRole`] if the permit is no service's, or for another role.
    pub fn in_role(
        &self,
        permit: &Permit<AssumeRole>,
        role: &RoleFacts,
        (name, now): (SessionName, Timestamp),
    ) -> Result<Authenticated, NotInRole> {
        let by_service = matches!(permit.session().principal(), Principal::Service(_));
        let account = role.arn.account().parse().map_err(|_no_account| NotInRole)?;
        if !by_service || *permit.resource() != role.arn || permit.session().account() != account {
            return Err(NotInRole);
        }
        let reference = RoleRef {
            path: role.path.clone(),
            name: role.name.clone(),
            id: role.id.clone(),
        };
        let terms = Terms::new(None, now, Some(now));
        let session = Session::of_role(account, reference, name, terms);
        session
            .map(Authenticated::as_own_service)
            .map_err(|_name| NotInRole)
    }
}
