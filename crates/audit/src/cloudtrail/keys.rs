//! Where in a bucket log files and digests stand.
//!
//! ```text
//! [prefix/]AWSLogs/[o-id/]ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/ACCOUNT_CloudTrail_REGION_YYYYMMDDThhmmZ_UNIQUE.json.gz
//! [prefix/]AWSLogs/[o-id/]ACCOUNT/CloudTrail-Digest/REGION/YYYY/MM/DD/
//!     ACCOUNT_CloudTrail-Digest_REGION_TRAIL_HOMEREGION_YYYYMMDDThhmmssZ.json.gz
//! ```
//! What is delivered late has `_backfill` before `.json.gz`.

use std::fmt;

use moho_terms::{AccountId, Region, Timestamp};

use super::hexadecimal::Sha256;
use super::names::{KeyPrefix, OrganizationId, TrailName};

const END: &str = ".json.gz";
const BACKFILL: &str = "_backfill";

/// An object: its bucket and its key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
}

impl Place {
    /// This key in this bucket.
    #[must_use]
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            key: key.into(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

/// Whose events, and from where: the part of a key that all files of a trail, an account and a region have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyScope {
    /// The trail's prefix, if it has one.
    pub prefix: Option<KeyPrefix>,
    /// The organisation, of an organisation's trail.
    pub organization: Option<OrganizationId>,
    /// The account whose events these are.
    pub account: AccountId,
    /// The region in which they happened.
    pub region: Region,
}

impl KeyScope {
    /// Every key of the log files begins so.
    #[must_use]
    pub fn log_files(&self) -> String {
        self.folder("CloudTrail")
    }

    /// Every key of the digests begins so.
    #[must_use]
    pub fn digests(&self) -> String {
        self.folder("CloudTrail-Digest")
    }

    fn folder(&self, kind: &str) -> String {
        let prefix = self.prefix.iter().map(|prefix| format!("{}/", prefix.as_str()));
        let organization = self.organization.iter().map(|id| format!("{id}/"));
        let (prefix, organization): (String, String) = (prefix.collect(), organization.collect());
        format!(
            "{prefix}AWSLogs/{organization}{}/{kind}/{}/",
            self.account, self.region
        )
    }
}

/// The 16 letters and digits that make a log file's key its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UniquePart([u8; 16]);

impl UniquePart {
    /// The same for the same seed, which must say all that tells one delivery from another: the trail, the account, the region
    /// and which records.
    #[must_use]
    pub fn of(seed: &[u8]) -> Self {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let mut text = [b'A'; 16];
        for (letter, byte) in text.iter_mut().zip(Sha256::of(seed).as_bytes()) {
            *letter = LETTERS
                .get(usize::from(*byte) % LETTERS.len())
                .copied()
                .unwrap_or(b'A');
        }
        Self(text)
    }
}

impl fmt::Display for UniquePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // INVARIANT: only ASCII letters and digits are ever stored.
        f.write_str(std::str::from_utf8(&self.0).unwrap_or_default())
    }
}

/// A log file's key. It prints as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFileKey {
    /// Whose, and from where.
    pub scope: KeyScope,
    /// When it was put together. To the minute.
    pub time: Timestamp,
    /// What tells it from the others of that minute.
    pub unique: UniquePart,
    /// Whether it is delivered late.
    pub backfill: bool,
}

impl LogFileKey {
    /// When the file with this key was put together, to the minute; `None` if it is no log file's key.
    #[must_use]
    pub fn time_of(key: &str) -> Option<Timestamp> {
        let stem = key.strip_suffix(END)?;
        let (stem, unique) = stem.strip_suffix(BACKFILL).unwrap_or(stem).rsplit_once('_')?;
        let (name, minute) = stem.rsplit_once('_')?;
        let minute = minute.strip_suffix('Z')?;
        let known = unique.len() == 16 && unique.bytes().all(|b| b.is_ascii_alphanumeric());
        let time = Timestamp::parse_iso8601_basic(&format!("{minute}00Z")).ok()?;
        (known && name.contains("_CloudTrail_")).then_some(time)
    }
}

impl fmt::Display for LogFileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scope,
            time,
            unique,
            backfill,
        } = self;
        let (account, region) = (scope.account, &scope.region);
        let basic = time.iso8601_basic();
        let minute = basic.get(..13).unwrap_or_default();
        let (folder, day) = (scope.log_files(), day_of(*time));
        let late = if *backfill { BACKFILL } else { "" };
        write!(
            f,
            "{folder}{day}/{account}_CloudTrail_{region}_{minute}Z_{unique}{late}{END}"
        )
    }
}

/// A digest's key. It prints as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestKey {
    /// Whose, and from where.
    pub scope: KeyScope,
    /// The trail.
    pub trail: TrailName,
    /// The trail's home region.
    pub home_region: Region,
    /// When the digest ends.
    pub end: Timestamp,
    /// Whether it is of log files that were delivered late.
    pub backfill: bool,
}

/// Whether a log file or digest with this key is of what was delivered late.
pub(super) fn is_backfill(key: &str) -> bool {
    key.strip_suffix(END).is_some_and(|stem| stem.ends_with(BACKFILL))
}

impl DigestKey {
    /// When the digest with this key ends; `None` if it is no digest's key.
    #[must_use]
    pub fn end_of(key: &str) -> Option<Timestamp> {
        let stem = key.strip_suffix(END)?;
        let (name, end) = stem.strip_suffix(BACKFILL).unwrap_or(stem).rsplit_once('_')?;
        let end = Timestamp::parse_iso8601_basic(end).ok()?;
        name.contains("_CloudTrail-Digest_").then_some(end)
    }
}

impl fmt::Display for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scope,
            trail,
            home_region,
            end,
            backfill,
        } = self;
        let (account, region) = (scope.account, &scope.region);
        let (folder, day, time) = (scope.digests(), day_of(*end), end.iso8601_basic());
        let late = if *backfill { BACKFILL } else { "" };
        write!(
            f,
            "{folder}{day}/{account}_CloudTrail-Digest_{region}_{trail}_{home_region}_{time}{late}{END}"
        )
    }
}

/// `2015/08/30`.
fn day_of(time: Timestamp) -> String {
    let text = time.to_string();
    text.get(..10).unwrap_or_default().replace('-', "/")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scope() -> KeyScope {
        KeyScope {
            prefix: KeyPrefix::parse("some/prefix").unwrap(),
            organization: Some("o-abcdefghij".parse().unwrap()),
            account: "123456789012".parse().unwrap(),
            region: "us-east-2".parse().unwrap(),
        }
    }

    fn log(time: Timestamp, seed: &[u8]) -> LogFileKey {
        LogFileKey {
            scope: scope(),
            time,
            unique: UniquePart::of(seed),
            backfill: false,
        }
    }

    fn digest(end: Timestamp) -> DigestKey {
        DigestKey {
            scope: scope(),
            trail: "my-trail".parse().unwrap(),
            home_region: "eu-west-1".parse().unwrap(),
            end,
            backfill: false,
        }
    }

    #[test]
    fn keys_have_the_documented_layout() {
        let time = Timestamp::from_unix_seconds(1_440_938_160 + 59);
        let mut key = log(time, b"seed");
        let unique = key.unique.to_string();
        let stem = "some/prefix/AWSLogs/o-abcdefghij/123456789012/CloudTrail/us-east-2/2015/08/30/123456789012_CloudTrail_us-east-2_20150830T1236Z_";
        assert_eq!(key.to_string(), format!("{stem}{unique}.json.gz"));
        assert_eq!(unique.len(), 16);
        key.backfill = true;
        assert_eq!(key.to_string(), format!("{stem}{unique}_backfill.json.gz"));
        key.scope.prefix = None;
        key.scope.organization = None;
        assert!(
            key.to_string()
                .starts_with("AWSLogs/123456789012/CloudTrail/us-east-2/2015/")
        );

        let mut key = digest(time);
        let stem = "some/prefix/AWSLogs/o-abcdefghij/123456789012/CloudTrail-Digest/us-east-2/2015/08/30/123456789012_CloudTrail-Digest_us-east-2_my-trail_eu-west-1_20150830T123659Z";
        assert_eq!(key.to_string(), format!("{stem}.json.gz"));
        key.backfill = true;
        assert_eq!(key.to_string(), format!("{stem}_backfill.json.gz"));
    }

    #[test]
    fn other_keys_are_of_no_file() {
        let time = Timestamp::from_unix_seconds(1_440_938_160);
        let (log, digest) = (log(time, b"").to_string(), digest(time).to_string());
        assert_eq!(
            (LogFileKey::time_of(&digest), DigestKey::end_of(&log)),
            (None, None)
        );
        for key in [&log, &digest] {
            for other in [
                key.replace(".json.gz", ".json"),
                key.replace("2015", "20x5"),
                key.replace("_CloudTrail", ""),
            ] {
                assert_eq!(
                    (LogFileKey::time_of(&other), DigestKey::end_of(&other)),
                    (None, None),
                    "{other}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn the_time_is_read_back_from_a_key(minutes in 0_u64..4_000_000_000, seed: Vec<u8>, backfill: bool) {
            let time = Timestamp::from_unix_seconds(minutes * 60);
            let key = LogFileKey { backfill, ..log(time, &seed) };
            prop_assert_eq!(LogFileKey::time_of(&key.to_string()), Some(time));
            let key = DigestKey { backfill, ..digest(time.plus_seconds(7)) };
            prop_assert_eq!(DigestKey::end_of(&key.to_string()), Some(time.plus_seconds(7)));
        }

        #[test]
        fn any_text_is_a_key_or_none(text in "\\PC{0,60}") {
            for key in [text.clone(), format!("a_CloudTrail_{text}.json.gz"), format!("a_CloudTrail-Digest_{text}.json.gz")] {
                let _either = (LogFileKey::time_of(&key), DigestKey::end_of(&key));
            }
        }
    }
}
