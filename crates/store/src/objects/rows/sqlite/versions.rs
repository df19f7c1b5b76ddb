//! Versions, and which of them are current.

use moho_terms::VersionId;
use rusqlite::{Connection, Row, named_params, params};

use super::super::{At, ContentRow, Head, VersionRow};
use super::{at_most_one, limited, sealed, term_if_any};
use crate::database::{counted, integer, micros, term, time};

const COLUMNS: &str = "version_id, is_null, modified_at, body_id, size, etag, parts,
    retention_mode, retain_until, legal_hold, hold_said, tags, key_arn, encryption, sealed";

pub(super) fn head(connection: &Connection, at: At<'_>) -> rusqlite::Result<Option<Head>> {
    let select = "SELECT current, null_version, is_marker FROM object_head WHERE bucket_id = ?1 AND key = ?2";
    let read = |row: &Row<'_>| {
        Ok(Head {
            current: term(row, 0)?,
            null: term_if_any(row, 1)?,
            is_marker: row.get(2)?,
        })
    };
    at_most_one(
        connection
            .prepare_cached(select)?
            .query_row(params![at.bucket.0, at.key], read),
    )
}

pub(super) fn set_head(connection: &Connection, at: At<'_>, head: Option<&Head>) -> rusqlite::Result<()> {
    let Some(head) = head else {
        let delete = "DELETE FROM object_head WHERE bucket_id = ?1 AND key = ?2";
        let mut statement = connection.prepare_cached(delete)?;
        return statement.execute(params![at.bucket.0, at.key]).map(|_| ());
    };
    let set = "INSERT INTO object_head (bucket_id, key, current, null_version, is_marker) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (bucket_id, key) DO UPDATE
        SET current = excluded.current, null_version = excluded.null_version, is_marker = excluded.is_marker";
    let values = params![
        at.bucket.0,
        at.key,
        head.current.as_str(),
        head.null.as_ref().map(VersionId::as_str),
        head.is_marker
    ];
    connection.prepare_cached(set)?.execute(values).map(|_| ())
}

fn version(row: &Row<'_>) -> rusqlite::Result<VersionRow> {
    let parts: Option<u32> = row.get(6)?;
    let content = match term_if_any(row, 3)? {
        None => None,
        Some(body) => Some(ContentRow {
            body,
            size: counted(row, 4)?,
            etag: row.get(5)?,
            parts,
            sealed: sealed(row, 7)?,
        }),
    };
    Ok(VersionRow {
        place: term(row, 0)?,
        is_null: row.get(1)?,
        modified_at: time(row, 2)?,
        content,
    })
}

pub(super) fn find(
    connection: &Connection,
    at: At<'_>,
    place: &VersionId,
) -> rusqlite::Result<Option<VersionRow>> {
    let select =
        format!("SELECT {COLUMNS} FROM object_version WHERE bucket_id = ?1 AND key = ?2 AND version_id = ?3");
    let values = params![at.bucket.0, at.key, place.as_str()];
    at_most_one(connection.prepare_cached(&select)?.query_row(values, version))
}

pub(super) fn list(
    connection: &Connection,
    at: At<'_>,
    (after, limit): (Option<&VersionId>, usize),
) -> rusqlite::Result<Vec<VersionRow>> {
    let select = format!(
        "SELECT {COLUMNS} FROM object_version WHERE bucket_id = ?1 AND key = ?2 AND version_id > ?3
            ORDER BY version_id LIMIT ?4"
    );
    let after = after.map_or("", VersionId::as_str);
    let mut statement = connection.prepare_cached(&select)?;
    statement
        .query_map(params![at.bucket.0, at.key, after, limited(limit)], version)?
        .collect()
}

pub(super) fn add(connection: &Connection, at: At<'_>, version: &VersionRow) -> rusqlite::Result<()> {
    let insert =
        "INSERT INTO object_version (bucket_id, key, version_id, is_null, modified_at, body_id, size, etag,
            parts, retention_mode, retain_until, legal_hold, hold_said, tags, key_arn, encryption, sealed)
        VALUES (:bucket, :key, :version, :is_null, :modified_at, :body, :size, :etag, :parts,
            :mode, :until, :hold, :said, :tags, :key_arn, :encryption, :sealed)";
    let content = version.content.as_ref();
    let sealed = content.map(|content| &content.sealed);
    let lock = sealed.map(|sealed| sealed.lock).unwrap_or_default();
    let values = named_params! {
        ":bucket": at.bucket.0,
        ":key": at.key,
        ":version": version.place.as_str(),
        ":is_null": version.is_null,
        ":modified_at": micros(version.modified_at),
        ":body": content.map(|content| content.body.as_str()),
        ":size": content.map_or(0, |content| integer(content.size)),
        ":etag": content.map_or("", |content| content.etag.as_str()),
        ":parts": content.and_then(|content| content.parts),
        ":mode": lock.retention.map(|retention| retention.mode.as_str()),
        ":until": lock.retention.map(|retention| micros(retention.until)),
        ":hold": lock.is_held(),
        ":said": lock.legal_hold.is_some(),
        ":tags": sealed.and_then(|sealed| sealed.tags.as_deref()),
        ":key_arn": sealed.map(|sealed| sealed.key.as_str()),
        ":encryption": sealed.map(|sealed| sealed.encryption.as_str()),
        ":sealed": sealed.map(|sealed| sealed.metadata.as_slice()),
    };
    connection.prepare_cached(insert)?.execute(values).map(|_| ())
}

pub(super) fn replace(connection: &Connection, at: At<'_>, version: &VersionRow) -> rusqlite::Result<()> {
    let update =
        "UPDATE object_version SET retention_mode = :mode, retain_until = :until, legal_hold = :hold, hold_said = :said,
            tags = :tags,
            body_id = :body, key_arn = :key_arn, encryption = :encryption, sealed = :sealed
        WHERE bucket_id = :bucket AND key = :key AND version_id = :version";
    let sealed = version.content.as_ref().map(|content| &content.sealed);
    let lock = sealed.map(|sealed| sealed.lock).unwrap_or_default();
    let values = named_params! {
        ":bucket": at.bucket.0,
        ":key": at.key,
        ":version": version.place.as_str(),
        ":mode": lock.retention.map(|retention| retention.mode.as_str()),
        ":until": lock.retention.map(|retention| micros(retention.until)),
        ":hold": lock.is_held(),
        ":said": lock.legal_hold.is_some(),
        ":tags": sealed.and_then(|sealed| sealed.tags.as_deref()),
        ":body": version.content.as_ref().map(|content| content.body.as_str()),
        ":key_arn": sealed.map(|sealed| sealed.key.as_str()),
        ":encryption": sealed.map(|sealed| sealed.encryption.as_str()),
        ":sealed": sealed.map(|sealed| sealed.metadata.as_slice()),
    };
    connection.prepare_cached(update)?.execute(values).map(|_| ())
}

pub(super) fn remove(connection: &Connection, at: At<'_>, place: &VersionId) -> rusqlite::Result<()> {
    let delete = "DELETE FROM object_version WHERE bucket_id = ?1 AND key = ?2 AND version_id = ?3";
    let values = params![at.bucket.0, at.key, place.as_str()];
    connection.prepare_cached(delete)?.execute(values).map(|_| ())
}
