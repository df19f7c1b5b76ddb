//! The public half of credentials, which says whose they are.

use crate::{AccountId, Entropy, EntropyUnavailable};

id!(/// The public half of credentials: `ASIA…` if they end, `AKIA…` if they do not, 16 upper-case letters and digits after
    /// that; anything else only in what a developer's own machine was told to take.
    AccessKeyId, "an access key id has 3 to 128 letters, digits and _",
    |t| (3..=128).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));

impl AccessKeyId {
    /// The id of credentials that end.
    ///
    /// # Errors
    /// [`EntropyUnavailable`]: no random bytes.
    pub fn temporary(account: AccountId, entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        Self::made("ASIA", account, entropy)
    }

    /// The id of credentials that do not end.
    ///
    /// # Errors
    /// [`EntropyUnavailable`]: no random bytes.
    pub fn long_lived(account: AccountId, entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        Self::made("AKIA", account, entropy)
    }

    /// Whose it is: as in AWS's own ids, the account stands in the first 48 of its 80 bits, between a one and seven
    /// random ones. `None` if it was not made so; that it was proves nothing.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        let letters = self
            .0
            .strip_prefix("ASIA")
            .or_else(|| self.0.strip_prefix("AKIA"))?;
        if letters.len() != 16 {
            return None;
        }
        let bits = letters.bytes().try_fold(0_u128, |bits, letter| {
            let value = BASE32.iter().position(|known| *known == letter)?;
            Some(bits << 5 | u128::try_from(value).ok()?)
        })?;
        let account = u64::try_from(bits >> 39 & ACCOUNT_BITS).ok()?;
        let marked = bits >> 79 == 1;
        marked.then(|| format!("{account:012}").parse().ok()).flatten()
    }

    fn made(prefix: &str, account: AccountId, entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        let mut random = [0_u8; 16];
        entropy.fill(&mut random)?;
        let number: u128 = account.as_str().parse().unwrap_or(0);
        let random = u128::from_be_bytes(random) & ((1 << 39) - 1);
        let bits = 1 << 79 | (number & ACCOUNT_BITS) << 39 | random;
        let letters = (0..16_u32).rev().filter_map(|place| {
            let value = usize::try_from(bits >> (place * 5) & 31).ok()?;
            BASE32.get(value).map(|letter| char::from(*letter))
        });
        Ok(Self(prefix.chars().chain(letters).collect()))
    }
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ACCOUNT_BITS: u128 = (1 << 40) - 1;

#[cfg(test)]
mod tests {
    use super::super::tests::Counting;
    use super::*;
    use proptest::prelude::*;

    /// The numbers are those that AWS's scheme, as it is widely known, gives for a published example id.
    #[test]
    fn an_access_key_id_says_whose_it_is() {
        let published: AccessKeyId = "ASIAQNZGKIQY56JQ7WML".parse().unwrap();
        assert_eq!(published.account().unwrap().as_str(), "029608264753");
        for other in [
            "AKIAIOSFODNN7EXAMPLE",
            "test",
            "AKIA0000000000000000",
            "ASIA",
            "AROAQNZGKIQY56JQ7WML",
        ] {
            assert_eq!(other.parse::<AccessKeyId>().unwrap().account(), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn an_access_key_id_keeps_its_account(digits in "[0-9]{12}") {
            let account: AccountId = digits.parse().unwrap();
            let temporary = AccessKeyId::temporary(account, &Counting).unwrap();
            prop_assert_eq!(temporary.account(), Some(account));
            prop_assert!(temporary.as_str().starts_with("ASIA") && temporary.as_str().len() == 20);
            let long_lived = AccessKeyId::long_lived(account, &Counting).unwrap();
            prop_assert_eq!(long_lived.account(), Some(account));
            prop_assert!(long_lived.as_str().starts_with("AKIA"));
        }
    }
}
