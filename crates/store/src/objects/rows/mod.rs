//! What object logic and a database have in common: rows, found by their keys, within one transaction.
//!
//! Whoever implements [`ObjectRows`] knows nothing of S3; whoever uses it knows nothing of SQL. The one implementation is
//! SQLite's.

mod sqlite;

use moho_terms::{AccountId, Arn, ObjectKey, Timestamp, UploadId, VersionId};
use rusqlite::Connection;

use super::error::Found;
use super::{Bucket, BucketId, BucketsRequest, DocumentKind, ListedVersion, ObjectLock, Segment, SegmentId};
use crate::database::Database;

/// Which version of an object is what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// The newest.
    pub(crate) current: VersionId,
    /// The one called `null`, by its place among the others.
    pub(crate) null: Option<VersionId>,
    /// Whether the newest is a delete marker.
    pub(crate) is_marker: bool,
}

/// What is sealed, and under what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SealedRow {
    pub(crate) key: Arn,
    /// JSON.
    pub(crate) encryption: String,
    pub(crate) metadata: Vec<u8>,
    /// JSON.
    pub(crate) tags: Option<String>,
    pub(crate) lock: ObjectLock,
}

/// A version of an object: of a delete marker only what says where and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VersionRow {
    /// Its place among the versions; its version id, too, unless that is `null`.
    pub(crate) place: VersionId,
    pub(crate) is_null: bool,
    pub(crate) modified_at: Timestamp,
    pub(crate) content: Option<ContentRow>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContentRow {
    pub(crate) body: UploadId,
    pub(crate) size: u64,
    pub(crate) etag: String,
    pub(crate) parts: Option<u32>,
    pub(crate) sealed: SealedRow,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UploadRow {
    pub(crate) key: ObjectKey,
    pub(crate) upload_id: UploadId,
    pub(crate) initiated_at: Timestamp,
    pub(crate) initiator: Arn,
    pub(crate) sealed: SealedRow,
}

/// A segment of a body: one of one, or a part.
pub(crate) struct SegmentRow {
    pub(crate) part: u16,
    pub(crate) segment: Segment,
    pub(crate) etag: String,
    pub(crate) modified_at: Timestamp,
    pub(crate) metadata: Option<Vec<u8>>,
}

/// [`SegmentRow`] without bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartRow {
    pub(crate) part: u16,
    /// The file, if it has one.
    pub(crate) file: Option<SegmentId>,
    pub(crate) plain_length: u64,
    pub(crate) etag: String,
    pub(crate) modified_at: Timestamp,
    pub(crate) metadata: Option<Vec<u8>>,
}

/// An object of a bucket.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) bucket: BucketId,
    pub(crate) key: &'a str,
}

/// Where a list begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum From {
    /// With this key, or the first after it.
    Key(String),
    /// After this key.
    AfterKey(String),
    /// After this version or upload of this key.
    Within(String, String),
}

/// What is counted of what is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sealed {
    Object,
    Part,
}

/// How a count changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Difference {
    pub(crate) count: i64,
    pub(crate) bytes: i64,
}

/// The rows of buckets and objects, as one transaction sees them. What only reads may be used outside of one.
pub(crate) trait ObjectRows {
    fn bucket(&self, name: &str) -> Found<Option<Bucket>>;
    /// Of an account, in the order of their names.
    fn buckets(&self, account: AccountId, asked: BucketsRequest<'_>) -> Found<Vec<Bucket>>;
    /// Of all accounts, likewise.
    fn every_bucket(&self, after: &str) -> Found<Option<Bucket>>;
    fn count_buckets(&self, account: AccountId) -> Found<u64>;
    fn add_bucket(&self, bucket: &Bucket) -> Found<()>;
    fn replace_bucket(&self, bucket: &Bucket) -> Found<()>;
    /// With its documents.
    fn remove_bucket(&self, bucket: &Bucket) -> Found<()>;
    fn document(&self, bucket: BucketId, kind: DocumentKind) -> Found<Option<String>>;
    fn set_document(&self, bucket: BucketId, kind: DocumentKind, document: Option<&str>) -> Found<()>;

    fn head(&self, at: At<'_>) -> Found<Option<Head>>;
    fn set_head(&self, at: At<'_>, head: Option<&Head>) -> Found<()>;
    /// The objects whose current version is no delete marker, in the order of their keys.
    fn listed(&self, bucket: BucketId, from: &From, limit: usize) -> Found<Vec<ListedVersion>>;
    /// All objects, in the order of their keys.
    fn keys(&self, bucket: BucketId, from: &From, limit: usize) -> Found<Vec<ObjectKey>>;
    /// All versions, in the order of their keys and places.
    fn listed_versions(&self, bucket: BucketId, from: &From, limit: usize) -> Found<Vec<ListedRow>>;

    fn version(&self, at: At<'_>, place: &VersionId) -> Found<Option<VersionRow>>;
    /// The versions of one object after a place, the newest first.
    fn versions(&self, at: At<'_>, after: Option<&VersionId>, limit: usize) -> Found<Vec<VersionRow>>;
    fn add_version(&self, at: At<'_>, version: &VersionRow) -> Found<()>;
    /// Only its tags, its lock, and what it is sealed under and in can change.
    fn replace_version(&self, at: At<'_>, version: &VersionRow) -> Found<()>;
    fn remove_version(&self, at: At<'_>, place: &VersionId) -> Found<()>;

    fn upload(&self, at: At<'_>, upload: &UploadId) -> Found<Option<UploadRow>>;
    fn add_upload(&self, bucket: BucketId, upload: &UploadRow) -> Found<()>;
    fn remove_upload(&self, at: At<'_>, upload: &UploadId) -> Found<()>;
    /// In the order of their keys and ids.
    fn uploads(&self, bucket: BucketId, from: &From, limit: usize) -> Found<Vec<UploadRow>>;

    fn segment(&self, body: &UploadId, part: u16) -> Found<Option<SegmentRow>>;
    /// Adds it, or puts it in the place of the one that was there. Its file is garbage no more; one that was taken cannot be
    /// had again.
    fn set_segment(&self, body: &UploadId, segment: &SegmentRow) -> Found<()>;
    /// One after another, after a part.
    fn parts(&self, body: &UploadId, after: u16, limit: usize) -> Found<Vec<PartRow>>;
    /// Removes one, and notes its file as garbage: from then on it waits.
    fn remove_part(&self, body: &UploadId, part: u16, now: Timestamp) -> Found<()>;
    /// Removes all, and notes their files as garbage.
    fn remove_body(&self, body: &UploadId, now: Timestamp) -> Found<()>;

    /// Files noted as garbage not between these times, but before or after, the earliest first, which no body has.
    fn garbage(&self, but: (Timestamp, Timestamp), limit: usize) -> Found<Vec<SegmentId>>;
    /// Takes a file that was noted as garbage, to delete it: no body can have it any more. `false` if one has.
    fn take_garbage(&self, segment: SegmentId) -> Found<bool>;
    fn forget_garbage(&self, segment: SegmentId) -> Found<()>;
    /// Has a file that was noted as garbage wait as if it had been noted at `now`.
    fn put_off_garbage(&self, segment: SegmentId, now: Timestamp) -> Found<()>;
    /// Notes a file as garbage, unless a body has it.
    fn note_orphan(&self, segment: SegmentId, now: Timestamp) -> Found<bool>;

    fn count_sealed(&self, of: (AccountId, &Arn), kind: Sealed, by: Difference) -> Found<()>;
    fn latest_time(&self) -> Found<Timestamp>;
    fn set_latest_time(&self, at: Timestamp) -> Found<()>;
}

/// A version as lists tell it, and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedRow {
    pub(crate) place: VersionId,
    pub(crate) listed: ListedVersion,
}

/// The rows that a connection to SQLite reads, or its transaction changes.
pub(crate) struct SqliteRows<'a> {
    pub(crate) connection: &'a Connection,
    /// Who says of a row that is read whether it is authentic. What is changed is compared when the change is committed, and
    /// until then not what was there before.
    pub(crate) checked_by: Option<&'a Database>,
}

impl<'a> SqliteRows<'a> {
    /// For whoever only reads.
    pub(crate) fn checked_by(database: &'a Database, connection: &'a Connection) -> Self {
        Self {
            connection,
            checked_by: Some(database),
        }
    }
}
