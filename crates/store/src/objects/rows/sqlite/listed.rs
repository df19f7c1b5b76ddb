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

/// Of the objects that are no delete markers, which an index of their own has. A head without its version is damage, and
/// makes the query fail.
fn select_objects(compared: &str) -> String {
    format!(
        "SELECT h.key, v.version_id, v.is_null, v.modified_at, v.size, v.etag, v.body_id IS NULL, 1
        FROM object_head AS h INDEXED BY object_listed LEFT JOIN object_version AS v
            ON v.bucket_id = h.bucket_id AND v.key = h.key AND v.version_id = h.current
        WHERE h.bucket_id = ?1 AND h.key {compared} ?2 AND NOT h.is_marker ORDER BY h.key LIMIT ?3"
    )
}

pub(super) fn objects(
    connection: &Connection,
    bucket: BucketId,
    (from, limit): Asked<'_>,
) -> rusqlite::Result<Vec<ListedVersion>> {
    let (compared, key) = start(from);
    let mut statement = connection.prepare_cached(&select_objects(compared))?;
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rusqlite::StatementStatus;

    use super::*;
    use crate::migrations::{known, migrate_to};

    #[test]
    fn a_list_takes_as_long_as_it_is_however_many_were_deleted() {
        let mut sqlite = Connection::open_in_memory().unwrap();
        migrate_to(&mut sqlite, Path::new("memory"), known()).unwrap();
        sqlite
            .execute_batch(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
                INSERT INTO object_head SELECT 7, printf('k%06d', i), 'place', NULL, i % 10000 <> 0 FROM n;
                INSERT INTO object_version SELECT bucket_id, key, current, 1, 5, 'b', 7, 'e', NULL, NULL, NULL, 0, NULL,
                    'arn', '{}', zeroblob(2), 0 FROM object_head WHERE NOT is_marker;",
            )
            .unwrap();
        for (compared, from, expected) in [(">=", "", 2), (">", "k010000", 1)] {
            let mut statement = sqlite.prepare(&select_objects(compared)).unwrap();
            let found: Vec<String> = statement
                .query_map(params![7, from, 1000], |row| row.get(0))
                .unwrap()
                .collect::<rusqlite::Result<_>>()
                .unwrap();
            assert_eq!(found.len(), expected, "{found:?}");
            let steps = statement.get_status(StatementStatus::VmStep);
            assert!(steps < 1000, "{steps}");
        }
    }
}
