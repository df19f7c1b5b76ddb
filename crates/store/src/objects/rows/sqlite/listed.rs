//! Lists of objects and versions: a seek to where they begin, and a walk from there.

use moho_terms::ObjectKey;
use rusqlite::{Connection, Row, params};

use super::super::{From, ListedRow};
use super::limited;
use crate::database::{counted, term, time};
use crate::objects::{BucketId, ListedVersion, StorageClass};

type Asked<'a> = (&'a From, usize);

/// What compares keys with where a list begins, and that.
fn start(from: &From) -> (&'static str, &str) {
    match from {
        From::Key(key) => (">=", key),
        From::AfterKey(key) | From::Within(key, _) => (">", key),
    }
}

fn listed(row: &Row<'_>) -> rusqlite::Result<ListedVersion> {
    let is_null: bool = row.get(2)?;
    Ok(ListedVersion {
        key: term(row, 0)?,
        version_id: if is_null {
            moho_terms::VersionId::null()
        } else {
            term(row, 1)?
        },
        modified_at: time(row, 3)?,
        size: counted(row, 4)?,
        etag: row.get(5)?,
        delete_marker: row.get(6)?,
        is_latest: row.get(7)?,
        storage_class: StorageClass::Standard,
    })
}

/// A head without its version is damage, and makes the query fail.
pub(super) fn objects(
    connection: &Connection,
    bucket: BucketId,
    (from, limit): Asked<'_>,
) -> rusqlite::Result<Vec<ListedVersion>> {
    let (compared, key) = start(from);
    let select = format!(
        "SELECT h.key, v.version_id, v.is_null, v.modified_at, v.size, v.etag, v.body_id IS NULL, 1
        FROM object_head AS h LEFT JOIN object_version AS v
            ON v.bucket_id = h.bucket_id AND v.key = h.key AND v.version_id = h.current
        WHERE h.bucket_id = ?1 AND h.key {compared} ?2 AND NOT h.is_marker ORDER BY h.key LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(&select)?;
    statement
        .query_map(params![bucket.0, key, limited(limit)], listed)?
        .collect()
}

pub(super) fn keys(
    connection: &Connection,
    bucket: BucketId,
    (from, limit): Asked<'_>,
) -> rusqlite::Result<Vec<ObjectKey>> {
    let (compared, key) = start(from);
    let select = format!(
        "SELECT key FROM object_head WHERE bucket_id = ?1 AND key {compared} ?2 ORDER BY key LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(&select)?;
    statement
        .query_map(params![bucket.0, key, limited(limit)], |row| term(row, 0))?
        .collect()
}

pub(super) fn versions(
    connection: &Connection,
    bucket: BucketId,
    (from, limit): Asked<'_>,
) -> rusqlite::Result<Vec<ListedRow>> {
    let (compared, key, within) = match from {
        From::Within(key, place) => ("(v.key, v.version_id) > (?2, ?4)", key, place.as_str()),
        From::Key(key) => ("v.key >= ?2 AND ?4 IS NOT NULL", key, ""),
        From::AfterKey(key) => ("v.key > ?2 AND ?4 IS NOT NULL", key, ""),
    };
    let select = format!(
        "SELECT v.key, v.version_id, v.is_null, v.modified_at, v.size, v.etag, v.body_id IS NULL,
            v.version_id = h.current
        FROM object_version AS v LEFT JOIN object_head AS h ON h.bucket_id = v.bucket_id AND h.key = v.key
        WHERE v.bucket_id = ?1 AND {compared} ORDER BY v.key, v.version_id LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(&select)?;
    let read = |row: &Row<'_>| {
        Ok(ListedRow {
            place: term(row, 1)?,
            listed: listed(row)?,
        })
    };
    statement
        .query_map(params![bucket.0, key, limited(limit), within], read)?
        .collect()
}
