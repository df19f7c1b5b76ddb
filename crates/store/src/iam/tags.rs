//! Tags of roles, policies and instance profiles. Keys that differ in case only are the same key.

use rusqlite::{Connection, Transaction, params};

use super::error::Found;
use super::names::folded;
use super::{IamCode, Listed, Page};

/// How many tags one thing may have.
const MOST: u32 = 50;

/// A key and its value.
pub type Tag = (String, String);

/// Adds tags, or changes their values.
pub(crate) fn put(transaction: &Transaction<'_>, owner: &str, tags: &[Tag]) -> Found<()> {
    let mut keys: Vec<String> = tags.iter().map(|(key, _)| folded(key)).collect();
    keys.sort_unstable();
    if keys
        .windows(2)
        .any(|pair| matches!(pair, [one, two] if one == two))
    {
        let message = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
        return Err(IamCode::InvalidInput.because(message).into());
    }
    if keys.iter().any(|key| key.starts_with("aws:")) {
        let message = "Tag keys that begin with aws: are reserved.";
        return Err(IamCode::InvalidInput.because(message).into());
    }
    for (key, value) in tags {
        transaction
            .prepare(
                "INSERT INTO iam_tag VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET key = excluded.key, value = excluded.value",
            )?
            .execute(params![owner, folded(key), key, value])?;
    }
    let there: u32 = transaction
        .prepare("SELECT count(*) FROM iam_tag WHERE owner_id = ?1")?
        .query_row([owner], |row| row.get(0))?;
    if there > MOST {
        let message = "The number of tags has reached the maximum limit.";
        return Err(IamCode::LimitExceeded.because(message).into());
    }
    Ok(())
}

/// Takes tags away; keys that are not there do not matter.
pub(crate) fn remove(transaction: &Transaction<'_>, owner: &str, keys: &[String]) -> rusqlite::Result<()> {
    let mut delete = transaction.prepare("DELETE FROM iam_tag WHERE owner_id = ?1 AND folded = ?2")?;
    for key in keys {
        delete.execute(params![owner, folded(key)])?;
    }
    Ok(())
}

/// Takes all tags away, of what is deleted.
pub(crate) fn forget(transaction: &Transaction<'_>, owner: &str) -> rusqlite::Result<()> {
    transaction
        .prepare("DELETE FROM iam_tag WHERE owner_id = ?1")?
        .execute([owner])
        .map(|_| ())
}

/// All tags, by their keys.
pub(crate) fn of(connection: &Connection, owner: &str) -> rusqlite::Result<Vec<Tag>> {
    connection
        .prepare("SELECT key, value FROM iam_tag WHERE owner_id = ?1 ORDER BY folded")?
        .query_map([owner], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Some of the tags, by their keys.
pub(crate) fn page(connection: &Connection, owner: &str, page: Page<'_>) -> rusqlite::Result<Listed<Tag>> {
    let rows = connection
        .prepare(
            "SELECT folded, key, value FROM iam_tag WHERE owner_id = ?1 AND folded > ?2 ORDER BY folded LIMIT ?3",
        )?
        .query_map(params![owner, page.start(), page.rows()], |row| {
            Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Listed::cut(rows, page.limit))
}
