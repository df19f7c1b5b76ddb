//! A log file: the records that a trail delivers together, as one gzip member of `{"Records":[…]}`.

#[cfg(test)]
mod tests;

use moho_terms::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::gzip::{self, GzipError};
use super::hexadecimal::Sha256;
use super::record::{Record, RecordError, RecordText};

/// Most bytes of a log file before it is packed: 256 of the longest records. Chosen, as AWS names no limit.
pub const MAX_LOG_FILE: usize = 64 * 1024 * 1024;

const BEGIN: &str = "{\"Records\":[";
const END: &str = "]}";

/// A log file, ready to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    body: Vec<u8>,
    hash: Sha256,
    oldest: Timestamp,
    newest: Timestamp,
}

/// Records that make no log file, or bytes that are none. Never holds any of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogFileError {
    /// Nothing is delivered for nothing.
    #[error("a log file has at least one record")]
    Empty,
    /// They are too many for one file.
    #[error("a log file has at most {limit} bytes uncompressed")]
    TooLarge {
        /// The most there may be.
        limit: usize,
    },
    /// It cannot be packed or unpacked.
    #[error("the log file is not packed soundly")]
    Gzip(#[from] GzipError),
    /// It is not the JSON of a log file, or one of its records is none.
    #[error("the log file is broken")]
    Malformed(#[source] RecordError),
}

impl LogFile {
    /// The file of these records, in this order: the same bytes each time.
    ///
    /// # Errors
    /// [`LogFileError::Empty`], [`LogFileError::TooLarge`].
    pub fn of(records: &[RecordText]) -> Result<Self, LogFileError> {
        let times = || records.iter().map(RecordText::event_time);
        let (oldest, newest) = times().min().zip(times().max()).ok_or(LogFileError::Empty)?;
        let commas = records.len().saturating_sub(1);
        let size = records
            .iter()
            .fold(commas, |size, record| size.saturating_add(record.as_str().len()));
        let size = size.saturating_add(BEGIN.len()).saturating_add(END.len());
        if size > MAX_LOG_FILE {
            return Err(LogFileError::TooLarge { limit: MAX_LOG_FILE });
        }
        let mut plain = String::with_capacity(size);
        plain.push_str(BEGIN);
        for (record, comma) in records
            .iter()
            .zip(std::iter::once("").chain(std::iter::repeat(",")))
        {
            plain.push_str(comma);
            plain.push_str(record.as_str());
        }
        plain.push_str(END);
        Ok(Self {
            body: gzip::pack(plain.as_bytes()).map_err(|_cannot_fail| GzipError::Broken)?,
            hash: Sha256::of(plain.as_bytes()),
            oldest,
            newest,
        })
    }

    /// The object's bytes. Its content type is `application/json`, its content encoding `gzip`.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The digest of what is packed, as digest files name it.
    #[must_use]
    pub fn hash(&self) -> Sha256 {
        self.hash
    }

    /// When the oldest of its events was.
    #[must_use]
    pub fn oldest(&self) -> Timestamp {
        self.oldest
    }

    /// When the newest of its events was.
    #[must_use]
    pub fn newest(&self) -> Timestamp {
        self.newest
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<&'a RawValue>,
}

/// Reads a log file's bytes back.
///
/// # Errors
/// [`LogFileError`].
pub fn read(body: &[u8]) -> Result<Vec<Record>, LogFileError> {
    let plain = gzip::unpack(body, MAX_LOG_FILE)?;
    let envelope: Envelope<'_> = serde_json::from_slice(&plain)
        .map_err(|error| LogFileError::Malformed(RecordError::malformed(error)))?;
    let records = envelope.records.into_iter();
    records
        .map(|record| Record::parse(record.get().as_bytes()).map_err(LogFileError::Malformed))
        .collect()
}
