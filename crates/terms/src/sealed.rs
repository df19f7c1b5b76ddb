//! What may never be shown: a tenant's words and everybody's secrets.
//!
//! These types have no `Debug`, `Display`, `Serialize` or `Clone`. They are read through one method, `expose`, so that
//! `rg 'expose\('` is the whole audit, and their memory is wiped when they are dropped.

use serde::{Deserialize, Deserializer};
use zeroize::{Zeroize, Zeroizing};

/// Text that belongs to a tenant: a prompt, a completion, a line of training data.
pub struct Content(Zeroizing<String>);

impl Content {
    /// Takes the text over; the caller's copy is gone.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Reads the text. Whoever calls this answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Length in bytes, which may be shown.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no text at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends more of the same tenant's text, wiping the old buffer if it has to move.
    pub fn push(&mut self, more: &Self) {
        let needed = self.0.len().saturating_add(more.0.len());
        if needed > self.0.capacity() {
            let mut grown = Zeroizing::new(String::with_capacity(needed.saturating_mul(2)));
            grown.push_str(&self.0);
            self.0 = grown;
        }
        self.0.push_str(&more.0);
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// Bytes that belong to a tenant: a stored object's plaintext, an image, weights.
pub struct ContentBytes(Zeroizing<Vec<u8>>);

impl ContentBytes {
    /// Takes the bytes over; the caller's copy is gone.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads the bytes. Whoever calls this answers for where they go.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Length in bytes, which may be shown.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A key, a token or a password.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over; the caller's copy is gone.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Takes a fixed-size key over and wipes the caller's copy.
    #[must_use]
    pub fn take<const N: usize>(bytes: &mut [u8; N]) -> Self {
        let secret = Self::new(bytes.to_vec());
        bytes.zeroize();
        secret
    }

    /// Reads the bytes. Whoever calls this answers for where they go.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Length in bytes, which may be shown.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushing_keeps_both_parts_in_order() {
        let mut content = Content::new("first ".to_owned());
        content.push(&Content::new("second".to_owned()));
        assert_eq!(content.expose(), "first second");
        assert_eq!(content.len(), 12);
    }

    #[test]
    fn taking_a_key_wipes_the_original() {
        let mut key = [7_u8; 32];
        let secret = Secret::take(&mut key);
        assert_eq!(key, [0; 32]);
        assert_eq!(secret.expose(), [7; 32]);
    }
}
