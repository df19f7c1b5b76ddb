//! Markers: where a list goes on, sealed, so that nobody learns from one what is not theirs, or makes one up.
//!
//! A marker holds the key of the last thing listed and the time it was made. It is bound to the account, the operation and the
//! filters of its list: for any other it is no marker. Every process with the root key opens the markers of all.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moho_iam::action::Action;
use moho_iam::authz::Permit;
use moho_terms::{AccountId, Entropy, EntropyUnavailable, Secret, Timestamp};
use moho_wire::Failure;

use crate::startup::Platform;

/// What the paging key is derived for.
pub(crate) const PAGING_KEY: &str = "server/paging/1";
/// Seconds for which a marker is good.
const LIFE: u64 = 24 * 3600;
/// The longest marker that is looked at.
const LONGEST: usize = 4096;

/// Seals and opens markers.
pub(crate) struct Paging(LessSafeKey);

/// The list that a marker is of: no two lists are the same.
#[derive(Clone)]
pub(crate) struct Listing(Vec<u8>);

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
        listing: &Listing,
        last: &str,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<String, NoMarker> {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce)?;
        // A marker never begins with `-`: on a command line it would be taken for an option.
        let [first, ..] = &mut nonce;
        *first &= 0x7f;
        let mut bytes = [&now.unix_seconds().to_be_bytes(), last.as_bytes()].concat();
        let bound = Aad::from(listing.0.as_slice());
        let sealing = Nonce::assume_unique_for_key(nonce);
        self.0
            .seal_in_place_append_tag(sealing, bound, &mut bytes)
            .map_err(|_unspecified| NoMarker)?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &bytes].concat()))
    }

    /// After what `listing` goes on.
    pub(crate) fn open(&self, listing: &Listing, marker: &str, now: Timestamp) -> Result<String, BadMarker> {
        if marker.len() > LONGEST {
            return Err(BadMarker);
        }
        let bytes = URL_SAFE_NO_PAD.decode(marker).map_err(|_other| BadMarker)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(BadMarker)?;
        let mut sealed = sealed.to_vec();
        let bound = Aad::from(listing.0.as_slice());
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

/// How many things a page has that nobody asked a number for.
const USUAL: usize = 100;
/// How many a page has at most.
const MOST: usize = 1000;

/// One page of a list of IAM's, as a request asks for it.
pub(crate) struct Asking {
    listing: Listing,
    /// After what it begins.
    pub(crate) after: Option<String>,
    /// How many things it has at most.
    pub(crate) limit: usize,
}

impl Asking {
    /// The page that `marker` and `most` ask for.
    ///
    /// # Errors
    /// IAM's `ValidationError` if the marker is not one of this list.
    pub(crate) fn of_iam(
        platform: &Platform,
        listing: Listing,
        marker: Option<&str>,
        most: Option<i64>,
    ) -> Result<Self, Failure> {
        let open = |marker| platform.paging.open(&listing, marker, platform.clock.now());
        let after = marker
            .map(open)
            .transpose()
            .map_err(|BadMarker| Failure::Service {
                code: "ValidationError",
                message: "Invalid Marker.".to_owned(),
                status: 400,
            })?;
        let limit = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(USUAL);
        Ok(Self {
            listing,
            after,
            limit: limit.clamp(1, MOST),
        })
    }

    /// The page of at most `limit` that `marker` asks for.
    ///
    /// # Errors
    /// KMS's `InvalidMarkerException` if the marker is not one of this list.
    pub(crate) fn of_kms(
        platform: &Platform,
        listing: Listing,
        marker: Option<&str>,
        limit: usize,
    ) -> Result<Self, Failure> {
        let open = |marker| platform.paging.open(&listing, marker, platform.clock.now());
        let after = marker
            .map(open)
            .transpose()
            .map_err(|BadMarker| Failure::Service {
                code: "InvalidMarkerException",
                message: "The marker that specifies where pagination should next begin is not valid."
                    .to_owned(),
                status: 400,
            })?;
        Ok(Self {
            listing,
            after,
            limit,
        })
    }

    /// Whether there is more after `last`, and where it goes on: `IsTruncated` and `Marker`.
    pub(crate) fn next(
        &self,
        platform: &Platform,
        last: Option<&str>,
    ) -> Result<(Option<bool>, Option<String>), Failure> {
        let now = platform.clock.now();
        let seal = |last| platform.paging.seal(&self.listing, last, now, &*platform.entropy);
        let marker = last
            .map(seal)
            .transpose()
            .map_err(|NoMarker| Failure::Unavailable)?;
        Ok((Some(marker.is_some()), marker))
    }
}

impl Listing {
    /// A list of `account`'s, by an operation such as `iam:ListRoles`; `parts` is what else makes it this list: of what it
    /// is, path prefixes, scopes.
    pub(crate) fn new(account: AccountId, operation: &str, parts: &[&str]) -> Self {
        let whose = [account.as_str(), operation];
        let all = whose.iter().chain(parts);
        // Each part is preceded by its length.
        Self(all.fold(Vec::new(), |mut all, part| {
            all.extend_from_slice(&part.len().to_be_bytes());
            all.extend_from_slice(part.as_bytes());
            all
        }))
    }

    /// The list that a permit is for: of its caller's account, its action and its resource.
    pub(crate) fn of_permit<A: Action>(permit: &Permit<A>, filters: &[&str]) -> Self {
        let resource = [permit.resource().as_str()];
        let parts: Vec<&str> = resource.iter().chain(filters).copied().collect();
        Self::new(permit.session().account(), A::NAME, &parts)
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

    fn listing(account: &str, operation: &str, parts: &[&str]) -> Listing {
        Listing::new(account.parse().unwrap(), operation, parts)
    }

    fn now() -> Timestamp {
        Timestamp::from_unix_seconds(1_795_305_600)
    }

    #[test]
    fn a_marker_is_good_for_its_own_list_and_a_day() {
        let (paging, entropy) = (paging(), SystemEntropy::default());
        let list = listing("123456789012", "iam:ListRoles", &["/a/", "b"]);
        let marker = paging.seal(&list, "admin", now(), &entropy).unwrap();
        assert_eq!(paging.open(&list, &marker, now()), Ok("admin".to_owned()));
        let later = now().plus_seconds(LIFE);
        assert!(paging.open(&list, &marker, later).is_ok());
        assert_eq!(paging.open(&list, &marker, later.plus_seconds(1)), Err(BadMarker));
        for other in [
            listing("123456789013", "iam:ListRoles", &["/a/", "b"]),
            listing("123456789012", "iam:ListUsers", &["/a/", "b"]),
            listing("123456789012", "iam:ListRoles", &["/a/b"]),
            listing("123456789012", "iam:ListRoles", &["/a/", "b", ""]),
        ] {
            assert_eq!(paging.open(&other, &marker, now()), Err(BadMarker));
        }
        let another = Paging::new(&Secret::new(vec![8; 32])).unwrap();
        assert_eq!(another.open(&list, &marker, now()), Err(BadMarker));
        assert!(!marker.contains("admin"));
    }

    #[test]
    fn no_marker_looks_like_an_option() {
        let (paging, entropy) = (paging(), SystemEntropy::default());
        let list = listing("123456789012", "iam:ListRoles", &[]);
        for _ in 0..2000 {
            let marker = paging.seal(&list, "admin", now(), &entropy).unwrap();
            assert!(!marker.starts_with('-'), "{marker}");
            assert_eq!(paging.open(&list, &marker, now()), Ok("admin".to_owned()));
        }
    }

    proptest! {
        #[test]
        fn nothing_else_is_a_marker(text in "\\PC{0,80}", at in 0_usize..60, other in "[A-Za-z0-9_-]") {
            let paging = paging();
            let list = listing("123456789012", "iam:ListRoles", &[]);
            prop_assert_eq!(paging.open(&list, &text, now()), Err(BadMarker));
            let marker = paging.seal(&list, "some role", now(), &SystemEntropy::default()).unwrap();
            let altered: String = marker.chars().enumerate()
                .map(|(i, c)| if i == at { other.chars().next().unwrap() } else { c }).collect();
            prop_assert!(altered == marker || paging.open(&list, &altered, now()) == Err(BadMarker));
        }
    }
}
