//! The encryption context: what an object is, bound to its ciphertext without being stored in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest;
use moho_iam::authz::Context;

/// What the names of condition keys about a context begin with, in lower case.
const CONDITION_PREFIX: &str = "kms:encryptioncontext:";
/// Most bytes that all keys and values of a context may have together, as in AWS KMS.
const MAX_BYTES: usize = 8192;

/// Text that is no encryption context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// A key without a name.
    #[error("an encryption context has no empty keys")]
    EmptyKey,
    /// A key that is there already.
    #[error("an encryption context has each key once")]
    RepeatedKey,
    /// Too much.
    #[error("an encryption context has at most 8192 bytes")]
    TooLong,
}

/// Pairs of key and value that must be told again, exactly, to open what was sealed under them. Order does not matter,
/// case does. They are no secret and may be logged: never put content into them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EncryptionContext(Arc<BTreeMap<String, String>>);

impl EncryptionContext {
    /// A context with no pairs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A context of these pairs, in any order.
    ///
    /// # Errors
    /// [`ContextError`] for an empty or repeated key, and for more than 8192 bytes.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, ContextError> {
        pairs
            .into_iter()
            .try_fold(Self::new(), |context, (key, value)| context.with(key, value))
    }

    /// This context and one pair more.
    ///
    /// # Errors
    /// [`ContextError`] for an empty or repeated key, and for more than 8192 bytes.
    pub fn with(mut self, key: &str, value: &str) -> Result<Self, ContextError> {
        if key.is_empty() {
            return Err(ContextError::EmptyKey);
        }
        if Arc::make_mut(&mut self.0)
            .insert(key.to_owned(), value.to_owned())
            .is_some()
        {
            return Err(ContextError::RepeatedKey);
        }
        let bytes: usize = self
            .0
            .iter()
            .map(|(key, value)| key.len().saturating_add(value.len()))
            .sum();
        if bytes > MAX_BYTES {
            Err(ContextError::TooLong)
        } else {
            Ok(self)
        }
    }

    /// The pairs, sorted by key.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The context as conditions and grants ask about it: `kms:EncryptionContext:KEY` for every pair, and to the letter. A
    /// [`Permit`] to seal or open has to be asked for with exactly this.
    ///
    /// [`Permit`]: moho_iam::authz::Permit
    #[must_use]
    pub fn condition_keys(&self) -> Context {
        Context::new().with_encryption_context(Arc::clone(&self.0))
    }

    /// Whether `decided`, under which a permit was given, names this encryption context: all of it, and nothing else.
    pub(crate) fn is_named_by(&self, decided: &Context) -> bool {
        match decided.encryption_context() {
            Some(decided) => *decided == *self.0,
            None => self.0.is_empty() && decided.beginning_with(CONDITION_PREFIX).next().is_none(),
        }
    }

    /// SHA-256 of the one canonical form: the number of pairs, then each key and value, sorted by key, with its length
    /// before it (all numbers are 32 bits, big-endian). No two different contexts have the same form.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
        let mut form = number(self.0.len()).to_vec();
        for text in self.0.iter().flat_map(|(key, value)| [key, value]) {
            // INVARIANT: all lengths are at most 8192.
            form.extend_from_slice(&number(text.len()));
            form.extend_from_slice(text.as_bytes());
        }
        let mut sum = [0; 32];
        sum.copy_from_slice(digest::digest(&digest::SHA256, &form).as_ref());
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn order_does_not_matter() {
        let one = EncryptionContext::from_pairs([("a", "1"), ("b", "2")]).unwrap();
        let two = EncryptionContext::from_pairs([("b", "2"), ("a", "1")]).unwrap();
        assert_eq!(one.digest(), two.digest());
        assert_eq!(two.pairs().collect::<Vec<_>>(), [("a", "1"), ("b", "2")]);
    }

    #[test]
    fn conditions_see_every_pair_and_nothing_else() {
        let context = EncryptionContext::from_pairs([("Case", "1"), ("case", "2"), ("b", "3")]).unwrap();
        let named = context.condition_keys();
        assert_eq!(
            named.get("kms:EncryptionContext:case"),
            Some(&["1".to_owned(), "2".to_owned()][..])
        );
        assert!(context.is_named_by(&named));
        assert!(context.is_named_by(&named.clone().with("aws:SourceIp", "::1")));
        assert!(!context.is_named_by(&named.clone().with("kms:EncryptionContext:c", "4")));
        assert!(!context.is_named_by(&named.with("kms:EncryptionContext:b", "4")));
        assert!(!context.is_named_by(&Context::new()));
        // Conditions do not tell keys apart by case, and grants do.
        let lower = EncryptionContext::from_pairs([("case", "1"), ("Case", "2"), ("b", "3")]).unwrap();
        assert!(!context.is_named_by(&lower.condition_keys()));
    }

    #[test]
    fn moving_a_letter_across_a_border_changes_the_digest() {
        let digest = |pairs: &[(&str, &str)]| {
            EncryptionContext::from_pairs(pairs.iter().copied())
                .unwrap()
                .digest()
        };
        let all = [
            digest(&[]),
            digest(&[("a", "")]),
            digest(&[("a", "b")]),
            digest(&[("ab", "")]),
            digest(&[("A", "b")]),
            digest(&[("a", ""), ("b", "")]),
            digest(&[("a", "b"), ("c", "d")]),
            digest(&[("a", "bc"), ("d", "")]),
            digest(&[("a", "b\0\0\0\u{1}c\0\0\0\u{1}d")]),
        ];
        for (i, one) in all.iter().enumerate() {
            assert!(all.iter().skip(i + 1).all(|other| one != other), "{i}");
        }
    }

    #[test]
    fn empty_repeated_and_endless_keys_are_refused() {
        assert_eq!(
            EncryptionContext::new().with("", "x"),
            Err(ContextError::EmptyKey)
        );
        assert_eq!(
            EncryptionContext::from_pairs([("a", "1"), ("a", "1")]),
            Err(ContextError::RepeatedKey)
        );
        assert!(EncryptionContext::new().with("k", &"v".repeat(8191)).is_ok());
        assert_eq!(
            EncryptionContext::new().with("k", &"v".repeat(8192)),
            Err(ContextError::TooLong)
        );
    }

    proptest! {
        #[test]
        fn equal_digests_mean_equal_contexts(
            one in proptest::collection::btree_map("[ab]{1,2}", "[ab]{0,2}", 0..3),
            two in proptest::collection::btree_map("[ab]{1,2}", "[ab]{0,2}", 0..3),
        ) {
            let (one, two) = (EncryptionContext(Arc::new(one)), EncryptionContext(Arc::new(two)));
            prop_assert_eq!(one.digest() == two.digest(), one == two);
        }
    }
}
