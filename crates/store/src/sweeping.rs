//! Content that goes in batches: no transaction removes more than so many rows, and so many bytes, whoever waits behind it.
//!
//! A conversation that goes is marked first, by a time of expiry that nothing else has: from then on nobody reads it, whatever
//! is left of it. What a process leaves half done, the next round of expiring ends.

use rusqlite::{Connection, Row, params};

use crate::database::counted;

/// Rows that one transaction removes.
pub(crate) const ROWS: usize = 1000;
/// Sealed bytes that one transaction overwrites, but for those of one row.
const BYTES: u64 = 16 << 20;

/// A condition for the conversation `c`: it is not going.
pub(crate) const STAYS: &str = "c.expires_at > 0";
/// The same for items of a conversation: `?1` its account, `?2` its id.
pub(crate) const IN_ONE_THAT_STAYS: &str = "EXISTS (SELECT 1 FROM conversation AS c
    WHERE c.account_id = ?1 AND c.conversation_id = ?2 AND c.expires_at > 0)";

/// How much a transaction may still remove.
pub(crate) struct Room {
    rows: usize,
    bytes: u64,
}

impl Room {
    pub(crate) fn of(rows: usize) -> Self {
        Self { rows, bytes: BYTES }
    }

    /// As SQLite takes a limit.
    pub(crate) fn rows(&self) -> i64 {
        i64::try_from(self.rows).unwrap_or(i64::MAX)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.rows == 0 || self.bytes == 0
    }

    /// Takes room for so many rows of together so many bytes. What is too large goes alone.
    pub(crate) fn take(&mut self, rows: usize, bytes: u64) {
        self.rows = self.rows.saturating_sub(rows);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// Marks a conversation as one that goes; `false` if there is none such, or it goes already.
pub(crate) fn mark(
    transaction: &Connection,
    (account, conversation): (&str, &str),
) -> rusqlite::Result<bool> {
    let mark = "UPDATE conversation AS c SET expires_at = 0 WHERE account_id = ?1 AND conversation_id = ?2";
    let marked = transaction
        .prepare_cached(&format!("{mark} AND {STAYS}"))?
        .execute(params![account, conversation])?;
    Ok(marked > 0)
}

/// Removes a conversation that was marked, its items first, as far as there is room; says whether all of it is gone.
pub(crate) fn sweep(
    transaction: &Connection,
    (account, conversation): (&str, &str),
    room: &mut Room,
) -> rusqlite::Result<bool> {
    let mut last = None;
    {
        let select =
            "SELECT position, size FROM conversation_item WHERE account_id = ?1 AND conversation_id = ?2
            ORDER BY position LIMIT ?3";
        let mut select = transaction.prepare_cached(select)?;
        let item = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, counted(row, 1)?));
        for item in select.query_map(params![account, conversation, room.rows()], item)? {
            if room.is_full() {
                break;
            }
            let (position, size) = item?;
            room.take(1, size);
            last = Some(position);
        }
    }
    if let Some(last) = last {
        let delete =
            "DELETE FROM conversation_item WHERE account_id = ?1 AND conversation_id = ?2 AND position <= ?3";
        transaction
            .prepare_cached(delete)?
            .execute(params![account, conversation, last])?;
    }
    if room.is_full() {
        return Ok(false);
    }
    room.take(1, 0);
    // No item is left.
    let delete = "DELETE FROM conversation WHERE account_id = ?1 AND conversation_id = ?2";
    transaction
        .prepare_cached(delete)?
        .execute(params![account, conversation])?;
    Ok(true)
}
