//! What was asked with a caller's token: a digest, to tell a request that comes again from another one.
//!
//! The digest is keyed, as what it is of may be a tenant's words: nobody who reads the store can try guesses against it.

use aws_lc_rs::hmac;
use moho_terms::Secret;

/// What the key of these digests is derived for.
pub(crate) const ASKED_KEY: &str = "server/asked/1";

/// Makes the digests.
pub(crate) struct AskedBefore(hmac::Key);

impl AskedBefore {
    /// Digests under this key.
    pub(crate) fn new(key: &Secret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.expose()))
    }

    /// The digest of all parts of a request.
    pub(crate) fn digest<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
        let mut sum = [0; 32];
        sum.copy_from_slice(context.sign().as_ref());
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_a_request_and_a_key() {
        let one = AskedBefore::new(&Secret::new(vec![1; 32]));
        let digest = |parts: &[&str]| one.digest(parts.iter().map(|part| part.as_bytes()));
        assert_eq!(digest(&["a", "b"]), digest(&["a", "b"]));
        for other in [&["ab"][..], &["a", "b", ""], &["b", "a"]] {
            assert_ne!(digest(other), digest(&["a", "b"]));
        }
        let two = AskedBefore::new(&Secret::new(vec![2; 32]));
        assert_ne!(two.digest([&b"a"[..]]), digest(&["a"]));
    }
}
