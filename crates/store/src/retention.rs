//! How long content may stay: what an account says of it, what is due, and all of it at once.

use moho_iam::action::bedrock::{GetAccountDataRetention, PutAccountDataRetention};
use moho_iam::action::mantle::{EraseContent, ExportContent};
use moho_iam::authz::Permit;
use moho_terms::{AccountId, Timestamp};
use rusqlite::{OptionalExtension, Row, params};

use crate::Store;
use crate::database::{counted, micros, time};
use crate::error::StoreError;

/// The days that content stays, unless its account or its request says less.
const USUAL_DAYS: u32 = 30;
/// Seconds of a day.
const DAY: u64 = 86_400;
/// Things that one transaction deletes of an account.
const BATCH: u32 = 500;

/// What an account says of how long its content may stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Whether anything may stay at all.
    pub keeps: bool,
    /// For how many days at most.
    pub days: u32,
    /// Whether the account said so, and when.
    pub updated: Option<Timestamp>,
}

/// What was deleted as its time had come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expired {
    /// Stored responses.
    pub responses: usize,
    /// Conversations, with their items.
    pub conversations: usize,
}

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

/// A kind of content that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptKind {
    /// A stored response.
    Response,
    /// A conversation.
    Conversation,
    /// A version of a prompt.
    Prompt,
}

/// One thing that is kept: of which kind, and its id; of a version of a prompt `ID` or `ID:NUMBER`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptContent {
    /// Which kind.
    pub kind: KeptKind,
    /// Its id.
    pub id: String,
}

/// So many days later.
pub(crate) fn after_days(now: Timestamp, days: u32) -> Timestamp {
    now.plus_seconds(u64::from(days).saturating_mul(DAY))
}

impl Store {
    /// How long an account's content may stay.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said; then nothing may.
    pub fn retention(&self, account: AccountId) -> Result<Retention, StoreError> {
        let found = self.database.find(|connection| {
            connection
                .prepare("SELECT mode, days, updated_at FROM data_retention WHERE account_id = ?1")?
                .query_row([account.as_str()], |row| {
                    let mode: String = row.get(0)?;
                    let days: Option<u32> = row.get(1)?;
                    Ok(Retention {
                        // Whatever else it says, nothing stays.
                        keeps: mode == "default",
                        days: days.unwrap_or(USUAL_DAYS),
                        updated: Some(time(row, 2)?),
                    })
                })
        })?;
        Ok(found.unwrap_or(Retention {
            keeps: true,
            days: USUAL_DAYS,
            updated: None,
        }))
    }

    /// The same for whom the permit is for.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn own_retention(&self, permit: &Permit<GetAccountDataRetention>) -> Result<Retention, StoreError> {
        self.retention(permit.session().account())
    }

    /// Says whether the content of the permit's account may stay.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn put_retention_mode(
        &self,
        permit: &Permit<PutAccountDataRetention>,
        keeps: bool,
        now: Timestamp,
    ) -> Result<Retention, StoreError> {
        let account = permit.session().account();
        let mode = if keeps { "default" } else { "none" };
        self.database.write(|transaction| {
            let put = "INSERT INTO data_retention (account_id, mode, updated_at) VALUES (?1, ?2, ?3)
                ON CONFLICT (account_id) DO UPDATE SET mode = excluded.mode, updated_at = excluded.updated_at";
            transaction.execute(put, params![account.as_str(), mode, micros(now)])
        })?;
        self.retention(account)
    }

    /// Says for how many days the content of the permit's account may stay: what is there already goes no later than that
    /// after it was made, or after a conversation's last turn.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn put_retention_days(
        &self,
        permit: &Permit<PutAccountDataRetention>,
        days: u32,
        now: Timestamp,
    ) -> Result<Retention, StoreError> {
        let account = permit.session().account();
        let span = i64::try_from(u64::from(days).saturating_mul(DAY * 1_000_000)).unwrap_or(i64::MAX);
        self.database.write(|transaction| {
            let put = "INSERT INTO data_retention (account_id, mode, days, updated_at) VALUES (?1, 'default', ?2, ?3)
                ON CONFLICT (account_id) DO UPDATE SET days = excluded.days, updated_at = excluded.updated_at";
            transaction.execute(put, params![account.as_str(), days, micros(now)])?;
            let sooner = "UPDATE sealed_response SET expires_at = created_at + ?2
                WHERE account_id = ?1 AND expires_at > created_at + ?2";
            transaction.execute(sooner, params![account.as_str(), span])?;
            let sooner = "UPDATE conversation SET expires_at = expires_at - (days * 86400000000 - ?2), days = ?3
                WHERE account_id = ?1 AND days > ?3";
            transaction.execute(sooner, params![account.as_str(), span, days])
        })?;
        self.retention(account)
    }

    /// Deletes at most `limit` things of each kind whose time has come, of whatever account. There is more if that many were
    /// deleted. Their sealed bytes are overwritten, in the write-ahead log, too.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was deleted.
    pub fn expire_due(&self, now: Timestamp, limit: u32) -> Result<Expired, StoreError> {
        let expired = self.database.write(|transaction| {
            let due = params![micros(now), limit];
            let responses = transaction.execute(
                "DELETE FROM sealed_response WHERE rowid IN
                    (SELECT rowid FROM sealed_response WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
                due,
            )?;
            let conversations = transaction.execute(
                "DELETE FROM conversation WHERE rowid IN
                    (SELECT rowid FROM conversation WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
                due,
            )?;
            Ok(Expired {
                responses,
                conversations,
            })
        })?;
        if expired != Expired::default() {
            self.database.empty_log();
        }
        Ok(expired)
    }

    /// Deletes all responses, conversations and prompts of the permit's account, some at a time. When this returns, no sealed
    /// byte of them is left in the database, nor, unless somebody reads there just then, in its write-ahead log.
    ///
    /// # Errors
    /// [`StoreError`]; then some of it is left.
    pub fn erase_content(&self, permit: &Permit<EraseContent>) -> Result<Erased, StoreError> {
        let account = permit.session().account();
        let all_of = |table: &str| -> Result<usize, StoreError> {
            let delete = format!(
                "DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE account_id = ?1 LIMIT {BATCH})"
            );
            let mut deleted = 0_usize;
            loop {
                let some = self
                    .database
                    .write(|transaction| transaction.execute(&delete, [account.as_str()]))?;
                if some == 0 {
                    return Ok(deleted);
                }
                deleted = deleted.saturating_add(some);
            }
        };
        let erased = Erased {
            responses: all_of("sealed_response")?,
            conversations: all_of("conversation")?,
            prompts: all_of("prompt")?,
        };
        self.policies.forget();
        self.database.empty_log();
        Ok(erased)
    }

    /// At most `most` things that the permit's account keeps, of one kind and in the order of their ids, after one of them.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn kept_content(
        &self,
        permit: &Permit<ExportContent>,
        (kind, after): (KeptKind, &str),
        most: u32,
    ) -> Result<Vec<KeptContent>, StoreError> {
        let account = permit.session().account();
        let select = match kind {
            KeptKind::Response => {
                "SELECT response_id AS id FROM sealed_response WHERE account_id = ?1 AND response_id > ?2 ORDER BY 1 LIMIT ?3"
            }
            KeptKind::Conversation => {
                "SELECT conversation_id AS id FROM conversation WHERE account_id = ?1 AND conversation_id > ?2
                 ORDER BY 1 LIMIT ?3"
            }
            KeptKind::Prompt => {
                "SELECT id FROM (SELECT prompt_id || CASE version WHEN 0 THEN '' ELSE ':' || version END AS id
                    FROM prompt_version WHERE account_id = ?1) WHERE id > ?2 ORDER BY 1 LIMIT ?3"
            }
        };
        self.database.read(|connection| {
            let mut select = connection.prepare(select)?;
            let kept = |row: &Row<'_>| -> rusqlite::Result<KeptContent> {
                let id = row.get(0)?;
                Ok(KeptContent { kind, id })
            };
            let found = select.query_map(params![account.as_str(), after, most], kept)?;
            found.collect()
        })
    }

    /// How many things of an account are due by `now`: for those who watch.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn due_content(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.database.read(|connection| {
            let count = "SELECT (SELECT count(*) FROM sealed_response WHERE expires_at <= ?1)
                + (SELECT count(*) FROM conversation WHERE expires_at <= ?1)";
            let due = connection.query_row(count, [micros(now)], |row| counted(row, 0));
            due.optional().map(Option::unwrap_or_default)
        })
    }
}
