//! Deleting content: what is due, and all that an account has, so many rows in each transaction.

use moho_iam::action::mantle::EraseContent;
use moho_iam::authz::Permit;
use moho_terms::{AccountId, Timestamp};
use rusqlite::{Connection, Row, ToSql, params};

use super::{KeptContent, KeptKind};
use crate::Store;
use crate::database::{Stopped, counted, micros};
use crate::error::{NotWrittenDown, StoreError};
use crate::sweeping::{self, ROWS, Room};

const DELETE_RESPONSE: &str = "DELETE FROM sealed_response WHERE account_id = ?1 AND response_id = ?2";
/// A batch of responses that are due by `?1`, and of conversations.
const RESPONSES_DUE: &str = "SELECT account_id, response_id, size FROM sealed_response WHERE expires_at <= ?1
    ORDER BY expires_at LIMIT ?2";
const CONVERSATIONS_DUE: &str =
    "SELECT account_id, conversation_id, size FROM conversation WHERE expires_at <= ?1
    ORDER BY expires_at LIMIT ?2";
/// The same of all that the account `?1` has.
const RESPONSES_OF: &str =
    "SELECT account_id, response_id, size FROM sealed_response WHERE account_id = ?1 LIMIT ?2";
const CONVERSATIONS_OF: &str =
    "SELECT account_id, conversation_id, size FROM conversation WHERE account_id = ?1 LIMIT ?2";
/// And of its prompts, with what goes with each: its versions, their tags, and their bytes.
const PROMPTS_OF: &str = "SELECT prompt_id,
        (SELECT count(*) FROM prompt_version AS v WHERE v.account_id = p.account_id AND v.prompt_id = p.prompt_id)
        + (SELECT count(*) FROM prompt_tag AS t WHERE t.account_id = p.account_id AND t.prompt_id = p.prompt_id),
        (SELECT coalesce(sum(size), 0) FROM prompt_version AS v WHERE v.account_id = p.account_id AND v.prompt_id = p.prompt_id)
    FROM prompt AS p WHERE account_id = ?1 LIMIT ?2";

/// What was deleted as its time had come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expired {
    /// Stored responses.
    pub responses: usize,
    /// Conversations, with their items.
    pub conversations: usize,
    /// Whether there may be more that is due.
    pub more: bool,
    /// What is due and damaged, so that it could not be deleted, and why: everything else goes.
    pub damaged: Vec<(KeptContent, String)>,
}

/// Something that is deleted as its time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// Of which kind.
    pub kind: KeptKind,
    /// Whose.
    pub account: AccountId,
    /// Its id.
    pub id: String,
}

/// Writes down what is about to be deleted. What it does not take is not deleted.
pub type WriteExpiries<'a> = &'a mut dyn FnMut(&[Expiry]) -> Result<(), NotWrittenDown>;

/// What was deleted of an account's content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    /// Stored responses.
    pub responses: usize,
    /// Conversations, with their items.
    pub conversations: usize,
    /// Prompts, with their versions.
    pub prompts: usize,
}

impl Store {
    /// Deletes content whose time has come, of whatever account: no more than `limit` rows, items of conversations among them.
    /// Their sealed bytes are overwritten, in the write-ahead log, too. Nothing is written unless something is due.
    /// What goes is handed to `write_down` before that is kept.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was deleted.
    pub fn expire_due(
        &self,
        now: Timestamp,
        limit: usize,
        write_down: WriteExpiries<'_>,
    ) -> Result<Expired, StoreError> {
        let is_due: bool = self.database.read(|connection| {
            let any = "SELECT EXISTS (SELECT 1 FROM sealed_response WHERE expires_at <= ?1)
                OR EXISTS (SELECT 1 FROM conversation WHERE expires_at <= ?1)";
            connection.query_row(any, [micros(now)], |row| row.get(0))
        })?;
        if !is_due {
            return Ok(Expired::default());
        }
        let due = micros(now);
        let all = self
            .database
            .change(|transaction| -> Result<_, Stopped<StoreError>> {
                let (mut room, mut gone) = (Room::of(limit), Going::default());
                let responses = delete_responses(transaction, (RESPONSES_DUE, &due), (&mut room, &mut gone))?;
                let conversations =
                    delete_conversations(transaction, (CONVERSATIONS_DUE, &due), (&mut room, &mut gone))?;
                gone.written_down(write_down)?;
                Ok(Expired {
                    responses,
                    conversations,
                    more: room.is_full(),
                    damaged: Vec::new(),
                })
            });
        let expired = match all {
            Err(error) if error.is_damage() => self.expire_each(due, limit, write_down)?,
            all => all?,
        };
        if expired != Expired::default() {
            self.database.empty_log();
        }
        Ok(expired)
    }

    /// The same, each thing in a transaction of its own: what is damaged keeps no other.
    fn expire_each(
        &self,
        due: i64,
        limit: usize,
        write_down: WriteExpiries<'_>,
    ) -> Result<Expired, StoreError> {
        let mut expired = Expired::default();
        for (kind, due_by) in [
            (KeptKind::Response, RESPONSES_DUE),
            (KeptKind::Conversation, CONVERSATIONS_DUE),
        ] {
            let which = (due_by, &due as &dyn ToSql);
            let found = self
                .database
                .read(|connection| batch(connection, which, &Room::of(limit)))?;
            for (account, id, _size) in found {
                let deleted = self
                    .database
                    .change(|transaction| -> Result<_, Stopped<StoreError>> {
                        let (whose, mut room) = ((account.as_str(), id.as_str()), Room::of(limit));
                        let mut gone = Going::default();
                        let is_gone = if kind == KeptKind::Response {
                            transaction.execute(DELETE_RESPONSE, params![whose.0, whose.1])?;
                            gone.add(kind, whose);
                            true
                        } else {
                            if sweeping::mark(transaction, whose)? {
                                gone.add(kind, whose);
                            }
                            sweeping::sweep(transaction, whose, &mut room)?
                        };
                        gone.written_down(write_down)?;
                        Ok(is_gone)
                    });
                expired.more |= deleted.is_ok();
                match (deleted, kind) {
                    (Ok(true), KeptKind::Response) => expired.responses = expired.responses.saturating_add(1),
                    (Ok(true), _) => expired.conversations = expired.conversations.saturating_add(1),
                    (Ok(false), _) => {}
                    (Err(error), _) if error.is_damage() => {
                        expired
                            .damaged
                            .push((KeptContent { kind, id }, error.to_string()));
                    }
                    (Err(error), _) => return Err(error),
                }
            }
        }
        Ok(expired)
    }

    /// Takes what was deleted out of the write-ahead log, too, if somebody read there when that was tried; `false` if somebody
    /// still does.
    #[must_use]
    pub fn empty_log_if_owed(&self) -> bool {
        self.database.empty_log_if_owed()
    }

    /// Deletes all responses, conversations and prompts of the permit's account, some at a time. When this returns, no sealed
    /// byte of them is left in the database, nor, unless somebody reads there just then, in its write-ahead log.
    ///
    /// # Errors
    /// [`StoreError`]; then some of it is left.
    pub fn erase_content(&self, permit: &Permit<EraseContent>) -> Result<Erased, StoreError> {
        let account = permit.session().account();
        let erased = Erased {
            responses: self.all_of((RESPONSES_OF, account), delete_responses)?,
            conversations: self.all_of((CONVERSATIONS_OF, account), delete_conversations)?,
            prompts: self.all_of((PROMPTS_OF, account), delete_prompts)?,
        };
        self.policies.forget();
        self.database.empty_log();
        Ok(erased)
    }

    /// Deletes all of a kind that an account has, a batch in each transaction.
    fn all_of(&self, (select, account): (&str, AccountId), delete: DeleteBatch) -> Result<usize, StoreError> {
        let mut deleted = 0_usize;
        loop {
            let (some, more) = self.database.write(|transaction| {
                let mut room = Room::of(ROWS);
                let some = delete(
                    transaction,
                    (select, &account.as_str()),
                    (&mut room, &mut Going::default()),
                )?;
                Ok((some, room.is_full()))
            })?;
            deleted = deleted.saturating_add(some);
            if some == 0 && !more {
                return Ok(deleted);
            }
        }
    }
}

/// Deletes a batch of what a query finds, and says how many things.
type DeleteBatch = fn(&Connection, (&str, &dyn ToSql), (&mut Room, &mut Going)) -> rusqlite::Result<usize>;

/// What goes, to be written down: of which kind, whose, and its id.
#[derive(Default)]
struct Going(Vec<(KeptKind, String, String)>);

impl Going {
    fn add(&mut self, kind: KeptKind, (account, id): (&str, &str)) {
        self.0.push((kind, account.to_owned(), id.to_owned()));
    }

    fn written_down(self, write_down: WriteExpiries<'_>) -> Result<(), Stopped<StoreError>> {
        let mut all = Vec::with_capacity(self.0.len());
        for (kind, account, id) in self.0 {
            let account: Result<AccountId, _> = account.parse();
            let account = account.map_err(|error| Stopped::Refused(StoreError::Name(error)))?;
            all.push(Expiry { kind, account, id });
        }
        if all.is_empty() {
            return Ok(());
        }
        write_down(&all).map_err(|error| Stopped::Refused(error.into()))
    }
}

/// What a query names, as far as there is room: whose it is, its id, its bytes.
fn batch(
    transaction: &Connection,
    (select, by): (&str, &dyn ToSql),
    room: &Room,
) -> rusqlite::Result<Vec<(String, String, u64)>> {
    let mut select = transaction.prepare(select)?;
    let named = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, counted(row, 2)?));
    select.query_map(params![by, room.rows()], named)?.collect()
}

fn delete_responses(
    transaction: &Connection,
    which: (&str, &dyn ToSql),
    (room, gone): (&mut Room, &mut Going),
) -> rusqlite::Result<usize> {
    let mut delete = transaction.prepare(DELETE_RESPONSE)?;
    let mut deleted = 0_usize;
    for (account, id, size) in batch(transaction, which, room)? {
        if room.is_full() {
            break;
        }
        delete.execute(params![account, id])?;
        gone.add(KeptKind::Response, (&account, &id));
        room.take(1, size);
        deleted = deleted.saturating_add(1);
    }
    Ok(deleted)
}

/// Those that there is not room for are marked, or stay for the next batch.
fn delete_conversations(
    transaction: &Connection,
    which: (&str, &dyn ToSql),
    (room, gone): (&mut Room, &mut Going),
) -> rusqlite::Result<usize> {
    let mut deleted = 0_usize;
    for (account, id, size) in batch(transaction, which, room)? {
        if room.is_full() {
            break;
        }
        let whose = (account.as_str(), id.as_str());
        // It may have been marked before, and written down then.
        if sweeping::mark(transaction, whose)? {
            gone.add(KeptKind::Conversation, whose);
        }
        if sweeping::sweep(transaction, whose, room)? {
            deleted = deleted.saturating_add(1);
        }
        room.take(0, size);
    }
    Ok(deleted)
}

/// Each with its versions and their tags, of which there are not many.
fn delete_prompts(
    transaction: &Connection,
    (select, account): (&str, &dyn ToSql),
    (room, _gone): (&mut Room, &mut Going),
) -> rusqlite::Result<usize> {
    let mut select = transaction.prepare(select)?;
    let named = |row: &Row<'_>| Ok((row.get(0)?, counted(row, 1)?, counted(row, 2)?));
    let found = select.query_map(params![account, room.rows()], named)?;
    let found: Vec<(String, u64, u64)> = found.collect::<rusqlite::Result<_>>()?;
    let mut delete = transaction.prepare("DELETE FROM prompt WHERE account_id = ?1 AND prompt_id = ?2")?;
    let mut deleted = 0_usize;
    for (id, rows, bytes) in found {
        if room.is_full() {
            break;
        }
        delete.execute(params![account, id])?;
        room.take(
            usize::try_from(rows).unwrap_or(usize::MAX).saturating_add(1),
            bytes,
        );
        deleted = deleted.saturating_add(1);
    }
    Ok(deleted)
}
