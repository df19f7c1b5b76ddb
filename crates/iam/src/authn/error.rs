//! Why a caller is not who it says. `wire` gives each its protocol's code and status.

use moho_terms::{Region, Timestamp};

use super::SigningName;
use super::payload::PayloadError;
use crate::oidc::TokenError;

/// Why authentication failed. The texts are the ones AWS sends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthnError {
    /// Nothing was sent to prove anything with.
    #[error("Missing Authentication Token")]
    Missing,
    /// There is an `x-amz-` header that the signature does not cover.
    #[error("There were headers present in the request which were not signed")]
    HeaderNotSigned,
    /// What was sent cannot be read, or breaks a rule of the scheme.
    #[error("{0}")]
    Malformed(&'static str),
    /// The proof is of a kind that is not taken.
    #[error("{0}")]
    Unsupported(&'static str),
    /// What the head says of the body, or the body itself, is not as it has to be.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The access key or session token was never issued here, or they do not belong together.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// The signature is scoped to another date, or to no request.
    #[error("{0}")]
    WrongScope(&'static str),
    /// The signature is scoped to a service that does not serve this path: the one that does.
    #[error("Credential should be scoped to correct service: '{}'.", .0.as_str())]
    WrongService(SigningName),
    /// The signature is scoped to another region.
    #[error("{}", region_text(asked.as_ref()))]
    WrongRegion {
        /// The region it names, if that has the form of one.
        asked: Option<Region>,
        /// The region that is served.
        served: Region,
    },
    /// The signature is not that of this request.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    )]
    BadSignature,
    /// An identity provider's token proves nothing.
    #[error(transparent)]
    WebIdentity(#[from] TokenError),
    /// The credentials, or the bearer key, have ended.
    #[error("The security token included in the request is expired")]
    Expired {
        /// When they ended.
        at: Timestamp,
    },
    /// Whether the credentials are any good cannot be said now.
    #[error("{0}")]
    Unavailable(String),
    /// The request was signed too long ago, or in the future.
    #[error("{}", skew_text(*signed, *now, *allowed_seconds))]
    Skewed {
        /// When the request says it was signed.
        signed: Timestamp,
        /// The present moment here.
        now: Timestamp,
        /// How far apart they may be.
        allowed_seconds: u64,
    },
}

impl AuthnError {
    /// A short stable code for the journal.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::HeaderNotSigned | Self::Malformed(_) | Self::Unsupported(_) => "malformed",
            Self::Payload(error) if error.is_unproven() => "bad-signature",
            Self::Payload(_) => "malformed",
            Self::UnknownKey => "unknown-key",
            Self::WrongScope(_) | Self::WrongService(_) | Self::WrongRegion { .. } => "wrong-scope",
            Self::BadSignature => "bad-signature",
            Self::WebIdentity(error) => error.code(),
            Self::Expired { .. } => "expired",
            Self::Unavailable(_) => "unavailable",
            Self::Skewed { .. } => "skewed",
        }
    }
}

fn region_text(asked: Option<&Region>) -> String {
    match asked {
        Some(region) => format!("Credential should be scoped to a valid region, not '{region}'."),
        None => "Credential should be scoped to a valid region.".to_owned(),
    }
}

fn skew_text(signed: Timestamp, now: Timestamp, allowed_seconds: u64) -> String {
    let allowed = if allowed_seconds.is_multiple_of(60) {
        format!("{} min.", allowed_seconds / 60)
    } else {
        format!("{allowed_seconds} sec.")
    };
    let now_text = now.iso8601_basic();
    let signed_text = signed.iso8601_basic();
    if signed < now {
        let limit =
            Timestamp::from_unix_seconds(now.unix_seconds().saturating_sub(allowed_seconds)).iso8601_basic();
        format!("Signature expired: {signed_text} is now earlier than {limit} ({now_text} - {allowed})")
    } else {
        let limit = now.plus_seconds(allowed_seconds).iso8601_basic();
        format!(
            "Signature not yet current: {signed_text} is still later than {limit} ({now_text} + {allowed})"
        )
    }
}
