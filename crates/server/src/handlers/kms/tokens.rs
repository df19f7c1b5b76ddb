//! Grant tokens: what the maker of a grant gets to hand on.
//!
//! Grants count as soon as they are made, so a token adds nothing to one; but whoever sends one hears if it is not one of
//! ours for that key. A token holds the key and the grant that it is of, authenticated under a key of the installation's.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moho_terms::{Arn, Secret};
use moho_wire::Failure;

use crate::startup::Platform;

/// What the key of grant tokens is derived for.
pub(crate) const GRANT_TOKEN_KEY: &str = "server/grant-token/1";
const TAG: usize = 32;

/// Makes and reads grant tokens.
pub(crate) struct GrantTokens(hmac::Key);

impl GrantTokens {
    /// Tokens under this key.
    pub(crate) fn new(key: &Secret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.expose()))
    }

    /// The token of a grant on a key.
    pub(super) fn make(&self, key: &Arn, grant: &str) -> String {
        let named = format!("{key} {grant}");
        let tag = hmac::sign(&self.0, named.as_bytes());
        URL_SAFE_NO_PAD.encode([tag.as_ref(), named.as_bytes()].concat())
    }

    /// The key and the grant that a token is of; `None` if it is none of ours.
    fn read(&self, token: &str) -> Option<(Arn, String)> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (tag, named) = bytes.split_first_chunk::<TAG>()?;
        hmac::verify(&self.0, named, tag).ok()?;
        let (key, grant) = std::str::from_utf8(named).ok()?.split_once(' ')?;
        Some((key.parse().ok()?, grant.to_owned()))
    }
}

/// Refuses what is no grant token for a key.
pub(crate) fn check(platform: &Platform, key: &Arn, token: &str) -> Result<(), Failure> {
    match platform.grant_tokens.read(token) {
        Some((of, _)) if of == *key => Ok(()),
        Some(_) | None => Err(invalid()),
    }
}

/// The key and the grant that a token is of; `None` if it is none of ours.
pub(crate) fn named(platform: &Platform, token: &str) -> Option<(Arn, String)> {
    platform.grant_tokens.read(token)
}

/// What is said to what is no grant token.
pub(crate) fn invalid() -> Failure {
    Failure::Service {
        code: "InvalidGrantTokenException",
        message: "The grant token is not valid.".to_owned(),
        status: 400,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "arn:aws:kms:moho-local-1:123456789012:key/11111111-2222-4333-8444-555555555555";

    #[test]
    fn a_token_names_its_key_and_grant_and_no_other_is_one() {
        let tokens = GrantTokens::new(&Secret::new(vec![7; 32]));
        let key: Arn = KEY.parse().unwrap();
        let token = tokens.make(&key, "abc");
        assert_eq!(tokens.read(&token), Some((key.clone(), "abc".to_owned())));
        assert_eq!(
            tokens.make(&key, "abc"),
            token,
            "the same grant has the same token"
        );
        let other = GrantTokens::new(&Secret::new(vec![8; 32]));
        assert_eq!(other.read(&token), None);
        for at in 0..token.len() {
            let mut altered = token.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).unwrap();
            assert_eq!(tokens.read(&altered), None, "{at}");
        }
        for none in ["", "AA", &format!("A{token}"), &format!("{token}A")] {
            assert_eq!(tokens.read(none), None, "{none}");
        }
    }
}
