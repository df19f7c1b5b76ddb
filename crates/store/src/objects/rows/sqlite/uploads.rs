//! Uploads that were begun.

use moho_terms::UploadId;
use rusqlite::{Connection, Row, named_params, params};

use super::super::{At, From, UploadRow};
use super::{at_most_one, limited, sealed};
use crate::database::{micros, term, time};
use crate::objects::BucketId;

const COLUMNS: &str = "key, upload_id, initiated_at, initiator,
    retention_mode, retain_until, legal_hold, hold_said, tags, key_arn, encryption, sealed";

fn upload(row: &Row<'_>) -> rusqlite::Result<UploadRow> {
    Ok(UploadRow {
        key: term(row, 0)?,
        upload_id: term(row, 1)?,
        initiated_at: time(row, 2)?,
        initiator: term(row, 3)?,
        sealed: sealed(row, 4)?,
    })
}

pub(super) fn find(
    connection: &Connection,
    at: At<'_>,
    id: &UploadId,
) -> rusqlite::Result<Option<UploadRow>> {
    let select =
        format!("SELECT {COLUMNS} FROM object_upload WHERE bucket_id = ?1 AND key = ?2 AND upload_id = ?3");
    let values = params![at.bucket.0, at.key, id.as_str()];
    at_most_one(connection.prepare_cached(&select)?.query_row(values, upload))
}

pub(super) fn add(connection: &Connection, bucket: BucketId, upload: &UploadRow) -> rusqlite::Result<()> {
    let insert =
        "INSERT INTO object_upload (bucket_id, key, upload_id, initiated_at, initiator, retention_mode,
            retain_until, legal_hold, hold_said, tags, key_arn, encryption, sealed)
        VALUES (:bucket, :key, :upload, :initiated_at, :initiator, :mode, :until, :hold, :said, :tags, :key_arn,
            :encryption, :sealed)";
    let sealed = &upload.sealed;
    let values = named_params! {
        ":bucket": bucket.0,
        ":key": upload.key.as_str(),
        ":upload": upload.upload_id.as_str(),
        ":initiated_at": micros(upload.initiated_at),
        ":initiator": upload.initiator.as_str(),
        ":mode": sealed.lock.retention.map(|retention| retention.mode.as_str()),
        ":until": sealed.lock.retention.map(|retention| micros(retention.until)),
        ":hold": sealed.lock.is_held(),
        ":said": sealed.lock.legal_hold.is_some(),
        ":tags": sealed.tags.as_deref(),
        ":key_arn": sealed.key.as_str(),
        ":encryption": sealed.encryption.as_str(),
        ":sealed": sealed.metadata.as_slice(),
    };
    connection.prepare_cached(insert)?.execute(values).map(|_| ())
}

pub(super) fn remove(connection: &Connection, at: At<'_>, id: &UploadId) -> rusqlite::Result<()> {
    let delete = "DELETE FROM object_upload WHERE bucket_id = ?1 AND key = ?2 AND upload_id = ?3";
    let values = params![at.bucket.0, at.key, id.as_str()];
    connection.prepare_cached(delete)?.execute(values).map(|_| ())
}

pub(super) fn list(
    connection: &Connection,
    bucket: BucketId,
    (from, limit): (&From, usize),
) -> rusqlite::Result<Vec<UploadRow>> {
    let (compared, key, within) = match from {
        From::Within(key, id) => ("(key, upload_id) > (?2, ?4)", key, id.as_str()),
        From::Key(key) => ("key >= ?2 AND ?4 IS NOT NULL", key, ""),
        From::AfterKey(key) => ("key > ?2 AND ?4 IS NOT NULL", key, ""),
    };
    let select = format!(
        "SELECT {COLUMNS} FROM object_upload WHERE bucket_id = ?1 AND {compared} ORDER BY key, upload_id LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(&select)?;
    statement
        .query_map(params![bucket.0, key, limited(limit), within], upload)?
        .collect()
}
