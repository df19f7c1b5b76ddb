//! Buckets and their documents.

use moho_terms::AccountId;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, named_params, params};

use super::{at_most_one, limited};
use crate::database::{counted, micros, term, time};
use crate::objects::{Bucket, BucketId, BucketsRequest, DocumentKind, Versioning};

const COLUMNS: &str = "name, bucket_id, account_id, region, created_at, versioning, object_lock, settings";

fn bucket(row: &Row<'_>) -> rusqlite::Result<Bucket> {
    let versioning: String = row.get(5)?;
    let settings: String = row.get(7)?;
    let unreadable = |column| rusqlite::Error::InvalidColumnType(column, "bucket".to_owned(), Type::Text);
    Ok(Bucket {
        name: term(row, 0)?,
        id: BucketId(row.get(1)?),
        owner: term(row, 2)?,
        region: term(row, 3)?,
        created_at: time(row, 4)?,
        versioning: Versioning::parse(&versioning).ok_or_else(|| unreadable(5))?,
        object_lock: row.get(6)?,
        settings: serde_json::from_str(&settings).map_err(|_unreadable| unreadable(7))?,
    })
}

pub(super) fn find(connection: &Connection, name: &str) -> rusqlite::Result<Option<Bucket>> {
    let select = format!("SELECT {COLUMNS} FROM bucket WHERE name = ?1");
    at_most_one(connection.prepare_cached(&select)?.query_row([name], bucket))
}

pub(super) fn list(
    connection: &Connection,
    account: AccountId,
    asked: BucketsRequest<'_>,
) -> rusqlite::Result<Vec<Bucket>> {
    let select = format!(
        "SELECT {COLUMNS} FROM bucket WHERE account_id = ?1 AND name > ?2 AND name >= ?3
            AND substr(name, 1, length(?3)) = ?3 AND (?4 IS NULL OR region = ?4) ORDER BY name LIMIT ?5"
    );
    let after = asked.after.map_or("", |after| after.as_str());
    let values = params![
        account.as_str(),
        after,
        asked.prefix,
        asked.region,
        limited(asked.limit)
    ];
    let mut statement = connection.prepare_cached(&select)?;
    statement.query_map(values, bucket)?.collect()
}

pub(super) fn next(connection: &Connection, after: &str) -> rusqlite::Result<Option<Bucket>> {
    let select = format!("SELECT {COLUMNS} FROM bucket WHERE name > ?1 ORDER BY name LIMIT 1");
    at_most_one(connection.prepare_cached(&select)?.query_row([after], bucket))
}

pub(super) fn count(connection: &Connection, account: AccountId) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT count(*) FROM bucket WHERE account_id = ?1")?
        .query_row([account.as_str()], |row| counted(row, 0))
}

pub(super) fn add(connection: &Connection, bucket: &Bucket) -> rusqlite::Result<()> {
    let insert = "INSERT INTO bucket (name, bucket_id, account_id, region, created_at, versioning, object_lock, settings)
        VALUES (:name, :id, :account, :region, :created_at, :versioning, :object_lock, :settings)";
    let values = named_params! {
        ":name": bucket.name.as_str(),
        ":id": bucket.id.0,
        ":account": bucket.owner.as_str(),
        ":region": bucket.region.as_str(),
        ":created_at": micros(bucket.created_at),
        ":versioning": bucket.versioning.as_str(),
        ":object_lock": bucket.object_lock,
        ":settings": settings(bucket)?,
    };
    connection.prepare_cached(insert)?.execute(values).map(|_| ())
}

pub(super) fn replace(connection: &Connection, bucket: &Bucket) -> rusqlite::Result<()> {
    let update = "UPDATE bucket SET versioning = ?3, object_lock = ?4, settings = ?5 WHERE name = ?1 AND bucket_id = ?2";
    let values = params![
        bucket.name.as_str(),
        bucket.id.0,
        bucket.versioning.as_str(),
        bucket.object_lock,
        settings(bucket)?
    ];
    connection.prepare_cached(update)?.execute(values).map(|_| ())
}

pub(super) fn remove(connection: &Connection, bucket: &Bucket) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM bucket_document WHERE bucket_id = ?1", [bucket.id.0])?;
    let delete = "DELETE FROM bucket WHERE name = ?1 AND bucket_id = ?2";
    connection
        .execute(delete, params![bucket.name.as_str(), bucket.id.0])
        .map(|_| ())
}

fn settings(bucket: &Bucket) -> rusqlite::Result<String> {
    serde_json::to_string(&bucket.settings)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

pub(super) fn document(
    connection: &Connection,
    bucket: BucketId,
    kind: DocumentKind,
) -> rusqlite::Result<Option<String>> {
    let select = "SELECT document FROM bucket_document WHERE bucket_id = ?1 AND kind = ?2";
    let mut statement = connection.prepare_cached(select)?;
    at_most_one(statement.query_row(params![bucket.0, kind.as_str()], |row| row.get(0)))
}

pub(super) fn set_document(
    connection: &Connection,
    (bucket, kind): (BucketId, DocumentKind),
    document: Option<&str>,
) -> rusqlite::Result<()> {
    let Some(document) = document else {
        let delete = "DELETE FROM bucket_document WHERE bucket_id = ?1 AND kind = ?2";
        let mut statement = connection.prepare_cached(delete)?;
        return statement.execute(params![bucket.0, kind.as_str()]).map(|_| ());
    };
    let set = "INSERT INTO bucket_document (bucket_id, kind, document) VALUES (?1, ?2, ?3)
        ON CONFLICT (bucket_id, kind) DO UPDATE SET document = excluded.document";
    let values = params![bucket.0, kind.as_str(), document];
    connection.prepare_cached(set)?.execute(values).map(|_| ())
}
