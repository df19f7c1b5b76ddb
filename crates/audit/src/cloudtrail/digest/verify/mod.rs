//! The chain of digests, from the newest back: which file was altered, removed or put in between.
//!
//! A digest names the one before it by its place, its hash and its signature, so what a valid digest names is known to the
//! byte. Where that thread is cut, as a digest is missing or altered, the next older one in the bucket is taken up, which has
//! only its own signature to show; the files of the time between are then neither confirmed nor accused.
//!
//! Two trails with the same bucket and prefix share their folders, and a log file's key does not say whose it is: such a
//! listing must be sorted out before it comes here, or the other trail's files pass for ones put in between.

mod covered;

use std::collections::BTreeSet;
use std::error::Error;

use moho_terms::Timestamp;

use super::{
    Digest, DigestedLog, HASH_ALGORITHM, MAX_DIGEST, PreviousDigest, PublicKeys, SIGNATURE_ALGORITHM,
};
use crate::cloudtrail::gzip;
use crate::cloudtrail::hexadecimal::Sha256;
use crate::cloudtrail::keys::{DigestKey, LogFileKey, Place, is_backfill};
use crate::cloudtrail::log_file::MAX_LOG_FILE;
use covered::Covered;

/// A digest as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDigest {
    /// The object's bytes.
    pub body: Vec<u8>,
    /// `x-amz-meta-signature`.
    pub signature: Option<String>,
    /// `x-amz-meta-signature-algorithm`.
    pub algorithm: Option<String>,
}

/// Where the files are. Nothing that comes from there is believed.
pub trait Delivered {
    /// The digest there; `None` if there is none.
    ///
    /// # Errors
    /// [`Unreadable`]: it cannot be told.
    fn digest(&mut self, place: &Place) -> Result<Option<StoredDigest>, Unreadable>;

    /// The bytes of the log file there; `None` if there is none.
    ///
    /// # Errors
    /// [`Unreadable`]: it cannot be told.
    fn log_file(&mut self, place: &Place) -> Result<Option<Vec<u8>>, Unreadable>;
}

/// Whether a file is there could not be found out, so nothing can be said.
#[derive(Debug, thiserror::Error)]
#[error("the delivered files cannot be read")]
pub struct Unreadable(#[source] Box<dyn Error + Send + Sync>);

impl Unreadable {
    /// Because of `source`.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// What is in the bucket, of one trail, account and region. Keys that are of no such file are passed over, and so are late files
/// in a chain of digests that are not late, and the other way round.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// The keys of digests.
    pub digests: Vec<String>,
    /// The keys of log files.
    pub log_files: Vec<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// How many digests are valid.
    pub digests: u64,
    /// How many log files are as their digest says.
    pub log_files: u64,
    /// What is wrong, from the newest to the oldest.
    pub findings: Vec<Finding>,
    /// Times without any digest, as the trail was stopped: from the end of one chain to the start of the next.
    pub gaps: Vec<(Timestamp, Timestamp)>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// With which file.
    pub place: Place,
    /// What.
    pub found: Found,
}

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It is not as it was delivered.
    Altered(Altered),
    /// A valid digest names it, and it is not there.
    Removed,
    /// It is there, and the valid digests of its time do not name it.
    Inserted,
    /// It is there, and the digest that would name it is not valid or not there.
    Unproven,
}

/// How it shows that a file is not as it was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Altered {
    /// It is no gzip member, or more than one.
    Packing,
    /// It is no digest, or no algorithm or time of one.
    Form,
    /// It does not belong there: it says another place, or one before it that is not older.
    Moved,
    /// Its hash is not the one that was named.
    Hash,
    /// There is no signature, or one that is not the named one or does not hold.
    Signature,
    /// Its signature is of a key that is not believed.
    UnknownKey,
}

/// Follows the chain from `newest` back to `from`, or to its beginning, and checks every file on the way.
///
/// Digests that end after `newest`, and log files that may be put together after it ended, are not judged.
///
/// # Errors
/// [`Unreadable`]: a file could not be looked at.
pub fn verify(
    newest: &Place,
    from: Timestamp,
    listing: &Listing,
    keys: &PublicKeys,
    delivered: &mut dyn Delivered,
) -> Result<Report, Unreadable> {
    let late = is_backfill(&newest.key);
    let of_the_chain = |key: &&String| is_backfill(key) == late;
    let mut walk = Walk {
        bucket: newest.bucket.clone(),
        keys,
        listed: listing
            .digests
            .iter()
            .filter(of_the_chain)
            .filter_map(|key| Some((DigestKey::end_of(key)?, key.as_str())))
            .collect(),
        seen: BTreeSet::new(),
        named: BTreeSet::new(),
        covered: Covered::default(),
        report: Report::default(),
    };
    walk.chain(newest, from, delivered)?;
    walk.unvisited(from);
    walk.unnamed(listing.log_files.iter().filter(of_the_chain), from);
    Ok(walk.report)
}

struct Walk<'a> {
    bucket: String,
    keys: &'a PublicKeys,
    /// Digests in the bucket by their end.
    listed: BTreeSet<(Timestamp, &'a str)>,
    seen: BTreeSet<Place>,
    named: BTreeSet<Place>,
    covered: Covered,
    report: Report,
}

/// The digest to look at next.
struct Step {
    place: Place,
    end: Timestamp,
    /// What a valid digest says of it.
    expected: Option<PreviousDigest>,
}

impl Walk<'_> {
    fn chain(
        &mut self,
        newest: &Place,
        from: Timestamp,
        delivered: &mut dyn Delivered,
    ) -> Result<(), Unreadable> {
        let Some(end) = DigestKey::end_of(&newest.key) else {
            self.find(newest.clone(), Found::Altered(Altered::Moved));
            return Ok(());
        };
        let mut next = Some(Step {
            place: newest.clone(),
            end,
            expected: None,
        });
        self.covered.up_to(end);
        while let Some(step) = next {
            self.seen.insert(step.place.clone());
            let digest = match delivered.digest(&step.place)? {
                Some(stored) => check(&step, &stored, self.keys).map_err(Found::Altered),
                None => Err(Found::Removed),
            };
            next = match digest {
                Ok(digest) => {
                    self.report.digests = self.report.digests.saturating_add(1);
                    self.covered.add(digest.digest_start_time, digest.digest_end_time);
                    self.log_files(&digest.log_files, delivered)?;
                    if digest.digest_start_time <= from {
                        return Ok(());
                    }
                    self.before(&step, &digest)
                }
                Err(found) => {
                    self.find(step.place, found);
                    self.listed_before(step.end)
                }
            };
        }
        Ok(())
    }

    /// What follows a valid digest: the one it names, or the next older one if it is the first of its chain.
    fn before(&mut self, step: &Step, digest: &Digest) -> Option<Step> {
        let Some(expected) = digest.previous() else {
            let next = self.listed_before(step.end)?;
            self.report.gaps.push((next.end, digest.digest_start_time));
            return Some(next);
        };
        let end = DigestKey::end_of(&expected.place.key).filter(|end| *end < step.end);
        let Some(end) = end else {
            // Signed and still wrong: whoever holds the key wrote it so. Going on in circles would never end.
            self.find(step.place.clone(), Found::Altered(Altered::Moved));
            return self.listed_before(step.end);
        };
        Some(Step {
            place: expected.place.clone(),
            end,
            expected: Some(expected),
        })
    }

    /// The next older digest in the bucket.
    fn listed_before(&self, end: Timestamp) -> Option<Step> {
        let (end, key) = self.listed.range(..(end, "")).next_back()?;
        Some(Step {
            place: Place::new(&self.bucket, *key),
            end: *end,
            expected: None,
        })
    }

    fn log_files(&mut self, logs: &[DigestedLog], delivered: &mut dyn Delivered) -> Result<(), Unreadable> {
        for log in logs {
            let place = log.place();
            let found = match delivered.log_file(&place)? {
                Some(body) => check_log(log, &body).map_err(Found::Altered),
                None => Err(Found::Removed),
            };
            match found {
                Ok(()) => self.report.log_files = self.report.log_files.saturating_add(1),
                Err(found) => self.find(place.clone(), found),
            }
            self.named.insert(place);
        }
        Ok(())
    }

    /// Digests in the bucket that the chain does not lead to.
    fn unvisited(&mut self, from: Timestamp) {
        for (end, key) in std::mem::take(&mut self.listed).into_iter().rev() {
            let place = Place::new(&self.bucket, key);
            if end > from && self.covered.reaches(end) && !self.seen.contains(&place) {
                self.find(place, Found::Inserted);
            }
        }
    }

    /// Log files in the bucket that no valid digest names.
    fn unnamed<'k>(&mut self, log_files: impl Iterator<Item = &'k String>, from: Timestamp) {
        let broken = !self.report.findings.is_empty();
        let mut known: Vec<_> = log_files
            .filter_map(|key| Some((LogFileKey::time_of(key)?, key)))
            .collect();
        known.sort_unstable_by(|one, other| other.cmp(one));
        for (minute, key) in known {
            let place = Place::new(&self.bucket, key);
            // A key says the minute: only if all of it is past may a digest be expected to name the file.
            let last = minute.plus_seconds(59);
            if self.named.contains(&place) || minute < from || !self.covered.reaches(last.plus_seconds(1)) {
                continue;
            }
            if self.covered.all_of(minute, last) {
                self.find(place, Found::Inserted);
            } else if broken {
                self.find(place, Found::Unproven);
            }
        }
    }

    fn find(&mut self, place: Place, found: Found) {
        self.report.findings.push(Finding { place, found });
    }
}

fn check(step: &Step, stored: &StoredDigest, keys: &PublicKeys) -> Result<Digest, Altered> {
    let plain = gzip::unpack(&stored.body, MAX_DIGEST).map_err(|_broken| Altered::Packing)?;
    let hash = Sha256::of(&plain);
    if step
        .expected
        .as_ref()
        .is_some_and(|expected| expected.hash != hash)
    {
        return Err(Altered::Hash);
    }
    let digest = Digest::parse(&plain).map_err(|_malformed| Altered::Form)?;
    if digest.place() != step.place {
        return Err(Altered::Moved);
    }
    let known = digest.digest_signature_algorithm == SIGNATURE_ALGORITHM
        && digest
            .log_files
            .iter()
            .all(|log| log.hash_algorithm == HASH_ALGORITHM);
    if !known || digest.digest_end_time != step.end || digest.digest_start_time >= step.end {
        return Err(Altered::Form);
    }
    let signature = stored.signature.as_deref().ok_or(Altered::Signature)?;
    let named = step
        .expected
        .as_ref()
        .is_none_or(|expected| expected.signature == signature);
    if !named || stored.algorithm.as_deref() != Some(SIGNATURE_ALGORITHM) {
        return Err(Altered::Signature);
    }
    let message = digest.string_to_sign(hash);
    match keys.check(
        &digest.digest_public_key_fingerprint,
        message.as_bytes(),
        signature,
    ) {
        Some(true) => Ok(digest),
        Some(false) => Err(Altered::Signature),
        None => Err(Altered::UnknownKey),
    }
}

fn check_log(log: &DigestedLog, body: &[u8]) -> Result<(), Altered> {
    let plain = gzip::unpack(body, MAX_LOG_FILE).map_err(|_broken| Altered::Packing)?;
    if Sha256::of(&plain) == log.hash_value {
        Ok(())
    } else {
        Err(Altered::Hash)
    }
}
