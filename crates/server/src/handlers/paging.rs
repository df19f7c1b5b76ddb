//! Markers: where a list goes on, sealed, so that nobody learns from one what is not theirs, or makes one up.
//!
//! A marker holds the key of the last thing listed and the time it was made. It is bound to the account, the operation and the
//! filters of its list: for any other it is no marker. Every process with the root key opens the markers of all.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moho_terms::{AccountId, Entropy, EntropyUnavailable, Secret, Timestamp};

/// What the paging key is derived for.
pub(crate) const PAGING_KEY: &str = "server/paging/1";
/// Seconds for which a marker is good.
const LIFE: u64 = 24 * 3600;
/// The longest marker that is looked at.
const LONGEST: usize = 4096;

/// Seals and opens markers.
pub(crate) struct Paging(LessSafeKey);

/// The list that a marker is of.
#[derive(Clone, Copy)]
pub(crate) struct Listing<'a> {
    /// Whose.
    pub(crate) account: AccountId,
    /// Such as `iam:ListRoles`.
    pub(crate) operation: &'a str,
    /// What else makes it this list: path prefixes, names, scopes, in the operation's order.
    pub(crate) filters: &'a [&'a str],
}

/// Text that is no marker of this list, or is one no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the marker is not one of this list, or too old")]
pub(crate) struct BadMarker;

/// A marker could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no marker could be made")]
pub(crate) struct NoMarker;

impl From<EntropyUnavailable> for NoMarker {
    fn from(_none: EntropyUnavailable) -> Self {
        Self
    }
}

impl Paging {
    /// Markers under this key, of 32 bytes.
    pub(crate) fn new(key: &Secret) -> Result<Self, NoMarker> {
        let key = UnboundKey::new(&AES_256_GCM_SIV, key.expose()).map_err(|_unspecified| NoMarker)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// A marker after `last` in `listing`, made `now`.
    pub(crate) fn seal(
        &self,
        listing: Listing<'_>,
        last: &str,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<String, NoMarker> {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce)?;
        let mut bytes = [&now.unix_seconds().to_be_bytes(), last.as_bytes()].concat();
        let bound = Aad::from(listing.bytes());
        let sealing = Nonce::assume_unique_for_key(nonce);
        self.0
            .seal_in_place_append_tag(sealing, bound, &mut bytes)
            .map_err(|_unspecified| NoMarker)?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &bytes].concat()))
    }

    /// After what `listing` goes on.
    pub(crate) fn open(
        &self,
        listing: Listing<'_>,
        marker: &str,
        now: Timestamp,
    ) -> Result<String, BadMarker> {
        if marker.len() > LONGEST {
            return Err(BadMarker);
        }
        let bytes = URL_SAFE_NO_PAD.decode(marker).map_err(|_other| BadMarker)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(BadMarker)?;
        let mut sealed = sealed.to_vec();
        let bound = Aad::from(listing.bytes());
        let opened = self
            .0
            .open_in_place(Nonce::assume_unique_for_key(*nonce), bound, &mut sealed)
            .map_err(|_unspecified| BadMarker)?;
        let (made, last) = opened.split_first_chunk::<8>().ok_or(BadMarker)?;
        if now.unix_seconds().abs_diff(u64::from_be_bytes(*made)) > LIFE {
            return Err(BadMarker);
        }
        String::from_utf8(last.to_vec()).map_err(|_other| BadMarker)
    }
}

impl Listing<'_> {
    /// No two lists have the same: each part is preceded by its length.
    fn bytes(&self) -> Vec<u8> {
        let parts = [self.account.as_str(), self.operation];
        let parts = parts.iter().chain(self.filters);
        parts.fold(Vec::new(), |mut all, part| {
            all.extend_from_slice(&part.len().to_be_bytes());
            all.extend_from_slice(part.as_bytes());
            all
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::system::SystemEntropy;

    fn paging() -> Paging {
        Paging::new(&Secret::new(vec![7; 32])).unwrap()
    }

    fn listing<'a>(account: &str, operation: &'a str, filters: &'a [&'a str]) -> Listing<'a> {
        Listing {
            account: account.parse().unwrap(),
            operation,
            filters,
        }
    }

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_305_600);

    #[test]
    fn a_marker_is_good_for_its_own_list_and_a_day() {
        let (paging, entropy) = (paging(), SystemEntropy::default());
        let list = listing("123456789012", "iam:ListRoles", &["/a/", "b"]);
        let marker = paging.seal(list, "admin", NOW, &entropy).unwrap();
        assert_eq!(paging.open(list, &marker, NOW), Ok("admin".to_owned()));
        let later = NOW.plus_seconds(LIFE);
        assert!(paging.open(list, &marker, later).is_ok());
        assert_eq!(paging.open(list, &marker, later.plus_seconds(1)), Err(BadMarker));
        for other in [
            listing("123456789013", "iam:ListRoles", &["/a/", "b"]),
            listing("123456789012", "iam:ListUsers", &["/a/", "b"]),
            listing("123456789012", "iam:ListRoles", &["/a/b"]),
            listing("123456789012", "iam:ListRoles", &["/a/", "b", ""]),
        ] {
            assert_eq!(paging.open(other, &marker, NOW), Err(BadMarker));
        }
        let another = Paging::new(&Secret::new(vec![8; 32])).unwrap();
        assert_eq!(another.open(list, &marker, NOW), Err(BadMarker));
        assert!(!marker.contains("admin"));
    }

    proptest! {
        #[test]
        fn nothing_else_is_a_marker(text in "\\PC{0,80}", at in 0_usize..60, other in "[A-Za-z0-9_-]") {
            let paging = paging();
            let list = listing("123456789012", "iam:ListRoles", &[]);
            prop_assert_eq!(paging.open(list, &text, NOW), Err(BadMarker));
            let marker = paging.seal(list, "some role", NOW, &SystemEntropy::default()).unwrap();
            let altered: String = marker.chars().enumerate()
                .map(|(i, c)| if i == at { other.chars().next().unwrap() } else { c }).collect();
            prop_assert!(altered == marker || paging.open(list, &altered, NOW) == Err(BadMarker));
        }
    }
}
