//! Items of conversations: added at the end, read in pages, deleted one by one.

use std::collections::BTreeSet;

use moho_iam::action::mantle::UpdateConversation;
use moho_iam::action::{Action, kms};
use moho_iam::authz::Permit;
use moho_kms::Kms;
use moho_terms::{ContentBytes, ItemId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::{conversation_context, named};
use crate::Store;
use crate::database::{counted, integer, micros, term};
use crate::error::StoreError;
use crate::responses::{NewResponse, SealedResponse};
use crate::retention::kept_days;
use crate::sweeping::{IN_ONE_THAT_STAYS, STAYS};

/// Items of one conversation.
const MOST: u64 = 10_000;
/// Places without an item that are asked about with one page: whoever deletes items leaves them.
const MOST_GAPS: usize = 1000;
/// Bytes that all items of one conversation have together: more than any model reads.
const MOST_BYTES: u64 = 16 << 20;

/// An item to add.
pub struct NewItem {
    /// Its id.
    pub id: ItemId,
    /// What is to be sealed, with its id and its place.
    pub body: ContentBytes,
}

/// What is added to a conversation at once.
pub struct NewTurn<'a> {
    /// The place of the first item.
    pub position: u64,
    /// The items.
    pub items: &'a [NewItem],
    /// The response that they are of, if it is kept.
    pub response: Option<&'a NewResponse<'a>>,
}

/// What came of adding items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// They are there.
    Done,
    /// There is no such conversation.
    Absent,
    /// Others were added at the same time: their places are taken.
    Raced,
    /// The conversation would have more than it may.
    Full,
    /// There is an item of this id already.
    Twice,
}

/// An item that was opened.
pub struct KeptItem {
    /// Its id, as its row has it.
    pub id: ItemId,
    /// Its place, as its row has it.
    pub position: u64,
    /// What was sealed.
    pub body: ContentBytes,
}

/// Which items are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemPage {
    /// Continue after this item.
    pub after: Option<ItemId>,
    /// Oldest first, instead of newest first.
    pub ascending: bool,
    /// At most this many.
    pub limit: usize,
}

impl Store {
    /// Seals items under the key that the second permit is for and adds them to the conversation that the first is for, made or
    /// changed by it, the first of them at `position`.
    ///
    /// # Errors
    /// [`StoreError`]; then none is added. [`StoreError::KeepsNothing`] if the account keeps none by now.
    pub fn append_items<A: Action>(
        &self,
        permits: (&Permit<A>, &Permit<kms::GenerateDataKey>),
        kms: &Kms,
        (position, items): (u64, &[NewItem]),
        now: Timestamp,
    ) -> Result<Appended, StoreError> {
        let response = None;
        let turn = NewTurn {
            position,
            items,
            response,
        };
        self.append_turn(permits, kms, &turn, now)
    }

    /// The same with the response that the items are of, if that is to be kept: both are, or neither is.
    ///
    /// # Errors
    /// As of [`Self::append_items`] and [`Self::put_response`]; then nothing is kept.
    pub fn append_turn<A: Action>(
        &self,
        (update, key): (&Permit<A>, &Permit<kms::GenerateDataKey>),
        kms: &Kms,
        turn: &NewTurn<'_>,
        now: Timestamp,
    ) -> Result<Appended, StoreError> {
        let (account, conversation) = named(update)?;
        let context = conversation_context(account, &conversation)?;
        let mut sealed = Vec::with_capacity(turn.items.len());
        for item in turn.items {
            sealed.push(kms.seal(key, &context, &item.body)?);
        }
        let response = turn.response.map(|new| SealedResponse::of(new, kms));
        let response = response.transpose()?;
        let key = key.resource().resource().trim_start_matches("key/");
        let whose = (account.as_str(), conversation.as_str());
        self.database.change(|transaction| {
            let days = kept_days(transaction, (account, u32::MAX))?;
            let appended = take_places(transaction, (whose, key), turn, (now, days))?;
            if appended != Appended::Done {
                return Ok(appended);
            }
            let mut insert = transaction.prepare(
                "INSERT INTO conversation_item (account_id, conversation_id, position, item_id, size, sealed)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            for ((place, item), sealed) in (turn.position..).zip(turn.items).zip(&sealed) {
                let size = integer(u64::try_from(item.body.len()).unwrap_or(u64::MAX));
                insert.execute(params![
                    whose.0,
                    whose.1,
                    integer(place),
                    item.id.as_str(),
                    size,
                    sealed.as_bytes()
                ])?;
            }
            if let Some(response) = &response {
                response.keep(transaction, now)?;
            }
            Ok(Appended::Done)
        })
    }

    /// Opens a page of the items of the conversation that `read` is for; `None` if the page begins after an item that is not
    /// there.
    ///
    /// # Errors
    /// [`StoreError::Kms`] if one does not open under the key that `key` is for.
    pub fn conversation_items<A: Action>(
        &self,
        read: &Permit<A>,
        key: &Permit<kms::Decrypt>,
        kms: &Kms,
        page: &ItemPage,
    ) -> Result<Option<Vec<KeptItem>>, StoreError> {
        let (account, conversation) = named(read)?;
        let whose = (account.as_str(), conversation.as_str());
        let limit = i64::try_from(page.limit).unwrap_or(i64::MAX);
        let (condition, order) = if page.ascending {
            ("position > ?3", "ASC")
        } else {
            ("position < ?3", "DESC")
        };
        let found = self.database.read(|connection| {
            let from = match &page.after {
                None if page.ascending => Some(0),
                None => Some(i64::MAX),
                Some(after) => position_of(connection, whose, after)?,
            };
            let Some(from) = from else { return Ok(None) };
            let select = format!(
                "SELECT item_id, position, sealed FROM conversation_item
                 WHERE account_id = ?1 AND conversation_id = ?2 AND {condition} AND {IN_ONE_THAT_STAYS}
                 ORDER BY position {order} LIMIT ?4"
            );
            let mut select = connection.prepare(&select)?;
            let rows = select.query_map(params![whose.0, whose.1, from, limit], item)?;
            let found = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            self.check_page(connection, whose, (from, page), &found)?;
            Ok(Some(found))
        })?;
        let context = conversation_context(account, &conversation)?;
        let open = |(id, position, sealed): (ItemId, u64, Vec<u8>)| -> Result<KeptItem, StoreError> {
            let body = kms.open(key, &context, &sealed)?;
            Ok(KeptItem { id, position, body })
        };
        found
            .map(|found| found.into_iter().map(open).collect())
            .transpose()
    }

    /// Whether the items of a page are those that were written last, and whether those that are not there were deleted: of the
    /// latter [`MOST_GAPS`] are asked about.
    fn check_page(
        &self,
        connection: &Connection,
        (account, conversation): (&str, &str),
        (from, page): (i64, &ItemPage),
        found: &[(ItemId, u64, Vec<u8>)],
    ) -> rusqlite::Result<()> {
        let next = "SELECT next_position FROM conversation WHERE account_id = ?1 AND conversation_id = ?2";
        self.database
            .check(connection, "conversation", &[&account, &conversation])?;
        let next: Option<i64> = connection
            .query_row(next, params![account, conversation], |row| row.get(0))
            .optional()?;
        let next = next.unwrap_or_default();
        let there: BTreeSet<i64> = found.iter().map(|(_, place, _)| integer(*place)).collect();
        let last = found.last().filter(|_| found.len() >= page.limit);
        let last = last.map(|(_, last, _)| integer(*last));
        let places = if page.ascending {
            from.saturating_add(1)..last.unwrap_or(next)
        } else {
            last.unwrap_or(1)..from.min(next)
        };
        let gaps = places.filter(|place| !there.contains(place)).take(MOST_GAPS);
        for place in there.iter().copied().chain(gaps) {
            let key: [&dyn ToSql; 3] = [&account, &conversation, &place];
            self.database.check(connection, "conversation_item", &key)?;
        }
        Ok(())
    }

    /// Opens one item of the conversation that `read` is for; `None` if there is none such.
    ///
    /// # Errors
    /// [`StoreError::Kms`] if it does not open under the key that `key` is for.
    pub fn conversation_item<A: Action>(
        &self,
        read: &Permit<A>,
        key: &Permit<kms::Decrypt>,
        kms: &Kms,
        id: &ItemId,
    ) -> Result<Option<KeptItem>, StoreError> {
        let (account, conversation) = named(read)?;
        let found = self.database.find(|connection| {
            let found = connection
                .prepare(&format!(
                    "SELECT item_id, position, sealed FROM conversation_item
                     WHERE account_id = ?1 AND conversation_id = ?2 AND item_id = ?3 AND {IN_ONE_THAT_STAYS}"
                ))?
                .query_row(
                    params![account.as_str(), conversation.as_str(), id.as_str()],
                    item,
                )?;
            let key: [&dyn ToSql; 3] = [&account.as_str(), &conversation.as_str(), &integer(found.1)];
            self.database.check(connection, "conversation_item", &key)?;
            Ok(found)
        })?;
        let Some((id, position, sealed)) = found else {
            return Ok(None);
        };
        let body = kms.open(key, &conversation_context(account, &conversation)?, &sealed)?;
        Ok(Some(KeptItem { id, position, body }))
    }

    /// Deletes an item of the conversation that the permit is for; `false` if there is none such. Its sealed bytes are
    /// overwritten, in the write-ahead log, too.
    ///
    /// # Errors
    /// [`StoreError`]; then it is still there.
    pub fn delete_conversation_item(
        &self,
        permit: &Permit<UpdateConversation>,
        id: &ItemId,
    ) -> Result<bool, StoreError> {
        let (account, conversation) = named(permit)?;
        let deleted = self.database.write(|transaction| {
            transaction.execute(
                &format!(
                    "DELETE FROM conversation_item
                     WHERE account_id = ?1 AND conversation_id = ?2 AND item_id = ?3 AND {IN_ONE_THAT_STAYS}"
                ),
                params![account.as_str(), conversation.as_str(), id.as_str()],
            )
        })?;
        if deleted > 0 {
            self.database.empty_log();
        }
        Ok(deleted > 0)
    }
}

/// Takes the places of a turn's items, which then stays for as long as its account keeps things, and no longer than it says.
fn take_places(
    transaction: &Connection,
    (whose, key): ((&str, &str), &str),
    turn: &NewTurn<'_>,
    (now, days): (Timestamp, u32),
) -> rusqlite::Result<Appended> {
    let there = format!(
        "SELECT next_position FROM conversation AS c WHERE account_id = ?1 AND conversation_id = ?2 AND {STAYS}"
    );
    let there = transaction
        .query_row(&there, params![whose.0, whose.1], |row| counted(row, 0))
        .optional()?;
    match there {
        None => return Ok(Appended::Absent),
        Some(there) if there != turn.position => return Ok(Appended::Raced),
        Some(_) => {}
    }
    let bytes: usize = turn.items.iter().map(|item| item.body.len()).sum();
    if !has_room(transaction, whose, (turn.items.len(), bytes))? {
        return Ok(Appended::Full);
    }
    for item in turn.items {
        if position_of(transaction, whose, &item.id)?.is_some() {
            return Ok(Appended::Twice);
        }
    }
    let items = u64::try_from(turn.items.len()).unwrap_or(u64::MAX);
    let next = integer(turn.position.saturating_add(items));
    // A turn under another key than the conversation's would be lost with either of them.
    let take = "UPDATE conversation SET next_position = ?4, expires_at = ?5 + min(days, ?6) * 86400000000
        WHERE account_id = ?1 AND conversation_id = ?2 AND key_id = ?3";
    let taken = transaction.execute(take, params![whose.0, whose.1, key, next, micros(now), days])?;
    Ok(if taken == 0 {
        Appended::Raced
    } else {
        Appended::Done
    })
}

fn item(row: &Row<'_>) -> rusqlite::Result<(ItemId, u64, Vec<u8>)> {
    Ok((term(row, 0)?, counted(row, 1)?, row.get(2)?))
}

fn position_of(
    connection: &Connection,
    (account, conversation): (&str, &str),
    id: &ItemId,
) -> rusqlite::Result<Option<i64>> {
    let select = "SELECT position FROM conversation_item
        WHERE account_id = ?1 AND conversation_id = ?2 AND item_id = ?3";
    connection
        .query_row(select, params![account, conversation, id.as_str()], |row| {
            row.get(0)
        })
        .optional()
}

/// Whether so many items of so many bytes more are not too much.
fn has_room(
    connection: &Connection,
    (account, conversation): (&str, &str),
    (items, bytes): (usize, usize),
) -> rusqlite::Result<bool> {
    let select = "SELECT count(*), coalesce(sum(size), 0) FROM conversation_item
        WHERE account_id = ?1 AND conversation_id = ?2";
    let (there, size) = connection.query_row(select, params![account, conversation], |row| {
        Ok((counted(row, 0)?, counted(row, 1)?))
    })?;
    let more = |there: u64, more: usize| there.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
    Ok(more(there, items) <= MOST && more(size, bytes) <= MOST_BYTES)
}
