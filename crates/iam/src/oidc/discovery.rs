//! What a provider says of itself (OpenID Connect Discovery §4): where its keys are, and where people log in.

use super::json::{Json, text};

/// A provider's own description, from `ISSUER/.well-known/openid-configuration`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// Where its keys are.
    pub jwks_uri: String,
    /// Where tokens are had.
    pub token_endpoint: Option<String>,
    /// Where a person agrees, in a browser.
    pub authorization_endpoint: Option<String>,
    /// Where a device asks for a code (RFC 8628).
    pub device_authorization_endpoint: Option<String>,
}

/// Why a description is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// It is not a description.
    #[error("it is not a JSON object, or says something twice")]
    Malformed,
    /// It is somebody else's.
    #[error("its issuer is another: it has to be the same to the letter")]
    Issuer,
    /// It does not say where its keys are.
    #[error("it names no `jwks_uri`")]
    NoKeys,
}

impl Discovery {
    /// Where `issuer` describes itself.
    #[must_use]
    pub fn url(issuer: &str) -> String {
        format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        )
    }

    /// Reads the description of `issuer`.
    ///
    /// # Errors
    /// [`DiscoveryError`] if it is none, or another's.
    pub fn parse(issuer: &str, bytes: &[u8]) -> Result<Self, DiscoveryError> {
        let members = Json::object(bytes).ok_or(DiscoveryError::Malformed)?;
        if text(&members, "issuer") != Some(issuer) {
            return Err(DiscoveryError::Issuer);
        }
        let endpoint = |name: &str| text(&members, name).map(str::to_owned);
        Ok(Self {
            jwks_uri: endpoint("jwks_uri").ok_or(DiscoveryError::NoKeys)?,
            token_endpoint: endpoint("token_endpoint"),
            authorization_endpoint: endpoint("authorization_endpoint"),
            device_authorization_endpoint: endpoint("device_authorization_endpoint"),
        })
    }
}
