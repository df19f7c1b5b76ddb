//! Digest files: one an hour, also when nothing happened, each naming the log files of its time and the digest before it, and
//! signed. Who has the newest one and the public key sees whether any file was altered, removed or put in between.
//!
//! The bytes are those that `aws cloudtrail validate-logs` reads. How AWS makes a public key's fingerprint is not documented:
//! here it is the first half of the SHA-256 of the key (DER, PKCS#1), which has the same form.

mod signing;
#[cfg(test)]
mod tests;
mod verify;

use moho_terms::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};

use super::gzip::{self, GzipError};
use super::hexadecimal::{self, Sha256};
use super::keys::{DigestKey, Place};
use super::log_file::LogFile;
use super::moment;

pub use signing::{DigestSigner, LocalDigestKey, PublicKeys, SignerUnavailable, fingerprint};
pub use verify::{Altered, Delivered, Finding, Found, Listing, Report, StoredDigest, Unreadable, verify};

/// The only algorithm of signatures.
pub const SIGNATURE_ALGORITHM: &str = "SHA256withRSA";
/// The only algorithm of hashes.
pub const HASH_ALGORITHM: &str = "SHA-256";
/// Most bytes of a digest before it is packed: that of well over 10,000 log files.
pub const MAX_DIGEST: usize = 16 * 1024 * 1024;

/// A digest, not signed yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Digest {
    aws_account_id: AccountId,
    #[serde(with = "moment")]
    digest_start_time: Timestamp,
    #[serde(with = "moment")]
    digest_end_time: Timestamp,
    digest_s3_bucket: String,
    digest_s3_object: String,
    digest_public_key_fingerprint: String,
    digest_signature_algorithm: String,
    #[serde(with = "perhaps")]
    newest_event_time: Option<Timestamp>,
    #[serde(with = "perhaps")]
    oldest_event_time: Option<Timestamp>,
    previous_digest_s3_bucket: Option<String>,
    previous_digest_s3_object: Option<String>,
    previous_digest_hash_value: Option<Sha256>,
    previous_digest_hash_algorithm: Option<String>,
    previous_digest_signature: Option<String>,
    log_files: Vec<DigestedLog>,
}

/// A log file, as a digest names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DigestedLog {
    s3_bucket: String,
    s3_object: String,
    hash_value: Sha256,
    hash_algorithm: String,
    #[serde(with = "moment")]
    newest_event_time: Timestamp,
    #[serde(with = "moment")]
    oldest_event_time: Timestamp,
}

impl DigestedLog {
    /// This file, delivered there.
    #[must_use]
    pub fn of(place: Place, file: &LogFile) -> Self {
        Self::known(place, file.hash(), (file.oldest(), file.newest()))
    }

    /// A file of which only this is known any more: its place, its hash, and the times of its oldest and newest event.
    #[must_use]
    pub fn known(place: Place, hash: Sha256, (oldest, newest): (Timestamp, Timestamp)) -> Self {
        Self {
            s3_bucket: place.bucket,
            s3_object: place.key,
            hash_value: hash,
            hash_algorithm: HASH_ALGORITHM.to_owned(),
            newest_event_time: newest,
            oldest_event_time: oldest,
        }
    }

    fn place(&self) -> Place {
        Place::new(&self.s3_bucket, &self.s3_object)
    }
}

/// What the next digest says of the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousDigest {
    /// Where it is.
    pub place: Place,
    /// The hash of what is packed.
    pub hash: Sha256,
    /// Its signature, in hexadecimal.
    pub signature: String,
}

/// A digest, signed and packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedDigest {
    /// The object's bytes.
    pub body: Vec<u8>,
    /// Where it belongs, its hash and its signature: what the next one must say of it.
    pub as_previous: PreviousDigest,
}

/// A digest that cannot be made, or bytes that are none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// It ends before it begins.
    #[error("a digest ends after its start")]
    Period,
    /// It names too many files.
    #[error("a digest has at most {limit} bytes uncompressed")]
    TooLarge {
        /// The most there may be.
        limit: usize,
    },
    /// It cannot be packed or unpacked.
    #[error("the digest is not packed soundly")]
    Gzip(#[from] GzipError),
    /// It is not the JSON of a digest.
    #[error("not a CloudTrail digest")]
    Malformed,
    /// It cannot be signed.
    #[error("the digest cannot be signed")]
    Signer(#[from] SignerUnavailable),
}

impl Digest {
    /// The digest at `key` in `bucket`, which begins at `start`, with the log files of that time: [`verify()`] takes every log file
    /// for one put in between whose key's minute is over by the end of a digest, and which no digest names.
    #[must_use]
    pub fn of(
        key: &DigestKey,
        bucket: &str,
        start: Timestamp,
        log_files: Vec<DigestedLog>,
        previous: Option<PreviousDigest>,
    ) -> Self {
        let (place, hash, signature) = match previous {
            Some(previous) => (
                Some(previous.place),
                Some(previous.hash),
                Some(previous.signature),
            ),
            None => (None, None, None),
        };
        let (previous_bucket, previous_key) = place.map(|place| (place.bucket, place.key)).unzip();
        Self {
            aws_account_id: key.scope.account,
            digest_start_time: start,
            digest_end_time: key.end,
            digest_s3_bucket: bucket.to_owned(),
            digest_s3_object: key.to_string(),
            digest_public_key_fingerprint: String::new(),
            digest_signature_algorithm: SIGNATURE_ALGORITHM.to_owned(),
            newest_event_time: log_files.iter().map(|log| log.newest_event_time).max(),
            oldest_event_time: log_files.iter().map(|log| log.oldest_event_time).min(),
            previous_digest_s3_bucket: previous_bucket,
            previous_digest_s3_object: previous_key,
            previous_digest_hash_value: hash,
            previous_digest_hash_algorithm: hash.map(|_| HASH_ALGORITHM.to_owned()),
            previous_digest_signature: signature,
            log_files,
        }
    }

    /// Signs and packs it: the same bytes for the same digest and key.
    ///
    /// # Errors
    /// [`DigestError`].
    pub fn sign(mut self, signer: &dyn DigestSigner) -> Result<SignedDigest, DigestError> {
        if self.digest_end_time.unix_seconds() <= self.digest_start_time.unix_seconds() {
            return Err(DigestError::Period);
        }
        self.digest_public_key_fingerprint = fingerprint(signer.public_key());
        let plain = serde_json::to_vec(&self).map_err(|_cannot_fail| DigestError::Malformed)?;
        if plain.len() > MAX_DIGEST {
            return Err(DigestError::TooLarge { limit: MAX_DIGEST });
        }
        let hash = Sha256::of(&plain);
        let signature = signer.sign(self.string_to_sign(hash).as_bytes())?;
        Ok(SignedDigest {
            body: gzip::pack(&plain).map_err(|_cannot_fail| GzipError::Broken)?,
            as_previous: PreviousDigest {
                place: self.place(),
                hash,
                signature: hexadecimal::encode(&signature),
            },
        })
    }

    /// Reads a digest from what was packed. Members that it does not know it passes over, as AWS may add some.
    ///
    /// # Errors
    /// [`DigestError`].
    pub fn parse(plain: &[u8]) -> Result<Self, DigestError> {
        if plain.len() > MAX_DIGEST {
            return Err(DigestError::TooLarge { limit: MAX_DIGEST });
        }
        serde_json::from_slice(plain).map_err(|_quotes_it| DigestError::Malformed)
    }

    /// Reads a digest as it is delivered.
    ///
    /// # Errors
    /// [`DigestError`].
    pub fn unpack(body: &[u8]) -> Result<Self, DigestError> {
        Self::parse(&gzip::unpack(body, MAX_DIGEST)?)
    }

    /// The same at another place, to be signed anew.
    #[must_use]
    pub fn moved(self, place: Place) -> Self {
        Self {
            digest_s3_bucket: place.bucket,
            digest_s3_object: place.key,
            ..self
        }
    }

    /// The same as the first one of a chain: nobody can follow it to the one before.
    #[must_use]
    pub fn without_previous(self) -> Self {
        Self {
            previous_digest_s3_bucket: None,
            previous_digest_s3_object: None,
            previous_digest_hash_value: None,
            previous_digest_hash_algorithm: None,
            previous_digest_signature: None,
            ..self
        }
    }

    /// What is signed, of a digest with this hash: its end, its place, its hash, and the signature before it.
    fn string_to_sign(&self, hash: Sha256) -> String {
        let (end, bucket, key) = (
            self.digest_end_time,
            &self.digest_s3_bucket,
            &self.digest_s3_object,
        );
        let previous = self.previous_digest_signature.as_deref().unwrap_or("null");
        format!("{end}\n{bucket}/{key}\n{hash}\n{previous}")
    }

    fn place(&self) -> Place {
        Place::new(&self.digest_s3_bucket, &self.digest_s3_object)
    }

    /// The one before, if it names one wholly.
    fn previous(&self) -> Option<PreviousDigest> {
        Some(PreviousDigest {
            place: Place::new(
                self.previous_digest_s3_bucket.as_deref()?,
                self.previous_digest_s3_object.as_deref()?,
            ),
            hash: self.previous_digest_hash_value?,
            signature: self.previous_digest_signature.clone()?,
        })
    }
}

impl SignedDigest {
    /// The object's user metadata, without `x-amz-meta-`. Of a digest of late log files, `generated` says when it was made.
    #[must_use]
    pub fn metadata(&self, generated: Option<Timestamp>) -> Vec<(&'static str, String)> {
        let mut metadata = vec![
            ("signature", self.as_previous.signature.clone()),
            ("signature-algorithm", SIGNATURE_ALGORITHM.to_owned()),
        ];
        metadata.extend(generated.map(|time| ("backfill-generation-timestamp", time.to_string())));
        metadata
    }
}

/// Times that may be `null`, and are written also then.
mod perhaps {
    use moho_terms::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    use super::moment;

    #[expect(clippy::ref_option, reason = "serde hands over what it has")]
    pub(super) fn serialize<S: Serializer>(
        time: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.collect_str(time),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| moment::parse(&text).ok_or_else(|| de::Error::custom("not a time")))
            .transpose()
    }
}
