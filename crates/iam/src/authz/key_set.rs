//! Which condition keys policies ask about, so that nothing else is looked up for them.

use super::context::Key;

/// Some condition keys, and maybe a few more: a Bloom filter of one hash and 64 bits. What was added is always in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct KeySet(u64);

impl KeySet {
    /// Every key there is.
    pub(crate) const ALL: Self = Self(u64::MAX);

    /// With `key`, too.
    pub(crate) fn add(&mut self, key: &Key) {
        self.0 |= bit(key);
    }

    /// What is in either.
    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `key` may be one of them.
    pub(crate) fn may_have(self, key: &Key) -> bool {
        self.0 & bit(key) != 0
    }

    /// How many keys it is worth having room for.
    pub(crate) fn room(self) -> usize {
        usize::try_from(self.0.count_ones()).unwrap_or(usize::MAX)
    }
}

/// The first bits of the hash depend on all of the name.
fn bit(key: &Key) -> u64 {
    1 << (key.hash() >> 58)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_in_it_whatever_its_case() {
        let mut set = KeySet::default();
        assert!(!set.may_have(&Key::known("aws:SourceIp")));
        set.add(&Key::new("AWS:sourceip"));
        assert!(set.may_have(&Key::known("aws:SourceIp")));
        let others = [
            "aws:PrincipalArn",
            "aws:CurrentTime",
            "kms:CallerAccount",
            "aws:userid",
        ];
        assert!(others.iter().any(|name| !set.may_have(&Key::new(name))));
        assert!(KeySet::ALL.may_have(&Key::new("aws:UserAgent")));
        assert_eq!((set.room(), set.or(KeySet::ALL)), (1, KeySet::ALL));
    }
}
