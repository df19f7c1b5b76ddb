//! [`ObjectRows`] in SQLite. Each query is one seek, or a walk along a primary key from there.

mod buckets;
mod listed;
mod segments;
mod uploads;
mod versions;

use moho_terms::{AccountId, Arn, ObjectKey, Timestamp, UploadId, VersionId};
use rusqlite::{OptionalExtension, Row, ToSql, params};

use super::{
    At, Difference, From, Head, ListedRow, ObjectRows, PartRow, Sealed, SealedRow, SegmentRow, SqliteRows,
    UploadRow, VersionRow,
};
use crate::database::{micros, term, time};
use crate::objects::error::Found;
use crate::objects::{
    Bucket, BucketId, BucketsRequest, DocumentKind, ListedVersion, ObjectLock, Retention, RetentionMode,
    SegmentId,
};

impl SqliteRows<'_> {
    /// Whether a row is the one that was written last, or is rightly absent, where that is for whoever reads it to see.
    fn check(&self, table: &'static str, key: &[&dyn ToSql]) -> rusqlite::Result<()> {
        self.checked_by
            .map_or(Ok(()), |database| database.check(self.connection, table, key))
    }
}

impl ObjectRows for SqliteRows<'_> {
    fn bucket(&self, name: &str) -> Found<Option<Bucket>> {
        self.check("bucket", &[&name])?;
        Ok(buckets::find(self.connection, name)?)
    }

    fn buckets(&self, account: AccountId, asked: BucketsRequest<'_>) -> Found<Vec<Bucket>> {
        Ok(buckets::list(self.connection, account, asked)?)
    }

    fn every_bucket(&self, after: &str) -> Found<Option<Bucket>> {
        Ok(buckets::next(self.connection, after)?)
    }

    fn count_buckets(&self, account: AccountId) -> Found<u64> {
        Ok(buckets::count(self.connection, account)?)
    }

    fn add_bucket(&self, bucket: &Bucket) -> Found<()> {
        Ok(buckets::add(self.connection, bucket)?)
    }

    fn replace_bucket(&self, bucket: &Bucket) -> Found<()> {
        Ok(buckets::replace(self.connection, bucket)?)
    }

    fn remove_bucket(&self, bucket: &Bucket) -> Found<()> {
        Ok(buckets::remove(self.connection, bucket)?)
    }

    fn document(&self, bucket: BucketId, kind: DocumentKind) -> Found<Option<String>> {
        self.check("bucket_document", &[&bucket.0, &kind.as_str()])?;
        Ok(buckets::document(self.connection, bucket, kind)?)
    }

    fn set_document(&self, bucket: BucketId, kind: DocumentKind, document: Option<&str>) -> Found<()> {
        Ok(buckets::set_document(self.connection, (bucket, kind), document)?)
    }

    fn head(&self, at: At<'_>) -> Found<Option<Head>> {
        self.check("object_head", &[&at.bucket.0, &at.key])?;
        Ok(versions::head(self.connection, at)?)
    }

    fn set_head(&self, at: At<'_>, head: Option<&Head>) -> Found<()> {
        Ok(versions::set_head(self.connection, at, head)?)
    }

    fn listed(&self, bucket: BucketId, from: &From, limit: usize) -> Found<Vec<ListedVersion>> {
        Ok(listed::objects(self.connection, bucket, (from, limit))?)
    }

    fn keys(&self, bucket: BucketId, from: &From, limit: usize) -> Found<Vec<ObjectKey>> {
        Ok(listed::keys(self.connection, bucket, (from, limit))?)
    }

    fn listed_versions(&self, bucket: BucketId, from: &From, limit: usize) -> Found<Vec<ListedRow>> {
        Ok(listed::versions(self.connection, bucket, (from, limit))?)
    }

    fn version(&self, at: At<'_>, place: &VersionId) -> Found<Option<VersionRow>> {
        self.check("object_version", &[&at.bucket.0, &at.key, &place.as_str()])?;
        Ok(versions::find(self.connection, at, place)?)
    }

    fn versions(&self, at: At<'_>, after: Option<&VersionId>, limit: usize) -> Found<Vec<VersionRow>> {
        Ok(versions::list(self.connection, at, (after, limit))?)
    }

    fn add_version(&self, at: At<'_>, version: &VersionRow) -> Found<()> {
        Ok(versions::add(self.connection, at, version)?)
    }

    fn replace_version(&self, at: At<'_>, version: &VersionRow) -> Found<()> {
        Ok(versions::replace(self.connection, at, version)?)
    }

    fn remove_version(&self, at: At<'_>, place: &VersionId) -> Found<()> {
        Ok(versions::remove(self.connection, at, place)?)
    }

    fn upload(&self, at: At<'_>, upload: &UploadId) -> Found<Option<UploadRow>> {
        self.check("object_upload", &[&at.bucket.0, &at.key, &upload.as_str()])?;
        Ok(uploads::find(self.connection, at, upload)?)
    }

    fn add_upload(&self, bucket: BucketId, upload: &UploadRow) -> Found<()> {
        Ok(uploads::add(self.connection, bucket, upload)?)
    }

    fn remove_upload(&self, at: At<'_>, upload: &UploadId) -> Found<()> {
        Ok(uploads::remove(self.connection, at, upload)?)
    }

    fn uploads(&self, bucket: BucketId, from: &From, limit: usize) -> Found<Vec<UploadRow>> {
        Ok(uploads::list(self.connection, bucket, (from, limit))?)
    }

    fn segment(&self, body: &UploadId, part: u16) -> Found<Option<SegmentRow>> {
        self.check("object_segment", &[&body.as_str(), &part])?;
        Ok(segments::find(self.connection, body, part)?)
    }

    fn set_segment(&self, body: &UploadId, segment: &SegmentRow) -> Found<()> {
        Ok(segments::set(self.connection, body, segment)?)
    }

    fn parts(&self, body: &UploadId, after: u16, limit: usize) -> Found<Vec<PartRow>> {
        Ok(segments::list(self.connection, body, (after, limit))?)
    }

    fn remove_part(&self, body: &UploadId, part: u16, now: Timestamp) -> Found<()> {
        Ok(segments::remove(self.connection, body, (part, now))?)
    }

    fn remove_body(&self, body: &UploadId, now: Timestamp) -> Found<()> {
        Ok(segments::remove_all(self.connection, body, now)?)
    }

    fn garbage(&self, but: (Timestamp, Timestamp), limit: usize) -> Found<Vec<SegmentId>> {
        Ok(segments::garbage(self.connection, but, limit)?)
    }

    fn take_garbage(&self, segment: SegmentId) -> Found<bool> {
        Ok(segments::take_garbage(self.connection, segment)?)
    }

    fn forget_garbage(&self, segment: SegmentId) -> Found<()> {
        Ok(segments::forget_garbage(self.connection, segment)?)
    }

    fn put_off_garbage(&self, segment: SegmentId, now: Timestamp) -> Found<()> {
        Ok(segments::put_off_garbage(self.connection, segment, now)?)
    }

    fn note_orphan(&self, segment: SegmentId, now: Timestamp) -> Found<bool> {
        Ok(segments::note_orphan(self.connection, segment, now)?)
    }

    fn count_sealed(&self, (account, key): (AccountId, &Arn), kind: Sealed, by: Difference) -> Found<()> {
        let key = key.resource().trim_start_matches("key/");
        let kind = match kind {
            Sealed::Object => "object",
            Sealed::Part => "part",
        };
        let count =
            "INSERT INTO object_sealed (account_id, key_id, kind, count, bytes) VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (account_id, key_id, kind) DO UPDATE
            SET count = max(count + excluded.count, 0), bytes = max(bytes + excluded.bytes, 0)";
        let values = params![account.as_str(), key, kind, by.count, by.bytes];
        self.connection.prepare_cached(count)?.execute(values)?;
        Ok(())
    }

    fn latest_time(&self) -> Found<Timestamp> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT at FROM latest_time WHERE one = 1")?;
        Ok(statement.query_row([], |row| time(row, 0))?)
    }

    fn set_latest_time(&self, at: Timestamp) -> Found<()> {
        let set = "UPDATE latest_time SET at = max(at, ?1) WHERE one = 1";
        self.connection.prepare_cached(set)?.execute([micros(at)])?;
        Ok(())
    }
}

/// A number of rows as SQLite takes it.
fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A column that may hold a term.
fn term_if_any<T: std::str::FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    match row.get_ref(column)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        rusqlite::types::ValueRef::Text(_)
        | rusqlite::types::ValueRef::Integer(_)
        | rusqlite::types::ValueRef::Real(_)
        | rusqlite::types::ValueRef::Blob(_) => term(row, column).map(Some),
    }
}

/// Retention's mode and end, the legal hold and whether that was said, in four columns.
fn lock(row: &Row<'_>, first: usize) -> rusqlite::Result<ObjectLock> {
    let mode: Option<String> = row.get(first)?;
    let until = first.saturating_add(1);
    let retention = match mode {
        None => None,
        Some(mode) => Some(Retention {
            mode: RetentionMode::parse(&mode).ok_or(rusqlite::Error::InvalidColumnType(
                first,
                "retention_mode".to_owned(),
                rusqlite::types::Type::Text,
            ))?,
            until: time(row, until)?,
        }),
    };
    let (held, said): (bool, bool) = (
        row.get(first.saturating_add(2))?,
        row.get(first.saturating_add(3))?,
    );
    Ok(ObjectLock {
        retention,
        legal_hold: said.then_some(held),
    })
}

/// The columns of [`lock`], then tags, key, encryption and metadata.
fn sealed(row: &Row<'_>, first: usize) -> rusqlite::Result<SealedRow> {
    Ok(SealedRow {
        lock: lock(row, first)?,
        tags: row.get(first.saturating_add(4))?,
        key: term(row, first.saturating_add(5))?,
        encryption: row.get(first.saturating_add(6))?,
        metadata: row.get(first.saturating_add(7))?,
    })
}

/// What a query that finds at most one row finds.
fn at_most_one<T>(found: rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
    found.optional()
}
