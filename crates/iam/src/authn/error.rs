//! Why a caller is not who it says. `wire` gives each its protocol's code and status.

use moho_terms::Timestamp;

/// Why authentication failed. The texts are the ones AWS sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthnError {
    /// Nothing was sent to prove anything with.
    #[error("Missing Authentication Token")]
    Missing,
    /// What was sent cannot be read, or breaks a rule of the scheme.
    #[error("{0}")]
    Malformed(&'static str),
    /// The access key or session token was never issued here, or they do not belong together.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// The signature is scoped to another date, region or service.
    #[error("{0}")]
    WrongScope(&'static str),
    /// The signature is not that of this request.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    )]
    BadSignature,
    /// The credentials have ended.
    #[error("The security token included in the request is expired")]
    Expired,
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
            Self::Malformed(_) => "malformed",
            Self::UnknownKey => "unknown-key",
            Self::WrongScope(_) => "wrong-scope",
            Self::BadSignature => "bad-signature",
            Self::Expired => "expired",
            Self::Skewed { .. } => "skewed",
        }
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
