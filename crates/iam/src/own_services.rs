//! Services of moho's own that act by themselves, such as the delivery of access logs.
//!
//! No policy of an identity lets them do anything: what they may do is what a resource's own policy allows the service by its
//! name, and nothing else. Each of their decisions is journaled like anybody's.

use moho_terms::{AccountId, ArnError, Secret, Timestamp};

use crate::authn::{Authenticated, SessionKeyError};
use crate::session::Session;

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
}
