//! Who somebody else says the caller is: identity tokens of OpenID Connect providers in, [`VerifiedToken`] out.
//!
//! Each step consumes the one before, so that none can be left out: [`IdToken::parse`] (form and claims, proves
//! nothing) → [`IdToken::check_signature`] against the [`KeySet`] of its issuer → [`SignedToken::for_provider`], which
//! is the only maker of a [`VerifiedToken`]. Nothing here fetches anything: keys and time are arguments. No key
//! ever comes from the token itself, and a key decides which algorithm it is for, never the token alone.

mod algorithm;
mod claims;
mod discovery;
mod error;
#[doc(hidden)]
pub mod hostile_input;
mod json;
mod keys;
mod token;

use moho_terms::{AccountId, Arn, SourceIdentity};

pub use discovery::{Discovery, DiscoveryError};
pub use error::TokenError;
pub use keys::{KeySet, KeySetError};
pub use token::{IdToken, SignedToken};

use crate::session::{SessionTags, WebIdentity};
use crate::verified::Verified;

/// A provider that an account trusts (IAM's OpenID Connect provider).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// `arn:aws:iam::ACCOUNT:oidc-provider/HOST/PATH`.
    pub arn: Arn,
    /// Its address, which is the issuer in its tokens to the letter.
    pub issuer: String,
    /// The audiences that the account takes tokens for.
    pub client_ids: Vec<String>,
}

/// What a provider said about somebody, checked: signature, issuer, audience and times. Made by
/// [`SignedToken::for_provider`] only.
#[derive(Debug)]
pub struct VerifiedToken {
    identity: Verified<WebIdentity>,
    tags: SessionTags,
    source_identity: Option<SourceIdentity>,
}

impl VerifiedToken {
    /// Who it is.
    #[must_use]
    pub fn identity(&self) -> &WebIdentity {
        self.identity.get()
    }

    /// The session tags in the claim `https://aws.amazon.com/tags`.
    #[must_use]
    pub fn tags(&self) -> &SessionTags {
        &self.tags
    }

    /// The claim `https://aws.amazon.com/source_identity`.
    #[must_use]
    pub fn source_identity(&self) -> Option<&SourceIdentity> {
        self.source_identity.as_ref()
    }

    /// The proof of who it is.
    #[must_use]
    pub fn into_identity(self) -> Verified<WebIdentity> {
        self.identity
    }
}

/// The name of a condition key about a claim: `HOST/PATH:claim`.
#[must_use]
pub fn condition_key(provider: &Arn, claim: &str) -> String {
    let resource = provider.resource();
    let prefix = resource.strip_prefix("oidc-provider/").unwrap_or(resource);
    format!("{prefix}:{claim}")
}

/// What an issuer's provider is called in `account`: `arn:aws:iam::ACCOUNT:oidc-provider/HOST/PATH`; `None` if nothing
/// can be called so.
#[must_use]
pub fn provider_arn(account: AccountId, issuer: &str) -> Option<Arn> {
    let address = issuer.strip_prefix("https://")?;
    Arn::of("iam", "", account.as_str(), &format!("oidc-provider/{address}")).ok()
}

#[cfg(test)]
mod tests;
