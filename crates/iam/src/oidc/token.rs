//! The compact form of a signed token (RFC 7515 §3.1): header, claims and signature, read within bounds.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moho_terms::Timestamp;

use super::algorithm::Algorithm;
use super::claims::Claims;
use super::error::TokenError;
use super::json::{Json, Members, text};
use super::keys::KeySet;
use super::{Provider, VerifiedToken};
use crate::verified::Verified;

/// Bytes of a whole token, as STS bounds `WebIdentityToken`.
const LONGEST: usize = 20_000;
/// Bytes of a decoded header: the usual one has a hundred.
const LONGEST_HEADER: usize = 2048;
/// Bytes of the name of a key.
const LONGEST_KEY_ID: usize = 512;
/// Members of a header that would change what is checked, or by which key. No provider's identity token has them.
const FORBIDDEN: [&str; 8] = ["crit", "jwk", "jku", "x5u", "x5c", "enc", "zip", "cty"];

/// A token that has the form of one. It proves nothing yet.
pub struct IdToken<'a> {
    algorithm: Algorithm,
    key_id: Option<String>,
    signed: &'a str,
    signature: Vec<u8>,
    claims: Claims,
}

/// Not the token: whoever has it is whom it names.
impl fmt::Debug for IdToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdToken(..)")
    }
}

/// A token whose signature is that of its issuer. It may still be for somebody else, or have ended.
#[derive(Debug)]
pub struct SignedToken {
    claims: Claims,
}

impl<'a> IdToken<'a> {
    /// Reads a token.
    ///
    /// # Errors
    /// [`TokenError`] for anything that could not become a [`VerifiedToken`] under any key.
    pub fn parse(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > LONGEST {
            return Err(TokenError::Malformed("it is too long"));
        }
        let three = || {
            let (signed, signature) = token.rsplit_once('.')?;
            let (header, claims) = signed.split_once('.')?;
            (!claims.contains('.')).then_some((signed, header, claims, signature))
        };
        let (signed, header, claims, signature) =
            three().ok_or(TokenError::Malformed("it has not three parts"))?;
        let header = decoded(header)?;
        if header.len() > LONGEST_HEADER {
            return Err(TokenError::Malformed("its header is too long"));
        }
        let header = object(&header)?;
        let (algorithm, key_id) = read(&header)?;
        Ok(Self {
            algorithm,
            key_id,
            signed,
            signature: decoded(signature)?,
            claims: Claims::read(object(&decoded(claims)?)?)?,
        })
    }

    /// Whom the token says it is from. Nobody has checked that.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.claims.issuer
    }

    /// What it says under a claim that is a text. Nobody has checked that.
    #[must_use]
    pub fn says(&self, claim: &str) -> Option<&str> {
        self.claims.text(claim)
    }

    /// Whether it says that it is for this client (OpenID Connect Core §3.1.3.7). Nobody has checked that.
    #[must_use]
    pub fn is_for(&self, client_id: &str) -> bool {
        self.claims.is_for(client_id)
    }

    /// When it says that it ends. Nobody has checked that.
    #[must_use]
    pub fn ends(&self) -> Timestamp {
        self.claims.expires_at
    }

    /// Checks the signature by a key of its issuer.
    ///
    /// # Errors
    /// [`TokenError::Issuer`] if the keys are somebody else's, [`TokenError::NoKey`] if the one that it names is not
    /// among them, [`TokenError::Signature`] if that one did not sign it.
    pub fn check_signature(&self, keys: &KeySet) -> Result<SignedToken, TokenError> {
        if keys.issuer() != self.claims.issuer {
            return Err(TokenError::Issuer);
        }
        let signed = (self.signed.as_bytes(), self.signature.as_slice());
        keys.check(self.key_id.as_deref(), self.algorithm, signed)?;
        Ok(SignedToken {
            claims: self.claims.clone(),
        })
    }
}

impl SignedToken {
    /// Checks that the token is current.
    ///
    /// # Errors
    /// [`TokenError::Expired`], [`TokenError::NotYet`].
    pub fn check_time(&self, now: Timestamp) -> Result<(), TokenError> {
        self.claims.check_time(now)
    }

    /// Checks that the token is current, from this provider and for one of its client ids.
    ///
    /// # Errors
    /// [`TokenError`]: which of these it is not.
    pub fn for_provider(self, provider: &Provider, now: Timestamp) -> Result<VerifiedToken, TokenError> {
        self.claims.check_time(now)?;
        let source_identity = self.claims.source_identity.clone();
        let tags = self.claims.tags.clone();
        Ok(VerifiedToken {
            identity: Verified::assertion(self.claims.into_identity(provider)?),
            tags,
            source_identity,
        })
    }
}

/// The algorithm and the key that the header names.
fn read(header: &Members) -> Result<(Algorithm, Option<String>), TokenError> {
    if FORBIDDEN.iter().any(|name| header.contains_key(*name)) {
        return Err(TokenError::Malformed("its header has a member that is not taken"));
    }
    match header.get("typ").map(Json::text) {
        None => {}
        Some(Some(kind)) if kind.eq_ignore_ascii_case("JWT") => {}
        // Such as an access token (RFC 9068) or a logout token: signed by the same keys, but not about who somebody is.
        Some(_) => return Err(TokenError::Malformed("it is not an ID Token")),
    }
    let algorithm = text(header, "alg").ok_or(TokenError::Malformed("its header names no algorithm"))?;
    let algorithm = Algorithm::named(algorithm).ok_or(TokenError::Algorithm)?;
    let key_id = match header.get("kid") {
        None => None,
        Some(Json::Text(id)) if id.len() <= LONGEST_KEY_ID => Some(id.clone()),
        Some(_) => return Err(TokenError::Malformed("the name of its key is none")),
    };
    Ok((algorithm, key_id))
}

fn decoded(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_undecodable| TokenError::Malformed("a part is not base64url"))
}

fn object(bytes: &[u8]) -> Result<Members, TokenError> {
    Json::object(bytes).ok_or(TokenError::Malformed(
        "a part is not a JSON object, or says something twice",
    ))
}
