//! Why an identity token is not taken.

use moho_terms::Timestamp;

/// Why an identity token is not taken. No text repeats a word of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It has not the form of a signed token, or has a part that none of ours has.
    #[error("The ID Token provided is not a valid JWT: {0}")]
    Malformed(&'static str),
    /// Nobody is to be asked for its issuer's keys.
    #[error("No OpenIDConnect provider found in your account for the issuer of the ID Token")]
    UnknownIssuer,
    /// Its issuer's keys are not to be had now.
    #[error("The identity provider could not be reached to verify the ID Token. Please try again.")]
    Unreachable,
    /// The account has no such provider.
    #[error("Not authorized to perform sts:AssumeRoleWithWebIdentity")]
    NoProvider,
    /// Its algorithm is none that signs tokens here.
    #[error("The ID Token provided is signed by an algorithm that is not supported")]
    Algorithm,
    /// Its issuer has no such key for such an algorithm.
    #[error(
        "Couldn't retrieve verification key from your identity provider: it has no key that the ID Token names"
    )]
    NoKey,
    /// The signature is not its issuer's.
    #[error("The ID Token provided could not be validated: its signature does not match")]
    Signature,
    /// A claim is missing or has the wrong form.
    #[error("Missing or malformed claim in the ID Token: {0}")]
    Claim(&'static str),
    /// The keys, or the provider, are not of its issuer.
    #[error("Issuer mismatch: the ID Token is not from this provider")]
    Issuer,
    /// It is for none of the provider's client ids.
    #[error("Incorrect token audience")]
    Audience,
    /// It has ended.
    #[error("Token expired: current date/time {} must be before the expiration date/time {}", now.unix_seconds(), ended.unix_seconds())]
    Expired {
        /// The present moment here.
        now: Timestamp,
        /// The claim `exp`.
        ended: Timestamp,
    },
    /// What is asked with it is not to be had, whatever it proves: nobody has looked at it.
    #[error("The request asks for what no ID Token gives")]
    Request,
    /// It says that it is from the future.
    #[error("Token is not valid yet: its claim {0} is in the future")]
    NotYet(&'static str),
}

impl TokenError {
    /// A short stable code for the journal.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "web-identity/malformed",
            Self::UnknownIssuer => "web-identity/unknown-issuer",
            Self::Unreachable => "web-identity/unreachable",
            Self::NoProvider => "web-identity/no-provider",
            Self::Algorithm => "web-identity/algorithm",
            Self::NoKey => "web-identity/no-key",
            Self::Signature => "web-identity/bad-signature",
            Self::Claim(_) => "web-identity/claim",
            Self::Issuer => "web-identity/issuer",
            Self::Audience => "web-identity/audience",
            Self::Expired { .. } => "web-identity/expired",
            Self::Request => "web-identity/request",
            Self::NotYet(_) => "web-identity/not-yet",
        }
    }
}
