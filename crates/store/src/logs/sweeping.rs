//! Events that go by themselves: those whose time has come, and those of streams and groups that were deleted.

use moho_terms::{AccountId, Timestamp};
use rusqlite::{Connection, Row, Transaction, params};

use super::GroupId;
use crate::Store;
use crate::database::{Stopped, integer, term};
use crate::error::{NotWrittenDown, StoreError};

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// Blocks of a group that go now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogExpiry {
    /// Whose.
    pub account: AccountId,
    /// Of which group.
    pub group: String,
    /// How many.
    pub blocks: u64,
    /// Whether because their time has come, or else because they were deleted.
    pub expired: bool,
}

/// Writes down what is about to go. What it does not take does not go.
pub type WriteLogExpiries<'a> = &'a mut dyn FnMut(&LogExpiry) -> Result<(), NotWrittenDown>;

/// What went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Blocks of events.
    pub blocks: u64,
    /// Whether there may be more to do.
    pub more: bool,
}

/// A group that has something to go.
struct Going {
    group: GroupId,
    account: AccountId,
    name: String,
    /// What happened before is too old.
    before: Option<i64>,
    gone: bool,
}

impl Store {
    /// Deletes blocks whose events are all too old by `now`, and what is left of streams and groups that were deleted: no more
    /// than `limit` blocks. Their sealed bytes are overwritten, in the write-ahead log, too. What goes is handed to `write_down`
    /// before that is kept.
    ///
    /// # Errors
    /// [`StoreError`]; then some of it is left.
    pub fn sweep_logs(
        &self,
        now: Timestamp,
        limit: usize,
        write_down: WriteLogExpiries<'_>,
    ) -> Result<Swept, StoreError> {
        let now = integer(now.unix_micros() / 1000);
        let going = self.database.read(|connection| going(connection, now))?;
        let mut swept = Swept::default();
        for group in going {
            let left = limit.saturating_sub(usize::try_from(swept.blocks).unwrap_or(usize::MAX));
            if left == 0 {
                swept.more = true;
                break;
            }
            let some = self
                .database
                .change(|transaction| sweep(transaction, (&group, left), write_down))?;
            swept.blocks = swept.blocks.saturating_add(some.blocks);
            swept.more |= some.more;
        }
        if swept.blocks > 0 {
            self.database.empty_log();
        }
        Ok(swept)
    }
}

/// Groups with blocks that are too old, or with something that was deleted.
fn going(connection: &Connection, now: i64) -> rusqlite::Result<Vec<Going>> {
    let select = "SELECT group_id, account_id, name, ?1 - retention_days * ?2, gone FROM log_group AS g
        WHERE gone = 1
            OR EXISTS (SELECT 1 FROM log_stream AS s WHERE s.group_id = g.group_id AND s.gone = 1)
            OR EXISTS (SELECT 1 FROM log_block AS b WHERE b.group_id = g.group_id AND b.last_time < ?1 - g.retention_days * ?2)";
    let mut select = connection.prepare_cached(select)?;
    let rows = select.query_map(params![now, DAY], |row: &Row<'_>| {
        Ok(Going {
            group: row.get(0)?,
            account: term(row, 1)?,
            name: row.get(2)?,
            before: row.get(3)?,
            gone: row.get(4)?,
        })
    })?;
    rows.collect()
}

/// Removes some of what goes of a group.
fn sweep(
    transaction: &Transaction<'_>,
    (going, limit): (&Going, usize),
    write_down: WriteLogExpiries<'_>,
) -> Result<Swept, Stopped<StoreError>> {
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let expired = match going.before {
        Some(before) if !going.gone => {
            let too_old = "SELECT b.stream_id, b.sequence, b.size FROM log_block AS b
                WHERE b.group_id = ?1 AND b.last_time < ?2 LIMIT ?3";
            remove(transaction, going.group, (too_old, before, most))?
        }
        Some(_) | None => 0,
    };
    let deleted = "SELECT b.stream_id, b.sequence, b.size FROM log_stream AS s JOIN log_block AS b USING (group_id, stream_id)
        WHERE s.group_id = ?1 AND (s.gone = 1 OR ?2 = 1) LIMIT ?3";
    let left = most.saturating_sub(integer(expired));
    let deleted = remove(transaction, going.group, (deleted, i64::from(going.gone), left))?;
    for (blocks, expired) in [(expired, true), (deleted, false)] {
        if blocks > 0 {
            let expiry = LogExpiry {
                account: going.account,
                group: going.name.clone(),
                blocks,
                expired,
            };
            write_down(&expiry).map_err(|error| Stopped::Refused(error.into()))?;
        }
    }
    let blocks = expired.saturating_add(deleted);
    let more = integer(blocks) >= most;
    if !more {
        remove_empty(transaction, going)?;
    }
    Ok(Swept { blocks, more })
}

/// Removes the blocks that are found so, and says how many.
fn remove(
    transaction: &Transaction<'_>,
    group: GroupId,
    (select, value, most): (&str, i64, i64),
) -> rusqlite::Result<u64> {
    let mut select = transaction.prepare_cached(select)?;
    let rows = select.query_map(params![group, value, most], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    let found: Vec<(i64, i64, i64)> = rows.collect::<rusqlite::Result<_>>()?;
    let mut delete = transaction
        .prepare_cached("DELETE FROM log_block WHERE group_id = ?1 AND stream_id = ?2 AND sequence = ?3")?;
    let mut count = transaction.prepare_cached(
        "UPDATE log_stream SET blocks = blocks - 1, stored_bytes = max(0, stored_bytes - ?3)
         WHERE group_id = ?1 AND stream_id = ?2",
    )?;
    for (stream, sequence, size) in &found {
        delete.execute(params![group, stream, sequence])?;
        count.execute(params![group, stream, size])?;
    }
    Ok(found.len() as u64)
}

/// Removes what was deleted and has no block any more.
fn remove_empty(transaction: &Transaction<'_>, going: &Going) -> rusqlite::Result<()> {
    transaction.execute(
        "DELETE FROM log_stream WHERE group_id = ?1 AND (gone = 1 OR ?2 = 1)",
        params![going.group, going.gone],
    )?;
    if going.gone {
        transaction.execute("DELETE FROM log_group WHERE group_id = ?1", [going.group])?;
    }
    // The times of what is left are those of its blocks.
    let first = "UPDATE log_stream AS s SET first_event =
            (SELECT min(first_time) FROM log_block AS b WHERE b.group_id = s.group_id AND b.stream_id = s.stream_id)
        WHERE group_id = ?1 AND first_event < ?2";
    transaction.execute(first, params![going.group, going.before])?;
    Ok(())
}
