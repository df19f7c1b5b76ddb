//! The tree's hashes (RFC 9162, 2.1.1).

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The hash of a part of the tree: SHA-256, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TreeHash([u8; 32]);

impl TreeHash {
    /// Bytes of a hash.
    pub const LENGTH: usize = 32;

    /// Of a tree without entries: `SHA-256("")`.
    #[must_use]
    pub fn of_nothing() -> Self {
        Self::of(&[])
    }

    /// Of one entry: `SHA-256(0x00 ‖ entry)`.
    #[must_use]
    pub fn of_entry(entry: &[u8]) -> Self {
        Self::of(&[&[0], entry])
    }

    /// Of what two neighbours are the halves of: `SHA-256(0x01 ‖ left ‖ right)`.
    #[must_use]
    pub fn of_both(left: &Self, right: &Self) -> Self {
        Self::of(&[&[1], &left.0, &right.0])
    }

    fn of(parts: &[&[u8]]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            context.update(part);
        }
        let mut hash = [0; Self::LENGTH];
        for (to, from) in hash.iter_mut().zip(context.finish().as_ref()) {
            *to = *from;
        }
        Self(hash)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// As checkpoints and proofs write it: base64, 44 characters.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// What [`to_base64`](Self::to_base64) wrote; `None` for anything else.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        // Two spellings of one hash would be two notes of one tree.
        let bytes: [u8; 32] = STANDARD.decode(text).ok()?.try_into().ok()?;
        Some(Self(bytes)).filter(|hash| hash.to_base64() == text)
    }
}

impl From<[u8; 32]> for TreeHash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Debug for TreeHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.to_base64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_specification() {
        // What `printf '' | sha256sum` and `printf '\0' | sha256sum` say.
        let hex = |hash: TreeHash| {
            hash.as_bytes()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        assert_eq!(
            hex(TreeHash::of_nothing()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            hex(TreeHash::of_entry(b"")),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
    }

    #[test]
    fn only_one_spelling_of_a_hash_is_read() {
        let hash = TreeHash::of_nothing();
        let text = hash.to_base64();
        assert_eq!(TreeHash::from_base64(&text), Some(hash));
        assert_eq!(TreeHash::from_base64(text.trim_end_matches('=')), None);
        // The last character's lowest bits are of no byte.
        assert_eq!(TreeHash::from_base64(&text.replace("uFU=", "uFV=")), None);
        assert_eq!(TreeHash::from_base64(""), None);
    }
}
